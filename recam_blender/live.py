"""The live preview: this moment of the timeline, as the target camera sees it, over that camera's view.

While it is on, a timer looks what the 3D views show. When that has changed it asks the assistant for one frame, one
question at a time: of all that changed meanwhile, only the newest counts, so that playback and scrubbing never wait.
Nothing is asked for where no view looks through the camera.
"""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Generator
from typing import Any, NamedTuple

import bpy
import numpy as np
import numpy.typing as npt
from bpy.app.handlers import persistent

from ..backend.contract import ContractError
from ..backend.foresight import Still
from . import assistant, moment, needs, overlay, planning, request, runtime, see_through, telling, watching
from .errors import ReCamError
from .moment import Moment
from .overlay import where
from .planning import Step
from .stepping import Running
from .texts import tr

KEY = "live"
"""Of the question to the assistant."""

_TICK_SECONDS = 0.03
_IDLE_SECONDS = 0.2
_BUDGET_SECONDS = 0.008
# What is done sooner needs no words.
_PATIENCE_TICKS = 25


class _Picture(NamedTuple):
    pixels: npt.NDArray[np.float32]
    invented: float


class _Preview:
    """What there is of a preview that is on.

    Attributes:
        edit: the scene that it is for.
        folder: for all that must lie in files.
        maker: makes moments into jobs.
        running: the question under way, if any.
        asked: whether it has gone to the assistant: until then another may take its place.
        last: the moment that was asked for last.
        frames: of the timeline and of the camera's scene, as they were, to tell which was moved last.
        by_camera: whether that was the camera's.
    """

    def __init__(self, edit: str) -> None:
        self.edit = edit
        self.folder: tempfile.TemporaryDirectory[str] = runtime.scratch_folder()
        self.maker = moment.Maker(self.folder.name, lambda: not _plays())
        self.running: Running[_Picture] | None = None
        self.asked = False
        self.waited = 0
        self.last: Moment | None = None
        self.words = ("", "", "")
        self.frames = (0, 0.0)
        self.by_camera = True
        self.camera = ""

    def close(self) -> None:
        self.drop()
        self.folder.cleanup()

    def drop(self) -> None:
        running, self.running = self.running, None
        if running is not None:
            running.close()


_preview: _Preview | None = None


def enabled(scene: bpy.types.Scene) -> bool:
    """Whether the preview is on for the edit of this scene. Quick: for drawing."""
    return _preview is not None and _preview.edit == scene.name


def enable(scene: bpy.types.Scene) -> None:
    """Show each moment of this scene's footage over the camera's view from now on; of one scene at a time."""
    global _preview
    disable()
    _preview = _Preview(scene.name)
    watching.look(scene)
    if not bpy.app.background:
        bpy.app.timers.register(_tick, first_interval=0.0, persistent=True)


def disable() -> None:
    """Show the scene again. No harm where the preview is off."""
    global _preview
    ended, _preview = _preview, None
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if ended is not None:
        ended.close()
        overlay.hide_picture()


def advance() -> bool:
    """Look what has changed, and take the next steps. Whether anybody looks at the preview."""
    preview = _preview
    edit = bpy.data.scenes.get(preview.edit) if preview is not None else None
    if preview is None or edit is None:
        _end(tr("its scene is gone"))
        return False
    seen = watching.look(edit)
    if seen is None or bpy.app.is_job_running("RENDER"):
        return False
    if preview.camera and bpy.data.objects.get(preview.camera) is None and not seen.targets:
        _end(tr("its camera is gone"))
        return False
    now = _now(preview, edit, seen)
    if preview.running is not None and now is not None and now != preview.last and not preview.asked:
        preview.drop()
    if preview.running is None and now is not None and now != preview.last:
        _begin(preview, now, seen)
    elif preview.running is not None:
        _follow(preview)
    return now is not None or preview.running is not None


def _tick() -> float | None:
    if _preview is None:
        return None
    try:
        return _TICK_SECONDS if advance() else _IDLE_SECONDS
    except Exception:
        # A defect. It must not come again thirty times a second.
        traceback.print_exc()
        disable()
        return None


# This moment


