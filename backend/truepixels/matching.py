"""A filler's frame, moved onto what was filmed and given its colours, also where nothing was filmed.

What another engine draws is off by some pixels, as it has a geometry of its own, and its colours drift. Both are told
where the two show the same, and carried on into the holes: the move as one affine map, and what is left of it as a
smooth field; the colours as a gain and an offset for each channel, and what is left as a smooth offset.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..engines import Image
from .spread import spread

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.uint8]

_SIDE = 512  # pixels along the longer side, for what is smooth anyway
_LEAST_SIDE = 16  # pixels: OpenCV's flow has no room for its patches in less, and some sizes end the process
_LEAST = 0.02  # share of a frame that must be filmed to tell anything by
_KEPT = 0.7  # of the fields of the frame before, so that nothing trembles
_JUMP = 0.1  # of white: colours that change by more do so at once, as at a cut
_STILL = 0.02  # pixels of move that are none
_FADE = 60  # th part of the frame's height, over which the filler ends at its rim
_SAMPLED = 3  # pixels from one that is asked for means to the next
_POINTS = 4000  # asked for one affine map
_WRONG = 0.12  # of white: what differs more, in line, is not the same thing
_MOVES = 4.0  # pixels over which what is left of the move is averaged
_COLOURS = 5.0  # likewise of the colours
_ALIKE = (0.3, 0.6)  # correlation below which nothing is put in line, and from which everything is
_GAIN = (0.5, 2.0)
_SCALE = (0.75, 1.33)  # of the affine map that is believed
_FAR = 0.25  # of the frame, likewise


class Match:
    """A filler's frame in its place, made as far as it is asked for.

    Args:
        filler: the frame, (h, w, 3 or 4).
        moves: how far from each pixel it shows what belongs there, (rows, columns, 2), shares of the frame.
        gains, offsets: of its colours: (3,), and (rows, columns, 3), white as 1.
        alike: correlation with what was filmed, in line; None where too little was.
    """

    def __init__(
        self, filler: Image, moves: Floats | None, gains: Floats, offsets: Floats | None, alike: float | None
    ) -> None:
        self.alike = alike
        self._filler = filler
        self._moves, self._gains, self._offsets = moves, gains, offsets

    def rows(self, top: int, bottom: int) -> tuple[Floats, Floats]:
        """A part of it: float32 (bottom - top, w, 3 or 4), white as 1; and 1 where the filler's frame reaches, else 0.

        What it reaches falls from 1 to 0 over a few pixels.
        """
        height, width = self._filler.shape[:2]
        white = np.float32(np.iinfo(self._filler.dtype).max)
        drawn = np.ones((bottom - top, width), np.float32)
        part = self._filler[top:bottom]
        if self._moves is not None and np.abs(self._moves).max() * max(height, width) > _STILL:
            moves = _part(self._moves, width, height, top, bottom)
            x = np.arange(width, dtype=np.float32) + width * moves[..., 0]
            y = np.arange(top, bottom, dtype=np.float32)[:, None] + height * moves[..., 1]
            part = cv2.remap(self._filler, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            outside = np.maximum.reduce([-x, x - (width - 1), -y, y - (height - 1)])
            drawn = np.clip(1 - outside / np.float32(max(2.0, height / _FADE)), 0, 1)
        image = part.astype(np.float32) / white
        if self._offsets is not None:
            offsets = _part(self._offsets, width, height, top, bottom)
            image[..., :3] = np.clip(image[..., :3] * self._gains + offsets, 0, 1)
        return image, drawn


class Matcher:
    """Matches a filler's frames one after another."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._map: Any = None  # (2, 3), from the small frame into the filler's small frame
        self._rest: Floats | None = None
        self._gains = np.ones(3, np.float32)
        self._usual = np.zeros(3, np.float32)
        self._offsets: Floats | None = None

    def match(self, filmed: Image, trusted: Mask, filler: Image, whole: float = 1.0) -> Match:
        """Match a frame.

        Args:
            filmed: the footage as the target camera sees it, (h, w, 3 or 4).
            trusted: uint8 (h, w), 1 where that holds.
            filler: of the same size and type.
            whole: 0 to 1: how far to go.
        """
        white = np.float32(np.iinfo(filler.dtype).max)
        height, width = trusted.shape
        scale = min(1.0, _SIDE / max(height, width))
        size = max(_LEAST_SIDE, round(width * scale)), max(_LEAST_SIDE, round(height * scale))
        known = _small_known(filmed, trusted, size)
        if whole <= 0 or known.mean() < _LEAST:
            return Match(filler, None, np.ones(3, np.float32), None, None)
        small, other = (_resized(each, size)[..., :3].astype(np.float32) / white for each in (filmed, filler))
        alike = self._put_in_line(small, other, known)
        strength = whole * float(np.clip((alike - _ALIKE[0]) / (_ALIKE[1] - _ALIKE[0]), 0, 1))
        places = self._places(strength)
        self._match_colours(small, _look(other, places), known)
        assert self._offsets is not None
        moves = np.asarray((places - _grid(places)) / np.array(size), np.float32)
        gains = (1 + whole * (self._gains - 1)).astype(np.float32)
        return Match(filler, moves, gains, np.float32(whole) * (self._offsets + self._usual), alike)

    def _put_in_line(self, filmed: Floats, other: Floats, known: Floats) -> float:
        """Find the move from what was filmed to where the filler shows it; say how alike they are then."""
        first = self._map is None
        if first:
            self._map = np.eye(2, 3)
        for turn in range(3 if first else 1):
            flow, residual, seen = self._flow_to(filmed, other, known)
            right = known * (residual < _WRONG)
            found = _affine(self._map, flow, right, filmed)
            if found is not None and first and turn < 2:
                self._map = found
        right = cv2.erode(right, np.ones((5, 5), np.uint8))
        usual = (
            np.median(_sampled(right, flow)[0], axis=0).astype(np.float32) if right.any() else np.zeros(2, np.float32)
        )
        rest = spread(flow - usual, right, _MOVES)
        if self._rest is not None and self._rest.shape == rest.shape:
            # What all of the frame does is told well, and followed at once; how it differs from place to place is not.
            before = self._rest - np.median(_sampled(right, self._rest)[0], axis=0) if right.any() else self._rest
            rest = _KEPT * before + (1 - _KEPT) * rest
        self._rest = (rest + usual).astype(np.float32)
        alike = _correlation(_grey(filmed), _grey(_look(seen, _grid(seen) + flow)), known)
        if found is not None and not first and alike > _ALIKE[1]:
            self._follow(found)
        return alike

    def _follow(self, found: Any) -> None:
        """Let the affine map go with what is found, slowly, and what is left of the move make up for it."""
        assert self._rest is not None
        grid = _grid(self._rest)
        before = _apply(self._map, grid + self._rest)
        self._map = _KEPT * self._map + (1 - _KEPT) * found
        self._rest = _apply(cv2.invertAffineTransform(self._map), before) - grid

    def _flow_to(self, filmed: Floats, other: Floats, known: Floats) -> tuple[Floats, Floats, Floats]:
        """Flow on top of the affine map, how much is different still, and the filler by the affine map."""
        seen = _look(other, _apply(self._map, _grid(other)))
        gains, offsets = _gains(filmed, seen, known)
        seen = seen * gains + offsets
        # Where nothing was filmed both show the filler: a patch that reaches there is not led astray.
        one = np.where(known[..., None] > 0, filmed, seen)
        greys = [np.rint(255 * np.clip(_grey(each), 0, 1)).astype(np.uint8) for each in (one, seen)]
        flow: Floats = self._flow.calc(greys[0], greys[1], None)
        apart = np.abs(_grey(one) - _grey(_look(seen, _grid(seen) + flow)))
        return flow, cv2.GaussianBlur(apart, (0, 0), 1.5), seen

    def _places(self, strength: float) -> Floats:
        """Where in the filler's small frame each pixel of the small frame is found, (h, w, 2)."""
        assert self._rest is not None
        grid = _grid(self._rest)
        return grid + np.float32(strength) * (_apply(self._map, grid + self._rest) - grid)

    def _match_colours(self, filmed: Floats, placed: Floats, known: Floats) -> None:
        gains, _ = _gains(filmed, placed, known)
        first = self._offsets is None or self._offsets.shape != filmed.shape
        gains = gains if first else _KEPT * self._gains + (1 - _KEPT) * gains
        apart = filmed - placed * gains
        usual = np.median(_sampled(known, apart)[0], axis=0).astype(np.float32)
        apart -= usual
        strange = cv2.split(np.abs(apart))
        right = known * (cv2.max(cv2.max(strange[0], strange[1]), strange[2]) < 2 * _WRONG)
        offsets = spread(apart, right, _COLOURS)
        if not first:
            assert self._offsets is not None
            if float(np.abs(offsets - self._offsets).mean()) < _JUMP:
                offsets = _KEPT * self._offsets + (1 - _KEPT) * offsets
        self._gains, self._usual, self._offsets = gains, usual, offsets


