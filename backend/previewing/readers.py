"""Footage that stays open between looks at it, so that whoever scrubs does not wait for a file to be opened."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator

from ..contract import Footage
from ..media.movie import Picture
from ..media.reader import FootageReader, open_footage

MOST = 3
"""Movies that are open at once: an edit is cut back and forth between a few."""

IDLE = 30.0
"""Seconds after which a movie that nobody looks at is closed. On Windows nobody can replace a file while it is open."""

_Key = tuple[str, int, int, int, int]


class Readers:
    """Movies that were looked at last, open. Any thread may ask, one at a time."""

    def __init__(self, most: int = MOST, idle: float = IDLE) -> None:
        self._most, self._idle = most, idle
        self._open: OrderedDict[_Key, FootageReader] = OrderedDict()
        self._lock = threading.Lock()
        self._used = 0.0
        self._watch: threading.Thread | None = None

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def picture(self, footage: Footage) -> Picture:
        """What the footage's first timeline frame shows, as :meth:`.FootageReader.frame` gives it.

        Raises:
            FootageError: as there; what was open of that footage is closed.
        """
        if footage.kind == "images":
            with open_footage(footage) as reader:
                return reader.frame(0)
        with self._lock, self._reader(footage) as reader:
            return reader.shown(footage.frames[0])

    def close(self) -> None:
        """Close all."""
        with self._lock:
            self._close()

    @contextlib.contextmanager
    def _reader(self, footage: Footage) -> Iterator[FootageReader]:
        key = _key(footage)
        reader = self._open.pop(key, None)
        if reader is None:
            self._drop(footage.files[0])
            reader = open_footage(footage)
        try:
            yield reader
        except BaseException:
            reader.close()
            raise
        self._open[key] = reader
        while len(self._open) > self._most:
            self._open.popitem(last=False)[1].close()
        self._begin_watch()

    def _drop(self, path: str) -> None:
        """Close what the file held before it was changed."""
        for key in [each for each in self._open if each[0] == path]:
            self._open.pop(key).close()

    def _close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def _begin_watch(self) -> None:
        self._used = time.monotonic()
        if self._watch is None:
            self._watch = threading.Thread(target=self._close_when_idle, name="recam idle footage", daemon=True)
            self._watch.start()

    def _close_when_idle(self) -> None:
        while True:
            time.sleep(max(self._used + self._idle - time.monotonic(), 0.01))
            with self._lock:
                if time.monotonic() - self._used >= self._idle:
                    self._close()
                    self._watch = None
                    return


def _key(footage: Footage) -> _Key:
    path = footage.files[0]
    try:
        found = os.stat(path)
    except OSError:  # what opens the file says so better
        return path, -1, -1, footage.width, footage.height
    return path, found.st_size, found.st_mtime_ns, footage.width, footage.height
