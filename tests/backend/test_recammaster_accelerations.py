"""What makes the network faster, through the real pipeline: exact, or within bounds, beside the plain run."""

import dataclasses

import pytest
import torch
from checkpoints import lora, transformer, write
from published_numbers import relative
from small_tensors import EXACT, SHAPE, SIZES, network, one_thread, run, some_inputs  # noqa: F401 one_thread: for all
from torch import nn
from torch._dynamo.testing import CompileCounter

from backend.contract import Generation
from backend.recammaster.acceleration import load_lora, use_cache, use_compile
from backend.recammaster.sampling import draw_noise, recipe_of
from backend.recammaster.transformer import ReCamMasterTransformer3DModel

CACHES = ("first-block", "sea")
CPU = torch.device("cpu")


def offload(model):
    model.enable_group_offload(onload_device=CPU, offload_type="block_level", num_blocks_per_group=1)


class Worked:
    """Which blocks really worked, by the layer in their middle: (block, pass)."""

    def __init__(self, model):
        self.passes = 0
        self.blocks = []
        self._handles = [model.register_forward_pre_hook(self._next)]
        for index, block in enumerate(model.blocks):
            self._handles.append(block.ffn.register_forward_hook(lambda *_, index=index: self._add(index)))

    def _next(self, *_):
        self.passes += 1

    def _add(self, index):
        self.blocks.append((index, self.passes - 1))

    def share_left_out(self):
        return 1 - len(self.blocks) / (self.passes * SIZES.layers)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for handle in self._handles:
            handle.remove()


# A network that has learned something: where caches are at home


def some_scenes(draw, count):
    """Smooth source latents, a camera, and the target latents that follow from both."""
    coarse = torch.randn(count, SHAPE[1], 2, 2, 2, generator=draw)
    source = nn.functional.interpolate(coarse, SHAPE[2:], mode="trilinear", align_corners=True)
    source = source / source.std()
    camera = 0.3 * torch.randn(count, SHAPE[2], 12, generator=draw)
    brighter = 1 + camera[:, None, :, :1, None]
    return source, camera, source * brighter + camera.mean(2)[:, None, :, None, None]


