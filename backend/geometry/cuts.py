"""Where another shot begins.

Two frames belong together when most parts of one are found somewhere in the other: so a whip pan, a zoom or somebody
who walks through the picture are no cuts, and neither are a flash, a fade or a blank frame, across which frames are
compared with those before. A dissolve has no first frame, and is not looked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from ..engines import Image

_SIZE = 96  # pixels along the longer side, in which frames are compared
_BLOCKS = (4, 3)  # across and down
_BLANK = 2.5  # grey levels that a frame, or a part of it, must vary by
_SLACK = np.ones((7, 7), np.uint8)  # how far parts may move beside the whole: by parallax, zoom, on their own
_OVERLAP = 0.4  # of the parts that must lie in both frames
_APART = 0.62  # correlation below which two frames may be of two shots
_AGAIN = 0.66  # above which a frame shows the shot before again
_AHEAD = 4  # frames that a flash or what passes the lens may last
_BEFORE = 3  # frames that what follows is compared with

Small = npt.NDArray[np.float32]


def find_cuts(frames: Iterable[Image]) -> list[int]:
    """The index of each first frame after a cut.

    Args:
        frames: (h, w), (h, w, 3) or (h, w, 4), uint8 or uint16, all of a size; read once, a few are held.
    """
    finder = CutFinder()
    found = [cut for frame in frames for cut in finder.put(frame)]
    return found + finder.end()


class CutFinder:
    """Finds cuts in frames that are put in one by one."""

    def __init__(self) -> None:
        self._index = -1
        self._before: deque[Small] = deque(maxlen=_BEFORE)
        self._after: list[tuple[int, Small]] = []

    def put(self, frame: Image) -> list[int]:
        """The cuts that are certain now, a few frames after they were passed."""
        self._index += 1
        small = _small(frame)
        if small.std() < _BLANK:
            return []
        if not self._before:
            self._before.append(small)
            return []
        if not self._after:
            if _alike(self._before[-1], small) >= _APART:
                self._before.append(small)
            else:
                self._after = [(self._index, small)]
            return []
        if any(_alike(each, small) >= _AGAIN for each in self._before):
            self._after = []
            self._before.append(small)
            return []
        self._after.append((self._index, small))
        return self._decide() if len(self._after) > _AHEAD else []

    def end(self) -> list[int]:
        """The cuts that are certain once there are no more frames."""
        return self._decide() if len(self._after) > 1 else []

    def _decide(self) -> list[int]:
        waiting, self._after = self._after, []
        cut = waiting[0][0]
        self._before = deque([waiting[0][1]], maxlen=_BEFORE)
        found = [cut]
        # What came since may hold a further cut; those frames are looked at as all others are.
        index = self._index
        for number, small in waiting[1:]:
            self._index = number - 1
            if not self._after and _alike(self._before[-1], small) >= _APART:
                self._before.append(small)
            else:
                self._after.append((number, small))
        self._index = index
        return found


def _small(frame: Image) -> Small:
    if frame.dtype == np.uint16:
        frame = (frame >> 8).astype(np.uint8)
    height, width = frame.shape[:2]
    share = _SIZE / max(width, height)
    size = max(8, round(width * share)), max(8, round(height * share))
    picture = cv2.resize(np.ascontiguousarray(frame), size, interpolation=cv2.INTER_AREA)
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture[..., :3], cv2.COLOR_RGB2GRAY)
    result: Small = cv2.GaussianBlur(picture, (0, 0), 0.8).astype(np.float32)
    return result


def _alike(one: Small, other: Small) -> float:
    """How well most parts of one frame are found in the other, and the other way round: at best 1."""
    return max(_found_in(one, other), _found_in(other, one))


def _found_in(whole: Small, cut_up: Small) -> float:
    """The mean correlation of a frame's parts with the other frame, all moved alike but for a few pixels."""
    height, width = cut_up.shape
    across, down = _BLOCKS if width >= height else _BLOCKS[::-1]
    rows, columns = np.linspace(0, height, down + 1).astype(int), np.linspace(0, width, across + 1).astype(int)
    total, count = np.zeros((2 * height, 2 * width), np.float32), np.zeros((2 * height, 2 * width), np.float32)
    blocks = 0
    for row in range(down):
        for column in range(across):
            top, left = rows[row], columns[column]
            block = cut_up[top : rows[row + 1], left : columns[column + 1]]
            if block.std() < _BLANK:
                continue
            found = cv2.dilate(cv2.matchTemplate(whole, block, cv2.TM_CCOEFF_NORMED), _SLACK)
            there = (slice(height - top, height - top + len(found)), slice(width - left, width - left + found.shape[1]))
            total[there] += found
            count[there] += 1
            blocks += 1
    enough = count >= max(1, _OVERLAP * blocks)
    return float((total[enough] / count[enough]).max()) if enough.any() else 1.0
