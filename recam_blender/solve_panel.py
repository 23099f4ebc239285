"""The sequencer's panel of the camera that shot the footage: solved, and told how large its world is."""

from __future__ import annotations

import bpy

from . import compat, drawing, request, solved_clip, solving, tasks
from .panel_settings import Settings, optional
from .solve_operators import (
    RECAM_OT_camera_from_clip,
    RECAM_OT_pick_known,
    RECAM_OT_solve_cancel,
    RECAM_OT_solve_footage,
)
from .texts import later


class RECAM_PT_solve(Settings, bpy.types.Panel):
    bl_label = "Footage Camera"
    bl_order = 18

    def draw(self, context: bpy.types.Context) -> None:
        """How its camera is found, and how far things are."""
        layout, scene = self.layout, compat.sequencer_scene(context)
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = scene.recam
        if settings.source_camera is None:
            layout.column().prop(settings, "source_from")
        if tasks.running(solving.KEY) is None:
            _buttons(layout, scene)
        draw_state(context, layout)
        column = layout.column()
        optional(column, settings, "use_known", "known_distance", heading=later("Distance (m)"))
        if settings.use_known:
            part = column.column(align=True)
            part.prop(settings, "known_frame")
            part.prop(settings, "known_x")
            part.prop(settings, "known_y")
            column.operator(RECAM_OT_pick_known.bl_idname, icon="EYEDROPPER")


def _buttons(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    layout.operator(RECAM_OT_solve_footage.bl_idname, icon="TRACKER")
    strip = request.chosen_footage(scene)
    if strip is not None and solved_clip.clips_of(scene, strip):
        layout.operator(RECAM_OT_camera_from_clip.bl_idname, icon="CON_CAMERASOLVER")


def draw_state(context: bpy.types.Context, layout: bpy.types.UILayout) -> None:
    """How far solving is, or how it ended."""
    running, ended = tasks.running(solving.KEY), tasks.ended(solving.KEY)
    if running is not None:
        drawing.bar(layout, running.share, running.words, RECAM_OT_solve_cancel.bl_idname)
    elif ended is not None:
        drawing.paragraph(context, layout, ended.text, drawing.ICONS[ended.kind], boxed=True)


CLASSES = (RECAM_PT_solve,)
