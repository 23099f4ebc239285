"""Runs inside a real Blender: measures every call of ReCam's that Blender makes, from a click on Re-shoot to the strip.

    blender … --python latency.py -- ZIP BLEND STATE SCREEN_HEIGHT

Wrapped from outside: the methods of its operators, panels, menus and lists, its timers, handlers, and what it draws.
It goes through CASES; latency_session.py clicks. What a call takes is told in four ways, in milliseconds:

wall    by the clock. On a machine whose cores are shared it counts whatever else ran there meanwhile.
waited  the part of it in which this thread could have run, and all cores were taken by others (Linux tells).
work    processor time of this thread alone.
held    wall - waited, less what is excepted: for so long the call would hold a Blender that has a core of its own. It
        is what is judged: unlike the processor time it counts waiting for files, locks and processes, and unlike the
        clock it is the same on a busy machine as on a quiet one.
"""

import functools
import importlib
import inspect
import json
import sys
import time
from pathlib import Path

import bpy

ADDON = "bl_ext.user_default.recam_blender"
ZIP, BLEND, STATE, SCREEN_HEIGHT = sys.argv[sys.argv.index("--") + 1 :]

CASES = ("plane", "scene", "intermediate")
"""Where the depth comes from; and footage that must be rendered first, as two columns of it are cropped away."""

EXCEPTED = {
    "insert a strip": ("sequencer", "insert_take"),
    "one depth frame": ("depth", "_render"),
    "one intermediate frame": ("intermediate", "Stage.render"),
}
METHODS = (
    *(
        "poll",
        "invoke",
        "execute",
        "modal",
        "cancel",
        "check",
        "description",
        "draw",
        "draw_header",
        "draw_header_preset",
    ),
    *("draw_item", "filter_items"),
)
IDLE_SECONDS = 2.0

calls = []  # (name, phase, wall, waited, work, excepted), seconds
excepted = []  # (name, held), seconds
_depth = 0
_spent = 0.0


def module(name):
    return importlib.import_module(f"{ADDON}.recam_blender.{name}")


def waited():
    with open("/proc/thread-self/schedstat", "rb") as file:
        return int(file.read().split()[1]) / 1e9


def measured(function, name):
    @functools.wraps(function)
    def wrapper(*arguments, **options):
        global _depth, _spent
        if _depth:
            return function(*arguments, **options)
        _depth, _spent = 1, 0.0
        running = module("jobs").running()
        phase = f"{running.stage}, {running.progress.phase}" if running else ""
        before = waited()
        work, start = time.thread_time(), time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            wall = time.perf_counter() - start
            calls.append((name, phase, wall, waited() - before, time.thread_time() - work, _spent))
            _depth = 0

    return wrapper


def let_off(function, name):
    """Not judged, but told."""

    @functools.wraps(function)
    def wrapper(*arguments, **options):
        global _spent
        before, start = waited(), time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            held = time.perf_counter() - start - (waited() - before)
            excepted.append((name, held))
            _spent += held

    return wrapper


def ours(function):
    return str(getattr(function, "__module__", "")).startswith(ADDON)


def named(function):
    return f"{function.__module__.rpartition('recam_blender.')[2]}.{function.__qualname__}"


# Before the add-on is on: what it registers, and what it hands to Blender's own functions


def wrap_classes():
    for feature in module("registration").FEATURES:
        for cls in feature.CLASSES:
            for name in METHODS:
                own = cls.__dict__.get(name)
                told = f"{cls.__name__}.{name}"
                if isinstance(own, classmethod):
                    setattr(cls, name, classmethod(of_same_arguments(own.__func__, measured(own.__func__, told))))
                elif callable(own):
                    setattr(cls, name, of_same_arguments(own, measured(own, told)))


def of_same_arguments(function, wrapper):
    """Blender counts a method's arguments when it registers a class."""
    code = function.__code__
    names = [f"a{index}" for index in range(code.co_argcount)]
    names += ["*rest"] if code.co_flags & inspect.CO_VARARGS else []
    return eval(f"lambda {', '.join(names)}: wrapper({', '.join(names)})", {"wrapper": wrapper})


def wrap_doors():
    wrapped = {}

    def door(register):
        def registering(function, *arguments, **options):
            if ours(function):
                function = wrapped.setdefault(function, measured(function, named(function)))
            return register(function, *arguments, **options)

        return registering

    def through(other):
        return lambda function, *arguments: other(wrapped.get(function, function), *arguments)

    timers = bpy.app.timers
    timers.register = door(timers.register)
    timers.is_registered, timers.unregister = through(timers.is_registered), through(timers.unregister)
    for space in (bpy.types.SpaceView3D, bpy.types.SpaceSequenceEditor):
        space.draw_handler_add = door(space.draw_handler_add)


