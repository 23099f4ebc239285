"""Poses, lenses, presets and trajectory files against numbers that others computed or that follow from geometry."""

import dataclasses
import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from backend import cameras
from backend.cameras.formats import published, recam
from backend.contract import ContractError, Footage, Intrinsics, Job, Output, Trajectory

DATA = Path(__file__).parents[1] / "data"
EXTRINSICS = DATA / "camera_extrinsics.json"
PUBLISHED = [name for name, each in cameras.PRESETS.items() if each.published]


def rotation(axis, angle):
    """Rodrigues' formula."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross


def pose(turn=None, place=(0, 0, 0)):
    result = np.eye(4)
    result[:3, :3] = np.eye(3) if turn is None else turn
    result[:3, 3] = place
    return result


# Poses


def test_inverse_undoes():
    poses = np.stack([pose(rotation((1, 2, 3), 0.7), (4, -5, 6)), pose(rotation((0, 1, 0), -3), (1e3, 0, -2))])
    np.testing.assert_allclose(cameras.inverse(poses) @ poses, np.stack([np.eye(4)] * 2), atol=1e-12)


def test_inverse_of_a_mirrored_pose():
    mirrored = pose(np.diag([1.0, 1.0, -1.0]) @ rotation((1, 1, 0), 0.4), (1, 2, 3))
    np.testing.assert_allclose(cameras.inverse(mirrored), np.linalg.inv(mirrored), atol=1e-12)


def test_relative_to_own_first_starts_with_the_identity():
    poses = np.stack([pose(rotation((1, 2, 3), 0.7), (4, -5, 6)), pose(rotation((1, 0, 3), 0.9), (4, -5, 7))])
    seen = cameras.relative(poses)
    assert (seen[0] == np.eye(4)).all()
    np.testing.assert_allclose(poses[0] @ seen[1], poses[1], atol=1e-12)


def test_relative_to_another_camera():
    other = pose(rotation((0, 1, 0), math.pi / 2), (1, 0, 0))  # looks along +x
    seen = cameras.relative([pose(place=(3, 0, 0))], other)[0]
    np.testing.assert_allclose(seen[:3, 3], (0, 0, 2), atol=1e-12)  # two metres straight ahead of it


@pytest.mark.parametrize("share", [0.0, 0.125, 0.5, 0.999, 1.0])
def test_interpolation_turns_at_constant_speed_and_goes_straight(share):
    ends = [pose(rotation((1, 2, -1), 0.3), (1, 2, 3)), pose(rotation((1, 2, -1), 2.5), (5, 2, -1))]
    found = cameras.interpolate([10, 14], ends, [10 + 4 * share])[0]
    wanted = pose(rotation((1, 2, -1), 0.3 + 2.2 * share), (1 + 4 * share, 2, 3 - 4 * share))
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_interpolation_takes_the_shorter_way():
    """From -170 to 170 degrees is 20 degrees through 180: their quaternions lie on opposite sides."""
    ends = [pose(rotation((0, 1, 0), math.radians(-170))), pose(rotation((0, 1, 0), math.radians(170)))]
    found = cameras.interpolate([0, 1], ends, [0.25])[0]
    np.testing.assert_allclose(found[:3, :3], rotation((0, 1, 0), math.radians(-175)), atol=1e-12)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (3, -2, 1)])
def test_interpolation_through_half_a_turn(axis):
    """At 180 degrees w is 0, and a quaternion read from the trace alone would be lost."""
    ends = [pose(rotation(axis, math.pi)), pose(rotation(axis, math.pi - 0.5))]
    found = cameras.interpolate([0, 1], ends, [0, 0.5, 1])
    np.testing.assert_allclose(found[1, :3, :3], rotation(axis, math.pi - 0.25), atol=1e-12)


def test_interpolation_between_opposite_views_is_a_rotation():
    """Either way is the shorter one; whichever is taken, half way is 90 degrees from both."""
    found = cameras.interpolate([0, 1], [pose(), pose(rotation((0, 1, 0), math.pi))], [0.5])[0]
    assert cameras.is_rigid(found, tolerance=1e-12)
    assert abs(np.trace(found[:3, :3]) - 1) < 1e-12  # trace = 1 + 2 cos 90


def test_interpolation_of_a_still_camera_is_exact():
    still = pose(rotation((1, 2, 3), 0.1234), (0.1, 0.2, 0.3))
    found = cameras.interpolate([0, 1, 2], [still] * 3, np.linspace(-1, 3, 41))
    assert (found == still).all()


def test_interpolation_at_known_times_is_exact():
    poses = np.stack([pose(rotation((1, i, 3), 0.1 * i), (i, 1 / 3, 0)) for i in range(5)])
    assert (cameras.interpolate(range(5), poses, range(5)) == poses).all()


def test_interpolation_of_tiny_angles_keeps_their_precision():
    found = cameras.interpolate([0, 1], [pose(), pose(rotation((0, 1, 0), 1e-9))], [0.5])[0]
    assert found[0, 2] == pytest.approx(5e-10, rel=1e-6)


def test_camera_stands_still_beyond_its_ends():
    poses = cameras.preset("arc_left", 9)
    found = cameras.interpolate(range(9), poses, [-5, 100])
    assert (found == poses[[0, -1]]).all()


def test_one_pose_is_held():
    assert (cameras.interpolate([7], [pose(place=(1, 2, 3))], [0, 7, 9]) == pose(place=(1, 2, 3))).all()


@pytest.mark.parametrize(
    ("times", "poses", "wanted", "reason"),
    [
        ([0, 0], [pose(), pose()], [0], "rise"),
        ([1, 0], [pose(), pose()], [0], "rise"),
        ([0, math.nan], [pose(), pose()], [0], "finite"),
        ([0, 1], [pose(), pose()], [math.inf], "finite"),
        ([0], [pose(), pose()], [0], "2 poses"),
        ([0], [np.eye(3)], [0], "shape"),
        ([], np.zeros((0, 4, 4)), [0], "shape"),
    ],
)
def test_interpolation_refuses(times, poses, wanted, reason):
    with pytest.raises(ValueError, match=reason):
        cameras.interpolate(times, poses, wanted)


def test_is_rigid():
    good = pose(rotation((1, 2, 3), 1), (1, 2, 3))
    assert cameras.is_rigid(good)
    for bad in (
        good * 1.01,
        good @ np.diag([1, 1, 1.001, 1]),
        good @ np.diag([1, 1, -1, 1]),
        good + np.array([[0, 0.001, 0, 0]] + [[0] * 4] * 3),
        np.where(np.eye(4) == 1, np.nan, good),
        np.vstack([good[:3], [0, 0, 1, 1]]),
        good[:3],
    ):
        assert not cameras.is_rigid(bad)


# Lenses


def test_matrix_projects():
    lens = cameras.from_lens(focal_mm=50, sensor_mm=36, width=1920, height=1080)
    point = cameras.matrix(lens)[0] @ (0.36, -0.18, 1)  # 0.36 m aside at 1 m, with f = 50 mm: 18 mm on the sensor
    assert point.tolist() == pytest.approx([1920, 540 - 480, 1])


def test_lenses_change_linearly():
    found = cameras.interpolate_intrinsics([0, 10], [[100, 100, 50, 20], [200, 300, 60, 20]], [-1, 2.5, 11])
    np.testing.assert_allclose(found, [[100, 100, 50, 20], [125, 150, 52.5, 20], [200, 300, 60, 20]])


# Presets


@pytest.mark.parametrize("name", PUBLISHED)
def test_preset_equals_the_published_file(name):
    wanted = published.read(EXTRINSICS, cameras.PRESETS[name].published)
    assert wanted.shape == (81, 4, 4)
    assert np.abs(cameras.preset(name, 81) - wanted).max() < 5e-5


def test_ten_presets_are_published_and_one_is_static():
    assert sorted(cameras.PRESETS[name].published for name in PUBLISHED) == [f"cam{i:02d}" for i in range(1, 11)]
    assert len(cameras.PRESETS) == 11
    assert (cameras.preset("static", 7) == np.eye(4)).all()


@pytest.mark.parametrize(
    ("name", "degrees", "axis", "place"),
    [
        ("pan_right", 19.876, (0, 1, 0), (0, 0, 0)),
        ("tilt_up", 9.938, (1, 0, 0), (0, 0, 0)),
        ("zoom_out", 0, (0, 1, 0), (0, 0, -1.9876)),
        ("translate_up", 13.952, (-1, 0, 0), (0, -0.99379, 0)),
        ("arc_left", 29.822, (0, 1, 0), (-1.9876, 0, 0.5326)),
        ("arc_right", 29.822, (0, -1, 0), (1.9876, 0, 0.5326)),
    ],
)
@pytest.mark.parametrize("frames", [2, 24, 81, 1000])
def test_preset_has_the_same_end_at_any_length(name, degrees, axis, place, frames):
    poses = cameras.preset(name, frames)
    assert poses.shape == (frames, 4, 4)
    assert (poses[0] == np.eye(4)).all()
    np.testing.assert_allclose(poses[-1], pose(rotation(axis, math.radians(degrees)), place), atol=5e-5)
    assert all(cameras.is_rigid(each, tolerance=1e-12) for each in poses)


@pytest.mark.parametrize("name", list(cameras.PRESETS))
def test_preset_of_one_frame_stands_at_the_start(name):
    assert (cameras.preset(name, 1) == np.eye(4)).all()


@pytest.mark.parametrize(("name", "frames"), [("cam01", 81), ("Pan Right", 81), ("pan_right", 0)])
def test_preset_refuses(name, frames):
    with pytest.raises(ValueError, match=r"no preset|at least one"):
        cameras.preset(name, frames)


# The published file


def test_published_cameras_as_the_published_code_reads_them():
    """Its network is given every fourth frame, as the top three rows of each pose."""
    wanted = np.load(DATA / "preset_cameras.npy", allow_pickle=False)
    for index, rows in enumerate(wanted):
        found = published.read(EXTRINSICS, f"cam{index + 1:02d}")[::4, :3].reshape(21, 12)
        np.testing.assert_allclose(found, rows, atol=1e-6)


def test_published_poses_are_right_handed():
    for name in published.cameras(EXTRINSICS):
        assert all(cameras.is_rigid(each) for each in published.read(EXTRINSICS, name))


def test_published_reads_frames_in_the_order_of_their_numbers(tmp_path):
    frames = json.loads(EXTRINSICS.read_text())
    path = tmp_path / "é 日本.json"
    path.write_text(json.dumps(dict(sorted(frames.items()))))  # frame0, frame1, frame10, frame11, ...
    assert (published.read(path) == published.read(EXTRINSICS)).all()


IDENTITY = "[1 0 0 0] [0 1 0 0] [0 0 1 0] [0 0 0 1] "


def damaged(**changes):
    return {"frame0": {"cam01": IDENTITY}, "frame1": {"cam01": IDENTITY}} | changes


@pytest.mark.parametrize(
    ("content", "camera", "field"),
    [
        ("{", "cam01", "trajectory"),
        ("", "cam01", "trajectory"),
        ("[" * 100_000, "cam01", "trajectory"),
        (b"\xff\xfe\x00", "cam01", "trajectory"),
        ("[1]", "cam01", "trajectory"),
        ({}, "cam01", "trajectory"),
        (damaged(), "cam05", "camera"),
        (damaged(frame3={"cam01": IDENTITY}), "cam01", "frame2"),
        (damaged(frame01={"cam01": IDENTITY}), "cam01", "trajectory"),
        (damaged(frame1=[]), "cam01", "trajectory"),
        (damaged(frame1={}), "cam01", "frame1.cam01"),
        (damaged(frame1={"cam01": 3}), "cam01", "frame1.cam01"),
        (damaged(frame1={"cam01": "[1 0 0 0] [0 1 0 0] [0 0 1 0]"}), "cam01", "frame1.cam01"),
        (damaged(frame1={"cam01": IDENTITY.replace("1", "one")}), "cam01", "frame1.cam01"),
        (damaged(frame1={"cam01": IDENTITY.replace("[1 0", "[nan 0")}), "cam01", "frame1.cam01"),
        (damaged(frame1={"cam01": IDENTITY.replace("[1 0", "[1e999 0")}), "cam01", "frame1.cam01"),
        (damaged(frame1={"cam01": IDENTITY.replace("[1 0", "[2 0")}), "cam01", "frame1.cam01"),
        (damaged(frame1={"cam01": IDENTITY.replace("[1 0", "[-1 0")}), "cam01", "frame1.cam01"),
        (damaged(frame1={"cam01": IDENTITY.replace("[1 0 0", "[1 0.2 0")}), "cam01", "frame1.cam01"),
        (damaged(frame1={"cam01": IDENTITY + "[0 0 0 0]"}), "cam01", "frame1.cam01"),
    ],
)
def test_published_refuses(content, camera, field, tmp_path):
    path = tmp_path / "camera_extrinsics.json"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ContractError) as caught:
        published.read(path, camera)
    assert caught.value.field == field
    assert len(str(caught.value)) < 600


def test_readers_say_which_file_is_missing(tmp_path):
    for read in (published.read, recam.read):
        with pytest.raises(ContractError, match=r"nowhere\.json"):
            read(tmp_path / "nowhere.json")
        with pytest.raises(ContractError, match="cannot be read"):
            read(tmp_path)


# ReCam's own file


def trajectory(frames=3):
    lens = [[800, 810, 416, 240], [850, 860, 410, 242], [900, 910, 404, 244]][:frames]
    return cameras.from_arrays(cameras.preset("arc_left", frames), lens, 832, 480)


def test_own_file_round_trip_is_exact(tmp_path):
    path = tmp_path / 'it\'s "shot" é 日本.json'
    recam.write(path, trajectory())
    assert recam.read(path) == trajectory()
    assert recam.is_ours(path)
    assert not recam.is_ours(EXTRINSICS)


def test_own_file_is_never_overwritten(tmp_path):
    path = tmp_path / "t.json"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        recam.write(path, trajectory())
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"recam_trajectory": 2}, "recam_trajectory"),
        ({"recam_trajectory": True}, "recam_trajectory"),
        ({"recam_trajectory": None}, "recam_trajectory"),
        ({"fps": 24}, "fps"),
        ({"width": 832.0}, "width"),
        ({"width": 0}, "width"),
        ({"poses": []}, "poses"),
        ({"poses": [[[1, 0, 0, 0]] * 3]}, "poses[0]"),
        ({"intrinsics": []}, "intrinsics"),
    ],
)
def test_own_file_refuses(change, field, tmp_path):
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"recam_trajectory": 1} | trajectory().to_json() | change))
    with pytest.raises(ContractError) as caught:
        recam.read(path)
    assert caught.value.field == field


def test_published_file_is_no_trajectory_of_ours():
    with pytest.raises(ContractError, match="recam_trajectory: found nothing"):
        recam.read(EXTRINSICS)


# Trajectories


def test_arrays_and_back():
    known = trajectory()
    poses, lenses = cameras.arrays(known)
    assert poses.shape == (3, 4, 4)
    assert lenses[1].tolist() == [850, 860, 410, 242]
    assert cameras.from_arrays(poses, lenses, 832, 480) == known


def test_from_arrays_gives_one_lens_to_every_pose():
    found = cameras.from_arrays(cameras.preset("static", 4), [800, 800, 416, 240], 832, 480)
    assert found.intrinsics == (Intrinsics(fx=800, fy=800, cx=416, cy=240),) * 4


@pytest.mark.parametrize(
    ("poses", "lenses", "field"),
    [
        (np.eye(4), [1, 1, 1, 1], "poses"),
        (np.zeros((1, 3, 4)), [1, 1, 1, 1], "poses"),
        (np.eye(4)[None] * 2, [1, 1, 1, 1], "poses[0]"),
        (np.eye(4)[None], [1, 1, 1], "intrinsics"),
        (np.eye(4)[None], np.ones((2, 4)), "intrinsics"),
    ],
)
def test_from_arrays_refuses(poses, lenses, field):
    with pytest.raises(ContractError) as caught:
        cameras.from_arrays(poses, lenses, 832, 480)
    assert caught.value.field == field


def test_resample_between_frames():
    poses = np.stack([pose(), pose(rotation((0, 1, 0), 0.4), (0, 0, 2))])
    known = cameras.from_arrays(poses, [[100, 100, 50, 25], [200, 200, 50, 25]], 100, 50)
    found_poses, found_lenses = cameras.arrays(cameras.resample(known, [0, 0.25, 1, 9]))
    np.testing.assert_allclose(found_poses[1], pose(rotation((0, 1, 0), 0.1), (0, 0, 0.5)), atol=1e-12)
    assert found_lenses[:, 0].tolist() == [100, 125, 200, 200]
    assert cameras.resample(known, [0, 1]) == known


def job(**changes) -> Job:
    return Job(
        footage=Footage(kind="movie", files=("/clip.mp4",), frames=(0, 1, 2), width=1664, height=480),
        target=trajectory(),
        output=Output(path="/out.mp4", width=832, height=480, rate=Fraction(24)),
        **changes,
    )


def test_source_of_a_job_without_one_stands_at_the_targets_first_pose_with_its_lens():
    found = cameras.source_of(job())
    assert (found.width, found.height, len(found)) == (1664, 480, 3)
    assert set(found.poses) == {trajectory().poses[0]}
    assert set(found.intrinsics) == {Intrinsics(fx=1600, fy=810, cx=832, cy=240)}


def test_source_of_a_job_with_a_lens():
    lens = Intrinsics(fx=1000, fy=1000, cx=800, cy=250)
    assert set(cameras.source_of(job(lens=lens)).intrinsics) == {lens}


def test_source_of_a_job_that_has_one():
    known = dataclasses.replace(trajectory(), width=1664)
    assert cameras.source_of(job(source=known)) is known
    assert cameras.source_of(job(source=trajectory())) == cameras.resized(trajectory(), 1664, 480)


def test_resized_keeps_what_is_seen():
    found = cameras.resized(trajectory(), 416, 120)
    assert (found.width, found.height) == (416, 120)
    assert found.intrinsics[0] == Intrinsics(fx=400, fy=202.5, cx=208, cy=60)
    assert isinstance(found, Trajectory)
