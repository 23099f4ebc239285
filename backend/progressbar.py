"""A bar on a terminal, with phase and time left; seldom a line where there is none."""

from __future__ import annotations

import os
from typing import TextIO

from .contract import Progress
from .progress import Throttle, size

_REDRAW_SECONDS = 0.1
_LINE_SECONDS = 10.0
_CELLS = 24


class ProgressBar:
    """Shows progress on a stream. :meth:`clear` before anything else is written there."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._interactive = stream.isatty()
        self._throttle = Throttle(_REDRAW_SECONDS if self._interactive else _LINE_SECONDS)
        self._width = 0
        self._phase_width = 10
        self._last = ""

    def show(self, progress: Progress) -> None:
        """Show where the work stands, if it is time to."""
        if not self._throttle.is_due(progress):
            return
        if self._interactive:
            self._phase_width = max(self._phase_width, len(progress.phase))
            self._redraw(_bar(progress, self._phase_width))
        elif (line := _line(progress)) != self._last:
            self._stream.write(line + "\n")
            self._stream.flush()
            self._last = line

    def clear(self) -> None:
        """Take the bar off the terminal."""
        if self._interactive:
            self._redraw("")

    def _redraw(self, text: str) -> None:
        # One column is left free: a full line would make some terminals begin another.
        text = text[: max(10, _columns(self._stream) - 1)]
        self._stream.write("\r" + text.ljust(self._width) + ("" if text else "\r"))
        self._stream.flush()
        self._width = len(text)


def _bar(progress: Progress, phase_width: int) -> str:
    share = progress.step / progress.total if progress.total else 0.0
    filled = round(min(share, 1.0) * _CELLS)
    return f"{progress.phase:<{phase_width}} [{'#' * filled}{'.' * (_CELLS - filled)}] {_numbers(progress)}"


def _line(progress: Progress) -> str:
    return f"{progress.phase} {_numbers(progress)}".rstrip()


def _numbers(progress: Progress) -> str:
    """Where a phase is one piece, such as a file to load, there is nothing to count in it."""
    known = []
    if progress.unit == "bytes":
        known += _bytes(progress)
    elif progress.total > 1:
        known.append(f"{progress.step}/{progress.total}")
    if progress.seconds_left is not None:
        known.append(f"{_clock(progress.seconds_left)} left")
    return ", ".join(known)


def _bytes(progress: Progress) -> list[str]:
    told = [f"{size(progress.step)} of {size(progress.total)}"] if progress.total else []
    if progress.step and not told:
        told = [size(progress.step)]
    if progress.per_second:
        told.append(f"{size(round(progress.per_second))}/s")
    return told


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80
