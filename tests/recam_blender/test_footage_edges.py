"""Footage where it is easily misread: selectors, missing and uneven pictures, frames below zero, a full disk."""

import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
import timeline

COUNT = 12


@pytest.fixture
def scene() -> bpy.types.Scene:
    return timeline.new_scene()


@pytest.fixture
def paths(folder: Path) -> list[Path]:
    return timeline.write_pictures(folder, [timeline.numbered(index) for index in range(COUNT)])


@pytest.fixture
def place(tmp_path: Path) -> str:
    """Where intermediates go."""
    (tmp_path / "place").mkdir()
    return str(tmp_path / "place")


def crop(strip: Any) -> None:
    """Too little for a number to suffer, and enough for an intermediate."""
    strip.crop.min_x = 1


def into_meta(recam: Any, scene: bpy.types.Scene, *inside: Any) -> Any:
    """A meta strip of these strips, which begin at frame 10."""
    meta = timeline.strips(scene).new_meta("meta", 5, 10)
    stop = max(recam("compat").span(each)[1] for each in inside)
    for each in inside:
        each.move_to_meta(meta)
        if each.type == "IMAGE":
            for frame in (11, 10):  # 4.2 looks at what is inside a meta strip only when that moves
                recam("compat").set_content_start(each, frame)
    recam("compat").set_span(meta, 10, stop)
    return meta


def seen(found: Any) -> list[int | None]:
    return [timeline.number_in(timeline.load(found.footage.files[index])) for index in found.footage.frames]


# Where the strip's own files are


def test_source_frames_count_all_of_the_file(
    recam: Any, scene: bpy.types.Scene, paths: list[Path], backend_python: str, folder: Path, place: str
) -> None:
    pictures = timeline.new_images(scene, paths, start=10, channel=2)
    path = timeline.write_movie(backend_python, folder / "clip.mkv", [timeline.numbered(i) for i in range(COUNT)])
    movie = timeline.strips(scene).new_movie("movie", str(path), 1, 10, fit_method="ORIGINAL")
    for strip in (pictures, movie):
        recam("compat").set_content_trim(strip, 2, 0)
        recam("compat").set_content_start(strip, 12)
        recam("compat").set_span(strip, 15, 19)
        found = timeline.read_footage(recam, scene, strip, folder=place)
        strip.mute = strip == pictures
        assert found.source_frames == (5, 6, 7, 8)
        crop(strip)
        assert timeline.read_footage(recam, scene, strip, folder=place).source_frames == ()


def test_source_frames_measured_with_a_ruler(recam: Any, scene: bpy.types.Scene, paths: list[Path], place: str) -> None:
    strip = timeline.new_images(scene, paths)
    recam("compat").set_span(strip, 14, 22)
    speed = timeline.new_effect(scene, "SPEED", 2, 14, 22, strip)
    speed.speed_control, speed.speed_factor, speed.use_frame_interpolate = "MULTIPLY", 0.5, False
    truth = timeline.numbers(scene, 14, 22)
    found = timeline.read_footage(recam, scene, strip, folder=place)
    assert list(found.source_frames) == truth
    assert len(set(truth)) < len(truth)


@pytest.mark.parametrize("way", ["plain", "cropped", "meta", "cross"])
def test_a_missing_picture_in_the_middle(
    recam: Any, scene: bpy.types.Scene, paths: list[Path], place: str, way: str
) -> None:
    strip = asked = timeline.new_images(scene, paths)
    paths[5].unlink()
    if way == "cropped":
        crop(strip)
    elif way == "meta":
        asked = into_meta(recam, scene, strip)
    elif way == "cross":
        other = timeline.new_images(scene, paths[:4], channel=2, name="other")
        recam("compat").set_span(other, 10, 10 + COUNT)
        asked = timeline.new_effect(scene, "CROSS", 3, 10, 10 + COUNT, strip, other)
    with pytest.raises(recam("footage").FootageError) as caught:
        timeline.read_footage(recam, scene, asked, folder=place)
    assert repr(str(paths[5])) in str(caught.value)
    assert "'clip'" in str(caught.value)
    # Where it is not shown, it need not be there.
    found = timeline.read_footage(recam, scene, asked, (16, 18), folder=place)
    if way != "cross":
        assert seen(found) == [6, 7]


