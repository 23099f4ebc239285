"""Frames at instants between two frames, from the motion that optical flow sees.

The way of the algorithm by which optical flow is judged in Baker et al., "A Database and Evaluation Methodology for
Optical Flow", IJCV 92 (2011): motion is carried to the instant, the tracks that agree best with both frames win, and
along the track through each pixel both frames are looked up. Three things are other here: the tracks are those of flow
in both directions, as what one frame hides the other may show; a track is also judged by whether it leads there and
back; and where none is to be believed, or across a cut, the nearer frame is shown as it is, for a fade between
different things would show each of them as a ghost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[Any]
"""(h, w, 3) RGB: uint8, uint16, or float32 from 0 to 1."""

Floats = npt.NDArray[np.float32]

_SLACK = 1.0  # pixels that the ways there and back may differ by, and for each pixel of motion
_SLACK_PER_PIXEL = 0.1  # that many more
_DOUBT = (25.0, 50.0)  # what a track costs that is still believed, and what one costs that is not at all
_AROUND = 4.0  # pixels around a place whose tracks are asked whether they are to be believed
_CUT_CONSISTENT = 0.5  # share of tracks that lead there and back, below which two frames do not belong together
_CUT_DIFFERENCE = 0.15  # of white, mean over the frame along its tracks, above which they do not either
_COST_PER_PIXEL = 2.0  # levels of 255 that a track's disagreement of one pixel counts as
_SMALLEST = 16  # pixels along a side, below which OpenCV has no room for its patches: some sizes end the process


def frames_at(frame: Callable[[int], Image], places: Iterable[float]) -> Iterator[Image]:
    """The frames at any places, whole ones untouched.

    Args:
        frame: gives the frame at a whole place; asked once for each that is needed, if the places rise.
        places: in frames from 0; best rising.
    """
    kept: dict[int, Image] = {}
    between, start = None, -1
    for place in places:
        first = math.floor(place)
        needed = (first,) if place == first else (first, first + 1)
        kept = {each: kept[each] if each in kept else frame(each) for each in needed}
        if place == first:
            yield kept[first]
            continue
        if between is None or start != first:
            between, start = Between(kept[first], kept[first + 1]), first
        yield between.at(place - first)


class Between:
    """What lies between two frames of one size and type."""

    def __init__(self, before: Image, after: Image) -> None:
        self._before, self._after = before, after
        told = min(before.shape[:2]) >= _SMALLEST and not np.array_equal(before, after)
        self._tracks = _Tracks(_unit(before), _unit(after)) if told else None

    def at(self, share: float) -> Image:
        """The frame at a share of the time between them, 0 to 1: one of theirs, or a new one of the same type."""
        nearer = self._before if share <= 0.5 else self._after
        if self._tracks is None or self._tracks.cut or share in (0, 1):
            return nearer
        seen = np.clip(self._tracks.at(share), 0, 1)
        if nearer.dtype.kind == "f":
            return seen.astype(nearer.dtype)
        return np.rint(seen * np.iinfo(nearer.dtype).max).astype(nearer.dtype)


class _Tracks:
    """Straight tracks through two frames, float32 (h, w, 3) from 0 to 1.

    Attributes:
        cut: whether the frames do not belong together.
    """

    def __init__(self, before: Floats, after: Floats) -> None:
        self._before, self._after = before, after
        height, width = before.shape[:2]
        self._grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
        greys = [cv2.cvtColor(np.rint(each * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY) for each in (before, after)]
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        # Motion from before to after, as each frame sees it.
        self._ahead: Floats = flow.calc(greys[0], greys[1], None)
        self._back: Floats = -flow.calc(greys[1], greys[0], None)
        smooth = [cv2.GaussianBlur(each, (0, 0), 1).astype(np.float32) for each in greys]
        costs = (
            self._judge(self._ahead, self._back, 1, smooth[0], smooth[1]),
            self._judge(self._back, self._ahead, -1, smooth[1], smooth[0]),
        )
        self.cut = min(each[1] for each in costs) < _CUT_CONSISTENT or max(each[2] for each in costs) > _CUT_DIFFERENCE
        self._motions = np.concatenate([self._ahead.reshape(-1, 2), self._back.reshape(-1, 2)])
        cost = np.clip(np.concatenate([each[0].ravel() for each in costs]), 0, 254).astype(np.int64)
        # The best track through a place is the largest of these; its number is in the low bits.
        self._ranks = (255 - cost) << 32 | np.arange(len(cost))

    def at(self, share: float) -> Floats:
        motion, trust = self._motion(share)
        where = self._grid - share * motion, self._grid + (1 - share) * motion
        before, after = (1 - share) * self._inside(where[0]), share * self._inside(where[1])
        weight = (after / np.maximum(before + after, 1e-6))[..., None]
        seen = _look(self._before, where[0], cv2.INTER_CUBIC) * (1 - weight)
        seen += _look(self._after, where[1], cv2.INTER_CUBIC) * weight
        trust = trust[..., None]
        return seen * trust + (self._before if share <= 0.5 else self._after) * (1 - trust)

    def _judge(self, own: Floats, other: Floats, sign: int, grey: Floats, there: Floats) -> tuple[Floats, float, float]:
        """Of one frame's tracks: each one's cost in levels of grey, how many hold, how far the frames differ."""
        where = self._grid + sign * own
        apart = _length(own - _look(other, where))
        difference = np.abs(grey - _look(there, where))
        cost = difference + _COST_PER_PIXEL * np.minimum(apart, 16)
        return cost, float((apart < _SLACK + _SLACK_PER_PIXEL * _length(own)).mean()), float(difference.mean()) / 255

    def _motion(self, share: float) -> tuple[Floats, Floats]:
        """The motion (h, w, 2) of what is at each pixel at the instant, and how far to believe it (h, w), 0 to 1."""
        height, width = self._grid.shape[:2]
        start = self._grid.reshape(-1, 2)
        half = len(start)
        x, y = np.concatenate([start + share * self._motions[:half], start - (1 - share) * self._motions[half:]]).T
        best = np.full(height * width, -1, np.int64)
        left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        for row in (top, top + 1):
            for column in (left, left + 1):
                within = (row >= 0) & (row < height) & (column >= 0) & (column < width)
                np.maximum.at(best, (row * width + column)[within], self._ranks[within])
        known = (best >= 0).astype(np.float32).reshape(height, width)
        best = np.maximum(best, 0)
        motion = self._motions[best & 0xFFFFFFFF]
        motion = _filled(motion.reshape(height, width, 2), known)
        # Where tracks of two things cross, which one wins is a toss-up from pixel to pixel.
        motion = np.stack([cv2.medianBlur(np.ascontiguousarray(motion[..., axis]), 5) for axis in (0, 1)], axis=-1)
        cost = (255 - (best >> 32)).astype(np.float32).reshape(height, width) * known
        low, high = _DOUBT
        return motion, 1 - np.clip((cv2.GaussianBlur(cost, (0, 0), _AROUND) - low) / (high - low), 0, 1)

    def _inside(self, where: Floats) -> Floats:
        """1 where a place is within the frame, falling to 0 a pixel outside."""
        height, width = self._grid.shape[:2]
        x, y = where[..., 0], where[..., 1]
        outside = np.maximum.reduce([-x, x - (width - 1), -y, y - (height - 1), np.zeros_like(x)])
        return np.maximum(1 - outside, 0)


def _filled(motion: Floats, known: Floats) -> Floats:
    """The motion where it is known, elsewhere the mean of what is known around, and none where nothing is."""
    motion, known, size = motion * known[..., None], known.copy(), 3
    while not known.all() and size < 4 * max(known.shape):
        share, mean = cv2.blur(known, (size, size)), cv2.blur(motion, (size, size))
        new = (known == 0) & (share > 1e-6)
        motion[new] = mean[new] / share[new][:, None]
        known[new] = 1
        size = 2 * size + 1
    return motion


def _look(picture: Floats, where: Floats, way: int = cv2.INTER_LINEAR) -> Floats:
    looked: Floats = cv2.remap(picture, where[..., 0], where[..., 1], way, borderMode=cv2.BORDER_REPLICATE)
    return looked


def _length(vectors: Floats) -> Floats:
    return np.hypot(vectors[..., 0], vectors[..., 1])


def _unit(image: Image) -> Floats:
    white = 1 if image.dtype.kind == "f" else np.iinfo(image.dtype).max
    return np.clip(image.astype(np.float32) / white, 0, 1)
