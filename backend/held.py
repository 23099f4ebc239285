"""Footage, and its depth, at instants that are no frames of their own: where time is slowed down or held."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .engines import ConfidenceSource, DepthSource, FrameSource, Image
from .media.in_between import Between


class HeldFrames:
    """Footage by frame of the take, each at its instant: whole ones untouched, others by optical flow.

    Args:
        footage: by timeline frame.
        instants: what each frame of the take shows, in timeline frames.
    """

    def __init__(self, footage: FrameSource, instants: Sequence[float]) -> None:
        self.width, self.height = footage.width, footage.height
        self._footage = footage
        self._instants = instants
        self._between: tuple[int, tuple[Image, Image], Between] | None = None

    def frame(self, index: int, /) -> Image:
        """See :class:`backend.engines.FrameSource`."""
        instant = self._instants[index]
        first = math.floor(instant)
        if instant == first:
            return self._footage.frame(first)
        kept = self._between
        if kept is None or kept[0] != first:
            frames = self._footage.frame(first), self._footage.frame(first + 1)
            # Both are kept for their alpha: reading backwards is dear.
            kept = self._between = first, frames, Between(*(_opaque(each) for each in frames))
        _, frames, between = kept
        share = instant - first
        # Of the nearer one, which is what is shown across a cut.
        return _like(between.at(share), frames[0 if share <= 0.5 else 1])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._footage, name)


class HeldDepth:
    """Depth, or how far it can be trusted, likewise: of the frame that is nearest to the instant."""

    def __init__(self, maps: DepthSource | ConfidenceSource, instants: Sequence[float]) -> None:
        self._maps = maps
        self._instants = instants

    def frame(self, index: int, /) -> npt.NDArray[np.float32]:
        """See :class:`backend.engines.DepthSource`."""
        return self._maps.frame(round(self._instants[index]))


def _opaque(image: Image) -> Image:
    return image[..., :3]


def _like(seen: Image, image: Image) -> Image:
    """With the alpha of a frame, where that has one."""
    return seen if image.shape[2] == 3 else np.dstack([seen, image[..., 3]])
