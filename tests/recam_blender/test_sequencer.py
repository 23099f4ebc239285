"""Takes in the sequencer, as Blender plays them."""

import json
import math
import shutil
import struct
import wave
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
import timeline

LENGTH = 20

needs_sound = pytest.mark.skipif(not bpy.app.build_options.audaspace, reason="this Blender was built without audio")


@pytest.fixture(scope="module")
def clip(backend_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('it\'s "é" 日本') / "take.mkv"
    return timeline.write_movie(backend_python, path, [timeline.numbered(index) for index in range(LENGTH)])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("é 日本")
    timeline.write_pictures(folder, [timeline.numbered(index) for index in range(LENGTH)], stem="")
    return folder


@pytest.fixture(scope="module")
def exr_pictures(backend_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Display-referred values, as takes have them."""
    folder = tmp_path_factory.mktemp("exr")
    np.save(folder / "pictures.npy", np.stack([timeline.numbered(index) for index in range(LENGTH)]))
    timeline.in_backend(
        backend_python,
        """
        import numpy as np
        import OpenEXR
        for index, picture in enumerate(np.load(sys.argv[1] + "/pictures.npy")):
            header = {"type": OpenEXR.scanlineimage}
            channels = {"RGB": np.ascontiguousarray(picture / 255, np.float32)}
            OpenEXR.File(header, channels).write(f"{sys.argv[1]}/{index + 1:04d}.exr")
        """,
        folder,
    )
    return folder


@pytest.fixture
def scene() -> bpy.types.Scene:
    return timeline.new_scene()


@pytest.fixture
def source(scene: bpy.types.Scene, clip: Path) -> Any:
    """Footage on channel 2, frames 10 to 29, shown reversed so that it is told from its take."""
    strip = movie(scene, clip, "footage")
    strip.use_reverse_frames = True
    return strip


def movie(scene: bpy.types.Scene, path: Path, name: str, channel: int = 2, start: int = 10) -> Any:
    return timeline.strips(scene).new_movie(name, str(path), channel, start, fit_method="ORIGINAL")


def insert(recam: Any, scene: Any, source: Any, path: Path, **changed: Any) -> tuple[Any, list[str]]:
    wanted = {"name": "footage_Camera_v001", "start": 10, "length": LENGTH, "metadata": {"job": "{}", "result": "{}"}}
    return recam("sequencer").insert_take(scene, source, str(path), **wanted | changed)


def span(recam: Any, strip: Any) -> tuple[int, int]:
    return recam("compat").span(strip)


@pytest.mark.parametrize("kind", ["movie", "png", "exr"])
def test_a_take_lies_over_its_footage_and_plays_in_sync(
    recam: Any, scene: bpy.types.Scene, source: Any, clip: Path, pictures: Path, exr_pictures: Path, kind: str
) -> None:
    other = movie(scene, clip, "later", channel=3, start=25)  # in the way on channel 3, and only at the end
    other.select = True
    scene.sequence_editor.active_strip = other
    take, notes = insert(recam, scene.name, source.name, {"movie": clip, "png": pictures, "exr": exr_pictures}[kind])
    assert (take.channel, span(recam, take)) == (4, (10, 10 + LENGTH))
    assert take.name == "footage_Camera_v001"
    assert timeline.numbers(scene, 9, 31) == [-1, *range(LENGTH), 5]
    assert np.abs(timeline.render(scene, 13).astype(int) - timeline.numbered(3)).max() <= 1
    assert scene.sequence_editor.active_strip == take
    assert [each.name for each in recam("compat").strips_all(scene) if each.select] == [take.name]
    assert notes == []


def test_metadata_is_kept_in_the_file(
    recam: Any, scene: bpy.types.Scene, source: Any, clip: Path, folder: Path, open_file: Any
) -> None:
    job = json.dumps({"camera": "Kamera é 日本", "poses": [0.1] * 5000})
    first, _ = insert(recam, scene, source, clip, metadata={"job": job, "result": "{}"})
    second, _ = insert(recam, scene, source, clip, name="footage_Camera_v002")
    assert [first.channel, second.channel] == [3, 4]
    name = first.name
    path = folder / "edit.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    open_file(path)
    scene = bpy.data.scenes["Edit"]
    strips = {each.name: each for each in recam("compat").strips_all(scene)}
    assert strips[name]["recam"]["job"] == job
    takes = recam("sequencer").list_takes(scene, strips["footage"])
    assert [each.name for each in takes] == ["footage_Camera_v001", "footage_Camera_v002"]


def test_a_take_beside_the_blend_moves_with_it(
    recam: Any, scene: bpy.types.Scene, source: Any, clip: Path, folder: Path, open_file: Any
) -> None:
    shutil.copy(clip, folder / "take.mkv")
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "edit.blend"))
    take, _ = insert(recam, scene, source, folder / "take.mkv")
    assert take.filepath == "//take.mkv"
    assert insert(recam, scene, source, clip)[0].filepath == str(clip)
    assert timeline.numbers(scene, 10, 12) == [0, 1]


def test_the_channel_is_free_over_the_whole_range(recam: Any, scene: bpy.types.Scene, clip: Path) -> None:
    for channel, start in ((2, 10), (3, 28), (4, 0), (7, 11)):
        movie(scene, clip, f"at {channel}", channel, start)
    scene.sequence_editor.channels[5].mute = True
    free = recam("sequencer").free_channel
    editor = scene.sequence_editor
    assert free(editor, 2, 10, 30) == 6
    assert free(editor, 2, 20, 28) == 3
    assert free(editor, 2, 21, 40) == 4
    assert free(editor, 2, 10, 30, count=2) == 8
    assert free(editor, 127, 10, 30) == 128
    assert free(editor, 127, 10, 30, count=2) is None
    assert free(editor, 128, 10, 30) is None


def test_no_free_channel_is_an_error_that_leaves_nothing(recam: Any, scene: bpy.types.Scene, clip: Path) -> None:
    source = movie(scene, clip, "footage", channel=128)
    with pytest.raises(recam("sequencer").SequencerError, match="No channel above 128") as caught:
        insert(recam, scene, source, clip)
    assert repr(str(clip)) in str(caught.value)
    assert len(timeline.strips(scene)) == 1


def test_a_footage_strip_that_is_gone(recam: Any, scene: bpy.types.Scene, source: Any, clip: Path) -> None:
    movie(scene, clip, "over", channel=6)
    source.name = "renamed"
    take, notes = insert(recam, "Edit", "footage", clip, start=15)
    assert (take.channel, span(recam, take)) == (7, (15, 15 + LENGTH))
    assert "'footage' is no longer" in notes[0]


def test_a_footage_strip_that_moved(recam: Any, scene: bpy.types.Scene, source: Any, clip: Path) -> None:
    recam("compat").set_content_start(source, 100)
    take, notes = insert(recam, scene, source, clip)
    assert span(recam, take) == (10, 10 + LENGTH)
    assert "moved or trimmed" in notes[0]


def test_a_scene_that_is_gone(recam: Any, clip: Path) -> None:
    with pytest.raises(recam("sequencer").SequencerError, match="'Nowhere' is gone") as caught:
        insert(recam, "Nowhere", "footage", clip)
    assert repr(str(clip)) in str(caught.value)


def test_a_take_lies_over_the_effects_that_were_read_into_it(
    recam: Any, scene: bpy.types.Scene, source: Any, clip: Path
) -> None:
    other = movie(scene, clip, "other", channel=1, start=12)
    blur = timeline.new_effect(scene, "GAUSSIAN_BLUR", 5, 10, 30, source)
    timeline.new_effect(scene, "SPEED", 7, 10, 30, blur)
    timeline.new_effect(scene, "CROSS", 9, 12, 30, source, other)  # no part of the footage
    take, _ = insert(recam, scene, source, clip)
    assert take.channel == 8
    assert insert(recam, scene, other, clip, name="footage_Camera_v002")[0].channel == 3


@pytest.mark.parametrize("mine", ["mine", 7, {"source": 7}, {"other": "text"}, [1.0, 2.0]])
def test_a_custom_property_of_the_users_own_is_none_of_recams(
    recam: Any, scene: bpy.types.Scene, source: Any, clip: Path, mine: Any
) -> None:
    source["recam"] = mine
    take, _ = insert(recam, scene, source, clip)
    module = recam("sequencer")
    assert module.footage_of(scene, source) == source
    assert module.footage_of(scene, take) == source
    assert module.list_takes(scene, source) == [take]


def test_footage_inside_a_meta_strip_has_its_take_there(
    recam: Any, scene: bpy.types.Scene, source: Any, clip: Path
) -> None:
    meta = timeline.strips(scene).new_meta("meta", 1, 10)
    source.move_to_meta(meta)
    take, _ = insert(recam, scene, "footage", clip)
    assert sorted(each.name for each in timeline.strips(meta)) == ["footage", take.name]
    assert take.channel == 3


@pytest.mark.parametrize("fault", ["missing", "empty", "rubbish", "short", "few pictures"])
def test_a_take_that_is_not_whole(
    recam: Any, scene: bpy.types.Scene, source: Any, clip: Path, pictures: Path, folder: Path, fault: str
) -> None:
    path, length = folder / "take.mkv", LENGTH
    if fault == "empty":
        path.touch()
    elif fault == "rubbish":
        path.write_bytes(b"no movie" * 100)
    elif fault == "short":
        shutil.copy(clip, path)
        length += 1
    elif fault == "few pictures":
        path, length = pictures, LENGTH + 1
    with pytest.raises(recam("sequencer").SequencerError) as caught:
        insert(recam, scene, source, path, length=length)
    assert repr(str(path)) in str(caught.value)
    assert [each.name for each in timeline.strips(scene)] == ["footage"]


@pytest.mark.parametrize("name", ["x" * 80 + "_v012", "日本" * 30 + "_v012", "x" * 30 + "_" + "é" * 60, "é" * 30])
def test_long_names_are_cut_where_letters_end(
    recam: Any, scene: bpy.types.Scene, source: Any, clip: Path, name: str
) -> None:
    take, _ = insert(recam, scene, source, clip, name=name)
    assert len(take.name.encode()) <= 63
    if len(name.encode()) <= 60:
        assert take.name == name
    else:
        head, _, tail = take.name.partition("…")
        assert name.startswith(head)
        assert tail == ("_v012" if name.endswith("_v012") else "")


def test_a_take_covers_what_its_footage_covers(recam: Any, backend_python: str, folder: Path, clip: Path) -> None:
    scene = timeline.new_scene(width=64, height=64)
    source = timeline.strips(scene).new_movie("footage", str(clip), 1, 10, fit_method="FIT")
    small = [timeline.numbered(index, 64, 32) for index in range(LENGTH)]
    path = timeline.write_movie(backend_python, folder / "small.mkv", small)
    take, _ = insert(recam, scene, source, path)
    assert (source.transform.scale_x, take.transform.scale_x) == (0.5, 1)
    source.crop.min_x = 4  # read through an intermediate: the frame's size
    take, _ = insert(recam, scene, source, clip)
    assert take.transform.scale_x == 0.5


def test_a_view_that_changes_colours_is_named(recam: Any, scene: bpy.types.Scene, source: Any, clip: Path) -> None:
    assert recam("sequencer").view_transform_warning(scene) == []
    scene.view_settings.view_transform = "AgX"
    _, notes = insert(recam, scene, source, clip)
    assert "the view transform AgX" in notes[-1]
    scene.view_settings.view_transform, scene.view_settings.exposure = "Standard", 0.5
    assert "exposure" in recam("sequencer").view_transform_warning(scene)[0]


# Sound


@pytest.fixture(scope="module")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds, 48 frames at 24 frames per second."""
    path = tmp_path_factory.mktemp("tone é") / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(i / 9))) for i in range(16000)))
    return path


