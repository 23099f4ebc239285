"""Asking an environment whether it works: :mod:`backend.selfcheck`, run by its own Python. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contract import Progress
from .children import TAIL
from .errors import SetupError

_ROOT = Path(__file__).resolve().parent.parent.parent
"""The folder that the package `backend` lies in."""

_START = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("backend.selfcheck", run_name="__main__", alter_sys=True)
"""

PHASE = "Checking with a small take"
"""What it is called while it is under way."""

_DOING = "recam: "
"""What a line of its begins with that says what it does."""


@dataclass(frozen=True)
class Verified:
    """What an environment was seen to do, and with what: fields of :class:`~backend.environment.messages.State`."""

    engines: tuple[str, ...]
    python_version: str
    torch: str = ""
    device: str = ""
    memory: int = 0
    packages: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What the user should know, in whole sentences: a build for a GPU that finds none."""


def command(python: Path, engine: str) -> list[str]:
    """What to run. It prints the line that :func:`read` reads and ends with 0, or says on stderr why not.

    The first run compiles the preview engine's kernels, which takes some 20 seconds on two slow cores: the user's first
    take then finds them. Nothing of the environment variables or of the user's own packages gets into it: only what
    lies in the environment, and this package.
    """
    return [str(python), "-I", "-X", "utf8", "-c", _START.strip(), str(_ROOT), "--engine", engine]


def hearing(say: Callable[[str], None], report: Callable[[Progress], None]) -> Callable[[str], None]:
    """What takes the check's lines while it runs: some for a log, and what it does for who waits half a minute."""

    def hear(line: str) -> None:
        if not line.startswith("{"):
            say(line)
        if line.startswith(_DOING):
            report(Progress(phase=f"{PHASE}: {line.removeprefix(_DOING)}", step=0, total=0))

    return hear


def read(stdout: str) -> Verified:
    """What the check found.

    Raises:
        SetupError: that is no answer of the check's.
    """
    lines = [line for line in stdout.splitlines() if line.strip()]
    try:
        data = json.loads(lines[-1]) if lines else None
        if not isinstance(data, dict):
            raise TypeError
        return Verified(
            engines=_texts(data["engines"]),
            python_version=_text(data["python"]),
            torch=_text(data["torch"]),
            device=_text(data["device"]),
            memory=max(0, int(data["memory"])),
            packages=_texts(data["packages"]),
            notes=_texts(data.get("notes", [])),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise SetupError("The check of the environment gave no answer that can be read.", "verify") from None


def failed(stderr: Sequence[str], returncode: int) -> SetupError:
    """The error for a check that ended with something else than 0, from the lines that it said.

    Args:
        stderr: its lines, or the last of them.
        returncode: that it ended with; negative for a signal's number.
    """
    lines = [line.rstrip() for line in stderr if line.strip()][-TAIL:]
    reason = lines[-1] if lines else ""
    if returncode == 1 and reason.startswith("recam: "):
        return SetupError(f"The environment was made but does not work. {reason.removeprefix('recam: ')}", "verify")
    if returncode < 0:
        said = f"The check of the environment was ended by signal {-returncode}: a library may not suit this machine."
    else:
        said = f"The check of the environment ended with {returncode}."
    return SetupError("\n  ".join([f"{said} Its last lines were:", *lines]) if lines else said, "verify")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(_text(each) for each in value)
