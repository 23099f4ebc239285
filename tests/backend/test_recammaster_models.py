"""Which files are taken for the models: those named, and else by content in a folder of any layout."""

import json
import os
from pathlib import Path

import checkpoints
import pytest
import torch
from checkpoints import REAL, TINY, Sizes, write
from test_recammaster_identify import Evil, hollow

from backend.contract import Models
from backend.recammaster import checkpoint, identify, models
from backend.recammaster.embeddings import FORMAT
from backend.recammaster.models import Found, find
from backend.recammaster.tensors import CheckpointError


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv(models.VARIABLE, raising=False)


def within(folder, *needed) -> Found:
    return find(Models(folder=str(folder)), needed)


def missed(given, *needed):
    with pytest.raises(CheckpointError) as caught:
        find(given, needed)
    assert caught.value.kind == "models"
    return str(caught.value)


# Folders as users have them


def test_the_folder_of_comfyui_works_as_it_is(folder):
    made = checkpoints.make_all(folder)
    write(folder / "checkpoints" / "sdxl.safetensors", {"input_blocks.1.0.in_layers.0.weight": torch.zeros(2)})
    write(folder / "vae" / "ae.safetensors", {"decoder.mid.block_1.conv1.weight": torch.zeros(2)})
    write(folder / "vae" / "qwen_image_vae.safetensors", checkpoints.vae())
    write(
        folder / "clip" / "clip_l.safetensors", {"text_model.encoder.layers.0.self_attn.q_proj.weight": torch.zeros(2)}
    )
    write(folder / "unet" / "wan_t2v.safetensors", checkpoints.transformer(cameras=False))
    (folder / "vae_approx").mkdir()
    write(folder / "vae_approx" / "taehv.pth", checkpoints.preview(widths=(8, 8, 8, 8)))
    preview = write(folder / "vae_approx" / "taew2_1.pth", checkpoints.preview(widths=(8, 8, 8, 8)))
    found = within(folder, "transformer", "vae")
    assert (found.transformer, found.vae, found.text_encoder) == tuple(made.values())
    assert found.tokenizer == found.text_encoder, "its tokenizer is inside"
    assert found.preview == preview
    assert (found.lora, found.embeddings, found.notes) == (None, [], [])
    assert len(checkpoint.load_tokenizer(found.tokenizer)) > 300


def test_a_folder_of_diffusers_works_as_it_is(folder):
    base = folder / "Wan2.1-T2V-1.3B-Diffusers"
    vae = checkpoints.write_vae_folder(base / "vae")
    encoder = checkpoints.write_text_encoder_folder(base / "text_encoder")
    tokenizer = checkpoints.write_tokenizer_folder(base / "tokenizer")
    plain = checkpoints.write_transformer_folder(base / "transformer")
    write(plain / "diffusion_pytorch_model.safetensors", checkpoints.transformer(cameras=False))
    (base / "model_index.json").write_text("{}")
    network = write(folder / "ReCamMaster" / "step20000.ckpt", checkpoints.transformer())
    found = within(folder)
    assert (found.transformer, found.vae, found.text_encoder) == (network, vae, encoder)
    assert found.tokenizer == tokenizer / "tokenizer.json"


def test_the_folder_of_wan_works_as_it_is(folder):
    encoder = write(
        folder / "models_t5_umt5-xxl-enc-bf16.pth", checkpoints.text_encoder_in_wan_names(checkpoints.text_encoder())
    )
    # Of another encoder, nearer by name; it knows too few tokens.
    other = checkpoints.write_tokenizer_folder(folder / "a" / "tokenizer") / "tokenizer.json"
    content = json.loads(other.read_text(encoding="utf-8"))
    content["model"]["vocab"] = content["model"]["vocab"][:90]
    other.write_text(json.dumps(content), encoding="utf-8")
    os.remove(other.with_name("spiece.model"))
    tokenizer = checkpoints.write_tokenizer_folder(folder / "google" / "umt5-xxl", fast=False) / "spiece.model"
    plain = write(folder / "diffusion_pytorch_model.safetensors", checkpoints.transformer(cameras=False))
    (folder / "config.json").write_text(json.dumps({"_class_name": "WanModel", "dim": TINY.dim, "num_heads": 1}))
    vae = write(folder / "Wan2.1_VAE.pth", checkpoints.vae())
    found = within(folder)
    assert (found.text_encoder, found.tokenizer, found.vae) == (encoder, tokenizer, vae)
    assert found.transformer is None
    assert plain.is_file()


def test_a_converted_network_lies_beside_other_files(folder):
    checkpoints.make_all(folder)
    os.remove(folder / "diffusion_models" / "step20000.ckpt")
    made = checkpoints.write_transformer_folder(folder / "diffusion_models" / "recam é 日本")
    found = within(folder, "transformer")
    assert found.transformer == made
    assert checkpoint.load_transformer(made)


