"""A camera that only turns: its rotations, and its focal length where the turns tell it.

Such a camera sees no parallax: every point keeps its direction. Rotations between pairs of frames are adjusted
together; then each frame is placed against the directions of all points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import solve_adjust as adjust
from .solve_adjust import Bools
from .solve_complete import sightings_of
from .solve_moving import chosen_frames
from .solve_tracks import Floats, Ints, Tracks

_SHARED = 12  # points that two frames must share
_STRIDES = (1, 2, 3, 5, 8, 13, 21, 34)
_PAIR_POINTS = 150  # of a pair, at most: more cost time and change little
_NEAR = 1.0  # pixels of a frame 832 wide, within which a point is explained
_TELLING = 5.0  # degrees; who turns less does not tell his focal length
_FOCALS = (0.4, 8.0)  # shares of the frame's width that a focal length lies between
_SHORTEST = 3


@dataclass
class Turn:
    """What is found if the camera is taken to turn only.

    Attributes:
        rotations: world-to-camera (m, 3, 3).
        solved: (m,) which of them were found.
        focal: pixels of the tracks' frames, along x and y.
        told: whether the turns told it; else it is the one that was given.
        explained: the share of what was followed that lies where turns alone would have it, within a pixel of a frame
            832 wide.
        error: median error of what is explained by and large, in those pixels.
        swing: how far a corner of the frame moves at most, in those pixels.
        degrees: the widest turn away from the first frame.
        trusted: (count,) points that lie where turns would have them.
        directions: (count, 3) of all points.
    """

    rotations: Floats
    solved: Bools
    focal: tuple[float, float]
    told: bool
    explained: float
    error: float
    swing: float
    degrees: float
    trusted: Bools
    directions: Floats


@dataclass
class _Pair:
    one: int
    other: int
    first: Floats
    second: Floats


def turning(
    tracks: Tracks, lens: tuple[float, float, float, float], known: bool, *, check: Callable[[], None]
) -> Turn | None:
    """The best rotations; None where frames do not hang together.

    Args:
        tracks: the points followed.
        lens: fx, fy, cx, cy in pixels of the tracks' frames.
        known: whether it is to be kept; else its focal length is a first guess.
        check: called often.
    """
    frames = chosen_frames(tracks)
    if len(frames) < 2:
        return None
    focal, centre = (lens[0], lens[1]), (lens[2], lens[3])
    pairs = _pairs(tracks, frames, centre)
    rotations = _chained(pairs, len(frames), focal, check)
    if not known and _widest(rotations) > _TELLING / 3:
        free, freed = _adjusted(pairs, rotations, focal, True, check)
        if _widest(free) >= _TELLING and _FOCALS[0] < freed[0] / tracks.width < _FOCALS[1]:
            return _all_frames(tracks, frames, free, freed, centre, True, check)
    rotations, focal = _adjusted(pairs, rotations, focal, False, check)
    return _all_frames(tracks, frames, rotations, focal, centre, False, check)


# Some frames, pair by pair


def _pairs(tracks: Tracks, frames: list[int], centre: tuple[float, float]) -> list[_Pair]:
    pairs = []
    for stride in _STRIDES:
        for one in range(len(frames) - stride):
            both, first, second = tracks.shared(frames[one], frames[one + stride])
            if len(both) < _SHARED:
                continue
            some = np.linspace(0, len(both) - 1, min(len(both), _PAIR_POINTS)).round().astype(int)
            pairs.append(_Pair(one, one + stride, first[some] - centre, second[some] - centre))
    return pairs


def _chained(pairs: list[_Pair], count: int, focal: tuple[float, float], check: Callable[[], None]) -> Floats:
    rotations = np.repeat(np.eye(3)[None], count, axis=0)
    nearest = {pair.other: pair for pair in reversed(pairs)}  # the shortest stride to each frame
    for frame in range(1, count):
        check()
        rotations[frame] = rotations[frame - 1]
        pair = nearest.get(frame)
        if pair is None:
            continue
        turn = np.eye(3)
        for width in (20, 5, 1.5):
            points, places = _rays(pair.first, focal), pair.second / focal
            turn, _ = adjust.camera_from(points, places, turn, np.zeros(3), width / focal[0], still=True)
        rotations[frame] = turn @ rotations[pair.one]
    return rotations


def _rays(places: Floats, focal: tuple[float, float]) -> Floats:
    rays: Floats = np.concatenate([places / focal, np.ones((len(places), 1))], axis=1)
    return rays


def _adjusted(
    pairs: list[_Pair], rotations: Floats, focal: tuple[float, float], free: bool, check: Callable[[], None]
) -> tuple[Floats, tuple[float, float]]:
    """Rotations, and the focal length where it is ``free``, to the least errors of all pairs (pixels, Cauchy)."""
    damping, scale = 1e-4, 1.0
    cost = _cost(pairs, rotations, focal, scale)
    for _ in range(40):
        check()
        normal, gradient = _normal(pairs, rotations, focal, scale)
        if not free:
            normal, gradient = normal[:-1, :-1], gradient[:-1]
        lifted = normal + damping * np.diag(np.diag(normal) + 1e-9) + 1e-9 * np.eye(len(normal))
        step = np.asarray(-np.linalg.solve(lifted, gradient), np.float64)
        moved = adjust.turned(step[: 3 * len(rotations)].reshape(-1, 3)) @ rotations
        stretch = float(np.exp(np.clip(step[-1], -0.3, 0.3))) if free else 1.0
        tried = focal[0] * stretch, focal[1] * stretch
        new = _cost(pairs, moved, tried, scale)
        if new > cost:
            damping *= 10
            if damping > 1e4:
                break
            continue
        done = cost - new <= 1e-7 * cost
        rotations, focal, cost, damping = moved, tried, new, damping / 10
        if done:
            break
    return rotations @ rotations[0].T, focal


def _cost(pairs: list[_Pair], rotations: Floats, focal: tuple[float, float], scale: float) -> float:
    total = 0.0
    for pair in pairs:
        off, _ = _off(pair, rotations, focal)
        total += float(np.log1p((off**2).sum(axis=1) / scale**2).sum())
    return total


def _off(pair: _Pair, rotations: Floats, focal: tuple[float, float]) -> tuple[Floats, Floats]:
    """Errors in pixels, and the first frame's rays as the other sees them."""
    local = _rays(pair.first, focal) @ (rotations[pair.other] @ rotations[pair.one].T).T
    depth = np.maximum(local[:, 2:], 1e-3)
    return local[:, :2] / depth * focal - pair.second, local


