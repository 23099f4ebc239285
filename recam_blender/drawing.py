"""What panels and preferences share: paragraphs, and bars with a button to cancel."""

from __future__ import annotations

import functools
import re
import textwrap
from typing import Any

import blf
import bpy

from . import tasks
from .needs import Button
from .texts import tr

# What a panel keeps for itself of its region's width, in pixels at a scale of 1: margins, tabs, a label's own padding.
_EDGES, _ICON, _BOX = 66, 26, 6
_NARROWEST = 60
# Lines of a sentence stand closer than rows of buttons.
_DENSE = 0.8
# Of the width, what a button beside a text may take; a wider one stands below.
_BESIDE = 0.4
# A button is so much wider than what stands on it, and a unit of Blender's layouts so wide.
_PADDING, _UNIT = 22, 20
# Between the two parts of a split row.
_GAP = 10
# What is left of a region's width for all that stands in a row of a box.
_AROUND = 64

_PARTS = re.compile(
    r"[0-9][0-9.,]* (?:mm|cm|m|fps|min|s|h|%)(?![A-Za-z])[.,:;]?"
    r"|[\u3000-\u9fff\uac00-\ud7a3\uff00-\uffef]|[^ \u3000-\u9fff\uac00-\ud7a3\uff00-\uffef]+| +"
)
"""What a line may be broken between: words, numbers with their units, the letters of scripts that have no blanks."""

ICONS = {"done": "CHECKMARK", "cancelled": "CANCEL", "failed": "ERROR"}
"""Of how a task ended."""


def paragraph(
    context: bpy.types.Context, layout: bpy.types.UILayout, text: str, icon: str = "NONE", *, boxed: bool = False
) -> None:
    """Sentences, wrapped where the region ends; a line of its own where there is a line break.

    Args:
        context: whose region it is.
        layout: where they go.
        text: in the user's language.
        icon: before the first line.
        boxed: the layout is in a box, which takes some of the width.
    """
    _lines(layout, _fitted(context, text, _room(context, icon=icon != "NONE", boxed=boxed)), icon)


def advice(
    context: bpy.types.Context,
    layout: bpy.types.UILayout,
    text: str,
    icon: str,
    button: Button | None = None,
    topic: str = "",
) -> None:
    """A line in a box that says what is the matter, with the button that helps and one that explains.

    The buttons stand beside it where there is room, and a wide one below.
    """
    scale = context.preferences.system.ui_scale
    room = _room(context, icon=True, boxed=True)
    wide = width(_label(button), scale) + _PADDING * scale if button else 0.0
    beside = button is not None and wide <= _BESIDE * room
    taken = (wide if beside else 0.0) + (_UNIT * scale if topic else 0.0)
    gap = _GAP * scale if taken else 0.0
    # Rows share their width out by what stands in them, and would cut the button off.
    inside = context.region.width - _AROUND * scale
    row = layout.split(factor=1 - (taken + gap / 2) / inside) if taken else layout.row()
    _lines(row.column(align=True), _fitted(context, text, room - taken - gap), icon)
    if beside or topic:
        right = row.row(align=True)
        if button is not None and beside:
            press(right, button)
        else:
            right.alignment = "RIGHT"
        if topic:
            right.operator("recam.explain", text="", icon="QUESTION", emboss=False).topic = topic
    if button is not None and not beside:
        row = layout.row()
        row.label(text="", icon="BLANK1")
        press(row, button)


def press(layout: bpy.types.UILayout, button: Button) -> None:
    """The button that helps."""
    properties = layout.operator(button.operator, text=_label(button), icon=button.icon, translate=False)
    for name, value in button.options.items():
        setattr(properties, name, value)


def _label(button: Button) -> str:
    return tr(button.label) if button.label else ""


def wrapped(layout: bpy.types.UILayout, text: str, characters: int, icon: str = "NONE") -> None:
    """A paragraph with that many characters a line."""
    _lines(
        layout.column(align=True),
        [part for line in text.splitlines() for part in textwrap.wrap(line, characters)],
        icon,
    )


def bar(layout: bpy.types.UILayout, share: float, words: str, cancel: str) -> None:
    """How far something is, and the operator that cancels it."""
    row = layout.row(align=True)
    row.progress(factor=share, text=words)
    row.operator(cancel, text="", icon="X")


def task(context: bpy.types.Context, layout: bpy.types.UILayout, running: tasks.Task, cancel: str) -> None:
    """What is under way in the background. What it says of itself is longer than a sidebar's bar is wide."""
    layout.label(text=running.title)
    bar(layout, running.share, f"{running.share:.0%}" if running.progress.total > 1 else "", cancel)
    paragraph(context, layout, running.words)


def width(text: str, scale: float) -> float:
    """How wide a label is drawn at this scale of the interface, pixels."""
    return _width(text, _size(scale))


def fit(text: str, pixels: float, scale: float) -> list[str]:
    """A text in lines that are no wider, as far as its words allow, at this scale of the interface."""
    return list(_fit(text, int(pixels), _size(scale)))


def _size(scale: float) -> float:
    size: float = bpy.context.preferences.ui_styles[0].widget.points * scale
    return size


def _lines(layout: bpy.types.UILayout, lines: list[str], icon: str) -> None:
    column = layout.column(align=True)
    if len(lines) > 1:
        column.scale_y = _DENSE
    after = "NONE" if icon == "NONE" else "BLANK1"
    for index, line in enumerate(lines):
        # Translated already, and shown as it stands.
        column.label(text=line, icon=icon if index == 0 else after, translate=False)


def _fitted(context: bpy.types.Context, text: str, room: float) -> list[str]:
    scale = context.preferences.system.ui_scale
    return fit(text, max(room, _NARROWEST * scale), scale)


def _room(context: bpy.types.Context, *, icon: bool, boxed: bool) -> float:
    taken = _EDGES + (_ICON if icon else 0) + (_BOX if boxed else 0)
    room: Any = context.region.width - taken * context.preferences.system.ui_scale
    return float(room)


# Panels are drawn again and again, with the same texts.
@functools.lru_cache(maxsize=512)
def _fit(text: str, pixels: int, size: float) -> tuple[str, ...]:
    lines = []
    for paragraph in text.splitlines():
        line = ""
        for part in _PARTS.findall(paragraph):
            if line and _width((line + part).rstrip(), size) > pixels:
                lines.append(line.rstrip())
                line = ""
            line = (line + part).lstrip() if not line else line + part
            while _width(line.rstrip(), size) > pixels and len(line) > 1:
                # One word that is wider than all the room, as paths are.
                cut = next(
                    each for each in range(len(line) - 1, 0, -1) if each == 1 or _width(line[:each], size) <= pixels
                )
                lines.append(line[:cut])
                line = line[cut:]
        if line.strip():
            lines.append(line.rstrip())
    return tuple(lines)


def _width(text: str, size: float) -> float:
    blf.size(0, size)
    wide: float = blf.dimensions(0, text)[0]
    return wide
