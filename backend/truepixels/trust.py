"""Where, in the target's view, what was filmed is trusted to be in its place."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..engines import ConfidenceSource, DepthSource, Frame, Image, Report, Shot
from ..reproject import Reproject
from ..reproject.views import between, cameras

Mask = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_TRUSTED = 0.5  # confidence above which depth is taken to be right
_RIM = 2  # pixels beside a hole in which a step in depth may have been placed wrong
_SLIVER = 3  # pixels: holes narrower than this are closed by what is around them
_SPECKS = 5  # pixels across which confidence must hold
_PARALLAX = (
    0.5,
    2.0,
)  # pixels between a plane and the horizon: below, a plane is as good as any depth; above, it is not
_SMALLEST = 64  # pixels along a side from which confidence is drawn at half the size


class Trust:
    """Draws confidence as the footage is drawn, in step with it.

    Args:
        shot: what is made.
        report: raises where the take is no longer wanted.
        exact: trust all that is wholly filmed, up to its rim.
    """

    def __init__(self, shot: Shot, report: Report, *, exact: bool) -> None:
        self._exact = exact
        self._size = shot.width, shot.height
        self._drawn = None if shot.confidence is None or shot.depth is None else _drawn_confidence(shot)

    def of(self, frame: Frame) -> Mask:
        """Of the next frame, as it was drawn: 1 where its pixels are trusted, uint8 (h, w)."""
        filmed = (frame.invented == 0).astype(np.uint8)
        if not self._exact:
            filmed = _without_rims(filmed)
        if self._drawn is not None:
            filmed &= self._confident(next(self._drawn))
        return filmed

    def close(self) -> None:
        """Let go of what draws confidence."""
        if self._drawn is not None:
            self._drawn.close()

    def _confident(self, drawn: Frame) -> Mask:
        confidence = cv2.resize(drawn.image[..., 0], self._size, interpolation=cv2.INTER_LINEAR)
        good = (confidence > 255 * _TRUSTED).astype(np.uint8)
        kernel = np.ones((_SPECKS, _SPECKS), np.uint8)
        closed = cv2.morphologyEx(good, cv2.MORPH_CLOSE, kernel, borderType=cv2.BORDER_REPLICATE)
        opened: Mask = cv2.morphologyEx(closed, cv2.MORPH_OPEN, kernel, borderType=cv2.BORDER_REPLICATE)
        return opened


def plane_trust(shot: Shot) -> Floats:
    """How far to trust that a plane stands for the scene, for each frame: 1 where the camera only turns or zooms.

    Where the target camera leaves the source camera's place it falls to nothing over a move that shifts things by a
    pixel or two, so that what was filmed is faded out.
    """
    source = cameras(shot.source, shot.footage.width, shot.footage.height)
    target = cameras(shot.target, shot.width, shot.height)
    low, high = _PARALLAX
    apart = [
        between(source, index, target, index).parallax(source.width, source.height, 1 / shot.subject_distance)
        for index in range(shot.length)
    ]
    share = np.clip((np.array(apart) - low) / (high - low), 0, 1)
    return (1 - share * share * (3 - 2 * share)).astype(np.float32)


def _without_rims(filmed: Mask) -> Mask:
    closed = cv2.morphologyEx(filmed, cv2.MORPH_CLOSE, np.ones((_SLIVER, _SLIVER), np.uint8))
    size = 2 * _RIM + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    eroded: Mask = cv2.erode(closed, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return eroded


def _drawn_confidence(shot: Shot) -> Any:
    """The confidence, seen by the target camera by the same depth: half as large, as it has no detail to lose."""
    assert shot.depth is not None
    assert shot.confidence is not None
    width, height = shot.footage.width, shot.footage.height
    share = 1 if min(width, height, shot.width, shot.height) < 2 * _SMALLEST else 2
    small = dataclasses.replace(
        shot,
        footage=_ConfidenceFrames(shot.confidence, width // share, height // share),
        depth=_SmallDepth(shot.depth, width // share, height // share),
        confidence=None,
        width=shot.width // share,
        height=shot.height // share,
    )
    return _all(Reproject(shot.settings, threads=1).frames(small, lambda *_, **__: None))


def _all(frames: Iterator[Frame]) -> Iterator[Frame]:
    yield from frames


class _ConfidenceFrames:
    """Confidence as footage."""

    def __init__(self, confidence: ConfidenceSource, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._confidence = confidence

    def frame(self, index: int, /) -> Image:
        small = cv2.resize(self._confidence.frame(index), (self.width, self.height), interpolation=cv2.INTER_AREA)
        levels = np.rint(255 * np.clip(small, 0, 1)).astype(np.uint8)
        return np.repeat(levels[..., None], 3, axis=2)


class _SmallDepth:
    """Depth of fewer pixels, none of them a mean of two surfaces."""

    def __init__(self, depth: DepthSource, width: int, height: int) -> None:
        self._depth = depth
        self._size = width, height

    def frame(self, index: int, /) -> Floats:
        small: Floats = cv2.resize(self._depth.frame(index), self._size, interpolation=cv2.INTER_NEAREST)
        return small
