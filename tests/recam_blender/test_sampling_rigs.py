"""What cameras hang on: each rig is read as stepping through its own scene shows it, on a stage or not."""

import bpy
import numpy as np
import pytest

FRAMES = (1, 2, 5.5, 9, 10, 15, 20)
LAST = 20

RIGS = {}


def rig(make):
    RIGS[make.__name__] = make
    return make


def link(thing):
    bpy.context.scene.collection.objects.link(thing)
    return thing


def new_camera(name):
    return link(bpy.data.objects.new(name, bpy.data.cameras.new(name)))


def key(thing, name, first, last):
    for frame, value in ((1, first), (LAST, last)):
        if name.startswith("["):
            thing[name[2:-2]] = value
        else:
            setattr(thing, name, value)
        thing.keyframe_insert(name, frame=frame)


def moving(name="Moves"):
    thing = link(bpy.data.objects.new(name, None))
    key(thing, "location", (0, 0, 0), (3, 1, 2))
    return thing


def surface(name="Surface"):
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], [], [(0, 1, 2, 3)])
    return link(bpy.data.objects.new(name, mesh))


def changing():
    """A surface whose shape keys move it."""
    thing = surface()
    thing.shape_key_add(name="Basis")
    block = thing.shape_key_add(name="Moved")
    for index, point in enumerate(block.data):
        point.co = (point.co[0] + 1 + index, point.co[1] + index / 2, 2 + index)
    key(block, "value", 0, 1)
    return thing


def stand_on(camera, thing):
    camera.parent, camera.parent_type, camera.parent_vertices = thing, "VERTEX", (2, 0, 0)


def drive(thing, expression, kind="", where=None, path="", index=0):
    driver = thing.driver_add("location", index).driver
    driver.type = "SCRIPTED"
    if kind:
        variable = driver.variables.new()
        variable.name, variable.type = "x", "CONTEXT_PROP" if where is None else "SINGLE_PROP"
        target = variable.targets[0]
        if where is None:
            target.context_property = kind
        else:
            target.id_type, target.id = kind, where
        target.data_path = path
    driver.expression = expression
    return driver


def nodes_of(thing):
    """A node group that moves a surface, its own input and output, and the node that moves."""
    tree = bpy.data.node_groups.new("Nodes", "GeometryNodeTree")
    for side in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Geometry", in_out=side, socket_type="NodeSocketGeometry")
    into, out, move = (
        tree.nodes.new(each) for each in ("NodeGroupInput", "NodeGroupOutput", "GeometryNodeSetPosition")
    )
    tree.links.new(into.outputs[0], move.inputs[0])
    tree.links.new(move.outputs[0], out.inputs[0])
    thing.modifiers.new("Nodes", "NODES").node_group = tree
    return tree, into, out, move


@rig
def keys(camera):
    key(camera, "location", (0, 0, 0), (3, 1, 2))


@rig
def lens_keys(camera):
    key(camera.data, "lens", 20, 90)


@rig
def remapped_time(camera):
    keys(camera)
    bpy.context.scene.render.frame_map_new = 200


@rig
def vertex_of_shape_keys(camera):
    stand_on(camera, changing())


@rig
def vertex_of_what_is_hidden(camera):
    thing = changing()
    stand_on(camera, thing)
    thing.hide_viewport = thing.hide_render = True


@rig
def vertex_of_what_is_excluded(camera):
    scene, thing = bpy.context.scene, changing()
    stand_on(camera, thing)
    hidden = bpy.data.collections.new("Hidden")
    scene.collection.children.link(hidden)
    hidden.objects.link(thing)
    scene.collection.objects.unlink(thing)
    bpy.context.view_layer.layer_collection.children["Hidden"].exclude = True


@rig
def simplified_surface(camera):
    thing = changing()
    thing.modifiers.new("Smooth", "SUBSURF").levels = 3
    render = bpy.context.scene.render
    render.use_simplify, render.simplify_subdivision = True, 0
    key(camera, "location", (0, 0, 0), (5, 5, 5))
    camera.constraints.new("SHRINKWRAP").target = thing


@rig
def bone(camera):
    armature = bpy.data.armatures.new("Arm")
    thing = link(bpy.data.objects.new("Arm", armature))
    bpy.context.view_layer.objects.active = thing
    bpy.ops.object.mode_set(mode="EDIT")
    lower, upper = armature.edit_bones.new("lower"), armature.edit_bones.new("upper")
    lower.head, lower.tail, upper.head, upper.tail = (0, 0, 0), (0, 0, 1), (0, 0, 1), (0, 0.1, 2)
    upper.parent = lower
    bpy.ops.object.mode_set(mode="OBJECT")
    target = link(bpy.data.objects.new("Target", None))
    key(target, "location", (0, 0, 2), (1, 1, 0.5))
    thing.pose.bones["upper"].constraints.new("IK").target = target
    camera.parent, camera.parent_type, camera.parent_bone = thing, "BONE", "upper"


