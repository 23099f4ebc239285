"""Whether footage was shot from the hand, by how its whole picture trembles.

Only asked where no source camera is given. A hand that trembles turns the camera, and that moves all of the picture at
once, whatever is where in it. So motion is measured all over the picture (points followed by Lucas and Kanade's method
from each frame to the next), what is steady in it is taken away (pans, zooms, dollies), and then what its parts do not
share (people, leaves, noise).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ..engines import Image

# What was measured over 81 frames, as sway in thousandths. Steady: the sample's standing and moving cameras, Big Buck
# Bunny, dollies and trucks through a room, pans, zooms and rolls, frames repeated or left out, noise, flicker, bad
# codecs: 0.07 at the most, or less than half of the border agrees. Leaves in a storm 0.7 and people who fill two thirds
# of the picture 1.2, but of the border 1 and 6 in ten agree. A camera that turns by 0.1 degrees (a standard deviation,
# from 0.3 to 10 Hz, as a hand trembles) 0.3, by 0.2 degrees 0.5, by 0.4 degrees 1.1; 8 in ten agree, then all. What
# cannot be told from a hand is somebody who fills the picture to its corners and does not keep still.
HANDHELD_SWAY = 0.0003
"""Of the longer side: at 1920 pixels half of one, for what is quicker than once a second."""
HANDHELD_ROLL = 0.06
"""Degrees: about as much, at the left and right edges."""
HANDHELD_SHARED = 0.75
"""Of the picture's border: somebody in the foreground may hide a quarter of it."""

_SIDE = 240  # of the pictures that motion is measured in, the longer one, in pixels; the lengths below are of these
_SPACING = 12
_ASTRAY = 0.5  # a point that comes back this far from where it set out was lost
_FOLLOWING: dict[str, Any] = {
    "winSize": (21, 21),
    "maxLevel": 3,
    "criteria": (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 20, 0.01),
    "minEigThreshold": 2e-3,  # else there is nothing to hold on to, or only an edge
}
_CELLS = 4  # each way: the parts of the picture that are compared
_AGREES = 0.6  # what is left of a cell's trembling without that of the whole picture, at the most
_REPEATED = 0.1  # gray levels between frames that are one frame shown twice

_STEADY_SECONDS = 1.0  # motion slower than about this is the shot's own
_FEWEST_FRAMES = 8
_FEWEST_KNOWN = 0.5  # of the cells along the border, and of the frames for a cell

_Gray: TypeAlias = npt.NDArray[np.uint8]
_Array: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shake:
    """How footage trembles.

    Attributes:
        sway: how far the picture is from where a steady camera would have it, as a share of its longer side: a standard
            deviation, by the median, so that a jolt or the start of a pan does not count. In the direction in which it
            is least: frames that are missing or repeated make a pan judder, but along one line.
        roll: the same about the picture's middle, degrees.
        shared: how much of the picture's border moves so, from 0 to 1.
        travel: how far the picture goes without all that, most of its border, as a share of its longer side: by pans,
            zooms, rolls and moves; the farthest that it comes from where it was, in the run between cuts that goes
            farthest.
        frames: how many the above is known of: those that repeat the one before, or are cut off from it, are not.
    """

    sway: float = 0.0
    roll: float = 0.0
    shared: float = 0.0
    frames: int = 0
    travel: float = 0.0

    @property
    def is_handheld(self) -> bool:
        """Whether a hand held the camera; False where that cannot be told."""
        trembles = self.sway > HANDHELD_SWAY or self.roll > HANDHELD_ROLL
        return trembles and self.shared >= HANDHELD_SHARED

    @property
    def sentence(self) -> str | None:
        """What to tell the user, or None where there is nothing to tell."""
        if not self.is_handheld:
            return None
        return (
            "The footage moves as if handheld and no source camera is given: the take follows the target camera alone, "
            "so the shake is gone."
        )


