"""One frame, whole: footage, depth and two cameras in, a frame of the take out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..engines import Frame, Image
from . import fill, raster, sample
from .edges import find_edges, grid
from .views import Map, on_plane

_STILL = 1e-3  # pixels of parallax below which a move is none
NEAREST = 0.01
"""Of the subject distance: what is nearer to the target camera is not drawn."""

Floats = npt.NDArray[np.float32]


class Still(NamedTuple):
    """What one frame of the take is made from.

    Attributes:
        image: the footage's frame.
        depth: float32 (h, w) metres, or None for a plane at ``distance``.
        distance: metres to the subject.
        across, back: the maps from the footage's frame to the take's, and from there.
        width, height: of the take.
        holes: fills what other frames show, given this one's inverse depth, the target's, and the picture and
            coverage so far; may be None.
    """

    image: Image
    depth: Floats | None
    distance: float
    across: Map
    back: Map
    width: int
    height: int
    holes: Callable[[Floats, Floats, Floats, Floats], None] | None = None


class Drawn(NamedTuple):
    """A frame of the take, and what is odd about it.

    Attributes:
        frame: the frame.
        clipped: how many of the footage's pixels were too near to the target camera to be drawn.
        blind: whether nothing of the footage is seen.
    """

    frame: Frame
    clipped: int
    blind: bool


def draw_still(still: Still, *, force_warp: bool = False) -> Drawn:
    """Draw one frame."""
    white = np.iinfo(still.image.dtype).max
    picture = sample.unpack(still.image, white)
    out = np.empty((still.height, still.width, 4), np.float32)
    covered = np.empty((still.height, still.width), np.float32)
    homography = None if force_warp else _as_homography(still)
    clipped = 0
    if homography is not None:
        back = np.linalg.inv(homography)
        sample.colour_homography(picture, (back / np.abs(back).max()).astype(np.float32), out, covered)
        if still.holes is not None and still.depth is not None and (covered < 1).any():
            still.holes(grid(still.depth), np.zeros_like(covered), out, covered)
        if (covered < 1).any():
            fill.fill_around(out, covered)
    else:
        clipped = _warp(picture, still, out, covered)
    blind = not covered.any()
    if blind:
        out[:] = picture.mean(axis=(0, 1))
    image = np.empty((still.height, still.width, still.image.shape[2]), still.image.dtype)
    sample.pack(out, white, image)
    return Drawn(Frame(image, sample.pack_lack(covered)), clipped, blind)


def compile_kernels(image: Image) -> None:
    """Compile all that drawing frames like this one needs, or load it: seconds at first, then a fraction of one."""
    tiny = np.zeros((24, 24, image.shape[2]), image.dtype)
    depth = np.full((24, 24), 4, np.float32)
    depth[8:16, 8:16] = 2
    lens = np.array([[20.0, 0, 12], [0, 20, 12], [0, 0, 1]])
    across = Map(np.eye(3), lens @ (0.4, 0.0, 0.1))
    still = Still(tiny, depth, 4.0, across, Map(np.eye(3), -across.b), 24, 24)
    draw_still(still)
    draw_still(still._replace(depth=None))


def _as_homography(still: Still) -> npt.NDArray[np.float64] | None:
    """The homography that does for the whole frame, where one does."""
    if still.depth is None:
        return on_plane(still.across, still.distance)
    nearest = float(still.depth.min(initial=np.inf, where=still.depth > 0))
    height, width = still.image.shape[:2]
    if still.across.parallax(width, height, 1 / nearest) < _STILL:
        return still.across.a
    return None


def _warp(picture: Floats, still: Still, out: Floats, covered: Floats) -> int:
    """Draw by depth into ``out`` and ``covered``; say how much was too near."""
    depth = still.depth
    if depth is None:
        depth = np.full(picture.shape[:2], still.distance, np.float32)
    q = grid(depth)
    across, back = still.across.single(), still.back.single()
    edges = find_edges(picture, q, across)
    buffer = np.empty((still.height * raster.SAMPLES, still.width * raster.SAMPLES), np.float32)
    nearest = np.float32(1 / (NEAREST * still.distance))
    clipped: int = raster.draw(q, edges.tears, edges.cuts, across, nearest, buffer)
    sample.colour_samples(picture, edges.places, edges.patches, back, buffer, out, covered)
    if not (covered < 1).any():
        return clipped
    seen = fill.flatten(buffer)
    if still.holes is not None:
        still.holes(q, seen, out, covered)
    if (covered < 1).any():
        fill.fill_holes(out, covered, seen, edges, across, back)
    return clipped