def sound_of(scene: bpy.types.Scene, take: Any) -> Any:
    (found,) = [each for each in timeline.strips(scene) if each.type == "SOUND" and "recam" in each]
    assert found["recam"]["take"] == take.name
    return found


@needs_sound
def test_the_sound_is_copied_with_offset_and_trim(
    recam: Any, scene: bpy.types.Scene, source: Any, clip: Path, tone: Path
) -> None:
    compat = recam("compat")
    sound = timeline.strips(scene).new_sound("sound", str(tone), 1, 4)
    compat.set_content_trim(sound, 2, 3)
    compat.set_handle_offsets(sound, 7.5, 15.25)
    compat.set_content_start(source, compat.span(sound)[0])
    assert compat.span(source) == compat.span(sound)
    sound.volume = 0.5
    sounds = len(bpy.data.sounds)
    take, notes = insert(recam, scene, source, clip, start=compat.span(sound)[0])
    copy = sound_of(scene, take)
    for what in ("content_start", "content_trim", "handle_offsets"):
        assert getattr(compat, what)(copy) == getattr(compat, what)(sound)
    assert (copy.volume, copy.mute) == (0.5, True)
    assert copy.channel == take.channel - 1
    assert len(bpy.data.sounds) == sounds
    assert any("is muted" in note for note in notes)


