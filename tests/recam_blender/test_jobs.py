"""The queue: frozen when asked, in its order, movable, and never stuck."""

import os
import signal
import time

import bpy
import pytest
import shots
from timeline import strips


@pytest.fixture
def edit(backend_python, folder, monkeypatch):
    monkeypatch.setenv("RECAM_PYTHON", backend_python)
    return shots.new_edit(backend_python, folder)


@pytest.fixture
def jobs(recam):
    yield recam("jobs")
    recam("jobs").clear()


@pytest.fixture
def ask(recam, folder):
    def ask(**changes):
        fields = {"scene": "Edit", "strip": "clip", "camera": "Target", "folder": str(folder)} | changes
        return recam("request").Request(**fields)

    return ask


def work(jobs, until, seconds=60):
    """Background Blender has no timers: take the queue's ticks here."""
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, [(each.title, each.stage, each.progress) for each in jobs.entries()]
        jobs.advance()
        time.sleep(0.005)


def drained(jobs):
    return lambda: not jobs.entries()


def test_three_in_their_order_while_the_queue_is_reordered(edit, jobs, ask, folder):
    first, second, third = (jobs.add(ask()) for _ in range(3))
    done = []
    jobs.after.append(lambda entry, outcome: done.append((entry.number, outcome.takes[0].path)))
    try:
        work(jobs, lambda: all(each.stage != "preparing" for each in jobs.entries()))
        jobs.move(third.number, -1)
        jobs.move(first.number, 2)  # what runs stays first
        assert [each.number for each in jobs.entries()][-2:] == [third.number, second.number]
        work(jobs, drained(jobs))
    finally:
        jobs.after.pop()
    assert [number for number, _ in done] == [first.number, third.number, second.number]
    assert [os.path.basename(path) for _, path in done] == [f"clip_Target_v00{each}.mp4" for each in (1, 2, 3)]
    assert shots.left_behind(folder) == ["clip.mkv"]


def test_the_scenes_camera_has_its_name_once_it_is_looked_up(edit, jobs, ask):
    one = jobs.add(ask(camera=""))
    assert (one.camera, one.title) == ("", "clip, seen by the scene's camera")
    work(jobs, lambda: one.stage != "preparing")
    assert (one.camera, one.title) == ("Target", "clip, seen by Target")
    jobs.cancel(one.number)
    edit.timeline_markers.new("cut", frame=shots.START + 6).camera = shots.add_camera(edit, "Other", turn=0.1)
    edit.timeline_markers.new("first", frame=shots.START).camera = edit.objects["Target"]
    several = jobs.add(ask(camera=""))
    work(jobs, lambda: several.stage != "preparing")
    assert several.camera == "2 cameras"


def test_a_job_is_what_was_asked_for_whatever_is_edited_while_it_waits(recam, edit, jobs, ask, folder, backend_python):
    before = recam("sampling").sample_trajectory(edit, edit.camera, [shots.START + 5.0], width=128, height=64).poses[0]
    jobs.add(ask())
    waits = jobs.add(ask())
    work(jobs, lambda: waits.stage != "preparing")
    edit.camera.animation_data_clear()
    edit.camera.location = (5, 5, 5)
    edit.camera.name = "Another name"
    strips(edit)["clip"].name = "another strip"
    edit.recam.seed = 7
    work(jobs, drained(jobs))
    made = [shots.record_of(path)["job"]["target"]["poses"][5] for path in sorted(folder.glob("clip_Target_v*.mp4"))]
    assert len(made) == 2
    for pose in made:
        assert pose == [pytest.approx(row, abs=1e-6) for row in before]


def test_cancelling_what_runs_lets_the_next_begin(edit, jobs, ask, folder):
    first, second = jobs.add(ask()), jobs.add(ask())
    work(jobs, lambda: first.stage == "running")  # early: it is a short one
    jobs.cancel(first.number)
    assert jobs.find(first.number) is None
    work(jobs, drained(jobs))
    assert [each.text.partition(" ")[0] for each in jobs.messages()] == ["Cancelled:", "Made"]
    assert second.request.strip in jobs.messages()[-1].text
    assert len(list(folder.glob("*.mp4"))) == 1
    assert shots.left_behind(folder) == ["clip.mkv"]


