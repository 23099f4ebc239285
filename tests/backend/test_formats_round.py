"""Files of cameras there and back, and against what others say of the same: pycolmap, closed forms, samples by hand."""

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pycolmap
import pytest

from backend import cameras
from backend.cameras import formats
from backend.contract import ContractError, Trajectory

EXTRINSICS = Path(__file__).parents[1] / "data" / "camera_extrinsics.json"
RATE = Fraction(30000, 1001)
NAMES = {"colmap": "model", "colmap-bin": "model", "tum": "t.tum", "re10k": "t.txt"}


def random_trajectory(seed: int, frames: int = 25) -> Trajectory:
    """Rotations from QR, half turns among them; a lens that changes."""
    draw = np.random.default_rng(seed)
    poses = np.tile(np.eye(4), (frames, 1, 1))
    for pose in poses:
        turn, _ = np.linalg.qr(draw.normal(size=(3, 3)))
        pose[:3, :3] = turn * np.sign(np.linalg.det(turn))
        pose[:3, 3] = draw.normal(size=3) * 10 ** draw.uniform(-2, 2)
    poses[1, :3, :3] = np.diag((1, -1, -1))
    poses[2, :3, :3] = np.diag((-1, 1, -1))
    lenses = draw.uniform((400, 410, 380, 190), (900, 910, 450, 260), (frames, 4))
    return cameras.from_arrays(poses, lenses, 832, 480)


def write(kind, trajectory, folder, **options):
    path = folder / NAMES.get(kind, "t.json")
    return path, formats.write(path, trajectory, kind, **options)


# There and back


@pytest.mark.parametrize("kind", list(formats.KINDS))
@pytest.mark.parametrize("seed", range(5))
def test_round_trip(kind, seed, tmp_path):
    wanted = random_trajectory(seed)
    path, lost = write(kind, wanted, tmp_path, rate=RATE)
    assert formats.detect(path) == kind
    found = formats.read(path, width=832, height=480)
    assert found.kind == kind
    poses, lenses = cameras.arrays(found.trajectory)
    wanted_poses, wanted_lenses = cameras.arrays(wanted)
    np.testing.assert_allclose(poses, wanted_poses, rtol=0, atol=1e-9)
    holds = formats.KINDS[kind].holds
    assert found.has_lens == ("lens" in holds)
    if found.has_lens:
        np.testing.assert_allclose(lenses, wanted_lenses, rtol=0, atol=1e-9)
        assert (found.trajectory.width, found.trajectory.height) == (832, 480)
    assert (found.rate is not None) == ("time" in holds)
    if found.rate is not None:
        assert found.rate == pytest.approx(float(RATE), rel=1e-6)
    # What it does not hold is told, both ways.
    for told in (" ".join(lost), " ".join(found.lacks)):
        assert ("lens" not in holds) == ("no lens" in told)
        assert ("time" not in holds) == ("no frame rate" in told)
        assert ("scale" not in holds) == ("how long a unit is" in told)
    assert ("lens" not in holds) == any("is lost" in each for each in lost)


@pytest.mark.parametrize("kind", list(formats.KINDS))
def test_one_pose_and_a_still_camera(kind, tmp_path):
    for index, frames in enumerate((1, 4)):
        folder = tmp_path / str(index)
        folder.mkdir()
        wanted = cameras.from_arrays(np.tile(np.eye(4), (frames, 1, 1)), (800, 800, 416, 240), 832, 480)
        path, _ = write(kind, wanted, folder)
        found = formats.read(path, width=832, height=480)
        assert len(found.trajectory) == frames
        np.testing.assert_allclose(cameras.arrays(found.trajectory)[0], cameras.arrays(wanted)[0], atol=1e-12)


def test_own_files_are_exact(tmp_path):
    wanted = random_trajectory(9)
    path, _ = write("recam", wanted, tmp_path)
    assert formats.read(path).trajectory == wanted


@pytest.mark.parametrize("kind", list(formats.KINDS))
def test_nothing_is_overwritten(kind, tmp_path):
    wanted = random_trajectory(0, 3)
    path, _ = write(kind, wanted, tmp_path)
    before = {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()}
    with pytest.raises(ContractError, match="exists"):
        write(kind, random_trajectory(1, 3), tmp_path)
    assert {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()} == before
    if path.is_file():
        write(kind, random_trajectory(1, 3), tmp_path, force=True)
        assert path.read_bytes() != before[path]
        assert len(list(tmp_path.iterdir())) == 1


