"""What is doubtful about settings is told, what is not doubtful is not, and a button that helps does help."""

import math
import statistics
import time

import bpy
import pytest
import shots
from timeline import strips


@pytest.fixture
def edit(backend_python, folder, clip, recam):
    """The small edit with nothing doubtful: its camera moves, and its view has the footage's shape and rate."""
    (folder / "clip.mkv").write_bytes(clip.read_bytes())
    scene = shots.new_edit(backend_python, folder)
    bpy.context.window.scene = scene
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = scene
    scene.recam.prompt = "Waves."
    recam("steadiness").forget()
    yield scene
    recam("steadiness").forget()
    recam("runtime").stop_worker()


@pytest.fixture
def doubts(recam, edit):
    def doubts():
        return recam("doubts").doubts(edit, recam("watching").look_now(edit))

    return doubts


def texts(found):
    return [said(each) for each in found]


def said(doubt):
    """Its text, where blanks that no line is broken at are blanks like others."""
    return doubt.text.replace("\u00a0", " ")


def press(button):
    """As the panel does."""
    group, _, verb = button.operator.partition(".")
    return getattr(getattr(bpy.ops, group), verb)(**button.options)


def still(edit):
    edit.camera.animation_data_clear()


@pytest.mark.parametrize("engine", ["reproject", "recammaster"])
def test_nothing_is_doubtful_where_all_is_well(edit, doubts, engine):
    edit.recam.engine = engine
    assert texts(doubts()) == []


def test_nothing_is_told_before_it_is_known(recam, edit):
    assert recam("doubts").doubts(edit, None) == ()


# With a button that puts it right


def _preview_range(edit):
    edit.recam.range = "preview"


def _unpinned(edit):
    edit.recam.pinned = "gone"


def _shape(edit):
    edit.render.resolution_x, edit.render.resolution_y = 500, 400


def _pixels(edit):
    edit.render.pixel_aspect_x = 2.0


def _size(edit):
    edit.recam.size, edit.recam.width, edit.recam.height = "custom", 100, 100


def _rate(edit):
    stage = bpy.data.scenes.new("Stage")
    stage.render.resolution_x, stage.render.resolution_y, stage.render.fps = 128, 64, 30
    shots.add_camera(stage, "Other", turn=0.1)
    edit.recam.camera, edit.recam.camera_scene = stage.camera, stage


def _view(edit):
    edit.view_settings.view_transform = "AgX"


def _exposure(edit):
    edit.view_settings.exposure = 1.0


@pytest.mark.parametrize(
    ("provoke", "words", "label"),
    [
        (_preview_range, "Scene 'Edit' has no preview range", "Whole Strip"),
        (_unpinned, "The pinned strip 'gone' is not in the sequencer", "Unpin"),
        (_shape, "The camera's view is 500 x 400, the take 128 x 64.", "Match"),
        (_pixels, "The camera's view is", "Match"),
        (_size, "The take is 100 x 100, the footage 128 x 64: its edges are invented.", "Use Footage Size"),
        (_rate, "Scene 'Stage' runs at 30 fps, the edit at 24.", "Match"),
        (_view, "View transform AgX changes the strips' colours.", "Set Standard"),
        (_exposure, "The scene's look, exposure or curves change the strips' colours.", "Set Standard"),
    ],
)
def test_the_button_puts_it_right(edit, doubts, provoke, words, label):
    provoke(edit)
    (doubt,) = doubts()
    assert said(doubt).startswith(words)
    assert doubt.button.label == label
    assert press(doubt.button) == {"FINISHED"}
    assert texts(doubts()) == []


@pytest.mark.parametrize("remove", [False, True])
def test_a_camera_without_keys_or_none_at_all_leads_to_the_moves(recam, edit, doubts, remove):
    if remove:
        edit.camera = None
    else:
        still(edit)
    (doubt,) = doubts()
    assert said(doubt).startswith("There is no camera" if remove else "'Target' has no keyframes here")
    assert (doubt.button.operator, doubt.button.options) == ("wm.call_menu", {"name": "RECAM_MT_moves"})
    assert hasattr(bpy.types, doubt.button.options["name"])
    # Which the menu's entries are made by.
    assert bpy.ops.recam.add_move() == {"FINISHED"}
    assert texts(doubts()) == []


# With an explanation


def _keys_elsewhere(edit):
    still(edit)
    for frame, x in ((100, 0.0), (120, 2.0)):
        edit.camera.location.x = x
        edit.camera.keyframe_insert("location", frame=frame)


def _same_camera(edit):
    edit.recam.source_camera = edit.camera


def _passes(edit):
    edit.recam.subject_distance = 2.0
    edit.camera.animation_data_clear()
    for frame, y in ((shots.START, -3.0), (shots.START + 11, -0.5)):
        edit.camera.location.y = y
        edit.camera.keyframe_insert("location", frame=frame)


def _far(edit):
    edit.recam.subject_distance = 2.0
    shots.add_camera(edit, "Far", move=20.0)


