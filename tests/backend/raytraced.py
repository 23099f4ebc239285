"""A room to film, traced ray by ray: exact pictures and depth from any camera, by none of the code under test."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np

from backend.contract import Intrinsics, Trajectory

ROOM = np.array([[-4.0, -2.2, -2.5], [4.0, 1.4, 6.5]])
"""Corners, metres: x to the right, y down, z away from a camera at the origin."""


@dataclass(frozen=True)
class Room:
    """Boxes (n, 2, 3 corners) and balls (m, 4: centre, radius) in a room; two of the boxes and a ball can move."""

    seed: int = 0
    moving: bool = True
    boxes: int = 9
    sky: bool = False

    def at(self, time: float) -> tuple[np.ndarray, np.ndarray]:
        """The room's things at a time from 0 to 1."""
        random = np.random.default_rng(self.seed)
        boxes = [ROOM]
        for index in range(self.boxes):
            width, height, depth = random.uniform(0.25, 0.9), random.uniform(0.4, 1.9), random.uniform(0.25, 0.9)
            x, z = random.uniform(-2.6, 2.6), random.uniform(2.6, 5.6)
            if index < 2:
                x, z, width, height = -0.9 + 1.6 * index, 3.0 + 0.5 * index, 0.45, 1.2
                x += (0.5 if index == 0 else -0.4) * math.sin(2.5 * time) * self.moving
            floor = ROOM[1, 1]
            boxes.append(
                np.array([[x - width / 2, floor - height, z - depth / 2], [x + width / 2, floor, z + depth / 2]])
            )
        balls = [
            (1.9, ROOM[1, 1] - 0.45 - 0.3 * self.moving * abs(math.sin(5 * time)), 3.6, 0.45),
            (-2.2, -0.9, 4.4, 0.5),
        ]
        return np.array(boxes), np.array(balls)

    def shoot(self, pose, lens, width, height, time=0.0, looks=3):
        """A picture uint8 (h, w, 3), each pixel the mean of ``looks`` x ``looks`` rays; depth float32 at centres."""
        boxes, balls = self.at(time)
        pose = np.asarray(pose, np.float64)
        lens = np.array([lens.fx, lens.fy, lens.cx, lens.cy], np.float64)
        picture = np.empty((height, width, 3))
        depth = np.empty((height, width))
        _shoot(pose, lens, boxes, balls, looks, self.seed, self.sky, picture, depth)
        return np.clip(np.rint(picture), 0, 255).astype(np.uint8), depth.astype(np.float32)


def lens_for(width: int, height: int, angle: float = 55.0) -> Intrinsics:
    """A centred lens that sees ``angle`` degrees from left to right."""
    focal = width / 2 / math.tan(math.radians(angle) / 2)
    return Intrinsics(fx=focal, fy=focal, cx=width / 2, cy=height / 2)


def pose_at(position=(0.0, 0.0, 0.0), turn: float = 0.0, tilt: float = 0.0) -> np.ndarray:
    """A camera turned by degrees to the right and up."""
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    yaw = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    c, s = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
    pitch = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = yaw @ pitch, position
    return pose


def arc(degrees: float, distance: float = 4.0) -> np.ndarray:
    """A camera that has gone around a point ``distance`` metres before the origin's camera, looking at it."""
    angle = math.radians(degrees)
    return pose_at((distance * math.sin(-angle), 0.0, distance * (1 - math.cos(angle))), turn=degrees)


def trajectory(poses, lens: Intrinsics, width: int, height: int) -> Trajectory:
    rows = tuple(tuple(tuple(map(float, row)) for row in pose) for pose in poses)
    return Trajectory(width=width, height=height, poses=rows, intrinsics=(lens,) * len(rows))


def seen_before(pose, other, lens, depth, other_depth, slack=0.01):
    """Which pixels of a picture another camera sees too, by both cameras' true depth."""
    height, width = depth.shape
    v, u = np.mgrid[0:height, 0:width] + 0.5
    rays = np.stack([(u - lens.cx) / lens.fx, (v - lens.cy) / lens.fy, np.ones_like(u)], -1)
    points = (rays * depth[..., None]) @ np.asarray(pose)[:3, :3].T + np.asarray(pose)[:3, 3]
    local = (points - np.asarray(other)[:3, 3]) @ np.asarray(other)[:3, :3]
    z = np.maximum(local[..., 2], 1e-6)
    x, y = local[..., 0] / z * lens.fx + lens.cx, local[..., 1] / z * lens.fy + lens.cy
    inside = (local[..., 2] > 0) & (x > 0.5) & (y > 0.5) & (x < width - 0.5) & (y < height - 0.5)
    column, row = np.clip(x.astype(int), 0, width - 1), np.clip(y.astype(int), 0, height - 1)
    behind = np.full(depth.shape, -np.inf)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            r, c = np.clip(row + dy, 0, height - 1), np.clip(column + dx, 0, width - 1)
            behind = np.maximum(behind, other_depth[r, c])
    return inside & (z <= behind * (1 + slack))


def psnr(one, other, mask=None) -> float:
    error = (one.astype(np.float64) - other) ** 2
    mean = error.mean() if mask is None else error[mask].mean()
    return 99.0 if mean == 0 else 10 * math.log10(255**2 / mean)


