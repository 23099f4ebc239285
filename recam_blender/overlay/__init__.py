"""What is drawn over the 3D view and the sequencer: paths, frusta, the forecast's bar, the picture of this moment.

Others tell it what to draw by the functions below. Nothing of it is saved, and nothing is drawn into renders.
"""

from __future__ import annotations

from typing import Any

import bpy

from . import draw, pens, picture, state, strip_bar
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

_drawn: list[tuple[Any, Any]] = []
"""The kinds of editors that something is drawn in, and what takes it away."""


def register() -> None:
    """Draw from now on, where there is a window to draw in."""
    bpy.app.handlers.load_post.append(state.after_load)
    if bpy.app.background:
        return
    view, edit = bpy.types.SpaceView3D, bpy.types.SpaceSequenceEditor
    for space, function, stage in (
        (view, draw.lines, "POST_VIEW"),
        (view, picture.draw, "POST_PIXEL"),
        (view, draw.words, "POST_PIXEL"),
        (edit, strip_bar.draw, "POST_PIXEL"),
    ):
        _drawn.append((space, space.draw_handler_add(function, (), "WINDOW", stage)))


def unregister() -> None:
    """Leave nothing drawn, and nothing on the graphics card."""
    while _drawn:
        space, handle = _drawn.pop()
        space.draw_handler_remove(handle, "WINDOW")
    if state.after_load in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.remove(state.after_load)
    state.clear()
    draw.forget()
    strip_bar.forget()
    pens.forget()
    redraw("VIEW_3D", "SEQUENCE_EDITOR")
