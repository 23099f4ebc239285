"""Telling of progress: often enough to be alive, seldom enough to cost nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from .contract import Progress

INTERVAL = 0.05
"""Seconds between two messages of one phase; its first and last step are always told."""

HEARTBEAT = 2.0
"""Seconds after which the last message is repeated, so that a long step is not taken for a dead worker."""


class Telling:
    """Passes progress on to ``tell``, thinned out, and repeats it while a step takes long. A context manager."""

    def __init__(
        self, tell: Callable[[Progress], None], *, interval: float = INTERVAL, heartbeat: float = HEARTBEAT
    ) -> None:
        self._tell = tell
        self._interval = interval
        self._heartbeat = heartbeat
        self._lock = threading.Lock()
        self._latest = Progress(phase="starting", step=0, total=0)
        self._told: Progress | None = None
        self._told_at = float("-inf")
        self._begun: set[str] = set()
        self._ended: set[str] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="recam heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        with self._lock:
            if self._told is not self._latest and error is None:
                self._say(self._latest)
        # No message may follow the answer to the job.
        self._thread.join(1.0)

    def report(self, progress: Progress) -> None:
        """Tell of it, if it is time to."""
        with self._lock:
            if progress.phase not in self._begun and self._told is not self._latest and self._begun:
                self._say(self._latest)  # the last of the phase before
            self._latest = progress
            if self._is_due(progress):
                self._say(progress)

    def _is_due(self, progress: Progress) -> bool:
        first = progress.phase not in self._begun
        last = progress.step >= progress.total > 0 and progress.phase not in self._ended
        self._begun.add(progress.phase)
        if last:
            self._ended.add(progress.phase)
        return first or last or time.monotonic() - self._told_at >= self._interval

    def _say(self, progress: Progress) -> None:
        self._told = progress
        self._told_at = time.monotonic()
        self._tell(progress)

    def _beat(self) -> None:
        while not self._stopped.wait(self._heartbeat / 4):
            with self._lock:
                if not self._stopped.is_set() and time.monotonic() - self._told_at >= self._heartbeat:
                    self._say(self._latest)
