"""What each frame of the take shows of the frame that the network draws.

The network is told of no lens and keeps the footage's. A take's own lens, size and shape are therefore a window in the
network's frame: two pinholes that stand and look alike differ by one scale and one shift along each axis. Within what
the network drew the window is exact; where it reaches outside, it is made smaller and moved until it does not.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from ..cameras.trajectory import resized
from ..contract import Intrinsics
from ..engines import Image, Shot
from .fitting import Box, Fit, Floats, resample

_DIGITS = 6  # of a pixel's fraction: what is less is no window's edge, but rounding


class View(NamedTuple):
    """A window in the network's frame.

    Attributes:
        window: its edges.
        kept: the share, along each side, of the view asked for that it shows; 1 where it is the one asked for.
        moved: how far its middle is from that of the view asked for, as a share of the network's width.
    """

    window: Box
    kept: float
    moved: float


def find_views(shot: Shot, fitted: Fit) -> list[View]:
    """The view of each frame of the take.

    The network's frame has the lens that the footage had at the same instant, so that footage that zooms is taken to
    zoom in the take as well.
    """
    target = resized(shot.target, shot.width, shot.height)
    source = resized(shot.source, *fitted.footage)
    return [
        _within(_asked(lens, fitted.lens(own), shot.width, shot.height), fitted)
        for lens, own in zip(target.intrinsics, source.intrinsics, strict=True)
    ]


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


def _asked(lens: Intrinsics, own: Intrinsics, width: int, height: int) -> Box:
    """The window that a frame of this size and lens is, in a frame whose lens is ``own``."""
    x, y = own.fx / lens.fx, own.fy / lens.fy
    left, top = own.cx - x * lens.cx, own.cy - y * lens.cy
    return left, top, left + x * width, top + y * height


def _within(asked: Box, fitted: Fit) -> View:
    """The view asked for, made smaller about its middle and moved, as far as must be, to lie in what was drawn."""
    left, top, right, bottom = fitted.covered
    width, height = asked[2] - asked[0], asked[3] - asked[1]
    kept = min(1.0, (right - left) / width, (bottom - top) / height)
    width, height = min(kept * width, right - left), min(kept * height, bottom - top)
    middle = (asked[0] + asked[2]) / 2, (asked[1] + asked[3]) / 2
    x = min(max(middle[0], left + width / 2), right - width / 2)
    y = min(max(middle[1], top + height / 2), bottom - height / 2)
    window = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    moved = float(np.hypot(x - middle[0], y - middle[1])) / fitted.width
    return View(tuple(round(each, _DIGITS) for each in window), kept, moved)  # type: ignore[arg-type]