def test_links_and_their_rounds_are_followed_once(folder):
    made = checkpoints.make_all(folder / "real")
    (folder / "models").mkdir()
    (folder / "models" / "linked").symlink_to(folder / "real", target_is_directory=True)
    (folder / "real" / "round").symlink_to(folder / "models", target_is_directory=True)
    found = within(folder / "models")
    assert found.vae == folder / "models" / "linked" / "vae" / made["vae"].name
    assert found.notes == []


def test_what_is_hidden_or_too_deep_is_left_alone(folder):
    write(folder / ".cache" / "a.pth", checkpoints.vae())
    write(folder.joinpath(*"1234567") / "a.pth", checkpoints.vae())
    found = within(folder)
    assert found.vae is None
    assert "too much to be searched whole" in found.notes[0]


def test_more_files_than_is_reasonable_are_not_opened(folder, monkeypatch):
    monkeypatch.setattr(models, "_MOST_FILES", 3)
    for index in range(5):
        write(folder / f"{index}.safetensors", {"a": torch.zeros(1)})
    write(folder / "z.pth", checkpoints.vae())
    found = within(folder)
    assert found.vae is None
    assert len(found.notes) == 1


# Several of a kind


def test_the_most_exact_is_taken_and_said(folder):
    state = checkpoints.transformer()
    write(folder / "a.safetensors", state, dtype=torch.bfloat16)
    write(folder / "b.ckpt", state)
    best = write(folder / "c.safetensors", state)
    found = within(folder)
    assert found.transformer == best
    assert found.notes == [
        f"ReCamMaster's network lies there 3 times: {str(best)!r} was taken; name another to use that."
    ]


def test_eight_bits_come_last(folder):
    state = checkpoints.text_encoder()
    small = checkpoints.text_encoder_in_eight_bits(state)
    # The table of tokens is most of so small an encoder.
    small["shared.weight"] = small["shared.weight"].to(checkpoints.FP8)
    write(folder / "a.safetensors", small)
    best = write(folder / "b.pth", checkpoints.text_encoder_in_wan_names(state), dtype=torch.bfloat16)
    assert within(folder).text_encoder == best


def test_packs_are_all_taken_those_named_first(folder):
    packs = [write(folder / f"{name}.safetensors", {"0": torch.zeros(3, 8)}, **{FORMAT: "{}"}) for name in "abc"]
    assert within(folder).embeddings == packs
    named = find(Models(folder=str(folder), embeddings=str(packs[1])))
    assert named.embeddings == [packs[1], packs[0], packs[2]]


def test_a_lora_is_taken_if_it_is_for_few_steps_and_fits(folder):
    write(folder / "step20000.ckpt", checkpoints.transformer())
    write(folder / "style.safetensors", checkpoints.lora())
    write(folder / "Wan21_CausVid_14B.safetensors", checkpoints.lora(Sizes(heads=2)))
    assert within(folder).lora is None
    fitting = write(folder / "Wan21_CausVid_bidirect2_T2V_1_3B_lora_rank32.safetensors", checkpoints.lora())
    assert within(folder).lora == fitting
    named = find(Models(folder=str(folder), lora=str(folder / "style.safetensors")))
    assert named.lora == folder / "style.safetensors"


def test_a_lora_that_is_named_must_fit(folder):
    made = checkpoints.make_all(folder)
    wide = write(folder / "wide.safetensors", checkpoints.lora(Sizes(heads=2)))
    other = write(folder / "sdxl.safetensors", {"lora_unet_input_blocks_1.lora_down.weight": torch.zeros(4, 8)})
    network = str(made["transformer"])
    assert "is a LoRA for a Wan network of width 256." in missed(Models(transformer=network, lora=str(wide)))
    assert "is a LoRA for a network of another kind." in missed(Models(transformer=network, lora=str(other)))
    kohya = {"lora_unet_blocks_0_self_attn_q.lora_down.weight": torch.zeros(4, TINY.dim)}
    fits = write(folder / "kohya.safetensors", kohya)
    assert find(Models(transformer=network, lora=str(fits))).lora == fits


# What is named


def test_what_is_named_is_taken_wherever_it_lies(folder):
    made = checkpoints.make_all(folder / "models")
    other = write(folder / "other.safetensors", checkpoints.transformer())
    found = find(Models(folder=str(folder / "models"), transformer=str(other)))
    assert (found.transformer, found.vae) == (other, made["vae"])
    alone = find(Models(transformer=str(other)))
    assert alone == Found(transformer=other)


def test_a_folder_may_be_named_for_what_is_in_it(folder):
    made = checkpoints.make_all(folder / "models")
    base = folder / "Diffusers"
    vae = checkpoints.write_vae_folder(base / "vae")
    tokenizer = checkpoints.write_tokenizer_folder(base / "tokenizer")
    found = find(Models(transformer=str(folder / "models"), vae=str(base), tokenizer=str(base)))
    assert (found.transformer, found.vae) == (made["transformer"], vae)
    assert len(checkpoint.load_tokenizer(found.tokenizer)) == len(checkpoint.load_tokenizer(tokenizer))


def test_a_tokenizer_may_be_named_by_a_text_encoder_that_has_it(folder):
    made = checkpoints.make_all(folder)
    assert find(Models(tokenizer=str(made["text_encoder"]))).tokenizer == made["text_encoder"]


