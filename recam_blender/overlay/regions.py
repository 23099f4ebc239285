"""Parts of the footage as rectangles: over the sequencer's preview, and over the view of a camera.

What is gone in on, and what a network that crops is shown.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import bpy
import gpu

from .. import compat, footage, request, watching
from ..texts import tr
from . import pens, picture, where

_WIDTH = 2.0
# Under words: the footage may be of any colour.
_PLATE, _WORDS = (0.0, 0.0, 0.0, 0.75), (1.0, 1.0, 1.0, 1.0)


class Box(NamedTuple):
    """A part of the footage, in shares of its width and height from its left upper corner."""

    x: float
    y: float
    width: float
    height: float


class Frame(NamedTuple):
    """Where the footage lies in a region, pixels: its lower left corner, and its sides."""

    x: float
    y: float
    width: float
    height: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a place in the footage lies, given in shares from its left upper corner."""
        return self.x + x * self.width, self.y + (1.0 - y) * self.height

    def share(self, x: float, y: float) -> tuple[float, float]:
        """The way back: shares of the footage at a pixel of the region, less than 0 or more than 1 beside it."""
        return (x - self.x) / self.width, 1.0 - (y - self.y) / self.height


def between(one: tuple[float, float], other: tuple[float, float], least: float = 0.02) -> Box:
    """The part of the footage between two places, no smaller than ``least`` each way and within the footage."""
    sides = []
    for a, b in zip(one, other, strict=True):
        low, high = sorted(min(max(each, 0.0), 1.0) for each in (a, b))
        size = max(high - low, least)
        sides.append((min(low, 1.0 - size), size))
    (x, width), (y, height) = sides
    return Box(x, y, width, height)


def region_of(settings: Any) -> Box | None:
    """What the take goes in on, where that is what it is for."""
    if settings.use != "closer":
        return None
    names = ("x", "y", "width", "height")
    return Box(*(getattr(settings, f"use_region_{name}") for name in names))


def in_preview(scene: bpy.types.Scene, region: bpy.types.Region) -> Frame | None:
    """Where the chosen footage lies in a preview of the sequencer: in its middle. A strip that is moved, turned or cut
    is read as Blender shows it, so that its footage is all of the picture.
    """
    strip = request.chosen_footage(scene)
    if strip is None:
        return None
    render = scene.render
    aspect = render.pixel_aspect_x / render.pixel_aspect_y
    width, height = footage.shown_size(scene, strip)
    place = region.view2d.view_to_region
    left, bottom = place(-width / 2 * aspect, -height / 2, clip=False)
    right, top = place(width / 2 * aspect, height / 2, clip=False)
    return Frame(left, bottom, right - left, top - bottom) if right - left > 2 and top - bottom > 2 else None


def in_view(context: bpy.types.Context) -> Frame | None:
    """The frame of the camera that a 3D view looks through."""
    camera = where.looks_through(context)
    if camera is None or camera.type != "CAMERA":
        return None
    left, bottom, width, height = picture.frame_rectangle(context, camera)
    return Frame(left, bottom, width, height) if width > 2 and height > 2 else None


def draw_preview() -> None:
    """Called by Blender, in pixels of a preview of the sequencer."""
    context = bpy.context
    scene = compat.sequencer_scene(context)
    space = context.space_data
    if scene is None or scene.sequence_editor is None or not space.show_overlays:
        return
    if parts(scene):
        _draw(context, scene, in_preview(scene, context.region))


def draw_view() -> None:
    """Called by Blender, in pixels of a 3D view: over the view of the take's camera, or of the one that shot it."""
    context = bpy.context
    if not context.space_data.overlay.show_overlays:
        return
    camera, edit = where.looks_through(context), where.edit_of(context)
    if camera is None or edit is None or not parts(edit):
        return
    seen = watching.look(edit)
    if seen is None or seen.camera_scene != context.scene.name:
        return
    names = {each.name for each in (*seen.targets, *((seen.source,) if seen.source else ()))}
    if camera.name in names:
        _draw(context, edit, in_view(context))


def parts(scene: bpy.types.Scene) -> list[tuple[Box, str, bool]]:
    """What is drawn: a part, what it is, and whether the take goes in on it."""
    found = []
    seen = watching.look(scene)
    if seen is not None and seen.crop is not None:
        left, top, right, bottom = seen.crop
        found.append((Box(left, top, right - left, bottom - top), tr("The network sees this"), False))
    region = region_of(scene.recam)
    if region is not None:
        found.append((region, tr("Closer"), True))
    return found


def _draw(context: bpy.types.Context, scene: bpy.types.Scene, frame: Frame | None) -> None:
    if frame is None:
        return
    scale = pens.scale(context)
    colours = pens.of_theme((0.0, 0.0, 0.0))
    gpu.state.blend_set("ALPHA")
    for box, words, closer in parts(scene):
        colour = colours.target if closer else colours.source
        corners = [
            frame.place(box.x + across * box.width, box.y + down * box.height)
            for across, down in ((0, 0), (1, 0), (1, 1), (0, 1))
        ]
        pens.outline(corners, colours.edge, (_WIDTH + 2) * scale)
        pens.outline(corners, colour, _WIDTH * scale)
        pen = pens.Words(scale, _PLATE)
        width, height = pen.size(words)
        x, y = corners[0]
        pen.write([(words, (x + 6 * scale, y - height - 6 * scale, width, height), _WORDS)])
    gpu.state.blend_set("NONE")
