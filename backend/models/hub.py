"""Getting the catalogue's entries from a hub: resumed, checked, and kept as good only when they are.

A file grows beside its final name and is renamed when it is whole, has the right SHA-256, and is found to be what it
should be. What breaks off, or is broken off, stays for the next time.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import constants

from ..contract import Progress
from ..progress import size as said
from ..recammaster import identify
from . import trouble
from .catalogue import Entry, File
from .library import Library, part_of
from .locks import LibraryError, locked
from .transfer import Line, Patience, Remote
from .trouble import HubError

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["HubError", "Patience", "fetch"]

MARGIN = 200_000_000
"""Bytes that are left free on the disk."""

_BLOCK = 1 << 20
_TELL_SECONDS = 0.1
_PACE_SECONDS = 10.0
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT = re.compile(r"[0-9a-f]{40}")
_IDENTIFIED = (
    *(identify.TRANSFORMER, identify.VAE, identify.TEXT_ENCODER, identify.TOKENIZER),
    *(identify.PREVIEW, identify.LORA),
)


def fetch(
    entry: Entry,
    library: Library,
    *,
    report: Callable[[Progress], None],
    cancelled: Callable[[], bool],
    mirror: str = "",
    patience: Patience | None = None,
) -> list[Path]:
    """Download what is missing of an entry; where nothing is, look and be done.

    Args:
        entry: of the catalogue.
        library: that it goes to.
        report: is told how far it is: bytes of all that is to be downloaded, speed, and seconds left.
        cancelled: is asked several times a second.
        mirror: the hub's address, in place of that which HF_ENDPOINT names.
        patience: with the network.

    Returns:
        The entry's files, in its order.

    Raises:
        HubError: with the reason and its kind; of kind ``cancelled`` where that was asked for.
    """
    if library.status(entry) == "ready" and entry.is_pinned and library.revision(entry) == entry.revision:
        return [library.folder_of(entry) / each.name for each in entry.files]
    folder = library.folder_of(entry)
    if constants.is_offline_mode():
        raise HubError("HF_HUB_OFFLINE is set, so nothing is downloaded: unset it and try again.", "offline")
    with _disk_in_words():
        if folder.is_symlink():
            raise HubError(f"{str(folder)!r} is a link, and ReCam writes only into folders of its own.", "foreign")
        if folder.is_file():
            raise _in_the_way(folder, "a file, and a folder is to be there")
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder, entry):
            return _Fetch(entry, library, report, cancelled, mirror, patience or Patience()).run()


@dataclass
class _Wanted:
    """A file that is to be there, and what is known of it."""

    file: File
    remote: Remote
    path: Path
    part: Path
    size_there: int = 0

    @property
    def sha256(self) -> str | None:
        """What its content must have, if anybody says."""
        return self.file.sha256 or (self.remote.etag if _SHA256.fullmatch(self.remote.etag) else None)

    @property
    def missing(self) -> int:
        """Bytes to download."""
        return max(0, self.remote.size - self.size_there)


class _Fetch:
    """One download of an entry."""

    def __init__(
        self,
        entry: Entry,
        library: Library,
        report: Callable[[Progress], None],
        cancelled: Callable[[], bool],
        mirror: str,
        patience: Patience,
    ) -> None:
        self._entry, self._library = entry, library
        self._cancelled = cancelled
        self._line = Line(mirror, report, cancelled, patience)
        self._meter = _Meter(report)

    def run(self) -> list[Path]:
        wanted = self._look()
        missing = [each for each in wanted if not self._is_there(each)]
        for each in missing:
            each.size_there = min(_length(each.part), each.remote.size)
        self._check_room(sum(each.missing for each in missing))
        self._meter.begin(f"Downloading {self._entry.title}", missing)
        for each in missing:
            self._get(each)
        return [each.path for each in wanted]

    def _look(self) -> list[_Wanted]:
        """All files of one commit, as the hub has them."""
        found: list[_Wanted] = []
        revision = self._entry.revision
        for file in self._entry.files:
            self._meter.say(f"Asking {self._line.host}")
            remote = self._line.look(self._entry, file, revision)
            revision = remote.commit
            path = self._library.folder_of(self._entry) / file.name
            found.append(_Wanted(file, remote, path, part_of(path, remote.etag)))
            self._check_offer(found[-1])
        return found

    def _check_offer(self, wanted: _Wanted) -> None:
        """Refuse what is known beforehand to be another file than the catalogue's."""
        file, remote = wanted.file, wanted.remote
        same_size = file.size is None or file.size == remote.size
        same_hash = file.sha256 is None or not _SHA256.fullmatch(remote.etag) or file.sha256 == remote.etag
        if same_size and same_hash:
            return
        found = f"SHA-256 {remote.etag}" if not same_hash else f"{remote.size} bytes"
        expected = file.sha256 if not same_hash else f"{file.size} bytes"
        raise HubError(
            f"{self._line.host} offers another {file.path} than the one that ReCam knows: found {found}, expected "
            f"{expected}. Nothing was downloaded; where a mirror is in use, do without it.",
            "wrong",
        )

    # What is there

    def _is_there(self, wanted: _Wanted) -> bool:
        """Whether a file is here already, as it should be. Raises HubError where something else is in its place."""
        if not os.path.lexists(wanted.path):
            return False
        if not _is_file(wanted.path):
            raise _in_the_way(wanted.path, "no file of its own, but a link or a folder")
        kept = self._library.kept(self._entry).get(wanted.path.name)
        if kept is not None and wanted.path.stat().st_mtime_ns == kept.mtime_ns:
            # Ours, and as it was; if the hub has another by now, that one takes its place.
            return self._is_content(wanted, kept.sha256, kept.size)
        found = self._digest(wanted.path)
        if self._is_content(wanted, found, wanted.path.stat().st_size):
            self._keep(wanted, found)
            return True
        raise _in_the_way(wanted.path, "not what ReCam has downloaded, or was changed since")

    def _is_content(self, wanted: _Wanted, sha256: str, size: int) -> bool:
        if size != wanted.remote.size:
            return False
        if wanted.sha256 is not None:
            return sha256 == wanted.sha256
        return not _GIT.fullmatch(wanted.remote.etag) or _git_hash(wanted.path) == wanted.remote.etag

    def _digest(self, path: Path) -> str:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            for done in self._read_into(digest, file.fileno(), path.stat().st_size):
                self._meter.say(f"Checking {path.name}", done, path.stat().st_size)
        return digest.hexdigest()

    def _read_into(self, digest: _Hash, descriptor: int, size: int) -> Iterator[int]:
        """Take a file's first bytes into a digest; how many it has so far."""
        done = 0
        while done < size and (block := os.read(descriptor, min(_BLOCK, size - done))):
            digest.update(block)
            done += len(block)
            if self._cancelled():
                raise HubError("The download was cancelled. What is there is kept.", "cancelled")
            yield done

    def _check_room(self, needed: int) -> None:
        if not needed:
            return
        free = shutil.disk_usage(self._library.folder).free
        if free < needed + MARGIN:
            raise HubError(
                f"{self._entry.title} needs {said(needed)} more on the disk and some room to spare, and {said(free)} "
                f"are free in {str(self._library.folder)!r}: make room, or choose a folder of models on another disk.",
                "disk",
            )

    # What is not

    def _get(self, wanted: _Wanted) -> None:
        begun_anew = not wanted.size_there
        while True:
            sha256 = self._fill(wanted)
            complaint = self._complaint(wanted, sha256)
            if complaint is None:
                break
            wanted.part.unlink()
            if begun_anew:
                raise HubError(complaint, "wrong")
            # What was kept from an earlier time may have been the fault.
            begun_anew = True
            self._meter.take_back(wanted.remote.size)
        self._identify(wanted)
        os.replace(wanted.part, wanted.path)
        self._keep(wanted, sha256)
        for each in self._library.parts(self._entry, wanted.file):
            each.unlink(missing_ok=True)  # of other contents that it once had

    def _fill(self, wanted: _Wanted) -> str:
        """Download what is missing of a part. Returns the SHA-256 of all of it."""
        if os.path.lexists(wanted.part) and not _is_file(wanted.part):
            raise _in_the_way(wanted.part, "no file of its own, but a link or a folder")
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(wanted.part, flags, 0o666)
        try:
            digest, position = hashlib.sha256(), 0
            there = min(_length(wanted.part), wanted.remote.size)
            for position in self._read_into(digest, descriptor, there):
                self._meter.say("Checking what is there", position, there)
            os.ftruncate(descriptor, position)
            with contextlib.closing(self._line.chunks(wanted.remote, position, self._entry, wanted.file)) as chunks:
                for at, chunk in chunks:
                    if at != position:
                        digest, position = hashlib.sha256(), at
                        os.lseek(descriptor, at, os.SEEK_SET)
                        os.ftruncate(descriptor, at)
                        self._meter.restart(wanted)
                    _write(descriptor, chunk)
                    digest.update(chunk)
                    position += len(chunk)
                    self._meter.got(len(chunk))
                    if position > wanted.remote.size:
                        break
            os.fsync(descriptor)
            return digest.hexdigest()
        except OSError as error:
            error.filename = error.filename or str(wanted.part)
            raise
        finally:
            os.close(descriptor)
            if wanted.remote.size and not _length(wanted.part):  # nothing has come that could be gone on with
                with contextlib.suppress(OSError):
                    wanted.part.unlink()

    def _complaint(self, wanted: _Wanted, sha256: str) -> str | None:
        """What is wrong with a part that is whole."""
        size = _length(wanted.part)
        if size != wanted.remote.size:
            found, expected = f"{size} bytes", f"{wanted.remote.size}"
        elif wanted.sha256 not in (None, sha256):
            found, expected = f"SHA-256 {sha256}", str(wanted.sha256)
        elif wanted.sha256 is None and _GIT.fullmatch(wanted.remote.etag):
            found, expected = f"git's hash {_git_hash(wanted.part)}", wanted.remote.etag
            if found.endswith(expected):
                return None
        else:
            return None
        return (
            f"{wanted.file.path} arrived damaged or is another file: found {found}, expected {expected}. It was "
            "removed; try again, and if it stays so, do without a mirror or proxy."
        )

    def _identify(self, wanted: _Wanted) -> None:
        """Refuse what has another kind of content than its entry says; the catalogue's own hash has proven that."""
        if wanted.file.sha256 is not None:
            return
        tokenizer = wanted.file.name in identify.TOKENIZER_FILES
        expected = identify.TOKENIZER if tokenizer else self._entry.what
        if expected not in _IDENTIFIED or (wanted.file.name.endswith(".json") and not tokenizer):
            return
        found = identify.identify(wanted.part)
        if found.what == expected:
            return
        wanted.part.unlink()
        raise HubError(
            f"{wanted.file.path} of {self._entry.repository} is {found.words}: it was removed. "
            f"{identify.EXPECTED[expected]} was expected. Ask whether a newer ReCam knows a better one.",
            "wrong",
        )

    def _keep(self, wanted: _Wanted, sha256: str) -> None:
        self._library.record(self._entry, wanted.remote.commit, wanted.path, sha256)


