"""The contract between whoever asks for a take and the backend that makes it.

A :class:`Job` says everything about one request, a :class:`Progress` where the work stands, a :class:`Result` what came
of it. All are frozen, checked when they are made, and travel as versioned JSON. Standard library only: Blender's
Python, the worker and a shell read the same module.

Conventions, nowhere else restated:

* Poses are camera-to-world 4x4 matrices, row-major, metres, right-handed world, OpenCV camera axes (x right, y down,
  z forward).
* Intrinsics are pixels of the stated frame size; pixel centres lie at half-integers, so a centred lens has
  ``cx = width / 2``.
* There is one pose, one set of intrinsics and one footage index per timeline frame of the take.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from . import messages
from .depth import DEPTHS, ESTIMATED, Depth, natural_order
from .generation import CACHES, FITS, PLANS, QUALITIES, Generation, Models
from .messages import ContractError, Message, spec
from .use import USES, WAYS, Known, Region, Use

__all__ = [
    "CACHES",
    "DEFAULT_SUBJECT_DISTANCE",
    "DEPTHS",
    "ENGINES",
    "ESTIMATED",
    "FITS",
    "FOOTAGE_KINDS",
    "FORMATS",
    "LARGEST_SEED",
    "LARGEST_SIDE",
    "PLANS",
    "QUALITIES",
    "RATES",
    "SOURCES",
    "UNITS",
    "USES",
    "VERSION",
    "WAYS",
    "ContractError",
    "Depth",
    "EngineSettings",
    "Footage",
    "Generation",
    "Intrinsics",
    "Job",
    "Known",
    "Models",
    "Origin",
    "Output",
    "Pose",
    "Progress",
    "Region",
    "Result",
    "Row",
    "Trajectory",
    "Use",
    "json_schema",
    "loads",
    "natural_order",
    "take_record",
]

VERSION = 1

ENGINES = ("reproject", "recammaster")
SOURCES = ("still", "footage")
FOOTAGE_KINDS = ("movie", "images")
# How a take is stored, and what its file name ends in; the two without an ending are folders of numbered pictures.
FORMATS = {"h264": ".mp4", "prores4444": ".mov", "ffv1": ".mkv", "png": "", "exr": ""}

_MOVIE_SUFFIXES = tuple(filter(None, FORMATS.values()))

RATES = (Fraction(1, 1000), Fraction(1000))
"""The slowest and the fastest rate of a take, frames per second."""

DEFAULT_SUBJECT_DISTANCE = 4.0
"""Metres from camera to subject where nobody says: what the published arcs turn around."""

Row = tuple[float, float, float, float]
Pose = tuple[Row, Row, Row, Row]

# A pose sampled in float32 and scaled by a parent is off by a few 1e-7; a sheared or mirrored one by far more.
_RIGID_TOLERANCE = 1e-4
LARGEST_SIDE = 16384
"""Pixels along one side of a frame."""

LARGEST_SEED = 2**63 - 1
_LAST_FRAME = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Intrinsics(Message):
    """A pinhole lens in pixels of the frame it belongs to."""

    fx: float = spec("focal length along x, pixels", above=0)
    fy: float = spec("focal length along y, pixels", above=0)
    cx: float = spec("principal point from the left edge, pixels")
    cy: float = spec("principal point from the top edge, pixels")

    def scaled(self, x: float, y: float) -> Intrinsics:
        """The same lens on a frame resized by these factors."""
        return Intrinsics(fx=self.fx * x, fy=self.fy * y, cx=self.cx * x, cy=self.cy * y)


@dataclass(frozen=True, kw_only=True)
class Trajectory(Message):
    """A camera, frame by frame."""

    width: int = spec("width of the frame that the intrinsics are in", minimum=1, maximum=LARGEST_SIDE)
    height: int = spec("height of that frame", minimum=1, maximum=LARGEST_SIDE)
    poses: tuple[Pose, ...] = spec("camera-to-world, one per timeline frame")
    intrinsics: tuple[Intrinsics, ...] = spec("one per timeline frame")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.poses:
            raise ContractError("poses", "none", "one per timeline frame, at least one")
        for index, pose in enumerate(self.poses):
            _check_rigid(pose, f"poses[{index}]")
        if len(self.intrinsics) != len(self.poses):
            raise ContractError("intrinsics", f"{len(self.intrinsics)} entries", f"{len(self.poses)}, one per pose")

    def __len__(self) -> int:
        return len(self.poses)


@dataclass(frozen=True, kw_only=True)
class Footage(Message):
    """The clip to re-shoot, and which of its frames each timeline frame shows."""

    kind: str = spec("one movie file, or a list of pictures", choices=FOOTAGE_KINDS)
    files: tuple[str, ...] = spec("absolute paths: the movie, or the pictures in order")
    frames: tuple[int, ...] = spec("for each timeline frame, the index of the footage frame shown, from 0")
    width: int = spec("width as displayed, pixels", minimum=1, maximum=LARGEST_SIDE)
    height: int = spec("height as displayed, pixels", minimum=1, maximum=LARGEST_SIDE)
    identity: str = spec("what the footage is, where the files are only a copy made for this job", default="")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.files or (self.kind == "movie" and len(self.files) != 1):
            expected = "exactly one movie file" if self.kind == "movie" else "at least one picture"
            raise ContractError("files", f"{len(self.files)} files", expected)
        if not self.frames:
            raise ContractError("frames", "none", "one per timeline frame, at least one")
        for index, frame in enumerate(self.frames):
            if not 0 <= frame <= _LAST_FRAME:
                raise ContractError(f"frames[{index}]", frame, f"0 or more, and at most {_LAST_FRAME}")
            if self.kind == "images" and frame >= len(self.files):
                raise ContractError(f"frames[{index}]", frame, f"less than {len(self.files)}, the number of pictures")


@dataclass(frozen=True, kw_only=True)
class EngineSettings(Message):
    """What makes the frames, and how."""

    engine: str = spec("the engine's name", "reproject", choices=ENGINES)
    seed: int = spec("for engines that draw random numbers", 0, minimum=0, maximum=LARGEST_SEED)
    depth: Depth = spec("where the footage's depth comes from", Depth())
    generation: Generation = spec("for engines that generate", Generation())
    true_pixels: bool = spec("the footage's own pixels where its depth is trusted, the engine's only elsewhere", False)


@dataclass(frozen=True, kw_only=True)
class Output(Message):
    """What the take is to be."""

    path: str = spec("absolute path of the file, or of the folder for numbered pictures; must not exist yet")
    width: int = spec("pixels", minimum=1, maximum=LARGEST_SIDE)
    height: int = spec("pixels", minimum=1, maximum=LARGEST_SIDE)
    rate: Fraction = spec("frames per second, exact; 1/1000 to 1000", minimum=RATES[0], maximum=RATES[1])
    format: str = spec("how it is stored", "h264", choices=tuple(FORMATS))
    mask: bool = spec("also store which pixels were invented", False)

    def __post_init__(self) -> None:
        super().__post_init__()
        suffix = FORMATS[self.format]
        if suffix and not self.path.lower().endswith(suffix):
            raise ContractError("path", self.path, f"a name ending in {suffix} for {self.format}")
        if not suffix and os.path.normpath(self.path).lower().endswith(_MOVIE_SUFFIXES):
            raise ContractError("path", self.path, f"a folder's name for {self.format}, which is no movie")

    @property
    def record(self) -> str:
        """Where the take's record lies: beside it, under its name."""
        path = os.path.normpath(self.path)
        return path[: len(path) - len(FORMATS[self.format])] + ".json"


