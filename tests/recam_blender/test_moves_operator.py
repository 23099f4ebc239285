"""Add Camera Move: which scene, which frames, which view a new camera starts from, and what becomes of it."""

import math

import bpy
import numpy as np
import pytest
import timeline
from mathutils import Euler, Matrix, Vector


@pytest.fixture(autouse=True)
def _add_on(addon):
    """The operator is there."""


@pytest.fixture
def scene():
    return timeline.in_window(timeline.new_scene())


def add(**options):
    before = set(bpy.data.objects)
    assert bpy.ops.recam.add_move(**options) == {"FINISHED"}
    (camera,) = (each for each in set(bpy.data.objects) - before if each.type == "CAMERA")
    return camera


def new_strip(scene, start=10, stop=43, name="clip"):
    strip = timeline.new_effect(scene, "COLOR", 1, start, stop)
    strip.name = name
    scene.sequence_editor.active_strip = strip
    return strip


def new_camera(scene, name="Camera", at=None, lens=28.0):
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    camera.data.lens, camera.data.sensor_width, camera.data.shift_x = lens, 24, 0.1
    camera.matrix_world = at or Matrix.Translation((1, -6, 1.5)) @ Euler((1.4, 0.1, 0.3)).to_matrix().to_4x4()
    scene.collection.objects.link(camera)
    return camera


def new_ball(scene, place=(0, 2, 1)):
    ball = bpy.data.objects.new("Ball", bpy.data.meshes.new("Ball"))
    ball.location = place
    scene.collection.objects.link(ball)
    bpy.context.view_layer.update()
    return ball


def keys(recam, item):
    return [[key.co.x for key in curve.keyframe_points] for curve in recam("compat").curves(item)]


def stands(scene, camera, frame):
    scene.frame_set(frame)
    return np.array(camera.matrix_world)


def test_it_starts_where_the_scenes_camera_stands_at_the_footages_first_frame(recam, scene):
    new_strip(scene)
    scene.camera = own = new_camera(scene)
    own.keyframe_insert("location", frame=1)
    own.keyframe_insert("rotation_euler", frame=1)
    own.data.keyframe_insert("lens", frame=1)
    own.location, own.rotation_euler, own.data.lens = (5, 5, 5), (0.3, 0.2, 0.1), 70
    for item, path in ((own, "location"), (own, "rotation_euler"), (own.data, "lens")):
        item.keyframe_insert(path, frame=30)
    scene.frame_set(5)
    camera = add(kind="zoom_in")
    assert scene.frame_current == 5
    assert keys(recam, camera) == [[10, 42]]
    assert np.abs(stands(scene, camera, 10) - stands(scene, own, 10)).max() < 1e-5
    assert camera.data.lens == pytest.approx(own.data.lens, abs=1e-4)
    assert (camera.data.sensor_width, camera.data.shift_x) == (24, own.data.shift_x)
    assert scene.camera == own
    assert scene.recam.camera == camera
    assert scene.recam.camera_scene is None


def test_what_was_moved_and_not_keyed_yet_stays_moved(scene):
    scene.camera = own = new_camera(scene)
    own.keyframe_insert("location", frame=1)
    own.location.x = 3.25
    camera = add(kind="static")
    assert own.location.x == 3.25
    assert camera.matrix_world.translation.x == pytest.approx(3.25)


def test_the_source_camera_goes_before_the_scenes_own(scene):
    scene.camera = new_camera(scene)
    scene.recam.source_camera = new_camera(scene, "Source", Matrix.Translation((7, 7, 7)), lens=85)
    camera = add(kind="static")
    assert camera.location == Vector((7, 7, 7))
    assert camera.data.lens == 85


def test_a_marker_says_which_camera_is_the_scenes_own(scene):
    new_strip(scene)
    scene.camera = new_camera(scene)
    marker = scene.timeline_markers.new("cut", frame=8)
    marker.camera = new_camera(scene, "Second", Matrix.Translation((2, 2, 2)))
    camera = add(kind="static")
    bpy.context.view_layer.update()
    assert camera.location == Vector((2, 2, 2))


