"""How the commands of ``python -m backend`` speak and end. Standard library only.

Exit codes: 0 only with a whole result, 1 it failed, 2 bad input, 130 interrupted. What is wrong is one line on stderr;
on stdout stands what was asked for and nothing else.
"""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

from . import ending

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


class Interrupt:
    """While it lasts, a first Ctrl-C (or SIGTERM) asks politely; a second one does not."""

    def __init__(self) -> None:
        self.signal = 0
        self._before: dict[int, Any] = {}

    def asked(self) -> bool:
        """Whether there was one."""
        return self.signal != 0

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_error: object) -> None:
        ending.tell(False)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: object) -> None:
        if self.signal:
            raise KeyboardInterrupt
        ending.tell(number == signal.SIGTERM)
        self.signal = number
