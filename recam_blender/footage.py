"""From a strip in the sequencer to footage: which picture of which file Blender shows at each timeline frame.

Three ways, the cheapest that is exact:

* by formula: movies and pictures that are only trimmed, reversed, held or strobed;
* by a ruler (:mod:`.ruler`): retimed, played at another rate, under a speed effect;
* through an intermediate (:mod:`.intermediate`): whatever changes or blends the pictures themselves.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import bpy

from ..backend import contract
from . import compat, ruler
from .displaymatrix import is_turned
from .intermediate import Stage, Subject, render_frames
from .media import (
    PICTURES,
    TIMING,
    FootageError,
    Media,
    absolute,
    animated,
    are_of_one_size,
    check_sources,
    existing,
    is_plain,
    media_of,
    plain_index,
)
from .texts import later, tr

__all__ = ["FootageError", "FootageFound", "read_footage", "shown_size", "with_effects"]

Step = tuple[str, int, int]
"""What is being done, steps done, steps in all."""


@dataclass(frozen=True)
class FootageFound:
    """Footage, and what the user should know about it.

    Attributes:
        footage: as the backend reads it, one index per timeline frame.
        notes: whole sentences.
        start: the timeline frame of the first index.
        stop: one after the last.
        source_frames: per timeline frame the place in the strip's own file: the frame of the movie, or which one of all
            the strip's pictures, those that are cut away counted too. None of them for an intermediate.
    """

    footage: contract.Footage
    notes: tuple[str, ...]
    start: int
    stop: int
    source_frames: tuple[int, ...]


def read_footage(
    scene: bpy.types.Scene, strip: Any, frames: tuple[int, int] | None = None, *, folder: str
) -> Generator[Step, None, FootageFound]:
    """Find out what a strip shows, rendering at most one frame per step. Closing the generator clears away.

    An effect with one input (speed, blur, glow) on top of the strip is part of the footage; one with two inputs (a
    cross-fade) is not, unless it is the strip asked for. Muting and blend mode are no part of it.

    Args:
        scene: whose sequencer holds the strip.
        strip: what to read; it may lie inside a meta strip, and may be muted.
        frames: timeline frames, first and one after the last, within its :func:`reach`; the strip's own where not
            given.
        folder: where an intermediate's pictures go; it must outlive the job.

    Raises:
        FootageError: with the reason, naming strip and file.
    """
    start, stop = _range(scene, strip, frames)
    name = strip.name
    shown = with_effects(scene, strip)[-1]
    leaf = _leaf(shown)
    subject = Subject.of(scene, shown)
    changes = _changes(scene, shown, leaf)
    if leaf is not None and not changes:
        media = media_of(scene, leaf)
        remarks = tuple(_remarks(scene, leaf, media))
        indexes: list[int] | None
        if shown == leaf and is_plain(scene, leaf):
            indexes = [plain_index(leaf, media.count, frame) for frame in range(start, stop)]
        else:
            timing = _timing(shown, leaf)
            remarks = (
                tr("Strip {name!r} is {timing}: which frame it shows when was measured with a ruler.").format(
                    name=name, timing=timing
                ),
                *remarks,
            )
            indexes = yield from _measured(subject, leaf.name, media, range(start, stop))
        if indexes is None or max(indexes) >= media.count:
            changes = [tr("blended from frame to frame, or longer than its file")]
        elif not _is_even(name, media, indexes):
            changes = [tr("made of pictures of several sizes")]
        else:
            return FootageFound(_footage(media, indexes), remarks, start, stop, tuple(indexes))
    scene, shown = subject.found()
    check_sources(scene, shown, range(start, stop))
    width, height = scene.render.resolution_x, scene.render.resolution_y
    files, digest = yield from render_frames(subject, range(start, stop), folder=folder)
    note = tr(
        "Strip {name!r} is {changes}: it was read through a lossless intermediate, as Blender shows "
        "it at {width} x {height}."
    ).format(name=name, changes=", ".join(changes), width=width, height=height)
    footage = contract.Footage(
        kind="images",
        files=files,
        frames=tuple(range(len(files))),
        width=width,
        height=height,
        identity=f"intermediate {digest}",
    )
    return FootageFound(footage, (note,), start, stop, ())


def reach(scene: bpy.types.Scene, strip: Any) -> tuple[int, int]:
    """The timeline frames that footage can be read for, first and one after the last.

    Beyond a strip's ends there is what its handles cut off, where a formula says which frame it would be.
    """
    start, stop = compat.span(strip)
    leaf = _leaf(strip)
    if leaf != strip or with_effects(scene, strip) != [strip] or not is_plain(scene, strip):
        return start, stop
    if _changes(scene, strip, leaf):
        return start, stop
    first = math.floor(compat.content_start(strip))
    return min(start, first), max(stop, first + compat.content_length(strip))


def changes(scene: bpy.types.Scene, strip: Any) -> list[str]:
    """What makes a strip's pictures others than those of its file, in words; nothing where its indexes say it all."""
    shown = with_effects(scene, strip)[-1]
    return _changes(scene, shown, _leaf(shown))


