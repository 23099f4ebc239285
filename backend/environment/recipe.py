"""A recipe for an environment, and a set-up that follows one. Standard library only, from 3.10 on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..contract import Progress
from . import builds
from .children import Children

PYTHONS = ("3.11", "3.12", "3.13")
"""Versions of Python that all that the backend needs is built for, best first."""

Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Recipe:
    """What is wanted in a folder.

    Attributes:
        folder: of the environment.
        pins: that must be there, as :func:`marker.pins` spells them.
        engine: that it is verified with; none: only imported is what ``imports`` names.
        pythons: versions that will do, best first.
        imports: modules that must be importable.
        build: of torch, where one is chosen.
        must_be: whether no other build will do, where pip finds only another.
        base: the Python to make it with; found where none is given.
        wheels: a folder that all comes from, without network.
        verified: whether one that holds the pins must have been verified too, to be whole.
        check: whether one that is whole is verified once more, and made anew where it does not work.
        take_over: whether one that someone else made will do.
    """

    folder: Path
    pins: frozenset[str]
    engine: str = ""
    pythons: Sequence[str] = PYTHONS
    imports: Sequence[str] = ()
    build: builds.Build | None = None
    must_be: bool = False
    base: str = ""
    wheels: str = ""
    verified: bool = False
    check: bool = False
    take_over: bool = False


@dataclass
class Making:
    """One set-up under way: what it works with, and what came of it."""

    children: Children
    report: Report
    say: Callable[[str], None] = lambda line: None
    received: int = field(default=0)
    """Bytes that pip told to have downloaded."""

    def phase(self, words: str, step: int = 0, total: int = 0) -> None:
        """Tell what begins."""
        self.children.check()
        self.children.note(f"-- {words}")
        self.report(Progress(phase=words, step=step, total=total))
