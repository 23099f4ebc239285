"""Inverse depth of a frame from others with known cameras: a sweep of planes, made smooth along the picture.

Every pixel is looked up in the other frames as it would lie at each of a row of inverse depths (the planes); how badly
the pictures then agree is the cost. The costs are made smooth along four ways through the picture, after Hirschmueller,
"Stereo Processing by Semiglobal Matching and Mutual Information", PAMI 30 (2008), the cheapest plane wins, and what it
gives is refined between planes by how the pictures change along the epipolar lines.

Pictures here are those of :func:`evened`; maps are ``Map.single()`` of reproject's views.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..reproject.compiled import compiled, inlined

Floats = npt.NDArray[np.float32]

_AROUND = 1.2  # pixels (sigma) that a picture's brightness and contrast are taken over
_NOISE = 3.0  # levels of 255: contrast below this is taken for noise
_MOST = 1.6  # of the contrast: pictures that differ by more show different things
_WHOLE = 120.0  # the cost of that; costs are kept as bytes
_NEARER = 0.06  # cost of each plane nearer: what nothing tells of, as an even sky, is far
_UNKNOWN = 60  # the cost where no other frame shows the place
_STEP = 7.0  # cost of going over to the next plane from one pixel to the next
_JUMP = 90.0  # and to any other plane, where the picture is even
_EDGE = 6.0  # levels of 255 by which a picture changes that halve the cost of a jump
_LEAST_JUMP = 16.0

PRIOR = 14.0
"""Most that a plane costs for not being the one that the frame before had there."""

_PRIOR_REACH = 3.0  # planes away at which that much is reached


def evened(grey: npt.NDArray[np.uint8]) -> Floats:
    """A grey picture without what exposure and light change: deviations from the mean around, over the contrast."""
    picture = grey.astype(np.float32)
    mean = cv2.GaussianBlur(picture, (0, 0), _AROUND)
    square = cv2.GaussianBlur(picture * picture, (0, 0), _AROUND)
    contrast = np.sqrt(np.maximum(square - mean * mean, 0))
    return np.asarray((picture - mean) / (contrast + _NOISE), np.float32)


@inlined
def _pixel(picture: Any, x: Any, y: Any) -> Any:
    """The picture between its pixels; ``x`` and ``y`` from the first pixel's centre, and inside."""
    left, top = int(x), int(y)
    s, t = x - np.float32(left), y - np.float32(top)
    above = picture[top, left] + s * (picture[top, left + 1] - picture[top, left])
    below = picture[top + 1, left] + s * (picture[top + 1, left + 1] - picture[top + 1, left])
    return above + t * (below - above)


@compiled
def find_costs(own: Any, others: Any, maps: Any, second: Any, first_q: Any, step: Any, prior: Any, costs: Any) -> None:
    """Fill ``costs`` (h, w, planes) uint8.

    ``own`` is the frame's picture (h, w), ``others`` those of other frames (n, h, w), of which the first ``second`` are
    one group and the rest another: what is hidden is hidden from one group, so the better one counts. ``maps`` (n, 3,
    4) lead there. ``first_q`` and ``step`` are the inverse depth of the first plane, and from plane to plane. ``prior``
    (h, w) is the plane that the frame before had there, negative where there is none.
    """
    height, width, planes = costs.shape
    sums, counts = np.empty((2, planes), np.float32), np.empty((2, planes), np.float32)
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    scale = np.float32(_WHOLE / _MOST)
    for y in range(height):
        for x in range(width):
            u, v = np.float32(x) + np.float32(0.5), np.float32(y) + np.float32(0.5)
            for d in range(planes):
                sums[0, d] = sums[1, d] = np.float32(0)
                counts[0, d] = counts[1, d] = np.float32(0)
            here = own[y, x]
            for n in range(len(others)):
                group, m = 0 if n < second else 1, maps[n]
                hx = m[0, 0] * u + m[0, 1] * v + m[0, 2] + m[0, 3] * first_q
                hy = m[1, 0] * u + m[1, 1] * v + m[1, 2] + m[1, 3] * first_q
                hz = m[2, 0] * u + m[2, 1] * v + m[2, 2] + m[2, 3] * first_q
                sx, sy, sz = m[0, 3] * step, m[1, 3] * step, m[2, 3] * step
                for d in range(planes):
                    z = hz + sz * np.float32(d)
                    if z <= np.float32(1e-6):
                        continue
                    inverse = np.float32(1) / z
                    px = (hx + sx * np.float32(d)) * inverse - np.float32(0.5)
                    py = (hy + sy * np.float32(d)) * inverse - np.float32(0.5)
                    if px < 0 or py < 0 or px >= right or py >= bottom:
                        continue
                    apart = abs(_pixel(others[n], px, py) - here)
                    sums[group, d] += min(apart, np.float32(_MOST))
                    counts[group, d] += np.float32(1)
            before = prior[y, x]
            for d in range(planes):
                cost = np.float32(_UNKNOWN)
                if counts[0, d] > 0:
                    cost = sums[0, d] / counts[0, d] * scale
                    if counts[1, d] > 0:
                        cost = min(cost, sums[1, d] / counts[1, d] * scale)
                elif counts[1, d] > 0:
                    cost = sums[1, d] / counts[1, d] * scale
                if before >= 0:
                    away = min(abs(np.float32(d) - before) / np.float32(_PRIOR_REACH), np.float32(1))
                    cost += np.float32(PRIOR) * away
                costs[y, x, d] = np.uint8(cost + np.float32(_NEARER) * np.float32(d))


