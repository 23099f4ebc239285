"""The scene whose cameras go with a strip, and its frame: the one that Blender renders there."""

from pathlib import Path
from typing import Any

import bpy
import pytest
import timeline


@pytest.fixture(scope="module")
def clip(backend_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('it\'s "é" 日本') / "footage.mkv"
    return timeline.write_movie(backend_python, path, [timeline.numbered(index) for index in range(20)])


@pytest.fixture
def scene() -> bpy.types.Scene:
    return timeline.new_scene()


@pytest.fixture
def source(scene: bpy.types.Scene, clip: Path) -> Any:
    """Footage on channel 2, frames 10 to 29."""
    return timeline.new_movie(scene, clip, channel=2)


@pytest.fixture
def shot(scene: bpy.types.Scene) -> bpy.types.Scene:
    """A scene whose camera sees its world: three grey levels a frame, from frame 11 on."""
    shot = timeline.new_scene("Shot", 32, 16)
    shot.frame_start, shot.frame_end = 11, 50
    shot.render.engine, shot.cycles.samples = "CYCLES", 1
    shot.camera = _new_camera(shot, "camera")
    shot.world = bpy.data.worlds.new("grey")
    if shot.world.node_tree is None:
        shot.world.use_nodes = True
    nodes = shot.world.node_tree.nodes
    nodes.clear()
    light, output = nodes.new("ShaderNodeBackground"), nodes.new("ShaderNodeOutputWorld")
    shot.world.node_tree.links.new(light.outputs[0], output.inputs[0])
    colour = light.inputs[0]
    for frame in range(1, 70):
        value = 3 * frame / 255
        linear = ((value + 0.055) / 1.055) ** 2.4 if value > 0.04045 else value / 12.92
        colour.default_value = (linear, linear, linear, 1)
        colour.keyframe_insert("default_value", frame=frame)
    return shot


@pytest.mark.parametrize("trim", [(0, 0), (3, 0), (3, 5)])
def test_the_camera_scene_is_that_of_the_scene_strip_at_the_frame_it_renders(
    recam: Any, scene: bpy.types.Scene, shot: bpy.types.Scene, clip: Path, trim: tuple[int, int]
) -> None:
    compat = recam("compat")
    strip = timeline.strips(scene).new_scene("shot", shot, 1, 20)
    compat.set_content_trim(strip, trim[0], 0)
    compat.set_handle_offsets(strip, trim[1], 0)
    footage = timeline.new_movie(scene, clip, start=32, channel=2)
    found, frame = recam("sequencer").camera_scene_for(scene, footage)
    footage.mute = True
    assert found == shot
    assert frame == round(timeline.render(scene, 32)[timeline.HEIGHT // 2, timeline.WIDTH // 2].mean() / 3)


def test_the_camera_scene_is_the_edit_itself_where_no_scene_strip_is(
    recam: Any, scene: bpy.types.Scene, shot: bpy.types.Scene, source: Any
) -> None:
    timeline.strips(scene).new_scene("elsewhere", shot, 1, 200)
    empty = timeline.new_scene("No camera")
    timeline.strips(scene).new_scene("empty", empty, 3, 10)
    assert recam("sequencer").camera_scene_for(scene, source) == (scene, 10.0)


def test_a_scene_strip_without_a_camera_of_its_own_does_not_count(
    recam: Any, scene: bpy.types.Scene, source: Any
) -> None:
    """Titles and the like have cameras lying about that nobody looks through; one of a marker is looked through."""
    title = timeline.new_scene("Title")
    lying = _new_camera(title, "lying about")
    timeline.strips(scene).new_scene("title", title, 3, 10)
    assert recam("sequencer").camera_scene_for(scene, source) == (scene, 10.0)
    title.timeline_markers.new("cut", frame=1).camera = lying
    assert recam("sequencer").camera_scene_for(scene, source)[0] == title


def test_the_chosen_camera_says_which_scene_counts(
    recam: Any, scene: bpy.types.Scene, shot: bpy.types.Scene, source: Any
) -> None:
    other = timeline.new_scene("Other")
    other.camera = _new_camera(other, "other's")
    timeline.strips(scene).new_scene("near", shot, 3, 10)
    timeline.strips(scene).new_scene("far", other, 7, 10)
    _new_camera(scene, "edit's")
    scene.collection.objects.link(shot.camera)
    found = {
        name: recam("sequencer").camera_scene_for(scene, source, camera=name)[0]
        for name in ("", "camera", "other's", "edit's", "nobody's")
    }
    assert found == {"": shot, "camera": shot, "other's": other, "edit's": scene, "nobody's": shot}


def _new_camera(scene: bpy.types.Scene, name: str) -> bpy.types.Object:
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    scene.collection.objects.link(camera)
    return camera
