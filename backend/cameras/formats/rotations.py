"""Poses as files have them: matrices with few digits, quaternions, world-to-camera."""

from __future__ import annotations

import numpy as np

from ...messages import ContractError
from ..poses import Array, inverse, quaternions, rotations

# Files have four digits and more; what is further from a rotation than this was not written by a camera.
_TOLERANCE = 1e-2

# OpenGL's axes of a camera (x right, y up, z backward) to OpenCV's (x right, y down, z forward), and back.
_OPENGL = np.diag((1.0, -1.0, -1.0, 1.0))


def opengl(poses: Array) -> Array:
    """Camera-to-world (n, 4, 4) with OpenGL's axes for those with OpenCV's, and back."""
    return poses @ _OPENGL


def rigid(matrices: Array, fields: list[str]) -> Array:
    """Camera-to-world or world-to-camera (n, 4, 4) whose rotations are exact, from (n, 3, 4) that are nearly so.

    Raises ContractError for the field of the first that is not.
    """
    turns = matrices[:, :3, :3]
    with np.errstate(over="ignore", invalid="ignore"):
        off = np.abs(np.swapaxes(turns, 1, 2) @ turns - np.eye(3)).max(axis=(1, 2))
    wrong = ~(np.isfinite(matrices).all(axis=(1, 2)) & (off <= _TOLERANCE))
    wrong[~wrong] = np.linalg.det(turns[~wrong]) < 0
    if wrong.any():
        index = int(np.argmax(wrong))
        found = " ".join(f"{each:g}" for each in turns[index].ravel())
        raise ContractError(fields[index], found, "a rotation, 3 x 3, neither scaled nor mirrored")
    left, _, right = np.linalg.svd(turns)
    result = np.zeros((len(turns), 4, 4))
    result[:, :3, :3] = left @ right
    result[:, :3, 3] = matrices[:, :3, 3]
    result[:, 3, 3] = 1
    return result


def from_quaternions(turns: Array, places: Array, fields: list[str]) -> Array:
    """Poses (n, 4, 4) of quaternions (n, 4) as w, x, y, z and places (n, 3).

    Raises ContractError for the field of the first whose quaternion has not the length 1.
    """
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(turns, axis=1)
    wrong = ~(np.abs(lengths - 1) <= _TOLERANCE)
    if wrong.any():
        index = int(np.argmax(wrong))
        found = " ".join(f"{each:g}" for each in turns[index])
        raise ContractError(fields[index], f"the quaternion {found} of length {lengths[index]:g}", "one of length 1")
    result = np.zeros((len(turns), 4, 4))
    result[:, :3, :3] = rotations(turns)
    result[:, :3, 3] = places
    result[:, 3, 3] = 1
    return result


def to_quaternions(poses: Array) -> Array:
    """Quaternions (n, 4) as w, x, y, z of poses, each on the side of the one before it."""
    found = quaternions(poses[:, :3, :3])
    found[0] *= np.copysign(1, found[0, 0])
    sides = np.sign((found[1:] * found[:-1]).sum(axis=1))
    found[1:] *= np.cumprod(np.where(sides < 0, -1.0, 1.0))[:, None]
    return found


def world_to_camera(poses: Array) -> Array:
    """World-to-camera for camera-to-world, and back."""
    return inverse(poses)
