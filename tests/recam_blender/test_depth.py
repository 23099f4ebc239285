"""The scene's depth: what ray casting finds, in metres, and a file that is left as it was."""

import math
import os

import bpy
import numpy as np
import pytest
import timeline
from mathutils import Vector

WIDTH, HEIGHT = 160, 96


@pytest.fixture
def depth(recam):
    return recam("depth")


@pytest.fixture
def sampling(recam):
    return recam("sampling")


@pytest.fixture(params=["workbench", "cycles"])
def method(request: pytest.FixtureRequest, depth) -> str:
    if request.param == "workbench" and not depth.drawing_works():
        pytest.skip("this machine has no OpenGL driver")
    return request.param


@pytest.fixture
def scene() -> bpy.types.Scene:
    """Ground, a leaning box, a ball that moves 1 m along x a frame, and a camera on a moving parent."""
    scene = bpy.context.scene
    bpy.ops.mesh.primitive_plane_add(size=40)
    bpy.ops.mesh.primitive_cube_add(size=2, location=(-2, 2, 1), rotation=(0.2, 0.1, 0.5))
    bpy.ops.mesh.primitive_uv_sphere_add(segments=64, ring_count=32, radius=1, location=(0, -1, 1))
    ball = bpy.context.object
    ball.name = "ball"
    _key(ball, {1: (0, -1, 1), 6: (5, -1, 1)})
    bpy.ops.object.empty_add()
    parent = bpy.context.object
    _key(parent, {1: (0, 0, 0), 6: (1, 0, 0)})
    camera = scene.camera = bpy.data.objects.new("Camera é", bpy.data.cameras.new("Camera é"))
    scene.collection.objects.link(camera)
    camera.parent, camera.location, camera.rotation_euler = parent, (1, -9, 4), (math.radians(78), 0, 0.1)
    bpy.context.view_layer.update()
    return scene


def _key(item: bpy.types.Object, places: dict[int, tuple[float, ...]]) -> None:
    previous = bpy.context.preferences.edit.keyframe_new_interpolation_type
    bpy.context.preferences.edit.keyframe_new_interpolation_type = "LINEAR"
    for frame, place in places.items():
        item.location = place
        item.keyframe_insert("location", frame=frame)
    bpy.context.preferences.edit.keyframe_new_interpolation_type = previous


def _depths(recam, scene, frames, folder, *, method: str, width: int = WIDTH, height: int = HEIGHT) -> list[np.ndarray]:
    trajectory = recam("sampling").sample_trajectory(scene, scene.camera, frames, width=width, height=height)
    files, steps = _drain(
        recam("depth").render_depth(scene, scene.camera, trajectory, frames, folder=str(folder), method=method)
    )
    assert steps == [("Rendering the depth of the scene", index, len(frames)) for index in range(len(frames))]
    return [np.load(path, allow_pickle=False) for path in files]


def _drain(work):
    steps = []
    while True:
        try:
            steps.append(next(work))
        except StopIteration as end:
            return end.value, steps


def _compare(scene, frame: float, found: np.ndarray, *, projected) -> int:
    """Hold depth against rays cast through pixel centres, wherever the neighbours' rays meet the same face.

    The rays come from Blender's own projection matrix, not from the code under test. Returns how many were compared.
    """
    scene.frame_set(math.floor(frame), subframe=frame % 1)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    height, width = found.shape
    view = projected(scene, depsgraph, width, height)
    world = scene.camera.evaluated_get(depsgraph).matrix_world.normalized()
    unit = scene.unit_settings.scale_length
    compared = 0
    for y in range(3, height - 2, 7):
        for x in range(3, width - 2, 7):
            hits = [_cast(scene, depsgraph, world, view(x + 0.5 + a, y + 0.5 + b)) for a, b in _AROUND]
            if any(hit[1:] != hits[0][1:] for hit in hits):
                continue
            place = hits[0][0]
            if place is None:
                assert np.isinf(found[y, x])
            else:
                z = -(world.inverted() @ place).z * unit
                assert found[y, x] == pytest.approx(z, rel=1e-3)
            compared += 1
    return compared


