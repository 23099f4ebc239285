"""What the sidebars show, and what their small buttons do."""

import itertools

import bpy
import drawn
import pytest
import shots


@pytest.fixture
def edit(backend_python, folder, clip, recam):
    """The small edit, looked at as in a window."""
    (folder / "clip.mkv").write_bytes(clip.read_bytes())
    scene = shots.new_edit(backend_python, folder)
    bpy.context.window.scene = scene
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = scene
    recam("steadiness").forget()
    yield scene
    recam("jobs").clear()
    recam("runtime").forget()
    recam("steadiness").forget()


@pytest.fixture
def sequencer(recam, edit):
    """What ReCam's panels in the sequencer show, all of them unfolded."""

    def sequencer():
        recam("watching").look_now(edit)
        panels = (*recam("panel").CLASSES, *recam("panel_settings").CLASSES)
        return drawn.draw(panels, scene=edit)

    return sequencer


@pytest.fixture
def view(recam, edit):
    """What they show in the 3D view."""

    def view():
        recam("watching").look_now(edit)
        return drawn.draw(recam("view_panel").CLASSES, area="VIEW_3D", width=280)

    return view


# The sequencer's


def test_an_engine_is_shown_what_it_uses_and_no_more(edit, sequencer):
    names = sequencer().names
    assert {"depth", "subject_distance", "mask", "use_lens", "lens", "range", "handles", "size", "format"} <= set(names)
    assert not {"prompt", "quality", "seed", "plan", "device"} & set(names)
    edit.recam.engine = "recammaster"
    names = sequencer().names
    assert not {"depth", "depth_path", "mask", "subject_distance"} & set(names)
    shown = {"quality", "prompt", "prompt_text", "seed", "lock_seed", "steps", "guidance", "negative_prompt"}
    shown |= {"network_frames", "network_width", "network_height", "fit", "cache", "device", "plan", "compile"}
    assert shown <= set(names)
    assert names.index("engine") < names.index("quality") < names.index("prompt") < names.index("seed")


def test_what_says_nothing_is_hidden(edit, sequencer):
    edit.recam.source_camera = edit.camera
    edit.recam.depth = "file"
    edit.recam.size = "custom"
    names = sequencer().names
    assert not {"use_lens", "lens"} & set(names)
    assert {"depth_path", "depth_scale", "width", "height"} <= set(names)


def test_what_is_understood_is_told_in_words(edit, sequencer):
    shots.add_camera(edit, "Moves", move=2.0)
    assert "12 frames, 24 fps, camera moves 2.0 m, lens fixed at 50 mm" in sequencer().text
    edit.render.fps, edit.render.fps_base = 30, 1.001
    assert "29.97 fps" in sequencer().text


def test_a_doubt_is_shown_with_the_buttons_that_help_and_explain(edit, sequencer):
    edit.render.resolution_x, edit.render.resolution_y = 500, 400
    drawn = sequencer()
    assert "The camera's view is 500 x 400, the take 128 x 64." in drawn.text.replace("\u00a0", " ")
    assert drawn.button("recam.match_view")[0] == "Match"
    assert "view" in {options.topic for name, _, options in drawn.buttons if name == "recam.explain"}


def test_the_button_says_what_it_does_now(recam, edit, sequencer):
    assert sequencer().button("recam.render")[0] == "Re-shoot"
    recam("jobs").add(recam("request").Request(scene="Edit", strip="clip"))
    assert sequencer().button("recam.render")[0] == "Add to Queue"


def test_a_message_keeps_its_lines_and_its_parts(recam, sequencer):
    runtime = recam("runtime")
    runtime.message = runtime.Message("One.\nTwo.", "ERROR", ("Warned.",), ("Noted.",))
    words = sequencer().words
    at = words.index("One.")
    assert words[at : at + 4] == ["One.", "Two.", "Warned.", "Noted."]


def test_what_a_doubt_tells_is_not_told_twice(recam, edit, sequencer):
    edit.view_settings.view_transform = "AgX"
    runtime = recam("runtime")
    runtime.message = runtime.Message("Made.", "CHECKMARK", (*recam("sequencer").view_transform_warning(edit), "Else."))
    shown = sequencer()
    assert shown.words[-1] == "Else."
    assert shown.text.count("AgX") == 1


def test_footage_is_the_active_strip_or_the_pinned_one(recam, edit, sequencer):
    assert "clip" in sequencer().words
    assert bpy.ops.recam.pin() == {"FINISHED"}
    assert edit.recam.pinned == "clip"
    edit.sequence_editor.active_strip = None
    shown = sequencer()
    assert recam("request").chosen_footage(edit).name == "clip"
    assert ("pinned" in shown.names, "recam.unpin" in shown.operators, shown.alerts) == (True, True, 0)
    edit.recam.pinned = "gone"
    shown = sequencer()
    assert shown.alerts == 1
    assert "The pinned strip 'gone' is not in the sequencer" in shown.text
    assert bpy.ops.recam.unpin() == {"FINISHED"}
    assert edit.recam.pinned == ""
    shown = sequencer()
    assert "No strip selected" in shown.words
    assert "pinned" not in shown.names


def test_presets_are_in_the_header(sequencer):
    assert "RECAM_PT_presets" in sequencer().operators


def test_panels_come_in_blenders_order(recam):
    panels = recam("panel_settings").CLASSES
    assert [each.bl_parent_id for each in panels] == ["RECAM_PT_main"] * len(panels)
    orders = [each.bl_order for each in panels]
    # Below the queue (10), above the takes (40).
    assert orders == sorted(orders)
    assert orders[0] > 10
    assert orders[-1] < 40


# The 3D view's


