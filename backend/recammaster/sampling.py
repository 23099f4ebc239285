"""From noise to latents: the network in diffusers' own `WanPipeline`, on the published noise levels.

The published loop (``FlowMatchScheduler(shift=5, sigma_min=0, extra_one_step=True)``) steps through
``linspace(1, 0, N + 1)`` without its end, shifted. diffusers' schedulers have a default of their own that is not the
same; the classes here give them these levels, and nothing else about them is changed but that they count in float32.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler, WanPipeline
from torch import Tensor

from .camera import LATENT_STEP
from .recipes import NEGATIVE_PROMPT, Recipe, count_guided, recipe_of

__all__ = ["NEGATIVE_PROMPT", "SOLVERS", "Recipe", "draw_noise", "make_scheduler", "recipe_of", "sample", "seed_of"]

OnStep = Callable[[int, int, Tensor], None]
"""Steps done, steps in all, and the latents as they would be without noise, (B, C, F, H, W), float32, on the device."""

_PIXELS = 8  # along each side, for one latent


def sample(
    transformer: Any,
    noise: Tensor,
    source_latents: Tensor,
    camera: Tensor,
    prompt_embeds: Tensor,
    negative_prompt_embeds: Tensor | None,
    steps: int = 50,
    guidance_scale: float = 5.0,
    shift: float = 5.0,
    *,
    solver: str = "euler",
    guided: float = 1.0,
    seed: int = 0,
    known: Tensor | None = None,
    on_step: OnStep | None = None,
    on_call: Callable[[], None] | None = None,
) -> Tensor:
    """Latents of the take. The defaults are the published loop.

    The network may be where and how it likes: on any device, offloaded in groups, stored in eight bits, compiled,
    cached. What comes in may be on any device and of any float type; it is moved. The latents are kept in float32
    between the steps, and go into the network in its own type. (The published code keeps them in bfloat16.)

    Args:
        transformer: a :class:`~backend.recammaster.transformer.ReCamMasterTransformer3DModel`.
        noise: (B, C, F, H, W), what :func:`draw_noise` gives; H and W even.
        source_latents: (B or 1, C, F, H, W), the footage's clean latents, normalised.
        camera: (B or 1, F, 12), see :mod:`backend.recammaster.camera`.
        prompt_embeds: (B or 1, L, text_dim), zero after the prompt's end.
        negative_prompt_embeds: likewise; may be None where no step is guided.
        steps: how many.
        guidance_scale: the velocity is ``negative + scale * (positive - negative)``; at 1 or less there is no second
            pass. Both passes see the source and the camera.
        shift: level s of the noise becomes ``shift * s / (1 + (shift - 1) * s)``.
        solver: ``euler``; ``unipc`` (second order); or ``lcm``, which draws new noise after every step, as networks
            distilled to a few steps are made for.
        guided: the share of the steps, from the first on, that are guided.
        seed: of the noise that ``lcm`` draws; the one that `noise` was drawn with.
        known: (B or 1, C, k, H, W), clean latents that the first k frames are to be. At every level of noise these
            frames are them with their share of the noise, as in training each frame is: the others are drawn to go on
            from there. (What is known of a picture is kept so in arXiv 2201.09865, for other schedules of noise.)
        on_step: told after each step, and whatever it raises goes through. The device has then done that step.
        on_call: called before every block of every pass: the place to give up in the middle of a long step.

    Returns:
        (B, C, F, H, W), float32, on the device that the network runs on.

    Raises:
        ValueError: shapes that do not go together, an unknown solver, no negative prompt where one is needed.
    """
    batch, _, frames, height, width = noise.shape
    guided_steps = count_guided(steps, guidance_scale, guided)
    scheduler = make_scheduler(solver, shift, seed)
    device, dtype = transformer.device, transformer.dtype
    noise = noise.to(device, torch.float32)
    if known is not None:
        known = known.to(device, torch.float32)

    def put(name: str, tensor: Tensor) -> Tensor:
        if tensor.shape[0] not in (1, batch):
            raise ValueError(f"{name}: found a batch of {tensor.shape[0]}, expected 1 or the noise's {batch}")
        return tensor.to(device, dtype).expand(batch, *tensor.shape[1:])

    negative = None
    if guided_steps:
        if negative_prompt_embeds is None:
            raise ValueError("negative_prompt_embeds: found none, expected some, as the steps are to be guided")
        negative = put("negative_prompt_embeds", negative_prompt_embeds)

    def after_step(pipe: Any, index: int, timestep: Tensor, tensors: dict[str, Any]) -> dict[str, Any]:
        if index + 1 >= guided_steps:
            pipe._guidance_scale = 1.0
        if known is not None:
            count, level = known.shape[2], scheduler.sigmas[index + 1].to(device)
            tensors["latents"][:, :, :count] = (1 - level) * known + level * noise[:, :, :count]
            scheduler.clean[:, :, :count] = known
        if on_step is not None:
            _wait_for(device)
            on_step(index + 1, steps, scheduler.clean)
        return {}

    pipe = WanPipeline(tokenizer=None, text_encoder=None, vae=None, scheduler=scheduler, transformer=transformer)
    pipe.set_progress_bar_config(disable=True)
    with _called_before_blocks(transformer, on_call):
        try:
            return pipe(
                prompt_embeds=put("prompt_embeds", prompt_embeds),
                negative_prompt_embeds=negative,
                latents=noise,
                num_frames=(frames - 1) * LATENT_STEP + 1,
                height=height * _PIXELS,
                width=width * _PIXELS,
                num_inference_steps=steps,
                guidance_scale=guidance_scale if guided_steps else 1.0,
                attention_kwargs={
                    "source_latents": put("source_latents", source_latents),
                    "camera": put("camera", camera),
                },
                callback_on_step_end=after_step,
                output_type="latent",
                return_dict=False,
            )[0]
        finally:
            # The pipeline does so at its end; after an exception a cache would keep what it holds on the device.
            transformer._reset_stateful_cache()


def draw_noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """Noise (B, C, F, H, W), float32, on the CPU: the same numbers for a seed, whatever the take is made on.

    The published code draws the same and then rounds it to bfloat16.
    """
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed), dtype=torch.float32)


def seed_of(seed: int, window: int) -> int:
    """The seed of a window's noise: the first has the take's own, each other one of its own that has none of theirs."""
    if window == 0:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed} {window}".encode()).digest()[:8], "big") >> 1


class _PublishedLevels:
    """What is shared by the schedulers below: the levels of noise, and the clean latents of the last step.

    Attributes:
        clean: where the last step's velocity leads to in one go, ``x - sigma * v``: what previews show.
    """

    clean: Tensor

    def set_timesteps(self, num_inference_steps: int, device: Any = None) -> None:
        super().set_timesteps(sigmas=np.linspace(1, 0, num_inference_steps + 1)[:-1], device=device)  # type: ignore[misc]

    def step(self, model_output: Tensor, timestep: Tensor, sample: Tensor, **kwargs: Any) -> Any:
        # In float32 whatever the network's type is: diffusers would round the latents to that type after each step.
        velocity = model_output.to(torch.float32)
        result = super().step(velocity, timestep, sample, **kwargs)  # type: ignore[misc]
        self.clean = sample - self.sigmas[self.step_index - 1] * velocity  # type: ignore[attr-defined]
        return result


class PublishedEuler(_PublishedLevels, FlowMatchEulerDiscreteScheduler):
    """The published sampler: Euler on exact levels."""


class PublishedLevelsUniPC(_PublishedLevels, UniPCMultistepScheduler):
    """UniPC (arXiv 2302.04867), second order, on the published levels."""

    def set_timesteps(self, num_inference_steps: int, device: Any = None) -> None:
        super().set_timesteps(num_inference_steps, device)
        # diffusers cuts them to whole numbers, which the network was not trained on.
        self.timesteps = (self.sigmas[:-1] * self.config.num_train_timesteps).to(device)


class NewNoiseEachStep(PublishedEuler):
    """To the clean latents at every step, and back up with new noise (consistency sampling, arXiv 2303.01469, alg. 1).

    The noise comes from the CPU, so that it is the same on every device, and follows on :func:`draw_noise`'s.
    """

    seed = 0
    _generator: torch.Generator | None = None

    def step(self, model_output: Tensor, timestep: Tensor, sample: Tensor, **kwargs: Any) -> Any:
        if self._generator is None:
            self._generator = torch.Generator("cpu").manual_seed(self.seed)
            torch.randn(sample.shape, generator=self._generator)
        return super().step(model_output, timestep, sample, generator=self._generator, **kwargs)


def _euler(shift: float, seed: int) -> Any:
    return PublishedEuler(shift=shift)


def _unipc(shift: float, seed: int) -> Any:
    return PublishedLevelsUniPC(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift)


def _lcm(shift: float, seed: int) -> Any:
    scheduler = NewNoiseEachStep(shift=shift, stochastic_sampling=True)
    scheduler.seed = seed
    return scheduler


_SCHEDULERS = {"euler": _euler, "unipc": _unipc, "lcm": _lcm}
SOLVERS = tuple(_SCHEDULERS)
"""What :func:`sample` may be told to solve with."""


def make_scheduler(solver: str, shift: float, seed: int = 0) -> Any:
    """A new scheduler, for one run. Raises ValueError for a solver that there is not."""
    if solver not in _SCHEDULERS:
        raise ValueError(f"no solver is called {solver!r}; there are {', '.join(SOLVERS)}")
    return _SCHEDULERS[solver](shift, seed)


@contextmanager
def _called_before_blocks(transformer: Any, on_call: Callable[[], None] | None) -> Iterator[None]:
    """Hooks on the modules and not on their forward: a compiled forward stays as it is."""
    if on_call is None:
        yield
        return

    def before(*_: Any) -> None:  # what a hook returns would take the place of the block's inputs
        on_call()

    handles = [block.register_forward_pre_hook(before) for block in transformer.blocks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _wait_for(device: torch.device) -> None:
    """Accelerators run behind: without this a step is told as done while it is not, and cannot be given up in time."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
