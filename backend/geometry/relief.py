"""Depth of a shot whose camera stands, from what holds in most pictures: a relief of ground and of what stands on it.

Ground is below the horizon and as near as its row says; things stand on it and are as near as their foot; what moves
and covers its background is nearer than that. The relief is flatter than it is guessed to be, as errors then cost less.
Where too little ground is seen, a plane is as good or better: :attr:`ReliefDepth.plausible` tells.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager

import cv2
import numpy as np
import numpy.typing as npt

from ..contract import Intrinsics
from ..engines import FrameSource, Image
from . import relief_stage
from .relief_movers import Movers

Floats = npt.NDArray[np.float32]
Opened = Callable[[], AbstractContextManager[FrameSource]]

_SIDE = 416  # pixels along the longer side that pictures are looked at with
_KEPT = 15  # frames that the background is the median of
_USUAL_ANGLE = 50.0  # degrees from side to side, of a lens that is not known

# Chosen by benchmarks/relief.py on its scenes for tuning; what it prints is measured on others.
_DEPTHS = 0.75  # share of the guessed inverse depth's difference from the plane that is kept
_USUAL_HEIGHT = 1.4  # metres of the camera above the ground
_HEIGHT_SPREAD = 0.4  # in natural logarithms: what is told of that height is held within so much of what is usual
_LEAST_GROUND = 0.12  # of the picture
_LEAST_STANDING = 0.5  # of the columns
_HEIGHTS = 0.15, 6.0  # metres of the camera above the ground that can be
_MOST_MOVING = 0.4  # of the picture
_FAR, _NEAR = 12.0, 6.0  # times the subject's distance, and parts of it, that depth is held within


class ReliefDepth:
    """Depth of a clip whose camera stands: see :class:`backend.engines.DepthSource`. One relief, and what moves in it.

    Args:
        opened: opens the footage by timeline frame.
        length: timeline frames.
        width, height: of the footage, pixels.
        lens: of the source camera, pixels of that size; None where it is not known.
        distance: metres to the subject, in the middle of the picture.
        report: told of a phase, its steps done and their total.
        check: called at each step; may raise to stop.

    Attributes:
        plausible: whether the relief is better than a plane at ``distance``, as far as can be told.
        why: if not, a sentence on the reason.
        words: what the depth is.
    """

    def __init__(
        self,
        opened: Opened,
        length: int,
        *,
        width: int,
        height: int,
        lens: Intrinsics | None,
        distance: float,
        report: Callable[[str, int, int], None] = lambda phase, step, total: None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.width, self.height, self.distance = width, height, distance
        scale = min(1.0, _SIDE / max(width, height))
        self._size = max(round(width * scale), 32), max(round(height * scale), 32)
        focal, centre = _seen_through(lens, width, height, self._size[0] / width, self._size[1] / height)
        background = self._background(opened, length, report, check)
        self.stage = relief_stage.build(background, focal, centre)
        self.camera_height = self._told_height()
        self._still = self._metric(self.stage.nearness)
        self._movers: Movers | None = None
        self.why = self._problem()

        def find_movers() -> Movers:
            movers = Movers(background, self.stage, focal)
            with opened() as footage:
                for index in range(length):
                    check()
                    report("looking for what moves", index, length)
                    movers.add(self._small(footage.frame(index)))
            movers.smooth()
            return movers

        self._find_movers = find_movers
        if not self.why and self._moving().share > _MOST_MOVING:
            self.why = "Too much of the picture moves for a relief to be told from it."
        self.plausible = not self.why
        self.words = "a shallow relief, guessed from the picture: ground, what stands on it and what moves"

    def frame(self, index: int, /) -> Floats:
        """Planar depth in metres, float32 (height, width), finite everywhere."""
        q = cv2.resize(self._still, (self.width, self.height), interpolation=cv2.INTER_LINEAR)
        for mask, nearness in self._layers(index):
            q[mask] = np.maximum(q[mask], nearness)
        return np.asarray(1 / q, np.float32)

    def confidence(self, index: int, /) -> Floats:
        """How far depth can be trusted, 0 to 1, float32 (height, width). It is a guess: below a half everywhere."""
        sure = np.where(self.stage.ground, 0.4, np.where(self.stage.sky, 0.1, 0.2)).astype(np.float32)
        sure = cv2.resize(sure, (self.width, self.height), interpolation=cv2.INTER_LINEAR)
        for mask, _ in self._layers(index):
            sure[mask] = 0.2
        return np.asarray(sure, np.float32)

    def close(self) -> None:
        """Nothing is held."""

    def _background(
        self,
        opened: Opened,
        length: int,
        report: Callable[[str, int, int], None],
        check: Callable[[], None],
    ) -> npt.NDArray[np.uint8]:
        """What does not move: the median over the clip."""
        kept, places = [], np.unique(np.linspace(0, length - 1, min(_KEPT, length)).round().astype(int))
        with opened() as footage:
            for step, index in enumerate(map(int, places)):
                check()
                report("looking for the background", step, len(places))
                kept.append(self._small(footage.frame(index)))
        return np.asarray(np.median(np.stack(kept), axis=0), np.uint8)

    def _small(self, picture: Image) -> npt.NDArray[np.uint8]:
        picture = np.ascontiguousarray(picture[..., :3])
        picture = picture if picture.dtype == np.uint8 else (picture >> 8).astype(np.uint8)
        return np.asarray(cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA))

    def _told_height(self) -> float:
        """Metres of the camera above the ground, if what is in the middle is at the subject's distance."""
        rows, columns = self.stage.nearness.shape
        middle = self.stage.nearness[rows // 3 : rows - rows // 3, columns // 3 : columns - columns // 3]
        return float(np.median(middle)) * self.distance

    def _problem(self) -> str:
        if self.stage.ground.mean() < _LEAST_GROUND or self.stage.standing < _LEAST_STANDING:
            return "Too little ground is seen to tell how far away things are."
        if not _HEIGHTS[0] < self.camera_height < _HEIGHTS[1]:
            return (
                f"By the picture the camera would be {self.camera_height:.2g} m above the ground, which does not go "
                f"with a subject {self.distance:.3g} m away."
            )
        return ""

    def _moving(self) -> Movers:
        """What moves; looked for when it is first wanted, as a relief that is not plausible is hardly ever used."""
        if self._movers is None:
            self._movers = self._find_movers()
        return self._movers

    def _metric(self, nearness: Floats | float) -> Floats:
        """Inverse metres from heights of the camera."""
        off = math.log(self.camera_height / _USUAL_HEIGHT)
        height = _USUAL_HEIGHT * math.exp(_HEIGHT_SPREAD * math.tanh(off / _HEIGHT_SPREAD))
        plane = 1 / self.distance
        q = np.clip(np.asarray(nearness, np.float32) / height, plane / _FAR, plane * _NEAR)
        return np.asarray(plane + _DEPTHS * (q - plane), np.float32)

    def _layers(self, index: int) -> list[tuple[npt.NDArray[np.bool_], float]]:
        made = []
        moving = self._moving()
        for each in moving.at(index) if moving.share <= _MOST_MOVING else ():
            left, top, width, height = each.box
            mask = np.zeros(self._size[::-1], np.float32)
            mask[top : top + height, left : left + width] = each.mask()
            mask = cv2.resize(mask, (self.width, self.height), interpolation=cv2.INTER_LINEAR)
            made.append((mask > 0.5, float(self._metric(each.nearness))))
        return made


def _seen_through(
    lens: Intrinsics | None, width: int, height: int, across: float, down: float
) -> tuple[float, tuple[float, float]]:
    """Focal length and centre of a lens, or of a usual one, in pixels of a picture that is so much smaller."""
    if lens is None:
        longer = max(width, height)
        return longer / 2 / math.tan(math.radians(_USUAL_ANGLE) / 2) * across, (width / 2 * across, height / 2 * down)
    return lens.fy * down, (lens.cx * across, lens.cy * down)
