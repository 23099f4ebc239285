"""Cameras from points, points from cameras, each to the least reprojection error; numpy alone.

Places are normalised here: ``(x - cx) / fx`` and ``(y - cy) / fy``; errors and scales are in those units too. Cameras
are world-to-camera: rotations (3, 3) and shifts (3,), OpenCV axes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .solve_tracks import Floats, Ints

Bools = npt.NDArray[np.bool_]

_NEAREST = 1e-6
"""Depth below which a point does not count as before the camera."""


def turned(rotation: Floats) -> Floats:
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3), radians."""
    angle = np.linalg.norm(rotation, axis=-1)[..., None, None]
    cross = crossed(rotation)
    # sin(a) / a and (1 - cos(a)) / a², without division by zero.
    first, second = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    result: Floats = np.eye(3) + first * cross + second * (cross @ cross)
    return result


def crossed(vectors: Floats) -> Floats:
    """The matrices (..., 3, 3) that a cross product with vectors (..., 3) is."""
    result = np.zeros((*vectors.shape, 3))
    x, y, z = np.moveaxis(vectors, -1, 0)
    result[..., 0, 1], result[..., 0, 2], result[..., 1, 2] = -z, y, -x
    result[..., 1, 0], result[..., 2, 0], result[..., 2, 1] = z, -y, x
    return result


def errors(rotation: Floats, shift: Floats, points: Floats, places: Floats) -> Floats:
    """How far points (n, 3) seen by a camera lie from where they were seen (n, 2); infinite behind it.

    ``rotation`` and ``shift`` may be one camera's, or one for each point.
    """
    local = np.einsum("...ij,...j->...i", rotation, points) + shift
    depth = local[..., 2]
    ahead = depth > _NEAREST
    seen = local[..., :2] / np.where(ahead, depth, 1)[..., None]
    result: Floats = np.where(ahead, np.linalg.norm(seen - places, axis=-1), np.inf)
    return result


def camera_from(
    points: Floats,
    places: Floats,
    rotation: Floats,
    shift: Floats,
    scale: float,
    *,
    still: bool = False,
    steps: int = 12,
) -> tuple[Floats, Floats]:
    """The camera that sees points (n, 3) nearest to places (n, 2), beginning at one that is near already.

    Errors beyond ``scale`` count ever less (Cauchy). A ``still`` camera only turns.
    """
    free = 3 if still else 6
    damping, cost = 1e-6, _cost(errors(rotation, shift, points, places), scale)
    for _ in range(steps):
        local = points @ rotation.T + shift
        ahead = local[:, 2] > _NEAREST
        normal, gradient = _normal_of_camera(local[ahead], places[ahead], scale, free)
        step: Floats = np.asarray(
            np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-12), -gradient), np.float64
        )
        turn = turned(step[:3])
        candidate = turn @ rotation, turn @ shift + (0 if still else step[3:])
        new = _cost(errors(*candidate, points, places), scale)
        if new > cost:
            damping = max(damping, 1e-6) * 10
            if damping > 1e3:
                break
            continue
        rotation, shift = candidate
        damping /= 10
        done, cost = cost - new <= 1e-9 * cost, new
        if done:
            break
    return _orthogonal(rotation), shift


def _normal_of_camera(local: Floats, places: Floats, scale: float, free: int) -> tuple[Floats, Floats]:
    inverse = 1 / local[:, 2]
    seen = local[:, :2] * inverse[:, None]
    off = seen - places
    weight = 1 / (1 + (off**2).sum(axis=1) / scale**2)
    by_point = np.zeros((len(local), 2, 3))
    by_point[:, 0, 0] = by_point[:, 1, 1] = inverse
    by_point[:, :, 2] = -seen * inverse[:, None]
    jacobian = np.concatenate([by_point @ -crossed(local), by_point], axis=2)[:, :, :free]
    weighted = jacobian * weight[:, None, None]
    normal: Floats = np.einsum("nki,nkj->ij", weighted, jacobian)
    return normal, np.einsum("nki,nk->i", weighted, off)


def _cost(error: Floats, scale: float) -> float:
    # What is behind the camera costs as much as the widest error there is in a frame.
    return float(np.log1p((np.minimum(error, 10.0) / scale) ** 2).sum())


def _orthogonal(rotation: Floats) -> Floats:
    left, _sizes, right = np.linalg.svd(rotation)
    result: Floats = left @ right
    return result


class Sightings:
    """Who saw which point where: one row for each sighting, grouped by frame, with what is asked of it by point.

    Attributes:
        frame, point: (n,) indices.
        place: (n, 2), normalised.
        count: how many points there are.
    """

    def __init__(self, frame: Ints, point: Ints, place: Floats, count: int) -> None:
        self.frame, self.point, self.place, self.count = frame, point, place, count

    def total(self, values: Floats, chosen: Bools | slice = slice(None)) -> Floats:
        """The sums (count, ...) of values (n, ...) over each point's sightings."""
        shape = values.shape[1:]
        flat = values.reshape(len(values), -1)
        point = self.point[chosen]
        sums = [np.bincount(point, flat[:, column], self.count) for column in range(flat.shape[1])]
        return np.asarray(np.stack(sums, axis=-1).reshape(self.count, *shape), np.float64)

    def largest(self, values: Floats) -> Floats:
        """The largest (count,) of values (n,) over each point's sightings."""
        result = np.full(self.count, -np.inf)
        np.maximum.at(result, self.point, values)
        return result


