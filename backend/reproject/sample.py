"""Colours for what was drawn: where in the footage a sample lies, exactly, and what is there, sharply.

Pictures are float32 (h, w, 4) RGBA, colours 0 to 255 multiplied by alpha 0 to 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .compiled import compiled, inlined
from .edges import APART, FAR, MIDDLE, NEAR
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
def pack_lack(covered: Any) -> Any:
    """What ``covered`` lacks to 1, as whole numbers up to 255."""
    height, width = covered.shape
    lack = np.empty((height, width), np.uint8)
    for y in range(height):
        for x in range(width):
            lack[y, x] = np.uint8((np.float32(1) - covered[y, x]) * np.float32(255) + np.float32(0.5))
    return lack


@compiled
def colour_homography(picture: Any, back: Any, out: Any, covered: Any) -> Any:
    """Colour every pixel of ``out`` by the homography ``back`` from it into the picture.

    ``covered`` (h, w) float32 becomes the share of each pixel that lies within the picture.
    """
    height, width = covered.shape
    rows, columns = picture.shape[:2]
    for y in range(height):
        for x in range(width):
            px, py = np.float32(x + 0.5), np.float32(y + 0.5)
            hz = back[2, 0] * px + back[2, 1] * py + back[2, 2]
            inverse = np.float32(1) / max(hz, np.float32(1e-6))
            u = (back[0, 0] * px + back[0, 1] * py + back[0, 2]) * inverse
            v = (back[1, 0] * px + back[1, 1] * py + back[1, 2]) * inverse
            du_dx, dv_dx = (back[0, 0] - u * back[2, 0]) * inverse, (back[1, 0] - v * back[2, 0]) * inverse
            du_dy, dv_dy = (back[0, 1] - u * back[2, 1]) * inverse, (back[1, 1] - v * back[2, 1]) * inverse
            share = np.float32(0)
            if hz > np.float32(1e-6):
                share = _overlap(u, columns, abs(du_dx) + abs(du_dy)) * _overlap(v, rows, abs(dv_dx) + abs(dv_dy))
            covered[y, x] = share
            if share > 0:
                r, g, b, a = _look(picture, u, v, du_dx, dv_dx, du_dy, dv_dy)
                out[y, x, 0], out[y, x, 1], out[y, x, 2], out[y, x, 3] = r * share, g * share, b * share, a * share
            else:
                out[y, x, 0], out[y, x, 1], out[y, x, 2], out[y, x, 3] = share, share, share, share


@inlined
def _overlap(at: Any, size: Any, extent: Any) -> Any:
    """The share of an interval ``extent`` wide around ``at`` that lies within 0 to ``size``."""
    if at >= extent and at <= np.float32(size) - extent:
        return np.float32(1)
    inside = min(at, np.float32(size) - at) / max(extent, np.float32(1e-6)) + np.float32(0.5)
    # Rounding must not make a rim of what fits exactly.
    return np.float32(1) if inside > np.float32(0.998) else max(inside, np.float32(0))


@compiled
def colour_samples(picture: Any, index: Any, patches: Any, m: Any, buffer: Any, out: Any, covered: Any) -> Any:
    """Colour every pixel of ``out`` by the inverse depths in ``buffer`` and the map ``m`` back to the picture.

    ``covered`` (h, w) float32 becomes the share of the pixel's samples that something covers; colours come multiplied
    by it.
    """
    height, width = covered.shape
    rows, columns = index.shape
    m00, m01, m02, m03 = m[0, 0], m[0, 1], m[0, 2], m[0, 3]
    m10, m11, m12, m13 = m[1, 0], m[1, 1], m[1, 2], m[1, 3]
    m20, m21, m22, m23 = m[2, 0], m[2, 1], m[2, 2], m[2, 3]
    most = np.float32(_SHRUNK * _SHRUNK)
    for y in range(height):
        for x in range(width):
            w0, w1 = buffer[2 * y, 2 * x], buffer[2 * y, 2 * x + 1]
            w2, w3 = buffer[2 * y + 1, 2 * x], buffer[2 * y + 1, 2 * x + 1]
            low, high = min(min(w0, w1), min(w2, w3)), max(max(w0, w1), max(w2, w3))
            if low >= 0:
                w = np.float32(0.25) * (w0 + w1 + w2 + w3)
                px, py = np.float32(x) + np.float32(0.5), np.float32(y) + np.float32(0.5)
                inverse = np.float32(1) / max(m20 * px + m21 * py + m22 + m23 * w, np.float32(1e-6))
                u = (m00 * px + m01 * py + m02 + m03 * w) * inverse
                v = (m10 * px + m11 * py + m12 + m13 * w) * inverse
                spread = (abs(m03 - u * m23) + abs(m13 - v * m23)) * inverse * (high - low)
                if spread < np.float32(_COHERENT):
                    column, row = min(max(int(u), 0), columns - 1), min(max(int(v), 0), rows - 1)
                    place = index[row, column]
                    if place >= 0:
                        is_near = w * inverse > patches[place, MIDDLE]
                        r, g, b, a = _colour_side(picture, index, patches, u, v, place, is_near)
                    else:
                        du_dx, dv_dx = (m00 - u * m20) * inverse, (m10 - v * m20) * inverse
                        du_dy, dv_dy = (m01 - u * m21) * inverse, (m11 - v * m21) * inverse
                        if du_dx * du_dx + dv_dx * dv_dx <= most and du_dy * du_dy + dv_dy * dv_dy <= most:
                            r, g, b, a = cubic(picture, u - np.float32(0.5), v - np.float32(0.5))
                        else:
                            r, g, b, a = _look(picture, u, v, du_dx, dv_dx, du_dy, dv_dy)
                    covered[y, x] = np.float32(1)
                    out[y, x, 0], out[y, x, 1], out[y, x, 2], out[y, x, 3] = r, g, b, a
                    continue
            if high >= 0:
                covered[y, x] = _colour_apart(picture, index, patches, m, x, y, buffer, out)
            else:
                covered[y, x] = np.float32(0)
                out[y, x, 0], out[y, x, 1] = np.float32(0), np.float32(0)
                out[y, x, 2], out[y, x, 3] = np.float32(0), np.float32(0)


@inlined
def _colour_apart(picture: Any, index: Any, patches: Any, m: Any, x: Any, y: Any, buffer: Any, out: Any) -> Any:
    """Colour a pixel whose samples see different things, or nothing; return the share that sees something."""
    share, step = np.float32(1.0 / (SAMPLES * SAMPLES)), np.float32(1.0 / SAMPLES)
    covered = np.float32(0)
    r, g, b, a = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for i in range(SAMPLES):
        for j in range(SAMPLES):
            w = buffer[y * SAMPLES + i, x * SAMPLES + j]
            if w == EMPTY:
                continue
            covered += share
            px, py = np.float32(x) + np.float32(j + 0.5) * step, np.float32(y) + np.float32(i + 0.5) * step
            cr, cg, cb, ca = _colour(picture, index, patches, m, px, py, w)
            r, g, b, a = r + cr, g + cg, b + cb, a + ca
    out[y, x, 0], out[y, x, 1], out[y, x, 2], out[y, x, 3] = r * share, g * share, b * share, a * share
    return covered


@inlined
def _colour(picture: Any, index: Any, patches: Any, m: Any, x: Any, y: Any, w: Any) -> Any:
    """The colour that a point of the target's picture has at inverse depth ``w``."""
    inverse = np.float32(1) / max(m[2, 0] * x + m[2, 1] * y + m[2, 2] + m[2, 3] * w, np.float32(1e-6))
    u = (m[0, 0] * x + m[0, 1] * y + m[0, 2] + m[0, 3] * w) * inverse
    v = (m[1, 0] * x + m[1, 1] * y + m[1, 2] + m[1, 3] * w) * inverse
    height, width = index.shape
    place = index[min(max(int(v), 0), height - 1), min(max(int(u), 0), width - 1)]
    if place >= 0:
        return _colour_side(picture, index, patches, u, v, place, w * inverse > patches[place, MIDDLE])
    du_dx, dv_dx = (m[0, 0] - u * m[2, 0]) * inverse, (m[1, 0] - v * m[2, 0]) * inverse
    du_dy, dv_dy = (m[0, 1] - u * m[2, 1]) * inverse, (m[1, 1] - v * m[2, 1]) * inverse
    return _look(picture, u, v, du_dx, dv_dx, du_dy, dv_dy)


