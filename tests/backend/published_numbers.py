"""What the published code computes on small random weights: the truth that the engine is measured by.

See tests/data/README.md for what is stored. Where the whole fixtures lie beside the checkout, in
../shared/fixtures/recammaster, the VAE is tested on those too.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "data" / "published"
WHOLE = ROOT.parent / "shared" / "fixtures" / "recammaster"

TRANSFORMER = FOLDER / "transformer.safetensors"
CAMERAS = ROOT / "tests" / "data" / "camera_extrinsics.json"
PRESETS = ROOT / "tests" / "data" / "preset_cameras.npy"

VAES = [FOLDER, *([WHOLE] if WHOLE.is_dir() else [])]
"""Folders with a vae.safetensors and what it makes of a video: to parametrize by, see :func:`vae_expected`."""

_KEPT = (..., slice(None, None, 5), slice(None, None, 4))
_SEED = 13


@functools.cache
def settings() -> dict[str, Any]:
    """``steps``, ``guidance_scale`` and ``shift`` of the loop, and the sizes of the network in published words."""
    return json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))


def config() -> dict[str, Any]:
    """The network's sizes as WanTransformer3DModel's constructor takes them."""
    sizes = settings()["config"]
    return {
        "patch_size": tuple(sizes["patch_size"]),
        "num_attention_heads": sizes["heads"],
        "attention_head_dim": sizes["dim"] // sizes["heads"],
        "in_channels": sizes["in_dim"],
        "out_channels": sizes["out_dim"],
        "text_dim": sizes["text_dim"],
        "freq_dim": sizes["freq_dim"],
        "ffn_dim": sizes["ffn"],
        "num_layers": sizes["layers"],
        "eps": sizes["eps"],
    }


def given() -> dict[str, Tensor]:
    """What goes in: noise and source_latents (1, 16, 2, 60, 104), camera (1, 2, 12), prompt_embeds, timestep, ..."""
    stored = _stored()
    shape = (1, 16, stored["camera"].shape[1], 60, 104)
    draw = torch.Generator().manual_seed(_SEED)
    drawn = {name: torch.randn(shape, generator=draw) for name in ("noise", "source_latents")}
    for name, values in drawn.items():
        if not torch.allclose(values[_KEPT], stored[name], atol=1e-5):
            pytest.skip("this torch draws other random numbers than the one that the fixtures were made with")
    return {name: values.clone() for name, values in stored.items() if name not in ("forward", "sampled")} | drawn


def error(name: str, values: Tensor) -> float:
    """How far ``forward`` or ``sampled`` (1, 16, 2, 60, 104) is from the published one: relative L2."""
    return relative(values[_KEPT], _stored()[name])


def relative(values: Tensor, expected: Tensor) -> float:
    """The relative L2 distance of two tensors, in float64; infinite where their shapes differ."""
    if values.shape != expected.shape:
        return float("inf")
    wanted = expected.detach().double()
    return float((values.detach().double() - wanted).norm() / wanted.norm())


def vae_expected(folder: Path) -> dict[str, Tensor]:
    """``video`` (1, 3, 9, h, w) in [-1, 1], its ``latents``, normalised, and what they are ``decoded`` to.

    Decoded as the network gives it: values go beyond [-1, 1], and are not clamped.
    """
    return load_file(folder / "vae_expected.safetensors")


@functools.cache
def _stored() -> dict[str, Tensor]:
    return load_file(FOLDER / "expected.safetensors")
