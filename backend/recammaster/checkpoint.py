"""The weights, from every format that they are published in.

    the network         step20000.ckpt; safetensors under the published names, with or without a prefix; the folder that
                        `python -m backend convert` or save_pretrained writes
    the VAE             Wan2.1_VAE.pth; safetensors under the same names; a diffusers folder
    the text encoder    models_t5_umt5-xxl-enc-bf16.pth; safetensors under the same names, or under those of
                        transformers, as ComfyUI has them, in sixteen or eight bits; a transformers folder
    the tokenizer       see :func:`load_tokenizer`

Each may be in float32, float16, bfloat16 or eight bits. No Python code runs out of a file: pickles are opened with
``weights_only``. What a file is, is told by what is in it (:mod:`.identify`).
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKLWan

from . import identify, names
from .headers import Entry
from .identify import CheckpointError, Kind, side
from .names import from_published, to_published
from .tensors import Rename, expect, fill, main_type
from .tokenizer import load_tokenizer
from .transformer import ReCamMasterTransformer3DModel

if TYPE_CHECKING:
    from transformers import UMT5EncoderModel

__all__ = [
    "WAN_1_3B",
    "CheckpointError",
    "config_of",
    "from_published",
    "load_text_encoder",
    "load_tokenizer",
    "load_transformer",
    "load_vae",
    "to_published",
]

WAN_1_3B: dict[str, Any] = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 12,
    "attention_head_dim": 128,
    "in_channels": 16,
    "out_channels": 16,
    "text_dim": 4096,
    "freq_dim": 256,
    "ffn_dim": 8960,
    "num_layers": 30,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
    "eps": 1e-6,
    "image_dim": None,
    "added_kv_proj_dim": None,
    "rope_max_seq_len": 1024,
    "pos_embed_seq_len": None,
}
"""The sizes of the released weights, as WanTransformer3DModel's constructor takes them."""

_VAE = {name: each.default for name, each in inspect.signature(AutoencoderKLWan).parameters.items()}
_LARGEST = 65536  # of any size that a config.json may state
_HEAD = 128  # the width of a head in every network of Wan's


def load_transformer(
    path: Path | str, config: Mapping[str, Any] | None = None, dtype: torch.dtype | None = None
) -> ReCamMasterTransformer3DModel:
    """ReCamMaster's network.

    Args:
        path: a file, a diffusers folder, or a folder with a folder ``transformer`` in it.
        config: the arguments of WanTransformer3DModel's constructor. None: what the diffusers folder says. For a file,
            :data:`WAN_1_3B` where its width is 1536, as that of the released weights is. A file of another width is
            measured by its tensors' shapes, which do not tell how many heads there are: that is taken from its
            metadata (``config``, a JSON object) or from a config.json beside it (``num_attention_heads``, or
            ``num_heads`` as Wan's own), where this gives heads that the width is a multiple of; else the heads are
            128 wide, as Wan's are.
        dtype: float32, bfloat16 or float16. None: the type that most of it is stored in. What
            diffusers keeps in float32 for exactness (the embedding of the noise level, modulations, norms) is float32
            in any case.

    Returns:
        The network on the CPU, in eval mode. What is stored in its final type stays on the disk until it is used.

    Raises:
        CheckpointError: there is something else, or not all of it.
    """
    path, kind = expect(Path(path), identify.TRANSFORMER)
    sizes = dict(config) if config is not None else _transformer_config(path, kind)
    blocks, expected = identify.blocks_of(kind), sizes.get("num_layers", 40)
    if blocks != expected:
        raise CheckpointError(
            f"{str(path)!r} is not whole, or another network: it has {blocks} blocks, and {expected} were expected. "
            f"Get {identify.WHERE[identify.TRANSFORMER]}."
        )
    with _told(path), init_empty_weights(include_buffers=False):
        model = ReCamMasterTransformer3DModel(**sizes)
    kept = model._keep_in_fp32_modules
    main = dtype or main_type(kind)

    def dtype_of(name: str) -> torch.dtype:
        return torch.float32 if any(each in name.split(".") for each in kept) else main

    return fill(model, path, kind, from_published if kind.naming == "published" else dict, dtype_of)


