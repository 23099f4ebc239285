"""The qualities: what they cost, and beside a closed form, what they keep."""

import dataclasses

import pytest
import torch
from small_tensors import network, one_thread, run  # noqa: F401 one_thread: for all tests here

from backend.contract import Generation
from backend.recammaster.recipes import Recipe, recipe_of
from backend.recammaster.sampling import make_scheduler


def test_the_final_recipe_is_the_published_loop():
    recipe = recipe_of(Generation())
    assert recipe == Recipe(
        quality="final", solver="euler", steps=50, guidance_scale=5.0, guided=1.0, shift=5.0, lora=False, judged=True
    )
    assert recipe.forwards == 100


def test_good_is_cheaper_and_draft_the_cheapest_and_neither_was_judged():
    good, draft = (recipe_of(Generation(quality=name)) for name in ("good", "draft"))
    assert (good.solver, good.steps, good.guided_steps, good.forwards) == ("unipc", 25, 15, 40)
    assert (draft.solver, draft.steps, draft.guided_steps, draft.forwards) == ("lcm", 4, 0, 4)
    assert draft.lora
    assert not good.lora
    assert not good.judged
    assert not draft.judged


@pytest.mark.parametrize(
    ("asked", "steps", "forwards"),
    [
        ({"steps": 20}, 20, 40),
        ({"guidance": 1.0}, 50, 50),
        ({"guidance": 0.0}, 50, 50),
        ({"quality": "good", "steps": 10}, 10, 16),
        ({"quality": "good", "steps": 1}, 1, 2),
        ({"quality": "good", "guidance": 3.0}, 25, 40),
        ({"quality": "draft", "guidance": 3.0}, 4, 8),
        ({"quality": "draft", "steps": 8}, 8, 8),
    ],
)
def test_what_the_job_asks_for_goes_before_the_recipe(asked, steps, forwards):
    recipe = recipe_of(Generation(**asked))
    assert (recipe.steps, recipe.forwards) == (steps, forwards)
    if steps <= 10:
        passes = []
        model = network()
        model.register_forward_hook(lambda *_: passes.append(None))
        run(model, recipe=recipe)
        assert len(passes) == forwards


# Beside a closed form


def kept_of_detail(recipe, deviation):
    """How much of data that are normal with a deviation comes out: noise x should end at deviation times x.

    The velocity is then known: x (s - (1 - s) d^2) / (s^2 + (1 - s)^2 d^2).
    """
    scheduler = make_scheduler(recipe.solver, recipe.shift)
    scheduler.set_timesteps(recipe.steps)
    scheduler.set_begin_index(0)
    x = torch.ones(1, 1, 1, 1, 1)
    for time in scheduler.timesteps:
        s = float(time) / 1000
        velocity = x * (s - (1 - s) * deviation**2) / (s**2 + (1 - s) ** 2 * deviation**2)
        x = scheduler.step(velocity, time, x, return_dict=False)[0]
    return float(x) / deviation


@pytest.mark.parametrize("deviation", [2.0, 1.0, 0.5, 0.3, 0.2])
def test_good_comes_closer_to_a_closed_form_than_the_published_steps(deviation):
    final, good = (
        abs(1 - kept_of_detail(recipe_of(Generation(quality=name)), deviation)) for name in ("final", "good")
    )
    assert 1e-5 < good < final < 0.2


@pytest.mark.parametrize("deviation", [0.1, 0.05, 0.02])
def test_good_keeps_nearly_as_much_of_the_finest_detail(deviation):
    """Finer than the noise that the last step leaves from, all solvers blur: at shift 5 this would keep half."""
    final, good = (recipe_of(Generation(quality=name)) for name in ("final", "good"))
    assert kept_of_detail(good, deviation) > 0.8 * kept_of_detail(final, deviation)
    unshifted = dataclasses.replace(good, shift=final.shift)
    assert kept_of_detail(unshifted, deviation) < 0.7 * kept_of_detail(final, deviation)


def test_the_second_order_is_one():
    """Half the length of a step, a quarter of what is missing; half of it with Euler."""
    final, good = (recipe_of(Generation(quality=name)) for name in ("final", "good"))
    missing = {}
    for recipe in (final, good):
        for steps in (40, 80, 160):
            missing[recipe.solver, steps] = abs(1 - kept_of_detail(dataclasses.replace(recipe, steps=steps), 0.8))
    assert missing["euler", 80] == pytest.approx(missing["euler", 40] / 2, rel=0.1)
    assert missing["unipc", 160] < missing["unipc", 40] / 8
    assert missing["unipc", 40] < missing["euler", 160]


def test_steps_and_guidance_of_ones_own_are_not_judged():
    assert recipe_of(Generation(quality="final")).judged
    assert not recipe_of(Generation(quality="final", steps=20)).judged
    assert not recipe_of(Generation(quality="final", guidance=3.0)).judged
