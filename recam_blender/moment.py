"""The present moment as a job of one frame, for the live preview: what is looked at, and what must be read for it.

The cameras are read as they stand in the viewport, moved and not keyed too, or on a stage of their own. Files that were
read and depth that was rendered for one moment serve the next.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import bpy
import numpy as np

from ..backend import contract
from ..backend.cameras import resized
from ..backend.contract import Job, Progress, Trajectory
from . import compat, depth, footage, media, paths, planning, sampling, use_limits, watching
from .planning import Step
from .request import Request, from_settings
from .texts import later

LARGEST = (832, 480)
"""Pixels of the largest picture: the longer side, and the shorter one."""

_KEPT = 100
"""Pictures of footage and maps of depth that are kept at most; 1.6 MB each at the largest size."""

T = TypeVar("T")


@dataclass(frozen=True)
class Moment:
    """What is looked at. Two that are equal give the same picture.

    Attributes:
        edit: the scene whose settings count.
        stamp: of its settings, as watching.Seen has it.
        frame: of its timeline.
        scene: the one that the cameras move in.
        camera: the target camera.
        at: the frame of that scene at the same instant.
        shown: the target camera as the viewport shows it; None where the viewport stands at another frame.
        room: pixels that the picture has on the screen.
    """

    edit: str
    stamp: str
    frame: int
    scene: str
    camera: str
    at: float
    shown: Trajectory | None
    room: tuple[int, int]


def look(edit: bpy.types.Scene, seen: watching.Seen, frame: int) -> Moment | None:
    """What is looked at, where a 3D view looks through the camera that films at this frame of the timeline.

    Raises:
        ReCamError: what is wrong with the camera.
    """
    at = seen.offset + frame
    camera, scene = camera_at(seen, at), bpy.data.scenes.get(seen.camera_scene)
    found = bpy.data.objects.get(camera)
    view = next(views(scene, found), None) if scene is not None and found is not None else None
    if scene is None or found is None or view is None:
        return None
    shown = None
    if abs(scene.frame_current_final - at) < 1e-3 and view.layer.depsgraph is not None:
        shown = sampling.sample_shown(scene, sampling.View(found, *_size(scene, seen)), view.layer.depsgraph)
    return Moment(edit.name, seen.stamp, frame, scene.name, camera, at, shown, view.room)


def camera_at(seen: watching.Seen, at: float) -> str:
    """The name of the target camera that films at a frame of its scene."""
    return seen.targets[_cut_at(seen, at)].name if seen.targets else ""


def _cut_at(seen: watching.Seen, at: float) -> int:
    """Which of the cuts that is; the first one before all."""
    return max(0, sum(each.frames[0] <= at + 1e-3 for each in seen.targets) - 1)


class View(NamedTuple):
    """A 3D view that looks through a camera: what evaluates it, and its pixels."""

    layer: bpy.types.ViewLayer
    room: tuple[int, int]


def views(scene: bpy.types.Scene, camera: bpy.types.Object) -> Iterator[View]:
    """The 3D views of all windows in which the picture would be drawn."""
    for manager in bpy.data.window_managers:
        for window in manager.windows:
            if window.scene != scene:
                continue
            for area in window.screen.areas:
                if area.type != "VIEW_3D" or not area.spaces.active.overlay.show_overlays:
                    continue
                space = area.spaces.active
                through = space.camera if space.use_local_camera else scene.camera
                if through == camera and space.region_3d.view_perspective == "CAMERA":
                    yield View(window.view_layer, (area.width, area.height))


def _size(scene: bpy.types.Scene, seen: watching.Seen) -> tuple[int, int]:
    return seen.size if all(seen.size) else (scene.render.resolution_x, scene.render.resolution_y)


def fitted(width: int, height: int, room: tuple[int, int]) -> tuple[int, int]:
    """The largest size of this shape that has room and is within LARGEST, whichever way up; never larger than it is."""
    long, short = max(width, height), min(width, height)
    share = min(1.0, LARGEST[0] / long, LARGEST[1] / short, max(1, room[0]) / width, max(1, room[1]) / height)
    return max(1, round(width * share)), max(1, round(height * share))


class Maker:
    """Makes moments into jobs, and remembers what the next one needs too.

    Args:
        folder: for pictures and depth that must be rendered; the caller's to remove.
        may_render: whether depth may be rendered now, which holds Blender for a while.
    """

    def __init__(self, folder: str, may_render: Callable[[], bool] = lambda: True) -> None:
        self._folder, self._may_render = folder, may_render
        self._read: OrderedDict[Hashable, footage.FootageFound | None] = OrderedDict()
        self._sources: dict[_Place, Trajectory] = {}
        self._seen: watching.Seen | None = None
        self._depths: OrderedDict[Hashable, str] = OrderedDict()
        self._number = 0

    def at_hand(self, now: Moment, seen: watching.Seen) -> bool:
        """Whether nothing must be read or rendered for a moment: its job is then made in one step, changing nothing."""
        edit = planning.find_scene(now.edit)
        asked = from_settings(edit)
        strip = planning.find_strip(edit, asked.strip)
        start, stop = planning.read_range(asked, edit, strip)
        kind = depth.choose_depth(asked.depth, source=asked.source_camera)
        now = _shown_at(now, seen, asked, start, stop)
        found = self._read.get((*_strip_key(strip), start, stop))
        if found is None or now.shown is None or footage.changes(edit, strip):
            return False
        size = found.footage.width, found.footage.height
        if asked.source_camera:
            known = _as_shown(now, asked.source_camera, size) is not None
        else:
            known = seen is self._seen and _first_pose(seen, now, start, size) in self._sources
        if not known or kind != "scene":
            return known
        return (now.scene, now.at, self._source(asked, seen, now, start, size)) in self._depths

    def edit_changed(self) -> None:
        """Strips may show something else than what was read of them."""
        for found in self._read.values():
            if found is not None and found.footage.identity:
                _remove(os.path.dirname(found.footage.files[0]))
        self._read.clear()

    def scene_changed(self) -> None:
        """Objects are not where they were when depth was rendered."""
        while self._depths:
            _remove(os.path.dirname(self._depths.popitem()[1]))

    def job(self, now: Moment, seen: watching.Seen) -> Generator[Step, None, Job]:
        """The job of one frame, as backend.foresight.moment would cut it from the whole take's.

        Raises:
            ReCamError, ContractError: why there is none.
        """
        edit = planning.find_scene(now.edit)
        asked = from_settings(edit)
        strip = planning.find_strip(edit, asked.strip)
        start, stop = planning.read_range(asked, edit, strip)
        numbers = _numbers(edit, strip, range(start, stop))
        then = _shown_at(now, seen, asked, start, stop)
        found = yield from self._footage(edit, strip, (start, stop), then.frame, plain_pictures=bool(numbers))
        clip = _one(found, then.frame)
        source = self._source(asked, seen, then, start, (clip.width, clip.height))
        known = numbers or (found.source_frames if (found.start, found.stop) == (start, stop) else ())
        distance = yield from self._depth(asked, then, source, range(start, stop), known)
        size = (asked.width or clip.width, asked.height or clip.height)
        target = _target(now, seen, asked, size, fitted(*size, now.room))
        return Job(
            footage=clip,
            target=target,
            source=source,
            subject_distance=asked.subject_distance,
            settings=contract.EngineSettings(depth=distance),
            output=contract.Output(
                path="unwritten.png",
                width=target.width,
                height=target.height,
                rate=planning.scene_rate(planning.find_scene(now.edit)),
                format="png",
            ),
        )

    # The footage

    def _footage(
        self, edit: bpy.types.Scene, strip: Any, reach: tuple[int, int], frame: int, *, plain_pictures: bool
    ) -> Generator[Step, None, footage.FootageFound]:
        """What is read of the whole strip, or of this frame alone where that is less work."""
        key = _strip_key(strip)
        subject = edit.name, strip.name
        if not plain_pictures and not footage.changes(edit, strip):
            whole = *key, *reach
            if whole not in self._read:
                yield from planning.opened(*subject)
                edit = planning.find_scene(subject[0])
                strip = planning.find_strip(edit, subject[1])
                work = footage.read_footage(edit, strip, reach, folder=self._folder)
                self._keep(whole, (yield from _unless_rendered(work)))
            if (found := self._read[whole]) is not None:
                return found
        alone = *key, frame
        if (found := self._read.get(alone)) is None:
            edit = planning.find_scene(subject[0])
            strip = planning.find_strip(edit, subject[1])
            work = footage.read_footage(edit, strip, (frame, frame + 1), folder=self._folder)
            found = yield from planning.steps(work)
            self._keep(alone, found)
        return found

    def _keep(self, key: Hashable, found: footage.FootageFound | None) -> None:
        self._read[key] = found
        while len(self._read) > _KEPT:
            _, old = self._read.popitem(last=False)
            if old is not None and old.footage.identity:
                _remove(os.path.dirname(old.footage.files[0]))

    # The source camera

    def _source(
        self, asked: Request, seen: watching.Seen, now: Moment, start: int, size: tuple[int, int]
    ) -> Trajectory:
        """Where the footage's camera stands at this moment, and its lens: one pose.

        Without a source camera it stands at the target's first pose, which is read once for as long as nothing else
        has changed: while a camera is dragged, the footage's stays.
        """
        if seen is not self._seen:
            self._seen = seen
            self._sources.clear()
        scene = planning.find_scene(now.scene)
        if asked.source_camera:
            shown = _as_shown(now, asked.source_camera, size)
            return shown or _on_stage(scene, asked.source_camera, now.at, size)
        key = _first_pose(seen, now, start, size)
        if key not in self._sources:
            self._sources[key] = _on_stage(scene, *key)
        source = self._sources[key]
        if asked.lens:
            camera = planning.find_camera(scene, now.camera)
            lens = sampling.focal_intrinsics(scene, camera, asked.lens, width=size[0], height=size[1])
            source = dataclasses.replace(source, intrinsics=(lens,))
        return source

    # The depth

    def _depth(
        self, asked: Request, now: Moment, source: Trajectory, reach: range, numbers: tuple[int, ...]
    ) -> Generator[Step, None, contract.Depth]:
        kind = depth.choose_depth(asked.depth, source=asked.source_camera)
        if kind not in ("file", "scene"):
            return contract.Depth()  # what the backend finds from the footage takes it longer than a look may
        if kind == "file":
            whole = contract.Depth.from_path(asked.depth_path, len(reach), frames=numbers, scale=asked.depth_scale)
            return dataclasses.replace(whole, files=(whole.files[now.frame - reach.start],))
        key = now.scene, now.at, source
        if key not in self._depths:
            while not self._may_render():
                yield Step(Progress(phase="waiting", step=0, total=0), idle=True)
            self._depths[key] = yield from self._rendered(now, source, asked.source_camera or now.camera)
            while len(self._depths) > _KEPT:
                _remove(os.path.dirname(self._depths.popitem(last=False)[1]))
        self._depths.move_to_end(key)
        return contract.Depth(kind="scene", files=(self._depths[key],))

    def _rendered(self, now: Moment, source: Trajectory, camera: str) -> Generator[Step, None, str]:
        """One map of depth, rendered as small as the picture and spread to the footage's size, which it must have."""
        self._number += 1
        folder = os.path.join(self._folder, f"depth-{self._number}")
        os.makedirs(folder)
        scene = planning.find_scene(now.scene)
        small = resized(source, *fitted(source.width, source.height, LARGEST))
        work = depth.render_depth(scene, planning.find_camera(scene, camera), small, (now.at,), folder=folder)
        (path,) = yield from planning.steps(work)
        if (small.width, small.height) != (source.width, source.height):
            rows = (2 * np.arange(source.height) + 1) * small.height // (2 * source.height)
            columns = (2 * np.arange(source.width) + 1) * small.width // (2 * source.width)
            np.save(path, np.load(path, allow_pickle=False)[np.ix_(rows, columns)], allow_pickle=False)
        return path


