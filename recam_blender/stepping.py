"""A generator of short steps, taken by a timer a few at a time: for what no panel shows as a task."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Generic, TypeVar

from ..backend.contract import Progress
from .planning import Step

T = TypeVar("T")


class Running(Generic[T]):
    """Work under way.

    Attributes:
        progress: where it stands.
        came: what came of it, once :meth:`advance` has said that it is done.
    """

    def __init__(self, work: Generator[Step, None, T]) -> None:
        self.progress = Progress(phase="starting", step=0, total=0)
        self.came: T | None = None
        self._work = work

    def advance(self, seconds: float) -> bool:
        """Take steps until the time is spent or there is only to wait. Whether it is done; raises what it raises."""
        until = time.monotonic() + seconds
        while True:
            try:
                step = next(self._work)
            except StopIteration as end:
                self.came = end.value
                return True
            self.progress = step.progress
            if step.idle or step.apart or time.monotonic() > until:
                return False

    def close(self) -> None:
        """Have done with it; it clears away."""
        self._work.close()