@rig
def curve(camera):
    data = bpy.data.curves.new("Way", "CURVE")
    data.dimensions, data.use_path, data.path_duration = "3D", True, LAST
    spline = data.splines.new("NURBS")
    spline.points.add(4)
    for index, point in enumerate(spline.points):
        point.co = (index, 0.2 * index**2, index % 2, 1)
    key(data, "eval_time", 0, LAST)
    way = link(bpy.data.objects.new("Way", data))
    hook = way.modifiers.new("Hook", "HOOK")
    hook.object = moving()
    hook.vertex_indices_set([2])
    follow = camera.constraints.new("FOLLOW_PATH")
    follow.target, follow.use_curve_follow = way, True


@rig
def group_of_vertices(camera):
    thing = changing()
    thing.vertex_groups.new(name="some").add([1, 2], 1, "ADD")
    camera.location = (0, -5, 0)
    track = camera.constraints.new("DAMPED_TRACK")
    track.target, track.subtarget = thing, "some"


@rig
def scene_time_node(camera):
    thing = surface()
    tree, _, _, move = nodes_of(thing)
    tree.links.new(tree.nodes.new("GeometryNodeInputSceneTime").outputs[0], move.inputs["Offset"])
    stand_on(camera, thing)


@rig
def active_camera_node(camera):
    bpy.context.scene.camera = other = new_camera("Other")
    key(other, "location", (0, 0, 0), (3, 1, 2))
    thing = surface()
    tree, _, _, move = nodes_of(thing)
    info = tree.nodes.new("GeometryNodeObjectInfo")
    tree.links.new(tree.nodes.new("GeometryNodeInputActiveCamera").outputs[0], info.inputs[0])
    tree.links.new(info.outputs["Location"], move.inputs["Offset"])
    stand_on(camera, thing)


@rig
def simulation_nodes(camera):
    thing = surface()
    tree, into, out, move = nodes_of(thing)
    first, last = tree.nodes.new("GeometryNodeSimulationInput"), tree.nodes.new("GeometryNodeSimulationOutput")
    first.pair_with_output(last)
    tree.links.new(into.outputs[0], first.inputs["Geometry"])
    tree.links.new(first.outputs["Geometry"], move.inputs[0])
    move.inputs["Offset"].default_value = (0.1, 0.2, 0.3)
    tree.links.new(move.outputs[0], last.inputs["Geometry"])
    tree.links.new(last.outputs["Geometry"], out.inputs[0])
    stand_on(camera, thing)


@rig
def cloth(camera):
    thing = surface()
    thing.modifiers.new("Fine", "SUBSURF").levels = 3
    thing.modifiers.new("Cloth", "CLOTH")
    stand_on(camera, thing)


@rig
def track_in_the_active_clip(camera):
    scene = bpy.context.scene
    scene.active_clip = clip_with_a_track()
    camera.location = (0, 0, -10)
    follow = camera.constraints.new("FOLLOW_TRACK")
    follow.use_active_clip, follow.track, follow.camera = True, "Track", new_camera("Other")


@rig
def track_seen_by_the_active_camera(camera):
    track_in_the_active_clip(camera)
    scene, other = bpy.context.scene, bpy.data.objects["Other"]
    camera.constraints[0].camera, scene.camera = None, other
    cut = new_camera("Cut")
    cut.location = (9, 9, 9)
    scene.timeline_markers.new("one", frame=1).camera = other
    scene.timeline_markers.new("two", frame=10).camera = cut


def clip_with_a_track():
    clip = bpy.data.movieclips.load(str(bpy.context.scene["picture"]))
    track = clip.tracking.tracks.new(name="Track", frame=1)
    for frame in range(1, LAST + 1):
        track.markers.insert_frame(frame, co=(0.3 + 0.02 * frame, 0.5))
    return clip


@rig
def driven_by_the_frame(camera):
    drive(camera, "frame / 10")


@rig
def driven_by_another_object(camera):
    drive(camera, "x / 2", "OBJECT", moving(), "location.x")


@rig
def driven_by_the_world(camera):
    world = bpy.data.worlds.new("World")
    key(world, '["way"]', 0.0, 3.0)
    drive(camera, "x", "WORLD", world, '["way"]')


@rig
def driven_by_the_frame_of_the_scene(camera):
    drive(camera, "x / 10", "SCENE", bpy.context.scene, "frame_current")