def measure(frames: Iterable[Image], *, rate: float = 24.0) -> Shake:
    """How footage trembles.

    Args:
        frames: RGB or RGBA, uint8 or uint16, in order; one is held at a time. A few seconds tell enough.
        rate: frames per second; what is steady for a second is no shake.

    Returns:
        All zero where it cannot be told: fewer than 8 frames between cuts, or nothing in them to hold on to.
    """
    runs = [_trembling(run, rate * _STEADY_SECONDS) for run in _runs(_small(frame) for frame in frames)]
    known = [run for run in runs if run is not None]
    if not known:
        return Shake()
    trembling = np.concatenate([run.whole for run in known])
    angles = np.radians(np.arange(180))
    along = trembling[:, :2] @ np.stack([np.cos(angles), np.sin(angles)])
    return Shake(
        sway=float(_deviation(along).min()) / _SIDE,
        roll=float(np.degrees(_deviation(trembling[:, 3:])[0])),
        shared=float(np.average([run.shared for run in known], weights=[len(run.whole) for run in known])),
        frames=len(trembling),
        travel=max(run.travel for run in known) / _SIDE,
    )


# From pictures to motion.


@dataclass
class _Run:
    """What lies between two cuts.

    Attributes:
        moves: from each frame to the next that is another, how far each of 4 x 4 cells moves: (16, 2) pixels, NaN where
            nothing in a cell could be followed.
        frames: how many followed the first, those that repeat the one before among them.
        size: of the pictures, width and height.
    """

    moves: list[_Array] = field(default_factory=list)
    frames: int = 0
    size: tuple[int, int] = (0, 0)


def _small(frame: Image) -> _Gray:
    """Gray, 240 pixels long, with the contrast that most have: night, fades and flicker must not look like motion."""
    height, width = frame.shape[:2]
    scale = _SIDE / max(height, width)
    size = (max(_CELLS, round(width * scale)), max(_CELLS, round(height * scale)))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_RGBA2GRAY if frame.shape[2] == 4 else cv2.COLOR_RGB2GRAY).astype(np.float32)
    one = np.iinfo(frame.dtype).max / 255
    gray = (gray - gray.mean()) * min(48 / max(gray.std(), 1e-6), 10 / one) + 128
    return np.clip(gray, 0, 255).astype(np.uint8)


def _runs(grays: Iterable[_Gray]) -> Iterator[_Run]:
    """From cut to cut."""
    before: _Gray | None = None
    run = _Run()
    for gray in grays:
        if before is not None:
            run.frames += 1
            if cv2.norm(gray, before, cv2.NORM_L1) < _REPEATED * gray.size:
                continue
            moves = _moves(before, gray)
            if moves is not None:
                run.moves.append(moves)
            else:
                yield run
                run = _Run()
        before, run.size = gray, (gray.shape[1], gray.shape[0])
    yield run


def _moves(before: _Gray, after: _Gray) -> _Array | None:
    """How far each cell moves; None over a cut."""
    points, cells = _grid(*before.shape)
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, None, **_FOLLOWING)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None, **_FOLLOWING)
    known = (found * found_back)[:, 0] > 0
    known &= np.linalg.norm(back - points, axis=1) < _ASTRAY
    # Where there is something to follow but most of it is lost, this is another picture.
    if not known.any() or known.sum() < 0.4 * (found > 0).sum():
        return None
    moves = np.full((_CELLS * _CELLS, 2), np.nan)
    for cell in np.unique(cells[known]):
        moves[cell] = np.median((there - points)[known & (cells == cell)], axis=0)
    return moves


def _grid(height: int, width: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.intp]]:
    """Points (n, 2) spread evenly over a picture, and which cell each of them is in."""
    across, down = (_CELLS * max(1, round(side / _SPACING / _CELLS)) for side in (width, height))
    y, x = (index.ravel() for index in np.mgrid[:down, :across])
    points = np.stack([(x + 0.5) * width / across - 0.5, (y + 0.5) * height / down - 0.5], axis=1)
    return points.astype(np.float32), y * _CELLS // down * _CELLS + x * _CELLS // across


# From motion to trembling.

_ROW, _COLUMN = np.divmod(np.arange(_CELLS * _CELLS), _CELLS)
_CENTRES = (np.stack([_COLUMN, _ROW], axis=1) + 0.5) / _CELLS - 0.5  # from the middle, as shares of width and height
_AT_BORDER = ((_ROW % (_CELLS - 1)) * (_COLUMN % (_CELLS - 1))) == 0


