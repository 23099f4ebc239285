"""A tiny decoder of Wan 2.1's latents, for pictures to look at while the network still samples.

The architecture is that of TAEHV (github.com/madebyollin/taehv, MIT), which comes with weights for Wan 2.1:
`taew2_1.pth` and `taew2_1.safetensors`, 22.6 MB. Convolutions see one frame each; what ties the frames together is that
some blocks are shown the frame before theirs too. So single frames can be decoded without the ones after them, and, the
further down the layers, with ever fewer of those before: :meth:`TinyDecoder.frames` works out which, and no others.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import identify
from .identify import side
from .tensors import expect, fill

LATENT_CHANNELS = 16
"""Of Wan 2.1's latents. Those of Wan 2.2's 5B have 48, and a tiny decoder of their own."""

PICTURE_SCALE = 8
"""Pixels for each latent, both ways."""

_FRAMES_PER_LATENT = 4
# The network's latents begin with one frame alone (4k + 1 frames in k + 1 latents); the decoder makes four of each
# latent, so that the first three are none of the video's ("frames_to_trim" in TAEHV).
_FRAMES_BEFORE = _FRAMES_PER_LATENT - 1

_WIDTHS = (256, 128, 64, 64)
_WHERE_WIDTHS_SHOW = (1, 8, 14, 20)  # the convolutions before the layers that are so wide

_Frames: TypeAlias = Iterator[tuple[int, Tensor]]
"""Frames in order, each with its place in time at that depth of the network, as (1, channels, height, width)."""


def load_tiny_decoder(path: str | os.PathLike[str]) -> TinyDecoder:
    """The decoder in a file: a `.pth` or safetensors with the published key names, of any widths, in float32.

    LightX2V's lighttaew2_1 has the very same tensors but is for latents that are not normalised. As in ComfyUI
    (comfy/sd.py) the two are told apart by how they are stored, half floats being TAEHV's.

    Raises:
        CheckpointError: there is something else, or not all of it.
    """
    file, kind = expect(Path(path), identify.PREVIEW)
    widths = [max(1, side(kind.tensors, f"decoder.{layer}.weight", 0)) for layer in _WHERE_WIDTHS_SHOW]
    with torch.device("meta"):
        decoder = TinyDecoder(widths)
    decoder.normalised = kind.tensors["decoder.1.weight"].dtype == "F16"
    return fill(decoder, file, kind, _decoding, lambda _name: torch.float32).requires_grad_(False)


def _decoding(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Without the encoder, which is in the same file."""
    return {name: each for name, each in tensors.items() if name.startswith("decoder.")}


class TinyDecoder(nn.Module):
    """TAEHV's decoder: layers and key names as published (`decoder.1.weight` ... `decoder.22.bias`).

    Args:
        widths: channels before the first, second and third doubling of the picture, and after it.

    Attributes:
        normalised: whether the weights want latents as the network makes them: (z - mean) / deviation, per channel.
    """

    def __init__(self, widths: Sequence[int] = _WIDTHS) -> None:
        super().__init__()
        self.normalised = True
        layers: list[nn.Module] = [_SoftClamp(), _conv(LATENT_CHANNELS, widths[0]), nn.ReLU(inplace=True)]
        for width, following, growth in zip(widths, widths[1:], (1, 2, 2), strict=False):
            layers += [_MemoryBlock(width) for _ in range(3)]
            layers += [nn.Upsample(scale_factor=2), _Grow(width, growth), _conv(width, following, bias=False)]
        layers += [nn.ReLU(inplace=True), _conv(widths[-1], 3)]
        self.decoder = nn.Sequential(*layers)

    def frames(self, latents: Tensor, wanted: Iterable[int]) -> Iterator[Tensor]:
        """Some frames of the video.

        Args:
            latents: (1, 16, F, h, w) as the network makes them, of the decoder's own type and device.
            wanted: which of the video's 4F - 3 frames, from 0.

        Yields:
            (3, 8h, 8w) RGB from 0 to 1, in order of time; each equal to what decoding the whole would give.
        """
        if not self.normalised:
            latents = _as_encoded(latents)
        needed = {frame + _FRAMES_BEFORE for frame in wanted}
        plan: list[tuple[nn.Module, set[int]]] = []
        for layer in reversed(self.decoder):
            plan.append((layer, needed))
            needed = _needed_before(layer, needed)
        # One generator on top of the other: each frame falls through all layers as soon as it can, and no layer holds
        # more than two. At 480x832 that is 0.45 GB in 16 bits at the most, however many frames there are.
        stream: _Frames = ((time, latents[:, :, time]) for time in sorted(needed))
        for layer, needed in reversed(plan):
            stream = _through(layer, stream, needed)
        for _, picture in stream:
            yield picture[0].clamp(0, 1)


class _SoftClamp(nn.Module):
    """Keeps latents within -3 to 3, bent and not cut."""

    def forward(self, latent: Tensor) -> Tensor:
        return torch.tanh(latent / 3) * 3


class _MemoryBlock(nn.Module):
    """A residual block on a frame and the one before it (zero, before the first)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            _conv(2 * width, width),
            nn.ReLU(inplace=True),
            _conv(width, width),
            nn.ReLU(inplace=True),
            _conv(width, width),
        )

    def forward(self, frame: Tensor, before: Tensor) -> Tensor:
        return functional.relu(self.conv(torch.cat([frame, before], dim=1)) + frame)


class _Grow(nn.Module):
    """One frame into `stride`: the first of them in the first channels of a 1x1 convolution."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(width, width * stride, 1, bias=False)

    def forward(self, frame: Tensor, which: int) -> Tensor:
        return functional.conv2d(frame, self.conv.weight.chunk(self.stride)[which])


def _conv(channels: int, width: int, *, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(channels, width, 3, padding=1, bias=bias)


def _needed_before(layer: nn.Module, needed: set[int]) -> set[int]:
    """Which frames must go into a layer for those to come out."""
    if isinstance(layer, _MemoryBlock):
        return needed | {time - 1 for time in needed if time}
    if isinstance(layer, _Grow):
        return {time // layer.stride for time in needed}
    return needed


def _through(layer: nn.Module, frames: _Frames, needed: set[int]) -> _Frames:
    """What comes out of a layer of the frames that go in, as far as it is needed."""
    if isinstance(layer, _MemoryBlock):
        return _remembering(layer, frames, needed)
    if isinstance(layer, _Grow):
        return _growing(layer, frames, needed)
    return ((time, layer(frame)) for time, frame in frames)


def _remembering(block: _MemoryBlock, frames: _Frames, needed: set[int]) -> _Frames:
    before: Tensor | None = None
    for time, frame in frames:
        if time in needed:
            # Of the frames that are needed the one before is there too, unless there is none.
            yield time, block(frame, torch.zeros_like(frame) if time == 0 or before is None else before)
        before = frame


def _growing(layer: _Grow, frames: _Frames, needed: set[int]) -> _Frames:
    for time, frame in frames:
        for which in range(layer.stride):
            if time * layer.stride + which in needed:
                yield time * layer.stride + which, layer(frame, which)


def _as_encoded(latents: Tensor) -> Tensor:
    """Normalised latents as Wan's encoder gives them, with the 16 means and deviations in diffusers."""
    from diffusers import AutoencoderKLWan

    known = inspect.signature(AutoencoderKLWan.__init__).parameters
    mean, deviation = (
        latents.new_tensor(known[name].default).view(1, -1, 1, 1, 1) for name in ("latents_mean", "latents_std")
    )
    return latents * deviation + mean
