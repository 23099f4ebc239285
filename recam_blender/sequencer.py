"""Into the sequencer: takes above the footage they came from, with sound; and what the edit says about cameras."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import bpy

from . import compat
from .errors import ReCamError
from .footage import shown_size, with_effects
from .media import PICTURES, absolute
from .texts import tr
from .ties import KEY, SOURCE, TAKE, footage_of, list_takes, text_of, tie, tie_sound

__all__ = [
    "KEY",
    "SequencerError",
    "camera_scene_for",
    "footage_of",
    "free_channel",
    "insert_take",
    "list_takes",
    "owner_of",
    "view_transform_warning",
]


class SequencerError(ReCamError):
    """A take that cannot be put into the sequencer, with the reason."""


def insert_take(
    scene: bpy.types.Scene | str,
    source: Any,
    path: str,
    *,
    name: str,
    start: int,
    length: int,
    metadata: Mapping[str, str],
    shown: tuple[int, int] | None = None,
) -> tuple[Any, list[str]]:
    """Put a take above its footage and the effects that were read into it, selected and active.

    The footage's sound is copied under it, muted.

    The scene and the strip may have been left, renamed or deleted since the take was asked for: without its strip a
    take stands above all that is there, and a note says so.

    Args:
        scene: whose sequencer held the footage, or its name.
        source: the footage's strip, or its name.
        path: the take: a movie, or a folder of numbered pictures.
        name: of the new strip; cut to what Blender keeps.
        start: the timeline frame of the take's first frame.
        length: how many frames the take has.
        metadata: texts kept with the strip under ``KEY``.
        shown: the timeline frames that the strip shows, first and one after the last; the others of the take are
            hidden under its ends. None: all.

    Returns:
        The new strip, and notes in whole sentences.

    Raises:
        SequencerError: if the scene is gone, the take is not whole, or no channel is free. Nothing is left behind.
    """
    files = _files(path, length)
    scene = _scene(scene, path)
    editor = scene.sequence_editor or scene.sequence_editor_create()
    source_name = source if isinstance(source, str) else source.name
    found = next((each for each in compat.strips_all(scene) if each.name == source_name), None)
    first, end = shown or (start, start + length)
    notes = list(_whereabouts(scene, found, source_name, first, end))
    owner = _owner(editor, found) if found is not None else editor
    sound = _sound_of(scene, owner, found) if found is not None else None

    if found is not None:
        above = max(each.channel for each in with_effects(scene, found))
    else:
        above = _highest(owner, first, end)
    channel, sound_channel = _channels(owner, above, first, end, sound)
    if channel is None:
        raise SequencerError(
            tr(
                "No channel above {above} is free from frame {first} to {end}: the take is stored, but not "
                "in the sequencer, which has {channels} channels: {path!r}."
            ).format(above=above, first=first, end=end - 1, channels=_CHANNELS, path=path)
        )
    strip = _add(owner, path, files, _short(name), channel, start)
    try:
        _check(strip, path, files, start, length)
    except SequencerError:
        compat.strips(owner).remove(strip)
        raise
    if (first, end) != (start, start + length):
        compat.set_span(strip, first, end)
    _fit(scene, strip, found)
    _make_relative(strip)
    strip[KEY] = {**metadata, SOURCE: source_name}
    if found is not None:
        tie(scene, strip, found)
    notes += _copy_sound(owner, sound, found, strip, sound_channel)
    for each in compat.strips_all(scene):
        each.select = each == strip
    editor.active_strip = strip
    return strip, [*notes, *view_transform_warning(scene)]


def free_channel(owner: Any, above: int, start: int, stop: int, *, count: int = 1) -> int | None:
    """The lowest channel over ``above`` that, with the ``count - 1`` over it, is free from ``start`` to ``stop``.

    ``owner`` is a sequence editor or a meta strip. Channels that are muted or locked count as taken.
    """
    taken = {each.channel for each in compat.strips(owner) if _overlaps(each, start, stop)}
    taken |= {number for number, channel in enumerate(owner.channels) if channel.mute or channel.lock}
    for channel in range(above + 1, _CHANNELS + 2 - count):
        if taken.isdisjoint(range(channel, channel + count)):
            return channel
    return None


def view_transform_warning(scene: bpy.types.Scene) -> list[str]:
    """One sentence where the scene's view would change how strips look, else none."""
    view = scene.view_settings
    reasons = []
    if view.view_transform != "Standard":
        reasons.append(tr("the view transform {name}").format(name=view.view_transform))
    if view.look != "None":
        reasons.append(tr("the look {name}").format(name=view.look))
    if view.exposure != 0 or view.gamma != 1:
        reasons.append(tr("exposure or gamma"))
    if view.use_curve_mapping:
        reasons.append(tr("curves"))
    if compat.has_white_balance(view):
        reasons.append(tr("a white balance"))
    if not reasons:
        return []
    return [
        tr(
            "Scene {name!r} shows its strips through {reasons}, which changes their colours: footage and "
            "take look alike there, but neither looks like its file. The view transform Standard shows "
            "them unchanged."
        ).format(name=scene.name, reasons=", ".join(reasons))
    ]