@pytest.mark.parametrize("fault", ["missing", "empty", "no picture"])
def test_a_picture_that_cannot_be_read_in_the_edit_of_another_scene(
    recam: Any, scene: bpy.types.Scene, paths: list[Path], place: str, fault: str
) -> None:
    """Blender 4.2 and 5.2 may end when they are asked to show such a one: it is not rendered here."""
    other = timeline.new_scene("Other")
    other.frame_start, other.frame_end = 101, 112
    timeline.new_images(other, paths, start=101)
    strip = timeline.strips(scene).new_scene("shot", other, 1, 10)
    strip.scene_input = "SEQUENCER"
    if fault == "missing":
        paths[5].unlink()
    else:
        paths[5].write_bytes(b"" if fault == "empty" else b"no picture")
    with pytest.raises(recam("footage").FootageError) as caught:
        timeline.read_footage(recam, scene, strip, (15, 16), folder=place)
    assert repr(str(paths[5])) in str(caught.value)
    assert "'clip'" in str(caught.value)
    assert seen(timeline.read_footage(recam, scene, strip, (12, 15), folder=place)) == [2, 3, 4]


def test_a_muted_strip_in_a_meta_strip_needs_no_file(
    recam: Any, scene: bpy.types.Scene, paths: list[Path], place: str
) -> None:
    strip, muted = timeline.new_images(scene, paths[:4]), timeline.new_images(scene, paths[4:8], channel=2, name="off")
    muted.mute = True
    meta = into_meta(recam, scene, strip, muted)
    paths[5].unlink()
    assert seen(timeline.read_footage(recam, scene, meta, folder=place)) == [0, 1, 2, 3]


@pytest.mark.parametrize(("ending", "kind"), [("png", "PNG"), ("jpg", "JPEG"), ("exr", "OPEN_EXR")])
def test_pictures_of_several_sizes(recam: Any, scene: bpy.types.Scene, folder: Path, ending: str, kind: str) -> None:
    files = [folder / f"{index}.{ending}" for index in range(3)]
    for index, path in enumerate(files):
        width, height = (64, 32) if index == 1 else (timeline.WIDTH, timeline.HEIGHT)
        timeline.save(timeline.numbered(index, width, height), path, kind)
        assert recam("picturesize").picture_size(str(path)) == (width, height)
    strip = timeline.new_images(scene, files)
    found = timeline.read_footage(recam, scene, strip, folder=str(folder))
    assert "several sizes" in found.notes[0]
    assert found.source_frames == ()
    for frame, file in zip((10, 11, 12), found.footage.files, strict=True):
        picture = timeline.render(scene, frame).astype(int)
        np.testing.assert_allclose(timeline.load(file).astype(int), picture, rtol=0, atol=kind == "OPEN_EXR")  # dither
    found = timeline.read_footage(recam, scene, strip, (10, 11), folder=str(folder))
    assert found.footage.files == (str(files[0]),)


def test_sizes_of_what_is_no_picture(recam: Any, folder: Path) -> None:
    for content in (b"", b"\x89PNG", b"\xff\xd8\xff\xe0", b"\xff\xd8" + b"x" * 100, b"\x76\x2f\x31\x01", b"GIF89a"):
        (folder / "picture").write_bytes(content)
        assert recam("picturesize").picture_size(str(folder / "picture")) is None


# What is to be seen


