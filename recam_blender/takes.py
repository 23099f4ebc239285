"""Where takes go and what they are called: ``<strip>_<camera>_v001.mp4`` with its record, ``…_v001.json``. No bpy here.

A version is claimed by creating its record exclusively, so that two Blenders, or two machines on one disk, never take
the same number. Numbers only go up: a version is one above the highest that any file in the folder bears. The claim of
a process that was killed stays, and its number with it; it never counts as a take.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import socket
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ..backend import contract
from .errors import ReCamError
from .texts import later, tr

# A file name has 255 bytes on all systems in use. Two parts of a stem, and "_v001_mask.mp4", stay well below.
_PART_BYTES = 96
_TRIES = 10_000


class TakeError(ReCamError):
    """Why a take can have no place."""


@dataclass(frozen=True)
class Claim:
    """A version that is ours to fill.

    Attributes:
        path: the take's file, or its folder for numbered pictures. Nothing is there yet.
        version: its number.
        record: the file that holds the claim, and later what the take is.
        text: what we wrote into it.
    """

    path: str
    version: int
    record: str
    text: str


@dataclass(frozen=True)
class FoundTake:
    """A take that exists, and its record as it was read."""

    path: str
    version: int
    record: dict[str, Any]


def folder_for(blend_path: str, user_folder: str) -> str:
    """Beside a saved .blend; for one that was never saved (an empty path), in the extension's own folder."""
    return os.path.join(os.path.dirname(blend_path), "recam") if blend_path else os.path.join(user_folder, "takes")


def stem(strip: str, camera: str) -> str:
    """What the files of a strip seen from a camera begin with: a name that every system takes.

    Different names give different stems as far as systems tell them apart: long ones are cut, and end in a digest then.
    """
    name = f"{_clean(strip) or 'strip'}_{_clean(camera) or 'camera'}"
    return f"_{name}" if _RESERVED.fullmatch(name.split(".", maxsplit=1)[0].strip()) else name


def claim(folder: str, stem: str, suffix: str, *, above: int = 0) -> Claim:
    """Take the next version for ourselves. Makes the folder where there is none.

    Args:
        folder: where takes go.
        stem: of :func:`stem`.
        suffix: the take's ending, ".mp4"; empty for a folder of pictures.
        above: the number is to be higher than this one too: that of a take which lies elsewhere.

    Raises:
        TakeError: with the reason, in words.
    """
    with _told(folder):
        os.makedirs(folder, exist_ok=True)
        version = max((number for number, _ in _versions(folder, stem)), default=0)
        version = max(version, above)
        for _ in range(_TRIES):
            version += 1
            name = f"{stem}_v{version:03d}"
            take, record = os.path.join(folder, name + suffix), os.path.join(folder, name + ".json")
            text = json.dumps({"recam_claim": 1, "take": name + suffix, "by": _who()}, ensure_ascii=False) + "\n"
            if not os.path.lexists(take) and _create(record, text):
                return Claim(take, version, record, text)
    raise TakeError(
        tr("There is no version of '{stem}' left in {folder!r}. Choose another folder.").format(
            stem=stem, folder=folder
        )
    )


def release(claim: Claim) -> None:
    """Give a claim back that came to nothing. A record, or a claim that is not ours, is left alone."""
    # What cannot be read or removed any more stays claimed: that costs a number, and no take.
    with suppress(OSError):
        with open(claim.record, encoding="utf-8") as file:
            ours = file.read(len(claim.text) + 1) == claim.text
        if ours:
            os.unlink(claim.record)


def existing_take(folder: str, stem: str, digest: str) -> FoundTake | None:
    """The newest take here that was made of a job with this digest, if it is still there."""
    try:
        versions = sorted(_versions(folder, stem), reverse=True)
    except OSError:
        return None
    for version, name in versions:
        if _folded(name) != _folded(f"{stem}_v{version:03d}.json"):
            continue
        record = _read_record(os.path.join(folder, name))
        path = _take_of(folder, name, record)
        if path is not None and record.get("digest") == digest and os.path.exists(path):
            return FoundTake(path, version, record)
    return None


# Names


# Forbidden in file names on Windows, or read as something else by a shell, a URL or Blender's own templates.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*{}#%]')
_RESERVED = re.compile(r"CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³]", re.IGNORECASE)


def _clean(name: str) -> str:
    """One part of a stem."""
    name = unicodedata.normalize("NFC", name)
    name = "".join("_" if unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") else each for each in name)
    name = _FORBIDDEN.sub("_", name).strip().strip(".").strip()
    coded = name.encode()
    if len(coded) <= _PART_BYTES:
        return name
    digest = hashlib.sha256(coded).hexdigest()[:8]
    return coded[: _PART_BYTES - 9].decode(errors="ignore").rstrip(" .") + "-" + digest


def _versions(folder: str, stem: str) -> Iterator[tuple[int, str]]:
    """All that bears a version of this stem, be it a take, its mask, its record or something else.

    Some file systems keep another form of the same letters, and some take capitals for small ones.
    """
    numbered = re.compile(re.escape(_folded(stem)) + r"_v([0-9]{1,9})(?![0-9]).*", re.DOTALL)
    for name in os.listdir(folder):
        match = numbered.fullmatch(_folded(name))
        if match:
            yield int(match[1]), name


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


# Records


def _create(path: str, text: str) -> bool:
    """Write a file that is not there yet; False where something is."""
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
    except FileExistsError:
        return False
    try:
        with os.fdopen(file, "wb") as opened:
            opened.write(text.encode())
    except BaseException:
        os.unlink(path)
        raise
    return True


def _who() -> str:
    """Which process of which machine, and which of its claims."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def _read_record(path: str) -> dict[str, Any]:
    """What a record says; nothing where it says nothing that can be read, as a claim or another program's file."""
    try:
        with open(path, encoding="utf-8", errors="surrogatepass") as file:
            data = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _take_of(folder: str, record_name: str, record: dict[str, Any]) -> str | None:
    """The take beside a record. Both may have been moved together, so the folder that the record tells is not asked."""
    result = record.get("result")
    path = result.get("path") if isinstance(result, dict) else None
    if not isinstance(path, str):
        return None
    suffixes = [each for each in contract.FORMATS.values() if each and path.lower().endswith(each)]
    return os.path.join(folder, os.path.splitext(record_name)[0] + "".join(suffixes))


@contextmanager
def _told(folder: str) -> Iterator[None]:
    """Turn what the system says about a folder into a TakeError."""
    try:
        yield
    except OSError as error:
        known = _REASONS.get(error.errno or 0, "")
        reason = tr(known) if known else f"{error.strerror or error}."
        raise TakeError(
            tr("Takes cannot be kept in {folder!r}: {reason}").format(folder=folder, reason=reason)
        ) from error


_REASONS = {
    errno.EACCES: later("you may not write there. Choose another folder."),
    errno.EPERM: later("you may not write there. Choose another folder."),
    errno.EROFS: later("that disk can only be read. Choose another folder."),
    errno.ENOSPC: later("the disk is full. Free some space or choose another folder."),
    errno.EDQUOT: later("your share of the disk is used up. Free some space or choose another folder."),
    errno.EEXIST: later("there is a file of that name. Choose another folder."),
    errno.ENOTDIR: later("what should be a folder is a file. Choose another folder."),
    errno.ENAMETOOLONG: later("the path is too long. Choose a shorter one."),
}
