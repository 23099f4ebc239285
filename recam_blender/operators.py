"""The buttons. Each is thin over a function that a script can call."""

from __future__ import annotations

import os
import time

import bpy
from bpy.app.handlers import persistent

from . import fixes, jobs, request, reshoot, runtime
from .errors import ReCamError
from .texts import tr


class RECAM_OT_render(bpy.types.Operator):
    """Make a take: the footage, seen by the camera. While one is made, further ones wait in the queue"""

    bl_idname = "recam.render"
    bl_label = "Re-shoot"
    # Not "REGISTER": repeated by Shift-R, it would be executed, and hold Blender until the take is there.
    bl_options: set[str] = set()

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        scene = fixes.edit_of(context)
        if scene is None or request.chosen_footage(scene) is None:
            cls.poll_message_set("Select the strip to re-shoot in the sequencer")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make the take and return when it is there: for scripts and background Blender."""
        try:
            scene = fixes.edit_of(context)
            asked = request.from_settings(scene)
            request.count_seed(scene)
            outcome = reshoot.reshoot_now(asked)
        except ReCamError as error:
            return self._refuse(error)
        text = tr("Made {takes}.").format(takes=", ".join(take.strip or take.path for take in outcome.takes))
        runtime.message = runtime.Message(text, "CHECKMARK", outcome.warnings, outcome.notes)
        _report(self, runtime.message)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Put it into the queue, which goes on by itself."""
        if bpy.app.background:
            return self.execute(context)
        try:
            scene = fixes.edit_of(context)
            jobs.add(request.from_settings(scene))
            request.count_seed(scene)
        except ReCamError as error:
            return self._refuse(error)
        return {"FINISHED"}

    def _refuse(self, error: ReCamError) -> set[str]:
        runtime.message = runtime.Message(str(error), "ERROR")
        self.report({"ERROR"}, str(error))
        return {"CANCELLED"}


class RECAM_OT_tell(bpy.types.Operator):
    """Say in the status bar and in the Info editor how the latest take ended"""

    bl_idname = "recam.tell"
    bl_label = "Tell of Takes"
    bl_options = {"INTERNAL"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Wait for an event: what a script is told of, Blender shows nobody. Gone again in a moment."""
        self._timer = context.window_manager.event_timer_add(_TELL_SECONDS, window=context.window)
        _timers.append(self._timer)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Tell, and end at the next event: of an error that comes with an end, Blender opens a box under the mouse."""
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if _untold:
            while _untold:
                _report(self, _untold.pop(0))
            return {"PASS_THROUGH"}
        self.cancel(context)
        return {"FINISHED"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Also called by Blender, when the window is closed or another file is opened."""
        if self._timer in _timers:
            _timers.remove(self._timer)
            context.window_manager.event_timer_remove(self._timer)


# Long enough for two of its events not to be one.
_TELL_SECONDS = 0.02

_timers: list[bpy.types.Timer] = []
_untold: list[runtime.Message] = []


def _tell(message: runtime.Message) -> None:
    """A take has ended, and the panel that says how may be closed."""
    windows = bpy.context.window_manager.windows
    if bpy.app.background or not windows:
        return
    _untold.append(message)
    if not _timers:
        with bpy.context.temp_override(window=windows[0]):
            bpy.ops.recam.tell("INVOKE_DEFAULT")


def _report(operator: bpy.types.Operator, message: runtime.Message) -> None:
    for warning in message.warnings:
        operator.report({"WARNING"}, warning)
    for note in message.notes:
        operator.report({"INFO"}, note)
    operator.report({"ERROR" if message.icon == "ERROR" else "INFO"}, message.text)


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

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Escape comes here when no tool, menu or editor wanted it, and also when it has just stopped the playback."""
        stopped = time.monotonic() - _stopped_at < _SAME_PRESS_SECONDS
        if event.type == "ESC" and (stopped or context.screen.is_animation_playing):
            return {"PASS_THROUGH"}
        return self.execute(context)

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


class RECAM_OT_clear_messages(bpy.types.Operator):
    """Show no more how the latest takes ended"""

    bl_idname = "recam.clear_messages"
    bl_label = "Clear"
    bl_options = {"INTERNAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Forget them."""
        jobs.forget_messages()
        return {"FINISHED"}


class RECAM_OT_free_memory(bpy.types.Operator):
    """End the worker that waits for the next take: its models leave the memory of the machine and its graphics card"""

    bl_idname = "recam.free_memory"
    bl_label = "Free Memory"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only while there is a worker, and it has nothing to do."""
        if runtime.busy:
            cls.poll_message_set("A take is being made: cancel it first, or wait for it")
            return False
        if not runtime.warm():
            cls.poll_message_set("No worker is waiting: there is nothing to free")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Ask it to end."""
        runtime.let_go()
        self.report({"INFO"}, tr("The worker has ended, and its memory is free."))
        return {"FINISHED"}


class RECAM_OT_open_take_log(bpy.types.Operator):
    """Show what the worker has written down of its work"""

    bl_idname = "recam.open_take_log"
    bl_label = "Open Log"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only where there is one."""
        if not os.path.isfile(runtime.log_file(runtime.TAKES)):
            cls.poll_message_set("There is no log yet")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Leave it to the system: a text in Blender would be saved with the file."""
        path = runtime.log_file(runtime.TAKES)
        try:
            bpy.ops.wm.path_open(filepath=path)
        except RuntimeError:
            self.report({"ERROR"}, tr("The system shows no log files; this one is at {path}").format(path=path))
            return {"CANCELLED"}
        return {"FINISHED"}


CLASSES = (
    RECAM_OT_render,
    RECAM_OT_tell,
    RECAM_OT_cancel,
    RECAM_OT_move_job,
    RECAM_OT_cancel_all,
    RECAM_OT_clear_messages,
    RECAM_OT_free_memory,
    RECAM_OT_open_take_log,
)

_keys: list[tuple[bpy.types.KeyMap, bpy.types.KeyMapItem]] = []

# Blender passes an Escape that stops the playback on to others.
_SAME_PRESS_SECONDS = 0.1
_stopped_at = 0.0


@persistent
def _after_playback(*_: object) -> None:
    global _stopped_at
    _stopped_at = time.monotonic()


def register() -> None:
    """Tell of takes, and listen for Escape in every window, after all others.

    No modal operator does that: while there is one, Blender saves no files on its own account.
    """
    jobs.ended.append(_tell)
    bpy.app.handlers.animation_playback_post.append(_after_playback)
    added = bpy.context.window_manager.keyconfigs.addon
    if added is not None:
        keymap = added.keymaps.new(name="Window", space_type="EMPTY")
        _keys.append((keymap, keymap.keymap_items.new(RECAM_OT_cancel.bl_idname, "ESC", "PRESS")))


def unregister() -> None:
    """Tell and listen no more. Blender drops a modal operator with its class, and does not tell it."""
    jobs.ended.remove(_tell)
    bpy.app.handlers.animation_playback_post.remove(_after_playback)
    _untold.clear()
    while _timers:
        bpy.context.window_manager.event_timer_remove(_timers.pop())
    while _keys:
        keymap, item = _keys.pop()
        keymap.keymap_items.remove(item)