@pytest.fixture
def cameras(scene: bpy.types.Scene, paths: list[Path], folder: Path) -> bpy.types.Scene:
    """Pictures 0 to 11 on channel 1, and 100 to 111 on channel 2."""
    timeline.new_images(scene, paths, name="one")
    other = timeline.write_pictures(folder, [timeline.numbered(100 + index) for index in range(COUNT)], stem="b")
    timeline.new_images(scene, other, channel=2, name="two")
    return scene


@pytest.mark.parametrize("source", [1, 2])
@pytest.mark.parametrize("blend", ["REPLACE", "CROSS", "ALPHA_OVER"])
def test_a_multicam_selector(recam: Any, cameras: bpy.types.Scene, place: str, source: int, blend: str) -> None:
    selector = timeline.new_effect(cameras, "MULTICAM", 3, 10, 22)
    selector.multicam_source, selector.blend_type = source, blend
    truth = [10 + 100 * (source - 1) + index - 10 for index in range(3)]
    assert timeline.numbers(cameras, 10, 13) == truth
    found = timeline.read_footage(recam, cameras, selector, (10, 13), folder=place)
    assert seen(found) == truth
    assert "a multicam selector" in found.notes[0]
    glow = timeline.new_effect(cameras, "GAUSSIAN_BLUR", 4, 10, 22, selector)
    glow.size_x = 5
    picture = timeline.render(cameras, 11).astype(int)
    found = timeline.read_footage(recam, cameras, selector, (11, 12), folder=place)
    # The effect mixes with what lies below in the edit, and with nothing in the footage: rounding.
    np.testing.assert_allclose(timeline.load(found.footage.files[0]).astype(int), picture, rtol=0, atol=1)


def test_a_multicam_selector_of_a_missing_picture(
    recam: Any, cameras: bpy.types.Scene, paths: list[Path], place: str
) -> None:
    selector = timeline.new_effect(cameras, "MULTICAM", 3, 10, 22)
    selector.multicam_source = 1
    paths[1].unlink()
    with pytest.raises(recam("footage").FootageError, match="0001"):
        timeline.read_footage(recam, cameras, selector, (10, 13), folder=place)


def test_a_multicam_selector_inside_a_meta_strip(recam: Any, cameras: bpy.types.Scene, place: str) -> None:
    selector = timeline.new_effect(cameras, "MULTICAM", 3, 10, 22)
    selector.multicam_source = 1
    meta = into_meta(recam, cameras, *timeline.strips(cameras))
    truth = timeline.numbers(cameras, 10, 12)
    assert seen(timeline.read_footage(recam, cameras, meta, (10, 12), folder=place)) == truth
    with pytest.raises(recam("footage").FootageError, match="multicam selector inside the meta strip 'meta'"):
        timeline.read_footage(recam, cameras, selector, (10, 12), folder=place)


@pytest.mark.parametrize("way", ["cropped", "ruler"])
def test_masks_and_clips_elsewhere_in_the_edit(
    recam: Any, scene: bpy.types.Scene, paths: list[Path], place: str, way: str
) -> None:
    strip = timeline.new_images(scene, paths)
    timeline.strips(scene).new_mask("mask", bpy.data.masks.new("mask"), 5, 1)
    timeline.strips(scene).new_clip("clip strip", bpy.data.movieclips.load(str(paths[0])), 6, 1)
    if way == "cropped":
        crop(strip)
    else:
        timeline.new_effect(scene, "SPEED", 2, 10, 22, strip).use_frame_interpolate = False
    found = timeline.read_footage(recam, scene, strip, (10, 13), folder=place)
    assert seen(found)[0] == 0
    assert len(found.footage.frames) == 3


