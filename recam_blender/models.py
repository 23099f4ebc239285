"""The models on this machine as Blender shows them: which there are, what is missing, and how to get it.

All of it is told by a look at names and sizes alone, and kept for some seconds, so that a redraw may ask. What takes
longer is in model_work.py.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..backend.models import catalogue
from ..backend.models.catalogue import Entry
from ..backend.models.library import Library, chosen_folder
from ..backend.models.locks import LibraryError
from . import preferences
from .errors import ReCamError
from .texts import tr

T = TypeVar("T")

_KEPT_SECONDS = 3.0

# A folder of the user's own is looked through by names, but not for long.
_WALK_SECONDS = 0.05
_WALK_DEPTH = 4


@dataclass(frozen=True)
class Row:
    """An entry of the catalogue, and how it stands.

    Attributes:
        entry: of the catalogue.
        state: missing, partial (begun), ready (downloaded), getting, waiting (for another download); or, where one of
            its kind is on this machine already: elsewhere (used where it lies), named (in the preferences).
        trouble: why its latest download did not end well, until the next is asked for.
        files: how many there are that ReCam downloaded, and could delete.
    """

    entry: Entry
    state: str
    trouble: str = ""
    files: int = 0


@dataclass(frozen=True)
class Found:
    """A model that lies on this machine.

    Attributes:
        path: a file or folder.
        what: one of the catalogue's kinds.
        words: that end the sentence "this file is ...".
        where: which program's folder it lies in.
        size: bytes.
    """

    path: str
    what: str
    words: str
    where: str = ""
    size: int = 0


@dataclass(frozen=True)
class Search:
    """What came of a look into files: the models, and remarks in whole sentences."""

    found: tuple[Found, ...]
    notes: tuple[str, ...] = ()


waiting: list[str] = []
"""Ids to download, in order. The first is under way while the task runs; what is taken out is cancelled."""

trouble: dict[str, str] = {}
"""Why the latest download of an id did not end well."""

found: tuple[Found, ...] = ()
"""What the latest search has found and the user has not yet answered."""

_kept: dict[str, tuple[float, Any]] = {}


# What is there


def folder() -> str:
    """Where models go and are looked for: RECAM_MODELS, else the preferences' folder, else ReCam's own."""
    return str(chosen_folder(os.environ.get(preferences.MODELS_VARIABLE, "") or preferences.path("models")))


def library() -> Library:
    """The library in that folder; there need not be one yet."""
    return Library(Path(folder()))


def rows() -> list[Row]:
    """All entries of the catalogue, in its order."""
    disk, by_hand = _keep("disk", _disk), named()
    return [
        Row(each, _state(each, disk[each.id][0], by_hand), trouble.get(each.id, ""), disk[each.id][1])
        for each in catalogue.CATALOGUE
    ]


def row(id: str) -> Row:  # noqa: A002 - the catalogue's name
    """That of one entry. Raises ReCamError where there is none of that id."""
    entry(id)
    return next(each for each in rows() if each.entry.id == id)


def entry(id: str) -> Entry:  # noqa: A002
    """Of the catalogue. Raises ReCamError, with the ids that there are."""
    try:
        return catalogue.entry(id)
    except LookupError as error:
        raise ReCamError(str(error.args[0])) from None


def missing(engine: str) -> tuple[str, ...]:
    """The ids of what stands between this machine and a take by an engine: none, where all is there."""
    return _lacking(catalogue.needed(engine))


def advised(engine: str) -> tuple[str, ...]:
    """The ids of what is best got for an engine: what is :func:`missing`, and what costs little beside it."""
    return _lacking(catalogue.default_set(engine))


def named() -> dict[str, str]:
    """The models' files that the preferences name, and that are there, by the contract's names."""
    return _keep("named", _look_at_named)


def free() -> int | None:
    """Bytes that are free where models go; None where that cannot be told."""
    return _keep("free", lambda: _free(folder()))


def changed() -> None:
    """Look anew at the next redraw: files came or went."""
    _kept.clear()


def _lacking(entries: Iterable[Entry]) -> tuple[str, ...]:
    there = {each.entry.what for each in rows() if each.state in ("ready", "elsewhere")}
    there |= named().keys() | _keep("own", lambda: _by_name(folder()))
    if "embeddings" in there:  # prompts that are encoded already
        there.add("text_encoder")
    return tuple(each.id for each in entries if each.what not in there)


def _keep(name: str, look: Callable[[], T]) -> T:
    """What a look gave some seconds ago, in this folder; else a new look."""
    name = tr("{name} {folder}").format(name=name, folder=folder())
    until, value = _kept.get(name, (0.0, None))
    if (now := time.monotonic()) >= until:
        value = look()
        # A disk that is slow to answer is asked less often.
        spent = time.monotonic() - now
        _kept[name] = time.monotonic() + max(_KEPT_SECONDS, 100 * spent), value
    kept: T = value
    return kept


def _disk() -> dict[str, tuple[str, int]]:
    there = library()
    return {each.id: (there.status(each), len(there.files(each.id))) for each in catalogue.CATALOGUE}


def _state(entry: Entry, on_disk: str, by_hand: Mapping[str, str]) -> str:
    if entry.id in waiting:
        return "getting" if waiting[0] == entry.id else "waiting"
    return "named" if on_disk == "missing" and entry.what in by_hand else on_disk


def _look_at_named() -> dict[str, str]:
    if os.environ.get(preferences.MODELS_VARIABLE):
        return {}
    paths = {field: preferences.path(name) for name, field in preferences.MODEL_FILES.items()}
    return {field: path for field, path in paths.items() if path and os.path.exists(path)}


def _by_name(place: str) -> set[str]:
    """Kinds that lie in the folder under their published names, where somebody else has put them. Others are told by
    their content, by the worker: this is only to ask for nothing that is there.
    """
    wanted = {file.name: each.what for each in catalogue.CATALOGUE if len(each.files) == 1 for file in each.files}
    until = time.monotonic() + _WALK_SECONDS
    there: set[str] = set()
    for inner, folders, files in os.walk(place):
        there |= {wanted[name] for name in files if name in wanted}
        if time.monotonic() > until:
            break
        if inner[len(place) :].count(os.sep) >= _WALK_DEPTH:
            folders.clear()
    return there


def _free(place: str) -> int | None:
    while not os.path.isdir(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return None


# The queue of downloads


def ask_for(ids: Iterable[str]) -> list[str]:
    """Put ids behind what is waiting; those that wait already, or were downloaded, are left out. Returns the new ones.

    Raises:
        ReCamError: there is none of that id.
    """
    new = [each for each in dict.fromkeys(ids) if each not in waiting and row(each).state != "ready"]
    for each in new:
        trouble.pop(each, None)
    waiting.extend(new)
    return new


def give_up(id: str) -> None:  # noqa: A002
    """Take an id from the queue. What is there of its files stays, so that a later download goes on from there."""
    if id in waiting:
        waiting.remove(id)


# What is decided about them


def place(path: str, look: Search, wanted: str = "") -> str:
    """Use what was found at a path: one model as that of its kind, several where they lie. Returns what to tell.

    Args:
        path: that was looked at.
        look: what was found there.
        wanted: the id of what it was to be; empty for anything.

    Raises:
        ReCamError: it is something else, with what it is; nothing was changed.
    """
    if wanted:
        look = dataclasses.replace(
            look, found=tuple(each for each in look.found if each.what == entry(wanted).what) or look.found
        )
    if not look.found:
        raise ReCamError("\n".join(look.notes) or tr("There is no model of ReCam's at {path!r}.").format(path=path))
    first = look.found[0]
    if wanted and first.what != entry(wanted).what:
        raise ReCamError(
            tr("{path!r} is {words}, and not what was looked for: {title}.").format(
                path=first.path, words=first.words, title=entry(wanted).title
            )
        )
    if len(look.found) == 1:
        return use(first)
    take(look.found)
    told = "; ".join(f"{each.path!r} ({each.words})" for each in look.found)
    return tr("Used where they lie: {models}.").format(models=told)


def use(it: Found) -> str:
    """Name a file in the preferences, as the model of its kind. Returns a sentence that says so.

    Raises:
        ReCamError: nothing of that kind can be named.
    """
    own = preferences.own()
    name = next((name for name, field in preferences.MODEL_FILES.items() if field == it.what), "")
    if own is None or not name:
        raise ReCamError(
            tr("{path!r} is {words}, which ReCam cannot be pointed at.").format(path=it.path, words=it.words)
        )
    setattr(own, name, it.path)
    changed()
    label = tr(own.bl_rna.properties[name].name)
    text = tr("“{name}” is now {path!r}, {words}.").format(name=label, path=it.path, words=it.words)
    if folder := os.environ.get(preferences.MODELS_VARIABLE):
        unused = tr("It is not used while {variable} names {folder!r}.")
        text = f"{text} {unused.format(variable=preferences.MODELS_VARIABLE, folder=folder)}"
    return text


def places() -> dict[str, bool]:
    """Files and folders that are used where they lie, and whether they are still there."""
    return _keep("places", lambda: {str(each): os.path.exists(each) for each in library().places})


def take(chosen: Iterable[Found]) -> None:
    """Use these where they lie, and ask about them no more.

    Raises:
        ReCamError: that cannot be written down.
    """
    global found
    taken = list(chosen)
    there = library()
    with _in_words():
        for each in taken:
            there.add_place(Path(each.path), [each.what])
    found = tuple(each for each in found if each not in taken)
    changed()


def forget(path: str) -> None:
    """No longer use a file or folder where it lies. It stays there. Raises ReCamError."""
    with _in_words():
        library().remove_place(Path(path))
    changed()


def pass_over() -> None:
    """Ask no more about what the search has found."""
    global found
    found = ()


def files_of(id: str) -> list[str]:  # noqa: A002
    """The files of an entry that ReCam downloaded and that :func:`remove` would delete."""
    return [str(each) for each in library().files(id)]


def remove(id: str) -> list[str]:  # noqa: A002
    """Delete what ReCam downloaded of an entry, and nothing else. Returns the files that went.

    Raises:
        ReCamError: it is being downloaded, or a file cannot be deleted.
    """
    if id in waiting:
        raise ReCamError(tr("{title} is being downloaded: cancel that first.").format(title=entry(id).title))
    try:
        with _in_words():
            return [str(each) for each in library().remove(id)]
    finally:
        changed()


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except LibraryError as error:
        raise ReCamError(str(error)) from error
    except OSError as error:
        at = f": {error.filename!r}" if error.filename else ""
        raise ReCamError(
            tr("The models' folder could not be changed ({reason}){at}.").format(reason=error.strerror or error, at=at)
        ) from error
