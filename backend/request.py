"""Jobs from what was typed in a shell."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import math
import os
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from . import cameras, contract, generation_options, use_options
from .cameras import formats
from .cameras.formats import Loaded
from .console import option
from .contract import ContractError, Depth, EngineSettings, Footage, Intrinsics, Job, Output, Trajectory
from .media.depthmaps import open_depth
from .media.errors import FootageError
from .media.pictures import is_picture
from .media.reader import probe

_SUFFIXES = {suffix: name for name, suffix in contract.FORMATS.items() if suffix}
_BESIDE_JOB_FILE = ("job", "output", "debug", "run", *generation_options.OF_MACHINE)
_DEFAULTS: dict[str, Any] = {
    "engine": "reproject",
    "seed": 0,
    "depth": "plane",
    "depth_scale": 1.0,
    "subject_distance": contract.DEFAULT_SUBJECT_DISTANCE,
    "sensor": 36.0,
    "mask": False,
}


def from_job_file(options: argparse.Namespace) -> Job:
    """The job in a file, or in a take's record, with ``--output``, and what it says of the machine, as the options say.

    Raises:
        ContractError: names the field, or an option that a job file says already.
    """
    for name, value in vars(options).items():
        if name not in _BESIDE_JOB_FILE and value is not None:
            raise ContractError(option(name), "beside a job file", "one or the other")
    try:
        with open(options.job, "rb") as file:
            job = contract.loads(file.read())
    except OSError as error:
        raise ContractError("job", f"{options.job!r} ({error.strerror})", "a file that can be read") from None
    job = dataclasses.replace(job, settings=generation_options.moved(job.settings, options))
    if options.output is None:
        return job
    output = dataclasses.replace(
        job.output, path=os.path.abspath(options.output), format=_format(options.output, None, job.output.format)
    )
    return dataclasses.replace(job, output=output)


def from_clip(options: argparse.Namespace, tell: Callable[[str], None]) -> Job:
    """The job that the options describe.

    Args:
        options: of ``render``.
        tell: called with what was decided on the user's behalf.

    Raises:
        ContractError: names the option.
        FootageError: the footage or its depth cannot be read; a sentence that names the option.
    """
    _check_all_used(options)
    if options.seed is not None and not 0 <= options.seed <= contract.LARGEST_SEED:
        raise ContractError("--seed", options.seed, f"0 to {contract.LARGEST_SEED}")
    engine = options.engine or _DEFAULTS["engine"]
    generation = generation_options.generation(options, engine, _size(options, "network_size"))
    options, depth_given = argparse.Namespace(**vars(options)), options.depth is not None
    for name, default in _DEFAULTS.items():
        if getattr(options, name) is None:
            setattr(options, name, default)
    _check_all_named(options)
    footage, rate = _footage(options)
    width, height = _size(options, "size") or (footage.width, footage.height)
    count = len(footage.frames)
    kept = _kept(options.frames, count)
    use, known = use_options.use_of(options, kept), use_options.known_of(options)
    is_solved = _is_solved(options, tell)
    if is_solved and not depth_given:
        options.depth = "auto"
    target, source = _cameras(options, (width, height), (footage.width, footage.height), rate, tell)
    target = _stretch(target, count, tell) if options.trajectory else _stays(target, count)
    source = None if source is None else _stretch(source, count, tell)
    shown = dataclasses.replace(footage, frames=footage.frames[:kept])
    return Job(
        footage=shown,
        target=_first(kept, target),
        source=None if source is None else _first(kept, source),
        lens=None if source is not None else _footage_lens(options, footage),
        output=_output(options, width, height, rate),
        settings=EngineSettings(
            engine=options.engine,
            seed=options.seed,
            depth=_depth(options, footage, shown),
            generation=generation,
            true_pixels=bool(options.true_pixels),
        ),
        subject_distance=options.subject_distance,
        source_from="footage" if is_solved else "still",
        relative=bool(options.relative),
        known=known,
        use=use,
    )


def filmed(options: argparse.Namespace) -> tuple[Footage, Fraction, Intrinsics | None]:
    """The clip that ``--footage``, ``--rate``, ``--lens``, ``--sensor`` and ``--fov`` tell of, its rate and its lens.

    Raises:
        ContractError, FootageError: as :func:`from_clip`.
    """
    footage, rate = _footage(options)
    return footage, rate, _footage_lens(options, footage)


def _output(options: argparse.Namespace, width: int, height: int, rate: Fraction) -> Output:
    try:
        return Output(
            path=os.path.abspath(options.output),
            width=width,
            height=height,
            rate=rate,
            format=_format(options.output, options.format, "png"),
            mask=options.mask,
        )
    except ContractError as error:
        if error.field.startswith("--"):
            raise
        raise error.within("output") from None


def _check_all_named(options: argparse.Namespace) -> None:
    """Raise ContractError where what every take needs is not given."""
    makes_target = options.use is not None and contract.Use(kind=options.use).makes_target
    needed = ["--footage", "--output"] if makes_target else ["--footage", "--trajectory", "--output"]
    for name in needed:
        if getattr(options, name[2:]) is None:
            raise ContractError(name, "nothing", f"all of {', '.join(needed[:-1])} and {needed[-1]}, or a job file")
    if makes_target and options.trajectory is not None:
        found = f"{options.trajectory!r} beside --use {options.use}"
        raise ContractError("--trajectory", found, "one or the other: that use makes the camera itself")


def _check_all_used(options: argparse.Namespace) -> None:
    """Raise ContractError for an option that would change nothing."""
    if options.solve and options.source is not None:
        raise ContractError("--solve", f"beside --source {options.source!r}", "one or the other")
    if options.camera is not None and options.trajectory is None:
        raise ContractError("--camera", f"{options.camera!r} without --trajectory", "both or neither")
    if options.source_camera is not None and options.source is None:
        raise ContractError("--source-camera", f"{options.source_camera!r} without --source", "both or neither")
    if options.depth_scale is not None and options.depth in (None, *use_options.DEPTHS):
        raise ContractError("--depth-scale", f"{options.depth_scale} without depth files", "both or neither")
    if options.true_pixels and options.engine in (None, "reproject"):
        raise ContractError("--true-pixels", "it beside --engine reproject, whose pixels they are", "one or the other")
    if options.relative and options.use is not None and contract.Use(kind=options.use).makes_target:
        found = f"it beside --use {options.use}"
        raise ContractError("--relative", found, "one or the other: that use makes the camera itself")
    if options.relative and options.source is None and not options.solve:
        raise ContractError("--relative", "it without --source or --solve", "one of them, or neither")
    if options.sensor is not None and options.lens is None and options.fov is None:
        raise ContractError("--sensor", f"{options.sensor} without --lens", "both or neither")


# Footage


def _footage(options: argparse.Namespace) -> tuple[Footage, Fraction]:
    """The whole clip, and the rate of the take."""
    expected = "a movie, a picture or a folder of pictures"
    if not os.path.exists(options.footage):
        raise ContractError("--footage", f"no file at {options.footage!r}", expected)
    files = _pictures(options.footage) if os.path.isdir(options.footage) else [os.path.abspath(options.footage)]
    with _naming("--footage"):
        clip = probe(files[0])
    is_movie = len(files) == 1 and not is_picture(files[0])
    rate = _rate(options.rate) if options.rate else clip.rate if is_movie else None
    if rate is None:
        raise ContractError("--rate", "nothing", "frames per second, as pictures have none")
    if is_movie:
        count = max(1, math.floor(clip.frames * rate / clip.rate))
        frames = [math.floor(index * clip.rate / rate) for index in range(count)]
    else:
        frames = list(range(len(files)))
    kind = "movie" if is_movie else "images"
    footage = Footage(kind=kind, files=tuple(files), frames=tuple(frames), width=clip.width, height=clip.height)
    return footage, rate


def _pictures(folder: str) -> list[str]:
    try:
        names = [name for name in os.listdir(folder) if is_picture(name) and not name.startswith(".")]
    except OSError as error:
        raise ContractError("--footage", f"{folder!r} ({error.strerror})", "a folder that can be read") from None
    if not names:
        raise ContractError("--footage", f"no pictures in {folder!r}", "files like .png, .jpg, .tif, .exr")
    return [os.path.join(os.path.abspath(folder), name) for name in sorted(names, key=contract.natural_order)]


def _kept(asked: int | None, count: int) -> int:
    if asked is None:
        return count
    if not 1 <= asked <= count:
        raise ContractError("--frames", asked, f"1 to {count}, as the clip has")
    return asked


@contextlib.contextmanager
def _naming(option: str) -> Iterator[None]:
    """Put the option before what is wrong with its file."""
    try:
        yield
    except FootageError as error:
        raise FootageError(f"{option}: {error}") from error


def _depth(options: argparse.Namespace, whole: Footage, shown: Footage) -> Depth:
    """The depth of the frames shown, from files of the whole clip's frames or of those alone."""
    if options.depth in use_options.DEPTHS:
        return Depth(kind=options.depth)
    path = os.path.abspath(options.depth)
    if not os.path.exists(path):
        raise ContractError("--depth", f"no file or folder {path!r}", "plane, a depth file, or a folder of them")
    if not 0 < options.depth_scale < math.inf:
        raise ContractError("--depth-scale", options.depth_scale, "more than 0 metres")
    try:
        depth = _depth_files(path, whole.frames, shown.frames, options.depth_scale)
    except ContractError as error:
        raise ContractError("--depth", error.found, error.expected) from None
    with _naming("--depth"):  # what is wrong with one file is likely wrong with all: told before any work
        open_depth(depth, shown.width, shown.height).frame(0)
    return depth


