"""Telling of progress: often enough to be alive, seldom enough to cost nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from .contract import Progress

if TYPE_CHECKING:
    from typing import Self

INTERVAL = 0.05
"""Seconds between two messages of one phase; its first and last step are always told."""

HEARTBEAT = 2.0
"""Seconds after which the last message is repeated, so that a long step is not taken for a dead worker."""


def size(count: int) -> str:
    """Bytes as people say them, in decimal units: 340 MB."""
    for unit, power in (("GB", 9), ("MB", 6), ("kB", 3)):
        if round(count / 10**power, 3) >= 1:
            return f"{count / 10**power:.{1 if count < 10 ** (power + 1) else 0}f} {unit}"
    return f"{count} bytes"


class Throttle:
    """What to tell of: the first and last step of each phase, and whatever comes an interval after the last telling."""

    def __init__(self, interval: float) -> None:
        self.told_at = float("-inf")
        self._interval = interval
        self._begun: set[str] = set()
        self._ended: set[str] = set()

    def begins(self, progress: Progress) -> bool:
        """Whether its phase is new."""
        return progress.phase not in self._begun

    def is_due(self, progress: Progress) -> bool:
        """Whether to tell of it; asked once for each."""
        first = self.begins(progress)
        last = progress.step >= progress.total > 0 and progress.phase not in self._ended
        self._begun.add(progress.phase)
        if last:
            self._ended.add(progress.phase)
        if not first and not last and time.monotonic() - self.told_at < self._interval:
            return False
        self.told_at = time.monotonic()
        return True


class Telling:
    """Passes progress on to ``tell``, thinned out, and repeats it while a step takes long. A context manager."""

    def __init__(
        self, tell: Callable[[Progress], None], *, interval: float = INTERVAL, heartbeat: float = HEARTBEAT
    ) -> None:
        self._tell = tell
        self._throttle = Throttle(interval)
        self._heartbeat = heartbeat
        self._lock = threading.Lock()
        self._latest = Progress(phase="starting", step=0, total=0)
        self._told: Progress | None = self._latest
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
            if self._throttle.begins(progress) and self._told is not self._latest:
                self._say(self._latest)  # the last of the phase before
            self._latest = progress
            if self._throttle.is_due(progress):
                self._say(progress)

    def _say(self, progress: Progress) -> None:
        self._told = progress
        self._throttle.told_at = time.monotonic()
        self._tell(progress)

    def _beat(self) -> None:
        while not self._stopped.wait(self._heartbeat / 4):
            with self._lock:
                if not self._stopped.is_set() and time.monotonic() - self._throttle.told_at >= self._heartbeat:
                    self._say(self._latest)
