"""Whether an environment works, found by working: ``python -m backend.selfcheck --engine recammaster``.

What an engine imports is imported, and a small real job is done. `reproject` re-shoots a clip that is made here, from
files to a take that is read back; its kernels are compiled on the way and kept, so that the user's first take need not
wait for that. `recammaster` takes a step through a tiny network of its own class, on the device that it would run on.

On stdout comes one line of JSON and nothing else:

    {"engines": ["reproject"], "python": "3.11.7", "torch": "", "device": "CPU", "memory": 25204166656,
     "packages": [...], "notes": [...]}

On stderr: what is being done, and what is wrong as its last line. Exit codes as in :mod:`backend.console`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, TextIO

from . import console, packages
from .contract import (
    ENGINES,
    ContractError,
    Depth,
    EngineSettings,
    Footage,
    Intrinsics,
    Job,
    Output,
    Pose,
    Progress,
    Trajectory,
)

_WIDTH, _HEIGHT, _FRAMES = 128, 96, 4
_NEAR, _FAR = 2.0, 4.0
_SHIFT = 8
"""Pixels by which the far wall moves from the first frame of the take to its last."""
_CLOSE = 12.0
"""Mean difference, of 255, that two passes through a lossy codec and a resampling stay well below; what is measured
against it is the picture shifted by :data:`_SHIFT` or not at all, and those differ by some 40."""


class NotWorking(Exception):
    """What does not work here, in a sentence."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check; 0 when all is well, 1 with the reason as the last line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m backend.selfcheck", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--engine", default=ENGINES[0], choices=ENGINES, help="that is to work; others come with it")
    chosen = parser.parse_args(arguments)
    with _own_stdout() as out:
        try:
            found = check(chosen.engine)
        except NotWorking as error:
            return console.end(str(error), console.FAILED)
        out.write(json.dumps(found) + "\n")
    return 0


def check(engine: str) -> dict[str, Any]:
    """Do what an engine does, on a small scale; tell what it was done with.

    Raises:
        NotWorking: something cannot be imported or done.
    """
    engines = ENGINES[: ENGINES.index(engine) + 1]
    for each in dict.fromkeys(name for needed in engines for name in packages.needed(needed)):
        _import(each)
    console.note("re-shooting a small clip, slow at first: half a minute")
    with tempfile.TemporaryDirectory(prefix="recam-check-", ignore_cleanup_errors=True) as folder:
        _reshoot(Path(folder))
    found = about() | {"engines": list(engines)}
    if "recammaster" in engines:
        console.note("a step through a small network")
        found |= _denoise()
    return found


def about() -> dict[str, Any]:
    """The interpreter and its packages."""
    held = {
        re.sub(r"[-_.]+", "-", each.metadata["Name"] or "").lower(): each.version
        for each in importlib.metadata.distributions()
    }
    return {
        "engines": [],
        "python": platform.python_version(),
        "torch": held.get("torch", ""),
        "device": "CPU",
        "memory": _memory(),
        "packages": sorted(f"{name}=={version}" for name, version in held.items() if name),
        "notes": [],
    }


