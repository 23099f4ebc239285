"""``python -m backend models``: list, get, add, remove and search. Only ``get`` goes to the network."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import packages
from ..console import BAD_INPUT, FAILED, INTERRUPTED, Interrupt, end, note
from ..contract import ContractError, Models
from ..progress import size
from ..progressbar import ProgressBar
from . import catalogue
from .catalogue import CATALOGUE, Entry
from .library import Library, chosen_folder
from .locks import LibraryError
from .tables import in_words

DEFAULT_SET = "default"
"""What is typed for all that is best to have for engine recammaster."""

_ENGINE = "recammaster"

_ABOUT = """\
The models that the engine recammaster needs: which there are, and where they lie.

  python -m backend models list              all of them, with sizes and licences
  python -m backend models get default       download what recammaster needs
  python -m backend models get ID...         download these
  python -m backend models search            look where ComfyUI, WanGP and others keep theirs
  python -m backend models add PATH...       use a file, or what is in a folder, where it lies
  python -m backend models remove ID|PATH... delete what was downloaded, or no longer use what lies elsewhere

They go to a folder: that of --models, else that which RECAM_MODELS names, else ReCam's own. Of files elsewhere only the
paths are written down; they are never changed, moved or deleted.
"""

_GET = """\
Download models: with default, all that recammaster needs and is free for every use, and others by their ids.

