"""The queue in the sequencer's sidebar: what is made, with its picture so far; what waits; and how the latest ended."""

from __future__ import annotations

import os
import time
from typing import Any

import bpy
import bpy.utils.previews

from . import compat, drawing, jobs, runtime, setup, telling, use_words
from .operators import (
    RECAM_OT_cancel,
    RECAM_OT_cancel_all,
    RECAM_OT_clear_messages,
    RECAM_OT_free_memory,
    RECAM_OT_move_job,
    RECAM_OT_open_take_log,
)
from .texts import tr

_SHOWN_MESSAGES = 5
# Of Blender's units: the picture fits into the narrowest sidebar.
_PICTURE_SCALE = 8.0
_PICTURE_SECONDS = 0.5

_STAGES = {"preparing": "SORTTIME", "waiting": "PAUSE", "running": "PLAY"}


class RECAM_OT_show_job(bpy.types.Operator):
    """Select the strip that is re-shot"""

    bl_idname = "recam.show_job"
    bl_label = "Select Footage"
    bl_options = {"INTERNAL", "UNDO"}

    number: bpy.props.IntProperty(options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: Any) -> str:
        """What was asked for, which nothing changes any more."""
        entry = jobs.find(properties.number)
        return about(entry) if entry is not None else ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Where it is still there."""
        entry = jobs.find(self.number)
        scene = compat.sequencer_scene(context)
        found = None
        if entry is not None and scene is not None and scene.name == entry.request.scene:
            found = next((each for each in compat.strips_all(scene) if each.name == entry.request.strip), None)
        if found is None:
            self.report({"INFO"}, tr("Its strip is not in this sequencer. It is re-shot as it was asked for."))
            return {"CANCELLED"}
        for each in compat.strips_all(scene):
            each.select = each == found
        scene.sequence_editor.active_strip = found
        return {"FINISHED"}


class RECAM_PT_queue(bpy.types.Panel):
    bl_label = "Queue"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "ReCam"
    bl_parent_id = "RECAM_PT_main"
    bl_order = 10

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """While there is something in it, or something came of it."""
        return bool(jobs.running() or jobs.messages() or runtime.warm())

    def draw(self, context: bpy.types.Context) -> None:
        """What runs, what waits, how the latest ended."""
        layout = self.layout
        entries = jobs.entries()
        if not entries:
            layout.operator(RECAM_OT_free_memory.bl_idname, icon="TRASH")
        running = jobs.running()
        movable = [each for each in entries if each.stage != "running"]
        for entry in entries:
            if entry is running:
                _running(context, layout.box(), entry)
            else:
                _waiting(layout.box(), entry, movable.index(entry), len(movable))
        if len(entries) > 1:
            layout.operator(RECAM_OT_cancel_all.bl_idname, icon="X")
        _ended(context, layout, jobs.messages())


def draw_running(context: bpy.types.Context, layout: bpy.types.UILayout, entry: jobs.Entry) -> None:
    """How far an entry is, with the way to cancel it. What is longer than a sidebar stands under the bar."""
    row = layout.row(align=True)
    row.progress(factor=telling.share(entry.progress), text=telling.phase(entry.progress))
    row.operator(RECAM_OT_cancel.bl_idname, text="", icon="X").number = entry.number
    if left := telling.time_left(entry.progress):
        drawing.paragraph(context, layout, left)


def about(entry: jobs.Entry) -> str:
    """What was asked for, line by line."""
    asked = entry.request
    lines = [
        entry.title,
        tr("Scene: {name}").format(name=asked.scene),
        tr("Engine: {name}").format(name=setup.NAMES.get(asked.engine, asked.engine)),
        tr("Seed: {seed}").format(seed=asked.seed),
    ]
    if asked.first is not None and asked.last is not None:
        lines.append(tr("Frames: {first} to {last}").format(first=asked.first, last=asked.last))
    lines.append(tr("It is made as it was asked for, whatever is edited meanwhile. Click to select its strip"))
    return "\n".join(lines)


def _running(context: bpy.types.Context, layout: bpy.types.UILayout, entry: jobs.Entry) -> None:
    _title(layout.row(align=True), entry)
    if entry.stage == "waiting":
        _camera(layout, entry)
    else:
        draw_running(context, layout, entry)
    icon = picture(entry)
    if icon:
        layout.template_icon(icon_value=icon, scale=_PICTURE_SCALE)


def _waiting(layout: bpy.types.UILayout, entry: jobs.Entry, place: int, count: int) -> None:
    row = layout.row()
    _title(row, entry)
    right = row.row(align=True)
    right.alignment = "RIGHT"
    for by, icon, possible in ((-1, "TRIA_UP", place > 0), (1, "TRIA_DOWN", place < count - 1)):
        part = right.row(align=True)
        part.enabled = possible
        move = part.operator(RECAM_OT_move_job.bl_idname, text="", icon=icon)
        move.number, move.by = entry.number, by
    right.operator(RECAM_OT_cancel.bl_idname, text="", icon="X").number = entry.number
    _camera(layout, entry)


def _title(row: bpy.types.UILayout, entry: jobs.Entry) -> None:
    part = row.row()
    part.alignment = "LEFT"
    part.operator(
        RECAM_OT_show_job.bl_idname, text=entry.request.strip, icon=_STAGES[entry.stage], emboss=False, translate=False
    ).number = entry.number


def _camera(layout: bpy.types.UILayout, entry: jobs.Entry) -> None:
    row = layout.row()
    row.active = False
    use = use_words.word(entry.request.use)
    camera = use[:1].upper() + use[1:] or entry.camera or tr("Scene camera")
    row.label(text=camera, icon="CAMERA_DATA", translate=False)
    row.label(text=setup.NAMES.get(entry.request.engine, entry.request.engine), translate=False)


def _ended(context: bpy.types.Context, layout: bpy.types.UILayout, messages: list[runtime.Message]) -> None:
    if not messages:
        return
    header, body = layout.panel("recam_ended", default_closed=True)
    header.label(text="Latest")
    header.operator(RECAM_OT_clear_messages.bl_idname, text="", icon="X", emboss=False)
    if body is None:
        return
    for message in reversed(messages[-_SHOWN_MESSAGES:]):
        drawing.paragraph(context, body, message.text, message.icon)
        if message.icon == "ERROR":
            body.operator(RECAM_OT_open_take_log.bl_idname, icon="TEXT")


# The picture of the take so far

_pictures: Any = None
_kept: tuple[int, int] = (0, 0)
"""The entry's number, and when the file of its picture was written."""
_looked_at = 0.0


