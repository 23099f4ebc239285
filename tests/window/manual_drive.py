"""Runs inside a real Blender: sets up what docs/manual shows, and takes the pictures.

    blender … --python manual_drive.py -- ZIP BLEND FOLDER

The sidebars' panels are shown one at a time: their polls and drawings are held back for that, and nothing else is
changed of them.
"""

import importlib
import json
import math
import os
import subprocess
import sys
import traceback

import bpy
from mathutils import Euler

ZIP, BLEND, FOLDER = sys.argv[sys.argv.index("--") + 1 :]
ADDON = "bl_ext.user_default.recam_blender"
SCREEN_HEIGHT = 900
LATE = 20
TABS = 30
VIEW_HEIGHT = 535
TAKE_SECONDS, FORECAST_SECONDS, LIVE_SECONDS = 300, 60, 60

shown = set()
"""The names of the panels that are drawn; those they stand in appear as headers."""


def part(name):
    return importlib.import_module(f"{ADDON}.recam_blender.{name}")


# Blender


def window():
    return bpy.context.window_manager.windows[0]


def area(kind, view=None):
    areas = [each for each in window().screen.areas if each.type == kind]
    return next(each for each in areas if view is None or each.spaces.active.view_type == view)


def region(of, kind="WINDOW"):
    return next(each for each in of.regions if each.type == kind)


def inside(of, kind="WINDOW"):
    return bpy.context.temp_override(window=window(), area=of, region=region(of, kind))


def redraw():
    for each in window().screen.areas:
        each.tag_redraw()


def edit():
    return next(scene for scene in bpy.data.scenes if scene.sequence_editor)


def strip(name="footage"):
    return edit().sequence_editor.strips[name]


def activate(one):
    for each in edit().sequence_editor.strips:
        each.select = each == one
    edit().sequence_editor.active_strip = one


# Pictures


def rectangle(of):
    """Of a region or an area on the screen, from its top left corner."""
    return window().x + of.x, SCREEN_HEIGHT - window().y - of.y - of.height, of.width, of.height


def picture(name, box=None, trim=False):
    cut = ["-fuzz", "1%", "-trim", "+repage", "-bordercolor", "#303030", "-border", "6"] if trim else []
    small = ["-strip", "-dither", "None", "-colors", "256", "-define", "png:compression-level=9"]
    take(f"{name}.png", box, [*cut, *small])


def photograph(name, box=None, width=1200):
    take(f"{name}.jpg", box, ["-resize", f"{width}x>", "-strip", "-quality", "82"])


def take(file, box, options):
    """The screen, or a box of it, as a picture."""
    part = [] if box is None else ["-crop", "{2}x{3}+{0}+{1}".format(*map(int, box)), "+repage"]
    screen = subprocess.run(["import", "-window", "root", "png:-"], check=True, capture_output=True).stdout
    subprocess.run(["magick", "png:-", *part, *options, os.path.join(FOLDER, file)], input=screen, check=True)


def sidebar(of, name, height=0):
    """The panels in a sidebar, without the tabs beside them; so high, where they lie over something else."""
    x, y, width, full = rectangle(region(of, "UI"))
    picture(name, (x, y, width - TABS, height or full), trim=not height)


def only(*names):
    shown.clear()
    shown.update(names)
    redraw()


def hold_back():
    """Let a panel be there, or not, as ``shown`` says."""
    classes = [
        each
        for feature in part("registration").FEATURES
        for each in feature.CLASSES
        if issubclass(each, bpy.types.Panel) and getattr(each, "bl_category", "") == "ReCam"
    ]
    for each in reversed(classes):
        bpy.utils.unregister_class(each)
    for each in classes:
        hold(each)
        bpy.utils.register_class(each)


def hold(cls):
    name, draw, poll = cls.__name__, cls.draw, getattr(cls, "poll", None)
    parent = not hasattr(cls, "bl_parent_id")

    def drawn(self, context):
        if name in shown:
            draw(self, context)

    def polled(_cls, context):
        return (parent or name in shown) and (poll is None or poll(context))

    cls.draw, cls.poll = drawn, classmethod(polled)
    cls.bl_options = set(getattr(cls, "bl_options", ())) - {"DEFAULT_CLOSED"}


