"""Choose the part that the take goes in on, by dragging a rectangle over the footage."""

from __future__ import annotations

from typing import Any

import bpy

from . import compat, request
from .fixes import edit_of
from .overlay import regions
from .texts import tr

_SIDES = ("width", "height", "x", "y")
"""In the order in which each may be set: the place is kept within what the size leaves."""


def set_region(settings: Any, box: regions.Box) -> None:
    """Go in on this part of the footage."""
    for name in _SIDES:
        setattr(settings, f"use_region_{name}", getattr(box, name))


class RECAM_OT_choose_region(bpy.types.Operator):
    """Drag a rectangle over the footage, in the sequencer's preview or the camera's view; Escape leaves it as it was"""

    bl_idname = "recam.choose_region"
    bl_label = "Choose Part"
    bl_options = {"REGISTER", "UNDO"}

    _edit = ""
    _before = regions.Box(0.25, 0.25, 0.5, 0.5)
    _start: tuple[float, float] | None = None
    _area: Any = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        edit = edit_of(context)
        if edit is None or request.chosen_footage(edit) is None:
            cls.poll_message_set("Select the strip to re-shoot in the sequencer")
            return False
        if context.window is not None and not any(True for _ in places(context, edit)):
            cls.poll_message_set("Show a preview in the sequencer (View Type), or look through the camera in a 3D view")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """There is nothing to drag in without a window."""
        self.report({"ERROR"}, tr("Without a window, set the part's sides as numbers."))
        return {"CANCELLED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Wait for the drag."""
        if bpy.app.background:
            return self.execute(context)
        edit = edit_of(context)
        assert edit is not None  # poll has seen to it
        edit.recam.use = "closer"
        self._edit, self._start = edit.name, None
        self._before = regions.region_of(edit.recam) or self._before
        context.window.cursor_modal_set("CROSSHAIR")
        context.workspace.status_text_set(tr("Drag a rectangle over the footage. Esc cancels"))
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Press, drag, let go."""
        edit = bpy.data.scenes.get(self._edit)
        if edit is None or (event.type in ("ESC", "RIGHTMOUSE") and event.value == "PRESS"):
            self.cancel(context)
            return {"CANCELLED"}
        if event.type == "LEFTMOUSE" and event.value == "PRESS" and self._start is None:
            self._start = share_at(context, edit, event)
            # A press beside the footage is that of another button, or of a handle between editors.
            return {"RUNNING_MODAL"} if self._start is not None else {"PASS_THROUGH"}
        if self._start is not None and event.type in ("MOUSEMOVE", "LEFTMOUSE"):
            now = share_at(context, edit, event, beside=True)
            if now is not None and now != self._start:
                set_region(edit.recam, regions.between(self._start, now))
            if event.type == "LEFTMOUSE" and event.value == "RELEASE":
                self._stop(context)
                return {"FINISHED"}
            return {"RUNNING_MODAL"}
        return {"PASS_THROUGH"} if self._start is None else {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """As it was; also called by Blender, when it quits or opens another file."""
        edit = bpy.data.scenes.get(self._edit)
        if edit is not None:
            set_region(edit.recam, self._before)
        self._stop(context)

    def _stop(self, context: bpy.types.Context) -> None:
        _held.clear()
        if context.window is not None:
            context.window.cursor_modal_restore()
        if context.workspace is not None:
            context.workspace.status_text_set(None)


_held: list[tuple[int, int, int, int]] = []
"""The region that the drag began in: what is dragged beyond it still counts there."""


def places(context: bpy.types.Context, edit: bpy.types.Scene) -> Any:
    """All that shows the footage in this window: its region, and where the footage lies in it."""
    for area in context.window.screen.areas:
        if area.type not in ("SEQUENCE_EDITOR", "VIEW_3D"):
            continue
        wanted = "PREVIEW" if area.type == "SEQUENCE_EDITOR" else "WINDOW"
        for region in area.regions:
            if region.type != wanted or region.width < 2 or region.height < 2:
                continue
            with context.temp_override(area=area, region=region):
                here = bpy.context
                if wanted == "WINDOW":
                    frame = regions.in_view(here)
                elif area.spaces.active.view_type == "SEQUENCER":
                    frame = None
                else:
                    scene = compat.sequencer_scene(here)
                    frame = regions.in_preview(edit, region) if scene == edit else None
            if frame is not None:
                yield region, frame


def share_at(
    context: bpy.types.Context, edit: bpy.types.Scene, event: bpy.types.Event, *, beside: bool = False
) -> tuple[float, float] | None:
    """Where in the footage the mouse is, in shares; None where it is not over it.

    With ``beside``, in the region that the drag began in, wherever the mouse is now.
    """
    for region, frame in places(context, edit):
        place = region.x, region.y, region.width, region.height
        share = frame.share(event.mouse_x - region.x, event.mouse_y - region.y)
        if beside and _held:
            if place == _held[0]:
                return share
            continue
        within = 0 <= event.mouse_x - region.x < region.width and 0 <= event.mouse_y - region.y < region.height
        if within and all(0 <= each <= 1 for each in share):
            _held[:] = [place]
            return share
    return None


CLASSES = (RECAM_OT_choose_region,)
