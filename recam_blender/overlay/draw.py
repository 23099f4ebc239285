"""Draw the paths and the frusta of target and source in the 3D view, and their words.

What goes to the graphics card is made anew only when the cameras, the settings, or the forecast change; what depends on
the current frame is small and made for each frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import bpy
import gpu
import numpy as np

from ..paths import Path
from ..texts import tr
from ..watching import Seen
from . import frusta, pens, state, where

_PATH, _FRUSTUM, _CURRENT = 2.0, 1.0, 2.0
"""Widths of lines, in pixels of an ordinary screen."""
_PALE = 0.55
"""Of frusta: the path and the current frame are to stand out."""
_GAP = 4.0
"""Between words, in pixels."""
_MOST_NUMBERS = 10
"""Along a path, besides those of frames that stand out: where there is a frustum at each frame, not all have one."""

Eye = tuple[float, ...]
"""Where a view looks from that looks through one of the cameras; empty for all others."""
Drawn = tuple[frusta.Points, Any, float]
"""Points, colour, and width of some lines."""
Label = tuple[str, tuple[float, float, float], pens.Colour]
"""Text, place, and colour."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What is drawn of an edit, before anything of it is on the graphics card. Made anew whenever that changes.

    Attributes:
        seen: what the edit's settings mean.
        show_path, show_frusta, show_numbers: what is to be drawn.
        step: frames from one frustum to the next; 0 for about ten of them.
        size: how deep frusta are, in Blender units.
        shares: for each target what of its frames would be invented; None where no fresh forecast says so.
        wrong: how the first views of target and source differ, where they do.
        eye: where the view looks from, if it looks through one of these cameras.
    """

    seen: Seen
    show_path: bool
    show_frusta: bool
    show_numbers: bool
    step: int
    size: float
    shares: tuple[list[float] | None, ...]
    wrong: frusta.Mismatch | None
    eye: Eye

    def chosen(self, path: Path) -> list[int]:
        """The places of the frames with a frustum, those left out that the view would be in."""
        far = self.far(path)
        return [each for each in frusta.chosen(len(path.frames), self.step) if far[each]]

    def far(self, path: Path) -> Any:
        """Which frames are far enough from the view's own eye to be drawn."""
        return frusta.away_from(path.matrices, self.eye, self.size) if self.eye else np.ones(len(path.frames), bool)


class _Kept(NamedTuple):
    """What was made for an edit, and what it was made from."""

    key: tuple[Any, ...]
    made: Any


_plans: dict[str, _Kept] = {}
_lines: dict[str, _Kept] = {}
_current: dict[str, _Kept] = {}
_words: dict[str, _Kept] = {}


def forget() -> None:
    """Keep nothing on the graphics card."""
    for each in (_plans, _lines, _current, _words):
        each.clear()


