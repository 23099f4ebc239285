"""Two cameras and the maps between their pictures.

A point at pixel ``(u, v)`` of one camera with inverse depth ``q`` (1/m, 0 at infinity) lies in the other at
``h = A (u, v, 1) + b q``: pixel ``(h.x / h.z, h.y / h.z)``, inverse depth ``q / h.z``. Without a move ``b`` is zero and
``A`` is the homography of a pure rotation; no depth needs to be known for it, and none is too far.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..contract import Trajectory

Matrix = npt.NDArray[np.float64]


class Cameras(NamedTuple):
    """A trajectory as arrays, its lens in pixels of the frames that are really there.

    Attributes:
        poses: (n, 4, 4) camera-to-world.
        lenses: (n, 3, 3) intrinsic matrices; pixel centres at half-integers.
        width, height: pixels.
    """

    poses: Matrix
    lenses: Matrix
    width: int
    height: int

    def shrunk(self, width: int, height: int) -> Cameras:
        """The same cameras on frames of another size."""
        scale = np.diag([width / self.width, height / self.height, 1.0])
        return Cameras(self.poses, scale @ self.lenses, width, height)


class Map(NamedTuple):
    """From one picture into another: ``h = a (u, v, 1) + b q``."""

    a: Matrix
    b: Matrix

    def single(self) -> npt.NDArray[np.float32]:
        """(3, 4), ``b`` beside ``a``, as the kernels take it."""
        return np.column_stack((self.a, self.b)).astype(np.float32)

    def parallax(self, width: int, height: int, nearest: float) -> float:
        """About the most, in pixels, that points between infinity and inverse depth ``nearest`` move apart."""
        most = 0.0
        for u in (0.0, width / 2, float(width)):
            for v in (0.0, height / 2, float(height)):
                far = self.a @ (u, v, 1.0)
                near = far + self.b * nearest
                if far[2] <= 0 or near[2] <= 0:
                    return np.inf
                most = max(most, float(np.abs(far[:2] / far[2] - near[:2] / near[2]).max()))
        return most


def cameras(trajectory: Trajectory, width: int, height: int) -> Cameras:
    """The trajectory for frames of this size, which may be stretched against the one that it was stated for."""
    poses = np.array(trajectory.poses, dtype=np.float64)
    lenses = np.zeros((len(trajectory), 3, 3))
    for lens, each in zip(lenses, trajectory.intrinsics, strict=True):
        lens[:] = (each.fx, 0, each.cx), (0, each.fy, each.cy), (0, 0, 1)
    return Cameras(poses, lenses, trajectory.width, trajectory.height).shrunk(width, height)


def between(one: Cameras, i: int, other: Cameras, j: int) -> Map:
    """The map from frame ``i`` of one trajectory into frame ``j`` of another."""
    rotation, move = other.poses[j, :3, :3].T, one.poses[i, :3, 3] - other.poses[j, :3, 3]
    a = other.lenses[j] @ rotation @ one.poses[i, :3, :3] @ np.linalg.inv(one.lenses[i])
    return Map(a, other.lenses[j] @ rotation @ move)


def on_plane(across: Map, distance: float) -> Matrix:
    """The homography by which ``across`` maps a plane that stands ``distance`` metres before the first camera."""
    homography = across.a.copy()
    homography[:, 2] += across.b / distance
    return homography
