"""Menu entries where Blender's users look, and nothing left of them afterwards."""

import types

import bpy
import drawn
import pytest

MENUS = ("SEQUENCER_MT_strip", "SEQUENCER_MT_context_menu", "VIEW3D_MT_object", "VIEW3D_MT_object_context_menu")


def ours(name, recam):
    """The functions of menus.py that a menu of Blender's draws by."""
    functions = getattr(getattr(bpy.types, name).draw, "_draw_funcs", [])
    return [each for each in functions if each.__module__ == recam("menus").__name__]


def shown(draw, **context):
    found = drawn.Drawn()
    draw(types.SimpleNamespace(layout=drawn.Layout(found)), types.SimpleNamespace(**context))
    return found.operators


@pytest.mark.parametrize("name", MENUS)
def test_blenders_menus_have_an_entry_that_goes_with_the_add_on(recam, name):
    menus = recam("menus")
    assert len(ours(name, recam)) == 1
    menus.unregister()
    try:
        assert ours(name, recam) == []
    finally:
        menus.register()
    assert len(ours(name, recam)) == 1


def test_what_the_entries_lead_to(recam):
    menus = recam("menus")
    # The recorder refuses operators that are not there.
    # Others may add theirs below.
    expected = ["recam.render", "recam.forecast", *["recam.use"] * 6, "recam.pin", "recam.unpin"]
    assert shown(menus.RECAM_MT_strip.draw)[:10] == expected
    assert shown(menus.RECAM_MT_camera.draw) == [
        "recam.use_camera",
        "recam.use_source_camera",
        "recam.see_through",
        "recam.forecast",
        "recam.render",
    ]


def test_the_short_menu_is_for_cameras_alone(recam):
    (draw,) = ours("VIEW3D_MT_object_context_menu", recam)
    camera, mesh = types.SimpleNamespace(type="CAMERA"), types.SimpleNamespace(type="MESH")
    assert shown(draw, active_object=camera) == ["RECAM_MT_camera"]
    assert shown(draw, active_object=mesh) == []
    assert shown(draw, active_object=None) == []


def test_the_online_manual_is_the_website_of_the_manifest(recam, tmp_path, monkeypatch):
    menus, explanations = recam("menus"), recam("explanations")
    manifest = tmp_path / "blender_manifest.toml"
    manifest.write_text('id = "x"\nwebsite = "https://example.org/recam/"\n')
    assert explanations._website.__wrapped__(str(manifest)) == "https://example.org/recam/"
    assert explanations._website.__wrapped__(str(tmp_path / "none.toml")) == ""
    menus.unregister()
    monkeypatch.setattr(explanations, "website", lambda: "https://example.org/recam/")
    menus.register()
    try:
        patterns = menus.manual_map()[1]
        assert menus.manual_map in bpy.utils._manual_map
        url = bpy.types.WM_OT_doc_view_manual._lookup_rna_url("bpy.ops.recam.render", verbose=False)
        assert url == "https://example.org/recam/"
        assert len(patterns) == 2
    finally:
        menus.unregister()
        assert menus.manual_map not in bpy.utils._manual_map
        monkeypatch.undo()
        menus.register()
