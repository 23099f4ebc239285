"""What files of weights are told to be: by their content, never by running what is in them."""

import io
import json
import os
import pickle
import random
import struct
import zipfile

import checkpoints
import pytest
import torch
from checkpoints import REAL, Sizes, write

from backend.recammaster import identify
from backend.recammaster.embeddings import FORMAT
from backend.recammaster.identify import BROKEN, LORA, OTHER, PREVIEW, TEXT_ENCODER, TOKENIZER, TRANSFORMER, VAE


def hollow(path, shapes, dtype="BF16", **metadata):
    """A safetensors file of any size, whose numbers take no room on the disk."""
    at, header = 0, {"__metadata__": metadata} if metadata else {}
    for name, shape in shapes.items():
        size = torch.Size(shape).numel() * {"BF16": 2, "F32": 4, "F8_E4M3": 1}[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw)
    os.truncate(path, 8 + len(raw) + at)
    return path


# What is ours


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model.", "diffusion_model.", "model.", "dit."])
@pytest.mark.parametrize("ending", [".ckpt", ".safetensors"])
def test_the_network_is_known_under_any_prefix(folder, prefix, ending):
    path = write(folder / f"vae{ending}", checkpoints.transformer(), prefix=prefix)
    kind = identify.identify(path)
    assert (kind.what, kind.naming, kind.prefix, kind.dtype) == (TRANSFORMER, "published", prefix, "F32")
    assert set(kind.tensors) == set(checkpoints.transformer())


def test_the_network_is_known_in_a_diffusers_folder(folder):
    kind = identify.identify(checkpoints.write_transformer_folder(folder / "any"))
    assert (kind.what, kind.naming) == (TRANSFORMER, "diffusers")


def test_a_file_of_true_size_is_told_by_its_header(folder):
    path = hollow(folder / "x.safetensors", checkpoints.transformer_shapes(REAL))
    assert path.stat().st_size > 2.9e9
    kind = identify.identify(path)
    assert kind.what == TRANSFORMER
    assert kind.words == "ReCamMaster's network of 1.3B, 30 blocks, bfloat16"


@pytest.mark.parametrize("name", ["Wan2.1_VAE.pth", "a.safetensors", "folder"])
def test_the_vae_is_known(folder, name):
    path = folder / name
    made = checkpoints.write_vae_folder(path) if name == "folder" else write(path, checkpoints.vae())
    assert identify.identify(made).what == VAE


def test_the_text_encoder_is_known_in_each_format(folder):
    state = checkpoints.text_encoder()
    small = checkpoints.text_encoder_in_eight_bits(state)
    made = {
        "wan": write(folder / "models_t5_umt5-xxl-enc-bf16.pth", checkpoints.text_encoder_in_wan_names(state)),
        "transformers": write(folder / "umt5.safetensors", checkpoints.with_tokenizer(state)),
    }
    for naming, path in made.items():
        kind = identify.identify(path)
        assert (kind.what, kind.naming) == (TEXT_ENCODER, naming)
    assert identify.has_tokenizer(kind)
    assert identify.identify(write(folder / "small.safetensors", small)).what == TEXT_ENCODER
    assert identify.identify(checkpoints.write_text_encoder_folder(folder / "te")).what == TEXT_ENCODER


def test_tokenizers_loras_previews_and_packs_are_known(folder):
    tokenizer = checkpoints.write_tokenizer_folder(folder / "t")
    assert identify.identify(tokenizer).what == TOKENIZER
    assert identify.identify(tokenizer / "tokenizer.json").what == TOKENIZER
    assert identify.identify(tokenizer / "spiece.model").what == TOKENIZER
    for peft in (False, True):
        kind = identify.identify(write(folder / f"{peft}.safetensors", checkpoints.lora(peft=peft)))
        assert (kind.what, identify.lora_width(kind)) == (LORA, checkpoints.TINY.dim)
    preview = write(folder / "p.pth", checkpoints.preview(widths=(8, 8, 8, 8)))
    assert identify.identify(preview).what == PREVIEW
    assert identify.PACK_KEY == FORMAT
    pack = write(folder / "e.safetensors", {"0": torch.zeros(3, 8)}, **{FORMAT: "{}"})
    assert identify.identify(pack).what == identify.EMBEDDINGS


