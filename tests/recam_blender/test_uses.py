"""What takes are for: chosen and set in the panel, told in words, drawn as the take will go, and made."""

import itertools
import math
import types

import bpy
import drawn
import numpy as np
import pytest
import shots
from timeline import in_window, strips

END = shots.START + shots.FRAMES


@pytest.fixture
def edit(backend_python, folder, clip, recam, monkeypatch):
    """The small edit with a source camera that shakes."""
    monkeypatch.setenv("RECAM_PYTHON", backend_python)
    (folder / "clip.mkv").write_bytes(clip.read_bytes())
    scene = in_window(shots.new_edit(backend_python, folder))
    shake(scene)
    recam("steadiness").forget()
    yield scene
    recam("jobs").clear()
    recam("runtime").forget()
    recam("steadiness").forget()


def shake(scene, name="Shaky"):
    """A source camera that pans evenly and trembles by half a degree; the scene's own stays the target."""
    target = scene.camera
    camera = shots.add_camera(scene, name)
    scene.camera = target
    for index in range(shots.FRAMES):
        camera.location = (0.0, -3.0, 0.0)
        tremble = math.radians(0.5) * (-1) ** index
        camera.rotation_euler = (math.pi / 2 + tremble, 0.0, 0.01 * index)
        camera.keyframe_insert("location", frame=shots.START + index)
        camera.keyframe_insert("rotation_euler", frame=shots.START + index)
    scene.recam.source_camera = camera
    return camera


@pytest.fixture
def sequencer(recam, edit):
    def sequencer():
        recam("watching").look_now(edit)
        return drawn.draw((*recam("panel").CLASSES, *recam("panel_settings").CLASSES), scene=edit)

    return sequencer


@pytest.fixture
def seen(recam, edit):
    return lambda: recam("watching").look_now(edit)


@pytest.fixture
def texts(recam, edit):
    def texts():
        found = recam("doubts").doubts(edit, recam("watching").look_now(edit))
        return {each.text.replace("\u00a0", " "): each for each in found}

    return texts


@pytest.fixture
def planned(recam, edit):
    """The job that the panel asks for."""

    def planned():
        with recam("runtime").scratch_folder() as place:
            work = recam("planning").plan(recam("request").from_settings(edit), place)
            (shot,) = recam("tasks").drain(work)
        return shot.job

    return planned


def press(button):
    group, _, verb = button.operator.partition(".")
    return getattr(getattr(bpy.ops, group), verb)(**button.options)


# The panel

SHOWN = {
    "move": set(),
    "stabilise": {"use_strength"},
    "lock": {"use_at"},
    "closer": {"use_closer_by", "use_hold", *(f"use_region_{each}" for each in ("x", "y", "width", "height"))},
    "outpaint": {"use_outpaint_by", "use_factor", "use_keep"},
    "freeze": {"use_at", "use_hold", "use_ease"},
}


@pytest.mark.parametrize("use", SHOWN)
def test_a_use_shows_its_own_settings_alone(edit, sequencer, use):
    edit.recam.use, edit.recam.use_outpaint_by, edit.recam.use_hold = use, "frame", 4
    names = sequencer().names
    optional = {"use_lens", "use_camera_frame", "use_steps", "use_guidance", "use_negative_prompt"}
    assert {each for each in names if each.startswith("use_")} - optional == SHOWN[use]
    assert names.index("use") < names.index("camera") < names.index("source_camera") < names.index("engine")
    assert ("relative" in names) == (use in ("move", "freeze"))


def test_strengths_are_words_and_numbers(edit, sequencer):
    edit.recam.use = "stabilise"
    strengths = [
        (label, options.seconds) for name, label, options in sequencer().buttons if name == "recam.use_strength"
    ]
    assert strengths == [("Gentle", pytest.approx(0.3)), ("Firm", 1.0), ("Strong", 3.0)]
    for words, seconds in (("gently (0.3 s)", 0.3), ("firmly (1 s)", 1.0), ("strongly (3 s)", 3.0)):
        assert bpy.ops.recam.use_strength(seconds=seconds) == {"FINISHED"}
        assert f"stabilised {words}" in sequencer().text


