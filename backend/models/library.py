"""The folder of models: what ReCam has downloaded there, and what lies elsewhere and is used there.

``recam-models.json`` in the folder keeps the record. Only what stands in it is ever removed, and only while it is as
it was written. How things stand is told by names and sizes alone, so that a redraw may ask. Standard library only, for
Python 3.10 and later.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .catalogue import CATALOGUE, WHATS, Entry, File
from .locks import LibraryError, locked

RECORD = "recam-models.json"
PART_ENDING = ".recam-part"
VARIABLE = "RECAM_MODELS"

_VERSION = 1
_LONGEST_RECORD = 4_000_000  # bytes
_ID = re.compile(r"[a-z0-9][a-z0-9-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Kept:
    """A file that ReCam has downloaded, as the record has it.

    Attributes:
        size: bytes.
        sha256: of its content, in hexadecimal.
        mtime_ns: when it was last changed.
    """

    size: int
    sha256: str
    mtime_ns: int


def data_folder() -> Path:
    """Where ReCam keeps what outlives an upgrade of Blender: RECAM_DATA, else where the system has such things."""
    if given := os.environ.get("RECAM_DATA"):
        return Path(os.path.abspath(os.path.expanduser(given)))
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "ReCam"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "ReCam"
    given = os.environ.get("XDG_DATA_HOME", "")
    # By its own rules, what is not absolute is not to be used.
    return (Path(given) if os.path.isabs(given) else Path.home() / ".local" / "share") / "recam"


def default_folder() -> Path:
    """Where models go if nobody says otherwise."""
    return data_folder() / "models"


def chosen_folder(given: str = "") -> Path:
    """The folder that was given, else that which RECAM_MODELS names, else the default."""
    given = given or os.environ.get(VARIABLE, "")
    return Path(os.path.abspath(os.path.expanduser(given))) if given else default_folder()


class Library:
    """A folder of models; it need not be there yet. Looking never raises: what cannot be read is not there.

    Args:
        folder: absolute.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._read: tuple[object, dict[str, Any]] | None = None

    # Looking

    @property
    def places(self) -> list[Path]:
        """Files and folders elsewhere that are used where they lie, in the order in which they were added."""
        return [Path(each["path"]) for each in self._record()["places"]]

    def status(self, entry: Entry) -> str:
        """How an entry stands.

        Returns:
            ready: all its files were downloaded here, and have their sizes. partial: some, or parts of some.
            elsewhere: one of the same kind lies at a place. missing: else.
        """
        kept = self.kept(entry)
        there = [each for each in entry.files if each.name in kept]
        if len(there) == len(entry.files):
            return "ready"
        if any(entry.what in each["holds"] and os.path.exists(each["path"]) for each in self._record()["places"]):
            return "elsewhere"
        return "partial" if there or self.parts(entry) else "missing"

    def kept(self, entry: Entry) -> dict[str, Kept]:
        """The files of an entry that were downloaded and are still there, by their names in its folder."""
        files = self._record()["entries"].get(entry.id, {}).get("files", {})
        folder = self.folder_of(entry)
        found = {name: Kept(**each) for name, each in files.items()}
        return {name: each for name, each in found.items() if _size(folder / name) == each.size}

    def revision(self, entry: Entry) -> str:
        """The commit that an entry's files are of; empty where nothing was downloaded."""
        found: str = self._record()["entries"].get(entry.id, {}).get("revision", "")
        return found

    def folder_of(self, entry: Entry) -> Path:
        """Where an entry's files are, or would be."""
        return self.folder / entry.id

    def parts(self, entry: Entry, file: File | None = None) -> list[Path]:
        """What is there of files, or of this one, whose download was broken off."""
        files = entry.files if file is None else (file,)
        folder = self.folder_of(entry)
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            return []
        return [folder / name for name in names if any(_is_part(name, each) for each in files)]

    def files(self, id: str) -> list[Path]:  # noqa: A002 - the catalogue's name
        """What :meth:`remove` would delete: files and parts of files that ReCam downloaded, and nothing else."""
        found = [each for each in CATALOGUE if each.id == id]
        folder = self.folder / id
        if not _ID.fullmatch(id) or not _is_own_folder(folder):
            return []
        recorded = self._record()["entries"].get(id, {}).get("files", {})
        whole = [folder / name for name, kept in recorded.items() if _size(folder / name) == kept["size"]]
        return [*whole, *(part for each in found for part in self.parts(each))]

    # Changing

    def record(self, entry: Entry, revision: str, path: Path, sha256: str) -> None:
        """Write down that a file of an entry was downloaded whole and checked.

        Args:
            entry: of the catalogue.
            revision: the commit that it is of.
            path: of the file, in the entry's folder.
            sha256: of its content.
        """
        about = path.stat()
        kept = {"size": about.st_size, "sha256": sha256, "mtime_ns": about.st_mtime_ns}
        with self._changing() as record:
            known = record["entries"].setdefault(entry.id, {"files": {}})
            known |= {"repository": entry.repository, "revision": revision}
            known["files"][path.name] = kept

    def remove(self, id: str) -> list[Path]:  # noqa: A002
        """Delete what ReCam downloaded of an entry (:meth:`files`), and its folder if nothing else is in it.

        A file that was changed since is left where it is. Returns what is gone. Raises LibraryError while it is being
        downloaded, OSError where a file cannot be deleted; the others are gone then.
        """
        gone = self.files(id)
        folder = self.folder / id
        if not gone and id not in self._record()["entries"]:
            return []
        with contextlib.ExitStack() as stack:
            if _is_own_folder(folder):
                complaint = f"{id} is being downloaded: cancel that first."
                stack.enter_context(locked(folder, complaint, seconds=0.0, tidies=True))
            for path in gone:
                path.unlink(missing_ok=True)
            with self._changing() as record:
                record["entries"].pop(id, None)
        return gone

    def add_place(self, path: Path, holds: Iterable[str] = ()) -> None:
        """Use a file or folder where it lies.

        Args:
            path: absolute; it need not be there at all times.
            holds: the kinds of models that are there (a catalogue entry's ``what``).
        """
        place = {"path": os.path.abspath(path), "holds": sorted(set(holds) & set(WHATS))}
        with self._changing() as record:
            others = [each for each in record["places"] if _normal(each["path"]) != _normal(path)]
            record["places"] = [*others, place]

    def remove_place(self, path: Path) -> bool:
        """No longer use what lies there; it stays where it is. Returns whether it was used."""
        with self._changing() as record:
            others = [each for each in record["places"] if _normal(each["path"]) != _normal(path)]
            was_used = len(others) < len(record["places"])
            record["places"] = others
        return was_used

    # The record

    def _record(self) -> dict[str, Any]:
        """What is written down: checked, and read again only when it has changed."""
        path = self.folder / RECORD
        try:
            about = path.stat()
            stamp = about.st_mtime_ns, about.st_size, about.st_ino
            if self._read is None or self._read[0] != stamp:
                self._read = stamp, _checked(_json(path))
        except OSError:
            return _checked(None)
        return self._read[1]

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """The record, to be changed; it is written where nothing was raised."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder, f"Another ReCam is changing {str(self.folder / RECORD)!r}: try again in a moment."):
            self._read = None
            if _is_newer(self.folder / RECORD):
                raise LibraryError(f"{str(self.folder / RECORD)!r} was written by a newer ReCam: update this one.")
            record = _checked(json.loads(json.dumps(self._record())))
            yield record
            self._read = None
            _write(self.folder / RECORD, {"recam_models": _VERSION, **record})


def part_of(path: Path, etag: str) -> Path:
    """Where a file is kept while it is being downloaded: another for each content that it may have."""
    # Hashes are told apart by their beginnings; what a mirror calls otherwise has only its letters and digits.
    known = re.sub(r"[^0-9A-Za-z]", "", etag)[:16] or "unknown"
    return path.with_name(f"{path.name}.{known}{PART_ENDING}")


def _is_part(name: str, file: File) -> bool:
    return name.startswith(f"{file.name}.") and name.endswith(PART_ENDING)


# Reading what anybody may have written


def _checked(data: object) -> dict[str, Any]:
    """What of it is a record, with everything in its place."""
    data = data if isinstance(data, dict) and data.get("recam_models", _VERSION) == _VERSION else {}
    entries = data.get("entries")
    places = data.get("places")
    return {
        "entries": {
            name: _checked_entry(each)
            for name, each in (entries.items() if isinstance(entries, dict) else ())
            if _ID.fullmatch(name) and isinstance(each, dict)
        },
        "places": [_checked_place(each) for each in (places if isinstance(places, list) else ()) if _is_place(each)],
    }


def _checked_entry(data: Mapping[str, Any]) -> dict[str, Any]:
    files = data.get("files")
    return {
        "repository": _text(data.get("repository")),
        "revision": _text(data.get("revision")),
        "files": {
            name: {key: each[key] for key in ("size", "sha256", "mtime_ns")}
            for name, each in (files.items() if isinstance(files, dict) else ())
            if _is_plain(name) and _is_kept(each)
        },
    }


def _checked_place(data: Mapping[str, Any]) -> dict[str, Any]:
    holds = data.get("holds")
    return {
        "path": data["path"],
        "holds": [each for each in (holds if isinstance(holds, list) else ()) if each in WHATS],
    }


def _is_place(data: object) -> bool:
    path = data.get("path") if isinstance(data, dict) else None
    try:
        return isinstance(path, str) and os.path.isabs(path) and b"\0" not in os.fsencode(path)
    except UnicodeError:
        return False


def _is_plain(name: str) -> bool:
    """Whether it is a file's name and leads nowhere else, on any system."""
    return bool(name) and name not in (".", "..") and not re.search(r'[/\\:*?"<>|\0]', name)


