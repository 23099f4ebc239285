"""What makes the network faster: work left out, compilation, weights distilled to a few steps. All is diffusers' own.

In this order, where several are wanted: :func:`load_lora`, :func:`use_compile`, then where the weights are put
(:mod:`.memory`), then :func:`use_cache`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from diffusers import FirstBlockCacheConfig, SeaCacheConfig, WanPipeline
from diffusers.hooks.first_block_cache import _FBC_LEADER_BLOCK_HOOK, FBCHeadBlockHook
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..engines import EngineError

# Thresholds of relative change. Neither was judged on ReCamMaster's weights.
# On Wan, 0.05 is reported never to skip and 0.1 to halve the time (mold#939); 0.12 is xDiT's for FLUX.2, and of
# 0.08, 0.1, 0.12 and 0.15 the least that left out a quarter of 25 steps in test_recammaster_accelerations.py.
FIRST_BLOCK_THRESHOLD = 0.12
# diffusers' own default.
SEA_THRESHOLD = 0.25

FEWEST_CACHED_STEPS = 12
"""With fewer steps no two are alike enough to leave one out."""

# Wan 2.1 1.3B came out as noise where a cache was free to skip from the start and without an end (mold#1559); motion
# suffers where early steps are skipped (ComfyUI-KJNodes#210).
_RETAINED = 0.2  # the share of the steps, from the first on, that are made in full
_MOST_SKIPPED = 2  # in a row

LORA_STRENGTH = 1.0
_ADAPTER = "lora"
_KEY = "diffusion_model.blocks.0.self_attn.q.lora_down.weight"


def load_lora(transformer: Any, path: str | Path, strength: float = LORA_STRENGTH) -> None:
    """Add a LoRA made for Wan 2.1 1.3B to the weights, for good; the cameras' layers stay as they are.

    Args:
        transformer: the network as it was loaded, on the CPU, in the type that it will run in.
        path: a .safetensors file with the names of ComfyUI (``diffusion_model.blocks.0.self_attn.q.lora_down.weight``
            or ``.lora_A.``, with or without that prefix), of musubi-tuner (``lora_unet_...``) or of diffusers.
        strength: what its product is multiplied with.

    Raises:
        EngineError: the file cannot be read, is no LoRA, is for another network, or has numbers that are not finite.
    """
    name = Path(path).name
    state = _in_diffusers_names(_read(path, name), name)
    _check_fits(transformer, state, name)
    transformer.load_lora_adapter(state, adapter_name=_ADAPTER)
    # Into the weights, so that nothing else needs to know: offloading, eight bits and compilation see plain layers.
    transformer.fuse_lora(lora_scale=strength)
    transformer.unload_lora()


def use_compile(transformer: Any, backend: str = "inductor") -> None:
    """Compile the blocks: one graph for all of them, made in the first step.

    Raises ValueError where something is hooked to the blocks already (a cache, offloading): hooks go around what is
    compiled. Weights in eight bits are hooked to what is inside, and cannot be compiled.
    """
    for module in transformer.blocks.modules():
        hooked = getattr(module, "_diffusers_hook", None)
        if (hooked and hooked.hooks) or hasattr(module.forward, "_torchdynamo_orig_callable"):
            raise ValueError("the blocks are compiled or hooked already; compile them first")
    for block in transformer.blocks:
        block.forward = torch.compile(block.forward, backend=backend, fullgraph=True)


def use_cache(transformer: Any, name: str, steps: int, *, threshold: float | None = None) -> bool:
    """Leave out the blocks of steps that change little; in place of what was used before.

    Args:
        transformer: the network, wherever and however it is.
        name: ``none``, ``first-block`` (FBCache: the change of the first block's output decides) or ``sea`` (SeaCache,
            arXiv 2602.18993: the change of the latents, filtered to what is not noise).
        steps: how many there will be. The first fifth and the last one are always made in full.
        threshold: the relative change up to which a step is left out; None: the one that is shipped.

    Returns:
        Whether anything can be left out: nothing is where there are fewer steps than :data:`FEWEST_CACHED_STEPS`.
    """
    if transformer.is_cache_enabled:
        transformer.disable_cache()
    if name == "none" or steps < FEWEST_CACHED_STEPS:
        return False
    retained = math.ceil(_RETAINED * steps)
    _CACHES[name](transformer, retained, threshold)
    return True


def _use_first_block(transformer: Any, retained: int, threshold: float | None) -> None:
    value = FIRST_BLOCK_THRESHOLD if threshold is None else threshold
    transformer.enable_cache(FirstBlockCacheConfig(threshold=value))
    head = transformer.blocks[0]._diffusers_hook.get_hook(_FBC_LEADER_BLOCK_HOOK)
    # The class and not the hook is exchanged, as diffusers has made the hook known to its blocks.
    head.__class__ = _CarefulHead
    head.retained = retained
    head.skipped = {}


def _use_sea(transformer: Any, retained: int, threshold: float | None) -> None:
    transformer.enable_cache(
        SeaCacheConfig(
            threshold=SEA_THRESHOLD if threshold is None else threshold,
            retention_steps=retained,
            max_consecutive_cached=_MOST_SKIPPED,
        )
    )


_CACHES = {"first-block": _use_first_block, "sea": _use_sea}


class _CarefulHead(FBCHeadBlockHook):
    """FBCache that makes the first steps and the last one in full, and never skips for long: SeaCache's rules."""

    retained: int
    skipped: dict[str, int]

    @torch.compiler.disable
    def _should_compute_remaining_blocks(self, hidden_states_residual: Tensor) -> bool:
        context = self.state_manager.context
        compute = (
            context.step_index < self.retained
            or context.step_index == context.num_inference_steps - 1
            or self.skipped.get(context.name, 0) >= _MOST_SKIPPED
            or super()._should_compute_remaining_blocks(hidden_states_residual)
        )
        self.skipped[context.name] = 0 if compute else self.skipped.get(context.name, 0) + 1
        return compute