# What is something else


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (checkpoints.transformer_shapes(REAL, cameras=False), "of 1.3B, without ReCamMaster's camera encoders"),
        (
            checkpoints.transformer_shapes(Sizes(heads=40, ffn=13824, layers=2, text=4096), cameras=False),
            "of 14B, without ReCamMaster's camera encoders",
        ),
        (checkpoints.transformer_shapes(Sizes(channels_in=36), cameras=False), "for 36 channels and not 16"),
        (checkpoints.transformer_shapes(REAL) | {"img_emb.proj.0.weight": (8,)}, "that begins with a picture"),
        (checkpoints.transformer_shapes(REAL) | {"blocks.0.norm_mvs.weight": (8,)}, "SynCamMaster"),
        (checkpoints.transformer_shapes(REAL) | {"blocks.0.cam_encoder.weight": (1536, 6)}, "in another way"),
        ({"decoder.middle.0.residual.0.gamma": (8, 1, 1, 1), "conv2.weight": (48, 48, 1, 1, 1)}, "VAE of 48 channels"),
        ({"decoder.3.conv.0.weight": (8, 8, 3, 3), "decoder.1.weight": (8, 48, 3, 3)}, "latents of 48 channels"),
        ({"encoder.block.0.layer.0.SelfAttention.q.weight": (8, 8), "shared.weight": (9, 8)}, "T5 text encoder"),
        ({"text_model.encoder.layers.0.self_attn.q_proj.weight": (8, 8)}, "a CLIP encoder"),
        ({"first.stage": (2,), "second.stage": (2,)}, "2 tensors, the first called 'first.stage'"),
        ({}, "without tensors"),
    ],
)
def test_other_models_are_told_by_name(folder, shapes, words):
    kind = identify.identify(hollow(folder / "recammaster.safetensors", shapes))
    assert kind.what == OTHER
    assert words in kind.words


def test_the_vae_of_qwen_image_is_told_by_its_config(folder):
    made = checkpoints.write_vae_folder(folder / "vae")
    config = json.loads((made / "config.json").read_text())
    (made / "config.json").write_text(json.dumps(config | {"_class_name": "AutoencoderKLQwenImage"}))
    assert identify.identify(made).what == OTHER


# What cannot be opened


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\n  <html lang=en>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 2980841600\n", "to a file of 2.98 GB"),
        (b"GGUF\x03\0\0\0" + bytes(100), "a GGUF file"),
        (b'{"error": "Invalid credentials"}', "a text"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(100), "a packed archive"),
        (pickle.dumps({"a": 1}), "a pickle of an old kind"),
        (bytes(range(1, 200)), "of a known format"),
        (struct.pack("<Q", 1 << 60) + b"{}", "of a known format"),
        (struct.pack("<Q", 5000) + b'{"a":', "not even its table of contents"),
        (struct.pack("<Q", 5) + b"{'a'}", "makes no sense"),
        (struct.pack("<Q", 60000) + b'{"a":' + b"[" * 59995, "makes no sense"),
        (struct.pack("<Q", 12) + b'{"a":{"b":1}', "makes no sense"),
    ],
)
def test_what_is_no_weights_is_said(folder, content, words):
    path = folder / "step20000.ckpt"
    path.write_bytes(content)
    kind = identify.identify(path)
    assert kind.what == BROKEN
    assert words in kind.words


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [4.0], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [4], "data_offsets": [16, 0]},
        {"dtype": "F32", "shape": [4]},
        [],
    ],
)
def test_a_header_that_lies_is_not_believed(folder, entry):
    raw = json.dumps({"blocks.0.self_attn.q.weight": entry}).encode()
    path = folder / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(16))
    assert identify.identify(path).what == BROKEN


