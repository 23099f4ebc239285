"""The sequencer's sidebar: footage, camera, engine, what ReCam understood of them, and the one button.

It draws what is there and decides nothing. The settings beneath are in panel_settings.py.
"""

from __future__ import annotations

from typing import Any

import bpy

from . import (
    compat,
    doubts,
    drawing,
    forecast,
    jobs,
    model_work,
    needs,
    panel_uses,
    request,
    runtime,
    sequencer,
    setup,
    solve_panel,
    solving,
    tasks,
    watching,
)
from .forecast_operators import RECAM_OT_forecast, RECAM_OT_forecast_cancel
from .operators import RECAM_OT_clear_messages, RECAM_OT_render
from .presets import RECAM_PT_presets
from .request import GENERATES
from .texts import later, plural, tr

_CANCEL = {setup.KEY: "recam.setup_cancel", model_work.GET: "recam.models_cancel"}
"""What is shown while it is under way, and the operator that cancels it."""

_STRIPS = {
    "MOVIE": "FILE_MOVIE",
    "IMAGE": "FILE_IMAGE",
    "SCENE": "SCENE_DATA",
    "MOVIECLIP": "TRACKER",
    "META": "SEQ_STRIP_META",
    "SOUND": "FILE_SOUND",
    "TEXT": "FONT_DATA",
    "COLOR": "COLOR",
    "ADJUSTMENT": "COLOR",
    "MASK": "MOD_MASK",
}
"""Icons of strips, as Blender's own panel has them."""


class RECAM_PT_main(bpy.types.Panel):
    bl_label = "ReCam"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "ReCam"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Where there is an edit to look at."""
        return compat.sequencer_scene(context) is not None

    def draw_header_preset(self, _context: bpy.types.Context) -> None:
        """Presets, where Blender has them."""
        RECAM_PT_presets.draw_panel_header(self.layout)

    def draw(self, context: bpy.types.Context) -> None:
        """From the footage down to the button."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        scene = compat.sequencer_scene(context)
        settings = scene.recam
        _footage(layout, scene)
        panel_uses.draw_use(context, layout, scene)
        column = layout.column()
        part = column.column()
        part.active = not panel_uses.makes_path(settings)
        draw_camera(part, scene)
        if panel_uses.makes_path(settings):
            drawing.paragraph(context, part, panel_uses.why_no_camera(settings))
        source = tr("From the footage") if settings.source_from == "footage" else tr("Still, at the start")
        column.prop(settings, "source_camera", icon="CAMERA_DATA", placeholder=source)
        if tasks.running(solving.KEY) is not None:
            solve_panel.draw_state(context, column)
        if settings.use in ("move", "freeze"):
            column.prop(settings, "relative")
        column = layout.column()
        column.prop(settings, "engine")
        if settings.engine in GENERATES:
            _generation(column, settings)
        draw_understood(context, layout, scene)
        draw_button(context, layout, scene)


def draw_camera(layout: bpy.types.UILayout, scene: bpy.types.Scene, **options: Any) -> None:
    """The target camera; where none is chosen, the name of the scene's own stands there in grey."""
    seen = watching.look(scene)
    cameras = bpy.data.scenes.get(seen.camera_scene) if seen is not None else None
    own = (cameras or scene).camera
    layout.prop(scene.recam, "camera", icon="CAMERA_DATA", placeholder=own.name if own else tr("None"), **options)


