"""LoRAs on a tiny network, beside their product added to the weights by hand."""

import dataclasses

import pytest
import torch
from checkpoints import lora, transformer, write
from published_numbers import relative
from small_tensors import EXACT, SIZES, network, one_thread, run  # noqa: F401 one_thread: for all tests here

from backend.engines import EngineError
from backend.recammaster.acceleration import load_lora


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


@pytest.mark.parametrize("end", ["lora_down.weight", "alpha"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_named(folder, end, value):
    added = as_comfy_has_it()
    name = f"diffusion_model.blocks.0.self_attn.q.{end}"
    added[name].view(-1)[-1] = value
    model = network()
    with pytest.raises(EngineError, match=f"few steps.safetensors is damaged: in '{name}'") as caught:
        load_lora(model, write(folder / "few steps.safetensors", added))
    assert caught.value.kind == "models"
    assert relative(run(model), run(network())) < EXACT


def test_a_lora_in_eight_bits_is_looked_at_too(folder):
    added = {name: each.to(torch.float8_e4m3fn) for name, each in lora(SIZES).items()}
    added[next(iter(added))].view(torch.uint8).view(-1)[0] = 0x7F
    with pytest.raises(EngineError, match="numbers that are not finite"):
        load_lora(network(), write(folder / "few steps.safetensors", added))