def camera_scene_for(scene: bpy.types.Scene, strip: Any, camera: str = "") -> tuple[bpy.types.Scene, float]:
    """The scene whose cameras go with a strip, and the frame of it that meets the strip's first.

    That is the scene of a scene strip at the same time in the edit (the one that shows at the strip's first frame goes
    before others, then the nearest channel), at the frame which Blender renders for it; else the edit's own scene and
    the strip's start. A scene strip whose scene has no camera of its own, by choice or by markers, does not count.

    Args:
        scene: the edit.
        strip: the footage.
        camera: the name of the target camera, where one is chosen: scenes that it moves in go before others.
    """
    start, stop = compat.span(strip)
    beside = [
        each
        for each in compat.strips_all(scene)
        if _shows_cameras(each) and (each == strip or _overlaps(each, start, stop))
    ]
    with_camera = [each for each in beside if _has_camera(each.scene, camera)]
    if not with_camera and _has_camera(scene, camera):
        beside = []
    beside = with_camera or beside
    if not beside:
        return scene, float(start)

    def distance(each: Any) -> tuple[bool, bool, int]:
        first, end = compat.span(each)
        return each != strip, not first <= start < end, abs(each.channel - strip.channel)

    shot = min(beside, key=distance)
    # Blender leaves out the trim of the content where the other scene's edit is shown instead of its camera.
    trim = compat.content_trim(shot)[0] if shot.scene_input == "CAMERA" else 0
    return shot.scene, shot.scene.frame_start + trim + start - compat.content_start(shot)


# The take's strip

_CHANNELS = 128
_NAME_BYTES = 60  # Blender keeps 60 to 63, by version


def _files(path: str, length: int) -> list[str]:
    """The names of a folder's pictures, or none for a movie."""
    if os.path.isdir(path):
        names = sorted(name for name in os.listdir(path) if name.lower().endswith(PICTURES))
        if len(names) != length:
            raise SequencerError(
                tr("The take {path!r} has {count} pictures where {length} were expected.").format(
                    path=path, count=len(names), length=length
                )
            )
        return names
    if not os.path.isfile(path):
        raise SequencerError(tr("The take is missing: {path!r}.").format(path=path))
    if not os.path.getsize(path):
        raise SequencerError(tr("The take is an empty file: {path!r}.").format(path=path))
    return []


def _scene(scene: bpy.types.Scene | str, path: str) -> bpy.types.Scene:
    if not isinstance(scene, str):
        return scene
    found = bpy.data.scenes.get(scene)
    if found is None:
        raise SequencerError(
            tr(
                "Scene {scene!r} is gone: the take is stored, but there is no sequencer to put it into: {path!r}."
            ).format(scene=scene, path=path)
        )
    return found


def _whereabouts(scene: bpy.types.Scene, source: Any, name: str, start: int, stop: int) -> Iterator[str]:
    if source is None:
        yield tr(
            "Strip {name!r} is no longer in scene {scene!r}: its take stands where it was, above all else."
        ).format(name=name, scene=scene.name)
        return
    first, end = compat.span(source)
    if start < first or stop > end:
        yield tr(
            "Strip {name!r} was moved or trimmed meanwhile: its take stands where it was, from frame {start} on."
        ).format(name=name, start=start)


def owner_of(scene: bpy.types.Scene, strip: Any) -> Any:
    """The sequence editor, or the meta strip in it, that holds a strip."""
    return _owner(scene.sequence_editor, strip)


def _owner(owner: Any, strip: Any) -> Any:
    """The sequence editor or the meta strip that holds a strip."""
    for each in compat.strips(owner):
        if each == strip:
            return owner
        if each.type == "META":
            inside = _owner(each, strip)
            if inside is not None:
                return inside
    return None


