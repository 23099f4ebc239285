"""What moves before a camera that stands: where it is in each frame, and how near by where it touches the ground."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from .relief_stage import Stage, ground_nearness

Mask = npt.NDArray[np.bool_]

_DIFFERENT = 22.0  # in Lab, from the background
_SMALLEST = 0.002  # of the picture
_OVERLAP = 0.3  # of the smaller, with which two blobs of frames in a row are one thing
_WINDOW = 9  # frames over which a thing's nearness is smoothed


class Mover(NamedTuple):
    """A moving thing in a frame.

    Attributes:
        box: left, top, width, height.
        bits: its mask within the box, packed.
        nearness: as :class:`.relief_stage.Stage` has it.
    """

    box: tuple[int, int, int, int]
    bits: bytes
    nearness: float

    def mask(self) -> Mask:
        """Within its box."""
        _, _, width, height = self.box
        packed = np.frombuffer(self.bits, np.uint8)
        return np.unpackbits(packed, count=width * height).reshape(height, width) > 0


class Movers:
    """Finds what moves, frame by frame and in order.

    Args:
        background: uint8 (h, w, 3) RGB, without what moves.
        stage: of the background.
        focal: of the lens, pixels of the background.
    """

    def __init__(self, background: npt.NDArray[np.uint8], stage: Stage, focal: float) -> None:
        self._background, self._stage, self._focal = _soft(background), stage, focal
        self._frames: list[list[Mover]] = []
        self._shares: list[float] = []

    def add(self, picture: npt.NDArray[np.uint8]) -> None:
        """The next frame, of the background's size."""
        off = np.sqrt(((_soft(picture) - self._background) ** 2).sum(-1))
        found = (off > _DIFFERENT).astype(np.uint8)
        for how, size in ((cv2.MORPH_OPEN, 3), (cv2.MORPH_CLOSE, 7)):
            found = cv2.morphologyEx(found, how, np.ones((size, size), np.uint8))
        self._shares.append(float(found.mean()))
        count, parts, about, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
        big = [each for each in range(1, count) if about[each, 4] > _SMALLEST * found.size]
        self._frames.append([self._mover(parts == each, about[each]) for each in big])

    @property
    def share(self) -> float:
        """How much of the picture moves in most frames."""
        return float(np.median(self._shares)) if self._shares else 0.0

    def smooth(self) -> None:
        """Let each thing's nearness change slowly: to be called after the last frame."""
        paths = _paths(self._frames)
        for path in paths:
            values = np.array([self._frames[frame][place].nearness for frame, place in path])
            half = _WINDOW // 2
            padded = np.pad(values, half, mode="edge")
            windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)
            calm = np.convolve(np.pad(np.median(windows, 1), half, mode="edge"), np.ones(_WINDOW) / _WINDOW, "valid")
            for (frame, place), value in zip(path, calm, strict=True):
                self._frames[frame][place] = self._frames[frame][place]._replace(nearness=float(value))

    def at(self, index: int) -> list[Mover]:
        """The things of a frame, the farthest first."""
        return sorted(self._frames[index], key=lambda each: each.nearness)

    def _mover(self, mask: Mask, about: Any) -> Mover:
        left, top, width, height = (int(each) for each in about[:4])
        inside = mask[top : top + height, left : left + width].astype(np.uint8)
        rims = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
        cv2.drawContours(inside, rims, -1, 1, cv2.FILLED)
        behind = float(np.percentile(self._stage.nearness[mask], 70))
        foot = min(top + height, mask.shape[0] - 1)
        around = self._stage.ground[max(foot - 3, 0) : foot + 3, left : left + width]
        # It covers what is behind it, and stands where its foot is if there is ground around that.
        near = float(ground_nearness(foot - 1, self._stage.horizon, self._focal)) if around.any() else behind
        return Mover((left, top, width, height), np.packbits(inside).tobytes(), max(near, behind))


def _soft(picture: npt.NDArray[np.uint8]) -> Any:
    return cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32), (0, 0), 1.5)


def _paths(frames: list[list[Mover]]) -> list[list[tuple[int, int]]]:
    """The frames and places of each thing, over time."""
    paths: list[list[tuple[int, int]]] = []
    ends: dict[int, list[tuple[int, int]]] = {}
    for frame, movers in enumerate(frames):
        now: dict[int, list[tuple[int, int]]] = {}
        for place, mover in enumerate(movers):
            before = frames[frame - 1] if frame else []
            rivals = [(_overlap(each.box, mover.box), number) for number, each in enumerate(before) if number in ends]
            share, number = max(rivals, default=(0.0, -1))
            path = ends.pop(number) if share > _OVERLAP else []
            if not path:
                paths.append(path)
            path.append((frame, place))
            now[place] = path
        ends = now
    return paths


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> float:
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(across, 0) * max(down, 0) / min(one[2] * one[3], other[2] * other[3])
