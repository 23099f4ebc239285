"""What a scene's settings mean at the moment, for panels and overlays to show: the path, its words, and what hinders.

Drawing code asks :func:`look`, which answers at once with what is known. Asking keeps the answer fresh: a timer looks
again, a while after something has changed, for as long as somebody asks. Cameras are read on a stage of their own
(sampling.py): nothing of the user's scene is touched by being looked at.
"""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import bpy
import numpy as np
from bpy.app.handlers import persistent

from ..backend import contract
from ..backend.contract import Trajectory
from . import compat, movement, paths, planning, sampling, stage
from .errors import ReCamError
from .movement import Movement
from .paths import Path
from .planning import Step
from .request import GENERATES, Request, chosen_footage, from_settings, why_no_footage
from .texts import later

_TICK_SECONDS = 0.1
# After the last change: while something is dragged, nobody reads.
_QUIET_SECONDS = 0.25
# After the last question the timer ends.
_INTEREST_SECONDS = 3.0
_MOST_FRAMES = 1000
"""A longer path is drawn, and told of, by so many of its frames."""

# A step of looking takes about so long, whatever the cameras hang on: the first few frames tell how many that are. Not
# less: after each Blender draws its windows anew, as a stage has gone.
_STEP_SECONDS = 0.025
# Within one tick, steps are taken until this is spent.
_BUDGET_SECONDS = 0.005
_FIRST_FRAMES = 8
_BUSY_SECONDS = 0.01

_REDRAWN = ("SEQUENCE_EDITOR", "VIEW_3D")


@dataclass(frozen=True, eq=False)
class Seen:
    """What the settings mean.

    Attributes:
        scene: the edit.
        strip: the footage; empty where none is chosen.
        start, stop: the timeline frames that are re-shot, handles left out: first, and one after the last.
        rate: of the take, frames per second.
        size: of the footage, pixels; 0, 0 where it is not known.
        camera_scene: the scene that the cameras move in.
        unit: metres per unit of that scene.
        offset: a frame of that scene, less the frame of the timeline at the same instant.
        targets: the target cameras, one per cut; as takes are seen, where a use or the source makes the way they go.
        source: the source camera over all the frames; None where none is chosen.
        movement: of the first target.
        use: what the take is for, in a part of a sentence; empty where it is for the camera's own move.
        unsolved: the way that the take's camera goes is not known: it is made from one that is yet to be solved.
        crop: what a network is shown of the footage, as left, top, right and bottom in shares of it; None: all.
        trouble: why it cannot be known, as a sentence; empty where it is.
        stamp: another one when something has changed that a take would show.
    """

    scene: str
    strip: str = ""
    start: int = 0
    stop: int = 0
    rate: Fraction = Fraction(24)
    size: tuple[int, int] = (0, 0)
    camera_scene: str = ""
    unit: float = 1.0
    offset: float = 0.0
    targets: tuple[Path, ...] = ()
    source: Path | None = None
    movement: Movement | None = None
    use: str = ""
    unsolved: bool = False
    crop: tuple[float, float, float, float] | None = None
    trouble: str = ""
    stamp: str = ""

    @property
    def target(self) -> Path | None:
        """The first target camera; None where there is none."""
        return self.targets[0] if self.targets else None

    @property
    def count(self) -> int:
        """How many frames are re-shot."""
        return self.stop - self.start


@dataclass
class _Watched:
    asked: float
    seen: Seen | None = None
    inputs: tuple[Any, ...] = ()
    stale: bool = True
    work: Generator[Step, None, Seen] | None = None
    told: tuple[object, ...] = ()


after: list[Callable[[Seen], None]] = []
"""Called with what is seen when it has changed: while somebody asks, and something was changed."""

told: list[Callable[[bpy.types.Scene, Seen | None], object]] = []
"""What else is told of settings: sidebars are drawn anew where one of these gives something else than before."""

_watched: dict[str, _Watched] = {}
_changed_at = 0.0