@dataclass(frozen=True, kw_only=True)
class Origin(Message):
    """Where in Blender a job came from; empty from a shell. Kept for the reader of a take, not used by engines."""

    blend: str = spec("the .blend file", "")
    scene: str = spec("the scene whose sequencer holds the footage", "")
    strip: str = spec("the footage's strip", "")
    frame_start: int = spec("the timeline frame of the take's first frame", 0)
    camera: str = spec("the target camera", "")
    camera_scene: str = spec("the scene that the target camera moves in", "")
    camera_frame: float = spec("the frame of that scene that meets the take's first frame", 0.0)
    source_camera: str = spec("the source camera", "")


@dataclass(frozen=True, kw_only=True)
class Job(Message):
    """One request: this footage, seen by this camera."""

    footage: Footage = spec("the clip to re-shoot")
    target: Trajectory = spec("the camera to see it with")
    output: Output = spec("the take to make")
    settings: EngineSettings = spec("the engine", EngineSettings())
    source: Trajectory | None = spec("the camera that shot the footage; none: static at the target's first pose", None)
    lens: Intrinsics | None = spec(
        "the footage's own lens, pixels of the footage, where no source is given; none: the target's first", None
    )
    subject_distance: float = spec("metres from camera to subject", DEFAULT_SUBJECT_DISTANCE, above=0)
    source_from: str = spec(
        "where no source is given: a camera that stands still, or the one that the footage itself tells of; it starts "
        "where the target's first pose is",
        "still",
        choices=SOURCES,
    )
    relative: bool = spec("the target's move from its first pose is added to the source camera's own", False)
    known: Known | None = spec("a point whose distance is known, where the source comes from the footage", None)
    use: Use = spec("what the take is for", Use())
    origin: Origin = spec("where the job came from", Origin())
    version: int = spec("of this contract", VERSION, choices=(VERSION,))

    def __post_init__(self) -> None:
        super().__post_init__()
        count = len(self.footage.frames)
        _check_count("target.poses", len(self.target), count)
        if self.source is not None:
            _check_count("source.poses", len(self.source), count)
        if self.settings.depth.has_files:
            _check_count("settings.depth.files", len(self.settings.depth.files), count)
        if self.source is not None and self.source_from != "still":
            raise ContractError("source_from", self.source_from, "'still' where a source is given")
        self._check_use(count)

    def _check_use(self, count: int) -> None:
        known, use = self.known, self.use
        if known is not None:
            if self.source_from != "footage":
                raise ContractError("known", "a point", "none but where source_from is 'footage'")
            if known.frame >= count:
                raise ContractError("known.frame", known.frame, f"less than {count}, the number of frames")
            if known.x > self.footage.width or known.y > self.footage.height:
                size = f"{self.footage.width}x{self.footage.height}"
                raise ContractError("known", f"({known.x:g}, {known.y:g})", f"a point of the footage, {size}")
        if self.relative and use.makes_target:
            raise ContractError("relative", True, f"false for {use.kind}, which makes the target camera itself")
        if use.kind in ("lock", "freeze") and use.at >= count:
            raise ContractError("use.at", use.at, f"less than {count}, the number of frames")

    def __len__(self) -> int:
        """How many frames the take has."""
        return len(self.footage.frames)

    def check_files(self, before_each: Callable[[], None] = lambda: None) -> None:
        """Raise ContractError for the first file that is not there, or an output that already is, or a relative path.

        Relative paths pass until here: a job may be planned, and its digest taken, before its take has a place.

        Args:
            before_each: called before each look at the disk, which may be a slow one; what it raises goes through.
        """
        _check_absolute("output.path", self.output.path)
        for place, files in (
            ("footage.files", self.footage.files),
            ("settings.depth.files", self.settings.depth.files),
        ):
            for index, path in enumerate(files):
                _check_absolute(f"{place}[{index}]", path)
                before_each()
                if not os.path.isfile(path):
                    raise ContractError(f"{place}[{index}]", f"no file at {path!r}", "a file that can be read")
        if self.settings.engine == "recammaster":
            self.settings.generation.check_files(before_each)
        before_each()
        if os.path.lexists(self.output.path):
            raise ContractError("output.path", f"{self.output.path!r}, which exists", "a name that is still free")

    def digest(self) -> str:
        """A hash that two jobs share when their takes would be the same, wherever they are stored.

        Files that were made for the job alone (an intermediate, rendered depth) count by the identity of what they
        were made from; others by path, size and time of change.
        """
        data = self.to_json()
        for part in (data["footage"], data["settings"]["depth"]):
            if part["identity"]:
                del part["files"]
            else:
                part["files"] = [_stamp(path) for path in part["files"]]
        del data["output"]["path"], data["origin"], data["settings"]["generation"]
        # What later versions added counts where it is said: a take of before is still the same one.
        for said, part, added in ((self, data, _ADDED), (self.settings, data["settings"], _ADDED_SETTINGS)):
            for name, default in added.items():
                if getattr(said, name) == default:
                    del part[name]
        if self.settings.engine == "recammaster":
            size = (self.footage.width, self.footage.height)
            data["settings"]["generation"] = self.settings.generation.identity(_stamp, size)
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


