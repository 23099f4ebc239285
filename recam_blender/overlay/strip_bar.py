"""A bar along the lower edge of a strip, in the sequencer: how much of each frame would be invented."""

from __future__ import annotations

from typing import Any

import bpy
import gpu
import numpy as np
import numpy.typing as npt

from .. import compat
from ..texts import tr
from . import frusta, pens, state

# Blender draws a strip over this part of its channel.
_STRIP_BOTTOM, _STRIP_TOP = 0.05, 0.95
_THICK, _INSET = 5.0, 3.0
"""Of the bar, and how far it stands inside the strip; pixels of an ordinary screen."""
_LOWEST = 16.0
"""Strips less high than this have no room for a bar."""
_STALE_ALPHA = 0.35

_kept: dict[tuple[str, str], tuple[tuple[Any, ...], pens.Area]] = {}


def forget() -> None:
    """Keep nothing on the graphics card."""
    _kept.clear()


def draw() -> None:
    """The bars of all strips with a forecast; called by Blender, in pixels of the region."""
    context = bpy.context
    space, scene = context.space_data, compat.sequencer_scene(context)
    if scene is None or scene.sequence_editor is None or not space.show_overlays:
        return
    known = state.forecasts(scene.name)
    if not known or space.view_type == "PREVIEW":
        return
    scale = pens.scale(context)
    gpu.state.blend_set("ALPHA")
    for strip in _shown(scene):
        shares = known.get(strip.name)
        if shares is not None:
            _draw_bar(scene, strip, shares, context.region, scale)
    gpu.state.blend_set("NONE")


def _shown(scene: bpy.types.Scene) -> Any:
    """The strips on the screen: the edit's, or those of the meta strip that is open."""
    opened = scene.sequence_editor.meta_stack
    return compat.strips(opened[-1] if len(opened) else scene.sequence_editor)


def _draw_bar(scene: bpy.types.Scene, strip: Any, shares: state.Shares, region: bpy.types.Region, scale: float) -> None:
    place = region.view2d.view_to_region
    start, stop = compat.span(strip)
    left, bottom = place(start, strip.channel + _STRIP_BOTTOM, clip=False)
    right, top = place(stop, strip.channel + _STRIP_TOP, clip=False)
    # Within the outline of a selected strip.
    left, right = left + 2 * scale, right - 2 * scale
    seen = right > 0 and left < region.width and top > 0 and bottom < region.height
    if not seen or top - bottom < _LOWEST * scale or right - left < 2:
        return
    y, height = bottom + _INSET * scale, _THICK * scale
    key = (shares, start, stop, left, right, y, scale)
    before = _kept.get((scene.name, strip.name))
    if before is None or before[0] != key:
        alpha = _STALE_ALPHA if shares.stale else 1.0
        made = pens.Area(*cells(shares, start, stop, (left, right), (y, y + height), alpha=alpha))
        _kept[scene.name, strip.name] = before = (key, made)
    # Dark under it, so that it can be told from strips of any colour.
    pens.rectangle(max(left, -8), y - scale, min(right, region.width + 8) - max(left, -8), height + 2 * scale, _UNDER)
    before[1].draw()
    _write_worst(shares, (left, right, y + height, top), (start, stop), scale)


_UNDER = (0.0, 0.0, 0.0, 0.6)
_UNKNOWN = (0.5, 0.5, 0.5)


def cells(
    shares: state.Shares, start: int, stop: int, across: tuple[float, float], down: tuple[float, float], *, alpha: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Two triangles for each cell: points (6 n, 2) in pixels, and their colours (6 n, 4).

    A cell is a frame, or, where frames are narrower than a pixel, the worst of several; frames that no share is known
    of are grey.

    Args:
        shares: what is known.
        start: the first timeline frame that the strip shows.
        stop: one after the last.
        across: where it begins and ends on the screen.
        down: the lower and the upper edge of the bar.
        alpha: how plain it stands.
    """
    known = [shares.at(frame) for frame in range(start, stop)]
    count = max(1, min(stop - start, int(across[1] - across[0])))
    values = frusta.binned([-1.0 if each is None else each for each in known], count)
    edges = np.linspace(*across, len(values) + 1)
    low, high = np.full(len(values), down[0]), np.full(len(values), down[1])
    corners = [
        np.stack(pair, axis=1) for pair in ((edges[:-1], low), (edges[1:], low), (edges[1:], high), (edges[:-1], high))
    ]
    points = np.stack([corners[index] for index in (0, 1, 2, 0, 2, 3)], axis=1).reshape(-1, 2)
    colours = frusta.ramp(values, alpha)
    colours[values < 0, :3] = _UNKNOWN
    return points.astype(np.float32), np.repeat(colours, 6, axis=0)


def _write_worst(
    shares: state.Shares, box: tuple[float, float, float, float], frames: tuple[int, int], scale: float
) -> None:
    """The largest share in figures, over its frame, where the strip has room for it."""
    left, right, bottom, top = box
    known = [shares.at(frame) or 0.0 for frame in range(*frames)]
    worst = int(np.argmax(known))
    text = worst_words(known[worst], shares.stale)
    pen = pens.Words(scale, (0.0, 0.0, 0.0, 0.35))
    width, height = pen.size(text)
    if right - left < width + 8 * scale or top - bottom < 3 * height:
        return
    x = left + (worst + 0.5) * (right - left) / len(known) - width / 2
    x = min(max(x, left + 4 * scale), right - width - 4 * scale)
    pen.write([(text, (x, bottom + 5 * scale, width, height), (1.0, 1.0, 1.0, 0.6 if shares.stale else 1.0))])


def worst_words(share: float, stale: bool) -> str:
    """What stands over the worst frame."""
    template = tr("{percent:.0f} % (out of date)") if stale else tr("{percent:.0f} %")
    return template.format(percent=100 * share)
