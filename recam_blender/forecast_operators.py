"""How much of a take would have to be invented, at a press; and anew when the camera has changed."""

from __future__ import annotations

import traceback
from typing import Any

import bpy
from bpy.app.handlers import persistent

from . import environment, forecast, needs, overlay, request, runtime, tasks, watching
from .errors import ReCamError
from .overlay import where
from .stepping import Running
from .texts import tr

_TICK_SECONDS = 0.05
_BUDGET_SECONDS = 0.01
# How long to wait while the user holds something, before looking again whether it was let go.
_HELD_SECONDS = 0.3


class RECAM_OT_forecast(bpy.types.Operator):
    """Tell how much of each frame would have to be invented: by the colours of strip and path, and in words"""

    bl_idname = "recam.forecast"
    bl_label = "Forecast"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        scene = where.edit_of(context)
        if scene is None or request.chosen_footage(scene) is None:
            cls.poll_message_set("Select the strip to re-shoot in the sequencer")
            return False
        if tasks.running(forecast.KEY) is not None:
            cls.poll_message_set("The forecast is being made")
            return False
        lacking = needs.need("reproject")
        if lacking is not None and lacking.of_backend:
            cls.poll_message_set(lacking.text)
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Return when it is known: for scripts and background Blender."""
        try:
            asked = request.from_settings(where.edit_of(context))
            told = tasks.drain(forecast.make(asked))
        except ReCamError as error:
            return self._refuse(error)
        forecast.keep(told)
        self.report({"INFO"}, told.text)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Let it be worked out while Blender stays usable."""
        if bpy.app.background:
            return self.execute(context)
        try:
            asked = request.from_settings(where.edit_of(context))
            tasks.start(forecast.KEY, tr("Forecast"), forecast.make(asked), _finished)
        except ReCamError as error:
            return self._refuse(error)
        return {"FINISHED"}

    def _refuse(self, error: ReCamError) -> set[str]:
        self.report({"ERROR"}, str(error))
        return {"CANCELLED"}


class RECAM_OT_forecast_cancel(bpy.types.Operator):
    """Stop working out the forecast"""

    bl_idname = "recam.forecast_cancel"
    bl_label = "Cancel Forecast"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only while there is one to cancel."""
        if tasks.running(forecast.KEY) is None:
            cls.poll_message_set("No forecast is being made")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """End it at its next step."""
        tasks.cancel(forecast.KEY)
        return {"FINISHED"}


def _finished(told: forecast.Told) -> str:
    forecast.keep(told)
    return told.text


# Showing it


def _show(told: forecast.Told) -> None:
    overlay.show_forecast(told.scene, told.strip, told.start, told.shares, told.stale)


# Keeping it right


_wanted = ""
"""The scene whose forecast is to be made anew."""
_running: Running[forecast.Told] | None = None


def _after_look(seen: watching.Seen) -> None:
    """The camera or the settings have changed."""
    global _wanted
    known = forecast.check(seen)
    if bpy.app.background or not follows(seen, known):
        return
    _stop()
    _wanted = seen.scene
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=0.0, persistent=True)


def follows(seen: watching.Seen, known: forecast.Told | None) -> bool:
    """Whether a forecast is made anew unasked: where the user has asked for one or for the preview, and it is cheap.

    No process is started for it that the user has not caused to be started before.
    """
    scene = bpy.data.scenes.get(seen.scene)
    if scene is None or seen.trouble or not seen.strip or not scene.recam.keep_forecast:
        return False
    if (known is not None and not known.stale) or not runtime.warm(runtime.QUESTIONS):
        return False
    try:
        environment.backend_python()
        return forecast.is_cheap(request.from_settings(scene))
    except ReCamError:
        return False


def _tick() -> float | None:
    global _running, _wanted
    try:
        if _wanted and _running is None:
            if tasks.running(forecast.KEY) is not None or _user_holds_something():
                return _HELD_SECONDS
            name, _wanted = _wanted, ""
            scene = bpy.data.scenes.get(name)
            if scene is None:
                return None
            _running = Running(forecast.make(request.from_settings(scene)))
        if _running is not None and _running.advance(_BUDGET_SECONDS):
            told, _running = _running.came, None
            if told is not None:
                forecast.keep(told)
    except ReCamError:
        # Nobody asked: what is shown stays, and says that it is out of date.
        _running = None
    except Exception:
        traceback.print_exc()
        _running = None
    return _TICK_SECONDS if _running is not None or _wanted else None


def _user_holds_something() -> bool:
    """Whether something is being dragged: it is not where it will be."""
    for manager in bpy.data.window_managers:
        for window in manager.windows:
            if any(not each.bl_idname.startswith("RECAM_") for each in window.modal_operators):
                return True
    return False


def _stop() -> None:
    global _running, _wanted
    _wanted = ""
    running, _running = _running, None
    if running is not None:
        running.close()


@persistent
def _after_load(*_: object) -> None:
    # Another file may have a scene and a strip of the same names.
    tasks.drop(forecast.KEY)
    _stop()
    forecast.forget()


CLASSES: tuple[Any, ...] = (RECAM_OT_forecast, RECAM_OT_forecast_cancel)


def register() -> None:
    """Show forecasts, and keep them right."""
    forecast.after.append(_show)
    watching.after.append(_after_look)
    bpy.app.handlers.load_post.append(_after_load)


def unregister() -> None:
    """Know nothing."""
    bpy.app.handlers.load_post.remove(_after_load)
    watching.after.remove(_after_look)
    forecast.after.remove(_show)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    _stop()
    forecast.forget()
