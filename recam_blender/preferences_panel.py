"""The add-on's preferences as Blender draws them: the backend, the device, the models."""

from __future__ import annotations

import os

import bpy

from ..backend.contract import ENGINES
from . import drawing, environment, needs, preferences, preferences_models, setup, setup_operators, tasks
from .needs import Button
from .texts import tr

_LABELS = 0.2
"""How much of the width is for labels."""


class RECAM_AP_preferences(preferences.Settings, bpy.types.AddonPreferences):
    bl_idname = preferences.ADDON

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_decorate = False
        _backend(context, layout.box(), self)
        layout.use_property_split = True
        layout.prop(self, "device")
        preferences_models.draw(layout, context)


def _backend(context: bpy.types.Context, layout: bpy.types.UILayout, own: RECAM_AP_preferences) -> None:
    found = setup.state()
    ready = found.kind == "ready"
    running = tasks.running(setup.KEY)
    icon = "CHECKMARK" if ready or environment.own_python()[0] else "SORTTIME" if running is not None else "ERROR"
    layout.label(text="Backend", icon=icon)
    if environment.own_python()[0]:
        _own_python(context, layout)
    elif ready:
        for label, text in setup.facts(found):
            _fact(layout, label, text)
        if tasks.ended(setup.KEY) is None:  # else they stand there
            for note in found.notes:
                drawing.paragraph(context, layout, note, "INFO")
    elif running is None:
        drawing.paragraph(context, layout, environment.trouble(found))

    if running is not None:
        drawing.task(context, layout, running, "recam.setup_cancel")
    else:
        _actions(context, layout, needs.buttons(found))
        _message(context, layout)
        _lacking(context, layout)
    _elsewhere(layout, own)


def _own_python(context: bpy.types.Context, layout: bpy.types.UILayout) -> None:
    path, named_by = environment.own_python()
    drawing.paragraph(context, layout, tr("A Python of your own is used: {path}").format(path=path))
    if named_by == environment.VARIABLE:
        layout.label(text=tr("Overridden by {variable}").format(variable=environment.VARIABLE), icon="INFO")
    else:
        layout.row().operator("recam.setup_own_environment")
    if not os.path.isfile(path):
        layout.label(text="There is no such file", icon="ERROR")


def _actions(context: bpy.types.Context, layout: bpy.types.UILayout, buttons: list[Button]) -> None:
    lacking = needs.offline()
    if lacking is not None:
        drawing.paragraph(context, layout, lacking.text, "INFO")
        if lacking.button is not None:
            draw_button(layout.row(), lacking.button)
        # What needs no network stays.
        buttons = [each for each in buttons if each.operator == "recam.setup_remove"]
    row = layout.row()
    for each in buttons:
        draw_button(row, each)
    row = layout.row()
    # What the larger engine lacks tells of the smaller too.
    row.operator("recam.setup_use_python", icon="FILEBROWSER").engine = ENGINES[-1]
    ended = tasks.ended(setup.KEY)
    if ended is None or ended.kind != "failed":  # else it stands under the reason
        row.operator("recam.open_log", icon="TEXT")


def draw_button(layout: bpy.types.UILayout, button: Button) -> None:
    """A button with its properties."""
    properties = layout.operator(button.operator, text=button.label, icon=button.icon)
    for name, value in button.options.items():
        setattr(properties, name, value)


def _message(context: bpy.types.Context, layout: bpy.types.UILayout) -> None:
    ended = tasks.ended(setup.KEY)
    if ended is None:
        return
    reason, _, last_lines = ended.text.partition("\n")
    drawing.paragraph(context, layout, reason, drawing.ICONS[ended.kind])
    if ended.kind == "failed":
        row = layout.row()
        row.operator("recam.copy", icon="COPYDOWN").text = ended.text
        row.operator("recam.open_log", icon="TEXT")
    if not last_lines:
        return
    # After the buttons, as they are many.
    column = layout.column()
    column.active = False
    drawing.paragraph(context, column, last_lines, "BLANK1")


def _lacking(context: bpy.types.Context, layout: bpy.types.UILayout) -> None:
    """What the user's own Python lacks, with the command that adds it."""
    found = setup_operators.probed
    if found is not None and found.missing and found.command:
        drawing.paragraph(
            context, layout, tr("This adds it, typed in a shell: {command}").format(command=found.command), "CONSOLE"
        )
        layout.row().operator("recam.copy", text="Copy Command", icon="COPYDOWN").text = found.command


def _elsewhere(layout: bpy.types.UILayout, own: RECAM_AP_preferences) -> None:
    header, body = layout.panel("recam_backend_places", default_closed=True)
    header.label(text="Elsewhere, or Without Network")
    if body is None:
        return
    body.use_property_split = True
    for name in ("python", "environment", "wheels"):
        body.prop(own, name)


def _fact(layout: bpy.types.UILayout, label: str, text: str) -> None:
    row = layout.split(factor=_LABELS)
    row.label(text=label)
    row.label(text=text)


CLASSES = (RECAM_AP_preferences,)
