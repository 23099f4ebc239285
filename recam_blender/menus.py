"""Entries where Blender's users look: the sequencer's Strip menu, the 3D view's Object menu, and the online manual."""

from __future__ import annotations

import bpy

from . import explanations
from .forecast_operators import RECAM_OT_forecast
from .operators import RECAM_OT_render


class RECAM_MT_strip(bpy.types.Menu):
    bl_label = "ReCam"
    bl_description = "Re-shoot this footage from a keyframed camera"

    def draw(self, _context: bpy.types.Context) -> None:
        """What is done with footage."""
        layout = self.layout
        layout.operator_context = "INVOKE_REGION_WIN"
        layout.operator(RECAM_OT_render.bl_idname, icon="RENDER_ANIMATION")
        layout.operator(RECAM_OT_forecast.bl_idname, icon="SHADERFX")
        layout.separator()
        # What stands in menus is found by its name.
        layout.operator("recam.use", text="Stabilise...", icon="MOD_SMOOTH").kind = "stabilise"
        layout.operator("recam.use", text="Lock Off...", icon="LOCKED").kind = "lock"
        layout.operator("recam.use", text="Go Closer...", icon="ZOOM_IN").kind = "closer"
        layout.operator("recam.use", text="Go Wider...", icon="ZOOM_OUT").kind = "outpaint"
        layout.operator("recam.use", text="Freeze Time...", icon="FREEZE").kind = "freeze"
        layout.operator("recam.use", text="Camera Move", icon="CAMERA_DATA").kind = "move"
        layout.separator()
        layout.operator("recam.pin", icon="PINNED")
        layout.operator("recam.unpin", icon="UNPINNED")
        layout.separator()
        layout.menu("RECAM_MT_take")


class RECAM_MT_camera(bpy.types.Menu):
    bl_label = "ReCam"
    bl_description = "Re-shoot footage with this camera"

    def draw(self, _context: bpy.types.Context) -> None:
        """What is done with a camera."""
        layout = self.layout
        layout.operator_context = "INVOKE_REGION_WIN"
        layout.operator("recam.use_camera", icon="CAMERA_DATA")
        layout.operator("recam.use_source_camera")
        layout.separator()
        layout.operator("recam.see_through", icon="IMAGE_BACKGROUND")
        layout.operator(RECAM_OT_forecast.bl_idname, icon="SHADERFX")
        layout.operator(RECAM_OT_render.bl_idname, icon="RENDER_ANIMATION")


def _of_strip(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    menu.layout.separator()
    menu.layout.menu(RECAM_MT_strip.__name__)


def _of_object(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    menu.layout.separator()
    menu.layout.menu(RECAM_MT_camera.__name__)


def _of_camera(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    """In the context menu, which is short: for cameras alone."""
    if context.active_object is not None and context.active_object.type == "CAMERA":
        _of_object(menu, context)


_ENTRIES = (
    ("SEQUENCER_MT_strip", _of_strip),
    ("SEQUENCER_MT_context_menu", _of_strip),
    ("VIEW3D_MT_object", _of_object),
    ("VIEW3D_MT_object_context_menu", _of_camera),
)


def manual_map() -> tuple[str, tuple[tuple[str, str], ...]]:
    """Where Online Manual leads from ReCam's buttons and settings: to the website, where there is one."""
    site = explanations.website()
    if not site:
        return "", ()
    return site, (("bpy.ops.recam.*", ""), ("bpy.types.recam_pg_settings*", ""))


CLASSES = (RECAM_MT_strip, RECAM_MT_camera)


def register() -> None:
    """Add the entries, and the way to the manual."""
    for name, draw in _ENTRIES:
        getattr(bpy.types, name).append(draw)
    if explanations.website():
        bpy.utils.register_manual_map(manual_map)


def unregister() -> None:
    """Take them back."""
    if explanations.website():
        bpy.utils.unregister_manual_map(manual_map)
    for name, draw in _ENTRIES:
        getattr(bpy.types, name).remove(draw)
