"""Draws the source picture's depth from the target camera: a mesh through the pixel centres, torn at steps.

What is drawn is inverse depth alone, in a buffer with SAMPLES x SAMPLES samples a pixel, the nearer winning. Where a
sample's colour is found follows from it exactly. EMPTY marks samples that nothing covers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .compiled import compiled, inlined
from .edges import DOWN, RIGHT, parallax

SAMPLES = 2
EMPTY = np.float32(-1)

_BLOCK = 16  # vertices, along each side, that at most are drawn as one where the surface between them is flat
_FLAT = 0.04  # pixels that drawing it so may displace
_OVERLAP = 0.05  # samples that triangles reach beyond their sides, against cracks between unlike neighbours
_NARROW = 8  # samples: triangles so narrow are tried sample by sample, wider ones row by row

Floats = npt.NDArray[np.float32]


@compiled
def draw(q: Any, tears: Any, cuts: Any, m: Any, nearest: Any, buffer: Any) -> Any:
    """Draw the grid ``q`` by the map ``m`` into ``buffer`` (SAMPLES h, SAMPLES w).

    Returns how many vertices inside the view lie nearer to the target camera than inverse depth ``nearest``: they,
    and what is behind the camera, are left out.
    """
    buffer[:] = EMPTY
    rows, columns = q.shape
    corner = np.empty((8, 3), np.float32)
    outline = np.empty((8, 3), np.float32)
    parts = np.empty((4 * _BLOCK, 4), np.int64)
    clipped = 0
    y0 = 0
    while y0 < rows - 1:
        y1 = _block_end(y0, rows)
        x0 = 0
        while x0 < columns - 1:
            x1 = _block_end(x0, columns)
            clipped += _draw_block(q, tears, cuts, m, nearest, x0, y0, x1, y1, parts, corner, outline, buffer)
            x0 = x1
        y0 = y1
    return clipped


@inlined
def _draw_block(
    q: Any,
    tears: Any,
    cuts: Any,
    m: Any,
    nearest: Any,
    x0: Any,
    y0: Any,
    x1: Any,
    y1: Any,
    parts: Any,
    corner: Any,
    outline: Any,
    buffer: Any,
) -> Any:
    """Draw a block whole where it is flat, else by halves along each side. ``parts`` is scratch: what is left to do."""
    clipped = 0
    parts[0, 0], parts[0, 1], parts[0, 2], parts[0, 3] = x0, y0, x1, y1
    left = 1
    while left > 0:
        left -= 1
        x0, y0, x1, y1 = parts[left, 0], parts[left, 1], parts[left, 2], parts[left, 3]
        if x1 - x0 == 1 and y1 - y0 == 1:
            if tears[y0, x0] | (tears[y0, x1] & DOWN) | (tears[y1, x0] & RIGHT):
                _draw_torn(q, cuts, tears, m, nearest, x0, y0, corner, outline, buffer)
            elif not draw_cell(q, m, nearest, x0, y0, x1, y1, buffer):
                clipped += _is_seen(q, m, nearest, x0, y0, buffer)
            continue
        if _is_flat(q, tears, m, x0, y0, x1, y1) and draw_cell(q, m, nearest, x0, y0, x1, y1, buffer):
            continue
        x, y = (x0 + x1 + 1) // 2, (y0 + y1 + 1) // 2  # x1 or y1 where there is nothing to halve
        for top, bottom in ((y0, y), (y, y1)):
            for start, stop in ((x0, x), (x, x1)):
                if top < bottom and start < stop:
                    parts[left, 0], parts[left, 1], parts[left, 2], parts[left, 3] = start, top, stop, bottom
                    left += 1
    return clipped


@inlined
def _block_end(start: Any, count: Any) -> Any:
    """Blocks leave out the rim: its vertices are half a pixel from their neighbours, not one."""
    if start == 0:
        return 1
    return start + 1 if start >= count - 2 else min(start + _BLOCK, count - 2)


@inlined
def _place(at: Any, count: Any) -> Any:
    """A vertex's pixel coordinate: pixel centres, between the two edges of the picture."""
    return np.float32(min(max(at - 0.5, 0.0), count - 2.0))


