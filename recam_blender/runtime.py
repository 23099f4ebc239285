"""What there is of running processes: the worker, its log, and how its last job ended. Never saved in a file."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import bpy

from ..backend import __version__
from . import client, environment, preferences
from .errors import ReCamError
from .texts import tr

_LOG = re.compile(r"[a-z]+-\d+\.log(\.1)?")
_KEPT_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class Message:
    """How the last job ended, until the next begins.

    Attributes:
        text: whole sentences; a line of its own where there is a line break.
        icon: Blender's name for it.
        warnings: what the user should know, each a sentence or more.
        notes: what was decided on the user's behalf, likewise.
    """

    text: str
    icon: str
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


message: Message | None = None

busy = False
"""Whether takes are being made, so that nobody changes the environment meanwhile. The queue sets it."""

TAKES, QUESTIONS = "worker", "assistant"
"""Two workers of the same program: one makes takes, the other answers quickly while it does. Also their logs' names."""

_workers: dict[str, tuple[str, client.Worker]] = {}


def worker(python: str = "", name: str = TAKES) -> client.Worker:
    """The worker, started if there is none; it stays warm for the next job.

    Args:
        python: an interpreter that overrides what the preferences and the environment say.
        name: TAKES or QUESTIONS.
    """
    interpreter = environment.backend_python(python)
    started_by, found = _workers.get(name, ("", None))
    if found is not None and not found.alive:
        # Not closed: who waits for its job is still to hear how it ended.
        del _workers[name]
        found = None
    # One of another interpreter is not taken away from whom it works for.
    if found is not None and interpreter != started_by and not found.busy:
        _leave(name)
        found = None
    if found is None:
        try:
            found = client.Worker.start(interpreter, package_folder=package_folder(), log_path=log_path(name))
        except OSError as error:
            text = tr("The backend's Python {python!r} cannot be started ({error}).")
            raise ReCamError(text.format(python=interpreter, error=error)) from error
        _workers[name] = interpreter, found
    return found


def warm(name: str = TAKES) -> bool:
    """Whether that worker runs: to ask it starts no process."""
    found = _workers.get(name)
    return found is not None and found[1].alive


def forget() -> None:
    """Nothing has ended yet: another file is open."""
    global message
    message = None


def let_go() -> None:
    """End the worker for takes gently, without waiting for it. No harm where there is none."""
    if TAKES in _workers:
        _leave(TAKES)


def _leave(name: str) -> None:
    _, found = _workers.pop(name)
    threading.Thread(target=found.close, name="recam worker leaves").start()


def stop_worker() -> None:
    """End the workers, gently if they listen."""
    while _workers:
        _, (_, found) = _workers.popitem()
        found.close()


def known_engines(interpreter: str) -> tuple[str, ...]:
    """The engines that this interpreter has the packages for, as its worker told; none where it was not asked yet."""
    for started_by, found in _workers.values():
        if started_by == interpreter and found.greeting:
            return tuple(found.greeting.get("engines", ()))
    return ()


def check_version(greeting: Mapping[str, Any]) -> None:
    """Raise ReCamError where a process says that it is another version than this add-on.

    Blender keeps what it has loaded of an add-on; the files under it may be newer.
    """
    if greeting.get("version") != __version__:
        raise ReCamError(tr("ReCam was upgraded while Blender ran: restart Blender."))


def offline() -> str:
    """Why nothing may be downloaded, and what to do about it; nothing where Blender may go online."""
    if bpy.app.online_access:
        return ""
    if bpy.app.online_access_override:
        return tr("Blender was started with --offline-mode, so nothing can be downloaded: start it without.")
    if bpy.app.background:
        return tr("Blender is not allowed to go online: start it with --online-mode.")
    return tr("Blender is not allowed to go online: press Allow Online Access first.")


def offline_for_good() -> bool:
    """Whether Blender was told to stay offline where it was started, which no preference changes."""
    return bool(bpy.app.online_access_override and not bpy.app.online_access)


def package_folder() -> str:
    """Where the package ``backend`` lies: the extension itself."""
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def user_folder() -> str:
    """The folder that Blender gives this extension for its own files; it outlives upgrades."""
    return preferences.user_folder(create=True)


def log_path(name: str = "worker") -> str:
    """Where a process of this Blender is to write what it has to say: the worker, or another by its name.

    Raises:
        ReCamError: nothing can be written there.
    """
    path = log_file(name)
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise ReCamError(
            tr(
                "ReCam cannot write its logs to {folder!r} ({reason}): see that this folder may be written "
                "to, and that its disk has room."
            ).format(folder=folder, reason=error.strerror)
        ) from error
    for each in os.listdir(folder):
        old = os.path.join(folder, each)
        if _LOG.fullmatch(each) and time.time() - os.path.getmtime(old) > _KEPT_SECONDS:
            with contextlib.suppress(OSError):  # another Blender has it open, or was quicker
                os.remove(old)
    return path


def log_file(name: str) -> str:
    """The same, without making room for it."""
    return os.path.join(preferences.user_folder(), "logs", f"{name}-{os.getpid()}.log")


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for files that one job needs and nobody else; Blender's own temporary folder holds it."""
    return tempfile.TemporaryDirectory(prefix="recam-", dir=bpy.app.tempdir, ignore_cleanup_errors=True)