_ADDED: dict[str, Any] = {"source_from": "still", "relative": False, "known": None, "use": Use()}
_ADDED_SETTINGS: dict[str, Any] = {"true_pixels": False}

UNITS = ("steps", "bytes")


@dataclass(frozen=True, kw_only=True)
class Progress(Message):
    """Where the work stands. Phases follow one another; steps count within a phase."""

    phase: str = spec("what is being done, in words")
    step: int = spec("steps done in this phase", minimum=0)
    total: int = spec("steps of this phase", minimum=0)
    seconds_left: float | None = spec("until the whole job is done, where that can be told", None, minimum=0)
    preview: str = spec("a picture of the take so far; it is there until the job ends, and changes", "")
    unit: str = spec("what step and total count: steps of work, or bytes", "steps", choices=UNITS)
    per_second: float | None = spec("how many of those, where that is worth telling", None, minimum=0)


@dataclass(frozen=True, kw_only=True)
class Result(Message):
    """What came of a job."""

    path: str = spec("the take's file or folder")
    mask: str = spec("the file or folder that tells invented pixels (white), or nothing", "")
    frames: int = spec("how many", minimum=1)
    width: int = spec("pixels", minimum=1)
    height: int = spec("pixels", minimum=1)
    rate: Fraction = spec("frames per second, exact", above=0)
    engine: str = spec("what made it", choices=ENGINES)
    depth: str = spec("the depth that was used, in words", "")
    invented_mean: float = spec("share of the pixels that no footage showed, over the whole take", 0.0, minimum=0)
    invented_most: float = spec("the same in the frame that has the most of them", 0.0, minimum=0)
    seconds: float = spec("how long the work took", 0.0, minimum=0)
    notes: tuple[str, ...] = spec("what was decided on the user's behalf, in whole sentences", ())
    warnings: tuple[str, ...] = spec("what the user should know, in whole sentences", ())
    backend: str = spec("version of the backend", "")