_AROUND = ((0, 0), (-1, -1), (1, -1), (-1, 1), (1, 1))


def _cast(scene, depsgraph, world, direction):
    hit, place, _normal, face, thing, _matrix = scene.ray_cast(depsgraph, world.translation, world.to_3x3() @ direction)
    return (place, face, thing.name) if hit else (None, None, None)


def _projected(scene, depsgraph, width, height):
    back = scene.camera.calc_matrix_camera(
        depsgraph,
        x=width,
        y=height,
        scale_x=scene.render.pixel_aspect_x,
        scale_y=scene.render.pixel_aspect_y,
    ).inverted()

    def view(x: float, y: float) -> Vector:
        near = back @ Vector((2 * x / width - 1, 1 - 2 * y / height, -1, 1))
        return (near.xyz / near.w).normalized()

    return view


@pytest.mark.parametrize("frame", [1, 2.5, -3.5])
def test_is_what_rays_meet(recam, scene, method, folder, frame) -> None:
    (found,) = _depths(recam, scene, [frame], folder, method=method)
    assert (found.dtype, found.shape) == (np.float32, (HEIGHT, WIDTH))
    assert _compare(scene, frame, found, projected=_projected) > 150


def test_lens_and_units(recam, scene, method, folder) -> None:
    """Shift, unequal pixels, another sensor fit, centimetres."""
    scene.unit_settings.scale_length = 0.01
    scene.render.pixel_aspect_y = 1.3
    lens = scene.camera.data
    lens.shift_x, lens.shift_y, lens.lens, lens.sensor_fit = 0.1, -0.05, 28, "VERTICAL"
    (found,) = _depths(recam, scene, [2], folder, method=method, width=120, height=131)
    assert _compare(scene, 2, found, projected=_projected) > 150
    assert np.nanmin(found) < 0.1


def test_nothing_is_infinitely_far(recam, scene, method, folder) -> None:
    (found,) = _depths(recam, scene, [1], folder, method=method)
    sky = np.isinf(found)
    assert 0.05 < sky.mean() < 0.5
    assert sky[0].all()
    assert not sky[-1].any()
    assert not np.isnan(found).any()


def test_what_the_renderer_sees_counts(recam, scene, method, folder) -> None:
    """Render-only modifiers count, viewport-only ones and objects hidden from renders do not; instances do."""
    ball, box = scene.objects["ball"], scene.objects["Cube"]
    box.hide_render = True
    scene.objects["Plane"].hide_viewport = True
    solid = bpy.data.collections.new("solid")
    solid.objects.link(ball)
    for collection in list(ball.users_collection):
        if collection != solid:
            collection.objects.unlink(ball)
    instance = bpy.data.objects.new("instance", None)
    instance.instance_type, instance.instance_collection = "COLLECTION", solid
    scene.collection.objects.link(instance)
    bigger = ball.modifiers.new("bigger", "DISPLACE")
    bigger.strength, bigger.mid_level = 0.5, 0.0
    bigger.show_viewport, bigger.show_render = False, True
    wrong = ball.modifiers.new("wrong", "DISPLACE")
    wrong.strength, wrong.show_render = 3.0, False
    bpy.context.view_layer.update()

    (found,) = _depths(recam, scene, [1], folder, method=method)

    # The same by plain means: no instance, the displacement seen in the viewport too, what is hidden gone.
    scene.collection.objects.link(ball)
    bpy.data.objects.remove(instance)
    bpy.data.objects.remove(box)
    ball.modifiers.remove(wrong)
    bigger.show_viewport = True
    scene.objects["Plane"].hide_viewport = False
    assert _compare(scene, 1, found, projected=_projected) > 150


def test_nearest_of_all_layers(recam, scene, method, folder) -> None:
    """The ball is on one layer, the rest on another: depth has both, as a composite of the two would show."""
    ball = scene.objects["ball"]
    front = bpy.data.collections.new("front")
    scene.collection.children.link(front)
    front.objects.link(ball)
    for collection in list(ball.users_collection):
        if collection != front:
            collection.objects.unlink(ball)
    back = scene.view_layers[0]
    second = scene.view_layers.new("second é")
    back.layer_collection.children["front"].exclude = True
    for child in second.layer_collection.children:
        child.exclude = child.name != "front"
    scene.camera.data.dof.use_dof = True
    (found,) = _depths(recam, scene, [1], folder, method=method)
    back.layer_collection.children["front"].exclude = False
    assert _compare(scene, 1, found, projected=_projected) > 150