def _memory() -> int:
    """Bytes of the machine's memory; 0 where the system does not tell a program without help."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has none of it
        return 0


def _import(name: str) -> None:
    console.note(f"importing {name}")
    try:
        importlib.import_module(name)
    except Exception as error:  # an OSError where a system library is missing, and what not
        text = " ".join(str(error).split())
        raise NotWorking(f"{name} cannot be imported: {type(error).__name__}: {text}. {_advice(text)}") from error


def _advice(text: str) -> str:
    missing = re.search(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object file", text)
    if missing:
        return f"The system library {missing[1]} is missing: install it with the system's own packages, then repair."
    if "DLL load failed" in text:
        return "A library of Windows' is missing: install Microsoft's Visual C++ Redistributable (x64), then repair."
    return "Repair the environment; if it stays, its log tells more."


# Re-shooting a clip


def _reshoot(folder: Path) -> None:
    """A textured wall with a square before it, seen by a camera that moves to the right, as far as the wall shifts."""
    import numpy as np

    from .render import RenderError, render

    try:
        wall = _wall()
        job = _job(folder, wall)
        result = render(job, _told, lambda: False)
    except (ContractError, RenderError) as error:
        raise NotWorking(f"The preview engine could not re-shoot a small clip: {error}") from error
    frames = _read_back(result.path)
    if len(frames) != _FRAMES:
        raise NotWorking(f"A take of {_FRAMES} frames was made, and {len(frames)} could be read back.")
    band = slice(4, _HEIGHT // 6)  # where there is only the wall
    seen, still, moved = (
        each[band, : _WIDTH - 2 * _SHIFT].astype(np.float64) for each in (frames[-1], wall, np.roll(wall, -_SHIFT, 1))
    )
    first = abs(frames[0].astype(np.float64) - wall)[band].mean()
    off, from_still = abs(seen - moved).mean(), abs(seen - still).mean()
    if not (first < _CLOSE and off < _CLOSE < from_still):
        raise NotWorking(
            "The preview engine drew something else than it should: the first frame is off by "
            f"{first:.1f} of 255 and the last by {off:.1f}, where less than {_CLOSE:.0f} was expected."
        )


def _wall() -> Any:
    """(h, w, 3) uint8: soft waves, so that neither a codec nor resampling changes much."""
    import numpy as np

    y, x = np.mgrid[:_HEIGHT, :_WIDTH]
    waves = [np.sin(x / 5 + phase) + np.cos(y / 7 + x / 11 - phase) for phase in (0.0, 1.0, 2.0)]
    return np.rint(127 + 55 * np.stack(waves, axis=-1)).astype(np.uint8)


def _job(folder: Path, picture: Any) -> Job:
    import numpy as np
    import OpenEXR

    from .media.writer import open_take

    clip = Output(path=str(folder / "footage.mp4"), width=_WIDTH, height=_HEIGHT, rate=Fraction(24))
    with open_take(clip) as taking:
        for _ in range(_FRAMES):
            taking.write(picture)
    depth = np.full((_HEIGHT, _WIDTH), _FAR, np.float32)
    depth[_HEIGHT // 3 : -_HEIGHT // 3, _WIDTH // 3 : -_WIDTH // 3] = _NEAR
    with OpenEXR.File({"type": OpenEXR.scanlineimage}, {"Z": depth}) as file:
        file.write(str(folder / "depth.exr"))
    lens = Intrinsics(fx=float(_WIDTH), fy=float(_WIDTH), cx=_WIDTH / 2, cy=_HEIGHT / 2)
    way = _SHIFT * _FAR / lens.fx
    return Job(
        footage=Footage(kind="movie", files=(clip.path,), frames=tuple(range(_FRAMES)), width=_WIDTH, height=_HEIGHT),
        source=_camera(lens, [0.0] * _FRAMES),
        target=_camera(lens, [way * index / (_FRAMES - 1) for index in range(_FRAMES)]),
        output=Output(path=str(folder / "take.mp4"), width=_WIDTH, height=_HEIGHT, rate=Fraction(24)),
        settings=EngineSettings(depth=Depth(kind="file", files=(str(folder / "depth.exr"),) * _FRAMES)),
    )


def _camera(lens: Intrinsics, right: Sequence[float]) -> Trajectory:
    poses: list[Pose] = [
        ((1.0, 0.0, 0.0, x), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0)) for x in right
    ]
    return Trajectory(width=_WIDTH, height=_HEIGHT, poses=tuple(poses), intrinsics=(lens,) * len(poses))


def _read_back(path: str) -> list[Any]:
    from .media.errors import FootageError
    from .media.reader import open_footage, probe

    try:
        clip = probe(path)
        shown = Footage(
            kind="movie", files=(path,), frames=tuple(range(clip.frames)), width=clip.width, height=clip.height
        )
        with open_footage(shown) as reader:
            return [reader.frame(index) for index in range(clip.frames)]
    except FootageError as error:
        raise NotWorking(f"The take that was made cannot be read back: {error}") from error


def _told(progress: Progress) -> None:
    if progress.step == progress.total:
        console.note(f"{progress.phase}: {progress.step} of {progress.total}")


# A step of the network


def _denoise() -> dict[str, Any]:
    """One step of two blocks as wide as the real ones' heads, on the device that the network would run on."""
    import torch

    from .engines import EngineError
    from .recammaster import device as devices
    from .recammaster.sampling import draw_noise, sample
    from .recammaster.transformer import ReCamMasterTransformer3DModel

    shape, text = (1, 16, 2, 8, 12), 32
    try:
        chosen = devices.choose()
        torch.manual_seed(0)
        network = ReCamMasterTransformer3DModel(
            num_attention_heads=2, attention_head_dim=128, ffn_dim=256, num_layers=2, text_dim=text, freq_dim=32
        )
        network.eval().requires_grad_(False).to(chosen.device, chosen.dtype)
        devices.pin_attention(network, chosen.device, tokens=2 * shape[2] * shape[3] * shape[4] // 4)
        found = sample(
            network,
            draw_noise(shape, 1),
            draw_noise(shape, 2),
            torch.zeros(1, shape[2], 12),
            torch.ones(1, 4, text),
            None,
            steps=1,
            guidance_scale=1.0,
        ).cpu()
    except (EngineError, RuntimeError, ValueError, TypeError) as error:
        raise NotWorking(f"The network could not take a step: {' '.join(str(error).split())}") from error
    if tuple(found.shape) != shape or not bool(torch.isfinite(found).all()):
        raise NotWorking(f"The network gave numbers that are none on {chosen.name}: update the GPU's driver.")
    return {"torch": torch.__version__} | _described(chosen.device, chosen.name)


def _described(device: Any, name: str) -> dict[str, Any]:
    """The device in a user's words, all of its memory, and what should be said of it."""
    import psutil  # type: ignore[import-untyped]
    import torch

    memory = int(psutil.virtual_memory().total)
    if device.type == "cuda":
        return {"device": name, "memory": int(torch.cuda.get_device_properties(device).total_memory)}
    if device.type == "mps":
        return {"device": _apple_chip(), "memory": memory}
    notes = []
    if torch.version.cuda or torch.version.hip:
        notes = [
            f"torch {torch.__version__} is built for a GPU and finds none that it can use, so networks would run on "
            "the CPU: update the GPU's driver, then repair."
        ]
    return {"device": "CPU", "memory": memory, "notes": notes}


def _apple_chip() -> str:
    """Like ``Apple M3 Max``."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
        return told.stdout.strip() or "Apple's GPU"
    return "Apple's GPU"


@contextlib.contextmanager
def _own_stdout() -> Iterator[TextIO]:
    """Stdout for the answer alone: what libraries print, also from C, goes to stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with open(kept, "w", encoding="utf-8", closefd=False) as out:
            yield out
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


if __name__ == "__main__":
    sys.exit(main())
