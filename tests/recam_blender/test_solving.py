"""The footage's own camera, solved at a press: a new camera, keyed, where the target camera starts."""

from pathlib import Path

import bpy
import numpy as np
import pytest
import shots
from timeline import in_backend, new_scene, strips

FRAMES, WIDTH, HEIGHT = 14, 320, 192
START = 5
TESTS = Path(__file__).resolve().parents[1] / "backend"


@pytest.fixture(scope="module")
def clip(backend_python, tmp_path_factory):
    """A traced room that a camera goes past: its movie, true poses, and the depth of its first frame."""
    folder = tmp_path_factory.mktemp("travel")
    in_backend(
        backend_python,
        """
        sys.path.insert(0, sys.argv[1])
        from pathlib import Path
        import numpy, handheld, raytraced
        frames, width, height = map(int, sys.argv[3:])
        shares = numpy.linspace(0, 1, frames)
        poses = [raytraced.pose_at((share - 0.5, 0, 0), turn=-7 * (share - 0.5)) for share in shares]
        room, lens = raytraced.Room(seed=3, moving=False), raytraced.lens_for(width, height)
        shot = [room.shoot(pose, lens, width, height, looks=2) for pose in poses]
        folder = Path(sys.argv[2])
        handheld.write_clip(folder / "travel.mkv", [picture for picture, _ in shot])
        numpy.savez(folder / "truth.npz", poses=poses, depth=shot[0][1], focal=lens.fx)
        """,
        str(TESTS),
        str(folder),
        *map(str, (FRAMES, WIDTH, HEIGHT)),
    )
    return folder / "travel.mkv", np.load(folder / "truth.npz")


@pytest.fixture
def edit(backend_python, clip, monkeypatch):
    """The clip in a sequencer, from START on, and a camera that stands somewhere."""
    monkeypatch.setenv("RECAM_PYTHON", backend_python)
    scene = new_scene("Edit")
    strips(scene).new_movie("clip", str(clip[0]), 2, START)
    scene.sequence_editor.active_strip = strips(scene)[0]
    camera = shots.add_camera(scene, "Target")
    camera.animation_data_clear()
    camera.location, camera.rotation_euler = (2.0, -1.0, 1.5), (1.2, 0.0, 0.4)
    camera.data.sensor_width = 36.0
    scene.recam.use_lens, scene.recam.lens = True, float(clip[1]["focal"]) / WIDTH * 36.0
    return scene


def press():
    with bpy.context.temp_override(scene=bpy.data.scenes["Edit"]):
        bpy.context.window.scene = bpy.data.scenes["Edit"]
        return bpy.ops.recam.solve_footage()


def sampled(recam, scene, camera):
    sampling = recam("sampling")
    frames = [float(START + index) for index in range(FRAMES)]
    return sampling.sample_trajectory(scene, camera, frames, width=WIDTH, height=HEIGHT)


def test_the_footages_camera_is_made_and_follows_the_true_one(recam, edit, clip):
    """In metres, as a point's distance is known; it begins at the target's pose, and is the source camera then."""
    x, y = 200, 150
    settings = edit.recam
    settings.use_known, settings.known_frame = True, START
    settings.known_x, settings.known_y = x + 0.5, y + 0.5
    settings.known_distance = float(clip[1]["depth"][y, x])
    before = set(bpy.data.objects)
    assert press() == {"FINISHED"}
    (camera,) = set(bpy.data.objects) - before
    assert settings.source_camera == camera
    found = sampled(recam, edit, camera)
    poses = np.array(found.poses)
    target = np.array(sampled(recam, edit, bpy.data.objects["Target"]).poses)
    assert poses[0] == pytest.approx(target[0], abs=1e-5)
    seen, true = (np.linalg.inv(each[0]) @ each for each in (poses, clip[1]["poses"]))
    assert np.linalg.norm(seen[-1, :3, 3]) == pytest.approx(np.linalg.norm(true[-1, :3, 3]), rel=0.05)
    turned = np.degrees(np.arccos(np.clip((np.einsum("nij,nij->n", seen[:, :3, :3], true[:, :3, :3]) - 1) / 2, -1, 1)))
    assert turned.max() < 0.2
    assert found.intrinsics[0].fx == pytest.approx(float(clip[1]["focal"]), rel=1e-4)
    assert [each.name for each in (edit.camera,)] == ["Target"]


