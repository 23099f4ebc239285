"""A keyed camera and its files, for the tests of those."""

import math
from fractions import Fraction

import numpy as np

KINDS = ("recam", "published", "re10k", "tum", "colmap", "colmap-bin", "nerfstudio")
NAMES = {"colmap": "model", "colmap-bin": "model", "tum": "t.tum", "re10k": "t.txt"}
WIDTH, HEIGHT, FRAMES = 640, 360, 9


def trajectory(recam, frames=FRAMES, zoom=True, turns=1.0):
    """A camera that goes round the world's origin upright, z up, as it were in Blender; its lens changes."""
    poses = np.tile(np.eye(4), (frames, 1, 1))
    for pose, angle in zip(poses, np.linspace(0, turns * 2 * math.pi, frames), strict=True):
        forward = np.array((-math.cos(angle), -math.sin(angle), -0.2)) / math.sqrt(1.04)
        right = np.array((-math.sin(angle), math.cos(angle), 0))
        pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=-1)
        pose[:3, 3] = (3 * math.cos(angle), 3 * math.sin(angle), 1.5)
    lenses = np.tile((500.0, 500.0, WIDTH / 2, HEIGHT / 2), (frames, 1))
    if zoom:
        lenses[:, :2] *= np.linspace(1, 1.7, frames)[:, None]
        lenses[:, 2] += np.linspace(0, 20, frames)
        lenses[:, 3] -= np.linspace(0, 10, frames)
    return recam.backend("cameras").from_arrays(poses, lenses, WIDTH, HEIGHT)


def sampled(recam, scene, camera, frames=FRAMES, start=1):
    wanted = [float(start + index) for index in range(frames)]
    return recam("sampling").sample_trajectory(scene, camera, wanted, width=WIDTH, height=HEIGHT)


def same(recam, one, other, lens=True, atol=1e-5):
    arrays = recam.backend("cameras").arrays
    np.testing.assert_allclose(arrays(one)[0], arrays(other)[0], rtol=0, atol=atol)
    if lens:
        np.testing.assert_allclose(arrays(one)[1], arrays(other)[1], rtol=1e-5, atol=1e-3)


def written(formats, kind, folder, known):
    path = folder / NAMES.get(kind, "t.json")
    formats.write(path, known, kind, rate=Fraction(24))
    return path
