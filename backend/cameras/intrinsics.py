"""Lenses: pinholes in pixels, as (n, 4) arrays of fx, fy, cx, cy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .poses import Array


def matrix(intrinsics: npt.ArrayLike) -> Array:
    """Calibration matrices (n, 3, 3) of intrinsics (n, 4): pixels = K @ camera coordinates, then divided by z."""
    known = np.atleast_2d(np.asarray(intrinsics, np.float64))
    result = np.zeros((len(known), 3, 3))
    result[:, 0, 0], result[:, 1, 1], result[:, 0, 2], result[:, 1, 2] = known.T
    result[:, 2, 2] = 1
    return result


def from_lens(focal_mm: float, sensor_mm: float, width: int, height: int) -> Array:
    """A centred lens (4,) with square pixels; ``sensor_mm`` is the sensor's width and spans the frame's width."""
    focal = focal_mm / sensor_mm * width
    return np.array([focal, focal, width / 2, height / 2])


def interpolate_intrinsics(times_known: npt.ArrayLike, intrinsics: npt.ArrayLike, times: npt.ArrayLike) -> Array:
    """Intrinsics (m, 4) at any ``times`` (m,), linear between those known, constant beyond them."""
    known, stamps, wanted = (np.asarray(each, np.float64) for each in (intrinsics, times_known, times))
    return np.stack([np.interp(wanted, stamps, column) for column in known.T], axis=-1).reshape(-1, 4)
