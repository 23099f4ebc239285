"""Outpaint: more than was filmed, by a camera that pulls back or by a wider frame."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...contract import Trajectory
from ...use import Use
from ..poses import Array
from ..trajectory import arrays, from_arrays, resized
from .easing import progress
from .views import Size, covering, scaled

_WHOLE = 2.0  # pixels of the footage's sides by which a scale may miss 1 and is yet meant to be 1


class Inside(NamedTuple):
    """Where in the take the footage lies, whole pixels."""

    left: int
    top: int
    width: int
    height: int


def target(use: Use, source: Trajectory, footage: Size, output: Size, distance: float) -> Trajectory:
    """By ``frame``, the source's poses with a wider lens, so that the footage lies at whole pixels in the middle.

    By ``pull``, the source's lens, from its own view back until a plane at ``distance`` is seen ``use.factor`` times
    as wide: eased, and there in the last frame.
    """
    poses, lenses = arrays(resized(source, *footage))
    if use.way == "frame":
        return from_arrays(poses, _around(lenses, inside(use, footage, output), footage), *output)
    back = np.tile(np.eye(4), (len(poses), 1, 1))
    back[:, 2, 3] = -distance * (use.factor ** progress(len(poses), 0, use.lead, use.tail) - 1)
    middle = np.array(footage) / 2
    # The footage's middle stays where it is also where the lens is shifted.
    back[:, :2, 3] = (middle - lenses[:, 2:]) / lenses[:, :2] * back[:, 2:3, 3]
    return from_arrays(poses @ back, scaled(lenses, covering(footage, output), middle, output), *output)


def inside(use: Use, footage: Size, output: Size) -> Inside:
    """Where the footage lies in a wider frame: ``use.factor`` times smaller than the frame is wide, and never cut.

    A frame that is larger than the footage by that factor shows the footage pixel for pixel; any other shows it
    scaled to whole pixels, by which its shape may change by less than one.
    """
    scale = min(output[0] / (use.factor * footage[0]), output[1] / footage[1])
    if abs(scale - 1) * max(footage) < _WHOLE and footage[0] <= output[0] and footage[1] <= output[1]:
        scale = 1.0
    width, height = (max(1, round(scale * side)) for side in footage)
    return Inside((output[0] - width) // 2, (output[1] - height) // 2, width, height)


def _around(lenses: Array, where: Inside, footage: Size) -> Array:
    scale = np.array([where.width / footage[0], where.height / footage[1]])
    wider = lenses * np.tile(scale, 2)
    wider[:, 2:] += (where.left, where.top)
    return wider
