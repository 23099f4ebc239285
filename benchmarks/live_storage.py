"""Counts the memory that each plan of the engine `recammaster` needs, on any machine.

    python -m benchmarks.live_storage [FRAMES WIDTH HEIGHT]

The engine's own code runs at true size, on tensors that have a size, a type and a device, and no content (torch's
FakeTensorMode). Every operation is watched: a storage counts from the operation that makes it until nothing refers to
it any more. What is not seen: the driver, workspaces of cuDNN and cuBLAS, and gaps between storages.

The GPU is pretended too, also where torch is built for none.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from types import MappingProxyType
from typing import Any, NamedTuple
from unittest import mock

import torch
from diffusers import AutoencoderKLWan, FirstBlockCacheConfig, attention_backend
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from backend.recammaster import memory, video
from backend.recammaster.memory import Plan
from backend.recammaster.needs import Sizes, Work, needed
from backend.recammaster.transformer import ReCamMasterTransformer3DModel

DEVICE = torch.device("cuda:0")
KERNELS = {torch.bfloat16: "_native_cudnn", torch.float32: "_native_flash"}
"""Of attention. cuDNN's needs most, as it has its inputs copied; it is for half precision alone."""

_CACHE = "diffusers.hooks.first_block_cache.FBCHeadBlockHook"
_ROUNDING = 512  # bytes: torch's allocator on a GPU hands out multiples
_TEXT_TOKENS = 512


class Counter(FakeTensorMode):
    """Lets tensors have no content, and counts the storages that live on the pretended GPU.

    Attributes:
        now: bytes that live.
        peak: the most that lived at once since :meth:`forget`.
        largest: sizes of what lived then, the largest first, and the operation that made the last of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.largest: tuple[str, list[int]] = ("", [])
        self._living: dict[int, int] = {}
        self._depth = 0

    def forget(self) -> None:
        """Begin anew with the peak."""
        self.peak = self.now

    def dispatch(self, func: Any, types: Any, args: Any = (), kwargs: Any = MappingProxyType({})) -> Any:
        """What each operation of torch comes to."""
        self._depth += 1
        try:
            result = super().dispatch(func, types, args, kwargs)
        finally:
            self._depth -= 1
        # What an operation is put together from, to find its result's shape, is no storage of the real one.
        if not self._depth:
            for each in [result] if isinstance(result, Tensor) else tree_leaves(result):
                if isinstance(each, Tensor) and each.device == DEVICE:
                    self._see(each.untyped_storage(), str(func))
        return result

    def _see(self, storage: torch.UntypedStorage, operation: str) -> None:
        if storage._cdata in self._living:
            return
        size = -(-storage.nbytes() // _ROUNDING) * _ROUNDING
        self._living[storage._cdata] = size
        weakref.finalize(storage, self._lose, storage._cdata)
        self.now += size
        if self.now > self.peak:
            self.peak = self.now
            self.largest = operation, sorted(self._living.values(), reverse=True)[:20]

    def _lose(self, key: int) -> None:
        self.now -= self._living.pop(key)


@contextmanager
def pretending() -> Iterator[Counter]:
    """Let tensors have no content, on a GPU that need not be there, and count what lives on it."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch("torch.utils.swap_tensors", _take_over))
        stack.enter_context(mock.patch("diffusers.hooks.group_offloading.TorchDeviceBackend", _Streams))
        stack.enter_context(mock.patch("torch.cuda.is_available", return_value=False))
        # These look at contents. A cache that never leaves anything out keeps as much.
        stack.enter_context(mock.patch("backend.recammaster.video._check_latents"))
        stack.enter_context(mock.patch(f"{_CACHE}._should_compute_remaining_blocks", return_value=True))
        counter = stack.enter_context(Counter())
        stack.enter_context(torch.no_grad())
        stack.enter_context(_Pretended())
        yield counter


class Count(NamedTuple):
    """Peaks, bytes: while the network samples, while the VAE encodes, while it decodes."""

    network: int
    encode: int
    decode: int

    @property
    def peak(self) -> int:
        """Of the three, which take turns."""
        return max(self)


def count(name: str, work: Work) -> Count:
    """What a plan needs for some work."""
    plan = Plan(name=name, work=work, free=0)
    return Count(count_network(plan), *count_vae(plan))