def _cuts(edit):
    edit.timeline_markers.new("A", frame=shots.START).camera = edit.camera
    edit.timeline_markers.new("B", frame=shots.START + 5).camera = shots.add_camera(edit, "Second", turn=0.1)


def _depth_of_field(edit):
    edit.camera.data.dof.use_dof = True


def _motion_blur(edit):
    edit.render.use_motion_blur = True


def _all_of_render(edit):
    _depth_of_field(edit)
    _motion_blur(edit)
    edit.render.use_border = edit.render.use_crop_to_border = True


def _other_rate(edit):
    edit.render.fps = 30


def _zoom(edit):
    for frame, lens in ((shots.START, 50.0), (shots.START + 11, 85.0)):
        edit.camera.data.lens = lens
        edit.camera.data.keyframe_insert("lens", frame=frame)


def _starts_elsewhere(edit):
    target = edit.camera
    source = shots.add_camera(edit, "Source", turn=0.1)
    for layer in edit.view_layers:
        layer.update()
    source.animation_data_clear()
    source.location, source.rotation_euler = (1.0, -3.0, 0.0), (math.pi / 2, 0.0, 0.0)
    edit.camera, edit.recam.source_camera = target, source


def _long(edit):
    edit.recam.network_frames = 5


def _wordless(edit):
    edit.recam.prompt = " "


@pytest.mark.parametrize(
    ("provoke", "engine", "words", "icon", "topic"),
    [
        (_keys_elsewhere, "reproject", "'Target' has its keys at frames 100 to 120, but", "ERROR", "time"),
        (_same_camera, "reproject", "Source and target are the same camera", "ERROR", "same"),
        (_passes, "reproject", "The camera goes 2.5 m ahead, but the subject is 2.0 m away.", "ERROR", "passes"),
        (_far, "reproject", "The camera moves 20 m, with the subject 2.0 m away.", "ERROR", "passes"),
        (_cuts, "reproject", "2 cameras by markers: each makes a take of its own.", "INFO", "cuts"),
        (_depth_of_field, "reproject", "Of the scene's renders, takes do not have depth of field.", "INFO", "dof"),
        (_motion_blur, "reproject", "Of the scene's renders, takes do not have motion blur.", "INFO", "motion_blur"),
        (_all_of_render, "reproject", "Of the scene's renders, takes do not have depth of field, m", "INFO", "render"),
        (_other_rate, "reproject", "The footage has 24 fps, the scene 30.", "INFO", "rate"),
        (_zoom, "recammaster", "The lens changes, which the network cannot follow.", "ERROR", "lens"),
        (_starts_elsewhere, "recammaster", "The camera starts 1 m from the source.", "ERROR", "first_view"),
        (_long, "recammaster", "The network draws 5 frames at once: the 12 frames are drawn", "INFO", "length"),
        (_wordless, "recammaster", "The prompt is empty: say what the footage shows.", "INFO", "prompt"),
    ],
)
def test_what_nothing_puts_right_is_explained(recam, edit, doubts, provoke, engine, words, icon, topic):
    edit.recam.engine = engine
    provoke(edit)
    (doubt,) = doubts()
    assert said(doubt).startswith(words)
    assert (doubt.icon, doubt.topic) == (icon, topic)
    assert topic in recam("explanations").TOPICS


@pytest.mark.parametrize("provoke", [_zoom, _starts_elsewhere, _long, _wordless])
def test_what_only_the_network_cannot_do_is_no_doubt_for_the_other_engine(edit, doubts, provoke):
    provoke(edit)
    assert texts(doubts()) == []


def test_a_still_target_is_another_view_where_the_source_camera_moves_or_stands_elsewhere(edit, doubts):
    target = edit.camera
    source = shots.add_camera(edit, "Source", turn=0.1)
    edit.camera, edit.recam.source_camera = target, source
    still(edit)
    assert texts(doubts()) == []
    source.animation_data_clear()
    source.location.x = 1.0
    assert texts(doubts()) == []
    source.matrix_basis = target.matrix_basis
    assert [each.topic for each in doubts()] == ["still"]


def test_depth_of_its_own_lets_a_camera_pass(edit, doubts):
    _passes(edit)
    edit.recam.depth = "scene"
    assert texts(doubts()) == []


def test_footage_that_is_gone_is_told_before_the_button_is_pressed(recam, edit, doubts, folder):
    (folder / "clip.mkv").rename(folder / "elsewhere.mkv")
    recam("take_list").look_again()
    (told,) = texts(doubts())
    assert told.startswith("The file of strip 'clip' is missing")
    assert "clip.mkv" in told
    (folder / "elsewhere.mkv").rename(folder / "clip.mkv")
    recam("take_list").look_again()
    assert texts(doubts()) == []


# How the footage was held


@pytest.fixture
def held(recam, edit):
    """Have it be known how the footage was held."""

    def held(kind, moves):
        steadiness = recam("steadiness")
        found = recam.backend("foresight").Steadiness(shake=1.0, moves=moves, kind=kind)
        steadiness._known[steadiness._shown(strips(edit)[0])] = (0, 0), found

    return held


