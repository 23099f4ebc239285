"""The network beside what the published code computes, and beside the same arithmetic written down once more."""

import math

import pytest
import torch
from checkpoints import REAL, Sizes, fill, transformer, transformer_in_diffusers_names, transformer_shapes
from diffusers import WanTransformer3DModel
from published_numbers import TRANSFORMER, config, error, given, relative
from safetensors.torch import load_file
from torch.nn import functional

from backend.recammaster.transformer import ReCamMasterTransformer3DModel

RIGHT = 1e-5
WRONG = 30 * RIGHT

SMALL = Sizes(heads=2, head_dim=12, layers=2, ffn=40, text=20, freq=16)


def network(state, sizes):
    model = ReCamMasterTransformer3DModel(**sizes)
    model.load_state_dict(transformer_in_diffusers_names(state))
    return model.eval().requires_grad_(False)


def velocity(model, inputs, **changed):
    inputs = inputs | changed
    return model(
        inputs["noise"],
        inputs["timestep"],
        inputs["prompt_embeds"],
        attention_kwargs={name: inputs[name] for name in ("source_latents", "camera")},
        return_dict=False,
    )[0]


@pytest.fixture(scope="module")
def published():
    return network(load_file(TRANSFORMER), config())


# Beside the published code


def test_one_pass_is_the_published_one(published):
    assert error("forward", velocity(published, given())) < RIGHT
    assert error("forward", under_the_hood(published, given())[:, :, :2]) < RIGHT  # what is tampered with below


def no_camera(model, inputs):
    return velocity(model, inputs, camera=torch.zeros_like(inputs["camera"]))


def camera_of_the_next_frame(model, inputs):
    return velocity(model, inputs, camera=inputs["camera"].roll(1, dims=1))


def camera_by_columns(model, inputs):
    turned = inputs["camera"].unflatten(-1, (3, 4)).transpose(-1, -2).flatten(-2)
    return velocity(model, inputs, camera=turned)


def no_source(model, inputs):
    return velocity(model, inputs, source_latents=torch.zeros_like(inputs["source_latents"]))


def source_of_the_next_frame(model, inputs):
    return velocity(model, inputs, source_latents=inputs["source_latents"].roll(1, dims=2))


def under_the_hood(model, inputs, *, halves=("noise", "source_latents"), tamper=None):
    """All that the network gives for both halves, in this order; ``tamper`` with the camera of each token."""
    both = torch.cat([inputs[name] for name in halves], dim=2)
    model.rope.camera = model._camera_of_tokens(inputs["camera"], both)
    if tamper:
        tamper(model.rope.camera)
    return WanTransformer3DModel.forward(model, both, inputs["timestep"], inputs["prompt_embeds"], return_dict=False)[0]


def source_first(model, inputs):
    """As the paper's equation 8 has it, with the answer from the second half."""
    return under_the_hood(model, inputs, halves=("source_latents", "noise"))[:, :, 2:]


def answer_of_the_sources_half(model, inputs):
    return under_the_hood(model, inputs)[:, :, 2:]


