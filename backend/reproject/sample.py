"""Colours for what was drawn: where in the footage a sample lies, exactly, and what is there, sharply.

Pictures are float32 (h, w, 4) RGBA, colours 0 to 255 multiplied by alpha 0 to 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .compiled import compiled, inlined
from .raster import EMPTY, SAMPLES

# Of the family of cubics through the samples, the one that is exact for quadratics (Keys 1981; Catmull-Rom).
_CUBIC = -0.5
_COHERENT = 0.5  # footage pixels between a pixel's samples, beyond slope: less is one surface
_SHRUNK = 1.25  # footage pixels to a pixel from where one look is not enough
_MOST_LOOKS = 4  # along each side of a pixel

Floats = npt.NDArray[np.float32]


@compiled
def unpack(image: Any, white: Any) -> Any:
    """A picture from (h, w, 3 or 4) whole numbers up to ``white``."""
    height, width, channels = image.shape
    picture = np.empty((height, width, 4), np.float32)
    scale, share = np.float32(255) / np.float32(white), np.float32(1) / np.float32(white)
    for y in range(height):
        for x in range(width):
            alpha = np.float32(image[y, x, 3]) * share if channels == 4 else np.float32(1)
            for c in range(3):
                picture[y, x, c] = np.float32(image[y, x, c]) * scale * alpha
            picture[y, x, 3] = alpha
    return picture


@compiled
def pack(picture: Any, white: Any, image: Any) -> Any:
    """The reverse of :func:`unpack`, into ``image``."""
    height, width, channels = image.shape
    scale, top, half = np.float32(white) / np.float32(255), np.float32(white), np.float32(0.5)
    for y in range(height):
        for x in range(width):
            alpha = min(max(picture[y, x, 3], np.float32(0)), np.float32(1))
            share = scale
            if channels == 4:
                image[y, x, 3] = alpha * top + half
                share = scale / max(alpha, np.float32(1e-6))
            for c in range(3):
                image[y, x, c] = min(max(picture[y, x, c] * share, np.float32(0)), top) + half


@compiled
def colour_homography(picture: Any, back: Any, out: Any, covered: Any) -> Any:
    """Colour every pixel of ``out`` by the homography ``back`` from it into the picture.

    ``covered`` (h, w) float32 becomes the share of each pixel that lies within the picture.
    """
    height, width = covered.shape
    step = np.float32(1.0 / SAMPLES)
    for y in range(height):
        for x in range(width):
            inside = 0
            for i in range(SAMPLES):
                for j in range(SAMPLES):
                    sx, sy = np.float32(x) + (np.float32(j + 0.5)) * step, np.float32(y) + np.float32(i + 0.5) * step
                    inside += _is_inside(picture, back, sx, sy)
            covered[y, x] = np.float32(inside) * step * step
            if inside == 0:
                out[y, x] = np.float32(0)
                continue
            px, py = np.float32(x + 0.5), np.float32(y + 0.5)
            hx = back[0, 0] * px + back[0, 1] * py + back[0, 2]
            hy = back[1, 0] * px + back[1, 1] * py + back[1, 2]
            hz = max(back[2, 0] * px + back[2, 1] * py + back[2, 2], np.float32(1e-6))
            u, v = hx / hz, hy / hz
            du_dx, dv_dx = (back[0, 0] - u * back[2, 0]) / hz, (back[1, 0] - v * back[2, 0]) / hz
            du_dy, dv_dy = (back[0, 1] - u * back[2, 1]) / hz, (back[1, 1] - v * back[2, 1]) / hz
            r, g, b, a = _look(picture, u, v, du_dx, dv_dx, du_dy, dv_dy)
            share = covered[y, x]
            out[y, x, 0], out[y, x, 1], out[y, x, 2], out[y, x, 3] = r * share, g * share, b * share, a * share


@inlined
def _is_inside(picture: Any, back: Any, x: Any, y: Any) -> Any:
    hz = back[2, 0] * x + back[2, 1] * y + back[2, 2]
    if hz <= np.float32(1e-6):
        return 0
    u, v = (back[0, 0] * x + back[0, 1] * y + back[0, 2]) / hz, (back[1, 0] * x + back[1, 1] * y + back[1, 2]) / hz
    slack = np.float32(1e-3)
    return 1 if -slack <= u <= picture.shape[1] + slack and -slack <= v <= picture.shape[0] + slack else 0


@compiled
def colour_samples(
    picture: Any, index: Any, steps: Any, near: Any, far: Any, a: Any, b: Any, buffer: Any, out: Any, covered: Any
) -> Any:
    """Colour every pixel of ``out`` by the inverse depths in ``buffer`` and the map ``(a, b)`` back to the picture.

    ``covered`` (h, w) float32 becomes the share of the pixel's samples that something covers; colours come multiplied
    by it.
    """
    height, width = covered.shape
    share = np.float32(1.0 / (SAMPLES * SAMPLES))
    step = np.float32(1.0 / SAMPLES)
    for y in range(height):
        for x in range(width):
            found, low, high, total = 0, np.float32(1e30), EMPTY, np.float32(0)
            for i in range(SAMPLES):
                for j in range(SAMPLES):
                    w = buffer[y * SAMPLES + i, x * SAMPLES + j]
                    if w != EMPTY:
                        found += 1
                        total += w
                        low, high = min(low, w), max(high, w)
            covered[y, x] = np.float32(found) * share
            if found == 0:
                out[y, x] = np.float32(0)
                continue
            px, py = np.float32(x + 0.5), np.float32(y + 0.5)
            if found == SAMPLES * SAMPLES and _is_coherent(a, b, px, py, low, high):
                cr, cg, cb, ca = _colour(picture, index, steps, near, far, a, b, px, py, total * share)
                out[y, x, 0], out[y, x, 1], out[y, x, 2], out[y, x, 3] = cr, cg, cb, ca
                continue
            r, g, bl, al = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
            for i in range(SAMPLES):
                for j in range(SAMPLES):
                    w = buffer[y * SAMPLES + i, x * SAMPLES + j]
                    if w == EMPTY:
                        continue
                    sx, sy = np.float32(x) + np.float32(j + 0.5) * step, np.float32(y) + np.float32(i + 0.5) * step
                    cr, cg, cb, ca = _colour(picture, index, steps, near, far, a, b, sx, sy, w)
                    r, g, bl, al = r + cr, g + cg, bl + cb, al + ca
            out[y, x, 0], out[y, x, 1], out[y, x, 2], out[y, x, 3] = r * share, g * share, bl * share, al * share


@inlined
def _is_coherent(a: Any, b: Any, x: Any, y: Any, low: Any, high: Any) -> Any:
    """Whether all samples of a pixel lie beside each other in the picture too."""
    hz = a[2, 0] * x + a[2, 1] * y + a[2, 2] + b[2] * high
    if hz <= np.float32(1e-6):
        return False
    u = (a[0, 0] * x + a[0, 1] * y + a[0, 2] + b[0] * high) / hz
    v = (a[1, 0] * x + a[1, 1] * y + a[1, 2] + b[1] * high) / hz
    move = (abs(b[0] - u * b[2]) + abs(b[1] - v * b[2])) / hz * (high - low)
    return move < np.float32(_COHERENT)


@inlined
def _colour(picture: Any, index: Any, steps: Any, near: Any, far: Any, a: Any, b: Any, x: Any, y: Any, w: Any) -> Any:
    """The colour that a point of the target's picture has at inverse depth ``w``."""
    hx = a[0, 0] * x + a[0, 1] * y + a[0, 2] + b[0] * w
    hy = a[1, 0] * x + a[1, 1] * y + a[1, 2] + b[1] * w
    hz = max(a[2, 0] * x + a[2, 1] * y + a[2, 2] + b[2] * w, np.float32(1e-6))
    inverse = np.float32(1) / hz
    u, v = hx * inverse, hy * inverse
    height, width = picture.shape[:2]
    column, row = min(max(int(u), 0), width - 1), min(max(int(v), 0), height - 1)
    place = index[row, column]
    if place >= 0 and steps[place, 1] > 0:
        return _colour_side(picture, index, steps, near, far, u, v, place, w * inverse > steps[place, 0])
    du_dx, dv_dx = (a[0, 0] - u * a[2, 0]) * inverse, (a[1, 0] - v * a[2, 0]) * inverse
    du_dy, dv_dy = (a[0, 1] - u * a[2, 1]) * inverse, (a[1, 1] - v * a[2, 1]) * inverse
    return _look(picture, u, v, du_dx, dv_dx, du_dy, dv_dy)


