"""The threads around an engine: frames decoded ahead of it, and frames encoded behind it.

Every wait asks whether the job was cancelled and ends in :class:`StuckError` when a single frame takes longer than any
frame may; no wait is without end.
"""

from __future__ import annotations

import os
import queue
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

import numpy as np

from .contract import Output
from .engines import Cancelled, Frame, Image
from .media.errors import FootageError
from .media.writer import keeps_alpha, open_take

AHEAD = 3
"""Frames decoded before they are asked for."""

BEHIND = 3
"""Frames drawn and not yet encoded."""

_POLL = 0.1  # seconds between looks at what else may have happened
_FAREWELL = 10.0  # seconds for a thread to end the frame it is at
_LONGEST_STEP = 300.0  # seconds that decoding or encoding one frame may take: a network drive that went away takes more


class StuckError(Exception):
    """A thread that does not come back."""


class Taken(NamedTuple):
    """What the encoder made."""

    path: str
    mask_path: str
    invented_mean: float
    invented_most: float
    alpha_dropped: bool
    """Whether something was transparent that the format shows opaque."""


class Gate:
    """Where every wait of a job passes."""

    def __init__(self, cancelled: Callable[[], bool], longest_step: float = _LONGEST_STEP) -> None:
        self.cancelled = cancelled
        self.longest_step = longest_step

    def check(self) -> None:
        """Raise Cancelled if the job was."""
        if self.cancelled():
            raise Cancelled

    def deadline(self, doing: str) -> Callable[[], None]:
        """What to call while waiting: raises Cancelled, or StuckError once a step takes too long."""
        until = time.monotonic() + self.longest_step

        def check() -> None:
            self.check()
            if time.monotonic() > until:
                raise StuckError(f"{doing} took longer than {self.longest_step:.0f} seconds; the job was given up.")

        return check


class _Source(Protocol):
    def frame(self, index: int, /) -> Any: ...


class Ahead:
    """Frames by index, decoded ahead on a thread of their own while they are asked for in order.

    Frames out of order are served by the same thread and do not disturb those ahead. The decoder is opened, used and
    closed by that thread alone. Any thread may ask. Beside the frames asked for, AHEAD + 1 are held.
    """

    def __init__(
        self,
        opened: Callable[[], AbstractContextManager[_Source]],
        *,
        name: str,
        length: int,
        width: int,
        height: int,
        gate: Gate,
    ) -> None:
        self.width = width
        self.height = height
        self.whole_chroma = False
        """Whether each pixel has a colour of its own (see FootageReader); known once entered."""
        self._opened = opened
        self._name = name
        self._length = length
        self._gate = gate
        self._changed = threading.Condition()
        self._ready: dict[int, Any] = {}
        self._asked: list[int] = []
        self._in_line = 0
        self._error: BaseException | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=f"recam {name}", daemon=True)

    def __enter__(self) -> Self:
        """Start, and wait for the first frame: what cannot be read is known before anything is drawn."""
        self._thread.start()
        try:
            self.frame(0)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def frame(self, index: int) -> Any:
        """The frame of this timeline index, shape (height, width, ...). Do not write to it."""
        check = self._gate.deadline(f"Reading one frame of the {self._name}")
        with self._changed:
            if index == self._in_line + 1:
                self._in_line = index
            self._asked.append(index)
            self._changed.notify_all()
            try:
                while index not in self._ready:
                    if self._error is not None:
                        raise self._error
                    check()
                    self._changed.wait(_POLL)
                return self._ready[index]
            finally:
                self._asked.remove(index)

    def _stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(_FAREWELL)

    def _run(self) -> None:
        try:
            with self._opened() as source:
                self.whole_chroma = getattr(source, "whole_chroma", False)
                while (index := self._next()) is not None:
                    frame = source.frame(index)
                    self._check_size(frame, index)
                    with self._changed:
                        self._ready[index] = frame
                        self._changed.notify_all()
        except BaseException as error:  # handed to the thread that asks
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _check_size(self, frame: Any, index: int) -> None:
        height, width = frame.shape[:2]
        if (width, height) != (self.width, self.height):
            raise FootageError(
                f"Frame {index} of the {self._name} is {width}x{height}, but the job says {self.width}x{self.height}."
            )

    def _next(self) -> int | None:
        """The index to decode next, once there is one; nothing when it is over."""
        with self._changed:
            while not self._stopped:
                last = min(self._in_line + AHEAD, self._length - 1)
                wanted = [*self._asked, *range(self._in_line, last + 1)]
                self._ready = {index: self._ready[index] for index in self._ready if index in wanted}
                for index in wanted:
                    if index not in self._ready:
                        return index
                self._changed.wait()
        return None