@pytest.fixture(scope="module")
def learned():
    """The state dict after seconds of flow matching, its inputs, and how far it was off (1: no better than zeros)."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = ReCamMasterTransformer3DModel(**SIZES.config()).train()
    draw = torch.Generator().manual_seed(3)
    prompt, negative = (torch.randn(1, 6, SIZES.text, generator=draw) for _ in range(2))
    steps, batch, off = 100, 8, []
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3)
    for index in range(steps):
        source, camera, clean = some_scenes(draw, batch)
        noise = torch.randn(clean.shape, generator=draw)
        even = torch.rand(batch, generator=draw)
        level = 5 * even / (1 + 4 * even)
        share = level[:, None, None, None, None]
        given = {"source_latents": source, "camera": camera}
        text = (prompt if index % 5 else negative).expand(batch, -1, -1)
        noisy = (1 - share) * clean + share * noise
        found = model(noisy, 1000 * level, text, attention_kwargs=given, return_dict=False)[0]
        loss = (found - (noise - clean)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.param_groups[0]["lr"] = 6e-3 * (1 - index / steps)
        off.append(float(loss.detach() / (noise - clean).square().mean()))
    source, camera, _ = some_scenes(torch.Generator().manual_seed(99), 1)
    inputs = [draw_noise(SHAPE, 0), source, camera, prompt, negative]
    return model.state_dict(), inputs, off


@pytest.fixture
def taught(learned):
    model = ReCamMasterTransformer3DModel(**SIZES.config())
    model.load_state_dict(learned[0])
    return model.eval().requires_grad_(False)


def test_the_network_has_learned_something(learned):
    off = learned[2]
    assert sum(off[:10]) / 10 > 0.8
    assert sum(off[-10:]) / 10 < 0.5


RECIPES = [recipe_of(Generation(quality=name)) for name in ("final", "good")]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.quality)
@pytest.mark.parametrize("cache", CACHES)
def test_a_cache_leaves_out_a_quarter_and_more_and_changes_little(taught, learned, cache, recipe):
    plain = run(taught, learned[1], recipe)
    assert use_cache(taught, cache, recipe.steps)
    with Worked(taught) as worked:
        found = run(taught, learned[1], recipe)
    assert worked.passes == recipe.forwards
    assert worked.share_left_out() >= 0.25
    assert 0 < relative(found, plain) < 0.1


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.quality)
@pytest.mark.parametrize("cache", CACHES)
def test_a_cache_that_tolerates_nothing_changes_nothing(taught, learned, cache, recipe):
    recipe = dataclasses.replace(recipe, steps=15)
    plain = run(taught, learned[1], recipe)
    use_cache(taught, cache, recipe.steps, threshold=0.0)
    with Worked(taught) as worked:
        assert relative(run(taught, learned[1], recipe), plain) < EXACT
    assert worked.share_left_out() == 0


@pytest.mark.parametrize("cache", CACHES)
def test_a_cache_never_leaves_out_the_beginning_the_end_or_three_in_a_row(taught, learned, cache):
    """Whatever its threshold: Wan 2.1 1.3B came out as noise where a cache could (mold#1559)."""
    steps = 20
    use_cache(taught, cache, steps, threshold=1e9)
    recipe = dataclasses.replace(RECIPES[0], steps=steps)
    with Worked(taught) as worked:
        run(taught, learned[1], recipe)
    full = {index for block, index in worked.blocks if block == SIZES.layers - 1}
    for which in (0, 1):  # with the prompt, with the negative one
        done = [2 * step + which in full for step in range(steps)]
        assert done == [True] * 4 + [False, False, True] * 5 + [True]


def test_caches_are_exchanged_and_taken_away(taught, learned):
    recipe = dataclasses.replace(RECIPES[0], steps=20)
    plain = run(taught, learned[1], recipe)
    alone = {}
    for cache in (*CACHES, *CACHES):
        use_cache(taught, cache, recipe.steps)
        found = run(taught, learned[1], recipe)
        assert torch.equal(alone.setdefault(cache, found), found)
        assert not torch.equal(found, plain)
    assert not use_cache(taught, "none", recipe.steps)
    assert torch.equal(run(taught, learned[1], recipe), plain)


@pytest.mark.parametrize("cache", CACHES)
def test_of_few_steps_none_is_left_out(taught, learned, cache):
    recipe = recipe_of(Generation(quality="draft"))
    plain = run(taught, learned[1], recipe)
    assert not use_cache(taught, cache, recipe.steps)
    assert torch.equal(run(taught, learned[1], recipe), plain)


# Compiled


@pytest.fixture
def graphs():
    torch._dynamo.reset()
    yield CompileCounter()
    torch._dynamo.reset()


def test_all_blocks_are_one_graph_whatever_the_camera(graphs):
    model = network()
    plain = run(model)
    use_compile(model, backend=graphs)
    assert relative(run(model), plain) < EXACT
    other = some_inputs()
    other[2] = other[2].flip(1)
    run(model, other)
    calls = []
    run(model, on_call=lambda: calls.append(None))
    assert len(calls) == 8 * SIZES.layers
    assert graphs.frame_count == 1


@pytest.mark.parametrize("cache", CACHES)
def test_compiled_blocks_with_a_cache(taught, learned, graphs, cache):
    """The trap: compiled after the cache was hooked, nothing is compiled, or all is compiled again and again."""
    recipe = dataclasses.replace(RECIPES[0], steps=20)
    use_cache(taught, cache, recipe.steps)
    with Worked(taught) as worked:
        plain = run(taught, learned[1], recipe)
    use_cache(taught, "none", recipe.steps)
    use_compile(taught, backend=graphs)
    use_cache(taught, cache, recipe.steps)
    assert relative(run(taught, learned[1], recipe), plain) < EXACT
    assert graphs.frame_count == 1
    assert worked.share_left_out() > 0.1


def test_blocks_are_compiled_through_autograds_tracing_too(graphs):
    model = network()
    plain = run(model)
    use_compile(model, backend="aot_eager")
    assert relative(run(model), plain) < EXACT


def test_what_is_hooked_is_not_compiled():
    for hook in (offload, lambda model: use_cache(model, "sea", 50), lambda model: use_compile(model, "eager")):
        model = network()
        hook(model)
        with pytest.raises(ValueError, match="compile them first"):
            use_compile(model)


# Offloaded, in eight bits


@pytest.mark.parametrize("cache", ["none", *CACHES])
@pytest.mark.parametrize("first", ["cache", "offload"])
def test_offloaded_blocks(taught, learned, cache, first):
    recipe = dataclasses.replace(RECIPES[0], steps=20)
    use_cache(taught, cache, recipe.steps)
    plain = run(taught, learned[1], recipe)
    if first == "offload":
        use_cache(taught, "none", recipe.steps)
        offload(taught)
        use_cache(taught, cache, recipe.steps)
    else:
        offload(taught)
    assert relative(run(taught, learned[1], recipe), plain) < EXACT


def test_eight_bits_are_the_weights_rounded_to_eight_bits():
    """All that is multiplied with, but for the first and the last layers, norms and cameras."""
    eight = torch.float8_e4m3fn
    state = transformer(SIZES, seed=8)
    kept = ("patch_embedding", "time_", "text_embedding", "norm", "cam_encoder", "modulation", "head")
    rounded = {
        name: values if any(each in name for each in kept) else values.to(eight).float()
        for name, values in state.items()
    }
    model = network(state)
    plain = run(model)
    model.enable_layerwise_casting(storage_dtype=eight, compute_dtype=torch.float32)
    found = run(model)
    assert relative(found, run(network(rounded))) < EXACT
    assert relative(found, plain) > 1e-3
    attention = model.blocks[0].attn1
    assert attention.to_q.weight.dtype == attention.projector.weight.dtype == eight
    assert attention.cam_encoder.weight.dtype == torch.float32


# All together


def test_all_at_once(folder, taught, learned, graphs):
    """In the order that the module tells: LoRA, compiled, offloaded, cached."""
    recipe = dataclasses.replace(RECIPES[1], steps=20)
    path = write(folder / "l.safetensors", lora(SIZES))
    load_lora(taught, path, 0.1)
    use_cache(taught, "first-block", recipe.steps)
    plain = run(taught, learned[1], recipe)
    use_cache(taught, "none", recipe.steps)
    use_compile(taught, backend=graphs)
    offload(taught)
    use_cache(taught, "first-block", recipe.steps)
    for _ in range(2):
        assert relative(run(taught, learned[1], recipe), plain) < EXACT
    assert graphs.frame_count == 1
