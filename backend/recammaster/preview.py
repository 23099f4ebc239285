"""What the network is at, as one picture: a few frames of the take side by side, while it is still being sampled."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from .tiny_decoder import LATENT_CHANNELS, PICTURE_SCALE, load_tiny_decoder

PICTURES = 9
"""Frames on a sheet, at most."""

SIDE = 960
"""Pixels that neither side of a sheet exceeds: enough to judge nine frames by, and a small file."""

# Red, green and blue from -1 to 1 of each of Wan 2.1's 16 latent channels, fitted by the makers of ComfyUI
# (comfy/latent_formats.py, Wan21: latent_rgb_factors and latent_rgb_factors_bias). They are for latents as the network
# makes them, normalised by channel: ComfyUI applies them to the sampler's prediction before process_out.
_RGB_OF_CHANNELS = (
    (-0.1299, -0.1692, 0.2932),
    (0.0671, 0.0406, 0.0442),
    (0.3568, 0.2548, 0.1747),
    (0.0372, 0.2344, 0.1420),
    (0.0313, 0.0189, -0.0328),
    (0.0296, -0.0956, -0.0665),
    (-0.3477, -0.4059, -0.2925),
    (0.0166, 0.1902, 0.1975),
    (-0.0412, 0.0267, -0.1364),
    (-0.1293, 0.0740, 0.1636),
    (0.0680, 0.3019, 0.1128),
    (0.0032, 0.0581, 0.0639),
    (-0.1251, 0.0927, 0.1699),
    (0.0060, -0.0633, 0.0005),
    (0.3477, 0.2275, 0.2950),
    (0.1984, 0.0913, 0.1861),
)
_RGB_OF_NONE = (-0.1835, -0.0868, -0.3360)


class Previewer:
    """Draws contact sheets of latents.

    With a tiny decoder they show the frames nearly as the take will. Without one each latent becomes one coloured dot:
    coarse, but it costs nothing and needs no file.

    Args:
        path: the tiny decoder (see :mod:`.tiny_decoder`), or None.
        device, dtype: where and in which numbers it computes.

    Raises:
        CheckpointError: the file is no tiny decoder of Wan 2.1.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._decoder = None if path is None else load_tiny_decoder(path).to(device, dtype)
        self._place: dict[str, Any] = {"device": device, "dtype": dtype}

    @torch.inference_mode()
    def picture(self, latents: Tensor) -> npt.NDArray[np.uint8]:
        """At most nine frames in reading order, evenly spaced from the take's first to its last.

        Args:
            latents: (1, 16, F, h, w), as the network makes them (normalised), anywhere and of any floating type: the
                take as far as it can be told, which is what the sampler takes the clean latents to be.

        Returns:
            (H, W, 3) RGB. The frames keep the take's proportions, are no larger than the take's and touch one
            another; the sheet is at most 960 pixels wide and high.

        Raises:
            ValueError: another shape.
        """
        if latents.ndim != 5 or latents.shape[:2] != (1, LATENT_CHANNELS) or 0 in latents.shape:
            raise ValueError(f"found latents of shape {tuple(latents.shape)}, expected (1, {LATENT_CHANNELS}, F, h, w)")
        return _sheet(self._frames(latents), PICTURE_SCALE * latents.shape[4], PICTURE_SCALE * latents.shape[3])

    def _frames(self, latents: Tensor) -> list[Tensor]:
        if self._decoder is None:
            return list(_dots(latents))
        try:
            wanted = _evenly(4 * latents.shape[2] - 3)
            return [each.float().cpu() for each in self._decoder.frames(latents.to(**self._place), wanted)]
        except torch.OutOfMemoryError:
            # Rather coarse pictures from here on than no take.
            self._decoder = None
            return list(_dots(latents))


def _evenly(length: int) -> list[int]:
    """At most nine of `length` frames, the first and the last among them."""
    return [round(each) for each in np.linspace(0, length - 1, min(PICTURES, length))]


def _dots(latents: Tensor) -> Iterator[Tensor]:
    """Frames (3, h, w) RGB from 0 to 1, one pixel per latent."""
    for index in _evenly(latents.shape[2]):
        frame = latents[0, :, index].float().cpu()
        colour = torch.einsum("chw,cr->rhw", frame, torch.tensor(_RGB_OF_CHANNELS))
        yield ((colour + torch.tensor(_RGB_OF_NONE).view(3, 1, 1) + 1) / 2).clamp(0, 1)


def _sheet(frames: list[Tensor], width: int, height: int) -> npt.NDArray[np.uint8]:
    """Frames (3, any, any) from 0 to 1 side by side, each shrunk (or blown up) to a share of `width` x `height`."""
    columns = math.ceil(math.sqrt(len(frames)))
    rows = math.ceil(len(frames) / columns)
    scale = min(1.0, SIDE / (columns * width), SIDE / (rows * height))
    width, height = (max(1, int(scale * side + 1e-6)) for side in (width, height))
    sheet = np.zeros((rows * height, columns * width, 3), np.uint8)
    for index, frame in enumerate(frames):
        sized = functional.interpolate(frame[None], (height, width), mode="bilinear", antialias=True)[0]
        # Not a number is black: what the network makes of a bad start is no reason to stop here.
        picture = (sized.nan_to_num(0, 1, 0).clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        row, column = divmod(index, columns)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
    return sheet