def waited(true, seconds, what):
    """Steps of waiting until something is so."""
    for _ in range(int(seconds / 0.1)):
        if true():
            return
        yield 0.1
    raise RuntimeError(f"no {what} after {seconds} s")


# What is shown


def story():
    yield 3.0
    bpy.ops.extensions.package_install_files(filepath=ZIP, repo="user_default", enable_on_install=True)
    yield 1.0
    speak()
    yield 2.0  # Blender 5.2 itself ends where a file is opened before it has drawn in a new language
    hold_back()
    bpy.ops.wm.open_mainfile(filepath=BLEND, load_ui=False)
    yield 1.5
    window().workspace.sequencer_scene = edit()
    scene = edit()
    activate(strip())
    area("FILE_BROWSER").type = "VIEW_3D"
    timeline = area("SEQUENCE_EDITOR", "SEQUENCER")
    timeline.spaces.active.show_region_ui = True
    yield 1.0
    region(timeline, "UI").active_panel_category = "ReCam"
    only("RECAM_PT_main")
    yield 1.0
    with inside(timeline):
        bpy.ops.sequencer.view_all()
    yield from panels(scene)
    yield from uses()
    scene = edit()
    yield from forecast(scene)
    yield from takes(scene)
    yield from view(scene)
    yield from menus()


def speak():
    """In the longer language, where RECAM_PSEUDO names its words: to see by eye whether all fits."""
    if not (path := os.environ.get("RECAM_PSEUDO")):
        return
    with open(path, encoding="utf-8") as file:
        words = json.load(file)
    told = {(context, text): longer for text, longer in words.items() for context in ("*", "Operator")}
    bpy.app.translations.register("pseudo", {"eo": told})
    view = bpy.context.preferences.view
    view.language, view.use_translate_interface, view.use_translate_tooltips = "eo", True, True


def large(of):
    with inside(of):
        bpy.ops.screen.screen_full_area()


def panels(scene):
    """Each panel of the sequencer's sidebar, in a sequencer that fills the window."""
    settings = scene.recam
    large(area("SEQUENCE_EDITOR", "SEQUENCER"))
    yield 1.5
    timeline = area("SEQUENCE_EDITOR", "SEQUENCER")
    begin_anew(scene)
    yield 2.5
    sidebar(timeline, "panel_doubts")
    bpy.ops.wm.open_mainfile(filepath=BLEND, load_ui=False)
    yield 1.0
    scene = edit()
    settings = scene.recam
    window().workspace.sequencer_scene = scene
    activate(strip())
    with inside(timeline):
        bpy.ops.recam.add_move(kind="arc_left", arc=math.radians(12))
    activate(strip())
    scene.frame_set(LATE)
    scene.frame_end = LATE + 10
    yield 2.5
    sidebar(timeline, "panel_main")
    only("RECAM_PT_lens", "RECAM_PT_range", "RECAM_PT_output")
    yield 1.5
    sidebar(timeline, "panel_settings")
    settings.engine = "recammaster"
    online = bpy.context.preferences.system
    online.use_online_access = True
    settings.prompt = "A stone head on a pedestal in a workshop, a lamp swinging above it"
    only("RECAM_PT_main")
    yield 1.5
    sidebar(timeline, "panel_recammaster")
    online.use_online_access = False
    only("RECAM_PT_network", "RECAM_PT_memory")
    yield 1.5
    sidebar(timeline, "panel_network")
    settings.engine = "reproject"
    large(timeline)
    yield 1.5


