"""Dense optical flow between two frames, there and back, and where the two agree."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_SLACK = 0.7  # pixels that the ways there and back may differ by, and for each pixel of motion
_SLACK_PER_PIXEL = 0.03  # that many more


class Flow(NamedTuple):
    """Motion from one frame to another, as each of them sees it.

    Attributes:
        there: (h, w, 2) pixels that what is at a pixel of the first frame moves by.
        back: (h, w, 2) the same for the second frame, on the way to the first.
    """

    there: Floats
    back: Floats

    @property
    def reversed(self) -> Flow:
        """The same motion, from the second frame to the first."""
        return Flow(self.back, self.there)

    def apart(self) -> Floats:
        """(h, w) how far from where it started the way there and back ends, pixels."""
        gap = self.there + look(self.back, places(self.there))
        return np.hypot(gap[..., 0], gap[..., 1])

    def agrees(self) -> npt.NDArray[np.bool_]:
        """(h, w) whether a pixel's way leads there and back: what one frame hides, or what has no texture, does not."""
        height, width = self.there.shape[:2]
        length = np.hypot(self.there[..., 0], self.there[..., 1])
        where = places(self.there)
        inside = (where[..., 0] >= 0) & (where[..., 0] <= width - 1)
        inside &= (where[..., 1] >= 0) & (where[..., 1] <= height - 1)
        return inside & (self.apart() < _SLACK + _SLACK_PER_PIXEL * length)


class FlowFinder:
    """Finds flow; holds the buffers that OpenCV needs for it."""

    def __init__(self) -> None:
        self._finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def between(self, one: Grey, other: Grey) -> Flow:
        """The flow between two grey frames of one size, (h, w) uint8."""
        return Flow(self._find(one, other), self._find(other, one))

    def _find(self, one: Grey, other: Grey) -> Floats:
        if min(one.shape) < 24:  # OpenCV wants room for its patches
            return np.zeros((*one.shape, 2), np.float32)
        found: Floats = self._finder.calc(one, other, None)
        return found


def places(motion: Floats) -> Floats:
    """(h, w, 2) where each pixel goes, counted from the pixels' centres: x, y."""
    where = motion.copy()
    where[..., 0] += np.arange(motion.shape[1], dtype=np.float32)
    where[..., 1] += np.arange(motion.shape[0], dtype=np.float32)[:, None]
    return where


def look(picture: npt.NDArray[Any], where: Floats) -> Floats:
    """What a picture shows at places that :func:`places` gave; at its rim, what is there."""
    looked: Floats = cv2.remap(
        picture, np.ascontiguousarray(where[..., 0]), np.ascontiguousarray(where[..., 1]), cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return looked


def grey(image: npt.NDArray[Any]) -> Grey:
    """RGB or RGBA, uint8 or uint16, as grey uint8."""
    return np.asarray(cv2.cvtColor(eight_bits(image), cv2.COLOR_RGB2GRAY), np.uint8)


def eight_bits(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """RGB, uint8, of RGB or RGBA, uint8 or uint16."""
    image = image[..., :3]
    if image.dtype != np.uint8:
        image = image >> 8
    return np.ascontiguousarray(image, np.uint8)
