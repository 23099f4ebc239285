"""What a take is for, in the sidebars and in the dialogs of the menus: the choice, and the settings that it has."""

from __future__ import annotations

from typing import Any

import bpy

from ..backend import contract
from ..backend.cameras.uses import outpaint
from . import drawing, watching
from .request import GENERATES, size_of_take
from .texts import tr
from .use_words import STRENGTHS


def draw_use(context: bpy.types.Context, layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    """The use, and what it asks for."""
    column = layout.column()
    column.prop(scene.recam, "use")
    draw_settings(column, scene)
    if scene.recam.use == "outpaint" and scene.recam.use_outpaint_by == "frame":
        _frame(context, column, scene)


def draw_settings(column: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    """The settings of the use that is chosen, alone."""
    settings = scene.recam
    draw = _SETTINGS.get(settings.use)
    if draw is not None:
        draw(column, settings)


def makes_path(settings: Any) -> bool:
    """Whether the use that is chosen makes the take's path from the source camera's."""
    return contract.Use(kind=settings.use).makes_target


def why_no_camera(settings: Any) -> str:
    """Why the target camera counts for so little, where it does."""
    if settings.source_camera is None:
        return tr("The path is made from the footage's own camera, which starts where this one does.")
    return tr("The path is made from the source camera's: of this one, only the lens may count.")


def _stabilise(column: bpy.types.UILayout, settings: Any) -> None:
    column.prop(settings, "use_strength", text="Smoothing (s)")
    row = column.row(align=True)
    for seconds, name in STRENGTHS:
        chosen = abs(settings.use_strength - seconds) < 1e-3
        row.operator("recam.use_strength", text=name, depress=chosen).seconds = seconds


def _lock(column: bpy.types.UILayout, settings: Any) -> None:
    _at_frame(column, settings)


def _closer(column: bpy.types.UILayout, settings: Any) -> None:
    column.prop(settings, "use_closer_by")
    column.prop(settings, "use_hold", text="Hold at End")
    column.operator("recam.choose_region", icon="SELECT_SET")
    part = column.column(align=True)
    part.prop(settings, "use_region_x", text="Part Left")
    part.prop(settings, "use_region_y", text="Top")
    part.prop(settings, "use_region_width", text="Width")
    part.prop(settings, "use_region_height", text="Height")


def _outpaint(column: bpy.types.UILayout, settings: Any) -> None:
    column.prop(settings, "use_outpaint_by")
    column.prop(settings, "use_factor")
    if settings.use_outpaint_by == "frame" or settings.engine in GENERATES:
        column.prop(settings, "use_keep")


def _freeze(column: bpy.types.UILayout, settings: Any) -> None:
    _at_frame(column, settings)
    column.prop(settings, "use_hold", text="Hold (Frames)")
    column.prop(settings, "use_ease", text="Ease (Frames)")


def _at_frame(column: bpy.types.UILayout, settings: Any) -> None:
    row = column.row(align=True)
    row.prop(settings, "use_at")
    row.operator("recam.use_current_frame", text="", icon="TIME")


_SETTINGS = {"stabilise": _stabilise, "lock": _lock, "closer": _closer, "outpaint": _outpaint, "freeze": _freeze}


def _frame(context: bpy.types.Context, column: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    """Where in the take's frame the footage will lie."""
    seen = watching.look(scene)
    if seen is None or not all(seen.size):
        return
    asked = size_of_take(scene)
    output = asked if all(asked) else seen.size
    inside = outpaint.inside(
        contract.Use(kind="outpaint", by="frame", factor=scene.recam.use_factor), seen.size, output
    )
    if (inside.width, inside.height) == seen.size:
        text = tr("Take of {take}, with the footage in its middle as it is, {size}.")
    else:
        text = tr("Take of {take}, with the footage in its middle at {size}.")
    take, size = (_size(*each) for each in (output, (inside.width, inside.height)))
    drawing.paragraph(context, column, text.format(take=take, size=size), "INFO")


def _size(width: int, height: int) -> str:
    """As one word, which no line is broken in."""
    return f"{width}\u00a0x\u00a0{height}"


CLASSES: tuple[Any, ...] = ()
