"""Where weights lie while the network runs, and how much memory that takes.

The VAE and the network take turns on the device: footage to latents, then :func:`lent` has the VAE off again before
:func:`place` puts the network there, and :func:`release` takes that off before the take's latents become frames. A plan
says how much of each is there at once:

* ``resident``: all of the network; the VAE on whole frames. As published, and as fast as it gets.
* ``tiled``: all of the network, its feed-forward layers on one piece of the tokens after another; the VAE in tiles.
  The plan for 8 GB. Equal to rounding, but where tiles of the VAE overlap.
* ``streamed``: likewise, and the network's blocks come from main memory as they are needed, while the one before
  computes. Needs least of the device, and the weights, or 2.5 times as much, of main memory.
* ``fp8``: likewise, but the blocks stay, stored in 8 bits. Not equal: each weight keeps four significant bits.

The first that fits is taken. Only one asked for by name stores weights in 8 bits on a GPU with memory of its own, as
``streamed`` fits wherever that would. On a CPU there is nowhere to stream from, so there it comes last.

How much a plan needs is told by :mod:`.needs`.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.hooks import HookRegistry
from diffusers.hooks.group_offloading import (
    _GROUP_OFFLOADING,
    _LAYER_EXECUTION_TRACKER,
    _LAZY_PREFETCH_GROUP_OFFLOADING,
)
from diffusers.models.attention import FeedForward
from torch import Tensor

from ..engines import EngineError
from . import needs, video
from .device import free_ram
from .needs import Sizes, Work, needed

MARGIN = {"cuda": 0.6e9, "mps": 1.0e9, "cpu": 1.0e9}
"""Bytes to be left free by kind of device: workspaces of cuDNN and cuBLAS, gaps between storages; where the memory is
the whole machine's, what else runs there. An estimate: no GPU was at hand."""

_PREFERRED = {
    "cuda": ("resident", "tiled", "streamed"),
    "mps": ("resident", "tiled"),
    "cpu": ("resident", "tiled", "fp8"),
}
"""By kind of device, what to take, the first that fits."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How memory is used; see the module.

    Attributes:
        name: one of :data:`backend.contract.PLANS`, and not ``auto``.
        work: what it is for.
        free: bytes that were free on the device when it was chosen.
    """

    name: str
    work: Work
    free: int

    @property
    def needs(self) -> int:
        """Bytes on the device, at most, without the margin."""
        return needed(self.name, self.work)

    @property
    def fits(self) -> bool:
        """Whether as much is free, the margin included."""
        return _fits(self.name, self.work, self.free)

    @property
    def compiles(self) -> bool:
        """Whether blocks can be compiled under it: torch cannot follow a weight that changes its type."""
        return self.name != "fp8"

    def sentence(self, device_name: str) -> str:
        """What is told to the user."""
        needs = f"needs about {_gb(self.needs)}"
        if not self.fits:
            needs += " and may not fit"
        if self.name == "fp8":
            needs += "; its weights are rounded to 8 bits"
        return f"Plan {self.name}: of {device_name}'s memory {_gb(self.free)} are free, and it {needs}."


def choose_plan(
    free_bytes: int,
    frames: int,
    width: int,
    height: int,
    wanted: str = "auto",
    *,
    device: str | torch.device = "cuda",
    device_name: str = "the device",
    sizes: Sizes | None = None,
    cached: bool = False,
) -> Plan:
    """The plan to begin with.

    Args:
        free_bytes: of the device's memory, before anything was put there.
        frames: of the network's video.
        width: of it, pixels.
        height: of it, pixels.
        wanted: one of :data:`backend.contract.PLANS`. One that is named is taken, also where it seems not to fit.
        device: that it is for; what is free on a GPU, and on ``cpu``, is counted by other rules.
        device_name: for the message.
        sizes: of the networks; None: the published ones, in bfloat16.
        cached: see :class:`Work`.

    Raises:
        EngineError: nothing fits (``memory``), or the device cannot do what is wanted (``engine``).
    """
    kind = torch.device(device).type
    work = Work(frames=frames, width=width, height=height, sizes=sizes or Sizes(), cached=cached, kind=kind)
    if wanted == "fp8" and kind == "mps":
        raise EngineError(
            "The plan fp8 needs 8-bit numbers, and Apple's GPUs have none: choose auto, resident or tiled."
        )
    if wanted != "auto":
        return Plan(name=wanted, work=work, free=free_bytes)
    for name in _PREFERRED[kind]:
        if _fits(name, work, free_bytes):
            return Plan(name=name, work=work, free=free_bytes)
    raise does_not_fit(work, free_bytes, device_name)


def leaner(plan: Plan) -> Plan | None:
    """What to try once where a plan ran out of memory after all: the next that needs less, if there is one."""
    names = _PREFERRED[plan.work.kind]
    less = [each for each in names if needed(each, plan.work) < plan.needs]
    return dataclasses.replace(plan, name=less[0]) if less else None


def does_not_fit(work: Work, free: int, device_name: str) -> EngineError:
    """The error, to be raised, for work that fits in no way. It says what would."""
    least = _leanest(work)
    return EngineError(
        f"{work.frames} frames of {work.width}x{work.height} need {_gb(needed(least, work) + MARGIN[work.kind])} of "
        f"memory in the leanest way (plan {least}), and {device_name} has {_gb(free)} free: "
        f"{_what_would_fit(work, free - MARGIN[work.kind])}.",
        "memory",
    )