def count_network(plan: Plan) -> int:
    """The peak while the network samples: a guided step's second pass, after as many as it takes to come to that."""
    work = plan.work
    dtype = {2: torch.bfloat16, 4: torch.float32}[work.sizes.element]
    with pretending() as counter, attention_backend(KERNELS[dtype]):
        transformer = make_transformer(work.sizes, dtype)
        with mock.patch("backend.recammaster.memory.free_ram", return_value=10**12):
            memory.place(transformer, plan, DEVICE)
        if work.cached:
            transformer.enable_cache(FirstBlockCacheConfig())
        shape = (1, 16, (work.frames - 1) // 4 + 1, work.height // 8, work.width // 8)
        latents = torch.empty(shape, device=DEVICE)
        source, camera = latents.to(dtype), torch.empty(1, shape[2], 12, device=DEVICE, dtype=dtype)
        prompts = [torch.empty(1, _TEXT_TOKENS, work.sizes.text, device=DEVICE, dtype=dtype) for _ in range(2)]
        counter.forget()
        _first_pass_of_the_step = torch.empty_like(source)
        for context in _passes(plan):
            with transformer.cache_context(context):
                transformer(
                    latents.to(dtype),
                    torch.empty(1, device=DEVICE),
                    prompts[0],
                    attention_kwargs={"source_latents": source, "camera": camera},
                )
        return counter.peak


def _passes(plan: Plan) -> list[str]:
    if plan.work.cached:  # what is kept is used from the second step on
        return ["cond", "uncond", "cond", "uncond"]
    # Blocks are streamed ahead when a first pass has shown their order.
    return ["cond", "uncond"] if plan.name == "streamed" else ["uncond"]


def count_vae(plan: Plan) -> tuple[int, int]:
    """The peaks while the VAE encodes the footage, and while it decodes the take."""
    work = plan.work
    with pretending() as counter:
        vae = AutoencoderKLWan(base_dim=work.sizes.vae_width).eval()
        footage = torch.empty(1, 3, work.frames, work.height, work.width)
        with memory.lent(vae, plan, DEVICE):
            counter.forget()
            latents = video.encode(vae, footage)
            encode = counter.peak
            counter.forget()
            video.decode(vae, latents)
            return encode, counter.peak


def make_transformer(sizes: Sizes, dtype: torch.dtype) -> Any:
    """The network, in the types that diffusers loads it in: what it calls sensitive stays float32."""
    transformer = ReCamMasterTransformer3DModel(
        num_attention_heads=sizes.heads,
        attention_head_dim=sizes.width // sizes.heads,
        ffn_dim=sizes.ffn,
        num_layers=sizes.layers,
        text_dim=sizes.text,
        freq_dim=sizes.freq,
    ).eval()
    for name, each in transformer.named_parameters():
        if not any(kept in name.split(".") for kept in transformer._keep_in_fp32_modules):
            each.data = each.data.to(dtype)
    return transformer


# Pretending


class _Pretended(TorchFunctionMode):
    """Leads around what torch, built without CUDA, refuses to do for a device that it does not have."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if instead := _INSTEAD.get(func):
            return instead(*args, **(kwargs or {}))
        result = func(*args, **(kwargs or {}))
        if func == torch.Tensor.data.__set__:  # made anew at each look
            args[0].fake_device = args[1].fake_device
        return result


def _get(tensor: Tensor, index: Any) -> Tensor:
    entries = index if isinstance(index, tuple) else (index,)
    axis = 0
    for place, entry in enumerate(entries):
        if entry is Ellipsis:
            axis = tensor.dim() - sum(each is not None for each in entries[place + 1 :])
        elif isinstance(entry, slice):
            tensor = torch.ops.aten.slice.Tensor(tensor, axis, entry.start, entry.stop, entry.step or 1)
            axis += 1
        elif isinstance(entry, int):
            tensor = tensor.select(axis, entry)
        elif entry is None:
            tensor = tensor.unsqueeze(axis)
            axis += 1
        else:
            raise TypeError(f"no index: {entry!r}")
    return tensor


def _set(tensor: Tensor, index: Any, value: Tensor) -> None:
    with torch._C._AutoDispatchBelowAutograd():
        torch.ops.aten.copy_(_get(tensor, index), value)


def _attention(query: Tensor, key: Tensor, value: Tensor, **_: Any) -> Tensor:
    """Of a fused kernel: its result, and while it runs the logarithm of each row's sum."""
    _sums = torch.empty(query.shape[:3], device=query.device)
    return torch.empty_like(query)


def _take_over(tensor: Any, other: Any) -> None:
    tensor.data = other.data


_INSTEAD: dict[Any, Callable[..., Any]] = {
    torch.Tensor.__getitem__: _get,
    torch.Tensor.__setitem__: _set,
    torch.Tensor.contiguous: torch.ops.aten.contiguous,
    torch.Tensor.float: lambda tensor: tensor.to(torch.float32),
    torch.Tensor.cpu: lambda tensor: tensor.to("cpu"),
    torch.Tensor.pin_memory: lambda tensor: tensor,
    torch.Tensor.is_pinned: lambda tensor: True,
    torch.nn.functional.scaled_dot_product_attention: _attention,
}


class _Streams:
    """What of `torch.cuda` offloading asks for. Copies take no time: a block is there as soon as it is asked for."""

    def __init__(self, device: Any) -> None:
        pass

    class Stream:
        def synchronize(self) -> None:
            pass

    def stream(self, stream: Any) -> Any:
        return nullcontext()

    def current_stream(self) -> Any:
        return self.Stream()


def main() -> None:
    """Print a table."""
    frames, width, height = (int(each) for each in sys.argv[1:]) if len(sys.argv) > 1 else (81, 832, 480)
    print(f"{frames} frames of {width}x{height}, published sizes, GB of live storage\n")
    print("| plan | network | encode | decode | needs | by formula |\n| --- | --- | --- | --- | --- | --- |")
    work = Work(frames=frames, width=width, height=height)
    for name in ("resident", "tiled", "streamed", "fp8"):
        found = count(name, work)
        row = [*found, found.peak, needed(name, work)]
        print(f"| {name} | " + " | ".join(f"{each / 1e9:.2f}" for each in row) + " |")


if __name__ == "__main__":
    main()
