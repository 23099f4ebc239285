"""Trajectories of the contract as arrays, and back."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from ..contract import ContractError, Intrinsics, Job, Pose, Trajectory
from .intrinsics import interpolate_intrinsics
from .poses import Array, interpolate


def arrays(trajectory: Trajectory) -> tuple[Array, Array]:
    """Poses (n, 4, 4) and intrinsics (n, 4) as fx, fy, cx, cy."""
    lenses = [(each.fx, each.fy, each.cx, each.cy) for each in trajectory.intrinsics]
    return np.array(trajectory.poses, np.float64), np.array(lenses, np.float64)


def from_arrays(poses: npt.ArrayLike, intrinsics: npt.ArrayLike, width: int, height: int) -> Trajectory:
    """A trajectory of poses (n, 4, 4), and intrinsics (n, 4), or (4,) for a lens that does not change.

    Raises ContractError for what no trajectory can be: see :class:`backend.contract.Trajectory`.
    """
    known, lenses = np.asarray(poses, np.float64), np.asarray(intrinsics, np.float64)
    if known.ndim != 3 or known.shape[1:] != (4, 4):
        raise ContractError("poses", f"the shape {known.shape}", "(n, 4, 4)")
    if lenses.ndim == 1:
        lenses = np.broadcast_to(lenses, (len(known), *lenses.shape))
    if lenses.ndim != 2 or lenses.shape[1] != 4:
        raise ContractError("intrinsics", f"the shape {lenses.shape}", "(n, 4): fx, fy, cx, cy")
    return Trajectory(
        width=width,
        height=height,
        poses=tuple(_pose(each) for each in known.tolist()),
        intrinsics=tuple(Intrinsics(fx=fx, fy=fy, cx=cx, cy=cy) for fx, fy, cx, cy in lenses.tolist()),
    )


def source_of(job: Job) -> Trajectory:
    """The camera that shot the job's footage, its intrinsics in pixels of the footage.

    The job's source camera where it has one. Else one that stands at the target's first pose, with the job's lens, or,
    where the job says nothing of the lens, with the target's first.
    """
    footage = job.footage
    if job.source is not None:
        return resized(job.source, footage.width, footage.height)
    first = resized(job.target, footage.width, footage.height).intrinsics[0]
    return Trajectory(
        width=footage.width,
        height=footage.height,
        poses=(job.target.poses[0],) * len(job),
        intrinsics=(first if job.lens is None else job.lens,) * len(job),
    )


def reposed(trajectory: Trajectory, poses: npt.ArrayLike) -> Trajectory:
    """The same lenses at other poses (n, 4, 4). Raises ContractError as :func:`from_arrays`."""
    return from_arrays(poses, arrays(trajectory)[1], trajectory.width, trajectory.height)


def resized(trajectory: Trajectory, width: int, height: int) -> Trajectory:
    """The same camera with its frame stretched to another size."""
    if (width, height) == (trajectory.width, trajectory.height):
        return trajectory
    x, y = width / trajectory.width, height / trajectory.height
    lenses = tuple(each.scaled(x, y) for each in trajectory.intrinsics)
    return dataclasses.replace(trajectory, width=width, height=height, intrinsics=lenses)


def resample(trajectory: Trajectory, times: npt.ArrayLike) -> Trajectory:
    """The camera at any times (m,), counted in the trajectory's frames from 0; it stands still beyond its ends."""
    poses, lenses = arrays(trajectory)
    known = np.arange(len(poses))
    return from_arrays(
        interpolate(known, poses, times),
        interpolate_intrinsics(known, lenses, np.atleast_1d(np.asarray(times, np.float64))),
        trajectory.width,
        trajectory.height,
    )


def _pose(rows: list[list[float]]) -> Pose:
    first, second, third, last = ((a, b, c, d) for a, b, c, d in rows)
    return first, second, third, last