def look(scene: bpy.types.Scene) -> Seen | None:
    """What is known of a scene's settings; None until it has been looked at. Never waits: for drawing."""
    found = _watched.setdefault(scene.name, _Watched(0.0))
    found.asked = time.monotonic()
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=0.0, persistent=True)
    return found.seen


def look_now(scene: bpy.types.Scene) -> Seen:
    """The same, looked up now."""
    work = looking(scene)
    while True:
        try:
            next(work)
        except StopIteration as end:
            seen: Seen = end.value
            return seen


def looking(scene: bpy.types.Scene) -> Generator[Step, None, Seen]:
    """The same in short steps, between which Blender's objects may become others."""
    found = _watched.setdefault(scene.name, _Watched(time.monotonic()))
    found.inputs, found.stale, found.work = _inputs(scene), False, None
    found.seen = yield from _look(scene.name)
    return found.seen


def touch() -> None:
    """Something may have changed: look again soon."""
    global _changed_at
    _changed_at = time.monotonic()
    for each in _watched.values():
        each.stale = True


def forget() -> None:
    """Nothing has been looked at: another file is open."""
    _watched.clear()
    _forgiven.clear()


def size_of(scene: bpy.types.Scene, strip: Any) -> tuple[int, int]:
    """Pixels of a strip's footage: its file's, else those of the scene that renders it."""
    elements = getattr(strip, "elements", None)
    if not elements:
        return scene.render.resolution_x, scene.render.resolution_y
    return elements[0].orig_width, elements[0].orig_height


# Looking


def _look(name: str) -> Generator[Step, None, Seen]:
    """By name: between steps Blender's objects may become others."""
    scene = planning.find_scene(name)
    rate = planning.scene_rate(scene)
    strip = chosen_footage(scene)
    if strip is None:
        return Seen(scene=name, rate=rate, trouble=why_no_footage(scene))
    size = size_of(scene, strip)
    told = {"scene": name, "strip": strip.name, "rate": rate, "size": size}
    try:
        asked = from_settings(scene)
        start, stop = planning.shown_range(asked, strip)
        camera_scene, first = planning.camera_time(asked, scene, strip)
        offset, scale = first - compat.span(strip)[0], camera_scene.unit_settings.scale_length
        told |= {"start": start, "stop": stop, "camera_scene": camera_scene.name, "offset": offset, "unit": scale}
        place = (asked, compat.span(strip), compat.content_start(strip), scale, camera_scene.name, offset)
        frames = tuple(offset + each for each in _thinned(start, stop))
        filmed = []
        for camera, covered in _cuts(asked, camera_scene, frames):
            filmed.append((camera, covered, (yield from _sampled(camera_scene.name, camera, covered, size))))
            camera_scene = planning.find_scene(told["camera_scene"])
        source = None
        if asked.source_camera:
            shot = yield from _sampled(camera_scene.name, asked.source_camera, frames, size)
            source = paths.path_of(planning.find_scene(camera_scene.name), asked.source_camera, frames, shot)
        made = yield from paths.of_takes(asked, camera_scene.name, offset, rate, filmed, source)
    except (ReCamError, contract.ContractError) as error:
        return Seen(**told, trouble=str(error))
    crop = None
    if asked.engine in GENERATES:
        crop = yield from paths.aside(lambda: paths.shown_to_network(asked, made[0], source, size), len(frames))
    moved = movement.of(made[0].matrices, made[0].millimetres, scale)
    stamp = _stamp(place, [*made, *([source] if source else [])])
    return Seen(
        **told,
        targets=tuple(made),
        source=source,
        movement=moved,
        use=paths.use_of(asked, made, offset, size),
        crop=crop,
        unsolved=asked.source_from == "footage" and source is None and asked.use in ("stabilise", "lock"),
        stamp=stamp,
    )


