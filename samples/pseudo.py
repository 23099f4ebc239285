"""A language that nobody speaks, 1.4 times as long as English.

It shows which texts are not translated, and which labels are cut off once they are.

"Re-shoot" is "[Rê-shôôt ôw]". Fields of templates stay as they are. ``register()``, in Blender, makes it the
language of ``LOCALE``, which is then chosen in the preferences as any other.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Iterable

from . import texts

LOCALE = "eo"
"""A language of Blender's whose letters are latin, and into which nobody translates ReCam."""

LONGER = 1.4

_ACCENTS = str.maketrans("aeiouyAEIOUY", "âêîôûŷÂÊÎÔÛŶ")
_FIELD = re.compile(r"(\{[^{}]*\})")
_FILLER = " ôw lâ wêît mô"


def pseudo(text: str) -> str:
    """The text in that language. Blanks at its ends stay there."""
    inner = text.strip()
    if not any(letter in string.ascii_letters for letter in inner):
        return text
    said = inner.replace("…", "")  # Blender writes one where it cuts a text off: nothing else shall
    plain = len(_FIELD.sub("", said))
    lacking = math.ceil(plain * LONGER) - plain - 1  # two brackets are as wide as one letter
    filler = (_FILLER * (lacking // len(_FILLER) + 1))[: max(0, lacking)]
    accented = "".join(part if _FIELD.fullmatch(part) else part.translate(_ACCENTS) for part in _FIELD.split(said))
    return text.replace(inner, f"[{accented}{filler}]", 1)


def translations(found: Iterable[str]) -> dict[str, dict[tuple[str, str], str]]:
    """What ``bpy.app.translations.register`` takes."""
    told = {(context, text): pseudo(text) for text in found for context in ("*", "Operator")}
    return {LOCALE: told}


def register() -> None:
    """Make it known to Blender, and speak it. Texts that Blender itself has a translation for stay Blender's."""
    import bpy

    bpy.app.translations.register(__name__, translations(texts.collect().places))
    view = bpy.context.preferences.view
    view.language = LOCALE
    view.use_translate_interface = view.use_translate_tooltips = view.use_translate_reports = True


def unregister() -> None:
    """Take it back, and speak English."""
    import bpy

    bpy.context.preferences.view.language = "en_US"
    bpy.app.translations.unregister(__name__)
