"""Where the camera went that shot the footage, told from the footage alone.

Points are followed through every frame (:mod:`.solve_tracks`). A camera that stands still or only turns is told by
their directions (:mod:`.solve_turning`). One that moves is mapped from some frames by COLMAP's mapper
(:mod:`.solve_moving`); then every frame is placed against the points, and all is adjusted together, while points that
move by themselves are found by how they stray and left out (:mod:`.solve_complete`).

The lens is a pinhole that stays as it is. Neither distortion, nor zooming, nor a rolling shutter is modelled. Strong
ones show as reprojection error, and beyond a pixel of it a solve is refused; a slight one bends the solved camera
unseen: a barrel distortion of 7 % in the corners turned it by a third of a degree.

Cancelling takes effect within about a second: COLMAP's mapper is cancelled between two of its frames, and its bundle
adjustment done in pieces of five steps, during which no other thread of the process runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .. import cameras
from ..contract import Intrinsics, Trajectory
from ..engines import FrameSource
from . import solve_adjust as adjust
from .cuts import CutFinder
from .solve_complete import Path, completed, seen_by
from .solve_moving import mapped
from .solve_tracks import FEWEST_POINTS, Floats, Follower, Tracks, shrunk
from .solve_turning import Turn, turning

__all__ = ["SolveError", "Solved", "solve"]

FEWEST_FRAMES = 8
LEAST_REGISTERED = 0.6
MOST_ERROR = 1.0
"""Median reprojection error, in pixels of a frame 832 wide: so a limit for the eye, whatever the footage's size."""
LEAST_ANGLE = 2.0
"""Median triangulation angle, degrees."""

TURNS = 0.85
"""Of what was followed must lie within a pixel of a frame 832 wide of where turns alone would have it, for a camera to
count as turning. The rest moves by itself."""

TURNS_AFTER_ALL = 0.75
"""The same where no moving camera could be solved: then turns that explain most are better than nothing."""

_STANDS = 0.4
"""Pixels of a frame 832 wide that its corners may move for a camera to count as standing still."""

_GUESSED = 0.96
"""Focal length in frame widths where nothing is known: 55 degrees from left to right."""

_NEAREST = 4  # points that tell the depth at a place


