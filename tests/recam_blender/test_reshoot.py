"""The whole way inside Blender: from a strip and a keyframed camera to a take in the sequencer."""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import bpy
import numpy as np
import pytest
import shots
from timeline import render, strips, write_movie


@pytest.fixture
def asked(recam):
    """Make a request for the small edit."""

    def ask(**changes):
        return recam("request").Request(**({"scene": "Edit", "strip": "clip", "camera": "Target"} | changes))

    return ask


@pytest.fixture
def run(recam, backend_python):
    """Run a request to its end."""

    def run(request, **options):
        return recam("reshoot").reshoot_now(request, python=backend_python, **options)

    return run


@pytest.fixture
def edit(backend_python, folder):
    return shots.new_edit(backend_python, folder)


def test_a_take_lands_above_its_strip_with_its_range_and_record(edit, asked, run, folder, backend_python):
    outcome = run(asked(folder=str(folder)))

    (take,) = outcome.takes
    assert os.path.basename(take.path) == "clip_Target_v001.mp4"
    strip = strips(edit)[take.strip]
    assert (strip.frame_final_start, strip.frame_final_duration) == (shots.START, shots.FRAMES)
    assert strip.channel > strips(edit)["clip"].channel
    record = shots.record_of(take.path)
    assert record["job"]["origin"]["camera"] == "Target"
    assert record["result"]["frames"] == shots.FRAMES
    assert json.loads(strip["recam"]["job"]) == record["job"]
    assert shots.frames_of(backend_python, take.path).shape == (shots.FRAMES, 64, 128, 3)
    assert shots.left_behind(folder) == ["clip.mkv"]


def test_a_camera_that_does_not_move_gives_the_footage_back(edit, asked, run, folder, backend_python):
    shots.add_camera(edit, "Still")
    (take,) = run(asked(camera="Still", folder=str(folder))).takes
    made = shots.frames_of(backend_python, take.path)
    for index, picture in enumerate(shots.pictures()):
        assert shots.psnr(made[index], picture) >= 40


@pytest.mark.parametrize(("matrix", "tagged"), [("bt601", True), ("bt709", True), ("bt601", False)])
def test_blender_shows_take_and_footage_in_the_same_colours(asked, run, folder, backend_python, matrix, tagged):
    """Footage tagged 601, tagged 709 and untagged: the take is tagged 709, and Blender is the judge of both."""
    options = {"codec": "libx264", "pix_fmt": "yuv444p", "matrix": matrix, "tagged": tagged, "options": {"qp": "0"}}
    write_movie(backend_python, folder / "clip.mkv", shots.pictures(), **options)
    edit = shots.new_edit(backend_python, folder)
    shots.add_camera(edit, "Still")
    frames = (shots.START, shots.START + 7)
    footage = [render(edit, frame) for frame in frames]
    (take,) = run(asked(camera="Still", folder=str(folder))).takes
    strips(edit)["clip"].mute = True
    assert not strips(edit)[take.strip].mute
    for frame, before in zip(frames, footage, strict=True):
        after = render(edit, frame)
        assert shots.psnr(before, after) >= 40
        # What a wrong matrix does is a shift of whole areas, which an average of squares may hide.
        assert np.abs(before.astype(float).mean((0, 1)) - after.astype(float).mean((0, 1))).max() < 1


def test_a_second_take_gets_the_next_number_and_a_channel_of_its_own(edit, asked, run, folder):
    first, second = (run(asked(folder=str(folder))).takes[0] for _ in range(2))
    assert os.path.basename(second.path) == "clip_Target_v002.mp4"
    assert Path(first.path).exists()
    assert strips(edit)[first.strip].channel != strips(edit)[second.strip].channel


def test_a_cut_between_cameras_makes_a_take_of_each(edit, asked, run, folder):
    shots.add_camera(edit, "Other", move=0.2)
    for name, frame in (("Target", 1), ("Other", shots.START + 5)):
        edit.timeline_markers.new(name, frame=frame).camera = bpy.data.objects[name]
    outcome = run(asked(camera="", folder=str(folder)))
    spans = [
        (take.result.frames, strips(edit)[take.strip].frame_final_start, shots.record_of(take.path)["job"]["origin"])
        for take in outcome.takes
    ]
    assert [(count, start, origin["camera"]) for count, start, origin in spans] == [
        (5, shots.START, "Target"),
        (shots.FRAMES - 5, shots.START + 5, "Other"),
    ]


