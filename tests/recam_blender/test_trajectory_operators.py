"""File > Import and Export > Camera Trajectory, and files that are dropped: dialogs, menus, and what they do."""

import types

import bpy
import drawn
import pytest
from keyed import FRAMES, HEIGHT, KINDS, NAMES, WIDTH, same, sampled, trajectory, written


@pytest.fixture
def formats(recam):
    return recam.backend("cameras").formats


@pytest.fixture
def files(recam):
    return recam("trajectory_files")


@pytest.fixture
def scene():
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = WIDTH, HEIGHT, 100
    scene.render.fps, scene.render.fps_base = 24, 1.0
    scene.frame_start, scene.frame_end = 1, FRAMES
    return scene


@pytest.mark.parametrize("kind", KINDS)
def test_the_operators_go_there_and_back(recam, formats, scene, folder, kind):
    camera = recam("keyed_camera").new_camera("Cam", scene, trajectory(recam), 1)
    scene.camera = camera
    path = folder / NAMES.get(kind, "t.json")
    assert bpy.ops.recam.export_trajectory(filepath=str(path), kind=kind) == {"FINISHED"}
    assert bpy.ops.recam.import_trajectory(filepath=str(path), frame=1) == {"FINISHED"}
    new = bpy.context.view_layer.objects.active
    assert new != camera
    assert bpy.context.selected_objects == [new]
    assert scene.camera == camera
    same(recam, sampled(recam, scene, new), trajectory(recam), lens="lens" in formats.KINDS[kind].holds)


def test_the_operators_refuse_with_a_reason(scene, folder):
    assert not bpy.ops.recam.export_trajectory.poll()
    with pytest.raises(RuntimeError, match="not there"):
        bpy.ops.recam.import_trajectory(filepath=str(folder / "gone.json"))
    camera = bpy.data.objects.new("a", bpy.data.cameras.new("a"))
    scene.collection.objects.link(camera)
    assert bpy.ops.recam.export_trajectory.poll()
    with pytest.raises(RuntimeError, match="No camera is selected"):
        bpy.ops.recam.export_trajectory(filepath=str(folder / "t.json"), selected=True)


def test_the_first_camera_of_a_scene_becomes_its_own_and_can_be_undone(recam, formats, scene, folder):
    path = written(formats, "recam", folder, trajectory(recam))
    bpy.ops.recam.import_trajectory(filepath=str(path))
    assert scene.camera == bpy.context.view_layer.objects.active
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.recam.import_trajectory("EXEC_DEFAULT", True, filepath=str(path))
    assert len(bpy.data.cameras) == 2
    bpy.ops.ed.undo()
    assert [each.name for each in bpy.data.cameras] == ["t"]


def test_what_is_edited_is_left_before_another_object_is_the_active_one(recam, formats, scene, folder):
    path = written(formats, "recam", folder, trajectory(recam))
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    bpy.ops.object.mode_set(mode="EDIT")
    assert bpy.ops.recam.import_trajectory(filepath=str(path)) == {"FINISHED"}
    assert (bpy.context.mode, cube.mode) == ("OBJECT", "OBJECT")
    assert [each.name for each in bpy.context.selected_objects] == ["t"]


def test_into_a_collection_that_is_shown(recam, formats, scene, folder):
    hidden = bpy.data.collections.new("hidden")
    scene.collection.children.link(hidden)
    layer = bpy.context.view_layer.layer_collection.children["hidden"]
    bpy.context.view_layer.active_layer_collection = layer
    path = written(formats, "recam", folder, trajectory(recam))
    bpy.ops.recam.import_trajectory(filepath=str(path))
    assert len(hidden.objects) == 1
    layer.exclude = True
    bpy.ops.recam.import_trajectory(filepath=str(path))
    assert len(hidden.objects) == 1
    assert len(scene.collection.objects) == 1


