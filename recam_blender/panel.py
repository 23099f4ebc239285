"""The sequencer's sidebar. It draws what is there and decides nothing."""

from __future__ import annotations

import textwrap

import bpy

from . import compat, runtime, sequencer
from .operators import RECAM_OT_cancel, RECAM_OT_render

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
            row = column.row(heading="Footage Lens")
            row.prop(settings, "use_lens", text="")
            part = row.row()
            part.active = settings.use_lens
            part.prop(settings, "lens", text="")
        column.prop(settings, "subject_distance", text="Subject Distance (m)")

        column = layout.column()
        column.prop(settings, "engine")
        column.prop(settings, "depth")
        if settings.depth == "file":
            column.prop(settings, "depth_path")
            column.prop(settings, "depth_scale")

        header, body = layout.panel("recam_more", default_closed=True)
        header.label(text="Take and Time")
        if body is not None:
            body.prop(settings, "format")
            body.prop(settings, "mask")
            body.prop(settings, "camera_scene")
            row = body.row(heading="Start Frame")
            row.prop(settings, "use_camera_frame", text="")
            part = row.row()
            part.active = settings.use_camera_frame
            part.prop(settings, "camera_frame", text="")

        if runtime.running is None:
            row = layout.row()
            row.scale_y = 1.5
            row.operator(RECAM_OT_render.bl_idname, icon="RENDER_ANIMATION")
            if runtime.message is not None:
                _paragraph(context, layout, runtime.message.text, runtime.message.icon)
        else:
            _progress(layout, runtime.running)


def _progress(layout: bpy.types.UILayout, running: runtime.Running) -> None:
    progress = running.progress
    share = progress.step / progress.total if progress.total else 0.0
    text = progress.phase[:1].upper() + progress.phase[1:]
    if progress.seconds_left is not None:
        text = f"{text}: {_duration(progress.seconds_left)} left"
    row = layout.row(align=True)
    row.progress(factor=share, text=text)
    row.operator(RECAM_OT_cancel.bl_idname, text="", icon="X")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _paragraph(context: bpy.types.Context, layout: bpy.types.UILayout, text: str, icon: str) -> None:
    scale = context.preferences.system.ui_scale
    characters = max(20, int(context.region.width / (_POINTS_PER_CHARACTER * scale)) - 6)
    column = layout.column(align=True)
    for index, line in enumerate(textwrap.wrap(text, characters)):
        column.label(text=line, icon=icon if index == 0 else "BLANK1")


CLASSES = (RECAM_PT_main,)
