"""The takes of the footage, in the sequencer's sidebar. It draws what is there and decides nothing."""

from __future__ import annotations

import os
from typing import Any

import bpy

from . import compat, drawing, request, take_list, take_work, tasks, telling, use_words
from .request import GENERATES
from .texts import plural, tr
from .ties import list_takes

_ROWS = 3
# Widths in Blender's units of 20 pixels; and what in a row is not for engine and seed, in pixels at a scale of 1.
_NUMBER_UNITS, _TIME_UNITS = 2.2, 2.8
_BESIDE_MAKER = 260
_ENGINES = {"reproject": "Reproject", "recammaster": "ReCamMaster"}


class RECAM_UL_takes(bpy.types.UIList):
    def filter_items(self, context: bpy.types.Context, data: Any, name: str) -> tuple[list[int], list[int]]:
        """The takes of the footage among all strips, the newest first."""
        strips = list(getattr(data, name))
        scene = compat.sequencer_scene(context)
        footage = request.chosen_footage(scene)
        found = list_takes(scene, footage) if footage is not None else []
        order = [each.name for each in take_list.newest_first(scene, found)]
        places = {each: at for at, each in enumerate(order)}
        rest = len(order)
        flags, rows = [], []
        for strip in strips:
            if strip.name in places:
                flags.append(self.bitflag_filter_item)
                rows.append(places[strip.name])
            else:
                flags.append(0)
                rows.append(rest)
                rest += 1
        return flags, rows

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        _data: Any,
        strip: Any,
        _icon: int,
        _active_data: Any,
        _active_name: str,
    ) -> None:
        """Number, what made it, and time; whether it is shown alone, and whether it is shown."""
        scene = compat.sequencer_scene(context)
        take = take_list.describe(scene, strip)
        row = layout.row(align=True)
        words = row.row()
        words.active = take.shown
        words.alert = not take.there
        number = words.row()
        number.ui_units_x = _NUMBER_UNITS
        number.label(text=_number(take), translate=False)
        words.label(text=_maker(context, take), translate=False)
        seconds = words.row()
        seconds.ui_units_x, seconds.alignment = _TIME_UNITS, "RIGHT"
        if take.there:
            seconds.label(text=telling.duration(take.told.seconds) if take.told.seconds else "", translate=False)
        else:
            seconds.label(text="", icon="ERROR")
        icon = "SOLO_ON" if take_list.is_solo(scene, strip) else "SOLO_OFF"
        row.operator("recam.solo_take", text="", icon=icon, emboss=False).take = strip.name
        icon = "HIDE_OFF" if take.shown else "HIDE_ON"
        row.operator("recam.show_take", text="", icon=icon, emboss=False).take = strip.name


class RECAM_PT_takes(bpy.types.Panel):
    bl_label = "Takes"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "ReCam"
    bl_parent_id = "RECAM_PT_main"
    bl_order = 40

    def draw(self, context: bpy.types.Context) -> None:
        """The list, what is known of the chosen one, and what can be done with it."""
        layout = self.layout
        scene = compat.sequencer_scene(context)
        footage = request.chosen_footage(scene)
        takes = take_list.newest_first(scene, list_takes(scene, footage)) if footage is not None else []
        if not takes:
            words = tr("Takes are the results: each is a strip above its footage, and is listed here.")
            drawing.paragraph(context, layout, words)
            layout.operator("recam.load_takes", icon="IMPORT")
            _tasks(context, layout)
            return
        row = layout.row()
        row.template_list(
            "RECAM_UL_takes", "", scene.sequence_editor, compat.EVERY_STRIP, scene.recam, "take_index", rows=_ROWS
        )
        active = compat.active_strip(scene)
        chosen = active if active in takes else None
        column = row.column(align=True)
        side = column.column(align=True)
        side.enabled = chosen is not None
        side.operator("recam.remove_take", text="", icon="TRASH")
        column.separator()
        column.menu("RECAM_MT_take", text="", icon="DOWNARROW_HLT")
        if chosen is not None:
            _details(context, layout, take_list.describe(scene, chosen))
        column = layout.column(align=True)
        shown = any(not each.mute for each in takes)
        words = "Show Source" if shown else "Show Take"
        column.operator("recam.compare", text=words, icon="ARROW_LEFTRIGHT")
        column = layout.column(align=True)
        column.enabled = chosen is not None
        pair = column.row(align=True)
        pair.operator("recam.rerun_take", text="Re-run", icon="FILE_REFRESH").seed = "same"
        if chosen is not None and take_list.told_of(chosen).engine in GENERATES:
            pair.operator("recam.rerun_take", text="Next Seed", icon="FORWARD").seed = "next"
        column.operator("recam.copy_take_settings", icon="COPYDOWN")
        column.operator("recam.use_take", icon="PINNED")
        _tasks(context, layout)


