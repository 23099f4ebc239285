"""A picture as a stage: ground below the horizon, things that stand on it, a sky."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from . import relief_lines
from .relief_lines import Lines

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_NEAR_HORIZON = 0.03  # of the height: no ground is looked for nearer to it
_LOW = 0.55  # of what is below the horizon, where ground is more likely than not
_REACH = 0.035  # of the height: how far a line tells of what is around it
_LEAST_PART = 0.01  # of the picture: smaller ground that does not reach the lower edge is none
_CELL = 9  # pixels, about, along each side of a segment
_COLOUR = 14.0  # by which colours of one thing differ, in Lab
_ALONG = 3.0  # times that what is above one another rather stands together than what is side by side
_LEAST = 0.004  # heights of the camera per metre: the farthest ground is 250 of them away
_SMOOTH, _BRIGHT, _DIM = 6.0, 140, 70  # of a sky, gray levels
_BLUE = 15


class Stage(NamedTuple):
    """What a picture shows, at its size.

    Attributes:
        horizon: its row.
        nearness: float32 (h, w), inverse depth in units of the camera's height above the ground.
        ground, sky: (h, w).
    """

    horizon: float
    nearness: Floats
    ground: Mask
    sky: Mask

    @property
    def standing(self) -> float:
        """The share of the columns in which something stands on ground that is seen."""
        return float((~self.ground[:-1] & self.ground[1:]).any(axis=0).mean())


def build(picture: npt.NDArray[np.uint8], focal: float, centre: tuple[float, float]) -> Stage:
    """See a picture as a stage.

    Args:
        picture: (h, w, 3) RGB, about 400 pixels wide.
        focal: of the lens, pixels of the picture.
        centre: of the lens, x and y.
    """
    lines = relief_lines.find(picture, focal, centre)
    small = cv2.resize(picture, (picture.shape[1] // 2, picture.shape[0] // 2), interpolation=cv2.INTER_AREA)
    half = Lines(lines.horizon / 2, lines.upright / 2, lines.receding / 2)
    ground = _ground(small, half)
    sky = _sky(small, half.horizon) & ~ground
    nearness = _nearness(small, focal / 2, half.horizon, ground, sky)
    size = (picture.shape[1], picture.shape[0])
    return Stage(
        lines.horizon,
        np.asarray(cv2.resize(nearness.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)),
        cv2.resize(ground.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0,
        cv2.resize(sky.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0,
    )


def ground_nearness(rows: Any, horizon: float, focal: float) -> Any:
    """Inverse depth of the ground at rows of a picture, in units of the camera's height."""
    return np.maximum((rows + 0.5 - horizon) / focal, _LEAST)