@needs_sound
def test_the_sound_of_the_same_file_goes_before_others(
    recam: Any, scene: bpy.types.Scene, backend_python: str, clip: Path, tone: Path, folder: Path
) -> None:
    path = folder / "with sound.mkv"
    timeline.in_backend(
        backend_python,
        """
        import av
        with av.open(sys.argv[1]) as pictures, av.open(sys.argv[2]) as tone, av.open(sys.argv[3], "w") as both:
            sources = (pictures, pictures.streams.video[0]), (tone, tone.streams.audio[0])
            targets = [both.add_stream_from_template(stream) for _, stream in sources]
            for (container, stream), target in zip(sources, targets):
                for packet in container.demux(stream):
                    if packet.dts is not None:
                        packet.stream = target
                        both.mux(packet)
        """,
        clip,
        tone,
        path,
    )
    source = movie(scene, path, "footage")
    # Music of exactly its range, and the clip's own sound as the user slid it two frames.
    music = timeline.strips(scene).new_sound("music", str(tone), 7, 10)
    recam("compat").set_span(music, *span(recam, source))
    timeline.strips(scene).new_sound("own", str(path), 1, 12)
    take, _ = insert(recam, scene, source, clip)
    copy = sound_of(scene, take)
    assert recam("compat").content_start(copy) == 12
    assert bpy.path.abspath(copy.sound.filepath) == str(path)