def test_it_is_said_why_the_camera_does_not_count(edit, sequencer):
    edit.recam.use = "stabilise"
    assert "of this one, only the lens may count" in sequencer().text
    edit.recam.source_camera = None
    assert "which starts where this one does" in sequencer().text


@pytest.mark.parametrize(
    ("use", "settings", "words"),
    [
        ("lock", {"use_at": 14}, "locked off at frame 14"),
        ("closer", {"use_closer_by": "dolly"}, "moves in until a pixel is 2 wide"),
        ("closer", {"use_closer_by": "zoom", "use_region_width": 0.25}, "zooms in until a pixel is 4 wide"),
        ("outpaint", {"use_outpaint_by": "pull", "use_factor": 1.5}, "pulls out to 1.5 times the width"),
        ("outpaint", {"use_outpaint_by": "frame", "use_factor": 2}, "2 times as wide, around the footage"),
        (
            "freeze",
            {"use_at": 14, "use_hold": 4, "use_ease": 0},
            "frames 14 to 17 hold frame 14; the action after it comes 3 frames later",
        ),
        ("freeze", {"use_at": 14, "use_hold": 8, "use_ease": 0}, "frames 14 to 21 hold frame 14, to the end"),
    ],
)
def test_what_a_take_is_for_is_told_in_words(edit, sequencer, use, settings, words):
    edit.recam.use = use
    for name, value in settings.items():
        setattr(edit.recam, name, value)
    assert words in sequencer().text


def test_a_wider_frame_says_where_the_footage_lies(edit, sequencer):
    edit.recam.use, edit.recam.use_outpaint_by, edit.recam.use_factor = "outpaint", "frame", 2.0
    assert "Take of 128 x 64, with the footage in its middle at 64 x 32." in sequencer().text.replace("\u00a0", " ")
    edit.recam.size, edit.recam.width, edit.recam.height = "custom", 256, 128
    said = sequencer().text.replace("\u00a0", " ")
    assert "Take of 256 x 128, with the footage in its middle as it is, 128 x 64." in said


# The way it will go


@pytest.mark.parametrize("use", ["stabilise", "lock", "closer", "outpaint"])
def test_the_path_that_is_drawn_is_that_of_the_take(recam, edit, seen, planned, use):
    edit.recam.use, edit.recam.use_at = use, 13
    job = recam.backend("cameras.applied").applied(planned())
    path = seen().target
    poses = [recam("sampling").matrix_world_from_pose(each, edit) for each in job.target.poses]
    assert np.allclose(path.matrices, poses, atol=1e-6)
    assert path.name == "Target"
    assert not np.allclose(path.matrices, seen().source.matrices, atol=1e-3)


def test_a_move_is_drawn_on_top_of_the_sources(edit, seen, planned):
    edit.recam.relative = True
    source, target = seen().source.matrices, seen().target.matrices
    edit.recam.relative = False
    own = seen().target.matrices
    assert np.allclose(target, source @ np.linalg.inv(own[0]) @ own, atol=1e-6)


def test_a_path_that_is_not_known_yet_is_told_as_such(edit, seen, sequencer, texts):
    edit.recam.use, edit.recam.source_camera, edit.recam.source_from = "stabilise", None, "footage"
    assert seen().unsolved
    assert "which is solved when the take is made" in sequencer().text
    assert "camera stands still" not in sequencer().text
    assert any(each.startswith("Its camera is solved when the take is made.") for each in texts())


def test_a_long_path_is_smoothed_in_the_time_it_has(recam, edit, seen, planned):
    """Thinned out, a use is counted in fewer frames: the same instants, the same seconds."""
    use = recam.backend("contract").Use(kind="freeze", at=100, hold=51, ease=20)
    limits = recam("use_limits")
    thin = limits.fewer(use, 401, 41)
    whole, few = limits.instants(use, 401), limits.instants(thin, 41)
    assert np.abs(np.array(few) * 10 - np.array(whole)[::10]).max() <= 10