# After it: what it has appended to Blender's lists


def wrap_appended():
    for name in dir(bpy.app.handlers):
        handlers = getattr(bpy.app.handlers, name)
        if isinstance(handlers, list):
            handlers[:] = [measured(each, f"{name}: {named(each)}") if ours(each) else each for each in handlers]
    for name in dir(bpy.types):
        functions = getattr(getattr(getattr(bpy.types, name), "draw", None), "_draw_funcs", [])
        functions[:] = [measured(each, f"{name}: {named(each)}") if ours(each) else each for each in functions]
    for name, (place, function) in EXCEPTED.items():
        owner = module(place)
        *owners, last = function.split(".")
        for each in owners:
            owner = getattr(owner, each)
        setattr(owner, last, let_off(getattr(owner, last), name))


# The stage


def sequencer():
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "SEQUENCE_EDITOR" and area.spaces.active.view_type == "SEQUENCER":
                return window, area
    raise RuntimeError("there is no sequencer on the screen")


def edit():
    return next(scene for scene in bpy.data.scenes if scene.sequence_editor)


def footage():
    return edit().sequence_editor.strips["footage"]


def choose(case):
    scene = edit()
    settings = scene.recam
    settings.depth = "scene" if case == "scene" else "plane"
    footage().crop.max_x = 2 if case == "intermediate" else 0
    scene.sequence_editor.active_strip = footage()


def stage():
    """One thing at a time, a while between them: each yields how long."""
    yield 3.0
    bpy.ops.extensions.package_install_files(filepath=ZIP, repo="user_default", enable_on_install=False)
    wrap_classes()
    wrap_doors()
    bpy.ops.preferences.addon_enable(module=ADDON)
    wrap_appended()
    yield 0.5
    bpy.ops.wm.open_mainfile(filepath=BLEND, load_ui=False)
    yield 1.0
    window, area = sequencer()
    window.workspace.sequencer_scene = edit()
    area.spaces.active.show_region_ui = True
    scene = edit()
    scene.recam.show_path = scene.recam.show_frusta = scene.recam.show_numbers = True
    scene.recam.frustum_step = 1
    next(each for each in window.screen.areas if each.type == "FILE_BROWSER").type = "VIEW_3D"
    yield 1.0
    next(each for each in area.regions if each.type == "UI").active_panel_category = "ReCam"
    area.tag_redraw()
    yield 1.0
    for case in CASES:
        choose(case)
        yield IDLE_SECONDS
        calls.clear()
        excepted.clear()
        strips = len(edit().sequence_editor.strips)
        tell(waiting=case)
        jobs = module("jobs")
        while not jobs.entries():
            yield 0.01
        while jobs.entries():
            yield 0.1
        yield 1.0
        told = [each.text for each in jobs.messages()[-1:]]
        tell(case=case, made=len(edit().sequence_editor.strips) - strips, message=told, **summary())
        jobs.forget_messages()
    tell(done=True)


def summary():
    by_name = {}
    for name, phase, wall, late, work, spent in calls:
        held = wall - late - spent
        by_name.setdefault(name, []).append((held, wall, work, phase))
    told = {}
    for name, each in by_name.items():
        held = sorted(part[0] for part in each)
        longest = max(each)
        told[name] = {
            "count": len(each),
            "median": milliseconds(held[len(held) // 2]),
            "held": milliseconds(longest[0]),
            "wall": milliseconds(max(part[1] for part in each)),
            "work": milliseconds(max(part[2] for part in each)),
            "longest": longest[3],
        }
    let = {}
    for name, held in excepted:
        let.setdefault(name, []).append(milliseconds(held))
    return {
        "calls": told,
        "excepted": {name: {"count": len(each), "held": max(each)} for name, each in let.items()},
    }


def milliseconds(seconds):
    return round(1000 * seconds, 2)


def tell(**what):
    window, area = sequencer()
    region = next(each for each in area.regions if each.type == "UI")
    top = int(SCREEN_HEIGHT) - window.y - region.y - region.height
    what["panel"] = [window.x + region.x, top, region.width, region.height]
    with Path(STATE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(what) + "\n")


steps = stage()
bpy.app.timers.register(lambda: next(steps, None), first_interval=0.5, persistent=True)
