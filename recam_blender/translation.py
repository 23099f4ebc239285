"""The translations of ReCam's texts: told to Blender, which then shows them in the user's language.

Each is a file of gettext's, ``translations/<locale>.po``; docs/development.md says how one is made.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

from . import texts

CLASSES: tuple[Any, ...] = ()

FOLDER = Path(__file__).parent / "translations"

# Blender looks buttons of operators up in a context of their own, and all else in the default one.
_CONTEXTS = ("*", "Operator")

_LINE = re.compile(r'(?:(msgid|msgstr)\s+)?(".*")')


def register() -> None:
    """Give Blender the translations that there are, and translate by it."""
    bpy.app.translations.register(__package__, catalogues(FOLDER))
    texts.use(bpy.app.translations.pgettext_iface)


def unregister() -> None:
    """Take them back."""
    texts.use(str)
    bpy.app.translations.unregister(__package__)


def catalogues(folder: Path) -> dict[str, dict[tuple[str, str], str]]:
    """What ``bpy.app.translations.register`` takes: by locale, by context and English text, the translation."""
    return {
        path.stem: {(context, text): told for text, told in read(path).items() for context in _CONTEXTS}
        for path in sorted(folder.glob("*.po"))
    }


def read(path: Path) -> dict[str, str]:
    """The translations in a .po file, by the English text. What is fuzzy or not translated yet is left out."""
    entries = path.read_text(encoding="utf-8").split("\n\n")
    return {text: told for text, told, fuzzy in map(_entry, entries) if text and told and not fuzzy}


def _entry(block: str) -> tuple[str, str, bool]:
    said = {"msgid": "", "msgstr": ""}
    field = "msgid"
    for name, text in _strings(block):
        field = name or field
        said[field] += text
    return said["msgid"], said["msgstr"], bool(re.search(r"^#,.*\bfuzzy\b", block, re.MULTILINE))


def _strings(block: str) -> Iterator[tuple[str, str]]:
    for line in block.splitlines():
        if found := _LINE.fullmatch(line.strip()):
            yield found[1] or "", ast.literal_eval(found[2])  # gettext's escapes are Python's
