"""Draw the paths and the frusta of target and source in the 3D view, and their words.

What goes to the graphics card is made anew only when the cameras, the settings, or the forecast change; what depends on
the current frame is small and made for each frame.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import bpy
import gpu
import numpy as np

from ..texts import tr
from . import frusta, pens, state, where

_PATH, _FRUSTUM, _CURRENT = 2.0, 1.0, 2.0
"""Widths of lines, in pixels of an ordinary screen."""
_PALE = 0.55
"""Of frusta: the path and the current frame are to stand out."""
_GAP = 4.0
"""Between words, in pixels."""


class _Plan(NamedTuple):
    """What is drawn of an edit, before anything of it is on the graphics card.

    Attributes:
        key: changes with all that the lines depend on.
        shares: of the target's frames; None where there is no fresh forecast.
        wrong: how the first views differ, where they do.
    """

    key: tuple[Any, ...]
    seen: Any
    settings: Any
    size: float
    indexes: list[int]
    shares: list[float] | None
    wrong: frusta.Mismatch | None
    through: str
    """The name of the camera that the view looks through, if that is the target or the source."""


_kept: dict[str, tuple[tuple[Any, ...], list[pens.Lines]]] = {}


def forget() -> None:
    """Keep nothing on the graphics card."""
    _kept.clear()


def lines() -> None:
    """Paths and frusta; called by Blender, in the scene's space."""
    context = bpy.context
    plan = _plan(context)
    if plan is None:
        return
    colours = pens.of_view(context)
    region, scale = context.region, pens.scale(context)
    gpu.state.blend_set("ALPHA")
    gpu.state.depth_test_set("NONE")
    for each in (*_standing(plan, colours, context), *_current(plan, colours, context)):
        each.draw((region.width, region.height), colours.edge, scale)
    gpu.state.blend_set("NONE")


def words() -> None:
    """Frame numbers, and what is wrong; called by Blender, in pixels of the region."""
    context = bpy.context
    plan = _plan(context)
    if plan is None:
        return
    colours = pens.of_view(context)
    pen = pens.Words(pens.scale(context), dark=colours.edge[0] < 0.5)
    labels = _labels(plan, colours, context)
    if not labels:
        return
    spots = where.on_region([place for _, place, _ in labels], context)
    boxes, texts = [], []
    for (text, _, colour), (x, y) in zip(labels, spots.tolist(), strict=True):
        if 0 <= x < context.region.width and 0 <= y < context.region.height:
            boxes.append((x + _GAP, y, *pen.size(text)))
            texts.append((text, colour))
    for index in frusta.thinned(boxes, _GAP):
        pen.write(texts[index][0], *boxes[index][:2], texts[index][1])


def _plan(context: bpy.types.Context) -> _Plan | None:
    if not context.space_data.overlay.show_overlays:
        return None
    seen = where.seen_here(context)
    if seen is None or seen.target is None or not len(seen.target.matrices):
        return None
    settings = bpy.data.scenes[seen.scene].recam
    if not (settings.show_path or settings.show_frusta or settings.show_numbers):
        return None
    return plan_for(seen, settings, context.scene.unit_settings.scale_length, _own(seen, context))


def _own(seen: Any, context: bpy.types.Context) -> str:
    camera = where.looks_through(context)
    names = {path.name for path in (seen.target, seen.source) if path is not None}
    return camera.name if camera is not None and camera.name in names | set(seen.cameras) else ""


def plan_for(seen: Any, settings: Any, unit: float, through: str = "") -> _Plan:
    """What is to be drawn.

    Args:
        seen: watching.Seen with a target.
        settings: Scene.recam of the edit.
        unit: metres per Blender unit.
        through: the name of the camera that the view looks through, where that is one of those drawn.
    """
    distance = settings.subject_distance / unit
    size = settings.frustum_size or frusta.automatic_size(seen.target.matrices, distance)
    forecast = state.forecast(seen.scene, seen.strip)
    shares = None
    if forecast is not None and not forecast.stale:
        known = [forecast.at(seen.start + index) for index in range(len(seen.target.frames))]
        shares = [each for each in known if each is not None]
        shares = shares if len(shares) == len(known) else None
    wrong = None
    if seen.source is not None and len(seen.source.matrices):
        wrong = frusta.mismatch(seen.target.matrices[0], seen.source.matrices[0], distance)
    return _Plan(
        key=(seen.stamp, settings.show_path, settings.show_frusta, settings.frustum_step, size, forecast, through),
        seen=seen,
        settings=settings,
        size=size,
        indexes=frusta.chosen(len(seen.target.frames), settings.frustum_step),
        shares=shares,
        wrong=wrong,
        through=through,
    )


# Lines


def _standing(plan: _Plan, colours: pens.Pens, context: bpy.types.Context) -> list[pens.Lines]:
    """What does not change with the frame, kept for as long as it can be."""
    eye = tuple(context.region_data.view_matrix.inverted().translation) if plan.through else ()
    key = (*plan.key, colours, *(round(each, 4) for each in eye))
    before = _kept.get(plan.seen.scene)
    if before is None or before[0] != key:
        made = [pens.Lines(*each) for each in standing_lines(plan, colours, eye)]
        _kept[plan.seen.scene] = before = (key, made)
    return before[1]