def uses():
    """What a take is for, over footage that a hand is said to have filmed."""
    timeline = area("SEQUENCE_EDITOR", "SEQUENCER")
    scene = opened_anew()
    shake(bpy.data.objects["Source"])
    scene.recam.use = "stabilise"
    only("RECAM_PT_main")
    large(timeline)
    yield 2.5
    timeline = area("SEQUENCE_EDITOR", "SEQUENCER")
    sidebar(timeline, "panel_stabilise")
    with inside(timeline):
        bpy.ops.recam.add_move(kind="arc_left", arc=math.radians(12))
    activate(strip())
    settings = scene.recam
    settings.use, settings.use_at, settings.use_hold, settings.use_ease = "freeze", 8, 8, 3
    yield 2.5
    sidebar(timeline, "panel_freeze")
    settings.use, settings.source_camera, settings.use_known, settings.known_distance = "move", None, True, 4.2
    settings.known_frame, settings.known_x, settings.known_y = 1, 431.0, 212.0
    only("RECAM_PT_solve")
    yield 2.0
    sidebar(timeline, "panel_footage_camera")
    large(timeline)
    yield 1.5
    scene = opened_anew()
    settings = scene.recam
    settings.use, settings.use_hold = "closer", 6
    for name, value in (("width", 0.34), ("height", 0.34), ("x", 0.33), ("y", 0.2)):
        setattr(settings, f"use_region_{name}", value)
    only("RECAM_PT_main")
    with inside(area("SEQUENCE_EDITOR", "SEQUENCER")):
        bpy.ops.sequencer.view_all()
    yield 2.5
    photograph("closer", width=1000)
    yield from crop(scene)
    opened_anew()
    yield 1.5


def opened_anew():
    bpy.ops.wm.open_mainfile(filepath=BLEND, load_ui=False)
    window().workspace.sequencer_scene = edit()
    activate(strip())
    return edit()


def shake(camera):
    """By a few millimetres and parts of a degree, as a hand does."""
    place, turn = camera.location.copy(), camera.rotation_euler.copy()
    for frame in range(1, 1 + strip().frame_final_duration, 2):
        camera.location = [value + 0.01 * math.sin(frame * 1.7 + axis) for axis, value in enumerate(place)]
        camera.rotation_euler = [value + 0.006 * math.sin(frame * 1.1 + 2 * axis) for axis, value in enumerate(turn)]
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_euler", frame=frame)


def crop(scene):
    """What a network is shown of footage of another shape."""
    source = bpy.path.abspath(strip().filepath)
    path = os.path.join(os.path.dirname(source), "square.mp4")
    subprocess.run(["ffmpeg", "-v", "error", "-i", source, "-vf", "crop=480:480", path], check=True)
    strip().mute = True
    square = scene.sequence_editor.strips.new_movie("square", path, 3, 1, fit_method="FIT")
    square.filepath = bpy.path.relpath(path)
    square.frame_final_duration = strip().frame_final_duration
    activate(square)
    scene.recam.use, scene.recam.engine, scene.recam.fit = "move", "recammaster", "crop"
    only("RECAM_PT_network")
    with inside(area("SEQUENCE_EDITOR", "SEQUENCER")):
        bpy.ops.sequencer.view_all()
    yield 3.0
    photograph("network_crop", width=1000)
    os.remove(path)


def begin_anew(scene):
    """As somebody has it who has just added a clip: a camera that stands still, and Blender's own size."""
    source = bpy.data.objects["Source"]
    camera = bpy.data.objects.new("Camera", source.data.copy())
    camera.matrix_world = source.matrix_world
    scene.collection.objects.link(camera)
    scene.recam.camera, scene.recam.source_camera = camera, None
    scene.render.resolution_x, scene.render.resolution_y = 1920, 1080


def forecast(scene):
    only("RECAM_PT_main")
    timeline = area("SEQUENCE_EDITOR", "SEQUENCER")
    with inside(timeline):
        bpy.ops.sequencer.view_all()
        bpy.ops.recam.forecast("INVOKE_DEFAULT")
    known = part("forecast")
    yield from waited(lambda: known.told(scene) and not known.told(scene).stale, FORECAST_SECONDS, "forecast")
    yield 1.5
    x, y, width, height = rectangle(timeline)
    picture("forecast", (x, y + 27, width, height - 54))


