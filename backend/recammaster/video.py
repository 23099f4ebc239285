"""Frames to latents and back, by Wan 2.1's VAE.

A latent frame is four frames of the video, except the first, which is one: 4k + 1 frames make k + 1 latent ones, each
an eighth as wide and as high, of 16 channels. diffusers' `AutoencoderKLWan` does the work, a chunk of one latent frame
after another. Here each chunk is brought to the device as it is needed and taken off as it is done, so that the video
itself is never there; each is counted; and a caller can end the work between two of them.

The VAE runs in float32, also on a GPU. The published code runs it in bfloat16, whose steps near white are half of
those of an 8-bit picture, and takes of 10 and 16 bits are made here; nor is it ever what needs most memory, but where
the network lies beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ..engines import EngineError

OnChunk: TypeAlias = Callable[[int, int], None]
"""Told how many chunks are done, and of how many. What it raises ends the work and goes through."""

SHRINKS = 8
"""Pixels along a side that become one."""

OVERLAP = 64
"""Pixels that neighbouring tiles share, and over which they are blended."""

_TILE = 256
_TILE_STEP = 16


def encode(vae: Any, video: Tensor, on_chunk: OnChunk | None = None) -> Tensor:
    """Latents of a video: the posterior's mean, normalised by Wan's means and deviations (published code).

    Args:
        vae: an `AutoencoderKLWan`, where and in the type that it is to run.
        video: (B, 3, F, H, W) in [-1, 1], on any device, of any type; F = 4k + 1, H and W multiples of 8.
        on_chunk: see :data:`OnChunk`.

    Returns:
        (B, 16, k + 1, H / 8, W / 8), float32, on the CPU.
    """
    _check_video(video)
    latent_frames = (video.shape[2] - 1) // 4 + 1
    tally = _Tally(on_chunk, latent_frames * _tiles(vae, video.shape[3], video.shape[4]))

    def bring(_: Any, chunks: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (chunks[0].to(vae.device, vae.dtype), *chunks[1:])

    before, after = vae.encoder.register_forward_pre_hook, vae.encoder.register_forward_hook
    with torch.no_grad(), _hooked(vae, before(bring), after(tally.count)):
        mean = vae.encode(video).latent_dist.mode()
    mean = mean.to("cpu", torch.float32)
    centre, spread = _statistics(vae)
    return (mean - centre) / spread


def decode(vae: Any, latents: Tensor, on_chunk: OnChunk | None = None) -> Tensor:
    """The video of normalised latents, the inverse of :func:`encode`.

    Args:
        vae: an `AutoencoderKLWan`, where and in the type that it is to run.
        latents: (B, 16, F, h, w), on any device, of any type.
        on_chunk: see :data:`OnChunk`.

    Returns:
        (B, 3, 4 (F - 1) + 1, 8 h, 8 w) in [-1, 1], float32, on the CPU.

    Raises:
        EngineError: the latents hold numbers that are none.
    """
    _check_latents(vae, latents)
    centre, spread = _statistics(vae)
    plain = latents.to("cpu", torch.float32) * spread + centre
    tally = _Tally(on_chunk, latents.shape[2] * _tiles(vae, latents.shape[3] * SHRINKS, latents.shape[4] * SHRINKS))

    def take(module: Any, chunks: tuple[Tensor, ...], pixels: Tensor) -> Tensor:
        pixels = pixels.to("cpu", torch.float32)
        tally.count(module, chunks, pixels)
        return pixels

    with torch.no_grad(), _hooked(vae, vae.decoder.register_forward_hook(take)):
        video: Tensor = vae.decode(plain.to(vae.device, vae.dtype), return_dict=False)[0]
    return video


def use_tiles(vae: Any, width: int, height: int) -> None:
    """Let a VAE work in tiles on a video of this size, pixels; on a small one it works as before.

    A tile is about 256 pixels wide and high, and they are all alike, up to rounding: diffusers' own start every 192
    pixels, so that the last is a sliver where a side is no multiple, with little in it to go by. At 832x480 these do
    1.3 times the work of one piece, diffusers' 1.65, the published ones 3.05 times.
    """
    strides = _stride(height), _stride(width)
    vae.enable_tiling(strides[0] + OVERLAP, strides[1] + OVERLAP, *strides)


def use_one_piece(vae: Any) -> None:
    """Let a VAE work on whole frames."""
    vae.disable_tiling()


def tile_size(width: int, height: int) -> tuple[int, int]:
    """Width and height, pixels, of the largest tile of :func:`use_tiles`."""
    return min(width, _stride(width) + OVERLAP), min(height, _stride(height) + OVERLAP)


# How


class _Tally:
    def __init__(self, on_chunk: OnChunk | None, total: int) -> None:
        self._on_chunk = on_chunk
        self._done, self._total = 0, total

    def count(self, *_: Any) -> None:
        """Count a chunk: a forward hook."""
        self._done += 1
        if self._on_chunk:
            self._on_chunk(self._done, self._total)


@contextmanager
def _hooked(vae: Any, *hooks: Any) -> Iterator[None]:
    try:
        yield
    finally:
        for each in hooks:
            each.remove()
        # What the chunks left for one another, several hundred megabytes: it stays where a chunk raises.
        vae.clear_cache()


def _stride(side: int) -> int:
    count = max(1, round(side / _TILE))
    return -(-side // (count * _TILE_STEP)) * _TILE_STEP


def _tiles(vae: Any, height: int, width: int) -> int:
    """How many times a VAE, as it is set, goes through a video of this size: as in diffusers' loops."""
    if not vae.use_tiling or not (height > vae.tile_sample_min_height or width > vae.tile_sample_min_width):
        return 1
    rows, columns = range(0, height, vae.tile_sample_stride_height), range(0, width, vae.tile_sample_stride_width)
    return len(rows) * len(columns)


def _statistics(vae: Any) -> tuple[Tensor, Tensor]:
    """Means and deviations of the latents' channels, to be broadcast over (B, C, F, h, w)."""
    means, deviations = (torch.tensor(each) for each in (vae.config.latents_mean, vae.config.latents_std))
    return means.view(1, -1, 1, 1, 1), deviations.view(1, -1, 1, 1, 1)


def _check_video(video: Tensor) -> None:
    if video.dim() != 5 or video.shape[1] != 3:
        raise ValueError(f"a video has the shape (B, 3, F, H, W), not {tuple(video.shape)}")
    frames, height, width = video.shape[2:]
    if frames % 4 != 1 or height % SHRINKS or width % SHRINKS:
        raise ValueError(
            f"found {frames} frames of {width}x{height}, expected 4k + 1 frames and sides that are multiples of 8"
        )


def _check_latents(vae: Any, latents: Tensor) -> None:
    channels = len(vae.config.latents_mean)
    if latents.dim() != 5 or latents.shape[1] != channels:
        raise ValueError(f"latents have the shape (B, {channels}, F, h, w), not {tuple(latents.shape)}")
    if not torch.isfinite(latents).all():
        raise EngineError(
            "The network gave numbers that are none (NaN or infinite), of which no picture can be made; try the "
            "device 'cpu', or another GPU or version of torch: this one computes the network wrongly."
        )
