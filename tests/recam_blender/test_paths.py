"""The ways that takes will go, worked out while Blender stays usable, and once."""

import time

import pytest
import shots
from timeline import in_window


@pytest.fixture
def edit(backend_python, folder, clip, recam, monkeypatch):
    """The small edit, with a source camera that moves."""
    monkeypatch.setenv("RECAM_PYTHON", backend_python)
    (folder / "clip.mkv").write_bytes(clip.read_bytes())
    scene = in_window(shots.new_edit(backend_python, folder))
    target = scene.camera
    scene.recam.source_camera = shots.add_camera(scene, "Source", move=0.3, turn=0.1)
    scene.camera = target
    yield scene
    recam("runtime").forget()


@pytest.fixture
def seen(recam, edit):
    return lambda: recam("watching").look_now(edit)


def test_blender_is_not_held_while_a_path_is_smoothed(recam, edit):
    """Smoothing takes longer than a redraw may wait."""
    paths = recam("paths")
    work = paths.aside(lambda: time.sleep(1.0) or "done", 1)
    longest, came = 0.0, ""
    while not came:
        begun = time.perf_counter()
        try:
            next(work)
        except StopIteration as end:
            came = end.value
        longest = max(longest, time.perf_counter() - begun)
    assert came == "done"
    assert longest < 0.5  # a busy machine may hold one of these waits for a while, but not for the whole work
    with pytest.raises(ZeroDivisionError):
        recam("tasks").drain(paths.aside(lambda: 1 / 0, 1))


def test_a_path_that_is_known_is_not_made_again(recam, edit, seen, monkeypatch):
    edit.recam.use = "stabilise"
    first = seen().target.matrices
    monkeypatch.setattr(recam("paths"), "target_of", None)
    assert (seen().target.matrices == first).all()