def test_forecasts_ask_for_a_camera_that_is_known(recam, edit):
    edit.recam.use, edit.recam.source_camera, edit.recam.source_from = "stabilise", None, "footage"
    asked = recam("request").from_settings(edit)
    with pytest.raises(recam("errors").ReCamError, match="solve the footage first"):
        recam("tasks").drain(recam("forecast").make(asked))


@pytest.mark.parametrize(("depth", "near"), [("plane", 0.01), ("scene", 0.07)])
def test_forecasts_know_the_use(recam, edit, depth, near):
    """A frame twice as wide as the footage has three quarters beyond it, whatever the camera."""
    edit.recam.use, edit.recam.use_outpaint_by, edit.recam.use_factor = "outpaint", "frame", 2.0
    edit.recam.depth = depth
    told = recam("tasks").drain(recam("forecast").make(recam("request").from_settings(edit)))
    assert np.allclose(told.shares, 0.75, atol=near)  # with depth, in pictures of 32 pixels
    recam("runtime").stop_worker()


# Doubts


def test_nothing_to_steady_is_told_and_one_button_helps(edit, texts):
    edit.recam.use, edit.recam.source_camera = "stabilise", None
    (doubt,) = (each for text, each in texts().items() if "nothing to steady" in text)
    assert press(doubt.button) == {"FINISHED"}
    assert edit.recam.source_from == "footage"
    assert not any("nothing to steady" in text for text in texts())
    edit.recam.source_camera = shots.add_camera(edit, "Tripod")
    assert any("'Tripod' stands still: there is nothing to steady" in text for text in texts())


@pytest.mark.parametrize(("lens", "told"), [(80.0, "1.6 times as long"), (30.0, "0.6 times as long")])
def test_a_lens_that_is_not_the_footages_is_told_and_one_button_helps(edit, texts, lens, told):
    edit.recam.use = "stabilise"
    assert not any("times as long" in text for text in texts())
    edit.camera.data.lens = lens
    (doubt,) = (each for text, each in texts().items() if told in text)
    assert press(doubt.button) == {"FINISHED"}
    assert edit.camera.data.lens == 50.0
    assert not any("times as long" in text for text in texts())
    edit.camera.data.keyframe_insert("lens", frame=1)
    with pytest.raises(RuntimeError, match="is keyed, linked or shared"):
        press(doubt.button)


def test_a_hold_that_has_no_room_is_shortened(edit, texts, seen):
    edit.recam.use, edit.recam.use_at, edit.recam.use_hold, edit.recam.use_ease = "freeze", 15, 24, 4
    (doubt,) = texts().values()
    assert doubt.text == "Frame 15 cannot be held for 24 frames: there is room for 5."
    assert press(doubt.button) == {"FINISHED"}
    assert (edit.recam.use_hold, seen().trouble) == (5, "")


def test_a_frame_beside_the_strip_is_told(edit, texts):
    edit.recam.use, edit.recam.use_at = "lock", 500
    (doubt,) = (each for text, each in texts().items() if "is not in the strip" in text)
    assert doubt.text == f"Frame 500 is not in the strip: frame {END - 1} is held."
    edit.frame_set(13)
    assert press(doubt.button) == {"FINISHED"}
    assert edit.recam.use_at == 13
    assert texts() == {}


@pytest.mark.parametrize(
    ("share", "engine", "told"),
    [
        (0.6, "reproject", ""),
        (0.4, "reproject", "A pixel of the footage is stretched to 2.5: the take gets soft."),
        (0.25, "recammaster", "A pixel of the footage becomes 4.0 wide: the network makes up what is finer."),
    ],
)
def test_how_far_pixels_are_stretched_is_told(edit, texts, share, engine, told):
    edit.recam.use, edit.recam.engine, edit.recam.prompt = "closer", engine, "Waves."
    edit.recam.use_region_width = edit.recam.use_region_height = share
    found = [text for text in texts() if text.startswith("A pixel")]
    assert found == ([told] if told else [])


