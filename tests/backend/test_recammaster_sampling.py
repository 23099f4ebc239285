"""Sampling beside the published loop, and beside loops that are written down here."""

import gc
import hashlib
import itertools
import math

import pytest
import torch
from checkpoints import Sizes, transformer, transformer_in_diffusers_names
from published_numbers import TRANSFORMER, config, error, given, relative, settings
from safetensors.torch import load_file
from small_tensors import one_thread  # noqa: F401 a fixture for all tests here

from backend.recammaster import sampling
from backend.recammaster.acceleration import use_cache
from backend.recammaster.sampling import draw_noise, make_scheduler, sample
from backend.recammaster.transformer import ReCamMasterTransformer3DModel

TINY = Sizes(heads=2, head_dim=12, layers=3, ffn=40, text=20, freq=16)
SHAPE = (1, 16, 2, 4, 6)


def network(state, sizes, dtype=torch.float32):
    model = ReCamMasterTransformer3DModel(**sizes)
    model.load_state_dict(transformer_in_diffusers_names(state))
    return model.to(dtype).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def tiny():
    return network(transformer(TINY, seed=5), TINY.config())


def some_inputs(batch=1, shape=SHAPE):
    """noise, source_latents, camera, prompt_embeds, negative_prompt_embeds"""
    draw = torch.Generator().manual_seed(2)
    noise, source = (torch.randn(batch, *shape[1:], generator=draw) for _ in range(2))
    camera = torch.randn(batch, shape[2], 12, generator=draw)
    prompt, negative = (torch.randn(batch, words, TINY.text, generator=draw) for words in (7, 5))
    return noise, source, camera, prompt, negative


