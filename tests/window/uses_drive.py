"""Runs inside a real Blender: drags the part that a take goes in on over the sequencer's preview.

    blender … --python uses_drive.py -- ZIP BLEND FOLDER

What came of it goes to FOLDER/measured.json: the part after a drag, and after one that Escape ended.
"""

import importlib
import json
import os
import subprocess
import sys
import traceback

import bpy

ZIP, BLEND, FOLDER = sys.argv[sys.argv.index("--") + 1 :]
ADDON = "bl_ext.user_default.recam_blender.recam_blender"
SCREEN = 900

measured = {}


def part(name):
    return importlib.import_module(f"{ADDON}.{name}")


def window():
    return bpy.context.window_manager.windows[0]


def preview():
    sequencers = [each for each in window().screen.areas if each.type == "SEQUENCE_EDITOR"]
    return next(each for each in sequencers if each.spaces[0].view_type == "PREVIEW")


def region(kind):
    return next(each for each in preview().regions if each.type == kind)


def clicked():
    return bpy.context.temp_override(window=window(), area=preview(), region=region("PREVIEW"))


def set_up():
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 832, 480
    scene.frame_set(40)
    with clicked():
        bpy.ops.sequencer.view_all_preview()


def press():
    with clicked():
        assert bpy.ops.recam.choose_region("INVOKE_DEFAULT") == {"RUNNING_MODAL"}


def to(across, down):
    """Where the test finds the footage by itself: it fills the frame of the scene, which is in the view's middle."""

    def act():
        shown = region("PREVIEW")
        left, bottom = shown.view2d.view_to_region(-416, -240, clip=False)
        right, top = shown.view2d.view_to_region(416, 240, clip=False)
        x = window().x + shown.x + left + across * (right - left)
        y = window().y + shown.y + top - down * (top - bottom)
        measured["pixel"] = [1 / (right - left), 1 / (top - bottom)]
        xdotool("mousemove", round(x), round(SCREEN - y))

    return act


def xdotool(*what):
    subprocess.run(["xdotool", *map(str, what)], check=True)


def note(name):
    def act():
        settings = bpy.context.scene.recam
        measured[name] = [getattr(settings, f"use_region_{each}") for each in ("x", "y", "width", "height")]
        measured[f"{name} modal"] = [each.bl_idname for each in window().modal_operators]
        subprocess.run(["import", "-window", "root", f"{FOLDER}/{name}.png"], check=True)

    return act


def end():
    with open(f"{FOLDER}/measured.json", "w", encoding="utf-8") as file:
        json.dump(measured, file)
    os._exit(0)


def drag(start, middle, stop):
    return [
        (1, press),
        (1, to(*start)),
        (1, lambda: xdotool("mousedown", 1)),
        (1, to(*middle)),
        (1, to(*stop)),
    ]


steps = [
    (1, lambda: bpy.ops.extensions.package_install_files(filepath=ZIP, repo="user_default", enable_on_install=True)),
    (2, lambda: bpy.ops.wm.open_mainfile(filepath=BLEND)),
    (2, set_up),
    *drag((0.1, 0.2), (0.3, 0.4), (0.45, 0.7)),
    (1, lambda: xdotool("mouseup", 1)),
    (1, note("dragged")),
    *drag((0.9, 0.9), (0.8, 0.8), (0.6, 0.5)),
    (1, note("dragging")),
    (1, lambda: xdotool("key", "Escape")),
    (1, lambda: xdotool("mouseup", 1)),
    (1, note("escaped")),
    (0.1, end),
]


def tick():
    try:
        wait, step = steps.pop(0)
        step()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    return wait


bpy.app.timers.register(tick, first_interval=3.0, persistent=True)
