"""How long the engine `recammaster` takes and how much memory: `.venvs/backend/bin/python -m benchmarks.recammaster`.

    python -m benchmarks.recammaster                                          true size on a GPU; a small one on a CPU
    python -m benchmarks.recammaster --plans tiled --memory-cap 8             as on a card of 8 GB
    python -m benchmarks.recammaster --size 416x240 --frames 33 --layers 30 --width 1536

The engine's own VAE, network and sampling, with random weights: how fast they are does not hang on what they hold. Each
plan runs in a process of its own. Prints tables in Markdown; ends with 1 where the engine takes longer than the aim
beside a plain implementation of the same arithmetic (benchmarks/plain_network.py) with the same weights.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLWan
from torch import Tensor

from backend.contract import PLANS, QUALITIES, ContractError, Generation
from backend.recammaster import device as devices
from backend.recammaster import memory, video
from backend.recammaster.recipes import count_guided, recipe_of
from backend.recammaster.sampling import draw_noise, sample
from benchmarks import plain_network
from benchmarks.plain_network import HEAD, inner_width, pass_flops, random_network

AIM = 1.1
"""Times what the plain implementation takes for a guided step."""

_PLANS = {
    "cuda": ("resident", "tiled", "streamed", "fp8"),
    "mps": ("resident", "tiled"),
    "cpu": ("resident", "tiled", "fp8"),
}
# True size takes hours on a CPU.
_FULL = {"size": (832, 480), "frames": 81, "layers": 30, "width": 1536, "vae_width": 96}
_SMALL = {"size": (208, 128), "frames": 17, "layers": 4, "width": 384, "vae_width": 16}


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What is measured.

    Attributes:
        device: as a job names it.
        size: of the network's video, pixels.
        layers, width: of the network; its heads are 128 wide.
        vae_width: base channels of the VAE.
        steps: at most, of each quality's.
        qualities: which.
        cap: GB of the GPU's memory that a process may have; None for all.
        repeats: of what is compared with the plain implementation.
    """

    device: str
    size: tuple[int, int]
    frames: int
    layers: int
    width: int
    vae_width: int
    steps: int
    qualities: tuple[str, ...]
    cap: float | None
    repeats: int

    @property
    def grid(self) -> tuple[int, int, int]:
        """Latent frames, rows and columns."""
        return (self.frames - 1) // 4 + 1, self.size[1] // 8, self.size[0] // 8

    @property
    def flops(self) -> float:
        """Of one pass through the network."""
        return pass_flops(self.grid, layers=self.layers, width=self.width)


def main() -> int:
    setup, plans = _parse()
    print(_heading(setup))
    rate, measured = _alone(product_rate, setup), {}
    for plan in plans:
        _say(f"plan {plan}")
        measured[plan] = _alone(measure_vae, setup, plan), _alone(measure_network, setup, plan)
    rate = max(rate, _alone(product_rate, setup))  # whatever else the machine did slowed the other
    print("\n".join([*_TABLE, *(row for plan, found in measured.items() for row in _rows(setup, plan, *found, rate))]))
    print(
        f"\nOne pass: {setup.flops / 1e12:.4g} TFLOP. Large products of matrices run at {rate / 1e12:.3g} TFLOP/s here."
    )
    _say("beside the plain implementation")
    found = _alone(compare, setup)
    print(_comparison(found))
    return 0 if found["step"]["ratio"] <= AIM else 1


# What is measured, each in a process of its own


def measure_vae(setup: Setup, plan_name: str) -> dict[str, Any]:
    """Seconds and peak of the VAE in both directions; ``error`` where it does not run."""
    target, before = _limited(setup), _peak(torch.device("cpu"))
    plan = _plan(setup, plan_name, target)
    vae = AutoencoderKLWan(base_dim=setup.vae_width).eval()
    footage = torch.rand(1, 3, setup.frames, setup.size[1], setup.size[0]) * 2 - 1
    try:
        with memory.lent(vae, plan, target.device):
            video.encode(vae, footage[:, :, :1])
            _forget_peak(target.device)
            begun = time.perf_counter()
            latents = video.encode(vae, footage)
            encoded = time.perf_counter()
            video.decode(vae, latents)
            seconds = {"encode": encoded - begun, "decode": time.perf_counter() - encoded}
            return seconds | {"peak": _peak(target.device, before)}
    except (RuntimeError, MemoryError) as error:
        return _out_of_memory(error)


