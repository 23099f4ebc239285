"""``python -m backend cameras``: what is in a file of cameras, and the same cameras in another format."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from . import contract, packages
from .console import note, option
from .contract import ContractError, Trajectory

if TYPE_CHECKING:
    from .cameras.formats import Loaded

_ABOUT = """\
Say what is in a file of cameras, or write the cameras to a new file in another format.

  python -m backend cameras IN                                what it is, and what it holds
  python -m backend cameras IN OUT --to nerfstudio            the same camera in another format
  python -m backend cameras IN OUT.json --to published --camera all

IN is a file, or a folder with COLMAP's files or a transforms.json in it; its format is found from what is in it. What
the new file cannot hold, and what the old one did not say, is told on stderr. Nothing is overwritten.

formats:
  recam        ReCam's own
  published    the camera_extrinsics.json of ReCamMaster's data
  re10k        RealEstate10K's and CameraCtrl's text
  tum          TUM's text
  colmap       COLMAP's model as text, in a folder
  colmap-bin   the same as binary
  nerfstudio   the transforms.json of nerfstudio and instant-ngp
"""

_ALL = "all"
_BY_NAME = {
    ".tum": "tum",
    "camera_extrinsics.json": "published",
    "transforms.json": "nerfstudio",
    ".json": "recam",
}


def add_cameras(commands: Any) -> None:
    """Add ``cameras`` to the shell's commands."""
    parser = commands.add_parser(
        "cameras",
        help="describe and convert files of cameras",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="IN", help="a file of cameras, or a folder")
    parser.add_argument("output", metavar="OUT", nargs="?", help="the new file; a folder for COLMAP's formats")
    parser.add_argument("--to", metavar="FORMAT", help="of OUT (default: by its name)")
    parser.add_argument("--from", metavar="FORMAT", dest="kind", help="of IN")
    parser.add_argument("--camera", metavar="NAME", help=f"which, where there are several; {_ALL} for --to published")
    parser.add_argument("--rate", metavar="FPS", help="frames a second of OUT; poses with times are brought to it")
    parser.add_argument("--size", metavar="WxH", help="of the picture, where IN does not say")
    parser.add_argument("--lens", type=float, metavar="MM", help="focal length, where IN has no lens")
    parser.add_argument("--sensor", type=float, metavar="MM", default=36.0, help="its sensor's width (default: 36)")
    parser.add_argument("--scale", type=float, metavar="M", default=1.0, help="metres per unit of IN (default: 1)")
    parser.add_argument("--up", metavar="AXIS", help="the axis of IN that is up, like +Y: z of OUT will be")
    parser.set_defaults(run=_run, debug=False)


def _run(options: argparse.Namespace) -> int:
    if importlib.util.find_spec("numpy") is None:
        packages.check("reproject")
    from .cameras import formats

    rate = None if options.rate is None else _rate(options.rate)
    if options.output is None:
        _check_none_of_output(options)
        every = _read(options, None, every=True)
        sys.stdout.write("\n".join(_described(options.file, every)) + "\n")
        _tell(each for loaded in every for each in loaded.lacks)
        return 0
    kind = options.to or _kind_of(options.output)
    if kind not in formats.KINDS:
        raise ContractError("--to", kind, "one of " + ", ".join(formats.KINDS))
    if os.path.lexists(options.output) and not os.path.isdir(options.output):
        raise ContractError("OUT", f"{options.output!r}, which exists", "a name that is still free")
    every = _read(options, rate, every=options.camera == _ALL)
    trajectories = {each.camera or "cam01": _upright(each.trajectory, options.up) for each in every}
    chosen: Any = next(iter(trajectories.values())) if len(trajectories) == 1 else trajectories
    known = rate or _exact(every[0].rate)
    lost = formats.write(options.output, chosen, kind, rate=known)
    _tell([*(each for loaded in every for each in loaded.lacks), *lost])
    if known is None and "time" in formats.KINDS[kind].holds:
        note("No rate is known: the new file counts frames in place of time. --rate says how many make a second.")
    sys.stdout.write(options.output + "\n")
    return 0


