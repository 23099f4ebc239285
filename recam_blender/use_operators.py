"""Buttons about what a take is for: the uses in the menus, and what sets their settings right."""

from __future__ import annotations

from typing import Any

import bpy

from ..backend.use import FIRM, GENTLE, STRONG
from . import compat, panel_uses, planning, request, use_limits
from .errors import ReCamError
from .fixes import ForFootage, edit_of
from .request import chosen_footage
from .texts import later, tr

_WIDTH = 340
"""Of the dialog, pixels at a scale of 1."""

_TOOLTIPS = {
    "move": later("See the footage with the camera that is chosen"),
    "stabilise": later("Take the shake out of the footage's own camera, and keep its pans and travels"),
    "lock": later("Hold the footage's own camera where it stands at one frame"),
    "closer": later("Go in on a part of the picture, and have it at full size"),
    "outpaint": later("See more than was filmed, around the footage"),
    "freeze": later("Hold one instant while the camera moves, as in bullet time"),
}


def set_use(edit: bpy.types.Scene, kind: str) -> None:
    """Let takes of this edit be for that; a frame to hold that the strip does not show becomes the current one."""
    settings = edit.recam
    settings.use = kind
    strip = chosen_footage(edit)
    if strip is not None and kind in ("lock", "freeze"):
        start, stop = compat.span(strip)
        if not start <= settings.use_at < stop:
            settings.use_at = min(max(edit.frame_current, start), stop - 1)


def shorten_hold(edit: bpy.types.Scene) -> int:
    """Hold the instant for as long as the strip has room for, and ease as much less where there is none; the frames.

    Raises ReCamError where no footage is chosen, or nothing of it lies in the range.
    """
    asked = request.from_settings(edit)
    strip = planning.find_strip(edit, asked.strip)
    first, end = planning.read_range(asked, edit, strip)
    use = asked.use_from(first, end - first)
    most = use_limits.longest_hold(use, end - first)
    if most < 1:
        edit.recam.use_ease = 0
        most = use_limits.longest_hold(request.from_settings(edit).use_from(first, end - first), end - first)
    edit.recam.use_hold = max(1, min(most, edit.recam.use_hold or 1))
    return int(edit.recam.use_hold)


class RECAM_OT_use(ForFootage, bpy.types.Operator):
    """Choose what takes of the footage are for, with its settings"""

    bl_idname = "recam.use"
    bl_label = "Use of the Take"
    bl_options = {"REGISTER", "UNDO"}

    kind: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Use",
        description="What takes are for",
        items=[
            ("move", "Camera Move", ""),
            ("stabilise", "Stabilise", ""),
            ("lock", "Lock Off", ""),
            ("closer", "Closer", ""),
            ("outpaint", "Wider", ""),
            ("freeze", "Freeze", ""),
        ],
        options={"SKIP_SAVE"},
    )

    _before = "move"

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: Any) -> str:
        """Of the entry in the menu."""
        return tr(_TOOLTIPS[properties.kind])

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The use in the panel."""
        edit = edit_of(context)
        assert edit is not None  # poll has seen to it
        set_use(edit, self.kind)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for its settings, where it has some."""
        edit = edit_of(context)
        assert edit is not None
        self._before = edit.recam.use
        self.execute(context)
        if bpy.app.background or self.kind == "move":
            return {"FINISHED"}
        result: set[str] = context.window_manager.invoke_props_dialog(self, width=_WIDTH)
        return result

    def cancel(self, context: bpy.types.Context) -> None:
        """Escape: as it was."""
        edit = edit_of(context)
        if edit is not None:
            edit.recam.use = self._before

    def draw(self, context: bpy.types.Context) -> None:
        """The panel's settings of this use."""
        edit = edit_of(context)
        if edit is None:
            return
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        panel_uses.draw_settings(layout.column(), edit)


