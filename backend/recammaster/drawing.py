"""The network at work: from the footage as it is shown, and the camera, to the video that the take is made of.

The models take turns, so that memory never holds two that it need not: prompts are encoded, the footage becomes
latents, the network is sampled, latents become frames. When that is done, or is given up, nothing is left of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..contract import EngineSettings
from ..engines import EngineError, Image, Keeper, Report
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
    """One take's worth of work for the network, in one window or several.

    Args:
        settings: of the job.
        report: told of each step; what it raises goes through, and frees everything.
        notes: what was decided is added here, in whole sentences.
        warnings: likewise what the user should know.
        keeper: where what the network has drawn is laid by, and looked for before it draws; None: nowhere.

    Attributes:
        found: the windows that were there already, from 0.

    Raises:
        EngineError: models that are needed are missing, or the device is.
    """

    def __init__(
        self,
        settings: EngineSettings,
        report: Report,
        notes: list[str],
        warnings: list[str],
        keeper: Keeper | None = None,
    ) -> None:
        self._settings = settings
        self._generation = settings.generation
        self._recipe = recipe_of(self._generation)
        self._keeper = keeper
        self.found: list[int] = []
        self._all_told = report
        self._window, self._windows = 0, 1
        self._ends: float | None = None
        self._prompts: list[Tensor] | None = None
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

    def draw(
        self, footage: Tensor, camera: Tensor, window: int = 0, windows: int = 1, known: Tensor | None = None
    ) -> Tensor:
        """The video that the camera sees in a window of the clip.

        Args:
            footage: (1, 3, F, H, W) in [-1, 1]; F = 4k + 1, H and W multiples of 16.
            camera: (1, k + 1, 12), see :mod:`.camera`.
            window: which one, from 0; its noise is its own.
            windows: how many there are.
            known: (1, 3, 4j + 1, H, W) in [-1, 1], the first frames of the video, to go on from; None: none are known.

        Returns:
            As `footage`, float32, on the CPU. Its first frames are as the VAE has those that are known.
        """
        self._window, self._windows = window, windows
        began = time.monotonic()
        latents = self._kept(footage)
        if latents is None:
            latents = self._drawn(footage, camera, known)
            self._keep(latents, time.monotonic() - began)
        else:
            self.found.append(window)
        video, self._plan = self._leaner_if_need_be(self._plan, lambda plan: self._decoded(latents, plan))
        return video

    @property
    def seconds_left(self) -> float | None:
        """Until the last window is drawn; None where that cannot be told, or where there is but one."""
        if self._ends is None or self._windows == 1:
            return None
        return round(max(0.0, self._ends - time.monotonic()), 1)

    def _drawn(self, footage: Tensor, camera: Tensor, known: Tensor | None) -> Tensor:
        if self._prompts is None:
            self._prompts = self._encoded_prompts()
        prompts, plan = self._prompts, self._plan
        source, plan = self._leaner_if_need_be(plan, lambda plan: self._encoded(footage, known, plan))
        latents, self._plan = self._leaner_if_need_be(plan, lambda plan: self._sampled(*source, camera, prompts, plan))
        return latents

    def _report(
        self, phase: str, step: int, total: int, *, seconds_left: float | None = None, preview: Image | None = None
    ) -> None:
        if self._windows > 1:
            phase += f", window {self._window + 1} of {self._windows}"
            seconds_left = self.seconds_left if seconds_left is None else seconds_left
        if seconds_left is not None:
            self._ends = time.monotonic() + seconds_left
        self._all_told(phase, step, total, seconds_left=seconds_left, preview=preview)

    # What is laid by: latents, a fiftieth of the video, which the VAE makes the same video of each time

    def _kept(self, footage: Tensor) -> Tensor | None:
        found = None if self._keeper is None else self._keeper.load(self._name)
        if found is None or found.keys() != {"latents", "seconds"}:
            return None
        frames, height, width = footage.shape[2:]
        shape = ((frames - 1) // 4 + 1, height // video.SHRINKS, width // video.SHRINKS)
        latents = found["latents"]
        if latents.dtype != np.float32 or latents.ndim != 5 or latents.shape[2:] != shape:
            return None
        self._ends = time.monotonic() + float(found["seconds"]) * (self._windows - self._window - 1)
        return torch.from_numpy(latents)

    def _keep(self, latents: Tensor, seconds: float) -> None:
        # With how long it took, as the next run can tell from that alone how long the others will.
        if self._keeper is not None and torch.isfinite(latents).all():
            self._keeper.save(self._name, {"latents": latents.numpy(), "seconds": np.array(seconds)})

    @property
    def _name(self) -> str:
        """Of this window as these files draw it: a folder of models may hold others by the time it is asked for."""
        stamps = []
        for path in (self._found.transformer, self._found.vae, self._found.lora if self._recipe.lora else None):
            found = None if path is None else os.stat(path)
            stamps.append(found and (str(path), found.st_size, found.st_mtime_ns))
        return f"window-{self._window + 1}-{hashlib.sha256(repr(stamps).encode()).hexdigest()[:12]}"

    def _needed(self) -> Iterator[str]:
        yield from ("transformer", "vae")
        if self._recipe.lora:
            yield "lora"

    # The turns

    def _encoded_prompts(self) -> list[Tensor]:
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

    def _encoded(self, footage: Tensor, known: Tensor | None, plan: Plan) -> tuple[Tensor, Tensor | None]:
        with self._vae(plan) as vae:
            source = video.encode(vae, footage, lambda step, total: self._report("encoding the footage", step, total))
            if known is None:
                return source, None
            told = "encoding what is drawn already"
            return source, video.encode(vae, known, lambda step, total: self._report(told, step, total))

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

    def _sampled(
        self, source: Tensor, known: Tensor | None, camera: Tensor, prompts: list[Tensor], plan: Plan
    ) -> Tensor:
        """Latents of the take, on the CPU."""
        recipe, seed = self._recipe, sampling.seed_of(self._settings.seed, self._window)
        previewer = Previewer(self._found.preview, self._device.device, self._device.dtype)
        with self._network(plan) as transformer:
            steps = _Steps(self._report, recipe, previewer, self._windows - self._window - 1)
            return sampling.sample(
                transformer,
                sampling.draw_noise(tuple(source.shape), seed),
                source,
                camera,
                prompts[0],
                prompts[1] if recipe.guided_steps else None,
                recipe.steps,
                recipe.guidance_scale,
                recipe.shift,
                solver=recipe.solver,
                guided=recipe.guided,
                seed=seed,
                known=known,
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
                self._note(f"The cache {cache} leaves nothing out at {self._recipe.steps} steps.")
            self._report("loading the network", 1, 1)
            yield transformer
        finally:
            memory.release(transformer)

    def _compile(self, transformer: Any, plan: Plan) -> None:
        if not plan.compiles:
            self._note("Blocks stored in 8 bits cannot be compiled: they were not.")
        else:
            acceleration.use_compile(transformer)

    def _note(self, sentence: str) -> None:
        """Once, and not for every window."""
        if sentence not in self._notes:
            self._notes.append(sentence)

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

    def __init__(self, report: Report, recipe: Recipe, previewer: Previewer, more: int = 0) -> None:
        self._report = report
        self._recipe = recipe
        self._previewer = previewer
        self._more = more  # windows after this one
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
        passes += self._more * (self._recipe.forwards + _DECODING)
        return round(max(0.0, passes * a_pass - (time.monotonic() - self._told_at)), 1)
