"""Texts that are put together, in the user's language. No bpy here: registration brings Blender's translator."""

from __future__ import annotations

from collections.abc import Callable

_translate: Callable[[str], str] = str


def tr(text: str) -> str:
    """A text, or a template for ``str.format``, in the user's language; as it stands where none is known."""
    return _translate(text)


def use(translate: Callable[[str], str]) -> None:
    """Translate by this from now on."""
    global _translate
    _translate = translate