def _cuts(asked: Request, scene: bpy.types.Scene, frames: tuple[float, ...]) -> list[tuple[str, tuple[float, ...]]]:
    """The target cameras, and the frames that each of them films."""
    if asked.camera:
        return [(asked.camera, frames)]
    found = sampling.cuts(scene, frames)
    for each in found:
        sampling.check_camera(each.camera)
    return [(each.camera.name, frames[each.start : each.stop]) for each in found if each.camera]


def _sampled(
    scene_name: str, name: str, frames: tuple[float, ...], size: tuple[int, int]
) -> Generator[Step, None, Trajectory]:
    parts: list[Trajectory] = []
    done, count = 0, _FIRST_FRAMES
    while True:
        scene = planning.find_scene(scene_name)
        camera = planning.find_camera(scene, name)
        width, height = size if all(size) else (scene.render.resolution_x, scene.render.resolution_y)
        view, began = sampling.View(camera, width, height), time.monotonic()
        parts += sampling.sample_trajectories(scene, [view], frames[done : done + count], gently=True)
        done += count
        if done >= len(frames):
            return paths.joined(parts)
        # As many as there is time for in a step, by what these have taken.
        count = max(1, int(_STEP_SECONDS * count / max(time.monotonic() - began, 1e-4)))
        yield Step(contract.Progress(phase=later("Reading the camera"), step=done, total=len(frames)))


