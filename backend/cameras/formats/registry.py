"""All formats behind one door."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ...contract import Trajectory
from ...messages import ContractError
from ..poses import Array
from ..trajectory import arrays
from . import colmap, published, realestate, recam, source, transforms, tum
from .files import Path, write_new
from .source import COLMAP, COLMAP_BINARY, PUBLISHED, REALESTATE, RECAM, TRANSFORMS, TUM, Source
from .tracks import Numbers, Track, ordered, regular, trajectory

LENS, LENS_PER_FRAME, SIZE, SCALE, TIME, SEVERAL = "lens", "lens of each frame", "size", "scale", "time", "several"


@dataclass(frozen=True)
class Kind:
    """A format.

    Attributes:
        name: what is typed for it.
        label: its name for readers.
        suffixes: what its files end in; nothing for a folder.
        holds: of "lens", "lens of each frame", "size", "scale", "time" and "several" (cameras) what it holds.
    """

    name: str
    label: str
    suffixes: tuple[str, ...]
    holds: frozenset[str]


def _kind(name: str, label: str, suffixes: tuple[str, ...], *holds: str) -> tuple[str, Kind]:
    return name, Kind(name, label, suffixes, frozenset(holds))


KINDS: dict[str, Kind] = dict(
    (
        _kind(RECAM, "ReCam trajectory", (".json",), LENS, LENS_PER_FRAME, SIZE, SCALE),
        _kind(PUBLISHED, "ReCamMaster camera_extrinsics", (".json",), SCALE, SEVERAL),
        _kind(REALESTATE, "RealEstate10K / CameraCtrl", (".txt",), LENS, LENS_PER_FRAME, TIME),
        _kind(TUM, "TUM", (".txt", ".tum"), SCALE, TIME),
        _kind(COLMAP, "COLMAP, text", (), LENS, LENS_PER_FRAME, SIZE, SEVERAL),
        _kind(COLMAP_BINARY, "COLMAP, binary", (), LENS, LENS_PER_FRAME, SIZE, SEVERAL),
        _kind(TRANSFORMS, "nerfstudio / instant-ngp transforms", (".json",), LENS, LENS_PER_FRAME, SIZE, SEVERAL),
    )
)
"""The formats by what is typed for them."""

_DEFAULT_CAMERA = "cam05"
"""Of a camera_extrinsics.json, where nobody chooses."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A camera from a file.

    Attributes:
        kind: of the file, one of :data:`KINDS`.
        trajectory: one pose for each frame.
        has_lens: whether its lens is the file's; else it is the caller's or the default.
        rate: frames a second, where the file says so, or those asked for; None: it has no times.
        times: (n,) seconds of the poses that the file has, in order; None where it does not say.
        numbers: (n,) which frames the poses that the file has are of; None where it does not say.
        camera: the name of this camera; empty where the file holds one alone.
        cameras: the names of all in the file; none where it holds one alone.
        lacks: what the file does not hold, and what was decided on the caller's behalf, in whole sentences.
    """

    kind: str
    trajectory: Trajectory
    has_lens: bool
    rate: float | None
    times: Array | None
    numbers: Numbers | None
    camera: str
    cameras: tuple[str, ...]
    lacks: tuple[str, ...]


def detect(path: Path) -> str:
    """Which of :data:`KINDS` a file, or a folder, is. Raises ContractError for one that is none."""
    return source.find(path).kind


def cameras(path: Path, kind: str | None = None) -> tuple[str, ...]:
    """The names of the cameras in a file; none where it holds one alone. Raises ContractError as :func:`read` does."""
    return _names(_find(path, kind))


def read(
    path: Path,
    *,
    camera: str | None = None,
    kind: str | None = None,
    rate: float | None = None,
    lens: tuple[float, float] | None = None,
    width: int | None = None,
    height: int | None = None,
    scale: float = 1.0,
) -> Loaded:
    """A camera from a file, one pose for each frame: in order, with those interpolated that lack in between.

    Args:
        path: a file, or a folder with COLMAP's files or a transforms.json in it.
        camera: which one, where there are several; None: cam05 of the published data, else the first.
        kind: the format; None: found from what is in the file.
        rate: frames a second to bring the poses to, where the file has times; None: the file's own.
        lens: focal length and sensor width, millimetres, where the file has no lens; None: :data:`DEFAULT_LENS`.
        width: of the picture, pixels, where the file does not say.
        height: likewise.
        scale: metres per unit of the file.

    Raises:
        ContractError: names the line, the frame or the byte that is wrong, or what was asked for and is not there.
    """
    found = _find(path, kind)
    return _load(found, _names(found), camera, rate, lens, (width, height), _positive("scale", scale))


def read_all(
    path: Path,
    *,
    kind: str | None = None,
    rate: float | None = None,
    lens: tuple[float, float] | None = None,
    width: int | None = None,
    height: int | None = None,
    scale: float = 1.0,
) -> list[Loaded]:
    """All cameras of a file, in its order. Arguments and errors are those of :func:`read`."""
    found = _find(path, kind)
    names = _names(found)
    factor = _positive("scale", scale)
    return [_load(found, names, each, rate, lens, (width, height), factor) for each in names or (None,)]


def _find(path: Path, kind: str | None) -> Source:
    if kind is not None and kind not in KINDS:
        raise ContractError("kind", kind, "one of " + ", ".join(KINDS))
    return source.find(path, kind)


def _load(
    found: Source,
    names: tuple[str, ...],
    camera: str | None,
    rate: float | None,
    lens: tuple[float, float] | None,
    size: tuple[int | None, int | None],
    scale: float,
) -> Loaded:
    if camera is not None and camera not in names:
        expected = "one of " + ", ".join(names) if names else "nothing: this trajectory holds one camera"
        raise ContractError("camera", camera, expected)
    chosen = camera if camera is not None or not names else _first(found.kind, names)
    given = ordered(_track(found, chosen))
    even, own = regular(given, None if rate is None else _positive("rate", rate))
    made, told = trajectory(even, lens=lens, width=size[0], height=size[1], scale=scale)
    lacks = [*even.lacks, *told]
    if camera is None and len(names) > 1:
        lacks.append(f"The file holds {len(names)} cameras: {chosen} was taken.")
    return Loaded(
        kind=found.kind,
        trajectory=made,
        has_lens=given.lenses is not None,
        rate=own,
        times=given.seconds,
        numbers=given.numbers,
        camera=chosen or "",
        cameras=names,
        lacks=tuple(lacks),
    )


def _first(kind: str, names: tuple[str, ...]) -> str:
    return _DEFAULT_CAMERA if kind == PUBLISHED and _DEFAULT_CAMERA in names else names[0]


def _names(found: Source) -> tuple[str, ...]:
    if found.kind == PUBLISHED:
        return published.names(found.data)
    if found.kind == TRANSFORMS:
        return transforms.names(found.data)
    if found.kind in (COLMAP, COLMAP_BINARY):
        return colmap.names(found.path, _suffix(found.kind))
    return ()


def _track(found: Source, camera: str | None) -> Track:
    readers: dict[str, Callable[[], Track]] = {
        RECAM: lambda: _own(recam.parse(found.data)),
        PUBLISHED: lambda: published.track(found.data, camera or ""),
        REALESTATE: lambda: realestate.read(found.path),
        TUM: lambda: tum.read(found.path),
        COLMAP: lambda: colmap.read(found.path, colmap.TEXT, camera),
        COLMAP_BINARY: lambda: colmap.read(found.path, colmap.BINARY, camera),
        TRANSFORMS: lambda: transforms.read(found.data, camera),
    }
    return readers[found.kind]()


_NO_TIME = "ReCam's trajectory files hold no frame rate: they have one pose for each frame."


def _own(found: Trajectory) -> Track:
    poses, lenses = arrays(found)
    return Track(poses, lenses, (found.width, found.height), lacks=(_NO_TIME,))


def _suffix(kind: str) -> str:
    return colmap.TEXT if kind == COLMAP else colmap.BINARY


def _positive(field: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise ContractError(field, value, "more than 0")
    return value


# Writing


def write(
    path: Path,
    trajectory: Trajectory | Mapping[str, Trajectory],
    kind: str,
    *,
    rate: Fraction | None = None,
    first: int = 1,
    force: bool = False,
) -> tuple[str, ...]:
    """Write cameras to a new file, or, for COLMAP, to three in a folder, which is made where it is not there.

    Args:
        path: where to.
        trajectory: a camera, or several by name: only a camera_extrinsics.json takes those.
        kind: the format, one of :data:`KINDS`.
        rate: frames a second; None: formats with times count the frames.
        first: the number of the first frame, where pictures are named.
        force: take the place of a file that exists; only where the user was asked. Never so in a folder.

    Returns:
        What the format does not hold, in whole sentences.

    Raises:
        ContractError: the file exists already or cannot be written, or the format takes one camera alone.
    """
    if kind not in KINDS:
        raise ContractError("kind", kind, "one of " + ", ".join(KINDS))
    several = {"cam01": trajectory} if isinstance(trajectory, Trajectory) else dict(trajectory)
    if not several or (len(several) > 1 and kind != PUBLISHED):
        expected = "at least one" if not several else f"one, as {KINDS[kind].label} is written here"
        raise ContractError("trajectory", f"{len(several)} cameras", expected)
    where = os.fspath(path)
    only = next(iter(several.values()))
    in_folder = kind in (COLMAP, COLMAP_BINARY)
    files, lacks = _content(where, several, only, kind, rate, first)
    try:
        if in_folder:
            os.makedirs(where, exist_ok=True)
        write_new(files, force=force and not in_folder)
    except FileExistsError as error:
        raise ContractError("path", f"{error.filename or where!r}, which exists", "a name that is still free") from None
    except OSError as error:
        raise ContractError("path", f"{where!r} ({error.strerror or error})", "a place that can be written") from None
    return (*lacks, *_lost(several, kind))


def _content(
    where: str, several: dict[str, Trajectory], only: Trajectory, kind: str, rate: Fraction | None, first: int
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    if kind in (COLMAP, COLMAP_BINARY):
        files, lacks = colmap.content(only, _suffix(kind), first)
        return {os.path.join(where, name): data for name, data in files.items()}, lacks
    writers: dict[str, Callable[[], tuple[bytes, tuple[str, ...]]]] = {
        RECAM: lambda: (recam.content(only), (_NO_TIME,)),
        PUBLISHED: lambda: published.content(several),
        REALESTATE: lambda: realestate.content(only, rate),
        TUM: lambda: tum.content(only, rate),
        TRANSFORMS: lambda: transforms.content(only, first),
    }
    data, lacks = writers[kind]()
    return {where: data}, lacks


def _lost(several: dict[str, Trajectory], kind: str) -> tuple[str, ...]:
    """What of these very cameras is lost with what the format does not hold."""
    if LENS in KINDS[kind].holds:
        return ()
    changes = any(len(set(each.intrinsics)) > 1 for each in several.values())
    angle = angles(next(iter(several.values())))[0]
    if changes:
        return (f"The lens, which changes, from {angle:.4g}° across, is lost.",)
    return (f"The lens, {angle:.4g}° across, is lost.",)


def angles(found: Trajectory) -> tuple[float, float]:
    """The least and the largest angle of view across, degrees."""
    lenses = np.array([each.fx for each in found.intrinsics])
    angles = np.degrees(2 * np.arctan(found.width / 2 / lenses))
    return float(angles.min()), float(angles.max())