def _overlaps(strip: Any, start: int, stop: int) -> bool:
    first, end = compat.span(strip)
    return first < stop and start < end


def _highest(owner: Any, start: int, stop: int) -> int:
    return max((each.channel for each in compat.strips(owner) if _overlaps(each, start, stop)), default=0)


def _channels(owner: Any, above: int, start: int, stop: int, sound: Any | None) -> tuple[int | None, int | None]:
    """For the take, and for its sound: right under it where there is room for both. None where there is no room."""
    if sound is not None and bpy.app.build_options.audaspace:
        first, end = compat.span(sound)
        channel = free_channel(owner, above, min(start, first), max(stop, end), count=2)
        if channel is not None:
            return channel + 1, channel
    return free_channel(owner, above, start, stop), None


def _short(name: str) -> str:
    """A name that Blender keeps whole: where it is too long, its end (the version) stays."""
    if len(name.encode()) <= _NAME_BYTES:
        return name
    stem, dash, version = name.rpartition("_")
    tail = f"…{dash}{version}" if len(version.encode()) < _NAME_BYTES // 2 else "…"
    kept = (stem if tail != "…" else name).encode()[: _NAME_BYTES - len(tail.encode())]
    return kept.decode(errors="ignore") + tail


def _add(owner: Any, path: str, files: list[str], name: str, channel: int, start: int) -> Any:
    if not files:
        return compat.strips(owner).new_movie(name, path, channel, start, fit_method="ORIGINAL")
    strip = compat.strips(owner).new_image(name, os.path.join(path, files[0]), channel, start, fit_method="ORIGINAL")
    for file in files[1:]:
        strip.elements.append(file)
    strip.colorspace_settings.name = "sRGB"  # a take is display-referred, in EXR too
    compat.set_span(strip, start, start + len(files))
    return strip


def _check(strip: Any, path: str, files: list[str], start: int, length: int) -> None:
    """Blender gives a strip for any file; only what it finds inside tells."""
    if not strip.elements[0].orig_width:
        raise SequencerError(tr("Blender cannot read the take: {path!r}.").format(path=path))
    if not files and compat.content_length(strip) != length:
        raise SequencerError(
            tr("The take {path!r} has {found} frames where {length} were expected.").format(
                path=path, found=compat.content_length(strip), length=length
            )
        )
    if compat.span(strip) != (start, start + length):
        raise SequencerError(
            tr("Blender did not put the take {path!r} where it belongs, at frame {start}.").format(
                path=path, start=start
            )
        )


def _fit(scene: bpy.types.Scene, strip: Any, source: Any | None) -> None:
    """As large in the frame as the footage is, whatever the take's own size."""
    frame = scene.render.resolution_x, scene.render.resolution_y
    width, height = shown_size(scene, source) if source is not None else frame
    scale = min(width / strip.elements[0].orig_width, height / strip.elements[0].orig_height)
    strip.transform.scale_x = strip.transform.scale_y = scale


def _make_relative(strip: Any) -> None:
    """A take below the folder of the .blend is found again when both move, where the user wants it so."""
    attribute = "filepath" if strip.type == "MOVIE" else "directory"
    folder = os.path.join(os.path.dirname(bpy.data.filepath), "")
    path = bpy.path.abspath(getattr(strip, attribute))
    wanted = bpy.data.filepath and bpy.context.preferences.filepaths.use_relative_paths
    if wanted and path.startswith(folder):
        setattr(strip, attribute, "//" + path[len(folder) :])


# Its sound


def _sound_of(scene: bpy.types.Scene, owner: Any, source: Any) -> Any | None:
    """The sound strip that belongs to a strip: tied to it, else of the same file, else of exactly its range."""
    sounds = [each for each in compat.strips(owner) if each.type == "SOUND" and not text_of(each, TAKE)]
    tied = compat.connected(source)
    start, stop = compat.span(source)

    def same_file(each: Any) -> bool:
        return (
            source.type == "MOVIE"
            and each.sound is not None
            and _overlaps(each, start, stop)
            and _same_path(absolute(each.sound.filepath, each.sound.library), absolute(source.filepath, scene.library))
        )

    def nearness(each: Any) -> float:
        return abs(compat.content_start(each) - compat.content_start(source))

    for belonging in (
        [each for each in sounds if each in tied],
        [each for each in sounds if same_file(each)],
        [each for each in sounds if compat.span(each) == (start, stop)],
    ):
        if belonging:
            return min(belonging, key=nearness)
    return None


