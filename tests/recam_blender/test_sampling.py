"""Cameras: what is sampled is what Blender itself projects and renders."""

import math
import time
from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Matrix, Vector

POINTS = [(0.4, -0.3, -3.0), (-1.2, 0.8, -5.5), (0.0, 0.0, -2.0), (2.0, 1.5, -9.0)]
"""Before the camera, in Blender's camera axes."""


@pytest.fixture
def sampling(recam):
    return recam("sampling")


def _camera(scene: bpy.types.Scene, name: str = "Camera é") -> bpy.types.Object:
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    scene.collection.objects.link(camera)
    return camera


def _empty(scene: bpy.types.Scene) -> bpy.types.Object:
    empty = bpy.data.objects.new("Empty", None)
    scene.collection.objects.link(empty)
    return empty


def _key(item, path: str, values: dict[float, object]) -> None:
    for frame, value in values.items():
        setattr(item, path, value)
        item.keyframe_insert(path, frame=frame)


def _straight(camera: bpy.types.Object) -> None:
    """Linear between its keys."""
    for curve in _curves(camera):
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"


def _curves(item):
    action = item.animation_data.action
    if hasattr(action, "fcurves"):
        return action.fcurves
    return [
        curve for layer in action.layers for strip in layer.strips for bag in strip.channelbags for curve in bag.fcurves
    ]


def _project(trajectory, index: int, point: Vector, scale: float = 1.0) -> np.ndarray:
    """Pixels by the contract's own words: camera-to-world, OpenCV axes, metres."""
    pose = np.array(trajectory.poses[index])
    x, y, z = pose[:3, :3].T @ (np.array(point) * scale - pose[:3, 3])
    lens = trajectory.intrinsics[index]
    return np.array([lens.fx * x / z + lens.cx, lens.fy * y / z + lens.cy])


@pytest.mark.parametrize("fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
@pytest.mark.parametrize(("width", "height"), [(832, 480), (480, 832), (641, 641)])
@pytest.mark.parametrize(("aspect_x", "aspect_y"), [(1, 1), (1.5, 1), (1, 1.25)])
@pytest.mark.parametrize("unit", ["MILLIMETERS", "FOV"])
def test_projects_as_blender_does(sampling, fit, width, height, aspect_x, aspect_y, unit) -> None:
    scene = bpy.context.scene
    camera = _camera(scene)
    camera.matrix_world = Matrix.Translation((1, -2, 0.5)) @ Matrix.Rotation(0.7, 4, (1, 2, 0.3))
    data = camera.data
    data.sensor_fit, data.sensor_width, data.sensor_height = fit, 30, 20
    data.shift_x, data.shift_y = 0.13, -0.07
    data.lens_unit = unit
    if unit == "FOV":
        data.angle = math.radians(55)
    else:
        data.lens = 35
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = width * 2, height * 2, 50
    render.pixel_aspect_x, render.pixel_aspect_y = aspect_x, aspect_y
    bpy.context.view_layer.update()

    trajectory = sampling.sample_trajectory(scene, camera, [1], width=width, height=height)

    assert (trajectory.width, trajectory.height) == (width, height)
    for point in POINTS:
        point = camera.matrix_world @ Vector(point)
        seen = world_to_camera_view(scene, camera, point)
        expected = np.array([seen.x * width, (1 - seen.y) * height])
        assert np.abs(_project(trajectory, 0, point) - expected).max() < 1e-3


@pytest.mark.parametrize("setup", ["plain", "two negative scales", "shift and aspect", "vertical"])
def test_renders_where_it_projects(sampling, folder: Path, setup: str) -> None:
    """A small glowing ball, rendered with Cycles: its middle lies where its centre projects."""
    scene = bpy.context.scene
    camera = scene.camera = _camera(scene)
    turn = Matrix.Translation((3, 1, 2)) @ Matrix.Rotation(1.1, 4, (0.2, 1, 0.4))
    scale = Matrix.Diagonal((-1, 0.5, -2, 1)) if setup == "two negative scales" else Matrix.Identity(4)
    camera.matrix_world = turn @ scale
    width, height = 320, 200
    if setup == "shift and aspect":
        camera.data.shift_x, camera.data.shift_y = 0.1, -0.05
        scene.render.pixel_aspect_x = 1.5
    if setup == "vertical":
        camera.data.sensor_fit, width, height = "VERTICAL", 200, 320
    bpy.context.view_layer.update()
    # The evaluated matrix without its scale: what Blender's manual calls the view.
    point = camera.matrix_world.normalized() @ Vector((0.6, 0.5, -6))
    _ball(scene, point, radius=0.03)

    trajectory = sampling.sample_trajectory(scene, camera, [1], width=width, height=height)

    middle = _middle(_rendered(scene, folder / "ball.png", width, height))
    assert np.abs(_project(trajectory, 0, point) - middle).max() < 0.05


def _ball(scene: bpy.types.Scene, place: Vector, radius: float) -> None:
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=3, radius=radius, location=place)
    material = bpy.data.materials.new("glow")
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    glow, out = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
    material.node_tree.links.new(glow.outputs[0], out.inputs[0])
    bpy.context.object.data.materials.append(material)