class Passes:
    """Counts the passes through a network, and remembers what it was given."""

    def __init__(self, model):
        self.times, self.latents, self.prompts = [], [], []
        self._handles = [model.register_forward_pre_hook(self._saw, with_kwargs=True)]
        self._handles.append(model.condition_embedder.timesteps_proj.register_forward_pre_hook(self._saw_time))

    def _saw(self, module, args, kwargs):
        self.latents.append(kwargs["hidden_states"].dtype)
        self.prompts.append(kwargs["encoder_hidden_states"].shape[1])

    def _saw_time(self, module, args):
        self.times.append(float(args[0][0]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for handle in self._handles:
            handle.remove()


def written_down(model, steps, guidance_scale, shift, inputs, guided_steps=None, dtype=torch.float32):
    """The published loop in a few lines, with latents in float32."""
    latents, source, camera, prompt, negative = inputs
    kwargs = {"source_latents": source, "camera": camera}
    levels = [shift * s / (1 + (shift - 1) * s) for s in (1 - i / steps for i in range(steps))] + [0.0]
    for index, (level, following) in enumerate(itertools.pairwise(levels)):

        def velocity(text, latents=latents, level=level):
            time = torch.full((len(latents),), 1000 * level)
            given = latents.to(dtype), time, text.to(dtype)
            return model(*given, attention_kwargs=kwargs, return_dict=False)[0]

        step = velocity(prompt)
        if index < (steps if guided_steps is None else guided_steps):
            away = velocity(negative)
            step = away + guidance_scale * (step - away)
        latents = latents + (following - level) * step.float()
    return latents


# Beside the published code


def test_the_whole_loop_is_the_published_one():
    model, inputs, loop = network(load_file(TRANSFORMER), config()), given(), settings()
    names = ("noise", "source_latents", "camera", "prompt_embeds", "negative_prompt_embeds")
    found = sample(
        model,
        *(inputs[name] for name in names),
        steps=loop["steps"],
        guidance_scale=loop["guidance_scale"],
        shift=loop["shift"],
    )
    assert error("sampled", found) < 1e-5


@pytest.mark.parametrize(
    ("steps", "sigmas", "times"), [(4, "sampler_sigmas", "sampler_timesteps"), (50, "sigmas_50", "timesteps_50")]
)
def test_the_levels_of_noise_are_the_published_ones(steps, sigmas, times):
    expected = given()
    scheduler = make_scheduler("euler", 5.0)
    scheduler.set_timesteps(steps)
    torch.testing.assert_close(scheduler.sigmas[:-1], expected[sigmas], rtol=0, atol=1e-6)
    torch.testing.assert_close(scheduler.timesteps, expected[times], rtol=1e-6, atol=0)
    assert scheduler.sigmas[-1] == 0


def test_the_second_order_has_the_same_levels_and_times_that_are_not_cut():
    """But for the very first, which diffusers holds 1e-6 off one, as its logarithms need it."""
    expected = given()
    scheduler = make_scheduler("unipc", 5.0)
    scheduler.set_timesteps(50)
    torch.testing.assert_close(scheduler.sigmas[:-1], expected["sigmas_50"], rtol=0, atol=2e-6)
    torch.testing.assert_close(scheduler.timesteps, expected["timesteps_50"], rtol=2e-6, atol=0)


def test_the_noise_is_the_published_codes_for_a_seed():
    assert torch.equal(draw_noise((1, 16, 2, 60, 104), 13), given()["noise"])


def test_the_negative_prompt_is_the_published_one():
    """As it stands in inference_recammaster.py."""
    digest = hashlib.sha256(sampling.NEGATIVE_PROMPT.encode()).hexdigest()
    assert digest == "ce96e0324e4b54ce4b6e867f669ca520952e1a34cc116543516b1897f0d3c47e"


# Beside loops written down


@pytest.mark.parametrize(
    ("steps", "guidance_scale", "shift"), [(1, 5.0, 5.0), (3, 1.0, 5.0), (6, 3.5, 8.0), (5, 7.0, 1.0)]
)
def test_any_steps_guidance_and_shift(tiny, steps, guidance_scale, shift):
    inputs = some_inputs()
    expected = written_down(tiny, steps, guidance_scale, shift, inputs, guided_steps=0 if guidance_scale <= 1 else None)
    assert relative(sample(tiny, *inputs, steps, guidance_scale, shift), expected) < 1e-5


def test_a_network_in_bfloat16_is_sampled_in_float32_at_rounded_times():
    """Between steps: rounded to bfloat16, as diffusers' scheduler alone would, the latents are 1e-3 away and more."""
    model = network(transformer(TINY, seed=5), TINY.config(), torch.bfloat16)
    inputs = some_inputs()
    with Passes(model) as passes:
        found = sample(model, *inputs, steps=6, guidance_scale=1)
    assert found.dtype == torch.float32
    expected = written_down(model, 6, 1, 5.0, inputs, guided_steps=0, dtype=torch.bfloat16)
    assert relative(found, expected) < 1e-6
    assert set(passes.latents) == {torch.bfloat16}
    exact = [1000 * 5 * s / (1 + 4 * s) for s in (1 - i / 6 for i in range(6))]
    assert passes.times == torch.tensor(exact).to(torch.bfloat16).tolist()
    assert passes.times != torch.tensor(exact).tolist()


def test_a_network_in_float32_is_told_the_times_as_they_are(tiny):
    with Passes(tiny) as passes:
        sample(tiny, *some_inputs(), steps=3, guidance_scale=1)
    assert passes.times == pytest.approx([1000, 1000 * 10 / 11, 1000 * 5 / 7], rel=1e-6)


# New noise at every step


def test_lcm_goes_to_the_clean_latents_and_back_with_noise_from_the_seed():
    """Of a network that knows the clean latents: whatever the noise, they are where it ends."""
    clean = draw_noise(SHAPE, 99)
    noise = draw_noise(SHAPE, 3)
    stations = []
    scheduler = make_scheduler("lcm", 5.0, seed=3)
    scheduler.set_timesteps(4)
    x = noise
    for time in scheduler.timesteps:
        s = float(time) / 1000
        x = scheduler.step((x - clean) / s, time, x, return_dict=False)[0]
        stations.append(x)
    torch.testing.assert_close(x, clean)
    draw = torch.Generator().manual_seed(3)
    assert torch.equal(torch.randn(SHAPE, generator=draw), noise)
    for s, station in zip((15 / 16, 5 / 6, 5 / 8), stations, strict=False):  # Self-Forcing's 750, 500, 250, shifted
        torch.testing.assert_close(station, (1 - s) * clean + s * torch.randn(SHAPE, generator=draw))


def test_lcm_is_the_same_for_a_seed_and_another_for_another(tiny):
    inputs = some_inputs()
    with Passes(tiny) as passes:
        first, again, other = (sample(tiny, *inputs[:4], None, 4, 1.0, solver="lcm", seed=seed) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert relative(other, first) > 0.1
    assert len(passes.times) == 12


# Seeds


def test_a_seed_draws_the_same_and_disturbs_nobody():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    noise = draw_noise(SHAPE, 7)
    assert torch.equal(torch.rand(3), expected)
    assert noise.dtype == torch.float32
    assert noise.device.type == "cpu"
    assert torch.equal(noise, draw_noise(SHAPE, 7))
    assert not torch.equal(noise, draw_noise(SHAPE, 8))
    assert draw_noise(SHAPE, 2**63 - 1).isfinite().all()


# Guidance


@pytest.mark.parametrize(
    ("guidance_scale", "guided", "expected"),
    [(5.0, 1.0, 10), (5.0, 0.6, 8), (5.0, 0.0, 5), (1.0, 1.0, 5), (0.0, 1.0, 5), (1.5, 0.2, 6)],
)
@pytest.mark.parametrize("solver", ["euler", "unipc"])
def test_guidance_costs_a_pass_for_each_step_that_is_guided(tiny, guidance_scale, guided, expected, solver):
    with Passes(tiny) as passes:
        sample(tiny, *some_inputs(), 5, guidance_scale, guided=guided, solver=solver)
    assert len(passes.prompts) == expected
    assert passes.prompts[: 2 * (expected - 5)] == [7, 5] * (expected - 5)
    assert set(passes.prompts[2 * (expected - 5) :]) <= {7}


def test_the_first_steps_are_the_guided_ones(tiny):
    inputs = some_inputs()
    found = sample(tiny, *inputs, 5, 4.0, guided=0.4)
    assert relative(found, written_down(tiny, 5, 4.0, 5.0, inputs, guided_steps=2)) < 1e-5


def test_without_guidance_no_negative_prompt_is_needed(tiny):
    *inputs, negative = some_inputs()
    expected = sample(tiny, *inputs, negative, 2, 1.0)
    assert torch.equal(sample(tiny, *inputs, None, 2, 1.0), expected)
    assert torch.equal(sample(tiny, *inputs, None, 2, 5.0, guided=0), expected)
    with pytest.raises(ValueError, match="negative_prompt_embeds: found none"):
        sample(tiny, *inputs, None, 2, 5.0)


# Batches, types, what does not go together


def test_a_batch_is_its_members_one_by_one(tiny):
    noise, source, camera, prompt, negative = some_inputs(batch=2)
    found = sample(tiny, noise, source[:1], camera, prompt[:1], negative, steps=3)
    assert found.shape == noise.shape
    for index in range(2):
        one = slice(index, index + 1)
        expected = sample(tiny, noise[one], source[:1], camera[one], prompt[:1], negative[one], steps=3)
        assert relative(found[one], expected) < 1e-5


def test_inputs_may_be_of_any_float_type(tiny):
    noise, source, camera, prompt, negative = some_inputs()
    half = [each.to(torch.bfloat16) for each in (source, camera, prompt, negative)]
    found = sample(tiny, noise, *half, steps=2)
    assert torch.equal(found, sample(tiny, noise, *(each.float() for each in half), steps=2))


def test_what_does_not_go_together_is_refused(tiny):
    noise, source, camera, prompt, negative = some_inputs(batch=3)
    with pytest.raises(ValueError, match="prompt_embeds: found a batch of 2"):
        sample(tiny, noise, source, camera, prompt[:2], negative, steps=2)
    with pytest.raises(ValueError, match="source_latents: found a batch of 2"):
        sample(tiny, noise, source[:2], camera, prompt, negative, steps=2)
    with pytest.raises(ValueError, match="no solver is called 'heun'; there are euler, unipc, lcm"):
        sample(tiny, noise, source, camera, prompt, negative, steps=2, solver="heun")
    with pytest.raises(ValueError, match="divisible"):
        sample(tiny, noise[..., :5], source[..., :5], camera, prompt, negative, steps=2)


# While it runs


@pytest.mark.parametrize("solver", ["euler", "unipc", "lcm"])
def test_each_step_is_told_with_the_latents_as_they_would_be_without_noise(tiny, solver):
    told = []
    found = sample(tiny, *some_inputs(), steps=5, solver=solver, on_step=lambda *each: told.append(each))
    assert [each[:2] for each in told] == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert all(each[2].shape == SHAPE and each[2].dtype == torch.float32 for each in told)
    # From the last step the way leads nowhere else.
    torch.testing.assert_close(told[-1][2], found)
    assert relative(told[0][2], found) > 1e-3


def test_the_latents_without_noise_are_those_of_the_guided_velocity(tiny):
    inputs = some_inputs()
    first = []
    sample(tiny, *inputs, steps=4, guidance_scale=3.0, on_step=lambda *each: first.append(each[2]))
    noise, source, camera, prompt, negative = inputs
    kwargs = {"source_latents": source, "camera": camera}
    with_it, away = (
        tiny(noise, torch.tensor([1000.0]), text, attention_kwargs=kwargs, return_dict=False)[0]
        for text in (prompt, negative)
    )
    assert relative(first[0], noise - (away + 3 * (with_it - away))) < 1e-6


class GivenUp(Exception):
    pass


def test_giving_up_at_a_step_goes_through_at_once(tiny):
    def give_up(done, total, latents):
        if done == 2:
            raise GivenUp

    with Passes(tiny) as passes, pytest.raises(GivenUp):
        sample(tiny, *some_inputs(), steps=9, on_step=give_up)
    assert len(passes.times) == 4


def test_giving_up_is_possible_before_every_block(tiny):
    """A step at full size takes a minute on a small card; a block a second."""
    calls, done = [], []

    def give_up():
        calls.append(None)
        if len(calls) == 5:
            raise GivenUp
        return calls  # which is nobody's business

    handles = [block.register_forward_hook(lambda *_: done.append(None)) for block in tiny.blocks]
    with pytest.raises(GivenUp):
        sample(tiny, *some_inputs(), steps=9, on_call=give_up)
    for handle in handles:
        handle.remove()
    assert len(done) == 4


def test_nothing_is_left_behind(tiny):
    def give_up():
        raise GivenUp

    inputs = some_inputs()
    expected = sample(tiny, *inputs, steps=2, on_call=lambda: None)
    with pytest.raises(GivenUp):
        sample(tiny, *inputs, steps=2, on_call=give_up)
    assert not any(block._forward_pre_hooks for block in tiny.blocks)
    assert torch.equal(sample(tiny, *inputs, steps=2), expected)


@pytest.mark.parametrize("cache", ["first-block", "sea"])
def test_a_run_that_was_given_up_leaves_nothing_in_the_cache(cache):
    model, inputs = network(transformer(TINY, seed=5), TINY.config()), some_inputs()

    def give_up(done, total, latents):
        if done == 9:
            raise GivenUp

    use_cache(model, cache, 12, threshold=10.0)
    expected = sample(model, *inputs, steps=12)
    with pytest.raises(GivenUp):
        sample(model, *inputs, steps=12, on_step=give_up)
    tokens = 2 * math.prod(SHAPE[2:]) // 4
    gc.collect()
    kept = [each for each in gc.get_objects() if type(each) is torch.Tensor and each.shape == (1, tokens, TINY.dim)]
    assert not kept
    assert torch.equal(sample(model, *inputs, steps=12), expected)


def test_nothing_is_printed(tiny, capfd):
    sample(tiny, *some_inputs(), steps=2)
    said = capfd.readouterr()
    assert said.out == said.err == ""


def test_every_solver_makes_something_finite_of_one_step(tiny):
    for solver in sampling.SOLVERS:
        assert sample(tiny, *some_inputs(), steps=1, solver=solver).isfinite().all()
    assert math.isclose(make_scheduler("euler", 5.0).config.shift, 5.0)