def test_a_camera_in_another_scene_films_the_strip_of_this_one(edit, asked, run, folder):
    world = bpy.data.scenes.new("World")
    camera = shots.add_camera(world, "Elsewhere", move=1.0)
    request = asked(camera="Elsewhere", camera_scene="World", camera_frame=15.0, folder=str(folder))
    job = shots.record_of(run(request).takes[0].path)["job"]
    world.frame_set(15)
    expected = camera.evaluated_get(world.view_layers[0].depsgraph).matrix_world.translation.x
    assert job["origin"]["camera_scene"] == "World"
    assert job["target"]["poses"][0][0][3] == pytest.approx(expected, abs=1e-6)
    assert expected > 0.1


def test_the_scenes_depth_is_rendered_where_a_source_camera_is_set(edit, asked, run, folder):
    bpy.ops.mesh.primitive_plane_add(size=40, location=(0, 5, 0), rotation=(np.pi / 2, 0, 0))
    plane = bpy.context.object
    bpy.context.scene.collection.objects.unlink(plane)
    edit.collection.objects.link(plane)
    shots.add_camera(edit, "Source")
    shots.add_camera(edit, "Mover", move=0.5)
    outcome = run(asked(camera="Mover", source_camera="Source", folder=str(folder)))
    assert "scene" in outcome.takes[0].result.depth
    assert [each.name for each in bpy.data.scenes if "ReCam" in each.name] == []


def test_depth_files_stay_with_the_frames_of_a_trimmed_clip(edit, asked, run, folder):
    (folder / "depth é").mkdir()
    for index in range(shots.FRAMES):
        np.save(folder / "depth é" / f"d{index:03d}.npy", np.full((64, 128), 4.0, np.float32))
    strips(edit)["clip"].frame_offset_start = 6
    request = asked(depth="file", depth_path=str(folder / "depth é"), folder=str(folder))
    files = shots.record_of(run(request).takes[0].path)["job"]["settings"]["depth"]["files"]
    assert [Path(each).stem for each in files] == [f"d{index:03d}" for index in range(6, shots.FRAMES)]


def test_a_default_cube_is_not_taken_for_the_footage(edit, asked, run, folder):
    bpy.ops.mesh.primitive_cube_add()
    outcome = run(asked(folder=str(folder)))
    assert "scene" not in outcome.takes[0].result.depth


@pytest.mark.parametrize(("form", "suffix"), [("ffv1", ".mkv"), ("prores4444", ".mov"), ("png", ""), ("exr", "")])
def test_every_format_lands_in_the_sequencer(edit, asked, run, folder, form, suffix):
    (take,) = run(asked(folder=str(folder), format=form)).takes
    assert os.path.basename(take.path) == "clip_Target_v001" + suffix
    assert strips(edit)[take.strip].frame_final_duration == shots.FRAMES


@pytest.mark.parametrize(
    ("fps", "base", "rate"),
    [(24, 1.001, "24000/1001"), (60, 1.001, "60000/1001"), (25, 1.0, "25/1"), (1, 0.08, "25/2")],
)
def test_a_take_has_the_scenes_exact_rate(edit, asked, run, folder, fps, base, rate):
    edit.render.fps, edit.render.fps_base = fps, base
    (take,) = run(asked(folder=str(folder))).takes
    assert shots.record_of(take.path)["result"]["rate"] == rate
    assert strips(edit)[take.strip].frame_final_duration == shots.FRAMES


def test_an_unsaved_file_uses_the_extensions_own_folder(edit, asked, run, recam):
    (take,) = run(asked()).takes
    assert take.path.startswith(recam("runtime").user_folder())


def test_a_saved_file_gets_a_folder_beside_it(edit, asked, run, folder):
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "shot é.blend"))
    (take,) = run(asked()).takes
    assert Path(take.path).parent == folder / "recam"
    assert strips(edit)[take.strip].filepath.startswith("//recam")


def test_numbers_go_on_where_the_takes_before_lie_in_another_folder(edit, asked, run, folder):
    """As after the first save of a file: the takes made before it stay in the extension's own folder."""
    for name in ("one", "two"):
        (folder / name).mkdir()
    first = run(asked(folder=str(folder / "one"))).takes[0]
    second = run(asked(folder=str(folder / "two"))).takes[0]
    assert [os.path.basename(each.path) for each in (first, second)] == ["clip_Target_v001.mp4", "clip_Target_v002.mp4"]
    assert second.strip == "clip_Target_v002"


def test_the_same_job_is_not_made_twice_where_that_is_asked(edit, asked, run, folder):
    made = run(asked(folder=str(folder)), skip_existing=True).takes[0]
    again = run(asked(folder=str(folder)), skip_existing=True).takes[0]
    other = run(asked(folder=str(folder), subject_distance=7.0), skip_existing=True).takes[0]
    assert (made.skipped, again.skipped, other.skipped) == (False, True, False)
    assert again.path == made.path


