"""How the camera that shot the footage was held: asked of the worker in the background, once per file and trim.

Drawing code asks :func:`of`, which answers at once with what is known.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Generator
from typing import Any

import bpy

from ..backend.foresight import Steadiness
from . import assistant, compat, environment, footage, media, planning, request, tasks, watching
from .errors import ReCamError
from .planning import Step
from .texts import tr

KEY = "steadiness"

# While something is trimmed or chosen, nobody wants to know.
_QUIET_SECONDS = 1.0
_MOST_KNOWN = 200

_known: dict[tuple[Any, ...], Steadiness | None] = {}
"""By what a strip shows; None where it cannot be told."""
_wanted: tuple[str, tuple[Any, ...], float] = ("", (), 0.0)
"""The edit, what its footage shows, and since when that is so."""


def of(scene: bpy.types.Scene, strip: Any) -> Steadiness | None:
    """What is known of a strip; None where nothing is, or not yet. Never waits: for drawing.

    Asking has the worker look, after a while. Only where a strip shows its file's pictures as they are: all else would
    have to be rendered first.
    """
    global _wanted
    if strip.type not in ("MOVIE", "IMAGE"):
        return None
    shown = _shown(strip)
    if shown in _known:
        return _known[shown]
    if _wanted[:2] != (scene.name, shown):
        _wanted = (scene.name, shown, time.monotonic())
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=_QUIET_SECONDS, persistent=True)
    return None


def ask(scene: str) -> Generator[Step, None, Steadiness]:
    """Ask the worker about the footage that is chosen in an edit, in short steps.

    Raises:
        ReCamError: no footage is chosen, it is no plain clip, or there is no worker.
    """
    edit = planning.find_scene(scene)
    strip = request.chosen_footage(edit)
    if strip is None:
        raise ReCamError(request.why_no_footage(edit))
    if not media.is_plain(edit, strip) or footage.changes(edit, strip):
        raise ReCamError(tr("Strip {strip!r} shows its file changed.").format(strip=strip.name))
    with tempfile.TemporaryDirectory(prefix="recam-steady-", dir=bpy.app.tempdir) as folder:
        found = yield from planning.steps(footage.read_footage(edit, strip, folder=folder))
        answer = yield from assistant.ask("steadiness", {"footage": found.footage.to_json()}, key=KEY)
    return Steadiness.from_json(answer)


def forget() -> None:
    """Nothing is known."""
    global _wanted
    _known.clear()
    _wanted = ("", (), 0.0)


def _shown(strip: Any) -> tuple[Any, ...]:
    """What the pictures of a strip depend on, as far as that is cheap to compare; its file's age is looked up later."""
    path = strip.filepath if strip.type == "MOVIE" else strip.directory
    return (
        path,
        strip.elements[0].filename if strip.elements else "",
        *compat.span(strip),
        compat.content_start(strip),
        *compat.content_trim(strip),
        strip.use_reverse_frames,
    )


def _tick() -> float | None:
    """Begin once it has been quiet; called by Blender's timer."""
    name, shown, since = _wanted
    if shown in _known or not name:
        return None
    if time.monotonic() - since < _QUIET_SECONDS or tasks.running(KEY) is not None:
        return _QUIET_SECONDS
    if name in bpy.data.scenes and _has_backend():
        tasks.start(KEY, tr("Looking at the footage"), _work(name, shown), lambda _: None)
    return None


def _has_backend() -> bool:
    try:
        return os.path.isfile(environment.backend_python())
    except ReCamError:
        return False


def _work(name: str, shown: tuple[Any, ...]) -> Generator[Step, None, None]:
    try:
        found = yield from ask(name)
    except assistant.Superseded:
        return
    except ReCamError:
        # Whoever re-shoots this footage is told what is the matter with it.
        found = None
    while len(_known) >= _MOST_KNOWN:
        del _known[next(iter(_known))]
    _known[shown] = found
    watching.redraw()


def unregister() -> None:
    """Ask no more."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    forget()


CLASSES: tuple[Any, ...] = ()
