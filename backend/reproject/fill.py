"""Colours for holes that no footage shows: the background goes on into them, the foreground never.

A hole opens between a near surface and what it hid, so only the farther of its two sides may lend its colour. Those
pixels are the *seeds*; between them colours are interpolated over an image pyramid, coarse where seeds are far
("push-pull", Gortler et al., The Lumigraph, 1996, section 3.4).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .compiled import compiled, inlined
from .edges import MIDDLE, Edges
from .raster import EMPTY, SAMPLES

_FARTHEST = 512  # pixels to look across a hole for its other side
_BAND = 6  # pixels behind a hole's rim that lend their colour too
_SAME = np.float32(0.03)  # inverse depths that differ by less, as a share, are one surface

Floats = npt.NDArray[np.float32]


def fill_around(out: Floats, covered: Floats) -> None:
    """Fill in ``out`` (h, w, 4, multiplied by ``covered``) what lies beside a picture that is one surface."""
    _spread(out, covered, (covered == 1).astype(np.uint8))


def fill_holes(out: Floats, covered: Floats, seen: Floats, edges: Edges, across: Floats, back: Floats) -> None:
    """The same for a picture with these edges, drawn by the map ``across``; ``seen`` is :func:`flatten`'s."""
    seeds = np.zeros(covered.shape, np.uint8)
    if not _seed(covered, seen, edges.places, edges.patches, across, back, seeds):
        seeds = (covered == 1).astype(np.uint8)
    _spread(out, covered, seeds)


def _spread(out: Floats, covered: Floats, seeds: npt.NDArray[np.uint8]) -> None:
    if not seeds.any():
        return
    levels = [_first_level(out, covered, seeds)]
    while max(levels[-1].shape[:2]) > 1:
        levels.append(_pull(levels[-1]))
    for finer, coarser in zip(levels[-2::-1], levels[:0:-1], strict=True):
        _push(finer, coarser)
    _compose(out, covered, levels[0])


@compiled
def flatten(buffer: Any) -> Any:
    """Per pixel, the nearest inverse depth of its samples; EMPTY where one is missing."""
    height, width = buffer.shape[0] // SAMPLES, buffer.shape[1] // SAMPLES
    nearest = np.empty((height, width), np.float32)
    for y in range(height):
        for x in range(width):
            high, low = EMPTY, np.float32(1e30)
            for i in range(SAMPLES):
                for j in range(SAMPLES):
                    w = buffer[y * SAMPLES + i, x * SAMPLES + j]
                    high, low = max(high, w), min(low, w)
            nearest[y, x] = high if low != EMPTY else EMPTY
    return nearest


@compiled
def _seed(covered: Any, nearest: Any, index: Any, patches: Any, across: Any, back: Any, seeds: Any) -> Any:
    """Mark the pixels that may lend their colour to a hole; say from how many rims of holes."""
    height, width = covered.shape
    count = 0
    for y in range(height):
        for x in range(width):
            if covered[y, x] < 1:
                continue
            left, right = x > 0 and covered[y, x - 1] < 1, x < width - 1 and covered[y, x + 1] < 1
            up, down = y > 0 and covered[y - 1, x] < 1, y < height - 1 and covered[y + 1, x] < 1
            if not (left or right or up or down) or _is_front(index, patches, back, x, y, nearest[y, x]):
                continue
            # Along the line on which near and far came apart: a pixel of one hides pixels of the other on it.
            ex = across[0, 3] - np.float32(x + 0.5) * across[2, 3]
            ey = across[1, 3] - np.float32(y + 0.5) * across[2, 3]
            length: Any = math.hypot(ex, ey)
            if length < np.float32(1e-9):
                ex, ey = np.float32(right) - np.float32(left), np.float32(down) - np.float32(up)
                length = max(math.hypot(ex, ey), np.float32(1e-9))
            ex, ey = ex / length, ey / length
            for sign in (-1, 1):
                dx, dy = sign * ex, sign * ey
                into = (dx > np.float32(0.4) and right) or (dx < np.float32(-0.4) and left)
                into = into or (dy > np.float32(0.4) and down) or (dy < np.float32(-0.4) and up)
                if into:
                    count += _seed_line(covered, nearest, seeds, x, y, dx, dy)
            # Holes that a turn or the frame's rim opened need not lie on that line.
            if left:
                count += _seed_outward(covered, nearest, seeds, x, y, -1, 0)
            if right:
                count += _seed_outward(covered, nearest, seeds, x, y, 1, 0)
            if up:
                count += _seed_outward(covered, nearest, seeds, x, y, 0, -1)
            if down:
                count += _seed_outward(covered, nearest, seeds, x, y, 0, 1)
    return count


@inlined
def _is_front(index: Any, patches: Any, m: Any, x: Any, y: Any, w: Any) -> Any:
    """Whether a pixel of the target shows the near side of a step in the picture."""
    px, py = np.float32(x + 0.5), np.float32(y + 0.5)
    hz = max(m[2, 0] * px + m[2, 1] * py + m[2, 2] + m[2, 3] * w, np.float32(1e-6))
    u = (m[0, 0] * px + m[0, 1] * py + m[0, 2] + m[0, 3] * w) / hz
    v = (m[1, 0] * px + m[1, 1] * py + m[1, 2] + m[1, 3] * w) / hz
    place = index[min(max(int(v), 0), index.shape[0] - 1), min(max(int(u), 0), index.shape[1] - 1)]
    return place >= 0 and w / hz > patches[place, MIDDLE]


