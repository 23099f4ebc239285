"""Taking an environment away: only what ReCam made, and never by way of a link."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import locks, marker
from .errors import SetupError

_CONFIGURATION = "pyvenv.cfg"
"""The file that makes a folder an environment; venv writes it before any other."""

_OWN = frozenset(
    (
        *("bin", "include", "lib", "lib64", "share", "etc", "man", "scripts"),
        *(_CONFIGURATION, ".gitignore", "tmp", marker.MARKER, marker.BEGUN),
        *(".ds_store", "desktop.ini", "thumbs.db"),
    )
)
"""What venv, pip, ReCam and file managers put at the top of an environment, in small letters."""


def remove(folder: Path) -> None:
    """Remove an environment that ReCam made; nothing there is well too.

    Raises:
        SetupError: it is not ReCam's, holds what is not, or is in use ("foreign", "busy"); or cannot be removed.
    """
    if not os.path.lexists(folder):
        return
    check(folder)
    try:
        with locks.alone(folder):
            take_away(folder)
            sweep(folder)
        for each in (marker.log_of(folder), Path(f"{marker.log_of(folder)}.1")):
            each.unlink(missing_ok=True)
    except OSError as error:
        raise SetupError(f"{folder} cannot be removed: {error.strerror or error}.", "disk") from error


def check(folder: Path) -> marker.Marker:
    """Raise SetupError where what is there is not to be removed; else give its marker."""
    if folder == folder.parent or _is_link(folder) or not folder.is_dir():
        raise SetupError(
            f"{folder} is no folder of its own, and is left alone: name the environment itself.", "foreign"
        )
    found = marker.read(folder)
    if found is None or not found.ours:
        raise SetupError(
            f"{folder} was not made by ReCam, and is left alone: move it away, or choose another folder.", "foreign"
        )
    if not _is_environment(folder):
        raise SetupError(
            f"{folder} holds files and is no environment (it has no {_CONFIGURATION}), and is left alone: move it "
            "away, or choose another folder.",
            "foreign",
        )
    if others := sorted(strangers(folder, found)):
        raise SetupError(
            f"{folder} holds what ReCam did not put there ({', '.join(others[:5])}), and is left alone: move that "
            "elsewhere and try again.",
            "foreign",
        )
    return found


def _is_environment(folder: Path) -> bool:
    """Whether a folder with our marker is one, or was to become one: then there are no files in it yet."""
    if (folder / _CONFIGURATION).is_file():
        return True
    files = (os.path.join(path, name) for path, _, names in os.walk(folder) for name in names)
    return {os.path.relpath(each, folder) for each in files} <= {marker.MARKER, marker.BEGUN}


def strangers(folder: Path, found: marker.Marker) -> frozenset[str]:
    """What lies at the top of an environment of ours and was put there by others."""
    # A marker alone proves nothing: names beside the usual are an environment's only.
    named = found.names if (folder / _CONFIGURATION).is_file() else ()
    own = _OWN | {each.lower() for each in named}
    return frozenset(each for each in os.listdir(folder) if each.lower() not in own)


def take_away(folder: Path) -> None:
    """Have the folder gone, while its lock is held: renamed as a whole, and deleted under another name.

    Raises SetupError as :func:`check` does, or where files in it are in use on Windows.
    """
    check(folder)
    away = folder.with_name(f".{folder.name}.removed-{uuid.uuid4().hex[:8]}")
    try:
        marker.patiently(lambda: os.rename(folder, away))
    except PermissionError as error:
        if sys.platform != "win32":
            raise
        raise SetupError(
            f"A program still uses files in {folder}: close other Blenders and what has the folder open, and try "
            "again.",
            "busy",
        ) from error
    _delete(away)


def is_empty(folder: Path) -> bool:
    """Whether an environment can be made in a folder that is there."""
    return folder.is_dir() and not folder.is_symlink() and not set(os.listdir(folder)) - {marker.BEGUN}


def make_room(folder: Path) -> None:
    """Have the place free for an environment, while its lock is held; raises as :func:`take_away` does."""
    if is_empty(folder):
        (folder / marker.BEGUN).unlink(missing_ok=True)
        folder.rmdir()
    else:
        take_away(folder)


def sweep(folder: Path) -> None:
    """Delete what a removal of this environment left when it was killed."""
    for each in folder.parent.glob(f".{_literal(folder.name)}.removed-????????"):
        found = marker.read(each)
        if not _is_link(each) and (_is_empty(each) or (found is not None and found.ours)):
            _delete(each)


def _delete(folder: Path) -> None:
    """The marker goes last: as long as anything is left, it says whose it is."""
    with contextlib.suppress(OSError):
        for each in list(os.scandir(folder)):
            if each.name == marker.MARKER:
                continue
            if each.is_dir(follow_symlinks=False):
                shutil.rmtree(each.path, **_ON_ERROR)
            else:
                os.unlink(each.path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(folder / marker.MARKER)
        os.rmdir(folder)


def _try_again(function: Callable[[str], object], path: str, _error: object) -> None:
    """Windows deletes no read-only file, and POSIX nothing in a read-only folder. What stays is swept another time."""
    with contextlib.suppress(OSError):
        for each in (os.path.dirname(path), path):
            if not os.path.islink(each):
                os.chmod(each, stat.S_IRWXU)
        if function in (os.unlink, os.rmdir):
            function(path)


_ON_ERROR: dict[str, Any] = {"onexc" if sys.version_info >= (3, 12) else "onerror": _try_again}


def _is_link(path: Path) -> bool:
    if path.is_symlink():
        return True
    try:
        tag = getattr(os.lstat(path), "st_reparse_tag", 0)
    except OSError:
        return True
    return tag == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)  # a junction, on Windows


def _is_empty(path: Path) -> bool:
    try:
        return path.is_dir() and not os.listdir(path)
    except OSError:
        return False


def _literal(name: str) -> str:
    return "".join(f"[{each}]" if each in "*?[" else each for each in name)