@inlined
def _is_flat(q: Any, tears: Any, m: Any, x0: Any, y0: Any, x1: Any, y1: Any) -> Any:
    if x1 - x0 < 2 or y1 - y0 < 2:
        return False
    q00, q10, q01, q11 = q[y0, x0], q[y0, x1], q[y1, x0], q[y1, x1]
    nearest = max(max(q00, q10), max(q01, q11))
    u, v = np.float32(0.5 * (x0 + x1) - 0.5), np.float32(0.5 * (y0 + y1) - 0.5)
    move = parallax(m, u, v, nearest)
    # Inverse depth is as linear across the block as moves the picture by less than can be seen.
    bound = np.float32(_FLAT) / max(move, np.float32(1e-6))
    if abs(q00 + q11 - q10 - q01) > bound:
        return False
    across, down = np.float32(1) / (x1 - x0), np.float32(1) / (y1 - y0)
    for y in range(y0, y1 + 1):
        t = (y - y0) * down
        left, right = q00 + t * (q01 - q00), q10 + t * (q11 - q10)
        slope = (right - left) * across
        worst = np.float32(0)
        torn = 0
        for x in range(x0, x1 + 1):
            worst = max(worst, abs(q[y, x] - (left + (x - x0) * slope)))
            torn |= tears[y, x]
        if worst > bound or torn:
            return False
    return True


@inlined
def _project(m: Any, nearest: Any, u: Any, v: Any, q: Any) -> Any:
    """Where a vertex falls, in samples, and its inverse depth there: EMPTY where it is too near.

    Numbers and not a row of an array: numba counts who holds each row, and that costs more than the rest.
    """
    hz = m[2, 0] * u + m[2, 1] * v + m[2, 2] + m[2, 3] * q
    if hz <= np.float32(1e-6):
        return np.float32(-1), np.float32(-1), EMPTY
    inverse = np.float32(1) / hz
    x = (m[0, 0] * u + m[0, 1] * v + m[0, 2] + m[0, 3] * q) * inverse * np.float32(SAMPLES)
    y = (m[1, 0] * u + m[1, 1] * v + m[1, 2] + m[1, 3] * q) * inverse * np.float32(SAMPLES)
    return x, y, (EMPTY if q > nearest * hz else q * inverse)


@inlined
def draw_cell(q: Any, m: Any, nearest: Any, x0: Any, y0: Any, x1: Any, y1: Any, buffer: Any) -> Any:
    """Draw the mesh between four vertices; not if one is too near, which is returned."""
    rows, columns = q.shape
    u0, u1, v0, v1 = _place(x0, columns), _place(x1, columns), _place(y0, rows), _place(y1, rows)
    ax, ay, aw = _project(m, nearest, u0, v0, q[y0, x0])
    bx, by, bw = _project(m, nearest, u1, v0, q[y0, x1])
    cx, cy, cw = _project(m, nearest, u1, v1, q[y1, x1])
    dx, dy, dw = _project(m, nearest, u0, v1, q[y1, x0])
    if min(min(aw, bw), min(cw, dw)) == EMPTY:
        return False
    _draw_triangle(ax, ay, aw, bx, by, bw, cx, cy, cw, buffer)
    _draw_triangle(ax, ay, aw, cx, cy, cw, dx, dy, dw, buffer)
    return True


@inlined
def _is_seen(q: Any, m: Any, nearest: Any, x: Any, y: Any, buffer: Any) -> Any:
    """1 where a vertex of a cell that is too near, but before the camera, is inside the view."""
    rows, columns = q.shape
    for j in (y, y + 1):
        for i in (x, x + 1):
            px, py, w = _project(m, nearest, _place(i, columns), _place(j, rows), q[j, i])
            if w == EMPTY and px >= 0 and 0 <= py < buffer.shape[0] and px < buffer.shape[1]:
                return 1
    return 0


