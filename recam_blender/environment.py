"""Which Python runs the backend, and what is known of it without starting anything: a redraw may ask.

The user's own goes first. Else it is that of the environment which ReCam sets up: see setup.py.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

from ..backend.environment import marker
from ..backend.environment.messages import State
from . import preferences
from .errors import ReCamError

VARIABLE = "RECAM_PYTHON"

WHERE = "Preferences > Add-ons > ReCam"

# A marker that did not change is not read again, but its Python may have gone meanwhile.
_KEPT_SECONDS = 2.0

_kept: tuple[tuple[object, ...], float, State] | None = None


def folder() -> Path:
    """The folder of ReCam's own environment, whether there is one or not.

    On Windows it is a short one: packages have long paths inside, and some programs end at 260 characters.
    """
    if chosen := preferences.path("environment"):
        return Path(chosen)
    home = preferences.user_folder()
    local = os.environ.get("LOCALAPPDATA")
    if sys.platform == "win32" and local:
        digest = hashlib.sha256(os.path.normcase(os.path.abspath(home)).encode()).hexdigest()
        return Path(local) / "ReCam" / f"env-{digest[:8]}"
    return Path(home) / "environment"


def state() -> State:
    """What is in that folder, by its marker. Starts no process, and looks again only where something changed."""
    global _kept
    place = folder()
    key = (place, _stamp(place / marker.MARKER))
    if _kept is None or _kept[0] != key or time.monotonic() - _kept[1] > _KEPT_SECONDS:
        _kept = key, time.monotonic(), marker.state(place)
    return _kept[2]


def changed() -> None:
    """Look anew at the next question."""
    global _kept
    _kept = None


def own_python() -> tuple[str, str]:
    """A Python that goes before ReCam's environment, and who names it: RECAM_PYTHON, or the preferences.

    Nothing and nothing where there is none.
    """
    if path := os.environ.get(VARIABLE, ""):
        return path, VARIABLE
    path = preferences.path("python")
    return path, WHERE if path else ""


def backend_python(override: str = "") -> str:
    """The interpreter that runs the backend: the override, else RECAM_PYTHON, else the preferences', else ReCam's own.

    Raises:
        ReCamError: there is none, or no such file; with the button that helps.
    """
    path, named_by = (override, "") if override else own_python()
    if path:
        if not os.path.isfile(path):
            raise ReCamError(gone(path, named_by))
        return path
    found = state()
    if found.kind != "ready":
        raise ReCamError(f"{TROUBLE[found.kind].format(folder=found.folder)} {_HELP[found.kind]}")
    return found.python


TROUBLE = {
    "missing": "ReCam's backend is not installed.",
    "unfinished": "ReCam's backend is not whole: its installation has not ended yet, or broke off.",
    "outdated": "ReCam's backend was made for another version of ReCam.",
    "foreign": "The folder {folder} holds something that ReCam did not make.",
}
"""What is wrong with an environment that is not ready."""

_HELP = {
    "missing": f"Press Install in {WHERE}, or set {VARIABLE} to a Python that has what it needs.",
    "unfinished": f"Wait for it, or press Repair in {WHERE}.",
    "outdated": f"Press Update in {WHERE}.",
    "foreign": f"Choose another folder for the environment in {WHERE}.",
}


def gone(path: str, named_by: str) -> str:
    """What to say where there is no file at the Python that :func:`own_python` gave."""
    if named_by == VARIABLE:
        advice = f"Start Blender with another in {VARIABLE}, or without it: then ReCam's own environment is used."
    elif named_by:
        advice = f"Choose another, or press Use ReCam's Environment in {WHERE}."
    else:
        advice = "Give a Python that has what the backend needs."
    return f"There is no Python at {path!r}{f', which {named_by} names' if named_by else ''}. {advice}"


def lacks(engine: str, override: str = "") -> str:
    """What to say where the backend's Python has not the packages that an engine needs."""
    if path := override or own_python()[0]:
        return (
            f"The engine {engine} needs packages that {path!r} lacks: "
            f"Use My Own Python in {WHERE} tells which, and how to add them."
        )
    button = "Add ReCamMaster" if engine == "recammaster" else "Repair"
    return f"The engine {engine} needs packages that ReCam's environment lacks: press {button} in {WHERE}."


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