@pytest.mark.parametrize(
    ("kind", "name", "wanted"),
    [
        ("recam", "a", "a.json"),
        ("recam", "a.json", "a.json"),
        ("recam", "a.JSON", "a.JSON"),
        ("tum", "a.json", "a.txt"),
        ("tum", "a.tum", "a.tum"),
        ("re10k", "shot.v2", "shot.v2.txt"),
        ("colmap", "a.json", "a"),
        ("colmap", "model.v2", "model.v2"),
        ("recam", "", ""),
    ],
)
def test_names_end_as_their_format_does(recam, kind, name, wanted, tmp_path):
    operators = recam("trajectory_operators")
    operator = types.SimpleNamespace(filepath=str(tmp_path) + "/" + name, kind=kind)
    changed = operators.RECAM_OT_export_trajectory.check(operator, None)
    assert operator.filepath == str(tmp_path) + "/" + wanted
    assert changed == (name != wanted)


def test_the_cameras_of_a_file_are_proposed(recam, formats, folder):
    path = folder / "t.json"
    formats.write(path, {"a": trajectory(recam), "b": trajectory(recam)}, "published")
    names = recam("trajectory_operators")._names
    context = types.SimpleNamespace(space_data=None)
    assert names(types.SimpleNamespace(filepath=str(path)), context) == ["a", "b"]
    assert names(types.SimpleNamespace(filepath=str(folder / "gone")), context) == []
    params = types.SimpleNamespace(directory=os_bytes(folder), filename="t.json")
    browser = types.SimpleNamespace(space_data=types.SimpleNamespace(type="FILE_BROWSER", params=params))
    assert names(types.SimpleNamespace(filepath=""), browser) == ["a", "b"]


def os_bytes(path):
    return str(path).encode()


@pytest.mark.parametrize("operator", ["import_trajectory", "export_trajectory"])
def test_the_dialogs_draw(recam, operator):
    cls = getattr(recam("trajectory_operators"), f"RECAM_OT_{operator}")
    found = drawn.Drawn()
    rna = getattr(bpy.ops.recam, operator).get_rna_type()
    settings = {each.identifier: getattr(each, "default", None) for each in rna.properties}
    owner = types.SimpleNamespace(layout=drawn.Layout(found), bl_rna=rna, **settings)
    cls.draw(owner, bpy.context)
    shown = {each.identifier for each in rna.properties if not each.is_hidden and each.identifier != "rna_type"}
    assert set(found.names) == shown
    for each in found.names:
        assert rna.properties[each].description, each


def test_the_formats_of_the_dialog_are_all_there_are(recam, formats):
    items = bpy.ops.recam.export_trajectory.get_rna_type().properties["kind"].enum_items
    assert [each.identifier for each in items] == list(formats.KINDS) == list(KINDS)


@pytest.mark.parametrize("menu", ["TOPBAR_MT_file_import", "TOPBAR_MT_file_export"])
def test_the_menu_entries_go_with_the_add_on(recam, menu):
    operators = recam("trajectory_operators")

    def ours():
        functions = getattr(getattr(bpy.types, menu).draw, "_draw_funcs", [])
        return [each for each in functions if each.__module__ == operators.__name__]

    assert len(ours()) == 1
    found = drawn.Drawn()
    ours()[0](types.SimpleNamespace(layout=drawn.Layout(found)), bpy.context)
    assert found.operators == [f"recam.{menu.rpartition('_')[2]}_trajectory"]
    operators.unregister()
    try:
        assert ours() == []
    finally:
        operators.register()


def test_files_are_dropped_on_3d_views_alone(recam):
    handler = bpy.types.RECAM_FH_trajectory
    assert handler.bl_import_operator == "recam.import_trajectory"
    assert handler.bl_file_extensions == ".json;.txt;.tum"
    for area, taken in (("VIEW_3D", True), ("TEXT_EDITOR", False), ("SEQUENCE_EDITOR", False)):
        assert handler.poll_drop(types.SimpleNamespace(area=types.SimpleNamespace(type=area))) == taken
    assert not handler.poll_drop(types.SimpleNamespace(area=None))