def test_the_view_shows_what_the_sequencer_understood(edit, view):
    edit.render.resolution_x, edit.render.resolution_y = 500, 400
    shown = view()
    assert {"camera", "show_path", "show_frusta", "show_numbers", "frustum_step", "frustum_size"} <= set(shown.names)
    assert {"RECAM_MT_moves", "recam.see_through", "recam.forecast", "recam.render", "recam.match_view"} <= set(
        shown.operators
    )
    assert "12 frames, 24 fps, camera pans 2.9° left" in shown.text


def test_a_view_without_an_edit_offers_moves(recam):
    shown = drawn.draw(recam("view_panel").CLASSES, area="VIEW_3D", width=280)
    assert shown.operators == ["RECAM_MT_moves"]
    assert shown.text == "Add the footage to the sequencer: Add > Movie."


# The small buttons


@pytest.mark.parametrize("name", ["pin", "match_view"])
def test_buttons_for_footage_say_that_there_is_none(edit, name):
    edit.sequence_editor.active_strip = None
    with pytest.raises(RuntimeError, match="Select the strip to re-shoot in the sequencer"):
        getattr(bpy.ops.recam, name)()


def test_the_view_is_matched_to_footage_in_a_scene_of_its_own(recam, edit):
    stage = bpy.data.scenes.new("Stage")
    shots.add_camera(stage, "Other")
    edit.recam.camera, edit.recam.camera_scene = stage.camera, stage
    stage.render.resolution_x, stage.render.resolution_y, stage.render.fps = 500, 400, 60
    before = edit.render.resolution_x, edit.render.resolution_y
    assert bpy.ops.recam.match_view() == {"FINISHED"}
    assert (stage.render.resolution_x, stage.render.resolution_y, stage.render.fps) == (128, 64, 24)
    assert (edit.render.resolution_x, edit.render.resolution_y) == before
    edit.recam.size, edit.recam.width, edit.recam.height = "custom", 300, 300
    assert bpy.ops.recam.match_view() == {"FINISHED"}
    assert (stage.render.resolution_x, stage.render.resolution_y) == (300, 300)


def test_the_standard_view_is_set_with_all_that_goes_with_it(recam, edit):
    view = edit.view_settings
    view.view_transform, view.exposure, view.gamma, view.use_curve_mapping = "AgX", 1.0, 2.0, True
    assert bpy.ops.recam.set_standard_view() == {"FINISHED"}
    assert recam("sequencer").view_transform_warning(edit) == []


def test_the_next_seed_comes_after_and_never_fails(edit):
    edit.recam.seed = 41
    assert bpy.ops.recam.next_seed() == {"FINISHED"}
    assert edit.recam.seed == 42
    edit.recam.seed = 2**31 - 1
    assert bpy.ops.recam.next_seed() == {"FINISHED"}
    assert edit.recam.seed == 0


def test_a_long_prompt_goes_into_a_text(recam, edit):
    edit.recam.engine, edit.recam.prompt = "recammaster", "A dog."
    assert bpy.ops.recam.new_prompt_text() == {"FINISHED"}
    text = edit.recam.prompt_text
    assert (text.name, text.as_string()) == ("Prompt of clip", "A dog.")
    text.write("\nIt runs\n  along the beach.")
    assert recam("request").from_settings(edit).prompt == "A dog. It runs along the beach."


def test_cameras_are_chosen_from_the_3d_view(recam, edit):
    camera = shots.add_camera(edit, "Other")
    layer = bpy.context.view_layer
    layer.objects.active = camera
    assert bpy.ops.recam.use_camera() == {"FINISHED"}
    assert bpy.ops.recam.use_source_camera() == {"FINISHED"}
    assert (edit.recam.camera, edit.recam.source_camera) == (camera, camera)
    layer.objects.active = None
    with pytest.raises(RuntimeError, match="Select a camera"):
        bpy.ops.recam.use_camera()


# Words


@pytest.mark.parametrize(
    "text",
    [
        "The camera's view is 1920\u00a0x\u00a01080, the take 832 x 480.",
        "カメラの視点は撮影された映像と異なるため、最初のフレームが一致しません。",
        "/a/path/that/is/longer/than/any/line/of/a/sidebar/could/ever/be/and/has/no/blanks.mp4",
        "One.\nTwo, which is longer than what fits into a line.",
    ],
)
@pytest.mark.parametrize("pixels", [60, 150, 300])
def test_lines_are_no_wider_than_there_is_room_and_lose_nothing(recam, text, pixels):
    drawing = recam("drawing")
    lines = drawing.fit(text, pixels, 1.0)
    assert all(drawing.width(each, 1.0) <= pixels for each in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
    if pixels > 100:
        assert any("1920\u00a0x\u00a01080" in each for each in lines) or "1920" not in text
    # As few as can be: no line would take the next one's first word as well.
    for one, other in itertools.pairwise(lines):
        if " " in text and not text.startswith("One."):
            word = other.split(" ")[0]
            assert drawing.width(f"{one} {word}", 1.0) > pixels


@pytest.mark.parametrize("text", ["camera moves 1.5 m and stops", "up to 16 % invented", "at 23.98 fps, lens at 50 mm"])
def test_a_number_stays_with_its_unit(recam, text):
    drawing = recam("drawing")
    for pixels in range(80, 300, 7):
        lines = drawing.fit(text, pixels, 1.0)
        assert not [each for each in lines if each.split()[0].strip(",") in ("m", "%", "fps", "mm")], lines
        assert " ".join(lines) == text


def test_an_explanation_says_it_all_in_a_report_where_there_is_no_window(recam):
    topics = recam("explanations").TOPICS
    for name in topics:
        assert bpy.ops.recam.explain(topic=name) == {"FINISHED"}
    with pytest.raises(RuntimeError, match="There is nothing to explain by the name 'nothing'"):
        bpy.ops.recam.explain(topic="nothing")
