"""Rigid poses: inverse, relative, in between."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]


def inverse(poses: npt.ArrayLike) -> Array:
    """World-to-camera for camera-to-world and back: (..., 4, 4) rigid poses, mirrored ones included."""
    known = np.asarray(poses, np.float64)
    rotation = np.swapaxes(known[..., :3, :3], -1, -2)
    result = np.zeros_like(known)
    result[..., :3, :3] = rotation
    result[..., :3, 3] = -np.einsum("...ij,...j->...i", rotation, known[..., :3, 3])
    result[..., 3, 3] = 1
    return result


def relative(poses: npt.ArrayLike, reference: npt.ArrayLike | None = None) -> Array:
    """Poses (n, 4, 4) as seen from one camera (4, 4), by default from their own first: inverse(reference) @ poses."""
    known = np.asarray(poses, np.float64)
    first = known[0] if reference is None else np.asarray(reference, np.float64)
    seen: Array = inverse(first) @ known
    if reference is None:
        seen[0] = np.eye(4)
    return seen


def interpolate(times_known: npt.ArrayLike, poses: npt.ArrayLike, times: npt.ArrayLike) -> Array:
    """Poses (m, 4, 4) at any ``times`` (m,) between poses (n, 4, 4) known at rising ``times_known`` (n,).

    Positions move on straight lines, rotations at constant speed by the shorter way (slerp). Before the first and
    after the last known time the camera stands still. At a known time the pose is the known one, to the last bit.
    Raises ValueError for times that do not rise, are not finite, or do not go with the poses.
    """
    known, stamps, wanted = _checked(times_known, poses, times)
    if len(known) == 1:
        return np.repeat(known, len(wanted), axis=0)
    after = np.clip(np.searchsorted(stamps, wanted, side="right"), 1, len(stamps) - 1)
    before = after - 1
    share = np.clip((wanted - stamps[before]) / (stamps[after] - stamps[before]), 0, 1)
    result = np.zeros((len(wanted), 4, 4))
    turns = quaternions(known[:, :3, :3])
    result[:, :3, :3] = rotations(_slerp(turns[before], turns[after], share))
    result[:, :3, 3] = (1 - share)[:, None] * known[before, :3, 3] + share[:, None] * known[after, :3, 3]
    result[:, 3, 3] = 1
    # Where both neighbours are one pose it is kept: a camera that stands still must not tremble in the last bit.
    for neighbour, kept in ((before, share == 0), (after, share == 1), (before, _equal(known, before, after))):
        result[kept] = known[neighbour[kept]]
    return result


def is_rigid(pose: npt.ArrayLike, *, tolerance: float = 1e-4) -> bool:
    """Whether a 4x4 is a rotation and a translation: no scale, shear, mirror image, NaN, and a last row of 0 0 0 1."""
    known = np.asarray(pose, np.float64)
    if known.shape != (4, 4) or not np.isfinite(known).all():
        return False
    rotation = known[:3, :3]
    return bool(
        np.abs(known[3] - (0, 0, 0, 1)).max() <= tolerance
        and np.abs(rotation.T @ rotation - np.eye(3)).max() <= tolerance
        and np.linalg.det(rotation) > 0
    )


def _checked(times_known: npt.ArrayLike, poses: npt.ArrayLike, times: npt.ArrayLike) -> tuple[Array, Array, Array]:
    known = np.asarray(poses, np.float64)
    stamps, wanted = np.asarray(times_known, np.float64), np.atleast_1d(np.asarray(times, np.float64))
    if known.ndim != 3 or known.shape[1:] != (4, 4) or not len(known):
        raise ValueError(f"poses have the shape {known.shape}, not (n, 4, 4)")
    if stamps.shape != (len(known),):
        raise ValueError(f"{len(known)} poses, but times of shape {stamps.shape}")
    if not (np.isfinite(stamps).all() and np.isfinite(wanted).all()):
        raise ValueError("a time is not a finite number")
    if (np.diff(stamps) <= 0).any():
        raise ValueError("the times of the known poses must rise")
    return known, stamps, wanted


def _equal(known: Array, before: npt.NDArray[np.intp], after: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    same: npt.NDArray[np.bool_] = (known[before] == known[after]).all(axis=(1, 2))
    return same


# Quaternions are (n, 4) as w, x, y, z, of length 1; q and -q are the same rotation.


def quaternions(turns: Array) -> Array:
    """Quaternions (n, 4) as w, x, y, z, of rotations (n, 3, 3); of the two that each has, either."""
    m = np.moveaxis(turns, 0, -1)
    w, x, y = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
    xy, xz, yz = m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1]
    # 4 q qᵀ: each row is the quaternion times four of its own component; the row of the largest is well conditioned.
    products = np.array(
        [
            [1 + m[0, 0] + m[1, 1] + m[2, 2], w, x, y],
            [w, 1 + m[0, 0] - m[1, 1] - m[2, 2], xy, xz],
            [x, xy, 1 - m[0, 0] + m[1, 1] - m[2, 2], yz],
            [y, xz, yz, 1 - m[0, 0] - m[1, 1] + m[2, 2]],
        ]
    )
    largest = np.einsum("iin->in", products).argmax(axis=0)
    chosen = products[largest, :, np.arange(len(turns))]
    return chosen / np.linalg.norm(chosen, axis=1, keepdims=True)


def _slerp(first: Array, last: Array, share: Array) -> Array:
    last = np.where((first * last).sum(axis=1, keepdims=True) < 0, -last, last)
    # atan2 keeps its precision where arccos of a dot product near 1 has none left.
    angle = 2 * np.arctan2(np.linalg.norm(last - first, axis=1), np.linalg.norm(last + first, axis=1))
    # sin(a t) / sin(a) = t sinc(a t) / sinc(a): no division by zero, as a is at most 90 degrees.
    whole = np.sinc(angle / np.pi)
    weights = [part * np.sinc(part * angle / np.pi) / whole for part in (1 - share, share)]
    return weights[0][:, None] * first + weights[1][:, None] * last


def rotations(turns: Array) -> Array:
    """Rotations (n, 3, 3) of quaternions (n, 4) as w, x, y, z, of any length but 0."""
    w, x, y, z = turns.T / np.linalg.norm(turns, axis=1)
    rows = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return np.moveaxis(rows, -1, 0)
