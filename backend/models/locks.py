"""One at a time in a folder of models. Standard library only, for Python 3.10 and later."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_LOCK = ".recam-models.lock"
_SECONDS = 10.0


class LibraryError(OSError):
    """A library that cannot be changed: a sentence that says why."""


@contextlib.contextmanager
def locked(
    folder: Path, complaint: str, *, seconds: float = _SECONDS, tidies: bool = False, name: str = _LOCK
) -> Iterator[None]:
    """Alone in a folder, among those who ask. The system lets go when the process ends, however it does.

    Args:
        folder: it is there.
        complaint: of the LibraryError where another is still in it after so many seconds.
        seconds: to wait.
        tidies: in the end the lock's own file goes, and the folder if nothing else is in it.
        name: of the lock's own file.
    """
    until = time.monotonic() + seconds
    while (file := _taken(folder / name)) is None:
        if time.monotonic() >= until:
            raise LibraryError(complaint)
        time.sleep(0.05)
    with file:
        try:
            yield
        finally:
            if tidies and os.name != "nt":
                _tidy(folder, name)
            _unlock(file.fileno())
    if tidies and os.name == "nt":  # where what is open stays, whoever has opened it
        _tidy(folder, name)


def _taken(path: Path) -> IO[bytes] | None:
    """The lock's file, locked; None while another has it."""
    file = open(path, "ab", opener=_open_lock)  # noqa: SIM115 - who asked closes it
    try:
        # Who had it may have removed it: then others lock a new one.
        if _lock(file.fileno()) and (os.name == "nt" or _is_still(path, file.fileno())):
            return file
    except BaseException:
        file.close()
        raise
    file.close()
    return None


def _open_lock(path: str, flags: int) -> int:
    # Without waiting, should it be a pipe, and not through a link.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _tidy(folder: Path, name: str) -> None:
    with contextlib.suppress(OSError):
        (folder / name).unlink(missing_ok=True)
        folder.rmdir()  # only where it is empty


_TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        try:
            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            raise
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            # Some network drives have no locks: better without than not at all.
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
        return True

    def _unlock(descriptor: int) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