def test_a_worker_that_is_killed_ends_one_job_and_not_the_queue(recam, edit, jobs, ask, folder):
    first = jobs.add(ask())
    jobs.add(ask())
    work(jobs, lambda: first.stage == "running")  # early: it is a short one
    os.kill(recam("runtime").worker().pid, signal.SIGKILL)
    work(jobs, drained(jobs))
    died, made = jobs.messages()
    assert died.icon == "ERROR"
    assert "SIGKILL" in died.text
    assert "Its log" in died.text
    assert made.text.startswith("Made clip_Target_v00")
    assert shots.left_behind(folder) == ["clip.mkv"]


def test_who_needs_another_worker_takes_away_no_end(recam, edit, jobs, ask, folder):
    """The next job is prepared while this one runs: it may see first that there is no worker any more."""
    runtime = recam("runtime")
    first = jobs.add(ask())
    work(jobs, lambda: first.stage == "running" and first.progress.total > 1)
    gone = runtime.worker()
    os.kill(gone.pid, signal.SIGKILL)
    while gone.alive:
        time.sleep(0.001)
    assert runtime.worker() is not gone
    work(jobs, drained(jobs), seconds=20)
    assert "SIGKILL" in jobs.messages()[-1].text


def test_a_worker_that_is_closed_ends_what_waits_for_it(recam, edit, jobs, ask, folder):
    """As set-up does, which changes the environment that the worker runs in."""
    runtime, assistant, errors = recam("runtime"), recam("assistant"), recam("errors")
    first = jobs.add(ask())
    work(jobs, lambda: first.stage == "running" and first.progress.total > 1)
    question = assistant.ask("trash", {"paths": [str(folder / "nothing")]})
    while next(question).progress.phase != "starting" or not runtime._workers[runtime.QUESTIONS][1].busy:
        time.sleep(0.005)
    runtime.stop_worker()
    with pytest.raises(errors.ReCamError, match="has been closed"):
        recam("tasks").drain(question)
    assert not assistant.asking()
    work(jobs, drained(jobs), seconds=20)
    assert "has been closed" in jobs.messages()[-1].text
    jobs.add(ask())
    jobs.advance()
    runtime.stop_worker()
    work(jobs, drained(jobs), seconds=20)  # whether it had said hello by then or not


def _enough(end):
    assert time.monotonic() < end


def test_a_backend_that_ends_at_once_is_told_of_and_not_started_again_and_again(recam, tmp_path, monkeypatch):
    python, started = tmp_path / "python", tmp_path / "started"
    python.write_text(f"#!/bin/sh\necho >> '{started}'\necho broken >&2\nexit 3\n")
    python.chmod(0o755)
    question = recam("assistant").ask("trash", {"paths": []}, python=str(python))
    end = time.monotonic() + 20
    with pytest.raises(recam("errors").ReCamError, match="broken"):
        recam("tasks").drain(question, lambda _progress: _enough(end))
    assert started.read_text() == "\n"


def test_all_go_when_another_file_is_opened_even_if_one_cannot_be_cleared_away(recam, edit, jobs, ask, capsys):
    def defect(*_given, **_options):
        try:
            while True:
                yield recam("planning").Step(recam.backend("contract").Progress(phase="x", step=0, total=0), idle=True)
        finally:
            raise RuntimeError("cannot be cleared away")

    first, last = jobs.add(ask()), jobs.add(ask())
    last._work = defect()
    next(last._work)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert "cannot be cleared away" in capsys.readouterr().err
    assert jobs.entries() == []
    assert first._work is None
    assert not recam("runtime").busy


def test_another_interpreter_waits_until_the_worker_has_done(
    recam, edit, jobs, ask, folder, backend_python, monkeypatch
):
    runtime = recam("runtime")
    first = jobs.add(ask())
    work(jobs, lambda: first.stage == "running" and first.progress.total > 1)
    worker = runtime.worker()
    place, name = os.path.split(backend_python)
    monkeypatch.setenv("RECAM_PYTHON", os.path.join(place, ".", name))
    jobs.add(ask())
    work(jobs, drained(jobs))
    assert [each.icon for each in jobs.messages()] == ["CHECKMARK", "CHECKMARK"]
    assert runtime.worker() is not worker