@rig
def driven_by_the_animated_scene(camera):
    key(bpy.context.scene, '["way"]', 0.0, 3.0)
    drive(camera, "x", "SCENE", bpy.context.scene, '["way"]')


@rig
def driven_by_whatever_scene_is_active(camera):
    key(bpy.context.scene, '["way"]', 1.0, 3.0)
    drive(camera, "x", "ACTIVE_SCENE", path='["way"]')


@rig
def driven_by_whatever_view_layer_is_active(camera):
    bpy.context.view_layer["way"] = 3.0
    drive(camera, "x + frame", "ACTIVE_VIEW_LAYER", path='["way"]')


@rig
def driven_through_bpy(camera):
    drive(camera, "bpy.context.scene.frame_current / 10")


@rig
def driven_by_a_function_of_a_script(camera):
    bpy.app.driver_namespace["recam_test"] = lambda: bpy.context.scene.frame_current / 5
    drive(camera, "recam_test()")


@rig
def driven_through_the_depsgraph(camera):
    drive(camera, "depsgraph.scene.frame_current / 10")


@rig
def target_that_is_driven_by_the_scene(camera):
    target = link(bpy.data.objects.new("Target", None))
    drive(target, "x / 10", "SCENE", bpy.context.scene, "frame_current")
    camera.constraints.new("COPY_LOCATION").target = target


@rig
def target_that_asks_its_scene(camera):
    target = link(bpy.data.objects.new("Target", None))
    drive(target, "bpy.context.scene.frame_current / 10")
    camera.constraints.new("COPY_LOCATION").target = target


@rig
def surface_of_simulation_nodes(camera):
    simulation_nodes(camera)
    thing, camera.parent = camera.parent, None
    camera.constraints.new("SHRINKWRAP").target = thing


@rig
def driven_by_itself(camera):
    # Of what is its own and keyed, Blender knows no order between the key and who reads it through `self`: now and
    # then that is the last frame's.
    camera.pass_index = 3
    drive(camera, "max(self.pass_index + frame / 7, sqrt(2))", index=2).use_self = True


ON_A_STAGE = {
    *("keys", "lens_keys", "remapped_time", "vertex_of_shape_keys", "vertex_of_what_is_hidden", "bone", "curve"),
    *("vertex_of_what_is_excluded", "simplified_surface", "group_of_vertices", "scene_time_node"),
    *("driven_by_the_frame", "driven_by_another_object", "driven_by_the_world", "driven_by_itself"),
}
"""Who is read without a change to the scene; all others need its own time."""


@pytest.fixture
def scripts():
    """Drivers may run Python, as in files that a user trusts."""
    files = bpy.context.preferences.filepaths
    before, files.use_scripts_auto_execute = files.use_scripts_auto_execute, True
    yield
    files.use_scripts_auto_execute = before
    bpy.app.driver_namespace.pop("recam_test", None)


@pytest.mark.parametrize("name", RIGS)
def test_a_rig_is_read_as_its_scene_shows_it(recam, scripts, tmp_path, monkeypatch, name):
    sampling, scene = recam("sampling"), bpy.context.scene
    picture = bpy.data.images.new("picture", 64, 48)
    picture.filepath_raw, picture.file_format = str(tmp_path / "picture.png"), "PNG"
    picture.save()
    scene["picture"] = picture.filepath_raw
    camera = new_camera("Camera")
    RIGS[name](camera)
    scene.frame_set(7)
    stepped = []
    monkeypatch.setattr(
        sampling, "_in_its_scene", lambda *given, original=sampling._in_its_scene: stepped.append(1) or original(*given)
    )

    def read(**options):
        (seen,) = sampling.sample_trajectories(scene, [sampling.View(camera, 64, 48)], FRAMES, **options)
        lenses = [(each.fx, each.fy, each.cx, each.cy) for each in seen.intrinsics]
        return np.array(seen.poses), np.array(lenses)

    scenes = len(bpy.data.scenes)
    poses, lenses = read()
    assert bool(stepped) == (name not in ON_A_STAGE)
    assert (len(bpy.data.scenes), scene.frame_current) == (scenes, 7)
    gently, _ = read(gently=True)
    monkeypatch.setattr(sampling, "needs_its_scene", lambda _scene: True)
    in_scene, lenses_in_scene = read()
    if name == "cloth":
        return  # Each reading of what is not baked changes what the next one finds, in Blender too.
    assert poses == pytest.approx(in_scene, abs=1e-6)
    assert lenses == pytest.approx(lenses_in_scene, abs=1e-4)
    if name in ON_A_STAGE | {"track_in_the_active_clip"}:
        assert gently == pytest.approx(in_scene, abs=1e-6)
    assert np.abs(in_scene - in_scene[0]).max() > 0.1 or name == "lens_keys"