def measure_network(setup: Setup, plan_name: str) -> dict[str, Any]:
    """Seconds and peak of the sampling in each quality; ``error`` where it does not run."""
    target, before = _limited(setup), _peak(torch.device("cpu"))
    plan = _plan(setup, plan_name, target)
    transformer = random_network(setup.layers, setup.width, target.dtype)
    try:
        devices.pin_attention(transformer, target.device, plan.work.tokens)
        memory.place(transformer, plan, target.device)
        inputs = _inputs(setup, target.device, target.dtype)
        _sampled(transformer, inputs, "final", 1)  # kernels are chosen, memory is taken, before the clock starts
        qualities = {name: _measure_quality(setup, name, transformer, inputs, before) for name in setup.qualities}
    except (RuntimeError, MemoryError) as error:
        return _out_of_memory(error)
    return {"needs": plan.needs, "qualities": qualities}


def _plan(setup: Setup, name: str, target: devices.Device) -> memory.Plan:
    sizes = memory.Sizes(
        width=setup.width,
        heads=setup.width // HEAD,
        ffn=inner_width(setup.width),
        layers=setup.layers,
        vae_width=setup.vae_width,
        element=target.dtype.itemsize,
    )
    width, height = setup.size
    work = memory.Work(frames=setup.frames, width=width, height=height, sizes=sizes, kind=target.device.type)
    return memory.Plan(name=name, work=work, free=target.free)


def _out_of_memory(error: Exception) -> dict[str, str]:
    """What is told of it; raises what is another error."""
    if not memory.is_out_of_memory(error):
        raise error
    return {"error": str(error).split("\n")[0]}


def _measure_quality(
    setup: Setup, name: str, transformer: Any, inputs: dict[str, Tensor], before: float
) -> dict[str, float]:
    recipe = recipe_of(Generation(quality=name))
    steps = min(setup.steps, recipe.steps)
    device = inputs["latents"].device
    _forget_peak(device)
    seconds = _timed(lambda: _sampled(transformer, inputs, name, steps), device)
    passes = steps + count_guided(steps, recipe.guidance_scale, recipe.guided)
    return {"pass": seconds / passes, "peak": _peak(device, before)}


def _sampled(transformer: Any, inputs: dict[str, Tensor], quality: str, steps: int) -> Tensor:
    recipe = recipe_of(Generation(quality=quality))
    return sample(
        transformer,
        *(inputs[name] for name in ("latents", "source", "camera", "prompt", "negative")),
        steps,
        recipe.guidance_scale,
        recipe.shift,
        solver=recipe.solver,
        guided=recipe.guided,
    )


@torch.no_grad()
def compare(setup: Setup) -> dict[str, Any]:
    """Our network and our sampling beside the plain ones, in turns; medians of the seconds, and their ratio."""
    target = _limited(setup)
    ours = random_network(setup.layers, setup.width, target.dtype).to(target.device)
    devices.pin_attention(ours, target.device, 2 * setup.grid[0] * setup.grid[1] * setup.grid[2] // 4)
    inputs = _inputs(setup, target.device, target.dtype)
    plain = plain_network.plain_copy(ours)
    given = inputs["latents"].to(target.dtype), inputs["source"], inputs["camera"]
    kwargs = {"source_latents": inputs["source"], "camera": inputs["camera"]}
    pairs: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "pass": (
            lambda: ours(given[0], inputs["timestep"], inputs["prompt"], attention_kwargs=kwargs, return_dict=False),
            lambda: plain(*given, inputs["timestep"].to(target.dtype), inputs["prompt"]),
        ),
        "step": (
            lambda: _sampled(ours, inputs, "final", 1),
            lambda: plain_network.plain_loop(plain, inputs, inputs["negative"], 1, 5.0, 5.0),
        ),
    }
    return {
        "difference": plain_network.check(),
        **{name: _in_turns(setup.repeats, target.device, *pair) for name, pair in pairs.items()},
    }


