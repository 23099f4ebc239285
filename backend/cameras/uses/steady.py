"""Stabilise and lock: the source camera's own path, smoothed or held."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...contract import Trajectory
from ...use import Use
from ..poses import Array
from ..trajectory import arrays, from_arrays, resized
from .smoothing import smooth, smooth_columns
from .views import Size, covering, scaled, share_filmed

KEPT = 0.85
"""How much of what the source camera fills of a frame stays filled in a stabilised take, at the least."""

_ROUNDS, _HARDER = 14, 4.0  # times that the path is held harder where it leaves too much of the frame, and how much


def smoothed(
    use: Use,
    source: Trajectory,
    target: Trajectory,
    stated: Trajectory | None,
    footage: Size,
    output: Size,
    distance: float,
    rate: float,
) -> Trajectory:
    """The source's path without its shake, held nearer to it where else too little of a frame would have been filmed.

    See :func:`backend.cameras.uses.target_for`.
    """
    poses, lenses = arrays(resized(source, *footage))
    lens = smooth_columns(_lenses(source, target, stated, footage, output), rate=rate, strength=use.strength)
    least = KEPT * share_filmed(poses, lenses, poses, lens, footage, output, distance)
    held = np.ones(len(poses))
    path = smooth(poses, rate=rate, strength=use.strength)
    for _ in range(_ROUNDS):
        short = share_filmed(poses, lenses, path, lens, footage, output, distance) < least
        if not short.any():
            break
        held *= _HARDER ** _spread(short, use.strength * rate / 2)
        path = smooth(poses, rate=rate, strength=use.strength, held=held)
    return from_arrays(path, lens, *output)


def locked(
    use: Use, source: Trajectory, target: Trajectory, stated: Trajectory | None, footage: Size, output: Size
) -> Trajectory:
    """The source camera held where it is in frame ``use.at``, with the lens that it has there."""
    poses, _ = arrays(source)
    lenses = _lenses(source, target, stated, footage, output)
    return from_arrays(np.tile(poses[use.at], (len(poses), 1, 1)), lenses[use.at], *output)


def _lenses(source: Trajectory, target: Trajectory, stated: Trajectory | None, footage: Size, output: Size) -> Array:
    """Lenses (n, 4) of the take: the source's, but longer or wider as the target's is than what the job states."""
    _, lenses = arrays(resized(source, *footage))
    if stated is None:
        middle = np.tile(np.array(footage) / 2, (len(lenses), 1))
        return scaled(lenses, covering(footage, output), middle, output)
    (_, asked), (_, said), (_, own) = (arrays(resized(each, *output)) for each in (target, stated, source))
    own = own.copy()
    own[:, :2] *= asked[:, :2] / said[:, :2]
    own[:, 2:] += asked[:, 2:] - said[:, 2:]
    return own


def _spread(marks: npt.NDArray[np.bool_], width: float) -> Array:
    """Marks (n,) with slopes of ``width`` frames beside them, 0 to 1."""
    at = np.arange(len(marks))
    away = np.abs(at[:, None] - at[marks][None]).min(axis=1)
    return np.exp(-((away / max(width, 1.0)) ** 2))
