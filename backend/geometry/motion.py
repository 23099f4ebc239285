"""Depth of footage whose camera moves, from where the camera stood and from the pictures.

A frame's depth is found small (see :mod:`.motion_frames`), from a few frames before and after it that the camera took
from far enough away: by a sweep of planes (:mod:`.motion_sweep`), which the depth of the frame before guides. What
moves by itself is found by optical flow, and stands as boards (:mod:`.motion_movers`). The map is then drawn at the
footage's size, with its edges where the picture has them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ..contract import Trajectory
from ..reproject.compiled import must_compile
from ..reproject.views import Cameras, Map, between, cameras
from . import motion_edges, motion_frames, motion_maps, motion_movers, motion_sweep
from .flow import Flow, FlowFinder, eight_bits
from .motion_frames import Frames, Opened
from .motion_movers import Seen

Floats = npt.NDArray[np.float32]

_GAP = 0.12  # seconds between frames whose flow tells what moves
_LEAST_PLANES, _MOST_PLANES = 24, 96
_PLANE = 0.8  # pixels of parallax, in the frame that has most of it, from plane to plane
_NEAREST = 1.25  # times the nearest inverse depth so far: how near planes go
_NEAREST_TYPICAL = (2.0, 5.0)  # times the typical: within these bounds
_SKY = 0.01  # of the typical inverse depth: less is infinitely far
_SAME = 0.035  # two inverse depths that differ by less, as a share, are of one surface
_MEMORY = 5.0  # frames that what was known before counts for, at most
_SETTLED = 3  # times that steps are looked at
_SPECK = 30  # pixels: smaller islands are faults
_REFINED = 2  # times
_WINDOW = 5  # pixels along a side whose changes are taken together
_VAGUE = 0.02  # relative error of a depth that is believed by half
_UNLIKE = 0.55  # cost of a depth that is believed by half
_MOVING = 0.3  # how far the depth of what moves by itself is believed
_KEPT = 3  # frames of depth at the footage's size
_PROBES = 3  # frames by which the whole clip's trust is told
_TRIES = 5
_COMPILING = "looking at the camera's motion (first use: compiling, some seconds)"


class _Known(NamedTuple):
    """What was found of a frame, at the working size.

    Attributes:
        q: inverse depth of the scene at rest, 1/m.
        weight: frames that it is the mean of; 0 where nothing is known.
        seen: what moves in it.
        confidence: 0 to 1.
    """

    q: Floats
    weight: Floats
    seen: Seen
    confidence: Floats


class MotionDepth:
    """Depth of each frame of a clip whose camera is known and moves: see :class:`backend.engines.DepthSource`.

    Frames are found when they are asked for; going forward is cheap. Memory does not grow with the clip.

    Args:
        opened: opens the footage anew, by timeline frame.
        source: the camera that shot it.
        length: frames of the timeline.
        width, height: of the footage, pixels.
        rate: timeline frames per second.
        distance: metres to the subject: a first guess, and the depth where nothing else tells one.
        report: told of a phase in words, steps done, and steps in all.
        check: raises where the work is no longer wanted.

    Attributes:
        words: what this depth is.
    """

    words = "depth from the camera's motion"

    def __init__(
        self,
        opened: Opened,
        source: Trajectory,
        length: int,
        *,
        width: int,
        height: int,
        rate: float = 24.0,
        distance: float = 4.0,
        report: Callable[[str, int, int], None] = lambda *_: None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._size = motion_frames.working_size(width, height)
        shot: Cameras = cameras(source, width, height).shrunk(*self._size)
        self._cameras = shot._replace(poses=shot.poses[:length], lenses=shot.lenses[:length])
        self._opened, self._length, self._check, self._report = opened, length, check, report
        self._width, self._height, self._distance = width, height, distance
        self._gap = max(round(_GAP * rate), 1)
        self._finder = FlowFinder()
        self._frames = Frames(opened, length, self._size, check)
        self._manager = opened()
        self._footage = self._manager.__enter__()
        self._typical = 1 / distance
        self._nearest = 0.0
        self._history: dict[int, _Known] = {}
        self._flows: OrderedDict[tuple[int, int], Flow] = OrderedDict()
        self._even: OrderedDict[int, Floats] = OrderedDict()
        self._drawn: OrderedDict[int, tuple[Floats, Floats]] = OrderedDict()
        self._trusted: float | None = None

    def frame(self, index: int, /) -> Floats:
        """Planar depth of a frame, float32 (height, width), metres; ``inf`` where it is too far to tell."""
        return self._draw(index)[0]

    def confidence(self, index: int, /) -> Floats:
        """How far a frame's depth is to be believed, float32 (height, width), 0 (made up) to 1."""
        return self._draw(index)[1]

    @property
    def trusted(self) -> float:
        """Share of the pixels whose depth is to be believed by more than a half, from a few frames of the clip."""
        if self._trusted is None:
            places = np.unique(np.linspace(0, self._length - 1, _PROBES + 2)[1:-1].round().astype(int))
            shares = []
            for step, index in enumerate(map(int, places)):
                self._report("looking at the camera's motion", step, len(places))
                shares.append(float((self._find(index).confidence > 0.5).mean()))
            self._history.clear()
            self._trusted = float(np.mean(shares))
        return self._trusted

    def close(self) -> None:
        """Close the footage."""
        self._frames.close()
        self._manager.__exit__(None, None, None)
        self._history.clear()
        self._drawn.clear()

    # A frame at the footage's size

    def _draw(self, index: int) -> tuple[Floats, Floats]:
        if not 0 <= index < self._length:
            raise IndexError(f"no frame {index} in a clip of {self._length}")
        if index not in self._drawn:
            known = self._find(index)
            image = self._footage.frame(index)
            q = np.empty((self._height, self._width), np.float32)
            motion_maps.draw_large(known.seen.q, self._frames.get(index).colour, eight_bits(image), q)
            with np.errstate(divide="ignore"):
                depth = np.where(q > _SKY * self._typical, 1 / q, np.float32(np.inf)).astype(np.float32)
            confidence = cv2.resize(known.confidence, (self._width, self._height), interpolation=cv2.INTER_LINEAR)
            self._drawn[index] = depth, np.asarray(confidence, np.float32)
            while len(self._drawn) > _KEPT:
                self._drawn.popitem(last=False)
        return self._drawn[index]

    # A frame at the working size

    def _find(self, index: int) -> _Known:
        if index in self._history:
            return self._history[index]
        self._check()
        if must_compile(__package__):
            self._report(_COMPILING, 0, 1)
        before = self._history.get(index - 1)
        if before is None:
            self._history.clear()
            self._look_around(index)
        groups = motion_frames.choose(self._cameras, index, self._typical)
        prior_q, prior_weight = self._carried(index, before)
        if groups[0] or groups[1]:
            q, confidence = self._sweep(index, groups, prior_q, prior_weight)
            q, weight = _fused(q, confidence, prior_q, prior_weight)
        else:
            q, weight, confidence = self._from_before(prior_q, prior_weight)
        known = self._with_movers(index, q, weight, confidence)
        self._learn(known)
        self._history[index] = known
        for each in [each for each in self._history if each < index - self._gap - 1]:
            del self._history[each]
        self._frames.forget(index - motion_frames.FAR, index + motion_frames.FAR)
        return known

    def _carried(self, index: int, before: _Known | None) -> tuple[Floats, Floats]:
        """What the frame before knows of this one: inverse depth, and its weight."""
        width, height = self._size
        q, weight = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
        if before is not None:
            motion_maps.carry(before.q, before.weight, self._map(index - 1, index).single(), q, weight)
            motion_maps.close_gaps(q, weight)
        return q, weight

    def _sweep(
        self, index: int, groups: tuple[list[int], list[int]], prior_q: Floats, prior_weight: Floats
    ) -> tuple[Floats, Floats]:
        """Inverse depth from other frames, and how far to believe it."""
        used = groups[0] + groups[1]
        maps = np.stack([self._map(index, other).single() for other in used])
        others = np.stack([self._evened(other) for other in used])
        own, small = self._evened(index), self._frames.get(index)
        nearest = self._typical * float(np.clip(self._nearest / self._typical * _NEAREST, *_NEAREST_TYPICAL))
        moved = motion_frames.parallaxes(self._cameras, index, np.array(used), self._typical)[0].max()
        planes = int(np.clip(moved / self._typical * nearest / _PLANE, _LEAST_PLANES, _MOST_PLANES)) // 8 * 8
        step = np.float32(nearest / (planes - 1))
        prior = np.where(prior_weight > 0, np.minimum(prior_q / step, planes - 1), np.float32(-1)).astype(np.float32)
        costs = np.empty((*own.shape, planes), np.uint8)
        motion_sweep.find_costs(own, others, maps, len(groups[0]), np.float32(0), step, prior, costs)
        self._check()
        total = np.empty(costs.shape, np.float32)
        motion_sweep.make_smooth(costs, small.grey, total)
        place, cost = np.empty_like(own), np.empty_like(own)
        motion_sweep.pick(costs, total, place, cost)
        place = np.asarray(cv2.medianBlur(place, 3), np.float32)
        for _ in range(_SETTLED):
            settled = np.empty_like(place)
            motion_edges.settle(costs, place, small.colour, settled)
            place = settled
        q = _without_specks(np.asarray(cv2.medianBlur(place, 3), np.float32)) * step
        q, square = _refined(own, others, maps, q, float(step))
        # What noise in the pictures, a tenth of their contrast, makes of the depth.
        vague = 0.1 / np.sqrt(np.maximum(square, 1e-12)) / np.maximum(q, 0.05 * self._typical)
        cost = cv2.blur(cost, (_WINDOW, _WINDOW))
        confidence = 1 / (1 + (vague / _VAGUE) ** 2) / (1 + (cost / _UNLIKE) ** 4)
        return q, np.asarray(confidence, np.float32)

    def _from_before(self, prior_q: Floats, prior_weight: Floats) -> tuple[Floats, Floats, Floats]:
        """Where the camera pauses: what was known before; nothing but a plane where nothing was."""
        there = prior_weight > 0
        if not there.any():
            nothing = np.zeros_like(prior_q)
            return np.full_like(prior_q, 1 / self._distance), nothing, nothing
        q = _filled(prior_q, there)
        confidence = np.where(there, np.float32(0.7), np.float32(0.2))
        return q, np.maximum(prior_weight, 0.5).astype(np.float32), confidence

    def _with_movers(self, index: int, q: Floats, weight: Floats, confidence: Floats) -> _Known:
        """The same, with what moves found in it."""
        small = self._frames.get(index)
        votes = []
        for other in (index - self._gap, index + self._gap):
            if 0 <= other < self._length:
                flow = self._flow(index, other)
                votes.append(
                    motion_movers.judge(small.grey, self._frames.get(other).grey, flow, self._map(index, other), q)
                )
        if not votes:
            return _Known(q, weight, Seen(np.zeros_like(q), np.zeros(q.shape, np.bool_), q), confidence)
        before = self._history.get(index - self._gap)
        earlier = None if before is None else before.seen
        back = None if before is None else self._flow(index, index - self._gap)
        across = None if before is None else self._map(index - self._gap, index)
        seen = motion_movers.find(votes, earlier, back)
        if seen.mask.any():
            seen = seen._replace(q=motion_movers.stand(q, seen, earlier, back, across))
            weight = np.where(seen.mask, np.float32(0), weight)
            confidence = np.where(seen.mask, np.minimum(confidence, np.float32(_MOVING)), confidence)
        else:
            seen = seen._replace(q=q)
        return _Known(q, weight, seen, confidence)

    def _learn(self, known: _Known) -> None:
        """Keep in mind how far things are, for the next frame."""
        sure = known.q[(known.weight > 0) & (known.confidence > 0.5)]
        if sure.size < 0.05 * known.q.size:
            return
        self._typical = max(float(np.median(sure)), 1e-6)
        self._nearest = float(np.percentile(sure, 99.5))

    def _look_around(self, index: int) -> None:
        """Find the typical depth before anything else is known, from flow to a frame that was taken from elsewhere."""
        for _ in range(_TRIES):
            groups = motion_frames.choose(self._cameras, index, self._typical)
            if not (groups[0] or groups[1]):
                # Taken for too far away, perhaps: it is near, if anything can be told.
                reach = motion_frames.NEAR
                others = [max(index - reach, 0), min(index + reach, self._length - 1)]
                moves = [float(np.linalg.norm(self._map(index, each).b)) for each in others]
                if max(moves) < 1e-9:
                    return
                other = others[int(np.argmax(moves))]
            else:
                other = (groups[0] or groups[1])[0]
            flow = self._flow(index, other)
            shape = flow.there.shape[:2]
            q, parallax, residual = (np.empty(shape, np.float32) for _ in range(3))
            motion_maps.triangulate(flow.there, self._map(index, other).single(), q, parallax, residual)
            good = flow.agrees() & (residual < 2) & (q > 0) & (parallax > 0)
            if good.sum() < 0.05 * good.size:
                return
            before = self._typical
            self._typical = float(np.median(q[good]))
            self._nearest = float(np.percentile(q[good], 99.5))
            if 0.7 < self._typical / before < 1.4:
                return

    # Parts that frames share

    def _map(self, one: int, other: int) -> Map:
        return between(self._cameras, one, self._cameras, other)

    def _evened(self, index: int) -> Floats:
        if index not in self._even:
            self._even[index] = motion_sweep.evened(self._frames.get(index).grey)
            while len(self._even) > 160:
                self._even.popitem(last=False)
        return self._even[index]

    def _flow(self, one: int, other: int) -> Flow:
        key = min(one, other), max(one, other)
        if key not in self._flows:
            self._check()
            self._flows[key] = self._finder.between(self._frames.get(key[0]).grey, self._frames.get(key[1]).grey)
            while len(self._flows) > 2 * self._gap + 2:
                self._flows.popitem(last=False)
        return self._flows[key] if one < other else self._flows[key].reversed