def _rendered(scene: bpy.types.Scene, path: Path, width: int, height: int) -> np.ndarray:
    render = scene.render
    render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 64, False
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.film_transparent, render.filepath = True, str(path)
    render.image_settings.file_format, render.image_settings.color_mode = "PNG", "RGBA"
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    return np.array(image.pixels).reshape(height, width, 4)[::-1, :, 3]


def _middle(alpha: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(alpha.shape) + 0.5
    assert alpha.sum() > 1
    return np.array([(alpha * columns).sum(), (alpha * rows).sum()]) / alpha.sum()


def test_axes_and_metres(sampling) -> None:
    """An untouched camera looks down -Z with +Y up: OpenCV's axes are then x, -y, -z. Units are brought to metres."""
    scene = bpy.context.scene
    camera = _camera(scene)
    camera.location = (100, 200, -300)
    scene.unit_settings.scale_length = 0.01
    bpy.context.view_layer.update()
    (pose,) = sampling.sample_trajectory(scene, camera, [1], width=64, height=48).poses
    assert np.allclose(pose, [[1, 0, 0, 1], [0, -1, 0, 2], [0, 0, -1, -3], [0, 0, 0, 1]], atol=1e-6)


def test_parents_and_sub_frames(sampling) -> None:
    scene = bpy.context.scene
    camera, parent = _camera(scene), _empty(scene)
    camera.parent, camera.location = parent, (0, 0, 5)
    _key(parent, "location", {1: (0, 0, 0), 11: (10, 0, 0)})
    _straight(parent)
    frames = [1, 3.25, 6.5, 10.999, 10.9999999999, 11]
    trajectory = sampling.sample_trajectory(scene, camera, frames, width=64, height=48)
    assert np.allclose([pose[0][3] for pose in trajectory.poses], [0, 2.25, 5.5, 9.999, 10, 10], atol=1e-5)
    assert np.allclose([pose[2][3] for pose in trajectory.poses], 5)


def test_constraints_drivers_and_lens(sampling) -> None:
    scene = bpy.context.scene
    camera, subject = _camera(scene), _empty(scene)
    _key(subject, "location", {1: (0, 5, 0), 11: (10, 5, 0)})
    _straight(subject)
    constraint = camera.constraints.new("TRACK_TO")
    constraint.target, constraint.track_axis, constraint.up_axis = subject, "TRACK_NEGATIVE_Z", "UP_Y"
    driver = camera.driver_add("location", 2).driver
    driver.expression = "frame * 0.1"
    _key(camera.data, "lens", {1: 20.0, 11: 40.0})
    _straight(camera.data)
    trajectory = sampling.sample_trajectory(scene, camera, [1, 4, 8.5, 11], width=720, height=480)
    for frame, pose, lens in zip([1, 4, 8.5, 11], trajectory.poses, trajectory.intrinsics, strict=True):
        place, forward = np.array(pose)[:3, 3], np.array(pose)[:3, 2]
        assert np.allclose(place, [0, 0, frame * 0.1], atol=1e-5)
        wanted = np.array([frame - 1, 5, 0]) - place
        assert np.allclose(forward, wanted / np.linalg.norm(wanted), atol=1e-5)
        assert lens.fx == pytest.approx((20 + 2 * (frame - 1)) / 36 * 720, rel=1e-5)


def test_nla_and_shake(sampling) -> None:
    scene = bpy.context.scene
    camera = _camera(scene)
    _key(camera, "location", {1: (0, 0, 0), 11: (10, 0, 0)})
    _straight(camera)
    animation = camera.animation_data
    strip = animation.nla_tracks.new().strips.new("shot", 101, animation.action)
    if hasattr(strip, "action_slot"):
        strip.action_slot = strip.action_suitable_slots[0]
    animation.action = None
    _key(camera, "rotation_euler", {1: (0, 0, 0)})
    curve = _curves(camera)[0]
    shake = curve.modifiers.new("NOISE")
    shake.strength, shake.scale = 0.5, 3.0
    frames = [101, 103.5, 111]
    trajectory = sampling.sample_trajectory(scene, camera, frames, width=64, height=48)
    assert np.allclose([pose[0][3] for pose in trajectory.poses], [0, 2.5, 10], atol=1e-5)
    angles = [math.atan2(-pose[2][1], -pose[1][1]) for pose in trajectory.poses]
    expected = [curve.evaluate(frame) for frame in frames]
    assert np.ptp(expected) > 1e-3
    assert np.allclose(angles, expected, atol=1e-5)


@pytest.mark.skipif(bpy.app.version < (4, 4, 0), reason="actions have no slots before 4.4")
def test_slotted_action(sampling) -> None:
    """Two cameras share one action, each with its own slot."""
    scene = bpy.context.scene
    left, right = _camera(scene, "left"), _camera(scene, "right")
    _key(left, "location", {1: (-1, 0, 0)})
    right.animation_data_create().action = left.animation_data.action
    right.animation_data.action_slot = right.animation_data.action.slots.new("OBJECT", "right")
    _key(right, "location", {1: (1, 0, 0)})
    views = [sampling.View(left, 64, 48), sampling.View(right, 32, 24)]
    first, second = sampling.sample_trajectories(scene, views, [1, 2])
    assert (first.poses[1][0][3], second.poses[1][0][3]) == (-1, 1)
    assert (first.width, second.width) == (64, 32)


def test_scene_that_is_not_shown(sampling) -> None:
    other = bpy.data.scenes.new("other 日本")
    camera = _camera(other)
    _key(camera, "location", {1: (0, 0, 0), 11: (10, 0, 0)})
    _straight(camera)
    here = bpy.context.scene.frame_current
    trajectory = sampling.sample_trajectory(other, camera, [6], width=64, height=48)
    assert trajectory.poses[0][0][3] == pytest.approx(5)
    assert bpy.context.scene.frame_current == here


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("how", ["disabled", "excluded"])
def test_camera_that_no_layer_shows(sampling, how: str, marked: bool) -> None:
    scene = bpy.context.scene
    collection = bpy.data.collections.new("away")
    scene.collection.children.link(collection)
    camera = bpy.data.objects.new("hidden", bpy.data.cameras.new("hidden"))
    collection.objects.link(camera)
    _key(camera, "location", {1: (0, 0, 0), 11: (10, 0, 0)})
    _straight(camera)
    if marked:
        scene.timeline_markers.new("cut", frame=3).camera = _camera(scene, "other")
    bpy.context.view_layer.update()
    if how == "disabled":
        camera.hide_viewport = True
    else:
        bpy.context.view_layer.layer_collection.children["away"].exclude = True
    before = (scene.camera, len(scene.timeline_markers))
    trajectory = sampling.sample_trajectory(scene, camera, [1, 6, 11], width=64, height=48)
    assert np.allclose([pose[0][3] for pose in trajectory.poses], [0, 5, 10], atol=1e-5)
    assert (scene.camera, len(scene.timeline_markers)) == before


def test_shear_gives_the_same_picture_or_a_reason(sampling) -> None:
    """A parent scaled along the camera's own axes shears nothing; a stretch across them has no straight picture."""
    scene = bpy.context.scene
    camera, parent = _camera(scene), _empty(scene)
    camera.parent, parent.scale = parent, (1, 2, 1)
    scene.render.resolution_x, scene.render.resolution_y = 320, 200
    camera.rotation_euler = (math.radians(90), 0, 0)
    bpy.context.view_layer.update()
    sampling.sample_trajectory(scene, camera, [1], width=320, height=200)

    # Rotated about x, the parent's stretch shears the camera in its y-z plane: a lens shift, exactly.
    camera.rotation_euler = (math.radians(60), 0, 0)
    bpy.context.view_layer.update()
    trajectory = sampling.sample_trajectory(scene, camera, [1], width=320, height=200)
    for point in POINTS:
        point = camera.matrix_world @ Vector(point)
        seen = world_to_camera_view(scene, camera, point)
        expected = np.array([seen.x * 320, (1 - seen.y) * 200])
        assert np.abs(_project(trajectory, 0, point) - expected).max() < 1e-3

    camera.rotation_euler = (0.3, 0.4, 0.5)
    with pytest.raises(sampling.CameraError, match=r"'Camera é' is sheared at frame 1 .*parent"):
        sampling.sample_trajectory(scene, camera, [1], width=320, height=200)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda camera: setattr(camera.data, "type", "ORTHO"), "orthographic"),
        (lambda camera: setattr(camera.data, "type", "PANO"), "panoramic"),
        (lambda camera: setattr(camera, "scale", (1, -1, 1)), "mirrored at frame 1"),
        (lambda camera: setattr(camera, "scale", (0, 0, 0)), "no size at frame 1"),
        (lambda camera: bpy.context.scene.collection.objects.unlink(camera), "not in scene"),
    ],
)
def test_refusals(sampling, spoil, reason: str) -> None:
    scene = bpy.context.scene
    camera = _camera(scene)
    spoil(camera)
    with pytest.raises(sampling.CameraError, match=reason):
        sampling.sample_trajectory(scene, camera, [1], width=64, height=48)


