"""Footage as one flat picture in space: how much of a target camera's frame lies beside it, and through which motion.

Closed forms, no pixels: the corners of the footage's picture are seen from the target camera, and what of the frame
their outline covers is an area. Pictures are as :mod:`backend.reproject.views` has them.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

MOTIONS = ("turns", "moves", "backs", "widens")
"""What may take a target camera's frame off the footage, as in :data:`backend.foresight.CAUSES`."""

_BEHIND = 1e-6  # of the length of a corner's ray: what is no farther before the target camera is cut off


class View(NamedTuple):
    """One frame of a camera.

    Attributes:
        pose: (4, 4) camera-to-world.
        lens: (3, 3) intrinsic matrix.
        width, height: pixels.
    """

    pose: Matrix
    lens: Matrix
    width: int
    height: int


def share_beside(source: View, target: View, distance: float) -> float:
    """The share of the target's frame that the source's picture does not reach, 0 to 1.

    Args:
        source: the camera that shot the picture.
        target: the camera to see it with.
        distance: metres from the source camera to the plane that the picture stands for; infinite for a backdrop that
            no move of the camera shifts.
    """
    rotation, move = _relative(source, target)
    return _share_beside(source, target, rotation, move, distance)


def blame(source: View, target: View, distance: float) -> str:
    """Which of MOTIONS takes most of the frame off the picture.

    What they do together is parted among them as Shapley (1953) does: each gets what it adds, on average over all
    orders in which they could be done. So a turn that brings back what a move had taken away is not blamed for it.
    """
    rotation, move = _relative(source, target)
    beside = {
        done: _with(done, source, target, rotation, move, distance)
        for count in range(len(MOTIONS) + 1)
        for done in map(frozenset, itertools.combinations(MOTIONS, count))
    }
    return max(MOTIONS, key=lambda motion: _added(motion, beside))


def _added(motion: str, beside: dict[frozenset[str], float]) -> float:
    total = 0.0
    for done, share in beside.items():
        if motion not in done:
            orders = math.factorial(len(done)) * math.factorial(len(MOTIONS) - 1 - len(done))
            total += orders * (beside[done | {motion}] - share)
    return total


def _with(done: frozenset[str], source: View, target: View, rotation: Matrix, move: Matrix, distance: float) -> float:
    """The share beside the picture when only some of the motions are done."""
    if "turns" not in done:
        rotation = np.eye(3)
    move = move * ("moves" in done, "moves" in done, "backs" in done)
    if "widens" not in done:
        target = source
    return _share_beside(source, target, rotation, move, distance)


def _relative(source: View, target: View) -> tuple[Matrix, Matrix]:
    """The target camera's axes (columns) and place, in the source camera's."""
    to_source = source.pose[:3, :3].T
    return to_source @ target.pose[:3, :3], to_source @ (target.pose[:3, 3] - source.pose[:3, 3])


def _share_beside(source: View, target: View, rotation: Matrix, move: Matrix, distance: float) -> float:
    width, height = source.width, source.height
    corners = np.array([(0, 0, 1), (width, 0, 1), (width, height, 1), (0, height, 1)], np.float64)
    rays = corners @ np.linalg.inv(source.lens).T
    seen = (rays - move / distance) @ rotation @ target.lens.T
    return 1.0 - _area_inside(seen, target.width, target.height) / (target.width * target.height)


def _area_inside(corners: Matrix, width: int, height: int) -> float:
    """The area that an outline (n, 3), homogeneous, takes of a picture: cut at its four sides and at the camera."""
    least = _BEHIND * float(np.abs(corners).max())
    outline = _cut(corners, corners @ (0.0, 0.0, 1.0) - least)
    for side in ((1.0, 0.0, 0.0), (-1.0, 0.0, width), (0.0, 1.0, 0.0), (0.0, -1.0, height)):
        outline = _cut(outline, outline @ side)
    if len(outline) < 3:
        return 0.0
    x, y = outline[:, 0] / outline[:, 2], outline[:, 1] / outline[:, 2]
    return min(abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2, float(width * height))


def _cut(outline: Matrix, inside: Matrix) -> Matrix:
    """The part of a convex outline where a linear function of its points, here at its corners, is positive."""
    kept = []
    for here in range(len(outline)):
        there = (here + 1) % len(outline)
        if inside[here] > 0:
            kept.append(outline[here])
        if (inside[here] > 0) != (inside[there] > 0):
            part = inside[here] / (inside[here] - inside[there])
            kept.append(outline[here] + part * (outline[there] - outline[here]))
    return np.array(kept).reshape(-1, 3)
