"""All messages that ReCam shows when something is in the way, with what they mean and what to do.

One table for the panel, which may offer help beside a message (:func:`find`), and for docs/troubleshooting.md, which
``python -m samples.troubles`` writes from it. Tests hold it against the sources: a message that is not here fails them.
Standard library only.
"""

from __future__ import annotations

import functools

from . import (
    cameras,
    depth,
    doubts,
    estimates,
    footage,
    installing,
    models,
    notes,
    settings,
    shell,
    solving,
    takes,
    trajectories,
    uses,
)
from .entry import Entry, Group

__all__ = ["GROUPS", "PAGE", "Entry", "Group", "find"]

GROUPS: tuple[Group, ...] = (
    installing.GROUP,
    footage.GROUP,
    cameras.GROUP,
    trajectories.GROUP,
    solving.GROUP,
    depth.GROUP,
    estimates.GROUP,
    models.GROUP,
    settings.GROUP,
    doubts.GROUP,
    takes.GROUP,
    shell.GROUP,
    notes.GROUP,
    uses.GROUP,
)

PAGE = "docs/troubleshooting.md"
"""Where they are read; an entry's ``anchor`` is its place there."""

# Of a template, the fewest letters and blanks beside its fields that tell it from any other text.
_FEWEST = 8


@functools.lru_cache(maxsize=128)
def find(text: str) -> Entry | None:
    """The entry that a message, as it was shown, belongs to; None where there is none. Quick: a redraw may ask.

    Of several templates that a text fits, the one counts that is most of it.
    """
    shown = " ".join(text.split())
    best, found = _FEWEST - 1, None
    for length, pieces, entry in _templates():
        if length > best and _fits(pieces, shown):
            best, found = length, entry
    return found


@functools.cache
def _templates() -> list[tuple[int, tuple[str, ...], Entry]]:
    """How much of each template stands fast, the parts of it that do, and its entry."""
    made = []
    for group in GROUPS:
        for entry in group.entries:
            for message in entry.messages:
                pieces = tuple(filter(None, (" ".join(part.split()) for part in message.split("…"))))
                made.append((sum(map(len, pieces)), pieces, entry))
    return made


def _fits(pieces: tuple[str, ...], shown: str) -> bool:
    place = 0
    for piece in pieces:
        place = shown.find(piece, place)
        if place < 0:
            return False
        place += len(piece)
    return True
