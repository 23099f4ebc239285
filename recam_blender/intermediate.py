"""Strips as Blender shows them, rendered: a copy of the scene in which one strip is all there is to see.

A copy lives only as long as its :class:`Stage`. Between two renders the user may save, undo or load: the stage takes
its copy out of the way and makes a new one when it is needed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import bpy

from . import compat
from .media import FootageError, inputs
from .temporary import mark, remove_leftovers
from .texts import later, tr

__all__ = ["Prepare", "Stage", "Subject", "remove_leftovers", "render_frames"]

Prepare = Callable[[bpy.types.Scene, Any], None]


@dataclass(frozen=True)
class Subject:
    """A strip of a scene, by what outlives an undo while the work goes on: Blender's own objects do not."""

    scene_uid: int
    scene: str
    strip: str

    @classmethod
    def of(cls, scene: bpy.types.Scene, strip: Any) -> Subject:
        return cls(scene.session_uid, scene.name, strip.name)

    def found(self) -> tuple[bpy.types.Scene, Any]:
        """The scene and the strip. Raises FootageError where they are gone."""
        scene = _found(bpy.data.scenes, self.scene_uid)
        for strip in compat.strips_all(scene) if scene else ():
            if strip.name == self.strip:
                return scene, strip
        raise FootageError(
            tr("Strip {strip!r} of scene {scene!r} went away while it was read.").format(
                strip=self.strip, scene=self.scene
            )
        )


class Stage:
    """A copy of a scene that shows one strip alone, with its own colours: Standard view, nothing on top.

    Use as a context manager. The user's scene, frame, selection and window are never touched.
    """

    def __init__(self, subject: Subject, prepare: Prepare | None = None) -> None:
        """
        Args:
            subject: what is to be seen; it may lie in a meta strip.
            prepare: what else to do to the copies of scene and strip, each time they are made.
        """
        self._subject = subject
        self._prepare = prepare
        self._copy = 0
        self._action = 0

    def __enter__(self) -> Stage:
        for handlers in self._handlers():
            handlers.append(self._clear)
        return self

    def __exit__(self, *exception: object) -> None:
        for handlers in self._handlers():
            if self._clear in handlers:
                handlers.remove(self._clear)
        self._clear()

    def render(self, frame: int, base: str) -> str:
        """Render one frame as an 8 bit RGB picture, a BMP file whose path begins with ``base``; returns the path."""
        copy = self._ensured()
        compat.set_bmp_output(copy)
        try:
            path = _render_numbered(copy, frame, base) if frame >= 0 else _render_still(copy, frame, base)
        except RuntimeError as error:
            raise FootageError(
                tr("Frame {frame} of strip {strip!r} could not be rendered. {error}").format(
                    frame=frame, strip=self._subject.strip, error=error
                )
            ) from error
        if not os.path.isfile(path):
            raise FootageError(
                tr(
                    "Blender did not render frame {frame} of strip {strip!r}. Is another render running, or is "
                    "the disk full?"
                ).format(frame=frame, strip=self._subject.strip)
            )
        # Blender says nothing of a file that it could not finish.
        if os.path.getsize(path) < _bmp_bytes(copy.render.resolution_x, copy.render.resolution_y):
            raise FootageError(
                tr("Frame {frame} of strip {strip!r} was not written whole. The disk may be full: {folder!r}.").format(
                    frame=frame, strip=self._subject.strip, folder=os.path.dirname(path)
                )
            )
        return path

    def _ensured(self) -> bpy.types.Scene:
        copy = _found(bpy.data.scenes, self._copy)
        if copy is not None:
            return copy
        scene, _ = self._subject.found()
        copy = scene.copy()
        self._copy = copy.session_uid
        mark(copy)
        action = compat.own_action(copy)
        if action is not None:
            # Removing a strip removes its curves, and the user's scene shares the action.
            self._action = action.session_uid
            mark(action)
        _neutral(copy)
        strip = _isolate(copy, self._subject.strip)
        if self._prepare:
            self._prepare(copy, strip)
        return copy

    def _clear(self, *_arguments: object) -> None:
        for things, uid in ((bpy.data.scenes, self._copy), (bpy.data.actions, self._action)):
            thing = _found(things, uid)
            if thing is not None:
                things.remove(thing)
        self._copy = self._action = 0

    def _handlers(self) -> Iterator[Any]:
        handlers = bpy.app.handlers
        yield from (handlers.save_pre, handlers.undo_pre, handlers.redo_pre)


def render_frames(
    subject: Subject, frames: range, *, folder: str
) -> Generator[tuple[str, int, int], None, tuple[tuple[str, ...], str]]:
    """Render a strip as Blender shows it into BMP pictures, one per step, at the scene's full size.

    Pictures and not one FFV1 movie, as a movie would be written in one call that keeps Blender busy from end to end;
    BMP, as Blender writes it in a quarter of the time that it takes for a PNG, uncompressed as both are. Where nothing
    is applied to a strip they equal an 8 bit source exactly.

    Returns:
        The files, and a digest of their pixels: the same whenever and wherever the same pictures come out.
    """
    digest = hashlib.sha256()
    files = []
    place = tempfile.mkdtemp(prefix="footage-", dir=folder)
    try:
        with Stage(subject) as stage:
            for done, frame in enumerate(frames):
                yield later("Rendering the footage"), done, len(frames)
                files.append(stage.render(frame, os.path.join(place, "")))
                with open(files[-1], "rb") as file:
                    digest.update(file.read())
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return tuple(files), digest.hexdigest()