def test_settings_of_the_scene_do_not_matter(recam, scene, method, folder) -> None:
    """Blur, border, percentage, stereo, cuts, animated settings, an edit, a world full of fog."""
    (plain,) = _depths(recam, scene, [2], folder, method=method)
    other = bpy.data.objects.new("other", bpy.data.cameras.new("other"))
    scene.collection.objects.link(other)
    camera = scene.camera
    camera.data.dof.use_dof, camera.data.dof.aperture_fstop, camera.data.dof.focus_distance = True, 0.1, 1
    scene.timeline_markers.new("cut", frame=1).camera = other
    render = scene.render
    render.use_motion_blur = render.use_border = render.use_crop_to_border = render.use_multiview = True
    render.border_min_x, render.border_max_x = 0.4, 0.6
    render.use_stamp = render.film_transparent = True
    render.resolution_percentage = 37
    scene.cycles.samples = 7
    scene.keyframe_insert("cycles.samples", frame=1)
    scene.render.use_compositing = False
    render.image_settings.color_management = "OVERRIDE"
    scene.view_settings.exposure, scene.view_settings.gamma = 2, 2
    scene.sequence_editor_create()
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 50, 60
    scene.lock_frame_selection_to_range = True
    scene.world = bpy.data.worlds.new("fog")
    _fog(scene.world)
    scene.frame_set(1)

    again = folder / "again"
    again.mkdir()
    # Markers have switched the scene's own camera: the depth is that of the camera asked for.
    trajectory = recam("sampling").sample_trajectory(scene, camera, [2], width=WIDTH, height=HEIGHT)
    work = recam("depth").render_depth(scene, camera, trajectory, [2], folder=str(again), method=method)
    found = np.load(_drain(work)[0][0])

    assert np.array_equal(np.isinf(found), np.isinf(plain))
    solid = np.isfinite(plain)
    assert np.abs(found[solid] / plain[solid] - 1).max() < 1e-6


def _fog(world: bpy.types.World) -> None:
    if world.node_tree is None:
        world.use_nodes = True
    nodes = world.node_tree.nodes
    nodes.clear()
    fog, out = nodes.new("ShaderNodeVolumeScatter"), nodes.new("ShaderNodeOutputWorld")
    world.node_tree.links.new(fog.outputs[0], out.inputs["Volume"])


def test_file_is_left_as_it_was(recam, scene, method, folder) -> None:
    """Also where the work is given up, or fails half-way."""
    tree = _compositor(scene)
    scene.frame_set(4, subframe=0.25)
    recam("sampling").sample_trajectory(scene, scene.camera, [1], width=WIDTH, height=HEIGHT)
    before = _state(scene, tree)
    depth = recam("depth")

    _depths(recam, scene, [1, 2], folder, method=method)
    assert _state(scene, tree) == before

    trajectory = recam("sampling").sample_trajectory(scene, scene.camera, [1, 2], width=WIDTH, height=HEIGHT)
    work = depth.render_depth(scene, scene.camera, trajectory, [1, 2], folder=str(folder), method=method)
    next(work)
    next(work)
    assert _state(scene, tree) == before
    work.close()
    assert _state(scene, tree) == before

    missing = str(folder / "missing" / "\0").split("\0")[0]
    work = depth.render_depth(scene, scene.camera, trajectory, [1, 2], folder=missing, method=method)
    (folder / "missing").write_text("a file where the folder should be")
    with pytest.raises(depth.DepthError, match="depth of scene"):
        _drain(work)
    assert _state(scene, tree) == before