# Where


def _affine(before: Any, flow: Floats, right: Floats, filmed: Floats) -> Any:
    """The affine map (2, 3) that ``before`` and the flow on top of it come to, by what has detail; None: not told."""
    grey = cv2.GaussianBlur(_grey(filmed), (0, 0), 1)
    detail = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    rows, columns = np.nonzero(right * (detail > np.median(detail)))
    if len(rows) < 100:
        return None
    chosen = np.linspace(0, len(rows) - 1, min(_POINTS, len(rows))).astype(int)
    rows, columns = rows[chosen], columns[chosen]
    start = np.stack([columns, rows], axis=-1).astype(np.float32)
    end = _apply(before, start + flow[rows, columns])
    found, _ = cv2.estimateAffine2D(start, end, method=cv2.RANSAC, ransacReprojThreshold=1.5, maxIters=500)
    return found if found is not None and _is_likely(found, right.shape) else None


def _is_likely(found: Any, shape: tuple[int, ...]) -> bool:
    scales = np.linalg.svd(found[:, :2], compute_uv=False)
    height, width = shape
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float32)
    far = np.abs(_apply(found, corners) - corners).max()
    return bool(scales.min() > _SCALE[0] and scales.max() < _SCALE[1] and far < _FAR * max(width, height))


def _part(field: Floats, width: int, height: int, top: int, bottom: int) -> Floats:
    """Rows of a smooth field as large as a frame."""
    x, y = field.shape[1] / width, field.shape[0] / height
    onto = np.array([[x, 0, 0.5 * x - 0.5], [0, y, (top + 0.5) * y - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    part: Floats = cv2.warpAffine(field, onto, (width, bottom - top), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return part


def _apply(matrix: Any, points: Floats) -> Floats:
    moved: Floats = points @ matrix[:, :2].T.astype(np.float32) + matrix[:, 2].astype(np.float32)
    return moved


def _grid(like: Any) -> Floats:
    height, width = like.shape[:2]
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)


def _look(picture: Floats, where: Floats) -> Floats:
    looked: Floats = cv2.remap(picture, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return looked


# What


def _gains(filmed: Floats, placed: Floats, known: Floats) -> tuple[Floats, Floats]:
    """Gain and offset of each channel by which one becomes like the other, fine detail aside."""
    one, other = _sampled(known, *(cv2.blur(each, (7, 7)) for each in (filmed, placed)))
    means = one.mean(axis=0), other.mean(axis=0)
    spans = (other - means[1]).var(axis=0)
    gains = ((one - means[0]) * (other - means[1])).mean(axis=0) / np.maximum(spans, 1e-5)
    gains = np.clip(np.where(spans > 1e-5, gains, 1), *_GAIN)
    return gains.astype(np.float32), (means[0] - gains * means[1]).astype(np.float32)


def _correlation(one: Floats, other: Floats, known: Floats) -> float:
    """Of what is neither flat nor as fine as grain."""
    smooth = (cv2.GaussianBlur(each, (0, 0), 1.5) for each in (one, other))
    a, b = _sampled(known, *(each - cv2.blur(each, (25, 25)) for each in smooth))
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(float(np.sqrt((a * a).sum() * (b * b).sum())), 1e-9))


def _sampled(known: Floats, *values: Floats) -> list[Floats]:
    """Of what is known a part that tells as much."""
    few = known[::_SAMPLED, ::_SAMPLED] > 0
    if not few.any():
        return [each[known > 0] for each in values]
    return [each[::_SAMPLED, ::_SAMPLED][few] for each in values]


def _small_known(filmed: Image, trusted: Mask, size: tuple[int, int]) -> Floats:
    known = trusted
    if filmed.shape[2] == 4:
        known = trusted & (filmed[..., 3] > np.iinfo(filmed.dtype).max * 0.98)
    share = cv2.resize(known.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return (share > 0.99).astype(np.float32)


def _resized(image: Image, size: tuple[int, int]) -> Image:
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if size[0] < image.shape[1] else cv2.INTER_LINEAR)


def _grey(picture: Floats) -> Floats:
    grey: Floats = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
    return grey
