"""Runs inside a real Blender: sets the stage, then tells what there is, once a second, as lines of JSON in a file.

    blender … --python drive.py -- ZIP BLEND STATE SCREEN_HEIGHT

It presses nothing: clicks and keys come from session.py, as from a user.
"""

import json
import sys

import bpy

ADDON = "bl_ext.user_default.recam_blender"
ZIP, BLEND, STATE, SCREEN_HEIGHT = sys.argv[sys.argv.index("--") + 1 :]


def tell(**what):
    with open(STATE, "a", encoding="utf-8") as file:
        file.write(json.dumps(what) + "\n")


def sequencer():
    """The timeline's area, which has the strips, and not the preview's."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "SEQUENCE_EDITOR" and area.spaces.active.view_type == "SEQUENCER":
                return window, area
    raise RuntimeError("there is no sequencer on the screen")


def edit():
    return next(scene for scene in bpy.data.scenes if scene.sequence_editor)


def install():
    bpy.ops.extensions.package_install_files(filepath=ZIP, repo="user_default", enable_on_install=True)
    bpy.app.timers.register(open_sample, first_interval=0.5, persistent=True)


def open_sample():
    bpy.ops.wm.open_mainfile(filepath=BLEND, load_ui=False)
    bpy.app.timers.register(show_panel, first_interval=1.0, persistent=True)


def show_panel():
    window, area = sequencer()
    scene = edit()
    window.workspace.sequencer_scene = scene
    area.spaces.active.show_region_ui = True
    bpy.app.timers.register(choose_tab, first_interval=1.0, persistent=True)


def choose_tab():
    _, area = sequencer()
    region = next(each for each in area.regions if each.type == "UI")
    region.active_panel_category = "ReCam"
    area.tag_redraw()
    bpy.app.timers.register(watch, first_interval=1.0, persistent=True)


def watch():
    import importlib

    runtime = importlib.import_module(f"{ADDON}.recam_blender.runtime")
    window, area = sequencer()
    region = next(each for each in area.regions if each.type == "UI")
    tell(
        # From the top left corner of the screen, as xdotool counts; Blender counts from below.
        panel=[
            window.x + region.x,
            int(SCREEN_HEIGHT) - window.y - region.y - region.height,
            region.width,
            region.height,
        ],
        strips=sorted(each.name for each in edit().sequence_editor.strips),
        running=runtime.busy,
        message=runtime.message.text if runtime.message else "",
    )
    return 0.5


bpy.app.timers.register(install, first_interval=3.0, persistent=True)