@inlined
def _look(picture: Any, u: Any, v: Any, du_dx: Any, dv_dx: Any, du_dy: Any, dv_dy: Any) -> Any:
    """The picture around a point, over the area that a pixel of the target takes there."""
    across, down = du_dx * du_dx + dv_dx * dv_dx, du_dy * du_dy + dv_dy * dv_dy
    most = np.float32(_SHRUNK * _SHRUNK)
    if across <= most and down <= most:
        return cubic(picture, u - np.float32(0.5), v - np.float32(0.5))
    columns = min(math.ceil(math.sqrt(across) - np.float32(_SHRUNK - 1)), _MOST_LOOKS)
    rows = min(math.ceil(math.sqrt(down) - np.float32(_SHRUNK - 1)), _MOST_LOOKS)
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
def _colour_side(picture: Any, index: Any, patches: Any, u: Any, v: Any, place: Any, is_near: Any) -> Any:
    """The picture beside a step, as if the other side were not there, as far as the two have come apart."""
    height, width = picture.shape[:2]
    x, y = u - np.float32(0.5), v - np.float32(0.5)
    left, top = math.floor(x), math.floor(y)
    i, j = int(left), int(top)
    columns, rows = _weights(x - np.float32(left)), _weights(y - np.float32(top))
    own = patches[place, APART]
    plain = np.float32(1) - own
    first = NEAR if is_near else FAR
    r, g, b, a = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for k in range(4):
        row = min(max(j - 1 + k, 0), height - 1)
        for n in range(4):
            weight, column = rows[k] * columns[n], min(max(i - 1 + n, 0), width - 1)
            at = index[row, column]
            if at >= 0:
                r += weight * (plain * picture[row, column, 0] + own * patches[at, first])
                g += weight * (plain * picture[row, column, 1] + own * patches[at, first + 1])
                b += weight * (plain * picture[row, column, 2] + own * patches[at, first + 2])
                a += weight * (plain * picture[row, column, 3] + own * patches[at, first + 3])
            else:
                r += weight * picture[row, column, 0]
                g += weight * picture[row, column, 1]
                b += weight * picture[row, column, 2]
                a += weight * picture[row, column, 3]
    return r, g, b, a
