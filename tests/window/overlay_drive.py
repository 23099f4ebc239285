"""Runs inside a real Blender: draws the overlay, measures it, and takes pictures of what is seen through the camera.

    blender … --python overlay_drive.py -- ZIP BLEND FOLDER

What was measured goes to FOLDER/measured.json: of each callback the median by the clock and of the processor's work, in
milliseconds, and the place of the camera's frame in each picture.
"""

import importlib
import json
import math
import os
import statistics
import subprocess
import sys
import time
import traceback

import bpy
import numpy as np
from mathutils import Euler

ZIP, BLEND, FOLDER = sys.argv[sys.argv.index("--") + 1 :]
ADDON = "bl_ext.user_default.recam_blender.recam_blender"
CALLBACKS = (("draw", "lines"), ("draw", "words"), ("picture", "draw"), ("strip_bar", "draw"))
REDRAWS = 24

taken = {f"{module}.{name}": [] for module, name in CALLBACKS}
measured = {"milliseconds": {}, "frames": {}, "pressed": []}


def part(name):
    return importlib.import_module(f"{ADDON}.{name}")


def window():
    return bpy.context.window_manager.windows[0]


def area(kind):
    return next(each for each in window().screen.areas if each.type == kind)


def clicked_in(kind):
    region = next(each for each in area(kind).regions if each.type == "WINDOW")
    return bpy.context.temp_override(window=window(), area=area(kind), region=region)


def redraw():
    for each in window().screen.areas:
        each.tag_redraw()


def timed(name, function):
    def wrapped():
        start, worked = time.perf_counter(), time.thread_time()
        function()
        taken[name].append((1000 * (time.perf_counter() - start), 1000 * (time.thread_time() - worked)))

    return wrapped


def set_up():
    preview = next(
        each
        for each in window().screen.areas
        if each.type == "SEQUENCE_EDITOR" and each.spaces[0].view_type == "PREVIEW"
    )
    preview.type = "VIEW_3D"


def look_from_above():
    overlay = part("overlay")
    overlay.unregister()
    for module, name in CALLBACKS:
        of = part(f"overlay.{module}")
        setattr(of, name, timed(f"{module}.{name}", getattr(of, name)))
    overlay.register()
    button = part("see_through").RECAM_OT_see_through
    invoke = button.invoke

    def pressed(self, context, event):
        start = time.perf_counter()
        answer = invoke(self, context, event)
        measured["pressed"].append(1000 * (time.perf_counter() - start))
        return answer

    button.invoke = pressed
    view = area("VIEW_3D").spaces.active.region_3d
    view.view_perspective, view.view_location, view.view_distance = "PERSP", (1, -3, 1), 11
    view.view_rotation = Euler((math.radians(55), 0, math.radians(25))).to_quaternion()
    bpy.context.scene.recam.frustum_step = 1
    bpy.context.scene.frame_set(41)
    with clicked_in("SEQUENCE_EDITOR"):
        bpy.ops.sequencer.view_all()


def forecast():
    shares = [0.5 * max(0.0, math.sin((index - 10) / 81 * math.pi)) for index in range(81)]
    part("overlay").show_forecast("Edit", "numbers", 11, shares)


def forget_times():
    for each in taken.values():
        each.clear()


def note_times(what):
    picture("overlay_" + what)
    measured["milliseconds"][what] = {
        name: [statistics.median(each) for each in zip(*times, strict=True)] for name, times in taken.items() if times
    }


def see_through():
    press_see_through()
    shown = area("VIEW_3D").spaces.active.overlay
    shown.show_floor = shown.show_axis_x = shown.show_axis_y = shown.show_cursor = shown.show_extras = False
    part("overlay").clear()
    settings = bpy.context.scene.recam
    settings.show_path = settings.show_frusta = settings.show_numbers = False


def reverse():
    bpy.context.scene.sequence_editor.strips["numbers"].use_reverse_frames = True
    press_see_through()


def press_see_through():
    with clicked_in("VIEW_3D"):
        assert bpy.ops.recam.see_through("INVOKE_DEFAULT") == {"FINISHED"}


def look_at(name):
    """Take a picture, and note where in it the camera's frame is: x, y, width, height, from the top left corner."""
    space = area("VIEW_3D").spaces.active
    region = next(each for each in area("VIEW_3D").regions if each.type == "WINDOW")
    with bpy.context.temp_override(
        window=window(), area=area("VIEW_3D"), region=region, space_data=space, region_data=space.region_3d
    ):
        camera = bpy.context.scene.camera
        x, y, width, height = part("overlay.picture").frame_rectangle(bpy.context, camera)
    left, bottom = window().x + region.x + x, window().y + region.y + y
    measured["frames"][name] = [left, bottom, width, height]
    picture(name)


def show_picture():
    """Half of a shift, a zoom and an offset, so that the frame is not where it is by default."""
    camera = bpy.context.scene.camera.data
    camera.shift_x = 0.1
    view = area("VIEW_3D").spaces.active.region_3d
    view.view_camera_zoom, view.view_camera_offset = -8.0, (0.05, -0.02)
    pixels = np.ones((480, 832, 4), np.float32)
    pixels[..., :3] = (0.5, 0.25, 0.75)
    pixels[:240, :416, :3] = (0.1, 0.9, 0.4)
    part("overlay").show_picture(pixels, "Edit", "Target", "frame 51")


def picture(name):
    subprocess.run(["import", "-window", "root", f"{FOLDER}/{name}.png"], check=True)


def at(frame, name):
    return [(1.0, lambda: bpy.context.scene.frame_set(frame)), (0.5, redraw), (0.1, lambda: look_at(name))]


def end():
    with open(f"{FOLDER}/measured.json", "w", encoding="utf-8") as file:
        json.dump(measured, file)
    os._exit(0)


steps = [
    (1, lambda: bpy.ops.extensions.package_install_files(filepath=ZIP, repo="user_default", enable_on_install=True)),
    (2, lambda: bpy.ops.wm.open_mainfile(filepath=BLEND)),
    (2, set_up),
    (2, look_from_above),
    (2, forecast),
    (1, redraw),
    (0.1, forget_times),
    *[(0.25, redraw)] * REDRAWS,
    (0.5, lambda: note_times("81 frusta")),
    (2, see_through),
    *(each for frame in (11, 12, 52, 91) for each in at(frame, f"plain {frame}")),
    (1, reverse),
    *(each for frame in (11, 40, 91) for each in at(frame, f"reversed {frame}")),
    (1, show_picture),
    (0.1, forget_times),
    *[(0.25, redraw)] * REDRAWS,
    (0.5, lambda: note_times("picture")),
    (0.1, lambda: look_at("picture")),
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
