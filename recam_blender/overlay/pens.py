"""Colours, line widths and words that can be read on light and on dark. gpu and blf: only while Blender draws."""

from __future__ import annotations

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
    """Drawn under all the others, a little wider."""


# Blue and violet: what is selected in Blender is orange, and what is wrong is red.
_ON_DARK = Pens(
    (0.30, 0.68, 1.0, 1.0), (0.80, 0.62, 0.95, 1.0), (1.0, 1.0, 1.0, 1.0), (1.0, 0.33, 0.28, 1.0), (0, 0, 0, 0.45)
)
_ON_LIGHT = Pens(
    (0.0, 0.33, 0.75, 1.0), (0.45, 0.18, 0.62, 1.0), (0.0, 0.0, 0.0, 1.0), (0.78, 0.05, 0.0, 1.0), (1, 1, 1, 0.5)
)

_POINTS = 11.0


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
    """Lines on the graphics card, drawn with an edge under them."""

    def __init__(self, points: npt.NDArray[np.float32], colour: Colour | npt.NDArray[np.float32], width: float) -> None:
        """``points`` are pairs, (2 n, 3); one colour for all of them, or one (4) for each."""
        self._width = width
        self._plain = _shader("POLYLINE_UNIFORM_COLOR")
        self._colour: Colour | None = None
        self._batch = self._edge = batch_for_shader(self._plain, "LINES", {"pos": points})
        if isinstance(colour, np.ndarray):
            self._smooth = _shader("POLYLINE_SMOOTH_COLOR")
            self._batch = batch_for_shader(self._smooth, "LINES", {"pos": points, "color": colour})
        else:
            self._colour = colour

    def draw(self, size: tuple[float, float], edge: Colour, scale: float) -> None:
        """Into a region of this size, in pixels."""
        self._pass(self._plain, self._edge, size, (self._width + 2.0) * scale, edge)
        shader = self._plain if self._colour is not None else self._smooth
        self._pass(shader, self._batch, size, self._width * scale, self._colour)

    def _pass(self, shader: Any, batch: Any, size: tuple[float, float], width: float, colour: Colour | None) -> None:
        shader.bind()
        shader.uniform_float("viewportSize", size)
        shader.uniform_float("lineWidth", width)
        if colour is not None:
            shader.uniform_float("color", colour)
        batch.draw(shader)


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


class Words:
    """The pen for words, while one region is drawn."""

    def __init__(self, scale: float, dark: bool = True) -> None:
        """``dark``: what they stand on is."""
        self._font = 0
        blf.size(self._font, _POINTS * scale)
        self._shadow = (0.0, 0.0, 0.0, 0.9) if dark else (1.0, 1.0, 1.0, 0.9)

    def size(self, text: str) -> tuple[float, float]:
        """Of a line, in pixels."""
        width, height = blf.dimensions(self._font, text)
        return width, height

    def write(self, text: str, x: float, y: float, colour: Colour) -> None:
        """A line that begins here, with a shadow under it."""
        blf.enable(self._font, blf.SHADOW)
        blf.shadow(self._font, 3, *self._shadow)
        blf.shadow_offset(self._font, 0, 0)
        blf.color(self._font, *colour)
        blf.position(self._font, math.floor(x), math.floor(y), 0)
        blf.draw(self._font, text)
        blf.disable(self._font, blf.SHADOW)
