"""What makes the network faster, through the real pipeline: exact, or within bounds, beside the plain run."""

import dataclasses

import pytest
import torch
from checkpoints import Sizes, lora, transformer, transformer_in_diffusers_names, write
from published_numbers import relative
from small_tensors import one_thread  # noqa: F401 a fixture for all tests here
from torch import nn
from torch._dynamo.testing import CompileCounter

from backend.contract import Generation
from backend.engines import EngineError
from backend.recammaster.acceleration import load_lora, use_cache, use_compile
from backend.recammaster.sampling import draw_noise, recipe_of, sample
from backend.recammaster.transformer import ReCamMasterTransformer3DModel

SIZES = Sizes(heads=2, head_dim=24, layers=4, ffn=96, text=16, freq=64, channels_in=4, channels=4)
SHAPE = (1, 4, 2, 4, 6)
EXACT = 1e-6
CACHES = ("first-block", "sea")
CPU = torch.device("cpu")


def network(state=None):
    model = ReCamMasterTransformer3DModel(**SIZES.config())
    model.load_state_dict(transformer_in_diffusers_names(state or transformer(SIZES, seed=8)))
    return model.eval().requires_grad_(False)


def some_inputs():
    draw = torch.Generator().manual_seed(4)
    shapes = (SHAPE, (1, 2, 12), (1, 6, SIZES.text), (1, 6, SIZES.text))
    return [draw_noise(SHAPE, 0), *(torch.randn(shape, generator=draw) for shape in shapes)]


def run(model, inputs=None, recipe=None, **options):
    recipe = recipe or dataclasses.replace(recipe_of(Generation()), steps=4)
    return sample(
        model,
        *(inputs or some_inputs()),
        recipe.steps,
        recipe.guidance_scale,
        recipe.shift,
        solver=recipe.solver,
        guided=recipe.guided,
        **options,
    )


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


# LoRA


def by_hand(state, added, strength):
    """Published names: weight + strength * alpha / rank * up @ down."""
    state = dict(state)
    for name, down in added.items():
        if not name.endswith(("lora_down.weight", "lora_A.weight")):
            continue
        up = added[name.replace("lora_down", "lora_up").replace("lora_A", "lora_B")]
        layer = name.removeprefix("diffusion_model.").rsplit(".lora_", 1)[0]
        alpha = added.get(f"diffusion_model.{layer}.alpha", torch.tensor(float(len(down))))
        state[f"{layer}.weight"] = state[f"{layer}.weight"] + strength * float(alpha) / len(down) * up @ down
    return state


def as_comfy_has_it(*, peft=False):
    """As Kijai's and lightx2v's few-step LoRAs: attention, feed-forward; an alpha that is not the rank."""
    added = lora(SIZES, peft=peft)
    down, up = ("lora_A", "lora_B") if peft else ("lora_down", "lora_up")
    draw = torch.Generator().manual_seed(6)
    added[f"diffusion_model.blocks.1.ffn.2.{down}.weight"] = 0.1 * torch.randn(3, SIZES.ffn, generator=draw)
    added[f"diffusion_model.blocks.1.ffn.2.{up}.weight"] = torch.randn(SIZES.dim, 3, generator=draw)
    if not peft:
        added["diffusion_model.blocks.0.self_attn.q.alpha"] = torch.tensor(2.0)
        added["diffusion_model.blocks.1.ffn.2.alpha"] = torch.tensor(3.0)
    return added


def as_it_is(added):
    return added


def without_a_prefix(added):
    return {name.removeprefix("diffusion_model."): values for name, values in added.items()}


def as_musubi_names_it(added):
    layers = {
        name: name.removeprefix("diffusion_model.").rsplit(".lora_", 1)[0].removesuffix(".alpha") for name in added
    }
    ends = {name: name.removeprefix(f"diffusion_model.{layer}") for name, layer in layers.items()}
    return {f"lora_unet_{layer.replace('.', '_')}{ends[name]}": added[name] for name, layer in layers.items()}


@pytest.mark.parametrize(
    ("named", "peft"),
    [
        (as_it_is, False),
        (as_it_is, True),
        (without_a_prefix, False),
        (without_a_prefix, True),
    ],
)
@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_a_lora_is_its_product_added_to_the_weights(folder, named, peft, strength):
    added = as_comfy_has_it(peft=peft)
    model = network()
    load_lora(model, write(folder / "few steps.safetensors", named(added)), strength)
    expected = by_hand(transformer(SIZES, seed=8), added, strength)
    assert relative(run(model), run(network(expected))) < EXACT
    assert relative(run(model), run(network())) > 1e-3