class SolveError(Exception):
    """Why a camera cannot be solved, in one sentence with what to do about it.

    Attributes:
        reason: ``length``, ``cut``, ``features``, ``registered``, ``error`` or ``angle``.
        frame: the timeline frame it is about, from 0; None where it is about all of them.
    """

    def __init__(self, message: str, reason: str, frame: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.frame = frame


@dataclass(frozen=True)
class Solved:
    """The camera that shot some footage.

    Attributes:
        trajectory: one pose and lens per timeline frame. The first pose is the identity, and the unit is the median
            depth of the first frame's points, until :meth:`placed` and :meth:`scaled` say otherwise.
        kind: ``moving``, ``turning`` (it has no place but its first, and points have no depth) or ``still``.
        registered: share of the frames that were placed; the others are interpolated.
        error: median reprojection error, in pixels of a frame 832 wide.
        angle: median triangulation angle in degrees; 0 where nothing is triangulated.
        points: (n, 3) what was seen, in the trajectory's world; none but for a moving camera.
        seen: for each frame (k, 3): x and y in pixels of the footage, and planar depth.
        words: what was found, in a sentence.
        notes: what else to know, in whole sentences.
    """

    trajectory: Trajectory
    kind: str
    registered: float
    error: float
    angle: float
    points: Floats
    seen: tuple[npt.NDArray[np.float32], ...]
    words: str
    notes: tuple[str, ...] = ()

    def median_depth(self, frame: int = 0) -> float | None:
        """The median planar depth of the points that a frame shows, or the nearest that shows any; None without points.

        Never None for a camera that moves.
        """
        shown = [index for index, seen in enumerate(self.seen) if len(seen)]
        if not shown:
            return None
        nearest = min(shown, key=lambda index: abs(index - frame))
        return float(np.median(self.seen[nearest][:, 2]))

    def depth_of(self, frame: int, x: float, y: float) -> float | None:
        """The planar depth at a pixel of the footage, from the points nearest to it; None where there are none."""
        seen = self.seen[frame]
        if not len(seen):
            return None
        away = np.hypot(seen[:, 0] - x, seen[:, 1] - y)
        nearest = np.argsort(away, kind="stable")[:_NEAREST]
        weights = 1 / (1 + away[nearest])
        return float(1 / ((weights / seen[nearest, 2]).sum() / weights.sum()))

    def scaled(self, factor: float) -> Solved:
        """The same in another unit: all places and depths times ``factor``."""
        poses, lenses = cameras.arrays(self.trajectory)
        poses[:, :3, 3] *= factor
        size = np.array([1, 1, factor], np.float32)
        return self._with(poses, lenses, self.points * factor, tuple(each * size for each in self.seen))

    def placed(self, pose: npt.ArrayLike) -> Solved:
        """The same world moved so that the first frame's camera stands at ``pose`` (4, 4)."""
        poses, lenses = cameras.arrays(self.trajectory)
        move = np.asarray(pose, np.float64) @ cameras.inverse(poses[0])
        points = self.points @ move[:3, :3].T + move[:3, 3]
        return self._with(move @ poses, lenses, points, self.seen)

    def _with(self, poses: Floats, lenses: Floats, points: Floats, seen: tuple[npt.NDArray[np.float32], ...]) -> Solved:
        size = self.trajectory.width, self.trajectory.height
        trajectory = cameras.from_arrays(poses, lenses, *size)
        return dataclasses.replace(self, trajectory=trajectory, points=points, seen=seen)


Report = Callable[[str, int, int], None]
Check = Callable[[], None]
Opened = Callable[[], AbstractContextManager[FrameSource]]


def solve(
    opened: Opened,
    length: int,
    *,
    width: int,
    height: int,
    lens: Intrinsics | None,
    rate: float,
    report: Report,
    check: Check,
) -> Solved:
    """Solve the camera that shot the footage.

    Args:
        opened: gives a new reader of the footage by timeline frame. It is read once, forwards.
        length: timeline frames.
        width: of the footage, pixels.
        height: likewise.
        lens: the footage's, in its pixels, kept as it is; None to have the focal length found, the lens being centred.
        rate: timeline frames a second.
        report: told of phase, step and total.
        check: called often; what it raises comes out as it is.

    Raises:
        SolveError: it cannot be solved, and why.
        FootageError: the footage cannot be read.
    """
    if length < FEWEST_FRAMES:
        raise SolveError(
            f"The footage has {length} frames, and {FEWEST_FRAMES} are the fewest that a camera can be solved from: "
            "take a longer part of the clip.",
            "length",
        )
    tracks = _followed(opened, length, rate, report, check)
    _check_followed(tracks, length)
    scale = tracks.width / width, tracks.height / height
    known = lens is not None
    first = _first_lens(tracks, lens, scale)
    report("solving turns", 0, 1)
    turn = turning(tracks, first, known, check=check)
    report("solving turns", 1, 1)
    if turn is not None and turn.explained >= TURNS and turn.solved.mean() >= LEAST_REGISTERED:
        return _turned(turn, tracks, first, known, scale, (width, height), ())
    try:
        return _moved(tracks, first, known, scale, (width, height), report, check)
    except SolveError as error:
        if turn is None or turn.explained < TURNS_AFTER_ALL or turn.solved.mean() < LEAST_REGISTERED:
            raise
        note = f"It is taken to turn only, as no way of it could be solved. {error}"
        return _turned(turn, tracks, first, known, scale, (width, height), (note,))


# Following


def _followed(opened: Opened, length: int, rate: float, report: Report, check: Check) -> Tracks:
    follower: Follower | None = None
    finder = CutFinder()
    with opened() as footage:
        for index, grey in enumerate(_greys(footage, length)):
            check()
            report("following points", index, length)
            follower = follower or Follower(grey.shape[1], grey.shape[0], rate)
            _refuse_cuts(finder.put(grey), length)
            follower.put(grey)
    _refuse_cuts(finder.end(), length)
    report("following points", length, length)
    assert follower is not None
    return follower.tracks


def _greys(footage: FrameSource, length: int) -> Iterator[npt.NDArray[np.uint8]]:
    for index in range(length):
        yield shrunk(footage.frame(index))


def _refuse_cuts(cuts: list[int], length: int) -> None:
    if cuts:
        raise SolveError(
            f"Another shot begins at frame {cuts[0] + 1} of {length}: split the strip there, and solve each part by "
            "itself.",
            "cut",
            cuts[0],
        )


def _check_followed(tracks: Tracks, length: int) -> None:
    counts = np.array([len(ids) for ids in tracks.ids])
    share = float((counts >= FEWEST_POINTS).mean())
    if share * length < FEWEST_FRAMES:
        raise SolveError(
            f"There is nothing in the footage to hold on to: no more than {int(np.median(counts))} points can be "
            f"followed in most frames, and {FEWEST_POINTS} are needed. Choose a shot with more detail, or sharper.",
            "features",
        )
    _check_registered(counts >= FEWEST_POINTS)


def _check_registered(solved: npt.NDArray[np.bool_]) -> None:
    share = float(solved.mean())
    if share < LEAST_REGISTERED:
        begin, end = _longest_gap(solved)
        raise SolveError(
            f"Only {100 * share:.0f} % of the frames can be placed, and {100 * LEAST_REGISTERED:.0f} % are needed: "
            f"frames {begin + 1} to {end} show too little that stands still. Leave them out, or choose another shot.",
            "registered",
            begin,
        )


def _longest_gap(solved: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """The first of the longest run of frames that are not solved, and the one after its last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], solved, [True]]).astype(np.int8)))
    runs = edges.reshape(-1, 2)
    begin, end = runs[(runs[:, 1] - runs[:, 0]).argmax()]
    return int(begin), int(end)


def _first_lens(
    tracks: Tracks, lens: Intrinsics | None, scale: tuple[float, float]
) -> tuple[float, float, float, float]:
    if lens is None:
        focal = _GUESSED * max(tracks.width, tracks.height)
        return focal, focal, tracks.width / 2, tracks.height / 2
    there = lens.scaled(*scale)
    return there.fx, there.fy, there.cx, there.cy


# A camera that moves


def _moved(
    tracks: Tracks,
    lens: tuple[float, float, float, float],
    known: bool,
    scale: tuple[float, float],
    size: tuple[int, int],
    report: Report,
    check: Check,
) -> Solved:
    report("mapping", 0, 1)
    model = mapped(tracks, lens, known, check=check)
    report("mapping", 1, 1)
    if model is None or len(model.frames) < 2:
        raise SolveError(
            "The points in the footage do not tell how its camera moved: too few of them stand still, or it hardly "
            "moves. Choose a shot with more that stands still, or give the lens it was shot with.",
            "registered",
        )
    path = completed(tracks, model, (lens[2], lens[3]), known, report=report, check=check)
    _check_registered(path.solved)
    if path.error > MOST_ERROR:
        raise SolveError(
            f"The camera that fits best misses half of the points by {path.error:.1f} pixels or more (of a frame 832 "
            f"wide), and {MOST_ERROR:g} is the most that can be trusted: check the lens, and choose a shot without "
            "zoom, with little distortion and with less that moves by itself.",
            "error",
        )
    angle = _angle(path)
    if angle < LEAST_ANGLE:
        raise SolveError(
            f"The camera travels too little to tell depth: half of the points are seen from directions less than "
            f"{angle:.1f}° apart, and {LEAST_ANGLE:g}° are needed. Take a longer part of the clip, or one in which "
            "it travels further.",
            "angle",
        )
    return _as_solved(path, tracks, lens, known, scale, size, angle)


def _angle(path: Path) -> float:
    chosen = path.solved[path.sightings.frame] & path.trusted[path.sightings.point]
    sightings = path.sightings
    part = adjust.Sightings(sightings.frame[chosen], sightings.point[chosen], sightings.place[chosen], sightings.count)
    if not len(part.frame):
        return 0.0
    return float(np.median(adjust.angles(part, path.rotations, path.shifts, path.points)[path.trusted]))


def _as_solved(
    path: Path,
    tracks: Tracks,
    lens: tuple[float, float, float, float],
    known: bool,
    scale: tuple[float, float],
    size: tuple[int, int],
    angle: float,
) -> Solved:
    poses = _poses(path.rotations, path.shifts, path.solved)
    seen = tuple(_seen(path, tracks, frame, scale) for frame in range(len(poses)))
    known_frames = np.flatnonzero(path.solved)
    unit = float(np.median(seen[known_frames[0]][:, 2]))
    fx, fy = path.focal[0] / scale[0], path.focal[1] / scale[1]
    intrinsics = np.array([fx, fy, lens[2] / scale[0], lens[3] / scale[1]])
    travel = float(np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1).sum()) / unit
    words = (
        f"The camera moves: {100 * path.solved.mean():.0f} % of the frames were placed, to {path.error:.2f} pixels (of "
        f"a frame 832 wide), with points seen from directions {angle:.1f}° apart; it travels {travel:.2f} times its "
        "subject's distance."
    )
    solved = Solved(
        trajectory=cameras.from_arrays(poses, intrinsics, *size),
        kind="moving",
        registered=float(path.solved.mean()),
        error=path.error,
        angle=angle,
        points=path.points[path.trusted],
        seen=seen,
        words=words,
        notes=(*_on_lens(known, True, fx, size), *_on_gaps(path.solved)),
    )
    # The points are in the mapper's world, and the first frame's camera wherever it found it.
    move = _world(path.rotations, path.shifts)[known_frames[0]]
    local = (solved.points - move[:3, 3]) @ move[:3, :3]
    first = poses[known_frames[0]]
    placed = dataclasses.replace(solved, points=local @ first[:3, :3].T + first[:3, 3])
    return placed.scaled(1 / unit)


def _seen(path: Path, tracks: Tracks, frame: int, scale: tuple[float, float]) -> npt.NDArray[np.float32]:
    if not path.solved[frame]:
        return np.empty((0, 3), np.float32)
    ids = path.sightings.point[seen_by(path, frame)]
    used = path.trusted[ids]
    depth = (path.points[ids[used]] @ path.rotations[frame].T + path.shifts[frame])[:, 2]
    places = tracks.places[frame][used] / scale
    return np.concatenate([places, depth[:, None]], axis=1)[depth > 0].astype(np.float32)


def _world(rotations: Floats, shifts: Floats) -> Floats:
    """Camera-to-world poses (m, 4, 4)."""
    poses = np.repeat(np.eye(4)[None], len(rotations), axis=0)
    poses[:, :3, :3], poses[:, :3, 3] = rotations, shifts
    return cameras.inverse(poses)


def _poses(rotations: Floats, shifts: Floats, solved: npt.NDArray[np.bool_]) -> Floats:
    """All poses as seen from the first, those in between interpolated."""
    known = np.flatnonzero(solved)
    poses = cameras.interpolate(known, _world(rotations, shifts)[known], np.arange(len(solved)))
    return cameras.relative(poses)


# A camera that stays where it is


def _turned(
    turn: Turn,
    tracks: Tracks,
    lens: tuple[float, float, float, float],
    known: bool,
    scale: tuple[float, float],
    size: tuple[int, int],
    notes: tuple[str, ...],
) -> Solved:
    still = turn.swing <= _STANDS
    rotations = np.repeat(np.eye(3)[None], len(turn.rotations), axis=0) if still else turn.rotations
    poses = _poses(rotations, np.zeros((len(rotations), 3)), turn.solved)
    fx, fy = turn.focal[0] / scale[0], turn.focal[1] / scale[1]
    intrinsics = np.array([fx, fy, lens[2] / scale[0], lens[3] / scale[1]])
    share = f"{100 * turn.explained:.0f} % of what was followed lies where that would have it"
    if still:
        words = f"The camera stands still: {share}."
    else:
        words = f"The camera only turns, by up to {turn.degrees:.1f}°, and does not travel: {share}."
    return Solved(
        trajectory=cameras.from_arrays(poses, intrinsics, *size),
        kind="still" if still else "turning",
        registered=float(turn.solved.mean()),
        error=turn.error,
        angle=0.0,
        points=np.empty((0, 3)),
        seen=(np.empty((0, 3), np.float32),) * len(poses),
        words=words,
        notes=(*notes, *_on_lens(known, turn.told, fx, size), *_on_gaps(turn.solved)),
    )


# Words


def _on_lens(known: bool, told: bool, focal: float, size: tuple[int, int]) -> tuple[str, ...]:
    if known:
        return ()
    view = np.degrees(2 * np.arctan(size[0] / 2 / focal))
    lens = f"{view:.1f}° from left to right, as {36 * focal / size[0]:.1f} mm on a sensor 36 mm wide"
    if told:
        return (f"The lens was found from the footage: {lens}.",)
    return (f"The footage does not tell its lens, which was taken to see {lens}.",)


def _on_gaps(solved: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    missing = int((~solved).sum())
    if not missing:
        return ()
    return (f"{missing} of {len(solved)} frames could not be placed: there the camera is interpolated.",)
