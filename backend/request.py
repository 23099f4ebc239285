"""Jobs from what was typed in a shell."""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from . import cameras, contract
from .cameras.formats import published, recam
from .contract import ContractError, Depth, EngineSettings, Footage, Intrinsics, Job, Output, Trajectory
from .media.errors import FootageError
from .media.pictures import is_picture
from .media.reader import probe

_DATA_LENS = (24.0, 23.76)
"""Focal length and sensor width, millimetres, of the footage that the published trajectories belong to."""

_SUFFIXES = {suffix: name for name, suffix in contract.FORMATS.items() if suffix}
_BESIDE_JOB_FILE = ("job", "output", "debug", "run")
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
    """The job in a file, or in a take's record, with ``--output`` in the place of its own.

    Raises:
        ContractError: names the field, or an option that a job file says already.
    """
    for name, value in vars(options).items():
        if name not in _BESIDE_JOB_FILE and value is not None:
            raise ContractError(_option(name), "beside a job file", "one or the other")
    try:
        with open(options.job, "rb") as file:
            job = contract.loads(file.read())
    except OSError as error:
        raise ContractError("job", f"{options.job!r} ({error.strerror})", "a file that can be read") from None
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
    """
    options = argparse.Namespace(**vars(options))
    for name, default in _DEFAULTS.items():
        if getattr(options, name) is None:
            setattr(options, name, default)
    for name in ("footage", "trajectory", "output"):
        if getattr(options, name) is None:
            raise ContractError(_option(name), "nothing", "all of --footage, --trajectory and --output, or a job file")
    footage, rate = _footage(options)
    width, height = _size(options.size) if options.size else (footage.width, footage.height)
    count = len(footage.frames)
    target = _stretch(_trajectory("trajectory", "camera", options, width, height), count, tell)
    source = None
    if options.source is not None:
        source = _stretch(_trajectory("source", "source_camera", options, footage.width, footage.height), count, tell)
    return Job(
        footage=footage,
        target=target,
        source=source,
        lens=None if source is not None else _footage_lens(options, footage),
        output=Output(
            path=os.path.abspath(options.output),
            width=width,
            height=height,
            rate=rate,
            format=_format(options.output, options.format, "png"),
            mask=options.mask,
        ),
        settings=EngineSettings(engine=options.engine, seed=options.seed, depth=_depth(options, footage)),
        subject_distance=options.subject_distance,
    )


# Footage


def _footage(options: argparse.Namespace) -> tuple[Footage, Fraction]:
    files = _pictures(options.footage) if os.path.isdir(options.footage) else [os.path.abspath(options.footage)]
    try:
        clip = probe(files[0])
    except FootageError as error:
        raise ContractError("--footage", str(error), "a movie, a picture or a folder of pictures") from None
    is_movie = len(files) == 1 and not is_picture(files[0])
    rate = _rate(options.rate) if options.rate else clip.rate if is_movie else None
    if rate is None:
        raise ContractError("--rate", "nothing", "frames per second, as pictures have none")
    if is_movie:
        count = max(1, math.floor(clip.frames * rate / clip.rate))
        frames = [math.floor(index * clip.rate / rate) for index in range(count)]
    else:
        frames = list(range(len(files)))
    if options.frames is not None:
        if not 1 <= options.frames <= len(frames):
            raise ContractError("--frames", options.frames, f"1 to {len(frames)}, as the clip has")
        frames = frames[: options.frames]
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


def _depth(options: argparse.Namespace, footage: Footage) -> Depth:
    if options.depth == "plane":
        return Depth()
    path = os.path.abspath(options.depth)
    if not os.path.exists(path):
        raise ContractError("--depth", f"no file or folder {path!r}", "plane, a depth file, or a folder of them")
    return Depth.from_path(path, len(footage.frames), frames=footage.frames, scale=options.depth_scale)


# Cameras


def _trajectory(name: str, camera: str, options: argparse.Namespace, width: int, height: int) -> Trajectory:
    path, chosen = getattr(options, name), getattr(options, camera)
    if recam.is_ours(path):
        if chosen is not None:
            raise ContractError(_option(camera), chosen, "nothing: this trajectory holds one camera")
        return recam.read(path)
    poses = published.read(path, chosen or "cam05")
    lens = _lens(options) or _DATA_LENS
    return cameras.from_arrays(poses, cameras.from_lens(*lens, width, height), width, height)


def _stretch(trajectory: Trajectory, count: int, tell: Callable[[str], None]) -> Trajectory:
    if len(trajectory) == count:
        return trajectory
    tell(f"the trajectory's {len(trajectory)} poses were stretched over the clip's {count} frames")
    return cameras.resample(trajectory, np.linspace(0, len(trajectory) - 1, count))


def _footage_lens(options: argparse.Namespace, footage: Footage) -> Intrinsics | None:
    lens = _lens(options)
    if lens is None:
        return None
    fx, fy, cx, cy = cameras.from_lens(*lens, footage.width, footage.height).tolist()
    return Intrinsics(fx=fx, fy=fy, cx=cx, cy=cy)


def _lens(options: argparse.Namespace) -> tuple[float, float] | None:
    """Focal length and sensor width, millimetres."""
    if not options.sensor > 0:
        raise ContractError("--sensor", options.sensor, "more than 0 mm")
    if options.fov is not None:
        if options.lens is not None:
            raise ContractError("--fov", "beside --lens", "one or the other")
        if not 0 < options.fov < 180:
            raise ContractError("--fov", options.fov, "between 0 and 180 degrees")
        return options.sensor / 2 / math.tan(math.radians(options.fov) / 2), options.sensor
    if options.lens is None:
        return None
    if not options.lens > 0:
        raise ContractError("--lens", options.lens, "more than 0 mm")
    return options.lens, options.sensor


# Texts


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9][0-9]*)[xX]([1-9][0-9]*)", text)
    if match is None:
        raise ContractError("--size", text, "width and height, like 832x480")
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


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