def loads(text: str | bytes) -> Job:
    """The job in a JSON text: a job on its own, or the one inside a take's record."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ContractError("job", f"text that is not JSON ({error})", "a job as JSON") from None
    if isinstance(data, dict) and "job" in data:
        data = data["job"]
    return Job.from_json(data)


def take_record(job: Job, result: Result) -> str:
    """The text kept beside a take: enough to know what it is and to make it again."""
    record = {"recam": VERSION, "digest": job.digest(), "job": job.to_json(), "result": result.to_json()}
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    # File names that are no UTF-8 hold lone surrogates, which UTF-8 cannot: escaped, they come back as they were.
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def json_schema() -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) of a job, with every message as a definition."""
    schema = messages.json_schema(Job, Progress, Result)
    return schema | {"title": f"ReCam job, version {VERSION}", "$ref": "#/$defs/Job"}


# Checks


_SURROGATE = re.compile("[\ud800-\udfff]")


def _check_absolute(field: str, path: str) -> None:
    if not os.path.isabs(path):
        raise ContractError(field, f"{path!r}, a relative path", "an absolute one")


def _check_count(field: str, found: int, expected: int) -> None:
    if found != expected:
        raise ContractError(field, f"{found} entries", f"{expected}, one per timeline frame")


def _check_rigid(pose: Pose, field: str) -> None:
    if len(pose) != 4 or any(len(row) != 4 for row in pose):
        raise ContractError(field, pose, "4 rows of 4 numbers")
    if not all(math.isfinite(value) for row in pose for value in row):
        raise ContractError(field, pose, "finite numbers")
    if any(abs(value - wanted) > _RIGID_TOLERANCE for value, wanted in zip(pose[3], (0, 0, 0, 1), strict=True)):
        raise ContractError(field, pose, "a last row of 0 0 0 1")
    x, y, z = ([pose[row][column] for row in range(3)] for column in range(3))
    dots = [sum(a * b for a, b in zip(u, v, strict=True)) for u, v in ((x, x), (y, y), (z, z), (x, y), (y, z), (z, x))]
    if any(abs(dot - wanted) > _RIGID_TOLERANCE for dot, wanted in zip(dots, (1, 1, 1, 0, 0, 0), strict=True)):
        raise ContractError(field, pose, "a rigid pose: axes of length 1 at right angles")
    handedness = (
        x[0] * (y[1] * z[2] - y[2] * z[1]) - x[1] * (y[0] * z[2] - y[2] * z[0]) + x[2] * (y[0] * z[1] - y[1] * z[0])
    )
    if handedness < 0:
        raise ContractError(field, pose, "a rotation, not a mirror image")


def _stamp(path: str) -> list[Any]:
    try:
        found = os.stat(path)
    except OSError:
        return [path, None, None]
    return [path, found.st_size, found.st_mtime_ns]
