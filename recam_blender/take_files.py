"""The files of takes on the disk: what belongs to one, and which there are. No bpy here.

A record may come from anybody: what it calls its files is not asked. A take's mask and record are those beside it,
under its name.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..backend import contract
from ..backend.contract import ContractError, Job, Result
from .texts import tr

_LARGEST_RECORD = 256 * 1024 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FRAME = re.compile(r"[0-9]{1,9}\.(png|exr)", re.IGNORECASE)
_MASK = "_mask"


@dataclass(frozen=True)
class Stored:
    """A take on the disk.

    Attributes:
        path: its file, or its folder of pictures.
        record: the file that says what it is.
        mask: which of its pixels are invented; nothing where none is stored.
        job: what was asked for.
        result: what came of it.
    """

    path: str
    record: str
    mask: str
    job: Job
    result: Result

    @property
    def files(self) -> list[str]:
        """All that there is of it, the take itself first."""
        return [each for each in (self.path, self.mask, self.record) if each]


def stored(path: str) -> Stored | None:
    """The take at this path, if it is there and ReCam made it: its record lies beside it, and is one.

    A folder that holds anything but a take's numbered pictures is none.
    """
    path = os.path.normpath(path)
    stem, suffix = _parted(path)
    record = f"{stem}.json"
    known = _record(record)
    if known is None or not _is_take(path, suffix, known):
        return None
    mask = f"{stem}{_MASK}{suffix}"
    return Stored(path, record, mask if _is_take(mask, suffix, known) else "", *known)


def in_folder(folder: str) -> Iterator[Stored | None]:
    """The takes of a folder in the order of their names; None for what is none, so that a caller may rest."""
    try:
        names = sorted(os.listdir(folder), key=contract.natural_order)
    except OSError:
        return
    there = set(names)
    for name in names:
        stem, suffix = os.path.splitext(name)
        if suffix != ".json":
            continue
        takes = [stem + each for each in dict.fromkeys(contract.FORMATS.values()) if stem + each in there]
        yield stored(os.path.join(folder, takes[0])) if len(takes) == 1 else None


def why_not_ours(path: str) -> str:
    """Why a take's files are left alone where :func:`stored` knows none, as a sentence."""
    name = os.path.basename(os.path.normpath(path))
    if not os.path.lexists(path):
        return tr("{name} is not there any more.").format(name=name)
    template = tr("ReCam's record of {name} is not beside it, or there are other files in it: it stays where it is.")
    return template.format(name=name)


def _parted(path: str) -> tuple[str, str]:
    """A take's path without its ending, and that; folders have none."""
    suffix = next((each for each in contract.FORMATS.values() if each and path.lower().endswith(each)), "")
    return path[: len(path) - len(suffix)], path[len(path) - len(suffix) :]


def _record(path: str) -> tuple[Job, Result] | None:
    """What a record says; None where the file is no record of a take."""
    try:
        if os.path.islink(path) or os.path.getsize(path) > _LARGEST_RECORD:
            return None
        with open(path, encoding="utf-8", errors="surrogatepass") as file:
            data = json.load(file)
        if not isinstance(data, dict) or not _DIGEST.fullmatch(str(data.get("digest"))):
            return None
        return Job.from_json(data["job"]), Result.from_json(data["result"])
    except (OSError, ValueError, RecursionError, KeyError, ContractError):
        return None


def _is_take(path: str, suffix: str, known: tuple[Job, Result]) -> bool:
    """Whether a file, or a folder with that many numbered pictures and nothing else, is there; no links."""
    job, result = known
    if os.path.islink(path) or contract.FORMATS[job.output.format] != suffix.lower():
        return False
    if suffix:
        return os.path.isfile(path)
    try:
        names = os.listdir(path)
    except OSError:
        return False
    return len(names) == result.frames and all(_FRAME.fullmatch(each) for each in names)
