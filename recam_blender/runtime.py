"""What is going on right now: the one running job and the one worker. Never saved in a file, gone with Blender."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import tempfile
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import bpy

from ..backend import __version__
from ..backend.contract import Progress
from . import client, environment, preferences
from .errors import ReCamError

_LOG = re.compile(r"[a-z]+-\d+\.log(\.1)?")
_KEPT_SECONDS = 7 * 24 * 3600


@dataclass
class Running:
    """A job under way, as the panel shows it; closing ``work`` ends it and clears away."""

    work: Generator[Any, None, Any]
    progress: Progress = field(default_factory=lambda: Progress(phase="Starting", step=0, total=0))
    cancel_asked: bool = False


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


running: Running | None = None
message: Message | None = None

_worker: client.Worker | None = None
_interpreter = ""


def worker(python: str = "") -> client.Worker:
    """The worker, started if there is none; it stays warm for the next job.

    Args:
        python: an interpreter that overrides what the preferences and the environment say.
    """
    global _worker, _interpreter
    interpreter = environment.backend_python(python)
    if _worker is not None and (not _worker.alive or interpreter != _interpreter):
        stop_worker()
    if _worker is None:
        try:
            _worker = client.Worker.start(interpreter, package_folder=package_folder(), log_path=log_path())
        except OSError as error:
            raise ReCamError(f"The backend's Python {interpreter!r} cannot be started ({error}).") from error
        _interpreter = interpreter
    return _worker


def forget() -> None:
    """Nothing is running and nothing has ended: another file is open. An operator that still runs ends by itself."""
    global running, message
    running = message = None


def stop_worker() -> None:
    """End the worker, gently if it listens."""
    global _worker
    if _worker is not None:
        _worker.close()
        _worker = None


def known_engines(interpreter: str) -> tuple[str, ...]:
    """The engines that this interpreter has the packages for, as its worker told; none where it was not asked yet."""
    greeting = _worker.greeting if _worker is not None and interpreter == _interpreter else None
    return tuple(greeting.get("engines", ())) if greeting else ()


def check_version(greeting: Mapping[str, Any]) -> None:
    """Raise ReCamError where a process says that it is another version than this add-on.

    Blender keeps what it has loaded of an add-on; the files under it may be newer.
    """
    if greeting.get("version") != __version__:
        raise ReCamError("ReCam was upgraded while Blender ran: restart Blender.")


def offline() -> str:
    """Why nothing may be downloaded, and what to do about it; nothing where Blender may go online."""
    if bpy.app.online_access:
        return ""
    if bpy.app.online_access_override:
        return "Blender was started with --offline-mode, so nothing can be downloaded: start it without."
    if bpy.app.background:
        return "Blender is not allowed to go online: start it with --online-mode."
    return "Blender is not allowed to go online: press Allow Online Access first."


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
            f"ReCam cannot write its logs to {folder!r} ({error.strerror}): see that this folder may be written to, "
            "and that its disk has room."
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
