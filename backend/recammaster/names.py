"""What the tensors of each published format are called here.

The network and the VAE are held under diffusers' names, the text encoder under those of transformers. Names that a
format does not have pass through as they are, so that whoever loads can say which they were.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")

# The network: the published code's modules (diffsynth/models/wan_video_dit.py) and what they are here.

_TOP = {
    "patch_embedding": "patch_embedding",
    "text_embedding.0": "condition_embedder.text_embedder.linear_1",
    "text_embedding.2": "condition_embedder.text_embedder.linear_2",
    "time_embedding.0": "condition_embedder.time_embedder.linear_1",
    "time_embedding.2": "condition_embedder.time_embedder.linear_2",
    "time_projection.1": "condition_embedder.time_proj",
    "head.head": "proj_out",
}
_ATTENTION = {"q": "to_q", "k": "to_k", "v": "to_v", "o": "to_out.0"}
_BLOCK = {
    **{f"self_attn.{old}": f"attn1.{new}" for old, new in _ATTENTION.items()},
    **{f"cross_attn.{old}": f"attn2.{new}" for old, new in _ATTENTION.items()},
    "norm3": "norm2",
    "ffn.0": "ffn.net.0.proj",
    "ffn.2": "ffn.net.2",
    "cam_encoder": "attn1.cam_encoder",
    "projector": "attn1.projector",
}
_NORMS = {
    f"{old}.{norm}": f"{new}.{norm}"
    for old, new in {"self_attn": "attn1", "cross_attn": "attn2"}.items()
    for norm in ("norm_q", "norm_k")
}
_TABLE = "scale_shift_table"


def _both(modules: Mapping[str, str]) -> dict[str, str]:
    return {f"{old}.{part}": f"{new}.{part}" for old, new in modules.items() for part in ("weight", "bias")}


_TOP_NAMES = _both(_TOP) | {"head.modulation": _TABLE}
_BLOCK_NAMES = (
    _both(_BLOCK) | {f"{old}.weight": f"{new}.weight" for old, new in _NORMS.items()} | {"modulation": _TABLE}
)
_TOP_BACK = {new: old for old, new in _TOP_NAMES.items()}
_BLOCK_BACK = {new: old for old, new in _BLOCK_NAMES.items()}


def from_published(state: Mapping[str, T]) -> dict[str, T]:
    """The network's tensors (or whatever goes by their names) from published names to ours."""
    return {_rename(name, _TOP_NAMES, _BLOCK_NAMES): value for name, value in state.items()}


def to_published(state: Mapping[str, T]) -> dict[str, T]:
    """The way back: what :func:`from_published` gives, under the published names again."""
    return {_rename(name, _TOP_BACK, _BLOCK_BACK): value for name, value in state.items()}


def published(layers: int) -> list[str]:
    """Every name of a published network of so many blocks; 945 of 30."""
    return [*_TOP_NAMES, *(f"blocks.{index}.{name}" for index in range(layers) for name in _BLOCK_NAMES)]


def _rename(name: str, top: Mapping[str, str], block: Mapping[str, str]) -> str:
    if match := re.fullmatch(r"(blocks\.\d+\.)(.+)", name):
        return match[1] + block.get(match[2], match[2])
    return top.get(name, name)


# The VAE


def from_published_vae(state: Mapping[str, T]) -> dict[str, T]:
    """The VAE's tensors from the names of Wan2.1_VAE.pth to diffusers'."""
    from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers

    return convert_wan_vae_to_diffusers(dict(state))


# The text encoder: Wan 2.1's own modules (wan/modules/t5.py) and what transformers calls them.

_TEXT_TOP = {
    "token_embedding.weight": "shared.weight",
    "norm.weight": "encoder.final_layer_norm.weight",
}
_TEXT_BLOCK = {
    **{f"attn.{each}": f"layer.0.SelfAttention.{each}" for each in "qkvo"},
    "pos_embedding.embedding": "layer.0.SelfAttention.relative_attention_bias",
    "norm1": "layer.0.layer_norm",
    "ffn.gate.0": "layer.1.DenseReluDense.wi_0",
    "ffn.fc1": "layer.1.DenseReluDense.wi_1",
    "ffn.fc2": "layer.1.DenseReluDense.wo",
    "norm2": "layer.1.layer_norm",
}


def from_wan_text_encoder(state: Mapping[str, T]) -> dict[str, T]:
    """UMT5's tensors from the names of models_t5_umt5-xxl-enc-bf16.pth to those of transformers."""
    return {_rename_text(name): value for name, value in state.items()}


def _rename_text(name: str) -> str:
    # What comes last is weight, or the scale that an eight-bit weight has.
    if match := re.fullmatch(r"blocks\.(\d+)\.(.+)\.(\w+)", name):
        module = _TEXT_BLOCK.get(match[2])
        return name if module is None else f"encoder.block.{match[1]}.{module}.{match[3]}"
    return _TEXT_TOP.get(name, name)


def from_transformers(state: Mapping[str, T]) -> dict[str, T]:
    """UMT5's tensors as transformers and ComfyUI name them: the encoder's, and the table of tokens by one name."""
    found = {name: value for name, value in state.items() if not name.startswith(("decoder.", "lm_head."))}
    table = found.pop("encoder.embed_tokens.weight", None)
    return found if table is None else {"shared.weight": table, **found}