def _normal(pairs: list[_Pair], rotations: Floats, focal: tuple[float, float], scale: float) -> tuple[Floats, Floats]:
    size = 3 * len(rotations) + 1
    normal, gradient = np.zeros((size, size)), np.zeros(size)
    nudge = 1e-5
    for pair in pairs:
        off, local = _off(pair, rotations, focal)
        nudged, _ = _off(pair, rotations, (focal[0] * (1 + nudge), focal[1] * (1 + nudge)))
        depth = np.maximum(local[:, 2], 1e-3)
        by_point = np.zeros((len(local), 2, 3))
        by_point[:, 0, 0], by_point[:, 1, 1] = focal[0] / depth, focal[1] / depth
        by_point[:, 0, 2] = -focal[0] * local[:, 0] / depth**2
        by_point[:, 1, 2] = -focal[1] * local[:, 1] / depth**2
        turn = rotations[pair.other] @ rotations[pair.one].T
        # A turn of the other camera by w moves rays by w x ray; one of the first by the opposite, as the other sees it.
        other = by_point @ -adjust.crossed(local)
        jacobian = np.concatenate([-other @ turn, other, ((nudged - off) / nudge)[:, :, None]], axis=2)
        weight = 1 / (1 + (off**2).sum(axis=1) / scale**2)
        weighted = jacobian * weight[:, None, None]
        where = np.r_[3 * pair.one : 3 * pair.one + 3, 3 * pair.other : 3 * pair.other + 3, size - 1]
        normal[np.ix_(where, where)] += np.einsum("nki,nkj->ij", weighted, jacobian)
        gradient[where] += np.einsum("nki,nk->i", weighted, off)
    return normal, gradient


# All frames


