"""Files that are written beside their final name and renamed when whole, so that no half take is ever found."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import av.error

from .errors import WriteError

# Short whatever the final name is: a name of 255 bytes leaves no room for more. It tells who writes it.
_PART = re.compile(r"\.recam-part-(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{8}(\.\w+)?")
_UNTOUCHED_SECONDS = 600


class Part:
    """One file or folder on its way to ``final``. Raises WriteError where that name is taken or cannot be."""

    def __init__(self, final: Path, *, folder: bool) -> None:
        self.final = final
        self._folder = folder
        _check_free(final)
        sweep(final.parent)
        name = f".recam-part-{_host()}-{os.getpid()}-{secrets.token_hex(4)}{'' if folder else final.suffix}"
        self.path = final.parent / name
        with told(final):
            if folder:
                self.path.mkdir()
            else:
                self.path.touch(exist_ok=False)

    def publish(self) -> None:
        """Give it its final name, unless something has taken that since."""
        with told(self.final):
            if self._folder:
                _publish_folder(self.path, self.final)
            else:
                _sync(self.path)
                _publish_file(self.path, self.final)

    def withdraw(self) -> None:
        """Take back what was published: it goes as if it never was."""
        _remove(self.final)

    def discard(self) -> None:
        """Remove it. Does nothing once it is published."""
        _remove(self.path)


def sweep(folder: Path) -> None:
    """Remove the parts that runs on this machine left in ``folder`` when they were killed."""
    try:
        names = os.listdir(folder)
    except OSError:
        return  # whoever writes there next says what is wrong with it
    for name in names:
        match = _PART.fullmatch(name)
        if match and match["host"] == _host() and not _runs(int(match["pid"])):
            part = folder / name
            with contextlib.suppress(OSError):  # another run may be sweeping too
                if time.time() - part.stat().st_mtime > _UNTOUCHED_SECONDS:
                    _remove(part)


@contextlib.contextmanager
def told(final: Path) -> Iterator[None]:
    """Turn what the system says into one WriteError sentence about the file that was asked for."""
    try:
        yield
    except WriteError:
        raise
    except (OSError, av.error.FFmpegError) as error:
        raise WriteError(error.errno, f"{str(final)!r} cannot be written: {_reason(error)}") from error


def _reason(error: OSError | av.error.FFmpegError) -> str:
    hints = {
        errno.ENOSPC: "the disk is full. Free some space or choose another folder.",
        errno.EDQUOT: "your share of the disk is used up. Free some space or choose another folder.",
        errno.EFBIG: "the file would be larger than is allowed there. Choose another folder.",
        errno.EACCES: "you may not write there. Choose another folder.",
        errno.EPERM: "you may not write there. Choose another folder.",
        errno.EROFS: "that disk can only be read. Choose another folder.",
        errno.ENOENT: "its folder does not exist, or has gone.",
        errno.ENOTDIR: "what should be its folder is a file.",
        errno.ENAMETOOLONG: "the name is too long. Choose a shorter one.",
        errno.EEXIST: "something with that name is there already, and nothing is overwritten. Choose another name.",
        errno.ENOTEMPTY: "something with that name is there already, and nothing is overwritten. Choose another name.",
    }
    return hints.get(error.errno or 0, f"{error.strerror or error}.")


def _check_free(final: Path) -> None:
    with told(final):
        try:
            final.lstat()
        except FileNotFoundError:
            if not final.parent.is_dir():
                raise
            return
        raise FileExistsError(errno.EEXIST, "exists")


def _publish_file(part: Path, final: Path) -> None:
    try:
        os.link(part, final)
    except FileExistsError:
        raise
    except OSError:
        # No links on this file system: claim the name with an empty file, which is then ours to replace.
        os.close(os.open(final, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            os.replace(part, final)
        except BaseException:
            final.unlink()
            raise
    else:
        part.unlink()


def _publish_folder(part: Path, final: Path) -> None:
    if sys.platform != "win32":
        # Renaming a folder replaces an empty one of that name: make sure that it is our own.
        final.mkdir()
    try:
        part.rename(final)
    except BaseException:
        if sys.platform != "win32":
            with contextlib.suppress(OSError):  # not empty: somebody else's files are in it now
                final.rmdir()
        raise


def _sync(path: Path) -> None:
    """Have the system say now whether the disk took it all."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _host() -> str:
    """Eight digits for this machine, and on Linux for this container: a process id means nothing elsewhere."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return hashlib.sha256(f"{socket.gethostname()} {uuid.getnode()} {space}".encode()).hexdigest()[:8]


def _runs(pid: int) -> bool:
    if sys.platform == "win32":
        import ctypes

        synchronize = 0x00100000
        handle = ctypes.windll.kernel32.OpenProcess(synchronize, False, pid)
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
