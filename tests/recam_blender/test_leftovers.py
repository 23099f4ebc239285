"""Nothing of ReCam's is left in Blender when it is switched off, whatever was done with it before."""

import threading

import bpy
import pytest
import shots
from timeline import in_window


@pytest.fixture
def package(addon):
    return addon.__name__


def _functions_of_menus():
    for name in dir(bpy.types):
        drawing = getattr(getattr(bpy.types, name), "draw", None)
        for each in getattr(drawing, "_draw_funcs", ()):
            yield f"draw of {name}", each


def _callbacks():
    """Whatever Blender would call: where, and what."""
    for name in dir(bpy.app.handlers):
        listed = getattr(bpy.app.handlers, name)
        if isinstance(listed, list):
            yield from ((f"handler {name}", each) for each in listed)
    yield from _functions_of_menus()
    yield from (("manual", each) for each in bpy.utils._manual_map)


def _of_recam(package):
    """All that Blender holds of the add-on, as words."""
    found = {where for where, each in _callbacks() if getattr(each, "__module__", "").startswith(package)}
    for known in bpy.context.window_manager.keyconfigs:
        for keymap in known.keymaps:
            found |= {f"key {keymap.name} {each.idname}" for each in keymap.keymap_items if "recam" in each.idname}
    found |= {f"type {each}" for each in dir(bpy.types) if "recam" in each.lower()}
    found |= {f"operator {each}" for each in dir(bpy.ops.recam)}
    found |= {f"thread {each.name}" for each in threading.enumerate() if "recam" in each.name}
    found |= {f"scene {each.name}" for each in bpy.data.scenes if "ReCam" in each.name}
    return found


def test_nothing_is_left_of_it_however_often_it_was_on(recam, package, backend_python, folder, clip, monkeypatch):
    monkeypatch.setenv("RECAM_PYTHON", backend_python)
    (folder / "clip.mkv").write_bytes(clip.read_bytes())
    on = _of_recam(package)
    assert {
        "handler depsgraph_update_post", "draw of STATUSBAR_HT_header", "draw of SEQUENCER_MT_strip",
        "type RECAM_PT_main", "operator render",
    } <= on  # fmt: skip
    for _ in range(2):
        edit = in_window(shots.new_edit(backend_python, folder))
        recam("watching").look_now(edit)
        bpy.ops.recam.forecast()
        assert recam("runtime").warm(recam("runtime").QUESTIONS)
        recam("jobs").add(recam("request").from_settings(edit))
        recam("jobs").advance()
        ticks = [
            recam(each)._tick for each in ("jobs", "tasks", "watching", "steadiness", "forecast_operators", "live")
        ]
        bpy.ops.preferences.addon_disable(module=package)
        assert _of_recam(package) == set()
        assert not any(map(bpy.app.timers.is_registered, ticks))
        assert not hasattr(bpy.types.Scene, "recam")
        bpy.ops.preferences.addon_enable(module=package)
        assert {each for each in _of_recam(package) if not each.startswith("thread")} == {
            each for each in on if not each.startswith("thread")
        }


def test_a_forecast_that_is_made_is_not_told_of_another_file(recam):
    tasks, closed = recam("tasks"), []

    def making():
        try:
            yield
        finally:
            closed.append(True)

    begun, key = making(), recam("forecast").KEY
    next(begun)
    tasks._running[key] = tasks.Task(key, "Forecast", begun, lambda _: None)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert closed == [True]
    assert (tasks.running(key), tasks.ended(key)) == (None, None)
