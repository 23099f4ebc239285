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
from .texts import later, tr

VARIABLE = "RECAM_PYTHON"

WHERE = later("Preferences > Add-ons > ReCam")

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
        raise ReCamError(f"{trouble(found)} {tr(_HELP[found.kind]).format(where=tr(WHERE), variable=VARIABLE)}")
    return found.python


def trouble(found: State) -> str:
    """What is wrong with an environment that is not ready."""
    return tr(_TROUBLE[found.kind]).format(folder=found.folder)


_TROUBLE = {
    "missing": later("ReCam's backend is not installed."),
    "unfinished": later("ReCam's backend is not whole: its installation has not ended yet, or broke off."),
    "outdated": later("ReCam's backend was made for another version of ReCam."),
    "foreign": later("The folder {folder} holds something that ReCam did not make."),
}

_HELP = {
    "missing": later("Press Install in {where}, or set {variable} to a Python that has what it needs."),
    "unfinished": later("Wait for it, or press Repair in {where}."),
    "outdated": later("Press Update in {where}."),
    "foreign": later("Choose another folder for the environment in {where}."),
}


def gone(path: str, named_by: str) -> str:
    """What to say where there is no file at the Python that :func:`own_python` gave."""
    if named_by == VARIABLE:
        advice = tr(
            "Start Blender with another in {variable}, or without it: then ReCam's own environment is used."
        ).format(variable=VARIABLE)
    elif named_by:
        advice = tr("Choose another, or press Use ReCam's Environment in {where}.").format(where=tr(WHERE))
    else:
        advice = tr("Give a Python that has what the backend needs.")
    if not named_by:
        return tr("There is no Python at {path!r}. {advice}").format(path=path, advice=advice)
    named = tr("There is no Python at {path!r}, which {named_by} names. {advice}")
    return named.format(path=path, named_by=tr(named_by), advice=advice)


def lacks(engine: str, override: str = "") -> str:
    """What to say where the backend's Python has not the packages that an engine needs."""
    if path := override or own_python()[0]:
        return tr(
            "The engine {engine} needs packages that {path!r} lacks: Use My Own Python in {where} tells "
            "which, and how to add them."
        ).format(engine=engine, path=path, where=tr(WHERE))
    button = tr("Add ReCamMaster" if engine == "recammaster" else "Repair")
    return tr("The engine {engine} needs packages that ReCam's environment lacks: press {button} in {where}.").format(
        engine=engine, button=button, where=tr(WHERE)
    )


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
