"""From paths of cameras to lines and colours. numpy only: it can be tested, and used, without a window.

Positions are in Blender units. Lines come as pairs of points, shape (2 n, 3), as the GPU's LINES want them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

# What takes can hardly be told apart by: closer than this, the first view counts as the same.
NEAR_SHARE, NEAR_DEGREES = 0.01, 0.5

_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000)
_MOST = 10
"""Frusta along a path, where nobody says how many; the last one comes besides."""

_RAMP_SHARES = (0.0, 0.2, 0.5)
"""Where the ramp is green, yellow and red: a fifth is much to invent, half of the picture is another picture."""
_RAMP_COLOURS = ((0.0, 0.62, 0.45), (0.94, 0.89, 0.26), (0.84, 0.15, 0.05))
"""Bluish green, yellow, and a red that is darker than both: they differ in brightness too, for who sees no red."""


class Mismatch(NamedTuple):
    """How far the target's first view is from the source's: Blender units, and degrees."""

    distance: float
    angle: float


def positions(matrices: Floats) -> Points:
    """Where the cameras (n, 4, 4) stand: (n, 3)."""
    return matrices[:, :3, 3].astype(np.float32)


def path_lines(matrices: Floats) -> Points:
    """The way of a camera: a line from each frame to the next."""
    points = positions(matrices)
    return np.stack((points[:-1], points[1:]), axis=1).reshape(-1, 3)


def frustum_lines(matrices: Floats, corners: Floats, size: float) -> Points:
    """The pyramids of views, ``size`` deep, each with a small triangle over its upper edge: 11 lines a view.

    Args:
        matrices: (n, 4, 4), cameras that look along -Z, without scale.
        corners: (n, 4), left, right, bottom and top of the picture at distance 1.
        size: how deep, in Blender units.
    """
    left, right, bottom, top = (corners[:, index] * size for index in range(4))
    depth = np.full_like(left, -size)
    middle, peak = (left + right) / 2, top + 0.25 * (top - bottom)
    base = 0.25 * (right - left)
    local = np.stack(
        [
            np.zeros((len(matrices), 3)),
            *(np.stack((x, y, depth), axis=1) for x in (left, right) for y in (bottom, top)),
            np.stack((middle - base, top, depth), axis=1),
            np.stack((middle, peak, depth), axis=1),
            np.stack((middle + base, top, depth), axis=1),
        ],
        axis=1,
    )
    world = local @ matrices[:, :3, :3].transpose(0, 2, 1) + matrices[:, None, :3, 3]
    return world[:, _EDGES.ravel()].reshape(-1, 3).astype(np.float32)


# Points: 0 the eye; 1 to 4 left bottom, left top, right bottom, right top; 5 to 7 the triangle's base, peak, base.
_EDGES = np.array(
    [(0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (3, 4), (1, 3), (2, 4), (5, 6), (6, 7), (7, 5)], dtype=np.intp
)
LINES_PER_FRUSTUM = len(_EDGES)


def label_place(matrix: Floats, corners: Floats, size: float) -> tuple[float, float, float]:
    """Where a view's words stand: at its right upper corner, out of the way of the triangle."""
    x, y, z = (matrix[:3, :3] @ (corners[1] * size, corners[3] * size, -size) + matrix[:3, 3]).tolist()
    return x, y, z


def chosen(count: int, step: int) -> list[int]:
    """Which of ``count`` frames get a frustum: each ``step``-th (0: about ten of them), the first and the last."""
    if count <= 0:
        return []
    step = step or next((each for each in _STEPS if (count - 1) / each <= _MOST), count)
    indexes = list(range(0, count, step))
    if indexes[-1] != count - 1:
        # A last one that stands close to the one before takes its place.
        if len(indexes) > 1 and count - 1 - indexes[-1] < step / 2:
            indexes.pop()
        indexes.append(count - 1)
    return indexes


def automatic_size(matrices: Floats, subject_distance: float) -> float:
    """How deep frusta are drawn where nobody says: by the path, within what the distance of the subject allows."""
    points = matrices[:, :3, 3]
    length = float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
    return min(max(0.12 * length, 0.04 * subject_distance), 0.2 * subject_distance)


def mismatch(target: Floats, source: Floats, subject_distance: float) -> Mismatch | None:
    """How the first views (4, 4) differ; None where that is less than anybody would see."""
    distance = float(np.linalg.norm(target[:3, 3] - source[:3, 3]))
    # By the sine and the cosine: the cosine alone cannot tell small angles.
    turn = target[:3, :3].T @ source[:3, :3]
    sine = np.linalg.norm((turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1])) / 2
    angle = math.degrees(math.atan2(float(sine), float(np.trace(turn) - 1) / 2))
    if distance <= NEAR_SHARE * subject_distance and angle <= NEAR_DEGREES:
        return None
    return Mismatch(distance, angle)


def away_from(matrices: Floats, eye: Sequence[float], size: float) -> npt.NDArray[np.bool_]:
    """Which cameras stand so far from an eye that their frusta do not clutter what it sees."""
    far: npt.NDArray[np.bool_] = np.linalg.norm(matrices[:, :3, 3] - np.asarray(eye), axis=1) > 1.5 * size
    return far


def ramp(shares: Sequence[float] | Floats, alpha: float = 1.0) -> Points:
    """The colours (n, 4) of shares that are invented, 0 to 1; sRGB, as Blender's own drawing wants it."""
    values = np.asarray(shares, dtype=np.float64)
    channels = [np.interp(values, _RAMP_SHARES, [colour[i] for colour in _RAMP_COLOURS]) for i in range(3)]
    return np.stack((*channels, np.full_like(values, alpha)), axis=-1).astype(np.float32)


def binned(shares: Sequence[float], cells: int) -> Floats:
    """The shares in at most so many cells, each the worst of its frames: one bad frame must not vanish."""
    values = np.asarray(shares, dtype=np.float64)
    if cells >= len(values):
        return values
    edges = np.arange(cells) * len(values) // max(cells, 1)
    return np.maximum.reduceat(values, edges) if cells > 0 else values[:0]


def thinned(boxes: Iterable[tuple[float, float, float, float]], gap: float) -> list[int]:
    """Which of these boxes (x, y, width, height), the important ones first, can stand without touching others."""
    kept: list[int] = []
    placed: list[tuple[float, float, float, float]] = []
    for index, (x, y, width, height) in enumerate(boxes):
        box = (x - gap, y - gap, x + width + gap, y + height + gap)
        if all(box[2] <= b[0] or b[2] <= box[0] or box[3] <= b[1] or b[3] <= box[1] for b in placed):
            placed.append((x, y, x + width, y + height))
            kept.append(index)
    return kept