# One frame


def _render_numbered(copy: bpy.types.Scene, frame: int, base: str) -> str:
    """As an animation of one frame: of a heavy scene that evaluates nothing but its edit."""
    copy.render.filepath = compat.literal_path(base) + "######"
    copy.frame_start = copy.frame_end = frame
    path: str = bpy.path.abspath(copy.render.frame_path(frame=frame))
    bpy.ops.render.render(animation=True, scene=copy.name)
    return path


def _render_still(copy: bpy.types.Scene, frame: int, base: str) -> str:
    """A frame below zero, where no animation can begin."""
    path = f"{base}{frame:07d}.bmp"
    copy.render.filepath = compat.literal_path(path)
    # What was changed when the copy was made is to be evaluated first, or it would undo what keyframes say here.
    for layer in copy.view_layers:
        layer.update()
    copy.frame_set(frame)
    # Named in the operator's own "scene", it would be rendered at the frame of the scene in the window.
    with bpy.context.temp_override(scene=copy):
        bpy.ops.render.render(write_still=True)
    return path


def _bmp_bytes(width: int, height: int) -> int:
    """A header, and lines of 3 bytes a pixel that are filled up to multiples of 4."""
    return 54 + (width * 3 + 3) // 4 * 4 * height


# The copy


def _found(things: Any, uid: int) -> Any | None:
    return next((each for each in things if each.session_uid == uid), None) if uid else None


def _neutral(scene: bpy.types.Scene) -> None:
    """Nothing between the strips' own colours and the file; nothing burnt in; all of the frame."""
    render, view = scene.render, scene.view_settings
    scene.display_settings.display_device = "sRGB"
    try:
        view.view_transform = "Standard"
    except TypeError:
        raise FootageError(
            tr(
                "This Blender's colour configuration has no Standard view, through which footage could be "
                "read unchanged."
            )
        ) from None
    view.look = "None"
    view.exposure, view.gamma = 0.0, 1.0
    view.use_curve_mapping = False
    if compat.has_white_balance(view):
        view.use_white_balance = False
    render.use_sequencer, render.use_compositing = True, False
    render.use_multiview = render.use_border = render.use_stamp = False
    render.use_file_extension = render.use_overwrite = True
    render.use_placeholder = False
    render.resolution_percentage = 100
    render.dither_intensity = 0.0
    scene.frame_step = 1


def _isolate(scene: bpy.types.Scene, name: str) -> Any:
    """Leave nothing to be seen but one strip, with what it is made of, wherever it lies."""
    editor = scene.sequence_editor
    strip = _surfaced(scene, name)
    needed = {each.name for each in _made_of(strip)}
    selectors = [each for each in _made_of(strip) if each.type == "MULTICAM"]
    # A selector shows one of the channels below it, as they are: what is muted there stays so.
    below = max((each.channel for each in selectors), default=0)
    kept = {each.name for each in compat.strips(editor) if each.channel < below} - needed
    for number, channel in enumerate(editor.channels):
        if number >= below:
            channel.mute = False
    action = scene.animation_data.action if scene.animation_data else None
    for each in list(compat.strips(editor)):
        if each.name not in kept:
            if action is not None:
                compat.drop_curves(action, f'["{bpy.utils.escape_identifier(each.name)}"].mute')
            each.mute = each.name not in needed
        if hasattr(each, "use_proxy"):  # masks, clips and sounds have none
            each.use_proxy = False
    # What an effect works on is not shown for itself, even where the effect is muted.
    for each in _effects_on(editor, needed | kept):
        compat.strips(editor).remove(each)
    strip = next(each for each in compat.strips(editor) if each.name == name)
    # How it mixes with what lies below is no property of the footage. Its opacity is: it shows on black.
    if selectors:
        strip.blend_type = "REPLACE"
    elif strip.blend_type not in ("REPLACE", "CROSS", "ALPHA_OVER"):
        strip.blend_type = "ALPHA_OVER"
    return strip


def _surfaced(scene: bpy.types.Scene, name: str) -> Any:
    """The strip, after every meta strip around it was taken apart."""
    editor = scene.sequence_editor
    while True:
        for strip in compat.strips(editor):
            if strip.name == name:
                return strip
        around = next(each for each in compat.strips(editor) if each.type == "META" and _holds(each, name))
        inside = [each for each in compat.strips(around) if each.name == name]
        if any(part.type == "MULTICAM" for each in inside for part in _made_of(each)):
            raise FootageError(
                tr(
                    "Strip {name!r} shows what a multicam selector inside the meta strip {meta!r} selects: "
                    "choose the meta strip, or take the selector and its cameras out of it."
                ).format(name=name, meta=around.name)
            )
        around.separate()


def _holds(meta: Any, name: str) -> bool:
    return any(each.name == name or (each.type == "META" and _holds(each, name)) for each in compat.strips(meta))


def _made_of(strip: Any) -> Iterator[Any]:
    yield strip
    for each in inputs(strip):
        yield from _made_of(each)


def _effects_on(editor: Any, needed: set[str]) -> list[Any]:
    """Effects that are no part of what is needed but work on it, the outermost first."""
    found: list[Any] = []
    names = set(needed)
    while True:
        more = [
            each
            for each in compat.strips(editor)
            if each.name not in names and any(below.name in names for below in list(_made_of(each))[1:])
        ]
        if not more:
            return found
        found = more + found
        names |= {each.name for each in more}