def _all_frames(
    tracks: Tracks,
    frames: list[int],
    some: Floats,
    focal: tuple[float, float],
    centre: tuple[float, float],
    told: bool,
    check: Callable[[], None],
) -> Turn:
    sightings = sightings_of(tracks, focal, centre)
    count, pixel = len(tracks.ids), tracks.width / 832 / focal[0]
    rays = np.concatenate([sightings.place, np.ones((len(sightings.place), 1))], axis=1)
    unit = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    rotations = np.repeat(np.eye(3)[None], count, axis=0)
    rotations[frames] = some
    solved = np.zeros(count, bool)
    solved[frames] = True
    trusted = np.ones(tracks.count, bool)
    begins = np.searchsorted(sightings.frame, np.arange(count + 1))
    directions, error = np.zeros((tracks.count, 3)), np.zeros(len(rays))
    often = sightings.total(np.ones(len(rays)))
    for _ in range(3):
        check()
        directions = _directions(
            sightings.point, unit, rotations[sightings.frame], solved[sightings.frame], tracks.count
        )
        solved = _place(sightings, directions, trusted, rotations, solved, begins, pixel, check)
        seen = solved[sightings.frame] & np.isfinite(directions[sightings.point, 0])
        error = np.full(len(rays), np.inf)
        error[seen] = adjust.errors(
            rotations[sightings.frame[seen]],
            np.zeros(3),
            directions[sightings.point[seen]],
            sightings.place[seen],
        )
        error /= pixel
        mean = np.sqrt(sightings.total(np.minimum(error, 100) ** 2) / np.maximum(often, 1))
        trusted = (often >= _SHORTEST) & (mean < 1.5)
    counting = (often >= _SHORTEST)[sightings.point] & solved[sightings.frame]
    near = error[counting] < _NEAR
    corners = _rays(np.array([[x, y] for x in (0, tracks.width) for y in (0, tracks.height)]) - centre, focal)
    local = np.einsum("nij,cj->nci", rotations[solved] @ rotations[solved][0].T, corners) if solved.any() else corners
    away = np.linalg.norm(local[..., :2] / np.maximum(local[..., 2:], 1e-3) - corners[:, :2], axis=-1)
    return Turn(
        rotations=rotations,
        solved=solved,
        focal=focal,
        told=told,
        explained=float(near.mean()) if len(near) else 0.0,
        error=float(np.median(error[counting & trusted[sightings.point]])) if trusted.any() else np.inf,
        swing=float(away.max() / pixel),
        degrees=_widest(rotations[solved]),
        trusted=trusted,
        directions=directions,
    )


def _directions(point: Ints, unit: Floats, rotation: Floats, used: Bools, count: int) -> Floats:
    world = np.einsum("nji,nj->ni", rotation[used], unit[used])
    total = np.stack([np.bincount(point[used], world[:, axis], count) for axis in range(3)], axis=1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    directions: Floats = np.where(length > 0, total / np.where(length > 0, length, 1), np.nan)
    return directions


def _place(
    sightings: adjust.Sightings,
    directions: Floats,
    trusted: Bools,
    rotations: Floats,
    solved: Bools,
    begins: Ints,
    pixel: float,
    check: Callable[[], None],
) -> Bools:
    """Turn each frame to the directions, from the nearest that is known; which were found."""
    known = np.flatnonzero(solved)
    found = np.zeros_like(solved)
    if not len(known):
        return found
    for frame in sorted(range(len(solved)), key=lambda each: int(np.abs(known - each).min())):
        check()
        part = slice(begins[frame], begins[frame + 1])
        ids = sightings.point[part]
        usable = trusted[ids] & np.isfinite(directions[ids, 0])
        if usable.sum() < _SHARED:
            continue
        before = np.flatnonzero(found)
        near = frame if solved[frame] or not len(before) else before[np.abs(before - frame).argmin()]
        rotation, points, places = rotations[near], directions[ids[usable]], sightings.place[part][usable]
        for width in (0.5,) if near == frame else (20, 2, 0.5):
            rotation, _ = adjust.camera_from(points, places, rotation, np.zeros(3), width * pixel, still=True)
        rotations[frame] = rotation
        found[frame] = True
    return found


def _widest(rotations: Floats) -> float:
    """The widest turn away from the first, degrees."""
    if not len(rotations):
        return 0.0
    cosine = (np.einsum("nij,ij->n", rotations, rotations[0]) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).max())
