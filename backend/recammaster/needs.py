"""How much memory the network and the VAE need, by their sizes and the video's.

Bytes, at the moment when most of them are held. What is held then was found by benchmarks/live_storage.py, which runs
the real code at true size on tensors without content and counts; a test holds the formulas here against it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from . import video

FFN_TOKENS = 8192
"""Tokens that a feed-forward layer takes at once in the plans that save memory: a GPU is busy with fewer."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What of the networks' sizes decides how much they need. The defaults are those of the published weights.

    Attributes:
        width, heads, ffn, layers, text, freq: of the transformer.
        vae_width: base channels of the VAE.
        element: bytes of a number that the transformer computes with.
    """

    width: int = 1536
    heads: int = 12
    ffn: int = 8960
    layers: int = 30
    text: int = 4096
    freq: int = 256
    vae_width: int = 96
    element: int = 2

    @classmethod
    def of(cls, config: Mapping[str, Any], dtype: torch.dtype, vae_width: int = 96) -> Sizes:
        """From what `WanTransformer3DModel` is made with, and the type that it computes in."""
        return cls(
            width=config["num_attention_heads"] * config["attention_head_dim"],
            heads=config["num_attention_heads"],
            ffn=config["ffn_dim"],
            layers=config["num_layers"],
            text=config["text_dim"],
            freq=config["freq_dim"],
            vae_width=vae_width,
            element=dtype.itemsize,
        )


@dataclass(frozen=True, kw_only=True)
class Work:
    """What there is to do, as far as memory goes.

    Attributes:
        frames, width, height: of the network's video, pixels.
        sizes: of the networks.
        cached: whether work is left out from step to step (see acceleration.py): what is kept for that needs room.
        kind: of the device: ``cuda``, ``mps``, ``cpu``.
    """

    frames: int
    width: int
    height: int
    sizes: Sizes = Sizes()
    cached: bool = False
    kind: str = "cuda"

    @property
    def tokens(self) -> int:
        """Of the target and the source together."""
        return 2 * ((self.frames - 1) // 4 + 1) * (self.height // 16) * (self.width // 16)


def needed(name: str, work: Work) -> int:
    """Bytes that a plan needs on the device at once, at most."""
    if work.kind != "cuda" and name == "streamed":
        name = "tiled"  # as there is nowhere else to stream from
    weights, vae_weights = _network_weights(name, work.sizes), _vae_weights(work.sizes)
    network = weights + _activations(name, work) + _beside(work)
    footage = vae_weights + _vae_activations(name, work)
    if work.kind == "cuda":
        return int(max(network, footage))
    # The device's memory is the machine's: the VAE waits in the same while the network runs, and the frames lie there.
    return int(max(network + vae_weights, footage) + _frames(work))


def _network_weights(name: str, sizes: Sizes) -> float:
    block, rest = _parameters(sizes)
    if name == "streamed":
        return (2 * block + rest) * sizes.element  # the one that computes, and the next
    if name == "fp8":
        matrices = 9 * sizes.width**2 + 2 * sizes.width * sizes.ffn
        return sizes.layers * (matrices + (block - matrices) * sizes.element) + rest * sizes.element
    return (sizes.layers * block + rest) * sizes.element


def _parameters(sizes: Sizes) -> tuple[int, int]:
    """Of a block, and of all that is around the blocks."""
    d = sizes.width
    attention = 4 * (d * d + d) + 2 * d
    camera = 12 * d + d + d * d + d
    ffn = 2 * d * sizes.ffn + sizes.ffn + d
    block = 2 * attention + camera + ffn + 2 * d + 6 * d
    patch = _CHANNELS * 4
    time = sizes.freq * d + d + d * d + d + 6 * (d * d + d)
    text = sizes.text * d + d + d * d + d
    return block, patch * d + d + time + text + d * patch + patch + 2 * d


_CHANNELS = 16

# Bytes per token and channel of the width where a block's feed-forward result is added (what is added is float32), or
# where queries are turned (so are the products); by the bytes of the network's own type.
_PER_CHANNEL = {2: 24, 4: 34}


def _activations(name: str, work: Work) -> float:
    sizes, tokens = work.sizes, work.tokens
    stream = tokens * sizes.width * sizes.element
    hidden = (tokens if name == "resident" else min(tokens, FFN_TOKENS)) * sizes.ffn * sizes.element
    in_ffn = 4 * stream + 2 * hidden  # before and after the GELU
    if name != "resident":
        in_ffn += stream  # the result, piece by piece
    rotary = 2 * tokens * (sizes.width // sizes.heads) * 4
    # FBCache keeps three for each of the two passes, and holds two more of the one under way. SeaCache keeps no more.
    kept = 8 * stream if work.cached else 0
    return max(in_ffn, tokens * sizes.width * _PER_CHANNEL[sizes.element]) + rotary + kept


def _beside(work: Work) -> float:
    """Latents of all sorts, and two prompts."""
    latents = _CHANNELS * (work.tokens // 2) * 4
    return latents * (4 + 8 * work.sizes.element) + 2 * 512 * work.sizes.text * work.sizes.element


_VAE_PARAMETERS = 126_892_531
_VAE_BYTES_PER_PIXEL = 19_500
"""While decoding, of the frame or tile; 14,200 while encoding."""


def _vae_weights(sizes: Sizes) -> float:
    return _VAE_PARAMETERS * 4 * (sizes.vae_width / 96) ** 2


def _vae_activations(name: str, work: Work) -> float:
    shape = (work.width, work.height)
    pixels = math.prod(shape if name == "resident" else video.tile_size(*shape))
    return pixels * _VAE_BYTES_PER_PIXEL * work.sizes.vae_width / 96


def _frames(work: Work) -> int:
    """The video in float32, and once more while it is put together."""
    return 2 * work.frames * work.width * work.height * 3 * 4
