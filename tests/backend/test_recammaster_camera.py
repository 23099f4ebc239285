"""What the network is told of the camera, beside what the published code tells it and beside Blender's own words."""

import math

import numpy as np
import pytest
from published_numbers import CAMERAS, PRESETS

from backend import cameras
from backend.cameras.formats import published
from backend.recammaster import camera

ALL = range(81)
C = np.diag([1.0, -1.0, -1.0, 1.0])


def trajectory(poses):
    return cameras.from_arrays(np.asarray(poses, np.float64), [[60, 60, 32, 24]] * len(poses), 64, 48)


def about(axis, degrees):
    """4x4 turn by the right-hand rule."""
    a, b = [(1, 2), (2, 0), (0, 1)]["xyz".index(axis)]
    turn = np.eye(4)
    turn[a, a] = turn[b, b] = math.cos(math.radians(degrees))
    turn[b, a] = math.sin(math.radians(degrees))
    turn[a, b] = -turn[b, a]
    return turn


def at(*place):
    pose = np.eye(4)
    pose[:3, 3] = place
    return pose


ANYWHERE = at(12.5, -340, 7) @ about("z", 130) @ about("x", 70) @ about("y", -15)


# Beside the published code


@pytest.mark.parametrize("index", range(10))
def test_the_ten_presets_are_what_the_published_code_makes_of_them(index):
    poses = published.read(CAMERAS, f"cam{index + 1:02d}")
    found = camera.rows(trajectory(poses), None, ALL)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.load(PRESETS)[index], rtol=0, atol=1e-6)


def test_where_the_world_has_its_origin_makes_no_difference():
    poses = published.read(CAMERAS, "cam09")
    moved = trajectory(at(1e5, -1e5, 300) @ ANYWHERE @ poses)
    np.testing.assert_allclose(camera.rows(moved, None, ALL), np.load(PRESETS)[8], rtol=0, atol=1e-6)


def test_without_a_source_camera_the_first_row_is_the_identity():
    poses = ANYWHERE @ published.read(CAMERAS, "cam07")
    assert (camera.rows(trajectory(poses), None, ALL)[0] == np.eye(4)[:3].ravel()).all()


# From the source camera


def test_with_a_source_camera_all_is_as_seen_from_its_first_pose():
    """As in training: inverse(condition camera at frame 0) times the target's pose."""
    source, target = (ANYWHERE @ published.read(CAMERAS, name) for name in ("cam02", "cam10"))
    target = at(0.5, 1, -2) @ target
    found = camera.rows(trajectory(target), trajectory(source), ALL)
    expected = (np.linalg.inv(source[0]) @ target)[::4, :3].reshape(21, 12)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert np.abs(found[0] - np.eye(4)[:3].ravel()).max() > 0.1


def test_what_the_source_camera_does_later_makes_no_difference():
    target = trajectory(ANYWHERE @ published.read(CAMERAS, "cam05"))
    still = trajectory([ANYWHERE] * 81)
    moving = trajectory(ANYWHERE @ published.read(CAMERAS, "cam01"))
    assert (camera.rows(target, still, ALL) == camera.rows(target, moving, ALL)).all()


def test_two_metres_to_the_right_of_the_source_and_turned_left():
    """In numbers that need no code: x points right, y down, z forward; the rows are r r r t, three times."""
    target = ANYWHERE @ at(2, 0, 0) @ about("y", -90)
    found = camera.rows(trajectory([target] * 5), trajectory([ANYWHERE] * 5), range(5))
    np.testing.assert_allclose(found, [[0, 0, -1, 2, 0, 1, 0, 0, 1, 0, 0, 0]] * 2, rtol=0, atol=1e-6)


# Beside Blender: an object's location and rotation_euler; it looks along its -Z, and its +Y is up

