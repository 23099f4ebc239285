"""What is shown of the queue: rows that can be moved, what was frozen, the picture so far, the status bar, the end."""

import os
import struct
import time
import types
import zlib

import bpy
import pytest
import setups
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


@pytest.fixture
def panel(recam):
    def draw():
        layout = setups.Layout()
        shown = types.SimpleNamespace(layout=layout)
        assert recam("queue_panel").RECAM_PT_queue.poll(context())
        recam("queue_panel").RECAM_PT_queue.draw(shown, context())
        return layout

    return draw


@pytest.fixture
def status_bar(recam):
    def draw():
        layout = setups.Layout()
        recam("statusbar").draw(types.SimpleNamespace(layout=layout), context())
        return layout

    return draw


def context():
    return types.SimpleNamespace(
        preferences=bpy.context.preferences, region=types.SimpleNamespace(width=2000), window_manager=None
    )


def work(jobs, until, seconds=60):
    """Background Blender has no timers: take the queue's ticks here."""
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, [(each.title, each.stage, each.progress) for each in jobs.entries()]
        jobs.advance()
        time.sleep(0.005)


def begun(jobs, *entries):
    """All are prepared, and the first is being made."""
    work(jobs, lambda: all(each.stage != "preparing" for each in entries) and entries[0].stage == "running")


def of(drawn, operator):
    return [vars(options) for name, _, options in drawn.drawn["operators"] if name == operator]


