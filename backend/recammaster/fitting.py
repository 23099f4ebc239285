"""Footage of any size in the network's frame, and the network's video as tensors and back.

The published code scales footage until it covers the frame, as torchvision does with pictures of Pillow's, and crops
about the centre. What is cropped is lost to the network; padded instead, the footage is whole, and its mirror image
fills the rest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image as Pillow

from ..cameras import framing
from ..cameras.framing import Box
from ..contract import Generation
from ..engines import FrameSource, Image, Shot
from ..media.in_between import frames_at

Floats = npt.NDArray[np.float32]
_WORTH_TELLING = 0.9  # share of the footage that the network is shown, above which nobody misses the rest


class Fit(framing.Placement):
    """How footage lies in the network's frame, and the network's frame made so."""

    def frame(self, image: Image) -> Floats:
        """The network's frame (height, width, 3) from 0 to 1 that shows a frame of the footage, its alpha left out."""
        left, top, right, bottom = (int(each) for each in self.covered)
        across, down = self.footage[0] / self.scaled[0], self.footage[1] / self.scaled[1]
        x, y = self.corner
        part = ((left - x) * across, (top - y) * down, (right - x) * across, (bottom - y) * down)
        seen = resample(image[..., :3], right - left, bottom - top, part, Pillow.Resampling.BILINEAR)
        rest = ((top, self.height - bottom), (left, self.width - right), (0, 0))
        return np.pad(seen, rest, mode="symmetric")


def framed(shot: Shot, footage: tuple[int, int]) -> framing.Framed:
    """What decides how a shot's footage, of this width and height, lies in the network's frame."""
    return framing.Framed(shot.source, shot.target, footage, (shot.width, shot.height), shot.subject_distance)


def find_fit(width: int, height: int, generation: Generation) -> Fit:
    """How footage of this size lies in the network's frame: see :func:`backend.cameras.framing.place`.

    Of 8-bit footage that is cropped about its centre each value is the published one, or beside it in 8 bits, as only
    what is seen is scaled.
    """
    placed = framing.place(width, height, generation)
    return Fit(placed.footage, placed.scaled, placed.corner, placed.width, placed.height)


class Settled(NamedTuple):
    """How a shot's footage lies in the network's frame, and what was decided for that.

    Attributes:
        fitted: how it lies there.
        generation: the settings, their fit ``crop`` or ``pad``.
        notes: whole sentences.
    """

    fitted: Fit
    generation: Generation
    notes: list[str]


def settle(shot: Shot, generation: Generation) -> Settled:
    """Decide by what the take shows what the settings leave open: crop or pad, and where a crop lies."""
    footage = shot.footage.width, shot.footage.height
    settled = framing.settle(framed(shot, footage), generation)
    fitted = find_fit(*footage, settled)
    decided = dataclasses.replace(generation, fit=settled.fit)
    notes = [_padded(fitted) if (generation.fit, settled.fit) == ("auto", "pad") else "", _cropped(fitted, generation)]
    return Settled(fitted, decided, [each for each in notes if each])


def _padded(fitted: Fit) -> str:
    return (
        f"The footage's shape is far from the network's ({fitted.width}x{fitted.height}): it was shown whole, as "
        f"{fitted.scaled[0]}x{fitted.scaled[1]} with its mirror image around, and the take is no sharper than that. "
        "The fit 'crop' is sharper and shows less."
    )


def _cropped(fitted: Fit, generation: Generation) -> str:
    left, top, right, bottom = fitted.shown
    side, low, high = ("width", left, right) if right - left < bottom - top else ("height", top, bottom)
    if high - low > _WORTH_TELLING:
        return ""
    given = generation.focus_x if side == "width" else generation.focus_y
    how = "what the take shows" if given is None else "the focus that was set"
    return f"Of the footage's {side} the network was shown {low:.0%} to {high:.0%}, by {how}; the rest was cropped."


class Shown(NamedTuple):
    """What the network is shown.

    Attributes:
        video: float32 (1, 3, frames, height, width) from -1 to 1.
        transparent: whether the footage is, anywhere; its colours were shown as if it were not.
    """

    video: torch.Tensor
    transparent: bool


def show(
    footage: FrameSource, fitted: Fit, times: Sequence[float], report: Callable[[int, int], None] | None = None
) -> Shown:
    """The footage at instants of the timeline, as the network is shown it. One whole frame of it is held at a time.

    Args:
        footage: by timeline frame.
        fitted: how it lies in the network's frame.
        times: the instant of each of the network's frames, of :func:`backend.recammaster.timing.network_times`.
        report: told how many of them are done, after each; whatever it raises goes through.
    """
    transparent = False

    def whole(index: int) -> Floats:
        nonlocal transparent
        image = footage.frame(index)
        transparent = transparent or _is_transparent(image)
        return fitted.frame(image)

    video = np.empty((3, len(times), fitted.height, fitted.width), np.float32)
    for index, frame in enumerate(frames_at(whole, times)):
        video[:, index] = np.moveaxis(frame, -1, 0) * 2 - 1
        if report is not None:
            report(index + 1, len(times))
    return Shown(torch.from_numpy(video)[None], transparent)


def frame_of(video: torch.Tensor, index: int) -> Floats:
    """One frame (height, width, 3) from 0 to 1 of a video (1, 3, frames, height, width) from -1 to 1, on any device."""
    frame = video[0, :, index].detach().to("cpu", torch.float32).permute(1, 2, 0).numpy()
    return np.clip((frame + 1) / 2, 0, 1)


def resample(image: Image, width: int, height: int, part: Box, way: Pillow.Resampling) -> Floats:
    """A part of an image at another size, antialiased: float32 (height, width, channels), white as 1.

    Args:
        image: (h, w, channels) uint8, uint16, or float32 with white as 1. What has 8 bits comes in steps of 8 bits, as
            Pillow makes it.
        width: pixels to have.
        height: pixels to have.
        part: of the image, in its pixels; fractions are honoured.
        way: the filter.
    """
    rows, columns = image.shape[:2]
    # A part that ends at the rim may miss it by a rounding error, which Pillow refuses.
    box = (max(part[0], 0.0), max(part[1], 0.0), min(part[2], float(columns)), min(part[3], float(rows)))
    if image.dtype == np.uint8 and image.shape[2] == 3:
        whole = Pillow.fromarray(np.ascontiguousarray(image))
        return np.asarray(whole.resize((width, height), way, box)).astype(np.float32) / np.float32(255)
    white = np.float32(1 if image.dtype.kind == "f" else np.iinfo(image.dtype).max)
    planes = [Pillow.fromarray(image[..., each].astype(np.float32)) for each in range(image.shape[2])]
    seen: Floats = np.stack([np.asarray(each.resize((width, height), way, box)) for each in planes], axis=-1)
    return seen / white


def _is_transparent(image: npt.NDArray[Any]) -> bool:
    return image.shape[2] == 4 and int(image[..., 3].min()) < np.iinfo(image.dtype).max