@inlined
def _along(costs: Any, before: Any, least: Any, jump: Any, now: Any, total: Any) -> Any:
    """One pixel further on a way: add its smooth costs to ``total``; return the least of them.

    ``before`` and ``now`` have one more place at each end.
    """
    planes = len(costs)
    step = np.float32(_STEP)
    other = least + jump
    for d in range(planes):
        best = min(min(before[d + 1], other), min(before[d], before[d + 2]) + step)
        value = np.float32(costs[d]) + (best - least)
        now[d + 1] = value
        total[d] += value
    lowest = now[1]
    for d in range(1, planes):
        lowest = min(lowest, now[d + 1])
    return lowest


@inlined
def _jump(one: Any, other: Any) -> Any:
    change = abs(np.float32(one) - np.float32(other)) / np.float32(_EDGE)
    return max(np.float32(_JUMP) / (np.float32(1) + change), np.float32(_LEAST_JUMP))


@compiled
def make_smooth(costs: Any, grey: Any, total: Any) -> None:
    """Add up in ``total`` (h, w, planes) float32 what the planes cost along four ways through the picture."""
    height, width, planes = costs.shape
    high = np.float32(1e9)
    row = np.full((2, planes + 2), high, np.float32)
    rows = np.full((2, width, planes + 2), high, np.float32)
    least = np.empty(width, np.float32)
    total[:] = np.float32(0)
    for way in range(2):
        for y0 in range(height):
            y = y0 if way == 0 else height - 1 - y0
            # Down (or up): all of a row's pixels, from those of the row before.
            for x in range(width):
                if y0 == 0:
                    rows[0, x, 1:-1] = np.float32(0)
                    least[x] = np.float32(0)
                jump = _jump(grey[y, x], grey[y - 1 if way == 0 else y + 1, x]) if y0 else np.float32(0)
                least[x] = _along(costs[y, x], rows[y0 & 1, x], least[x], jump, rows[(y0 + 1) & 1, x], total[y, x])
            # To the right (or left): pixel by pixel.
            row[0, 1:-1] = np.float32(0)
            lowest = np.float32(0)
            for x0 in range(width):
                x = x0 if way == 0 else width - 1 - x0
                jump = _jump(grey[y, x], grey[y, x - 1 if way == 0 else x + 1]) if x0 else np.float32(0)
                lowest = _along(costs[y, x], row[x0 & 1], lowest, jump, row[(x0 + 1) & 1], total[y, x])


@compiled
def pick(costs: Any, total: Any, place: Any, cost: Any) -> None:
    """The cheapest plane of each pixel: ``place`` (h, w) float32 between planes, ``cost`` its own cost, 0 to 1."""
    height, width, planes = costs.shape
    for y in range(height):
        for x in range(width):
            best, lowest = 0, total[y, x, 0]
            for d in range(1, planes):
                if total[y, x, d] < lowest:
                    best, lowest = d, total[y, x, d]
            place[y, x] = np.float32(best)
            cost[y, x] = np.float32(costs[y, x, best]) / np.float32(_WHOLE)
            if 0 < best < planes - 1:
                before, after = total[y, x, best - 1] - lowest, total[y, x, best + 1] - lowest
                if before + after > 0:
                    place[y, x] += np.float32(0.5) * (before - after) / (before + after)


@compiled
def find_slopes(own: Any, other: Any, m: Any, q: Any, reach: Any, square: Any, product: Any) -> None:
    """Add to ``square`` and ``product`` (h, w) how a step in inverse depth changes what another frame shows.

    ``product / square`` is the step by which ``q`` is too high. ``reach`` is the step by which the change is seen.
    """
    height, width = own.shape
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    for y in range(height):
        for x in range(width):
            u, v = np.float32(x) + np.float32(0.5), np.float32(y) + np.float32(0.5)
            hx = m[0, 0] * u + m[0, 1] * v + m[0, 2]
            hy = m[1, 0] * u + m[1, 1] * v + m[1, 2]
            hz = m[2, 0] * u + m[2, 1] * v + m[2, 2]
            low, high, middle = np.float32(0), np.float32(0), np.float32(0)
            inside = True
            for side in range(-1, 2):
                at = q[y, x] + np.float32(side) * reach
                z = hz + m[2, 3] * at
                if z <= np.float32(1e-6):
                    inside = False
                    break
                px = (hx + m[0, 3] * at) / z - np.float32(0.5)
                py = (hy + m[1, 3] * at) / z - np.float32(0.5)
                if px < 0 or py < 0 or px >= right or py >= bottom:
                    inside = False
                    break
                value = _pixel(other, px, py)
                if side < 0:
                    low = value
                elif side > 0:
                    high = value
                else:
                    middle = value
            if not inside:
                continue
            slope = (high - low) / (np.float32(2) * reach)
            apart = middle - own[y, x]
            weight = np.float32(1) / (np.float32(1) + apart * apart * np.float32(8))
            square[y, x] += weight * slope * slope
            product[y, x] += weight * slope * apart
