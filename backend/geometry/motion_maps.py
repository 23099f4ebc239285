"""Maps of inverse depth: carried to another frame, turned into motion, and drawn sharp at the footage's size."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..reproject.compiled import compiled

Floats = npt.NDArray[np.float32]

_EVEN = 0.03  # of the inverse depth: a place whose surroundings differ by less is no edge
_ALIKE = 14.0  # levels of 255 by which colours differ that may be of one thing


@compiled
def carry(q: Any, weight: Any, m: Any, found: Any, found_weight: Any) -> None:
    """What a map of inverse depth says of another frame: ``found`` (h, w), zero ``found_weight`` where nothing.

    ``q`` and ``weight`` are (h, w), pixels of no weight are left out; ``m`` (3, 4) leads from the map's frame to the
    other.
    """
    height, width = q.shape
    found[:] = np.float32(0)
    found_weight[:] = np.float32(0)
    for y in range(height):
        for x in range(width):
            if weight[y, x] <= 0:
                continue
            u, v, at = np.float32(x) + np.float32(0.5), np.float32(y) + np.float32(0.5), q[y, x]
            hx = m[0, 0] * u + m[0, 1] * v + m[0, 2] + m[0, 3] * at
            hy = m[1, 0] * u + m[1, 1] * v + m[1, 2] + m[1, 3] * at
            hz = m[2, 0] * u + m[2, 1] * v + m[2, 2] + m[2, 3] * at
            if hz <= np.float32(1e-6):
                continue
            px, py = hx / hz, hy / hz
            if px < 0 or py < 0 or px >= width or py >= height:
                continue
            column, row, there = int(px), int(py), at / hz
            if found_weight[row, column] <= 0 or there > found[row, column]:
                found[row, column] = there
                found_weight[row, column] = weight[y, x]


@compiled
def close_gaps(found: Any, weight: Any) -> None:
    """Fill single pixels that :func:`carry` left out from those around, where these agree."""
    height, width = found.shape
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            if weight[y, x] > 0:
                continue
            low, high, total, count, least = np.float32(1e9), np.float32(0), np.float32(0), 0, np.float32(1e9)
            for j in range(-1, 2):
                for i in range(-1, 2):
                    if weight[y + j, x + i] > 0:
                        value = found[y + j, x + i]
                        low, high, total, count = min(low, value), max(high, value), total + value, count + 1
                        least = min(least, weight[y + j, x + i])
            if count >= 4 and high - low < np.float32(_EVEN) * high:
                found[y, x] = total / np.float32(count)
                weight[y, x] = least


@compiled
def motion_of(q: Any, m: Any, motion: Any) -> None:
    """The motion (h, w, 2) in pixels that a map of inverse depth makes for another frame, if nothing else moves."""
    height, width = q.shape
    for y in range(height):
        for x in range(width):
            u, v, at = np.float32(x) + np.float32(0.5), np.float32(y) + np.float32(0.5), q[y, x]
            hx = m[0, 0] * u + m[0, 1] * v + m[0, 2] + m[0, 3] * at
            hy = m[1, 0] * u + m[1, 1] * v + m[1, 2] + m[1, 3] * at
            hz = max(m[2, 0] * u + m[2, 1] * v + m[2, 2] + m[2, 3] * at, np.float32(1e-6))
            motion[y, x, 0] = hx / hz - u
            motion[y, x, 1] = hy / hz - v


@compiled
def triangulate(motion: Any, m: Any, q: Any, parallax: Any, residual: Any) -> None:
    """Inverse depth (h, w) from motion (h, w, 2) to another frame: what comes nearest on the epipolar line.

    ``parallax`` is how many pixels a unit of it moves a point by; ``residual`` how far from the line the motion ends.
    """
    height, width = q.shape
    for y in range(height):
        for x in range(width):
            u, v = np.float32(x) + np.float32(0.5), np.float32(y) + np.float32(0.5)
            hx = m[0, 0] * u + m[0, 1] * v + m[0, 2]
            hy = m[1, 0] * u + m[1, 1] * v + m[1, 2]
            hz = max(m[2, 0] * u + m[2, 1] * v + m[2, 2], np.float32(1e-6))
            px, py = u + motion[y, x, 0], v + motion[y, x, 1]
            # (hx + bx q) = px (hz + bz q), and for y.
            ax, ay = m[0, 3] - px * m[2, 3], m[1, 3] - py * m[2, 3]
            cx, cy = px * hz - hx, py * hz - hy
            square = ax * ax + ay * ay + np.float32(1e-12)
            at = (ax * cx + ay * cy) / square
            q[y, x] = at
            z = max(hz + m[2, 3] * at, np.float32(1e-6))
            parallax[y, x] = np.sqrt(square) / z
            rx, ry = (cx - ax * at) / z, (cy - ay * at) / z
            residual[y, x] = np.sqrt(rx * rx + ry * ry)


@compiled
def draw_large(q: Any, small: Any, large: Any, out: Any) -> None:
    """Draw a map of inverse depth (h, w) at the size of ``out``, its edges where the picture has them.

    At an edge each pixel takes the side that looks more like it. ``small`` and ``large`` are RGB, uint8, of the map's
    size and of that of ``out``.
    """
    height, width = q.shape
    rows, columns = out.shape
    down, across = np.float32(height) / np.float32(rows), np.float32(width) / np.float32(columns)
    half, alike = np.float32(0.5), np.float32(_ALIKE * _ALIKE)
    for y in range(rows):
        fy = (np.float32(y) + half) * down - half
        top = min(max(int(np.floor(fy)), 0), max(height - 2, 0))
        t = min(max(fy - np.float32(top), np.float32(0)), np.float32(1))
        middle_y = min(max(int(fy + half), 0), height - 1)
        for x in range(columns):
            fx = (np.float32(x) + half) * across - half
            left = min(max(int(np.floor(fx)), 0), max(width - 2, 0))
            s = min(max(fx - np.float32(left), np.float32(0)), np.float32(1))
            middle_x = min(max(int(fx + half), 0), width - 1)
            low, high = np.float32(1e9), np.float32(0)
            first_y, last_y = max(middle_y - 2, 0), min(middle_y + 3, height)
            first_x, last_x = max(middle_x - 2, 0), min(middle_x + 3, width)
            for j in range(first_y, last_y):
                for i in range(first_x, last_x):
                    low, high = min(low, q[j, i]), max(high, q[j, i])
            if high - low <= np.float32(_EVEN) * high:
                next_y, next_x = min(top + 1, height - 1), min(left + 1, width - 1)
                above = q[top, left] + s * (q[top, next_x] - q[top, left])
                below = q[next_y, left] + s * (q[next_y, next_x] - q[next_y, left])
                out[y, x] = above + t * (below - above)
                continue
            r, g, b = np.float32(large[y, x, 0]), np.float32(large[y, x, 1]), np.float32(large[y, x, 2])
            for _ in range(2):
                split = half * (low + high)
                near, far, near_q, far_q = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
                near_low, far_high = high, low
                for j in range(first_y, last_y):
                    for i in range(first_x, last_x):
                        value = q[j, i]
                        if value < low or value > high:
                            continue
                        dr, dg = np.float32(small[j, i, 0]) - r, np.float32(small[j, i, 1]) - g
                        db = np.float32(small[j, i, 2]) - b
                        dx, dy = np.float32(i) - fx, np.float32(j) - fy
                        # The closest colours count most, the nearest pixels more than those around.
                        colour = np.float32(1) + (dr * dr + dg * dg + db * db) / alike
                        place = half + dx * dx + dy * dy
                        weight = np.float32(1) / (colour * colour * place)
                        if value > split:
                            near += weight
                            near_q += weight * value
                            near_low = min(near_low, value)
                        else:
                            far += weight
                            far_q += weight * value
                            far_high = max(far_high, value)
                if near > far:
                    out[y, x] = near_q / near
                    low = near_low
                else:
                    out[y, x] = far_q / far
                    high = far_high
                if high - low <= np.float32(_EVEN) * high:
                    break
