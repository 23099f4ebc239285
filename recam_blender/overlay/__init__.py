"""What is drawn over the 3D view and the sequencer: paths, frusta, the forecast's bar, the picture of this moment.

Others tell it what to draw by the functions below. Nothing of it is saved, and nothing is drawn into renders.
"""

from __future__ import annotations

from typing import Any

import bpy

from . import draw, pens, picture, regions, state, strip_bar
from .state import (
    Picture,
    Shares,
    clear,
    forecast,
    forecasts,
    hide_forecast,
    hide_picture,
    redraw,
    show_forecast,
    show_picture,
)

__all__ = [
    "CLASSES",
    "Picture",
    "Shares",
    "clear",
    "forecast",
    "forecasts",
    "hide_forecast",
    "hide_picture",
    "redraw",
    "register",
    "show_forecast",
    "show_picture",
    "unregister",
]

CLASSES: tuple[Any, ...] = ()

_drawn: list[tuple[Any, str, Any]] = []
"""The kinds of editors and of their regions that something is drawn in, and what takes it away."""


def register() -> None:
    """Draw from now on, where there is a window to draw in."""
    bpy.app.handlers.load_post.append(state.after_load)
    if bpy.app.background:
        return
    view, edit = bpy.types.SpaceView3D, bpy.types.SpaceSequenceEditor
    for space, function, region, stage in (
        (view, draw.lines, "WINDOW", "POST_VIEW"),
        (view, picture.draw, "WINDOW", "POST_PIXEL"),
        (view, regions.draw_view, "WINDOW", "POST_PIXEL"),
        (view, draw.words, "WINDOW", "POST_PIXEL"),
        (edit, strip_bar.draw, "WINDOW", "POST_PIXEL"),
        (edit, regions.draw_preview, "PREVIEW", "POST_PIXEL"),
    ):
        _drawn.append((space, region, space.draw_handler_add(function, (), region, stage)))


def unregister() -> None:
    """Leave nothing drawn, and nothing on the graphics card."""
    while _drawn:
        space, region, handle = _drawn.pop()
        space.draw_handler_remove(handle, region)
    if state.after_load in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.remove(state.after_load)
    state.clear()
    draw.forget()
    strip_bar.forget()
    pens.forget()
    redraw("VIEW_3D", "SEQUENCE_EDITOR")