@inlined
def _seed_line(covered: Any, nearest: Any, seeds: Any, x: Any, y: Any, dx: Any, dy: Any) -> Any:
    """Look across the hole; if what is there is no farther than this pixel, this side lends its colour."""
    height, width = covered.shape
    here = nearest[y, x]
    px, py = np.float32(x + 0.5), np.float32(y + 0.5)
    for step in range(1, _FARTHEST):
        i, j = math.floor(px + step * dx), math.floor(py + step * dy)
        if i < 0 or j < 0 or i >= width or j >= height:
            break
        if covered[j, i] == 1:
            # One pixel beyond the rim, where the surface is that surface alone.
            if step > 1 and here > nearest[j, i] * (np.float32(1) + _SAME) + np.float32(1e-7):
                return 0
            break
    _mark_band(covered, nearest, seeds, x, y, -dx, -dy)
    return 1


@inlined
def _seed_outward(covered: Any, nearest: Any, seeds: Any, x: Any, y: Any, dx: Any, dy: Any) -> Any:
    """The same for holes that go on to the frame's rim."""
    height, width = covered.shape
    i, j = x + dx, y + dy
    while 0 <= i < width and 0 <= j < height:
        if covered[j, i] == 1:
            return 0
        i, j = i + dx, j + dy
    _mark_band(covered, nearest, seeds, x, y, np.float32(-dx), np.float32(-dy))
    return 1


@inlined
def _mark_band(covered: Any, nearest: Any, seeds: Any, x: Any, y: Any, dx: Any, dy: Any) -> Any:
    height, width = covered.shape
    last = nearest[y, x]
    for step in range(_BAND):
        i, j = math.floor(np.float32(x + 0.5) + step * dx), math.floor(np.float32(y + 0.5) + step * dy)
        if i < 0 or j < 0 or i >= width or j >= height or covered[j, i] < 1:
            return
        if abs(nearest[j, i] - last) > _SAME * max(last, nearest[j, i]) + np.float32(1e-7):
            return
        last = nearest[j, i]
        seeds[j, i] = 1


@compiled
def _first_level(out: Any, covered: Any, seeds: Any) -> Any:
    """(h, w, 5): colours multiplied by their weight, and the weight."""
    height, width = covered.shape
    level = np.zeros((height, width, 5), np.float32)
    for y in range(height):
        for x in range(width):
            if seeds[y, x]:
                for c in range(4):
                    level[y, x, c] = out[y, x, c]
                level[y, x, 4] = np.float32(1)
    return level


@compiled
def _pull(finer: Any) -> Any:
    """Half the size; weights add up and stop at 1, so that many seeds do not drown the few of the next cell."""
    height, width = (finer.shape[0] + 1) // 2, (finer.shape[1] + 1) // 2
    coarser = np.zeros((height, width, 5), np.float32)
    for y in range(height):
        for x in range(width):
            for j in range(2 * y, min(2 * y + 2, finer.shape[0])):
                for i in range(2 * x, min(2 * x + 2, finer.shape[1])):
                    if finer[j, i, 4] > 0:
                        for c in range(5):
                            coarser[y, x, c] += finer[j, i, c]
            weight = coarser[y, x, 4]
            if weight > 1:
                for c in range(5):
                    coarser[y, x, c] /= weight
    return coarser


@compiled
def _push(finer: Any, coarser: Any) -> Any:
    """Fill what weight ``finer`` lacks from ``coarser``, interpolated; ``coarser`` is complete."""
    height, width = finer.shape[:2]
    rows, columns = coarser.shape[:2]
    quarter, three = np.float32(0.25), np.float32(0.75)
    for y in range(height):
        j0 = y >> 1
        j1 = min(max(j0 + (1 if y & 1 else -1), 0), rows - 1)
        for x in range(width):
            weight = finer[y, x, 4]
            if weight >= 1:
                continue
            i0 = x >> 1
            i1 = min(max(i0 + (1 if x & 1 else -1), 0), columns - 1)
            lack = np.float32(1) - weight
            for c in range(4):
                one = three * coarser[j0, i0, c] + quarter * coarser[j0, i1, c]
                other = three * coarser[j1, i0, c] + quarter * coarser[j1, i1, c]
                finer[y, x, c] += lack * (three * one + quarter * other)
            finer[y, x, 4] = np.float32(1)


@compiled
def _compose(out: Any, covered: Any, filled: Any) -> Any:
    """Put the fill behind what is there; it is opaque."""
    height, width = covered.shape
    for y in range(height):
        for x in range(width):
            lack = np.float32(1) - covered[y, x]
            if lack <= 0:
                continue
            opaque = lack / max(filled[y, x, 3], np.float32(1e-3))
            for c in range(3):
                out[y, x, c] += opaque * filled[y, x, c]
            out[y, x, 3] += lack
