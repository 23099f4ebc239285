"""How the camera that shot the footage was held: asked of the worker in the background, once per file and trim.

Drawing code asks :func:`of`, which answers at once with what is known. No process is started for it: a worker is asked
where one that answers questions runs already, for a forecast or a live preview.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from typing import Any

import bpy

from ..backend.contract import ContractError, Footage
from ..backend.foresight import Steadiness
from . import assistant, compat, media, planning, request, runtime, tasks, watching
from .errors import ReCamError
from .planning import Step
from .texts import tr

KEY = "steadiness"
"""Of the task, of the question, and of the worker's method."""

_KINDS = {"MOVIE": "movie", "IMAGE": "images"}

# While something is trimmed or chosen, nobody wants to know.
_QUIET_SECONDS = 1.0
_MOST_KNOWN = 200

_Stamp = tuple[int, int]
"""A file's size in bytes, and its time of change in nanoseconds."""

_known: dict[tuple[Any, ...], tuple[_Stamp, Steadiness | None]] = {}
"""By what a strip shows: its file's stamp, and the answer; None where it cannot be told."""
_wanted: tuple[str, tuple[Any, ...], float] = ("", (), 0.0)
"""The edit, what its footage shows, and since when that is so."""


def of(scene: bpy.types.Scene, strip: Any) -> Steadiness | None:
    """What is known of a strip; None where nothing is, or not yet. Never waits, nor looks at the disk: for drawing.

    Asking has the worker look, after a while, if there is one; and again where the file has become another.
    """
    global _wanted
    if strip.type not in _KINDS:
        return None
    shown = _shown(strip)
    if _wanted[:2] != (scene.name, shown):
        _wanted = (scene.name, shown, time.monotonic())
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=_QUIET_SECONDS, persistent=True)
    return _known[shown][1] if shown in _known else None


def ask(scene: str) -> Generator[Step, None, Steadiness]:
    """Ask the worker about the footage that is chosen in an edit.

    Raises:
        ReCamError: no footage is chosen, it is no clip whose frames can be told, or there is no worker.
    """
    edit = planning.find_scene(scene)
    strip = request.chosen_footage(edit)
    if strip is None:
        raise ReCamError(request.why_no_footage(edit))
    answer = yield from assistant.ask(KEY, {"footage": shown_footage(edit, strip).to_json()}, key=KEY)
    return Steadiness.from_json(answer)


def shown_footage(scene: bpy.types.Scene, strip: Any) -> Footage:
    """The frames of its file that a strip shows, one after another, whatever their rate on the timeline.

    Worked out from what the strip itself knows: to open a movie may take Blender a third of a second.
    """
    if strip.type not in _KINDS or compat.is_retimed(strip) or not strip.elements:
        raise ReCamError(tr("Which frames strip {strip!r} shows cannot be told.").format(strip=strip.name))
    element = strip.elements[0]
    of_movie = strip.type == "MOVIE" and element.orig_fps
    pace = element.orig_fps / float(planning.scene_rate(scene)) if of_movie else 1.0
    start, stop = compat.span(strip)
    content, length = compat.content_start(strip), compat.content_length(strip)
    cut = compat.content_trim(strip)[0]
    first, last = (min(max(0.0, each - content), length - 1) for each in (start, stop - 1))
    frames = range(cut + int(first * pace), cut + max(int(first * pace), int(last * pace)) + 1)
    try:
        return Footage(
            kind=_KINDS[strip.type],
            files=tuple(_files(scene, strip)),
            frames=tuple(frames),
            width=element.orig_width,
            height=element.orig_height,
        )
    except ContractError as error:
        raise ReCamError(str(error)) from error


def forget() -> None:
    """Nothing is known."""
    global _wanted
    _known.clear()
    _wanted = ("", (), 0.0)


def _shown(strip: Any) -> tuple[Any, ...]:
    """What the pictures of a strip depend on, but for what is in its file."""
    path = strip.filepath if strip.type == "MOVIE" else strip.directory
    return (
        path,
        strip.elements[0].filename if strip.elements else "",
        *compat.span(strip),
        compat.content_start(strip),
        *compat.content_trim(strip),
        strip.use_reverse_frames,
    )


def _files(scene: bpy.types.Scene, strip: Any) -> list[str]:
    if strip.type == "MOVIE":
        return [media.absolute(strip.filepath, scene.library)]
    folder = media.absolute(strip.directory, scene.library)
    return [os.path.join(folder, each.filename) for each in strip.elements]


def _stamp(path: str) -> _Stamp:
    """Of a file; zeros where it is not there."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _tick() -> float | None:
    """Begin once it has been quiet; called by Blender's timer, and registered anew when the panel is drawn again."""
    name, shown, since = _wanted
    edit = bpy.data.scenes.get(name)
    if edit is None or not runtime.warm(runtime.QUESTIONS):
        return None
    if time.monotonic() - since < _QUIET_SECONDS or tasks.running(KEY) is not None:
        return _QUIET_SECONDS
    strip = request.chosen_footage(edit)
    if strip is None or strip.type not in _KINDS or _shown(strip) != shown:
        return None
    stamp = _stamp(next(iter(_files(edit, strip)), ""))
    if shown not in _known or _known[shown][0] != stamp:
        tasks.start(KEY, tr("Looking at the footage"), _work(name, shown, stamp), lambda _: None)
    return None


def _work(name: str, shown: tuple[Any, ...], stamp: _Stamp) -> Generator[Step, None, None]:
    edit = bpy.data.scenes.get(name)
    strip = request.chosen_footage(edit) if edit is not None else None
    if strip is None or strip.type not in _KINDS or _shown(strip) != shown:
        return
    try:
        found = yield from ask(name)
    except assistant.Superseded:
        return
    except ReCamError:
        # Whoever re-shoots this footage is told what is the matter with it.
        found = None
    while len(_known) >= _MOST_KNOWN:
        del _known[next(iter(_known))]
    _known[shown] = stamp, found
    watching.redraw()


def unregister() -> None:
    """Ask no more."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    forget()


CLASSES: tuple[Any, ...] = ()