A download that was broken off goes on where it stopped. HF_ENDPOINT names a mirror of huggingface.co, HF_TOKEN an
access token, HTTPS_PROXY a proxy. Sizes and licences are told first; nothing is asked.
"""


def add_models(commands: Any) -> None:
    """Add ``models`` to the shell's commands."""
    parser = commands.add_parser(
        "models",
        help="list, get, add, remove and search models",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(title="what to do", required=True, metavar="VERB")
    listing = _add(verbs, "list", _list, "say which models there are, and how each stands")
    _add_json(listing)
    get = _add(verbs, "get", _get, "download models", about=_GET)
    get.add_argument("ids", nargs="+", metavar="ID", help=f"as list shows them, or {DEFAULT_SET}")
    get.add_argument("--mirror", metavar="URL", default="", help="in place of https://huggingface.co")
    add = _add(verbs, "add", _add_places, "use files or folders where they lie")
    add.add_argument("paths", nargs="+", metavar="PATH", help="a model's file, or a folder with models in it")
    remove = _add(verbs, "remove", _remove, "delete what was downloaded, or no longer use what lies elsewhere")
    remove.add_argument("names", nargs="+", metavar="ID|PATH", help="an id, or a path that was added")
    search = _add(verbs, "search", _search, "look for models where other programs keep theirs")
    search.add_argument("folders", nargs="*", metavar="FOLDER", help="further ones, which are searched first")
    search.add_argument("--add", action="store_true", help="use all that is found")
    _add_json(search)


def _add(
    verbs: Any, name: str, run: Callable[[argparse.Namespace], int], words: str, about: str = ""
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=words, description=about or f"{words[0].upper()}{words[1:]}.", formatter_class=_Raw
    )
    parser.add_argument("--models", metavar="FOLDER", help="of models (default: RECAM_MODELS, else ReCam's own)")
    parser.set_defaults(run=_telling_of_the_disk(run), debug=False)
    return parser


_Raw = argparse.RawDescriptionHelpFormatter


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def _telling_of_the_disk(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    def command(options: argparse.Namespace) -> int:
        try:
            return run(options)
        except LibraryError as error:
            return end(str(error), FAILED)
        except OSError as error:  # of the library, or of what is written to
            place = f"{error.filename!r} " if error.filename else ""
            return end(f"this cannot be written or read: {place}({error.strerror or error})", FAILED)

    return command


def _library(options: argparse.Namespace) -> Library:
    folder = chosen_folder(options.models or "")
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise ContractError("--models" if options.models else "RECAM_MODELS", repr(str(folder)), "a folder")
    return Library(folder)


def _print_json(found: object) -> None:
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


# List


def _list(options: argparse.Namespace) -> int:
    library = _library(options)
    states = {each.id: library.status(each) for each in CATALOGUE}
    if options.json:
        _print_json(
            {
                "folder": str(library.folder),
                "places": [str(each) for each in library.places],
                "models": [{**each.to_json(), "size": each.size, "state": states[each.id]} for each in CATALOGUE],
            }
        )
        return 0
    sys.stdout.write(in_words(states))
    note(f"the folder is {library.folder}")
    for place in library.places:
        note(f"used where it lies: {place}{'' if os.path.exists(place) else ' (not there now)'}")
    return 0


# Get


def _get(options: argparse.Namespace) -> int:
    entries, library = _entries(options.ids), _library(options)
    held = _held(library) if DEFAULT_SET in options.ids else set()
    wanted = [each for each in entries if not _is_there(each, library, held, asked=each.id in options.ids)]
    for entry in wanted:
        note(_told(entry))
    if len(wanted) > 1:
        note(f"together {size(sum(each.size for each in wanted))}, to {library.folder}")
    for entry in wanted:
        if code := _fetch(entry, library, options.mirror):
            return code
    for entry in entries:
        for name in library.kept(entry):
            sys.stdout.write(f"{library.folder_of(entry) / name}\n")
    if any(each.engine == _ENGINE for each in entries) and (lacking := _lacking(library)):
        note(f"{_ENGINE} needs {' and '.join(lacking)} too: `get {DEFAULT_SET}` downloads all that is missing")
    return 0


def _lacking(library: Library) -> list[str]:
    """The ids of what the engine needs and of which no other of its kind is there either."""
    there = {each.what for each in CATALOGUE if library.status(each) in ("ready", "elsewhere")} | _held(library)
    return [each.id for each in catalogue.needed(_ENGINE) if each.what not in there]


def _held(library: Library) -> set[str]:
    """The kinds of models that are in the folder and its places, whoever has put them there: told by their content."""
    from ..recammaster.identify import CheckpointError
    from ..recammaster.models import find

    try:
        found = find(Models(folder=str(library.folder)))
    except (CheckpointError, ImportError):  # it is not there; or there are pickles, and no PyTorch
        return set()
    return {each.what for each in CATALOGUE if getattr(found, each.what, None)}


def _entries(ids: list[str]) -> list[Entry]:
    found: dict[str, Entry] = {}
    for name in ids:
        try:
            some = catalogue.default_set(_ENGINE) if name == DEFAULT_SET else (catalogue.entry(name),)
        except LookupError:
            known = ", ".join([DEFAULT_SET, *(each.id for each in CATALOGUE)])
            raise ContractError("ID", repr(name), f"one of {known}") from None
        found |= {each.id: each for each in some}
    return list(found.values())


def _is_there(entry: Entry, library: Library, held: set[str], *, asked: bool) -> bool:
    """Whether there is nothing to do; one of the default set is left out where another of its kind is used."""
    state = library.status(entry)
    if state == "ready":
        note(f"{entry.id} is there already")
        return True
    if not asked and (state == "elsewhere" or entry.what in held):
        note(f"{entry.id} is not needed: another of its kind is there and is used")
        return True
    return False


def _told(entry: Entry) -> str:
    about = "" if entry.is_exact else "about "
    return f"{entry.id}: {entry.title}, {about}{size(entry.size)}, {entry.licence}. {entry.licence_note}".rstrip()


def _fetch(entry: Entry, library: Library, mirror: str) -> int:
    try:
        from .hub import HubError, fetch
    except ImportError:
        packages.check(_ENGINE)  # tells what is missing, and how to add it
        raise
    bar = ProgressBar(sys.stderr)
    try:
        with Interrupt() as interrupt:
            fetch(entry, library, report=bar.show, cancelled=interrupt.asked, mirror=mirror)
    except HubError as error:
        bar.clear()
        if error.kind != "cancelled":
            return end(str(error), FAILED)
        code = 128 + interrupt.signal if interrupt.signal else INTERRUPTED
        return end("interrupted; the next time it goes on from here", code)
    finally:
        bar.clear()
    return 0


# Add, remove


def _add_places(options: argparse.Namespace) -> int:
    from .places import identified

    library = _library(options)
    for given in options.paths:
        path = Path(os.path.abspath(given))
        if not given or not os.path.exists(path):
            raise ContractError("PATH", f"nothing at {given!r}", "a model's file, or a folder with models in it")
        if path == library.folder or library.folder in path.parents:
            raise ContractError("PATH", repr(given), "one elsewhere: all in the folder of models is used anyway")
        outcome = identified(path)
        for sentence in outcome.notes:
            note(sentence)
        if not outcome.found:
            return end(f"{given!r} is not added: {_nothing_in(path)}", BAD_INPUT)
        library.add_place(path, holds={each.what for each in outcome.found})
        for found in outcome.found:
            sys.stdout.write(f"{found.path}\t{found.words}\n")
    return 0


def _nothing_in(path: Path) -> str:
    from ..recammaster.models import look

    try:
        words = look(path).words
    except ImportError:
        return "what is in it can only be told with PyTorch"
    if path.is_dir():
        return "no model that ReCam uses was found in that folder"
    return f"it is {words}, and none of the models that ReCam uses"


def _remove(options: argparse.Namespace) -> int:
    library = _library(options)
    for name in options.names:
        if any(name == each.id for each in CATALOGUE):
            gone = library.remove(name)
            for path in gone:
                sys.stdout.write(f"{path}\n")
            note(f"{name}: {_gone(len(gone))}")
        elif name and library.remove_place(Path(os.path.abspath(name))):
            note(f"{name!r} is used no more; it stays where it is")
        else:
            known = ", ".join([*(each.id for each in CATALOGUE), *(str(each) for each in library.places)])
            raise ContractError("ID|PATH", repr(name), f"an id, or a path that was added: one of {known}")
    return 0


def _gone(count: int) -> str:
    if not count:
        return "nothing of it was downloaded by ReCam, and nothing is deleted"
    return "1 file is deleted" if count == 1 else f"{count} files are deleted"


# Search


def _search(options: argparse.Namespace) -> int:
    from .places import Cancelled, search, unused

    library = _library(options)
    folders = [Path(os.path.abspath(each)) for each in options.folders]
    for given, folder in zip(options.folders, folders, strict=True):
        if not given or not os.path.exists(folder):
            raise ContractError("FOLDER", f"nothing at {given!r}", "a folder to search")
    bar = ProgressBar(sys.stderr)
    try:
        with Interrupt() as interrupt:
            outcome = search(folders, report=bar.show, cancelled=interrupt.asked)
    except Cancelled:
        bar.clear()
        return end("interrupted", 128 + interrupt.signal)
    finally:
        bar.clear()
    new = unused(outcome, library)
    if options.add:
        for found in new:
            library.add_place(found.path, holds={found.what})
    if options.json:
        searched = [{"program": each.program, "folder": str(each.folder)} for each in outcome.searched]
        _print_json({"found": [each.to_json() for each in new], "notes": outcome.notes, "searched": searched})
        return 0
    for found in new:
        sys.stdout.write(f"{found.path}\t{found.words} ({found.where})\n")
    for sentence in outcome.notes:
        note(sentence)
    note(_summary(len(new), len(outcome.found) - len(new), added=options.add))
    return 0


def _summary(new: int, used: int, *, added: bool) -> str:
    before = f", and {used} that {'is' if used == 1 else 'are'} used already" if used else ""
    count = f"{new or 'no'} {'model' if new == 1 else 'models'} found{before}"
    if not new:
        return count
    return f"{count}; {'used from now on' if added else 'use them with: python -m backend models add PATH'}"