def test_what_cannot_be_made_is_told_and_the_rest_goes_on(edit, jobs, ask, folder):
    jobs.add(ask(camera="Nobody"))
    jobs.add(ask())
    work(jobs, drained(jobs))
    refused, made = jobs.messages()
    assert "'Nobody'" in refused.text
    assert made.icon == "CHECKMARK"


def test_nothing_of_the_queue_is_left_when_another_file_is_opened(recam, edit, jobs, ask, folder):
    first = jobs.add(ask())
    jobs.add(ask())
    work(jobs, lambda: first.stage == "running")
    assert recam("runtime").busy
    bpy.ops.wm.read_homefile(use_empty=True)
    assert jobs.entries() == []
    assert jobs.messages() == []
    assert not recam("runtime").busy
    assert not bpy.app.timers.is_registered(jobs._tick)
    assert [each for each in os.listdir(bpy.app.tempdir) if each.startswith("recam-")] == []


def test_the_preview_range_with_handles_is_made_and_the_handles_are_hidden(recam, edit, jobs, folder, backend_python):
    settings = edit.recam
    settings.range, settings.handles = "preview", 3
    with pytest.raises(recam("errors").ReCamError, match="has no preview range"):
        recam("request").from_settings(edit)
    edit.use_preview_range = True
    edit.frame_preview_start, edit.frame_preview_end = shots.START + 2, shots.START + 6
    asked = recam("request").from_settings(edit)
    outcome = recam("reshoot").reshoot_now(asked, python=backend_python)
    (take,) = outcome.takes
    strip = strips(edit)[take.strip]
    # Two frames before the range there is nothing of the footage any more: it begins there.
    assert recam("compat").span(strip) == (shots.START + 2, shots.START + 7)
    assert take.job.origin.frame_start == shots.START
    assert take.job.footage.frames == tuple(range(10))
    whole = recam("sampling").sample_trajectory(
        edit, edit.camera, [float(shots.START + each) for each in range(10)], width=128, height=64
    )
    assert take.job.target.poses == whole.poses
    edit.frame_preview_start, edit.frame_preview_end = 500, 600
    with pytest.raises(recam("errors").ReCamError, match="lies in the preview range"):
        recam("request").from_settings(edit)


def test_handles_show_what_a_trim_cut_off(recam, edit, jobs, folder, backend_python):
    strip = strips(edit)["clip"]
    recam("compat").set_span(strip, shots.START + 4, shots.START + 8)
    edit.recam.handles = 2
    (take,) = recam("reshoot").reshoot_now(recam("request").from_settings(edit), python=backend_python).takes
    assert take.job.footage.frames == tuple(range(2, 10))
    assert recam("compat").span(strips(edit)[take.strip]) == (shots.START + 4, shots.START + 8)
    assert recam("compat").content_start(strips(edit)[take.strip]) == shots.START + 2


def test_size_and_a_long_prompt_come_from_the_settings(recam, edit):
    settings = edit.recam
    settings.size, settings.width, settings.height = "custom", 320, 180
    assert (recam("request").from_settings(edit).width, recam("request").from_settings(edit).height) == (320, 180)
    settings.size, edit.render.resolution_percentage = "scene", 50
    asked = recam("request").from_settings(edit)
    assert (asked.width, asked.height) == (edit.render.resolution_x // 2, edit.render.resolution_y // 2)
    settings.engine, settings.prompt = "recammaster", "one line"
    assert recam("request").from_settings(edit).prompt == "one line"
    settings.prompt_text = bpy.data.texts.new("Prompt")
    settings.prompt_text.write("a man\n  walks\n\nhome")
    assert recam("request").from_settings(edit).prompt == "a man walks home"


def test_a_pinned_strip_is_the_footage_whatever_is_active(recam, edit, folder):
    strips(edit).new_movie("other", str(folder / "clip.mkv"), 5, shots.START)
    edit.recam.pinned = "clip"
    edit.sequence_editor.active_strip = strips(edit)["other"]
    assert recam("request").from_settings(edit).strip == "clip"
    edit.recam.pinned = "gone"
    with pytest.raises(recam("errors").ReCamError, match="pinned strip 'gone' is not in the sequencer"):
        recam("request").from_settings(edit)
