"""What moves by itself between two frames of footage, apart from what moves because its camera does.

What the camera does to a picture, most of the picture has in common: points move along lines through one point
(epipolar geometry), or, where a camera only turns or looks at a plane, by one homography. What does not is moving by
itself. Not told are things that move along those very lines, and things that fill most of the frame.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Grey = npt.NDArray[np.uint8]

_STRAYS = 1.5  # pixels of a frame 832 wide beyond which a point moves by itself
_FEWEST = 16  # points that tell what most have in common
_FLAT = 0.85  # of what fits epipolar lines, that must fit a homography for that to be the stricter truth
_STEP = 8  # pixels between the places at which dense flow is looked at
_CLEAN = 0.008  # of the frame's width: islands and holes that are smaller are mistakes


def moves_by_itself(one: npt.ArrayLike, other: npt.ArrayLike, width: int) -> Bools:
    """Which points move by themselves.

    Args:
        one: (n, 2) where points were in one frame, x and y in pixels.
        other: (n, 2) where they are in the other.
        width: of the frames, pixels.

    Returns:
        (n,) true where a point does; all false where fewer than 16 points tell nothing.
    """
    first, second = (np.asarray(each, np.float64).reshape(-1, 2) for each in (one, other))
    if len(first) < _FEWEST:
        return np.zeros(len(first), bool)
    result: Bools = _model(first, second, _STRAYS * width / 832)(first, second)
    return result


def moving_mask(one: Grey, other: Grey, flow: npt.NDArray[np.float32] | None = None) -> Grey:
    """Where ``one`` shows what moves by itself until ``other``.

    Args:
        one: uint8 (h, w).
        other: the same size.
        flow: (h, w, 2) from one to the other, pixels; None to have it found.

    Returns:
        uint8 (h, w), 255 where something moves by itself, else 0.
    """
    if flow is None:
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(one, other, None)
    height, width = one.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    places = np.stack([x, y], axis=-1)
    moved = places + flow
    # Flow means nothing where there is nothing to see move: what most have in common is told by the rest.
    telling = cv2.cornerMinEigenVal(one, 7) * (255**2 / 4) > 1.0
    telling &= (moved >= 0).all(axis=-1) & (moved[..., 0] < width) & (moved[..., 1] < height)
    grid = np.zeros_like(telling)
    grid[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP] = True
    chosen = telling & grid
    if chosen.sum() < _FEWEST:
        return np.zeros(one.shape, np.uint8)
    strays = _model(places[chosen], moved[chosen], _STRAYS * width / 832)
    mask = strays(places.reshape(-1, 2), moved.reshape(-1, 2)).reshape(one.shape)
    return _cleaned((mask & telling).astype(np.uint8) * 255, width)


def _cleaned(mask: Grey, width: int) -> Grey:
    size = max(3, round(_CLEAN * width)) | 1
    small = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    large = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3 * size | 1, 3 * size | 1))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, small)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, large)
    result: Grey = cv2.dilate(mask, small)
    return result


def _model(one: Floats, other: Floats, slack: float) -> Any:
    """What tells of further points whether they stray from what these have in common."""
    homography, _ = cv2.findHomography(one, other, cv2.RANSAC, slack)
    matrix, inliers = cv2.findFundamentalMat(one, other, cv2.FM_RANSAC, slack / 2, 0.999)
    if homography is not None:
        fits = int((_off_homography(homography, one, other) <= slack).sum())
        if matrix is None or matrix.shape != (3, 3) or fits >= _FLAT * int(inliers.sum()):
            return lambda first, second: _off_homography(homography, first, second) > slack
    if matrix is None or matrix.shape != (3, 3):
        return lambda first, _second: np.zeros(len(first), bool)
    return lambda first, second: _off_lines(matrix, first, second) > slack


def _off_homography(matrix: Floats, one: Floats, other: Floats) -> Floats:
    moved = np.concatenate([one, np.ones((len(one), 1))], axis=1) @ matrix.T
    depth = np.where(np.abs(moved[:, 2:]) > 1e-9, moved[:, 2:], 1e-9)
    result: Floats = np.linalg.norm(moved[:, :2] / depth - other, axis=1)
    return result


def _off_lines(matrix: Floats, one: Floats, other: Floats) -> Floats:
    """Sampson's distance, pixels."""
    first, second = (np.concatenate([each, np.ones((len(each), 1))], axis=1) for each in (one, other))
    lines, back = first @ matrix.T, second @ matrix
    across = np.sqrt((lines[:, :2] ** 2).sum(axis=1) + (back[:, :2] ** 2).sum(axis=1))
    result: Floats = np.abs((second * lines).sum(axis=1)) / np.maximum(across, 1e-12)
    return result