def standing_lines(plan: _Plan, colours: pens.Pens, eye: tuple[float, ...] = ()) -> list[tuple[Any, Any, float]]:
    """Points, colour and width of all lines that do not change with the frame.

    ``eye`` is where the view looks from, if it looks through one of these cameras: what passes by there is left out.
    """
    found: list[tuple[Any, Any, float]] = []
    for path, colour in ((plan.seen.source, colours.source), (plan.seen.target, colours.target)):
        if path is None or not len(path.matrices):
            continue
        target = path is plan.seen.target
        shares = plan.shares if target else None
        far = frusta.away_from(path.matrices, eye, plan.size) if eye else np.ones(len(path.matrices), bool)
        if plan.settings.show_path and len(path.matrices) > 1:
            found += _path(path, shares, colour, far)
        if plan.settings.show_frusta:
            found += _frusta(plan, path, shares, colour, far, first=target)
    if plan.wrong is not None and plan.settings.show_frusta:
        target = plan.seen.target
        points = frusta.frustum_lines(target.matrices[:1], target.corners[:1], plan.size)
        if not eye or frusta.away_from(target.matrices[:1], eye, plan.size)[0]:
            found.append((points, colours.wrong, _CURRENT))
    return found


def _path(path: Any, shares: list[float] | None, colour: pens.Colour, far: Any) -> list[tuple[Any, Any, float]]:
    kept = np.repeat(far[:-1] & far[1:], 2)
    if not kept.any():
        return []
    points = frusta.path_lines(path.matrices)[kept]
    if shares is None:
        return [(points, colour, _PATH)]
    colours = frusta.ramp(shares)
    pairs = np.stack((colours[:-1], colours[1:]), axis=1).reshape(-1, 4)[kept]
    return [(points, np.ascontiguousarray(pairs), _PATH + 1)]


def _frusta(
    plan: _Plan, path: Any, shares: list[float] | None, colour: pens.Colour, far: Any, *, first: bool
) -> list[tuple[Any, Any, float]]:
    indexes = [each for each in plan.indexes if each < len(path.matrices) and far[each]]
    if first and plan.wrong is not None:
        indexes = [each for each in indexes if each]
    if not indexes:
        return []
    points = frusta.frustum_lines(path.matrices[indexes], path.corners[indexes], plan.size)
    if shares is None:
        return [(points, (*colour[:3], _PALE), _FRUSTUM)]
    colours = frusta.ramp([shares[each] for each in indexes], _PALE)
    return [(points, np.repeat(colours, 2 * frusta.LINES_PER_FRUSTUM, axis=0), _FRUSTUM)]


def _current(plan: _Plan, colours: pens.Pens, context: bpy.types.Context) -> list[pens.Lines]:
    """The frusta of this frame, brighter."""
    if not plan.settings.show_frusta:
        return []
    found = []
    for path, colour in ((plan.seen.source, colours.source), (plan.seen.target, colours.current)):
        index = current_index(path, context.scene)
        if index is None or plan.through == path.name or (plan.through and path is plan.seen.target):
            continue
        part = slice(index, index + 1)
        points = frusta.frustum_lines(path.matrices[part], path.corners[part], plan.size)
        found.append(pens.Lines(points, colour, _CURRENT))
    return found


def current_index(path: Any | None, scene: bpy.types.Scene) -> int | None:
    """Which of a path's frames is the scene's own, if one is."""
    if path is None or not len(path.matrices):
        return None
    now = scene.frame_current + scene.frame_subframe
    index = int(np.abs(np.asarray(path.frames) - now).argmin())
    return index if abs(path.frames[index] - now) <= 0.5 else None


# Words


def _labels(
    plan: _Plan, colours: pens.Pens, context: bpy.types.Context
) -> list[tuple[str, tuple[float, float, float], pens.Colour]]:
    """Text, place and colour, the important ones first."""
    target = plan.seen.target
    found = []
    eye = tuple(context.region_data.view_matrix.inverted().translation) if plan.through else ()
    far = frusta.away_from(target.matrices, eye, plan.size) if eye else np.ones(len(target.matrices), bool)
    if plan.wrong is not None and far[0]:
        unit = context.scene.unit_settings.scale_length
        found.append((mismatch_words(plan.wrong, unit), _place(plan, 0, lower=True), colours.wrong))
    if plan.settings.show_numbers:
        now = current_index(target, context.scene)
        ends = (0, len(target.frames) - 1)
        worst = int(np.argmax(plan.shares)) if plan.shares else None
        indexes = [*dict.fromkeys(i for i in (now, *ends, worst, *plan.indexes) if i is not None)]
        for index in indexes:
            if far[index]:
                colour = colours.current if index == now else colours.target
                found.append((label(plan, index), _place(plan, index), colour))
    return found


def label(plan: _Plan, index: int) -> str:
    """A frame's number, and how much of it would be invented where that is known."""
    frame = plan.seen.target.frames[index]
    if plan.shares is None:
        return f"{frame:g}"
    return tr("{frame:g}: {percent:.0f} %").format(frame=frame, percent=100 * plan.shares[index])


def mismatch_words(wrong: frusta.Mismatch, unit: float) -> str:
    """How far off the first view is, as far as it is off."""
    metres, degrees = (f"{float(f'{value:.2g}'):g}" for value in (wrong.distance * unit, wrong.angle))
    if wrong.angle < frusta.NEAR_DEGREES:
        return tr("starts {metres} m from the source").format(metres=metres)
    if wrong.distance * unit < 0.005:
        return tr("starts turned by {degrees}° from the source").format(degrees=degrees)
    return tr("starts {metres} m and {degrees}° from the source").format(metres=metres, degrees=degrees)


def _place(plan: _Plan, index: int, *, lower: bool = False) -> tuple[float, float, float]:
    target = plan.seen.target
    matrix, corners = target.matrices[index], target.corners[index]
    if not plan.settings.show_frusta:
        x, y, z = matrix[:3, 3].tolist()
        return x, y, z
    if lower:
        corners = corners[[0, 1, 3, 2]]
    return frusta.label_place(matrix, corners, plan.size)
