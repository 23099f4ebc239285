"""Cameras from files and back: what is sampled equals what the file says, and nothing else is touched."""

import json
import math
import os
import sys
from fractions import Fraction

import bpy
import numpy as np
import pytest
from keyed import FRAMES, HEIGHT, KINDS, NAMES, WIDTH, same, sampled, trajectory, written
from mathutils import Matrix


@pytest.fixture
def formats(recam):
    return recam.backend("cameras").formats


@pytest.fixture
def files(recam):
    return recam("trajectory_files")


@pytest.fixture
def scene():
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = WIDTH, HEIGHT, 100
    scene.render.fps, scene.render.fps_base = 24, 1.0
    scene.frame_start, scene.frame_end = 1, FRAMES
    return scene


# In


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unit", [1.0, 0.01])
def test_what_is_imported_is_sampled_back(recam, files, formats, scene, folder, kind, unit):
    scene.unit_settings.scale_length = unit
    known = trajectory(recam)
    path = written(formats, kind, folder, known)
    (camera,), told = files.import_cameras(scene, str(path), files.Wanted())
    same(recam, sampled(recam, scene, camera), known, lens="lens" in formats.KINDS[kind].holds)
    assert any("no lens" in each for each in told) == ("lens" not in formats.KINDS[kind].holds)
    assert "+Z was taken as up in the file." in told
    for owner in (camera, camera.data):
        for curve in recam("compat").curves(owner):
            assert len(curve.keyframe_points) == FRAMES
            assert {each.interpolation for each in curve.keyframe_points} == {"LINEAR"}


def test_a_lens_that_stays_has_no_keys_and_one_that_the_file_lacks_is_asked_for(recam, files, formats, scene, folder):
    path = written(formats, "recam", folder, trajectory(recam, zoom=False))
    (camera,), _ = files.import_cameras(scene, str(path), files.Wanted())
    assert camera.data.animation_data is None
    path = written(formats, "tum", folder, trajectory(recam))
    (camera,), _ = files.import_cameras(scene, str(path), files.Wanted(lens=85))
    assert camera.data.animation_data is None
    assert (camera.data.lens, camera.data.sensor_width) == (85, 36)


def test_nothing_that_was_there_is_touched(recam, files, formats, scene, folder):
    old = bpy.data.objects.new("t", bpy.data.cameras.new("t"))
    scene.collection.objects.link(old)
    path = written(formats, "recam", folder, trajectory(recam))
    first, _ = files.import_cameras(scene, str(path), files.Wanted())
    again, _ = files.import_cameras(scene, str(path), files.Wanted())
    assert {each.name for each in scene.objects} == {"t", "t.001", "t.002"}
    assert old.animation_data is None
    assert first[0].data != again[0].data


def test_turning_round_has_no_flips(recam, files, formats, scene, folder):
    path = written(formats, "colmap", folder, trajectory(recam, 200, turns=2.5))
    scene.frame_end = 200
    (camera,), _ = files.import_cameras(scene, str(path), files.Wanted())
    curves = {
        each.array_index: np.array([key.co[1] for key in each.keyframe_points])
        for each in recam("compat").curves(camera)
        if each.data_path == "rotation_quaternion"
    }
    turns = np.stack([curves[index] for index in range(4)], axis=-1)
    assert (np.sum(turns[1:] * turns[:-1], axis=1) > 0.99).all()


def turned(recam, known, up):
    """The same camera in a world where this axis is up: as a file of another program has it."""
    matrix = np.eye(4)
    axis = np.zeros(3)
    axis["XYZ".index(up[1])] = 1 if up[0] == "+" else -1
    side = np.roll(np.abs(axis), 1)
    matrix[:3, :3] = np.stack([side, np.cross(axis, side), axis], axis=-1)
    cameras = recam.backend("cameras")
    poses, lenses = cameras.arrays(known)
    return cameras.from_arrays(matrix @ poses, lenses, WIDTH, HEIGHT)


