"""ReCam's key: free in Blender's keymaps, and gone with the add-on."""

import importlib.util
import os

import addon_utils
import bpy
import pytest

_EVERYWHERE = (
    "Window",
    "Screen",
    "Screen Editing",
    "Frames",
    "Markers",
    "View2D",
    "View2D Buttons List",
    "User Interface",
)


def items(recam):
    name = recam("take_operators").RECAM_OT_compare.bl_idname
    return [
        (keymap.name, item)
        for keymap in bpy.context.window_manager.keyconfigs.addon.keymaps
        for item in keymap.keymap_items
        if item.idname == name
    ]


def preset(name):
    """One of Blender's own keymaps, as data."""
    folder = os.path.join(bpy.utils.system_resource("SCRIPTS"), "presets", "keyconfig", "keymap_data")
    spec = importlib.util.spec_from_file_location(name, os.path.join(folder, f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_keymaps(module.Params())


def test_the_key_stands_in_the_keymap_of_the_whole_sequencer(recam):
    ((keymap, item),) = items(recam)
    own = {name: parameters for name, parameters, _ in preset("blender_default")}
    assert own[keymap] == {"space_type": "SEQUENCE_EDITOR", "region_type": "WINDOW"}
    assert (item.type, item.value, item.ctrl, item.alt, item.shift) == ("J", "PRESS", False, False, False)


@pytest.mark.parametrize("name", ["blender_default", "industry_compatible_data"])
def test_the_key_is_free_in_blenders_own_keymaps(recam, name):
    (_, item), *_ = items(recam)
    taken = [
        (keymap, each[0])
        for keymap, parameters, content in preset(name)
        if parameters["space_type"] == "SEQUENCE_EDITOR" or keymap in _EVERYWHERE
        for each in content["items"]
        if each[1]["type"] == item.type
        and (each[1].get("any") or not any(each[1].get(key) for key in ("ctrl", "shift", "alt", "oskey")))
    ]
    assert taken == []


def test_the_key_goes_with_the_add_on_and_comes_back_once(recam):
    for _ in range(2):
        addon_utils.disable(recam.addon.__name__)
        try:
            assert not any(
                item.idname.startswith("recam.")
                for keymap in bpy.context.window_manager.keyconfigs.addon.keymaps
                for item in keymap.keymap_items
            )
        finally:
            addon_utils.enable(recam.addon.__name__)
        assert len(items(recam)) == 1


def test_without_a_window_there_is_no_key_and_no_error(recam, monkeypatch):
    keymaps = recam("keymaps")

    class Nothing:
        addon = None

    monkeypatch.setattr(
        keymaps,
        "bpy",
        type("bpy", (), {"context": type("c", (), {"window_manager": type("m", (), {"keyconfigs": Nothing})})}),
    )
    before = list(keymaps._added)
    keymaps.register()
    assert keymaps._added == before