def _is_kept(data: object) -> bool:
    if not isinstance(data, dict):
        return False
    size, sha256, mtime = (data.get(each) for each in ("size", "sha256", "mtime_ns"))
    return (
        (type(size) is int and size >= 0)
        and (isinstance(sha256, str) and bool(_SHA256.fullmatch(sha256)))
        and type(mtime) is int
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _is_newer(path: Path) -> bool:
    data = _json(path)
    version = data.get("recam_models") if isinstance(data, dict) else None
    return type(version) is int and version > _VERSION


def _json(path: Path) -> object:
    """What stands in a file; None where that makes no sense, is far too much, or would have to be waited for."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > _LONGEST_RECORD:
            return None
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


# Files


def real(path: Path) -> Path:
    """Itself, without links; as it stands where they lead in a circle, or where no file can be called so."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return path


def _size(path: Path) -> int | None:
    """Bytes of a file; None where there is no file itself, but a link to one or nothing."""
    try:
        about = path.lstat()
    except (OSError, ValueError):
        return None
    return about.st_size if stat.S_ISREG(about.st_mode) else None


def _is_own_folder(folder: Path) -> bool:
    """Whether it is a folder itself: what a link leads to is not ReCam's."""
    try:
        return stat.S_ISDIR(folder.lstat().st_mode)
    except (OSError, ValueError):
        return False


def _normal(path: str | Path) -> str:
    return os.path.normcase(os.path.abspath(path))


def _write(path: Path, data: object) -> None:
    """All of it, or nothing."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with new.open("x", encoding="utf-8") as file:  # a new one: nothing is written through a link
        json.dump(data, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    for attempt in range(20):
        try:
            os.replace(new, path)
            return
        except PermissionError:
            # On Windows whoever reads it just then is in the way, for a moment.
            if os.name != "nt" or attempt == 19:
                raise
            time.sleep(0.05)
