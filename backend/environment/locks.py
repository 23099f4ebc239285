"""One lock for each environment, in a file beside it: held alone by set-up, together by those who work in it.

The system frees a lock with its holder, however that ends. The file tells who has it; it stays where it is.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from . import marker
from .errors import SetupError

WAIT = 10.0
"""Seconds to wait for another set-up to end: a cancelled one clears away for a moment."""

_SIGNATURE = 20  # bytes
_PLACES = 64  # in the file that a worker can hold, on Windows, where one place has one holder
_FAR = 1 << 20  # where these begin: what stands in the file can be read while they are held
_held: list[int] = []


def path_of(folder: Path) -> Path:
    """The lock's file."""
    return folder.with_name(f".{folder.name}.recam.lock")


@contextlib.contextmanager
def alone(folder: Path, cancelled: Callable[[], bool] = lambda: False) -> Iterator[int]:
    """Hold an environment alone; gives the descriptor, which children may inherit so that it is held until they end.

    Raises:
        SetupError: someone else has it after :data:`WAIT` ("busy"), or it was cancelled meanwhile.
        OSError: the file cannot be made.
    """
    path = path_of(folder)
    opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        until = time.monotonic() + WAIT
        while not _lock_alone(opened):
            if cancelled():
                raise SetupError("Set-up was cancelled.", "cancelled")
            if time.monotonic() >= until:
                raise SetupError(_who_has_it(opened, folder), "busy")
            time.sleep(0.1)
        _sign(opened, str(os.getpid()))
        yield opened
        _sign(opened, "")
    finally:
        os.close(opened)


def hold(folder: str | Path) -> None:
    """Hold the environment in this folder, among others, until the process ends: nobody changes it meanwhile.

    Does nothing for a Python that is no environment of ours. Raises SetupError where it is being set up right now.
    """
    folder = Path(folder)
    if marker.read(folder) is None:
        return
    try:
        opened = os.open(path_of(folder), os.O_RDONLY)
    except OSError:  # none was ever made: nothing to hold
        return
    if not _lock_together(opened):
        os.close(opened)
        raise SetupError(f"{folder} is being set up right now: wait until that is done.", "busy")
    _held.append(opened)


def _sign(opened: int, name: str) -> None:
    """Say in the file who has it; that is for people, and worth no failure."""
    with contextlib.suppress(OSError):
        os.lseek(opened, 0, os.SEEK_SET)
        os.write(opened, name.ljust(_SIGNATURE).encode())


def _who_has_it(opened: int, folder: Path) -> str:
    if _lock_together(opened):
        return (
            f"A ReCam worker still uses {folder}: close the other Blenders, or wait until their takes are done, "
            "and try again."
        )
    os.lseek(opened, 0, os.SEEK_SET)
    number = os.read(opened, _SIGNATURE).decode("ascii", "replace").strip()
    process = f" (process {number})" if number.isdigit() else ""
    return f"Another process{process} is setting up {folder}: wait until it is done, and try again."


if sys.platform == "win32":
    import msvcrt

    def _lock_alone(opened: int) -> bool:
        return _region(opened, _FAR, _PLACES)

    def _lock_together(opened: int) -> bool:
        places = random.sample(range(_PLACES), _PLACES)
        return any(_region(opened, _FAR + place, 1) for place in places)

    def _region(opened: int, start: int, length: int) -> bool:
        os.lseek(opened, start, os.SEEK_SET)
        try:
            msvcrt.locking(opened, msvcrt.LK_NBLCK, length)
        except OSError:
            return False
        os.lseek(opened, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _lock_alone(opened: int) -> bool:
        return _flock(opened, fcntl.LOCK_EX)

    def _lock_together(opened: int) -> bool:
        return _flock(opened, fcntl.LOCK_SH)

    def _flock(opened: int, how: int) -> bool:
        try:
            fcntl.flock(opened, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks, as some network shares are
            return True
        return True
