"""The buttons of set-up. Each is thin over a function of setup.py that a script can call."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator
from typing import Any

import bpy

from ..backend.contract import ENGINES, Progress
from ..backend.environment.messages import Plan, Probe
from . import drawing, preferences, runtime, setup, tasks
from .errors import ReCamError
from .planning import Step
from .texts import later, tr

_DIALOG_WIDTH = 560
_DIALOG_CHARACTERS = 64
_LONGEST_WAIT = 8.0  # seconds, with the dialog open

_ENGINES = [(each, setup.NAMES[each], "") for each in ENGINES]

_BUILD_WORDS = {
    "cpu": ("CPU", later("The processor: the smallest download, and very slow")),
    "cu126": ("CUDA 12.6", later("NVIDIA's GPUs, older ones and older drivers too")),
    "cu130": ("CUDA 13.0", later("NVIDIA's GPUs and drivers of the last years")),
    "cu132": ("CUDA 13.2", later("NVIDIA's GPUs with the newest drivers; experimental")),
    "rocm7.2": ("ROCm 7.2", later("AMD's GPUs")),
    "mps": (later("Apple GPU"), later("Apple silicon")),
}
_BUILDS = [
    ("auto", "Automatic", "What fits this machine's GPU and its driver"),
    *((name, *_BUILD_WORDS.get(name, (name, ""))) for name in setup.builds()),
]

_Asked = tuple[str, str, str, bool]
"""The arguments of setup.plan and setup.install."""

probed: Probe | None = None
"""What was found out about the Python that the user chose last."""


class RECAM_OT_setup_install(bpy.types.Operator):
    """Set up what the engine needs, in an environment of its own; says first what it takes"""

    bl_idname = "recam.setup_install"
    bl_label = "Install"
    bl_options = {"INTERNAL"}

    engine: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Engine", items=_ENGINES, options={"SKIP_SAVE"}
    )
    torch: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Build of torch",
        description="Which build of torch to install, for the engine with a network",
        items=_BUILDS,
        options={"SKIP_SAVE"},
    )
    wheels: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Wheels",
        description="A folder of wheels to install from, for machines without network; none: they are downloaded",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )
    repair: bpy.props.BoolProperty(options={"SKIP_SAVE", "HIDDEN"})  # type: ignore[valid-type]
    planned: bpy.props.BoolProperty(options={"SKIP_SAVE", "HIDDEN"})  # type: ignore[valid-type]

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        return _free(cls)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Find out what it takes, which is no work for a redraw; then ask."""
        if bpy.app.background:
            return self.execute(context)
        self.wheels = self.wheels or preferences.path("wheels")
        if not self.wheels and (reason := runtime.offline()):
            self.report({"ERROR"}, reason)
            return {"CANCELLED"}
        if self.planned and self._asked() in _plans:
            title = tr("Set Up {name}").format(name=setup.NAMES[self.engine])
            return context.window_manager.invoke_props_dialog(
                self, width=_DIALOG_WIDTH, title=title, confirm_text="Repair" if self.repair else "Install"
            )
        asked, window = self._asked(), context.window
        return _start(
            self, tr("Looking at this machine"), lambda: setup.plan(*asked), lambda plan: _ask(asked, plan, window)
        )

    def check(self, context: bpy.types.Context) -> bool:
        """Another choice in the dialog: what it takes now. Waited for, as a dialog draws nothing on its own."""
        asked = self._asked()
        if asked not in _plans:
            context.window.cursor_set("WAIT")
            with contextlib.suppress(ReCamError):  # the installation itself says it in full
                _plans[asked] = tasks.drain(setup.plan(*asked), _until(time.monotonic() + _LONGEST_WAIT))
            context.window.cursor_set("DEFAULT")
        return True

    def draw(self, _context: bpy.types.Context) -> None:
        """What it takes, and what can be chosen."""
        layout = self.layout
        plan = _plans.get(self._asked())
        told = setup.plan_lines(plan, self.wheels) if plan else [("", tr("What that takes cannot be told."))]
        for label, text in told:
            drawing.wrapped(_labelled(layout, label), text, _DIALOG_CHARACTERS)
        if plan and plan.disk > plan.free:
            layout.label(text="There is not enough room on this disk.", icon="ERROR")
        if self.engine != ENGINES[0]:
            _labelled(layout, tr("Build of torch")).prop(self, "torch", text="")
        _labelled(layout, tr("Wheels")).prop(self, "wheels", text="")

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Install. In background Blender it is done when this returns."""
        title = tr("Setting up {name}").format(name=setup.NAMES[self.engine])
        return _start(self, title, lambda: setup.install(*self._asked()), setup.ready_text)

    def _asked(self) -> _Asked:
        return self.engine, self.torch, bpy.path.abspath(self.wheels), self.repair


def _labelled(layout: bpy.types.UILayout, label: str) -> bpy.types.UILayout:
    """What stands beside a label, in line with all others of the dialog."""
    row = layout.split(factor=0.2)
    row.label(text=label)
    return row


_plans: dict[_Asked, Plan] = {}
"""What each installation that was asked about would take, while its dialog is open."""


def _until(moment: float) -> Callable[[Progress], None]:
    """What keeps a generator from being followed for longer."""

    def check(_: Progress) -> None:
        if time.monotonic() > moment:
            raise ReCamError(tr("That takes too long to find out."))

    return check


def _ask(asked: _Asked, plan: Plan, window: bpy.types.Window) -> str:
    """Open the dialog, now that there is something to tell."""
    if plan.action == "nothing":
        return setup.ready_text(setup.state())
    _plans.clear()
    _plans[asked] = plan
    engine, torch, wheels, repair = asked
    # The window that was clicked in may be closed by now.
    if window not in bpy.context.window_manager.windows[:]:
        window = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=window):
        bpy.ops.recam.setup_install(
            "INVOKE_DEFAULT", engine=engine, torch=torch, wheels=wheels, repair=repair, planned=True
        )
    tasks.forget(setup.KEY)
    return ""


class RECAM_OT_setup_repair(bpy.types.Operator):
    """See whether the environment works, and make it whole and up to date, for what it was made for"""

    bl_idname = "recam.setup_repair"
    bl_label = "Repair"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        return _free(cls)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask first, as an installation does."""
        if bpy.app.background:
            return self.execute(context)
        engine, torch = setup.wanted()
        known = {each[0] for each in _BUILDS}
        result: set[str] = bpy.ops.recam.setup_install(
            "INVOKE_DEFAULT", engine=engine, torch=torch if torch in known else "auto", repair=True
        )
        return result

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Repair. In background Blender it is done when this returns."""
        return _start(self, tr("Repairing ReCam's backend"), setup.repair, setup.ready_text)


class RECAM_OT_setup_remove(bpy.types.Operator):
    """Remove the environment that ReCam made; models and takes stay"""

    bl_idname = "recam.setup_remove"
    bl_label = "Remove"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        return _free(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first, with the whole path."""
        if bpy.app.background:
            return self.execute(context)
        result: set[str] = context.window_manager.invoke_confirm(
            self,
            event,
            title="Remove ReCam's Backend?",
            message=tr("This folder and all in it will be deleted: {folder}").format(folder=setup.folder()),
            confirm_text="Remove",
            icon="WARNING",
        )
        return result

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Remove. In background Blender it is done when this returns."""
        return _start(
            self,
            tr("Removing ReCam's backend"),
            setup.remove,
            lambda state: tr("Removed {folder}").format(folder=state.folder),
        )


class RECAM_OT_setup_use_python(bpy.types.Operator):
    """Choose a Python of your own that has what the backend needs; ReCam asks it, and installs nothing"""

    bl_idname = "recam.setup_use_python"
    bl_label = "Use My Own Python"
    bl_options = {"INTERNAL"}

    engine: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Engine",
        description="What it shall be able to run",
        items=_ENGINES,
        options={"SKIP_SAVE"},
    )
    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        return _free(cls)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Choose the file."""
        self.filepath = preferences.path("python")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Ask the interpreter, and use it if it can run any engine."""
        path, engine = bpy.path.abspath(self.filepath), self.engine
        if not os.path.isfile(path):
            self.report({"ERROR"}, tr("There is no file at {path!r}: choose a Python interpreter.").format(path=path))
            return {"CANCELLED"}
        return _start(
            self, tr("Looking at your Python"), lambda: setup.probe(path, engine), lambda found: _use(found, engine)
        )


def _use(found: Probe, engine: str) -> str:
    global probed
    probed = found
    if found.engines and preferences.own() is not None:
        preferences.own().python = found.python
        bpy.context.preferences.is_dirty = True
    return " ".join(setup.probe_lines(found, engine))


def _free(operator: type[bpy.types.Operator]) -> bool:
    """Whether nothing else is under way that set-up would get in the way of; else says what."""
    reason = ""
    if tasks.running(setup.KEY) is not None:
        reason = tr("ReCam is being set up")
    elif runtime.busy:
        reason = tr("A take is being made")
    if reason:
        operator.poll_message_set(reason)
    return not reason


def _start(
    operator: bpy.types.Operator,
    title: str,
    work: Callable[[], Generator[Step, None, Any]],
    finished: Callable[[Any], str],
) -> set[str]:
    try:
        tasks.start(setup.KEY, title, work(), finished)
    except ReCamError as error:
        operator.report({"ERROR"}, str(error))
        return {"CANCELLED"}
    ended = tasks.ended(setup.KEY)
    if ended is not None:
        operator.report({"INFO"}, ended.text)
    return {"FINISHED"}


class RECAM_OT_setup_own_environment(bpy.types.Operator):
    """Use the environment that ReCam sets up, and no Python of your own any more"""

    bl_idname = "recam.setup_own_environment"
    bl_label = "Use ReCam's Environment"
    bl_options = {"INTERNAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Forget the user's Python."""
        global probed
        probed = None
        preferences.own().python = ""
        bpy.context.preferences.is_dirty = True
        tasks.forget(setup.KEY)
        return {"FINISHED"}


