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
_ROWS = 256  # that are made at once, for memory's sake


def blend(filmed: Frame, trusted: Mask, match: Match, whole: float, *, exact: bool) -> Frame:
    """A frame of the take: bit for bit what was filmed where it is trusted, but for the seam.

    Args:
        filmed: as ``reproject`` draws it, its own fill in the holes.
        trusted: uint8 (h, w), 1 where its pixels are.
        match: the filler's frame in its place.
        whole: 0 to 1: how much of what was filmed to show at all.
        exact: let the seam lie outside of what is trusted. There the two cannot be mixed, as only one was filmed: what
            they differ by at the rim is carried on outside and fades.
    """
    height = trusted.shape[0]
    feather = max(3.0, height / _FEATHER)
    shares = _shares(trusted, 0 if exact else feather) * np.float32(whole)
    image = filmed.image.copy()
    white = np.float32(np.iinfo(image.dtype).max)
    carried = _carried(filmed, trusted, match, white, feather) if exact and whole == 1 else None
    for top in range(0, height, _ROWS):
        rows = slice(top, min(top + _ROWS, height))
        rest = shares[rows] < 1
        if not rest.any():
            continue
        part, drawn = match.rows(rows.start, rows.stop)
        filler = part[rest] if carried is None else np.clip(part[rest] + carried[rows][rest], 0, 1)
        # Where the filler's frame does not reach, the fill of what was filmed is all there is.
        kept = (1 - (1 - shares[rows][rest]) * drawn[rest])[:, None]
        one = filmed.image[rows][rest].astype(np.float32) / white
        image[rows][rest] = _mixed(one, filler, kept, white)
    return Frame(image, np.maximum(filmed.invented, np.rint(255 * (1 - shares)).astype(np.uint8)))


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


def _shares(trusted: Mask, feather: float) -> Floats:
    """How much of each pixel is what was filmed, (h, w) from 0 to 1."""
    if feather == 0 or trusted.all():
        return trusted.astype(np.float32)
    share = np.clip(cv2.distanceTransform(trusted, cv2.DIST_L2, 5) / np.float32(feather), 0, 1)
    smooth: Floats = (share * share * (3 - 2 * share)).astype(np.float32)
    return smooth


def _carried(filmed: Frame, trusted: Mask, match: Match, white: np.float32, feather: float) -> Floats:
    """What is to be added to the filler beside what is trusted, (h, w, 3 or 4): the difference at the nearest of it."""
    if trusted.all() or not trusted.any():
        return np.zeros(filmed.image.shape, np.float32)
    image, _ = match.rows(0, trusted.shape[0])
    away, labels = cv2.distanceTransformWithLabels(1 - trusted, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    own = trusted > 0
    apart = np.zeros((int(labels.max()) + 1, image.shape[2]), np.float32)
    apart[labels[own]] = filmed.image[own].astype(np.float32) / white - image[own]
    share = np.clip(1 - away / np.float32(feather), 0, 1)[..., None]
    carried: Floats = apart[labels] * (share * share)
    return carried