def test_a_file_that_is_cut_off_says_how_much_is_there(folder):
    path = hollow(folder / "a.safetensors", checkpoints.transformer_shapes(REAL))
    os.truncate(path, 1_200_000_000)
    assert identify.identify(path).words == "cut off: 1.2 of its 2.98 GB are there; download it again"
    pickled = write(folder / "a.ckpt", checkpoints.transformer())
    os.truncate(pickled, pickled.stat().st_size - 100)
    assert "cut off" in identify.identify(pickled).words


def test_a_part_of_a_folder_that_is_missing_is_named(folder):
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    write(folder / "model-00001-of-00002.safetensors", {"a": torch.zeros(2)})
    assert "lacks 'model-00002-of-00002.safetensors', one of its 2 parts" in identify.identify(folder).words
    outside = {"weight_map": {"a": "../../secret.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(outside))
    assert "damaged" in identify.identify(folder).words


class Evil:
    """Runs a command where it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_code_in_a_pickle_is_not_run(folder):
    mark, path = folder / "it ran", folder / "step20000.ckpt"
    torch.save({"blocks.0.cam_encoder.weight": Evil(mark)}, path)
    kind = identify.identify(path)
    assert not mark.exists()
    assert kind.what == BROKEN
    assert "not opened: it holds Python code (" in kind.words
    assert "mkdir" in kind.words
    torch.load(path, weights_only=False)
    assert mark.exists(), "the pickle of this test is harmless"


def test_a_few_bytes_cannot_claim_to_be_large(folder):
    path = write(folder / "a.pth", {})
    torch.save({"blocks.0.self_attn.q.weight": torch.zeros(1).expand(1 << 20, 1 << 20)}, path)
    assert "larger than it is" in identify.identify(path).words


def test_archives_that_are_no_weights_are_told(folder):
    path = folder / "a.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "a ZIP archive" in identify.identify(path).words
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/constants.pkl", "")
    assert "a TorchScript program" in identify.identify(path).words
    torch.save([torch.zeros(2)], path)
    assert "no state dict: it holds one list" in identify.identify(path).words
    torch.save({"a": torch.eye(3).to_sparse()}, path)
    assert identify.identify(path).what == BROKEN


def test_an_encrypted_archive_is_told(folder):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a/data.pkl", b"secret")
    raw = bytearray(packed.getvalue())
    # The bit that says so stands in both of the entry's headers.
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path = folder / "a.pth"
    path.write_bytes(raw)
    assert identify.identify(path).words == "an encrypted archive"


def test_a_state_dict_within_what_a_trainer_saves_is_found(folder):
    path = folder / "last.ckpt"
    torch.save({"state_dict": checkpoints.transformer(), "epoch": 3}, path)
    assert identify.identify(path).what == TRANSFORMER


def test_what_is_not_there_is_said(folder):
    assert identify.identify(folder / "none").what == BROKEN
    assert identify.identify(folder).words == "a folder without weights"


def test_no_damage_makes_it_raise(folder):
    names = ("blocks.0.self_attn.q.weight", "blocks.0.cam_encoder.weight", "patch_embedding.weight")
    state = {name: torch.zeros(4, 12) for name in names}
    whole = [write(folder / f"a.{ending}", state).read_bytes() for ending in ("safetensors", "ckpt")]
    whole.append(checkpoints.spiece_model())
    draw = random.Random(7)
    path = folder / "damaged.ckpt"
    for _ in range(400):
        raw = bytearray(draw.choice(whole))
        for _ in range(draw.choice((1, 2, 8))):
            raw[draw.randrange(min(1500, len(raw)))] = draw.randrange(256)
        path.write_bytes(raw[: draw.choice((len(raw), draw.randrange(len(raw))))])
        assert identify.identify(path).words