def test_what_is_named_and_is_something_else_is_refused(folder):
    made = checkpoints.make_all(folder)
    said = missed(Models(transformer=str(made["vae"])))
    assert said.startswith(f"{str(made['vae'])!r} is Wan 2.1's VAE, float32. ReCamMaster's network was expected: get ")
    assert "is a folder without weights" in missed(Models(vae=str(folder / "text_encoders")))


def test_the_variable_names_a_folder(folder, monkeypatch):
    made = checkpoints.make_all(folder / "models")
    monkeypatch.setenv(models.VARIABLE, str(folder / "models"))
    assert find(Models()).vae == made["vae"]
    assert find(Models(folder=str(folder / "models" / "vae"))).transformer is None, "a job's folder goes before it"
    monkeypatch.setenv(models.VARIABLE, str(folder / "none"))
    none = str(folder / "none")
    assert missed(Models()) == f"RECAM_MODELS names {none!r}, which is no folder: name the one that the models lie in."


def test_a_folder_of_models_that_is_none_is_told(folder):
    file = str(checkpoints.make_all(folder)["vae"])
    said = f"The folder of models is to be {file!r}, which is no folder: name the one that the models lie in."
    assert missed(Models(folder=file)) == said


def test_a_folder_of_models_that_cannot_be_read_is_told(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)  # not by the folder's mode: root may read any
    assert "which cannot be read (Permission denied): let this user read it" in missed(Models(folder=str(folder)))


@pytest.mark.parametrize("name", ["tokenizer", "vae", "transformer"])
def test_what_is_named_and_gives_no_rights_is_not_to_be_read(folder, monkeypatch, name):
    locked, real = folder / "locked", os.stat
    locked.mkdir()

    def stat(path, **options):
        if isinstance(path, str | os.PathLike) and locked in Path(path).parents:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, **options)

    monkeypatch.setattr(os, "stat", stat)
    said = missed(Models(**{name: str(locked)}))
    assert said.startswith(f"{str(locked)!r} is not to be read (Permission denied). ")


# What is missing


def test_what_is_missing_is_named_with_where_to_get_it(folder):
    said = missed(Models(folder=str(folder)), "transformer", "vae")
    assert said.startswith(f"ReCamMaster's network and Wan 2.1's VAE were not found in {str(folder)!r}.")
    assert "step20000.ckpt from KlingTeam/ReCamMaster-Wan2.1" in said
    assert "Wan2.1_VAE.pth from Wan-AI/Wan2.1-T2V-1.3B" in said
    assert "UMT5" not in said
    assert said.count("ReCamMaster's network") == 1
    assert missed(Models(folder=str(folder)), "lora").startswith(
        "A LoRA of few steps for Wan 2.1's network of 1.3B was"
    )
    assert "is known, and a LoRA of few steps" in missed(Models(), "lora")
    assert "No folder of models is known" in missed(Models(), "transformer")
    assert find(Models()) == Found()


def test_what_may_have_been_meant_is_told(folder):
    hollow(folder / "wan.safetensors", checkpoints.transformer_shapes(REAL, cameras=False))
    whole = hollow(folder / "recammaster.safetensors", checkpoints.transformer_shapes(REAL))
    os.truncate(whole, 1_000_000_000)
    torch.save({"model": Evil(folder / "it ran")}, folder / "yolo.pt")
    said = missed(Models(folder=str(folder)), "transformer")
    assert f"{str(whole)!r} is cut off: 1 of its 2.98 GB are there" in said
    assert "is Wan's text-to-video network of 1.3B, without ReCamMaster's camera encoders." in said
    assert "yolo" not in said
    assert not (folder / "it ran").exists()


def test_a_folder_that_lacks_a_part_is_not_taken_for_one_without_weights(folder):
    made = checkpoints.write_transformer_folder(folder / "recam")
    os.rename(made / "diffusion_pytorch_model.safetensors", made / "diffusion_pytorch_model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "diffusion_pytorch_model-00002-of-00002.safetensors"}}
    (made / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    assert "lacks 'diffusion_pytorch_model-00002-of-00002.safetensors'" in missed(
        Models(folder=str(folder)), "transformer"
    )


def test_a_tokenizer_of_brackets_without_end_is_passed_over(folder):
    made = write(folder / "encoder.safetensors", checkpoints.text_encoder())
    (folder / "tokenizer.json").write_text('{"added_tokens": ' + "[" * 100_000)
    found = within(folder)
    assert (found.text_encoder, found.tokenizer) == (made, None)


def test_files_are_opened_again_only_when_they_change(folder, monkeypatch):
    made = checkpoints.make_all(folder)
    within(folder)
    opened = []
    real = identify.identify
    monkeypatch.setattr(identify, "identify", lambda path: opened.append(path) or real(path))
    assert within(folder).vae == made["vae"]
    assert opened == []
    write(made["vae"], checkpoints.vae(8))
    assert within(folder).vae == made["vae"]
    assert opened == [made["vae"]]
