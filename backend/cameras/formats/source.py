"""Which of the formats a file is in, by what is in it."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field
from typing import Any

from ...messages import ContractError
from . import colmap_files
from .files import EITHER, Path, is_number, lines, load_object, unreadable, words

RECAM = "recam"
PUBLISHED = "published"
REALESTATE = "re10k"
TUM = "tum"
COLMAP = "colmap"
COLMAP_BINARY = "colmap-bin"
TRANSFORMS = "nerfstudio"

ANY = (
    "a file of cameras: ReCam's own, a camera_extrinsics.json, a transforms.json, RealEstate10K text (16 to 19 numbers "
    "a line), TUM text (8 numbers a line), or a folder of COLMAP's with its cameras and images"
)
_TRANSFORMS_NAME = "transforms.json"


@dataclass(frozen=True)
class Source:
    """A file that is read: what it is, where it is, and, of a JSON one, what is in it."""

    kind: str
    path: str
    data: dict[str, Any] = field(default_factory=dict)


def find(path: Path, kind: str | None = None) -> Source:
    """What is at a path.

    Args:
        path: a file, or a folder with COLMAP's files or a transforms.json in it.
        kind: the format, where it is known.

    Raises:
        ContractError: there is nothing, or nothing that holds cameras.
    """
    where = os.fspath(path)
    if not os.path.exists(where):
        raise ContractError("trajectory", f"{where!r}, which is not there", ANY)
    if os.path.isdir(where):
        return _in_folder(where, kind)
    if kind in (COLMAP, COLMAP_BINARY):
        return Source(kind, colmap_files.folder_of(where))
    if kind in (REALESTATE, TUM):
        return Source(kind, where)
    if kind is not None:
        return Source(kind, where, load_object(where, EITHER))
    if colmap_files.is_one(where):
        folder = colmap_files.folder_of(where)
        return Source(COLMAP_BINARY if where.lower().endswith(".bin") else COLMAP, folder)
    if _begins_as_json(where):
        data = load_object(where, EITHER)
        return Source(_kind_of_json(data), where, data)
    return Source(_kind_of_text(where), where)


def _in_folder(where: str, kind: str | None) -> Source:
    if kind in (None, COLMAP, COLMAP_BINARY):
        found = colmap_files.find(where, {COLMAP: ".txt", COLMAP_BINARY: ".bin"}.get(kind or ""))
        if found is not None:
            return Source(COLMAP_BINARY if found[1] == ".bin" else COLMAP, found[0])
    inside = os.path.join(where, _TRANSFORMS_NAME)
    if kind in (None, TRANSFORMS) and os.path.isfile(inside):
        return Source(TRANSFORMS, inside, load_object(inside, EITHER))
    raise ContractError("trajectory", f"the folder {where!r}", ANY)


def _begins_as_json(where: str) -> bool:
    try:
        with open(where, "rb") as opened:
            head = opened.read(4096)
    except OSError as error:
        raise unreadable(where, error, ANY) from None
    if where.lower().endswith(".json"):
        return True
    return head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")[:1] in (b"{", b"[")


def _kind_of_json(data: dict[str, Any]) -> str:
    if "recam_trajectory" in data:
        return RECAM
    if "frames" in data:
        return TRANSFORMS
    if "frame0" in data or not data or next(iter(data)).startswith("frame"):
        return PUBLISHED
    raise ContractError("trajectory", f"a JSON object of {', '.join(map(repr, list(data)[:5]))}", EITHER)


def _kind_of_text(where: str) -> str:
    """By how many numbers there are in the first lines that are no comments; a title may go before them."""
    seen = []
    for _, line in itertools.islice(lines(where, ANY), 1000):
        parts = words(line)
        if parts:
            seen.append(parts)
            count = len(parts)
            if count == 8 and is_number(parts[0]):
                return TUM
            if 16 <= count <= 19 and is_number(parts[0]):
                return REALESTATE
        if len(seen) == 3:
            break
    found = f"{' '.join(seen[-1])!r} in {where!r}" if seen else f"no poses in {where!r}"
    raise ContractError("trajectory", found, ANY)
