"""The sequencer's sidebar. It draws what is there and decides nothing."""

from __future__ import annotations

import textwrap
from typing import Any

import bpy

from . import compat, preferences, runtime, sequencer, telling
from .operators import RECAM_OT_cancel, RECAM_OT_render
from .request import USES_DEPTH

# The default font's usual width, for wrapping sentences at the sidebar's edge.
_POINTS_PER_CHARACTER = 6.5


class RECAM_PT_main(bpy.types.Panel):
    bl_label = "ReCam"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "ReCam"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Where there is an edit to look at."""
        return compat.sequencer_scene(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Footage, camera, engine, and the one button."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        scene = compat.sequencer_scene(context)
        settings = scene.recam
        strip = sequencer.footage_of(scene, compat.active_strip(scene))

        row = layout.row()
        row.label(text=strip.name if strip else "No strip selected", icon="SEQUENCE" if strip else "INFO")
        column = layout.column()
        column.prop(settings, "camera", icon="CAMERA_DATA")
        column.prop(settings, "source_camera", icon="CAMERA_DATA")
        if settings.source_camera is None:
            _optional(column, settings, "use_lens", "lens")
        uses_depth = settings.engine in USES_DEPTH
        if uses_depth:
            column.prop(settings, "subject_distance", text="Subject Distance (m)")

        column = layout.column()
        column.prop(settings, "engine")
        if uses_depth:
            _depth(column, settings)
        else:
            column.row().prop(settings, "quality", expand=True)
            column.prop(settings, "prompt")
            column.prop(settings, "seed")
            _network(layout, settings)
        _take_and_time(layout, settings, stores_mask=uses_depth)

        if runtime.running is None:
            row = layout.row()
            row.scale_y = 1.5
            row.operator(RECAM_OT_render.bl_idname, icon="RENDER_ANIMATION")
            if runtime.message is not None:
                _message(context, layout, runtime.message)
        else:
            _progress(layout, runtime.running)


def _depth(column: bpy.types.UILayout, settings: Any) -> None:
    column.prop(settings, "depth")
    if settings.depth == "file":
        column.prop(settings, "depth_path")
        column.prop(settings, "depth_scale")


def _network(layout: bpy.types.UILayout, settings: Any) -> None:
    header, body = layout.panel("recam_network", default_closed=True)
    header.label(text="Network and Memory")
    if body is None:
        return
    column = body.column()
    for name in ("steps", "guidance", "negative_prompt"):
        _optional(column, settings, f"use_{name}", name)
    column = body.column(align=True)
    column.prop(settings, "network_frames")
    column.prop(settings, "network_width")
    column.prop(settings, "network_height", text="Height")
    column = body.column()
    column.prop(settings, "fit")
    column.prop(settings, "cache")
    column = body.column()
    own = preferences.own()
    if own is not None:
        column.prop(own, "device")
    column.prop(settings, "plan")
    column.prop(settings, "compile")


def _take_and_time(layout: bpy.types.UILayout, settings: Any, *, stores_mask: bool) -> None:
    header, body = layout.panel("recam_more", default_closed=True)
    header.label(text="Take and Time")
    if body is None:
        return
    body.prop(settings, "format")
    if stores_mask:
        body.prop(settings, "mask")
    body.prop(settings, "camera_scene")
    _optional(body, settings, "use_camera_frame", "camera_frame")


def _optional(layout: bpy.types.UILayout, settings: Any, switch: str, name: str) -> None:
    """A value behind a tick, both in one row under the tick's name."""
    row = layout.row(heading=settings.bl_rna.properties[switch].name)
    row.prop(settings, switch, text="")
    part = row.row()
    part.active = getattr(settings, switch)
    part.prop(settings, name, text="")


def _progress(layout: bpy.types.UILayout, running: runtime.Running) -> None:
    words = (telling.phase(running.progress), telling.time_left(running.progress))
    row = layout.row(align=True)
    row.progress(factor=telling.share(running.progress), text=", ".join(filter(None, words)))
    row.operator(RECAM_OT_cancel.bl_idname, text="", icon="X")


def _message(context: bpy.types.Context, layout: bpy.types.UILayout, message: runtime.Message) -> None:
    _paragraph(context, layout, message.text, message.icon)
    for warning in message.warnings:
        _paragraph(context, layout, warning, "ERROR")
    for note in message.notes:
        _paragraph(context, layout, note, "INFO")


def _paragraph(context: bpy.types.Context, layout: bpy.types.UILayout, text: str, icon: str) -> None:
    scale = context.preferences.system.ui_scale
    characters = max(20, int(context.region.width / (_POINTS_PER_CHARACTER * scale)) - 6)
    column = layout.column(align=True)
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, characters)]
    for index, line in enumerate(lines):
        column.label(text=line, icon=icon if index == 0 else "BLANK1")


CLASSES = (RECAM_PT_main,)
