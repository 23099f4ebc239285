"""What a depth network says of one frame after another, made to agree: without this, takes flicker.

A network tells inverse depth up to a scale and a shift, and these differ from frame to frame. Each frame is brought to
the one before it by the scale and shift that fit best where both show the same thing, as optical flow has it.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_SIDE = 320  # pixels of the longer side that flow is looked for at
_SAME = 1.0  # pixels, at that size, within which flow there and back must meet
_FEWEST = 0.25  # share of a frame that must be found again; less is a cut
_LEAK = 0.02  # of scale and shift that is forgotten a frame, so that errors do not add up
_BLEND = 0.5  # of the frame before, where both agree
_NEAR = 0.06  # of the range of values: what differs by more has changed
_LEAST = 32  # pixels a side: OpenCV's flow reads beyond pictures that are smaller
_FARTHEST = 3.0  # a scale beyond this is no scale of the same shot


class Steady:
    """Brings inverse depth, frame by frame and in order, to the scale and shift of what came before.

    Args:
        metric: whether values are true inverse depth, whose shift is 0.
    """

    def __init__(self, *, metric: bool = False) -> None:
        self._metric = metric
        self._gray: npt.NDArray[np.uint8] | None = None
        self._before: Floats | None = None
        self.cuts = 0
        """How often nothing of a frame was found again in the next."""

    def add(self, gray: npt.NDArray[np.uint8], values: Floats) -> Floats:
        """The next frame's values, brought to those before.

        Args:
            gray: the picture, (h, w), of any size.
            values: (m, n) of the same view, larger where things are nearer.
        """
        gray = _small(gray)
        if self._gray is None or self._before is None or self._gray.shape != gray.shape:
            made = values
        else:
            made = self._brought(self._gray, gray, self._before, values)
        self._gray, self._before = gray, made
        return made

    def _brought(self, earlier: Any, gray: Any, before: Floats, values: Floats) -> Floats:
        warped, same = _carried(earlier, gray, before)
        if same.mean() < _FEWEST:
            self.cuts += 1
            return values
        scale, shift = _fit(values[same], warped[same], self._metric)
        if not 1 / _FARTHEST < scale < _FARTHEST:
            self.cuts += 1
            return values
        scale, shift = scale ** (1 - _LEAK), shift * (1 - _LEAK)
        made = values * np.float32(scale) + np.float32(shift)
        spread = float(np.percentile(made, 98) - np.percentile(made, 2))
        agree = np.exp(-(((warped - made) / max(_NEAR * spread, 1e-9)) ** 2)) * same
        weight = cv2.blur(agree.astype(np.float32), (5, 5)) * _BLEND * agree
        return np.asarray(made + weight * (warped - made), np.float32)


def _small(gray: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    scale = min(1.0, _SIDE / max(gray.shape))
    size = (max(round(gray.shape[1] * scale), _LEAST), max(round(gray.shape[0] * scale), _LEAST))
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA))


def _carried(earlier: Any, gray: Any, before: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """What was told of the frame before, where the things are now; and which of it is the same thing."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    back, forth = search.calc(gray, earlier, None), search.calc(earlier, gray, None)
    rows, columns = np.mgrid[0 : gray.shape[0], 0 : gray.shape[1]].astype(np.float32)
    x, y = columns + back[..., 0], rows + back[..., 1]
    returned = cv2.remap(forth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = (x > -0.5) & (y > -0.5) & (x < gray.shape[1] - 0.5) & (y < gray.shape[0] - 0.5)
    seen = cv2.remap(earlier, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alike = cv2.blur(cv2.absdiff(seen, gray), (5, 5)) < 24
    same = inside & alike & (np.hypot(*np.moveaxis(back + returned, -1, 0)) < _SAME)
    size = (before.shape[1], before.shape[0])
    ratio = size[0] / gray.shape[1], size[1] / gray.shape[0]
    x = (cv2.resize(x, size) + 0.5) * ratio[0] - 0.5
    y = (cv2.resize(y, size) + 0.5) * ratio[1] - 0.5
    warped = cv2.remap(before, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return warped, cv2.resize(same.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0


def _fit(values: Any, wanted: Any, metric: bool) -> tuple[float, float]:
    """Scale and shift from values to those wanted, alike in both directions, as regression would shrink the range."""
    step = max(values.size // 20000, 1)
    values, wanted = values[::step].astype(np.float64), wanted[::step].astype(np.float64)
    keep = np.ones(values.size, bool)
    scale, shift = 1.0, 0.0
    for _ in range(4):
        v, w = values[keep], wanted[keep]
        if metric:
            scale = float(np.median(w)) / max(float(np.median(v)), 1e-9)
        else:
            middle, wanted_middle = float(np.median(v)), float(np.median(w))
            spread, wanted_spread = float(np.abs(v - middle).mean()), float(np.abs(w - wanted_middle).mean())
            # Where all is equally far, no scale can be told.
            scale = wanted_spread / spread if spread > 1e-6 * (abs(middle) + 1e-9) else 1.0
            shift = wanted_middle - scale * middle
        error = np.abs(scale * values + shift - wanted)
        keep = error <= 2.5 * max(float(np.median(error)), 1e-12)
    return scale, shift
