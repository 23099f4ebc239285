"""What the panels' small buttons do: choose the footage and cameras, and put right what a doubt names."""

from __future__ import annotations

from typing import Any

import bpy

from . import compat, footage, planning, request, see_through, watching
from .errors import ReCamError
from .overlay import where
from .texts import tr


def edit_of(context: bpy.types.Context) -> Any | None:
    """The scene whose settings a button is about: in a 3D view as overlays say, else the one that is edited."""
    if context.area is not None and context.area.type == "VIEW_3D":
        return where.edit_of(context)
    return compat.sequencer_scene(context)


def match_view(edit: bpy.types.Scene) -> list[str]:
    """Give the scene that the cameras move in the take's shape and rate: their view then shows what the take will.

    Returns what was changed, in whole sentences. Raises ReCamError where no footage is chosen.
    """
    asked = request.from_settings(edit)
    strip = request.chosen_footage(edit)
    camera_scene, _ = planning.camera_time(asked, edit, strip)
    shown = footage.shown_size(edit, strip)
    size = (asked.width, asked.height) if asked.width else watching.size_of(edit, strip)
    return see_through.match(camera_scene, edit, size, shown)


def set_standard_view(edit: bpy.types.Scene) -> None:
    """Show strips as their files are: no view transform but Standard, and nothing on top."""
    view = edit.view_settings
    view.view_transform = "Standard"
    view.look = "None"
    view.exposure, view.gamma = 0.0, 1.0
    view.use_curve_mapping = False
    if compat.has_white_balance(view):
        view.use_white_balance = False


def next_seed(settings: Any) -> None:
    """The seed that comes after; after the largest that Blender's numbers hold comes 0."""
    settings.seed = settings.seed + 1 if settings.seed < 2**31 - 1 else 0


def new_prompt_text(edit: bpy.types.Scene) -> bpy.types.Text:
    """A text for the prompt, with what the line says so far; the panel uses it from now on."""
    strip = request.chosen_footage(edit)
    text = bpy.data.texts.new(tr("Prompt of {strip}").format(strip=strip.name) if strip else tr("Prompt"))
    text.write(edit.recam.prompt)
    edit.recam.prompt_text = text
    return text


def _settings(context: bpy.types.Context) -> Any:
    """Of the scene that a button is about; its poll has seen to it that there is one."""
    edit = edit_of(context)
    assert edit is not None
    return edit.recam


class _ForEdit:
    """What needs a scene that is edited."""

    poll_message_set: Any

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        if edit_of(context) is None:
            cls.poll_message_set("There is no strip in the sequencer: add the footage to it")
            return False
        return True


class ForFootage(_ForEdit):
    """What needs footage that is chosen."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        edit = edit_of(context)
        if edit is None or request.chosen_footage(edit) is None:
            cls.poll_message_set("Select the strip to re-shoot in the sequencer")
            return False
        return True


class RECAM_OT_pin(ForFootage, bpy.types.Operator):
    """Keep this strip as the footage, whichever strip is selected next"""

    bl_idname = "recam.pin"
    bl_label = "Pin Footage"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """By its name, which is unique in its scene."""
        strip = request.chosen_footage(edit_of(context))
        assert strip is not None  # poll has seen to it
        _settings(context).pinned = strip.name
        return {"FINISHED"}


class RECAM_OT_unpin(_ForEdit, bpy.types.Operator):
    """Let the active strip be the footage again"""

    bl_idname = "recam.unpin"
    bl_label = "Unpin Footage"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Also where the strip is gone."""
        _settings(context).pinned = ""
        return {"FINISHED"}


class RECAM_OT_next_seed(_ForEdit, bpy.types.Operator):
    """Use the next seed: the same footage and camera then give another take"""

    bl_idname = "recam.next_seed"
    bl_label = "Next Seed"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """One more."""
        next_seed(_settings(context))
        return {"FINISHED"}


class RECAM_OT_new_prompt_text(_ForEdit, bpy.types.Operator):
    """Write the prompt in a text of its own, which has room for a long one"""

    bl_idname = "recam.new_prompt_text"
    bl_label = "New Prompt Text"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Show it where a text editor is open, and else say where it is."""
        text = new_prompt_text(edit_of(context))
        editors = [
            area
            for window in context.window_manager.windows
            for area in window.screen.areas
            if area.type == "TEXT_EDITOR"
        ]
        for area in editors[:1]:
            area.spaces.active.text = text
        if not editors:
            told = tr("Made the text {text!r}: open a Text Editor and choose it there to write the prompt.")
            self.report({"INFO"}, told.format(text=text.name))
        return {"FINISHED"}


class RECAM_OT_match_view(ForFootage, bpy.types.Operator):
    """Give the cameras' scene the shape and rate of the take, so that the camera's view shows what the take will"""

    bl_idname = "recam.match_view"
    bl_label = "Match Camera View"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Tell what has changed."""
        try:
            notes = match_view(edit_of(context))
        except ReCamError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, " ".join(notes) or tr("It matches already."))
        return {"FINISHED"}


class RECAM_OT_set_standard_view(_ForEdit, bpy.types.Operator):
    """Set this scene's view transform to Standard, without look or exposure: strips then look like their files"""

    bl_idname = "recam.set_standard_view"
    bl_label = "Set Standard View Transform"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """For the scene that is edited; a scene of cameras of its own keeps its view."""
        edit = edit_of(context)
        try:
            set_standard_view(edit)
        except TypeError:
            # A colour configuration of the user's own.
            self.report({"ERROR"}, tr("This Blender's colour configuration has no view transform Standard."))
            return {"CANCELLED"}
        return {"FINISHED"}


class RECAM_OT_whole_strip(_ForEdit, bpy.types.Operator):
    """Re-shoot all that the strip shows, and not only the preview range"""

    bl_idname = "recam.whole_strip"
    bl_label = "Re-shoot Whole Strip"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The range in the panel."""
        _settings(context).range = "strip"
        return {"FINISHED"}


class RECAM_OT_footage_size(_ForEdit, bpy.types.Operator):
    """Make the take as large as the footage"""

    bl_idname = "recam.footage_size"
    bl_label = "Use Footage Size"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The size in the panel."""
        _settings(context).size = "footage"
        return {"FINISHED"}


class _ForCamera(_ForEdit):
    """What makes something of the active camera."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where the entry is grey."""
        active = context.active_object
        if active is None or active.type != "CAMERA":
            cls.poll_message_set("Select a camera")
            return False
        return super().poll(context)


class RECAM_OT_use_camera(_ForCamera, bpy.types.Operator):
    """Re-shoot footage as the active camera would see it, from now on"""

    bl_idname = "recam.use_camera"
    bl_label = "Set as Target Camera"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The camera in the panel."""
        _settings(context).camera = context.active_object
        return {"FINISHED"}


class RECAM_OT_use_source_camera(_ForCamera, bpy.types.Operator):
    """Take the active camera for the one that shot the footage, as one that was tracked is"""

    bl_idname = "recam.use_source_camera"
    bl_label = "Set as Source Camera"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The source camera in the panel."""
        _settings(context).source_camera = context.active_object
        return {"FINISHED"}


CLASSES = (
    RECAM_OT_pin,
    RECAM_OT_unpin,
    RECAM_OT_next_seed,
    RECAM_OT_new_prompt_text,
    RECAM_OT_match_view,
    RECAM_OT_set_standard_view,
    RECAM_OT_whole_strip,
    RECAM_OT_footage_size,
    RECAM_OT_use_camera,
    RECAM_OT_use_source_camera,
)
