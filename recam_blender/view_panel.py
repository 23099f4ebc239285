"""The 3D view's sidebar: the camera, what it amounts to, and the ways to see it before a take is made."""

from __future__ import annotations

from typing import Any

import bpy

from . import backgrounds, compat, doubts, drawing, live, panel
from .fixes import edit_of
from .live import RECAM_OT_live_preview
from .moves.menu import RECAM_MT_moves


class _InView:
    """A panel of this sidebar."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "ReCam"

    layout: Any


class RECAM_PT_view(_InView, bpy.types.Panel):
    bl_label = "ReCam"

    def draw(self, context: bpy.types.Context) -> None:
        """From the camera down to the button."""
        layout = self.layout
        edit = edit_of(context)
        if edit is None or not compat.strips_all(edit):
            drawing.paragraph(context, layout, doubts.no_footage(), "INFO")
            layout.menu(RECAM_MT_moves.__name__, icon="VIEW_CAMERA")
            return
        column = layout.column(align=True)
        column.label(text="Camera")
        panel.draw_camera(column, edit, text="")
        layout.menu(RECAM_MT_moves.__name__, icon="VIEW_CAMERA")
        column = layout.column(align=True)
        column.operator("recam.see_through", icon="IMAGE_BACKGROUND")
        if backgrounds.seen_through():
            column.operator("recam.see_through_stop", icon="X")
        column.operator(RECAM_OT_live_preview.bl_idname, icon="SHADING_RENDERED", depress=live.enabled(edit))
        panel.draw_understood(context, layout, edit)
        panel.draw_button(context, layout, edit)


class RECAM_PT_view_overlay(_InView, bpy.types.Panel):
    bl_label = "Overlay"
    bl_parent_id = "RECAM_PT_view"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Where there is something to draw."""
        edit = edit_of(context)
        return edit is not None and bool(compat.strips_all(edit))

    def draw(self, context: bpy.types.Context) -> None:
        """What is drawn over the view."""
        edit = edit_of(context)
        if edit is None:
            return
        settings, layout = edit.recam, self.layout
        column = layout.column(align=True)
        column.prop(settings, "keep_forecast")
        column = layout.column(align=True)
        column.prop(settings, "show_path")
        column.prop(settings, "show_frusta")
        column.prop(settings, "show_numbers")
        column = layout.column(align=True)
        column.active = settings.show_frusta
        column.prop(settings, "frustum_step", text="Step")
        column.prop(settings, "frustum_size", text="Size")


CLASSES = (RECAM_PT_view, RECAM_PT_view_overlay)