def test_a_lora_in_musubis_names(folder):
    """Which are only known where all layers of all blocks have one."""
    shapes = {f"{kind}.{layer}": (SIZES.dim, SIZES.dim) for kind in ("self_attn", "cross_attn") for layer in "qkvo"}
    shapes |= {"ffn.0": (SIZES.ffn, SIZES.dim), "ffn.2": (SIZES.dim, SIZES.ffn)}
    draw = torch.Generator().manual_seed(2)
    added = {}
    for index in range(SIZES.layers):
        for layer, (rows, columns) in shapes.items():
            name = f"diffusion_model.blocks.{index}.{layer}"
            added[f"{name}.lora_down.weight"] = 0.05 * torch.randn(4, columns, generator=draw)
            added[f"{name}.lora_up.weight"] = torch.randn(rows, 4, generator=draw)
            added[f"{name}.alpha"] = torch.tensor(2.0)
    model = network()
    load_lora(model, write(folder / "l.safetensors", as_musubi_names_it(added)))
    assert relative(run(model), run(network(by_hand(transformer(SIZES, seed=8), added, 1.0)))) < EXACT


def test_a_lora_in_diffusers_names(folder):
    names = {"self_attn.q": "attn1.to_q", "self_attn.k": "attn1.to_k", "self_attn.v": "attn1.to_v"}
    names |= {"self_attn.o": "attn1.to_out.0", "ffn.2": "ffn.net.2", "diffusion_model": "transformer"}
    added = as_comfy_has_it(peft=True)
    renamed = {}
    for name, values in added.items():
        for old, new in names.items():
            name = name.replace(f"{old}.", f"{new}.")
        renamed[name] = values
    model = network()
    load_lora(model, write(folder / "l.safetensors", renamed))
    assert relative(run(model), run(network(by_hand(transformer(SIZES, seed=8), added, 1.0)))) < EXACT


def test_a_lora_of_no_strength_changes_nothing(folder):
    model = network()
    load_lora(model, write(folder / "l.safetensors", as_comfy_has_it()), 0.0)
    assert relative(run(model), run(network())) < EXACT


def test_a_lora_leaves_cameras_and_names_as_they_are(folder):
    """And plain layers, which offloading, eight bits and compilation know."""
    model, before = network(), network()
    load_lora(model, write(folder / "l.safetensors", as_comfy_has_it()))
    old, new = before.state_dict(), model.state_dict()
    assert old.keys() == new.keys()
    changed = {name for name in old if not torch.equal(old[name], new[name])}
    attention = {f"attn1.{layer}.weight" for layer in ("to_q", "to_k", "to_v", "to_out.0")}
    expected = {f"blocks.{index}.{name}" for index in range(SIZES.layers) for name in attention}
    assert changed == expected | {"blocks.1.ffn.net.2.weight"}
    assert {type(module) for module in model.modules()} == {type(module) for module in before.modules()}


def test_biases_of_a_lora_are_added_too(folder):
    added = as_comfy_has_it()
    added["diffusion_model.blocks.1.ffn.2.diff_b"] = torch.arange(float(SIZES.dim))
    model = network()
    load_lora(model, write(folder / "l.safetensors", added), 0.5)
    expected = by_hand(transformer(SIZES, seed=8), added, 0.5)
    expected["blocks.1.ffn.2.bias"] = expected["blocks.1.ffn.2.bias"] + 0.5 * torch.arange(float(SIZES.dim))
    assert relative(run(model), run(network(expected))) < EXACT


def test_a_lora_in_sixteen_bits_on_a_network_in_sixteen_bits(folder):
    model = network().to(torch.bfloat16)
    load_lora(model, write(folder / "l.safetensors", as_comfy_has_it(), dtype=torch.float16))
    expected = by_hand(transformer(SIZES, seed=8), as_comfy_has_it(), 1.0)["blocks.2.self_attn.v.weight"]
    found = model.blocks[2].attn1.to_v.weight
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, rtol=2**-7, atol=2**-9)


def wide(added):
    """Of the network with 14 billion weights."""
    return {name: values.repeat([2] * values.ndim) for name, values in added.items()}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"cannot be read \(.*expected a LoRA for Wan 2\.1 1\.3B"),
        (b"not a file of tensors", "cannot be read"),
        ({}, "no LoRA for Wan 2.1: found no tensors"),
        ({"blocks.0.self_attn.q.weight": torch.zeros(4, 4)}, "no LoRA for Wan 2.1: found 1 tensors like 'blocks"),
        ({"lora_te_text_model.q.lora_down.weight": torch.zeros(4, 4)}, "no LoRA for Wan 2.1"),
        (wide(lora(SIZES)), r"another network: found 96 channels at .*, expected 48; get the one for Wan 2\.1 1\.3B"),
        (lora(dataclasses.replace(SIZES, layers=40)), "another network: found a layer 'blocks.4"),
        (transformer(SIZES), "no LoRA for Wan 2.1"),
    ],
)
def test_what_is_no_lora_for_this_network_says_what_it_is(folder, content, said):
    path = folder / "few steps.safetensors"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        write(path, content)
    model = network()
    with pytest.raises(EngineError, match=said) as caught:
        load_lora(model, path)
    assert str(caught.value).startswith("few steps.safetensors ")
    assert caught.value.kind == "models"
    assert relative(run(model), run(network())) < EXACT


# All together


def test_all_at_once(folder, taught, learned, graphs):
    """In the order that the module tells: LoRA, compiled, offloaded, cached."""
    recipe = dataclasses.replace(RECIPES[1], steps=20)
    path = write(folder / "l.safetensors", as_comfy_has_it())
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
