"""The catalogue as tables: for a terminal, and for docs/models.md. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..progress import size
from .catalogue import CATALOGUE, Entry

_HEAD = ("id", "state", "size", "licence", "what it is")


def in_words(states: Mapping[str, str]) -> str:
    """Lines for a terminal: each model with how it stands.

    Args:
        states: by ids, as Library.status tells them.
    """
    rows = [_HEAD, *((each.id, states[each.id], _size(each), _licence(each), each.title) for each in CATALOGUE)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join(_line(row, widths) for row in rows)


def in_markdown() -> str:
    """The table of docs/models.md, and below it what is to be known of licences."""
    rows = [
        ("id", "what it is and is for", "size", "licence", "from"),
        ("---",) * 5,
        *(_row(each) for each in CATALOGUE),
    ]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    notes = _notes(each for each in CATALOGUE if each.commercial is not True)
    return f"{table}\n{notes}"


def _line(row: Iterable[str], widths: Iterable[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"


def _size(entry: Entry) -> str:
    return f"{'' if entry.is_exact else 'about '}{size(entry.size)}"


def _row(entry: Entry) -> tuple[str, ...]:
    mark = " (in `default`)" if entry.default else ""
    revision = f"`{entry.revision[:10]}`" if entry.is_pinned else "the newest revision, unpinned"
    files = "<br>".join(f"`{each.path}`" for each in entry.files[:3])
    more = f"<br>and {len(entry.files) - 3} more" if len(entry.files) > 3 else ""
    source = f"[{entry.repository}]({entry.page}), {revision}<br>{files}{more}"
    return f"`{entry.id}`{mark}", f"{entry.title}. {entry.purpose}", _size(entry), _licence(entry), source


def _licence(entry: Entry) -> str:
    return f"{entry.licence}: not for commercial use" if entry.commercial is False else entry.licence


def _notes(entries: Iterable[Entry]) -> str:
    return "".join(f"- `{each.id}`: {each.licence}. {each.licence_note}\n" for each in entries)
