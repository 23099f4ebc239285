"""The part of the preferences that shows the models. It draws what is there and decides nothing."""

from __future__ import annotations

import os

import bpy

from ..backend.progress import size as bytes_in_words
from . import drawing, model_work, models, needs, preferences, runtime, tasks
from .model_operators import (
    RECAM_OT_models_cancel,
    RECAM_OT_models_forget,
    RECAM_OT_models_get,
    RECAM_OT_models_locate,
    RECAM_OT_models_remove,
    RECAM_OT_models_search,
    RECAM_OT_models_take,
    licence_in_words,
    size_in_words,
)
from .texts import later, tr

_STATES = {
    "missing": ("RADIOBUT_OFF", ""),
    "partial": ("PAUSE", later("begun")),
    "ready": ("CHECKMARK", later("here")),
    "elsewhere": ("LINKED", later("used where it lies")),
    "named": ("LINKED", later("named below")),
    "waiting": ("SORTTIME", later("waits")),
    "getting": ("IMPORT", ""),
}
"""What a state looks like, and what is said of it."""


def draw(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What ReCamMaster needs, all that can be got, what lies elsewhere, and where it goes."""
    rows = models.rows()
    layout = layout.box()
    # What asks for properties says so itself: a label that is split from nothing stands in the middle.
    layout.use_property_split = False
    _draw_needed(layout)
    _draw_offline(context, layout)
    for row in rows:
        if row.entry.default:
            _draw_row(context, layout, row)
    _draw_ended(context, layout, model_work.GET)
    body = _panel(layout, "recam_models_choices", later("More to Choose From"))
    for row in rows if body else ():
        if not row.entry.default:
            _draw_row(context, body, row)
    _draw_folder(layout)
    _draw_elsewhere(context, layout)
    _draw_named(layout)


def _panel(layout: bpy.types.UILayout, name: str, title: str) -> bpy.types.UILayout | None:
    """A part that is closed at first; None while it is."""
    header, body = layout.panel(name, default_closed=True)
    header.label(text=title)
    return body


# What can be got


def _draw_needed(layout: bpy.types.UILayout) -> None:
    """The one button for all that is missing; none while that is on its way."""
    is_missing = bool(models.missing("recammaster"))
    # Nothing is wrong where they are missing: the other engine needs none.
    layout.label(text="Models for ReCamMaster", icon="INFO" if is_missing else "CHECKMARK")
    asked = [models.row(each) for each in models.advised("recammaster")]
    if is_missing and not any(each.state in ("getting", "waiting") for each in asked):
        row = layout.row()
        row.scale_y = 1.3
        size = bytes_in_words(sum(each.entry.size for each in asked))
        text = tr("Get What ReCamMaster Needs ({size})").format(size=size)
        row.operator(RECAM_OT_models_get.bl_idname, text=text, icon="IMPORT").ids = ""


def _draw_offline(context: bpy.types.Context, layout: bpy.types.UILayout) -> None:
    """How to allow downloads, where the backend's part of the preferences does not say so already."""
    reason = "" if needs.offline() else runtime.offline()
    if reason:
        drawing.paragraph(context, layout, reason, "INFO")
        layout.row().operator("recam.allow_online", icon="INTERNET")


def _draw_row(context: bpy.types.Context, layout: bpy.types.UILayout, row: models.Row) -> None:
    """One model: its name and size, how it stands, and what can be done; below, what it is for, and its licence."""
    icon, words = _STATES[row.state]
    box = layout.box().column(align=True)
    split = box.split(factor=0.6)
    split.label(text=row.entry.title, icon="ERROR" if row.trouble else icon)
    right = split.row(align=True)
    right.alignment = "RIGHT"
    size = "" if row.state == "ready" else size_in_words(row.entry)
    right.label(text=", ".join(filter(None, (tr(words) if words else "", size))))
    _draw_buttons(right, row)
    if row.state == "getting":
        _draw_progress(box)
    about = box.column(align=True)
    about.active = False
    forbids = row.entry.commercial is False
    licence = licence_in_words(row.entry)
    told = tr("Licence: {licence}.").format(licence=licence)
    drawing.paragraph(context, about, tr(row.entry.purpose) + ("" if forbids else f" {told}"), "BLANK1")
    if forbids:
        line = box.row()
        line.alert = True
        line.label(text=told, icon="ERROR")


def _draw_buttons(layout: bpy.types.UILayout, row: models.Row) -> None:
    id = row.entry.id  # noqa: A001 - the catalogue's name
    if row.state in ("getting", "waiting"):
        layout.operator(RECAM_OT_models_cancel.bl_idname, text="Cancel", icon="X").id = id
        return
    if row.state != "ready":
        text = later("Go On" if row.state == "partial" else "Get")
        layout.operator(RECAM_OT_models_get.bl_idname, text=text, icon="IMPORT").ids = id
        if row.entry.what in preferences.MODEL_FILES.values():
            layout.operator(RECAM_OT_models_locate.bl_idname, text="", icon="FILE_FOLDER").id = id
    if row.files:
        layout.operator(RECAM_OT_models_remove.bl_idname, text="", icon="TRASH").id = id


def _draw_progress(layout: bpy.types.UILayout) -> None:
    """The bar, with how much has come, how fast, and how long it takes yet."""
    task = tasks.running(model_work.GET)
    if task is not None:
        layout.progress(factor=task.share, text=task.words)


def _draw_ended(context: bpy.types.Context, layout: bpy.types.UILayout, key: str) -> None:
    ended = tasks.ended(key)
    if ended is not None:
        drawing.paragraph(context, layout, ended.text, drawing.ICONS[ended.kind])


# Where they lie


def _draw_folder(layout: bpy.types.UILayout) -> None:
    column = layout.column(align=True)
    own = preferences.own()
    overridden = os.environ.get(preferences.MODELS_VARIABLE)
    if own is not None:
        row = column.row()
        row.active = not overridden
        row.prop(own, "models", text="Folder")
    free = models.free()
    room = "" if free is None else tr(", {size} free").format(size=bytes_in_words(free))
    why = f" ({preferences.MODELS_VARIABLE})" if overridden else ""
    column.label(text=f"{models.folder()}{why}{room}", icon="FILE_FOLDER")


def _draw_elsewhere(context: bpy.types.Context, layout: bpy.types.UILayout) -> None:
    """What the search found, and what is used where it lies."""
    row = layout.row(align=True)
    task = tasks.running(model_work.SEARCH) or tasks.running(model_work.LOCATE)
    if task is not None:
        row.progress(factor=task.share, text=task.words)
    else:
        row.operator(RECAM_OT_models_search.bl_idname, icon="VIEWZOOM")
        row.operator(RECAM_OT_models_locate.bl_idname, text="Locate…", icon="FILE_FOLDER").id = ""
    if models.found:
        _draw_found(layout)
    for key in (model_work.SEARCH, model_work.LOCATE):
        _draw_ended(context, layout, key)
    for path, is_there in models.places().items():
        row = layout.row(align=True)
        row.label(
            text=path if is_there else tr("Not there: {path}").format(path=path), icon="LINKED" if is_there else "ERROR"
        )
        row.operator(RECAM_OT_models_forget.bl_idname, text="", icon="X").path = path


def _draw_found(layout: bpy.types.UILayout) -> None:
    box = layout.box().column(align=True)
    for each in models.found:
        row = box.split(factor=0.85, align=True)
        row.label(text=f"{each.where}: {each.words}, {bytes_in_words(each.size)}", icon="FILE")
        row.operator(RECAM_OT_models_take.bl_idname).path = each.path
        place = box.row()
        place.active = False
        place.label(text=each.path, icon="BLANK1")
    row = box.row(align=True)
    row.operator(RECAM_OT_models_take.bl_idname, text="Use All").path = ""
    row.operator(RECAM_OT_models_forget.bl_idname, text="Use None").path = ""


def _draw_named(layout: bpy.types.UILayout) -> None:
    own = preferences.own()
    body = _panel(layout, "recam_models", later("Model Files One by One"))
    if body is None or own is None:
        return
    body.active = not os.environ.get(preferences.MODELS_VARIABLE)
    body.use_property_split = True
    for name in preferences.MODEL_FILES:
        body.prop(own, name)