def draw_understood(context: bpy.types.Context, layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    """What the settings of an edit mean in words, each doubt about them, and the forecast."""
    seen = watching.look(scene)
    if seen is None:
        return
    box = layout.box().column()
    if not seen.trouble:
        drawing.paragraph(context, box, understood(seen), boxed=True)
    for doubt in doubts.doubts(scene, seen):
        drawing.advice(context, box, doubt.text, doubt.icon, doubt.button, doubt.topic)
    if not seen.trouble:
        _forecast(context, box, scene)


def understood(seen: watching.Seen) -> str:
    """What is re-shot, and how the camera moves: "81 frames, 24 fps, camera moves 2.0 m, lens fixed at 35 mm"."""
    if len(seen.targets) > 1:
        camera = tr("{count} cameras").format(count=len(seen.targets))
    else:
        camera = seen.movement.words if seen.movement is not None else ""
    if seen.unsolved:
        camera = tr("along its own camera's path, which is solved when the take is made")
    frames = plural(seen.count, "1 frame", "{count} frames").format(count=seen.count)
    rate = tr("{rate} fps").format(rate=f"{float(seen.rate):.5g}")
    return ", ".join(filter(None, (frames, rate, seen.use, camera)))


def draw_button(context: bpy.types.Context, layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    """The one button, or what must be there first; and how the latest take ended."""
    need = needs.need(scene.recam.engine)
    if need is not None:
        _need(context, layout, need)
    if need is None or not need.of_backend:
        row = layout.row()
        row.scale_y = 1.5
        text = later("Add to Queue" if jobs.running() is not None else "Re-shoot")
        row.operator(RECAM_OT_render.bl_idname, text=text, icon="RENDER_ANIMATION")
    if runtime.message is not None:
        _message(context, layout, scene, runtime.message)


def _footage(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    """The strip, as Blender's own panel names it, and the pin that keeps it."""
    settings = scene.recam
    strip = request.chosen_footage(scene)
    row = layout.row(align=True)
    row.use_property_split = False
    if settings.pinned:
        part = row.row()
        part.alert = strip is None
        if scene.sequence_editor is not None:
            every = compat.EVERY_STRIP
            part.prop_search(settings, "pinned", scene.sequence_editor, every, text="", icon=_icon(strip))
        row.operator("recam.unpin", text="", icon="PINNED", emboss=False)
    elif strip is not None:
        row.label(text=strip.name, icon=_icon(strip), translate=False)
        row.operator("recam.pin", text="", icon="UNPINNED", emboss=False)
    else:
        row.label(text="No strip selected", icon="SEQUENCE")


def _icon(strip: Any) -> str:
    return _STRIPS.get(strip.type, "SHADERFX") if strip is not None else "SEQUENCE"


def _generation(column: bpy.types.UILayout, settings: Any) -> None:
    """What a network is told."""
    column.row().prop(settings, "quality", expand=True)
    row = column.row()
    row.active = settings.prompt_text is None
    row.prop(settings, "prompt")
    column.template_ID(settings, "prompt_text", new="recam.new_prompt_text", open="text.open", text="Text")
    row = column.row(align=True)
    row.prop(settings, "seed")
    row.prop(settings, "lock_seed", text="", icon="LOCKED" if settings.lock_seed else "UNLOCKED")
    row.operator("recam.next_seed", text="", icon="TRIA_RIGHT")


def _forecast(context: bpy.types.Context, layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    """How much would be invented, or the button that tells."""
    running = tasks.running(forecast.KEY)
    known = forecast.told(scene)
    if running is not None:
        drawing.bar(layout, running.share, running.words, RECAM_OT_forecast_cancel.bl_idname)
    elif known is not None:
        again = needs.Button(RECAM_OT_forecast.bl_idname, "", "FILE_REFRESH")
        column = layout.column()
        column.active = not known.stale
        drawing.advice(context, column, known.text, "SHADERFX", again)
    else:
        layout.operator(RECAM_OT_forecast.bl_idname, icon="SHADERFX")
        ended = tasks.ended(forecast.KEY)
        if ended is not None and ended.kind == "failed":
            drawing.paragraph(context, layout, ended.text, drawing.ICONS[ended.kind], boxed=True)


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
    drawing.paragraph(context, box, text, "ERROR" if failed else "INFO", boxed=True)
    if need.button is not None:
        row = box.row()
        row.scale_y = 1.5
        drawing.press(row, need.button)
    if failed and need.of_backend:
        box.row().operator("recam.open_log", icon="TEXT")


def _message(
    context: bpy.types.Context, layout: bpy.types.UILayout, scene: bpy.types.Scene, message: runtime.Message
) -> None:
    row = layout.row(align=True)
    drawing.paragraph(context, row.column(), message.text, message.icon, boxed=True)
    row.operator(RECAM_OT_clear_messages.bl_idname, text="", icon="X", emboss=False)
    # What stands among the doubts as it is, shorter and with a button, is not said twice.
    doubted = sequencer.view_transform_warning(scene)
    for warning in [each for each in message.warnings if each not in doubted]:
        drawing.paragraph(context, layout, warning, "ERROR")
    for note in message.notes:
        drawing.paragraph(context, layout, note, "INFO")


CLASSES = (RECAM_PT_main,)
