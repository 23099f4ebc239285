"""How the scene's depth is rendered, and what tells one depth from another, without rendering any."""

import os
from pathlib import Path

import bpy
import pytest


@pytest.fixture
def depth(recam):
    return recam("depth")


@pytest.fixture
def scene() -> bpy.types.Scene:
    scene = bpy.context.scene
    bpy.ops.mesh.primitive_cube_add()
    scene.camera = bpy.data.objects.new("Camera é", bpy.data.cameras.new("Camera é"))
    scene.collection.objects.link(scene.camera)
    return scene


@pytest.mark.parametrize(
    ("choice", "source", "expected"),
    [
        ("auto", "", "auto"),
        ("auto", "Camera é", "scene"),
        ("auto", "Gone", "auto"),
        ("scene", "", "scene"),
        ("plane", "Camera é", "plane"),
        ("file", "", "file"),
    ],
)
def test_scene_depth_only_where_it_is_meant(depth, scene, choice: str, source: str, expected: str) -> None:
    assert depth.choose_depth(choice, source=source) == expected


def test_a_solved_camera_says_nothing_of_the_scene(depth, scene) -> None:
    scene.camera[depth.SOLVED] = True
    assert depth.choose_depth("auto", source=scene.camera.name) == "auto"
    assert depth.choose_depth("scene", source=scene.camera.name) == "scene"


def test_method_by_environment(depth, scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for wanted in ("cycles", "workbench"):
        monkeypatch.setenv("RECAM_DEPTH", wanted)
        assert depth.choose_method(scene) == wanted
    monkeypatch.setenv("RECAM_DEPTH", "eevee")
    with pytest.raises(depth.DepthError, match="RECAM_DEPTH is 'eevee'"):
        depth.choose_method(scene)


def test_cycles_where_workbench_would_show_more(depth, scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECAM_DEPTH", raising=False)
    monkeypatch.setattr(depth, "drawing_works", lambda: True)
    assert depth.choose_method(scene) == "workbench"
    scene.objects["Cube"].visible_camera = False
    assert depth.choose_method(scene) == "cycles"
    scene.objects["Cube"].hide_render = True
    assert depth.choose_method(scene) == "workbench"
    scene.view_layers[0].use_solid = False
    assert depth.choose_method(scene) == "cycles"


def test_no_method_left(depth, scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECAM_DEPTH", raising=False)
    monkeypatch.setattr(depth, "drawing_works", lambda: False)
    assert depth.choose_method(scene) == "cycles"
    bpy.ops.preferences.addon_disable(module="cycles")
    try:
        with pytest.raises(depth.DepthError, match="switch on the add-on Cycles"):
            depth.choose_method(scene)
    finally:
        bpy.ops.preferences.addon_enable(module="cycles")


def test_a_driver_that_aborts_is_found_out_in_a_child(depth, monkeypatch: pytest.MonkeyPatch) -> None:
    """As libepoxy does without libEGL.so.1. Only a whole, happy child counts."""
    monkeypatch.setattr(depth.sys, "platform", "linux")
    for code, expected in (("import os; os.abort()", False), ("raise SystemExit(1)", False), ("", True)):
        monkeypatch.setattr(depth, "_ASK_FOR_OPENGL", code)
        depth._has_headless_opengl.cache_clear()
        assert depth.drawing_works() is expected
    depth._has_headless_opengl.cache_clear()
    monkeypatch.setattr(depth.sys, "executable", "/usr/bin/blender")
    assert not depth.drawing_works()
    depth._has_headless_opengl.cache_clear()
    monkeypatch.setattr(depth.sys, "platform", "win32")
    assert not depth.drawing_works()


def test_identity(depth, scene, folder: Path) -> None:
    """Equal for the same saved file; not after it is saved again, and never for a file that was not saved."""
    assert depth.depth_identity(scene, scene.camera, [1, 2]) != depth.depth_identity(scene, scene.camera, [1, 2])
    path = str(folder / "shot.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    first = _identity(depth, path)
    assert _identity(depth, path) == first
    assert _identity(depth, path, frames=[1, 2.5]) != first
    assert _identity(depth, path, camera="Cube") != first
    os.utime(path, ns=(1, 1))
    assert _identity(depth, path) != first


def _identity(depth, path: str, frames=(1, 2), camera: str = "Camera é") -> str:
    bpy.ops.wm.open_mainfile(filepath=path)
    scene = bpy.context.scene
    return depth.depth_identity(scene, scene.objects[camera], frames)
