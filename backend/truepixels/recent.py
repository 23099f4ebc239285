"""Frames that were just read, kept: what reads a clip twice in step reads its files once."""

from __future__ import annotations

from typing import Any

_KEPT = 4  # frames: the engine that draws what was filmed is this many ahead at most


class Recent:
    """A source of frames, depth or confidence that remembers the last few that were asked for."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._kept: dict[int, Any] = {}

    def frame(self, index: int, /) -> Any:
        """The source's."""
        if index not in self._kept:
            self._kept[index] = self._source.frame(index)
            while len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        return self._kept[index]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)
