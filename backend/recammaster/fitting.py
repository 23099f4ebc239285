"""Footage of any size in the network's frame, and the network's video as tensors and back.

The published code scales footage until it covers the frame, as torchvision does with pictures of Pillow's, and crops
about the centre. What is cropped is lost to the network; padded instead, the footage is whole, and its mirror image
fills the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image as Pillow

from ..contract import Generation, Intrinsics
from ..engines import FrameSource, Image
from ..media.in_between import frames_at

Floats = npt.NDArray[np.float32]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom, pixels."""


@dataclass(frozen=True)
class Fit:
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

    def lens(self, lens: Intrinsics) -> Intrinsics:
        """The lens that the network's frame has where the footage's is ``lens``."""
        scaled = lens.scaled(self.scaled[0] / self.footage[0], self.scaled[1] / self.footage[1])
        cx, cy = scaled.cx + self.corner[0], scaled.cy + self.corner[1]
        return Intrinsics(fx=scaled.fx, fy=scaled.fy, cx=cx, cy=cy)

    def frame(self, image: Image) -> Floats:
        """The network's frame (height, width, 3) from 0 to 1 that shows a frame of the footage, its alpha left out."""
        left, top, right, bottom = (int(each) for each in self.covered)
        across, down = self.footage[0] / self.scaled[0], self.footage[1] / self.scaled[1]
        x, y = self.corner
        part = ((left - x) * across, (top - y) * down, (right - x) * across, (bottom - y) * down)
        seen = resample(image[..., :3], right - left, bottom - top, part, Pillow.Resampling.BILINEAR)
        rest = ((top, self.height - bottom), (left, self.width - right), (0, 0))
        return np.pad(seen, rest, mode="symmetric")


def find_fit(width: int, height: int, generation: Generation) -> Fit:
    """How footage of this size lies in the network's frame.

    Cropped, it is placed to the pixel as the published code does it: torchvision's ``resize`` to the rounded size and
    its ``center_crop``, whose halves go to the even side. Of 8-bit footage each value is the published one, or beside
    it in 8 bits, as only what is seen is scaled.
    """
    wide, high = generation.width, generation.height
    if generation.fit == "crop":
        scale = max(wide / width, high / height)
        scaled = round(width * scale), round(height * scale)
        corner = -round((scaled[0] - wide) / 2), -round((scaled[1] - high) / 2)
    else:
        scale = min(wide / width, high / height)
        scaled = max(1, round(width * scale)), max(1, round(height * scale))
        corner = (wide - scaled[0]) // 2, (high - scaled[1]) // 2
    return Fit((width, height), scaled, corner, wide, high)


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
