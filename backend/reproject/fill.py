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
    levels = [_first_level(out, seeds)]
    wanted = [_halved(covered < 1)]
    while max(levels[-1].shape[:2]) > 1:
        levels.append(_pull(levels[-1]))
        wanted.append(_halved(wanted[-1]))
    for finer, coarser, mask in zip(levels[-2::-1], levels[:0:-1], wanted[-2::-1], strict=True):
        _push(finer, coarser, mask)
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
def _first_level(out: Any, seeds: Any) -> Any:
    """Of half the picture's size, (h, w, 5): the seeds' colours multiplied by their weight, and the weight.

    The level below would be the picture itself, a weight of 1 at each seed: it is never made.
    """
    height, width = (seeds.shape[0] + 1) // 2, (seeds.shape[1] + 1) // 2
    level = np.zeros((height, width, 5), np.float32)
    for y in range(seeds.shape[0]):
        for x in range(seeds.shape[1]):
            if seeds[y, x]:
                for c in range(4):
                    level[y // 2, x // 2, c] += out[y, x, c]
                level[y // 2, x // 2, 4] += np.float32(1)
    _limit(level)
    return level


@compiled
def _pull(finer: Any) -> Any:
    """Half the size."""
    height, width = (finer.shape[0] + 1) // 2, (finer.shape[1] + 1) // 2
    coarser = np.zeros((height, width, 5), np.float32)
    for y in range(finer.shape[0]):
        for x in range(finer.shape[1]):
            if finer[y, x, 4] > 0:
                for c in range(5):
                    coarser[y // 2, x // 2, c] += finer[y, x, c]
    _limit(coarser)
    return coarser


@inlined
def _limit(level: Any) -> Any:
    """Weights add up and stop at 1, so that many seeds do not drown the few of the next cell."""
    for y in range(level.shape[0]):
        for x in range(level.shape[1]):
            weight = level[y, x, 4]
            if weight > 1:
                for c in range(5):
                    level[y, x, c] /= weight


@compiled
def _halved(wanted: Any) -> Any:
    """Which cells of the next level the wanted ones of this are filled from."""
    height, width = wanted.shape
    rows, columns = (height + 1) // 2, (width + 1) // 2
    coarser = np.zeros((rows, columns), np.bool_)
    for y in range(height):
        for x in range(width):
            if wanted[y, x]:
                j0, j1, i0, i1 = _sources(y, x, rows, columns)
                coarser[j0, i0] = coarser[j0, i1] = coarser[j1, i0] = coarser[j1, i1] = True
    return coarser


@inlined
def _sources(y: Any, x: Any, rows: Any, columns: Any) -> Any:
    """The cells of the next level around a cell: the two rows, then the two columns, the nearer first."""
    j0, i0 = y >> 1, x >> 1
    j1 = min(max(j0 + (1 if y & 1 else -1), 0), rows - 1)
    i1 = min(max(i0 + (1 if x & 1 else -1), 0), columns - 1)
    return j0, j1, i0, i1


@inlined
def _between(coarser: Any, y: Any, x: Any) -> Any:
    """A level's colour at a cell of the one below, interpolated."""
    j0, j1, i0, i1 = _sources(y, x, coarser.shape[0], coarser.shape[1])
    near, across = np.float32(0.5625), np.float32(0.1875)
    far = np.float32(0.0625)
    r, g, b, a = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for j, i, share in ((j0, i0, near), (j0, i1, across), (j1, i0, across), (j1, i1, far)):
        r += share * coarser[j, i, 0]
        g += share * coarser[j, i, 1]
        b += share * coarser[j, i, 2]
        a += share * coarser[j, i, 3]
    return r, g, b, a


@compiled
def _push(finer: Any, coarser: Any, wanted: Any) -> Any:
    """Fill what weight the wanted cells of ``finer`` lack from ``coarser``, which is complete where it has to be."""
    for y in range(finer.shape[0]):
        for x in range(finer.shape[1]):
            lack = np.float32(1) - finer[y, x, 4]
            if lack <= 0 or not wanted[y, x]:
                continue
            r, g, b, a = _between(coarser, y, x)
            finer[y, x, 0] += lack * r
            finer[y, x, 1] += lack * g
            finer[y, x, 2] += lack * b
            finer[y, x, 3] += lack * a
            finer[y, x, 4] = np.float32(1)


@compiled
def _compose(out: Any, covered: Any, filled: Any) -> Any:
    """Put the fill behind what is there; it is opaque. ``filled`` is of half the size; seeds are covered."""
    height, width = covered.shape
    for y in range(height):
        for x in range(width):
            lack = np.float32(1) - covered[y, x]
            if lack <= 0:
                continue
            r, g, b, a = _between(filled, y, x)
            opaque = lack / max(a, np.float32(1e-3))
            out[y, x, 0] += opaque * r
            out[y, x, 1] += opaque * g
            out[y, x, 2] += opaque * b
            out[y, x, 3] += lack