@pytest.mark.parametrize("up", ["+X", "-X", "+Y", "-Y", "-Z"])
@pytest.mark.parametrize("automatic", [True, False])
def test_up(recam, files, formats, scene, folder, up, automatic):
    path = written(formats, "tum", folder, turned(recam, trajectory(recam), up))
    (camera,), told = files.import_cameras(scene, str(path), files.Wanted(up="auto" if automatic else up))
    found = np.array(sampled(recam, scene, camera).poses)
    np.testing.assert_allclose(found[:, 2, 3], 1.5, atol=1e-5)  # at its height again
    np.testing.assert_allclose(found[:, 2, 2], -0.2 / math.sqrt(1.04), atol=1e-5)
    assert (f"{up} was taken as up in the file." in told) == automatic


def test_our_own_file_keeps_its_world_wherever_it_looks(recam, files, formats, scene, folder):
    """Straight down, no axis is up by how the camera is held."""
    cameras = recam.backend("cameras")
    down = np.tile(np.eye(4), (3, 1, 1))
    down[:, :3, :3] = np.diag((1, -1, -1))
    down[:, :3, 3] = [(0, 0, 5), (1, 0, 5), (2, 0, 5)]
    known = cameras.from_arrays(down, (500, 500, WIDTH / 2, HEIGHT / 2), WIDTH, HEIGHT)
    (camera,), _ = files.import_cameras(scene, str(written(formats, "recam", folder, known)), files.Wanted())
    same(recam, sampled(recam, scene, camera, 3), known)


def test_a_solve_in_its_own_first_view_stands_upright(recam, files, formats, scene, folder):
    known = recam.backend("cameras").from_arrays(
        recam.backend("cameras").preset("arc_left", 5), (500, 500, WIDTH / 2, HEIGHT / 2), WIDTH, HEIGHT
    )
    (camera,), told = files.import_cameras(scene, str(written(formats, "recam", folder, known)), files.Wanted())
    assert "-Y was taken as up in the file." in told
    first = np.array(sampled(recam, scene, camera, 5).poses)[0]
    np.testing.assert_allclose(first[:3, :3].T, [(1, 0, 0), (0, 0, -1), (0, 1, 0)], atol=1e-6)


def test_scale_start_and_the_files_times(recam, files, formats, scene, folder):
    path = written(formats, "tum", folder, trajectory(recam))
    scene.render.fps = 48
    wanted = files.Wanted(scale=2.0, frame=101)
    (camera,), told = files.import_cameras(scene, str(path), wanted)
    found = sampled(recam, scene, camera, 2 * FRAMES - 1, 101)
    known = np.array(trajectory(recam).poses)
    np.testing.assert_allclose(np.array(found.poses)[::2, :3, 3], known[:, :3, 3] * 2, atol=1e-5)
    assert any("brought to 48" in each for each in told)
    assert any("scene ends at 9" in each for each in told)
    (camera,), _ = files.import_cameras(scene, str(path), files.Wanted(by_time=False))
    same(recam, sampled(recam, scene, camera), trajectory(recam), lens=False)


def test_at_the_cursor_and_at_the_camera(recam, files, formats, scene, folder):
    scene.unit_settings.scale_length = 0.1
    scene.cursor.location = (10, 20, 30)
    path = written(formats, "recam", folder, trajectory(recam))
    (camera,), _ = files.import_cameras(scene, str(path), files.Wanted(place="cursor"))
    bpy.context.view_layer.update()
    scene.frame_set(1)
    assert tuple(camera.matrix_world.translation) == pytest.approx((10, 20, 30), abs=1e-4)
    relative = recam.backend("cameras").relative
    known = relative(np.array(trajectory(recam).poses))
    np.testing.assert_allclose(relative(np.array(sampled(recam, scene, camera).poses)), known, atol=2e-5)
    other = bpy.data.objects.new("other", bpy.data.cameras.new("other"))
    other.matrix_world = Matrix.LocRotScale((1, 2, 3), Matrix.Rotation(0.7, 3, "X"), None)
    scene.collection.objects.link(other)
    scene.camera = other
    (camera,), told = files.import_cameras(scene, str(path), files.Wanted(place="camera"))
    scene.frame_set(1)
    np.testing.assert_allclose(np.array(camera.matrix_world), np.array(other.matrix_world), atol=1e-5)
    np.testing.assert_allclose(relative(np.array(sampled(recam, scene, camera).poses)), known, atol=2e-5)
    assert not any("up in the file" in each for each in told)