def shown_size(scene: bpy.types.Scene, strip: Any) -> tuple[float, float]:
    """How many pixels of the scene's frame (at 100 %) a strip's footage covers: what its takes are to cover, too."""
    shown = with_effects(scene, strip)[-1]
    leaf = _leaf(shown)
    if leaf is not None and not _changes(scene, shown, leaf):
        width, height = leaf.elements[0].orig_width, leaf.elements[0].orig_height
        if width and height:
            return width * leaf.transform.scale_x, height * leaf.transform.scale_y
    return scene.render.resolution_x, scene.render.resolution_y


def with_effects(scene: bpy.types.Scene, strip: Any) -> list[Any]:
    """The strip and the effects with one input on top of it that count as its footage, the outermost last."""
    for each in compat.strips_all(scene):
        if each.type in _ONE_INPUT and not each.mute and getattr(each, "input_1", None) == strip:
            return [strip, *with_effects(scene, each)]
    return [strip]


# Which way


_ONE_INPUT = ("SPEED", "GAUSSIAN_BLUR", "GLOW", "TRANSFORM")
# What may be animated and yet leave the pictures as they are.
_UNSEEN = {"volume", "pan", "mute"}

# What movies and pictures are to Blender unless somebody says otherwise.
_SPACE = "sRGB"


def _range(scene: bpy.types.Scene, strip: Any, frames: tuple[int, int] | None) -> tuple[int, int]:
    if strip.type in ("SOUND", "ADJUSTMENT"):
        sound = later("Strip {name!r} is a sound strip: it has no pictures of its own.")
        other = later("Strip {name!r} is an adjustment strip: it has no pictures of its own.")
        raise FootageError(tr(sound if strip.type == "SOUND" else other).format(name=strip.name))
    start, stop = frames or compat.span(strip)
    first, end = reach(scene, strip) if frames else (start, stop)
    if not first <= start < stop <= end:
        raise FootageError(
            tr("Strip {name!r} covers frames {first} to {end}, not {start} to {stop}.").format(
                name=strip.name, first=first, end=end - 1, start=start, stop=stop - 1
            )
        )
    return start, stop


def _leaf(strip: Any) -> Any | None:
    """The movie or pictures under any number of speed effects, or None where there is more to it."""
    while strip.type == "SPEED" and strip.input_1 is not None:
        strip = strip.input_1
    return strip if strip.type in ("MOVIE", "IMAGE") else None


_KINDS = {
    "META": later("a meta strip"),
    "SCENE": later("a scene strip"),
    "MOVIECLIP": later("a clip strip"),
    "MASK": later("a mask strip"),
    "MULTICAM": later("a multicam selector"),
    "COLOR": later("made by Blender"),
    "TEXT": later("made by Blender"),
}


def _changes(scene: bpy.types.Scene, shown: Any, leaf: Any | None) -> list[str]:
    """What makes the pictures other than those in the file, in words."""
    if leaf is None:
        return [tr(_KINDS.get(shown.type, later("under an effect")))]
    changes: list[str] = []
    strip = shown
    while True:
        changes += _changes_of(scene, strip)
        if strip == leaf:
            return list(dict.fromkeys(changes))
        if strip.use_frame_interpolate:
            changes.append(tr("blended from frame to frame by a speed effect"))
        strip = strip.input_1


def _changes_of(scene: bpy.types.Scene, strip: Any) -> Iterator[str]:
    crop, transform = strip.crop, strip.transform
    if any((crop.min_x, crop.max_x, crop.min_y, crop.max_y)):
        yield tr("cropped")
    if transform.offset_x or transform.offset_y or transform.rotation or not _whole(scene, strip):
        yield tr("moved, turned or scaled")
    if strip.use_flip_x or strip.use_flip_y:
        yield tr("flipped")
    if strip.blend_alpha != 1 or strip.color_multiply != 1 or strip.color_saturation != 1:
        yield tr("changed in opacity or colour")
    if any(not each.mute for each in strip.modifiers):
        yield tr("under modifiers")
    if strip.type in ("MOVIE", "IMAGE") and _read_otherwise(scene, strip):
        yield tr("read with other settings than the file's own")
    if strip.type == "IMAGE" and not all(each.filename.lower().endswith(PICTURES) for each in strip.elements):
        yield tr("made of pictures that are neither PNG nor JPEG nor EXR")
    if animated(scene, strip) - _UNSEEN - TIMING:
        yield tr("animated")