def test_a_model_goes_beside_what_is_in_its_folder_or_not_at_all(tmp_path):
    (tmp_path / "images.txt").write_text("mine")
    with pytest.raises(ContractError, match="exists"):
        formats.write(tmp_path, random_trajectory(0, 3), "colmap")
    assert [each.name for each in tmp_path.iterdir()] == ["images.txt"]
    assert (tmp_path / "images.txt").read_text() == "mine"


def test_no_half_file_is_left_where_the_disk_refuses(tmp_path):
    with pytest.raises(ContractError, match="can be written"):
        formats.write(tmp_path / "nowhere" / "t.json", random_trajectory(0, 3), "recam")
    assert list(tmp_path.iterdir()) == []


# The published JSON


def test_published_world_and_its_several_cameras(tmp_path):
    """Unreal: x forward, y right, z up, centimetres. Here: y left, metres."""
    every = formats.read_all(EXTRINSICS, width=832, height=480)
    assert [each.camera for each in every] == [f"cam{index:02d}" for index in range(1, 11)]
    first = np.array(every[0].trajectory.poses[0])
    np.testing.assert_allclose(first[:3, 3], (33.9, -13.8, 2.4))
    np.testing.assert_allclose(first[:3, :3].T, [(0, -1, 0), (0, 0, -1), (1, 0, 0)])  # right, down, forward
    assert formats.up_axis(*(each.trajectory for each in every)) == "+Z"
    path = tmp_path / "all.json"
    formats.write(path, {each.camera: each.trajectory for each in every}, "published")
    known, again = json.loads(EXTRINSICS.read_text()), json.loads(path.read_text())
    for frame, camera in ((0, "cam01"), (80, "cam05"), (40, "cam10")):
        one, other = (
            np.array(each[f"frame{frame}"][camera].replace("[", " ").replace("]", " ").split(), float)
            for each in (known, again)
        )
        np.testing.assert_allclose(one, other, atol=2e-6)
    for each in every:
        found = formats.read(path, camera=each.camera, width=832, height=480)
        np.testing.assert_allclose(
            cameras.arrays(found.trajectory)[0], cameras.arrays(each.trajectory)[0], rtol=0, atol=1e-12
        )


def test_published_cameras_must_be_of_one_length(tmp_path):
    several = {"a": random_trajectory(0, 3), "b": random_trajectory(0, 4)}
    with pytest.raises(ContractError, match="one length"):
        formats.write(tmp_path / "t.json", several, "published")
    with pytest.raises(ContractError, match="2 cameras"):
        formats.write(tmp_path / "t.json", several, "tum")


# COLMAP, against pycolmap


def reconstruction(wanted: Trajectory, names: list[str], model: str = "PINHOLE", more=()) -> pycolmap.Reconstruction:
    """What pycolmap makes of the same cameras, with points that must be skipped."""
    made = pycolmap.Reconstruction()
    poses, lenses = cameras.arrays(wanted)
    for index, (lens, pose, name) in enumerate(zip(lenses.tolist(), np.linalg.inv(poses), names, strict=True)):
        fx, fy, cx, cy = lens
        focals = (fx, cx, cy) if model.startswith("SIMPLE") or model == "RADIAL" else (fx, fy, cx, cy)
        camera = pycolmap.Camera(
            model=model, width=wanted.width, height=wanted.height, params=[*focals, *more], camera_id=index + 1
        )
        made.add_camera_with_trivial_rig(camera)
        image = pycolmap.Image(name=name, camera_id=index + 1, image_id=index + 1)
        points = [pycolmap.Point2D(np.array([each, 7.5])) for each in range(index % 3)]
        image.points2D = pycolmap.Point2DList(points)
        made.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pose[:3]))
    return made


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_what_pycolmap_writes_is_read(binary, seed, tmp_path):
    wanted = random_trajectory(seed, 12)
    names = [f"images/frame_{index}.png" for index in range(12)]  # as texts, 10 comes before 2
    shuffled = np.random.default_rng(seed).permutation(12)
    mixed = cameras.from_arrays(*(each[shuffled] for each in cameras.arrays(wanted)), 832, 480)
    made = reconstruction(mixed, [names[index] for index in shuffled])
    (made.write_binary if binary else made.write_text)(str(tmp_path))
    found = formats.read(tmp_path)
    assert found.kind == ("colmap-bin" if binary else "colmap")
    np.testing.assert_allclose(*(cameras.arrays(each)[0] for each in (found.trajectory, wanted)), rtol=0, atol=1e-9)
    np.testing.assert_allclose(*(cameras.arrays(each)[1] for each in (found.trajectory, wanted)), rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["colmap", "colmap-bin"])