class RECAM_OT_use_strength(bpy.types.Operator):
    """Smooth the camera's path by this much"""

    bl_idname = "recam.use_strength"
    bl_label = "Set Smoothing"
    bl_options = {"REGISTER", "UNDO"}

    seconds: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Seconds", description="What is quicker is shake", default=FIRM, min=0.05, max=60.0, options={"SKIP_SAVE"}
    )

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: Any) -> str:
        """How strong that is."""
        if properties.seconds <= GENTLE:
            return tr("Take out the tremor of a hand, and keep the rest: what is quicker than 0.3 s goes")
        if properties.seconds < STRONG:
            return tr("Take out steps and sway: what is quicker than 1 s goes")
        return tr("As on a dolly or a slider: what is quicker than 3 s goes")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        if edit_of(context) is None:
            cls.poll_message_set("There is no strip in the sequencer: add the footage to it")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The number in the panel."""
        edit_of(context).recam.use_strength = self.seconds  # type: ignore[union-attr]
        return {"FINISHED"}


class RECAM_OT_use_current_frame(ForFootage, bpy.types.Operator):
    """Hold the frame that the playhead is at"""

    bl_idname = "recam.use_current_frame"
    bl_label = "Current Frame"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Of the edit, whose playhead may not be that of the cameras."""
        edit = edit_of(context)
        assert edit is not None
        start, stop = compat.span(chosen_footage(edit))
        edit.recam.use_at = edit.frame_current
        if not start <= edit.frame_current < stop:
            text = tr("Frame {frame} is not in the strip, which covers frames {start} to {end}.")
            self.report({"WARNING"}, text.format(frame=edit.frame_current, start=start, end=stop - 1))
        return {"FINISHED"}


class RECAM_OT_use_footage_camera(ForFootage, bpy.types.Operator):
    """Let the camera that shot the footage be solved from what the footage shows, when the take is made"""

    bl_idname = "recam.use_footage_camera"
    bl_label = "Camera from the Footage"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """In place of one that stands still, and of a source camera that is chosen."""
        settings = edit_of(context).recam  # type: ignore[union-attr]
        settings.source_camera, settings.source_from = None, "footage"
        return {"FINISHED"}


def use_source_lens(edit: bpy.types.Scene, frame: float) -> bpy.types.Object:
    """Give the target camera the lens that the source camera has at a frame of their scene; the target camera.

    Raises ReCamError where one of them is not there, or the target's lens cannot be set.
    """
    cameras = edit.recam.camera_scene or edit
    source, target = edit.recam.source_camera, edit.recam.camera or cameras.camera
    if source is None or target is None or target.type != "CAMERA":
        raise ReCamError(tr("There is no camera to set, or none to take the lens from."))
    moved = {each.data_path for each in compat.curves(target.data)} & set(_LENS)
    if moved or target.data.library is not None or target.data == source.data:
        text = tr("The lens of {camera!r} is keyed, linked or shared, and is left as it is.")
        raise ReCamError(text.format(camera=target.name))
    keyed = {each.data_path: each for each in compat.curves(source.data)}
    for name in _LENS:
        curve = keyed.get(name)
        setattr(target.data, name, curve.evaluate(frame) if curve is not None else getattr(source.data, name))
    return target


_LENS = ("sensor_fit", "sensor_width", "sensor_height", "lens", "shift_x", "shift_y")


class RECAM_OT_use_source_lens(ForFootage, bpy.types.Operator):
    """Give the camera the lens of the source camera, so that it sees as much as was filmed"""

    bl_idname = "recam.use_source_lens"
    bl_label = "Use Source Lens"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """As it is at the frame that is shown."""
        try:
            use_source_lens(edit_of(context), context.scene.frame_current)
        except ReCamError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class RECAM_OT_shorten_hold(ForFootage, bpy.types.Operator):
    """Hold the instant for as long as the strip has room for"""

    bl_idname = "recam.shorten_hold"
    bl_label = "Shorten Hold"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The hold in the panel."""
        try:
            frames = shorten_hold(edit_of(context))
        except ReCamError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, tr("Held for {count} frames.").format(count=frames))
        return {"FINISHED"}


class RECAM_OT_lossless(ForFootage, bpy.types.Operator):
    """Store takes as FFV1, which changes no pixel"""

    bl_idname = "recam.lossless"
    bl_label = "Use FFV1"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The format in the panel."""
        edit_of(context).recam.format = "ffv1"  # type: ignore[union-attr]
        return {"FINISHED"}


class RECAM_OT_automatic_depth(ForFootage, bpy.types.Operator):
    """Let ReCam find the best depth that the footage tells"""

    bl_idname = "recam.automatic_depth"
    bl_label = "Automatic Depth"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The depth in the panel."""
        edit_of(context).recam.depth = "auto"  # type: ignore[union-attr]
        return {"FINISHED"}


CLASSES = (
    RECAM_OT_use,
    RECAM_OT_use_strength,
    RECAM_OT_use_current_frame,
    RECAM_OT_use_footage_camera,
    RECAM_OT_use_source_lens,
    RECAM_OT_shorten_hold,
    RECAM_OT_lossless,
    RECAM_OT_automatic_depth,
)
