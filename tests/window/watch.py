"""Runs inside a real Blender and only watches: tells what there is, twice a second, as lines of JSON in a file.

    blender … --python watch.py -- STATE SCREEN_HEIGHT

It presses nothing, sets nothing and installs nothing: first_use.py does, with mouse and keyboard.
"""

import importlib
import json
import sys

import bpy

_PARTS = ("runtime", "setup", "tasks", "forecast", "jobs", "live", "backgrounds", "ties")
ADDON = "bl_ext.user_default.recam_blender"
STATE, SCREEN_HEIGHT = sys.argv[sys.argv.index("--") + 1 :]


def rectangle(window, x, y, width, height):
    """Something in a window, from the top left corner of the screen, as xdotool counts; Blender counts from below."""
    return [window.x + x, int(SCREEN_HEIGHT) - window.y - y - height, width, height]


def place(window, what):
    return rectangle(window, what.x, what.y, what.width, what.height)


def area_told(window, area):
    space = area.spaces.active
    told = {"type": area.type, "at": place(window, area)}
    told["regions"] = {each.type: place(window, each) for each in area.regions if each.height > 1}
    if area.type == "SEQUENCE_EDITOR":
        told["view"] = space.view_type
        told["tab"] = next(each.active_panel_category for each in area.regions if each.type == "UI")
    if area.type == "FILE_BROWSER" and space.params:
        told["folder"] = str(space.params.directory, "utf-8")
        told["file"] = space.params.filename
    return told


def addon_told():
    """What ReCam shows; nothing until it is installed and on."""
    if f"{ADDON}.recam_blender" not in sys.modules or ADDON not in bpy.context.preferences.addons:
        return {}
    parts = {name: importlib.import_module(f"{ADDON}.recam_blender.{name}") for name in _PARTS}
    runtime, setup, tasks = parts["runtime"], parts["setup"], parts["tasks"]
    task, ended = tasks.running(setup.KEY), tasks.ended(setup.KEY)
    return {
        "environment": setup.state().kind,
        "task": task.words if task else "",
        "share": task.share if task else 0,
        "ended": ended.kind if ended else "",
        "text": ended.text if ended else "",
        "running": runtime.busy,
        "message": runtime.message.text if runtime.message else "",
        **(edit_told(parts, edit()) if edit() else {}),
    }


def edit():
    return next((scene for scene in bpy.data.scenes if scene.sequence_editor), None)


def edit_told(parts, scene):
    """What ReCam makes of the edit."""
    known = parts["forecast"].told(scene)
    footage = [each for each in scene.sequence_editor.strips if not parts["ties"].is_take(each)]
    return {
        "camera": scene.recam.camera.name if scene.recam.camera else "",
        "source": source_told(scene.recam.source_camera),
        "use": scene.recam.use,
        "part": [round(getattr(scene.recam, f"use_region_{side}"), 3) for side in ("x", "y", "width", "height")],
        "forecast": known.text if known and not known.stale else "",
        "forecasts": count_forecasts(known),
        "jobs": [each.stage for each in parts["jobs"].entries()],
        "takes": [take.name for each in footage for take in parts["ties"].list_takes(scene, each)],
        "live": parts["live"].enabled(scene),
        "seen_through": bool(parts["backgrounds"].seen_through()),
    }


def source_told(camera):
    """The camera that shot the footage, and at how many frames it is keyed."""
    if camera is None:
        return []
    bag = camera.animation_data and camera.animation_data.action_slot
    curves = bag and camera.animation_data.action.layers[0].strips[0].channelbag(bag).fcurves
    return [camera.name, max((len(each.keyframe_points) for each in curves or ()), default=0)]


def count_forecasts(known):
    """How many were seen that hold."""
    global _forecast, _forecasts
    if known is not None and known is not _forecast and not known.stale:
        _forecast, _forecasts = known, _forecasts + 1
    return _forecasts


_forecast, _forecasts = None, 0


def watch():
    preferences = bpy.context.preferences
    windows = [
        {
            "at": rectangle(each, 0, 0, each.width, each.height),
            "areas": [area_told(each, area) for area in each.screen.areas],
        }
        for each in bpy.context.window_manager.windows
    ]
    strips = [each.name for scene in bpy.data.scenes if scene.sequence_editor for each in scene.sequence_editor.strips]
    told = {
        "windows": windows,
        "online": bpy.app.online_access,
        "section": preferences.active_section,
        "strips": sorted(strips),
        "muted": sorted(each.name for each in edit().sequence_editor.strips if each.mute) if edit() else [],
        "frame": bpy.context.scene.frame_current,
        "size": [bpy.context.scene.render.resolution_x, bpy.context.scene.render.resolution_y],
        "file": bpy.data.filepath,
        "unsaved": bpy.data.is_dirty,
        "cameras": sorted(each.name for each in bpy.data.objects if each.type == "CAMERA"),
        "clipboard": bpy.context.window_manager.clipboard,
        "recam": addon_told(),
    }
    with open(STATE, "a", encoding="utf-8") as file:
        file.write(json.dumps(told) + "\n")
    return 0.5


bpy.app.timers.register(watch, first_interval=1.0, persistent=True)