class RECAM_MT_take(bpy.types.Menu):
    bl_label = "Take"
    bl_description = "What can be done with the take that is active"

    def draw(self, _context: bpy.types.Context) -> None:
        """All of it: what stands in menus is found by its name."""
        layout = self.layout
        layout.operator_context = "INVOKE_REGION_WIN"
        layout.operator("recam.compare", icon="ARROW_LEFTRIGHT")
        layout.operator("recam.show_take", icon="HIDE_OFF")
        layout.operator("recam.solo_take", icon="SOLO_OFF")
        layout.separator()
        layout.operator("recam.rerun_take", text="Re-run with Same Seed", icon="FILE_REFRESH").seed = "same"
        layout.operator("recam.rerun_take", text="Re-run with Next Seed", icon="FORWARD").seed = "next"
        layout.separator()
        layout.operator("recam.copy_take_settings", icon="COPYDOWN")
        layout.operator("recam.use_take", icon="PINNED")
        layout.operator("recam.camera_from_take", icon="CAMERA_DATA")
        layout.operator("recam.reveal_take", icon="FILEBROWSER")
        layout.separator()
        layout.operator("recam.load_takes", icon="IMPORT")
        layout.operator("recam.remove_take", icon="TRASH")


def _number(take: take_list.Take) -> str:
    return f"v{take.version:03d}" if take.version else take.strip


def _maker(context: bpy.types.Context, take: take_list.Take) -> str:
    """The engine, and the seed where it counts; where there is no room for both, the seed, as only one has it. What a
    take is for says more than what made it.
    """
    name, use = _ENGINES.get(take.told.engine, take.told.engine), use_words.word(take.told.use)
    if take.told.engine not in GENERATES or take.told.seed is None:
        return use[:1].upper() + use[1:] or name
    if use:
        return tr("{use}, seed {seed}").format(use=use[:1].upper() + use[1:], seed=take.told.seed)
    whole = tr("{engine}, {seed}").format(engine=name, seed=take.told.seed)
    scale = context.preferences.system.ui_scale
    room = context.region.width - _BESIDE_MAKER * scale
    return whole if drawing.width(whole, scale) <= room else tr("Seed {seed}").format(seed=take.told.seed)


def _details(context: bpy.types.Context, layout: bpy.types.UILayout, take: take_list.Take) -> None:
    """What has no room in its row."""
    told = take.told
    parts = [told.camera]
    if use_words.word(told.use):
        parts += [use_words.word(told.use), _ENGINES.get(told.engine, told.engine)]
    if told.engine in GENERATES and told.seed is not None:
        parts.append(tr("seed {seed}").format(seed=told.seed))
    if told.frames:
        parts.append(plural(told.frames, "1 frame", "{count} frames").format(count=told.frames))
    if told.invented is not None:
        parts.append(tr("{percent:.0f} % invented").format(percent=100 * told.invented))
    if any(parts):
        drawing.paragraph(context, layout, ", ".join(filter(None, parts)))
    if not take.there:
        words = tr("{file} is missing: put it back, re-run the take, or remove it.")
        drawing.paragraph(context, layout, words.format(file=os.path.basename(take.path)), "ERROR")


def _tasks(context: bpy.types.Context, layout: bpy.types.UILayout) -> None:
    """What loads or removes takes, and how that ended."""
    for key in (take_work.LOAD, take_work.REMOVE):
        running, ended = tasks.running(key), tasks.ended(key)
        if running is not None:
            drawing.paragraph(context, layout, running.words, "TIME")
        elif ended is not None:
            row = layout.row(align=True)
            drawing.paragraph(context, row.column(), ended.text, drawing.ICONS[ended.kind], boxed=True)
            row.operator("recam.clear_take_messages", text="", icon="X", emboss=False)


CLASSES = (RECAM_UL_takes, RECAM_MT_take, RECAM_PT_takes)