def camera_for_the_target_alone(model, inputs):
    return under_the_hood(model, inputs, tamper=lambda camera: camera[:, camera.shape[1] // 2 :].zero_())[:, :, :2]


def source_at_the_targets_times(model, inputs):
    """Rotary positions 0, 1, 0, 1 where the published ones are 0, 1, 2, 3."""

    def again(module, args, output):
        cos, sin, camera = output
        cos, sin = (each.chunk(2, dim=1)[0].repeat(1, 2, 1, 1) for each in (cos, sin))
        return cos, sin, camera

    handle = model.rope.register_forward_hook(again)
    try:
        return velocity(model, inputs)
    finally:
        handle.remove()


def no_projectors(model, inputs):
    projectors = [block.attn1.projector for block in model.blocks]
    for block in model.blocks:
        block.attn1.projector = torch.nn.Identity()
    try:
        return velocity(model, inputs)
    finally:
        for block, projector in zip(model.blocks, projectors, strict=True):
            block.attn1.projector = projector


@pytest.mark.parametrize(
    "tampered",
    [
        no_camera,
        camera_of_the_next_frame,
        camera_by_columns,
        camera_for_the_target_alone,
        no_source,
        source_of_the_next_frame,
        source_first,
        source_at_the_targets_times,
        answer_of_the_sources_half,
        no_projectors,
    ],
)
def test_a_network_that_is_built_wrongly_is_found_out(published, tampered):
    assert error("forward", tampered(published, given())) > WRONG


# Beside the same arithmetic once more


def plain_network(state, sizes, noise, source, camera, timestep, text):
    """The published forward pass from the reference's words: published names, one sample, float32."""

    def linear(name, x):
        return functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    def rms(name, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * state[f"{name}.weight"]

    def norm(x, name=None):
        scale, shift = (state[f"{name}.weight"], state[f"{name}.bias"]) if name else (None, None)
        return functional.layer_norm(x, x.shape[-1:], scale, shift, 1e-6)

    both = torch.cat([noise, source], dim=1)  # (C, 2F, H, W)
    x = functional.conv3d(both[None], state["patch_embedding.weight"], state["patch_embedding.bias"], stride=(1, 2, 2))
    frames, height, width = x.shape[2:]
    x = x[0].permute(1, 2, 3, 0).reshape(-1, sizes.dim)

    frequencies = 10000.0 ** (-torch.arange(sizes.freq // 2, dtype=torch.float64) / (sizes.freq // 2))
    angles = float(timestep) * frequencies
    sinusoid = torch.cat([angles.cos(), angles.sin()]).float()
    time = linear("time_embedding.2", functional.silu(linear("time_embedding.0", sinusoid)))
    modulation = linear("time_projection.1", functional.silu(time)).reshape(6, sizes.dim)
    text = linear("text_embedding.2", functional.gelu(linear("text_embedding.0", text), approximate="tanh"))

    third = sizes.head_dim // 3 // 2 * 2
    parts = (sizes.head_dim - 2 * third, third, third)
    places = torch.stack(
        torch.meshgrid(torch.arange(frames), torch.arange(height), torch.arange(width), indexing="ij"), -1
    ).reshape(-1, 3)
    turns = torch.cat(
        [
            places[:, axis, None] * 10000.0 ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
            for axis, size in enumerate(parts)
        ],
        dim=1,
    )
    turns = torch.polar(torch.ones_like(turns), turns)[None]  # (1, tokens, head_dim / 2)

    def heads(x):
        return x.reshape(len(x), sizes.heads, sizes.head_dim).transpose(0, 1)

    def turned(x):
        return torch.view_as_real(torch.view_as_complex(x.double().unflatten(-1, (-1, 2))) * turns).flatten(-2).float()

    def attention(name, x, seen, *, rotary):
        q, k = (heads(rms(f"{name}.norm_{c}", linear(f"{name}.{c}", y))) for c, y in (("q", x), ("k", seen)))
        if rotary:
            q, k = turned(q), turned(k)
        weights = (q @ k.transpose(1, 2) / math.sqrt(sizes.head_dim)).softmax(-1)
        mixed = weights @ heads(linear(f"{name}.v", seen))
        return linear(f"{name}.o", mixed.transpose(0, 1).flatten(1))

    per_token = torch.cat([camera, camera]).repeat_interleave(height * width, dim=0)
    for index in range(sizes.layers):
        block = f"blocks.{index}"
        shift, scale, gate, shift_2, scale_2, gate_2 = state[f"{block}.modulation"][0] + modulation
        y = norm(x) * (1 + scale) + shift + linear(f"{block}.cam_encoder", per_token)
        x = x + gate * linear(f"{block}.projector", attention(f"{block}.self_attn", y, y, rotary=True))
        x = x + attention(f"{block}.cross_attn", norm(x, f"{block}.norm3"), text, rotary=False)
        y = norm(x) * (1 + scale_2) + shift_2
        y = functional.gelu(linear(f"{block}.ffn.0", y), approximate="tanh")
        x = x + gate_2 * linear(f"{block}.ffn.2", y)

    shift, scale = state["head.modulation"][0] + time
    x = linear("head.head", norm(x) * (1 + scale) + shift)
    x = x.reshape(frames, height, width, 2, 2, sizes.channels).permute(5, 0, 1, 3, 2, 4)
    return x.reshape(sizes.channels, frames, 2 * height, 2 * width)[:, : frames // 2]


def some_inputs(frames, height, width, sizes=SMALL, batch=1, words=7):
    draw = torch.Generator().manual_seed(frames + 100 * height + width)
    return {
        "noise": torch.randn(batch, 16, frames, height, width, generator=draw),
        "source_latents": torch.randn(batch, 16, frames, height, width, generator=draw),
        "camera": torch.randn(batch, frames, 12, generator=draw),
        "timestep": torch.full((batch,), 637.5),
        "prompt_embeds": torch.randn(batch, words, sizes.text, generator=draw),
    }


def plainly(state, sizes, inputs, index=0):
    return plain_network(
        state,
        sizes,
        *(inputs[name][index] for name in ("noise", "source_latents", "camera", "timestep", "prompt_embeds")),
    )


@pytest.fixture(scope="module")
def small():
    """Weights as well as the network: not one of them is zero."""
    state = transformer(SMALL, seed=7)
    return state, network(state, SMALL.config())


@pytest.mark.parametrize(
    ("frames", "height", "width"), [(1, 2, 2), (1, 16, 30), (2, 30, 18), (3, 10, 44), (7, 8, 14), (21, 6, 4)]
)
def test_any_size_and_any_length(small, frames, height, width):
    state, model = small
    inputs = some_inputs(frames, height, width)
    expected = plainly(state, SMALL, inputs)
    assert relative(velocity(model, inputs)[0], expected) < RIGHT


def test_the_arithmetic_written_down_once_more_is_the_published_one():
    """On which the test above rests. At a quarter of the pixels, beside the network that is tested on all of them."""
    state, inputs = load_file(TRANSFORMER), given()
    sizes = config()
    written = Sizes(
        heads=sizes["num_attention_heads"],
        head_dim=sizes["attention_head_dim"],
        ffn=sizes["ffn_dim"],
        layers=sizes["num_layers"],
        text=sizes["text_dim"],
        freq=sizes["freq_dim"],
    )
    for name in ("noise", "source_latents"):
        inputs[name] = inputs[name][..., ::2, ::2].contiguous()
    found = velocity(network(state, sizes), inputs)[0]
    assert relative(plainly(state, written, inputs), found) < RIGHT


def test_a_batch_is_its_members_one_by_one(small):
    state, model = small
    inputs = some_inputs(2, 8, 6, batch=2)
    found = velocity(model, inputs)
    for index in range(2):
        assert relative(found[index], plainly(state, SMALL, inputs, index)) < RIGHT


def test_one_source_and_one_camera_serve_a_whole_batch(small):
    _, model = small
    inputs = some_inputs(2, 8, 6, batch=2)
    for name in ("source_latents", "camera"):
        inputs[name] = inputs[name][:1]
    repeated = inputs | {name: inputs[name].repeat_interleave(2, 0) for name in ("source_latents", "camera")}
    assert torch.equal(velocity(model, inputs), velocity(model, repeated))


# What else it promises


def test_new_it_is_plain_wan_that_sees_the_footage():
    """Zero camera encoders and projectors that are the identity, whatever the camera."""
    torch.manual_seed(3)
    model = ReCamMasterTransformer3DModel(**SMALL.config()).eval()
    plain = WanTransformer3DModel(**SMALL.config()).eval()
    left = plain.load_state_dict(model.state_dict(), strict=False)
    assert not left.missing_keys
    assert {name.split(".", 3)[3] for name in left.unexpected_keys} == {
        f"{layer}.{part}" for layer in ("cam_encoder", "projector") for part in ("weight", "bias")
    }
    inputs = some_inputs(2, 8, 6)
    with torch.no_grad():
        both = torch.cat([inputs["noise"], inputs["source_latents"]], dim=2)
        expected = plain(both, inputs["timestep"], inputs["prompt_embeds"], return_dict=False)[0][:, :, :2]
        assert relative(velocity(model, inputs), expected) < 1e-6


def test_the_time_is_rounded_to_the_networks_type_as_in_training():
    """bfloat16 has 996 next to the published loop's 995.93."""
    state = {name: values.to(torch.bfloat16) for name, values in transformer(SMALL).items()}
    model = network(state, SMALL.config()).to(torch.bfloat16)
    inputs = {name: values.to(torch.bfloat16) for name, values in some_inputs(1, 4, 4).items()}
    exact = velocity(model, inputs, timestep=torch.tensor([995.934937]))
    assert torch.equal(exact, velocity(model, inputs, timestep=torch.tensor([996.0])))
    assert not torch.equal(exact, velocity(model, inputs, timestep=torch.tensor([992.0])))


def test_at_its_true_size_it_has_the_published_tensors_and_parameters():
    with torch.device("meta"):
        model = ReCamMasterTransformer3DModel(**REAL.config())
    state = model.state_dict()
    assert len(state) == 945
    assert sum(values.numel() for values in state.values()) == 1_490_420_800
    expected = transformer_in_diffusers_names(
        {name: torch.empty(shape, device="meta") for name, shape in transformer_shapes(REAL).items()}
    )
    assert {name: tuple(values.shape) for name, values in state.items()} == {
        name: tuple(values.shape) for name, values in expected.items()
    }


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"camera": None}, "no 'camera'"),
        ({"source_latents": None}, "no 'source_latents'"),
        ({"camera": (1, 3, 12)}, r"\(1, 3, 12\), expected \(1, 2, 12\): one row per latent frame"),
        ({"camera": (1, 5, 12)}, "one row per latent frame"),
        ({"camera": (1, 2, 16)}, "one row per latent frame"),
        ({"camera": (3, 2, 12)}, "one row per latent frame"),
        ({"source_latents": (1, 16, 3, 8, 6)}, "expected the target's"),
        ({"source_latents": (1, 16, 2, 6, 8)}, "expected the target's"),
        ({"source_latents": (2, 16, 2, 8, 6)}, "expected the target's"),
    ],
)
def test_what_does_not_go_together_is_refused(small, changed, said):
    _, model = small
    made = {name: None if shape is None else torch.zeros(shape) for name, shape in changed.items()}
    with pytest.raises(ValueError, match=said):
        velocity(model, some_inputs(2, 8, 6), **made)


def test_after_a_pass_that_failed_the_next_is_as_ever(small):
    _, model = small
    inputs = some_inputs(1, 4, 4)
    expected = velocity(model, inputs)
    with pytest.raises(RuntimeError):
        velocity(model, inputs, prompt_embeds=torch.zeros(1, 7, SMALL.text + 1))
    assert model.rope.camera is None
    assert torch.equal(velocity(model, inputs), expected)


def test_random_weights_let_no_part_be_left_out():
    """Of the tests above: a weight that is all zero or one would hide what is done with it."""
    state = fill(transformer_shapes(SMALL), 7)
    assert all(values.std() > 0.01 for values in state.values())
