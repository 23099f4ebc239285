"""Reading footage leaves the user's file as it was, whatever happens; and says what cannot be read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
import timeline


@pytest.fixture(scope="module")
def clips(backend_python: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return timeline.write_clips(backend_python, tmp_path_factory.mktemp('clips "é" 日本'), 40, ("24", "16"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures é 日本")
    return timeline.write_pictures(folder, [timeline.numbered(index) for index in range(24)])


@pytest.fixture
def scene() -> bpy.types.Scene:
    return timeline.new_scene()


# What is not to change


def _state() -> dict[str, Any]:
    """How many there are of everything in the file, and what the user sees. The render's own image is Blender's."""
    counts = {
        each.identifier: sorted(item.name for item in getattr(bpy.data, each.identifier))
        for each in bpy.data.bl_rna.properties
        if each.type == "COLLECTION" and each.identifier != "all_ids"
    }
    counts["images"] = [name for name in counts["images"] if name not in ("Render Result", "Viewer Node")]
    scenes = {
        scene.name: (
            scene.frame_current,
            scene.frame_start,
            scene.frame_end,
            scene.render.filepath,
            scene.render.image_settings.file_format,
            scene.view_settings.view_transform,
            scene.sequence_editor and getattr(scene.sequence_editor.active_strip, "name", None),
            scene.sequence_editor and [(s.name, s.select, s.mute) for s in timeline.strips(scene)],
        )
        for scene in bpy.data.scenes
    }
    handlers = {name: len(getattr(bpy.app.handlers, name)) for name in ("save_pre", "undo_pre", "redo_pre")}
    return counts | {"scenes": scenes, "window": bpy.context.window.scene.name, "handlers": handlers}


@pytest.fixture(params=["ruler", "intermediate"])
def busy(request: pytest.FixtureRequest, scene: bpy.types.Scene, clips: dict[str, Path]) -> Any:
    """A strip that is read frame by frame, in a scene with a selection, an active strip and a frame of its own."""
    scene.frame_set(17)
    strip, other = timeline.new_movie(scene, clips["24"]), timeline.new_movie(scene, clips["16"], channel=4)
    strip.select, other.select = False, True
    scene.sequence_editor.active_strip = other
    speed = timeline.effect_on(scene, "SPEED", strip)
    speed.speed_control, speed.speed_factor = "MULTIPLY", 0.5
    speed.use_frame_interpolate = request.param == "intermediate"
    return strip


def test_the_file_is_as_before(recam: Any, scene: bpy.types.Scene, busy: Any, tmp_path: Path) -> None:
    before = _state()
    timeline.read_footage(recam, scene, busy, folder=str(tmp_path))
    assert _state() == before


def test_the_file_is_as_before_when_cancelled(recam: Any, scene: bpy.types.Scene, busy: Any, tmp_path: Path) -> None:
    before = _state()
    work = recam("footage").read_footage(scene, busy, folder=str(tmp_path))
    steps = [next(work) for _ in range(5)]
    assert [step for _, step, _ in steps] == [0, 1, 2, 3, 4]
    assert len(bpy.data.scenes) == len(before["scenes"]) + 1
    work.close()
    assert _state() == before
    assert not list(tmp_path.iterdir())


def test_saving_in_the_middle_saves_no_copy(
    recam: Any, scene: bpy.types.Scene, busy: Any, tmp_path: Path, open_file: Callable[..., None]
) -> None:
    whole = timeline.read_footage(recam, scene, busy, folder=str(tmp_path))
    work = recam("footage").read_footage(scene, busy, folder=str(tmp_path))
    for _ in range(5):
        next(work)
    blend = tmp_path / "saved.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend), copy=True)
    with bpy.data.libraries.load(str(blend)) as (inside, _):
        assert sorted(inside.scenes) == ["Edit", "Scene"]
    found = timeline.drained(work)
    assert (found.footage.frames, found.footage.identity) == (whole.footage.frames, whole.footage.identity)


def test_a_strip_that_goes_away_is_an_error(recam: Any, scene: bpy.types.Scene, busy: Any, tmp_path: Path) -> None:
    work = recam("footage").read_footage(scene, busy, folder=str(tmp_path))
    for _ in range(3):
        next(work)
    for copy in [each for each in bpy.data.scenes if each.get("recam_temporary")]:
        bpy.data.scenes.remove(copy)  # as an undo does
    bpy.data.scenes.remove(scene)
    with pytest.raises(recam("footage").FootageError, match=r"Strip '.*' of scene 'Edit' went away"):
        timeline.drained(work)
    assert [each.name for each in bpy.data.scenes] == ["Scene"]


@pytest.mark.parametrize("interpolate", [False, True])
def test_keyframes_of_other_strips_stay_and_do_not_show(
    recam: Any, scene: bpy.types.Scene, clips: dict[str, Path], pictures: list[Path], tmp_path: Path, interpolate: bool
) -> None:
    """A strip that keyframes switch on above the footage, and effects that are taken off the copy, keyframed too."""
    strip, other = timeline.new_movie(scene, clips["24"]), timeline.new_movie(scene, clips["24"], start=15, channel=2)
    speed = timeline.effect_on(scene, "SPEED", strip, channel=4)
    speed.speed_control, speed.speed_factor, speed.use_frame_interpolate = "MULTIPLY", 0.5, interpolate
    truth = [timeline.render(scene, frame) for frame in range(10, 14)]
    cross = timeline.new_cross(scene, strip, other, channel=3)
    cross.keyframe_insert("blend_alpha", frame=1)
    above = timeline.new_images(scene, pictures, channel=7, name="above")
    above.keyframe_insert("mute", frame=1)
    strip.mute = True
    strip.keyframe_insert("mute", frame=1)
    before, paths = _state(), sorted(recam("compat").animated_paths(scene))
    assert len(paths) == 3
    found = timeline.read_footage(recam, scene, strip, (10, 14), folder=str(tmp_path))
    assert (_state(), sorted(recam("compat").animated_paths(scene))) == (before, paths)
    if interpolate:
        for file, picture in zip(found.footage.files, truth, strict=True):
            np.testing.assert_array_equal(timeline.load(file), picture)
    else:
        assert list(found.footage.frames) == [timeline.number_in(picture) for picture in truth]


def test_copies_that_an_undo_brought_back_go_away(recam: Any, scene: bpy.types.Scene) -> None:
    before = _state()
    scene.copy()["recam_temporary"] = True
    recam("intermediate").remove_leftovers(None, None)
    assert _state() == before


# What cannot be read


def test_a_missing_movie(recam: Any, scene: bpy.types.Scene, clips: dict[str, Path], folder: Path) -> None:
    path = folder / "gone.mkv"
    path.write_bytes(clips["24"].read_bytes())
    strip = timeline.new_movie(scene, path)
    path.unlink()
    for change in (False, True):
        strip.use_flip_x = change
        with pytest.raises(recam("footage").FootageError) as caught:
            timeline.read_footage(recam, scene, strip, folder=str(folder))
        assert "'gone'" in str(caught.value)
        assert repr(str(path)) in str(caught.value)


def test_a_missing_picture(recam: Any, scene: bpy.types.Scene, folder: Path) -> None:
    paths = timeline.write_pictures(folder, [timeline.numbered(index) for index in range(4)])
    strip = timeline.new_images(scene, paths)
    paths[2].unlink()
    with pytest.raises(recam("footage").FootageError, match="0002"):
        timeline.read_footage(recam, scene, strip, folder=str(folder))
    recam("compat").set_span(strip, 10, 12)
    found = timeline.read_footage(recam, scene, strip, folder=str(folder))
    assert found.footage.frames == (0, 1)


def test_a_movie_that_is_none(recam: Any, scene: bpy.types.Scene, clips: dict[str, Path], folder: Path) -> None:
    path = folder / "bad.mkv"
    path.write_bytes(clips["24"].read_bytes())
    strip = timeline.new_movie(scene, path)
    path.write_bytes(b"no movie")
    before = _state()
    with pytest.raises(recam("footage").FootageError, match="cannot be read as a movie"):
        timeline.read_footage(recam, scene, strip, folder=str(folder))
    assert _state() == before


def test_frames_outside_a_strip(recam: Any, scene: bpy.types.Scene, clips: dict[str, Path], tmp_path: Path) -> None:
    strip = timeline.new_movie(scene, clips["24"])
    for frames in ((9, 20), (40, 51), (20, 20)):
        with pytest.raises(recam("footage").FootageError, match="covers frames 10 to 49"):
            timeline.read_footage(recam, scene, strip, frames, folder=str(tmp_path))


def test_an_adjustment_strip_has_no_pictures(recam: Any, scene: bpy.types.Scene, tmp_path: Path) -> None:
    strip = timeline.new_effect(scene, "ADJUSTMENT", 1, 1, 6)
    with pytest.raises(recam("footage").FootageError, match="adjustment"):
        timeline.read_footage(recam, scene, strip, folder=str(tmp_path))
