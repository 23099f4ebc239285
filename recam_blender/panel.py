"""The sequencer's sidebar. It draws what is there and decides nothing."""

from __future__ import annotations

from typing import Any

import bpy

from . import compat, drawing, jobs, model_work, needs, preferences, runtime, sequencer, setup, tasks, telling
from .operators import RECAM_OT_cancel, RECAM_OT_render
from .request import USES_DEPTH

_CANCEL = {setup.KEY: "recam.setup_cancel", model_work.GET: "recam.models_cancel"}
"""What is shown while it is under way, and the operator that cancels it."""


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

        running = jobs.running()
        if running is not None:
            _progress(layout, running)
        need = needs.need(settings.engine)
        if need is not None:
            _need(context, layout, need)
        if need is None or not need.of_backend:
            row = layout.row()
            row.scale_y = 1.5
            row.operator(RECAM_OT_render.bl_idname, icon="RENDER_ANIMATION")
        if runtime.message is not None:
            _message(context, layout, runtime.message)


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


def _need(context: bpy.types.Context, layout: bpy.types.UILayout, need: needs.Need) -> None:
    """What a take lacks on this machine: on first use, the way to it."""
    box = layout.box()
    under_way = [(task, _CANCEL[task.key]) for task in tasks.every() if task.key in _CANCEL]
    if under_way:
        for task, cancel in under_way:
            drawing.task(context, box, task, cancel)
        return
    ended = tasks.ended(setup.KEY if need.of_backend else model_work.GET)
    failed = ended is not None and ended.kind == "failed"
    # Why it failed says what is missing, and what to do. The log's last lines are in the preferences: there is room.
    text = ended.text.partition("\n")[0] if ended is not None and failed else need.text
    drawing.paragraph(context, box, text, "ERROR" if failed else "INFO")
    if need.button is not None:
        row = box.row()
        row.scale_y = 1.5
        properties = row.operator(need.button.operator, text=need.button.label, icon=need.button.icon)
        for name, value in need.button.options.items():
            setattr(properties, name, value)
    if failed and need.of_backend:
        box.row().operator("recam.open_log", icon="TEXT")


def _progress(layout: bpy.types.UILayout, running: jobs.Entry) -> None:
    words = (telling.phase(running.progress), telling.time_left(running.progress))
    drawing.bar(layout, telling.share(running.progress), ", ".join(filter(None, words)), RECAM_OT_cancel.bl_idname)


def _message(context: bpy.types.Context, layout: bpy.types.UILayout, message: runtime.Message) -> None:
    drawing.paragraph(context, layout, message.text, message.icon)
    for warning in message.warnings:
        drawing.paragraph(context, layout, warning, "ERROR")
    for note in message.notes:
        drawing.paragraph(context, layout, note, "INFO")


CLASSES = (RECAM_PT_main,)