def _ground(picture: Any, lines: Lines) -> Mask:
    """What looks as the ground does where lines recede, and not as things do where lines stand."""
    height, width = picture.shape[:2]
    top = int(np.clip(np.ceil(lines.horizon + _NEAR_HORIZON * height), 0, height - 4))
    upright, receding = (_drawn(each, (height, width)) for each in (lines.upright, lines.receding))
    reach = _REACH * height
    stands, lies = (cv2.GaussianBlur(each.astype(np.float32), (0, 0), reach) for each in (upright, receding))
    guess = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    guess[int(top + _LOW * (height - top)) :] = cv2.GC_PR_FGD
    guess[lies > 0.06] = cv2.GC_PR_FGD
    guess[(stands > 0.06) & (stands > lies)] = cv2.GC_PR_BGD
    guess[(receding > 0) & (stands < 0.05)] = cv2.GC_FGD
    guess[upright > 0] = cv2.GC_BGD
    guess[:top] = cv2.GC_BGD
    likely = ((guess == cv2.GC_FGD) | (guess == cv2.GC_PR_FGD)).sum()
    if not 50 < likely < guess.size - 50:
        return np.zeros((height, width), bool)
    cv2.setRNGSeed(1)  # the colours' clusters begin by chance
    cv2.grabCut(cv2.medianBlur(picture, 5), guess, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    found = ((guess == cv2.GC_FGD) | (guess == cv2.GC_PR_FGD)).astype(np.uint8)
    for how in (cv2.MORPH_CLOSE, cv2.MORPH_OPEN):
        found = cv2.morphologyEx(found, how, np.ones((5, 5), np.uint8))
    count, parts, about, _ = cv2.connectedComponentsWithStats(found, connectivity=4)
    kept = (about[:, 1] + about[:, 3] >= height - 2) | (about[:, 4] > _LEAST_PART * height * width)
    kept[0] = False
    return np.asarray(kept[parts]) if count > 1 else np.zeros((height, width), bool)


def _drawn(lines: Any, shape: tuple[int, int]) -> Any:
    canvas = np.zeros(shape, np.uint8)
    for x, y, u, v in np.rint(lines).astype(int).tolist():
        cv2.line(canvas, (x, y), (u, v), 1, 2)
    return canvas


def _sky(picture: Any, horizon: float) -> Mask:
    """What is smooth, bright or blue, and reaches the upper edge."""
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean = cv2.blur(gray, (7, 7))
    rough = np.sqrt(np.maximum(cv2.blur(gray * gray, (7, 7)) - mean * mean, 0))
    red, blue = picture[..., 0].astype(int), picture[..., 2].astype(int)
    like = (rough < _SMOOTH) & ((gray > _BRIGHT) | ((blue > red + _BLUE) & (gray > _DIM)))
    like[max(int(horizon), 0) :] = False
    _, parts, about, _ = cv2.connectedComponentsWithStats(like.astype(np.uint8), connectivity=4)
    kept = (about[:, 1] == 0) & (about[:, 4] > _LEAST_PART * like.size)
    kept[0] = False
    found = kept[parts].astype(np.uint8)
    return cv2.dilate(found, np.ones((5, 5), np.uint8)) > 0


def _nearness(picture: Any, focal: float, horizon: float, ground: Mask, sky: Mask) -> Any:
    """Ground by its row; what stands by the ground at its foot, and by what it hangs together with."""
    height, width = ground.shape
    rows = ground_nearness(np.arange(height), horizon, focal)
    on_ground = np.repeat(rows[:, None], width, 1)
    labels, colours = _segments(picture, ground, sky)
    count = len(colours)
    fixed = np.zeros(count, bool)
    fixed[np.unique(labels[ground])] = True
    links = np.zeros((count, count))
    for one, other, weight in ((labels[1:], labels[:-1], _ALONG), (labels[:, 1:], labels[:, :-1], 1.0)):
        a, b = one.ravel(), other.ravel()
        apart = (a != b) & ~fixed[a] & ~fixed[b]
        a, b = a[apart], b[apart]
        alike = np.exp(-((colours[a] - colours[b]) ** 2).sum(1) / (2 * _COLOUR**2)) + 0.01
        np.add.at(links, (a, b), weight * alike)
        np.add.at(links, (b, a), weight * alike)
    known, wanted = np.zeros(count), np.zeros(count)
    feet = ~ground[:-1] & ground[1:]
    _anchor(known, wanted, labels[:-1][feet], on_ground[1:][feet], 3.0)
    # What is cut off by the lower edge is at least as near as the ground there.
    low = ~ground[-1]
    _anchor(known, wanted, labels[-1][low], on_ground[-1][low], 0.9)
    _anchor(known, wanted, labels[sky], np.full(int(sky.sum()), _LEAST), 3.0)
    usual = float(np.median(on_ground[ground])) if ground.any() else 1.0
    system = np.diag(links.sum(1) + known + 1e-6) - links
    solved = np.linalg.solve(system, wanted + 1e-6 * usual)
    return np.where(ground, on_ground, np.maximum(solved, _LEAST)[labels])


def _anchor(known: Any, wanted: Any, labels: Any, values: Any, weight: float) -> None:
    np.add.at(known, labels, weight)
    np.add.at(wanted, labels, weight * values)


def _segments(picture: Any, ground: Mask, sky: Mask) -> tuple[Any, Any]:
    """Patches of one colour, none partly ground or sky: their numbers by pixel, and their colours in Lab."""
    height, width = ground.shape
    flat = cv2.pyrMeanShiftFiltering(picture, 6, 22, maxLevel=1)
    seeds = np.zeros((height, width), np.int32)
    places = seeds[_CELL // 2 :: _CELL, _CELL // 2 :: _CELL]
    places[:] = np.arange(1, places.size + 1).reshape(places.shape)
    cv2.watershed(flat, seeds)
    grown = np.maximum(seeds, 0).astype(np.float32)
    while not grown.all():
        grown = np.where(grown == 0, cv2.dilate(grown, np.ones((3, 3), np.uint8)), grown)
    kinds = grown.astype(int) * 3 + np.where(ground, 1, np.where(sky, 2, 0))
    _, labels = np.unique(kinds, return_inverse=True)
    labels = labels.reshape(height, width)
    lab = cv2.cvtColor(flat, cv2.COLOR_RGB2LAB).astype(np.float64)
    count = np.bincount(labels.ravel())
    return labels, np.stack([np.bincount(labels.ravel(), lab[..., c].ravel()) / count for c in range(3)], 1)