def _now(preview: _Preview, edit: bpy.types.Scene, seen: watching.Seen) -> Moment | None:
    """What is looked at; None where nobody looks, or there is nothing to see, which is then said."""
    frame = _frame(preview, edit, seen)
    preview.camera = moment.camera_at(seen, seen.offset + frame) or preview.camera
    if seen.trouble:
        _say(preview, seen, seen.trouble, keep=False)
        return None
    if not seen.start <= frame < seen.stop:
        _say(preview, seen, tr("Frame {frame}: no footage at this frame").format(frame=frame), keep=False)
        return None
    try:
        return moment.look(edit, seen, frame)
    except ReCamError as error:
        _say(preview, seen, str(error), keep=False)
        return None


def _frame(preview: _Preview, edit: bpy.types.Scene, seen: watching.Seen) -> int:
    """The frame of the timeline that is meant. Edit and camera may have scenes, and playheads, of their own: the one
    that was moved last counts.
    """
    scene = bpy.data.scenes.get(seen.camera_scene) or edit
    frames = edit.frame_current, scene.frame_current_final
    if frames != preview.frames:
        preview.by_camera = frames[1] != preview.frames[1]
        preview.frames = frames
    if scene == edit and abs(seen.offset) < 1e-6:
        return edit.frame_current
    return int(np.floor(frames[1] - seen.offset + 1e-3)) if preview.by_camera else edit.frame_current


def _plays() -> bool:
    managers = bpy.data.window_managers
    return any(window.screen.is_animation_playing for manager in managers for window in manager.windows)


# The question


def _picture(preview: _Preview, now: Moment, seen: watching.Seen) -> Generator[Step, None, _Picture]:
    try:
        job = yield from preview.maker.job(now, seen)
    except ContractError as error:
        raise ReCamError(tr("This moment cannot be shown. {reason}.").format(reason=error)) from error
    path = os.path.join(preview.folder.name, "still")
    preview.asked = True
    answer = yield from assistant.ask("still", {"job": job.to_json(), "path": path, "tint": True}, key=KEY)
    still = Still.from_json(answer)
    try:
        pixels = np.fromfile(still.path, np.float32).reshape(still.height, still.width, 4)
    except (OSError, ValueError) as error:
        raise ReCamError(tr("The picture of this moment cannot be read ({error}).").format(error=error)) from error
    return _Picture(pixels, still.invented)


def _begin(preview: _Preview, now: Moment, seen: watching.Seen) -> None:
    preview.last, preview.asked, preview.waited = now, False, 0
    preview.running = Running(_picture(preview, now, seen))
    _follow(preview)


def _follow(preview: _Preview) -> None:
    """Take the steps that are due, and show what came of them."""
    running, now = preview.running, preview.last
    assert running is not None
    assert now is not None
    try:
        done = running.advance(_BUDGET_SECONDS)
    except assistant.Superseded:
        preview.running = None
        return
    except ReCamError as error:
        preview.running = None
        _write(preview, now.scene, now.camera, str(error).partition("\n")[0], keep=False)
        return
    if not done:
        preview.waited += 1
        if preview.waited > _PATIENCE_TICKS:
            text = tr("Frame {frame}: {phase}").format(frame=now.frame, phase=telling.phase(running.progress))
            _write(preview, now.scene, now.camera, text, keep=True)
        return
    preview.running = None
    if running.came is not None:
        words = _words(now.frame, running.came.invented)
        preview.words = (now.scene, now.camera, words)
        overlay.show_picture(running.came.pixels, now.scene, now.camera, words)


def _words(frame: int, invented: float) -> str:
    if invented < 0.005:
        return tr("Frame {frame}: nothing invented").format(frame=frame)
    return tr("Frame {frame}: {percent:.0f} % invented").format(frame=frame, percent=100 * invented)


def _say(preview: _Preview, seen: watching.Seen, text: str, *, keep: bool) -> None:
    """Words in place of a picture, which is asked for anew when there can be one."""
    preview.drop()
    preview.last = None
    if preview.camera:
        _write(preview, seen.camera_scene or preview.edit, preview.camera, text, keep=keep)