@numba.njit(cache=False)
def _hash(x, y, z):
    n = (x * 374761393 + y * 668265263 + z * 2147483647) & 0xFFFFFFFF
    n = ((n ^ (n >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((n ^ (n >> 16)) & 0xFFFF) / 65535.0


@numba.njit(cache=False)
def _noise(x, y, z):
    i, j = math.floor(x), math.floor(y)
    s, t = x - i, y - j
    s, t = s * s * (3 - 2 * s), t * t * (3 - 2 * t)
    i, j = int(i), int(j)
    top = _hash(i, j, z) * (1 - s) + _hash(i + 1, j, z) * s
    bottom = _hash(i, j + 1, z) * (1 - s) + _hash(i + 1, j + 1, z) * s
    return top * (1 - t) + bottom * t


@numba.njit(cache=False)
def _paint(x, y, thing, side, seed, colour):
    """A wall-paper: noise over five octaves, in colours of the thing's own, and seams every half metre."""
    for c in range(3):
        base = 70 + 130 * _hash(thing * 7 + c, side, seed)
        value, size = 0.0, 2.0
        for octave in range(5):
            value += (
                (_noise(x * size, y * size, thing * 31 + side * 7 + octave * 3 + c + seed * 101) - 0.5)
                * 110
                / (1 + 0.35 * octave)
            )
            size *= 2
        colour[c] = base + value
    if abs(x * 2 - math.floor(x * 2) - 0.5) > 0.47 or abs(y * 2 - math.floor(y * 2) - 0.5) > 0.47:
        for c in range(3):
            colour[c] *= 0.5


@numba.njit(cache=False)
def _trace(o, d, boxes, balls, seed, sky, colour):
    """Distance along ``d`` (whose z is 1 in the camera) to what a ray hits first, and its colour."""
    best, hit, hit_side = 1e30, -1, 0
    for n in range(boxes.shape[0]):
        enter, leave, side_in, side_out = -1e30, 1e30, 0, 0
        for k in range(3):
            inverse = 1 / d[k] if abs(d[k]) > 1e-12 else 1e12
            one, other = (boxes[n, 0, k] - o[k]) * inverse, (boxes[n, 1, k] - o[k]) * inverse
            if min(one, other) > enter:
                enter, side_in = min(one, other), 2 * k + (one > other)
            if max(one, other) < leave:
                leave, side_out = max(one, other), 2 * k + (one < other)
        if n == 0:
            if sky and side_out == 5:
                continue
            if 0 < leave < best:
                best, hit, hit_side = leave, 0, side_out
        elif enter <= leave and 1e-6 < enter < best:
            best, hit, hit_side = enter, n, side_in
    for n in range(balls.shape[0]):
        ox, oy, oz = o[0] - balls[n, 0], o[1] - balls[n, 1], o[2] - balls[n, 2]
        a = d[0] ** 2 + d[1] ** 2 + d[2] ** 2
        b = ox * d[0] + oy * d[1] + oz * d[2]
        inside = b * b - a * (ox * ox + oy * oy + oz * oz - balls[n, 3] ** 2)
        if inside > 0:
            t = (-b - math.sqrt(inside)) / a
            if 1e-6 < t < best:
                best, hit, hit_side = t, 1000 + n, 0
    if hit < 0:
        for c in range(3):
            colour[c] = 200 + 15 * c + 20 * d[1] / math.sqrt(d[0] ** 2 + d[1] ** 2 + d[2] ** 2)
        return np.inf
    p0, p1, p2 = o[0] + best * d[0], o[1] + best * d[1], o[2] + best * d[2]
    if hit >= 1000:
        n = hit - 1000
        p0, p1, p2 = p0 - balls[n, 0], p1 - balls[n, 1], p2 - balls[n, 2]
        _paint(p0 * 1.3 + p2, p1 * 1.3, hit, 0, seed, colour)
    else:
        if hit > 0:  # the paper moves with its box
            p0, p1, p2 = p0 - boxes[hit, 0, 0], p1 - boxes[hit, 0, 1], p2 - boxes[hit, 0, 2]
        if hit_side < 2:
            _paint(p2, p1, hit, hit_side, seed, colour)
        elif hit_side < 4:
            _paint(p0, p2, hit, hit_side, seed, colour)
        else:
            _paint(p0, p1, hit, hit_side, seed, colour)
    return best


@numba.njit(cache=False, parallel=True)
def _shoot(pose, lens, boxes, balls, looks, seed, sky, picture, depth):
    height, width = depth.shape
    for y in numba.prange(height):
        d, colour = np.empty(3), np.empty(3)
        o = np.array([pose[0, 3], pose[1, 3], pose[2, 3]])
        for x in range(width):
            picture[y, x] = 0.0
            for k in range(looks * looks + 1):
                u, v = x + 0.5, y + 0.5
                if k < looks * looks:
                    u, v = x + (k % looks + 0.5) / looks, y + (k // looks + 0.5) / looks
                cx, cy = (u - lens[2]) / lens[0], (v - lens[3]) / lens[1]
                for i in range(3):
                    d[i] = pose[i, 0] * cx + pose[i, 1] * cy + pose[i, 2]
                t = _trace(o, d, boxes, balls, seed, sky, colour)
                if k < looks * looks:
                    for c in range(3):
                        picture[y, x, c] += colour[c] / (looks * looks)
                else:
                    depth[y, x] = t
