"""In Blender's window: opens ReCam's tabs with all their panels unfolded, in one language, and takes pictures of them.

blender ... BLEND --python label_drive.py -- ZIP FOLDER LANGUAGE      writes FOLDER/measured.json
"""

import importlib
import json
import subprocess
import sys
import traceback
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from samples import pseudo

ARCHIVE, FOLDER, LANGUAGE = sys.argv[sys.argv.index("--") + 1 :]
PACKAGE = "bl_ext.user_default.recam_blender.recam_blender"
ENGINES = ("reproject", "recammaster")
USES = ("stabilise", "lock", "closer", "outpaint", "freeze")
PAGES = 2
SECONDS = 1.5  # for a software renderer to draw what was changed

pictures = []


def prepare():
    bpy.ops.extensions.package_install_files(filepath=ARCHIVE, repo="user_default", enable_on_install=True)
    if LANGUAGE == "endless":
        pseudo.LONGER = 3.0
    if LANGUAGE != "English":
        pseudo.register()
    unfold()
    for area in window().screen.areas:
        if area.type == "SEQUENCE_EDITOR" and area.height > 400:
            with bpy.context.temp_override(window=window(), area=area):
                bpy.ops.screen.screen_full_area()
            return


def unfold():
    """Register ReCam's panels anew as such that are open at first."""
    features = importlib.import_module(f"{PACKAGE}.registration").FEATURES
    panels = [each for feature in features for each in feature.CLASSES if issubclass(each, bpy.types.Panel)]
    for each in reversed(panels):
        bpy.utils.unregister_class(each)
    for each in panels:
        each.bl_options = set(getattr(each, "bl_options", ())) - {"DEFAULT_CLOSED"}
        bpy.utils.register_class(each)


def window():
    return bpy.context.window_manager.windows[0]


def area():
    return max(window().screen.areas, key=lambda each: each.width * each.height)


def sidebar():
    return next(each for each in area().regions if each.type == "UI")


def show(kind):
    def act():
        area().type = kind
        area().spaces[0].show_region_ui = True

    return act


def choose():
    sidebar().active_panel_category = "ReCam"


def engine(name):
    def act():
        bpy.context.scene.recam.engine = name
        scroll(-100)

    return act


def use(kind):
    """What there is to set for it, and where the footage would lie."""

    def act():
        settings = bpy.context.scene.recam
        settings.engine, settings.use, settings.use_outpaint_by, settings.use_known = "reproject", kind, "frame", True
        scroll(-100)

    return act


def ask_for_file(operator):
    """Blender's file browser in a window of its own, with the settings beside the files."""

    def act():
        with bpy.context.temp_override(window=window(), area=area(), region=area().regions[0]):
            getattr(bpy.ops.recam, operator)("INVOKE_DEFAULT")

    return act


def dialog():
    """The file browser, and its settings."""
    other = bpy.context.window_manager.windows[-1]
    return other, next(each for each in other.screen.areas[0].regions if each.type == "TOOL_PROPS")


def dialog_picture(name):
    def act():
        path = str(Path(FOLDER, f"{name}.png"))
        subprocess.run(["import", "-window", "root", path], check=True)
        other, region = dialog()
        left = other.x + region.x
        pictures.append({"path": path, "left": left, "right": left + region.width, "width": region.width})

    return act


def close_dialog():
    other, _ = dialog()
    with bpy.context.temp_override(window=other, area=other.screen.areas[0]):
        bpy.ops.file.cancel()


def scroll(pages):
    with bpy.context.temp_override(window=window(), area=area(), region=sidebar()):
        for _ in range(abs(pages)):
            if pages < 0:
                bpy.ops.view2d.scroll_up(page=True)
            else:
                bpy.ops.view2d.scroll_down(page=True)


def picture(name):
    def act():
        path = str(Path(FOLDER, f"{name}.png"))
        subprocess.run(["import", "-window", "root", path], check=True)
        region = sidebar()
        pictures.append({"path": path, "left": region.x, "right": region.x + region.width, "width": region.width})

    return act


def finish():
    Path(FOLDER, "measured.json").write_text(json.dumps(pictures), encoding="utf-8")
    bpy.ops.wm.quit_blender()


steps = [prepare]
for kind in ("SEQUENCE_EDITOR", "VIEW_3D"):
    steps += [show(kind), choose]
    for name in ENGINES:
        steps.append(engine(name))
        for page in range(PAGES):
            steps += [picture(f"{kind}_{name}_{page}"), lambda: scroll(1)]
    if kind == "SEQUENCE_EDITOR":
        for each in USES:
            steps += [use(each), picture(f"use_{each}")]
# How wide the settings beside files are is Blender's choice: its own labels are cut off there in longer languages.
for name in ("export_trajectory", "import_trajectory") if LANGUAGE == "English" else ():
    steps += [ask_for_file(name), dialog_picture(name), close_dialog]
steps.append(finish)


def step():
    try:
        steps.pop(0)()
    except Exception:
        traceback.print_exc()
        finish()
        return None
    return SECONDS if steps else None


bpy.app.timers.register(step, first_interval=3.0)