def test_a_codec_that_changes_what_is_kept_is_told(edit, texts):
    edit.recam.use, edit.recam.use_outpaint_by = "outpaint", "frame"
    (doubt,) = texts().values()
    assert doubt.text == "H.264 changes pixels a little, the kept ones too."
    assert press(doubt.button) == {"FINISHED"}
    assert texts() == {}


def test_true_pixels_of_a_plane_are_doubted(edit, texts):
    edit.recam.engine, edit.recam.true_pixels, edit.recam.depth, edit.recam.prompt = "recammaster", True, "plane", "W."
    (doubt,) = (each for text, each in texts().items() if "flat plane" in text)
    assert press(doubt.button) == {"FINISHED"}
    assert edit.recam.depth == "auto"


def test_following_a_camera_that_is_not_there_is_doubted(edit, texts):
    edit.recam.relative, edit.recam.source_camera = True, None
    (doubt,) = (each for text, each in texts().items() if "Follow the Source" in text)
    assert press(doubt.button) == {"FINISHED"}
    assert not any("Follow the Source" in text for text in texts())


# Menus


@pytest.mark.parametrize("kind", list(SHOWN))
def test_the_menu_sets_the_use(edit, kind):
    edit.frame_set(14)
    assert bpy.ops.recam.use(kind=kind) == {"FINISHED"}
    assert edit.recam.use == kind
    if kind in ("lock", "freeze"):
        assert edit.recam.use_at == 14


def test_the_menu_has_them_by_name(recam, edit):
    shown = drawn.draw((recam("menus").RECAM_MT_strip,), scene=edit)
    kinds = [options.kind for name, _, options in shown.buttons if name == "recam.use"]
    assert set(kinds) == set(SHOWN)


# The part that one goes in on


def test_a_part_stays_within_the_footage(edit):
    settings = edit.recam
    settings.use_region_width, settings.use_region_x = 0.2, 0.7
    settings.use_region_width = 0.6
    assert settings.use_region_x == pytest.approx(0.4)
    settings.use_region_x = 0.9
    assert settings.use_region_x == pytest.approx(0.4)


def test_a_drag_is_a_part_whichever_way_it_goes(recam):
    regions = recam("overlay").regions
    for one, other in (((0.2, 0.3), (0.6, 0.9)), ((0.6, 0.9), (0.2, 0.3)), ((0.6, 0.3), (0.2, 0.9))):
        assert regions.between(one, other) == pytest.approx((0.2, 0.3, 0.4, 0.6))
    assert regions.between((0.5, 0.5), (0.5, 0.5)) == pytest.approx((0.5, 0.5, 0.02, 0.02))
    assert regions.between((0.9, 0.9), (1.4, 1.5)) == pytest.approx((0.9, 0.9, 0.1, 0.1))
    assert regions.between((1.0, 0.2), (1.4, 0.4)) == pytest.approx((0.98, 0.2, 0.02, 0.2))


def test_places_in_the_footage_are_found_again(recam):
    frame = recam("overlay").regions.Frame(160.0, 80.0, 80.0, 40.0)
    assert frame.place(0.0, 0.0) == pytest.approx((160.0, 120.0))
    for place in ((0.0, 0.0), (1.0, 0.0), (0.25, 0.7)):
        assert frame.share(*frame.place(*place)) == pytest.approx(place)


# Takes


def test_a_take_gives_its_use_back(recam, edit, planned):
    """What the panel asks for is what a take's record brings back into the panel."""
    edit.recam.use, edit.recam.use_at, edit.recam.use_hold, edit.recam.use_ease = "freeze", 14, 4, 2
    job = planned()
    assert (job.use.kind, job.use.at, job.use.hold, job.use.ease) == ("freeze", 4, 4, 2)


