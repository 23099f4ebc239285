"""How a quality is sampled: the solver, how many steps, how much guidance. Standard library only."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ..contract import Generation

NEGATIVE_PROMPT = (
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，JPEG压缩残留，丑陋的，"  # noqa: RUF001
    "残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，手指融合，静止不动的画面，杂乱的背景，"  # noqa: RUF001
    "三条腿，背景人很多，倒着走"  # noqa: RUF001
)
"""What the published inference keeps away from."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One way to sample.

    Attributes:
        quality: what the job calls it.
        solver: ``euler``, ``unipc`` or ``lcm``, see :func:`backend.recammaster.sampling.sample`.
        steps: how many.
        guidance_scale: how strongly the prompt pulls; 1 or less: no second pass for the negative prompt.
        guided: the share of the steps, from the first on, that are guided.
        shift: how far the noise levels are pushed up.
        lora: whether it is for weights with a few-step LoRA.
        judged: whether takes of the released weights were judged at it.
    """

    quality: str
    solver: str
    steps: int
    guidance_scale: float
    guided: float
    shift: float
    lora: bool
    judged: bool

    @property
    def guided_steps(self) -> int:
        """Steps that take two passes; none: the negative prompt is not needed."""
        return count_guided(self.steps, self.guidance_scale, self.guided)

    @property
    def forwards(self) -> int:
        """Passes through the network."""
        return self.steps + self.guided_steps


def count_guided(steps: int, guidance_scale: float, guided: float) -> int:
    """How many of the steps are guided."""
    return round(guided * steps) if guidance_scale > 1 else 0


# As published: inference_recammaster.py, 50 steps, guidance 5, shift 5.
_FINAL = Recipe(
    quality="final", solver="euler", steps=50, guidance_scale=5.0, guided=1.0, shift=5.0, lora=False, judged=True
)

# A second-order solver needs about half the steps. At shift 3, as Wan's authors sample at 480p, the last of 25 steps
# leaves from about the level of noise that the last of the published 50 does (0.11; 0.09): at shift 5 it would leave
# from 0.17, and what is finer than that stays blurred (tests/backend/test_recammaster_sampling.py has the closed form).
# What the prompt decides (what is where) is decided while there is much noise: 15 guided steps, so 40 passes where the
# published loop makes 100.
_GOOD = Recipe(
    quality="good", solver="unipc", steps=25, guidance_scale=5.0, guided=0.6, shift=3.0, lora=False, judged=False
)

# As the authors of Self-Forcing (arXiv 2506.08009) sample their distilled Wan 2.1 1.3B (self_forcing_dmd.yaml): the
# steps 1000, 750, 500, 250 at shift 5, no guidance, new noise after each step. Their difference to the base model, as
# a LoRA, was not made for ReCamMaster's weights, and nobody has published how it does on them.
_DRAFT = Recipe(
    quality="draft", solver="lcm", steps=4, guidance_scale=1.0, guided=1.0, shift=5.0, lora=True, judged=False
)

_RECIPES = {recipe.quality: recipe for recipe in (_FINAL, _GOOD, _DRAFT)}


def recipe_of(generation: Generation) -> Recipe:
    """The recipe of the job's quality, with the steps and the guidance that the job asks for, which nobody judged."""
    recipe = _RECIPES[generation.quality]
    if generation.steps is not None:
        recipe = dataclasses.replace(recipe, steps=generation.steps, judged=False)
    if generation.guidance is not None:
        recipe = dataclasses.replace(recipe, guidance_scale=generation.guidance, judged=False)
    return recipe