def points_from(
    sightings: Sightings,
    rotations: Floats,
    shifts: Floats,
    scale: float,
    points: Floats | None = None,
    *,
    steps: int = 8,
    check: Callable[[], None],
) -> Floats:
    """The points (count, 3) that cameras (m, 3, 3), (m, 3) saw; NaN for those seen once, or in one direction only.

    Where ``points`` are given they are bettered, else they begin where their rays pass nearest to each other.
    """
    rotation, shift = rotations[sightings.frame], shifts[sightings.frame]
    if points is None:
        points = _nearest_to_rays(sightings, rotation, shift)
    check()
    points = points.copy()
    error = _squares(sightings, rotation, shift, points, scale)
    for _ in range(steps):
        check()
        normal, gradient = _normal_of_points(sightings, rotation, shift, points, scale)
        lifted = normal + 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(3) + 1e-12 * np.eye(3)
        moved = points - np.linalg.solve(np.nan_to_num(lifted) + 1e-15 * np.eye(3), gradient[..., None])[..., 0]
        new = _squares(sightings, rotation, shift, moved, scale)
        better = new < error
        points[better] = moved[better]
        converged = bool((error[better] - new[better] <= 1e-6 * error[better]).all())
        error = np.where(better, new, error)
        if converged:
            break
    return points


def _nearest_to_rays(sightings: Sightings, rotation: Floats, shift: Floats) -> Floats:
    rays = np.concatenate([sightings.place, np.ones((len(sightings.place), 1))], axis=1)
    rays = np.einsum("nji,nj->ni", rotation, rays / np.linalg.norm(rays, axis=1, keepdims=True))
    centres = -np.einsum("nji,nj->ni", rotation, shift)
    across = np.eye(3) - rays[:, :, None] * rays[:, None, :]
    normal = sightings.total(across)
    wanted = sightings.total(np.einsum("nij,nj->ni", across, centres))
    # Rays that are all but parallel meet nowhere.
    flat = np.linalg.det(normal) <= 1e-15
    normal[flat] = np.eye(3)
    points = np.asarray(np.linalg.solve(normal, wanted[..., None])[..., 0], np.float64)
    points[flat] = np.nan
    return points


def _normal_of_points(
    sightings: Sightings, rotation: Floats, shift: Floats, points: Floats, scale: float
) -> tuple[Floats, Floats]:
    local = np.einsum("nij,nj->ni", rotation, points[sightings.point]) + shift
    ahead = local[:, 2] > _NEAREST
    local, rotation = local[ahead], rotation[ahead]
    inverse = 1 / local[:, 2]
    seen = local[:, :2] * inverse[:, None]
    off = seen - sightings.place[ahead]
    weight = 1 / (1 + (off**2).sum(axis=1) / scale**2)
    jacobian = (rotation[:, :2] - seen[:, :, None] * rotation[:, None, 2]) * inverse[:, None, None]
    weighted = jacobian * weight[:, None, None]
    normal = sightings.total(np.einsum("nki,nkj->nij", weighted, jacobian), ahead)
    return normal, sightings.total(np.einsum("nki,nk->ni", weighted, off), ahead)


def _squares(sightings: Sightings, rotation: Floats, shift: Floats, points: Floats, scale: float) -> Floats:
    error = errors(rotation, shift, points[sightings.point], sightings.place)
    return sightings.total(np.log1p((np.minimum(np.nan_to_num(error, nan=10.0), 10.0) / scale) ** 2))


def angles(sightings: Sightings, rotations: Floats, shifts: Floats, points: Floats) -> Floats:
    """The widest angles (count,), degrees, at which each point was seen from two of its cameras, nearly.

    Exactly: between the first ray's farthest ray, and the one farthest from that.
    """
    centres = -np.einsum("nji,nj->ni", rotations, shifts)[sightings.frame]
    rays = centres - points[sightings.point]
    rays /= np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-12)
    first = np.full(sightings.count, -1)
    first[sightings.point[::-1]] = np.arange(len(rays))[::-1]
    apart = np.zeros(sightings.count)
    for _ in range(2):
        cosine = (rays * rays[first[sightings.point]]).sum(axis=1)
        apart = np.degrees(np.arccos(np.clip(-sightings.largest(-cosine), -1, 1)))
        order = np.lexsort((cosine, sightings.point))
        begins = np.searchsorted(sightings.point[order], np.arange(sightings.count))
        has = np.bincount(sightings.point, minlength=sightings.count) > 0
        first = np.where(has, order[np.minimum(begins, len(order) - 1)], -1)
    apart[~has] = 0
    return apart