def _without_specks(place: Floats) -> Floats:
    """Planes without small islands, which take what is behind them."""
    coarse = np.rint(place * 16).astype(np.int16)
    cv2.filterSpeckles(coarse, -1, _SPECK, 16 * 2)
    islands = coarse < 0
    return _filled(place, ~islands) if islands.any() and not islands.all() else place


def _refined(own: Floats, others: Floats, maps: Floats, q: Floats, step: float) -> tuple[Floats, Floats]:
    """Inverse depth between planes; and what a step in it changes in the pictures, squared."""
    square = np.zeros_like(q)
    for _ in range(_REFINED):
        square, product = np.zeros_like(q), np.zeros_like(q)
        for other, m in zip(others, maps, strict=True):
            motion_sweep.find_slopes(own, other, m, q, np.float32(0.5 * step), square, product)
        square = cv2.blur(square, (_WINDOW, _WINDOW))
        product = cv2.blur(product, (_WINDOW, _WINDOW))
        change = product / (square + 0.05 / step**2)
        q = np.maximum(q - np.clip(change, -0.5 * step, 0.5 * step), 0).astype(np.float32)
    return q, square


def _fused(q: Floats, confidence: Floats, prior_q: Floats, prior_weight: Floats) -> tuple[Floats, Floats]:
    """The mean with what was known before, where it is of the same surface."""
    same = (prior_weight > 0) & (np.abs(q - prior_q) < _SAME * np.maximum(q, prior_q))
    new = np.maximum(confidence, 0.05).astype(np.float32)
    weight = np.where(same, prior_weight, 0)
    fused = (q * new + prior_q * weight) / (new + weight)
    return fused.astype(np.float32), np.minimum(new + weight, _MEMORY).astype(np.float32)


def _filled(q: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    """What is not known, from what is known to the left or right, the further of the two: it came from behind."""
    height, width = q.shape
    columns = np.broadcast_to(np.arange(width), q.shape)
    left = np.maximum.accumulate(np.where(known, columns, -1), axis=1)
    right = np.minimum.accumulate(np.where(known, columns, width)[:, ::-1], axis=1)[:, ::-1]
    rows = np.arange(height)[:, None]
    huge = np.float32(1e9)
    from_left = np.where(left >= 0, q[rows, np.maximum(left, 0)], huge)
    from_right = np.where(right < width, q[rows, np.minimum(right, width - 1)], huge)
    found = np.minimum(from_left, from_right)
    found = np.where(found >= huge, np.median(q[known]), found)
    return np.where(known, q, found).astype(np.float32)