PATHS = {  # location to the right, ahead and up in metres; degrees turned right and up
    "cam01": lambda s: (0, 0, 0, 20 * s, 0),
    "cam02": lambda s: (0, 0, 0, -20 * s, 0),
    "cam03": lambda s: (0, 0, 0, 0, 10 * s),
    "cam04": lambda s: (0, 0, 0, 0, -10 * s),
    "cam05": lambda s: (0, 2 * s, 0, 0, 0),
    "cam06": lambda s: (0, -2 * s, 0, 0, 0),
    "cam07": lambda s: (0, 0, s, 0, -math.degrees(math.atan(s / 4))),
    "cam08": lambda s: (0, 0, -s, 0, math.degrees(math.atan(s / 4))),
    "cam09": lambda s: (-2 * s, 0.5359 * s, 0, math.degrees(math.atan2(2 * s, 4 - 0.5359 * s)), 0),
    "cam10": lambda s: (2 * s, 0.5359 * s, 0, -math.degrees(math.atan2(2 * s, 4 - 0.5359 * s)), 0),
}


def matrices_world(path, heading=35.0):
    """Of a Blender camera that goes along a path: XYZ Euler angles (90 + up, 0, heading - right), world Z up."""
    for frame in range(81):
        right, ahead, up, turned_right, turned_up = path(frame / 80.5)
        begin = at(3, -8, 1.6) @ about("z", heading)
        yield begin @ at(right, ahead, up) @ about("z", -turned_right) @ about("x", 90 + turned_up)


@pytest.mark.parametrize("name", list(PATHS))
def test_a_camera_moved_so_in_blender_gives_the_published_rows(name):
    blender = list(matrices_world(PATHS[name]))
    found = camera.rows(trajectory([matrix @ C for matrix in blender]), None, ALL)
    closed = [(C @ np.linalg.inv(blender[0]) @ matrix @ C)[:3].ravel() for matrix in blender[::4]]
    np.testing.assert_allclose(found, closed, rtol=0, atol=1e-6)
    # The published file has four digits.
    np.testing.assert_allclose(found, np.load(PRESETS)[int(name[3:]) - 1], rtol=0, atol=5e-5)


# Time


@pytest.mark.parametrize("length", [2, 24, 49, 81, 200])
def test_a_timeline_of_any_length_is_told_at_the_times_that_the_network_is_shown(length):
    """A pan and a dolly at constant speed: degrees and metres in proportion to the time."""
    share = np.arange(length) / (length - 1)
    target = trajectory([ANYWHERE @ at(0, 0, 3 * s) @ about("y", 60 * s) for s in share])
    times = np.linspace(0, length - 1, 81)
    found = camera.rows(target, None, times).reshape(21, 3, 4)
    shares = np.linspace(0, 1, 21)
    np.testing.assert_allclose(found[:, 2, 3], 3 * shares, atol=1e-6)
    np.testing.assert_allclose(np.degrees(np.arctan2(found[:, 0, 2], found[:, 2, 2])), 60 * shares, atol=1e-4)


def test_times_need_not_be_even_and_only_every_fourth_counts():
    target = trajectory([at(0, 0, frame) for frame in range(30)])
    times = [0, 1, 2, 3, 10.25, 11, 12, 13, 29]
    assert camera.rows(target, None, times)[:, 11].tolist() == [0, 10.25, 29]


def test_a_later_part_of_the_timeline_is_told_from_the_source_there_or_from_where_it_is_taken_to_stand():
    target = trajectory([at(frame, 0, 0) for frame in range(30)])
    source = trajectory([at(0, 2 * frame, 0) for frame in range(30)])
    times = range(10, 15)
    assert camera.rows(target, None, times)[:, 3].tolist() == [10, 14]
    assert camera.rows(target, source, times)[:, [3, 7]].tolist() == [[10, -20], [14, -20]]


@pytest.mark.parametrize("count", [0, 2, 4, 80, 84])
def test_the_network_takes_no_other_number_of_frames_than_4k_and_1(count):
    with pytest.raises(ValueError, match="4k"):
        camera.rows(trajectory([np.eye(4)] * 100), None, range(count))


def test_one_frame_is_one_row():
    assert camera.rows(trajectory([ANYWHERE]), None, [0]).shape == (1, 12)
