"""What reading a camera leaves alone, and when the scene itself must be stepped through."""

import bpy
import pytest


@pytest.fixture
def sampling(recam):
    return recam("sampling")


@pytest.fixture
def camera():
    """A camera that follows a target that moves."""
    scene = bpy.context.scene
    target = bpy.data.objects.new("target", None)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    for each in (target, camera):
        scene.collection.objects.link(each)
    for frame, x in ((1, 0.0), (20, 4.0)):
        target.location.x = x
        target.keyframe_insert("location", frame=frame)
        camera.location.y = -5 - x
        camera.keyframe_insert("location", frame=frame)
    camera.constraints.new("TRACK_TO").target = target
    return camera


def read(sampling, camera, frames=range(1, 21), **options):
    view = sampling.View(camera, 64, 48)
    return sampling.sample_trajectories(bpy.context.scene, [view], list(frames), **options)[0]


def test_what_is_moved_and_not_keyed_stays(sampling, camera):
    scene = bpy.context.scene
    scene.frame_set(5)
    camera.location = (1, 2, 3)
    bpy.data.objects["target"].location = (4, 5, 6)
    before = {each: len(getattr(bpy.data, each)) for each in ("scenes", "objects", "collections", "worlds")}
    read(sampling, camera)
    assert tuple(camera.location) == (1, 2, 3)
    assert tuple(bpy.data.objects["target"].location) == (4, 5, 6)
    assert scene.frame_current == 5
    assert {each: len(getattr(bpy.data, each)) for each in before} == before


def test_a_stage_shows_what_the_scene_would(sampling, camera, monkeypatch):
    on_stage = read(sampling, camera)
    monkeypatch.setattr(sampling, "_needs_its_scene", lambda _scene: True)
    assert read(sampling, camera) == on_stage
    assert len(set(on_stage.poses)) == 20


def test_what_scripts_do_at_each_frame_counts(sampling, camera):
    def push(scene, *_):
        bpy.data.objects["target"].delta_location.z = 0.1 * scene.frame_current

    quiet = read(sampling, camera)
    bpy.app.handlers.frame_change_pre.append(push)
    try:
        assert read(sampling, camera) != quiet
        # What is only shown steps through nobody's scene, as exact as it can be so.
        bpy.context.scene.frame_set(7)
        read(sampling, camera, gently=True)
        assert bpy.context.scene.frame_current == 7
    finally:
        bpy.app.handlers.frame_change_pre.remove(push)


def test_a_heavy_scene_costs_no_more_than_its_camera(sampling, camera):
    """Objects that the camera does not depend on are not evaluated while it is read."""
    scene = bpy.context.scene
    seen = []
    for number in range(50):
        mesh = bpy.data.objects.new(f"heavy {number}", bpy.data.meshes.new("heavy"))
        scene.collection.objects.link(mesh)

    def look(stage, depsgraph):
        seen.append({each.name for each in depsgraph.objects})

    bpy.app.handlers.depsgraph_update_post.append(look)
    try:
        read(sampling, camera)
    finally:
        bpy.app.handlers.depsgraph_update_post.remove(look)
    assert not any(name.startswith("heavy") for names in seen for name in names)
