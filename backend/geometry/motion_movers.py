"""What moves by itself in footage whose camera moves, and how far away it is.

Where optical flow to a frame near by contradicts the motion that the depth of a scene at rest would make, and shows
what the frame shows better, something moves. What moves has no depth that other frames could tell; it stands as a
board, upright, where its foot meets what it stands on.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ..reproject.views import Map
from . import motion_maps
from .flow import Flow, Grey, look, places

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_APART = 0.9  # pixels, at the working size, that flow must differ by from a scene at rest
_APART_PER_PIXEL = 0.06  # that many more for each pixel of the scene's own motion
_BETTER = 3.0  # levels of 255 by which flow must show better what the frame shows
_PERHAPS = 0.5  # of that, from which on something may move that hangs together with what does
_SHARE = 0.15  # of what hangs together that must surely move
_CLOSED = 9  # pixels: gaps in what moves that are closed
_MORE = 3  # pixels that what moves is made larger by, together: its rim shows both it and what is behind
_AROUND = 5  # pixels along a side over which that is averaged
_SMALLEST = 3e-4  # of the frame: less is taken for a fault of the flow
_LARGEST = 0.6  # of the frame: more is no thing that moves, but a camera that is not known
_KEEP = 0.6  # of what was found before, carried on
_ENTER = 0.5  # of that score, from which on something moves
_FOOT = 0.12  # of a thing's height, from below, that is its foot
_RIM = 5  # pixels around a thing in which its surroundings are looked at


class Seen(NamedTuple):
    """What was found to move in a frame.

    Attributes:
        score: (h, w), 0 to 1: how surely it moves, over the frames so far.
        mask: (h, w) what moves.
        q: (h, w) inverse depth, with the boards in it.
    """

    score: Floats
    mask: Mask
    q: Floats


def judge(own: Grey, other: Grey, flow: Flow, across: Map, q: Floats) -> tuple[Mask, Mask]:
    """Where another frame shows that something moves; and where it does not speak against it."""
    rest = np.empty((*q.shape, 2), np.float32)
    motion_maps.motion_of(q, across.single(), rest)
    apart = np.hypot(*(flow.there - rest).transpose(2, 0, 1))
    most = _APART + _APART_PER_PIXEL * np.hypot(rest[..., 0], rest[..., 1])
    picture = own.astype(np.float32)
    errors = []
    for motion in (rest, flow.there):
        error = np.abs(look(other.astype(np.float32), places(motion)) - picture)
        errors.append(cv2.blur(error, (_AROUND, _AROUND)))
    agrees = flow.agrees()
    better = errors[0] - errors[1]
    surely = agrees & (apart > most) & (better > _BETTER)
    perhaps = agrees & (apart > _PERHAPS * most) & (better > 0)
    return surely, ~agrees | perhaps


def find(votes: list[tuple[Mask, Mask]], before: Seen | None, back: Flow | None) -> Seen:
    """What moves, from what single frames say (at least one) and from what moved before.

    Args:
        votes: of :func:`judge`.
        before: what moved in an earlier frame.
        back: the flow to that.
    """
    perhaps = np.logical_and.reduce([each for _, each in votes])
    surely = np.logical_or.reduce([each for each, _ in votes]) & perhaps
    score = _grown(surely, perhaps).astype(np.float32)
    if before is not None and back is not None:
        kept = look(before.score, places(back.there)) * back.agrees()
        score = np.maximum(score * (1 - _KEEP) + kept * _KEEP, np.minimum(score, 0.7))
    mask = (cv2.GaussianBlur(score, (0, 0), 1.5) >= _ENTER * 0.8).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _disk(3))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _disk(_CLOSED))
    mask = _without_small(_without_holes(mask))
    if mask.mean() > _LARGEST:
        mask[:] = 0
    mask = cv2.dilate(mask, _disk(_MORE))
    return Seen(score.astype(np.float32), mask.astype(np.bool_), np.zeros_like(score))


def stand(q: Floats, seen: Seen, before: Seen | None, back: Flow | None, across: Map | None) -> Floats:
    """Inverse depth with what moves standing upright in it.

    Args:
        q: of the scene, (h, w); what it says of what moves is not used.
        seen: what moves.
        before: what moved in an earlier frame.
        back: the flow to that.
        across: the map from there to this frame.
    """
    out = q.copy()
    if not seen.mask.any():
        return out
    earlier = None
    if before is not None and back is not None and across is not None and before.mask.any():
        where = places(back.there)
        was = look(before.mask.astype(np.float32), where) > 0.5
        depth = look(before.q, where)
        # Along the way of the camera it has come nearer, or gone.
        h = across.a[2, 0] * (where[..., 0] + 0.5) + across.a[2, 1] * (where[..., 1] + 0.5) + across.a[2, 2]
        earlier = was & back.agrees(), depth / np.maximum(h + across.b[2] * depth, 1e-3)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(seen.mask.astype(np.uint8), connectivity=8)
    for number in range(1, count):
        x, y, width, height, _ = (int(each) for each in stats[number])
        rows = slice(max(y - _RIM, 0), y + height + _RIM)
        columns = slice(max(x - _RIM, 0), x + width + _RIM)
        thing = labels[rows, columns] == number
        at = _foot(q[rows, columns], thing, seen.mask[rows, columns])
        if earlier is not None:
            known = earlier[0][rows, columns] & thing
            if known.sum() > 0.3 * thing.sum():
                at = 0.8 * float(np.median(earlier[1][rows, columns][known])) + 0.2 * at
        out[rows, columns][thing] = at
    return out


def _foot(q: Floats, thing: Mask, moving: Mask) -> float:
    """The inverse depth of what is around the foot of a thing: what it stands on is right below it."""
    size = 2 * _RIM - 1
    wide = cv2.dilate(thing.astype(np.uint8), np.ones((size, size), np.uint8))
    around = (wide > 0) & (cv2.dilate(moving.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
    rows = np.flatnonzero(thing.any(1))
    from_row = rows[-1] - max(int(_FOOT * len(rows)), 1)
    foot = around.copy()
    foot[:from_row] = False
    if foot.sum() < 4:
        foot = around
    if not foot.any():
        return float(np.median(q))
    return float(np.percentile(q[foot], 60))


def _grown(surely: Mask, perhaps: Mask) -> Mask:
    """What surely moves, and what perhaps does and hangs together with it, where that is not much the larger part."""
    count, labels = cv2.connectedComponents(perhaps.astype(np.uint8), connectivity=4)
    sizes = np.bincount(labels.ravel(), minlength=count)
    sure = np.bincount(labels[surely], minlength=count)
    moves = sure > _SHARE * sizes
    moves[0] = False
    return np.asarray(moves[labels] | surely, np.bool_)


def _without_holes(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(mask)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    return filled


def _without_small(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    keep = np.zeros(count, np.uint8)
    keep[1:] = stats[1:, cv2.CC_STAT_AREA] >= max(_SMALLEST * mask.size, 12)
    return np.asarray(keep[labels], np.uint8)


def _disk(size: int) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)
