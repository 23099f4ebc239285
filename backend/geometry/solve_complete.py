"""From some solved frames to all of them: every frame is placed against the points, and all is adjusted together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import solve_adjust as adjust
from .solve_adjust import Bools, Sightings
from .solve_bundle import bundle
from .solve_moving import Model
from .solve_tracks import Floats, Tracks

_SHORTEST = 3  # frames that a point must be seen in to count
_FEWEST = 12  # points that place a camera
_AGREEING = 0.35  # of the points in a frame that its camera must explain
_NEAR = 2.0  # pixels of a frame 832 wide: what lies nearer counts as explained
_STRAYS = 3.0  # times the median of all: a point that misses by more, all in all, moves by itself or was mistaken
_ROUNDS = 3  # of adjusting all together, dropping what strays in between
_MOST = 110  # frames that are adjusted together; the others of a long clip are placed between them


@dataclass
class Path:
    """A camera's way and what it saw.

    Attributes:
        rotations, shifts: world-to-camera (m, 3, 3), (m, 3), one for each frame.
        solved: (m,) which of them were found; the others mean nothing.
        focal: pixels of the tracks' frames, along x and y.
        sightings: all of them, normalised by that lens.
        points: (count, 3), NaN for those that are nowhere.
        trusted: (count,) points that stand still and were followed well.
        error: median reprojection error of all that was followed, in pixels of a frame 832 wide.
    """

    rotations: Floats
    shifts: Floats
    solved: Bools
    focal: tuple[float, float]
    sightings: Sightings
    points: Floats
    trusted: Bools
    error: float


def completed(
    tracks: Tracks,
    model: Model,
    centre: tuple[float, float],
    known: bool,
    *,
    report: Callable[[str, int, int], None],
    check: Callable[[], None],
) -> Path:
    """Place every frame, and adjust all together, until what strays is out.

    Args:
        tracks: the points followed.
        model: some frames, from :func:`.solve_moving.mapped`.
        centre: cx, cy in pixels of the tracks' frames.
        known: whether the model's focal length is to be kept.
        report: told of phases.
        check: called often.
    """
    count = len(tracks.ids)
    path = Path(
        rotations=np.repeat(np.eye(3)[None], count, axis=0),
        shifts=np.zeros((count, 3)),
        solved=np.zeros(count, bool),
        focal=model.focal,
        sightings=sightings_of(tracks, model.focal, centre),
        points=np.full((tracks.count, 3), np.nan),
        trusted=np.zeros(tracks.count, bool),
        error=np.inf,
    )
    path.rotations[model.frames], path.shifts[model.frames] = model.rotations, model.shifts
    path.solved[model.frames] = True
    path.points[model.point_ids] = model.points
    path.trusted[model.point_ids] = True
    for number in range(_ROUNDS):
        report("solving the camera", number, _ROUNDS)
        _place(path, tracks, check)
        _triangulate(path, tracks, check)
        together = _together(path, tracks)
        if len(together) < 2:
            break
        before = path.focal
        bundle(path, tracks, together, centre, known, scale=_scale(path, tracks), check=check)
        if path.focal != before:
            path.sightings = sightings_of(tracks, path.focal, centre)
    _place(path, tracks, check)
    _triangulate(path, tracks, check)
    report("solving the camera", _ROUNDS, _ROUNDS)
    return path


def sightings_of(tracks: Tracks, focal: tuple[float, float], centre: tuple[float, float]) -> Sightings:
    """All that was followed, normalised by a lens."""
    frames = np.repeat(np.arange(len(tracks.ids)), [len(ids) for ids in tracks.ids])
    places = (np.concatenate(tracks.places) - centre) / focal
    return Sightings(frames, np.concatenate(tracks.ids), places, tracks.count)


def seen_by(path: Path, frame: int) -> slice:
    """The sightings of one frame."""
    begin, end = np.searchsorted(path.sightings.frame, (frame, frame + 1))
    return slice(int(begin), int(end))


# Cameras


def _place(path: Path, tracks: Tracks, check: Callable[[], None]) -> None:
    """Find every frame's camera from the points, those nearest to solved frames first."""
    solved = np.flatnonzero(path.solved)
    found = np.zeros_like(path.solved)
    if not len(solved):
        return
    order = sorted(range(len(path.solved)), key=lambda frame: int(np.abs(solved - frame).min()))
    scale = _scale(path, tracks)
    for frame in order:
        check()
        near = frame if path.solved[frame] else _nearest(found, frame)
        camera = None if near is None else _camera(path, tracks, frame, near, scale)
        if camera is not None:
            path.rotations[frame], path.shifts[frame] = camera
            found[frame] = True
    path.solved = found


