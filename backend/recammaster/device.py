"""What the network runs on: which device, in which type of numbers, by which kernel of attention.

CUDA stands for NVIDIA's GPUs and, through ROCm's build of torch, for AMD's. Neither those nor Apple's (MPS) were at
hand: what is asked of torch about them is as its documentation has it, and tested on pretended answers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil  # type: ignore[import-untyped]
import torch
from diffusers import attention_backend
from diffusers.models.attention_dispatch import dispatch_attention_fn
from torch import Tensor
from torch.torch_version import TorchVersion

from ..engines import EngineError

SHORT = 4096
"""Tokens up to which attention may be computed without a fused kernel: its scores, float32, for twelve heads, are then
0.8 GB and less. At 81 frames of 832x480 they would be 206 GB."""

_MPS_SINCE = "2.13"
_MPS_HEADS = (64, 80, 128)


@dataclass(frozen=True, kw_only=True)
class Device:
    """Where the network is to run.

    Attributes:
        device: as torch has it, with an index where there can be several.
        name: what it is called: ``NVIDIA GeForce RTX 4090``, ``the CPU``.
        free: bytes that are free on it now.
        dtype: what the network is to compute in; the VAE is float32 everywhere (see video.py).
    """

    device: torch.device
    name: str
    free: int
    dtype: torch.dtype


def choose(name: str = "auto") -> Device:
    """The device that a job names, or the best there is.

    Args:
        name: ``auto``: the GPU with most free memory, else Apple's, else the CPU. ``cuda``: the GPU with most free
            memory. ``cuda:1``, ``mps``, ``cpu``: that one.

    Raises:
        EngineError: it is not there, torch cannot use it, or there is no such name; says what is.
    """
    if name == "cpu":
        return _described(torch.device("cpu"))
    if name == "mps":
        _check_mps()
        return _described(torch.device("mps"))
    if name.startswith("cuda:"):
        return _described(_checked_gpu(_numbered(name)))
    if name not in ("auto", "cuda"):
        raise _unknown(name)
    gpus = [each for each in _gpus() if _runs(each)]
    if gpus:
        return _described(max(gpus, key=free_memory))
    if name == "cuda":
        raise EngineError(f"{_no_gpu()}; choose {_others()}.")
    return choose("mps" if _has_mps() else "cpu")


def free_memory(device: torch.device) -> int:
    """Bytes that can be had on a device: those that are free, and those that torch holds there without using them."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        held = torch.cuda.memory_reserved(device)
        # A limit set for this process, as benchmarks/recammaster.py does, is as good as a smaller GPU.
        allowed = int(torch.cuda.get_per_process_memory_fraction(device) * total) - held
        return min(free, allowed) + held - torch.cuda.memory_allocated(device)
    if device.type == "mps":
        return min(torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory(), free_ram())
    return free_ram()


def free_ram() -> int:
    """Bytes of main memory that programs can have without the machine beginning to swap."""
    return int(psutil.virtual_memory().available)


def pin_attention(transformer: Any, device: torch.device, tokens: int) -> str:
    """Let a network use one kernel of attention for all it does, one that never holds the matrix of all scores.

    Left to itself torch falls back to computing that matrix wherever the fused kernels cannot be had: 192 GiB at 81
    frames of 832x480 in the published code (its issue 77). Each kernel is tried on little data and must come out right.
    Nothing changes for other models in the process.

    Args:
        transformer: a network of diffusers', in the type that it will compute in.
        device: where it is to run.
        tokens: of its longest sequence: see :attr:`backend.recammaster.memory.Work.tokens`.

    Returns:
        The kernel's name among diffusers' attention backends.

    Raises:
        EngineError: no fused kernel runs, and the sequence is longer than :data:`SHORT`.
    """
    heads, size = transformer.config.num_attention_heads, transformer.config.attention_head_dim
    reasons = []
    for kernel in _fused_kernels(device, size):
        reason = _fails(kernel, device, transformer.dtype, heads, size)
        if not reason:
            return _pin(transformer, kernel)
        reasons.append(f"{kernel}: {reason}")
    if tokens <= SHORT:
        return _pin(transformer, "native")
    raise EngineError(
        f"No fused kernel of attention runs on {_name(device)} with this torch ({torch.__version__}), and without one "
        f"{tokens} tokens would take {4 * heads * tokens**2 / 1e9:.0f} GB: update the GPU's driver, choose the device "
        f"cpu, or ask for far fewer and smaller frames. Tried: {'; '.join(reasons) or 'none, as this device has none'}."
    )


# Devices


def _gpus() -> list[torch.device]:
    if not torch.cuda.is_available():
        return []
    return [torch.device("cuda", index) for index in range(torch.cuda.device_count())]


def _numbered(name: str) -> torch.device:
    try:
        return torch.device(name)
    except RuntimeError:
        raise _unknown(name) from None


def _unknown(name: str) -> EngineError:
    return EngineError(f"{name!r} is no device: choose auto, cpu, mps, cuda, or one like cuda:1.")


