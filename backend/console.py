"""How the commands of ``python -m backend`` speak and end. Standard library only.

Exit codes: 0 only with a whole result, 1 it failed, 2 bad input, 130 interrupted. What is wrong is one line on stderr;
on stdout stands what was asked for and nothing else.
"""

from __future__ import annotations

import sys

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130


def end(text: str, code: int) -> int:
    """Say in one line why a command ends; its exit code."""
    note(" ".join(text.split("\n")))
    return code


def note(text: str) -> None:
    """Say something that is no result."""
    sys.stderr.write(f"recam: {text}\n")


def option(name: str) -> str:
    """What is typed for an argument that argparse keeps under this name."""
    return "--" + name.replace("_", "-")