def test_refuses_what_is_no_camera(sampling) -> None:
    with pytest.raises(sampling.CameraError, match="no camera"):
        sampling.check_camera(None)
    with pytest.raises(sampling.CameraError, match="'Empty' is no camera"):
        sampling.check_camera(_empty(bpy.context.scene))


@pytest.mark.parametrize("frame", [-3.5, 0, 7.25])
def test_frame_is_restored(sampling, frame: float) -> None:
    scene = bpy.context.scene
    scene.frame_set(math.floor(frame), subframe=frame % 1)
    before = (scene.frame_current, scene.frame_subframe)
    sampling.sample_trajectory(scene, _camera(scene), [1, 2], width=64, height=48)
    assert (scene.frame_current, scene.frame_subframe) == before


def test_all_is_restored(sampling, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = bpy.context.scene
    camera, chosen = _camera(scene), _camera(scene, "chosen")
    scene.timeline_markers.new("cut", frame=1).camera = camera
    scene.frame_set(7, subframe=0.5)
    scene.camera = chosen

    def check() -> None:
        assert (scene.frame_current, scene.frame_subframe, scene.camera) == (7, 0.5, chosen)

    sampling.sample_trajectory(scene, camera, [1, 2], width=64, height=48)
    check()
    _key(camera, "scale", {1: (1, 1, 1), 3: (-1, 1, 1)})
    scene.frame_set(7, subframe=0.5)
    scene.camera = chosen
    with pytest.raises(sampling.CameraError, match="at frame 3"):
        sampling.sample_trajectory(scene, camera, [1, 3, 5], width=64, height=48)
    check()
    monkeypatch.setattr(sampling, "_look_through", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        sampling.sample_trajectory(scene, camera, [1], width=64, height=48)
    check()


@pytest.mark.parametrize(("old", "new"), [(100, 100), (100, 200), (100, 50), (24, 25)])
def test_cuts_fall_where_blender_switches(sampling, old: int, new: int) -> None:
    scene = bpy.context.scene
    scene.render.frame_map_old, scene.render.frame_map_new = old, new
    for frame, hidden in [(5, False), (10, False), (14, True), (-3, False), (-8, False)]:
        camera = _camera(scene, f"at {frame}")
        camera.hide_render = hidden
        scene.timeline_markers.new("cut", frame=frame).camera = camera
    scene.timeline_markers.new("no camera", frame=7)
    frames = [frame / 2 for frame in range(-20, 60)]
    expected = []
    for frame in frames:
        scene.frame_set(math.floor(frame), subframe=frame % 1)
        expected.append(scene.camera)
    found = sampling.cuts(scene, frames)
    assert [cut.camera for cut in found for _ in range(cut.start, cut.stop)] == expected
    assert len(found) == 4
    assert (found[0].start, found[-1].stop) == (0, len(frames))


def test_no_cuts_without_markers(sampling) -> None:
    scene = bpy.context.scene
    assert sampling.cuts(scene, [1, 2, 3]) == [(None, 0, 3)]
    scene.camera = _camera(scene)
    assert sampling.cuts(scene, [1, 2, 3]) == [(scene.camera, 0, 3)]


@pytest.mark.parametrize("fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
@pytest.mark.parametrize(("width", "height"), [(832, 480), (480, 832)])
def test_focal_length_on_the_cameras_sensor(sampling, fit: str, width: int, height: int) -> None:
    """The same as a camera with that focal length has."""
    scene = bpy.context.scene
    camera = _camera(scene)
    camera.data.sensor_fit, camera.data.sensor_width, camera.data.sensor_height = fit, 30, 20
    scene.render.pixel_aspect_y = 1.2
    lens = sampling.focal_intrinsics(scene, camera, 85.0, width=width, height=height)
    camera.data.lens = 85.0
    (expected,) = sampling.sample_trajectory(scene, camera, [1], width=width, height=height).intrinsics
    assert (lens.fx, lens.fy) == pytest.approx((expected.fx, expected.fy), rel=1e-5)
    assert (lens.cx, lens.cy) == (width / 2, height / 2)


def test_notes_name_what_is_not_used(sampling) -> None:
    scene = bpy.context.scene
    camera = _camera(scene)
    assert sampling.notes(camera, scene) == []
    camera.data.dof.use_dof = True
    scene.render.use_motion_blur = scene.render.use_multiview = True
    scene.render.use_border = scene.render.use_crop_to_border = True
    found = " ".join(sampling.notes(camera, scene))
    for word in ("depth of field", "motion blur", "stereo", "render region"):
        assert word in found


def test_81_cameras_in_a_fifth_of_a_second(sampling) -> None:
    scene = bpy.context.scene
    camera = _camera(scene)
    _key(camera, "location", {1: (0, 0, 0), 81: (10, 0, 0)})

    def once() -> float:
        start = time.perf_counter()
        sampling.sample_trajectory(scene, camera, range(1, 82), width=832, height=480)
        return time.perf_counter() - start

    assert min(once() for _ in range(3)) < 0.2
