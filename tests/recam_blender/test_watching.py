"""What the settings mean: the path, the movement in words, and why it cannot be known."""

import math

import bpy
import numpy as np
import pytest
import shots
from timeline import strips


@pytest.fixture
def edit(backend_python, folder):
    return shots.new_edit(backend_python, folder)


@pytest.fixture
def look(recam, edit):
    return lambda: recam("watching").look_now(edit)


def test_the_path_is_where_blender_has_the_camera(recam, edit, look):
    seen = look()
    assert (seen.strip, seen.start, seen.stop, seen.size) == (
        "clip",
        shots.START,
        shots.START + shots.FRAMES,
        (128, 64),
    )
    assert seen.trouble == ""
    assert seen.target.frames == tuple(float(shots.START + each) for each in range(shots.FRAMES))
    for index in (0, 7):
        edit.frame_set(shots.START + index)
        layer = edit.view_layers[0]
        evaluated = edit.camera.evaluated_get(layer.depsgraph)
        assert np.allclose(seen.target.matrices[index], np.array(evaluated.matrix_world), atol=1e-6)
    half = 18 / edit.camera.data.lens
    assert seen.target.corners[0] == pytest.approx((-half, half, -half / 2, half / 2), rel=1e-5)
    assert seen.target.millimetres == pytest.approx([edit.camera.data.lens] * shots.FRAMES, rel=1e-5)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (lambda camera: None, "camera stands still, lens fixed at 50 mm"),
        (lambda camera: _key(camera, location=(2.0, -3.0, 0.0)), "camera moves 2.0 m, lens fixed at 50 mm"),
        (
            lambda camera: _key(camera, location=(0.0, -2.5, 0.0), rotation_euler=(math.pi / 2, 0, -math.radians(18))),
            "camera moves 50 cm and pans 18° right, lens fixed at 50 mm",
        ),
        (
            lambda camera: _key(camera, rotation_euler=(math.pi / 2 + math.radians(5), 0, 0)),
            "camera tilts 5.0° up, lens fixed at 50 mm",
        ),
        (
            lambda camera: _key(camera, rotation_euler=(math.pi / 2, -math.radians(90), 0)),
            "camera rolls 90° anticlockwise, lens fixed at 50 mm",
        ),
        (lambda camera: _key(camera.data, lens=85.0), "camera stands still, lens 50 to 85 mm"),
    ],
)
def test_the_movement_in_words(recam, edit, look, key, words):
    camera = shots.add_camera(edit, "Words")
    camera.animation_data_clear()
    camera.location, camera.rotation_euler = (0.0, -3.0, 0.0), (math.pi / 2, 0.0, 0.0)
    key(camera)
    assert look().movement.words == words


def _key(data, **values):
    for name, value in values.items():
        data.keyframe_insert(name, frame=shots.START)
        before = getattr(data, name)
        before = before if isinstance(before, float) else tuple(before)
        setattr(data, name, value)
        data.keyframe_insert(name, frame=shots.START + shots.FRAMES - 1)
        setattr(data, name, before)


def test_a_roll_to_the_right_is_clockwise(recam, edit, look):
    """To the camera's own right: what stands upright in the world then leans to the left in its picture."""
    camera = shots.add_camera(edit, "Rolls")
    camera.animation_data_clear()
    camera.location, camera.rotation_euler = (0.0, -3.0, 0.0), (math.pi / 2, 0.0, 0.0)
    _key(camera, rotation_euler=(math.pi / 2, math.radians(10), 0))
    look_end = look().target.matrices[-1]
    above = np.linalg.inv(look_end) @ (0.0, 0.0, 1.0, 1.0)  # a point straight above what the camera looks at
    assert above[0] < 0, "seen left of the middle"
    assert look().movement.roll == pytest.approx(10, abs=1e-3)


def test_what_hinders_is_told_in_words(recam, edit, look):
    edit.sequence_editor.active_strip = None
    assert look().trouble == "Select the strip to re-shoot in the sequencer."
    edit.sequence_editor.active_strip = strips(edit)["clip"]
    edit.camera.data.type = "ORTHO"
    assert "orthographic" in look().trouble
    edit.camera = None
    assert "There is no camera" in look().trouble


def test_the_stamp_changes_with_what_a_take_would_show_and_not_otherwise(edit, look):
    before = look().stamp
    edit.frame_set(3)
    edit.recam.show_path = False
    strips(edit)["clip"].mute = True
    assert look().stamp == before
    edit.camera.data.lens = 40
    moved = look().stamp
    assert moved != before
    edit.recam.subject_distance = 7
    assert look().stamp not in (before, moved)


def test_cuts_and_a_source_camera(recam, edit, look):
    one, two = shots.add_camera(edit, "One", move=1), shots.add_camera(edit, "Two")
    edit.timeline_markers.new("one", frame=1).camera = one
    edit.timeline_markers.new("two", frame=shots.START + 4).camera = two
    edit.recam.source_camera = bpy.data.objects["Target"]
    seen = look()
    assert [(each.name, len(each.frames)) for each in seen.targets] == [("One", 4), ("Two", shots.FRAMES - 4)]
    assert (seen.source.name, len(seen.source.frames)) == ("Target", shots.FRAMES)
    assert seen.offset == 0


def test_drawing_asks_and_never_waits(recam, edit):
    watching = recam("watching")
    watching.forget()
    assert watching.look(edit) is None
    assert watching.look_now(edit) is watching.look(edit)


