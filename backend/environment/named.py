"""Environments by name, as a checkout has them: ``python -m backend.environment make backend --also tools``."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..contract import ENGINES
from ..progress import size
from . import making, marker
from .errors import SetupError
from .pythons import find_python
from .recipe import PYTHONS, Making, Recipe

Say = Callable[[str], None]


@dataclass(frozen=True)
class Environment:
    """What is made under a name."""

    pythons: tuple[str, ...]
    """Versions of Python that its requirements have wheels for, best first."""
    imports: tuple[str, ...] = ()
    """Modules that must be importable in the end."""
    engine: str = ""
    """That must be seen to work in the end."""


ENVIRONMENTS = {
    "backend": Environment(pythons=PYTHONS, engine=ENGINES[0]),
    "blender-4.2": Environment(pythons=("3.11",), imports=("bpy",)),
    "blender-4.5": Environment(pythons=("3.11",), imports=("bpy",)),
    "blender-5.0": Environment(pythons=("3.11",), imports=("bpy",)),
    "blender-5.2": Environment(pythons=("3.13",), imports=("bpy",)),
}

FURTHER = {"recammaster": ENGINES[1], "tools": ""}
"""Requirements that the backend's environment can hold beside its own, and the engine that must work then."""


def make(name: str, folder: Path, *, also: Sequence[str] = (), say: Say) -> Path:
    """Make the environment ``folder/name``, or repair it, or find that it is whole; give its interpreter.

    ``also`` names further requirements (:data:`FURTHER`); an environment of ours that only lacks some is added to, and
    keeps what it has. One that is none of ours is taken over if it already is what was asked for. Raises SetupError.
    """
    environment = ENVIRONMENTS[name]
    engines = [environment.engine, *(FURTHER[each] for each in also)]
    recipe = Recipe(
        folder=folder / name,
        pins=marker.pins([marker.REQUIREMENTS / f"{each}.txt" for each in (name, *also)]),
        engine=max(filter(None, engines), key=ENGINES.index, default=""),
        pythons=environment.pythons,
        imports=environment.imports,
        take_over=True,
    )
    began = time.monotonic()

    def tell(done: Making) -> None:
        got = f"{size(done.received)} downloaded, " if done.received else ""
        on_disk = size(marker.state(recipe.folder).size)
        say(f"{recipe.folder}: {time.monotonic() - began:.0f} s, {got}{on_disk} on disk")

    making.put(recipe, say=say, done=tell)
    return marker.interpreter(recipe.folder)


def blenders() -> list[str]:
    """The Blender environments that a Python is found for, oldest first."""
    found = []
    for name, environment in ENVIRONMENTS.items():
        if name.startswith("blender-"):
            with contextlib.suppress(SetupError):
                find_python(environment.pythons)
                found.append(name)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when done, 1 with one message on stderr when not."""
    parser = argparse.ArgumentParser(prog="python -m backend.environment", description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    parts = commands.add_parser("make", help="make environments, or find that they are whole")
    parts.add_argument("names", nargs="+", choices=list(ENVIRONMENTS), metavar="NAME", help=", ".join(ENVIRONMENTS))
    parts.add_argument("--also", action="append", default=[], choices=list(FURTHER), help="further requirements")
    parts.add_argument("--folder", type=Path, default=Path(".venvs"), help="where they lie (.venvs)")
    commands.add_parser("blenders", help="the Blender environments that can be made here, oldest first")
    chosen = parser.parse_args(arguments)
    if chosen.command == "blenders":
        sys.stdout.write(" ".join(blenders()) + "\n")
        return 0
    try:
        for name in chosen.names:
            make(name, chosen.folder.absolute(), also=chosen.also, say=_say)
    except (SetupError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
