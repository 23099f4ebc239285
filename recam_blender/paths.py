"""Cameras over some frames, as they are drawn; and the way that a take's camera goes where its use makes one."""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import bpy
import numpy as np
import numpy.typing as npt

from ..backend import contract
from ..backend.cameras import arrays, framing, resized, source_of
from ..backend.cameras.applied import target_of
from ..backend.cameras.trajectory import resample
from ..backend.contract import Progress, Trajectory
from . import planning, sampling, use_limits, use_words
from .planning import Step
from .request import Request
from .texts import later

Floats = npt.NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Path:
    """A camera over some frames, as it would be drawn.

    Attributes:
        name: the camera's.
        frames: of the scene that it moves in.
        matrices: (n, 4, 4) camera to world in Blender's axes (it looks along -z) and units, without scale.
        corners: (n, 4) left, right, bottom and top of the picture at distance 1, so that a corner of a frustum is
            matrix @ (left * d, bottom * d, -d).
        millimetres: (n,) focal length on the camera's own sensor.
        trajectory: the same in the contract's axes.
    """

    name: str
    frames: tuple[float, ...]
    matrices: Floats
    corners: Floats
    millimetres: Floats
    trajectory: Trajectory | None = None


def path_of(scene: bpy.types.Scene, name: str, frames: tuple[float, ...], filmed: Trajectory) -> Path:
    """How a camera of this scene would be drawn that goes as ``filmed`` says."""
    poses, lenses = arrays(filmed)
    fx, fy, cx, cy = lenses.T
    width, height = filmed.width, filmed.height
    corners = np.stack([-cx / fx, (width - cx) / fx, (cy - height) / fy, cy / fy], axis=-1)
    camera = planning.find_camera(scene, name)
    per_millimetre = sampling.focal_intrinsics(scene, camera, 1.0, width=width, height=height).fx
    matrices = sampling.matrix_world_from_pose(poses, scene)
    return Path(name, frames, matrices, corners, fx / per_millimetre, filmed)


def joined(parts: Sequence[Trajectory]) -> Trajectory:
    """One after another."""
    return dataclasses.replace(
        parts[0],
        poses=tuple(pose for part in parts for pose in part.poses),
        intrinsics=tuple(each for part in parts for each in part.intrinsics),
    )


def is_made(asked: Request) -> bool:
    """Whether the take's camera goes another way than the target camera, which only says where that begins."""
    return asked.relative or contract.Use(kind=asked.use).makes_target


def of_takes(
    asked: Request,
    scene_name: str,
    offset: float,
    rate: Fraction,
    filmed: Sequence[tuple[str, tuple[float, ...], Trajectory]],
    source: Path | None,
) -> Generator[Step, None, list[Path]]:
    """The ways that the cameras of takes go, one after each step.

    Args:
        asked: what for.
        scene_name: of the scene that the cameras move in.
        offset: a frame of that scene, less the frame of the timeline at the same instant.
        rate: of the timeline.
        filmed: for each cut the target camera's name, the frames that it films, and where it is at them.
        source: the camera that shot the footage, over all the frames.
    """
    found = []
    reach = _reach([frames for _, frames, _ in filmed], offset)
    for name, frames, target in filmed:
        start, count = _covered(frames, offset)
        use = asked.use_from(start, count, reach)
        use_limits.check(use, start, count, (target.width, target.height))
        scene = planning.find_scene(scene_name)
        if is_made(asked):
            lens = None
            if asked.lens and source is None:
                size = {"width": target.width, "height": target.height}
                lens = sampling.focal_intrinsics(scene, planning.find_camera(scene, name), asked.lens, **size)
            # All of it aside: a job of a thousand poses takes its time to be checked.
            whole = functools.partial(_job, asked, use, target, source, lens, frames, rate)
            target = yield from aside(lambda made=whole: _made(made()), len(frames))  # type: ignore[misc]
            scene = planning.find_scene(scene_name)
        found.append(path_of(scene, name, frames, target))
        yield Step(Progress(phase=later("Reading the camera"), step=len(frames), total=len(frames)))
    return found


def use_of(asked: Request, made: Sequence[Path], offset: float, size: tuple[int, int]) -> str:
    """What the first take that is for something is for, in a part of a sentence; empty for plain moves.

    Args:
        asked: what for.
        made: the ways of all cuts.
        offset: see :func:`of_takes`.
        size: the footage's.
    """
    cuts = [each.frames for each in made]
    reach, covered = _reach(cuts, offset), [_covered(each, offset) for each in cuts]
    start, count = next((each for each in covered if asked.use_from(*each, reach).kind != "move"), covered[0])
    use = asked.use_from(start, count, reach)
    pixels = (asked.width or size[0]) / max(1.0, use.region.width * size[0])
    return use_words.told(use, start, use_limits.instants(use, count), pixels)


