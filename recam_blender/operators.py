"""The buttons. Each is thin over a function that a script can call."""

from __future__ import annotations

import time
from collections.abc import Generator

import bpy

from . import compat, request, reshoot, runtime
from .errors import ReCamError
from .planning import Step

_TICK_SECONDS = 0.05
# Within one tick, steps are taken until this is spent: short ones together, a long one alone.
_BUDGET_SECONDS = 0.02


class RECAM_OT_render(bpy.types.Operator):
    """Make a take: the active strip, seen by the camera"""

    bl_idname = "recam.render"
    bl_label = "Re-shoot"
    bl_options = {"REGISTER"}

    _work: Generator[Step, None, reshoot.Outcome]
    _timer: bpy.types.Timer | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        if runtime.running is not None:
            cls.poll_message_set("A take is being made")
            return False
        scene = compat.sequencer_scene(context)
        if scene is None or compat.active_strip(scene) is None:
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
        _finish(self, outcome)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Make the take while Blender stays usable."""
        if bpy.app.background:
            return self.execute(context)
        runtime.message = None
        try:
            asked = request.from_settings(compat.sequencer_scene(context))
        except ReCamError as error:
            return self._refuse(error)
        self._work = reshoot.reshoot(asked)
        runtime.running = runtime.Running(self._work)
        self._timer = context.window_manager.event_timer_add(_TICK_SECONDS, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Take a few steps at each tick; Escape cancels."""
        running = runtime.running
        if running is None or running.cancel_asked or (event.type == "ESC" and event.value == "PRESS"):
            self.cancel(context)
            self.report({"INFO"}, "Cancelled")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            self._advance(running)
        except StopIteration as end:
            self._stop(context)
            _finish(self, end.value)
            return {"FINISHED"}
        except ReCamError as error:
            self._stop(context)
            return self._refuse(error)
        except BaseException:
            # A defect, not a reason: Blender shows its traceback, and the button comes back all the same.
            self._stop(context)
            raise
        _redraw(context)
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Also called by Blender, when it quits or opens another file."""
        try:
            self._work.close()
        finally:
            self._stop(context)
            runtime.message = runtime.Message("Cancelled", "CANCEL")

    def _refuse(self, error: ReCamError) -> set[str]:
        runtime.message = runtime.Message(str(error), "ERROR")
        self.report({"ERROR"}, str(error))
        return {"CANCELLED"}

    def _advance(self, running: runtime.Running) -> None:
        until = time.monotonic() + _BUDGET_SECONDS
        while time.monotonic() < until:
            step = next(self._work)
            running.progress = step.progress
            if step.idle:
                return

    def _stop(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        runtime.running = None
        _redraw(context)


class RECAM_OT_cancel(bpy.types.Operator):
    """Stop making the take; nothing half done is left"""

    bl_idname = "recam.cancel"
    bl_label = "Cancel Re-shoot"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only while there is something to cancel."""
        return runtime.running is not None

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Ask the running operator to stop at its next tick."""
        if runtime.running is not None:
            runtime.running.cancel_asked = True
        return {"FINISHED"}


def _finish(operator: bpy.types.Operator, outcome: reshoot.Outcome) -> None:
    text = "Made " + ", ".join(take.strip or take.path for take in outcome.takes)
    runtime.message = runtime.Message(text + ".", "CHECKMARK", outcome.warnings, outcome.notes)
    for warning in outcome.warnings:
        operator.report({"WARNING"}, warning)
    for note in (*outcome.notes, text):
        operator.report({"INFO"}, note)


def _redraw(context: bpy.types.Context) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "SEQUENCE_EDITOR":
                area.tag_redraw()


CLASSES = (RECAM_OT_render, RECAM_OT_cancel)
