"""How footage of any shape lies in the network's frame, and what a take of any shape shows of that frame.

The network draws frames of one size. Footage of another shape is scaled until it covers that, and cropped, or until it
fits in, and padded. The network is told of no lens and keeps the footage's: a take's own lens, size and shape are
therefore a window in the network's frame, as two pinholes that stand and look alike differ by one scale and one shift
along each axis.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..contract import Generation, Intrinsics, Trajectory
from ..generation import CROPPED_LEAST
from .poses import inverse
from .trajectory import arrays, resized

Box = tuple[float, float, float, float]
"""Left, top, right, bottom: pixels, or shares of a frame."""

_DIGITS = 6  # of a pixel's fraction: what is less is no window's edge, but rounding
_AS_PUBLISHED = (
    0.9  # share of the footage from which a crop is about its centre, as published, if nobody says otherwise
)
_CENTRED = 1e-6  # shares of the footage: what is less is the centre, but for rounding


@dataclass(frozen=True)
class Placement:
    """How footage lies in the network's frame: scaled to whole pixels, then moved by whole pixels.

    Attributes:
        footage: width and height of the footage.
        scaled: width and height that it is given.
        corner: where its left upper corner is then, in the network's frame; negative where it is cropped.
        width, height: of the network's frame.
    """

    footage: tuple[int, int]
    scaled: tuple[int, int]
    corner: tuple[int, int]
    width: int
    height: int

    @property
    def covered(self) -> Box:
        """The part of the network's frame that shows the footage, and not its mirror image."""
        (left, top), (width, height) = self.corner, self.scaled
        return max(left, 0), max(top, 0), min(left + width, self.width), min(top + height, self.height)

    @property
    def shown(self) -> Box:
        """The part of the footage that the network is shown, as shares of its width and height."""
        (x, y), (width, height) = self.corner, self.scaled
        left, top, right, bottom = self.covered
        return (left - x) / width, (top - y) / height, (right - x) / width, (bottom - y) / height

    def lens(self, lens: Intrinsics) -> Intrinsics:
        """The lens that the network's frame has where the footage's is ``lens``."""
        scaled = lens.scaled(self.scaled[0] / self.footage[0], self.scaled[1] / self.footage[1])
        cx, cy = scaled.cx + self.corner[0], scaled.cy + self.corner[1]
        return Intrinsics(fx=scaled.fx, fy=scaled.fy, cx=cx, cy=cy)


class View(NamedTuple):
    """A window in the network's frame.

    Attributes:
        window: its edges.
        kept: the share, along each side, of the view asked for that it shows; 1 where it is the one asked for.
        moved: how far its middle is from that of the view asked for, as a share of the network's width.
    """

    window: Box
    kept: float
    moved: float


class Framed(NamedTuple):
    """A take's cameras, and the sizes of what they see.

    Attributes:
        source, target: one pose per frame.
        footage: width and height of the footage.
        take: width and height of the take.
        distance: metres from the source camera to what it looks at.
    """

    source: Trajectory
    target: Trajectory
    footage: tuple[int, int]
    take: tuple[int, int]
    distance: float


def cropped(framed: Framed, generation: Generation) -> Box:
    """What the network is shown of the footage, as shares of its width and height: 0, 0, 1, 1 where it is all."""
    return place(*framed.footage, settle(framed, generation)).shown


def place(width: int, height: int, generation: Generation) -> Placement:
    """How footage of this size lies in the network's frame.

    Cropped, it is placed to the pixel as the published code does it, where no focus is given: torchvision's ``resize``
    to the rounded size and its ``center_crop``, whose halves go to the even side. Of a fit that is ``auto`` still, the
    shapes alone decide; see :func:`settle`.
    """
    wide, high = generation.width, generation.height
    if generation.fit == "crop" or (
        generation.fit == "auto" and generation.kept_by_crop(width, height) >= CROPPED_LEAST
    ):
        scale = max(wide / width, high / height)
        scaled = round(width * scale), round(height * scale)
        corner = _start(scaled[0], wide, generation.focus_x), _start(scaled[1], high, generation.focus_y)
    else:
        scale = min(wide / width, high / height)
        scaled = max(1, round(width * scale)), max(1, round(height * scale))
        corner = (wide - scaled[0]) // 2, (high - scaled[1]) // 2
    return Placement((width, height), scaled, corner, wide, high)


def settle(framed: Framed, generation: Generation) -> Generation:
    """The settings with what they leave open decided by what the take shows: crop or pad, and about where.

    A fit that is ``auto`` is a crop, but padded where that would leave less than the share ``CROPPED_LEAST`` of the
    width and height that the take asks for. A crop that is given no focus lies where it holds all that the take shows
    of the network's frame, and as far as that leaves a choice, where the target camera looks; one that loses little of
    the footage is about its centre, as published.
    """
    kept = generation.kept_by_crop(*framed.footage)
    crop = dataclasses.replace(generation, fit="crop")
    if kept < _AS_PUBLISHED:
        crop = _focused(framed, crop)
    if generation.fit == "crop" or (generation.fit == "auto" and kept >= CROPPED_LEAST):
        return crop
    pad = dataclasses.replace(generation, fit="pad")
    if generation.fit == "pad" or _least_kept(framed, crop) < min(CROPPED_LEAST, _least_kept(framed, pad)):
        return pad
    return crop