def test_looking_leads_to_no_further_looking_and_every_change_does(recam, edit, look):
    """Each look takes a scene away again, of which Blender tells all the others."""
    bpy.context.window.scene = edit
    watching = recam("watching")
    look()
    bpy.context.view_layer.update()
    look()
    watched = watching._watched[edit.name]
    bpy.context.view_layer.update()
    assert not watched.stale
    edit.camera.location.z = 1
    bpy.context.view_layer.update()
    assert watched.stale
    for change in (
        lambda: setattr(edit.camera.data, "lens", 35),
        lambda: setattr(strips(edit)["clip"], "use_flip_x", True),
        lambda: edit.camera.constraints.new("TRACK_TO"),
        lambda: edit.camera.keyframe_insert("location", frame=3),
    ):
        look()
        bpy.context.view_layer.update()
        assert not watched.stale
        change()
        bpy.context.view_layer.update()
        assert watched.stale


@pytest.fixture
def noticed(recam, edit, look):
    """Whether a change is, of which Blender tells or which is cheap to see."""
    bpy.context.window.scene = edit
    watching = recam("watching")

    def noticed(change):
        for _ in range(2):  # new keys are told of twice
            bpy.context.view_layer.update()
            look()
        bpy.context.view_layer.update()
        watched = watching._watched[edit.name]
        assert not watched.stale
        assert watching._inputs(edit) == watched.inputs
        change()
        bpy.context.view_layer.update()
        return watched.stale or watching._inputs(edit) != watched.inputs

    return noticed


def test_what_leaves_the_scene_is_noticed(edit, noticed):
    target = bpy.data.objects.new("what it looks at", None)
    edit.collection.objects.link(target)
    camera = shots.add_camera(edit, "Looks")
    track = camera.constraints.new("TRACK_TO")
    track.target = target
    assert noticed(lambda: bpy.data.objects.remove(target))
    assert noticed(lambda: camera.constraints.remove(track))
    assert noticed(lambda: edit.collection.objects.unlink(bpy.data.objects["Target"]))


@pytest.mark.parametrize(
    "change",
    [
        lambda edit: setattr(edit.unit_settings, "scale_length", 0.01),
        lambda edit: setattr(edit.render, "frame_map_new", 200),
        lambda edit: setattr(edit.render, "pixel_aspect_x", 2),
        lambda edit: setattr(edit.recam, "subject_distance", 9),
        lambda edit: setattr(edit.camera, "name", "Another name"),
        lambda edit: setattr(edit.timeline_markers["two"], "frame", shots.START + 5),
        lambda edit: setattr(edit.timeline_markers["two"].camera, "hide_render", True),
        lambda edit: setattr(edit.timeline_markers["two"], "camera", bpy.data.objects["Third"]),
        lambda edit: edit.timeline_markers.remove(edit.timeline_markers["two"]),
        lambda edit: setattr(strips(edit)["clip"], "name", "another clip"),
    ],
)
def test_what_blender_does_not_always_tell_of_is_noticed(edit, look, noticed, change):
    """Then the stamp is another one too, or what was drawn of it would stay."""
    for number, name in enumerate(("one", "two")):
        camera = shots.add_camera(edit, name.title(), move=number)
        edit.timeline_markers.new(name, frame=shots.START + 4 * number).camera = camera
    shots.add_camera(edit, "Third", move=5)
    edit.camera = bpy.data.objects["One"]
    before = look().stamp
    assert noticed(lambda: change(edit))
    assert look().stamp != before


def test_what_only_shows_something_else_is_not_looked_at(edit, noticed):
    assert not noticed(lambda: setattr(edit.recam, "show_path", not edit.recam.show_path))
    assert not noticed(lambda: setattr(edit.recam, "take_index", 1))
    assert not noticed(lambda: edit.frame_set(5))
    assert noticed(lambda: setattr(edit.recam, "mask", not edit.recam.mask))


def test_a_long_strip_is_looked_at_in_short_steps(recam, edit, look, monkeypatch):
    """What is timed is the work of a step: how many frames are read in it, each of which is made to take 2 ms."""
    watching, sampling = recam("watching"), recam("sampling")
    clip, go_to = strips(edit)["clip"], sampling._go_to
    recam("compat").set_span(clip, shots.START, shots.START + 300)
    clock, read = [0.0], [0]

    def slowly(stage, frame):
        clock[0] += 0.002
        read[0] += 1
        go_to(stage, frame)

    monkeypatch.setattr(sampling, "_go_to", slowly)
    monkeypatch.setattr(watching.time, "monotonic", lambda: clock[0])
    expected = look()
    watching.forget()
    watching.look(edit)
    edit.recam.take_index = 0
    ticks = []
    while watching.look(edit) is None:
        before = read[0]
        interval = watching._tick()
        ticks.append(read[0] - before)
        clock[0] += interval
        assert len(ticks) < 200
    assert max(ticks) <= 16, "8 frames to begin with, or as many as 25 ms have, and nothing after those"
    assert sum(ticks) == 300
    seen = watching.look(edit)
    assert seen.stamp == expected.stamp
    assert np.array_equal(seen.target.matrices, expected.target.matrices)


def test_looking_begins_anew_when_something_changes_meanwhile(recam, edit, look):
    watching = recam("watching")
    recam("compat").set_span(strips(edit)["clip"], shots.START, shots.START + 1500)
    watching.forget()
    watching.look(edit)
    watching._tick()
    assert watching._watched[edit.name].work is not None
    strips(edit)["clip"].name = "another"
    edit.camera.name = "Renamed"
    while watching.look(edit) is None:
        watching._tick()
    assert (watching.look(edit).strip, watching.look(edit).target.name) == ("another", "Renamed")
    assert watching.look(edit).trouble == ""
    watching.forget()
    watching.look(edit)
    watching._tick()
    bpy.data.objects.remove(edit.camera)
    while watching.look(edit) is None:
        watching._tick()
    assert "There is no camera" in watching.look(edit).trouble