@inlined
def _look(picture: Any, u: Any, v: Any, du_dx: Any, dv_dx: Any, du_dy: Any, dv_dy: Any) -> Any:
    """The picture around a point, over the area that a pixel of the target takes there."""
    across, down = du_dx * du_dx + dv_dx * dv_dx, du_dy * du_dy + dv_dy * dv_dy
    most = np.float32(_SHRUNK * _SHRUNK)
    if across <= most and down <= most:
        return cubic(picture, u - np.float32(0.5), v - np.float32(0.5))
    columns = min(int(math.ceil(math.sqrt(across) - np.float32(_SHRUNK - 1))), _MOST_LOOKS)
    rows = min(int(math.ceil(math.sqrt(down) - np.float32(_SHRUNK - 1))), _MOST_LOOKS)
    columns, rows = max(columns, 1), max(rows, 1)
    r, g, b, a = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for i in range(rows):
        for j in range(columns):
            s, t = np.float32((j + 0.5) / columns - 0.5), np.float32((i + 0.5) / rows - 0.5)
            x, y = u + s * du_dx + t * du_dy, v + s * dv_dx + t * dv_dy
            cr, cg, cb, ca = cubic(picture, x - np.float32(0.5), y - np.float32(0.5))
            r, g, b, a = r + cr, g + cg, b + cb, a + ca
    share = np.float32(1.0) / np.float32(rows * columns)
    return r * share, g * share, b * share, a * share


