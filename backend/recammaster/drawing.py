"""The network at work: from the footage as it is shown, and the camera, to the video that the take is made of.

The models take turns, so that memory never holds two that it need not: prompts are encoded, the footage becomes
latents, the network is sampled, latents become frames. When that is done, or is given up, nothing is left of them.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..contract import EngineSettings
from ..engines import EngineError, Report
from . import acceleration, checkpoint, device, memory, models, sampling, text, video
from .memory import Plan
from .needs import Sizes
from .preview import Previewer
from .recipes import NEGATIVE_PROMPT, Recipe, recipe_of

_Result = TypeVar("_Result")

_PREVIEW_SHARE = 0.05
"""Of the time that sampling takes, at most, for previews."""

_DECODING = 0.4
"""Passes through the network that decoding is worth: 275 to 385 TFLOP of 971 at 81 frames of 832x480."""

_NOT_JUDGED = "Nobody has judged {} on the released weights: compare the take with one of quality final as it is."


class Drawing:
    """One take's worth of work for the network.

    Args:
        settings: of the job.
        report: told of each step; what it raises goes through, and frees everything.
        notes: what was decided is added here, in whole sentences.
        warnings: likewise what the user should know.

    Raises:
        EngineError: models that are needed are missing, or the device is.
    """

    def __init__(self, settings: EngineSettings, report: Report, notes: list[str], warnings: list[str]) -> None:
        self._settings = settings
        self._generation = settings.generation
        self._recipe = recipe_of(self._generation)
        self._report = report
        self._notes = notes
        self._warnings = warnings
        self._device = device.choose(self._generation.device)
        self._found = models.find(self._generation.models, self._needed())
        notes += self._found.notes
        self._config = checkpoint.config_of(_there(self._found.transformer))
        self._plan = self._chosen_plan()
        # Told at once, and not only with the take: it says what the wait is for.
        report(f"preparing ({self._device.name}, plan {self._plan.name})", 0, 1)
        self._retried = False
        if unjudged := ", ".join(self._unjudged()):
            warnings.append(_NOT_JUDGED.format(unjudged))

    def draw(self, footage: Tensor, camera: Tensor) -> Tensor:
        """The video that the camera sees.

        Args:
            footage: (1, 3, F, H, W) in [-1, 1]; F = 4k + 1, H and W multiples of 16.
            camera: (1, k + 1, 12), see :mod:`.camera`.

        Returns:
            As `footage`, float32, on the CPU.
        """
        prompts = self._prompts()
        plan = self._plan
        source, plan = self._leaner_if_need_be(plan, lambda plan: self._encoded(footage, plan))
        sampled, plan = self._leaner_if_need_be(plan, lambda plan: self._sampled(source, camera, prompts, plan))
        return self._leaner_if_need_be(plan, lambda plan: self._decoded(sampled, plan))[0]

    def _needed(self) -> Iterator[str]:
        yield from ("transformer", "vae")
        if self._recipe.lora:
            yield "lora"

    # The turns

    def _prompts(self) -> list[Tensor]:
        """What the network is shown of the prompt, and of the negative one if it is needed: (1, 512, width) each."""
        negative = self._generation.negative_prompt
        wanted = [self._generation.prompt]
        if self._recipe.guided_steps:
            wanted.append(NEGATIVE_PROMPT if negative is None else negative)
        encoded = text.encode(wanted, self._found, self._device.device, self._report, width=self._config["text_dim"])
        self._notes += encoded.notes
        self._warnings += encoded.warnings
        return [each[None] for each in encoded.tensors]

    def _chosen_plan(self) -> Plan:
        generation = self._generation
        plan = memory.choose_plan(
            self._device.free,
            generation.frames,
            generation.width,
            generation.height,
            generation.plan,
            device=self._device.device,
            device_name=self._device.name,
            sizes=Sizes.of(self._config, self._device.dtype),
            cached=generation.cache != "none",
        )
        self._notes.append(plan.sentence(self._device.name))
        return plan

    def _unjudged(self) -> Iterator[str]:
        generation, recipe = self._generation, self._recipe
        if not recipe.judged and generation.quality != "final":
            yield f"quality {generation.quality}"
        if generation.steps is not None:
            yield f"{generation.steps} steps"
        if generation.guidance is not None:
            yield f"guidance {generation.guidance:g}"
        if generation.cache != "none":
            yield f"the cache {generation.cache}"

    def _encoded(self, footage: Tensor, plan: Plan) -> Tensor:
        with self._vae(plan) as vae:
            return video.encode(vae, footage, lambda step, total: self._report("encoding the footage", step, total))

    def _decoded(self, latents: Tensor, plan: Plan) -> Tensor:
        with self._vae(plan) as vae:
            return video.decode(vae, latents, lambda step, total: self._report("decoding the take", step, total))

    @contextlib.contextmanager
    def _vae(self, plan: Plan) -> Iterator[Any]:
        vae = checkpoint.load_vae(_there(self._found.vae), torch.float32)
        try:
            with memory.lent(vae, plan, self._device.device):
                yield vae
        finally:
            memory.release(vae)

    def _sampled(self, source: Tensor, camera: Tensor, prompts: list[Tensor], plan: Plan) -> Tensor:
        """Latents of the take, on the CPU."""
        recipe = self._recipe
        previewer = Previewer(self._found.preview, self._device.device, self._device.dtype)
        with self._network(plan) as transformer:
            steps = _Steps(self._report, recipe, previewer)
            return sampling.sample(
                transformer,
                sampling.draw_noise(tuple(source.shape), self._settings.seed),
                source,
                camera,
                prompts[0],
                prompts[1] if recipe.guided_steps else None,
                recipe.steps,
                recipe.guidance_scale,
                recipe.shift,
                solver=recipe.solver,
                guided=recipe.guided,
                seed=self._settings.seed,
                on_step=steps.done,
                on_call=steps.still_wanted,
            ).cpu()

    @contextlib.contextmanager
    def _network(self, plan: Plan) -> Iterator[Any]:
        """The network where and how it is to run; gone afterwards."""
        self._report("loading the network", 0, 1)
        transformer = checkpoint.load_transformer(_there(self._found.transformer), dtype=self._device.dtype)
        try:
            if self._recipe.lora:
                acceleration.load_lora(transformer, _there(self._found.lora))
            if self._generation.compile:
                self._compile(transformer, plan)
            memory.place(transformer, plan, self._device.device)
            device.pin_attention(transformer, self._device.device, plan.work.tokens)
            cache = self._generation.cache
            if not acceleration.use_cache(transformer, cache, self._recipe.steps) and cache != "none":
                self._notes.append(f"The cache {cache} leaves nothing out at {self._recipe.steps} steps.")
            self._report("loading the network", 1, 1)
            yield transformer
        finally:
            memory.release(transformer)

    def _compile(self, transformer: Any, plan: Plan) -> None:
        if not plan.compiles:
            self._notes.append("Blocks stored in 8 bits cannot be compiled: they were not.")
        else:
            acceleration.use_compile(transformer)

    def _leaner_if_need_be(self, plan: Plan, turn: Callable[[Plan], _Result]) -> tuple[_Result, Plan]:
        """A turn by a plan or, where memory runs out, by the next leaner one; and the plan that it was done by."""
        while True:
            try:
                return turn(plan), plan
            except (RuntimeError, MemoryError, EngineError) as error:
                if not memory.is_out_of_memory(error):
                    raise
            # Out of the clause, so that the exception has let go of what held the memory.
            plan = self._leaner(plan)

    def _leaner(self, plan: Plan) -> Plan:
        """The next leaner plan, once; raises EngineError where there is none, or one was tried already."""
        memory.empty_caches()
        lean = None if self._retried else memory.leaner(plan)
        if lean is None:
            raise memory.ran_out(plan, self._device.name)
        self._retried = True
        self._notes.append(f"Memory ran out with plan {plan.name}. {lean.sentence(self._device.name)}")
        return lean


def _there(path: Path | None) -> Path:
    """A model that was said to be needed, and so was found."""
    assert path is not None
    return path


class _Steps:
    """Tells of the steps of sampling: how many are done, when the take will be, and what it looks like so far."""

    def __init__(self, report: Report, recipe: Recipe, previewer: Previewer) -> None:
        self._report = report
        self._recipe = recipe
        self._previewer = previewer
        self._done = 0
        self._seconds: list[float] = []
        self._began = self._told_at = time.monotonic()
        self._previews = 0.0

    def still_wanted(self) -> None:
        """Called before every block: raises where the take is no longer wanted."""
        self._report("sampling", self._done, self._recipe.steps, seconds_left=self._left())

    def done(self, step: int, total: int, clean: Tensor) -> None:
        """Called after every step, with the latents as they would be without noise."""
        self._done = step
        now = time.monotonic()
        self._seconds.append((now - self._told_at) / (2 if step <= self._recipe.guided_steps else 1))
        preview = None
        if self._previews <= _PREVIEW_SHARE * (now - self._began):
            preview = self._previewer.picture(clean)
            self._previews += time.monotonic() - now
        self._told_at = time.monotonic()
        self._report("sampling", step, total, seconds_left=self._left(), preview=preview)

    def _left(self) -> float | None:
        """Seconds until the take is drawn, by the passes that are left; the first step, which warms up, is left out."""
        if len(self._seconds) < 2:
            return None
        a_pass = statistics.median(self._seconds[1:])
        guided = max(0, self._recipe.guided_steps - self._done)
        passes = self._recipe.steps - self._done + guided + _DECODING
        return round(max(0.0, passes * a_pass - (time.monotonic() - self._told_at)), 1)