def test_what_is_written_pycolmap_reads(kind, tmp_path):
    wanted = random_trajectory(3, 12)
    formats.write(tmp_path / "model", wanted, kind)
    made = pycolmap.Reconstruction(str(tmp_path / "model"))
    poses, lenses = cameras.arrays(wanted)
    images = sorted(made.images.values(), key=lambda each: each.name)
    assert len(images) == 12
    for image, pose, lens in zip(images, poses, lenses, strict=True):
        np.testing.assert_allclose(np.array(image.cam_from_world().matrix()), np.linalg.inv(pose)[:3], atol=1e-9)
        camera = made.cameras[image.camera_id]
        np.testing.assert_allclose(camera.params, lens, atol=1e-9)
        assert (camera.width, camera.height) == (832, 480)
        # The same pixel in both conventions, half-integers and all.
        point = np.linalg.inv(pose) @ (pose @ (0.3, -0.2, 2.0, 1.0))
        seen = camera.img_from_cam(point[:3])
        np.testing.assert_allclose(seen, (lens[0] * 0.15 + lens[2], -lens[1] * 0.1 + lens[3]), atol=1e-6)


def test_a_lens_that_does_not_change_is_one_camera(tmp_path):
    poses = cameras.arrays(random_trajectory(0))[0]
    formats.write(tmp_path / "m", cameras.from_arrays(poses, (800, 801, 416, 240), 832, 480), "colmap-bin")
    assert len(pycolmap.Reconstruction(str(tmp_path / "m")).cameras) == 1


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("SIMPLE_PINHOLE", ()),
        ("SIMPLE_RADIAL", (0.1,)),
        ("RADIAL", (0.1, -0.01)),
        ("OPENCV", (0.1, 0.0, 0.0, 0.001)),
        ("FULL_OPENCV", (0.1, 0, 0, 0, 0, 0, 0, 0.2)),
    ],
)
@pytest.mark.parametrize("binary", [False, True])
def test_lenses_of_colmap(model, more, binary, tmp_path):
    wanted = random_trajectory(0, 3)
    made = reconstruction(wanted, ["1.png", "2.png", "3.png"], model, more)
    (made.write_binary if binary else made.write_text)(str(tmp_path))
    found = formats.read(tmp_path)
    lenses, known = cameras.arrays(found.trajectory)[1], cameras.arrays(wanted)[1]
    np.testing.assert_allclose(lenses[:, (0, 2, 3)], known[:, (0, 2, 3)])
    assert any("distorted" in each and model in each for each in found.lacks) == bool(more)


PINHOLES = (
    "SIMPLE_PINHOLE",
    "PINHOLE",
    "SIMPLE_RADIAL",
    "RADIAL",
    "OPENCV",
    "FULL_OPENCV",
    "SIMPLE_DIVISION",
    "DIVISION",
)


@pytest.mark.parametrize("model", [each for each in pycolmap.CameraModelId.__members__ if each != "INVALID"])
@pytest.mark.parametrize("binary", [False, True])
def test_every_lens_of_colmap_is_known(model, binary, tmp_path):
    """Read, or refused by its name; never misread."""
    made = pycolmap.Reconstruction()
    identity = pycolmap.CameraModelId.__members__[model]
    made.add_camera_with_trivial_rig(pycolmap.Camera.create_from_model_id(1, identity, 500.0, 640, 480))
    image = pycolmap.Image(name="1.png", camera_id=1, image_id=1)
    made.add_image_with_trivial_frame(image, pycolmap.Rigid3d())
    (made.write_binary if binary else made.write_text)(str(tmp_path))
    if model not in PINHOLES:
        with pytest.raises(ContractError, match=f"{model}.*image_undistorter"):
            formats.read(tmp_path)
        return
    lens = formats.read(tmp_path).trajectory.intrinsics[0]
    assert (lens.fx, lens.fy, lens.cx, lens.cy) == (500, 500, 320, 240)