def find_views(framed: Framed, placement: Placement) -> list[View]:
    """The view of each frame of the take: exact within what was drawn, else made smaller and moved into it.

    The network's frame has the lens that the footage had at the same instant, so that footage that zooms is taken to
    zoom in the take as well.
    """
    return [_within(asked, placement) for asked in _windows(framed, placement)]


# Where a crop lies


def _start(scaled: int, size: int, focus: float | None) -> int:
    """Where scaled footage begins in the network's frame, cropped about a share of it."""
    middle = (scaled - size) / 2 if focus is None else focus * scaled - size / 2
    return -round(min(max(middle, 0.0), float(max(scaled - size, 0))))


def _focused(framed: Framed, crop: Generation) -> Generation:
    """The settings of a crop with a focus, along the axis that loses something, where none is given."""
    whole = place(*framed.footage, crop)
    asked = [_moved(each, whole.corner) for each in _windows(framed, whole)]
    axis = 0 if whole.scaled[0] > whole.width else 1
    if (crop.focus_x, crop.focus_y)[axis] is not None:
        return crop
    size, scaled = (whole.width, whole.height)[axis], whole.scaled[axis]
    low, high = min(each[axis] for each in asked), max(each[axis + 2] for each in asked)
    middle = (low + high) / 2
    if high - low < size:
        # All of the view lies in the crop with room to spare, which goes to where the target camera looks.
        seen = _looked_at(framed, axis)
        if seen is not None:
            middle = min(max(seen * scaled, high - size / 2), low + size / 2)
    share = middle / scaled
    if abs(share - 0.5) < _CENTRED:
        return crop
    share = min(max(share, 0.0), 1.0)
    return dataclasses.replace(crop, focus_x=share) if axis == 0 else dataclasses.replace(crop, focus_y=share)


def _looked_at(framed: Framed, axis: int) -> float | None:
    """The middle of what the take sees of a plane at the subject's distance, as a share of the footage."""
    width, height = framed.footage
    source, lenses = arrays(resized(framed.source, width, height))
    target, own = arrays(framed.target)
    u, v = np.array([(x, y) for x in (0, framed.target.width) for y in (0, framed.target.height)], np.float64).T
    rays = np.stack([(u - own[:, 2:3]) / own[:, 0:1], (v - own[:, 3:4]) / own[:, 1:2], np.ones((len(own), 4))], axis=-1)
    seen = inverse(source) @ target  # from the target camera to the source camera
    rays = np.einsum("nij,nkj->nki", seen[:, :3, :3], rays)
    place = seen[:, None, :3, 3]
    ahead = rays[..., 2] > 1e-6
    reach = (framed.distance - place[..., 2]) / np.where(ahead, rays[..., 2], 1.0)
    ahead &= reach > 0
    points = place + reach[..., None] * rays
    focal, centre = lenses[:, axis : axis + 1], lenses[:, axis + 2 : axis + 3]
    shares = (focal * points[..., axis] / framed.distance + centre) / (width, height)[axis]
    if not ahead.any():
        return None
    shares = np.clip(shares[ahead], 0, 1)
    return float((shares.min() + shares.max()) / 2)


def _least_kept(framed: Framed, generation: Generation) -> float:
    return min(each.kept for each in find_views(framed, place(*framed.footage, generation)))


# What a take shows


def _windows(framed: Framed, placement: Placement) -> list[Box]:
    """What each frame of the take asks to show of the network's frame."""
    target, source = resized(framed.target, *framed.take), resized(framed.source, *placement.footage)
    found: dict[tuple[Intrinsics, Intrinsics], Box] = {}
    for pair in zip(target.intrinsics, source.intrinsics, strict=True):
        if pair not in found:
            found[pair] = _asked(pair[0], placement.lens(pair[1]), *framed.take)
    return [found[pair] for pair in zip(target.intrinsics, source.intrinsics, strict=True)]


def _moved(box: Box, corner: Sequence[int]) -> Box:
    return box[0] - corner[0], box[1] - corner[1], box[2] - corner[0], box[3] - corner[1]


def _asked(lens: Intrinsics, own: Intrinsics, width: int, height: int) -> Box:
    """The window that a frame of this size and lens is, in a frame whose lens is ``own``."""
    x, y = own.fx / lens.fx, own.fy / lens.fy
    left, top = own.cx - x * lens.cx, own.cy - y * lens.cy
    return left, top, left + x * width, top + y * height


def _within(asked: Box, placement: Placement) -> View:
    """The view asked for, made smaller about its middle and moved, as far as must be, to lie in what was drawn."""
    left, top, right, bottom = placement.covered
    width, height = asked[2] - asked[0], asked[3] - asked[1]
    kept = min(1.0, (right - left) / width, (bottom - top) / height)
    width, height = min(kept * width, right - left), min(kept * height, bottom - top)
    middle = (asked[0] + asked[2]) / 2, (asked[1] + asked[3]) / 2
    x = min(max(middle[0], left + width / 2), right - width / 2)
    y = min(max(middle[1], top + height / 2), bottom - height / 2)
    window = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    moved = float(np.hypot(x - middle[0], y - middle[1])) / placement.width
    return View(tuple(round(each, _DIGITS) for each in window), kept, moved)  # type: ignore[arg-type]