def _once(kept: dict[str, _Kept], scene: str, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
    """What is made from these, made anew only where they have changed."""
    before = kept.get(scene)
    if before is None or before.key != key:
        before = kept[scene] = _Kept(key, make())
    return before.made


def lines() -> None:
    """Paths and frusta; called by Blender, in the scene's space."""
    context = bpy.context
    plan = _plan(context)
    if plan is None:
        return
    colours = pens.of_view(context)
    region, scale = context.region, pens.scale(context)
    size = (region.width, region.height)
    made = _once(
        _lines, plan.seen.scene, (plan, colours), lambda: pens.Lines(standing_lines(plan, colours), colours.edge)
    )
    gpu.state.blend_set("ALPHA")
    gpu.state.depth_test_set("NONE")
    made.draw(size, scale)
    places = tuple(current_index(path, context.scene) for path in _paths(plan.seen))
    now = _once(
        *(_current, plan.seen.scene, (plan, colours, places)),
        lambda: pens.Lines(current_lines(plan, colours, context.scene), colours.edge),
    )
    now.draw(size, scale)
    gpu.state.blend_set("NONE")


def words() -> None:
    """Frame numbers, and what is wrong; called by Blender, in pixels of the region."""
    context = bpy.context
    plan = _plan(context)
    if plan is None:
        return
    colours, scale = pens.of_view(context), pens.scale(context)
    pen = pens.Words(scale, colours.plate)
    index = tuple(current_index(path, context.scene) for path in plan.seen.targets)
    key = (plan, colours, scale, index)
    places, found = _once(_words, plan.seen.scene, key, lambda: _sized(labels(plan, colours, context.scene), pen))
    if not found:
        return
    spots = where.on_region(places, context).tolist()
    width, height = context.region.width, context.region.height
    seen = [
        ((x + _GAP * scale, y, *size), text, colour)
        for (x, y), (text, size, colour) in zip(spots, found, strict=True)
        if 0 <= x < width and 0 <= y < height
    ]
    kept = [seen[each] for each in frusta.thinned((box for box, _, _ in seen), _GAP * scale)]
    gpu.state.blend_set("ALPHA")
    pen.write([(text, box, colour) for box, text, colour in kept])
    gpu.state.blend_set("NONE")


def _sized(found: list[Label], pen: pens.Words) -> tuple[Any, list[tuple[str, tuple[float, float], pens.Colour]]]:
    """Places (n, 3), and text, size and colour."""
    return np.array([place for _, place, _ in found]), [(text, pen.size(text), colour) for text, _, colour in found]


def _plan(context: bpy.types.Context) -> Plan | None:
    if not context.space_data.overlay.show_overlays:
        return None
    seen = where.seen_here(context)
    if seen is None or seen.target is None:
        return None
    settings = bpy.data.scenes[seen.scene].recam
    if not (settings.show_path or settings.show_frusta or settings.show_numbers):
        return None
    eye: Eye = ()
    camera = where.looks_through(context)
    if camera is not None and camera.name in {path.name for path in _paths(seen)}:
        eye = tuple(context.region_data.view_matrix.inverted().translation)
    unit = context.scene.unit_settings.scale_length
    key = (
        *(seen.stamp, state.forecast(seen.scene, seen.strip), unit, *(round(each, 4) for each in eye)),
        *(settings.show_path, settings.show_frusta, settings.show_numbers),
        *(settings.frustum_step, settings.frustum_size, settings.subject_distance),
    )
    made: Plan = _once(_plans, seen.scene, key, lambda: plan_for(seen, settings, unit, eye))
    return made


def plan_for(seen: Seen, settings: Any, unit: float, eye: Eye = ()) -> Plan:
    """What is to be drawn.

    Args:
        seen: with a target.
        settings: Scene.recam of the edit.
        unit: metres per Blender unit.
        eye: where the view looks from, if it looks through one of these cameras.
    """
    distance = settings.subject_distance / unit
    sizes = [frusta.automatic_size(path.matrices, distance) for path in seen.targets]
    wrong = None
    if seen.source is not None:
        wrong = frusta.mismatch(seen.targets[0].matrices[0], seen.source.matrices[0], distance)
    return Plan(
        seen=seen,
        show_path=settings.show_path,
        show_frusta=settings.show_frusta,
        show_numbers=settings.show_numbers,
        step=settings.frustum_step,
        size=settings.frustum_size or max(sizes),
        shares=tuple(_shares(seen, path) for path in seen.targets),
        wrong=wrong,
        eye=eye,
    )


def _shares(seen: Seen, path: Path) -> list[float] | None:
    forecast = state.forecast(seen.scene, seen.strip)
    if forecast is None or forecast.stale:
        return None
    known = [forecast.at(round(frame - seen.offset)) for frame in path.frames]
    return None if None in known else [each for each in known if each is not None]


def _paths(seen: Seen) -> list[Path]:
    """What is drawn, the important ones last: over the others."""
    return [*([seen.source] if seen.source is not None else []), *seen.targets]


# Lines


def standing_lines(plan: Plan, colours: pens.Pens) -> list[Drawn]:
    """All lines that do not change with the frame."""
    found: list[Drawn] = []
    seen = plan.seen
    if seen.source is not None:
        found += _of_path(plan, seen.source, None, colours.source)
    for path, shares in zip(seen.targets, plan.shares, strict=True):
        found += _of_path(plan, path, shares, colours.target)
    first = seen.targets[0]
    if plan.wrong is not None and plan.show_frusta and plan.far(first)[0]:
        found.append((_frusta(plan, first, [0]), colours.wrong, _CURRENT))
    return found


def _of_path(plan: Plan, path: Path, shares: list[float] | None, colour: pens.Colour) -> list[Drawn]:
    found: list[Drawn] = []
    far = plan.far(path)
    pairs = np.repeat(far[:-1] & far[1:], 2)
    if plan.show_path and pairs.any():
        points = frusta.path_lines(path.matrices)[pairs]
        if shares is None:
            found.append((points, colour, _PATH))
        else:
            ramp = frusta.ramp(shares)
            both = np.stack((ramp[:-1], ramp[1:]), axis=1).reshape(-1, 4)
            found.append((points, np.ascontiguousarray(both[pairs]), _PATH + 1))
    if plan.show_frusta:
        indexes = plan.chosen(path)
        if plan.wrong is not None and path is plan.seen.targets[0]:
            indexes = [each for each in indexes if each]
        if indexes and shares is None:
            found.append((_frusta(plan, path, indexes), (*colour[:3], _PALE), _FRUSTUM))
        elif indexes and shares is not None:
            ramp = frusta.ramp([shares[each] for each in indexes], _PALE)
            ends = np.repeat(ramp, 2 * frusta.LINES_PER_FRUSTUM, axis=0)
            found.append((_frusta(plan, path, indexes), ends, _FRUSTUM))
    return found


def current_lines(plan: Plan, colours: pens.Pens, scene: bpy.types.Scene) -> list[Drawn]:
    """The frusta of this frame, brighter."""
    found: list[Drawn] = []
    for path in _paths(plan.seen) if plan.show_frusta else ():
        index = current_index(path, scene)
        if index is not None and plan.far(path)[index]:
            colour = colours.source if path is plan.seen.source else colours.current
            found.append((_frusta(plan, path, [index]), colour, _CURRENT))
    return found


def _frusta(plan: Plan, path: Path, indexes: list[int]) -> frusta.Points:
    return frusta.frustum_lines(path.matrices[indexes], path.corners[indexes], plan.size)


def current_index(path: Path, scene: bpy.types.Scene) -> int | None:
    """The place in a path of the scene's own frame, if it is one of the path's."""
    now = scene.frame_current + scene.frame_subframe
    if not path.frames[0] - 0.5 <= now <= path.frames[-1] + 0.5:
        return None
    index = int(np.abs(np.asarray(path.frames) - now).argmin())
    return index if abs(path.frames[index] - now) <= 0.5 else None


# Words


def labels(plan: Plan, colours: pens.Pens, scene: bpy.types.Scene) -> list[Label]:
    """All words in the view, the important ones first."""
    found: list[Label] = []
    first = plan.seen.targets[0]
    if plan.wrong is not None and plan.far(first)[0]:
        words = mismatch_words(plan.wrong, scene.unit_settings.scale_length)
        found.append((words, _place(plan, first, 0, lower=True), colours.wrong))
    if not plan.show_numbers:
        return found
    for path, shares in zip(plan.seen.targets, plan.shares, strict=True):
        far, now = plan.far(path), current_index(path, scene)
        worst = int(np.argmax(shares)) if shares else None
        regular = plan.chosen(path)
        wanted = (now, 0, len(path.frames) - 1, worst, *regular[:: -(-len(regular) // _MOST_NUMBERS) or 1])
        for index in dict.fromkeys(each for each in wanted if each is not None and far[each]):
            text = label(path.frames[index], shares[index] if shares else None)
            found.append((text, _place(plan, path, index), colours.current if index == now else colours.target))
    return found


def label(frame: float, share: float | None) -> str:
    """A frame's number, and how much of it would be invented where that is known."""
    if share is None:
        return f"{frame:g}"
    return tr("{frame:g}: {percent:.0f} %").format(frame=frame, percent=100 * share)


def mismatch_words(wrong: frusta.Mismatch, unit: float) -> str:
    """How far off the first view is, as far as it is off; ``unit`` is metres per Blender unit."""
    metres, degrees = (f"{float(f'{value:.2g}'):g}" for value in (wrong.distance * unit, wrong.angle))
    if wrong.angle < frusta.NEAR_DEGREES:
        return tr("starts {metres} m from the source").format(metres=metres)
    if wrong.distance * unit < 0.005:
        return tr("starts turned by {degrees}° from the source").format(degrees=degrees)
    return tr("starts {metres} m and {degrees}° from the source").format(metres=metres, degrees=degrees)


def _place(plan: Plan, path: Path, index: int, *, lower: bool = False) -> tuple[float, float, float]:
    matrix, corners = path.matrices[index], path.corners[index]
    if not plan.show_frusta:
        x, y, z = matrix[:3, 3].tolist()
        return x, y, z
    return frusta.label_place(matrix, corners[[0, 1, 3, 2]] if lower else corners, plan.size)
