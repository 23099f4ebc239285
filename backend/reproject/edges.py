"""Where the source picture is torn: pairs of neighbours with a step in depth between them.

The pixels at such a step carry the colours of both sides. Moved apart, each side would take a rim of the other's colour
with it; so both get a *patch*, the colours of that side alone, carried on across the step for a few pixels.

Arrays named ``q`` are inverse depth on the grid of :func:`grid`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .compiled import compiled, inlined

RIGHT, DOWN = 1, 2
"""Bits of a tear: between a vertex and the next one to the right, or below."""

MIDDLE, APART, NEAR, FAR = 0, 1, 2, 6
"""Columns of a patch."""

REACH = 3
"""Pixels from a step within which colours are kept apart: a cubic's reach and one."""

_LEAST_STEP = 0.005  # of the nearer side's inverse depth: less is a rough surface
_LEAST_PARALLAX = 0.3  # pixels that the sides must move apart: less is not worth a tear
_SLOPE = 2.0  # a step is one only if it is this much steeper than the surface beside it

Floats = npt.NDArray[np.float32]


class Edges(NamedTuple):
    """The steps of one picture, as far as one target camera tells their sides apart.

    Attributes:
        tears: (h + 2, w + 2) uint8, bits RIGHT and DOWN.
        cuts: (h + 2, w + 2, 2) uint8, how far from a vertex towards its neighbour the step lies, of 255.
        places: (h, w) int32, the pixel's row in ``patches``; -1 away from steps.
        patches: (n, 10), columns MIDDLE: inverse depth half-way between the sides; APART: how far they have come apart,
            0 (not) to 1; four from NEAR and four from FAR: what the near and the far side look like there.
    """

    tears: npt.NDArray[np.uint8]
    cuts: npt.NDArray[np.uint8]
    places: npt.NDArray[np.int32]
    patches: Floats


def find_edges(picture: Floats, q: Floats, m: Floats) -> Edges:
    """The steps of a picture (h, w, 4) that the map ``m`` moves apart."""
    height, width = picture.shape[:2]
    tears = np.zeros(q.shape, np.uint8)
    cuts = np.full((*q.shape, 2), 127, np.uint8)
    index = np.full((height, width), -1, np.int32)
    count = find_tears(q, m, tears)
    patches = np.empty((min(count * 2 * (2 * REACH + 1) * (REACH + 1), height * width), 10), np.float32)
    if count:
        beside = np.zeros(len(patches), np.bool_)
        patches = patches[: _mark(q, m, tears, index, patches, beside)]
        _patch(picture, q, _without_mixed(q, tears), index, beside, patches)
        _cut(picture, q, tears, index, patches, cuts)
    return Edges(tears, cuts, index, patches)


@compiled
def grid(depth: Floats) -> Floats:
    """Inverse depth (h + 2, w + 2): the pixel centres, and the picture's rim where the outermost pixels end.

    What is no depth (not a number, zero, negative) counts as infinitely far.
    """
    height, width = depth.shape
    q = np.zeros((height + 2, width + 2), np.float32)
    for y in range(height):
        for x in range(width):
            if depth[y, x] > 0:
                q[y + 1, x + 1] = np.float32(1) / depth[y, x]
    for y in range(1, height + 1):
        q[y, 0] = _beyond(q[y, 1], q[y, min(2, width)])
        q[y, width + 1] = _beyond(q[y, width], q[y, max(width - 1, 1)])
    for x in range(width + 2):
        q[0, x] = _beyond(q[1, x], q[min(2, height), x])
        q[height + 1, x] = _beyond(q[height, x], q[max(height - 1, 1), x])
    return q


@inlined
def _beyond(last: Any, before: Any) -> Any:
    """Half a pixel further along the slope, unless that is a step."""
    if abs(last - before) > np.float32(0.05) * max(last, before):
        return last
    return max(last + np.float32(0.5) * (last - before), np.float32(0))


@inlined
def parallax(m: Any, u: Any, v: Any, q: Any) -> Any:
    """Pixels in the other picture per unit of inverse depth, at a point."""
    hx = m[0, 0] * u + m[0, 1] * v + m[0, 2] + m[0, 3] * q
    hy = m[1, 0] * u + m[1, 1] * v + m[1, 2] + m[1, 3] * q
    hz = m[2, 0] * u + m[2, 1] * v + m[2, 2] + m[2, 3] * q
    if hz <= np.float32(1e-6):
        return np.float32(1e9)
    x, y = hx / hz, hy / hz
    return math.hypot(m[0, 3] - x * m[2, 3], m[1, 3] - y * m[2, 3]) / hz