@needs_sound
def test_a_take_of_a_part_has_that_part_of_the_sound(
    recam: Any, scene: bpy.types.Scene, clip: Path, tone: Path
) -> None:
    source = movie(scene, clip, "footage", start=10)
    recam("compat").set_span(source, 10, 58)
    timeline.strips(scene).new_sound("sound", str(tone), 1, 10)
    take, _ = insert(recam, scene, source, clip, start=20)
    assert span(recam, sound_of(scene, take)) == (20, 40)


@needs_sound
def test_a_sound_that_cannot_be_read_is_said(
    recam: Any, scene: bpy.types.Scene, clip: Path, tone: Path, folder: Path
) -> None:
    path = folder / "gone.wav"
    shutil.copy(tone, path)
    source = movie(scene, clip, "footage")
    sound = timeline.strips(scene).new_sound("sound", str(path), 1, 10)
    recam("compat").set_span(sound, *span(recam, source))
    path.unlink()
    take, notes = insert(recam, scene, source, clip)
    assert [each.name for each in timeline.strips(scene)] == ["footage", "sound", take.name]
    assert "no sound" in notes[0]


@pytest.mark.skipif(bpy.app.build_options.audaspace, reason="this Blender was built with audio")
def test_a_blender_without_audio_says_so(recam: Any, clip: Path, tone: Path) -> None:
    scene = timeline.append_scene("strips.blend")
    sound = timeline.strips(scene)["sound"]
    sound.sound.filepath = str(tone)
    source = movie(scene, clip, "footage", channel=5)
    recam("compat").set_span(source, *span(recam, sound))
    take, notes = insert(recam, scene, source, clip)
    assert take.channel == 6
    assert notes == ["The take has no sound, as this Blender was built without audio."]


@needs_sound
def test_a_take_says_that_it_has_no_sound_where_some_is_heard(
    recam: Any, scene: bpy.types.Scene, source: Any, clip: Path, tone: Path
) -> None:
    assert insert(recam, scene, source, clip)[1] == []
    sound = timeline.strips(scene).new_sound("music", str(tone), 1, 1)
    recam("compat").set_span(sound, 1, span(recam, source)[0] + 2)
    _, notes = insert(recam, scene, source, clip)
    assert notes == ["The take has no sound, as no sound strip belongs to 'footage'."]


# Colour


@pytest.mark.parametrize(("matrix", "tagged"), [("bt601", True), ("bt709", True), ("bt601", False)])
def test_blender_and_the_backend_read_the_same_colours(
    recam: Any, scene: bpy.types.Scene, backend_python: str, folder: Path, matrix: str, tagged: bool
) -> None:
    """A clip as Blender renders it, and as the backend reads it as footage: tagged 601, tagged 709, and untagged."""
    options = {"codec": "libx264", "pix_fmt": "yuv444p", "matrix": matrix, "tagged": tagged, "options": {"qp": "0"}}
    pictures = [timeline.numbered(index) for index in range(4)]
    path = timeline.write_movie(backend_python, folder / "clip.mp4", pictures, **options)
    strip = movie(scene, path, "footage", start=1)
    found = timeline.read_footage(recam, scene, strip, folder=str(folder))
    job, pixels = folder / "footage.json", folder / "pixels.npy"
    job.write_text(json.dumps(found.footage.to_json()), encoding="utf-8")
    timeline.in_backend(
        backend_python,
        """
        import json
        import numpy as np
        from backend.contract import Footage
        from backend.media.reader import open_footage
        footage = Footage.from_json(json.load(open(sys.argv[1], encoding="utf-8")))
        with open_footage(footage) as reader:
            np.save(sys.argv[2], np.stack([reader.frame(index) for index in range(len(footage.frames))]))
        """,
        job,
        pixels,
    )
    for index, read in enumerate(np.load(pixels)):
        shown = timeline.render(scene, 1 + index)
        assert np.abs(shown.astype(int) - read).max() <= 1
        # The clip was made from these pictures: both are right, and not only alike.
        assert np.abs(shown.astype(int) - pictures[index]).max() <= 3