def _shown_at(now: Moment, seen: watching.Seen, asked: Request, start: int, stop: int) -> Moment:
    """The moment of the footage that a take shows at this one: another one where time is held."""
    if asked.use != "freeze":
        return now
    cut = _cut_at(seen, now.at)
    starts = [start, *(round(each.frames[0] - seen.offset) for each in seen.targets[1:]), stop]
    first, count = starts[cut], starts[cut + 1] - starts[cut]
    use = asked.use_from(first, count, (start, stop))
    if use.kind != "freeze":
        return now
    use_limits.check(use, first, count, (1, 1))
    place = min(max(now.frame - first, 0), count - 1)
    moved = round(use_limits.instants(use, count)[place]) - place
    # Nothing is shown then: the viewport stands at this moment.
    return dataclasses.replace(now, frame=now.frame + moved, at=now.at + moved, shown=None) if moved else now


def _target(
    now: Moment, seen: watching.Seen, asked: Request, size: tuple[int, int], small: tuple[int, int]
) -> Trajectory:
    """The target camera, with its lens for the whole take's size, on a smaller picture."""
    if paths.is_made(asked) and seen.targets:
        return resized(paths.at(seen.targets[_cut_at(seen, now.at)], now.at), *small)
    shown = _as_shown(now, now.camera, size)
    return resized(shown or _on_stage(planning.find_scene(now.scene), now.camera, now.at, size), *small)


