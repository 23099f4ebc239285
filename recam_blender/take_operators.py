"""The buttons for takes. Each is thin over a function that a script can call."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import bpy

from . import fixes, jobs, remake, request, reshoot, runtime, take_list, take_record, take_work, takes, tasks
from .errors import ReCamError
from .tasks import drain
from .texts import tr
from .ties import list_takes

_DIALOG_WIDTH = 400
_DIALOG_CHARACTERS = 62


class _OfTake:
    """What is done with one take: that of a row, or else the active strip."""

    take: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        scene = fixes.edit_of(context)
        footage = request.chosen_footage(scene) if scene is not None else None
        if footage is None or not list_takes(scene, footage):
            cls.poll_message_set("There are no takes of this strip yet")  # type: ignore[attr-defined]
            return False
        return True

    def find(self, context: bpy.types.Context) -> tuple[bpy.types.Scene, Any]:
        """The edit, and the take's strip. Raises ReCamError where there is none."""
        scene = fixes.edit_of(context)
        return scene, take_list.find(scene, self.take)

    def refuse(self, error: ReCamError) -> set[str]:
        self.report({"ERROR"}, str(error))  # type: ignore[attr-defined]
        return {"CANCELLED"}

    def do(self, context: bpy.types.Context, work: Callable[[bpy.types.Scene, Any], None]) -> set[str]:
        """Do something with the take; what hinders is told."""
        try:
            work(*self.find(context))
        except ReCamError as error:
            return self.refuse(error)
        return {"FINISHED"}


class RECAM_OT_compare(bpy.types.Operator):
    """Switch between the takes of a strip and the strip itself. The sound stays as it is"""

    bl_idname = "recam.compare"
    bl_label = "Compare Take with Source"
    # However often it is pressed, one step back is the state before it.
    bl_options = {"UNDO_GROUPED"}
    bl_undo_group = "recam.compare"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        scene = fixes.edit_of(context)
        footage = request.chosen_footage(scene) if scene is not None else None
        if footage is None:
            cls.poll_message_set("Select a strip that has takes, or one of them")
            return False
        if not list_takes(scene, footage):
            cls.poll_message_set("There are no takes of this strip yet")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Hide the takes that are shown, or show them again."""
        scene = fixes.edit_of(context)
        try:
            take_list.compare(scene, request.chosen_footage(scene))
        except ReCamError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class RECAM_OT_show_take(_OfTake, bpy.types.Operator):
    """Show or hide this take. Its sound stays as it is"""

    bl_idname = "recam.show_take"
    bl_label = "Show or Hide Take"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Change its strip's mute."""

        def work(_scene: bpy.types.Scene, strip: Any) -> None:
            take_list.show(strip, bool(strip.mute))

        return self.do(context, work)


class RECAM_OT_solo_take(_OfTake, bpy.types.Operator):
    """Show this take alone among the takes of its strip; once more: show them as before"""

    bl_idname = "recam.solo_take"
    bl_label = "Solo Take"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Hide the others, or show what was hidden."""

        def work(scene: bpy.types.Scene, strip: Any) -> None:
            take_list.solo(scene, strip)

        return self.do(context, work)


class RECAM_OT_rerun_take(_OfTake, bpy.types.Operator):
    """Make this take again: same frames, same camera as when it was made"""

    bl_idname = "recam.rerun_take"
    bl_label = "Re-run Take"
    # Not "REGISTER": repeated by Shift-R, it would hold Blender until the take is there.
    bl_options: set[str] = set()

    seed: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Seed",
        items=[
            ("same", "Same Seed", "With the seed that it has"),
            ("next", "Next Seed", "With the next seed that none of the takes has"),
        ],
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: Any) -> str:
        """The tooltip of each of the two."""
        if properties.seed == "next":
            return tr(
                "Make this take again with the next seed: same frames, same camera as when it was made. "
                "Reproject draws no random numbers, so its take would be the same"
            )
        return tr(
            "Make this take again with the same seed: same frames, same camera as when it was made. "
            "On the same device the take is the same"
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make it and return when it is there: for scripts and background Blender."""
        try:
            outcome = drain(remake.remake(self._again(context)))
        except ReCamError as error:
            return self.refuse(error)
        self.report({"INFO"}, tr("Made {takes}.").format(takes=", ".join(each.strip for each in outcome.takes)))
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Put it into the queue."""
        if bpy.app.background:
            return self.execute(context)
        try:
            jobs.add_prepared(self._again(context))
        except ReCamError as error:
            return self.refuse(error)
        return {"FINISHED"}

    def _again(self, context: bpy.types.Context) -> reshoot.Prepared:
        scene, strip = self.find(context)
        return take_work.again(scene, strip, next_seed=self.seed == "next")


class RECAM_OT_copy_take_settings(_OfTake, bpy.types.Operator):
    """Set the panel as it was when this take was asked for"""

    bl_idname = "recam.copy_take_settings"
    bl_label = "Copy Settings to Panel"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """What could not be set is told."""

        def work(scene: bpy.types.Scene, strip: Any) -> None:
            for note in take_record.restore(scene, strip):
                self.report({"WARNING"}, note)

        return self.do(context, work)


class RECAM_OT_use_take(_OfTake, bpy.types.Operator):
    """Re-shoot this take from now on, whichever strip is active. Unpin it in the panel"""

    bl_idname = "recam.use_take"
    bl_label = "Use as Footage"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Pin it."""

        def work(scene: bpy.types.Scene, strip: Any) -> None:
            scene.recam.pinned = strip.name

        return self.do(context, work)


