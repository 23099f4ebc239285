"""What was filmed, and what fills it, as one frame."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ..engines import Frame
from .matching import Match

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.uint8]

_FEATHER = 80  # th part of the frame's height, over which one fades into the other


def blend(filmed: Frame, trusted: Mask, match: Match, whole: float, *, exact: bool) -> Frame:
    """A frame of the take: bit for bit what was filmed where it is trusted, but for the seam.

    Args:
        filmed: as ``reproject`` draws it, its own fill in the holes.
        trusted: uint8 (h, w), 1 where its pixels are.
        match: the filler's frame in its place.
        whole: 0 to 1: how much of what was filmed to show at all.
        exact: let the seam lie outside of what is trusted, over ``reproject``'s fill.
    """
    shares = _shares(trusted, exact=exact) * np.float32(whole)
    rest = shares < 1
    image = filmed.image.copy()
    # Where the filler's frame does not reach, the fill of what was filmed is all there is.
    kept = (1 - (1 - shares[rest]) * match.drawn[rest])[:, None]
    white = np.float32(np.iinfo(image.dtype).max)
    image[rest] = _mixed(filmed.image[rest].astype(np.float32) / white, match.image[rest], kept, white)
    invented = np.maximum(filmed.invented, np.rint(255 * (1 - shares)).astype(np.uint8))
    if exact:
        invented[trusted == 0] = 255
    return Frame(image, invented)


def _mixed(one: Floats, other: Floats, share: Floats, white: np.float32) -> Floats:
    """Pixels (n, 3 or 4) of both, the first one's by its share; alpha is straight before and after."""
    if one.shape[1] == 4:
        alphas = share * one[:, 3:], (1 - share) * other[:, 3:]
        alpha = alphas[0] + alphas[1]
        colours = (alphas[0] * one[:, :3] + alphas[1] * other[:, :3]) / np.maximum(alpha, np.float32(1e-6))
        mixed = np.concatenate([np.where(alpha > 0, colours, one[:, :3]), alpha], axis=1)
    else:
        mixed = share * one + (1 - share) * other
    rounded: Floats = np.rint(np.clip(mixed, 0, 1) * white)
    return rounded


def _shares(trusted: Mask, *, exact: bool) -> Floats:
    """How much of each pixel is what was filmed, (h, w) from 0 to 1."""
    feather = max(3.0, trusted.shape[0] / _FEATHER)
    if trusted.all():
        return np.ones(trusted.shape, np.float32)
    if exact:
        away = cv2.distanceTransform(1 - trusted, cv2.DIST_L2, 5)
        share = np.clip(1 - away / feather, 0, 1) if trusted.any() else np.zeros(trusted.shape)
    else:
        share = np.clip(cv2.distanceTransform(trusted, cv2.DIST_L2, 5) / feather, 0, 1)
    smooth: Floats = (share * share * (3 - 2 * share)).astype(np.float32)
    return smooth
