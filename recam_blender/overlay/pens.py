"""Colours, line widths and words that can be read on light and on dark. gpu and blf: only while Blender draws."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import blf
import bpy
import gpu
import numpy as np
import numpy.typing as npt
from gpu_extras.batch import batch_for_shader

Colour = tuple[float, float, float, float]


class Pens(NamedTuple):
    """The colours for one theme, sRGB with alpha."""

    target: Colour
    source: Colour
    current: Colour
    wrong: Colour
    edge: Colour
    """Drawn under lines, a little wider."""
    plate: Colour
    """Drawn under words."""


# Blue and violet: what is selected in Blender is orange, and what is wrong is red.
_ON_DARK = Pens(
    target=(0.30, 0.68, 1.0, 1.0),
    source=(0.80, 0.62, 0.95, 1.0),
    current=(1.0, 1.0, 1.0, 1.0),
    wrong=(1.0, 0.40, 0.34, 1.0),
    edge=(0.0, 0.0, 0.0, 0.5),
    plate=(0.0, 0.0, 0.0, 0.55),
)
_ON_LIGHT = Pens(
    target=(0.0, 0.33, 0.75, 1.0),
    source=(0.45, 0.18, 0.62, 1.0),
    current=(0.0, 0.0, 0.0, 1.0),
    wrong=(0.78, 0.05, 0.0, 1.0),
    edge=(1.0, 1.0, 1.0, 0.6),
    plate=(1.0, 1.0, 1.0, 0.65),
)

_POINTS, _MARGIN = 11.0, 3.0


def of_theme(background: Sequence[float]) -> Pens:
    """What can be read on a background of this colour."""
    red, green, blue = background[:3]
    return _ON_LIGHT if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else _ON_DARK


def of_view(context: bpy.types.Context) -> Pens:
    """What can be read in the 3D views of the user's theme."""
    return of_theme(context.preferences.themes[0].view_3d.space.gradients.high_gradient)


def scale(context: bpy.types.Context) -> float:
    """Pixels per pixel of an ordinary screen, as the user scales what is drawn."""
    return float(context.preferences.system.ui_scale)


class Lines:
    """Lines on the graphics card, those of one width together, the wider ones with an edge under them."""

    def __init__(
        self, drawn: Sequence[tuple[npt.NDArray[np.float32], Any, float]], edge: Colour, *, edged: float = 1.5
    ) -> None:
        """``drawn`` is points, (2 n, 3) in pairs, one colour for all of them or one (4) for each, and a width."""
        self._edge = edge
        self._under, self._over = _shader("POLYLINE_UNIFORM_COLOR"), _shader("POLYLINE_SMOOTH_COLOR")
        self._parts = []
        for width in sorted({each[2] for each in drawn}):
            parts = [each for each in drawn if each[2] == width]
            points = np.concatenate([each[0] for each in parts])
            # Row by row in memory: Blender reads what lies there, whatever the array's own order is.
            colours = np.empty((len(points), 4), np.float32)
            place = 0
            for each, colour, _ in parts:
                colours[place : place + len(each)] = colour
                place += len(each)
            under = None if width < edged else batch_for_shader(self._under, "LINES", {"pos": points})
            over = batch_for_shader(self._over, "LINES", {"pos": points, "color": colours})
            self._parts.append((width, under, over))

    def draw(self, size: tuple[float, float], scale: float) -> None:
        """Into a region of this size, in pixels."""
        for width, under, over in self._parts:
            if under is not None:
                self._under.bind()
                self._under.uniform_float("viewportSize", size)
                self._under.uniform_float("lineWidth", (width + 2.0) * scale)
                self._under.uniform_float("color", self._edge)
                under.draw(self._under)
            self._over.bind()
            self._over.uniform_float("viewportSize", size)
            self._over.uniform_float("lineWidth", width * scale)
            over.draw(self._over)


@functools.cache
def _shader(name: str) -> Any:
    return gpu.shader.from_builtin(name)


