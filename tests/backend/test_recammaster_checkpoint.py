"""Weights from every format: the same numbers whatever they come in, and words for what is not right."""

import copy
import json
import sys
from pathlib import Path

import checkpoints
import published_numbers
import pytest
import torch
from accelerate import init_empty_weights
from checkpoints import NARROW, REAL, TINY, write
from safetensors.torch import load_file, save_file
from test_recammaster_identify import Evil

from backend.recammaster import checkpoint
from backend.recammaster.checkpoint import WAN_1_3B, CheckpointError, load_text_encoder, load_transformer, load_vae
from backend.recammaster.transformer import ReCamMasterTransformer3DModel

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def refused(path, load=load_transformer, **options):
    with pytest.raises(CheckpointError) as caught:
        load(path, **options)
    assert caught.value.kind == "models"
    assert "\n" not in str(caught.value)
    return str(caught.value)


# The network


def test_the_published_forward_comes_out():
    network = load_transformer(published_numbers.TRANSFORMER, config=published_numbers.config(), dtype=torch.float32)
    given = published_numbers.given()
    extra = {name: given[name] for name in ("source_latents", "camera")}
    with torch.no_grad():
        made = network(given["noise"], given["timestep"], given["prompt_embeds"], attention_kwargs=extra).sample
    assert published_numbers.error("forward", made) < 1e-5


def test_every_published_name_has_its_place_at_true_size():
    with init_empty_weights():
        network = ReCamMasterTransformer3DModel(**WAN_1_3B)
    ours = {name: tuple(each.shape) for name, each in network.state_dict().items()}
    published = checkpoints.transformer_shapes(REAL)
    assert len(published) == len(ours) == 945
    assert sum(each.numel() for each in network.parameters()) == 1_490_420_800
    assert checkpoint.from_published(published) == ours
    assert checkpoint.to_published(ours) == published


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("ending", "prefix"), [(".ckpt", ""), (".safetensors", ""), (".safetensors", "model.diffusion_model.")]
)
def test_every_file_gives_the_same_numbers(folder, ending, prefix, dtype):
    state = checkpoints.transformer()
    path = write(folder / f"a{ending}", state, prefix=prefix, dtype=DTYPES[dtype])
    found = load_transformer(path, dtype=torch.float32)
    assert not found.training
    for name, values in checkpoints.transformer_in_diffusers_names(state).items():
        assert torch.equal(found.get_parameter(name), values.to(DTYPES[dtype]).float()), name


def test_a_folder_is_read_as_diffusers_reads_it(folder):
    made = checkpoints.write_transformer_folder(folder / "transformer", NARROW)
    theirs = ReCamMasterTransformer3DModel.from_pretrained(made, torch_dtype=torch.bfloat16)
    for path in (made, folder):
        ours = load_transformer(path, dtype=torch.bfloat16)
        assert ours.config.num_attention_heads == NARROW.heads
        assert {name: each.dtype for name, each in ours.named_parameters()} == {
            name: each.dtype for name, each in theirs.named_parameters()
        }
        assert all(torch.equal(each, theirs.get_parameter(name)) for name, each in ours.named_parameters())


def test_a_folder_in_parts_is_read(folder):
    network = load_transformer(checkpoints.write_transformer_folder(folder / "a"))
    network.save_pretrained(folder / "b", max_shard_size="200KB")
    assert len(list((folder / "b").glob("*.safetensors"))) > 1
    again = load_transformer(folder / "b")
    assert all(torch.equal(each, network.get_parameter(name)) for name, each in again.named_parameters())


def test_a_state_dict_that_a_trainer_wrapped_is_read(folder):
    torch.save({"state_dict": checkpoints.transformer(), "epoch": 3}, folder / "a.ckpt")
    assert load_transformer(folder / "a.ckpt").config.num_layers == TINY.layers


