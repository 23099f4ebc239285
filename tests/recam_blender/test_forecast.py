"""How much of a take would have to be invented: told of the jobs that would be made, in words, and kept right."""

import dataclasses
import json
import math

import bpy
import numpy as np
import pytest
import shots
from timeline import new_effect, strips

DISTANCE = 3.0


@pytest.fixture
def edit(backend_python, folder, monkeypatch):
    monkeypatch.setenv("RECAM_PYTHON", backend_python)
    edit = shots.new_edit(backend_python, folder)
    edit.recam.subject_distance = DISTANCE
    return edit


@pytest.fixture
def forecast(recam):
    yield recam("forecast")
    recam("forecast").forget()


@pytest.fixture
def asked(recam, forecast, monkeypatch):
    """Questions to an assistant that answers at once: each frame's share is how far it is from the first, in tenths."""
    questions = []

    def ask(method, params, *, key="", python=""):
        job = recam.backend("contract").Job.from_json(json.loads(json.dumps(params["job"])))
        questions.append((method, job))
        yield recam("planning").Step(recam.backend("contract").Progress(phase="waiting", step=0, total=0), idle=True)
        first = np.array(job.target.poses[0])
        shares = [float(min(1, np.abs(np.array(each) - first).max())) for each in job.target.poses]
        return {"shares": shares, "outside": shares, "cause": "turns"}

    monkeypatch.setattr(recam("assistant"), "ask", ask)
    return questions


@pytest.fixture
def make(recam, forecast, edit):
    return lambda **changes: recam("tasks").drain(
        forecast.make(dataclasses.replace(recam("request").from_settings(edit), **changes))
    )


# By the real assistant


def test_a_pan_uncovers_the_strip_that_it_turns_past(recam, edit, make):
    """Over a plane a pan by a small angle a leaves out f·tan(a) of the picture's width, and hardly more."""
    camera = shots.add_camera(edit, "Pans")
    turn = 0.2
    camera.animation_data_clear()
    for share, frame in ((0.0, shots.START), (1.0, shots.START + shots.FRAMES - 1)):
        camera.rotation_euler = (math.pi / 2, 0.0, -share * turn)
        camera.keyframe_insert("rotation_euler", frame=frame)
    told = make()
    assert (told.scene, told.strip, told.start, len(told.shares)) == ("Edit", "clip", shots.START, shots.FRAMES)
    assert told.cause == "turns"
    # The ray through the footage's right edge, turned: what lies right of it in the take is not filmed.
    half = 18 / camera.data.lens
    edge = math.tan(math.atan(half) - turn)
    assert told.worst == pytest.approx((half - edge) / (2 * half), abs=0.03)
    assert told.frame == shots.START + shots.FRAMES - 1
    percent = f"{100 * told.worst:.0f} %"
    assert told.text == f"Up to {percent} invented around frame 21: the camera turns past what was filmed."
    assert told.shares[0] == 0
    assert list(told.shares) == sorted(told.shares)


def test_the_depth_of_a_scene_counts_where_it_is_known(recam, edit, make):
    """Half a metre aside of a box before a far wall: what the box hid comes into view, by far more than what is beside.

    The box hid 2.4 m of the 7.9 m of wall that are seen, over 62 % of the height: 19 %. Beside lie 0.5 m: 6 %.
    """
    bpy.ops.mesh.primitive_cube_add(size=0.3, location=(0, -1.5, 0))
    edit.collection.objects.link(bpy.context.object)
    bpy.ops.mesh.primitive_plane_add(size=100, location=(0, 8, 0), rotation=(math.pi / 2, 0, 0))
    edit.collection.objects.link(bpy.context.object)
    edit.recam.source_camera = shots.add_camera(edit, "Source")
    camera = shots.add_camera(edit, "Moves", move=0.5)
    edit.camera = camera
    told = make()
    assert told.cause == "uncovers"
    assert told.worst == pytest.approx(0.25, abs=0.06)
    assert told.shares[0] < 0.01


# What is asked


def test_a_strip_that_needs_an_intermediate_is_not_rendered_for_it(recam, edit, make, asked, monkeypatch):
    strips(edit)["clip"].use_flip_x = True
    monkeypatch.setattr(recam("footage"), "render_frames", None)
    assert make().shares[-1] > 0
    ((method, job),) = asked
    assert method == "forecast"
    assert (job.footage.width, job.footage.height) == (128, 64)
    assert len(job) == shots.FRAMES
    assert not job.settings.depth.has_files


