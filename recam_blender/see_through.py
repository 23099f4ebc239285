"""The footage as the target camera's background: keyframe a camera while looking through it at what is re-shot."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

import bpy

from ..backend.contract import Progress
from . import backgrounds, compat, footage, planning, request, sampling, tasks
from .errors import ReCamError
from .overlay import where
from .planning import Step
from .texts import tr

# Shapes that differ by less come from rounding a picture's size to whole pixels.
_SAME_SHAPE = 2e-3
_TICK_SECONDS = 0.05
_BUDGET_SECONDS = 0.03


class Shown(NamedTuple):
    """What was done: the cameras with the footage behind their view, the scene that they move in, and all in words."""

    cameras: tuple[str, ...]
    scene: str
    notes: tuple[str, ...]


def see_through(edit: str) -> Generator[Step, None, Shown]:
    """Put the chosen footage of an edit behind its target cameras, and match size and rate, in short steps.

    Args:
        edit: the name of the scene whose settings count.

    Raises:
        ReCamError: what is missing, or why no background can show this footage, and what to do.
    """
    asked = request.from_settings(planning.find_scene(edit))
    clip = yield from _clip(asked)
    scene, strip = _found(asked)
    camera_scene, _ = planning.camera_time(asked, scene, strip)
    frames = [clip.first + index for index in range(len(clip.numbers))]
    cameras = _targets(asked, camera_scene, frames)
    for camera in cameras:
        sampling.check_camera(camera)
        backgrounds.check_editable(camera)
    notes = []
    for camera in cameras:
        notes += backgrounds.put_behind(camera, clip, strip.name)
    notes += match(camera_scene, scene, clip.size, footage.shown_size(scene, strip))
    return Shown(tuple(each.name for each in cameras), camera_scene.name, tuple(notes))


# What is shown


def _clip(asked: request.Request) -> Generator[Step, None, backgrounds.Clip]:
    scene, strip = _found(asked)
    name = strip.name
    _refuse_changes(name, footage.changes(scene, strip))
    with tempfile.TemporaryDirectory(prefix="recam-see-", dir=bpy.app.tempdir) as folder:
        found = yield from planning.steps(footage.read_footage(scene, strip, folder=folder))
    if not found.source_frames:
        _refuse_changes(name, [tr("blended from frame to frame, or longer than its file")])
    scene, strip = _found(asked)
    _, first = planning.camera_time(asked, scene, strip)
    files = found.footage.files
    source, numbers = "MOVIE", tuple(each + 1 for each in found.source_frames)
    if found.footage.kind == "images":
        source = "SEQUENCE" if len(files) > 1 else "FILE"
        numbers = tuple(_numbered(name, files)[each] for each in found.footage.frames) if len(files) > 1 else (1,)
    return backgrounds.Clip(
        path=files[0],
        source=source,
        space=footage.with_effects(scene, strip)[0].colorspace_settings.name,
        size=(found.footage.width, found.footage.height),
        first=sampling.split_frame(first + 0.5)[0],
        numbers=numbers,
    )


def _found(asked: request.Request) -> tuple[bpy.types.Scene, Any]:
    scene = planning.find_scene(asked.scene)
    strip = next((each for each in compat.strips_all(scene) if each.name == asked.strip), None)
    if strip is None:
        raise ReCamError(tr("Strip {strip!r} is no longer in the sequencer.").format(strip=asked.strip))
    return scene, strip


def _refuse_changes(name: str, changes: list[str]) -> None:
    if changes:
        raise ReCamError(
            tr(
                "Strip {strip!r} is {changes}: no file holds what it shows, and a camera's background can only show "
                "files. Render the strip to a movie and see through that one."
            ).format(strip=name, changes=", ".join(map(tr, changes)))
        )


_LAST_NUMBER = re.compile(r"^(.*?)(\d+)(\D*)$", re.DOTALL)


def _numbered(name: str, files: tuple[str, ...]) -> list[int]:
    """The numbers of pictures that Blender takes for one sequence: named alike but for the last number."""
    parts = [_LAST_NUMBER.match(os.path.splitext(os.path.basename(each))[0]) for each in files]
    first = parts[0]
    if first is not None:
        width = len(first[2])
        alike = [
            each is not None
            and (each[1], each[3]) == (first[1], first[3])
            and each[2] == f"{int(each[2]):0{width}d}"
            and (os.path.dirname(file), os.path.splitext(file)[1])
            == (os.path.dirname(files[0]), os.path.splitext(files[0])[1])
            for each, file in zip(parts, files, strict=True)
        ]
        if all(alike):
            return [int(each[2]) for each in parts if each is not None]
    raise ReCamError(
        tr(
            "The pictures of strip {strip!r} are not named as one sequence (a name and a number, as in {example}), "
            "which a camera's background needs. Rename them, or render the strip to a movie and see through that one."
        ).format(strip=name, example="shot_0001.png")
    )


def _targets(asked: request.Request, scene: bpy.types.Scene, frames: list[int]) -> list[bpy.types.Object]:
    if asked.camera:
        return [planning.find_camera(scene, asked.camera)]
    cameras = [each.camera for each in sampling.cuts(scene, frames)]
    return list(dict.fromkeys(cameras))


# The scene


def match(
    scene: bpy.types.Scene, edit: bpy.types.Scene, size: tuple[int, int], shown: tuple[float, float]
) -> list[str]:
    """Give the camera's scene the footage's shape and, where it is not the edit, the edit's rate.

    A scene whose shape fits keeps its size. Returns what was changed, in whole sentences.

    Args:
        scene: what the camera moves in.
        edit: whose sequencer holds the footage.
        size: of the footage, pixels.
        shown: how many pixels of the edit's frame it covers: all that an edit's frame is cut to, so that its strips
            keep their place.
    """
    render, notes = scene.render, []
    width, height = map(round, shown) if scene == edit else size
    before = render.resolution_x * render.pixel_aspect_x / (render.resolution_y * render.pixel_aspect_y)
    if abs(before * height / width - 1) > _SAME_SHAPE or render.pixel_aspect_x != render.pixel_aspect_y:
        render.resolution_x, render.resolution_y = width, height
        render.pixel_aspect_x = render.pixel_aspect_y = 1.0
        notes.append(
            tr("Scene {scene!r} is now {width} x {height}, the shape of the footage.").format(
                scene=scene.name, width=width, height=height
            )
        )
    if scene != edit and planning.scene_rate(scene) != planning.scene_rate(edit):
        render.fps, render.fps_base = edit.render.fps, edit.render.fps_base
        notes.append(
            tr("Scene {scene!r} now runs at {rate:g} fps, as the edit does.").format(
                scene=scene.name, rate=float(planning.scene_rate(edit))
            )
        )
    return notes


# The view


def look_through(context: bpy.types.Context, camera: bpy.types.Object, scene: bpy.types.Scene) -> list[str]:
    """Show the camera's view: in the 3D view that was clicked in, else the largest one of the window.

    The scene's own camera is not changed: a view that is to look through another one gets a local camera. Returns what
    the user should know, in whole sentences.
    """
    if context.window is None:
        return []
    if context.window.scene != scene:
        return [tr("Switch this window to scene {scene!r} to see it.").format(scene=scene.name)]
    area = _view(context)
    if area is None:
        return [tr("Open a 3D view to see it.")]
    space = area.spaces.active
    if space.use_local_camera or camera != scene.camera:
        space.use_local_camera, space.camera = True, camera
    space.region_3d.view_perspective = "CAMERA"
    area.tag_redraw()
    if space.use_local_camera and camera != scene.camera:
        text = tr("This view looks through {camera!r}, its local camera; the scene's camera is still {other!r}.")
        return [text.format(camera=camera.name, other=scene.camera.name if scene.camera else "")]
    return []


def _view(context: bpy.types.Context) -> bpy.types.Area | None:
    if context.area is not None and context.area.type == "VIEW_3D":
        return context.area
    views = [each for each in context.window.screen.areas if each.type == "VIEW_3D"]
    return max(views, key=lambda each: each.width * each.height, default=None)


# The buttons


class RECAM_OT_see_through(bpy.types.Operator):
    """Show the footage behind the target camera's view, in step with the strip. The scene gets its shape and rate"""

    bl_idname = "recam.see_through"
    bl_label = "See Through Footage"
    bl_options = {"REGISTER", "UNDO"}

    _work: Generator[Step, None, Shown]
    _timer: bpy.types.Timer | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where the button is grey."""
        edit = where.edit_of(context)
        if edit is None:
            cls.poll_message_set("There is no strip in the sequencer: add the footage to it")
            return False
        if request.chosen_footage(edit) is None:
            cls.poll_message_set("Select the footage's strip in the sequencer")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Return when it is done: for scripts and background Blender."""
        try:
            return self._finish(context, tasks.drain(see_through(_edit(context))))
        except ReCamError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Do it at once where that is short, and else while Blender stays usable: some strips must be measured."""
        if bpy.app.background:
            return self.execute(context)
        # poll has seen to it that there is an edit.
        self._work = see_through(_edit(context))
        answer = self._advance(context)
        if answer is not None:
            return answer
        self._timer = context.window_manager.event_timer_add(_TICK_SECONDS, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Take a few steps at each tick; Escape cancels."""
        if event.type == "ESC" and event.value == "PRESS":
            self.cancel(context)
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        return self._advance(context) or {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Also called by Blender, when it quits or opens another file."""
        try:
            self._work.close()
        finally:
            self._stop(context)

    def _advance(self, context: bpy.types.Context) -> set[str] | None:
        until = time.monotonic() + _BUDGET_SECONDS
        try:
            while time.monotonic() < until:
                self._tell(context, next(self._work).progress)
        except StopIteration as end:
            self._stop(context)
            return self._finish(context, end.value)
        except ReCamError as error:
            self._stop(context)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        except BaseException:
            # A defect, not a reason: Blender shows its traceback, and no timer is left.
            self._stop(context)
            raise
        return None

    def _tell(self, context: bpy.types.Context, progress: Progress) -> None:
        text = tr("{phase}, {step} of {total}. Esc cancels")
        context.workspace.status_text_set(
            text.format(phase=tr(progress.phase), step=progress.step, total=progress.total)
        )

    def _stop(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        if context.workspace is not None:
            context.workspace.status_text_set(None)

    def _finish(self, context: bpy.types.Context, shown: Shown) -> set[str]:
        scene = planning.find_scene(shown.scene)
        notes = [*shown.notes, *look_through(context, _now(scene, shown.cameras), scene)]
        self.report({"INFO"}, " ".join(notes))
        return {"FINISHED"}


def _edit(context: bpy.types.Context) -> str:
    edit = where.edit_of(context)
    if edit is None:
        raise ReCamError(tr("There is no strip in the sequencer: add the footage to it."))
    return str(edit.name)


def _now(scene: bpy.types.Scene, cameras: tuple[str, ...]) -> bpy.types.Object:
    """The camera to look through: with cuts, the one that the scene has at this moment."""
    if scene.camera is not None and scene.camera.name in cameras:
        return scene.camera
    return planning.find_camera(scene, cameras[0])


class RECAM_OT_see_through_stop(bpy.types.Operator):
    """Take the footage away from behind the cameras; backgrounds of your own stay"""

    bl_idname = "recam.see_through_stop"
    bl_label = "Stop Seeing Through"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only where there is something to take away."""
        if not backgrounds.seen_through():
            cls.poll_message_set("No camera has the footage behind it")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """From all cameras of the file."""
        names = [each.name for each in backgrounds.seen_through() if backgrounds.stop(each)]
        self.report({"INFO"}, tr("Taken away from {cameras}.").format(cameras=", ".join(map(repr, names))))
        return {"FINISHED"}


CLASSES = (RECAM_OT_see_through, RECAM_OT_see_through_stop)


def _menu(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    menu.layout.separator()
    menu.layout.operator(RECAM_OT_see_through.bl_idname, icon="IMAGE_BACKGROUND")
    menu.layout.operator(RECAM_OT_see_through_stop.bl_idname)


def _menus() -> Iterator[Any]:
    """View > Cameras, where Blender's users look for what a view is seen through."""
    yield bpy.types.VIEW3D_MT_view_cameras


def register() -> None:
    """Add the menu entries."""
    for each in _menus():
        each.append(_menu)


def unregister() -> None:
    """Take them back."""
    for each in _menus():
        each.remove(_menu)
