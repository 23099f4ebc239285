"""Draw a picture over the camera's frame, in the 3D views that look through that camera."""

from __future__ import annotations

from typing import Any

import bpy
import gpu
import numpy as np

from . import pens, state, where

_UNDER = (0.0, 0.0, 0.0, 0.55)
_WORDS = (1.0, 1.0, 1.0, 1.0)
_MARGIN = 5.0


def draw() -> None:
    """Called by Blender, in pixels of the region."""
    picture = state.picture()
    context = bpy.context
    if picture is None or not context.space_data.overlay.show_overlays:
        return
    camera = where.looks_through(context)
    if camera is None or camera.name != picture.camera or not _is_of(picture, context):
        return
    x, y, width, height = frame_rectangle(context, camera)
    gpu.state.blend_set("ALPHA")
    gpu.state.depth_test_set("NONE")
    if picture.pixels is not None:
        pens.texture(_texture(picture), x, y, width, height)
    if picture.words:
        _caption(picture.words, x, y, width, pens.scale(context))
    gpu.state.blend_set("NONE")


def _is_of(picture: state.Picture, context: bpy.types.Context) -> bool:
    if picture.scene == context.scene.name:
        return True
    edit = where.edit_of(context)
    return edit is not None and picture.scene == edit.name


def frame_rectangle(context: bpy.types.Context, camera: bpy.types.Object) -> tuple[float, float, float, float]:
    """Where the camera's frame lies in this region, in pixels: x, y, width, height. Zoom, offset and shift count."""
    evaluated = camera.evaluated_get(context.view_layer.depsgraph)
    world = evaluated.matrix_world.normalized()
    corners = [world @ corner for corner in evaluated.data.view_frame(scene=context.scene)]
    spots = where.on_region(np.array(corners, dtype=np.float64), context)
    (left, bottom), (right, top) = spots.min(axis=0).tolist(), spots.max(axis=0).tolist()
    return left, bottom, right - left, top - bottom


def _texture(picture: state.Picture) -> Any:
    """On the graphics card, brought there once for each picture."""
    kept = picture.kept
    if kept.get("pixels") is not picture.pixels:
        pixels = picture.pixels
        assert pixels is not None
        height, width = pixels.shape[:2]
        flat = np.ascontiguousarray(pixels, dtype=np.float32).reshape(-1)
        buffer = gpu.types.Buffer("FLOAT", flat.size, flat)
        kept["texture"] = gpu.types.GPUTexture((width, height), format="RGBA16F", data=buffer)
        kept["pixels"] = pixels
    return kept["texture"]


def _caption(text: str, x: float, y: float, width: float, scale: float) -> None:
    pen = pens.Words(scale, (0.0, 0.0, 0.0, 0.0))
    _, height = pen.size(text)
    margin = _MARGIN * scale
    pens.rectangle(x, y, width, height + 2 * margin, _UNDER)
    pen.write([(text, (x + margin, y + margin, width, height), _WORDS)])
