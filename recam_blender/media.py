"""What lies behind a movie or image strip: its files, and which of their pictures it shows when nobody retimed it."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import bpy

from . import compat
from .errors import ReCamError
from .picturesize import picture_size
from .texts import tr

PICTURES = (".png", ".jpg", ".jpeg", ".exr")
"""Kinds of pictures that the backend reads as Blender does; takes are of the first and the last."""

TIMING = {"strobe", "speed_factor", "speed_length", "speed_frame_number"}
"""Properties of strips that say which picture is shown when."""


class FootageError(ReCamError):
    """Footage that cannot be read from the sequencer, with the reason."""


@dataclass(frozen=True)
class Media:
    """A movie of so many frames, or pictures: all of the strip's, those that are cut away included."""

    kind: str
    files: tuple[str, ...]
    count: int
    width: int
    height: int


def media_of(scene: bpy.types.Scene, strip: Any) -> Media:
    """What a movie or image strip of a scene is made of. Raises FootageError where that cannot be read."""
    if strip.type == "MOVIE":
        path = existing(strip.name, absolute(strip.filepath, scene.library))
        movie = _probe_movie(path)
        if not movie.width or not movie.count:
            raise FootageError(
                tr("The file of strip {name!r} cannot be read as a movie: {path!r}.").format(name=strip.name, path=path)
            )
        return Media("movie", (path,), movie.count, movie.width, movie.height)
    files = _pictures(scene, strip)
    first = _within(plain_index(strip, len(files), compat.span(strip)[0]), len(files))
    width, height = _probe_picture(strip, existing(strip.name, files[first]))
    return Media("images", files, len(files), width, height)


def absolute(path: str, library: bpy.types.Library | None = None) -> str:
    """A path as Blender holds it, made absolute: ``//`` is the folder of the .blend, or of the library."""
    whole: str = bpy.path.abspath(path, library=library)
    return os.path.normpath(whole)


def existing(name: str, path: str) -> str:
    """The path of a file that is there. Raises FootageError, naming its strip, where it is not."""
    if not os.path.isfile(path):
        raise FootageError(tr("The file of strip {name!r} is missing: {path!r}.").format(name=name, path=path))
    return path


def are_of_one_size(files: tuple[str, ...]) -> bool:
    """Whether these files have pictures of one size."""
    return len({picture_size(path) or _loaded_size(path) for path in files}) == 1


def is_plain(scene: bpy.types.Scene, strip: Any) -> bool:
    """Whether nothing but trim, direction and strobe says which picture is shown."""
    if compat.is_retimed(strip) or animated(scene, strip) & TIMING:
        return False
    return strip.type == "IMAGE" or _rate_of(scene, strip) == _fps(scene)


def look_at(scene: bpy.types.Scene, strip: Any) -> None:
    """Open a movie's file now, so that what asks for it later need not: that alone may take 50 ms."""
    while strip is not None and strip.type == "SPEED":
        strip = strip.input_1
    if strip is not None and strip.type == "MOVIE":
        path = absolute(strip.filepath, scene.library)
        if os.path.isfile(path):
            _probe_movie(path)


def plain_index(strip: Any, count: int, frame: int) -> int:
    """Which of ``count`` pictures a plain strip shows, as Blender works it out (give_frame_index in its sequencer)."""
    if count == 1:
        return 0
    last = compat.content_length(strip) - 1
    index = float(min(max(math.floor(frame - compat.content_start(strip)), 0), last))
    if strip.use_reverse_frames:
        index = last - index
    if strip.strobe > 1:
        index -= math.fmod(index, strip.strobe)
    return compat.content_trim(strip)[0] + math.floor(index + 0.5)


def animated(scene: bpy.types.Scene, strip: Any) -> set[str]:
    """The names of a strip's properties that keyframes or drivers move."""
    quoted = f'["{bpy.utils.escape_identifier(strip.name)}"].'
    return {path.rpartition(".")[2] for path in compat.animated_paths(scene) if quoted in path}


def inputs(strip: Any) -> Iterator[Any]:
    """What an effect works on, and what masks a strip's modifiers."""
    below = [getattr(strip, name, None) for name in ("input_1", "input_2")]
    below += [getattr(each, "input_mask_strip", None) for each in getattr(strip, "modifiers", ())]
    yield from filter(None, below)


def check_sources(scene: bpy.types.Scene, strip: Any, frames: range | None) -> None:
    """Refuse what Blender would show as a black picture, or end from: a file that is not there, or is no picture.

    Args:
        scene: whose sequencer holds the strip.
        strip: it is checked with all that it is made of.
        frames: the timeline frames that count; None where time runs otherwise, and all of the strip may be seen.

    Raises:
        FootageError: naming strip and file.
    """
    if strip.type in ("MOVIE", "IMAGE"):
        _check_files(scene, strip, frames)
    elif strip.type == "SCENE" and strip.scene is None:
        raise FootageError(tr("Scene strip {name!r} has no scene.").format(name=strip.name))
    if strip.type == "SCENE" and strip.scene_input == "SEQUENCER":
        _check_edit(strip, frames)
    within = None if strip.type == "SPEED" else frames
    for each in _below(scene, strip):
        part = _shared(each, within)
        if part is None or len(part):
            check_sources(scene, each, part)