class RECAM_OT_setup_cancel(bpy.types.Operator):
    """Stop setting up; what is there already is kept for the next time"""

    bl_idname = "recam.setup_cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only while there is something to cancel."""
        if tasks.running(setup.KEY) is None:
            cls.poll_message_set("Nothing is being set up")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Ask it to stop at its next step."""
        tasks.cancel(setup.KEY)
        return {"FINISHED"}


class RECAM_OT_open_log(bpy.types.Operator):
    """Show what set-up has written down of its work"""

    bl_idname = "recam.open_log"
    bl_label = "Open Log"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only where there is one."""
        if not setup.log():
            cls.poll_message_set("There is no log yet")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Leave it to the system: a text in Blender would be saved with the file."""
        path = setup.log()
        try:
            bpy.ops.wm.path_open(filepath=path)
        except RuntimeError:
            self.report({"ERROR"}, tr("The system shows no log files; this one is at {path}").format(path=path))
            return {"CANCELLED"}
        return {"FINISHED"}


class RECAM_OT_copy(bpy.types.Operator):
    """Copy this text, to be pasted elsewhere"""

    bl_idname = "recam.copy"
    bl_label = "Copy"
    bl_options = {"INTERNAL"}

    text: bpy.props.StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put it where the system keeps what was copied."""
        context.window_manager.clipboard = self.text
        self.report({"INFO"}, "Copied")
        return {"FINISHED"}


class RECAM_OT_allow_online(bpy.types.Operator):
    """Let Blender and its add-ons use the network: what Preferences > System > Network > Allow Online Access does"""

    bl_idname = "recam.allow_online"
    bl_label = "Allow Online Access"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only where it would help."""
        if bpy.app.online_access:
            cls.poll_message_set("Blender may go online already")
            return False
        if bpy.app.online_access_override:
            cls.poll_message_set(runtime.offline())
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the one preference, as the user asked for."""
        context.preferences.system.use_online_access = True
        context.preferences.is_dirty = True  # else Blender would forget it when it quits
        return {"FINISHED"}


CLASSES = (
    RECAM_OT_setup_install,
    RECAM_OT_setup_repair,
    RECAM_OT_setup_remove,
    RECAM_OT_setup_use_python,
    RECAM_OT_setup_own_environment,
    RECAM_OT_setup_cancel,
    RECAM_OT_open_log,
    RECAM_OT_copy,
    RECAM_OT_allow_online,
)
