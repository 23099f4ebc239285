"""The catalogue as tables: for a terminal, and for docs/models.md. Standard library only.

python -m backend.models.tables docs/models.md      write the table there anew
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..progress import size
from .catalogue import CATALOGUE, Entry

BEGIN, END = "<!-- the catalogue: begin -->\n", "<!-- the catalogue: end -->\n"
"""What the table stands between in a document."""

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


def written_into(text: str) -> str:
    """A document with the table as it is now. Raises ValueError where the two marks are not in it, each once."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"the marks {BEGIN.strip()!r} and {END.strip()!r} must be there, each once")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}{in_markdown()}{END}{rest.partition(END)[2]}"


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


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_bytes(written_into(document.read_text(encoding="utf-8")).encode())