def _compositor(scene: bpy.types.Scene):
    if hasattr(scene, "compositing_node_group"):
        scene.compositing_node_group = bpy.data.node_groups.new("mine", "CompositorNodeTree")
        tree = scene.compositing_node_group
    else:
        scene.use_nodes = True
        tree = scene.node_tree
    tree.nodes.new("CompositorNodeBlur").name = "my blur"
    return tree


def _state(scene: bpy.types.Scene, tree) -> tuple:
    # 4.2 counts what a scene's own collection holds twice when the scene is copied, and once when it is removed.
    counted = bpy.app.version >= (4, 3, 0)
    users = {f"{type(block).__name__} {block.name_full}": counted and block.users for block in bpy.data.user_map()}
    render = scene.render
    return (
        users,
        [node.name for node in tree.nodes],
        (scene.frame_current, scene.frame_subframe, scene.camera.name, bpy.context.scene.name),
        (render.engine, render.filepath, render.resolution_x, render.resolution_percentage, scene.world),
        [(layer.use_pass_z, layer.material_override, layer.use_volumes) for layer in scene.view_layers],
    )


def test_leaves_only_its_files(recam, scene, method, folder) -> None:
    """Frames that come again, with the same camera, are rendered once."""
    frames = [1, 2, 2, 1, 3]
    trajectory = recam("sampling").sample_trajectory(scene, scene.camera, frames, width=WIDTH, height=HEIGHT)
    place = folder / "{blend_name} #### %d"
    place.mkdir()
    work = recam("depth").render_depth(scene, scene.camera, trajectory, frames, folder=str(place), method=method)
    files, steps = _drain(work)
    assert [files.index(path) for path in files] == [0, 1, 1, 0, 4]
    assert [step for _, step, _ in steps] == [0, 1, 4]
    assert sorted(map(str, place.iterdir())) == sorted(set(files))


def test_scene_that_goes_away(recam, scene, depth, folder) -> None:
    other = bpy.data.scenes.new("other")
    trajectory = recam("sampling").sample_trajectory(scene, scene.camera, [1], width=WIDTH, height=HEIGHT)
    work = depth.render_depth(other, scene.camera, trajectory, [1], folder=str(folder), method="cycles")
    next(work)
    bpy.data.scenes.remove(other)
    with pytest.raises(depth.DepthError, match="'other' went away"):
        next(work)


def test_scene_that_is_not_shown(recam, scene, method, folder) -> None:
    """A scene that shares the objects gives the same depth, whichever is in the window."""
    (plain,) = _depths(recam, scene, [2], folder, method=method)
    other = scene.copy()
    other.name = "other 日本"
    (folder / "other").mkdir()
    (found,) = _depths(recam, other, [2], folder / "other", method=method)
    assert np.array_equal(found, plain)
    assert bpy.context.scene == scene


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit of file sizes")
def test_a_disk_that_fills_up_is_an_error(recam, folder) -> None:
    """In a child, as the limit holds for all that a process writes. A picture is of 60 kB."""
    words = timeline.with_small_files(
        recam,
        """
        depth = importlib.import_module("extension.recam_blender.depth")
        sampling = importlib.import_module("extension.recam_blender.sampling")
        scene = bpy.context.scene
        scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        scene.collection.objects.link(scene.camera)
        trajectory = sampling.sample_trajectory(scene, scene.camera, [1], width=160, height=96)
        work = depth.render_depth(scene, scene.camera, trajectory, [1], folder=sys.argv[2], method="cycles")
        """,
        error="DepthError",
        arguments=[str(folder)],
    )
    assert "The disk may be full" in words
    assert not list(folder.iterdir())


def test_what_a_step_makes_is_known_as_temporary(recam, scene, method, folder) -> None:
    """So that what comes back with a file that was stored within a step is swept away."""
    before, made = set(bpy.data.user_map()), {}

    def look(*_: object) -> None:
        new = set(bpy.data.user_map()) - before
        made.update({type(each).__name__: "recam_temporary" in each for each in new if each.id_type != "IMAGE"})

    bpy.app.handlers.render_init.append(look)
    _depths(recam, scene, [1], folder, method=method)
    bpy.app.handlers.render_init.remove(look)
    assert {"Scene", "Object", "Camera"} <= set(made)
    assert all(made.values()), made
