"""What is looked at small: sizes, and depth of fewer pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_QUARTER = 4
_LEAST = 64


def quarter(side: int) -> int:
    """About a quarter of a side of a take, in pixels: 64 at the least, where it has as many."""
    return min(side, max(_LEAST, round(side / _QUARTER)))


def shrunk_depth(depth: Floats, width: int, height: int) -> Floats:
    """Depth at the middles of fewer, larger pixels.

    A pixel's own, and not the mean around it, which would be of a surface that is not there; nor the nearest, which
    would make what is near broader than it is.
    """
    rows = (2 * np.arange(height) + 1) * depth.shape[0] // (2 * height)
    columns = (2 * np.arange(width) + 1) * depth.shape[1] // (2 * width)
    return np.ascontiguousarray(depth[np.ix_(rows, columns)])
