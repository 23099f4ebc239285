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
    monkeypatch.setattr(sampling, "needs_its_scene", lambda _scene: True)
    assert read(sampling, camera) == on_stage
    assert len(set(on_stage.poses)) == 20


def test_what_scripts_do_at_each_frame_counts(sampling, camera):
    def push(scene, *_):
        assert scene == bpy.context.scene
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


def test_a_heavy_scene_costs_no_more_than_its_camera(sampling, camera, monkeypatch):
    """Objects that the camera does not depend on are not evaluated while it is read."""
    scene = bpy.context.scene
    seen = []
    for number in range(50):
        mesh = bpy.data.objects.new(f"heavy {number}", bpy.data.meshes.new("heavy"))
        scene.collection.objects.link(mesh)

    go_to = sampling._go_to

    def look(stage, frame):
        go_to(stage, frame)
        depsgraph = stage.view_layers[0].depsgraph
        seen.append({each.name for each in bpy.data.objects if each.evaluated_get(depsgraph).is_evaluated})

    monkeypatch.setattr(sampling, "_go_to", look)
    read(sampling, camera)
    assert len(seen) >= 20
    assert all(names == {"camera", "target"} for names in seen)


def test_scripts_are_not_run_at_the_frames_of_a_stage(sampling, camera):
    """They may write what they find there to the user's objects."""
    told = []

    def tell(scene, *_):
        told.append(scene.name)

    handlers = bpy.app.handlers.frame_change_post
    handlers.append(tell)
    try:
        before = list(handlers)
        read(sampling, camera, gently=True)
        assert told == []
        camera.data.type = "ORTHO"
        with pytest.raises(sampling.CameraError):
            read(sampling, camera, gently=True)
        assert handlers[:] == before
        bpy.context.scene.frame_set(3)
        assert told == [bpy.context.scene.name]
    finally:
        handlers.remove(tell)
