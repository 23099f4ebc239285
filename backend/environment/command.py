"""``python -m backend setup``: what it accepts, what it says, how it ends. Any Python from 3.10 on runs it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..console import BAD_INPUT, FAILED, INTERRUPTED, Interrupt, end, note
from ..contract import ENGINES, ContractError
from ..progress import size
from ..progressbar import ProgressBar
from . import SetupError, default_folder, install, interpreter, log_of, remove, state
from .messages import Plan, State, Wish
from .plan import plan
from .probe import probe

_ABOUT = """\
Set up what the backend runs on: a virtual environment with pinned packages, verified by a small real take.

What is there already is kept: an environment that lacks something is added to, a half-made one is made anew. The last
line on stdout is the environment's Python. Packages come from wherever pip is set up to find them (PIP_INDEX_URL,
HTTPS_PROXY and so on count), or from a folder of wheels and no network at all.

  python -m backend setup                            for engine reproject
  python -m backend setup --engine recammaster       with torch, for both
  python -m backend setup --plan                     only say what would be done, and what it costs
  python -m backend setup --state                    what is there
  python -m backend setup --check                    see whether that works, and make it anew where it does not
  python -m backend setup --probe PYTHON             whether a Python of your own will do
  python -m backend setup --remove
"""


def add_setup(commands: Any) -> None:
    """Add ``setup`` to the commands."""
    parser = commands.add_parser(
        "setup",
        help="set up what the backend runs on",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_options(parser)


def main(arguments: list[str]) -> int:
    """Run the command alone, without the rest of the backend; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m backend setup", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _add_options(parser)
    return run(parser.parse_args(arguments))


def _add_options(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--plan", action="store_true", help="say what would be done, and do nothing")
    what.add_argument("--state", action="store_true", help="say what is there")
    what.add_argument("--check", action="store_true", help="also see whether what is whole works; if not, make it anew")
    what.add_argument("--remove", action="store_true", help="remove the environment; only one that ReCam made")
    what.add_argument("--probe", metavar="PYTHON", help="say whether that Python has what the engine needs")
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0], help=f"(default: {ENGINES[0]})")
    parser.add_argument("--folder", metavar="PATH", help=f"the environment's own folder (default: {default_folder()})")
    parser.add_argument(
        "--torch", metavar="BUILD", default="auto", help="cpu, mps, cu130, ... (default: auto, what this machine has)"
    )
    parser.add_argument("--wheels", metavar="FOLDER", help="install from these files; nothing goes to the network")
    parser.add_argument("--base", metavar="PYTHON", help="make it with this Python (default: one that is found)")
    parser.add_argument("--json", action="store_true", help="print what is found as JSON")
    parser.set_defaults(run=run, debug=False)


def run(options: argparse.Namespace) -> int:
    """Do what the options say; the exit code."""
    try:
        wish = _wish(options)
        if options.probe:
            return _probe(options)
        if options.state:
            return _tell_state(state(Path(wish.folder)), as_json=options.json)
        if options.remove:
            return _remove(Path(wish.folder))
        if options.plan:
            return _tell_plan(plan(wish), wish, as_json=options.json)
        return _install(wish, as_json=options.json)
    except ContractError as error:
        return end(str(error), BAD_INPUT)
    except SetupError as error:
        return _fail(error)
    except KeyboardInterrupt:
        return end("interrupted; the next run goes on from here", INTERRUPTED)


def _wish(options: argparse.Namespace) -> Wish:
    folder = os.path.abspath(options.folder) if options.folder else str(default_folder())
    paths = {}
    for name, is_there, expected in (
        ("wheels", os.path.isdir, "a folder of wheels"),
        ("base", os.path.isfile, "a Python interpreter"),
    ):
        if path := getattr(options, name):
            if not is_there(path):
                raise ContractError(f"--{name}", path, expected)
            paths[name] = os.path.abspath(path)
    return Wish(folder=folder, engine=options.engine, torch=options.torch, check=options.check, **paths)


# What is done


