"""Runs inside a real Blender: sets the stage, tells what the queue is at, and does what its commands say.

    blender … --python queue_drive.py -- ZIP BLEND FOLDER SCREEN_HEIGHT

State goes to FOLDER/state.jsonl. Commands come as lines of FOLDER/commands: ``disable``, ``enable``, ``save PATH``,
``open PATH``, ``first`` (move the last job up as far as it goes), ``quit``. Mouse and keys are queue_session.py's.
"""

import importlib
import json
import os
import sys
from pathlib import Path

import bpy

ADDON = "bl_ext.user_default.recam_blender"
ZIP, BLEND, FOLDER, SCREEN_HEIGHT = sys.argv[sys.argv.index("--") + 1 :]


def module(name):
    return importlib.import_module(f"{ADDON}.recam_blender.{name}")


def sequencer():
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "SEQUENCE_EDITOR" and area.spaces.active.view_type == "SEQUENCER":
                return window, area
    raise RuntimeError("there is no sequencer on the screen")


def edit():
    return next((scene for scene in bpy.data.scenes if scene.sequence_editor), None)


def show_panel():
    window, area = sequencer()
    window.workspace.sequencer_scene = edit()
    area.spaces.active.show_region_ui = True
    yield 1.0
    _, area = sequencer()
    next(each for each in area.regions if each.type == "UI").active_panel_category = "ReCam"
    area.tag_redraw()
    yield 1.0


def stage():
    yield 3.0
    bpy.ops.extensions.package_install_files(filepath=ZIP, repo="user_default", enable_on_install=True)
    yield 0.5
    bpy.ops.wm.open_mainfile(filepath=BLEND, load_ui=False)
    yield 1.0
    yield from show_panel()
    done = 0
    while True:
        tell(done)
        commands = Path(FOLDER, "commands")
        lines = commands.read_text(encoding="utf-8").splitlines() if commands.exists() else []
        for line in lines[done:]:
            name, _, argument = line.partition(" ")
            COMMANDS[name](argument)
            done += 1
            yield 0.5
            if name in ("enable", "open"):
                yield from show_panel()
        yield 0.2


def move_last(_argument):
    jobs = module("jobs")
    bpy.ops.recam.move_job(number=jobs.entries()[-1].number, by=-9)


COMMANDS = {
    "disable": lambda _: bpy.ops.preferences.addon_disable(module=ADDON),
    "enable": lambda _: bpy.ops.preferences.addon_enable(module=ADDON),
    "save": lambda path: bpy.ops.wm.save_as_mainfile(filepath=path, copy=True),
    "open": lambda path: bpy.ops.wm.open_mainfile(filepath=path, load_ui=False),
    "first": move_last,
    "quit": lambda _: bpy.ops.wm.quit_blender(),
}


def tell(done):
    window, area = sequencer()
    region = next(each for each in area.regions if each.type == "UI")
    top = int(SCREEN_HEIGHT) - window.y - region.y - region.height
    jobs, runtime, statusbar = map(module, ("jobs", "runtime", "statusbar"))
    worker = runtime._workers.get(runtime.TAKES)
    told = {
        "done": done,
        "panel": [window.x + region.x, top, region.width, region.height],
        "strips": sorted(each.name for each in edit().sequence_editor.strips) if edit() else [],
        "jobs": [(each.number, each.stage, each.progress.step) for each in jobs.entries()],
        "messages": [(each.icon, each.text) for each in jobs.messages()],
        "worker": worker[1].pid if worker else 0,
        "playing": window.screen.is_animation_playing,
        "dirty": bpy.data.is_dirty,
        "left": {
            "timer": bpy.app.timers.is_registered(jobs._tick),
            "status bar": statusbar.draw in getattr(bpy.types.STATUSBAR_HT_header.draw, "_draw_funcs", []),
            "handlers": [name for name in dir(bpy.app.handlers) for each in handlers(name) if ours(each)],
            "folders": [each for each in os.listdir(bpy.app.tempdir) if each.startswith("recam-")],
            "modal": [each.bl_idname for each in window.modal_operators if each.bl_idname.startswith("RECAM")],
            "keys": [each.idname for each in escapes()],
        },
    }
    with Path(FOLDER, "state.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(told) + "\n")


def handlers(name):
    found = getattr(bpy.app.handlers, name)
    return found if isinstance(found, list) else []


def ours(function):
    return str(getattr(function, "__module__", "")).startswith(ADDON)


def escapes():
    keymap = bpy.context.window_manager.keyconfigs.addon.keymaps.get("Window")
    return [each for each in (keymap.keymap_items if keymap else ()) if each.idname.startswith("recam.")]


steps = stage()
bpy.app.timers.register(lambda: next(steps), first_interval=0.5, persistent=True)