@inlined
def cubic(picture: Any, x: Any, y: Any) -> Any:
    """The picture at a point, in whole numbers at pixel centres; past its rim the outermost pixels go on."""
    height, width = picture.shape[:2]
    x = min(max(x, np.float32(-2)), np.float32(width + 1))
    y = min(max(y, np.float32(-2)), np.float32(height + 1))
    left, top = math.floor(x), math.floor(y)
    i, j = int(left), int(top)
    p0, p1, p2, p3 = _weights(x - np.float32(left))
    rows = _weights(y - np.float32(top))
    r, g, b, a = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    if i >= 1 and j >= 1 and i < width - 2 and j < height - 2:
        for k in range(4):
            s, m = rows[k], j - 1 + k
            r += s * (
                p0 * picture[m, i - 1, 0]
                + p1 * picture[m, i, 0]
                + p2 * picture[m, i + 1, 0]
                + p3 * picture[m, i + 2, 0]
            )
            g += s * (
                p0 * picture[m, i - 1, 1]
                + p1 * picture[m, i, 1]
                + p2 * picture[m, i + 1, 1]
                + p3 * picture[m, i + 2, 1]
            )
            b += s * (
                p0 * picture[m, i - 1, 2]
                + p1 * picture[m, i, 2]
                + p2 * picture[m, i + 1, 2]
                + p3 * picture[m, i + 2, 2]
            )
            a += s * (
                p0 * picture[m, i - 1, 3]
                + p1 * picture[m, i, 3]
                + p2 * picture[m, i + 1, 3]
                + p3 * picture[m, i + 2, 3]
            )
        return r, g, b, a
    columns = (p0, p1, p2, p3)
    for k in range(4):
        m = min(max(j - 1 + k, 0), height - 1)
        for n in range(4):
            s, o = rows[k] * columns[n], min(max(i - 1 + n, 0), width - 1)
            r += s * picture[m, o, 0]
            g += s * picture[m, o, 1]
            b += s * picture[m, o, 2]
            a += s * picture[m, o, 3]
    return r, g, b, a


@inlined
def _weights(t: Any) -> Any:
    a, one = np.float32(_CUBIC), np.float32(1)
    w0 = a * t * (one - t) * (one - t)
    w1 = ((a + np.float32(2)) * t - (a + np.float32(3))) * t * t + one
    w3 = a * t * t * (one - t)
    return w0, w1, one - w0 - w1 - w3, w3


@inlined
def _colour_side(
    picture: Any, index: Any, steps: Any, near: Any, far: Any, u: Any, v: Any, place: Any, is_near: Any
) -> Any:
    """The picture beside a step, as if the other side were not there."""
    height, width = picture.shape[:2]
    x, y = u - np.float32(0.5), v - np.float32(0.5)
    left, top = math.floor(x), math.floor(y)
    i, j = int(left), int(top)
    columns, rows = _weights(x - np.float32(left)), _weights(y - np.float32(top))
    apart = steps[place, 1]
    together = np.float32(1) - apart
    r, g, b, a = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for k in range(4):
        m = min(max(j - 1 + k, 0), height - 1)
        for n in range(4):
            s, o = rows[k] * columns[n], min(max(i - 1 + n, 0), width - 1)
            at = index[m, o]
            own = s * apart if at >= 0 else np.float32(0)
            plain = s * together if at >= 0 else s
            r += plain * picture[m, o, 0]
            g += plain * picture[m, o, 1]
            b += plain * picture[m, o, 2]
            a += plain * picture[m, o, 3]
            if at >= 0:
                if is_near:
                    r += own * near[at, 0]
                    g += own * near[at, 1]
                    b += own * near[at, 2]
                    a += own * near[at, 3]
                else:
                    r += own * far[at, 0]
                    g += own * far[at, 1]
                    b += own * far[at, 2]
                    a += own * far[at, 3]
    return r, g, b, a