def test_solved_footage_is_stabilised_from_the_panel(recam, edit, clip, folder):
    """Without a source camera the job itself solves it; the take lies over its strip."""
    edit.recam.use, edit.recam.source_from = "stabilise", "footage"
    bpy.context.window.scene = edit
    assert bpy.ops.recam.render() == {"FINISHED"}
    made = [each for each in strips(edit) if each.name != "clip"]
    assert len(made) == 1
    record = recam("take_record").job_of(made[0])
    assert (record.use.kind, record.source_from) == ("stabilise", "footage")


def test_without_a_camera_it_begins_at_the_height_of_eyes(recam, edit):
    backend = recam.backend("solved")
    bpy.data.objects.remove(bpy.data.objects["Target"])
    move = [np.eye(4) for _ in range(FRAMES)]
    for index, each in enumerate(move):
        each[2, 3] = 0.1 * index
    path = recam.backend("cameras").from_arrays(np.array(move), (300.0, 300.0, 160.0, 96.0), WIDTH, HEIGHT)
    solve = backend.Solve(trajectory=path, kind="moving", registered=1.0, error=0.2, distance=3.0, words="It moves.")
    camera = recam("solving").keep(recam("solving").Told("Edit", "clip", START, solve))
    assert edit.recam.source_camera == camera
    assert recam("depth").choose_depth("auto", source=camera.name) == "auto"
    last = np.array(sampled(recam, edit, camera).poses)[-1]
    assert last[:3, 3] == pytest.approx((0.0, 0.1 * (FRAMES - 1), 1.6), abs=1e-5)
    assert last[:3, 2] == pytest.approx((0.0, 1.0, 0.0), abs=1e-6)  # it looks ahead
    assert last[:3, 1] == pytest.approx((0.0, 0.0, -1.0), abs=1e-6)  # and stands upright


def test_footage_that_tells_nothing_says_so(edit, backend_python, folder):
    path = folder / "blank.mkv"
    in_backend(
        backend_python,
        """
        sys.path.insert(0, sys.argv[1])
        from pathlib import Path
        import numpy, handheld
        handheld.write_clip(Path(sys.argv[2]), [numpy.full((96, 128, 3), 90, numpy.uint8)] * 12)
        """,
        str(TESTS),
        str(path),
    )
    strips(edit).new_movie("blank", str(path), 3, START)
    edit.sequence_editor.active_strip = strips(edit)["blank"]
    cameras = len(bpy.data.cameras)
    with pytest.raises(RuntimeError, match=r"hold on to|nothing"):
        press()
    assert (len(bpy.data.cameras), edit.recam.source_camera) == (cameras, None)


def test_a_known_point_outside_of_what_is_solved_is_refused(edit):
    edit.recam.use_known, edit.recam.known_frame = True, START + FRAMES
    with pytest.raises(RuntimeError, match="is not among those that are solved"):
        press()


def test_a_picked_point_is_kept_in_pixels(recam, edit):
    edit.frame_set(START + 3)
    recam("solve_operators").set_known(edit, (0.25, 0.5))
    settings = edit.recam
    assert (settings.use_known, settings.known_frame) == (True, START + 3)
    assert (settings.known_x, settings.known_y) == (pytest.approx(WIDTH / 4), pytest.approx(HEIGHT / 2))


def test_without_a_solved_clip_the_button_says_why(edit):
    bpy.context.window.scene = edit
    assert not bpy.ops.recam.camera_from_clip.poll()


@pytest.mark.parametrize("told", [True, False])
def test_a_take_that_solves_its_camera_is_told_a_lens_only_where_one_is_known(recam, edit, folder, told):
    """The target camera's lens says nothing of the footage's."""
    edit.recam.use, edit.recam.source_from, edit.recam.use_lens = "stabilise", "footage", told
    asked = recam("request").from_settings(edit)
    (shot,) = recam("tasks").drain(recam("planning").plan(asked, str(folder)))
    assert (shot.job.lens is not None) == told