def test_an_orthographic_camera_gives_its_place(scene):
    scene.camera = own = new_camera(scene)
    own.data.type = "ORTHO"
    new_strip(scene)
    camera = add(kind="static")
    assert camera.data.type == "PERSP"
    assert np.abs(np.array(camera.matrix_basis) - np.array(own.matrix_world)).max() < 1e-6


def test_in_an_empty_scene_it_looks_level_at_the_3d_cursor_and_becomes_the_scenes_camera(recam, scene):
    scene.cursor.location = 1, 2, 3
    scene.unit_settings.scale_length = 0.5
    scene.frame_current = 7
    camera = add(kind="zoom_out")
    matrix = stands(scene, camera, 7)
    assert np.abs(matrix[:3, 3] - (1, 2 - 8, 3)).max() < 1e-6
    assert np.abs(matrix[:3, 2] - (0, -1, 0)).max() < 1e-6
    assert keys(recam, camera) == [[7, 87]]
    assert scene.camera == camera


def test_the_next_move_is_another_camera_from_the_same_view(scene):
    first = add(kind="pan_left")
    second = add(kind="pan_left")
    assert (first.name, second.name) == ("Pan Left", "Pan Left.001")
    assert scene.camera == first
    assert scene.recam.camera == second
    assert np.abs(stands(scene, first, 1) - stands(scene, second, 1)).max() < 1e-6


def test_the_preview_range_says_when_where_that_is_re_shot(recam, scene):
    new_strip(scene, 10, 100)
    scene.use_preview_range = True
    scene.frame_preview_start, scene.frame_preview_end = 30, 59
    scene.recam.range = "preview"
    assert keys(recam, add(kind="tilt_up")) == [[30, 59]]
    scene.recam.range = "strip"
    assert keys(recam, add(kind="tilt_up")) == [[10, 99]]


def test_the_frame_that_is_said_to_meet_the_footage_counts(recam, scene):
    new_strip(scene)
    scene.recam.use_camera_frame, scene.recam.camera_frame = True, 200.5
    assert keys(recam, add(kind="tilt_up")) == [[200.5, 232.5]]


def test_a_take_stands_for_its_footage(recam, scene):
    new_strip(scene, 10, 43)
    take = timeline.new_effect(scene, "COLOR", 2, 10, 30)
    take["recam"] = {"source": "clip"}
    scene.sequence_editor.active_strip = take
    assert keys(recam, add(kind="tilt_up")) == [[10, 42]]


def test_what_is_given_counts(recam, scene):
    new_strip(scene)
    camera = add(kind="pan_right", frame=100, duration=11, pan=math.radians(161), easing="in_out", use=False)
    assert keys(recam, camera) == [[100, 110]]
    assert camera.animation_data.action is not None
    assert math.degrees(camera.rotation_euler.y) == pytest.approx(0, abs=1e-4)
    scene.frame_set(110)
    assert math.degrees(camera.rotation_euler.y) == pytest.approx(-160, abs=1e-3)
    assert scene.recam.camera is None


def test_where_and_when_are_not_remembered_from_one_time_to_the_next():
    """Unlike amounts: those of the last footage would be wrong for this one."""
    properties = bpy.ops.recam.add_move.get_rna_type().properties
    forgotten = {each.identifier for each in properties if each.is_skip_save}
    assert forgotten == {"frame", "duration", "subject", "pivot", "start_at", "view"}


def test_the_camera_and_what_carries_its_keys_are_selected(scene):
    ball = new_ball(scene)
    ball.select_set(True)
    camera = add(kind="orbit_left", pivot="cursor")
    selected = {each.name for each in bpy.context.view_layer.objects.selected}
    assert selected == {camera.name, camera.parent.name}
    assert bpy.context.view_layer.objects.active == camera
    camera = add(kind="zoom_in")
    assert {each.name for each in bpy.context.view_layer.objects.selected} == {camera.name}


