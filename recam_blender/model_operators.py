"""The buttons for models. Each is thin over functions of :mod:`.models`, which a script can call."""

from __future__ import annotations

import textwrap
from collections.abc import Generator
from typing import Any

import bpy

from ..backend.models.catalogue import Entry
from ..backend.progress import size as bytes_in_words
from . import environment, model_work, models, runtime, tasks
from .errors import ReCamError
from .planning import Step
from .texts import plural, tr

_DIALOG_WIDTH = 520
_CHARACTERS = 72  # of a line in it
_MOST_PATHS = 8


class RECAM_OT_models_get(bpy.types.Operator):
    """Download models, after showing what they are, how large, and under which licence"""

    bl_idname = "recam.models_get"
    bl_label = "Get Models"
    bl_options = {"INTERNAL"}

    ids: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Models",
        description="Ids from the catalogue, with spaces between them; none: what ReCamMaster needs",
        options={"SKIP_SAVE"},  # or a button that names none would mean those of the last one
    )

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: Any) -> str:
        """Say which, where it is for some alone."""
        if not properties.ids:
            return tr(
                "Download all that ReCamMaster needs and that is not here yet. Sizes and licences are shown first"
            )
        return tr(
            "Download this. Its size and licence are shown first; a download that was cut off goes on where it was"
        )

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only where Blender may go online, and there is a backend to do it."""
        return _allowed(cls, runtime.offline())

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first."""
        try:
            if not self._asked():
                self.report({"INFO"}, "All of that is here already, or on its way")
                return {"CANCELLED"}
        except ReCamError as error:
            return _refuse(self, error)
        manager = context.window_manager
        # Without the event, as the dialog would stand where the mouse is in another window.
        return manager.invoke_props_dialog(self, width=_DIALOG_WIDTH, title="Download Models", confirm_text="Download")

    def draw(self, _context: bpy.types.Context) -> None:
        """What would come, how large it is, and under which licence."""
        layout = self.layout
        asked = self._asked()
        for each in asked:
            box = layout.box().column(align=True)
            row = box.split(factor=0.75)
            row.label(text=each.entry.title)
            row.label(text=size_in_words(each.entry))
            text = f"{each.entry.repository}, {licence_in_words(each.entry)}"
            box.label(text=text, icon="ERROR" if each.entry.commercial is False else "BLANK1")
            if each.entry.licence_note:
                for line in textwrap.wrap(tr(each.entry.licence_note), _CHARACTERS):
                    box.label(text=line, icon="BLANK1")
        _draw_room(layout, sum(each.entry.size for each in asked))

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Begin, or wait behind what is being downloaded. In background Blender it is there when this returns."""
        try:
            if tasks.running(model_work.GET) is None:
                models.waiting.clear()
            if models.ask_for([each.entry.id for each in self._asked()]) and tasks.running(model_work.GET) is None:
                tasks.start(model_work.GET, tr("Get models"), model_work.get(), _got)
        except ReCamError as error:
            return _refuse(self, error)
        return {"FINISHED"}

    def _asked(self) -> list[models.Row]:
        """What is asked for and is not here. Nothing non-commercial comes along that was not asked for by name."""
        ids = self.ids.replace(",", " ").split()
        asked = [models.row(each) for each in dict.fromkeys(ids or models.advised("recammaster"))]
        return [
            each
            for each in asked
            if each.state not in ("ready", "getting", "waiting") and (ids or each.entry.commercial)
        ]


class RECAM_OT_models_cancel(bpy.types.Operator):
    """Stop the download. What has come stays, so that it can go on later"""

    bl_idname = "recam.models_cancel"
    bl_label = "Cancel Download"
    bl_options = {"INTERNAL"}

    id: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Model", description="An id from the catalogue; none: all", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only while there is something to stop."""
        return tasks.running(model_work.GET) is not None

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Ask the download to stop at its next step."""
        if self.id:
            models.give_up(self.id)
        else:
            models.waiting.clear()
        return {"FINISHED"}


class RECAM_OT_models_locate(bpy.types.Operator):
    """Choose a file or folder that is on this computer already. What it is, is told by its content"""

    bl_idname = "recam.models_locate"
    bl_label = "Locate Model"
    bl_options = {"INTERNAL"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        default="*.safetensors;*.sft;*.ckpt;*.pth;*.pt;*.bin;*.json;*.model", options={"HIDDEN"}
    )
    id: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Model",
        description="What it should be, an id from the catalogue; none: any",
        options={"HIDDEN", "SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only where there is a backend to look into files."""
        return _allowed(cls, _busy(model_work.LOCATE, tr("A file is being looked at")))

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Choose it."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Look what it is, and then use it."""
        path, wanted = bpy.path.abspath(self.filepath), self.id
        work = model_work.identify(path.rstrip("\\/") or path)
        return _start(
            self, model_work.LOCATE, tr("Look into the file"), work, lambda look: models.place(path, look, wanted)
        )


class RECAM_OT_models_search(bpy.types.Operator):
    """Look for models where ComfyUI, Wan2GP and others keep theirs. Nothing is moved or changed"""

    bl_idname = "recam.models_search"
    bl_label = "Search This Computer"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only where there is a backend to look into files."""
        return _allowed(cls, _busy(model_work.SEARCH, tr("The search is under way")))

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Search; what was found is then shown in the preferences."""
        return _start(self, model_work.SEARCH, tr("Search this computer"), model_work.search(), _searched)


