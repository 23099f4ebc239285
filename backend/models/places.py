"""Models of ours among those of other programs: found by what is inside the files, and used where they lie."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from os.path import isdir
from pathlib import Path
from typing import Any

from ..contract import Progress
from ..recammaster import identify
from ..recammaster.models import Search, Seen, is_meant, is_usable, look
from .library import Library, real
from .programs import Place, Surroundings, places

SECONDS = 120.0
"""After which a search leaves it at what it has found."""

_WIDTH = 1536  # of Wan's network of 1.3B, for which a LoRA must be
_MOST_MEANT = 5


class Cancelled(Exception):
    """A search that was asked to stop."""


@dataclass(frozen=True)
class Found:
    """A model of ours.

    Attributes:
        path: a file, or a folder of diffusers or transformers.
        what: the field of contract.Models that it is for.
        words: that end the sentence "this file is ...".
        where: whose folder it lies in: a program's name, or "the folder".
        size: bytes, of a folder those of the files in it.
    """

    path: Path
    what: str
    words: str
    where: str
    size: int

    def to_json(self) -> dict[str, Any]:
        """As a task answers."""
        return {
            "path": str(self.path),
            "what": self.what,
            "words": self.words,
            "where": self.where,
            "size": self.size,
        }


@dataclass
class Outcome:
    """What a search came to.

    Attributes:
        found: those of one kind together, in the order of contract.Models, the most exact first.
        searched: the folders that were looked into.
        notes: whole sentences: on what could not be looked into, and on files that are cut off or something near.
    """

    found: list[Found] = field(default_factory=list)
    searched: list[Place] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def search(
    extra: Iterable[Path] = (),
    *,
    around: Surroundings | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    cancelled: Callable[[], bool] = lambda: False,
    seconds: float = SECONDS,
) -> Outcome:
    """Look for models of ours where other programs keep theirs.

    Args:
        extra: further folders, which are searched first.
        around: the machine and user to search for; those that this runs on.
        report: is told which program's folders are looked at.
        cancelled: asked at every file and folder.
        seconds: after which no further file is opened.

    Raises:
        Cancelled: it was cancelled.
    """
    work = _Work(cancelled, time.monotonic() + seconds)
    wanted = [*(Place("the folder", path) for path in extra), *places(around)]
    for number, place in enumerate(wanted):
        report(Progress(phase=f"searching {place.program}", step=number, total=len(wanted)))
        work.look_into(place)
    return work.outcome(wanted)


def identified(path: Path, seconds: float = SECONDS) -> Outcome:
    """What lies at one path: itself where it is a model, else what is found in that folder within so many seconds."""
    work = _Work(lambda: False, time.monotonic() + seconds)
    place = Place("the folder", path)
    if not isdir(path) or not work.take(place, path):
        work.look_into(place)
    return work.outcome([place])


def unused(outcome: Outcome, library: Library) -> list[Found]:
    """Of what was found, that which a library does not use already: in its folder, or by a place of its own."""
    own = [library.folder, *library.places]
    own += [real(each) for each in own]
    # A cache's folder is used by its name, and the files in it are links to others.
    return [
        each
        for each in outcome.found
        if not any(_is_within(path, place) for path in (each.path, real(each.path)) for place in own)
    ]


class _Work:
    """One search: what it has seen, and why it left things out."""

    def __init__(self, cancelled: Callable[[], bool], until: float) -> None:
        self._cancelled, self._until = cancelled, until
        self._found: dict[Path, tuple[Seen, Place]] = {}
        self._meant: dict[Path, Seen] = {}
        self._closed: list[Path] = []
        self._cut: list[Place] = []
        self._left_out: list[Place] = []

    def look_into(self, place: Place) -> None:
        """Look at every file in a place that may be a model."""
        walk = Search(self._is_over)
        for path in self._candidates(place, walk):
            if self._is_over():
                break
            self.take(place, path)
        if self._cancelled():
            raise Cancelled
        if self._is_over():
            self._left_out.append(place)
        elif walk.is_cut:
            self._cut.append(place)

    def take(self, place: Place, path: Path) -> bool:
        """Whether what lies there is a model of ours, which is then kept in mind."""
        try:
            seen = look(path)
        except ImportError:
            # A pickle is opened by torch alone.
            self._closed.append(path)
            return False
        if is_usable(seen):
            self._found.setdefault(real(path), (seen, place))
        elif is_meant(seen):
            self._meant.setdefault(real(path), seen)
        return is_usable(seen)

    def outcome(self, searched: list[Place]) -> Outcome:
        """All of it, in order and in words."""
        seen = [each for each, _ in self._found.values()]
        widths = {_WIDTH, *(each.width for each in seen if each.what == identify.TRANSFORMER)}
        fitting = [
            (each, place) for each, place in self._found.values() if each.what != identify.LORA or each.width in widths
        ]
        order = list(identify.EXPECTED)
        fitting.sort(key=lambda pair: (order.index(pair[0].what), pair[0].rank()))
        found = [Found(each.path, each.what, each.words, place.program, _size(each.path)) for each, place in fitting]
        return Outcome(found, searched, list(self._notes()))

    def _is_over(self) -> bool:
        return self._cancelled() or time.monotonic() > self._until

    @staticmethod
    def _candidates(place: Place, walk: Search) -> Iterator[Path]:
        return walk.candidates(place.folder) if isdir(place.folder) else iter([place.folder])

    def _notes(self) -> Iterator[str]:
        for each in list(self._meant.values())[:_MOST_MEANT]:
            yield f"{str(each.path)!r} is {each.words}."
        if self._closed:
            count = len(self._closed)
            files = f"{str(self._closed[0])!r} was" if count == 1 else f"{count} files (.ckpt, .pth and others) were"
            yield f"{files} not looked into: that takes PyTorch, which comes with the engine recammaster."
        for place in self._cut:
            yield f"{str(place.folder)!r} holds too much to be searched whole: name a folder within it."
        if self._left_out:
            first = str(self._left_out[0].folder)
            yield f"Time was over in {first!r}: name the folder that the models lie in, to look into that alone."


def _is_within(path: Path, place: Path) -> bool:
    return path == place or place in path.parents


def _size(path: Path) -> int:
    try:
        files = [each for each in path.iterdir() if each.is_file()] if path.is_dir() else [path]
        return sum(each.stat().st_size for each in files)
    except OSError:
        return 0