def test_cameras_of_a_rig_go_by_their_folders(tmp_path):
    wanted = random_trajectory(0, 6)
    names = [f"{side}/{index:04d}.png" for index in (1, 2, 3) for side in ("right", "left")]
    reconstruction(wanted, names).write_text(str(tmp_path))
    assert formats.cameras(tmp_path) == ("left", "right")
    poses = cameras.arrays(wanted)[0]
    every = {each.camera: cameras.arrays(each.trajectory)[0] for each in formats.read_all(tmp_path)}
    np.testing.assert_allclose(every["right"], poses[0::2], atol=1e-9)
    np.testing.assert_allclose(every["left"], poses[1::2], atol=1e-9)
    found = formats.read(tmp_path)
    assert found.camera == "left"
    assert any("2 cameras" in each for each in found.lacks)


# Samples by hand, with known numbers

REALESTATE = """\
https://www.youtube.com/watch?v=0ZzQXqzLk0g
100000 0.5 0.888888889 0.5 0.5 0.0 0.0 1 0 0 0.5 0 1 0 0 0 0 1 0
133367 0.5 0.888888889 0.5 0.5 0.0 0.0 0 0 -1 0 0 1 0 0 1 0 0 -2
"""


def test_realestate_by_hand(tmp_path):
    """The second looks along -x: at (-3, 0, 0) it would see a point that is 1 m ahead."""
    path = tmp_path / "0bf152ef84195293.txt"
    path.write_text(REALESTATE)
    found = formats.read(path)
    assert (found.trajectory.width, found.trajectory.height) == (1280, 720)
    lens = found.trajectory.intrinsics[0]
    assert (lens.fx, lens.cx, lens.cy) == (640, 640, 360)
    assert lens.fy == pytest.approx(640)
    assert found.rate == pytest.approx(1e6 / 33367)
    poses = np.array(found.trajectory.poses)
    np.testing.assert_allclose(poses[0, :3, 3], (-0.5, 0, 0))
    # world-to-camera [R|t]: the centre is -R't; its forward axis the third row of R.
    np.testing.assert_allclose(poses[1, :3, 3], (2, 0, 0))
    np.testing.assert_allclose(poses[1, :3, 2], (1, 0, 0))