def test_the_job_is_the_takes_own(recam, edit, make, asked, folder):
    settings = edit.recam
    settings.use_lens, settings.lens = True, 35.0
    settings.size, settings.width, settings.height = "custom", 96, 96
    make()
    with recam("runtime").scratch_folder() as place:
        (shot,) = recam("tasks").drain(recam("planning").plan(recam("request").from_settings(edit), place))
    ((_, job),) = asked
    for name in ("target", "source", "lens", "subject_distance"):
        assert getattr(job, name) == getattr(shot.job, name), name
    assert (job.output.width, job.output.height) == (96, 96)


def test_every_cut_is_asked_for_and_nothing_is_smeared_from_one_to_the_next(recam, edit, make, asked):
    one, two = shots.add_camera(edit, "One"), shots.add_camera(edit, "Two", turn=0.5)
    edit.timeline_markers.new("one", frame=1).camera = one
    edit.timeline_markers.new("two", frame=shots.START + 4).camera = two
    told = make()
    assert [job.origin.camera for _, job in asked] == ["One", "Two"]
    assert told.shares[:5] == (0, 0, 0, 0, 0), "each cut begins where its source camera stands"
    assert told.shares[-1] > 0.2


def test_a_long_strip_is_looked_at_here_and_there(recam, edit, make, asked):
    strip = strips(edit)["clip"]
    recam("compat").set_span(strip, shots.START, shots.START + 1000)  # holds its last frame
    told = make()
    ((_, job),) = asked
    assert len(job) == 250
    assert len(told.shares) == 1000
    assert told.shares[0] == 0
    assert told.shares[-1] == max(told.shares)


def test_of_a_scene_24_small_frames_are_rendered(recam, edit, make, asked):
    bpy.ops.mesh.primitive_plane_add(size=100, location=(0, 8, 0), rotation=(math.pi / 2, 0, 0))
    edit.collection.objects.link(bpy.context.object)
    edit.recam.source_camera = shots.add_camera(edit, "Source")
    recam("compat").set_span(strips(edit)["clip"], shots.START, shots.START + 60)
    make()
    ((_, job),) = asked
    assert len(job) == len(job.settings.depth.files) == 24
    assert (job.footage.width, job.footage.height) == (64, 64)
    assert (job.source.width, job.source.height) == (64, 64)


def test_handles_move_the_source_camera_but_are_not_told_of(recam, edit, make, asked):
    edit.recam.range, edit.recam.handles = "preview", 2
    edit.use_preview_range = True
    edit.frame_preview_start, edit.frame_preview_end = shots.START + 4, shots.START + 8
    told = make()
    ((_, job),) = asked
    assert job.origin.frame_start == shots.START + 2
    assert (told.start, len(told.shares)) == (shots.START + 4, 5)
    assert told.shares[0] > 0, "the camera has moved since the handle's first frame"


def test_why_there_is_none_is_told_in_words(recam, edit, make, asked, folder):
    error = recam("errors").ReCamError
    edit.camera.data.type = "ORTHO"
    with pytest.raises(error, match="orthographic"):
        make()
    edit.camera.data.type = "PERSP"
    empty = folder / "depth"
    empty.mkdir()
    with pytest.raises(error, match="0 files"):
        make(depth="file", depth_path=str(empty))
    (folder / "clip.mkv").unlink()
    with pytest.raises(error, match="missing"):
        make()


@pytest.mark.parametrize(
    ("share", "cause", "text"),
    [
        (0.0, "none", "Nothing would be invented."),
        (0.004, "turns", "Nothing would be invented."),
        (0.008, "backs", "Up to 1 % invented around frame 11: the camera goes back from what was filmed."),
        (0.314, "uncovers", "Up to 31 % invented around frame 11: what was hidden comes into view."),
        (1.0, "none", "Up to 100 % invented around frame 11."),
    ],
)
def test_the_words(forecast, share, cause, text):
    assert forecast.Told("Edit", "clip", 10, (0.0, share, share, 0.0), cause).text == text


def test_there_are_words_for_every_cause(recam, forecast):
    assert set(forecast.CAUSES) == set(recam.backend("foresight").CAUSES) - {"none"}


# Kept, and out of date


