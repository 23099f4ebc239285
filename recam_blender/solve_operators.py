"""The buttons by which the footage's own camera is solved, and told how large its world is."""

from __future__ import annotations

from typing import Any

import bpy

from . import needs, region_operator, request, solved_clip, solving, tasks, watching
from .errors import ReCamError
from .fixes import ForFootage, edit_of
from .request import Request
from .texts import tr


def asked(scene: bpy.types.Scene) -> Request:
    """What is to be solved, as the settings of an edit say it. Raises ReCamError where no footage is chosen."""
    settings = scene.recam
    strip = request.chosen_footage(scene)
    if strip is None:
        raise ReCamError(request.why_no_footage(scene))
    known = ("known_frame", "known_x", "known_y", "known_distance") if settings.use_known else ()
    return Request(
        scene=scene.name,
        strip=strip.name,
        camera=settings.camera.name if settings.camera else "",
        lens=settings.lens if settings.use_lens else 0.0,
        subject_distance=settings.subject_distance,
        **{name: getattr(settings, name) for name in known},
    )


class RECAM_OT_solve_footage(ForFootage, bpy.types.Operator):
    """Find out from the footage how the camera that shot it moved, and make a keyframed camera of that"""

    bl_idname = "recam.solve_footage"
    bl_label = "Solve Footage"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        if not super().poll(context):
            return False
        if tasks.running(solving.KEY) is not None:
            cls.poll_message_set("The footage is being solved")
            return False
        lacking = needs.need("reproject")
        if lacking is not None and lacking.of_backend:
            cls.poll_message_set(lacking.text)
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Return when it is solved: for scripts and background Blender."""
        try:
            told = tasks.drain(solving.make(asked(edit_of(context))))
            self.report({"INFO"}, _finished(told))
        except ReCamError as error:
            return self._refuse(error)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Let it be worked out while Blender stays usable."""
        if bpy.app.background:
            return self.execute(context)
        try:
            work = solving.make(asked(edit_of(context)))
            tasks.start(solving.KEY, tr("Solving the footage"), work, _finished)
        except ReCamError as error:
            return self._refuse(error)
        return {"FINISHED"}

    def _refuse(self, error: ReCamError) -> set[str]:
        self.report({"ERROR"}, str(error))
        return {"CANCELLED"}


def _finished(told: solving.Told) -> str:
    camera = solving.keep(told)
    if not bpy.app.background:
        bpy.ops.ed.undo_push(message="Solve Footage")
    made = tr("{camera!r} is now the source camera.").format(camera=camera.name)
    return " ".join((told.solve.words, *told.solve.notes, made))


class RECAM_OT_solve_cancel(bpy.types.Operator):
    """Stop solving the footage"""

    bl_idname = "recam.solve_cancel"
    bl_label = "Cancel Solving"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only while there is one to cancel."""
        if tasks.running(solving.KEY) is None:
            cls.poll_message_set("No footage is being solved")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """End it at its next step."""
        tasks.cancel(solving.KEY)
        return {"FINISHED"}


_items: list[tuple[str, str, str]] = []
"""Blender does not keep the texts of an enumeration alive."""


def _clips(_operator: Any, context: bpy.types.Context | None) -> list[tuple[str, str, str]]:
    edit = edit_of(context) if context is not None else None
    strip = request.chosen_footage(edit) if edit is not None else None
    _items[:] = [(each.name, each.name, "") for each in solved_clip.clips_of(edit, strip)] if strip is not None else []
    return _items


class RECAM_OT_camera_from_clip(ForFootage, bpy.types.Operator):
    """Make a keyframed camera of what Blender's own motion tracking solved of this footage, and use it as its camera"""

    bl_idname = "recam.camera_from_clip"
    bl_label = "Camera from Solved Clip"
    bl_options = {"REGISTER", "UNDO"}

    clip: bpy.props.EnumProperty(name="Clip", description="The clip that is solved", items=_clips)  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        if not super().poll(context):
            return False
        edit = edit_of(context)
        if not solved_clip.clips_of(edit, request.chosen_footage(edit)):
            cls.poll_message_set("No clip of this file is solved: track and solve it in the Movie Clip Editor")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make it."""
        edit = edit_of(context)
        strip = request.chosen_footage(edit)
        clip = bpy.data.movieclips.get(self.clip) or solved_clip.clips_of(edit, strip)[0]
        try:
            camera = solved_clip.from_clip(edit, strip, clip)
        except ReCamError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        made = tr("{camera!r} is now the source camera.").format(camera=camera.name)
        if solved_clip.distorts(clip):
            bent = tr("The lens distortion of clip {clip!r} is left out: undistort the footage first, if it shows.")
            self.report({"WARNING"}, f"{made} {bent.format(clip=clip.name)}")
        else:
            self.report({"INFO"}, made)
        return {"FINISHED"}


class RECAM_OT_pick_known(ForFootage, bpy.types.Operator):
    """Click the point of the footage whose distance is known, in the sequencer's preview; Escape leaves it as it was"""

    bl_idname = "recam.pick_known"
    bl_label = "Pick Point"
    bl_options = {"REGISTER", "UNDO"}

    _edit = ""

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """There is nothing to click in without a window."""
        self.report({"ERROR"}, tr("Without a window, set the point as numbers."))
        return {"CANCELLED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Wait for the click."""
        if bpy.app.background:
            return self.execute(context)
        edit = edit_of(context)
        assert edit is not None  # poll has seen to it
        self._edit = edit.name
        context.window.cursor_modal_set("EYEDROPPER")
        context.workspace.status_text_set(tr("Click a point of the footage. Esc cancels"))
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """One click."""
        edit = bpy.data.scenes.get(self._edit)
        if edit is None or (event.type in ("ESC", "RIGHTMOUSE") and event.value == "PRESS"):
            self.cancel(context)
            return {"CANCELLED"}
        if event.type == "LEFTMOUSE" and event.value == "PRESS":
            share = region_operator.share_at(context, edit, event)
            if share is None:
                return {"PASS_THROUGH"}
            set_known(edit, share)
            self.cancel(context)
            return {"FINISHED"}
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Let go of the mouse; also called by Blender, when it quits or opens another file."""
        if context.window is not None:
            context.window.cursor_modal_restore()
        if context.workspace is not None:
            context.workspace.status_text_set(None)


def set_known(edit: bpy.types.Scene, share: tuple[float, float]) -> None:
    """The point whose distance is known is here, in shares of the footage's frame, at the frame that is shown."""
    settings = edit.recam
    width, height = watching.size_of(edit, request.chosen_footage(edit))
    settings.use_known = True
    settings.known_frame = edit.frame_current
    settings.known_x, settings.known_y = share[0] * width, share[1] * height


CLASSES = (RECAM_OT_solve_footage, RECAM_OT_solve_cancel, RECAM_OT_camera_from_clip, RECAM_OT_pick_known)
