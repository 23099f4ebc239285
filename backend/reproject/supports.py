"""What other frames of the footage saw of a scene that stands still, for the holes of this one.

A few frames, spread over the clip, are kept with their depth. A pixel of theirs is of use if nothing speaks against
its standing still (no other of them sees through the place where it is) and no earlier one shows the same. When a
frame is drawn, of all that only what that frame's own footage does not show is drawn behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..engines import Report, Shot
from . import sample
from .compiled import compiled, inlined
from .edges import DOWN, RIGHT, find_tears, grid
from .raster import EMPTY, SAMPLES, draw_cell
from .views import Cameras, between

MOST = 8
"""Frames that are kept, at most."""

_MEMORY = 256e6  # bytes that they may take, at least two being kept
_SAME = 0.02  # depths that differ by less, as a share, are one surface
_BLOCK = 8  # pixels, along each side, that are looked at as one, at four places
_CELL = 16  # pixels of the target, likewise
_MOVE = 1e-3  # metres: a camera that moves less sees nothing else

Floats = npt.NDArray[np.float32]


class Support(NamedTuple):
    """One frame that is kept.

    Attributes:
        at: its place in the timeline.
        picture: (h, w, 4), as :mod:`.sample` takes it.
        q: its inverse depth, on the grid of :func:`.edges.grid`.
        keep: (h, w), 1 where it shows one thing that does not move.
        blocks: 1 where one of a block's pixels shows what no earlier support does.
    """

    at: int
    picture: Floats
    q: Floats
    keep: npt.NDArray[np.uint8]
    blocks: npt.NDArray[np.uint8]


def gather(shot: Shot, source: Cameras, target: Cameras, report: Report) -> list[Support]:
    """The frames of the footage that may show what others do not; none where the depth is not known."""
    size = source.width * source.height * 20
    count = min(max(int(_MEMORY / size), 2), MOST, shot.length)
    if shot.depth is None or count < 2 or not _may_help(source, target):
        return []
    _compile_kernels()
    places = np.unique(np.linspace(0, shot.length - 1, count).round().astype(int))
    watched = np.unique(np.linspace(0, shot.length - 1, 3).round().astype(int))
    kept = []
    for step, index in enumerate(map(int, places)):
        report("looking for the background", step, len(places))
        image, depth = shot.footage.frame(index), shot.depth.frame(index)
        q = grid(depth)
        tears = np.zeros(q.shape, np.uint8)
        for place in map(int, watched):
            find_tears(q, between(source, index, target, place).single(), tears)
        keep = np.ones(depth.shape, np.uint8)
        _drop_rims(tears, keep)
        picture = sample.unpack(image, np.iinfo(image.dtype).max)
        kept.append(Support(index, picture, q, keep, np.zeros((0, 0), np.uint8)))
    for one in kept:
        for other in kept:
            if other is not one:
                _drop_moving(one.q, one.keep, between(source, one.at, source, other.at).single(), other.q)
    return list(_without_repeats(kept, source))


def _without_repeats(kept: list[Support], source: Cameras) -> Iterator[Support]:
    """The same, with the blocks that show something which no earlier one shows; none that has no such block."""
    for place, one in enumerate(kept):
        new = one.keep.copy()
        for other in kept[:place]:
            to_other = between(source, one.at, source, other.at).single()
            _drop_repeats(one.q, new, to_other, other.q, other.keep)
        blocks = _blocks(new)
        if blocks.any():
            yield one._replace(blocks=blocks)


def fill_from(
    supports: list[Support],
    index: int,
    q: Floats,
    source: Cameras,
    target: Cameras,
    nearest: float,
    seen: Floats,
    out: Floats,
    covered: Floats,
) -> None:
    """Fill holes of frame ``index``, whose footage has inverse depth ``q``, in ``seen``, ``out`` and ``covered``.

    ``seen`` (h, w) is inverse depth from the target camera.
    """
    buffer, best = np.empty(covered.shape, np.float32), np.empty(covered.shape, np.float32)
    found = np.empty((*covered.shape, 4), np.float32)
    holes = _find_holes(covered, best)
    for one in supports:
        if one.at == index:
            continue
        onto = between(source, one.at, target, index).single()
        onto[:2] /= SAMPLES  # one sample a pixel will do
        here = between(source, one.at, source, index).single()
        if _draw_hidden(one.q, one.keep, one.blocks, holes, onto, here, q, np.float32(nearest), buffer):
            back = between(target, index, source, one.at).single()
            _take(one.picture, back, here, q, buffer, holes, covered, best, found)
    _settle(best, found, holes, seen, out, covered)


def _compile_kernels() -> None:
    """Compile before the first frame, and once, what would otherwise be compiled in its midst."""
    lens = np.array([[[20.0, 0, 12], [0, 20, 12], [0, 0, 1]]])
    here, there = np.eye(4)[None], np.eye(4)[None].copy()
    there[0, 0, 3] = 0.5
    source, target = Cameras(here, lens, 24, 24), Cameras(there, lens, 24, 24)
    q, keep = grid(np.full((24, 24), 4, np.float32)), np.ones((24, 24), np.uint8)
    find_tears(q, between(source, 0, target, 0).single(), np.zeros(q.shape, np.uint8))
    _drop_rims(np.zeros(q.shape, np.uint8), keep)
    _drop_moving(q, keep, between(source, 0, target, 0).single(), q)
    one = Support(1, np.zeros((24, 24, 4), np.float32), q, keep, np.zeros((0, 0), np.uint8))
    one = next(_without_repeats([one], source))
    out, covered, seen = np.zeros((24, 24, 4), np.float32), *np.zeros((2, 24, 24), np.float32)
    twice = Cameras(np.repeat(here, 2, 0), np.repeat(lens, 2, 0), 24, 24)
    targets = Cameras(np.repeat(there, 2, 0), np.repeat(lens, 2, 0), 24, 24)
    _drop_repeats(q, keep, between(source, 0, target, 0).single(), q, keep)
    fill_from([one], 0, q * np.float32(2), twice, targets, 100.0, seen, out, covered)


def _may_help(source: Cameras, target: Cameras) -> bool:
    """Whether another frame can show more: the source camera moves, or the target camera looks past what moves."""
    places = source.poses[:, :3, 3]
    return bool(
        np.ptp(places, axis=0).max() > _MOVE
        or np.ptp(source.poses[:, :3, :3], axis=0).max() > _MOVE
        or np.abs(target.poses[:, :3, 3] - places).max() > _MOVE
    )


@compiled
def _drop_rims(tears: Any, keep: Any) -> Any:
    """Drop the pixels at steps, and those beside them: they show both sides, and are looked at sharply."""
    height, width = keep.shape
    for y in range(1, height + 1):
        for x in range(1, width + 1):
            if tears[y, x]:
                right, down = x + (tears[y, x] & RIGHT != 0), y + (tears[y, x] & DOWN != 0)
                for v in range(max(y - 2, 0), min(down + 1, height)):
                    for u in range(max(x - 2, 0), min(right + 1, width)):
                        keep[v, u] = 0


@compiled
def _drop_moving(q: Any, keep: Any, to_other: Any, other_q: Any) -> Any:
    """Drop what another frame sees through."""
    height, width = keep.shape
    for y in range(height):
        for x in range(width):
            if not keep[y, x]:
                continue
            column, row, w = _locate(to_other, np.float32(x + 0.5), np.float32(y + 0.5), q[y + 1, x + 1], width, height)
            if column >= 0 and _range(other_q, column, row)[1] < w * np.float32(1 - _SAME):
                keep[y, x] = 0


@compiled
def _drop_repeats(q: Any, new: Any, to_other: Any, other_q: Any, other_keep: Any) -> Any:
    """Drop what another frame shows as well."""
    height, width = new.shape
    for y in range(height):
        for x in range(width):
            if not new[y, x]:
                continue
            column, row, w = _locate(to_other, np.float32(x + 0.5), np.float32(y + 0.5), q[y + 1, x + 1], width, height)
            if column >= 0 and other_keep[row, column] and other_q[row + 1, column + 1] < w * np.float32(1 + _SAME):
                new[y, x] = 0


@inlined
def _locate(m: Any, u: Any, v: Any, q: Any, width: Any, height: Any) -> Any:
    """The pixel that a point falls on, and its inverse depth; -1 outside the picture."""
    hz = m[2, 0] * u + m[2, 1] * v + m[2, 2] + m[2, 3] * q
    if hz <= np.float32(1e-6):
        return -1, -1, np.float32(0)
    x = (m[0, 0] * u + m[0, 1] * v + m[0, 2] + m[0, 3] * q) / hz
    y = (m[1, 0] * u + m[1, 1] * v + m[1, 2] + m[1, 3] * q) / hz
    if not (x >= 0 and y >= 0 and x < width and y < height):
        return -1, -1, np.float32(0)
    return int(x), int(y), q / hz


@inlined
def _range(q: Any, column: Any, row: Any) -> Any:
    """The farthest and the nearest inverse depth around a pixel."""
    low, high = q[row + 1, column + 1], q[row + 1, column + 1]
    for j in range(row, row + 3):
        for i in range(column, column + 3):
            low, high = min(low, q[j, i]), max(high, q[j, i])
    return low, high


@compiled
def _blocks(keep: Any) -> Any:
    height, width = keep.shape
    blocks = np.zeros(((height + _BLOCK - 1) // _BLOCK, (width + _BLOCK - 1) // _BLOCK), np.uint8)
    for y in range(height):
        for x in range(width):
            if keep[y, x]:
                blocks[y // _BLOCK, x // _BLOCK] = 1
    return blocks


@inlined
def _is_hidden(here: Any, q_now: Any, u: Any, v: Any, q: Any) -> Any:
    """Whether the footage of now does not show a point. One that it sees through is not there now: not hidden."""
    height, width = q_now.shape[0] - 2, q_now.shape[1] - 2
    column, row, w = _locate(here, u, v, q, width, height)
    return column < 0 or _range(q_now, column, row)[0] > w * np.float32(1 + _SAME)


@compiled
def _find_holes(covered: Any, best: Any) -> Any:
    """Cells of the target, 2 where a hole is in them, 1 where it is next to them; ``best`` becomes EMPTY in those."""
    height, width = covered.shape
    rows, columns = (height + _CELL - 1) // _CELL, (width + _CELL - 1) // _CELL
    holes = np.zeros((rows, columns), np.uint8)
    for row in range(rows):
        top, bottom = row * _CELL, min(row * _CELL + _CELL, height)
        for column in range(columns):
            left, right = column * _CELL, min(column * _CELL + _CELL, width)
            least = np.float32(1)
            for y in range(top, bottom):
                for x in range(left, right):
                    least = min(least, covered[y, x])
            if least == 1:
                continue
            best[top:bottom, left:right] = EMPTY
            for j in range(max(row - 1, 0), min(row + 2, rows)):
                for i in range(max(column - 1, 0), min(column + 2, columns)):
                    holes[j, i] = max(holes[j, i], 1)
            holes[row, column] = 2
    return holes


@compiled
def _draw_hidden(
    q: Any, keep: Any, blocks: Any, holes: Any, onto: Any, here: Any, q_now: Any, nearest: Any, buffer: Any
) -> Any:
    """Draw what is of use for the holes, and hidden now; say whether there was any."""
    height, width = keep.shape
    rows, columns = buffer.shape
    drawn = False
    for j in range(blocks.shape[0]):
        for i in range(blocks.shape[1]):
            if not blocks[j, i]:
                continue
            top, left = j * _BLOCK, i * _BLOCK
            if not _is_wanted(q, holes, onto, here, q_now, left, top, rows, columns):
                continue
            if not drawn:
                drawn = True
                buffer[:] = EMPTY
            for y in range(top, min(top + _BLOCK, height - 1)):
                for x in range(left, min(left + _BLOCK, width - 1)):
                    if keep[y, x] and keep[y, x + 1] and keep[y + 1, x] and keep[y + 1, x + 1]:
                        draw_cell(q, onto, nearest, x + 1, y + 1, x + 2, y + 2, buffer)
    return drawn


@inlined
def _is_wanted(
    q: Any, holes: Any, onto: Any, here: Any, q_now: Any, left: Any, top: Any, rows: Any, columns: Any
) -> Any:
    """Whether a block seems to fall where a hole is, and to be hidden now."""
    height, width = q.shape[0] - 2, q.shape[1] - 2
    for y in range(top, min(top + _BLOCK, height), 5):
        for x in range(left, min(left + _BLOCK, width), 5):
            u, v, at = np.float32(x + 0.5), np.float32(y + 0.5), q[y + 1, x + 1]
            column, row, _ = _locate(onto, u, v, at, columns / SAMPLES, rows / SAMPLES)
            if column < 0 or not holes[row * SAMPLES // _CELL, column * SAMPLES // _CELL]:
                continue
            if _is_hidden(here, q_now, u, v, at):
                return True
    return False


@compiled
def _take(
    picture: Any,
    back: Any,
    here: Any,
    q_now: Any,
    buffer: Any,
    holes: Any,
    covered: Any,
    best: Any,
    found: Any,
) -> Any:
    """Colour the holes that a support covers, where it is the nearest so far."""
    height, width = covered.shape
    for y in range(height):
        for x in range(width):
            if holes[y // _CELL, x // _CELL] != 2:
                continue
            w = buffer[y, x]
            if covered[y, x] == 1 or w <= best[y, x]:
                continue
            px, py = np.float32(x + 0.5), np.float32(y + 0.5)
            hz = back[2, 0] * px + back[2, 1] * py + back[2, 2] + back[2, 3] * w
            if hz <= np.float32(1e-6):
                continue
            u = (back[0, 0] * px + back[0, 1] * py + back[0, 2] + back[0, 3] * w) / hz
            v = (back[1, 0] * px + back[1, 1] * py + back[1, 2] + back[1, 3] * w) / hz
            if not _is_hidden(here, q_now, u, v, w / hz):
                continue
            best[y, x] = w
            colour = sample.cubic(picture, u - np.float32(0.5), v - np.float32(0.5))
            for c in range(4):
                found[y, x, c] = colour[c]


@compiled
def _settle(best: Any, found: Any, holes: Any, seen: Any, out: Any, covered: Any) -> Any:
    """Put what was found behind what is there."""
    height, width = covered.shape
    for y in range(height):
        for x in range(width):
            if holes[y // _CELL, x // _CELL] == 2 and best[y, x] != EMPTY:
                lack = np.float32(1) - covered[y, x]
                for c in range(4):
                    out[y, x, c] += lack * found[y, x, c]
                covered[y, x] = np.float32(1)
                seen[y, x] = best[y, x]
