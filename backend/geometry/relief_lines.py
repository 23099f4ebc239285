"""What straight lines in a picture tell: how the camera is tilted, what stands upright, and what lies on the ground.

Upright lines lean outwards when the camera looks up and inwards when it looks down; lines on the ground run towards a
point on the horizon. One tilt must explain both.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

_TILTS = np.arange(-14, 12.1, 0.5)  # degrees up
_ROLLS = np.arange(-0.04, 0.041, 0.01)
_USUAL = 22.0  # degrees: most cameras are tilted by less
_STEEP = 0.3  # of upright lines, the most that x changes with y
_LEAN = 0.012  # how exactly upright lines lean as the tilt has it
_UPRIGHT = 0.05  # how far a line may lean otherwise and still be upright
_AIM, _AIMED = 0.04, 0.06  # sines: how exactly lines run towards a point
_SHORT, _SHORTEST = 0.05, 0.03  # shares of the height: lines that are looked at


class Lines(NamedTuple):
    """What was found.

    Attributes:
        horizon: its row, pixels; it may be outside the picture.
        upright: (n, 4), lines (x, y, x, y) that stand.
        receding: (m, 4), lines below the horizon that run towards a point on it.
    """

    horizon: float
    upright: npt.NDArray[np.float64]
    receding: npt.NDArray[np.float64]


def find(picture: npt.NDArray[np.uint8], focal: float, centre: tuple[float, float]) -> Lines:
    """Find lines and horizon.

    Args:
        picture: (h, w, 3) RGB.
        focal: of the lens, pixels of the picture.
        centre: of the lens, x and y.
    """
    height, width = picture.shape[:2]
    ends = cv2.createLineSegmentDetector().detect(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))[0]
    ends = np.zeros((0, 4)) if ends is None else ends.reshape(-1, 4).astype(np.float64)
    lines = _Segments(ends, centre)
    tilt, roll = _tilt(lines, focal, height, width)
    rise = focal * np.tan(np.radians(tilt))
    leaning = _leaning(lines, tilt, focal) + roll
    fits = np.abs(lines.slope - leaning) < _UPRIGHT
    upright = fits & (np.abs(lines.slope) < _STEEP + _UPRIGHT) & (lines.long > _SHORTEST * height)
    slanted = (np.abs(lines.dy) > 0.08 * lines.long) & ~upright & (lines.long > _SHORT * height) & (lines.y > rise)
    through = _aimed(lines, _vanishing(lines, slanted, rise, width), rise) < _AIMED
    below = lines.y > rise + 0.04 * height
    receding = through & below & ~upright & (np.abs(lines.dy) > 0.05 * lines.long)
    # Right below the vanishing point, what stands and what recedes look alike.
    upright &= ~(through & below)
    return Lines(centre[1] + float(rise), ends[upright], ends[receding])


class _Segments:
    """Lines as numbers, measured from the lens's centre."""

    def __init__(self, ends: Any, centre: tuple[float, float]) -> None:
        self.dx, self.dy = ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1]
        self.long = np.hypot(self.dx, self.dy) + 1e-6
        self.x, self.y = (ends[:, 0] + ends[:, 2]) / 2 - centre[0], (ends[:, 1] + ends[:, 3]) / 2 - centre[1]
        steep = np.where(np.abs(self.dy) > 1e-6, self.dy, 1e-6)
        self.slope = np.clip(self.dx / steep, -99, 99)


def _leaning(lines: _Segments, tilt: Any, focal: float, of: Any = slice(None)) -> Any:
    """How much x changes with y on upright lines under a tilt."""
    lean = np.tan(np.radians(tilt)) / focal
    return lean * lines.x[of] / np.maximum(1 + lean * lines.y[of], 0.2)


def _tilt(lines: _Segments, focal: float, height: int, width: int) -> tuple[float, float]:
    """The tilt in degrees and the roll, as a slope, that explain most of the lines' length."""
    steep = (np.abs(lines.slope) < _STEEP) & (lines.long > _SHORT * height)
    other = (np.abs(lines.dy) > 0.08 * lines.long) & (lines.long > _SHORT * height)
    other &= ~(steep & (np.abs(lines.slope) < 0.12))
    best, found = -1.0, (0.0, 0.0)
    for tilt in _TILTS:
        off = lines.slope[steep] - _leaning(lines, tilt, focal, steep)
        explained = np.exp(-(((off[None] - _ROLLS[:, None]) / _LEAN) ** 2)) @ lines.long[steep]
        rise = focal * np.tan(np.radians(tilt))
        score = (explained.max() + _towards(lines, other, rise, width).max()) * np.exp(-((tilt / _USUAL) ** 2) / 2)
        if score > best:
            best, found = float(score), (float(tilt), float(_ROLLS[int(np.argmax(explained))]))
    return found


def _towards(lines: _Segments, which: Any, rise: float, width: int) -> Any:
    """For places along the horizon, the length of the lines below it that run there."""
    which = which & (lines.y > rise)
    places = _places(width)
    off = _aimed(lines, places[:, None], rise, which)
    return np.exp(-((off / _AIM) ** 2)) @ lines.long[which]


def _vanishing(lines: _Segments, which: Any, rise: float, width: int) -> float:
    return float(_places(width)[int(np.argmax(_towards(lines, which, rise, width)))])


def _places(width: int) -> Any:
    return np.arange(-1.0 * width, 1.0 * width, 6.0)


def _aimed(lines: _Segments, place: Any, rise: float, of: Any = slice(None)) -> Any:
    """The sine of the angle by which lines miss a place on the horizon."""
    across, down = place - lines.x[of], rise - lines.y[of]
    off = np.abs(across * lines.dy[of] - down * lines.dx[of])
    return off / ((np.hypot(across, down) + 1e-6) * lines.long[of])
