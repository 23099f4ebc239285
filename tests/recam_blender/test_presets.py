"""Presets by Blender's own operators: kept in the user's folder, applied in another file, removed."""

import os

import bpy
import pytest

ANOTHER = {
    "engine": "recammaster",
    "quality": "draft",
    "use_steps": True,
    "steps": 7,
    "guidance": 2.5,
    "negative_prompt": 'No "quotes", no \\ é 日本',
    "network_frames": 49,
    "network_width": 640,
    "fit": "pad",
    "plan": "streamed",
    "lock_seed": False,
    "subject_distance": 7.5,
    "use_lens": True,
    "range": "preview",
    "handles": 12,
    "size": "custom",
    "width": 640,
    "format": "prores4444",
    "mask": True,
}


def find(name):
    return bpy.utils.preset_find(name, "recam", display_name=True)


@pytest.fixture
def settings(recam):
    """Of the scene in the window, whose presets are kept in a user's folder of the tests' own."""
    yield lambda: bpy.context.window.scene.recam
    if path := find("Wide é"):
        os.remove(path)


def test_a_preset_is_added_applied_in_another_file_and_removed(recam, settings):
    for name, value in ANOTHER.items():
        setattr(settings(), name, value)
    settings().prompt, settings().seed, settings().pinned = "A dog.", 5, "clip"
    settings().camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    settings().depth_path = "/here/alone"
    assert bpy.ops.recam.preset_add(name="Wide é") == {"FINISHED"}
    path = find("Wide é")
    assert path.startswith(os.environ["BLENDER_USER_RESOURCES"])

    bpy.ops.wm.read_homefile(use_empty=True)
    assert settings().engine == "reproject"
    assert bpy.ops.script.execute_preset(filepath=path, menu_idname="RECAM_PT_presets") == {"FINISHED"}
    assert {name: getattr(settings(), name) for name in ANOTHER} == pytest.approx(ANOTHER)
    # What belongs to a shot stays as it is there.
    assert (settings().prompt, settings().seed, settings().pinned) == ("", 0, "")
    assert (settings().camera, settings().depth_path) == (None, "")

    assert bpy.ops.recam.preset_add(name="Wide é", remove_name=True) == {"FINISHED"}
    assert not os.path.exists(path)
    assert find("Wide é") is None


def test_a_preset_is_for_the_scene_whose_edit_is_looked_at(recam, settings):
    settings().handles = 3
    assert bpy.ops.recam.preset_add(name="Wide é") == {"FINISHED"}
    other = bpy.data.scenes.new("Other")
    bpy.context.window.scene = other
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = other
    assert bpy.ops.script.execute_preset(filepath=find("Wide é"), menu_idname="RECAM_PT_presets") == {"FINISHED"}
    assert other.recam.handles == 3


def test_every_setting_is_kept_or_belongs_to_a_shot_or_a_view(recam):
    """A new setting must be thought of here."""
    shot = {"camera", "source_camera", "camera_scene", "use_camera_frame", "camera_frame", "pinned", "depth_path"}
    shot |= {"depth_scale", "prompt", "prompt_text", "seed", "use_at", "use_focus", "focus_x", "focus_y"}
    shot |= {"use_known", "known_frame", "known_x", "known_y", "known_distance"}
    view = {"show_path", "show_frusta", "show_numbers", "frustum_step", "frustum_size", "keep_forecast", "take_index"}
    names = {each.identifier for each in bpy.types.Scene.bl_rna.properties["recam"].fixed_type.properties}
    kept = set(recam("presets").KEPT)
    assert not kept & (shot | view)
    assert kept <= names
    assert {name for name in names - kept - shot - view if not name.startswith(("rna_", "name"))} == set()
