"""The settings under the sequencer's main panel, folded away: lens and depth, range, output, and the network's."""

from __future__ import annotations

from typing import Any

import bpy

from . import compat, preferences
from .request import GENERATES, USES_DEPTH
from .texts import later


class Settings:
    """A panel of settings beneath the main one."""

    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "ReCam"
    bl_parent_id = "RECAM_PT_main"
    bl_options = {"DEFAULT_CLOSED"}


class _NetworkSettings(Settings):
    """Such a panel for engines that generate."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for what heeds it."""
        return compat.sequencer_scene(context).recam.engine in GENERATES


class RECAM_PT_lens(Settings, bpy.types.Panel):
    bl_label = "Lens and Depth"
    bl_order = 20

    def draw(self, context: bpy.types.Context) -> None:
        """How the footage was shot, as far as no source camera says it."""
        layout, settings = _begin(self, context)
        column = layout.column()
        if settings.source_camera is None:
            optional(column, settings, "use_lens", "lens")
        if settings.engine not in USES_DEPTH and not settings.true_pixels:
            if settings.source_camera is not None:
                column.label(text="As the source camera has it.")
            return
        column.prop(settings, "subject_distance", text="Distance (m)")
        column = layout.column()
        column.prop(settings, "depth")
        if settings.depth == "file":
            column.prop(settings, "depth_path", text="Files")
            column.prop(settings, "depth_scale", text="Scale")


class RECAM_PT_range(Settings, bpy.types.Panel):
    bl_label = "Frame Range"
    bl_order = 22

    def draw(self, context: bpy.types.Context) -> None:
        """Which frames, and which of the cameras' meet them."""
        layout, settings = _begin(self, context)
        column = layout.column()
        column.prop(settings, "range")
        column.prop(settings, "handles")
        column = layout.column()
        column.prop(settings, "camera_scene")
        optional(column, settings, "use_camera_frame", "camera_frame")


class RECAM_PT_output(Settings, bpy.types.Panel):
    bl_label = "Output"
    bl_order = 24

    def draw(self, context: bpy.types.Context) -> None:
        """What is written."""
        layout, settings = _begin(self, context)
        column = layout.column()
        column.prop(settings, "size")
        if settings.size == "custom":
            column = layout.column(align=True)
            column.prop(settings, "width", text="Resolution X")
            column.prop(settings, "height", text="Y")
        column = layout.column()
        column.prop(settings, "format", text="File Format")
        if settings.engine in USES_DEPTH:
            column.prop(settings, "mask")


class RECAM_PT_network(_NetworkSettings, bpy.types.Panel):
    bl_label = "Network"
    bl_order = 26

    def draw(self, context: bpy.types.Context) -> None:
        """How it draws."""
        layout, settings = _begin(self, context)
        column = layout.column()
        optional(column, settings, "use_steps", "steps")
        optional(column, settings, "use_guidance", "guidance")
        optional(column, settings, "use_negative_prompt", "negative_prompt", heading=later("Negative"))
        column = layout.column(align=True)
        column.prop(settings, "network_frames", text="Frames")
        column.prop(settings, "network_width", text="Resolution X")
        column.prop(settings, "network_height", text="Y")
        column = layout.column()
        optional(column, settings, "use_overlap", "overlap")
        column.prop(settings, "fit")
        if settings.fit != "pad":
            row = column.row(heading="Focus")
            row.prop(settings, "use_focus", text="")
            part = row.row(align=True)
            part.active = settings.use_focus
            part.prop(settings, "focus_x", text="X")
            part.prop(settings, "focus_y", text="Y")
        column.prop(settings, "true_pixels")
        column.prop(settings, "cache")


class RECAM_PT_memory(_NetworkSettings, bpy.types.Panel):
    bl_label = "Device and Memory"
    bl_order = 28

    def draw(self, context: bpy.types.Context) -> None:
        """Where it draws; the device is this machine's, and is kept in the preferences."""
        layout, settings = _begin(self, context)
        column = layout.column()
        own = preferences.own()
        if own is not None:
            column.prop(own, "device")
        column.prop(settings, "plan")
        column.prop(settings, "compile")


def _begin(panel: Any, context: bpy.types.Context) -> tuple[bpy.types.UILayout, Any]:
    """The layout, in the way of Blender's own (names on the left, values on the right), and the settings."""
    panel.layout.use_property_split = True
    panel.layout.use_property_decorate = False
    return panel.layout, compat.sequencer_scene(context).recam


def optional(layout: bpy.types.UILayout, settings: Any, switch: str, name: str, heading: str = "") -> None:
    """A value behind a tick, both in one row under the tick's name."""
    row = layout.row(heading=heading or settings.bl_rna.properties[switch].name)
    row.prop(settings, switch, text="")
    part = row.row()
    part.active = getattr(settings, switch)
    part.prop(settings, name, text="")


CLASSES = (RECAM_PT_lens, RECAM_PT_range, RECAM_PT_output, RECAM_PT_network, RECAM_PT_memory)