def test_an_exported_job_renders_in_a_shell(edit, asked, recam, folder, backend_python):
    (path,) = recam("reshoot").export_job(asked(), str(folder / "job é.json"))
    done = subprocess.run(
        [backend_python, "-m", "backend", "render", path],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert shots.frames_of(backend_python, folder / "job é_take.mp4").shape[0] == shots.FRAMES


def test_the_operator_does_the_same_in_background(edit, asked, recam, folder, backend_python, monkeypatch):
    monkeypatch.setenv("RECAM_PYTHON", backend_python)
    bpy.context.window.scene = edit
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = edit
    edit.recam.camera = bpy.data.objects["Target"]
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "shot.blend"))
    assert bpy.ops.recam.render() == {"FINISHED"}
    assert (folder / "recam" / "clip_Target_v001.mp4").exists()
    assert recam("jobs").running() is None
    # The take is active now, but a second press means the footage again.
    assert edit.sequence_editor.active_strip.name == "clip_Target_v001"
    assert bpy.ops.recam.render() == {"FINISHED"}
    assert (folder / "recam" / "clip_Target_v002.mp4").exists()


# What goes wrong, ends in words


def expect_words(recam, work, *words):
    with pytest.raises(recam("errors").ReCamError) as caught:
        work()
    text = str(caught.value)
    assert all(word in text for word in words), text


def test_names_that_are_not_there_are_told_with_those_that_are(edit, asked, run, recam):
    expect_words(recam, lambda: run(asked(strip="clop")), "clop", "'clip'")
    expect_words(recam, lambda: run(asked(camera="Camera")), "Camera", "'Target'")
    expect_words(recam, lambda: run(asked(scene="Shot")), "Shot", "'Edit'")


def test_an_orthographic_camera_is_refused(edit, asked, run, recam):
    bpy.data.objects["Target"].data.type = "ORTHO"
    expect_words(recam, lambda: run(asked()), "Target", "orthographic")


def test_a_backend_that_is_not_there_is_told(edit, asked, recam, tmp_path):
    missing = str(tmp_path / "python")
    expect_words(recam, lambda: recam("reshoot").reshoot_now(asked(), python=missing), missing)


def test_a_python_that_is_no_backend_is_told_before_any_work(edit, asked, recam, folder):
    (folder / "python").write_text("no program")
    expect_words(recam, lambda: recam("reshoot").reshoot_now(asked(), python=str(folder / "python")), "python")
    (folder / "python").write_text("#!/bin/sh\necho nothing\nexit 3\n")
    (folder / "python").chmod(0o755)
    steps = recam("reshoot").reshoot(asked(), python=str(folder / "python"))
    phases = set()

    def run():
        for step in steps:
            phases.add(step.progress.phase)
            time.sleep(0.01)

    expect_words(recam, run, "worker")
    assert phases <= {"Starting"}


def test_a_failed_export_leaves_nothing_in_the_way_of_the_next(edit, asked, recam, folder):
    (folder / "clip.mkv").rename(folder / "away.mkv")
    before = sorted(each.name for each in folder.iterdir())
    expect_words(recam, lambda: recam("reshoot").export_job(asked(), str(folder / "job.json")), "clip.mkv")
    assert sorted(each.name for each in folder.iterdir()) == before
    (folder / "away.mkv").rename(folder / "clip.mkv")
    assert recam("reshoot").export_job(asked(), str(folder / "job.json")) == [str(folder / "job.json")]


def test_takes_before_a_failed_cut_stay_and_are_named(edit, asked, recam, folder, backend_python):
    shots.add_camera(edit, "Other", move=0.2)
    for name, frame in (("Target", 1), ("Other", shots.START + 5)):
        edit.timeline_markers.new(name, frame=frame).camera = bpy.data.objects[name]
    worker = recam("runtime").worker(backend_python)

    def kill_after_the_first():
        for _ in recam("reshoot").reshoot(asked(camera="", folder=str(folder)), python=backend_python):
            if "clip_Target_v001" in strips(edit):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGKILL)
            time.sleep(0.01)

    expect_words(recam, kill_after_the_first, "worker", "clip_Target_v001")
    assert shots.left_behind(folder) == ["clip.mkv"]


def test_a_take_whose_mask_is_gone_is_made_again(edit, asked, run, folder):
    first = run(asked(folder=str(folder), mask=True), skip_existing=True).takes[0]
    Path(first.result.mask).unlink()
    assert not run(asked(folder=str(folder), mask=True), skip_existing=True).takes[0].skipped


def test_a_clip_that_has_gone_is_named(edit, asked, run, recam, folder):
    (folder / "clip.mkv").unlink()
    expect_words(recam, lambda: run(asked(folder=str(folder))), "clip.mkv")
    assert shots.left_behind(folder) == []


