"""A camera's path without its shake.

What is meant is taken to be a path that bends seldom: it stands, pans or travels, and what lies between bends little.
So a smooth curve (cubic B-spline) is sought that is near the path and whose bends, second derivatives, are few rather
than small: the sum of their lengths is held down, not that of their squares (Kim et al., "L1 trend filtering", SIAM
Review 51, 2009; for cameras Grundmann et al., CVPR 2011). A pan then starts and stops where it did, where a low-pass
would begin too early and end too late. A bend counts as meant where the path would leave a straight line by more than
the shake itself over the time asked for. Nothing is filtered forwards in time, so nothing lags; at its ends the curve
is free, and goes on as the path did.

Positions and rotations are taken in the axes along which they bend, and each axis has bends of its own: a pan costs
tilt and roll nothing. But where several bend at once, each is believed the sooner: who sets out often turns as well.

Rotations are unrolled: the turns from frame to frame, each in the camera's own axes, are added up, which for a pan
about one axis is a straight line however far it goes; what is lost by that is put back in a second pass.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..poses import Array

_REACH = 1.75  # strengths; sways of one way in a strength (two strengths a period) are damped to a tenth
_FIRST = 0.3  # seconds: what is surely shake if a hand made it; how much it is tells how much the rest may be
_KNOWN_BY = 0.6  # seconds up to which what was taken away tells the size of the shake; beyond, pans would be in it
_STAGE = 1.8  # times as long is what is taken away next
_ANEW = 1.0  # seconds up to which it is found anew which bends are meant; over longer ones, pans would be shake as well
_OWN = 2.0  # times its size counts a bend of one axis where others bend as well
_SURE = 1.5  # times the shake: what bends of all axes together exceed where any is meant
_LONGER = 2.5  # power of time by which that rises beyond _ANEW; bends themselves count by its square
_KNOTS = 8  # a strength
_WIDEST = 0.1  # seconds between knots, at the most
_ROUND = 1 / 3  # of the strength, and of a second at the most: within which a bend is rounded
_STEPS, _SHARPER = 15, 8  # rounds of weights: for the sum of lengths, then for fewer bends still
_OUTLIER = 4.0  # times the shake
_LONGEST = 5.0  # times a clip's length
_BLOCK = 48


def smooth(poses: Array, *, rate: float, strength: float, held: Array | None = None) -> Array:
    """Poses (n, 4, 4) of a path without what is quicker than ``strength`` seconds.

    Args:
        poses: rigid, camera-to-world.
        rate: frames per second.
        strength: seconds within which a sway goes one way, at the longest, that is shake.
        held: (n,) how hard each frame is held where it is; 1 each if None. More lets more of the shake be.
    """
    if len(poses) < 4:
        return poses.copy()
    strength = _at_most(strength, len(poses), rate)
    places, unrolled = poses[:, :3, 3], _unrolled(poses[:, :3, :3])
    axes = [_axes_of(each, rate, strength) for each in (places, unrolled)]
    curve = _Curve(np.concatenate([places @ axes[0], unrolled @ axes[1]], axis=1), rate, strength, held)
    turns = _rolled(curve.fitted[:, 3:] @ axes[1].T, poses[0, :3, :3])
    for _ in range(2):
        off = turn_of(np.swapaxes(turns, 1, 2) @ poses[:, :3, :3])
        turns = turns @ turned(curve.again(off @ axes[1], slice(3, 6)) @ axes[1].T)
    result = poses.copy()
    result[:, :3, 3] = curve.fitted[:, :3] @ axes[0].T
    result[:, :3, :3] = turns
    return result


def smooth_columns(values: Array, *, rate: float, strength: float) -> Array:
    """The same of plain numbers (n, k), such as lenses; columns that do not change are left to the last bit."""
    changing = np.ptp(values, axis=0) > 1e-9 * np.abs(values).max(axis=0)
    result = values.copy()
    if changing.any() and len(values) >= 4:
        result[:, changing] = _Curve(values[:, changing], rate, _at_most(strength, len(values), rate)).fitted
    return result


def _at_most(strength: float, frames: int, rate: float) -> float:
    """A strength that the numbers bear: far longer than a clip, all of them leave a straight line."""
    return min(strength, _LONGEST * frames / rate)


def _axes_of(places: Array, rate: float, strength: float) -> Array:
    """Axes (k, k) by which places (n, k) bend apart: a pan or travel is along one of them, the others only shake."""
    strength = min(strength, _ANEW)
    axes = _main_axes(_Curve(places, rate, strength, plain=True).fitted)
    return axes @ _main_axes(_Curve(places @ axes, rate, strength).fitted)


def _main_axes(places: Array) -> Array:
    ways = np.diff(places, axis=0)
    ways -= ways.mean(axis=0)
    axes: Array = np.linalg.eigh(ways.T @ ways)[1]
    return axes


# Curves


class _Weights(NamedTuple):
    data: Array
    bends: Array
    reach: float


class _Curve:
    """A curve through (n, k) places, each column of which has its own bends, looked for in all of them."""

    def __init__(
        self, places: Array, rate: float, strength: float, held: Array | None = None, *, plain: bool = False
    ) -> None:
        """``plain``: bends all along, as by a low-pass."""
        # What is held may have to follow every frame.
        apart = max(1.0, min(strength / _KNOTS, _WIDEST) * rate) if held is None else 1.0
        columns = places.shape[1]
        self._spline = _Spline(len(places), apart)
        self._per_second = rate / self._spline.apart
        self._round = min(strength, 1.0) * _ROUND
        self._held = np.tile(np.ones((len(places), 1)) if held is None else held[:, None], columns)
        self._bends = np.ones((self._spline.count - 2, columns))
        self._weights = _Weights(self._held, self._bends, self._reach(strength if plain else min(strength, _FIRST)))
        self.fitted = self.again(places) if plain else self._fit_all(places, strength)

    def again(self, places: Array, columns: slice = slice(None)) -> Array:
        """Other places by the same curve: what was a bend is one, and nothing else."""
        data, bends, reach = self._weights
        return self._spline.at(self._solve(places, _Weights(data[:, columns], bends[:, columns], reach)))

    def _fit_all(self, places: Array, strength: float) -> Array:
        """From what is surely shake to what may be: its size, and which bends are meant, is learned on the way."""
        first, even = min(_FIRST, strength), self._weights
        shake = _size(places - self.again(places))
        stages = int(np.ceil(np.log(strength / first) / np.log(_STAGE) - 1e-9))
        fitted = places
        for stage in range(stages + 1):
            seconds = first * (strength / first) ** (stage / max(stages, 1))
            known = None if seconds <= _ANEW else self._bends
            fitted = self._fit(places, even._replace(reach=self._reach(seconds)), shake, known)
            if seconds <= _KNOWN_BY:
                shake = _size(places - fitted)
        return fitted

    def _fit(self, places: Array, weights: _Weights, shake: Array, known: Array | None) -> Array:
        """``known``: bends (m, k) found over a shorter time, which are meant if they are large for this one too."""
        shake = shake + 1e-9 + 1e-9 * np.abs(places).max(axis=0)
        if known is not None:
            weights = weights._replace(bends=_few(self._meant(known * weights.reach**2 / shake, weights.reach)))
        for step in range(_STEPS if known is not None else 0, _STEPS + _SHARPER):
            knots = self._solve(places, weights)
            self._bends = np.abs(np.diff(knots, 2, axis=0))
            size = self._meant(self._bends * weights.reach**2 / shake, weights.reach)
            weights = weights._replace(bends=1 / np.maximum(size, 1) if step < _STEPS else _few(size))
            if step >= _STEPS // 2:
                off = np.abs(places - self._spline.at(knots)) + 1e-12 * shake
                believed = np.minimum(1, _OUTLIER * shake / off)
                weights = weights._replace(data=np.where(self._held > 1, self._held, believed))
        self._weights = weights
        return self._spline.at(self._solve(places, weights))

    def _meant(self, size: Array, reach: float) -> Array:
        """How large bends (m, k), so large against the shake, count: as all together, where a column has its own.

        Over a longer time than that in which they are found anew, all together count a little less than over that.
        """
        together = np.linalg.norm(size, axis=1, keepdims=True) / _SURE
        return np.minimum(_OWN * size, together / max(1.0, reach / self._reach(_ANEW)) ** _LONGER)

    def _reach(self, seconds: float) -> float:
        return seconds * _REACH * self._per_second / np.pi

    def _solve(self, places: Array, weights: _Weights) -> Array:
        bands = self._spline.normal(weights.data)
        _add_penalty(bands, weights.reach**4 * weights.bends, (1, -2, 1))
        rounded = (self._round * self._per_second / np.pi) ** 6
        _add_penalty(bands, np.full((self._spline.count - 3, 1), rounded), (-1, 3, -3, 1))
        return _solve_banded(bands, self._spline.gather(weights.data * places))


def _few(size: Array) -> Array:
    """Weights of bends that are so large, against the shake, by which they become few."""
    weights: Array = 1 / (1 + size**4)
    return weights


def _size(off: Array) -> Array:
    """How large shake (n, k) is, (k,): root mean squares, by the median, which what was meant does not move."""
    size: Array = np.sqrt(np.median(off**2, axis=0) / 0.455)
    return size


class _Spline:
    """A uniform cubic B-spline over frames 0 to n - 1; its knots are ``apart`` frames apart, or a little less."""

    def __init__(self, frames: int, apart: float) -> None:
        pieces = max(1, int(np.ceil((frames - 1) / apart)))
        self.count = pieces + 3
        self.apart = (frames - 1) / pieces
        at = np.arange(frames) / self.apart
        self._first = np.minimum(at.astype(np.intp), pieces - 1)
        self._begins = np.searchsorted(self._first, np.arange(pieces))
        u = at - self._first
        self._parts = np.stack([(1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3], 1) / 6

    def at(self, knots: Array) -> Array:
        """The curve (n, k) of knots (count, k)."""
        return np.einsum("ni,nik->nk", self._parts, knots[self._first[:, None] + np.arange(4)])

    def gather(self, places: Array) -> Array:
        """What places (n, k) ask of each knot: (count, k)."""
        result = np.zeros((self.count, places.shape[1]))
        for i in range(4):
            result[i : i + self.count - 3] += self._summed(self._parts[:, i, None] * places)
        return result

    def normal(self, weights: Array) -> Array:
        """The normal equations of weighted fits: (4, count, k), the diagonals and those below them."""
        bands = np.zeros((4, self.count, weights.shape[1]))
        for i in range(4):
            for j in range(i, 4):
                products = (self._parts[:, i] * self._parts[:, j])[:, None] * weights
                bands[j - i, i : i + self.count - 3] += self._summed(products)
        return bands

    def _summed(self, values: Array) -> Array:
        """Values (n, k) of frames, added up for each piece: (pieces, k)."""
        sums: Array = np.add.reduceat(values, self._begins, axis=0) / self.apart
        return sums


def _add_penalty(bands: Array, weights: Array, differences: tuple[int, ...]) -> None:
    """Add that squares of these differences of neighbours, weighted (m, k), are to be small."""
    for i, one in enumerate(differences):
        for j in range(i, len(differences)):
            bands[j - i, i : i + len(weights)] += weights * one * differences[j]


def _solve_banded(bands: Array, right: Array) -> Array:
    """Solve k symmetric systems of three bands beside their diagonals, in blocks: time and memory grow with length."""
    count, columns = right.shape
    blocks = -(-count // _BLOCK)
    padded = np.zeros((4, blocks * _BLOCK, columns))
    padded[:, :count] = bands
    padded[0, count:] = 1
    known = np.zeros((blocks * _BLOCK, columns))
    known[:count] = right
    known = known.reshape(blocks, _BLOCK, columns).transpose(0, 2, 1)[..., None]
    own, below = _in_blocks(padded, blocks)
    above = np.swapaxes(below, -1, -2)
    # Forwards: what each block leaves of the next.
    for block in range(1, blocks):
        share = np.swapaxes(np.linalg.solve(own[block - 1], above[block - 1]), -1, -2)
        own[block] -= share @ above[block - 1]
        known[block] -= share @ known[block - 1]
    found = np.empty_like(known)
    for block in range(blocks - 1, -1, -1):
        rest = known[block]
        if block + 1 < blocks:
            rest = rest - above[block] @ found[block + 1]
        found[block] = np.linalg.solve(own[block], rest)
    return found[..., 0].transpose(0, 2, 1).reshape(-1, columns)[:count]


def _in_blocks(bands: Array, blocks: int) -> tuple[Array, Array]:
    """The blocks on the diagonals, and those below them: entry (i, j) of the latter is row i of the next block."""
    columns = bands.shape[2]
    own, below = np.zeros((2, blocks, columns, _BLOCK, _BLOCK))
    for band in range(4):
        values = bands[band].reshape(blocks, _BLOCK, columns).transpose(0, 2, 1)
        column = np.arange(_BLOCK)
        row = column + band
        here, there = row < _BLOCK, row >= _BLOCK
        own[:, :, row[here], column[here]] = values[:, :, here]
        own[:, :, column[here], row[here]] = values[:, :, here]
        below[:, :, row[there] - _BLOCK, column[there]] = values[:, :, there]
    return own, below


# Rotations


def turned(turns: Array) -> Array:
    """Rotations (n, 3, 3) of turns (n, 3): axes times radians (Rodrigues)."""
    angle = np.linalg.norm(turns, axis=1)[:, None, None]
    x, y, z = turns.T
    none = np.zeros_like(x)
    cross = np.moveaxis(np.array([[none, -z, y], [z, none, -x], [-y, x, none]]), -1, 0)
    one = np.sinc(angle / np.pi)
    two = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    result: Array = np.eye(3) + one * cross + two * cross @ cross
    return result


def turn_of(rotations: Array) -> Array:
    """Turns (n, 3), axes times radians, of rotations (n, 3, 3) of less than half a circle."""
    axis = np.stack([rotations[:, 2, 1], rotations[:, 0, 2], rotations[:, 1, 0]], 1)
    axis -= np.stack([rotations[:, 1, 2], rotations[:, 2, 0], rotations[:, 0, 1]], 1)
    sine, cosine = np.linalg.norm(axis, axis=1) / 2, (np.trace(rotations, axis1=1, axis2=2) - 1) / 2
    angle = np.arctan2(sine, cosine)
    return axis / (2 * np.maximum(np.sinc(angle / np.pi), 1e-9))[:, None]


def _unrolled(rotations: Array) -> Array:
    steps = turn_of(np.swapaxes(rotations[:-1], 1, 2) @ rotations[1:])
    return np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])


def _rolled(unrolled: Array, first: Array) -> Array:
    """Rotations again; the turn that the path begins with goes before the first."""
    steps = turned(np.diff(unrolled, axis=0, prepend=np.zeros((1, 3))))
    result = np.empty_like(steps)
    for index, step in enumerate(steps):
        first = first @ step
        result[index] = first
    return result
