"""What a long take lays by while it is made, in a folder beside where it goes: asked for again, it goes on from there.

The folder is named by the job's digest, which the same job asked for again has too, under whatever name its take goes.
It goes when the take is done, or is cancelled; it stays when the process dies, or the take fails. A file in it is
written beside its name, and begins with the SHA-256 of the rest: what is half there, or was damaged, is as if it were
not there. A folder that has no marker of ours is never touched, and no file in one that is not named as ours are.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import __version__, ending
from .engines import Cancelled
from .models import locks

DAYS = 14
"""How long what a take has left is kept, from when it was last added to."""

_FOLDER = re.compile(r"\.recam-parts-[0-9a-f]{16}")
_OURS = re.compile(r"[A-Za-z0-9-]+\.kept(\.part)?")
_MARKER = "recam-parts.json"
_LOCK = "lock"
_BEGUN = {_LOCK, f"{_MARKER}.part"}
"""What is in a folder of ours before its marker is."""

_SUM = hashlib.sha256().digest_size


class Parts:
    """The folder of one job; see :class:`backend.engines.Keeper`. It is there once something is kept in it.

    Args:
        beside: the folder that the take goes to.
        digest: of the job.
    """

    def __init__(self, beside: str | Path, digest: str) -> None:
        self._folder = Path(beside) / f".recam-parts-{digest[:16]}"
        self._marker = {"recam_parts": 1, "digest": digest, "backend": __version__}
        self._lock = contextlib.ExitStack()
        self._entered: bool | None = None
        self._kept: set[str] = set()

    @property
    def words(self) -> str:
        """What to say of a take that failed; nothing where nothing is kept."""
        if not self._kept:
            return ""
        return f"What is made of it is kept for {DAYS} days: asked for again, the take goes on from there."

    def load(self, name: str) -> dict[str, npt.NDArray[Any]] | None:
        if not self._enter(make=False):
            return None
        try:
            data = self._path(name).read_bytes()
            if hashlib.sha256(data[_SUM:]).digest() != data[:_SUM]:
                return None
            with np.load(io.BytesIO(data[_SUM:]), allow_pickle=False) as file:
                found = {each: file[each] for each in file.files}
        except (OSError, ValueError, zipfile.BadZipFile):
            return None
        self._kept.add(name)
        return found

    def save(self, name: str, arrays: dict[str, npt.NDArray[Any]]) -> None:
        stored = io.BytesIO()
        np.savez(stored, **arrays)  # type: ignore[arg-type]
        data = stored.getvalue()
        # A full disk is told of by the take itself: that it cannot be gone on with is no reason to end it.
        with contextlib.suppress(OSError):
            if self._enter(make=True):
                _write(self._path(name), hashlib.sha256(data).digest() + data)
                self._kept.add(name)

    def close(self, *, keep: bool) -> None:
        """Let go of the folder, and take it away unless it is to be kept."""
        if not keep:  # what an earlier run of the job has left goes too
            self._enter(make=False)
        entered, self._entered = self._entered, False
        self._lock.close()
        if entered and not keep:
            _remove(self._folder)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.kept"

    def _enter(self, *, make: bool) -> bool:
        """Whether the folder is there, ours and this job's, and nobody else is in it."""
        if self._entered is None and (make or self._folder.is_dir()):
            with contextlib.suppress(OSError):
                if make:
                    _sweep(self._folder.parent)
                self._entered = False
                self._entered = self._taken()
        return bool(self._entered)

    def _taken(self) -> bool:
        self._folder.mkdir(exist_ok=True)
        found = _marker_in(self._folder)
        if found is None and (self._folder.is_symlink() or not _BEGUN.issuperset(os.listdir(self._folder))):
            return False
        self._lock.enter_context(locks.locked(self._folder, "another take is in it", seconds=0, name=_LOCK))
        if found != self._marker:  # another version's, which may draw otherwise
            _clear(self._folder)
            try:
                _write(self._folder / _MARKER, json.dumps(self._marker).encode())
            except OSError:  # a full disk: without a marker nobody would ever remove it
                _remove(self._folder)
                raise
        return True


@contextlib.contextmanager
def parts(beside: str | Path, digest: str) -> Iterator[Parts]:
    """What a job keeps while it runs: gone if it is done or was cancelled, left where it is if it fails.

    So it is where the job is given up as the process is to end: Blender is gone, or the machine shuts down. What is
    left then is the text of the Cancelled that comes out.
    """
    kept = Parts(beside, digest)
    try:
        yield kept
    except Cancelled as error:
        kept.close(keep=ending.told())
        if ending.told() and kept.words:
            raise Cancelled(kept.words) from error
        raise
    except BaseException:
        kept.close(keep=True)
        raise
    kept.close(keep=False)


def _sweep(folder: Path) -> None:
    """Remove what takes left here that nobody has asked for again."""
    for name in filter(_FOLDER.fullmatch, os.listdir(folder)):
        left = folder / name
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > DAYS * 86400 and _marker_in(left) is not None:
                with locks.locked(left, "a take is in it", seconds=0, name=_LOCK):
                    pass
                _remove(left)


def _marker_in(folder: Path) -> dict[str, Any] | None:
    """What the marker in a folder says; None where it is no folder of ours."""
    if folder.is_symlink():
        return None
    try:
        found = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("recam_parts") == 1 else None


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):
        _clear(folder)
        (folder / _LOCK).unlink(missing_ok=True)
        (folder / _MARKER).unlink(missing_ok=True)
        folder.rmdir()  # only where nothing else is in it


def _clear(folder: Path) -> None:
    for name in filter(_OURS.fullmatch, os.listdir(folder)):
        (folder / name).unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)  # of one who died; and should it be a link, it is not followed
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
