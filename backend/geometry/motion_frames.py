"""Frames of the footage, small, as far around the present one as they are needed, and which of them tell its depth."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ..engines import FrameSource
from ..reproject.views import Cameras
from .flow import eight_bits

Opened = Callable[[], AbstractContextManager[FrameSource]]
Floats = npt.NDArray[np.float32]

WORK_PIXELS = 100_000
"""About how many pixels depth is found on; it is drawn at the footage's size afterwards."""

NEAR, FAR = 60, 240
"""Frames around one that are looked at for a move of the camera; and at most, where it hardly moves."""

_WANTED = (0.022, 0.055)  # of the width: parallax at the typical depth that tells depth well, without hiding too much
_ONE_SIDED = (0.018, 0.036, 0.055, 0.08)  # the same where the camera has moved only before, or only afterwards
_ENOUGH = 0.7  # of the lesser of those: one side of the clip will do
_LEAST = 0.0035  # of the width: less tells nothing
_INSIDE = 0.6  # share of the frame that the other one must show, too


class Small(NamedTuple):
    """A frame at the working size: RGB and grey, uint8."""

    colour: npt.NDArray[np.uint8]
    grey: npt.NDArray[np.uint8]


def working_size(width: int, height: int) -> tuple[int, int]:
    """The size that depth is found at: width, height."""
    scale = min(1.0, (WORK_PIXELS / (width * height)) ** 0.5)
    return max(round(width * scale), 8), max(round(height * scale), 8)


class Frames:
    """The small frames around the present one, read forward from a reader of their own.

    Args:
        opened: opens the footage, by timeline frame.
        length: frames of the timeline.
        size: width and height of small frames.
        check: raises where the work is no longer wanted; called before each frame that is read.
    """

    def __init__(self, opened: Opened, length: int, size: tuple[int, int], check: Callable[[], None]) -> None:
        self._length, self._size, self._check = length, size, check
        self._manager = opened()
        self._footage = self._manager.__enter__()
        self._kept: dict[int, Small] = {}

    def get(self, index: int) -> Small:
        """The small frame; kept until :meth:`forget`."""
        if index not in self._kept:
            # What is skipped on the way forward must be decoded all the same, and is soon asked for.
            before = [each for each in self._kept if each < index]
            first = max(before) + 1 if before and index - max(before) <= FAR else index
            for each in range(first, index + 1):
                self._check()
                self._kept[each] = self.shrunk(self._footage.frame(each))
        return self._kept[index]

    def shrunk(self, image: npt.NDArray[np.generic]) -> Small:
        """A frame of the footage, made small."""
        colour = cv2.resize(eight_bits(image), self._size, interpolation=cv2.INTER_AREA)
        return Small(np.asarray(colour, np.uint8), np.asarray(cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY), np.uint8))

    def forget(self, first: int, last: int) -> None:
        """Keep only the frames from ``first`` to ``last``."""
        self._kept = {index: each for index, each in self._kept.items() if first <= index <= last}

    def close(self) -> None:
        """Close the footage."""
        self._kept = {}
        self._manager.__exit__(None, None, None)


def parallaxes(cameras: Cameras, index: int, others: npt.NDArray[np.int64], q: float) -> tuple[Floats, Floats]:
    """How far points move to other frames, and how much of the frame these show.

    Args:
        cameras: of the small frames.
        index: of the frame.
        others: numbers of the other frames, (n,).
        q: inverse depth of the points, 1/m.

    Returns:
        (n,) pixels that such points move by against infinity, the mean over the frame; (n,) shares of the frame.
    """
    width, height = cameras.width, cameras.height
    x, y = np.meshgrid(np.linspace(0.1, 0.9, 5) * width, np.linspace(0.1, 0.9, 4) * height)
    points = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    rays = cameras.poses[index, :3, :3] @ np.linalg.inv(cameras.lenses[index]) @ points
    turned = cameras.lenses[others] @ cameras.poses[others, :3, :3].transpose(0, 2, 1)
    far = turned @ rays
    moves = cameras.poses[index, :3, 3] - cameras.poses[others, :3, 3]
    near = far + (turned @ moves[..., None]) * q
    good = (far[:, 2] > 1e-6) & (near[:, 2] > 1e-6)
    there = near[:, :2] / np.where(good, near[:, 2], 1)[:, None]
    apart = np.hypot(*(there - far[:, :2] / np.where(good, far[:, 2], 1)[:, None]).transpose(1, 0, 2))
    inside = good & (there >= 0).all(1) & (there[:, 0] < width) & (there[:, 1] < height)
    moved = (apart * good).sum(1) / np.maximum(good.sum(1), 1)
    return moved.astype(np.float32), inside.mean(1).astype(np.float32)


def choose(cameras: Cameras, index: int, q: float) -> tuple[list[int], list[int]]:
    """The frames that tell the depth of one, in two groups: a place that some do not show, others do.

    Those before and those after it; or, where the camera moves only on one side, those near by and those further off.

    Args:
        cameras: of the small frames.
        index: of the frame.
        q: its typical inverse depth, 1/m.
    """
    sides: list[list[tuple[float, int]]] = []
    for reach in (NEAR, FAR):
        sides = [_candidates(cameras, index, q, reach, way) for way in (-1, 1)]
        # A side that hardly moves agrees with any depth, and must not speak for the other.
        enough = [side for side in sides if side and max(side)[0] >= _ENOUGH * _WANTED[0] * cameras.width]
        if len(enough) == 2:
            return _nearest(enough[0], _WANTED, cameras.width), _nearest(enough[1], _WANTED, cameras.width)
        if enough:
            return _halves(_nearest(enough[0], _ONE_SIDED, cameras.width))
    best = max(sides, key=lambda side: max((each[0] for each in side), default=0.0))
    return _halves(_nearest(best, _ONE_SIDED, cameras.width)) if best else ([], [])


def _halves(picked: list[int]) -> tuple[list[int], list[int]]:
    return picked[: len(picked) // 2], picked[len(picked) // 2 :]


def _candidates(cameras: Cameras, index: int, q: float, reach: int, way: int) -> list[tuple[float, int]]:
    """Parallax and number of each frame on one side that has enough of it, and shows enough of the frame."""
    others = np.arange(1, reach + 1) * way + index
    others = others[(others >= 0) & (others < len(cameras.poses))]
    if not len(others):
        return []
    moved, inside = parallaxes(cameras, index, others, q)
    good = (moved > _LEAST * cameras.width) & (inside >= _INSIDE)
    return [(float(moved[n]), int(others[n])) for n in np.flatnonzero(good)]


def _nearest(candidates: list[tuple[float, int]], wanted: tuple[float, ...], width: int) -> list[int]:
    """The frame whose parallax comes nearest to each that is wanted; each frame once, the least parallax first."""
    found: list[int] = []
    for share in wanted:
        # Of frames that are as good the first is taken, which is the nearest in time.
        best = min(candidates, key=lambda each: round(abs(np.log(each[0] / (share * width))), 2))[1]
        if best not in found:
            found.append(best)
    return found