@compiled
def find_tears(q: Any, m: Any, tears: Any) -> Any:
    """Add to ``tears`` the steps that the map ``m`` moves apart; return how many."""
    height, width = q.shape[0] - 2, q.shape[1] - 2
    count = 0
    for y in range(1, height + 1):
        for x in range(1, width + 1):
            here = q[y, x]
            if x < width and abs(q[y, x + 1] - here) > np.float32(_LEAST_STEP) * max(here, q[y, x + 1]):
                before = q[y, max(x - 1, 1)]
                after = q[y, min(x + 2, width)]
                if _is_step(before, here, q[y, x + 1], after, m, x, y):
                    tears[y, x] |= RIGHT
                    count += 1
            if y < height and abs(q[y + 1, x] - here) > np.float32(_LEAST_STEP) * max(here, q[y + 1, x]):
                before = q[max(y - 1, 1), x]
                after = q[min(y + 2, height), x]
                if _is_step(before, here, q[y + 1, x], after, m, x, y):
                    tears[y, x] |= DOWN
                    count += 1
    return count


@inlined
def _is_step(before: Any, here: Any, there: Any, after: Any, m: Any, x: Any, y: Any) -> Any:
    step = there - here
    # Slopes that lead up to the step the same way explain as much of it: inverse depth is linear along any plane.
    sign = np.float32(1) if step > 0 else np.float32(-1)
    slope = max(sign * (here - before), sign * (after - there))
    if abs(step) <= np.float32(_SLOPE) * slope:
        return False
    move = parallax(m, np.float32(x - 0.5), np.float32(y - 0.5), max(here, there))
    return abs(step) * move > np.float32(_LEAST_PARALLAX)


@compiled
def _mark(q: Any, m: Any, tears: Any, index: Any, patches: Any, beside: Any) -> Any:
    """Give a place to each pixel within REACH of a step, and say of the nearest step how high it is.

    ``beside`` becomes true where a cubic that looks at the other side of a step may reach the pixel: one pixel less
    far. Return how many places there are.
    """
    height, width = index.shape
    count = 0
    nearest = np.empty(len(patches), np.int32)
    for y in range(1, height + 1):
        for x in range(1, width + 1):
            for bit in (RIGHT, DOWN):
                if not tears[y, x] & bit:
                    continue
                x1, y1 = x + (bit == RIGHT), y + (bit == DOWN)
                low, high = min(q[y, x], q[y1, x1]), max(q[y, x], q[y1, x1])
                move = parallax(m, np.float32(x - 0.5), np.float32(y - 0.5), high)
                apart = (move * (high - low) - np.float32(_LEAST_PARALLAX)) * np.float32(2)
                for v in range(max(y - 1 - REACH, 0), min(y1 + REACH, height)):
                    for u in range(max(x - 1 - REACH, 0), min(x1 + REACH, width)):
                        # Twice the distance from the middle of the pair.
                        du, dv = 2 * (u + 1) - x - x1, 2 * (v + 1) - y - y1
                        distance = du * du + dv * dv
                        place = index[v, u]
                        if place < 0:
                            place = count
                            count += 1
                            index[v, u] = place
                            nearest[place] = 1 << 20
                        if max(abs(du), abs(dv)) < 2 * REACH:
                            beside[place] = True
                        if distance < nearest[place]:
                            nearest[place] = distance
                            patches[place, MIDDLE] = np.float32(0.5) * (low + high)
                            patches[place, APART] = min(max(apart, np.float32(0)), np.float32(1))
    return count


@compiled
def _without_mixed(q: Any, tears: Any) -> Any:
    """The same (h + 2, w + 2), not a number where a pixel stands at a step, and so may show both sides."""
    alone = q.copy()
    for y in range(1, q.shape[0] - 1):
        for x in range(1, q.shape[1] - 1):
            if tears[y, x] | (tears[y, x - 1] & RIGHT) | (tears[y - 1, x] & DOWN):
                alone[y, x] = np.float32(np.nan)
    return alone