_Place = tuple[str, float, tuple[int, int]]
"""A camera, a frame of its scene, and the size of the picture."""


def _first_pose(seen: watching.Seen, now: Moment, start: int, size: tuple[int, int]) -> _Place:
    """Where the source camera stands where none is chosen: at the first frame of the cut."""
    cut = _cut_at(seen, now.at)
    return now.camera, seen.targets[cut].frames[0] if cut else seen.offset + start, size


def _as_shown(now: Moment, camera: str, size: tuple[int, int]) -> Trajectory | None:
    """A camera as the viewport has it, which costs nothing; None where that stands at another frame, or has it not."""
    if now.shown is None:
        return None
    scene = planning.find_scene(now.scene)
    view = next(views(scene, planning.find_camera(scene, now.camera)), None)
    if view is None or view.layer.depsgraph is None:
        return None
    return sampling.sample_shown(scene, sampling.View(planning.find_camera(scene, camera), *size), view.layer.depsgraph)


def _on_stage(scene: bpy.types.Scene, camera: str, at: float, size: tuple[int, int]) -> Trajectory:
    view = sampling.View(planning.find_camera(scene, camera), *size)
    return sampling.sample_trajectories(scene, [view], [at], gently=True)[0]


def _one(found: footage.FootageFound, frame: int) -> contract.Footage:
    """Footage of one timeline frame."""
    clip = found.footage
    place = clip.frames[frame - found.start]
    if clip.kind == "movie":
        return dataclasses.replace(clip, frames=(place,))
    return dataclasses.replace(clip, files=(clip.files[place],), frames=(0,))


