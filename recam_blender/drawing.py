"""What panels and preferences share: paragraphs, and bars with a button to cancel."""

from __future__ import annotations

import textwrap

import bpy

from . import tasks

# The default font's usual width, for wrapping sentences at a region's edge.
_POINTS_PER_CHARACTER = 6.5

ICONS = {"done": "CHECKMARK", "cancelled": "CANCEL", "failed": "ERROR"}
"""Of how a task ended."""


def paragraph(context: bpy.types.Context, layout: bpy.types.UILayout, text: str, icon: str = "NONE") -> None:
    """Sentences, wrapped where the region ends; a line of its own where there is a line break."""
    scale = context.preferences.system.ui_scale
    wrapped(layout, text, max(20, int(context.region.width / (_POINTS_PER_CHARACTER * scale)) - 6), icon)


def wrapped(layout: bpy.types.UILayout, text: str, characters: int, icon: str = "NONE") -> None:
    """The same, with that many characters a line."""
    column = layout.column(align=True)
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, characters)]
    after = "NONE" if icon == "NONE" else "BLANK1"
    for index, line in enumerate(lines):
        column.label(text=line, icon=icon if index == 0 else after)


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
