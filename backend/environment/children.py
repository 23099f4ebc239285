"""The programs that set-up starts: heard line by line, written down, and gone when set-up is."""

from __future__ import annotations

import collections
import contextlib
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .asking import surroundings
from .errors import SetupError

TAIL = 12
"""Lines that an error shows."""

SILENCE = 1800.0
"""Seconds without a word after which a program is taken to hang. pip unpacks some GB of torch without one, and slow
disks and virus scanners take their time."""

_GUARD = Path(__file__).resolve().with_name("guard.py")
_PASSWORD = re.compile(r"(?<=://)[^/@\s]*@")
_LINE = 1 << 16  # bytes
_BEAT = 0.1  # seconds between two looks at whether to go on
_FAREWELL = 10.0  # seconds for children to be gone after they were ended


@dataclass(frozen=True)
class Ended:
    """How a program ended, and what it said last."""

    code: int
    """Negative for a signal's number."""
    output: tuple[str, ...]
    """The last lines on stdout."""
    errors: tuple[str, ...]
    """The last lines on stderr."""
    lines: tuple[str, ...]
    """The last lines on both."""


class Children:
    """Starts programs one after another. A context manager: it holds the log's file.

    Args:
        log: where to write what they say; the one before is kept as ``<log>.1``.
        cancelled: asked often while a program runs.
        lock: a descriptor that is kept open until the programs are gone.
    """

    def __init__(self, log: Path | None, cancelled: Callable[[], bool], lock: int | None = None) -> None:
        self.log = log
        self._cancelled = cancelled
        self._lock = lock
        self._file: IO[str] | None = None

    def __enter__(self) -> Children:
        if self.log is not None:
            with contextlib.suppress(OSError):
                os.replace(self.log, f"{self.log}.1")
            with contextlib.suppress(OSError):  # a log is worth no failure
                self._file = open(self.log, "w", encoding="utf-8", errors="backslashreplace", buffering=1)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def note(self, line: str) -> None:
        """Write a line into the log."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.write(f"{time.strftime('%H:%M:%S')} {line}\n")

    def run(
        self,
        command: Sequence[str],
        *,
        hear: Callable[[str], None] = lambda line: None,
        tick: Callable[[], None] = lambda: None,
        variables: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run a program to its end.

        Args:
            command: as an argument list.
            hear: takes each line of its output.
            tick: called some ten times a second meanwhile.
            variables: of its environment; none: those here, less what leads a Python astray.

        Raises:
            SetupError: cancelled, or it said nothing for :data:`SILENCE`; the program is gone then.
        """
        self.check()
        self.note("$ " + _without_passwords(" ".join(command)))
        began = time.monotonic()
        process = self._start(command, surroundings() if variables is None else variables)
        heard: queue.SimpleQueue[tuple[bool, str | None]] = queue.SimpleQueue()
        for stream in (process.stdout, process.stderr):
            threading.Thread(target=_carry, args=(stream, stream is process.stdout, heard), daemon=True).start()
        try:
            output, errors, lines = self._listen(process, heard, hear, tick)
        finally:
            _end(process)
        code = 128 - process.returncode if process.returncode > 128 and os.name == "posix" else process.returncode
        self.note(f"ended with {code} after {time.monotonic() - began:.1f} s")
        return Ended(code, output, errors, lines)

    def check(self) -> None:
        """Raise SetupError where set-up was cancelled."""
        if self._cancelled():
            self.note("cancelled")
            raise SetupError("Set-up was cancelled.", "cancelled")

    def _start(self, command: Sequence[str], variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
        options: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            options = {"creationflags": subprocess.CREATE_NO_WINDOW}
        elif self._lock is not None:
            options["pass_fds"] = (self._lock,)
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARD), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(variables),
            **options,
        )

    def _listen(
        self,
        process: subprocess.Popen[bytes],
        heard: queue.SimpleQueue[tuple[bool, str | None]],
        hear: Callable[[str], None],
        tick: Callable[[], None],
    ) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        output, errors, lines = (collections.deque[str](maxlen=4 * TAIL) for _ in range(3))
        open_pipes, gone_at, silent = 2, 0.0, 0.0
        while open_pipes or process.poll() is None:
            self.check()
            tick()
            if process.poll() is not None:
                gone_at = gone_at or time.monotonic()
                if time.monotonic() - gone_at > _FAREWELL:  # someone else keeps the pipe open
                    break
            try:
                from_stdout, line = heard.get(timeout=_BEAT)
            except queue.Empty:
                silent += _BEAT  # not by a clock: a laptop that slept heard nothing either
                if silent > SILENCE:
                    raise SetupError(
                        f"A part of set-up said nothing for {SILENCE / 60:.0f} minutes and was stopped: try again. "
                        "If it stays so, look whether a virus scanner or a disk that does not answer holds it up."
                    ) from None
                continue
            silent = 0.0
            if line is None:
                open_pipes -= 1
                continue
            line = _without_passwords(line)
            self.note(line)
            hear(line)
            lines.append(line)
            (output if from_stdout else errors).append(line)
        return tuple(output), tuple(errors), tuple(lines)


def _carry(stream: IO[bytes] | None, from_stdout: bool, heard: queue.SimpleQueue[tuple[bool, str | None]]) -> None:
    assert stream is not None
    with contextlib.suppress(OSError, ValueError):
        while line := stream.readline(_LINE):
            heard.put((from_stdout, line.decode("utf-8", "replace").rstrip()))
    heard.put((from_stdout, None))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Have it gone: a program that has not ended is killed with all that it started."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(_FAREWELL)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _without_passwords(line: str) -> str:
    return _PASSWORD.sub("****@", line)