def _checked_gpu(device: torch.device) -> torch.device:
    gpus = _gpus()
    if not gpus:
        raise EngineError(f"{_no_gpu()}; choose {_others()}.")
    if device not in gpus:
        raise EngineError(f"There is no GPU {device}: found {_list(gpus)}; choose one of these, or {_others()}.")
    if not _runs(device):
        raise EngineError(
            f"torch {torch.__version__} cannot compute on {device} ({_name(device)}): its driver or the GPU itself is "
            f"too old for it; update the driver, or choose {_others()}."
        )
    return device


def _runs(device: torch.device) -> bool:
    """Whether torch has kernels for a GPU, and the GPU takes them: builds of torch leave old ones out."""
    try:
        return bool((torch.ones(2, device=device) + 1).sum().item() == 4)
    except RuntimeError:
        return False


def _described(device: torch.device) -> Device:
    return Device(device=device, name=_name(device), free=free_memory(device), dtype=_working_dtype(device))


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return "Apple's GPU" if device.type == "mps" else "the CPU"


def _working_dtype(device: torch.device) -> torch.dtype:
    """bfloat16, as published, where the device computes in it; else float16; on a CPU float32.

    A CPU without instructions for bfloat16 takes six times as long as in float32.
    """
    if device.type == "cpu":
        return torch.float32
    if device.type == "cuda":
        with torch.cuda.device(device):
            return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    try:
        torch.ones(1, device=device, dtype=torch.bfloat16) + 1
    except (RuntimeError, TypeError):  # macOS before 14
        return torch.float16
    return torch.bfloat16


def _has_mps() -> bool:
    return torch.backends.mps.is_available() and TorchVersion(torch.__version__) >= _MPS_SINCE


def _check_mps() -> None:
    if not torch.backends.mps.is_available():
        raise EngineError(f"torch {torch.__version__} finds no GPU of Apple's on this machine; choose {_others()}.")
    if not _has_mps():
        raise EngineError(
            f"On Apple's GPUs torch 2.13 or later is needed, and this is {torch.__version__}: before, attention is "
            "wrong for long sequences; make the backend's environment anew, or choose cpu."
        )


def _no_gpu() -> str:
    if torch.version.cuda is None and torch.version.hip is None:
        return f"This torch ({torch.__version__}) is built without CUDA and ROCm, and knows no GPU of NVIDIA's or AMD's"
    return f"torch {torch.__version__} finds no GPU of NVIDIA's or AMD's that it can use, or no driver for it"


def _others() -> str:
    return "auto, mps or cpu" if _has_mps() else "auto or cpu"


def _list(gpus: list[torch.device]) -> str:
    return ", ".join(f"{each} ({_name(each)}, {free_memory(each) / 1e9:.1f} GB free)" for each in gpus)


# Attention


def _fused_kernels(device: torch.device, head_size: int) -> tuple[str, ...]:
    """What diffusers calls the kernels to try, the fastest first."""
    if device.type == "cpu":
        return ("_native_flash",)
    if device.type == "mps":
        # Metal's kernel is for these sizes; torch takes it by itself, and has no name to ask for it by.
        return ("native",) if head_size in _MPS_HEADS else ()
    flash, cudnn, efficient = "_native_flash", "_native_cudnn", "_native_efficient"
    # From Hopper on cuDNN's is well ahead of torch's flash attention, which was made for the generation before.
    if torch.version.cuda and torch.cuda.get_device_capability(device) >= (9, 0):
        return cudnn, flash, efficient
    return flash, cudnn, efficient


def _fails(kernel: str, device: torch.device, dtype: torch.dtype, heads: int, size: int) -> str:
    """Why a kernel cannot be used, in a few words; nothing where it can."""
    draw = torch.Generator().manual_seed(0)
    query, *others = (torch.randn(1, tokens, heads, size, generator=draw) for tokens in (192, 256, 256))
    try:
        for lengths in (query, others[0]):  # as attention to the text, and to itself
            found = _attend(kernel, device, dtype, lengths, *others)
            wanted = _attend("_native_math", torch.device("cpu"), torch.float32, lengths, *others)
            error = float((found - wanted).norm() / wanted.norm())
            if not error < _ROUNDING:
                return f"wrong by {error:.1%}"
    except (RuntimeError, ValueError, TypeError) as error:
        return str(error).strip().split("\n")[0][:200] or type(error).__name__
    return ""


_ROUNDING = 0.02
"""Of bfloat16, in the output of attention, with room to spare."""


def _attend(kernel: str, device: torch.device, dtype: torch.dtype, *tensors: Tensor) -> Tensor:
    with torch.no_grad():
        found: Tensor = dispatch_attention_fn(*(each.to(device, dtype) for each in tensors), backend=kernel)
    return found.to("cpu", torch.float32)


def _pin(transformer: Any, kernel: str) -> str:
    # diffusers makes the kernel the default of all models too; leaving the context puts the old default back.
    with attention_backend("native"), _quiet():
        transformer.set_attention_backend(kernel)
    return kernel


@contextmanager
def _quiet() -> Iterator[None]:
    """Without diffusers' warning that the choice of kernels is an experiment."""
    logger = logging.getLogger("diffusers.models.modeling_utils")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
