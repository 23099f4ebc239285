"""What the table of troubles is made of. Standard library only."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A trouble: one reason, or several that are helped alike.

    Attributes:
        title: its heading on the page.
        text: what it means and what to do, where the messages do not say all; Markdown.
        messages: all that can be shown, as templates: an ellipsis stands for what differs.
    """

    title: str
    text: str
    messages: tuple[str, ...]

    @property
    def anchor(self) -> str:
        """Of its heading, as the common makers of HTML from Markdown name it."""
        return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", self.title.lower()))


@dataclass(frozen=True)
class Group:
    """The troubles of one kind of work.

    Attributes:
        title: its heading on the page.
        text: what goes for all of them; Markdown.
        entries: the most frequent first.
    """

    title: str
    text: str
    entries: tuple[Entry, ...]