def _check_files(scene: bpy.types.Scene, strip: Any, frames: range | None) -> None:
    if strip.type == "IMAGE":
        files = _pictures(scene, strip)
        for index in _shown(scene, strip, len(files), frames):
            path = existing(strip.name, files[index])
            if path.lower().endswith(PICTURES) and picture_size(path) is None:
                _probe_picture(strip, path)
    media_of(scene, strip)


def _check_edit(strip: Any, frames: range | None) -> None:
    """The edit of another scene: Blender shows it from that scene's first frame on."""
    scene = strip.scene
    plain = frames is not None and not strip.use_reverse_frames and not compat.is_retimed(strip)
    if frames is not None and plain:
        ahead = scene.frame_start - int(compat.content_start(strip))
        frames = range(frames.start + ahead, frames.stop + ahead)
    for each in compat.strips(scene.sequence_editor) if scene.sequence_editor else ():
        part = _shared(each, frames if plain else None)
        # Not scenes in scenes: they may show each other.
        if not each.mute and each.type != "SCENE" and (part is None or len(part)):
            check_sources(scene, each, part)


def _shared(strip: Any, frames: range | None) -> range | None:
    """Those of the frames that a strip covers."""
    if frames is None:
        return None
    first, end = compat.span(strip)
    return range(max(first, frames.start), min(end, frames.stop))


def _below(scene: bpy.types.Scene, strip: Any) -> Iterator[Any]:
    """What a strip shows besides its own files."""
    if strip.type == "META":
        yield from (each for each in compat.strips(strip) if not each.mute)
    elif strip.type == "MULTICAM":
        beside = compat.strips(scene.sequence_editor)
        last = strip.channel - 1 if "multicam_source" in animated(scene, strip) else strip.multicam_source
        # Blender mixes what lies below the channel that is selected, too.
        yield from (each for each in beside if each.channel <= last and not each.mute)
    yield from inputs(strip)


def _shown(scene: bpy.types.Scene, strip: Any, count: int, frames: range | None) -> list[int]:
    """Which of a strip's pictures are seen at these frames, as far as can be told."""
    if frames is not None and is_plain(scene, strip):
        return sorted({_within(plain_index(strip, count, frame), count) for frame in frames})
    start, end = compat.content_trim(strip)
    return list(range(start, count - end))


def _within(index: int, count: int) -> int:
    """Blender shows the last picture where a strip asks for more."""
    return min(index, count - 1)


def _fps(scene: bpy.types.Scene) -> float:
    """Frames per second as Blender holds it and a strip's: 32 bits."""
    rate = scene.render.fps / scene.render.fps_base
    return float(struct.unpack("f", struct.pack("f", rate))[0])


# Files


def _pictures(scene: bpy.types.Scene, strip: Any) -> tuple[str, ...]:
    folder = absolute(strip.directory, scene.library)
    return tuple(os.path.join(folder, each.filename) for each in strip.elements)


@dataclass(frozen=True)
class _Movie:
    """A movie as Blender sees it; 0 where it cannot read it."""

    width: int
    height: int
    count: int
    rate: float


_movies: dict[tuple[str, int, int], _Movie] = {}
"""By path, size and time of writing: Blender takes tens of milliseconds to open one."""
_MOST_MOVIES = 200


def _probe_movie(path: str) -> _Movie:
    file = os.stat(path)
    key = path, file.st_size, file.st_mtime_ns
    if key not in _movies:
        clip = bpy.data.movieclips.load(path)
        try:
            found = _Movie(clip.size[0], clip.size[1], clip.frame_duration, clip.fps)
        finally:
            bpy.data.movieclips.remove(clip)
        if len(_movies) >= _MOST_MOVIES:
            _movies.clear()
        _movies[key] = found
    return _movies[key]


def _rate_of(scene: bpy.types.Scene, strip: Any) -> float:
    """Frames per second of a movie strip's file; 0 where Blender cannot read it."""
    path = absolute(strip.filepath, scene.library)
    # The strip itself opens its file anew at each question.
    plain = not strip.stream_index and os.path.isfile(path)
    return float(_probe_movie(path).rate if plain else strip.fps)


def _probe_picture(strip: Any, path: str) -> tuple[int, int]:
    width, height = _loaded_size(path)
    if not width:
        raise FootageError(
            tr("The file of strip {name!r} cannot be read as a picture: {path!r}.").format(name=strip.name, path=path)
        )
    return width, height


def _loaded_size(path: str) -> tuple[int, int]:
    """Width and height as Blender sees them; 0 where it cannot read the file."""
    image = bpy.data.images.load(path)
    try:
        width, height = image.size
    finally:
        bpy.data.images.remove(image)
    return width, height
