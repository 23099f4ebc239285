"""At the width that sidebars have, no text of ReCam's panels is cut off, in English and in one 1.4 times as long."""

import re
import types

import bpy
import pytest
import setups
import sidebar

from samples import pseudo, texts

LANGUAGES = ("English", "pseudo")


@pytest.fixture(autouse=True)
def own(recam, folder, monkeypatch):
    recam("runtime").stop_worker()
    with setups.first_start(recam, folder, monkeypatch) as own:
        yield own
    recam("tasks").stop_all()


@pytest.fixture(scope="module")
def known():
    return set(texts.collect().places)


@pytest.fixture(params=LANGUAGES)
def speak(request, recam, known):
    """The language, as Blender speaks it and as ReCam does."""
    if request.param == "English":
        yield str
        return

    def say(text):
        return pseudo.pseudo(text) if text in known else text

    recam("texts").use(say)
    yield say
    recam("texts").use(str)


@pytest.fixture
def scene(clip):
    scene = bpy.context.scene
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strip = strips.new_movie("clip", str(clip), 1, 1)
    editor.active_strip = strip
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    bpy.context.window.scene = scene
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = scene
    return scene


def panels(recam):
    """ReCam's panels in sidebars, each with the width of its sidebar."""
    widths = {"SEQUENCE_EDITOR": sidebar.SEQUENCER, "VIEW_3D": sidebar.VIEW}
    for feature in recam("registration").FEATURES:
        for each in feature.CLASSES:
            if issubclass(each, bpy.types.Panel) and each.bl_region_type == "UI":
                yield each, widths[each.bl_space_type]


def shown(recam, speak, scene):
    for panel, width in panels(recam):
        context = sidebar.Context(width, scene=scene)
        if not hasattr(panel, "poll") or panel.poll(context):
            yield from ((panel.__name__, each) for each in sidebar.draw(panel, width, speak, scene=scene))


@pytest.fixture(params=["fresh", "ready", "everything"])
def state(request, recam, scene, monkeypatch):
    """A machine without the backend; with it; and with all that the settings can show, and a queue."""
    if request.param == "fresh":
        return
    monkeypatch.setattr(recam("needs"), "need", lambda _engine: None)
    monkeypatch.setattr(recam("watching"), "look", recam("watching").look_now)
    if request.param == "everything":
        own = scene.recam
        own.size, own.range, own.depth = "custom", "preview", "file"
        for name in ("use_lens", "use_steps", "use_guidance", "use_negative_prompt", "use_camera_frame"):
            setattr(own, name, True)
        jobs, asked = recam("jobs"), recam("request").Request(strip="clip", scene=scene.name)
        for number, stage in enumerate(("running", "waiting"), 1):
            jobs._entries.append(jobs.Entry(number, asked, stage=stage))
        monkeypatch.setattr(recam("runtime"), "busy", True)


@pytest.fixture(autouse=True)
def no_queue(recam):
    yield
    recam("jobs")._entries.clear()


@pytest.mark.parametrize("engine", ["reproject", "recammaster"])
@pytest.mark.usefixtures("state")
def test_nothing_is_cut_off(recam, speak, scene, engine):
    scene.recam.engine = engine
    drawn = list(shown(recam, speak, scene))
    assert len(drawn) > 40
    cut = [f"{name}: {each.text!r} needs {each.needs:.0f} of {each.gets:.0f}" for name, each in drawn if each.is_cut]
    assert cut == []


@pytest.mark.parametrize("speak", ["pseudo"], indirect=True)
@pytest.mark.parametrize("engine", ["reproject", "recammaster"])
@pytest.mark.usefixtures("state")
def test_all_that_is_shown_is_translated(recam, speak, scene, engine):
    scene.recam.engine = engine
    left = {each.text for _, each in shown(recam, speak, scene) if re.search(r"[A-Za-z]{3}", each.text)}
    # A sentence that is wrapped has its brackets in two of its lines.
    left = {text for text in left if not re.search(r"[\[\]âêîôûŷÂÊÎÔÛŶ]", text)}
    assert left - {"clip", "Camera", scene.name, *NAMES} == set()


@pytest.mark.parametrize("speak", ["pseudo"], indirect=True)
@pytest.mark.usefixtures("state")
def test_menus_and_preferences_are_translated(recam, speak, scene, own):
    layout = sidebar.Layout(800, speak=speak)
    context = sidebar.Context(800, scene=scene)
    for feature in recam("registration").FEATURES:
        for each in feature.CLASSES:
            if issubclass(each, bpy.types.Menu):
                each.draw(types.SimpleNamespace(layout=layout), context)
    preferences = recam("preferences_panel").RECAM_AP_preferences
    preferences.draw(types.SimpleNamespace(layout=layout, bl_rna=own.bl_rna), context)
    layout.finish()
    assert len(layout.page) > 60
    left = {each.text for each in layout.page if re.search(r"[A-Za-z]{3}", each.text)}
    left = {text for text in left if not re.search(r"[\[\]âêîôûŷÂÊÎÔÛŶ/\\]", text)}
    assert left - set(NAMES) == set()


NAMES = ("ReCam", "Reproject", "ReCamMaster")
"""Called so in all languages."""


# The sidebar itself


def test_what_is_too_long_is_noticed():
    layout = sidebar.Layout(200)
    layout.label(text="Short")
    layout.label(text="A label that is much too long for two hundred pixels")
    row = layout.row(align=True)
    row.label(text="Half of the row or so")
    row.label(text="and another half of it")
    row = layout.row()
    row.label(text="Most of a row")
    row.operator("wm.save_mainfile", text="", icon="X")
    layout.split(factor=0.1).label(text="Narrow")
    layout.finish()
    assert [each.text for each in layout.page if each.is_cut] == [
        "A label that is much too long for two hundred pixels",
        "Half of the row or so",
        "and another half of it",
        "Narrow",
    ]


def test_split_properties_have_two_fifths_for_their_names():
    layout = sidebar.Layout(300)
    layout.use_property_split = True
    layout.prop(bpy.context.scene.render, "resolution_percentage")
    layout.prop(bpy.context.scene.render, "use_persistent_data")
    layout.finish()
    name, tick = layout.page
    assert name.gets == pytest.approx(0.4 * 300 - 5)
    assert tick.gets == pytest.approx(0.6 * 300 - 5)


@pytest.mark.parametrize("use", ["stabilise", "lock", "closer", "outpaint", "freeze"])
def test_nothing_of_a_use_is_cut_off(recam, speak, scene, use, monkeypatch):
    """Its settings, and all that is doubtful about them."""
    monkeypatch.setattr(recam("needs"), "need", lambda _engine: None)
    monkeypatch.setattr(recam("watching"), "look", recam("watching").look_now)
    own = scene.recam
    own.use, own.use_outpaint_by, own.use_at, own.use_region_width = use, "frame", 400, 0.02
    for hold in (4, 400):
        own.use_hold = hold
        drawn = list(shown(recam, speak, scene))
        cut = [
            f"{name}: {each.text!r} needs {each.needs:.0f} of {each.gets:.0f}"
            for name, each in drawn
            if each.is_cut and name == "RECAM_PT_main"
        ]
        assert cut == []
