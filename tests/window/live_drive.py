"""Runs inside a real Blender: goes from frame to frame with the live preview on, and takes the time.

    blender … --python live_drive.py -- ZIP BLEND RESULT PICTURE

A measurement begins when the frame is changed, and ends when ReCam's draw handler has brought the picture of that frame
to the graphics card. RESULT gets all numbers as JSON; PICTURE is a path with {} in it, for pictures of the screen.
"""

import functools
import importlib
import json
import subprocess
import sys
import time
import traceback

import bpy
import numpy as np

ADDON = "bl_ext.user_default.recam_blender"
ZIP, BLEND, RESULT, PICTURE = sys.argv[sys.argv.index("--") + 1 :]

FRAMES = (3, 17, 8, 22, 12, 5, 20, 10, 15, 24)
"""To and fro, as somebody scrubs; each once."""
WARM_UP = (2, 23)
DEPTHS = ("plane", "file", "scene")

calls, excepted = [], []
ready, drawn = {}, {}
"""When the picture with these words was there, and when it was drawn."""
_inside = 0.0


def module(name):
    return importlib.import_module(f"{ADDON}.recam_blender.{name}")


def waited():
    """Seconds for which this thread could have run, and all cores were taken by others."""
    with open("/proc/thread-self/schedstat", "rb") as file:
        return int(file.read().split()[1]) / 1e9


def timed(function, kept, name, *, let_off=False):
    """What a call takes, seconds: by the clock; and without the wait for a core, nor what is excepted inside."""

    @functools.wraps(function)
    def wrapper(*arguments, **options):
        global _inside
        if not let_off:
            _inside = 0.0
        before, start = waited(), time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            wall = time.perf_counter() - start
            held = wall - (waited() - before)
            kept.append((name, wall, held if let_off else held - _inside))
            if let_off:
                _inside += held

    return wrapper


def wrap():
    live, depth, watching = module("live"), module("depth"), module("watching")
    live._tick = timed(live._tick, calls, "the preview's timer")
    watching._tick = timed(watching._tick, calls, "the watch's timer")
    told_of = {"changes": bpy.app.handlers.depsgraph_update_post, "frames": bpy.app.handlers.frame_change_post}
    before = {name: list(handlers) for name, handlers in told_of.items()}
    for name, handlers in told_of.items():
        for index, each in enumerate(before[name]):
            if each.__module__.startswith(ADDON):
                handlers[index] = timed(each, calls, f"told of {name}: {each.__module__.rpartition('.')[2]}")
    depth._render = timed(depth._render, excepted, "one depth frame", let_off=True)
    picture = module("overlay.picture")
    texture = picture._texture

    def drawn_now(shown):
        found = texture(shown)
        drawn.setdefault(shown.words, time.perf_counter())
        return found

    picture._texture = timed(drawn_now, calls, "the picture to the graphics card")
    overlay = module("overlay")
    show = overlay.show_picture

    def shown_now(pixels, scene, camera, words=""):
        if pixels is not None:
            ready.setdefault(words, time.perf_counter())
        show(pixels, scene, camera, words)

    overlay.show_picture = shown_now

    def unwrap():
        for name, handlers in told_of.items():
            handlers[:] = before[name]

    return unwrap


def view():
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                return window, area
    raise RuntimeError("there is no 3D view on the screen")


def edit():
    return next(scene for scene in bpy.data.scenes if scene.sequence_editor)


def went_to(frame, most=60.0):
    """Go to a frame; how long until its picture is drawn, and of that until it is there to be drawn."""
    ready.clear()
    drawn.clear()
    start = time.perf_counter()
    edit().frame_set(frame)
    while time.perf_counter() < start + most:
        for words, when in drawn.items():
            if words.startswith(f"Frame {frame}: ") and words.endswith("invented"):
                return when - start, ready[words] - start
        yield 0.005
    raise RuntimeError(f"no picture of frame {frame} in {most} s: {module('overlay').state.picture()}")