def config_of(path: Path | str) -> dict[str, Any]:
    """The sizes of a network as :func:`load_transformer` takes them, without its weights. Raises CheckpointError."""
    return dict(_transformer_config(*expect(Path(path), identify.TRANSFORMER)))


def load_vae(path: Path | str, dtype: torch.dtype | None = None) -> AutoencoderKLWan:
    """Wan 2.1's VAE, on the CPU, in eval mode.

    Args:
        path: a file, a diffusers folder, or a folder with a folder ``vae`` in it.
        dtype: None: the type that most of it is stored in.

    Raises:
        CheckpointError: there is something else, or not all of it.
    """
    path, kind = expect(Path(path), identify.VAE)
    published = kind.naming == "published"
    said = {} if kind.header is None else kind.header.config
    with _told(path), init_empty_weights(include_buffers=False):
        if said.get("_class_name") == "AutoencoderKLWan" and not published:
            model = AutoencoderKLWan(**_sizes(path, said, _VAE))
        else:
            width = side(kind.tensors, "encoder.conv1.weight" if published else "encoder.conv_in.weight", 0)
            model = AutoencoderKLWan(base_dim=width, z_dim=16)
    main = dtype or main_type(kind)
    return fill(model, path, kind, names.from_published_vae if published else dict, lambda _name: main)


def load_text_encoder(path: Path | str, dtype: torch.dtype | None = None) -> UMT5EncoderModel:
    """UMT5's encoder, on the CPU, in eval mode.

    Args:
        path: a file, a transformers folder, or a folder with a folder ``text_encoder`` in it.
        dtype: of the weights. None: the type that most of it is stored in. Linear layers that are stored in eight bits
            stay so in any case, and compute in the type of what they are given (:mod:`.eight_bits`): the file of 6.7
            GB takes as much in memory, and not 11.4.

    Raises:
        CheckpointError: there is something else, or not all of it.
    """
    from transformers import UMT5Config, UMT5EncoderModel

    path, kind = expect(Path(path), identify.TEXT_ENCODER)
    rename = names.from_wan_text_encoder if kind.naming == "wan" else names.from_transformers
    with init_empty_weights(include_buffers=False):
        model = UMT5EncoderModel(UMT5Config(**_text_config(kind, rename)))
    # Both names of one table; a second tensor would be a second copy of 2 GB on whatever device they go to.
    del model.encoder.embed_tokens
    main = dtype or main_type(kind)
    fill(model, path, kind, rename, lambda _name: main, keep_eight_bits=True)
    model.encoder.embed_tokens = model.shared
    return model


# Sizes


def _transformer_config(path: Path, kind: Kind) -> dict[str, Any]:
    shapes = _our_names(kind)
    width = side(shapes, "blocks.0.attn1.to_q.weight", 0)
    for said in _configs(kind):
        if width and _number(said, "num_attention_heads") * _number(said, "attention_head_dim") == width:
            return WAN_1_3B | _sizes(path, said, WAN_1_3B)
    if width == WAN_1_3B["num_attention_heads"] * WAN_1_3B["attention_head_dim"]:
        return WAN_1_3B
    heads = next((each for each in map(_heads, _configs(kind)) if each and width % each == 0), width / _HEAD)
    if heads != int(heads) or not heads:
        raise CheckpointError(
            f"{str(path)!r} is a network of width {width} and does not say how many heads it has: put a config.json "
            'beside it, like {"num_attention_heads": 2}.'
        )
    return (
        WAN_1_3B
        | _measured(shapes)
        | {
            "num_attention_heads": int(heads),
            "attention_head_dim": width // int(heads),
            "num_layers": identify.blocks_of(kind),
        }
    )


