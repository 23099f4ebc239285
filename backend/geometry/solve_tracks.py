"""Points followed through footage, frame by frame: what a camera is solved from.

Points are found on key frames and followed by Lucas and Kanade's method. From one frame to the next they drift; so
each is matched against the last key frame's own pixels as well, and dropped where the way back does not end where it
began. Memory grows by some kilobytes a frame, not by the frames themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from ..engines import Image

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Grey = npt.NDArray[np.uint8]

LONGEST_SIDE = 1000
"""Pixels along a frame's longer side, for following: more costs time and finds no better camera."""

FEWEST_POINTS = 24
"""Points that must be followed into a frame, or it counts as lost."""

_POINTS = 700  # wanted on a key frame
_STAYING = 0.3  # of the points, likewise: a flash, a blank or damaged frame loses nearly all
_AWAY = 0.05  # of the frame's width: points that went as far on the median ask for a key frame
_KEPT = 0.85  # of the key frame's points; fewer ask for the next one
_LONGEST_GAP = 1.0  # seconds from one key frame to the next
_PATIENCE = 0.5  # seconds of lost frames after which points are looked for anew, unconnected with those before
_BACK = 0.5  # pixels that the way back may miss its beginning by
_LEAST_TEXTURE = 1.0  # mean squared gradient along the weakest direction, (grey levels / pixel) squared
_CELLS = (6, 4)  # across and down, that get an equal share of the points


@dataclass
class Tracks:
    """Where points were seen.

    Attributes:
        width, height: of the frames they were followed in, pixels.
        ids: for each frame, which points were seen, rising.
        places: for each frame, where, (n, 2) x and y in pixels; pixel centres lie at half-integers.
        keys: the frames in which points were looked for.
        count: how many points there are in all.
    """

    width: int
    height: int
    ids: list[Ints] = field(default_factory=list)
    places: list[Floats] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    count: int = 0

    def shared(self, one: int, other: int) -> tuple[Ints, Floats, Floats]:
        """The points seen in both frames, and their places in each."""
        both, first, second = np.intersect1d(self.ids[one], self.ids[other], assume_unique=True, return_indices=True)
        return both, self.places[one][first], self.places[other][second]


class Follower:
    """Follows points through frames that are put in one by one."""

    def __init__(self, width: int, height: int, rate: float) -> None:
        """For frames of that size, pixels, so many a second."""
        self._gap, self._patience = max(8, round(_LONGEST_GAP * rate)), max(4, round(_PATIENCE * rate))
        self.tracks = Tracks(width, height)
        self._window = 21 if max(width, height) > 600 else 15
        self._key: Grey | None = None
        self._key_index = 0
        self._key_ids = np.empty(0, np.int64)
        self._key_places = np.empty((0, 2), np.float32)
        self._last: Grey | None = None
        self._ids = np.empty(0, np.int64)
        self._places = np.empty((0, 2), np.float32)
        self._lost = 0

    def put(self, grey: Grey) -> None:
        """Follow into the next frame: uint8 (height, width)."""
        index = len(self.tracks.ids)
        if self._last is None:
            self._begin(grey, index)
            return
        ids, places = self._follow(grey)
        if len(ids) < max(FEWEST_POINTS, _STAYING * len(self._ids)):
            self._lose(grey, index)
            return
        self._lost = 0
        self._last, self._ids, self._places = grey, ids, places
        if self._is_key(index):
            self._set_key(grey, index)
        self._note(self._ids, self._places)

    def _begin(self, grey: Grey, index: int) -> None:
        self._last, self._ids, self._places = grey, np.empty(0, np.int64), np.empty((0, 2), np.float32)
        self._lost = 0
        self._set_key(grey, index)
        if len(self._ids) < FEWEST_POINTS:  # nothing to hold on to, as of a black frame: try the next
            self._last = None
            self.tracks.keys.pop()
            self._note(np.empty(0, np.int64), np.empty((0, 2), np.float32))
            return
        self._note(self._ids, self._places)

    def _lose(self, grey: Grey, index: int) -> None:
        self._lost += 1
        if self._lost > self._patience or len(self._ids) < FEWEST_POINTS:
            self._begin(grey, index)
        else:
            self._note(np.empty(0, np.int64), np.empty((0, 2), np.float32))

    def _note(self, ids: Ints, places: npt.NDArray[np.float32]) -> None:
        self.tracks.ids.append(ids.copy())
        self.tracks.places.append(places.astype(np.float64) + 0.5)

    # One frame

    def _follow(self, grey: Grey) -> tuple[Ints, npt.NDArray[np.float32]]:
        """The points seen again, and where."""
        none = np.empty(0, np.int64), np.empty((0, 2), np.float32)
        if not len(self._ids) or self._last is None or self._key is None:
            return none
        guess, found = _flow(self._last, grey, self._places, None, self._window, 4)
        ids, guess = self._ids[found], guess[found]
        if not len(ids):
            return none
        begun = self._key_places[np.searchsorted(self._key_ids, ids)]
        places, there = _flow(self._key, grey, begun, guess, self._window, 1)
        back, home = _flow(grey, self._key, places, begun, self._window, 1)
        height, width = grey.shape
        inside = (places >= 2).all(axis=1) & (places[:, 0] < width - 3) & (places[:, 1] < height - 3)
        near = np.linalg.norm(places - guess, axis=1) < 3
        kept = there & home & inside & near & (np.linalg.norm(back - begun, axis=1) < _BACK)
        return ids[kept], places[kept]

    def _is_key(self, index: int) -> bool:
        if len(self._ids) < _KEPT * len(self._key_ids) or index - self._key_index >= self._gap:
            return True
        begun = self._key_places[np.searchsorted(self._key_ids, self._ids)]
        away = np.median(np.linalg.norm(self._places - begun, axis=1))
        return bool(away > _AWAY * self.tracks.width)

    def _set_key(self, grey: Grey, index: int) -> None:
        new = _corners(grey, self._places, _POINTS)
        count = self.tracks.count
        self._ids = np.concatenate([self._ids, np.arange(count, count + len(new))])
        self._places = np.concatenate([self._places, new])
        self.tracks.count += len(new)
        self.tracks.keys.append(index)
        self._key, self._key_index = grey, index
        self._key_ids, self._key_places = self._ids, self._places