class RECAM_OT_models_take(bpy.types.Operator):
    """Use what was found where it lies"""

    bl_idname = "recam.models_take"
    bl_label = "Use"
    bl_options = {"INTERNAL"}

    path: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Path", description="Of one of those found; none: all", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only after a search."""
        return bool(models.found)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Remember the places."""
        chosen = [each for each in models.found if self.path in ("", each.path)]
        try:
            models.take(chosen)
        except ReCamError as error:
            return _refuse(self, error)
        text = plural(len(chosen), "Used where it lies: 1 model.", "Used where they lie: {count} models.")
        tasks.tell(model_work.SEARCH, text.format(count=len(chosen)))
        return {"FINISHED"}


class RECAM_OT_models_forget(bpy.types.Operator):
    """No longer use this. The file stays where it is"""

    bl_idname = "recam.models_forget"
    bl_label = "Forget Model"
    bl_options = {"INTERNAL"}

    path: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Path",
        description="Of what is used where it lies; none: what the search found",
        options={"SKIP_SAVE"},
    )

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Forget one place, or the list of what was found."""
        try:
            if self.path:
                models.forget(self.path)
            else:
                models.pass_over()
        except ReCamError as error:
            return _refuse(self, error)
        tasks.forget(model_work.SEARCH)
        return {"FINISHED"}


class RECAM_OT_models_remove(bpy.types.Operator):
    """Delete what ReCam downloaded of this model. Files that ReCam did not download stay"""

    bl_idname = "recam.models_remove"
    bl_label = "Remove Model"
    bl_options = {"INTERNAL"}

    id: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Model", description="An id from the catalogue", options={"SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Show which files would go."""
        return context.window_manager.invoke_props_dialog(
            self, width=_DIALOG_WIDTH, title="Delete These Files?", confirm_text="Delete"
        )

    def draw(self, _context: bpy.types.Context) -> None:
        """The paths."""
        paths = models.files_of(self.id)
        column = self.layout.column(align=True)
        for path in paths[:_MOST_PATHS]:
            column.label(text=path, icon="FILE")
        if len(paths) > _MOST_PATHS:
            column.label(text=tr("and {count} more").format(count=len(paths) - _MOST_PATHS), icon="BLANK1")

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Delete them."""
        try:
            gone = models.remove(self.id)
        except ReCamError as error:
            return _refuse(self, error)
        text = plural(len(gone), "Deleted 1 file.", "Deleted {count} files.")
        tasks.tell(model_work.GET, text.format(count=len(gone)))
        return {"FINISHED"}


# In words, for the dialogs and for what draws the list


def size_in_words(entry: Entry) -> str:
    """How much is to be downloaded."""
    if not entry.size:
        return tr("size not known")
    size = bytes_in_words(entry.size)
    return size if entry.is_exact else tr("about {size}").format(size=size)


def licence_in_words(entry: Entry) -> str:
    """A model's licence; said plainly where it forbids commercial use."""
    told = {False: tr("non-commercial use only"), None: tr("commercial use not clear")}
    return ": ".join(filter(None, (entry.licence, told.get(entry.commercial, ""))))


def _draw_room(layout: bpy.types.UILayout, total: int) -> None:
    free = models.free()
    column = layout.column(align=True)
    column.label(text=tr("To {folder}").format(folder=models.folder()), icon="FILE_FOLDER")
    if free is None:
        column.label(text=tr("{size} in all").format(size=bytes_in_words(total)), icon="DISK_DRIVE")
        return
    text = tr("{size} in all, {free} free there" if free >= total else "{size} in all, {free} free there: not enough")
    text = text.format(size=bytes_in_words(total), free=bytes_in_words(free))
    column.label(text=text, icon="DISK_DRIVE" if free >= total else "ERROR")


# What the buttons share


def _allowed(operator: type[bpy.types.Operator], refusal: str) -> bool:
    """Whether there is no reason against it; else the reason is told where the button is grey."""
    if not refusal:
        try:
            environment.backend_python()
        except ReCamError as error:
            refusal = str(error)
    if refusal:
        operator.poll_message_set(refusal)
    return not refusal


def _busy(key: str, words: str) -> str:
    return words if tasks.running(key) else ""


def _start(
    operator: bpy.types.Operator, key: str, title: str, work: Generator[Step, None, Any], finished: Any
) -> set[str]:
    try:
        tasks.start(key, title, work, finished)
    except ReCamError as error:
        return _refuse(operator, error)
    return {"FINISHED"}


def _refuse(operator: bpy.types.Operator, error: ReCamError) -> set[str]:
    operator.report({"ERROR"}, str(error))
    return {"CANCELLED"}


def _got(ids: tuple[str, ...]) -> str:
    if not ids:
        return tr("Cancelled. What has come stays: the next download goes on from there.")
    return tr("Downloaded {models}.").format(models=", ".join(tr(models.entry(each).title) for each in ids))


def _searched(look: models.Search) -> str:
    count = len(look.found)
    text = plural(count, "Found 1 model that can be used.", "Found {count} models that can be used.")
    text = text.format(count=count) if count else tr("Found nothing that is not in use already.")
    return "\n".join((text, *look.notes))


CLASSES = (
    RECAM_OT_models_get,
    RECAM_OT_models_cancel,
    RECAM_OT_models_locate,
    RECAM_OT_models_search,
    RECAM_OT_models_take,
    RECAM_OT_models_forget,
    RECAM_OT_models_remove,
)