def _depth_files(path: str, whole: tuple[int, ...], shown: tuple[int, ...], scale: float) -> Depth:
    try:
        depth = Depth.from_path(path, len(whole), frames=whole, scale=scale)
    except ContractError:
        if shown == whole:
            raise
        return Depth.from_path(path, len(shown), frames=shown, scale=scale)
    return dataclasses.replace(depth, files=depth.files[: len(shown)])


# Cameras


def _cameras(
    options: argparse.Namespace,
    size: tuple[int, int],
    footage: tuple[int, int],
    rate: Fraction,
    tell: Callable[[str], None],
) -> tuple[Trajectory, Trajectory | None]:
    """The target camera, and the source camera where there is one, each as long as its file says."""
    if options.trajectory is None:
        source = None if options.source is None else _load("source", "source_camera", options, footage, rate)
        return _standing(source, options, size), None if source is None else _placed(source, source, options)
    target = _load("trajectory", "camera", options, size, rate)
    source = None if options.source is None else _load("source", "source_camera", options, footage, rate)
    if source is not None and source.has_lens and target.has_lens:
        _check_no_lens(options)
    for each in dict.fromkeys(each for loaded in (target, source) for each in _lacks(loaded)):
        tell(each)
    return _placed(target, source, options), None if source is None else _placed(source, source, options)


