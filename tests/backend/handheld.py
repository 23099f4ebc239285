"""Handheld shots of the traced room: what the operator meant, what the hand added, and how a take shakes."""

import math
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import raytraced

from backend import contract
from backend.media.writer import open_take


def shake(frames: int, rate: float, seed: int, power: float = 0.0, low: float = 0.3, high: float = 10.0):
    """Sways (frames, 6) of one root mean square each; their power falls with frequency to the ``power``."""
    random = np.random.default_rng(seed)
    length = 4 * frames
    frequency = np.fft.rfftfreq(length, 1 / rate)
    among = (frequency >= low) & (frequency <= min(high, rate / 2))
    strength = np.zeros(len(frequency))
    strength[among] = frequency[among] ** (-power / 2)
    spectrum = strength * (random.normal(size=(6, len(frequency))) + 1j * random.normal(size=(6, len(frequency))))
    sway = np.fft.irfft(spectrum, length)[:, :frames].T
    sway -= sway.mean(0)
    return sway / np.sqrt((sway**2).mean(0))


def ramp(frames: int, begin: float, end: float, rise: float = 0.1):
    """0 to 1 at constant speed between two shares of the clip, speeding up and slowing down within ``rise`` of it."""
    t = np.linspace(0, 1, frames)
    speed = np.clip((t - begin) / rise, 0, 1) * np.clip((end - t) / rise, 0, 1)
    return np.cumsum(speed) / speed.sum()


def meant(kind: str, frames: int):
    """Paths that an operator means: (frames, 4, 4)."""
    share = ramp(frames, 0.2, 0.8)
    if kind == "pan":
        return np.array([raytraced.pose_at((0.3 * each, 0, 0), turn=-6 + 12 * each) for each in share])
    if kind == "travel":
        return np.array([raytraced.pose_at((-0.5 + each, 0.0, 0.2 * each), turn=-3 * each) for each in share])
    return np.array([raytraced.pose_at()] * frames)


def by_hand(poses, rate: float, *, degrees: float = 0.4, metres: float = 0.015, seed: int = 0, power: float = 0.0):
    """The same path with a hand's shake: root mean squares, per axis."""
    sway = shake(len(poses), rate, seed, power)
    shaken = []
    for pose, (pitch, yaw, roll, x, y, z) in zip(poses, sway, strict=True):
        move = raytraced.pose_at((metres * x, metres * y, metres * z), turn=degrees * yaw, tilt=degrees * pitch)
        c, s = math.cos(math.radians(degrees * roll)), math.sin(math.radians(degrees * roll))
        move[:3, :3] = move[:3, :3] @ [[c, -s, 0], [s, c, 0], [0, 0, 1]]
        shaken.append(pose @ move)
    return np.array(shaken)


def write_clip(path: Path, frames, rate: int = 24) -> contract.Footage:
    """A lossless movie of RGB frames."""
    height, width = frames[0].shape[:2]
    output = contract.Output(path=str(path), width=width, height=height, rate=Fraction(rate), format="ffv1")
    with open_take(output, has_alpha=False, bit_depth=8, whole_chroma=True) as take:
        for frame in frames:
            take.write(frame)
    return contract.Footage(
        kind="movie", files=(str(path),), frames=tuple(range(len(frames))), width=width, height=height
    )


def apart(frame, other):
    """How one picture is moved against another: x and y in pixels, roll and growth in pixels at half the width."""
    greys = [cv2.cvtColor(np.ascontiguousarray(each), cv2.COLOR_RGB2GRAY) for each in (other, frame)]
    points = cv2.goodFeaturesToTrack(greys[0], 300, 0.01, 6)
    there, found, _ = cv2.calcOpticalFlowPyrLK(*greys, points, None, winSize=(25, 25), maxLevel=4)
    known = found[:, 0] > 0
    moved, _ = cv2.estimateAffinePartial2D(points[known], there[known], ransacReprojThreshold=2.0)
    height, width = greys[0].shape
    middle = np.array([width / 2, height / 2])
    shift = moved[:, :2] @ middle + moved[:, 2] - middle
    return np.array([*shift, moved[1, 0] * width / 2, (moved[0, 0] - 1) * width / 2])


def trembling(frames, steady, rate: float, slowest: float = 0.3):
    """By how many pixels (rms) frames sway against those of a steady camera, faster than ``slowest`` hertz."""
    ways = np.array([apart(one, other) for one, other in zip(frames, steady, strict=True)])
    at = (np.arange(len(ways)) + 0.5) / len(ways)
    waves = np.arange(int(2 * slowest * len(ways) / rate) + 1)
    slow = np.concatenate([np.cos(np.pi * waves * at[:, None]), at[:, None]], axis=1)
    rest = ways - slow @ np.linalg.lstsq(slow, ways, rcond=None)[0]
    return float(np.sqrt((rest**2).sum(axis=1).mean()))


def in_the_true_world(poses, solved, true):
    """Poses of a solved world in the true one, by the similarity that carries the solved path to the true one."""
    turn = np.einsum("nij,nkj->ik", true[:, :3, :3], solved[:, :3, :3])
    left, _, right = np.linalg.svd(turn)
    turn = left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
    one = (solved[:, :3, 3] - solved[:, :3, 3].mean(0)) @ turn.T
    other = true[:, :3, 3] - true[:, :3, 3].mean(0)
    scale = (one * other).sum() / max((one**2).sum(), 1e-12)
    result = np.array(poses)
    result[:, :3, :3] = turn @ result[:, :3, :3]
    result[:, :3, 3] = scale * (result[:, :3, 3] - solved[:, :3, 3].mean(0)) @ turn.T + true[:, :3, 3].mean(0)
    return result


def sharpness(frame, rim: float = 0.15):
    """Energy of the Laplacian of the inner part of a picture."""
    height, width = frame.shape[:2]
    inner = frame[int(rim * height) : int((1 - rim) * height), int(rim * width) : int((1 - rim) * width)]
    return float((cv2.Laplacian(inner.astype(np.float32).mean(axis=2), cv2.CV_32F) ** 2).mean())


def gradients(frame, rim: float = 0.15):
    """Energy of the gradients of the inner part of a picture."""
    height, width = frame.shape[:2]
    inner = frame[int(rim * height) : int((1 - rim) * height), int(rim * width) : int((1 - rim) * width)]
    grey = inner.astype(np.float32).mean(axis=2)
    return float((np.diff(grey, axis=0) ** 2).mean() + (np.diff(grey, axis=1) ** 2).mean())