def _same_path(first: str, second: str) -> bool:
    return os.path.normcase(first) == os.path.normcase(second)


def _copy_sound(owner: Any, sound: Any | None, source: Any | None, take: Any, channel: int | None) -> list[str]:
    """Copy the footage's sound under its take; a sentence says what became of it."""
    if source is None:
        return [tr("The take has no sound, as the strip that it came from is gone.")]
    if sound is None:
        if not any(each.type == "SOUND" and _overlaps(each, *compat.span(source)) for each in compat.strips(owner)):
            # Nothing is heard there, so nobody expects it.
            return []
        return [tr("The take has no sound, as no sound strip belongs to {name!r}.").format(name=source.name)]
    if not bpy.app.build_options.audaspace:
        return [tr("The take has no sound, as this Blender was built without audio.")]
    if channel is None:
        first, end = compat.span(sound)
        channel = free_channel(owner, take.channel, first, end)
        if channel is None:
            return [tr("The take has no sound, as no channel is free for a copy of {name!r}.").format(name=sound.name)]
    try:
        copy = compat.strips(owner).new_sound(
            _short(f"{take.name}_sound"), sound.sound.filepath, channel, int(compat.content_start(sound))
        )
    except RuntimeError as error:
        unread = tr("The take has no sound, as Blender could not read {path!r} ({error}).")
        return [unread.format(path=sound.sound.filepath, error=error)]
    made = copy.sound
    if made != sound.sound:
        copy.sound = sound.sound
        bpy.data.sounds.remove(made)
    if compat.is_retimed(sound) or not _alike(sound, copy):
        compat.strips(owner).remove(copy)
        reason = tr("retimed") if compat.is_retimed(sound) else tr("silent, missing, or played at another rate")
        left = tr("The take has no sound, as {name!r} is {reason}: copy that strip by hand.")
        return [left.format(name=sound.name, reason=reason)]
    if not _trim_sound(copy, sound, source, take):
        compat.strips(owner).remove(copy)
        return [tr("The take has no sound, as {name!r} is silent where it plays.").format(name=sound.name)]
    copy.mute = True
    tie_sound(copy, take)
    muted = tr("The take's sound {copy!r} is muted, or it would be heard twice beside {sound!r}.")
    return [muted.format(copy=copy.name, sound=sound.name)]


def _alike(sound: Any, copy: Any) -> bool:
    """Whether a fresh copy has as much content as the sound it copies; one frame of it means that there is none."""
    length = compat.content_length(copy)
    return length == compat.content_length(sound) + sum(compat.content_trim(sound)) and length > 1


def _trim_sound(copy: Any, sound: Any, source: Any, take: Any) -> bool:
    """Give a copy the offset and trim of the footage's sound; False where nothing of it falls into the take."""
    compat.set_content_trim(copy, *compat.content_trim(sound))
    compat.set_content_start(copy, compat.content_start(sound))
    compat.set_handle_offsets(copy, *compat.handle_offsets(sound))
    compat.copy_sound_offset(sound, copy)
    copy.volume, copy.pan = sound.volume, sound.pan
    # A take of a part of the footage (up to a camera cut) has that part of its sound.
    first, end = compat.span(copy)
    start, stop = compat.span(take)
    whole_start, whole_stop = compat.span(source)
    first = max(first, start) if start > whole_start else first
    end = min(end, stop) if stop < whole_stop else end
    if first >= end:
        return False
    if (first, end) != compat.span(copy):
        compat.set_span(copy, first, end)
    return True


# Cameras


def _shows_cameras(strip: Any) -> bool:
    return (
        strip.type == "SCENE"
        and strip.scene is not None
        and not strip.use_reverse_frames
        and not compat.is_retimed(strip)
        and (strip.scene_camera is not None or any(_active_cameras(strip.scene)))
    )


def _active_cameras(scene: bpy.types.Scene) -> Iterator[bpy.types.Object]:
    """What the scene is, or at some time will be, seen through."""
    yield from filter(None, [scene.camera, *(each.camera for each in scene.timeline_markers)])


def _has_camera(scene: bpy.types.Scene, name: str) -> bool:
    return bool(name) and (name in scene.objects or any(each.name == name for each in _active_cameras(scene)))