def write_png(path, grey):
    """8 x 8 pixels of one grey."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes([grey]) * 8 for _ in range(8))
    head = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


# The panel


def test_each_waiting_row_moves_and_cancels_its_own_job_and_what_runs_stays_first(edit, jobs, ask, panel):
    entries = [jobs.add(ask(seed=seed)) for seed in range(3)]
    begun(jobs, *entries)
    drawn = panel()
    first, second, third = (each.number for each in entries)
    assert [each["number"] for each in of(drawn, "recam.cancel")] == [first, second, third]
    moves = [(each["number"], each["by"]) for each in of(drawn, "recam.move_job")]
    assert moves == [(second, -1), (second, 1), (third, -1), (third, 1)]
    bpy.ops.recam.move_job(number=third, by=-1)
    bpy.ops.recam.move_job(number=third, by=-1)
    assert [each["number"] for each in of(panel(), "recam.cancel")] == [first, third, second]
    bpy.ops.recam.cancel(number=second)
    assert [each.number for each in jobs.entries()] == [first, third]
    assert "recam.cancel_all" in panel().buttons
    bpy.ops.recam.cancel_all()
    assert jobs.entries() == []
    assert "Cancelled: clip" in panel().text


def test_a_row_says_what_was_asked_for_whatever_is_edited_since(recam, edit, jobs, ask):
    edit.recam.seed = 7
    edit.recam.camera = edit.camera
    edit.sequence_editor.active_strip = strips(edit)["clip"]
    entry = jobs.add(recam("request").from_settings(edit))
    edit.recam.seed = 8
    edit.camera.name, strips(edit)["clip"].name = "Another", "another strip"
    row = recam("queue_panel").RECAM_OT_show_job
    told = row.description(None, types.SimpleNamespace(number=entry.number))
    for part in ("clip, seen by Target", "Scene: Edit", "Engine: Reproject", "Seed: 7"):
        assert part in told
    assert row.description(None, types.SimpleNamespace(number=10**6)) == ""


def test_what_ended_is_told_until_it_is_cleared(recam, edit, jobs, ask, panel):
    told = []
    jobs.ended.append(told.append)
    try:
        jobs.add(ask(camera="Nobody"))
        jobs.add(ask())
        work(jobs, lambda: not jobs.entries())
    finally:
        jobs.ended.remove(told.append)
    assert [each.icon for each in told] == ["ERROR", "CHECKMARK"]
    drawn = panel()
    assert "'Nobody'" in drawn.text
    assert "Made clip_Target_v001" in drawn.text
    assert drawn.buttons.count("recam.open_take_log") == 1
    bpy.ops.recam.clear_messages()
    assert jobs.messages() == []
    assert recam("runtime").message is None
    assert "Nobody" not in panel().text  # still shown: a worker waits, whose memory can be freed


def test_the_picture_follows_its_file_and_goes_with_its_job(recam, edit, jobs, ask, folder, monkeypatch):
    queue_panel = recam("queue_panel")
    monkeypatch.setattr(queue_panel, "_PICTURE_SECONDS", 0.0)
    entry = jobs.add(ask())
    path = folder / "preview.png"
    loaded = []
    load = queue_panel._pictures.load
    monkeypatch.setattr(
        queue_panel._pictures, "load", lambda *a, **o: loaded.append(a[1]) or load(*a, **o), raising=False
    )
    assert queue_panel.picture(entry) == 0  # nothing is told of yet
    progress = type(entry.progress)
    entry.progress = progress(phase="Warping", step=1, total=10, preview=str(path))
    assert queue_panel.picture(entry) == 0  # told of, and gone already
    write_png(path, 10)
    queue_panel.picture(entry)  # background Blender has no icons: 0
    queue_panel.picture(entry)
    assert loaded == [str(path)]
    write_png(path, 200)
    os.utime(path, ns=(1, 1))
    queue_panel.picture(entry)
    assert loaded == [str(path)] * 2
    path.unlink()
    queue_panel.picture(entry)
    assert list(queue_panel._pictures) == ["take"]  # the last one stays until the take is there
    jobs.cancel(entry.number)
    assert len(queue_panel._pictures) == 0


def test_the_picture_is_looked_for_twice_a_second_at_most(recam, edit, jobs, ask, folder, monkeypatch):
    queue_panel = recam("queue_panel")
    entry = jobs.add(ask())
    path = folder / "preview.png"
    write_png(path, 10)
    entry.progress = type(entry.progress)(phase="Warping", step=1, total=10, preview=str(path))
    queue_panel.picture(entry)
    looks = []
    stat = os.stat
    monkeypatch.setattr(queue_panel.os, "stat", lambda each: looks.append(each) or stat(each))
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        queue_panel.picture(entry)
    assert looks == []


# The status bar


def test_the_status_bar_tells_of_what_runs_and_of_a_failure_until_it_is_looked_at(recam, edit, jobs, ask, status_bar):
    assert status_bar().drawn["operators"] == []
    running = jobs.add(ask())
    jobs.add(ask(camera="Nobody"))
    running.progress = type(running.progress)(phase="warping", step=3, total=12, seconds_left=62.0)
    drawn = status_bar()
    assert drawn.text == "0.25 Warping 3/12, 1 min 2 s left, 1 waiting"
    assert drawn.buttons == ["recam.cancel"]
    work(jobs, lambda: not jobs.entries())
    assert status_bar().buttons == ["recam.show_failure"]
    recam("statusbar")._look_away()
    assert status_bar().buttons == []


# Memory


def test_memory_is_freed_by_ending_the_worker_that_waits(recam, edit, jobs, ask):
    runtime = recam("runtime")
    runtime.stop_worker()
    assert not bpy.ops.recam.free_memory.poll()
    jobs.add(ask())
    work(jobs, lambda: jobs.running().stage == "running")
    assert not bpy.ops.recam.free_memory.poll()
    work(jobs, lambda: not jobs.entries())
    process = runtime.worker()._process
    before = time.monotonic()
    assert bpy.ops.recam.free_memory() == {"FINISHED"}
    assert time.monotonic() - before < 0.5  # it is asked to end, and not waited for
    assert process.wait(20) == 0
    assert not bpy.ops.recam.free_memory.poll()


# Manners


def test_nothing_stays_when_the_add_on_is_switched_off_while_it_works(recam, edit, jobs, ask):
    queue_panel, statusbar, operators, registration = map(
        recam, ("queue_panel", "statusbar", "operators", "registration")
    )
    before = jobs.add(ask()), jobs.add(ask())
    begun(jobs, *before)
    process = recam("runtime").worker()._process
    header = bpy.types.STATUSBAR_HT_header
    assert statusbar.draw in header.draw._draw_funcs
    registration.unregister()
    try:
        assert statusbar.draw not in getattr(header.draw, "_draw_funcs", [])
        assert queue_panel._pictures is None
        assert jobs.entries() == jobs.ended == jobs.shown == operators._keys == operators._timers == []
        assert not bpy.app.timers.is_registered(jobs._tick)
        assert process.wait(20) is not None
        assert [each for each in os.listdir(bpy.app.tempdir) if each.startswith("recam-")] == []
        assert not hasattr(bpy.types, "RECAM_PT_queue")
    finally:
        registration.register()


def test_the_queue_is_in_no_saved_file(edit, jobs, ask, folder, recam, open_file):
    entries = jobs.add(ask()), jobs.add(ask())
    begun(jobs, *entries)
    path = folder / "saved while working.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=False)
    for word in (b"recam-", b"preparing", b"_prepared"):
        assert word not in path.read_bytes()
    work(jobs, lambda: not jobs.entries())
    open_file(path)
    assert recam("jobs").entries() == recam("jobs").messages() == []
    assert not recam("runtime").busy