def picture(entry: jobs.Entry) -> int:
    """The icon of an entry's picture so far; 0 where there is none. The file may go, or be another one, at any time."""
    global _kept, _looked_at
    if _pictures is None or not entry.preview:
        return 0
    now = time.monotonic()
    if now - _looked_at > _PICTURE_SECONDS or _kept[0] != entry.number:
        _looked_at = now
        try:
            stamp = os.stat(entry.preview).st_mtime_ns
        except OSError:
            stamp = 0  # it goes just before the take is there: the last one stays
        if stamp and (entry.number, stamp) != _kept:
            _kept = entry.number, stamp
            _pictures.pop("take", None)
            _pictures.load("take", entry.preview, "IMAGE", force_reload=True)
    shown = _kept[0] == entry.number and "take" in _pictures
    return int(_pictures["take"].icon_id) if shown else 0


def _forget_picture() -> None:
    """Of an entry that has ended."""
    global _kept
    if _kept[0] and jobs.find(_kept[0]) is None:
        _kept = 0, 0
        _pictures.clear()


CLASSES = (RECAM_OT_show_job, RECAM_PT_queue)


def register() -> None:
    """Make room for the picture."""
    global _pictures
    _pictures = bpy.utils.previews.new()
    jobs.shown.append(_forget_picture)


def unregister() -> None:
    """Give it back."""
    global _pictures, _kept
    jobs.shown.remove(_forget_picture)
    bpy.utils.previews.remove(_pictures)
    _pictures, _kept = None, (0, 0)