def _nearest(found: Bools, frame: int) -> int | None:
    known = np.flatnonzero(found)
    return int(known[np.abs(known - frame).argmin()]) if len(known) else None


def _camera(path: Path, tracks: Tracks, frame: int, near: int, scale: float) -> tuple[Floats, Floats] | None:
    part = seen_by(path, frame)
    ids, places = path.sightings.point[part], path.sightings.place[part]
    usable = path.trusted[ids] & np.isfinite(path.points[ids, 0])
    points, places = path.points[ids[usable]], places[usable]
    if len(points) < _FEWEST:
        return None
    rotation, shift = path.rotations[near], path.shifts[near]
    # From a neighbour's pose, which may be far off, with a wide scale first.
    for width in (scale,) if near == frame else (20 * scale, 4 * scale, scale):
        rotation, shift = adjust.camera_from(points, places, rotation, shift, width)
    error = adjust.errors(rotation, shift, points, places)
    agreeing = int((error < _NEAR * _pixel(path, tracks)).sum())
    if agreeing < max(_FEWEST, _AGREEING * len(points)):
        return None
    return rotation, shift


def _pixel(path: Path, tracks: Tracks) -> float:
    """A pixel of a frame 832 wide, normalised."""
    return tracks.width / 832 / path.focal[0]


def _scale(path: Path, tracks: Tracks) -> float:
    """Beyond which errors count less: twice what is usual, once that is known."""
    usual = path.error if np.isfinite(path.error) else 0.3
    return float(np.clip(2 * usual, 0.1, 1.0)) * _pixel(path, tracks)


# Points


def _triangulate(path: Path, tracks: Tracks, check: Callable[[], None]) -> None:
    """Find every point from the solved cameras, what strays, and how large errors are."""
    sightings = path.sightings
    chosen = path.solved[sightings.frame]
    part = Sightings(sightings.frame[chosen], sightings.point[chosen], sightings.place[chosen], sightings.count)
    if not len(part.frame):
        return
    path.points = adjust.points_from(part, path.rotations, path.shifts, _scale(path, tracks), check=check)
    error = adjust.errors(
        path.rotations[part.frame], path.shifts[part.frame], path.points[part.point], part.place
    ) / _pixel(path, tracks)
    error = np.nan_to_num(error, nan=np.inf)
    often = part.total(np.ones(len(error)))
    counting = often >= _SHORTEST
    if not counting.any():
        return
    path.error = float(np.median(error[counting[part.point]]))
    mean = np.sqrt(part.total(np.minimum(error, 100.0) ** 2) / np.maximum(often, 1))
    usual = np.median(mean[counting])
    path.trusted = counting & (mean < np.clip(_STRAYS * usual, 0.3, 2.0)) & np.isfinite(path.points[:, 0])


def _together(path: Path, tracks: Tracks) -> list[int]:
    solved = np.flatnonzero(path.solved)
    if len(solved) <= _MOST:
        return [int(frame) for frame in solved]
    keys = sorted(set(tracks.keys) & set(solved.tolist()))
    evenly = solved[np.linspace(0, len(solved) - 1, _MOST).round().astype(int)]
    wanted = sorted(set(keys) | set(evenly.tolist()))
    return [wanted[index] for index in np.linspace(0, len(wanted) - 1, _MOST).round().astype(int)]