@pytest.mark.parametrize(
    ("kind", "moves", "words"),
    [
        ("still", 0.1, []),
        ("smooth", 2.0, []),
        ("smooth", 20.0, ["The footage's camera moves, and no source camera follows it."]),
        ("shaky", 1.0, ["The footage is shaky, and no source camera follows it."]),
    ],
)
def test_footage_that_moves_needs_a_source_camera(edit, doubts, held, kind, moves, words):
    held(kind, moves)
    assert texts(doubts()) == words
    target = edit.camera
    edit.recam.source_camera = source = shots.add_camera(edit, "Source", turn=0.1)
    edit.camera = target
    assert texts(doubts()) == []
    source.animation_data_clear()
    assert texts(doubts()) == [
        each.replace("and no source camera follows it", "but the source camera stands still") for each in words
    ]


def test_a_trim_is_looked_at_anew(recam, edit, held):
    held("shaky", 1.0)
    (strip,) = strips(edit)
    assert recam("steadiness").of(edit, strip).kind == "shaky"
    recam("compat").set_span(strip, shots.START + 2, shots.START + 8)
    assert recam("steadiness").of(edit, strip) is None


def test_the_worker_tells_how_footage_was_held(recam, edit, backend_python):
    found = recam("tasks").drain(recam("steadiness").ask("Edit"))
    assert found.kind in recam.backend("foresight").STEADY_KINDS


def _tick(steadiness):
    """As Blender's timer does, once it has been quiet."""
    name, shown, _ = steadiness._wanted
    steadiness._wanted = name, shown, 0.0
    assert steadiness._tick() is None


def test_no_process_is_started_for_it(recam, edit, monkeypatch):
    runtime, steadiness = recam("runtime"), recam("steadiness")
    runtime.stop_worker()
    assert steadiness.of(edit, strips(edit)[0]) is None
    _tick(steadiness)
    assert not runtime.warm(runtime.QUESTIONS)
    assert steadiness._known == {}


def test_a_worker_that_runs_is_asked_once_and_anew_when_the_file_is_another(recam, edit, backend_python, monkeypatch):
    monkeypatch.setenv("RECAM_PYTHON", backend_python)
    runtime, steadiness = recam("runtime"), recam("steadiness")
    runtime.worker(name=runtime.QUESTIONS)
    asked, ask = [], steadiness.ask
    monkeypatch.setattr(steadiness, "ask", lambda name: asked.append(name) or ask(name))
    (strip,) = strips(edit)
    path = steadiness._files(edit, strip)[0]
    for _ in range(2):
        steadiness.of(edit, strip)
        _tick(steadiness)
    known = steadiness.of(edit, strip)
    assert known.kind in recam.backend("foresight").STEADY_KINDS
    assert asked == ["Edit"]
    with open(path, "ab") as file:
        file.write(b"more")
    # Drawing looks at no disk: it is told the former until the worker has looked.
    assert steadiness.of(edit, strip) == known
    _tick(steadiness)
    assert asked == ["Edit", "Edit"]


def test_the_worker_is_asked_about_what_the_strip_shows(recam, edit):
    (strip,) = strips(edit)
    frames = recam("steadiness").shown_footage(edit, strip).frames
    assert frames == tuple(range(shots.FRAMES))
    recam("compat").set_span(strip, shots.START + 2, shots.START + 8)
    assert recam("steadiness").shown_footage(edit, strip).frames == tuple(range(2, 8))
    # Held past its ends, a strip shows no other frames of its file.
    recam("compat").set_span(strip, shots.START - 5, shots.START + 30)
    assert recam("steadiness").shown_footage(edit, strip).frames == tuple(range(shots.FRAMES))
    strips(edit).new_effect("colour", "COLOR", 3, 1, **recam_length(20))
    with pytest.raises(recam("errors").ReCamError, match="cannot be told"):
        recam("steadiness").shown_footage(edit, strips(edit)["colour"])


def recam_length(frames):
    """What says how long a new strip is: 5.0 has other words for it."""
    return {"length": frames} if bpy.app.version >= (5, 0, 0) else {"frame_end": 1 + frames}


def test_sidebars_are_drawn_anew_for_what_changes_no_path(recam, edit, monkeypatch):
    watching, drawn = recam("watching"), []
    monkeypatch.setattr(watching, "redraw", lambda: drawn.append(1))
    watching.look(edit)
    while watching._tick() == watching._BUSY_SECONDS:
        pass  # a look takes as many ticks as the machine needs
    drawn.clear()
    watching._tick()
    assert drawn == []
    edit.render.use_motion_blur = True
    watching._tick()
    assert drawn == [1]


# As often as a sidebar is drawn


def test_they_cost_next_to_nothing(recam, edit):
    _all_of_render(edit)
    _view(edit)
    edit.recam.engine = "recammaster"
    edit.recam.source_camera = edit.camera
    seen, taken = recam("watching").look_now(edit), []
    for _ in range(50):
        begin = time.perf_counter()
        found = recam("doubts").doubts(edit, seen)
        taken.append(time.perf_counter() - begin)
    assert len(found) == 3
    assert statistics.median(taken) < 0.002