def test_at_the_camera_where_there_is_none(recam, files, formats, scene, folder):
    path = written(formats, "recam", folder, trajectory(recam))
    with pytest.raises(recam("errors").ReCamError, match="no camera"):
        files.import_cameras(scene, str(path), files.Wanted(place="camera"))
    assert not bpy.data.cameras


def test_all_cameras_of_a_file(recam, files, formats, scene, folder):
    one, two = trajectory(recam), trajectory(recam, turns=-0.3)
    path = folder / "camera_extrinsics.json"
    formats.write(path, {"left eye": one, "right": two}, "published")
    made, _ = files.import_cameras(scene, str(path), files.Wanted(every=True))
    assert [each.name for each in made] == [f"{folder.name} left eye", f"{folder.name} right"]
    same(recam, sampled(recam, scene, made[0]), one, lens=False)
    same(recam, sampled(recam, scene, made[1]), two, lens=False)
    (right,), _ = files.import_cameras(scene, str(path), files.Wanted(camera="right"))
    same(recam, sampled(recam, scene, right), two, lens=False)
    with pytest.raises(files.FileError, match="one of left eye, right"):
        files.import_cameras(scene, str(path), files.Wanted(camera="up"))


def test_pictures_and_pixels_of_another_shape_are_told(recam, files, formats, scene, folder):
    path = written(formats, "recam", folder, trajectory(recam))
    assert not any("shape" in each for each in files.import_cameras(scene, str(path), files.Wanted())[1])
    scene.render.resolution_y = 640
    assert any("another shape" in each for each in files.import_cameras(scene, str(path), files.Wanted())[1])
    scene.render.resolution_y, scene.render.pixel_aspect_y = HEIGHT, 2.0
    assert any("right across" in each for each in files.import_cameras(scene, str(path), files.Wanted())[1])


@pytest.mark.parametrize("content", ["", "{", "1 2 3\n", "0 0 0 0 0 0 0 1\n1 0 0 x 0 0 0 1\n"])
def test_damaged_files_are_refused_in_one_sentence(files, scene, folder, content):
    path = folder / "t.txt"
    path.write_text(content)
    with pytest.raises(files.FileError, match="cannot be read as a camera") as caught:
        files.import_cameras(scene, str(path), files.Wanted())
    assert "\n" not in str(caught.value)
    with pytest.raises(files.FileError, match="not there"):
        files.import_cameras(scene, str(folder / "gone.txt"), files.Wanted())
    with pytest.raises(files.FileError):
        files.import_cameras(scene, "", files.Wanted())
    assert not bpy.data.cameras


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_no_text(recam, files, formats, scene, folder):
    path = os.fsdecode(os.fsencode(folder) + b"/\xff.txt")
    formats.write(path, trajectory(recam), "tum", rate=Fraction(24))
    assert bpy.ops.recam.import_trajectory(filepath=path) == {"FINISHED"}
    with open(path, "ab") as opened:
        opened.write(b"caf\xe9\n")
    with pytest.raises(RuntimeError, match="line 11"):
        bpy.ops.recam.import_trajectory(filepath=path)
    frames = {"frame0": {"\ud800": "[1 0 0 0] [0 1 0 0] [0 0 1 0] [0 0 0 1]", "b": "[1 0 0 0]"}}
    path = folder / "t.json"
    path.write_text(json.dumps(frames))
    assert bpy.ops.recam.import_trajectory(filepath=str(path)) == {"FINISHED"}
    with pytest.raises(RuntimeError, match="four rows"):
        bpy.ops.recam.import_trajectory(filepath=str(path), every=True)