@pytest.mark.parametrize(
    ("use", "settings", "name"),
    [
        ("stabilise", {}, "clip_stabilised_v001"),
        ("lock", {"use_at": 13}, "clip_locked_v001"),
        ("closer", {"use_hold": 2}, "clip_closer_v001"),
        ("outpaint", {"use_outpaint_by": "frame", "use_factor": 2.0, "format": "ffv1"}, "clip_wider_v001"),
        ("freeze", {"use_at": 13, "use_hold": 4, "use_ease": 2}, "clip_Target_frozen_v001"),
    ],
)
def test_from_the_panel_to_the_strip(recam, edit, folder, backend_python, use, settings, name):
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "edit.blend"))
    scene = bpy.data.scenes["Edit"]
    scene.recam.use = use
    for key, value in settings.items():
        setattr(scene.recam, key, value)
    scene.recam.subject_distance = 3.0
    if use == "freeze":
        scene.camera.animation_data_clear()
    assert bpy.ops.recam.render() == {"FINISHED"}
    take = strips(scene)[name]
    told = recam("take_list").told_of(take)
    assert told.use == use
    frames = shots.frames_of(backend_python, recam("take_list").path_of(scene, take))
    assert len(frames) == shots.FRAMES
    source = np.stack(shots.pictures())
    if use == "outpaint":
        assert np.abs(frames[:, 16:48, 32:96].astype(int) - _halved(source)).max() <= 6
    elif use == "freeze":
        # Frames 13 and so on show 13, as does the source camera: with a camera that stands still they are one picture.
        held = frames[4:8]
        assert min(shots.psnr(one, other) for one, other in itertools.pairwise(held)) > 40
        assert shots.psnr(frames[0], frames[1]) < 40
    word = recam("use_words").word(use)
    scene.sequence_editor.active_strip = take
    panels = drawn.draw((recam("take_panel").RECAM_PT_takes,), scene=scene)
    assert word in panels.text
    for each in ("use", *settings):
        if each != "format":
            assert getattr(recam("take_record").request_of(scene, take), each if "_by" not in each else "use_by") == (
                use if each == "use" else settings[each]
            )
    recam("runtime").stop_worker()


def _halved(pictures):
    count, height, width, _ = pictures.shape
    return pictures.reshape(count, height // 2, 2, width // 2, 2, 3).astype(float).mean(axis=(2, 4)).round().astype(int)


# What a network is shown


def test_what_the_network_is_shown_is_drawn(recam, edit, seen):
    settings, parts = edit.recam, recam("overlay").regions.parts
    settings.source_camera = None
    seen()
    assert parts(edit) == []
    settings.engine, settings.fit = "recammaster", "crop"
    settings.network_width = settings.network_height = 64
    settings.use_focus, settings.focus_x = True, 0.5
    seen()
    ((box, words, _),) = parts(edit)
    assert box == pytest.approx((0.25, 0.0, 0.5, 1.0))
    assert words == "The network sees this"
    settings.focus_x = 0.0
    seen()
    assert parts(edit)[0][0] == pytest.approx((0.0, 0.0, 0.5, 1.0))
    settings.fit = "pad"
    seen()
    assert parts(edit) == []


def test_windows_and_focus_go_into_the_job(edit, planned):
    settings = edit.recam
    settings.engine, settings.network_frames = "recammaster", 41
    generation = planned().settings.generation
    assert (generation.overlap, generation.focus_x, generation.focus_y) == (None, None, None)
    settings.use_overlap, settings.overlap, settings.use_focus, settings.focus_y = True, 12, True, 0.25
    generation = planned().settings.generation
    assert (generation.overlap, generation.focus_x, generation.focus_y) == (13, 0.5, 0.25)
    settings.overlap = 2001
    assert settings.overlap == 37


def test_a_part_lies_where_the_strip_is_drawn(recam, edit):
    """A preview that shows a pixel of the scene's 500 x 400 on half of one of its own."""
    regions = recam("overlay").regions
    edit.render.resolution_x, edit.render.resolution_y = 500, 400
    strip = strips(edit)["clip"]
    region = types.SimpleNamespace(
        view2d=types.SimpleNamespace(view_to_region=lambda x, y, clip: (400 + x / 2, 300 + y / 2))
    )
    assert regions.in_preview(edit, region) == pytest.approx((368, 284, 64, 32))
    # Moved, it is read as Blender shows it: the whole picture.
    strip.transform.offset_x = 40.0
    assert regions.in_preview(edit, region) == pytest.approx((275, 200, 250, 200))
