"""What is looked at small: sizes, and depth of fewer pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_LEAST = 64
_MOST = 480


def small_size(width: int, height: int, times: int) -> tuple[int, int]:
    """A size so many times smaller along each side, in pixels: at most 480, and at least 64 where it has them."""
    times_smaller = max(times, max(width, height) / _MOST)
    across, down = (min(side, max(_LEAST, round(side / times_smaller))) for side in (width, height))
    return across, down


def shrunk_depth(depth: Floats, width: int, height: int) -> Floats:
    """Depth at the middles of fewer, larger pixels.

    A pixel's own, and not the mean around it, which would be of a surface that is not there; nor the nearest, which
    would make what is near broader than it is.
    """
    rows = (2 * np.arange(height) + 1) * depth.shape[0] // (2 * height)
    columns = (2 * np.arange(width) + 1) * depth.shape[1] // (2 * width)
    return np.ascontiguousarray(depth[np.ix_(rows, columns)])
