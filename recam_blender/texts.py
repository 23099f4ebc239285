"""Texts that are put together, in the user's language. No bpy here: translation.py brings Blender's translator.

Blender translates by itself what it is given as it stands: labels, tooltips, names of properties, ``text="…"`` of a
layout. What is put together goes through :func:`tr`, as a template and before its values are filled in::

    tr("{count} frames, {rate:g} fps").format(count=81, rate=24)

A script collects the texts for translators by reading the sources (samples/texts.py), so these functions are called
with literals; ``tr(name)`` is for a text that was marked by :func:`later`.
"""

from __future__ import annotations

from collections.abc import Callable

_translate: Callable[[str], str] = str


def tr(text: str) -> str:
    """A text, or a template for ``str.format``, in the user's language; as it stands where none is known."""
    return _translate(text)


def plural(count: int, one: str, many: str) -> str:
    """The template for that many, in the user's language: ``one`` for 1, else ``many``."""
    return tr(one if count == 1 else many)


def later(text: str) -> str:
    """The text as it stands. Marks a constant for translators; ``tr`` or Blender translates it when it is shown."""
    return text


def listed(parts: list[str]) -> str:
    """Parts as a sentence lists them: "one, two and three"."""
    if len(parts) < 2:
        return "".join(parts)
    return tr("{parts} and {last}").format(parts=", ".join(parts[:-1]), last=parts[-1])


def use(translate: Callable[[str], str]) -> None:
    """Translate by this from now on."""
    global _translate
    _translate = translate