def shrunk(image: Image, longest: int = LONGEST_SIDE) -> Grey:
    """A frame as points are followed in it: grey, uint8, no larger than that."""
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    height, width = image.shape[:2]
    grey = cv2.cvtColor(np.ascontiguousarray(image[..., :3]), cv2.COLOR_RGB2GRAY)
    share = min(1.0, longest / max(width, height))
    if share < 1:
        size = max(1, round(width * share)), max(1, round(height * share))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    result: Grey = grey
    return result


def _flow(
    one: Grey,
    other: Grey,
    places: npt.NDArray[np.float32],
    guess: npt.NDArray[np.float32] | None,
    window: int,
    levels: int,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    flags = 0 if guess is None else cv2.OPTFLOW_USE_INITIAL_FLOW
    begun = np.ascontiguousarray(places, np.float32).reshape(-1, 1, 2)
    start = None if guess is None else np.array(guess, np.float32).reshape(-1, 1, 2)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 0.003)
    found, status, _error = cv2.calcOpticalFlowPyrLK(
        one, other, begun, start, winSize=(window, window), maxLevel=levels, criteria=criteria, flags=flags
    )
    return found.reshape(-1, 2), status.reshape(-1).astype(bool)


def _corners(grey: Grey, taken: npt.NDArray[np.float32], wanted: int) -> npt.NDArray[np.float32]:
    """Points worth following, apart from those taken: each cell of the frame has as many as the others, or fewer."""
    height, width = grey.shape
    apart = max(4.0, 0.6 * (width * height / wanted) ** 0.5)
    free = np.full(grey.shape, 255, np.uint8)
    free[:6], free[-6:], free[:, :6], free[:, -6:] = 0, 0, 0, 0
    for x, y in np.rint(taken).astype(int):
        cv2.circle(free, (int(x), int(y)), int(apart), 0, -1)
    # OpenCV's measure is this one times 4 / 255 squared.
    free[cv2.cornerMinEigenVal(grey, 7) * (255**2 / 4) < _LEAST_TEXTURE] = 0
    across, down = _CELLS
    columns, rows = np.linspace(0, width, across + 1).astype(int), np.linspace(0, height, down + 1).astype(int)
    found = [np.empty((0, 2), np.float32)]
    for row in range(down):
        for column in range(across):
            top, bottom, left, right = rows[row], rows[row + 1], columns[column], columns[column + 1]
            inside = (taken >= (left, top)).all(axis=1) & (taken < (right, bottom)).all(axis=1)
            lacking = wanted // (across * down) - int(inside.sum())
            if lacking > 0:
                cell = np.zeros_like(free)
                cell[top:bottom, left:right] = free[top:bottom, left:right]
                found.append(_corners_in(grey, cell, lacking, apart, (left, top, right, bottom)))
    return np.concatenate(found)


def _corners_in(
    grey: Grey, mask: Grey, count: int, apart: float, cell: tuple[int, int, int, int]
) -> npt.NDArray[np.float32]:
    left, top, right, bottom = cell
    edge = 8  # pixels around the cell that its corners' surroundings reach into
    x, y = max(0, left - edge), max(0, top - edge)
    part = (slice(y, bottom + edge), slice(x, right + edge))
    found = cv2.goodFeaturesToTrack(grey[part], count, 0.002, apart, mask=mask[part], blockSize=7)
    if found is None:
        return np.empty((0, 2), np.float32)
    places: npt.NDArray[np.float32] = found.reshape(-1, 2) + np.array((x, y), np.float32)
    return places