class RECAM_OT_camera_from_take(_OfTake, bpy.types.Operator):
    """Make a new camera that moves as the one that this take was made with"""

    bl_idname = "recam.camera_from_take"
    bl_label = "Camera from Take"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Say which scene it is in: that may be another one than the edit."""

        def work(scene: bpy.types.Scene, strip: Any) -> None:
            camera, home = take_record.camera_of(scene, strip)
            template = tr("Made camera {camera!r} in scene {scene!r}.")
            self.report({"INFO"}, template.format(camera=camera.name, scene=home.name))

        return self.do(context, work)


class RECAM_OT_reveal_take(_OfTake, bpy.types.Operator):
    """Open the folder that this take lies in"""

    bl_idname = "recam.reveal_take"
    bl_label = "Show in File Manager"
    bl_options: set[str] = set()

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Leave it to the system."""

        def work(scene: bpy.types.Scene, strip: Any) -> None:
            path = take_list.path_of(scene, strip)
            folder = os.path.dirname(path)
            try:
                if not os.path.isdir(folder):
                    raise ReCamError(tr("The folder {folder!r} is not there.").format(folder=folder))
                bpy.ops.wm.path_open(filepath=folder)
            except RuntimeError:
                raise ReCamError(tr("The system shows no folders; the take lies at {path}").format(path=path)) from None

        return self.do(context, work)


class RECAM_OT_load_takes(bpy.types.Operator):
    """Put takes of this strip that lie in the folder, and are not in the sequencer, back into it"""

    bl_idname = "recam.load_takes"
    bl_label = "Load Takes"
    bl_options: set[str] = set()

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        scene = fixes.edit_of(context)
        if scene is None or request.chosen_footage(scene) is None:
            cls.poll_message_set("Select the strip whose takes to load")
            return False
        if tasks.running(take_work.LOAD) is not None:
            cls.poll_message_set("Takes are being loaded")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Look through the folder, a file at a time."""
        scene = fixes.edit_of(context)
        assert scene is not None  # poll has seen to it
        footage = getattr(request.chosen_footage(scene), "name", "")
        folder = takes.folder_for(bpy.data.filepath, runtime.user_folder())

        def finished(names: list[str]) -> str:
            if not names:
                template = tr("There are no other takes of {strip!r} in {folder}.")
                return template.format(strip=footage, folder=folder)
            return tr("Loaded {takes}.").format(takes=", ".join(names))

        try:
            tasks.start(take_work.LOAD, tr("Load Takes"), take_work.load(scene.name, footage), finished)
        except ReCamError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class RECAM_OT_remove_take(_OfTake, bpy.types.Operator):
    """Remove this take: its strip, and its files, which go to the system's trash"""

    bl_idname = "recam.remove_take"
    bl_label = "Remove Take"
    # Not "REGISTER": repeated by Shift-R, it would not ask.
    bl_options: set[str] = set()

    files: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Move Files to Trash",
        description="Also move the take, its mask and its record to the system's trash; else they stay",
        default=True,
        options={"SKIP_SAVE"},
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it; in the background, where the trash may take its time."""
        try:
            scene, strip = self.find(context)
            work = take_work.remove(scene.name, strip.name, files=self.files)
            tasks.start(take_work.REMOVE, tr("Remove Take"), work, str)
        except ReCamError as error:
            return self.refuse(error)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask first, and say what would be removed."""
        try:
            scene, strip = self.find(context)
        except ReCamError as error:
            return self.refuse(error)
        self.take = strip.name
        self._removal = take_work.removal(scene, strip)
        self.files = bool(self._removal.files)
        return context.window_manager.invoke_props_dialog(
            self, width=_DIALOG_WIDTH, title="Remove Take", confirm_text="Remove"
        )

    def draw(self, _context: bpy.types.Context) -> None:
        """The question."""
        from .drawing import wrapped

        layout = self.layout
        if not self._removal.files:
            question = tr("Remove the strip {take}?").format(take=self.take)
            wrapped(layout, f"{question} {self._removal.why}", _DIALOG_CHARACTERS, "QUESTION")
            return
        names = [os.path.basename(each) for each in self._removal.files]
        with_mask = len(names) > 2
        template = tr(
            "Move {file}, its mask and its record to the trash?"
            if with_mask
            else "Move {file} and its record to the trash?"
        )
        wrapped(layout, template.format(file=names[0]), _DIALOG_CHARACTERS, "QUESTION")
        wrapped(
            layout,
            tr("Undo brings back the strip, but not its files: those are put back from the trash."),
            _DIALOG_CHARACTERS,
            "BLANK1",
        )
        layout.prop(self, "files")


class RECAM_OT_clear_take_messages(bpy.types.Operator):
    """Show no more how the loading and removing of takes ended"""

    bl_idname = "recam.clear_take_messages"
    bl_label = "Clear"
    bl_options = {"INTERNAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Forget it; what is under way goes on."""
        for key in (take_work.LOAD, take_work.REMOVE):
            tasks.forget(key)
        return {"FINISHED"}


CLASSES = (
    RECAM_OT_compare,
    RECAM_OT_show_take,
    RECAM_OT_solo_take,
    RECAM_OT_rerun_take,
    RECAM_OT_copy_take_settings,
    RECAM_OT_use_take,
    RECAM_OT_camera_from_take,
    RECAM_OT_reveal_take,
    RECAM_OT_load_takes,
    RECAM_OT_remove_take,
    RECAM_OT_clear_take_messages,
)