def test_who_is_being_posed_stays_so(scene):
    armature = bpy.data.objects.new("Armature", bpy.data.armatures.new("Armature"))
    scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="POSE")
    add(kind="zoom_in")
    assert bpy.context.view_layer.objects.active == armature
    assert armature.mode == "POSE"


def test_it_waits_until_an_object_is_edited(scene):
    """Edit modes have an undo of their own, which would lose the camera."""
    bpy.context.view_layer.objects.active = new_ball(scene)
    bpy.ops.object.mode_set(mode="EDIT")
    assert not bpy.ops.recam.add_move.poll()
    with pytest.raises(RuntimeError, match="Go back to Object Mode first"):
        bpy.ops.recam.add_move(kind="zoom_in")
    bpy.ops.object.mode_set(mode="OBJECT")
    assert bpy.ops.recam.add_move.poll()


def test_it_goes_into_the_active_collection_where_it_shows_there(scene):
    shown, hidden = bpy.data.collections.new("Shown"), bpy.data.collections.new("Hidden")
    for each in (shown, hidden):
        scene.collection.children.link(each)
    layer = bpy.context.view_layer
    layer.active_layer_collection = layer.layer_collection.children["Shown"]
    camera = add(kind="arc_left")
    assert {each.name for each in shown.objects} == {camera.name, f"{camera.name} Rig", f"{camera.name} Aim"}
    layer.active_layer_collection = layer.layer_collection.children["Hidden"]
    layer.active_layer_collection.hide_viewport = True
    layer.update()
    assert add(kind="arc_left").users_collection == (scene.collection,)


def test_an_orbit_goes_around_what_is_active_else_the_point_ahead(scene):
    scene.camera = new_camera(scene)
    bpy.context.view_layer.objects.active = new_ball(scene)
    assert add(kind="orbit_left").parent.location == Vector((0, 2, 1))
    # The new camera is active now, and nothing to circle.
    pivot = add(kind="orbit_left", subject=2.0).parent.location
    assert (pivot - scene.camera.matrix_world @ Vector((0, 0, -2))).length < 1e-5
    scene.cursor.location = 4, 4, 0
    assert add(kind="orbit_left", pivot="cursor").parent.location == Vector((4, 4, 0))
    with pytest.raises(RuntimeError, match="no active object"):
        bpy.ops.recam.add_move(kind="orbit_left", pivot="object")


def test_the_footages_subject_is_kept_in_view_but_by_what_is_published(scene):
    scene.camera = new_camera(scene)
    scene.recam.subject_distance = 7.0
    places = {}
    for kind in ("crane_up", "arc_left"):
        camera = add(kind=kind)
        bpy.context.view_layer.update()
        (track,) = camera.constraints
        places[kind] = (track.target.matrix_world.translation - scene.camera.matrix_world.translation).length
    assert places == {"crane_up": pytest.approx(7), "arc_left": pytest.approx(4)}


def test_a_refusal_is_one_sentence_and_leaves_nothing(scene):
    count = len(bpy.data.objects)
    with pytest.raises(RuntimeError, match="drive less") as told:
        bpy.ops.recam.add_move(kind="dolly_zoom_in", dolly_zoom=5.0)
    assert "Traceback" not in str(told.value)
    assert len(bpy.data.objects) == count


# Where the edit is another scene


@pytest.fixture
def shot(scene):
    """A scene whose frame 101 + 5 meets frame 10 of the edit, shown there by a scene strip."""
    shot = bpy.data.scenes.new("Shot")
    shot.frame_start, shot.frame_end = 101, 200
    shot.camera = new_camera(shot, "Shot's own")
    timeline.strips(scene).new_scene("shot", shot, 3, 5)
    return shot


def test_from_the_sequencer_it_goes_into_the_scene_that_the_cameras_move_in(recam, scene, shot):
    new_strip(scene)
    with timeline.sequencer_area():
        camera = add(kind="zoom_in")
    assert camera.users_scene == (shot,)
    assert keys(recam, camera) == [[106, 138]]
    assert scene.recam.camera == camera
    assert scene.recam.camera_scene is None
    assert recam("planning").camera_time(
        recam("request").from_settings(scene), scene, timeline.strips(scene)["clip"]
    ) == (
        shot,
        106.0,
    )
    assert shot.view_layers[0].objects.active == camera
    assert "Shot's own" not in {each.name for each in shot.view_layers[0].objects.selected}