@inlined
def _draw_torn(
    q: Any, cuts: Any, tears: Any, m: Any, nearest: Any, x: Any, y: Any, corner: Any, outline: Any, buffer: Any
) -> Any:
    """A cell with a step across it: the near side as far as the step, the far side carried on behind it."""
    rows, columns = q.shape
    low = min(min(q[y, x], q[y, x + 1]), min(q[y + 1, x], q[y + 1, x + 1]))
    high = max(max(q[y, x], q[y, x + 1]), max(q[y + 1, x], q[y + 1, x + 1]))
    middle = np.float32(0.5) * (low + high)
    for i in range(4):  # around the cell
        column, row = x + (1 if i in (1, 2) else 0), y + (1 if i >= 2 else 0)
        corner[i, 0], corner[i, 1], corner[i, 2] = _place(column, columns), _place(row, rows), q[row, column]
    for near in (True, False):
        if near:
            count = _outline_near(cuts, tears, x, y, middle, corner, outline)
        else:
            count = _outline_far(middle, corner, outline)
        whole = True
        for i in range(count):
            px, py, w = _project(m, nearest, outline[i, 0], outline[i, 1], outline[i, 2])
            outline[i, 0], outline[i, 1], outline[i, 2] = px, py, w
            whole &= w != EMPTY
        if whole:
            _draw_fan(outline, count, buffer)


@inlined
def _outline_near(cuts: Any, tears: Any, x: Any, y: Any, middle: Any, corner: Any, outline: Any) -> Any:
    count = 0
    for i in range(4):
        j = (i + 1) & 3
        near, next_near = corner[i, 2] > middle, corner[j, 2] > middle
        if near:
            outline[count, 0], outline[count, 1], outline[count, 2] = corner[i, 0], corner[i, 1], corner[i, 2]
            count += 1
        if near != next_near:
            t = _cut_along(cuts, tears, x, y, i)
            outline[count, 0] = corner[i, 0] + t * (corner[j, 0] - corner[i, 0])
            outline[count, 1] = corner[i, 1] + t * (corner[j, 1] - corner[i, 1])
            outline[count, 2] = corner[i, 2] if near else corner[j, 2]
            count += 1
    return count


@inlined
def _outline_far(middle: Any, corner: Any, outline: Any) -> Any:
    far, found = np.float32(0), np.float32(0)
    for i in range(4):
        if corner[i, 2] <= middle:
            far += corner[i, 2]
            found += np.float32(1)
    for i in range(4):
        outline[i, 0], outline[i, 1], outline[i, 2] = corner[i, 0], corner[i, 1], corner[i, 2]
        if corner[i, 2] > middle:
            one, other = corner[(i + 1) & 3, 2], corner[(i + 3) & 3, 2]
            # The neighbour on the far side, where there is one alone.
            if one <= middle < other:
                outline[i, 2] = one
            elif other <= middle < one:
                outline[i, 2] = other
            else:
                outline[i, 2] = far / found
    return 4


@inlined
def _cut_along(cuts: Any, tears: Any, x: Any, y: Any, side: Any) -> Any:
    """How far along a side of a cell, going around, its step lies."""
    row, column, axis = (y + (side == 2), x, 0) if side in (0, 2) else (y, x + (side == 1), 1)
    if not tears[row, column] & (RIGHT if axis == 0 else DOWN):
        return np.float32(0.5)
    t = np.float32(cuts[row, column, axis]) * np.float32(1 / 255)
    return np.float32(1) - t if side >= 2 else t


@inlined
def _draw_fan(outline: Any, count: Any, buffer: Any) -> Any:
    px, py, pw = outline[0, 0], outline[0, 1], outline[0, 2]
    for i in range(2, count):
        rx, ry, rw = outline[i - 1, 0], outline[i - 1, 1], outline[i - 1, 2]
        _draw_triangle(px, py, pw, rx, ry, rw, outline[i, 0], outline[i, 1], outline[i, 2], buffer)