def test_the_type_is_that_of_the_file_unless_told(folder):
    path = write(folder / "a.safetensors", checkpoints.transformer(), dtype=torch.float16)
    assert load_transformer(path).blocks[0].ffn.net[2].weight.dtype == torch.float16
    assert load_transformer(path, dtype=torch.bfloat16).blocks[0].ffn.net[2].weight.dtype == torch.bfloat16
    # A camera's translation must not be rounded twice, nor the noise level's embedding.
    assert load_transformer(path).condition_embedder.time_embedder.linear_1.weight.dtype == torch.float32


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at this process in /proc")
@pytest.mark.parametrize("ending", [".ckpt", ".safetensors"])
def test_weights_of_the_right_type_stay_on_the_disk(folder, ending):
    path = write(folder / f"a{ending}", checkpoints.transformer(), dtype=torch.bfloat16)
    weight = load_transformer(path, dtype=torch.bfloat16).blocks[0].ffn.net[2].weight
    lines = [line for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(ending)]
    spans = [[int(each, 16) for each in line.split()[0].split("-")] for line in lines]
    assert any(first <= weight.data_ptr() < last for first, last in spans)


# How many heads


def test_a_config_beside_the_file_tells_the_heads(folder):
    path = write(folder / "a.ckpt", checkpoints.transformer(NARROW))
    assert "a network of width 24 and does not say how many heads" in refused(path)
    for said in ({"num_attention_heads": 2}, {"num_heads": 2, "dim": 24}, NARROW.config()):
        (folder / "config.json").write_text(json.dumps(said))
        assert load_transformer(path).config.attention_head_dim == 12
    (folder / "config.json").write_text(json.dumps({"num_attention_heads": 5}))
    refused(path)


def test_metadata_tells_the_heads_before_what_lies_beside(folder):
    path = write(folder / "a.safetensors", checkpoints.transformer(NARROW), config=json.dumps(NARROW.config()))
    (folder / "config.json").write_text(json.dumps({"num_attention_heads": 3}))
    assert load_transformer(path).config.num_attention_heads == 2


def test_what_is_said_in_the_call_goes_before_all(folder):
    path = write(folder / "a.safetensors", checkpoints.transformer(NARROW), config=json.dumps(NARROW.config()))
    config = NARROW.config() | {"num_attention_heads": 4, "attention_head_dim": 6}
    assert load_transformer(path, config=config).config.num_attention_heads == 4


def test_a_config_of_something_else_is_passed_over(folder):
    path = write(folder / "a.ckpt", checkpoints.transformer())
    for said in ('{"num_attention_heads": 40, "attention_head_dim": 128}', '{"num_heads": "two"}', "[1]", "{", "\0"):
        (folder / "config.json").write_text(said)
        assert load_transformer(path).config.num_attention_heads == 1


# What is not right


def test_what_is_something_else_is_told_with_what_to_get(folder):
    plain = write(folder / "wan.safetensors", checkpoints.transformer(cameras=False))
    said = refused(plain)
    assert "without ReCamMaster's camera encoders" in said
    assert "step20000.ckpt from KlingTeam/ReCamMaster-Wan2.1" in said
    vae = write(folder / "vae.pth", checkpoints.vae())
    assert "is Wan 2.1's VAE" in refused(vae)
    assert "is a LoRA" in refused(write(folder / "lora.safetensors", checkpoints.lora()))
    assert "Wan2.1_VAE.pth from" in refused(plain, load_vae)
    assert "umt5_xxl_fp8_e4m3fn_scaled.safetensors from" in refused(vae, load_text_encoder)
    assert "google/umt5-xxl" in refused(vae, checkpoint.load_tokenizer)
    assert "not there" in refused(folder / "none.ckpt")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("patch_size", "x"),
        ("patch_size", [1, 2]),
        ("ffn_dim", "64"),
        ("ffn_dim", 10**30),
        ("rope_max_seq_len", 10**12),
        ("eps", float("nan")),
        ("cross_attn_norm", 3),
        ("freq_dim", None),
    ],
)
def test_sizes_in_a_config_that_are_none_are_told(folder, name, value):
    made = checkpoints.write_transformer_folder(folder / "a", NARROW)
    config = json.loads((made / "config.json").read_text()) | {name: value}
    (made / "config.json").write_text(json.dumps(config))
    for load in (load_transformer, checkpoint.config_of):
        said = refused(made, load)
        assert "config.json" in said
        assert repr(name) in said


@pytest.mark.parametrize("config", [{"base_dim": "x"}, {"dim_mult": 3}, {"latents_mean": ["x"] * 16}, {"z_dim": -1}])
def test_sizes_of_a_vae_that_are_none_are_told(folder, config):
    made = checkpoints.write_vae_folder(folder / "vae")
    (made / "config.json").write_text(json.dumps({"_class_name": "AutoencoderKLWan"} | config))
    said = refused(made, load_vae)
    assert "config.json" in said
    assert repr(next(iter(config))) in said


