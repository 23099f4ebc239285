"""``convert``: any format in, a diffusers folder out, whole or not at all."""

import argparse
import os
import shutil
import stat

import checkpoints
import pytest
import torch
from checkpoints import NARROW, write
from diffusers import AutoencoderKLWan
from safetensors import SafetensorError
from safetensors.torch import load_file

from backend.contract import ContractError
from backend.media.errors import WriteError
from backend.recammaster import conversion
from backend.recammaster.checkpoint import CheckpointError, load_transformer, load_vae
from backend.recammaster.commands import add_convert
from backend.recammaster.conversion import convert
from backend.recammaster.transformer import ReCamMasterTransformer3DModel


def same(one, other):
    return all(torch.equal(each, other.state_dict()[name]) for name, each in one.state_dict().items())


@pytest.mark.parametrize("ending", [".ckpt", ".safetensors"])
def test_the_network_comes_out_as_it_went_in(folder, ending):
    state = checkpoints.transformer()
    source = write(folder / f"a{ending}", state, prefix="model." if ending == ".safetensors" else "")
    assert convert(source, folder / "out é") == "ReCamMaster's network of width 128, 2 blocks, float32"
    theirs = ReCamMasterTransformer3DModel.from_pretrained(folder / "out é")
    assert same(load_transformer(folder / "out é"), theirs)
    for name, values in checkpoints.transformer_in_diffusers_names(state).items():
        assert torch.equal(theirs.get_parameter(name), values)
    assert sorted(os.listdir(folder / "out é")) == ["config.json", "diffusion_pytorch_model.safetensors"]


def test_a_folder_goes_in_too_and_heads_are_kept(folder):
    made = checkpoints.write_transformer_folder(folder / "a", NARROW)
    convert(made, folder / "b")
    assert load_transformer(folder / "b").config.num_attention_heads == NARROW.heads
    assert same(load_transformer(folder / "b"), load_transformer(made))


def test_half_a_file_stays_half(folder):
    source = write(folder / "a.ckpt", checkpoints.transformer(), dtype=torch.bfloat16)
    convert(source, folder / "b")
    assert same(load_transformer(folder / "b"), load_transformer(source))
    convert(source, folder / "c", torch.float16)
    stored = load_file(folder / "c" / "diffusion_pytorch_model.safetensors")
    assert {each.dtype for each in stored.values()} == {torch.float16}


def test_the_vae_is_converted_too(folder):
    source = write(folder / "Wan2.1_VAE.pth", checkpoints.vae())
    convert(source, folder / "vae")
    assert same(AutoencoderKLWan.from_pretrained(folder / "vae"), load_vae(source))


def test_nothing_is_overwritten(folder):
    source = write(folder / "a.ckpt", checkpoints.transformer())
    (folder / "empty").mkdir()
    for name in ("empty", "a.ckpt"):
        with pytest.raises(WriteError, match="is there already"):
            convert(source, folder / name)
    assert not any((folder / "empty").iterdir())


def test_what_is_something_else_is_refused(folder):
    source = write(folder / "te.safetensors", checkpoints.text_encoder())
    with pytest.raises(CheckpointError, match="is a UMT5 text encoder of width 32"):
        convert(source, folder / "out")
    assert not (folder / "out").exists()


def test_a_failure_leaves_nothing(folder, monkeypatch):
    source = write(folder / "a.ckpt", checkpoints.transformer())

    def fail(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(conversion, "save_file", fail)
    with pytest.raises(WriteError, match="the disk is full"):
        convert(source, folder / "out")
    assert os.listdir(folder) == ["a.ckpt"]


@pytest.mark.skipif(os.name == "nt", reason="modes are of POSIX")
@pytest.mark.parametrize(("umask", "whole", "each"), [(0o022, 0o755, 0o644), (0o077, 0o700, 0o600)])
def test_the_umask_says_who_may_read_what_comes_out(folder, umask, whole, each):
    source = write(folder / "a.ckpt", checkpoints.transformer())
    before = os.umask(umask)
    try:
        convert(source, folder / "out")
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "out").stat().st_mode) == whole
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder / "out").iterdir()} == {each}


def test_too_small_a_disk_is_told_before(folder, monkeypatch):
    source = write(folder / "a.ckpt", checkpoints.transformer())
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(WriteError, match=r"needs 0\.0 GB, and 0\.0 GB are free"):
        convert(source, folder / "out")


# In a shell


def run(*arguments):
    parser = argparse.ArgumentParser()
    add_convert(parser.add_subparsers())
    options = parser.parse_args(["convert", *map(str, arguments)])
    return options.run(options)


def test_the_command_writes_the_folder_and_says_what_it_was(folder, capsys):
    source = write(folder / "step20000.ckpt", checkpoints.transformer())
    assert run(source, folder / "out", "--dtype", "bf16") == 0
    output = capsys.readouterr()
    assert output.out == f"{folder / 'out'}\n"
    assert f"{str(source)!r} is ReCamMaster's network" in output.err
    stored = load_file(folder / "out" / "diffusion_pytorch_model.safetensors")
    assert {each.dtype for each in stored.values()} == {torch.bfloat16}


def test_the_command_says_in_one_line_what_is_wrong(folder, capsys):
    with pytest.raises(ContractError, match="IN: found nothing at"):
        run(folder / "none", folder / "out")
    page = folder / "step20000.ckpt"
    page.write_bytes(b"<html>")
    assert run(page, folder / "out") == 2
    said = capsys.readouterr().err
    assert "is a web page" in said
    assert said.count("\n") == 1
    with pytest.raises(CheckpointError):
        run(page, folder / "out", "--debug")


def test_the_command_fails_where_nothing_can_be_written(folder, capsys):
    source = write(folder / "a.ckpt", checkpoints.transformer())
    with pytest.raises(ContractError, match="OUT: found"):
        run(source, source)
    assert run(source, folder / "none" / "out") == 1
    assert "its folder does not exist" in capsys.readouterr().err
    assert os.listdir(folder) == ["a.ckpt"]


def test_what_the_library_cannot_write_is_told_too(folder, monkeypatch):
    source = write(folder / "a.ckpt", checkpoints.transformer())

    def fail(*_args, **_kwargs):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(conversion, "save_file", fail)
    with pytest.raises(WriteError, match="No space left"):
        convert(source, folder / "out")
    assert os.listdir(folder) == ["a.ckpt"]