def _thinned(start: int, stop: int) -> list[int]:
    """The frames, or so many of them that a path stays a path; the last is always among them."""
    step = -(-(stop - start) // _MOST_FRAMES)
    frames = list(range(start, stop, step))
    return frames if frames[-1] == stop - 1 else [*frames, stop - 1]


def _stamp(told: tuple[Any, ...], drawn: list[Path]) -> str:
    names = [(each.name, each.frames[0], each.frames[-1]) for each in drawn]
    digest = hashlib.sha256(repr((told, names)).encode(errors="surrogateescape"))
    for path in drawn:
        # To what can be seen: a constraint's rounding must not make every look a new one.
        digest.update(np.round(path.matrices, 5).tobytes())
        digest.update(np.round(path.corners, 6).tobytes())
    return digest.hexdigest()[:16]


# Keeping fresh


def _tick() -> float | None:
    now = time.monotonic()
    for name in [name for name, each in _watched.items() if now - each.asked > _INTEREST_SECONDS]:
        _watched[name].stale = True
    asked = {name: each for name, each in _watched.items() if now - each.asked <= _INTEREST_SECONDS}
    for name, each in asked.items():
        scene = bpy.data.scenes.get(name)
        if scene is None:
            del _watched[name]
            continue
        try:
            _refresh(scene, each, now)
            _tell(scene, each)
        except Exception:
            # A defect. It must not end the timer, nor come again ten times a second.
            traceback.print_exc()
            each.stale, each.work = False, None
    if any(each.work is not None for each in asked.values()):
        return _BUSY_SECONDS
    return _TICK_SECONDS if asked else None


def _refresh(scene: bpy.types.Scene, watched: _Watched, now: float) -> None:
    inputs = _inputs(scene)
    if inputs != watched.inputs or watched.stale:
        watched.work = None
        if inputs == watched.inputs and watched.seen is not None and now - _changed_at < _QUIET_SECONDS:
            return
        watched.inputs, watched.stale, watched.work = inputs, False, _look(scene.name)
    if watched.work is not None:
        _go_on(watched, watched.work)


def _go_on(watched: _Watched, work: Generator[Step, None, Seen]) -> None:
    until = time.monotonic() + _BUDGET_SECONDS
    try:
        while time.monotonic() < until:
            next(work)
    except StopIteration as end:
        watched.work = None
        before, watched.seen = watched.seen, end.value
        if before is None or _shown(before) != _shown(end.value):
            redraw()
            for call in after:
                call(end.value)


def _tell(scene: bpy.types.Scene, watched: _Watched) -> None:
    before, watched.told = watched.told, tuple(call(scene, watched.seen) for call in told)
    if watched.told != before:
        redraw()


def _shown(seen: Seen) -> tuple[Any, ...]:
    return seen.strip, seen.stamp, seen.trouble, seen.rate, seen.size, seen.start, seen.stop, seen.camera_scene


def _inputs(scene: bpy.types.Scene) -> tuple[Any, ...]:
    """What is cheap to compare: a change of any of these is looked at without waiting for Blender to tell of it."""
    settings, render = scene.recam, scene.render
    strip = chosen_footage(scene)
    return (
        None if strip is None else (strip.name, *compat.span(strip), compat.content_start(strip)),
        tuple(_plain(getattr(settings, name)) for name in _names(settings) if name not in _UNSEEN),
        settings.prompt_text.as_string() if settings.prompt_text else "",
        (scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end),
        (render.resolution_x, render.resolution_y, render.resolution_percentage, render.fps, render.fps_base),
        # The cameras may move in another scene. Of markers, and of time, Blender does not always tell.
        tuple(map(_cameras, bpy.data.scenes)),
    )


_UNSEEN = {
    *("rna_type", "show_path", "show_frusta", "show_numbers", "frustum_step", "frustum_size"),
    *("lock_seed", "keep_forecast", "take_index"),
}
"""The settings that change no take."""


def _names(settings: Any) -> Iterator[str]:
    return (each.identifier for each in settings.bl_rna.properties)


def _plain(value: Any) -> Any:
    """Nothing of Blender's is kept from one tick to the next."""
    return value.name_full if isinstance(value, bpy.types.ID) else value


def _cameras(scene: bpy.types.Scene) -> tuple[Any, ...]:
    """Which camera a scene has when, and by what rules it is read."""
    render, cameras = scene.render, [scene.camera, *(each.camera for each in scene.timeline_markers)]
    return (
        scene.name,
        tuple((each.name_full, each.hide_render) if each else "" for each in cameras),
        tuple(each.frame for each in scene.timeline_markers),
        (render.frame_map_old, render.frame_map_new, render.pixel_aspect_x, render.pixel_aspect_y),
        scene.unit_settings.scale_length,
    )


def redraw() -> None:
    """Draw sequencers and 3D views anew."""
    for manager in bpy.data.window_managers:
        for window in manager.windows:
            for area in window.screen.areas:
                if area.type in _REDRAWN:
                    area.tag_redraw()


@persistent
def _after_update(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph | None = None) -> None:
    if not scene.name.startswith(stage.NAME) and not _is_of_a_stage(scene, depsgraph):
        touch()


_forgiven: dict[str, int] = {}
"""For each scene, how many stages there were when it was last told of because one of them had gone."""


def _is_of_a_stage(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph | None) -> bool:
    """Whether nothing has changed but that a stage is gone: looking must not lead to looking again."""
    if _forgiven.get(scene.name, 0) == stage.removed or not _only_rebuilt(depsgraph):
        return False
    _forgiven[scene.name] = stage.removed
    return True


def _only_rebuilt(depsgraph: bpy.types.Depsgraph | None) -> bool:
    """Whether Blender tells of all in a scene as neither moved nor reshaped, as it does when another scene is gone."""
    updates = list(depsgraph.updates) if depsgraph is not None else []
    held = (bpy.types.Scene, bpy.types.Object, bpy.types.Collection)
    return any(isinstance(each.id, bpy.types.Collection) for each in updates) and not any(
        not isinstance(each.id, held)
        or (isinstance(each.id, bpy.types.Object) and (each.is_updated_transform or each.is_updated_geometry))
        for each in updates
    )


@persistent
def _after_load(*_: object) -> None:
    forget()


@persistent
def _after_undo(*_: object) -> None:
    touch()


_HANDLERS = (
    ("depsgraph_update_post", _after_update),
    ("undo_post", _after_undo),
    ("redo_post", _after_undo),
    ("load_post", _after_load),
)

CLASSES: tuple[Any, ...] = ()


def register() -> None:
    """Be told of changes."""
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Be told no more."""
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    forget()