def test_what_a_constructor_has_against_sizes_is_told(folder, monkeypatch):
    def refuse(**_sizes):
        raise ZeroDivisionError("no heads\nat all")

    made = checkpoints.write_transformer_folder(folder / "a", NARROW)
    monkeypatch.setattr(checkpoint, "ReCamMasterTransformer3DModel", refuse)
    assert "the sizes in its config.json make no such network or VAE (no heads); get it anew." in refused(made)


def test_brackets_without_end_are_no_config(folder):
    made = write(folder / "a.safetensors", checkpoints.transformer(), config="[" * 100_000)
    (folder / "config.json").write_text("[" * 100_000)
    assert load_transformer(made).config.num_attention_heads == 1


def test_code_in_a_pickle_is_not_run(folder):
    mark, path = folder / "it ran", folder / "a.ckpt"
    torch.save(checkpoints.transformer() | {"blocks.0.modulation": Evil(mark)}, path)
    assert "holds Python code" in refused(path)
    assert not mark.exists()


def test_tensors_that_are_missing_or_too_many_are_named(folder):
    state = checkpoints.transformer()
    state["extra.weight"] = torch.zeros(2)
    del state["blocks.1.projector.bias"]
    said = refused(write(folder / "a.ckpt", state))
    assert "lacks 'blocks.1.attn1.projector.bias'" in said
    assert "'extra.weight'" in said


def test_a_shape_that_does_not_fit_is_named(folder):
    state = checkpoints.transformer()
    state["blocks.1.cross_attn.k.bias"] = torch.zeros(7)
    assert "'blocks.1.attn2.to_k.bias' in the shape (7,), and not (128,)" in refused(write(folder / "a.ckpt", state))
    path = write(folder / "b.ckpt", checkpoints.transformer())
    assert "in the shape (128, 64), and not (128, 99)" in refused(path, config=TINY.config() | {"ffn_dim": 99})


def test_blocks_that_are_missing_are_counted(folder):
    path = write(folder / "a.ckpt", checkpoints.transformer())
    assert "it has 2 blocks, and 3 were expected" in refused(path, config=TINY.config() | {"num_layers": 3})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_found(folder, value):
    state = checkpoints.transformer()
    state["blocks.1.ffn.2.weight"][3, 4] = value
    assert "in 'blocks.1.ffn.2.weight' are numbers that are not finite" in refused(write(folder / "a.ckpt", state))


def test_weights_in_a_form_that_is_not_known_are_told(folder):
    state = checkpoints.transformer()
    state["blocks.0.ffn.0.weight"] = torch.zeros(64, 128, dtype=torch.int8)
    assert "'blocks.0.ffn.net.0.proj.weight' in a form (I8)" in refused(write(folder / "a.safetensors", state))


def test_weights_in_eight_bits_are_widened_with_their_scales(folder):
    state = checkpoints.transformer()
    small = dict(state)
    for name in ("blocks.0.ffn.0.weight", "blocks.1.self_attn.q.weight"):
        small[name] = (state[name] / 0.01).to(checkpoints.FP8)
        small[name.replace(".weight", ".scale_weight")] = torch.tensor(0.01)
    found = load_transformer(write(folder / "a.safetensors", small), dtype=torch.float32)
    expected = small["blocks.0.ffn.0.weight"].float() * 0.01
    assert torch.equal(found.blocks[0].ffn.net[0].proj.weight, expected)
    assert published_numbers.relative(found.blocks[1].attn1.to_q.weight, state["blocks.1.self_attn.q.weight"]) < 0.05


# The VAE


@pytest.mark.parametrize("source", published_numbers.VAES, ids=lambda path: path.parent.name)
def test_the_published_latents_and_pictures_come_out(source):
    expected = published_numbers.vae_expected(source)
    vae = load_vae(source / "vae.safetensors", dtype=torch.float32)
    means, deviations = (torch.tensor(vae.config[f"latents_{each}"]).view(1, 16, 1, 1, 1) for each in ("mean", "std"))
    with torch.no_grad():
        latents = (vae.encode(expected["video"]).latent_dist.mode() - means) / deviations
        decoded = vae.decode(expected["latents"] * deviations + means).sample
    assert published_numbers.relative(latents, expected["latents"]) < 1e-5
    assert published_numbers.relative(decoded, expected["decoded"].clamp(-1, 1)) < 1e-5


