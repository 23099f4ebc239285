"""Where the work stands, in Blender's status bar: seen in every workspace, whichever panel is closed."""

from __future__ import annotations

from typing import Any

import bpy

from . import drawing, jobs, runtime, telling
from .operators import RECAM_OT_cancel, RECAM_OT_open_take_log
from .texts import tr

# Of Blender's units, which a button is one high.
_BAR_WIDTH = 15
_BOX_WIDTH = 420

_seen: runtime.Message | None = None
"""The latest one when the user last looked at why a take failed."""


class RECAM_OT_show_failure(bpy.types.Operator):
    """Show why the latest take was not made"""

    bl_idname = "recam.show_failure"
    bl_label = "Why the Take Failed"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only where one failed."""
        return _failure() is not None

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """In a box of its own: the panel that says it may be closed."""
        self._failure = _failure()
        _look_away()
        result: set[str] = context.window_manager.invoke_popup(self, width=_BOX_WIDTH)
        return result

    def draw(self, context: bpy.types.Context) -> None:
        """The reason, and the way to more of it."""
        if self._failure is None:
            return
        characters = int(_BOX_WIDTH / 7)
        drawing.wrapped(self.layout, self._failure.text, characters, "ERROR")
        self.layout.operator(RECAM_OT_open_take_log.bl_idname, icon="TEXT")

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """It is shown, and nothing is done."""
        return {"FINISHED"}


def draw(header: Any, _context: bpy.types.Context) -> None:
    """Phase, step and time left of what runs, with the way to cancel it; or that the latest take failed."""
    entry = jobs.running()
    if entry is not None:
        row = header.layout.row(align=True)
        bar = row.row()
        bar.ui_units_x = _BAR_WIDTH
        bar.progress(factor=telling.share(entry.progress), text=words(entry))
        row.operator(RECAM_OT_cancel.bl_idname, text="", icon="X")
    elif _failure() is not None:
        row = header.layout.row()
        row.alert = True
        row.operator(RECAM_OT_show_failure.bl_idname, text="Take Failed", icon="ERROR")


def words(entry: jobs.Entry) -> str:
    """Where an entry stands, in one line: "Warping 12/81, 5 s left, 2 waiting"."""
    told = [telling.phase(entry.progress), telling.time_left(entry.progress)]
    if others := len(jobs.entries()) - 1:
        told.append(tr("{count} waiting").format(count=others))
    return ", ".join(filter(None, told))


def _failure() -> runtime.Message | None:
    """The latest one, where nobody has looked at it yet; takes that were made since do not hide it."""
    for message in reversed(jobs.messages()):
        if message is _seen:
            return None
        if message.icon == "ERROR":
            return message
    return None


def _look_away() -> None:
    global _seen
    _seen = jobs.messages()[-1]
    redraw()


def redraw() -> None:
    """Draw the status bar anew. It is in no screen's areas; it listens for which view layer a window shows."""
    if not bpy.app.background:
        bpy.msgbus.publish_rna(key=(bpy.types.Window, "view_layer"))


CLASSES = (RECAM_OT_show_failure,)


def register() -> None:
    """Put it at the status bar's end."""
    bpy.types.STATUSBAR_HT_header.append(draw)
    jobs.shown.append(redraw)


def unregister() -> None:
    """Take it away."""
    global _seen
    _seen = None
    jobs.shown.remove(redraw)
    bpy.types.STATUSBAR_HT_header.remove(draw)
    redraw()