def test_a_folder_that_cannot_be_written_is_named(edit, asked, run, recam, folder):
    # A file where the folder should be: that stops even the superuser.
    (folder / "takes").write_text("mine")
    expect_words(recam, lambda: run(asked(folder=str(folder / "takes"))), "takes")
    assert (folder / "takes").read_text() == "mine"


def test_a_worker_killed_in_mid_job_is_an_error_and_the_next_job_works(edit, asked, run, recam, folder, backend_python):
    worker = recam("runtime").worker(backend_python)
    work = recam("reshoot").reshoot(asked(folder=str(folder)), python=backend_python)

    def kill_in_the_middle():
        for step in work:
            if step.idle:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGKILL)
            time.sleep(0.01)

    expect_words(recam, kill_in_the_middle, "worker")
    assert shots.left_behind(folder) == ["clip.mkv"]
    assert run(asked(folder=str(folder))).takes[0].result.frames == shots.FRAMES


def test_a_worker_that_heeds_no_cancel_does_not_take_the_next_job_along(
    edit, asked, run, recam, folder, backend_python
):
    worker = recam("runtime").worker(backend_python)
    worker.hello()
    worker._cancel_grace = 1.0
    work = recam("reshoot").reshoot(asked(folder=str(folder)), python=backend_python)
    for step in work:
        if step.idle:
            os.kill(worker.pid, signal.SIGSTOP)  # as deaf as one whose step takes minutes
            break
    work.close()
    assert worker.leaving
    assert run(asked(folder=str(folder))).takes[0].result.frames == shots.FRAMES
    assert not worker.alive
    assert recam("runtime").worker(backend_python) is not worker
    assert shots.left_behind(folder) == ["clip.mkv"]


def test_closing_the_work_cancels_it_and_leaves_nothing(edit, asked, run, recam, folder, backend_python):
    before = {name: len(getattr(bpy.data, name)) for name in ("scenes", "objects", "cameras", "images", "materials")}
    work = recam("reshoot").reshoot(asked(folder=str(folder)), python=backend_python)
    for step in work:
        if step.idle:
            break
    work.close()
    assert shots.left_behind(folder) == ["clip.mkv"]
    assert before == {name: len(getattr(bpy.data, name)) for name in before}
    assert run(asked(folder=str(folder))).takes[0].result.frames == shots.FRAMES


def test_whatever_interrupts_the_work_cancels_it(edit, asked, recam, folder, backend_python):
    def interrupt(progress):
        if progress.phase == "re-shooting":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as told:
        recam("reshoot").reshoot_now(asked(folder=str(folder)), python=backend_python, report=interrupt)
    # Though the traceback, and with it all that was under way, is still held.
    assert told.traceback
    assert shots.left_behind(folder) == ["clip.mkv"]


def test_a_take_goes_to_its_scene_though_the_user_has_moved_on(edit, asked, recam, folder, backend_python):
    work = recam("reshoot").reshoot(asked(folder=str(folder)), python=backend_python)
    other = None
    while True:
        try:
            step = next(work)
        except StopIteration as end:
            take = end.value.takes[0]
            break
        if step.idle and other is None:
            other = bpy.data.scenes.new("Lunch")
            bpy.context.window.scene = other
        time.sleep(0.01)
    assert take.strip in strips(edit)
    assert not other.sequence_editor


def test_a_strip_that_was_deleted_meanwhile_still_gets_its_take(edit, asked, recam, folder, backend_python):
    reshoot, tasks = recam("reshoot"), recam("tasks")
    prepared = tasks.drain(reshoot.prepare(asked(folder=str(folder)), str(folder), python=backend_python))
    strips(edit).remove(strips(edit)["clip"])
    outcome = tasks.drain(reshoot.make(prepared, python=backend_python))
    assert outcome.takes[0].strip in strips(edit)
    assert any("'clip' is no longer in scene" in note for note in outcome.notes)


def test_a_view_transform_that_changes_the_take_is_told(edit, asked, run, folder):
    edit.view_settings.view_transform = "AgX"
    assert any("AgX" in warning for warning in run(asked(folder=str(folder))).warnings)


def test_nothing_is_left_in_blenders_temporary_folder(edit, asked, run, folder):
    before = set(os.listdir(bpy.app.tempdir))
    run(asked(folder=str(folder)))
    assert set(os.listdir(bpy.app.tempdir)) == before


def test_everything_is_gone_when_the_add_on_is_switched_off(addon, recam, edit, asked, run, folder):
    run(asked(folder=str(folder)))
    worker = recam("runtime").worker()
    name = addon.__name__
    bpy.ops.preferences.addon_disable(module=name)
    try:
        assert not hasattr(bpy.types.Scene, "recam")
        assert not worker.alive
    finally:
        bpy.ops.preferences.addon_enable(module=name)