@pytest.mark.parametrize("way", ["cropped", "ruler", "fade"])
def test_frames_below_zero(recam: Any, scene: bpy.types.Scene, paths: list[Path], place: str, way: str) -> None:
    strip = timeline.new_images(scene, paths, start=-6)
    scene.frame_set(3)
    if way == "cropped":
        crop(strip)
    elif way == "ruler":
        speed = timeline.new_effect(scene, "SPEED", 2, -6, 6, strip)
        speed.speed_control, speed.speed_factor, speed.use_frame_interpolate = "MULTIPLY", 0.5, False
    else:
        for frame, value in ((-6, 0.0), (-2, 1.0)):
            strip.blend_alpha = value
            strip.keyframe_insert("blend_alpha", frame=frame)
    truth = [_still(scene, frame) for frame in range(-6, 3)]
    scene.frame_set(3)
    found = timeline.read_footage(recam, scene, strip, (-6, 3), folder=place)
    for index, picture in zip(found.footage.frames, truth, strict=True):
        file = timeline.load(found.footage.files[index])
        if way == "ruler":
            assert timeline.number_in(file) == timeline.number_in(picture)
        else:
            np.testing.assert_array_equal(file, picture)
    assert len({picture.tobytes() for picture in truth}) > 4
    assert truth[0].any() == (way != "fade")
    assert scene.frame_current == 3


def _still(scene: bpy.types.Scene, frame: int) -> np.ndarray:
    """Blender's own picture of a frame where no animation can begin."""
    timeline.in_window(scene).view_layers[0].update()
    scene.frame_set(frame)
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode = "PNG", "RGB"
    scene.render.filepath = bpy.app.tempdir + "still.png"
    bpy.ops.render.render(write_still=True)
    return timeline.load(scene.render.filepath)


# A full disk


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of file sizes")
def test_a_disk_that_fills_up_is_an_error(recam: Any, paths: list[Path], place: str) -> None:
    """In a child, as the limit holds for all that a process writes."""
    printed = timeline.with_small_files(
        recam,
        """
        footage = importlib.import_module("extension.recam_blender.footage")
        scene = bpy.context.scene
        scene.render.resolution_x, scene.render.resolution_y = 128, 64
        editor = scene.sequence_editor_create()
        strips = editor.strips if hasattr(editor, "strips") else editor.sequences
        strip = strips.new_image("clip", sys.argv[2], 1, 10, fit_method="ORIGINAL")
        strip.crop.min_x = 4
        work = footage.read_footage(scene, strip, folder=sys.argv[3])
        """,
        error="FootageError",
        arguments=[str(paths[0]), place],
    )
    assert "The disk may be full" in printed
    assert place in printed
    assert not list(Path(place).iterdir())


def test_a_render_that_is_refused_is_an_error(
    recam: Any, scene: bpy.types.Scene, paths: list[Path], folder: Path
) -> None:
    strip = timeline.new_images(scene, paths)
    crop(strip)
    work = recam("footage").read_footage(scene, strip, folder=str(folder))
    next(work)
    (made,) = folder.glob("footage-*")
    made.rmdir()
    made.write_bytes(b"a file where the folder was")
    with pytest.raises(recam("footage").FootageError, match=r"Frame 10|frame 10"):
        timeline.drained(work)


# Leftovers


def test_leftovers_of_every_kind_go_and_nothing_else(recam: Any, scene: bpy.types.Scene) -> None:
    def state() -> dict[str, list[str]]:
        kinds = ("scenes", "actions", "objects", "cameras", "materials", "node_groups")
        return {kind: sorted(each.name for each in getattr(bpy.data, kind)) for kind in kinds}

    camera = bpy.data.objects.new("mine", bpy.data.cameras.new("mine"))
    scene.collection.objects.link(camera)
    before = state()
    left: list[bpy.types.ID] = [scene.copy(), bpy.data.actions.new("left"), bpy.data.materials.new("left")]
    left += [bpy.data.cameras.new("left"), bpy.data.node_groups.new("left", "CompositorNodeTree")]
    left.append(bpy.data.objects.new("left", left[3]))
    recam("temporary").mark(*left)
    recam("intermediate").remove_leftovers(None, None)
    assert state() == before