@compiled
def _patch(picture: Any, q: Any, alone: Any, index: Any, beside: Any, patches: Any) -> Any:
    height, width = index.shape
    weights = _weights()
    for v in range(height):
        for u in range(width):
            place = index[v, u]
            if place < 0:
                continue
            middle, here = patches[place, MIDDLE], alone[v + 1, u + 1]
            for side in (1, -1):
                first = NEAR if side > 0 else FAR
                sign = np.float32(side)
                if sign * here > sign * middle or not beside[place]:
                    r, g, b, a = picture[v, u, 0], picture[v, u, 1], picture[v, u, 2], picture[v, u, 3]
                else:
                    r, g, b, a = _extend(picture, q, alone, weights, u, v, middle, sign)
                patches[place, first], patches[place, first + 1] = r, g
                patches[place, first + 2], patches[place, first + 3] = b, a


@inlined
def _weights() -> Any:
    """How much the pixels around one count for it, itself in the middle: the nearest for most."""
    around = REACH + 1
    weights = np.empty((2 * around + 1, 2 * around + 1), np.float32)
    for y in range(-around, around + 1):
        for x in range(-around, around + 1):
            distance = np.float32(x * x + y * y)
            weights[y + around, x + around] = np.float32(1) / (distance * distance + np.float32(0.01))
    return weights


@inlined
def _extend(picture: Any, q: Any, alone: Any, weights: Any, u: Any, v: Any, middle: Any, sign: Any) -> Any:
    """What one side of a step looks like at a pixel, from the pixels around that show this side alone."""
    # Close by, then wider; a thin thing has no pixel that shows it alone.
    total, r, g, b, a = _gather(picture, alone, weights, u, v, 1, 2, middle, sign)
    for ring in range(3, REACH + 2):
        if total == 0:
            total, r, g, b, a = _gather(picture, alone, weights, u, v, ring, ring, middle, sign)
    if total == 0:
        total, r, g, b, a = _gather(picture, q, weights, u, v, 0, REACH, middle, sign)
    if total == 0:
        return picture[v, u, 0], picture[v, u, 1], picture[v, u, 2], picture[v, u, 3]
    inverse = np.float32(1) / total
    return r * inverse, g * inverse, b * inverse, a * inverse


@compiled
def _gather(picture: Any, q: Any, weights: Any, u: Any, v: Any, inner: Any, outer: Any, middle: Any, sign: Any) -> Any:
    """The weighted sum of one side's pixels ``inner`` to ``outer`` away, after that of their weights.

    The side is the near one where ``sign`` is 1, the far one where it is -1.
    """
    height, width = picture.shape[:2]
    total = np.float32(0)
    r, g, b, a = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for y in range(max(v - outer, 0), min(v + outer + 1, height)):
        # A ring has but its ends in the rows between its first and last.
        step = 2 * outer if inner == outer and abs(y - v) < inner else 1
        for x in range(u - outer, u + outer + 1, step):
            if 0 <= x < width and sign * q[y + 1, x + 1] > sign * middle:
                weight = weights[y - v + REACH + 1, x - u + REACH + 1]
                total += weight
                r += weight * picture[y, x, 0]
                g += weight * picture[y, x, 1]
                b += weight * picture[y, x, 2]
                a += weight * picture[y, x, 3]
    return total, r, g, b, a


@compiled
def _cut(picture: Any, q: Any, tears: Any, index: Any, patches: Any, cuts: Any) -> Any:
    """Where between two pixels a step lies: what they show is the near side's colour as far as that side reaches."""
    height, width = index.shape
    for y in range(1, height + 1):
        for x in range(1, width + 1):
            for axis in range(2):
                if not tears[y, x] & (RIGHT if axis == 0 else DOWN):
                    continue
                x1, y1 = x + (axis == 0), y + (axis == 1)
                reach = _near_share(picture, index, patches, x - 1, y - 1)
                reach += _near_share(picture, index, patches, x1 - 1, y1 - 1)
                # The pair covers two pixels, from half a pixel before the first centre.
                reach = min(max(reach - np.float32(0.5), np.float32(0.02)), np.float32(0.98))
                if q[y, x] < q[y1, x1]:
                    reach = np.float32(1) - reach
                cuts[y, x, axis] = np.uint8(reach * np.float32(255) + np.float32(0.5))


@inlined
def _near_share(picture: Any, index: Any, patches: Any, u: Any, v: Any) -> Any:
    place = index[v, u]
    along, length = np.float32(0), np.float32(0)
    for c in range(4):
        across = patches[place, NEAR + c] - patches[place, FAR + c]
        along += (picture[v, u, c] - patches[place, FAR + c]) * across
        length += across * across
    # Colours that hardly differ tell nothing, and hide what they do not tell.
    share = (along + np.float32(25)) / (length + np.float32(50))
    return min(max(share, np.float32(0)), np.float32(1))