def test_realestate_of_a_picture_that_is_known(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text(REALESTATE)
    lens = formats.read(path, width=640, height=480).trajectory.intrinsics[0]
    assert (lens.fx, lens.fy, lens.cx, lens.cy) == (320, pytest.approx(0.888888889 * 480), 320, 240)


def test_tum_by_hand(tmp_path):
    """A quarter turn about y, camera-to-world: what was ahead (z) is to the right (x)."""
    path = tmp_path / "traj.txt"
    half = math.sqrt(0.5)
    path.write_text(
        f"# timestamp tx ty tz qx qy qz qw\n1305031102.0 1 2 3 0 0 0 1\n1305031102.5 4 5 6 0 {half} 0 {half}\n"
    )
    found = formats.read(path)
    assert found.rate == pytest.approx(2)
    poses = np.array(found.trajectory.poses)
    np.testing.assert_allclose(poses[0], np.array([[1, 0, 0, 1], [0, 1, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]))
    np.testing.assert_allclose(poses[1][:3, 2], (1, 0, 0), atol=1e-12)
    np.testing.assert_allclose(poses[1][:3, 3], (4, 5, 6))
    assert not found.has_lens
    assert found.times.tolist() == [1305031102.0, 1305031102.5]


def test_colmap_by_hand(tmp_path):
    (tmp_path / "cameras.txt").write_text("# Camera list\n1 SIMPLE_PINHOLE 640 480 500 320 240\n")
    (tmp_path / "images.txt").write_text("# x\n1 0.70710678 0 0.70710678 0 0 0 2 1 a.png\n10 20 -1 30 40 5\n")
    found = formats.read(tmp_path)
    pose = np.array(found.trajectory.poses[0])
    # R turns z to x: the world's z lies along the camera's x; the camera looks along the world's -x from (2, 0, 0).
    np.testing.assert_allclose(pose[:3, 2], (-1, 0, 0), atol=1e-8)
    np.testing.assert_allclose(pose[:3, 3], (2, 0, 0), atol=1e-8)


TRANSFORMS = {
    "camera_angle_x": math.pi / 2,
    "frames": [
        {"file_path": "./train/r_10", "transform_matrix": [[1, 0, 0, 7], [0, 1, 0, 0], [0, 0, 1, 4], [0, 0, 0, 1]]},
        {"file_path": "./train/r_9", "transform_matrix": [[1, 0, 0, 6], [0, 0, -1, 0], [0, 1, 0, 4], [0, 0, 0, 1]]},
    ],
}


def test_transforms_by_hand(tmp_path):
    """NeRF's synthetic scenes: unsorted, an angle for a lens. The identity in OpenGL's axes looks down."""
    path = tmp_path / "transforms_train.json"
    path.write_text(json.dumps(TRANSFORMS))
    found = formats.read(path, width=800, height=600)
    assert found.kind == "nerfstudio"
    poses = np.array(found.trajectory.poses)
    np.testing.assert_allclose(poses[:, :3, 3], [(6, 0, 4), (7, 0, 4)])
    np.testing.assert_allclose(poses[1][:3, 2], (0, 0, -1))
    np.testing.assert_allclose(poses[1][:3, 1], (0, -1, 0))
    np.testing.assert_allclose(poses[0][:3, 2], (0, 1, 0))  # upright, along y
    np.testing.assert_allclose(poses[0][:3, 1], (0, 0, -1))
    lens = found.trajectory.intrinsics[0]
    assert (lens.fx, lens.fy, lens.cx, lens.cy) == (pytest.approx(400), pytest.approx(400), 400, 300)


def test_transforms_that_were_turned_and_scaled_are_taken_back(tmp_path):
    """As nerfstudio does with COLMAP's world: x, z, -y, and then a scale on all."""
    wanted = random_trajectory(5, 6)
    turn = np.array([[1, 0, 0, 0.1], [0, 0, 1, 0.2], [0, -1, 0, 0.3]])
    applied = np.vstack([turn, (0, 0, 0, 1)]) @ cameras.arrays(wanted)[0] @ np.diag((1, -1, -1, 1))
    applied[:, :3, 3] *= 0.25
    data = {
        "w": 832,
        "h": 480,
        "fl_x": 500,
        "fl_y": 510,
        "cx": 400,
        "cy": 230,
        "camera_model": "OPENCV",
        "k1": 0,
        "applied_transform": turn.tolist(),
        "applied_scale": 0.25,
        "frames": [
            {"file_path": f"images/{index}.png", "transform_matrix": each.tolist()}
            for index, each in enumerate(applied)
        ],
    }
    data["frames"][3] |= {"fl_x": 600, "w": 416}
    (tmp_path / "transforms.json").write_text(json.dumps(data))
    found = formats.read(tmp_path)
    np.testing.assert_allclose(cameras.arrays(found.trajectory)[0], cameras.arrays(wanted)[0], atol=1e-9)
    lenses = cameras.arrays(found.trajectory)[1]
    np.testing.assert_allclose(lenses[2], (500, 510, 400, 230))
    np.testing.assert_allclose(lenses[3], (1200, 510, 800, 230))  # of a picture half as wide, brought to 832
    assert any("differ in size" in each for each in found.lacks)


# Which way is up


@pytest.mark.parametrize("up", formats.UPS)
def test_up(up):
    """A camera that goes round upright, in worlds of all kinds."""
    axis = np.zeros(3)
    axis["XYZ".index(up[1])] = 1 if up[0] == "+" else -1
    poses = np.tile(np.eye(4), (8, 1, 1))
    for pose, angle in zip(poses, np.linspace(0, 2, 8), strict=True):
        side = np.roll(axis, 1)
        forward = math.cos(angle) * side + math.sin(angle) * np.cross(axis, side)
        pose[:3, :3] = np.stack([np.cross(forward, axis), -axis, forward], axis=-1)
        pose[:3, 3] = forward * 3 + axis
    known = cameras.from_arrays(poses, (800, 800, 416, 240), 832, 480)
    assert formats.up_axis(known) == up
    turned = np.array(formats.turned(known, up).poses)
    np.testing.assert_allclose(-turned[:, :3, 1], np.tile((0, 0, 1.0), (8, 1)), atol=1e-12)
    np.testing.assert_allclose(turned[:, 2, 3], 1, atol=1e-12)
    np.testing.assert_allclose(cameras.relative(turned), cameras.relative(poses), atol=1e-12)