def _read(path: str | Path, name: str) -> dict[str, Tensor]:
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise EngineError(
            f"{name} cannot be read ({error}); expected a LoRA for Wan 2.1 1.3B as a .safetensors file.", "models"
        ) from None
    for key, values in state.items():
        # In float32, as there is no isfinite for eight bits.
        if not values.float().isfinite().all():
            raise EngineError(f"{name} is damaged: in {key!r} are numbers that are not finite; get it anew.", "models")
    return state


def _in_diffusers_names(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    bare = any(key.startswith("blocks.") for key in state)
    prefix = "diffusion_model." if bare else ""
    try:
        found: dict[str, Tensor] = WanPipeline.lora_state_dict({prefix + key: each for key, each in state.items()})
    except (AttributeError, KeyError, ValueError):
        found = {}
    if not found or not all(key.startswith("transformer.") and ".lora_" in key for key in found):
        raise EngineError(
            f"{name} is no LoRA for Wan 2.1: found {_some(state)}, expected layers like {_KEY!r}.", "models"
        )
    return found


def _check_fits(transformer: Any, state: dict[str, Tensor], name: str) -> None:
    """Of what does not fit, diffusers would leave out some without a word."""
    layers = dict(transformer.named_modules())
    for key, values in state.items():
        layer_name, _, part = key.removeprefix("transformer.").partition(".lora_")
        layer = layers.get(layer_name)
        if not isinstance(layer, nn.Linear):
            raise EngineError(
                f"{name} is for another network: found a layer {layer_name!r}, which Wan 2.1 1.3B has not.",
                "models",
            )
        expected = layer.in_features if part.startswith("A") else layer.out_features
        if (width := values.shape[1] if part.startswith("A") else values.shape[0]) != expected:
            raise EngineError(
                f"{name} is for another network: found {width} channels at {layer_name!r}, expected {expected}; "
                "get the one for Wan 2.1 1.3B.",
                "models",
            )


def _some(state: dict[str, Tensor]) -> str:
    return f"{len(state)} tensors like {next(iter(state))!r}" if state else "no tensors"