@pytest.mark.parametrize("frame", [1, 106])
def test_a_camera_of_a_scene_that_no_window_shows_is_where_it_was_put(scene, shot, frame):
    new_strip(scene)
    shot.frame_current = frame
    shot.camera.location = 8, 9, 10
    shot.camera.rotation_euler = 1, 0, 0
    with timeline.sequencer_area():
        camera = add(kind="static")
    assert (camera.location - Vector((8, 9, 10))).length < 1e-5
    assert camera.rotation_euler.x == pytest.approx(1, abs=1e-5)


def test_from_the_sequencer_the_chosen_camera_scene_counts(recam, scene, shot):
    other = bpy.data.scenes.new("Other")
    scene.recam.camera_scene = other
    new_strip(scene)
    with timeline.sequencer_area():
        camera = add(kind="zoom_in")
    assert camera.users_scene == (other,)
    assert keys(recam, camera) == [[10, 42]]
    assert other.camera == camera


def test_of_several_scenes_beside_the_footage_the_chosen_one_says_when(recam, scene, shot):
    other = bpy.data.scenes.new("Other")
    other.frame_start, other.frame_end = 501, 600
    other.camera = new_camera(other, "Other's own")
    timeline.strips(scene).new_scene("other", other, 7, 2)
    scene.recam.camera_scene = other
    strip = new_strip(scene)
    with timeline.sequencer_area():
        camera = add(kind="zoom_in")
    assert camera.users_scene == (other,)
    assert keys(recam, camera) == [[509, 541]]
    asked = recam("request").from_settings(scene)
    assert recam("planning").camera_time(asked, scene, strip) == (other, 509.0)


def test_in_a_view_of_a_scene_that_the_edit_knows_nothing_of_it_becomes_the_camera_scene(recam, scene):
    """As from 5.0, where the workspace's sequencer shows another scene than the window."""
    if not hasattr(bpy.context.workspace, "sequencer_scene"):
        pytest.skip("the window's scene is the edit")
    new_strip(scene)
    world = bpy.data.scenes.new("World")
    bpy.context.window.scene = world
    camera = add(kind="zoom_in")
    assert camera.users_scene == (world,)
    assert (scene.recam.camera, scene.recam.camera_scene) == (camera, world)
    asked = recam("request").from_settings(scene)
    found = recam("planning").camera_time(asked, scene, timeline.strips(scene)["clip"])
    assert found == (world, keys(recam, camera)[0][0])


def test_a_scene_of_another_file_is_left_alone_and_a_sentence_says_so(recam, folder):
    bpy.data.scenes.new("Theirs")
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "theirs.blend"), copy=True)
    with bpy.data.libraries.load(str(folder / "theirs.blend"), link=True) as (_, wanted):
        wanted.scenes = ["Theirs"]
    (linked,) = wanted.scenes
    with pytest.raises(recam("errors").ReCamError, match="linked from another file"):
        recam("moves").add(linked, "zoom_in", start=1)
    bpy.context.window.scene = linked
    assert not bpy.ops.recam.add_move.poll()
    assert not linked.objects


# Where users look


def test_the_menu_is_below_blenders_own_camera_and_gone_when_switched_off(recam):
    assert bpy.types.VIEW3D_MT_camera_add.is_extended()
    menu = recam("moves.menu")
    menu.unregister()
    assert not bpy.types.VIEW3D_MT_camera_add.is_extended()
    menu.register()


def test_every_entry_of_the_menu_says_what_it_does(recam):
    operator = bpy.ops.recam.add_move.get_rna_type()
    items = operator.properties["kind"].enum_items
    assert [each.identifier for each in items] == list(recam("moves.catalogue").MOVES)
    assert all(each.description for each in items)
    for each in operator.properties:
        assert each.identifier in ("rna_type", "view") or each.description, each.identifier
