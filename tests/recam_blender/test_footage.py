"""Footage from the sequencer: the frames that Blender itself shows, rendered and read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
import timeline

COUNT = 40


@pytest.fixture(scope="module")
def clips(backend_python: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp('clips "é" 日本')
    return timeline.write_clips(backend_python, folder, COUNT, ("24", "30", "16", "30000/1001"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return timeline.write_pictures(
        tmp_path_factory.mktemp("pictures é 日本"), [timeline.numbered(index) for index in range(24)]
    )


@pytest.fixture
def scene() -> bpy.types.Scene:
    return timeline.new_scene()


def shown(found: Any) -> list[int | None]:
    """The numbers in the pictures that footage names, in order."""
    return [timeline.number_in(timeline.load(found.footage.files[index])) for index in found.footage.frames]


# By formula

TIMINGS: dict[str, dict[str, float]] = {
    "plain": {},
    "trim": {"frame_offset_start": 7, "frame_offset_end": 4},
    "cut file": {"animation_offset_start": 5, "animation_offset_end": 3},
    "cut file and trim": {"animation_offset_start": 5, "animation_offset_end": 3, "frame_offset_start": 4},
    "reverse": {"use_reverse_frames": True},
    "reverse, all of it": {
        "use_reverse_frames": True,
        "animation_offset_start": 5,
        "animation_offset_end": 3,
        "frame_offset_start": -4,
        "frame_offset_end": 6,
    },
    "hold": {"frame_offset_start": -4, "frame_offset_end": -5},
    "hold, cut file": {"frame_offset_start": -4, "frame_offset_end": -5, "animation_offset_start": 5},
    "strobe": {"strobe": 3},
    "strobe, not whole": {"strobe": 2.5, "frame_offset_start": 4},
    "strobe, reverse": {"strobe": 3, "use_reverse_frames": True},
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("timing", TIMINGS)
def test_movie_frames_are_those_that_blender_shows(
    recam: Any, scene: bpy.types.Scene, clips: dict[str, Path], tmp_path: Path, timing: str
) -> None:
    strip = timeline.new_movie(scene, clips["24"])
    for name, value in TIMINGS[timing].items():
        setattr(strip, name, value)
    found = timeline.read_footage(recam, scene, strip, folder=str(tmp_path))
    assert (found.start, found.stop) == timeline.span(strip)
    assert list(found.footage.frames) == timeline.numbers(scene, found.start, found.stop)
    assert found.footage.files == (str(clips["24"]),)
    assert (found.footage.width, found.footage.height) == (timeline.WIDTH, timeline.HEIGHT)
    assert not found.notes
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("timing", TIMINGS)
def test_picture_frames_are_those_that_blender_shows(
    recam: Any, scene: bpy.types.Scene, pictures: list[Path], tmp_path: Path, timing: str
) -> None:
    strip = timeline.new_images(scene, pictures)
    for name, value in TIMINGS[timing].items():
        setattr(strip, name, value)
    found = timeline.read_footage(recam, scene, strip, folder=str(tmp_path))
    truth = timeline.numbers(scene, *timeline.span(strip))
    assert shown(found) == truth
    # Pictures that are cut away need not be there.
    assert len(found.footage.files) == len(set(truth))
    assert not list(tmp_path.iterdir())


def test_a_single_picture_lasts_as_long_as_its_strip(
    recam: Any, scene: bpy.types.Scene, pictures: list[Path], tmp_path: Path
) -> None:
    strip = timeline.new_images(scene, pictures[3:4])
    recam("compat").set_span(strip, 5, 30)
    found = timeline.read_footage(recam, scene, strip, folder=str(tmp_path))
    assert (found.start, found.stop) == (5, 30) == timeline.span(strip)
    assert found.footage.frames == (0,) * 25
    assert found.footage.files == (str(pictures[3]),)


def test_part_of_a_strip(recam: Any, scene: bpy.types.Scene, clips: dict[str, Path], tmp_path: Path) -> None:
    strip = timeline.new_movie(scene, clips["24"])
    found = timeline.read_footage(recam, scene, strip, (20, 25), folder=str(tmp_path))
    assert found.footage.frames == (10, 11, 12, 13, 14)


@pytest.mark.parametrize("others", ["covered", "muted", "channel muted", "tabbed away"])
def test_what_lies_around_a_strip_does_not_matter(
    recam: Any, scene: bpy.types.Scene, clips: dict[str, Path], pictures: list[Path], tmp_path: Path, others: str
) -> None:
    strip = timeline.new_movie(scene, clips["24"])
    timeline.effect_on(scene, "SPEED", strip).use_frame_interpolate = False
    truth = timeline.numbers(scene, 10, 15)
    if others == "covered":
        timeline.new_images(scene, pictures, start=8, channel=4, name="above")
    elif others == "muted":
        strip.mute = True
    elif others == "channel muted":
        scene.sequence_editor.channels[1].mute = scene.sequence_editor.channels[2].mute = True
    else:
        scene.sequence_editor.display_stack(timeline.strips(scene).new_meta("elsewhere", 5, 1))
    found = timeline.read_footage(recam, scene, strip, (10, 15), folder=str(tmp_path))
    assert list(found.footage.frames) == truth


def test_scaled_to_fit_is_read_at_its_own_size(recam: Any, clips: dict[str, Path], tmp_path: Path) -> None:
    scene = timeline.new_scene(width=192, height=64)
    strip = timeline.strips(scene).new_movie("fit", str(clips["24"]), 1, 1, fit_method="FIT")
    found = timeline.read_footage(recam, scene, strip, folder=str(tmp_path))
    assert found.footage.kind == "movie"
    scene.render.resolution_x, scene.render.resolution_y = 64, 32
    strip.transform.scale_x = strip.transform.scale_y = 0.5
    found = timeline.read_footage(recam, scene, strip, folder=str(tmp_path))
    assert (found.footage.kind, found.footage.width, found.footage.height) == ("movie", 128, 64)
    assert recam("footage").shown_size(scene, strip) == (64, 32)


def test_relative_paths(
    recam: Any, clips: dict[str, Path], folder: Path, open_file: Callable[..., None], tmp_path: Path
) -> None:
    (folder / "clip.mkv").write_bytes(clips["24"].read_bytes())
    strip = timeline.new_movie(
        bpy.context.scene if bpy.context.scene.sequence_editor_create() else None, folder / "clip.mkv"
    )
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "shot.blend"))
    strip.filepath = "//clip.mkv"
    found = timeline.read_footage(recam, bpy.context.scene, strip, folder=str(tmp_path))
    assert found.footage.files == (str(folder / "clip.mkv"),)


@pytest.mark.parametrize(("ending", "kind"), [("png", "PNG"), ("jpg", "JPEG"), ("exr", "OPEN_EXR")])
def test_kinds_of_pictures(recam: Any, scene: bpy.types.Scene, folder: Path, ending: str, kind: str) -> None:
    path = folder / f"picture.{ending}"
    timeline.save(timeline.numbered(5), path, kind)
    strip = timeline.new_images(scene, [path])
    found = timeline.read_footage(recam, scene, strip, folder=str(folder))
    assert found.footage.files == (str(path),)
    assert [("display-referred" in note) for note in found.notes] == [True] * (kind == "OPEN_EXR")


def test_footage_larger_than_the_frame_is_said(
    recam: Any, scene: bpy.types.Scene, clips: dict[str, Path], tmp_path: Path
) -> None:
    scene.render.resolution_x = 100
    found = timeline.read_footage(recam, scene, timeline.new_movie(scene, clips["24"]), folder=str(tmp_path))
    assert "is larger (128 x 64) than the scene's frame (100 x 64)" in found.notes[0]


# By ruler


@pytest.mark.parametrize("rate", ["30", "16"])
def test_a_movie_of_another_rate(
    recam: Any, scene: bpy.types.Scene, clips: dict[str, Path], tmp_path: Path, rate: str
) -> None:
    strip = timeline.new_movie(scene, clips[rate])
    found = timeline.read_footage(recam, scene, strip, folder=str(tmp_path))
    assert list(found.footage.frames) == timeline.numbers(scene, *timeline.span(strip))
    assert found.footage.kind == "movie"


@pytest.mark.parametrize("factor", [0.5, 1.7])
@pytest.mark.parametrize("kind", ["movie", "images"])
def test_a_speed_effect_without_blending(
    recam: Any,
    scene: bpy.types.Scene,
    clips: dict[str, Path],
    pictures: list[Path],
    tmp_path: Path,
    kind: str,
    factor: float,
) -> None:
    strip = timeline.new_movie(scene, clips["24"]) if kind == "movie" else timeline.new_images(scene, pictures)
    speed = timeline.effect_on(scene, "SPEED", strip)
    speed.speed_control, speed.speed_factor, speed.use_frame_interpolate = "MULTIPLY", factor, False
    truth = timeline.numbers(scene, *timeline.span(strip))
    assert truth[:4] != [0, 1, 2, 3]
    for asked in (strip, speed):
        found = timeline.read_footage(recam, scene, asked, folder=str(tmp_path))
        assert found.footage.kind == kind
        seen = shown(found) if kind == "images" else list(found.footage.frames)
        assert seen == truth
        assert "speed effect" in found.notes[0]
    assert not list(tmp_path.iterdir())


def test_a_keyframed_speed(recam: Any, scene: bpy.types.Scene, clips: dict[str, Path], tmp_path: Path) -> None:
    strip = timeline.new_movie(scene, clips["24"])
    speed = timeline.effect_on(scene, "SPEED", strip)
    speed.speed_control, speed.use_frame_interpolate = "FRAME_NUMBER", False
    for frame, number in ((10, 30), (49, 3)):
        speed.speed_frame_number = number
        speed.keyframe_insert("speed_frame_number", frame=frame)
    found = timeline.read_footage(recam, scene, strip, folder=str(tmp_path))
    assert list(found.footage.frames) == timeline.numbers(scene, *timeline.span(strip))
    assert found.footage.frames[0] == 30


@pytest.mark.parametrize("way", ["faster", "freeze"])
def test_retiming(recam: Any, clips: dict[str, Path], tmp_path: Path, way: str) -> None:
    scene = timeline.in_window(timeline.new_scene())
    strip = timeline.new_movie(scene, clips["24"])
    scene.sequence_editor.active_strip, strip.select = strip, True
    scene.frame_set(20)
    with timeline.sequencer_area():
        # Not strip.retiming_keys.add, which crashes 4.2 to 5.0.
        bpy.ops.sequencer.retiming_key_add(timeline_frame=20)
        if way == "faster":
            strip.retiming_keys[-1].timeline_frame = 30
        else:
            bpy.ops.sequencer.retiming_freeze_frame_add(duration=6)
    truth = timeline.numbers(scene, *timeline.span(strip))
    assert truth[9:16] == ([9, 10, 13, 16, 19, 22, 25] if way == "faster" else [9, *[10] * 6])
    found = timeline.read_footage(recam, scene, strip, folder=str(tmp_path))
    assert list(found.footage.frames) == truth
    assert "retimed" in found.notes[0]


@pytest.mark.parametrize(("rate", "length"), [("30", 32), ("16", 60), ("30000/1001", 32)])
def test_a_playback_rate_adjusted_to_the_scene(
    recam: Any, clips: dict[str, Path], tmp_path: Path, rate: str, length: int
) -> None:
    """Only an operator sets it, which crashes without a window from 5.0: these strips come from 4.5."""
    scene = timeline.append_scene("strips.blend")
    strip = timeline.strips(scene)[rate.replace("/", "-")]
    strip.filepath = str(clips[rate])
    for each in timeline.strips(scene):
        each.mute = each != strip
    truth = timeline.numbers(scene, *timeline.span(strip))
    assert len(truth) == length
    found = timeline.read_footage(recam, scene, strip, folder=str(tmp_path))
    assert list(found.footage.frames) == truth
    assert truth != list(range(length))


# Through an intermediate


def _crop(scene: bpy.types.Scene, strip: Any) -> None:
    strip.crop.min_x, strip.crop.max_y = 12, 9


def _move(scene: bpy.types.Scene, strip: Any) -> None:
    strip.transform.offset_x, strip.transform.rotation, strip.transform.scale_x = 9, 0.2, 1.3


def _flip(scene: bpy.types.Scene, strip: Any) -> None:
    strip.use_flip_x = True


def _opacity(scene: bpy.types.Scene, strip: Any) -> None:
    strip.blend_alpha = 0.4


def _saturation(scene: bpy.types.Scene, strip: Any) -> None:
    strip.color_saturation = 0.3


def _fade(scene: bpy.types.Scene, strip: Any) -> None:
    strip.keyframe_insert("blend_alpha", frame=10)
    strip.blend_alpha = 0
    strip.keyframe_insert("blend_alpha", frame=16)


def _blend(scene: bpy.types.Scene, strip: Any) -> None:
    speed = timeline.effect_on(scene, "SPEED", strip)
    speed.speed_control, speed.speed_factor, speed.use_frame_interpolate = "MULTIPLY", 0.4, True


def _blur(scene: bpy.types.Scene, strip: Any) -> None:
    timeline.effect_on(scene, "GAUSSIAN_BLUR", strip).size_x = 7


def _modifier(scene: bpy.types.Scene, strip: Any) -> None:
    scene.sequence_editor.active_strip = timeline.in_window(scene) and strip
    with timeline.sequencer_area():
        # Not strip.modifiers.new, which crashes 5.0.
        bpy.ops.sequencer.strip_modifier_add(type="BRIGHT_CONTRAST")
    strip.modifiers[0].bright = 30


CHANGES = (_crop, _move, _flip, _opacity, _saturation, _fade, _blend, _blur, _modifier)


@pytest.mark.parametrize("change", CHANGES, ids=lambda each: each.__name__[1:])
def test_changed_pictures_are_those_that_blender_shows(
    recam: Any, scene: bpy.types.Scene, clips: dict[str, Path], tmp_path: Path, change: Callable[..., None]
) -> None:
    strip = timeline.new_movie(scene, clips["24"])
    plain = timeline.render(scene, 13)
    change(scene, strip)
    truth = [timeline.render(scene, frame) for frame in range(10, 16)]
    assert not np.array_equal(truth[3], plain)
    scene.view_settings.view_transform, scene.view_settings.exposure = "AgX", 1.5
    scene.render.resolution_percentage = 50
    found = timeline.read_footage(recam, scene, strip, (10, 16), folder=str(tmp_path))
    assert found.footage.kind == "images"
    assert found.footage.identity
    assert "lossless intermediate" in found.notes[0]
    for index, picture in zip(found.footage.frames, truth, strict=True):
        np.testing.assert_array_equal(timeline.load(found.footage.files[index]), picture)


def test_an_intermediate_of_an_unchanged_strip_equals_its_pictures(
    recam: Any, scene: bpy.types.Scene, pictures: list[Path], tmp_path: Path
) -> None:
    strip = timeline.new_images(scene, pictures)
    scene.view_settings.view_transform = "AgX"
    meta = timeline.strips(scene).new_meta("meta", 3, 10)
    strip.move_to_meta(meta)
    for frame in (11, 10):  # 4.2 looks at what is inside a meta strip only when that moves
        recam("compat").set_content_start(strip, frame)
    recam("compat").set_span(meta, 10, 34)
    found = timeline.read_footage(recam, scene, meta, folder=str(tmp_path))
    assert "a meta strip" in found.notes[0]
    for index, place in enumerate(found.footage.frames):
        np.testing.assert_array_equal(timeline.load(found.footage.files[place]), timeline.numbered(index))


def test_a_strip_inside_a_meta_strip(
    recam: Any, scene: bpy.types.Scene, clips: dict[str, Path], pictures: list[Path], tmp_path: Path
) -> None:
    strip = timeline.new_movie(scene, clips["24"])
    strip.use_flip_y = True
    above = timeline.new_images(scene, pictures, start=10, channel=2, name="above")
    outer, inner = (timeline.strips(scene).new_meta(name, 5, 10) for name in ("outer", "inner"))
    strip.move_to_meta(inner)
    above.move_to_meta(inner)
    inner.move_to_meta(outer)
    found = timeline.read_footage(recam, scene, strip, (10, 13), folder=str(tmp_path))
    for index, place in enumerate(found.footage.frames):
        np.testing.assert_array_equal(timeline.load(found.footage.files[place]), timeline.numbered(index)[::-1])


def test_a_scene_strip(recam: Any, scene: bpy.types.Scene, clips: dict[str, Path], tmp_path: Path) -> None:
    other = timeline.new_scene("Other")
    other.frame_start, other.frame_end = 101, 140
    timeline.new_movie(other, clips["24"], start=101)
    strip = timeline.strips(scene).new_scene("shot", other, 1, 10)
    strip.scene_input = "SEQUENCER"
    found = timeline.read_footage(recam, scene, strip, (12, 15), folder=str(tmp_path))
    assert shown(found) == [2, 3, 4]


def test_a_cross_fade_is_no_part_of_its_inputs_but_footage_itself(
    recam: Any, scene: bpy.types.Scene, clips: dict[str, Path], tmp_path: Path
) -> None:
    first, second = timeline.new_movie(scene, clips["24"]), timeline.new_movie(scene, clips["24"], start=15, channel=2)
    cross = timeline.new_cross(scene, first, second, channel=3)
    first.use_flip_x = True
    truth = timeline.render(scene, 30)
    found = timeline.read_footage(recam, scene, cross, (30, 31), folder=str(tmp_path))
    np.testing.assert_array_equal(timeline.load(found.footage.files[0]), truth)
    found = timeline.read_footage(recam, scene, first, (30, 31), folder=str(tmp_path))
    np.testing.assert_array_equal(timeline.load(found.footage.files[0]), timeline.numbered(20)[:, ::-1])


def test_identity_is_that_of_the_pictures(
    recam: Any, scene: bpy.types.Scene, clips: dict[str, Path], tmp_path: Path
) -> None:
    strip = timeline.new_movie(scene, clips["24"])
    strip.use_flip_x = True
    identities = []
    for place, saturation in (("a", 1.0), ("b", 1.0), ("c", 0.5)):
        (tmp_path / place).mkdir()
        strip.color_saturation = saturation
        found = timeline.read_footage(recam, scene, strip, (10, 13), folder=str(tmp_path / place))
        identities.append(found.footage.identity)
    assert identities[0] == identities[1] != identities[2]


@pytest.mark.parametrize("rotation", [0, 90, 180])
def test_movies_that_ask_to_be_turned(
    recam: Any, scene: bpy.types.Scene, backend_python: str, folder: Path, rotation: int
) -> None:
    """As phones write them: shown upright from 4.4, as they lie in the file before."""
    pictures = [timeline.numbered(index) for index in range(3)]
    path = timeline.write_movie(
        backend_python, folder / "turned.mp4", pictures, codec="libx264", pix_fmt="yuv444p", rotation=rotation
    )
    assert recam("displaymatrix").is_turned(str(path)) == (rotation != 0)
    strip = timeline.new_movie(scene, path)
    found = timeline.read_footage(recam, scene, strip, folder=str(folder))
    if rotation and not recam("compat").TURNS_MOVIES:
        assert found.footage.kind == "images"
        np.testing.assert_array_equal(timeline.load(found.footage.files[1]), timeline.render(scene, 11))
    else:
        size = (timeline.HEIGHT, timeline.WIDTH) if rotation == 90 else (timeline.WIDTH, timeline.HEIGHT)
        assert (found.footage.kind, found.footage.width, found.footage.height) == ("movie", *size)
    upright = timeline.numbered(1)[::-1, ::-1]
    is_upright = np.abs(timeline.render(scene, 11).astype(int) - upright).mean() < 3
    assert is_upright == (rotation == 180 and recam("compat").TURNS_MOVIES)
