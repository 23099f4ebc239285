"""The buttons. Each is thin over a function that a script can call."""

from __future__ import annotations

import bpy

from . import compat, jobs, request, reshoot, runtime
from .errors import ReCamError
from .texts import tr

_TICK_SECONDS = 0.1


class RECAM_OT_render(bpy.types.Operator):
    """Make a take: the footage, seen by the camera. While one is made, further ones wait in the queue"""

    bl_idname = "recam.render"
    bl_label = "Re-shoot"
    bl_options = {"REGISTER"}

    _timer: bpy.types.Timer | None = None
    _told: runtime.Message | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        scene = compat.sequencer_scene(context)
        if scene is None or request.chosen_footage(scene) is None:
            cls.poll_message_set("Select the strip to re-shoot in the sequencer")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make the take and return when it is there: for scripts and background Blender."""
        try:
            asked = request.from_settings(compat.sequencer_scene(context))
            outcome = reshoot.reshoot_now(asked)
        except ReCamError as error:
            return self._refuse(error)
        text = tr("Made {takes}.").format(takes=", ".join(take.strip or take.path for take in outcome.takes))
        runtime.message = runtime.Message(text, "CHECKMARK", outcome.warnings, outcome.notes)
        self._report(runtime.message)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Put it into the queue, which goes on by itself; stay only to listen for Escape and to tell how it ended."""
        if bpy.app.background:
            return self.execute(context)
        try:
            asked = request.from_settings(compat.sequencer_scene(context))
        except ReCamError as error:
            return self._refuse(error)
        jobs.add(asked)
        if not _listening():
            self._timer = context.window_manager.event_timer_add(_TICK_SECONDS, window=context.window)
            context.window_manager.modal_handler_add(self)
            _listeners.append(self._timer)
            return {"RUNNING_MODAL"}
        return {"FINISHED"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Escape cancels what runs, unless it stops the playback."""
        entry = jobs.running()
        if event.type == "ESC" and event.value == "PRESS" and entry and not context.screen.is_animation_playing:
            jobs.cancel(entry.number)
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if runtime.message is not None and runtime.message is not self._told:
            self._told = runtime.message
            self._report(self._told)
        if entry is None:
            self.cancel(context)
            return {"FINISHED"}
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Also called by Blender, when its window is closed or another file is opened. The queue is not bound to it."""
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            if self._timer in _listeners:
                _listeners.remove(self._timer)
            self._timer = None

    def _refuse(self, error: ReCamError) -> set[str]:
        runtime.message = runtime.Message(str(error), "ERROR")
        self.report({"ERROR"}, str(error))
        return {"CANCELLED"}

    def _report(self, message: runtime.Message) -> None:
        for warning in message.warnings:
            self.report({"WARNING"}, warning)
        for note in message.notes:
            self.report({"INFO"}, note)
        self.report({"ERROR" if message.icon == "ERROR" else "INFO"}, message.text)


_listeners: list[bpy.types.Timer] = []


def _listening() -> bool:
    """Whether a button press before this one still listens."""
    return bool(_listeners)


class RECAM_OT_cancel(bpy.types.Operator):
    """Stop making the take; nothing half done is left"""

    bl_idname = "recam.cancel"
    bl_label = "Cancel Re-shoot"
    bl_options = {"INTERNAL"}

    number: bpy.props.IntProperty(options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only while there is something to cancel."""
        if jobs.running() is None:
            cls.poll_message_set("Nothing is being made")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Take the job of that number out of the queue; without a number, the one that runs."""
        entry = jobs.find(self.number) if self.number else jobs.running()
        if entry is not None:
            jobs.cancel(entry.number)
        return {"FINISHED"}


class RECAM_OT_move_job(bpy.types.Operator):
    """Make this one earlier or later"""

    bl_idname = "recam.move_job"
    bl_label = "Move in Queue"
    bl_options = {"INTERNAL"}

    number: bpy.props.IntProperty(options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]
    by: bpy.props.IntProperty(options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Move it among those that wait."""
        jobs.move(self.number, self.by)
        return {"FINISHED"}


class RECAM_OT_cancel_all(bpy.types.Operator):
    """Stop what is made, and take all others out of the queue"""

    bl_idname = "recam.cancel_all"
    bl_label = "Cancel All"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only while there is something to cancel."""
        if jobs.running() is None:
            cls.poll_message_set("Nothing is being made")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Those that wait first, so that none begins."""
        for entry in reversed(jobs.entries()):
            jobs.cancel(entry.number)
        return {"FINISHED"}


CLASSES = (RECAM_OT_render, RECAM_OT_cancel, RECAM_OT_move_job, RECAM_OT_cancel_all)


def unregister() -> None:
    """No press listens any more. Blender drops the listening operator with its class, and does not tell it."""
    while _listeners:
        bpy.context.window_manager.event_timer_remove(_listeners.pop())