def shown_to_network(asked: Request, path: Path, source: Path | None, size: tuple[int, int]) -> framing.Box | None:
    """What a network is shown of the footage, as left, top, right and bottom in shares of it; None where that is all.

    A source camera that is not known stands where the target begins.
    """
    if path.trajectory is None or not all(size):
        return None
    generation = asked.generation(contract.Models(), "auto")
    if generation.fit == "pad" or generation.kept_by_crop(*size) > _ALL:
        return None
    target, filmed = path.trajectory, _part(source, path.frames)
    if filmed is None:
        count = len(target)
        filmed = dataclasses.replace(target, poses=target.poses[:1] * count, intrinsics=target.intrinsics[:1] * count)
    take = (asked.width, asked.height) if asked.width else size
    framed = framing.Framed(filmed, target, size, take, asked.subject_distance)
    box = framing.cropped(framed, generation)
    return None if box == (0, 0, 1, 1) else box


# Of the footage: what is left out beside this is not worth a line.
_ALL = 0.995


def _covered(frames: tuple[float, ...], offset: float) -> tuple[int, int]:
    """The first timeline frame, and how many there are."""
    return round(frames[0] - offset), round(frames[-1] - frames[0]) + 1


def _reach(cuts: Sequence[tuple[float, ...]], offset: float) -> tuple[int, int]:
    """The first timeline frame of all cuts, and one after the last."""
    return round(cuts[0][0] - offset), round(cuts[-1][-1] - offset) + 1


def _part(path: Path | None, frames: tuple[float, ...]) -> Trajectory | None:
    """Of these frames alone."""
    if path is None or path.trajectory is None:
        return None
    first = path.frames.index(frames[0])
    kept = slice(first, first + len(frames))
    whole = path.trajectory
    return dataclasses.replace(whole, poses=whole.poses[kept], intrinsics=whole.intrinsics[kept])


def _job(
    asked: Request,
    use: contract.Use,
    target: Trajectory,
    source: Path | None,
    lens: contract.Intrinsics | None,
    frames: tuple[float, ...],
    rate: Fraction,
) -> contract.Job:
    """As far as it decides the way of the take's camera. A source camera that is yet to be solved stands still."""
    count = round(frames[-1] - frames[0]) + 1
    width, height = (asked.width, asked.height) if asked.width else (target.width, target.height)
    return contract.Job(
        footage=contract.Footage(
            kind="movie",
            files=("unread",),
            frames=tuple(range(len(frames))),
            width=target.width,
            height=target.height,
        ),
        target=resized(target, width, height),
        source=_part(source, frames),
        lens=lens,
        subject_distance=asked.subject_distance,
        relative=asked.relative,
        use=use_limits.fewer(use, count, len(frames)),
        output=contract.Output(
            path="unwritten.mp4", width=width, height=height, rate=rate * use_limits.share(count, len(frames))
        ),
    )


def _made(job: contract.Job) -> Trajectory:
    """The way of a take's camera, worked out where it is not known."""
    for known, way in list(_known):
        if known == job:
            return way
    way = target_of(job, source_of(job))
    _known.appendleft((job, way))
    return way


_known: deque[tuple[contract.Job, Trajectory]] = deque(maxlen=4)
"""The latest ways: Blender tells of changes that are none more often than of those that are."""


def aside(work: Callable[[], T], count: int) -> Generator[Step, None, T]:
    """What takes longer than Blender may be held, and needs nothing of Blender's: in a thread, in short steps.

    Args:
        work: what is to be done; what it raises is raised here.
        count: of frames, for whoever shows progress.
    """
    ended = threading.Event()
    came: list[T] = []
    went: list[BaseException] = []

    def run() -> None:
        try:
            came.append(work())
        except BaseException as error:  # it belongs to whoever waits
            went.append(error)
        finally:
            ended.set()

    threading.Thread(target=run, name="recam-path", daemon=True).start()
    while not ended.wait(_WAIT_SECONDS):
        yield Step(Progress(phase=later("Reading the camera"), step=count, total=count), idle=True)
    if went:
        raise went[0]
    return came[0]


_WAIT_SECONDS = 0.002


def at(path: Path, frame: float) -> Trajectory:
    """One pose of a path: where its camera is at a frame of its scene, which may lie between those that were read."""
    assert path.trajectory is not None
    return resample(path.trajectory, [float(np.interp(frame, path.frames, np.arange(len(path.frames))))])