class _Meter:
    """Tells how far it is, and how fast it goes."""

    def __init__(self, report: Callable[[Progress], None]) -> None:
        self._report = report
        self._phase = ""
        self._total = self._done = self._file_done = 0
        self._told = float("-inf")
        self._samples: collections.deque[tuple[float, int]] = collections.deque()

    def begin(self, phase: str, missing: list[_Wanted]) -> None:
        """Everything that is to be there in the end counts, also what is there of it."""
        self._phase = phase
        self._total = sum(each.remote.size for each in missing)
        self._done = sum(each.size_there for each in missing)
        if missing:
            self._tell(time.monotonic())

    def say(self, phase: str, step: int = 0, total: int = 0) -> None:
        """What else is done, in bytes."""
        if self._is_due() or step == total:
            self._report(Progress(phase=phase, step=step, total=total, unit="bytes"))

    def got(self, count: int) -> None:
        """So many bytes more."""
        now = time.monotonic()
        self._done += count
        self._samples.append((now, count))
        while self._samples and now - self._samples[0][0] > _PACE_SECONDS:
            self._samples.popleft()
        if self._is_due() or self._done >= self._total:
            self._tell(now)

    def take_back(self, count: int) -> None:
        """So many bytes are to be got again."""
        self._done = max(0, self._done - count)

    def restart(self, wanted: _Wanted) -> None:
        """A file begins again."""
        others = self._total - wanted.remote.size
        self._done = min(self._done, others)

    def _is_due(self) -> bool:
        now = time.monotonic()
        if now - self._told < _TELL_SECONDS:
            return False
        self._told = now
        return True

    def _tell(self, now: float) -> None:
        spent = now - self._samples[0][0] if self._samples else 0.0
        # Before a second has gone by there is no speed worth telling.
        pace = sum(count for _, count in self._samples) / spent if spent >= 1.0 else None
        left = (self._total - self._done) / pace if pace else None
        self._report(
            Progress(
                phase=self._phase,
                step=min(self._done, self._total),
                total=self._total,
                seconds_left=left,
                unit="bytes",
                per_second=pace,
            )
        )


@contextlib.contextmanager
def _alone(folder: Path, entry: Entry) -> Iterator[None]:
    """Two downloads of one entry would write into the same files."""
    try:
        complaint = f"{entry.title} is being downloaded already, by another ReCam."
        with locked(folder, complaint, seconds=0.0, tidies=True):
            yield
    except LibraryError as error:
        raise HubError(str(error), "busy") from error


@contextlib.contextmanager
def _disk_in_words() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise trouble.on_disk(error) from error


def _in_the_way(path: Path, why: str) -> HubError:
    return HubError(f"{str(path)!r} is in the way: it is {why}. Move it away and try again.", "foreign")


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _write(descriptor: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _git_hash(path: Path) -> str:
    """As git calls a file's content; the hub does so for those that are small."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