def _sizes(path: Path, said: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of the arguments that are known, with examples. Raises CheckpointError where it is not like them."""
    found = {name: said[name] for name in known if name in said}
    for name, value in found.items():
        if not _is_like(value, known[name]):
            raise CheckpointError(
                f"{str(path)!r} cannot be loaded: its config.json, or what its metadata has as config, says "
                f"{str(value)[:60]!r} of {name!r}, where something like {known[name]!r} was expected; get it anew."
            )
    return found


def _is_like(value: Any, example: Any) -> bool:
    if isinstance(example, list | tuple):
        whole = len(value) == len(example) or not example if isinstance(value, list | tuple) else False
        return whole and all(_is_like(each, example[0] if example else 1.0) for each in value)
    if isinstance(example, bool | str):
        return type(value) is type(example)
    if isinstance(example, float):
        return type(value) in (int, float) and abs(value) < math.inf
    # None stands for a size too, one that need not be given.
    return (type(value) is int and 0 < value <= _LARGEST) or (value is None and example is None)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Says in words what a model's constructor has against the sizes that a config.json states."""
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:  # sizes that contradict one another make it raise anything
        raise CheckpointError(
            f"{str(path)!r} cannot be loaded: the sizes in its config.json make no such network or VAE "
            f"({(str(error).strip().splitlines() or [type(error).__name__])[0][:200]}); get it anew."
        ) from error


def _our_names(kind: Kind) -> dict[str, Entry]:
    return from_published(kind.tensors) if kind.naming == "published" else kind.tensors


def _configs(kind: Kind) -> list[Mapping[str, Any]]:
    """What is said of a network's sizes: in the file, then beside it."""
    assert kind.header is not None
    try:
        within = json.loads(kind.header.metadata.get("config", "{}"))
    except (ValueError, RecursionError):
        within = {}
    return [each for each in (within, kind.header.config) if isinstance(each, dict)]


def _heads(said: Mapping[str, Any]) -> int:
    return _number(said, "num_attention_heads") or _number(said, "num_heads")


def _number(said: Mapping[str, Any], name: str) -> int:
    found = said.get(name)
    return found if isinstance(found, int) and found > 0 else 0


def _measured(shapes: Mapping[str, Entry]) -> dict[str, Any]:
    """What the shapes of a network's tensors, under our names, tell of its sizes."""
    patch = shapes["patch_embedding.weight"].shape[2:] if "patch_embedding.weight" in shapes else ()
    return {
        "patch_size": patch,
        "in_channels": side(shapes, "patch_embedding.weight", 1),
        "out_channels": side(shapes, "proj_out.weight", 0) // max(1, math.prod(patch)),
        "text_dim": side(shapes, "condition_embedder.text_embedder.linear_1.weight", 1),
        "freq_dim": side(shapes, "condition_embedder.time_embedder.linear_1.weight", 1),
        "ffn_dim": side(shapes, "blocks.0.ffn.net.0.proj.weight", 0),
    }


def _text_config(kind: Kind, rename: Rename) -> dict[str, Any]:
    """UMT5's sizes, as UMT5Config takes them."""
    shapes = rename(kind.tensors)
    block = "encoder.block.0.layer."
    heads = side(shapes, f"{block}0.SelfAttention.relative_attention_bias.weight", 1)
    return {
        "vocab_size": side(shapes, "shared.weight", 0),
        "d_model": side(shapes, "shared.weight", 1),
        "d_kv": side(shapes, f"{block}0.SelfAttention.q.weight", 0) // max(1, heads),
        "d_ff": side(shapes, f"{block}1.DenseReluDense.wi_0.weight", 0),
        "num_heads": heads,
        "num_layers": identify.blocks_of(kind),
        "relative_attention_num_buckets": side(shapes, f"{block}0.SelfAttention.relative_attention_bias.weight", 0),
    }