def _in_turns(
    repeats: int, device: torch.device, ours: Callable[[], Any], plain: Callable[[], Any]
) -> dict[str, float]:
    times: tuple[list[float], list[float]] = [], []
    calls = ours, plain
    for call in calls:  # kernels are chosen before the clock starts
        call()
    for _ in range(repeats):
        for kept, call in zip(times, calls, strict=True):
            kept.append(_timed(call, device))
    # Of each turn's ratio: what else the machine does in the meantime slows both.
    ratio = statistics.median(ours / plain for ours, plain in zip(*times, strict=True))
    return {"ours": statistics.median(times[0]), "plain": statistics.median(times[1]), "ratio": ratio}


def product_rate(setup: Setup) -> float:
    """FLOP/s of a large matrix product in the network's type: the most that can be hoped for."""
    target = _limited(setup)
    side = 2048 if target.device.type == "cpu" else 8192
    left, right = (torch.randn(side, side).to(target.device, target.dtype) for _ in range(2))
    times = [_timed(lambda: left @ right, target.device) for _ in range(20)]
    return 2 * side**3 / min(times)


# What it is measured on


def _inputs(setup: Setup, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    inputs = plain_network.random_inputs(*setup.grid)
    inputs["latents"] = draw_noise(inputs["latents"].shape, 0)
    exact = ("latents", "timestep")
    return {name: each.to(device, torch.float32 if name in exact else dtype) for name, each in inputs.items()}


def _limited(setup: Setup) -> devices.Device:
    """The device, with no more memory than the cap allows."""
    target = devices.choose(setup.device)
    if setup.cap is not None:
        total = torch.cuda.get_device_properties(target.device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, setup.cap * 1e9 / total), target.device)
        target = devices.choose(str(target.device))
    return target


