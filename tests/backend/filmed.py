"""Rooms filmed by cameras as people hold them, and solved cameras held against the true ones."""

import contextlib

import numpy as np
import raytraced

from backend import cameras

WIDTH, HEIGHT = 416, 240
LENS = raytraced.lens_for(WIDTH, HEIGHT)


def hand(count, *, degrees=0.4, metres=0.01, rate=24, seed=1):
    """How a hand trembles: turns (count, 3) in degrees and shifts (count, 3) in metres, 0.7 to 7 Hz."""
    random = np.random.default_rng(seed)
    time = np.arange(count) / rate
    waves = [
        sum(
            random.normal() * np.sin(2 * np.pi * pitch * time + random.uniform(0, 2 * np.pi))
            for pitch in (0.7, 1.3, 2.1, 3.7, 5.3, 7.1)
        )
        / 2.4
        for _ in range(6)
    ]
    return np.stack(waves[:3], axis=1) * degrees, np.stack(waves[3:], axis=1) * metres


def handheld(count, *, travel=1.0, turn=6.0, **hands):
    """Poses of somebody who walks sideways by ``travel`` metres and pans by ``turn`` degrees the other way."""
    turns, shifts = hand(count, **hands)
    poses = []
    for index, share in enumerate(np.linspace(-0.5, 0.5, count)):
        place = np.array([travel * share, 0, 0.3 * travel * share]) + shifts[index]
        pose = raytraced.pose_at(place, turn=turns[index, 0] - turn * share, tilt=turns[index, 1])
        c, s = np.cos(np.radians(turns[index, 2])), np.sin(np.radians(turns[index, 2]))
        roll = np.eye(4)
        roll[:2, :2] = [[c, -s], [s, c]]
        poses.append(pose @ roll)
    return np.array(poses)


def film(poses, *, room=None, width=WIDTH, height=HEIGHT, lens=None, looks=2):
    """What the cameras see of a room in which things move, from its time 0 to 1."""
    room = room or raytraced.Room()
    lens = lens or raytraced.lens_for(width, height)
    times = np.linspace(0, 1, len(poses))
    return [room.shoot(pose, lens, width, height, time, looks)[0] for pose, time in zip(poses, times, strict=True)]


class Clip:
    """Pictures as footage; counts how many were asked for at once, and in what order."""

    def __init__(self, images):
        self.images = images
        self.height, self.width = images[0].shape[:2]
        self.asked = []

    def frame(self, index):
        self.asked.append(index)
        return self.images[index]

    def opened(self):
        return contextlib.nullcontext(self)


def rotations_off(trajectory, poses):
    """How far each rotation of a trajectory is off, degrees, both sides turned to agree on the whole."""
    found, _ = cameras.arrays(trajectory)
    left, _sizes, right = np.linalg.svd(np.einsum("nij,nkj->ik", poses[:, :3, :3], found[:, :3, :3]))
    error = np.einsum("nij,nik->njk", left @ right @ found[:, :3, :3], poses[:, :3, :3])
    cosine = (np.trace(error, axis1=1, axis2=2) - 1) / 2
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def places_off(trajectory, poses):
    """How far each place is off, as a share of the way from end to end, both sides laid over each other (Umeyama)."""
    found, _ = cameras.arrays(trajectory)
    left, _sizes, right = np.linalg.svd(np.einsum("nij,nkj->ik", poses[:, :3, :3], found[:, :3, :3]))
    one, other = found[:, :3, 3] @ (left @ right).T, poses[:, :3, 3]
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    scale = (one * other).sum() / (one**2).sum()
    return np.linalg.norm(scale * one - other, axis=1) / np.linalg.norm(poses[-1, :3, 3] - poses[0, :3, 3])
