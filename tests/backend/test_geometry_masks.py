"""What moves by itself, told from what the camera moves."""

import cv2
import numpy as np
import pytest
import raytraced
from filmed import HEIGHT, LENS, WIDTH, film, handheld

from backend.geometry.masks import moves_by_itself, moving_mask


def scattered(count=300, seed=0):
    random = np.random.default_rng(seed)
    return np.stack([random.uniform(-3, 3, count), random.uniform(-2, 1, count), random.uniform(3, 9, count)], axis=1)


def seen(points, pose):
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    return local[:, :2] / local[:, 2:] * LENS.fx + (LENS.cx, LENS.cy)


@pytest.mark.parametrize(
    "pose",
    [raytraced.pose_at((0.5, 0.1, 0.2), turn=3), raytraced.pose_at(turn=5, tilt=2), raytraced.pose_at()],
    ids=["travels", "turns", "stands"],
)
def test_points_that_move_by_themselves_are_found(pose):
    points = scattered()
    other = points.copy()
    other[:60] += (0.05, 0.4, 0.1)  # across the lines that the camera's way makes
    random = np.random.default_rng(1)
    one, two = seen(points, np.eye(4)), seen(other, pose) + random.normal(0, 0.1, (300, 2))
    found = moves_by_itself(one, two, WIDTH)
    assert found[:60].mean() > 0.95
    assert found[60:].mean() < 0.02


def test_a_few_points_tell_nothing():
    assert not moves_by_itself(np.zeros((9, 2)), np.ones((9, 2)), WIDTH).any()
    assert moves_by_itself(np.zeros((0, 2)), np.zeros((0, 2)), WIDTH).shape == (0,)


@pytest.mark.parametrize("travel", [0.4, 0.0])
def test_a_mask_covers_what_moves_and_little_else(travel):
    poses, room = handheld(7, travel=travel, turn=2), raytraced.Room()
    times = (0.0, 0.16)
    frames = [room.shoot(pose, LENS, WIDTH, HEIGHT, time, 2)[0] for pose, time in zip(poses[::6], times, strict=True)]
    one, other = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames)
    mask = moving_mask(one, other) > 0
    now, later = (room.shoot(poses[0], LENS, WIDTH, HEIGHT, time, 1)[0].astype(int) for time in times)
    truth = cv2.morphologyEx((np.abs(now - later).max(axis=2) > 8).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9)))
    assert mask[truth > 0].mean() > 0.6
    assert mask[truth == 0].mean() < 0.08  # the edges of what moves, which are widened, among it


def test_a_mask_is_empty_where_nothing_moves():
    frames = film(handheld(2, travel=0.1, turn=1), room=raytraced.Room(moving=False))
    one, other = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames)
    assert (moving_mask(one, other) > 0).mean() < 0.02
    blank = np.zeros((HEIGHT, WIDTH), np.uint8)
    assert not moving_mask(blank, blank).any()