def _check_none_of_output(options: argparse.Namespace) -> None:
    """Raise ContractError for an option that is heeded by what is written alone."""
    for name in ("to", "camera", "rate", "up"):
        if getattr(options, name) is not None:
            raise ContractError(option(name), f"{getattr(options, name)!r} without OUT", "both or neither")


def _read(options: argparse.Namespace, rate: Fraction | None, *, every: bool) -> list[Loaded]:
    from .cameras import formats

    width, height = _size(options.size) if options.size else (None, None)
    if not options.sensor > 0 or (options.lens is not None and not options.lens > 0):
        raise ContractError("--lens, --sensor", f"{options.lens}, {options.sensor}", "more than 0 mm")
    known: dict[str, Any] = {
        "kind": options.kind,
        "rate": None if rate is None else float(rate),
        "lens": None if options.lens is None else (options.lens, options.sensor),
        "width": width,
        "height": height,
        "scale": options.scale,
    }
    if every:
        return formats.read_all(options.file, **known)
    return [formats.read(options.file, camera=options.camera, **known)]


def _upright(trajectory: Trajectory, up: str | None) -> Trajectory:
    from .cameras import formats

    if up is None:
        return trajectory
    if up not in formats.UPS:
        raise ContractError("--up", up, "one of " + ", ".join(formats.UPS))
    return formats.turned(trajectory, up)


def _described(path: str, every: list[Loaded]) -> Iterator[str]:
    from .cameras import formats

    first = every[0]
    yield f"{path}: {formats.KINDS[first.kind].label}"
    for each in every:
        found = each.trajectory
        parts = [f"{len(found)} frames"]
        if each.rate is not None:
            parts.append(f"{each.rate:.6g} a second")
        if each.has_lens:
            parts += [f"{found.width} x {found.height} pixels", _angles(found)]
        yield f"  {each.camera + ': ' if each.camera else ''}{', '.join(parts)}"
    yield f"  up is likely {formats.up_axis(*(each.trajectory for each in every))}"


def _angles(found: Trajectory) -> str:
    from .cameras import formats

    least, most = formats.angles(found)
    return f"{least:.4g}° across" if most - least < 0.01 else f"{least:.4g}° to {most:.4g}° across"


def _tell(sentences: Any) -> None:
    """Each once: several cameras of a file lack the same."""
    for each in dict.fromkeys(sentences):
        note(each)


def _kind_of(path: str) -> str:
    name = os.path.basename(os.path.normpath(path)).lower()
    for ending, kind in _BY_NAME.items():
        if name == ending or (ending.startswith(".") and name.endswith(ending)):
            return kind
    if "." not in name:
        return "colmap"
    raise ContractError("--to", f"nothing, and OUT is {path!r}", "a format: --help lists them")


def _exact(rate: float | None) -> Fraction | None:
    """The rate of a clip that is this one but for the digits of its times."""
    if rate is None:
        return None
    near = min((Fraction(round(rate)), Fraction(round(rate * 1.001) * 1000, 1001)), key=lambda each: abs(each - rate))
    return near if near > 0 and abs(float(near) / rate - 1) < 1e-4 else Fraction(rate).limit_denominator(100_000)


_RATE = re.compile(r"[0-9]{1,10}(/(?!0+$)[0-9]{1,10}|\.[0-9]{1,9})?")


def _rate(text: str) -> Fraction:
    slowest, fastest = contract.RATES
    rate = Fraction(text) if _RATE.fullmatch(text) else Fraction(0)
    if not slowest <= rate <= fastest:
        raise ContractError("--rate", text, f"frames per second, like 24 or 24000/1001, {slowest} to {fastest}")
    return rate


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9][0-9]{0,8})[xX]([1-9][0-9]{0,8})", text)
    if match is None:
        raise ContractError("--size", text, "width and height, like 832x480")
    return int(match[1]), int(match[2])