class Area:
    """Triangles of one colour for each corner, in pixels of the region."""

    def __init__(self, points: npt.NDArray[np.float32], colours: npt.NDArray[np.float32]) -> None:
        self._shader = _shader("SMOOTH_COLOR")
        self._batch = batch_for_shader(self._shader, "TRIS", {"pos": points, "color": colours})

    def draw(self) -> None:
        """Where it stands."""
        self._batch.draw(self._shader)


def rectangle(x: float, y: float, width: float, height: float, colour: Colour) -> None:
    """Fill one, in pixels of the region."""
    shader = _shader("UNIFORM_COLOR")
    corners = ((x, y), (x + width, y), (x, y + height), (x + width, y + height))
    shader.uniform_float("color", colour)
    batch_for_shader(shader, "TRI_STRIP", {"pos": corners}).draw(shader)


def outline(corners: Sequence[tuple[float, float]], colour: Colour, thick: float) -> None:
    """Draw a closed line through these, in pixels of the region."""
    shader = _shader("POLYLINE_UNIFORM_COLOR")
    closed = [(x, y, 0.0) for x, y in (*corners, corners[0])]
    shader.bind()
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    shader.uniform_float("lineWidth", thick)
    shader.uniform_float("color", colour)
    batch_for_shader(shader, "LINE_STRIP", {"pos": closed}).draw(shader)


def texture(picture: Any, x: float, y: float, width: float, height: float) -> None:
    """Draw one, as its values stand, in pixels of the region."""
    shader, batch = _picture()
    with gpu.matrix.push_pop():
        gpu.matrix.translate((x, y))
        gpu.matrix.scale((width, height))
        shader.bind()
        shader.uniform_sampler("image", picture)
        batch.draw(shader)


@functools.cache
def _picture() -> tuple[Any, Any]:
    corners = ((0, 0), (1, 0), (0, 1), (1, 1))
    shader = _shader("IMAGE")
    return shader, batch_for_shader(shader, "TRI_STRIP", {"pos": corners, "texCoord": corners})


def forget() -> None:
    """Keep nothing on the graphics card."""
    _shader.cache_clear()
    _picture.cache_clear()


class Words:
    """The pen for words, while one region is drawn."""

    def __init__(self, scale: float, plate: Colour) -> None:
        """``plate`` is drawn under the words, so that they can be read on anything."""
        self._font, self._margin, self._plate = 0, _MARGIN * scale, plate
        blf.size(self._font, _POINTS * scale)

    def size(self, text: str) -> tuple[float, float]:
        """Of a line, in pixels. Its height is that of all lines, whatever letters it has."""
        return blf.dimensions(self._font, text)[0], blf.dimensions(self._font, "0")[1]

    def write(self, lines: Sequence[tuple[str, tuple[float, float, float, float], Colour]]) -> None:
        """Lines of text, each in its box (x, y, width, height), with its colour."""
        if not lines:
            return
        _plates([box for _, box, _ in lines], self._margin, self._plate)
        for text, (x, y, _, _), colour in lines:
            blf.color(self._font, *colour)
            blf.position(self._font, math.floor(x), math.floor(y), 0)
            blf.draw(self._font, text)


def _plates(boxes: Sequence[tuple[float, float, float, float]], margin: float, colour: Colour) -> None:
    if colour[3] <= 0:
        return
    low = np.array([(x, y) for x, y, _, _ in boxes], np.float32) - margin
    high = np.array([(x + width, y + height) for x, y, width, height in boxes], np.float32) + margin
    corners = [low, np.stack((high[:, 0], low[:, 1]), axis=1), high, np.stack((low[:, 0], high[:, 1]), axis=1)]
    points = np.stack([corners[index] for index in (0, 1, 2, 0, 2, 3)], axis=1).reshape(-1, 2)
    shader = _shader("UNIFORM_COLOR")
    shader.uniform_float("color", colour)
    batch_for_shader(shader, "TRIS", {"pos": points}).draw(shader)