def _standing(source: Loaded | None, options: argparse.Namespace, size: tuple[int, int]) -> Trajectory:
    """A target that stands where the source does at first, for takes whose camera is made from the source's."""
    if source is not None:
        return _stays(cameras.resized(_placed(source, source, options), *size), 1)
    lens = cameras.from_lens(*(_lens(options) or _ANY_LENS), *size)
    return cameras.from_arrays(np.eye(4)[None], lens, *size)


_ANY_LENS = (1.0, 1.0)
"""Counts for nothing: takes whose camera is made from the source's have the source's lens."""


def _is_solved(options: argparse.Namespace, tell: Callable[[str], None]) -> bool:
    """Whether the source camera is told by the footage: where it is asked for, or nothing could be done without."""
    if options.solve:
        return True
    if options.use in ("stabilise", "lock") and options.source is None:
        tell(f"the camera that shot the footage is solved from it, as {options.use} needs one and --source gives none")
        return True
    return False


def _load(name: str, camera: str, options: argparse.Namespace, size: tuple[int, int], rate: Fraction) -> Loaded:
    path, chosen = getattr(options, name), getattr(options, camera)
    lens = _lens(options)
    try:
        return formats.read(path, camera=chosen, rate=float(rate), lens=lens, width=size[0], height=size[1])
    except ContractError as error:
        if error.field != "camera":
            raise
        raise ContractError(option(camera), error.found, error.expected) from None


def _lacks(loaded: Loaded | None) -> tuple[str, ...]:
    """What is told of a camera's file; of ours, and of the published one, --help tells it."""
    return () if loaded is None or loaded.kind in ("recam", "published") else loaded.lacks


