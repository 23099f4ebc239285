"""What the worker does about models: ``models.get`` and ``models.search`` take long, ``models.identify`` does not.

    models.get{ids, folder}  -> {"got": the ids, "files": their paths}
    models.search{folder}    -> {"found": [{"path", "what", "words", "where", "size"}], "notes", "searched"}
    models.identify{path}    -> {"path", "what", "words", "where", "size", "found", "notes"}

A folder is the models' own, absolute; empty, it is the one that RECAM_MODELS names or ReCam's own. What lies at a path
and is no model of ours has ``what`` "other" or "broken"; a folder with several models has "folder", and ``found`` has
them all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..contract import ContractError, Progress
from ..rpc import CANCELLED, FAILED, Answer, Method, RpcError
from . import catalogue
from .catalogue import Entry
from .library import Library, chosen_folder

Report = Callable[[Progress], None]
Cancelled = Callable[[], bool]

_QUERY_SECONDS = 20.0
"""Who asks hears nothing until the answer is there, and must not take this process for a dead one."""

# What can be asked for


def _get(asked: tuple[list[Entry], Library], report: Report, cancelled: Cancelled) -> Answer:
    try:
        from .hub import HubError, fetch
    except ImportError as error:
        text = f"The backend's Python ({sys.executable}) lacks what downloads need: {error}. Install ReCamMaster first."
        raise RpcError(FAILED, text, kind="environment") from error
    entries, library = asked
    files: list[Path] = []
    try:
        for entry in entries:
            files += fetch(entry, library, report=report, cancelled=cancelled)
    except HubError as error:
        code = CANCELLED if error.kind == "cancelled" else FAILED
        raise RpcError(code, str(error), kind=error.kind) from error
    return {"got": [each.id for each in entries], "files": [str(each) for each in files]}


def _search(library: Library, report: Report, cancelled: Cancelled) -> Answer:
    from . import places

    try:
        outcome = places.search(report=report, cancelled=cancelled)
    except places.Cancelled:
        raise RpcError(CANCELLED, "The search was cancelled.", kind="cancelled") from None
    return {
        "found": [each.to_json() for each in places.unused(outcome, library)],
        "notes": outcome.notes,
        "searched": [{"program": each.program, "folder": str(each.folder)} for each in outcome.searched],
    }


def _identify(path: Path) -> Answer:
    from .places import identified

    outcome = identified(path, _QUERY_SECONDS)
    found = [each.to_json() for each in outcome.found]
    return {**_told(path, found), "found": found, "notes": outcome.notes}


def _told(path: Path, found: list[dict[str, Any]]) -> dict[str, Any]:
    if len(found) == 1 and found[0]["path"] == str(path):
        return found[0]
    told = {"path": str(path), "where": "", "size": sum(each["size"] for each in found)}
    if found:
        words = ", ".join(dict.fromkeys(each["words"] for each in found))
        return {**told, "what": found[0]["what"] if len(found) == 1 else "folder", "words": f"a folder with {words}"}
    return {**told, **_other(path)}


def _other(path: Path) -> dict[str, str]:
    from ..recammaster import identify
    from ..recammaster.models import look

    try:
        seen = look(path)
    except ImportError:
        return {"what": identify.BROKEN, "words": "a pickle, which only PyTorch opens: install ReCamMaster first"}
    if path.is_dir():
        return {"what": identify.OTHER, "words": "a folder without any model that ReCam uses"}
    return {"what": identify.BROKEN if seen.what == identify.BROKEN else identify.OTHER, "words": seen.words}


# What is asked


def _wanted(ids: object, folder: object) -> tuple[list[Entry], Library]:
    if not isinstance(ids, list) or not ids or not all(isinstance(each, str) for each in ids):
        raise ContractError("ids", ids, "a list of the catalogue's ids")
    try:
        entries = [catalogue.entry(each) for each in dict.fromkeys(ids)]
    except LookupError as error:
        raise ContractError("ids", ids, str(error.args[0])) from None
    return entries, _library(folder)


def _library(folder: object) -> Library:
    if folder != "":
        folder = str(_path(folder, "folder"))
    return Library(chosen_folder(folder))


def _path(path: object, name: str = "path") -> Path:
    if not isinstance(path, str) or not os.path.isabs(path) or "\0" in path:
        raise ContractError(name, path, "an absolute path")
    return Path(os.path.normpath(path))


TASKS = {
    "models.get": Method(frozenset({"ids", "folder"}), _wanted, _get),
    "models.search": Method(frozenset({"folder"}), _library, _search),
}
QUERIES = {"models.identify": Method(frozenset({"path"}), _path, _identify)}