def _timed(call: Callable[[], Any], device: torch.device) -> float:
    begun = time.perf_counter()
    call()
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return time.perf_counter() - begun


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: torch.device, before: float = 0) -> float:
    """Bytes: on CUDA of tensors since the peak was forgotten; on a CPU of the whole process, beyond ``before``."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) - before


def _alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """What it gives in a process of its own, with memory that nobody used before."""
    pool = multiprocessing.get_context("spawn").Pool(1)
    try:
        return pool.apply(function, arguments)
    finally:
        pool.close()
        pool.join()


# What is told

_COLUMNS = (
    "plan",
    "quality",
    "passes",
    "s a step",
    "sampling",
    "VAE in and out",
    "all",
    "peak, network",
    "peak, VAE",
    "reckoned",
    "TFLOP/s",
    "share",
)
_TABLE = ["| " + " | ".join(_COLUMNS) + " |", "|" + " --- |" * len(_COLUMNS)]


def _rows(setup: Setup, plan: str, vae: dict[str, Any], network: dict[str, Any], rate: float) -> list[str]:
    if error := vae.get("error") or network.get("error"):
        return [f"| {plan} | does not run: {error.replace('|', '/')} |" + " |" * (len(_COLUMNS) - 2)]
    rows = []
    for name, each in network["qualities"].items():
        recipe = recipe_of(Generation(quality=name))
        sampling, coding = each["pass"] * recipe.forwards, vae["encode"] + vae["decode"]
        reached = setup.flops / each["pass"]
        cells = [plan, name, recipe.forwards, f"{sampling / recipe.steps:.3g}", _clock(sampling), _clock(coding)]
        cells += [_clock(sampling + coding), _gb(each["peak"]), _gb(vae["peak"]), _gb(network["needs"])]
        cells += [f"{reached / 1e12:.3g}", f"{reached / rate:.0%}"]
        rows.append("| " + " | ".join(map(str, cells)) + " |")
    return rows


def _comparison(found: dict[str, Any]) -> str:
    lines = ["", "| beside the plain implementation | ours | plain | ratio |", "| --- | --- | --- | --- |"]
    for name, text in (
        ("pass", "one pass through the network"),
        ("step", "one guided step (two passes) of the sampling"),
    ):
        each = found[name]
        lines.append(f"| {text} | {each['ours']:.4g} s | {each['plain']:.4g} s | {each['ratio']:.3f} |")
    lines.append(
        f"\nIn float32 on small weights the two differ by {found['difference']:.1e}. Aim: a ratio of {AIM} for a step."
    )
    return "\n".join(lines)


def _heading(setup: Setup) -> str:
    target = devices.choose(setup.device)
    lines = [
        f"Measured {time.strftime('%Y-%m-%d')} on {_machine(target)}; Python {platform.python_version()}, torch "
        f"{torch.__version__}; load of the machine before: {os.getloadavg()[0]:.1f}.",
        "",
        f"{setup.frames} frames of {setup.size[0]}x{setup.size[1]}, random weights; network: {setup.layers} layers of "
        f"width {setup.width}, {str(target.dtype).removeprefix('torch.')}; VAE: base width {setup.vae_width}, float32.",
    ]
    if setup.cap is not None:
        lines[-1] += f" No more than {setup.cap:g} GB of the GPU's memory."
    if setup.steps < max(recipe_of(Generation(quality=name)).steps for name in setup.qualities):
        lines[-1] += f" Up to {setup.steps} steps of each quality were run; whole takes are reckoned from their pace."
    return "\n".join([*lines, ""])


def _machine(target: devices.Device) -> str:
    if target.device.type != "cpu":
        return target.name
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{os.cpu_count()} cores of {name}"


def _clock(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _gb(size: float) -> str:
    return f"{size / 1e9:.2f} GB"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# What is asked for


def _parse() -> tuple[Setup, list[str]]:
    parser = argparse.ArgumentParser(prog="benchmarks.recammaster", description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="auto", help="auto, cpu, mps, cuda, cuda:1 ... (default: auto)")
    parser.add_argument("--size", type=_pair, metavar="WxH", help="of the network's video, multiples of 16")
    parser.add_argument("--frames", type=int, help="of it, 4k + 1")
    parser.add_argument("--layers", type=int, help="of the network (the published one: 30)")
    parser.add_argument("--width", type=int, help="of the network, a multiple of 128 (the published one: 1536)")
    parser.add_argument("--vae-width", type=int, help="base channels of the VAE (the published one: 96)")
    parser.add_argument("--steps", type=int, default=4, help="at most; 50 for whole takes (default: 4)")
    parser.add_argument("--plans", type=_names(PLANS[1:]), metavar="A,B", help="of " + ", ".join(PLANS[1:]))
    parser.add_argument("--qualities", type=_names(QUALITIES), default=QUALITIES, metavar="A,B", help="(default: all)")
    parser.add_argument("--memory-cap", type=float, metavar="GB", help="let the GPU have no more memory than that")
    parser.add_argument("--repeats", type=int, default=7, help="of the comparison with the plain network (default: 7)")
    options = parser.parse_args()
    kind = devices.choose(options.device).device.type
    if options.memory_cap is not None and kind != "cuda":
        parser.error(f"--memory-cap is for CUDA, and this is {kind}")
    sizes = {
        name: value if (value := getattr(options, name)) is not None else default
        for name, default in (_SMALL if kind == "cpu" else _FULL).items()
    }
    _check(parser, sizes)
    setup = Setup(
        device=options.device,
        steps=options.steps,
        qualities=tuple(options.qualities),
        cap=options.memory_cap,
        repeats=options.repeats,
        **sizes,
    )
    return setup, list(options.plans or _PLANS[kind])


def _check(parser: argparse.ArgumentParser, sizes: dict[str, Any]) -> None:
    try:
        Generation(frames=sizes["frames"], width=sizes["size"][0], height=sizes["size"][1])
    except ContractError as error:
        option = "--frames" if error.field == "frames" else "--size"
        parser.error(f"{option}: found {error.found}, expected {error.expected}")
    if sizes["width"] % HEAD or sizes["width"] <= 0:
        parser.error(f"--width: found {sizes['width']}, expected a multiple of {HEAD}")


def _pair(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def _names(known: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        if unknown := set(names) - set(known):
            raise argparse.ArgumentTypeError(f"found {', '.join(sorted(unknown))}, expected some of {', '.join(known)}")
        return names

    return read


if __name__ == "__main__":
    sys.exit(main())
