"""Closer: in on a region of the footage, by moving the camera or by its lens (the paper's super-resolution)."""

from __future__ import annotations

import numpy as np

from ...contract import Trajectory
from ...use import Use
from ..poses import Array
from ..trajectory import arrays, from_arrays, resized
from .easing import progress
from .views import Size, covering, scaled


def target(use: Use, source: Trajectory, footage: Size, output: Size, distance: float) -> Trajectory:
    """From the footage's view to the region, eased; the last ``use.hold`` frames, and at least one, are at the region.

    By ``zoom`` the pose stays the source's and the lens grows longer and shifts: a crop, exactly. By ``dolly`` the
    lens stays and the camera moves, straight and without a turn, until a plane at ``distance`` fills the frame with
    the same region. Either way the picture grows by equal factors in equal times, but for the ease.
    """
    poses, lenses = arrays(resized(source, *footage))
    start, end = scales(use, footage, output)
    share = progress(len(poses), use.hold, use.lead, use.tail)
    scale = start * (end / start) ** share
    # Straight towards the region: the middle goes along with the inverse of the scale.
    gone = (1 / start - 1 / scale) / (1 / start - 1 / end) if end > start else share
    first, last = np.array(footage) / 2, _middle(use, footage, output, end)
    middle = first + gone[:, None] * (last - first)
    if use.way == "zoom":
        return from_arrays(poses, scaled(lenses, scale, middle, output), *output)
    moved = poses @ _towards(middle, first, scale / start, lenses, distance)
    return from_arrays(moved, scaled(lenses, start, first, output), *output)


def scales(use: Use, footage: Size, output: Size) -> tuple[float, float]:
    """Output pixels per footage pixel, at the footage's view and at the region.

    All of the region is shown in the end, unless a frame of another shape would then show more than was filmed.
    """
    start = covering(footage, output)
    region = use.region
    end = min(output[0] / (region.width * footage[0]), output[1] / (region.height * footage[1]))
    return start, max(start, end)


def _middle(use: Use, footage: Size, output: Size, scale: float) -> Array:
    """The middle of the region, moved so far that the frame around it shows nothing beyond the footage."""
    region, size = use.region, np.array(footage, np.float64)
    middle = size * (region.x + region.width / 2, region.y + region.height / 2)
    half = np.minimum(np.array(output) / scale / 2, size / 2)
    return np.clip(middle, half, size - half)


def _towards(middle: Array, first: Array, growth: Array, lenses: Array, distance: float) -> Array:
    """Moves (n, 4, 4) in the source camera's axes, without a turn.

    After them what the source sees at ``middle`` (n, 2) of the footage, on the plane, is seen at ``first`` (2,), and
    ``growth`` (n,) times as large.
    """
    moves = np.tile(np.eye(4), (len(growth), 1, 1))
    moves[:, 2, 3] = distance * (1 - 1 / growth)
    aside = (middle - lenses[:, 2:]) - (first - lenses[:, 2:]) / growth[:, None]
    moves[:, :2, 3] = distance * aside / lenses[:, :2]
    return moves