class Encoder:
    """Writes frames behind the engine's back. Leaving it before :meth:`finish` takes away what was written."""

    def __init__(self, output: Output, gate: Gate, *, whole_chroma: bool = False) -> None:
        self._output = output
        self._whole_chroma = whole_chroma
        self._gate = gate
        self._frames: queue.Queue[Frame | None] = queue.Queue(BEHIND)
        self._aborted = threading.Event()
        self._done = threading.Event()
        self._error: BaseException | None = None
        self._taken: Taken | None = None
        self._written = 0
        self._thread = threading.Thread(target=self._run, name="recam encoder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._aborted.set()
        # Part files are gone when the thread is: a cancel that returns has left nothing behind.
        self._thread.join(_FAREWELL)
        if error is not None and self._taken is not None:
            remove(self._taken.path, self._taken.mask_path)

    def put(self, frame: Frame) -> None:
        """Hand over a frame; waits while too many are waiting already. Raises what went wrong with earlier ones."""
        self._put(frame)

    def finish(self, report: Callable[[int], None]) -> Taken:
        """Wait for the last frame, telling how many are written; what was made then bears its final name."""
        self._put(None)
        written = -1
        check = self._gate.deadline("Writing one frame")
        while not self._done.wait(_POLL):
            if self._written != written:
                written = self._written
                check = self._gate.deadline("Writing one frame")
                report(written)
            check()
        if self._error is not None:
            raise self._error
        assert self._taken is not None
        report(self._written)
        return self._taken

    def _put(self, frame: Frame | None) -> None:
        check = self._gate.deadline("Writing one frame")
        while True:
            if self._error is not None:
                raise self._error
            check()
            try:
                self._frames.put(frame, timeout=_POLL)
            except queue.Full:
                continue
            return

    def _run(self) -> None:
        try:
            self._taken = self._write_all()
        except BaseException as error:  # handed to the thread that waits
            self._error = error
        finally:
            self._done.set()

    def _write_all(self) -> Taken:
        frame = self._get()
        if frame is None:
            raise ValueError("no frame to write")
        shares = []
        alpha_dropped = False
        kind: dict[str, Any] = {
            "has_alpha": frame.image.shape[2] == 4,
            "bit_depth": 8 * frame.image.dtype.itemsize,
            "whole_chroma": self._whole_chroma,
        }
        with open_take(self._output, **kind) as take:
            while frame is not None:
                take.write(frame.image)
                alpha_dropped = alpha_dropped or (not keeps_alpha(self._output.format) and _is_transparent(frame.image))
                if self._output.mask:
                    take.write_mask(frame.invented)
                shares.append(float(frame.invented.mean()) / 255.0)
                self._written += 1
                frame = self._get()
        mask = str(take.mask_path) if self._output.mask else ""
        return Taken(str(take.path), mask, sum(shares) / len(shares), max(shares), alpha_dropped)

    def _get(self) -> Frame | None:
        while not self._aborted.is_set():
            try:
                return self._frames.get(timeout=_POLL)
            except queue.Empty:
                continue
        raise Cancelled


def _is_transparent(image: Image) -> bool:
    """Whether any pixel is. An alpha that is white all over, as of most renders, is no loss."""
    return image.shape[2] == 4 and int(image[..., 3].min()) < np.iinfo(image.dtype).max


def remove(*paths: str) -> None:
    """Take away a take and its mask, which this process has just made."""
    for path in filter(None, paths):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