def choose(kind, folder):
    settings = edit().recam
    settings.depth = kind
    if kind == "file":
        path = f"{folder}/depth.npy"
        ramp = np.linspace(2, 8, 832, dtype=np.float32)
        np.save(path, np.broadcast_to(ramp, (480, 832)))
        settings.depth_path = path


def quiet(name):
    """What calls take while nothing changes: how often, and the longest."""
    del calls[:]
    yield 3.0
    ticks = [held for each, _, held in calls if each == name]
    return len(ticks), max(ticks, default=0.0)


def script():
    yield 3.0
    bpy.ops.extensions.package_install_files(filepath=ZIP, repo="user_default", enable_on_install=True)
    yield 0.5
    bpy.ops.wm.open_mainfile(filepath=BLEND, load_ui=False)
    yield 1.0
    unwrap = wrap()
    window, area = view()
    window.scene = edit()
    window.workspace.sequencer_scene = edit()
    # Drawn by the processor, each of eight redraws that smooth the edges takes as long as all that is measured.
    bpy.context.preferences.system.viewport_aa = "OFF"
    yield 1.0
    region = next(each for each in area.regions if each.type == "WINDOW")
    edit().recam.depth = "plane"
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.recam.live_preview("INVOKE_DEFAULT")
    told = {"first": (yield from went_to(1, most=120.0)), "seconds": {}, "depth": [], "calls": {}}
    folder = BLEND.rpartition("/")[0]
    for kind in DEPTHS:
        choose(kind, folder)
        yield 1.0
        for frame in WARM_UP:
            yield from went_to(frame)
        del calls[:], excepted[:]
        seconds = []
        for frame in FRAMES:
            seconds.append((yield from went_to(frame)))
            yield 0.3
        told["seconds"][kind] = seconds
        if kind == "scene":
            told["depth"] = [held for _, _, held in excepted]
            again = []
            for frame in FRAMES:
                again.append((yield from went_to(frame)))
                yield 0.3
            told["seconds"]["scene, kept"] = again
        take(kind)
        keep(told)
    told["still"] = yield from quiet("the preview's timer")
    told["watch"] = sum(name == "the watch's timer" and held > 0.002 for name, _, held in calls)
    told["updates"] = sum(name.startswith("told of changes: live") for name, _, held in calls)
    yield from played(told, window)
    bpy.ops.recam.live_preview()
    yield 1.0
    told["left"] = repr(module("overlay").state.picture())
    unwrap()
    return told


def played(told, window):
    """How far the playback gets in five seconds without and with the preview."""
    scene = edit()
    scene.recam.depth = "plane"
    scene.frame_start, scene.frame_end, scene.sync_mode = 1, 24, "NONE"
    yield 1.0
    told["played"] = {}
    for name, on in (("with", True), ("without", False)):
        if module("live").enabled(scene) != on:
            bpy.ops.recam.live_preview()
        yield 1.0
        frames, before = 0, scene.frame_current
        with bpy.context.temp_override(window=window):
            bpy.ops.screen.animation_play()
        until = time.perf_counter() + 5
        drawn.clear()
        while time.perf_counter() < until:
            frames += (scene.frame_current - before) % 24
            before = scene.frame_current
            yield 0.005
        told["played"][name] = [frames / 5, len(drawn) / 5]
        with bpy.context.temp_override(window=window):
            bpy.ops.screen.animation_play()
        keep(told)
    bpy.ops.recam.live_preview()
    yield 1.0


def keep(told):
    for name, wall, held in calls:
        longest = told["calls"].setdefault(name, [0.0, 0.0, 0])
        told["calls"][name] = [max(longest[0], wall), max(longest[1], held), longest[2] + 1]
    del calls[:]


def take(name):
    subprocess.run(["import", "-window", "root", PICTURE.replace("{}", name)], check=False)


def run():
    steps = script()

    def step():
        try:
            return next(steps)
        except StopIteration as end:
            told = end.value
        except Exception:
            told = {"error": traceback.format_exc()}
            take("late")
        with open(RESULT, "w", encoding="utf-8") as file:
            json.dump(told, file)
        bpy.ops.wm.quit_blender()
        return None

    bpy.app.timers.register(step, first_interval=1.0, persistent=True)


run()