def _install(wish: Wish, *, as_json: bool) -> int:
    planned = plan(wish)
    for sentence in _plan_in_words(planned, wish):
        note(sentence)
    began = time.monotonic()
    bar = ProgressBar(sys.stderr)
    with _cleared(bar), Interrupt() as interrupt:
        made = install(wish, report=bar.show, cancelled=interrupt.asked)
    if planned.action != "nothing":
        note(f"{time.monotonic() - began:.0f} s, {size(made.size)} on disk; log: {log_of(Path(wish.folder))}")
    return _tell_state(made, as_json=as_json)


@contextlib.contextmanager
def _cleared(bar: ProgressBar) -> Iterator[None]:
    try:
        yield
    finally:
        bar.clear()


def _remove(folder: Path) -> int:
    found = state(folder)
    if found.kind == "missing":
        note(f"there is nothing at {folder}")
        return 0
    remove(folder)
    note(f"removed {folder}")
    return 0


def _probe(options: argparse.Namespace) -> int:
    found = probe(os.path.abspath(options.probe) if os.path.dirname(options.probe) else options.probe, options.engine)
    if options.json:
        _print_json(found.to_json())
    elif not found.missing:
        note(f"Python {found.python_version}, torch {found.torch or 'none'}, device {found.device or 'none'}")
        sys.stdout.write(f"{found.python}\n")
    if found.missing:
        note(f"{found.python} lacks {', '.join(found.missing)} for {options.engine}; add them with: {found.command}")
        return FAILED
    return 0


# In words


def _fail(error: SetupError) -> int:
    """Its lines as they are: the last of a log are no good in one."""
    if error.kind == "cancelled":
        return end("interrupted; the next run goes on from here", INTERRUPTED)
    note(str(error))
    return FAILED


def _tell_plan(planned: Plan, wish: Wish, *, as_json: bool) -> int:
    if as_json:
        _print_json(planned.to_json())
    else:
        sys.stdout.write("\n".join(_plan_in_words(planned, wish)) + "\n")
    return 0


def _plan_in_words(planned: Plan, wish: Wish) -> list[str]:
    if planned.action == "nothing":
        return [f"{wish.folder} has all that {wish.engine} needs"]
    if planned.action == "check":
        return [
            f"{wish.folder} has all that {wish.engine} needs; will see whether it works",
            f"made anew, if it does not: about {size(planned.download)} to download",
        ]
    doing = {"make": "make", "add": "add to", "repair": "make anew"}[planned.action]
    source = f"from {wish.wheels}" if wish.wheels else f"about {size(planned.download)} to download"
    told = [
        f"will {doing} {wish.folder} for {wish.engine}, with Python {planned.python_version} ({planned.python})",
        f"{source}, about {size(planned.disk)} of room while it is unpacked; {size(planned.free)} are free",
    ]
    if planned.torch:
        told.append(f"torch for {planned.torch}: {planned.reason}")
    return told


def _tell_state(found: State, *, as_json: bool) -> int:
    if as_json:
        _print_json(found.to_json())
        return 0 if found.kind == "ready" else FAILED
    if found.kind != "ready":
        note(_NOT_READY[found.kind].format(folder=found.folder))
        return FAILED
    torch = f", torch {found.torch}" if found.torch else ""
    device = f", on {found.device}" if found.device else ""
    memory = f" with {size(found.memory)}" if found.memory else ""
    note(f"ready: {', '.join(found.engines)}; Python {found.python_version}{torch}{device}{memory}")
    for each in found.notes:
        note(each)
    sys.stdout.write(f"{interpreter(Path(found.folder))}\n")
    return 0


_NOT_READY = {
    "missing": "there is no environment at {folder}: run `python -m backend setup`",
    "unfinished": "{folder} is half made: run `python -m backend setup` again",
    "outdated": "{folder} is an older ReCam's: run `python -m backend setup` to bring it up to date",
    "foreign": "{folder} was not made by ReCam: choose another with --folder",
}


def _print_json(data: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(data, indent=1) + "\n")
