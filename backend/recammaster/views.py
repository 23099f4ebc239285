"""What each frame of the take shows of the frame that the network draws.

The network is told of no lens and keeps the footage's. A take's own lens, size and shape are therefore a window in the
network's frame: two pinholes that stand and look alike differ by one scale and one shift along each axis. Within what
the network drew the window is exact; where it reaches outside, it is made smaller and moved until it does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from ..cameras import framing
from ..cameras.framing import View
from ..engines import Image, Shot
from .fitting import Fit, Floats, framed, resample

__all__ = ["View", "draw", "find_views"]


def find_views(shot: Shot, fitted: Fit) -> list[View]:
    """The view of each frame of the take: see :func:`backend.cameras.framing.find_views`."""
    return framing.find_views(framed(shot, fitted.footage), fitted)


def draw(frame: Floats, view: View, width: int, height: int, dtype: npt.DTypeLike, channels: int) -> Image:
    """A frame of the take: (height, width, channels) of ``dtype``, a fourth channel opaque.

    The network's frame (h, w, 3) from 0 to 1 is resampled once, with Lanczos' filter of three lobes, antialiased where
    it is made smaller; a window of the take's own size at whole pixels is copied. Ringing is cut off at black and
    white.
    """
    white = np.iinfo(np.dtype(dtype)).max
    seen = resample(frame, width, height, view.window, Pillow.Resampling.LANCZOS)
    image: npt.NDArray[Any] = np.full((height, width, channels), white, dtype)
    image[..., :3] = np.rint(np.clip(seen, 0, 1) * np.float32(white))
    return image