def _placed(loaded: Loaded, source: Loaded | None, options: argparse.Namespace) -> Trajectory:
    """In the file's own world; of published data as seen from the first frame, be it the source's in the same file."""
    if loaded.kind != "published":
        return loaded.trajectory
    poses, lenses = cameras.arrays(loaded.trajectory)
    reference = None
    if source is not None and loaded is not source and source.kind == "published":
        same = os.path.samefile(options.trajectory, options.source)
        reference = cameras.arrays(source.trajectory)[0][0] if same else None
    seen = cameras.relative(poses, reference)
    return cameras.from_arrays(seen, lenses, loaded.trajectory.width, loaded.trajectory.height)


def _check_no_lens(options: argparse.Namespace) -> None:
    """Raise ContractError for a lens: every camera of the job has its own."""
    for name in ("lens", "fov"):
        if getattr(options, name) is not None:
            expected = "nothing: --source and --trajectory have lenses of their own"
            raise ContractError(option(name), getattr(options, name), expected)


def _stretch(trajectory: Trajectory, count: int, tell: Callable[[str], None]) -> Trajectory:
    if len(trajectory) == count:
        return trajectory
    tell(f"the trajectory's {len(trajectory)} poses were stretched over the clip's {count} frames")
    return cameras.resample(trajectory, np.linspace(0, len(trajectory) - 1, count))


def _stays(trajectory: Trajectory, count: int) -> Trajectory:
    """Its first pose and lens, for so many frames."""
    return dataclasses.replace(
        trajectory, poses=trajectory.poses[:1] * count, intrinsics=trajectory.intrinsics[:1] * count
    )


def _first(count: int, trajectory: Trajectory) -> Trajectory:
    return dataclasses.replace(trajectory, poses=trajectory.poses[:count], intrinsics=trajectory.intrinsics[:count])


def _footage_lens(options: argparse.Namespace, footage: Footage) -> Intrinsics | None:
    lens = _lens(options)
    if lens is None:
        return None
    fx, fy, cx, cy = cameras.from_lens(*lens, footage.width, footage.height).tolist()
    return Intrinsics(fx=fx, fy=fy, cx=cx, cy=cy)


def _lens(options: argparse.Namespace) -> tuple[float, float] | None:
    """Focal length and sensor width, millimetres."""
    if not 0 < options.sensor < math.inf:
        raise ContractError("--sensor", options.sensor, "more than 0 mm")
    if options.fov is not None:
        if options.lens is not None:
            raise ContractError("--fov", "beside --lens", "one or the other")
        if not 0 < options.fov < 180:
            raise ContractError("--fov", options.fov, "between 0 and 180 degrees")
        return options.sensor / 2 / math.tan(math.radians(options.fov) / 2), options.sensor
    if options.lens is None:
        return None
    if not 0 < options.lens < math.inf:
        raise ContractError("--lens", options.lens, "more than 0 mm")
    return options.lens, options.sensor


# Texts


def _size(options: argparse.Namespace, name: str) -> tuple[int, int] | None:
    """Width and height, where they are given."""
    text = getattr(options, name)
    if text is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,8})[xX]([1-9][0-9]{0,8})", text)
    if match is None:
        raise ContractError(option(name), text, "width and height, like 832x480")
    return int(match[1]), int(match[2])


_RATE = re.compile(r"[0-9]{1,10}(/(?!0+$)[0-9]{1,10}|\.[0-9]{1,9})?")


def _rate(text: str) -> Fraction:
    slowest, fastest = contract.RATES
    rate = Fraction(text) if _RATE.fullmatch(text) else Fraction(0)
    if not slowest <= rate <= fastest:
        raise ContractError("--rate", text, f"frames per second, like 24 or 24000/1001, {slowest} to {fastest}")
    return rate


def _format(path: str, chosen: str | None, folder: str) -> str:
    if chosen is not None:
        return chosen
    suffix = os.path.splitext(path)[1].lower()
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    if not suffix and not contract.FORMATS[folder]:
        return folder
    if not suffix:
        return "png"
    raise ContractError("--output", path, "a name ending in " + ", ".join(_SUFFIXES) + ", or a folder's name")