def test_every_format_of_the_vae_gives_the_same_numbers(folder):
    state = checkpoints.vae()
    first = load_vae(write(folder / "Wan2.1_VAE.pth", state))
    first.save_pretrained(folder / "models" / "vae")
    others = [
        write(folder / "a.safetensors", state),
        write(folder / "b.safetensors", state, prefix="model."),
        write(folder / "c.safetensors", first.state_dict()),
        folder / "models" / "vae",
        folder / "models",
    ]
    for path in others:
        found = load_vae(path)
        assert all(torch.equal(each, found.state_dict()[name]) for name, each in first.state_dict().items()), path
    half = load_vae(write(folder / "d.safetensors", state, dtype=torch.bfloat16))
    assert half.dtype == torch.bfloat16
    assert load_vae(folder / "d.safetensors", dtype=torch.float32).dtype == torch.float32


def test_a_vae_that_is_not_whole_is_told(folder):
    state = checkpoints.vae()
    del state["decoder.upsamples.7.time_conv.bias"]
    assert "lacks 'decoder.up_blocks.1.upsamplers.0.time_conv.bias'" in refused(
        write(folder / "a.pth", state), load_vae
    )


# The text encoder


@pytest.fixture
def tokens():
    return {
        "input_ids": torch.tensor([[5, 9, 200, 383, 7, 1, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 1, 0, 0]]),
    }


@torch.no_grad()
def encoded(encoder, tokens):
    return encoder(**tokens).last_hidden_state