def ran_out(plan: Plan, device_name: str) -> EngineError:
    """The error, to be raised, for a plan that ran out of memory where there is no leaner one, or that did so too."""
    work = plan.work
    return EngineError(
        f"Memory ran out on {device_name}: {work.frames} frames of {work.width}x{work.height} were to need "
        f"{_gb(plan.needs)} (plan {plan.name}) of {_gb(plan.free)} that were free: "
        f"{_what_would_fit(work, int(_MUCH_LESS * plan.needs))}.",
        "memory",
    )


_MUCH_LESS = 0.75
"""Share of what was too much that is proposed instead."""


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an exception, or what it came from, says that memory ran out: a GPU's, Apple's or the machine's."""
    while error is not None:
        if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
            return True
        if isinstance(error, RuntimeError) and any(each in str(error) for each in _OUT_OF_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


_OUT_OF_MEMORY = (
    "MPS backend out of memory",
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",  # Windows
    "CUDA error: out of memory",  # pinned memory, and what comes up late
    "HIP error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


# Putting things where they belong


def place(transformer: Any, plan: Plan, device: torch.device) -> None:
    """Put the network on a device as the plan says. To be undone by :func:`release`, and by nothing else.

    Args:
        transformer: a :class:`~backend.recammaster.transformer.ReCamMasterTransformer3DModel` in main memory.
        plan: what to do.
        device: any; only on a GPU of NVIDIA's or AMD's are blocks streamed while others compute.
    """
    if plan.name != "resident":
        for block in transformer.blocks:
            # The class and not the module is exchanged: weights, LoRA's layers and hooks stay where they are.
            block.ffn.__class__ = ChunkedFeedForward
    if plan.name == "streamed":
        _stream(transformer, device)
        return
    if plan.name == "fp8":
        transformer.enable_layerwise_casting(torch.float8_e4m3fn, compute_dtype=transformer.dtype)
    transformer.to(device)


@contextmanager
def lent(vae: Any, plan: Plan, device: torch.device) -> Iterator[None]:
    """The VAE on a device, set as the plan says; in main memory again afterwards. The network must not be there."""
    if plan.name == "resident":
        video.use_one_piece(vae)
    else:
        video.use_tiles(vae, plan.work.width, plan.work.height)
    vae.to(device)
    try:
        yield
    finally:
        vae.to("cpu")
        empty_caches()


def release(*models: Any) -> None:
    """Free what models hold, on the device and in main memory. They are of no use afterwards.

    Also what still knows them, like the traceback of an exception, holds no memory then. What the driver needs for
    itself, a few hundred megabytes, goes with the process.
    """
    for model in models:
        registry = HookRegistry.check_if_exists_or_initialize(model)
        for each in (_GROUP_OFFLOADING, _LAYER_EXECUTION_TRACKER, _LAZY_PREFETCH_GROUP_OFFLOADING):
            registry.remove_hook(each, recurse=True)
        for tensor in [*model.parameters(), *model.buffers()]:
            tensor.data = tensor.data.new_empty(0)
    empty_caches()


def empty_caches() -> None:
    """Give memory that torch keeps for later back to whoever needs it now."""
    if not torch.accelerator.is_available():
        return  # main memory goes back by itself
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.accelerator.empty_host_cache()  # pinned copies
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


class ChunkedFeedForward(FeedForward):
    """A feed-forward layer that takes a few tokens at a time: its hidden values are what needs most memory at once."""

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """(B, tokens, width) to the same."""
        result = torch.empty_like(hidden_states)
        for start in range(0, hidden_states.shape[1], needs.FFN_TOKENS):
            chunk = slice(start, start + needs.FFN_TOKENS)
            result[:, chunk] = super().forward(hidden_states[:, chunk], *args, **kwargs)
        return result


_PINNED = 2.5
"""Times the weights: main memory to have before their copies are pinned: they are rounded up to powers of two, and the
weights themselves are there too until that is done."""


def _stream(transformer: Any, device: torch.device) -> None:
    streams = device.type == "cuda"
    weights = sum(each.nbytes for each in transformer.parameters())
    transformer.enable_group_offload(
        onload_device=device,
        offload_type="block_level",
        num_blocks_per_group=1,
        use_stream=streams,
        # With record_stream a block is freed once the GPU is done with it, and nobody waits for that: the CPU, far
        # ahead, would bring many more before. Waiting costs a millisecond of a block's hundred or more.
        record_stream=False,
        low_cpu_mem_usage=streams and free_ram() < _PINNED * weights,
    )


# What would fit


def _fits(name: str, work: Work, free: int) -> bool:
    return needed(name, work) + MARGIN[work.kind] <= free


def _leanest(work: Work) -> str:
    return min(_PREFERRED[work.kind], key=lambda name: needed(name, work))


def _what_would_fit(work: Work, room: float) -> str:
    found = [
        f"{each.frames} frames of {each.width}x{each.height}"
        for each in (_first(_with_fewer_frames(work), room), _first(_with_smaller_frames(work), room))
        if each
    ]
    advice = "close other programs that use its memory, or choose another device"
    return f"ask for {' or '.join(found)}, which would fit; or {advice}" if found else advice


def _first(candidates: Iterable[Work], room: float) -> Work | None:
    return next((each for each in candidates if needed(_leanest(each), each) <= room), None)


def _with_fewer_frames(work: Work) -> Iterator[Work]:
    for frames in range(work.frames - 4, 0, -4):
        yield dataclasses.replace(work, frames=frames)


def _with_smaller_frames(work: Work) -> Iterator[Work]:
    """Down to half the size, in about the same shape."""
    for width in range(work.width - 16, work.width // 2 - 1, -16):
        height = max(16, round(work.height * width / work.width / 16) * 16)
        yield dataclasses.replace(work, width=width, height=height)


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB"
