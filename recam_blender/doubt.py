"""What a doubt is."""

from __future__ import annotations

from dataclasses import dataclass

from .needs import Button


@dataclass(frozen=True)
class Doubt:
    """One of them.

    Attributes:
        text: a sentence, in the user's language.
        icon: ERROR for what is likely a mistake, INFO for what is good to know.
        button: that puts it right; None where nothing in ReCam does.
        topic: of explanations.py; empty where the sentence says it all.
    """

    text: str
    icon: str = "ERROR"
    button: Button | None = None
    topic: str = ""