def test_it_is_known_until_the_camera_changes_and_right_again_when_that_is_undone(recam, edit, make, asked, forecast):
    heard = []
    forecast.after.append(lambda told: heard.append(told.stale))
    try:
        forecast.keep(make())
        assert forecast.told(edit).stamp
        look = recam("watching").look_now
        assert not forecast.check(look(edit)).stale
        edit.recam.seed = 7
        edit.recam.format = "png"
        assert not forecast.check(look(edit)).stale, "the seed changes no geometry"
        edit.camera.data.lens = 40
        assert forecast.check(look(edit)).stale
        edit.camera.data.lens = 50
        assert not forecast.check(look(edit)).stale
        edit.unit_settings.scale_length = 2
        assert forecast.check(look(edit)).stale, "the camera moves twice as far"
        edit.unit_settings.scale_length = 1
        assert not forecast.check(look(edit)).stale
        edit.recam.subject_distance = 7
        assert forecast.check(look(edit)).stale
    finally:
        forecast.after.pop()
    assert heard == [False, True, False, True, False, True]


def test_it_is_of_its_strip_and_of_its_file(recam, edit, make, asked, forecast):
    forecast.keep(make())
    other = new_effect(edit, "COLOR", 5, 100, 120)
    edit.sequence_editor.active_strip = other
    assert forecast.told(edit) is None
    edit.recam.pinned = "clip"
    assert forecast.told(edit) is not None
    bpy.ops.wm.read_homefile(use_empty=True)
    assert forecast._told == {}


def test_the_button_makes_it_and_the_overlay_shows_it(recam, edit, asked, forecast):
    with bpy.context.temp_override(scene=edit, **_sequencer_scene(edit)):
        assert bpy.ops.recam.forecast() == {"FINISHED"}
    shown = recam("overlay").forecast("Edit", "clip")
    assert shown.shares == forecast.told(edit).shares
    assert (shown.start, shown.stale) == (shots.START, False)
    edit.camera.data.lens = 40
    forecast.check(recam("watching").look_now(edit))
    assert recam("overlay").forecast("Edit", "clip").stale


def _sequencer_scene(edit):
    return {"sequencer_scene": edit} if hasattr(bpy.context.workspace, "sequencer_scene") else {}


def test_it_is_made_anew_only_where_it_was_asked_for_and_is_cheap(recam, edit, make, asked, forecast, monkeypatch):
    follows, look = recam("forecast_operators").follows, recam("watching").look_now
    warm = []
    monkeypatch.setattr(recam("runtime"), "warm", lambda name: bool(warm))
    assert not follows(look(edit), None), "no process is started unasked"
    warm.append(True)
    assert follows(look(edit), None)
    forecast.keep(make())
    assert not follows(look(edit), forecast.check(look(edit))), "it is right"
    edit.camera.data.lens = 40
    assert follows(look(edit), forecast.check(look(edit)))
    edit.recam.keep_forecast = False
    assert not follows(look(edit), forecast.check(look(edit)))
    edit.recam.keep_forecast = True
    edit.recam.depth = "scene"
    assert not follows(look(edit), forecast.check(look(edit))), "depth must be rendered"


# Before a slow engine


@pytest.fixture
def slow(recam, edit, forecast):
    return dataclasses.replace(recam("request").from_settings(edit), engine="recammaster")


def test_before_a_slow_engine_runs_it_is_made_and_much_is_a_warning(recam, edit, slow, asked, forecast, monkeypatch):
    def foretell(request):
        work = recam("reshoot")._foretold(request, "")
        steps = []
        while True:
            try:
                steps.append(next(work).progress.phase)
            except StopIteration as end:
                return steps, end.value

    steps, (warnings, notes) = foretell(slow)
    assert set(steps) == {"Forecasting"}
    assert (warnings, notes) == ([], [])
    assert forecast.told(edit).worst < 0.5
    shots.add_camera(edit, "Far", turn=1.5)
    _, (warnings, notes) = foretell(slow)
    assert warnings == ["Up to 100 % invented around frame 21: the camera turns past what was filmed."]
    assert foretell(recam("request").from_settings(edit)) == ([], ([], [])), "the quick engine needs none"

    def refuse(*_arguments, **_keywords):
        raise recam("errors").ReCamError("It is broken.")
        yield

    monkeypatch.setattr(recam("assistant"), "ask", refuse)
    assert foretell(slow)[1] == ([], ["How much must be invented could not be told. It is broken."])