def _write(preview: _Preview, scene: str, camera: str, text: str, *, keep: bool) -> None:
    if preview.words == (scene, camera, text):
        return
    preview.words = scene, camera, text
    if not keep:
        overlay.hide_picture()
    overlay.show_picture(None, scene, camera, text)


def _end(why: str) -> None:
    """End it where it makes no sense any more, and say so where ReCam's messages are."""
    if _preview is not None:
        disable()
        runtime.message = runtime.Message(tr("The live preview has ended: {reason}.").format(reason=why), "INFO")


# The button


class RECAM_OT_live_preview(bpy.types.Operator):
    """Show each frame that you go to as the take would be, over the view of the camera; what is invented is reddish"""

    bl_idname = "recam.live_preview"
    bl_label = "Live Preview"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        edit = where.edit_of(context)
        if edit is not None and enabled(edit):
            return True
        if edit is None or request.chosen_footage(edit) is None:
            cls.poll_message_set("Select the strip to re-shoot in the sequencer")
            return False
        lacking = needs.need("reproject")
        if lacking is not None and lacking.of_backend:
            cls.poll_message_set(lacking.text)
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Switch it on, and look through the camera; or off."""
        edit = where.edit_of(context)
        if edit is None:
            return {"CANCELLED"}
        if enabled(edit):
            disable()
            return {"FINISHED"}
        seen = watching.look_now(edit)
        if seen.trouble:
            self.report({"ERROR"}, seen.trouble)
            return {"CANCELLED"}
        enable(edit)
        scene = planning.find_scene(seen.camera_scene)
        camera = planning.find_camera(scene, moment.camera_at(seen, scene.frame_current_final))
        if next(moment.views(scene, camera), None) is None:
            for note in see_through.look_through(context, camera, scene):
                self.report({"INFO"}, note)
        return {"FINISHED"}


# What Blender tells of


@persistent
def _after_load(*_: object) -> None:
    disable()


@persistent
def _after_frame(scene: bpy.types.Scene, *_: object) -> None:
    """Ask before the window is drawn, so that the worker draws meanwhile. What must be read waits for the timer."""
    preview = _preview
    edit = bpy.data.scenes.get(preview.edit) if preview is not None else None
    if preview is None or edit is None or preview.running is not None or bpy.app.is_job_running("RENDER"):
        return
    seen = watching.look(edit)
    if seen is None or scene.name not in (edit.name, seen.camera_scene):
        return
    try:
        now = _now(preview, edit, seen)
        if now is not None and now != preview.last and preview.maker.at_hand(now, seen):
            _begin(preview, now, seen)
    except ReCamError:
        return  # the timer says why
    except Exception:
        traceback.print_exc()


@persistent
def _after_update(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph | None = None) -> None:
    """What was read of strips, or rendered of the scene, may show something else now."""
    preview = _preview
    if preview is None or preview.last is None or depsgraph is None:
        return
    if scene.name not in (preview.edit, preview.last.scene):
        return
    updates = [(each.id, each.is_updated_transform or each.is_updated_geometry) for each in depsgraph.updates]
    # Where a scene was removed, as stages and copies of ReCam's are, all the others tell of all that they hold.
    rebuilt = any(isinstance(thing, bpy.types.Collection) for thing, _ in updates)
    if scene.name == preview.edit and not rebuilt and any(isinstance(thing, bpy.types.Scene) for thing, _ in updates):
        preview.maker.edit_changed()
    if any(_has_depth(thing) and changed for thing, changed in updates):
        preview.maker.scene_changed()


def _has_depth(thing: bpy.types.ID) -> bool:
    return isinstance(thing, bpy.types.Object) and thing.type not in _WITHOUT_DEPTH


_WITHOUT_DEPTH = ("CAMERA", "LIGHT", "LIGHT_PROBE", "SPEAKER", "EMPTY", "ARMATURE")

_HANDLERS = (
    ("load_post", _after_load),
    ("frame_change_post", _after_frame),
    ("depsgraph_update_post", _after_update),
)

CLASSES: tuple[Any, ...] = (RECAM_OT_live_preview,)


def register() -> None:
    """Be told of changes."""
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Leave nothing on."""
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    disable()