def _numbers(edit: bpy.types.Scene, strip: Any, reach: range) -> tuple[int, ...]:
    """Which of its pictures a strip of pictures shows at these frames, where a formula tells; else nothing.

    Such a strip is read frame by frame: to read all of it, each file would be looked into.
    """
    if strip.type != "IMAGE" or footage.changes(edit, strip) or not media.is_plain(edit, strip):
        return ()
    if footage.with_effects(edit, strip) != [strip]:
        return ()
    count = len(strip.elements)
    return tuple(media.plain_index(strip, count, frame) for frame in reach)


def _strip_key(strip: Any) -> tuple[Hashable, ...]:
    """What decides which frames of a file are shown, as far as it is cheap to ask; ``edit_changed`` tells the rest."""
    return (
        strip.name,
        strip.type,
        *compat.span(strip),
        compat.content_start(strip),
        getattr(strip, "filepath", "") or getattr(strip, "directory", ""),
        getattr(strip, "use_reverse_frames", False),
    )


# How intermediate.py calls it.
_RENDERING = later("Rendering the footage")


def _unless_rendered(
    work: Generator[tuple[str, int, int], None, T],
) -> Generator[Step, None, T | None]:
    """What is read, or None where every frame of it would have to be rendered."""
    with closing(work):
        while True:
            try:
                phase, step, total = next(work)
            except StopIteration as end:
                finished: T = end.value
                return finished
            if phase == _RENDERING:
                return None
            yield Step(Progress(phase=phase, step=step, total=total))


def _remove(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