@inlined
def _draw_triangle(px: Any, py: Any, wp: Any, rx: Any, ry: Any, wr: Any, sx: Any, sy: Any, ws: Any, buffer: Any) -> Any:
    """Every sample within the triangle, seen from either side; inverse depth is linear in the picture."""
    height, width = buffer.shape
    half, overlap = np.float32(0.5), np.float32(_OVERLAP)
    top = max(min(py, min(ry, sy)) - half - overlap, np.float32(0))
    bottom = min(max(py, max(ry, sy)) - half + overlap, np.float32(height - 1))
    left = max(min(px, min(rx, sx)) - half - overlap, np.float32(0))
    right = min(max(px, max(rx, sx)) - half + overlap, np.float32(width - 1))
    if not (top <= bottom and left <= right):
        return
    first, last = int(np.ceil(top)), int(np.floor(bottom))
    start, stop = int(np.ceil(left)), int(np.floor(right))
    if first > last or start > stop:
        return
    area = (rx - px) * (sy - py) - (ry - py) * (sx - px)
    if abs(area) < np.float32(1e-7):
        return
    if area < 0:
        rx, ry, wr, sx, sy, ws = sx, sy, ws, rx, ry, wr
        area = -area
    low, high = min(wp, min(wr, ws)), max(wp, max(wr, ws))
    # Edge functions: positive inside; and inverse depth, at the first sample.
    dx, dy = np.float32(start) + half, np.float32(first) + half
    ax, ay, bx, by, cx, cy = py - ry, rx - px, ry - sy, sx - rx, sy - py, px - sx
    ea = ax * (dx - px) + ay * (dy - py)
    eb = bx * (dx - rx) + by * (dy - ry)
    ec = cx * (dx - sx) + cy * (dy - sy)
    inverse = np.float32(1) / area
    across = ((wr - wp) * cx + (ws - wp) * ax) * inverse
    down = ((wr - wp) * cy + (ws - wp) * ay) * inverse
    w = wp + ((wr - wp) * ec + (ws - wp) * ea) * inverse
    ea += overlap * (abs(ax) + abs(ay))
    eb += overlap * (abs(bx) + abs(by))
    ec += overlap * (abs(cx) + abs(cy))
    if stop - start < _NARROW:
        for y in range(first, last + 1):
            a, b, c, at = ea, eb, ec, w
            for x in range(start, stop + 1):
                if min(a, min(b, c)) >= 0:
                    buffer[y, x] = max(buffer[y, x], min(max(at, low), high))
                a, b, c, at = a + ax, b + bx, c + cx, at + across
            ea, eb, ec, w = ea + ay, eb + by, ec + cy, w + down
        return
    a_step, b_step, c_step = np.float32(1) / ax, np.float32(1) / bx, np.float32(1) / cx
    for y in range(first, last + 1):
        n = np.float32(y - first)
        enter, leave = _clip(ea + n * ay, ax, a_step, np.float32(0), np.float32(stop - start))
        enter, leave = _clip(eb + n * by, bx, b_step, enter, leave)
        enter, leave = _clip(ec + n * cy, cx, c_step, enter, leave)
        if enter > leave:
            continue
        begin, at = math.ceil(enter), w + n * down
        for k in range(begin, math.floor(leave) + 1):
            clamped = min(max(at + np.float32(k) * across, low), high)
            buffer[y, start + k] = max(buffer[y, start + k], clamped)


@inlined
def _clip(value: Any, slope: Any, inverse: Any, enter: Any, leave: Any) -> Any:
    """The part of a row where ``value`` plus ``slope`` (or 1 / ``inverse``) for each sample is not negative."""
    if slope > 0:
        return max(enter, -value * inverse), leave
    if slope < 0:
        return enter, min(leave, -value * inverse)
    return (enter, leave) if value >= 0 else (leave + np.float32(1), leave)