def test_blenders_relative_paths(recam, files, formats, scene, folder):
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "edit.blend"))
    scene = bpy.context.scene
    written(formats, "recam", folder, trajectory(recam))
    (camera,), _ = files.import_cameras(scene, "//t.json", files.Wanted())
    path, _ = files.export_cameras(scene, "//out.tum", "tum", cameras=[camera])
    assert path == str(folder / "out.tum")
    bpy.ops.wm.read_homefile(use_empty=True)


# Out


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_exported_is_read(recam, files, formats, scene, folder, kind):
    known = trajectory(recam)
    camera = recam("keyed_camera").new_camera("Cam", scene, known, 1)
    scene.camera = camera
    scene.render.fps_base = 1.001
    path, lost = files.export_cameras(scene, str(folder / NAMES.get(kind, "t.json")), kind)
    found = formats.read(path, width=WIDTH, height=HEIGHT)
    same(recam, found.trajectory, known, lens=found.has_lens)
    assert found.kind == kind
    if found.rate is not None:
        assert found.rate == pytest.approx(24000 / 1001, rel=1e-5)
    assert any("is lost" in each for each in lost) == (not found.has_lens)


def test_the_scenes_camera_is_written_with_its_cuts(recam, files, formats, scene, folder):
    cameras = [
        recam("keyed_camera").new_camera("A", scene, trajectory(recam), 1),
        recam("keyed_camera").new_camera("B", scene, trajectory(recam, turns=-0.4), 1),
    ]
    for camera, frame in zip(cameras, (1, 5), strict=True):
        scene.timeline_markers.new(camera.name, frame=frame).camera = camera
    path, _ = files.export_cameras(scene, str(folder / "t.json"), "recam")
    found = np.array(formats.read(path).trajectory.poses)
    np.testing.assert_allclose(found[:4], np.array(trajectory(recam).poses)[:4], atol=1e-5)
    np.testing.assert_allclose(found[4:], np.array(trajectory(recam, turns=-0.4).poses)[4:], atol=1e-5)


def test_several_cameras_are_written_where_the_format_takes_them(recam, files, formats, scene, folder):
    cameras = [recam("keyed_camera").new_camera(name, scene, trajectory(recam), 1) for name in "AB"]
    path, _ = files.export_cameras(scene, str(folder / "t.json"), "published", cameras=cameras)
    assert formats.cameras(path) == ("A", "B")
    for kind, reason in (("tum", "holds one camera"), ("colmap", "alone"), ("recam", "holds one camera")):
        with pytest.raises(files.FileError, match=reason):
            files.export_cameras(scene, str(folder / "u"), kind, cameras=cameras)


def test_files_are_overwritten_only_where_that_was_asked(recam, files, scene, folder):
    scene.camera = recam("keyed_camera").new_camera("A", scene, trajectory(recam), 1)
    path = folder / "t.json"
    path.write_text("mine")
    with pytest.raises(files.FileError, match="exists"):
        files.export_cameras(scene, str(path), "recam")
    with pytest.raises(RuntimeError, match="exists"):
        bpy.ops.recam.export_trajectory(filepath=str(path))
    assert path.read_text() == "mine"
    files.export_cameras(scene, str(path), "recam", force=True)
    assert json.loads(path.read_text())["recam_trajectory"] == 1


def test_what_cannot_be_written(recam, files, scene, folder):
    ortho = bpy.data.objects.new("o", bpy.data.cameras.new("o"))
    ortho.data.type = "ORTHO"
    scene.collection.objects.link(ortho)
    error = recam("errors").ReCamError
    with pytest.raises(error, match="no camera"):
        files.export_cameras(scene, str(folder / "t.json"), "recam")
    scene.camera = ortho
    with pytest.raises(error, match="orthographic"):
        files.export_cameras(scene, str(folder / "t.json"), "recam")
    ortho.data.type = "PERSP"
    with pytest.raises(error, match="no frames"):
        files.export_cameras(scene, str(folder / "t.json"), "recam", first=5, last=4)
    with pytest.raises(error, match="cannot be written"):
        files.export_cameras(scene, str(folder / "no" / "t.json"), "recam")
    with pytest.raises(error, match="no file name"):
        files.export_cameras(scene, "", "recam")
    assert list(folder.iterdir()) == []