def test_every_format_of_the_text_encoder_gives_the_same_embeddings(folder, tokens):
    from transformers import UMT5EncoderModel

    state = checkpoints.text_encoder()
    made = checkpoints.write_text_encoder_folder(folder / "models" / "text_encoder", state)
    expected = encoded(UMT5EncoderModel.from_pretrained(made).eval(), tokens)
    wan = checkpoints.text_encoder_in_wan_names(state)
    table = state["shared.weight"]
    both = state | {"encoder.embed_tokens.weight": table.clone()}
    paths = [
        made,
        folder / "models",
        write(folder / "models_t5_umt5-xxl-enc-bf16.pth", wan),
        write(folder / "wan.safetensors", wan),
        write(folder / "comfy.safetensors", checkpoints.with_tokenizer(state)),
        write(folder / "in one.safetensors", state, prefix="text_encoders.umt5xxl.transformer."),
        write(folder / "both.safetensors", both),
        write(folder / "one.safetensors", {name: each for name, each in both.items() if name != "shared.weight"}),
        write(
            folder / "whole.safetensors", state | {"decoder.block.0.x": table.clone(), "lm_head.weight": table.clone()}
        ),
    ]
    for path in paths:
        encoder = load_text_encoder(path)
        assert torch.equal(encoded(encoder, tokens), expected), path
        # Once, also where it is moved: it has 2 GB.
        assert encoder.encoder.embed_tokens.weight is encoder.shared.weight
    half = load_text_encoder(made, dtype=torch.bfloat16)
    assert {each.dtype for each in half.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("naming", ["comfy", "wan"])
def test_eight_bits_stay_eight_and_give_what_their_scales_say(folder, tokens, naming):
    state = checkpoints.text_encoder()
    small = checkpoints.text_encoder_in_eight_bits(state, torch.float32)
    by_hand = {
        name: each.float() * small[name.replace(".weight", ".scale_weight")] if each.dtype == checkpoints.FP8 else each
        for name, each in small.items()
        if not name.endswith(".scale_weight") and name != "scaled_fp8"
    }
    expected = encoded(load_text_encoder(write(folder / "by hand.safetensors", by_hand)), tokens)
    names = checkpoints.text_encoder_in_wan_names if naming == "wan" else dict
    encoder = load_text_encoder(write(folder / "small.safetensors", names(small)), dtype=torch.float32)
    assert published_numbers.relative(encoded(encoder, tokens), expected) < 1e-6
    exact = encoded(load_text_encoder(write(folder / "exact.safetensors", state)), tokens)
    # Three bits of mantissa, in a network that was not trained.
    assert 1e-3 < published_numbers.relative(encoded(encoder, tokens), exact) < 0.15
    linear = sum(each.numel() for name, each in small.items() if each.dtype == checkpoints.FP8 and each.dim() == 2)
    assert sum(each.nbytes for each in encoder.parameters() if each.element_size() == 1) == linear
    assert published_numbers.relative(encoded(copy.deepcopy(encoder).to(torch.bfloat16), tokens), expected) < 0.05


def test_eight_bits_without_scales_or_with_one_a_row_are_read(folder, tokens):
    state = checkpoints.text_encoder()
    plain, rows = dict(state), dict(state)
    expected = dict(state)
    for name in [name for name in state if "DenseReluDense" in name]:
        plain[name] = rows[name] = state[name].to(checkpoints.FP8)
        expected[name] = plain[name].float()
        rows[name.replace(".weight", ".weight_scale")] = torch.full((len(state[name]), 1), 2.0)
        rows[name.replace(".weight", ".comfy_quant")] = torch.zeros(9, dtype=torch.uint8)
    wanted = encoded(load_text_encoder(write(folder / "a.safetensors", expected)), tokens)
    found = encoded(load_text_encoder(write(folder / "b.safetensors", plain), dtype=torch.float32), tokens)
    assert published_numbers.relative(found, wanted) < 1e-6
    doubled = {name: 2 * each if "DenseReluDense" in name else each for name, each in expected.items()}
    wanted = encoded(load_text_encoder(write(folder / "c.safetensors", doubled)), tokens)
    found = encoded(load_text_encoder(write(folder / "d.safetensors", rows), dtype=torch.float32), tokens)
    assert published_numbers.relative(found, wanted) < 1e-6


# The tokenizer


def test_every_tokenizer_gives_the_same_tokens(folder):
    made = checkpoints.write_tokenizer_folder(folder / "models" / "tokenizer")
    inside = write(folder / "te.safetensors", checkpoints.with_tokenizer(checkpoints.text_encoder()))
    paths = (made, folder / "models", made / "tokenizer.json", made / "spiece.model", inside)
    texts = [*checkpoints.SENTENCES, "", "rare: Ω ß 🎥 日", "two  spaces, \n a line"]
    expected = None
    for tokenizer in map(checkpoint.load_tokenizer, paths):
        found = tokenizer(texts, padding="max_length", max_length=24, truncation=True, return_tensors="pt")
        assert found.input_ids.shape == found.attention_mask.shape == (len(texts), 24)
        expected = found if expected is None else expected
        assert torch.equal(found.input_ids, expected.input_ids)
        assert torch.equal(found.attention_mask, expected.attention_mask)
        assert tokenizer("").input_ids == [1]
        assert len(tokenizer) == len(checkpoint.load_tokenizer(made))
    assert expected.input_ids[0, -1] == 1, "what is cut still ends"
    assert expected.attention_mask[len(checkpoints.SENTENCES)].sum() == 1
    # What UMT5's vocabulary has not is spelt in bytes, and not lost.
    assert 2 not in expected.input_ids


@pytest.mark.parametrize("name", ["tokenizer.json", "spiece.model"])
def test_a_damaged_tokenizer_is_told(folder, name):
    path = checkpoints.write_tokenizer_folder(folder / "t") / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "damaged tokenizer" in refused(path, checkpoint.load_tokenizer)


def test_the_whole_fixture_is_what_is_kept_of_it():
    if not published_numbers.WHOLE.is_dir():
        pytest.skip(f"no fixtures at {published_numbers.WHOLE}")
    whole = load_file(published_numbers.WHOLE / "expected.safetensors")
    given = published_numbers.given()
    assert all(torch.allclose(values, whole[name], atol=1e-5) for name, values in given.items())
    assert published_numbers.error("forward", whole["forward"]) == 0
    assert published_numbers.error("sampled", whole["sampled"]) == 0
    weights = load_file(published_numbers.WHOLE / "transformer.safetensors")
    kept = load_file(published_numbers.TRANSFORMER)
    assert weights.keys() == kept.keys()
    assert all(torch.equal(weights[name], kept[name]) for name in kept)


def test_a_file_that_changes_while_it_is_read_is_told(folder, monkeypatch):
    path = write(folder / "a.safetensors", checkpoints.transformer())
    real = checkpoint.expect

    def expect(path, what):
        found = real(path, what)
        save_file({"other": torch.zeros(2)}, path)
        return found

    monkeypatch.setattr(checkpoint, "expect", expect)
    assert "cannot be read" in refused(path)