def takes(scene):
    """Three in the queue, and what came of them."""
    jobs = part("jobs")
    timeline = area("SEQUENCE_EDITOR", "SEQUENCER")
    large(timeline)
    yield 1.5
    timeline = area("SEQUENCE_EDITOR", "SEQUENCER")
    only("RECAM_PT_main", "RECAM_PT_queue")
    for _ in range(3):
        with inside(timeline):
            bpy.ops.recam.render("INVOKE_DEFAULT")
        yield 0.2
    first = jobs.entries()[0].number
    ready = lambda: (running := jobs.running()) and (running.preview or running.number != first)  # noqa: E731
    yield from waited(ready, TAKE_SECONDS, "picture of a take so far")
    yield 0.7
    only("RECAM_PT_queue")
    yield 0.3
    sidebar(timeline, "panel_queue")
    x, y, width, height = rectangle(region(timeline, "UI"))
    picture("status_bar", (x + width - 560, y + height + 27, 560, 27))
    yield from waited(lambda: not jobs.entries(), TAKE_SECONDS, "takes")
    only("RECAM_PT_takes")
    yield 1.5
    sidebar(timeline, "panel_takes")
    large(timeline)
    yield 1.5
    only("RECAM_PT_main", "RECAM_PT_takes")
    with inside(area("SEQUENCE_EDITOR", "SEQUENCER")):
        bpy.ops.sequencer.view_all()
    yield 2.0
    photograph("workbench")


def view(scene):
    """The 3D view: the overlay from beside, then what is seen through the camera."""
    scene.recam.frustum_step = 6
    large(area("VIEW_3D"))
    yield 1.5
    space = area("VIEW_3D").spaces.active
    space.show_region_ui = True
    yield 0.5
    region(area("VIEW_3D"), "UI").active_panel_category = "ReCam"
    only("RECAM_PT_view", "RECAM_PT_view_overlay")
    seen = space.region_3d
    seen.view_perspective, seen.view_distance, seen.view_location = "PERSP", 6.0, (-0.6, -3.4, 1.2)
    seen.view_rotation = Euler((math.radians(62), 0, math.radians(48))).to_quaternion()
    scene.recam.frustum_size = 0.5
    yield 2.0
    sidebar(area("VIEW_3D"), "panel_view", VIEW_HEIGHT)
    x, y, width, height = rectangle(area("VIEW_3D"))
    photograph("overlay", (x, y + 27, width, height - 27), 1000)
    space.shading.type = "WIREFRAME"
    with inside(area("VIEW_3D")):
        bpy.ops.recam.see_through("INVOKE_DEFAULT")
    yield 2.0
    redraw()
    yield 1.0
    photograph("see_through", (x, y + 27, width, height - 27), 1000)
    with inside(area("VIEW_3D")):
        bpy.ops.recam.live_preview("INVOKE_DEFAULT")
    yield from waited(lambda: part("overlay.state").picture() is not None, LIVE_SECONDS, "live preview")
    yield 3.0
    photograph("live_preview", (x, y + 27, width, height - 27), 1000)
    with inside(area("VIEW_3D")):
        bpy.ops.recam.live_preview("INVOKE_DEFAULT")
    large(area("VIEW_3D"))
    yield 1.5


def menus():
    """What opens beside the mouse and stays until Escape."""
    timeline = area("SEQUENCE_EDITOR", "SEQUENCER")
    x, y = rectangle(timeline)[0] + 500, rectangle(timeline)[1] + 20
    only("RECAM_PT_main")
    for preset in ("Quick look", "Delivery"):
        bpy.ops.recam.preset_add(name=preset)
    for name, call, box in (
        ("menu_moves", lambda: bpy.ops.wm.call_menu(name="RECAM_MT_moves"), (-270, -80, 350, 490)),
        ("presets", lambda: bpy.ops.wm.call_panel(name="RECAM_PT_presets"), (-140, -120, 420, 240)),
        ("explanation", lambda: bpy.ops.recam.explain("INVOKE_DEFAULT", topic="shaky"), (-60, -60, 560, 280)),
    ):
        hand("mousemove", x, y)
        yield 0.7
        with inside(timeline):
            call()
        yield 0.5
        picture(name, (x + box[0], y + box[1], *box[2:]))
        hand("key", "Escape")
        yield 1.0


def hand(*arguments):
    subprocess.run(["xdotool", *map(str, arguments)], check=True)


def end():
    os._exit(0)


def tick():
    try:
        return next(steps)
    except StopIteration:
        end()
    except BaseException:
        traceback.print_exc()
        subprocess.run(["import", "-window", "root", os.path.join(FOLDER, "late.png")], check=False)
        os._exit(1)


steps = story()
bpy.app.timers.register(tick, first_interval=1.0, persistent=True)