def _whole(scene: bpy.types.Scene, strip: Any) -> bool:
    """Whether a strip is unscaled, or scaled to fit into the frame: its own pixels are then better than Blender's."""
    x, y = strip.transform.scale_x, strip.transform.scale_y
    if x != y:
        return False
    if x == 1 or strip.type == "SPEED":
        return bool(x == 1)
    element = strip.elements[0]
    if not element.orig_width or not element.orig_height:
        return False
    render = scene.render
    fit = min(render.resolution_x / element.orig_width, render.resolution_y / element.orig_height)
    return math.isclose(x, fit, rel_tol=1e-3)


def _read_otherwise(scene: bpy.types.Scene, strip: Any) -> bool:
    movie = strip.type == "MOVIE"
    # Pictures in EXR are linear to Blender, and display-referred to ReCam whatever their strip says.
    linear = not movie and strip.elements[0].filename.lower().endswith(".exr")
    return bool(
        strip.use_deinterlace
        or strip.use_multiview
        or (movie and strip.stream_index)
        or (movie and not compat.TURNS_MOVIES and is_turned(absolute(strip.filepath, scene.library)))
        or (not linear and strip.colorspace_settings.name != _SPACE)
    )


def _timing(shown: Any, leaf: Any) -> str:
    if shown != leaf:
        return tr("under a speed effect")
    if compat.is_retimed(leaf):
        return tr("retimed")
    return tr("of another rate than the scene, or animated")


# By ruler


def _measured(subject: Subject, leaf_name: str, media: Media, frames: range) -> Generator[Step, None, list[int] | None]:
    """The index that Blender shows at each of these frames, or None where it blends some."""
    if media.count == 1:
        return [0] * len(frames)
    with tempfile.TemporaryDirectory(prefix="recam-ruler-", dir=bpy.app.tempdir) as folder:
        movie = os.path.join(folder, "ruler.avi")
        write = (
            ruler.write_movie(movie, media.count)
            if media.kind == "movie"
            else ruler.write_pictures(folder, media.count)
        )

        def prepare(copy: bpy.types.Scene, _strip: Any) -> None:
            copy.render.resolution_x, copy.render.resolution_y = ruler.WIDTH, ruler.HEIGHT
            strip = next(each for each in compat.strips_all(copy) if each.name == leaf_name)
            strip.transform.scale_x = strip.transform.scale_y = 1
            if media.kind == "movie":
                strip.filepath = movie
                return
            strip.directory = folder
            for number, element in enumerate(strip.elements):
                element.filename = ruler.picture_name(number)

        for done in write:
            yield later("Writing a ruler"), done, media.count
        indexes = []
        with Stage(subject, prepare) as stage:
            for done, frame in enumerate(frames):
                yield later("Measuring which frames are shown"), done, len(frames)
                path = stage.render(frame, os.path.join(folder, "seen_"))
                index = ruler.read(path)
                os.remove(path)
                if index is None:
                    return None
                indexes.append(index)
        return indexes


# Files


def _is_even(name: str, media: Media, indexes: Sequence[int]) -> bool:
    """Whether all pictures that are shown are of one size. Raises FootageError where one is missing."""
    if media.kind == "movie":
        return True
    return are_of_one_size(tuple(existing(name, media.files[index]) for index in sorted(set(indexes))))


def _footage(media: Media, indexes: Sequence[int]) -> contract.Footage:
    files: Sequence[str] = media.files
    if media.kind == "images":
        used = sorted(set(indexes))
        files = [media.files[index] for index in used]
        places = {index: place for place, index in enumerate(used)}
        indexes = [places[index] for index in indexes]
    return contract.Footage(
        kind=media.kind, files=tuple(files), frames=tuple(indexes), width=media.width, height=media.height
    )


def _remarks(scene: bpy.types.Scene, leaf: Any, media: Media) -> Iterator[str]:
    if media.files[0].lower().endswith(".exr"):
        yield tr(
            "The EXR pictures of strip {name!r} are read as display-referred: values 0 to 1, as they stand."
        ).format(name=leaf.name)
    render = scene.render
    if leaf.transform.scale_x == 1 and (media.width > render.resolution_x or media.height > render.resolution_y):
        yield (
            tr(
                "Strip {name!r} is larger ({width} x {height}) than the scene's frame ({frame_width} x "
                "{frame_height}): all of it is re-shot, not only what the frame shows."
            ).format(
                name=leaf.name,
                width=media.width,
                height=media.height,
                frame_width=render.resolution_x,
                frame_height=render.resolution_y,
            )
        )