@dataclass(frozen=True)
class _Trembling:
    whole: _Array  # (frames, 4): what the picture does as a whole: x and y in pixels, growth, roll in radians
    shared: float  # by how much of its border
    travel: float  # pixels that the steady part of it covers


def _trembling(run: _Run, window: float) -> _Trembling | None:
    """What in a run is not steady over `window` frames; None where too little is known."""
    if len(run.moves) + 1 < _FEWEST_FRAMES:
        return None
    moves = np.array(run.moves)
    cells = np.isfinite(moves[..., 0]).mean(axis=0) >= _FEWEST_KNOWN
    if cells[_AT_BORDER].mean() < _FEWEST_KNOWN:
        return None
    filled = np.where(np.isnan(moves), np.nanmedian(moves, axis=1, keepdims=True), moves)[:, cells]
    path = np.cumsum(np.concatenate([np.zeros_like(filled[:1]), filled]), axis=0)
    different = len(moves) / run.frames
    window = max(_FEWEST_FRAMES, round(window * different))
    parts = path - _steady(path, window)
    centres = (_CENTRES * run.size)[cells]
    whole, rest = _as_a_whole(parts, centres)
    agrees = _length(rest) < _AGREES * _length(parts)
    at_border = _AT_BORDER[cells]
    travel = _travel(filled, centres, centres[at_border], window)
    return _Trembling(whole, float(agrees[at_border].mean()), travel)


def _travel(moves: _Array, centres: _Array, places: _Array, window: float) -> float:
    """How far most of some places come from where they were, by what the moves (frames, n, 2) share, steadied.

    Shared frame by frame: who walks through the picture is in every part of it once, but never in most of them.
    """
    whole, _ = _as_a_whole(moves, centres)
    path = np.cumsum(np.concatenate([np.zeros_like(whole[:1]), whole]), axis=0)
    steady = _steady(path, round(window))
    gone = np.einsum("nki,fi->fnk", _effects(places), steady - steady[0])
    return float(np.median(np.linalg.norm(gone, axis=2), axis=1).max())


def _steady(path: _Array, window: int) -> _Array:
    """A path (n, ...) smoothed: at each place by a parabola over `window` of them (Savitzky and Golay).

    A parabola, as the mean would cut the corners of a pan that gathers speed.
    """
    length = min(window, len(path))
    powers = np.vander(np.linspace(-1, 1, length), 3)
    weights = powers @ np.linalg.pinv(powers)
    starts = np.clip(np.arange(len(path)) - length // 2, 0, len(path) - length)
    each = (np.tensordot(weights[at - start], path[start : start + length], 1) for at, start in enumerate(starts))
    return np.stack(list(each))


def _as_a_whole(parts: _Array, centres: _Array) -> tuple[_Array, _Array]:
    """The shift, growth and roll that most parts (frames, n, 2) at centres (n, 2) share; and what is left of the parts.

    By least absolute distances, so that the fewer parts that do something else do not pull: least squares, over and
    over with weights by what was left.
    """
    effects = _effects(centres)
    left, weights = parts, np.ones(parts.shape[:2])
    for _ in range(10):
        normal = np.einsum("nki,fn,nkj->fij", effects, weights, effects)
        aims = np.einsum("nki,fn,fnk->fi", effects, weights, parts)
        whole = np.linalg.solve(normal, aims[..., None])[..., 0]
        left = parts - np.einsum("nki,fi->fnk", effects, whole)
        weights = 1 / np.maximum(np.linalg.norm(left, axis=2), 0.02)
    return whole, left


def _effects(centres: _Array) -> _Array:
    """What a shift along x, one along y, growth and roll do at places (n, 2) about the middle: (n, 2, 4)."""
    x, y = centres.T
    one, none = np.ones_like(x), np.zeros_like(x)
    effects: _Array = np.array([[one, none, x, -y], [none, one, y, x]]).transpose(2, 0, 1)
    return effects


def _length(parts: _Array) -> _Array:
    """How long the arrows (frames, n, 2) are, for each part over all frames."""
    lengths: _Array = np.median(np.linalg.norm(parts, axis=2), axis=0)
    return lengths


def _deviation(values: _Array) -> _Array:
    """Standard deviations of the columns of (frames, n), by the median, which outliers do not move."""
    deviation: _Array = np.median(np.abs(values), axis=0) / 0.6745
    return deviation
