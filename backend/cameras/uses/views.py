"""What of the source camera's view a frame of another size shows, and how much of a take was filmed."""

from __future__ import annotations

import numpy as np

from ...contract import Trajectory
from ..poses import Array, inverse
from ..trajectory import arrays, resized

Size = tuple[int, int]

_ACROSS, _DOWN = 64, 36  # places in a frame at which it is asked whether they were filmed


def scaled(lenses: Array, scale: Array | float, middle: Array, output: Size) -> Array:
    """Lenses (n, 4) of the footage, for a frame that shows it ``scale`` times as large around ``middle`` (n, 2).

    Args:
        lenses: pixels of the footage.
        scale: output pixels per footage pixel, (n,) or one.
        middle: the place in the footage, pixels, that the middle of the output shows.
        output: width and height.
    """
    factor = np.broadcast_to(np.asarray(scale, np.float64), len(lenses))[:, None]
    centre = np.array(output) / 2 + (lenses[:, 2:] - middle) * factor
    return np.concatenate([lenses[:, :2] * factor, centre], axis=1)


def covering(footage: Size, output: Size) -> float:
    """Output pixels per footage pixel at which the footage just fills the frame, without being squeezed."""
    return max(output[0] / footage[0], output[1] / footage[1])


def filmed(source: Trajectory, target: Trajectory, *, footage: Size, output: Size, distance: float) -> Array:
    """How much of each frame (n,) of a take the source camera filmed at that instant, from 0 to 1.

    What was filmed is taken to lie on a plane ``distance`` metres before the source camera.
    """
    poses, lenses = arrays(resized(source, *footage))
    views, view_lenses = arrays(resized(target, *output))
    return share_filmed(poses, lenses, views, view_lenses, footage, output, distance)


def share_filmed(
    poses: Array, lenses: Array, views: Array, view_lenses: Array, footage: Size, output: Size, distance: float
) -> Array:
    """As :func:`filmed`, of poses (n, 4, 4) and lenses (n, 4)."""
    x, y = np.meshgrid((np.arange(_ACROSS) + 0.5) / _ACROSS * output[0], (np.arange(_DOWN) + 0.5) / _DOWN * output[1])
    places = np.stack([x.ravel(), y.ravel()])
    shares = np.empty(len(poses))
    to_source = inverse(poses) @ views
    for index, (across, lens, view) in enumerate(zip(to_source, lenses, view_lenses, strict=True)):
        rays = np.concatenate([(places - view[2:, None]) / view[:2, None], np.ones((1, places.shape[1]))])
        rays, eye = across[:3, :3] @ rays, across[:3, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = (distance - eye[2]) / rays[2]
            seen = lens[:2, None] * (eye[:2, None] + reach * rays[:2]) / distance + lens[2:, None]
        inside = (reach > 0) & (seen >= 0).all(axis=0) & (seen[0] <= footage[0]) & (seen[1] <= footage[1])
        shares[index] = inside.mean()
    return shares
