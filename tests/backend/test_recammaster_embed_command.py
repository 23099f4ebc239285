"""``python -m backend embed``: the pack that it writes, what it says, and what it refuses."""

import argparse
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import checkpoints
import prompts
import pytest
import torch
from small_tensors import one_thread  # noqa: F401 a fixture for all tests here

from backend import shell
from backend.engines import EngineError
from backend.recammaster import checkpoint, device, embedding_command, text
from backend.recammaster.embeddings import Pack, encoder_of
from backend.recammaster.recipes import NEGATIVE_PROMPT

NEGATIVE = text.clean(NEGATIVE_PROMPT)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder of models: a text encoder and its tokenizer."""
    return prompts.write_models(tmp_path_factory.mktemp("models")).text_encoder.parent


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """No test sees what another encoded, or what the user did."""
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECAM_MODELS", raising=False)


@pytest.fixture
def embed(monkeypatch, folder, models, capsys):
    """Run the command in a folder of its own: exit code, stdout, stderr."""
    monkeypatch.chdir(folder)

    def run(*arguments, models=models):
        given = [] if models is None else ["--models", str(models)]
        code = shell.main(["embed", *map(str, arguments), *given])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def encoded(models, wanted, tmp_path):
    """What the engine is given for these."""
    found = SimpleNamespace(text_encoder=models / "text_encoder", tokenizer=models / "tokenizer", embeddings=[])
    return prompts.encode(wanted, found, tmp_path / "another").tensors


def test_pack_has_the_prompts_and_the_two_that_every_job_may_need(embed, folder, models, tmp_path):
    code, out, said = embed("a  dog", "日本 “é”", "--output", "my pack.safetensors")
    assert (code, out) == (0, f"{folder / 'my pack.safetensors'}\n"), said
    pack = Pack(folder / "my pack.safetensors")
    assert pack.prompts == ["a dog", text.clean("日本 “é”"), NEGATIVE, ""]
    assert pack.encoders == [encoder_of(models / "text_encoder")]
    for prompt, expected in zip(pack.prompts, encoded(models, pack.prompts, tmp_path), strict=True):
        found = pack.find(prompt).padded()
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found, expected.to(torch.bfloat16), rtol=0, atol=0)
    assert "recam: 4 prompts, 0.0 MB\n" in said
    assert os.listdir(folder) == ["my pack.safetensors"]


def test_pack_serves_where_there_is_no_encoder(embed, folder, tmp_path):
    embed("a dog", "--output", "p.safetensors")
    found = SimpleNamespace(text_encoder=None, tokenizer=None, embeddings=[folder / "p.safetensors"])
    given = prompts.encode(["a dog", "", NEGATIVE_PROMPT], found, tmp_path / "none", width=32)
    assert [each.shape for each in given.tensors] == [(512, 32)] * 3
    assert given.warnings == []


def test_without_prompts(embed, folder):
    assert embed("--output", "p.safetensors")[0] == 0
    assert Pack(folder / "p.safetensors").prompts == [NEGATIVE, ""]


def test_only(embed, folder):
    assert embed("a dog", "a  dog", "--only", "--output", "p.safetensors")[0] == 0
    assert Pack(folder / "p.safetensors").prompts == ["a dog"]
    code, out, said = embed("--only", "--output", "q.safetensors")
    assert (code, out) == (2, "")
    assert said == "recam: --only: found no prompts, expected a PROMPT or a --prompts-file beside it\n"


def test_prompts_file(embed, folder):
    (folder / "prompts é.txt").write_bytes("\ufeffa dog\r\n\r\n  \n日本\x0b\x0c\u2028one line\nlast".encode())
    code, *_ = embed("first", "--prompts-file", "prompts é.txt", "--only", "--output", "p.safetensors")
    assert code == 0
    assert Pack(folder / "p.safetensors").prompts == [
        "first",
        "a dog",
        text.clean("日本\x0b\x0c\u2028one line"),
        "last",
    ]


def test_prompts_on_stdin(embed, folder, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a dog\na cat\n")))
    assert embed("--prompts-file", "-", "--only", "--output", "p.safetensors")[0] == 0
    assert Pack(folder / "p.safetensors").prompts == ["a dog", "a cat"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--output", "p.mp4"], "--output: found 'p.mp4', expected a name that ends in .safetensors"),
        (
            ["--output", "taken.safetensors"],
            "--output: found 'taken.safetensors', expected a new file: nothing is over",
        ),
        (["--output", "p.safetensors", "--prompts-file", "none"], "--prompts-file: found 'none': No such file"),
        (["--output", "p.safetensors", "--prompts-file", "latin"], "--prompts-file: found 'latin', byte 3 is no UTF-8"),
        (["--output", "p.safetensors", "--prompts-file", "blank"], "--prompts-file: found 'blank', empty, expected a"),
        (["--output", "p.safetensors", "--text-encoder", "none"], "--text-encoder: found nothing at '"),
        (["--output", "p.safetensors", "--tokenizer", "none"], "--tokenizer: found nothing at '"),
        (["--output", "p.safetensors", "--device", "cuda:abc"], "--device: found cuda:abc, expected auto, cpu, mps"),
        (["--output", "p.safetensors", "--device", "wurst"], "--device: found wurst, expected auto, cpu, mps, cuda"),
    ],
)
def test_refused_before_any_work(embed, folder, monkeypatch, arguments, said):
    (folder / "taken.safetensors").write_text("mine")
    (folder / "latin").write_bytes("café".encode("latin-1"))
    (folder / "blank").write_text("\n \n")
    monkeypatch.setattr(embedding_command, "_make_pack", None)
    code, out, errors = embed("a dog", *arguments)
    assert (code, out) == (2, "")
    assert errors.startswith(f"recam: {said}")
    assert errors.count("\n") == 1
    assert (folder / "taken.safetensors").read_text() == "mine"


def test_models_folder_that_is_not_there(embed):
    code, _, said = embed("a dog", "--output", "p.safetensors", models="none")
    assert code == 2
    assert said.startswith("recam: --models: found nothing at '")


def test_one_prompt_is_counted_as_one(embed):
    assert "recam: 1 prompt, 0.0 MB\n" in embed("a dog", "--only", "--output", "p.safetensors")[2]


@pytest.mark.parametrize("name", ["wurst", "", "cuda:abc", "cuda:"])
def test_a_device_of_no_such_name_is_not_taken_for_auto(name):
    with pytest.raises(EngineError, match=r"is no device: choose auto, cpu, mps, cuda, or one like cuda:1\."):
        device.choose(name)


def test_folder_that_is_not_there(embed, folder):
    code, out, said = embed("a dog", "--output", "none/p.safetensors")
    assert (code, out) == (1, "")
    path = str(folder / "none" / "p.safetensors")
    assert said == f"recam: {path!r} cannot be written: its folder does not exist, or has gone.\n"


def test_no_encoder(embed, folder):
    (folder / "empty").mkdir()
    code, out, said = embed("a dog", "--output", "p.safetensors", models=folder / "empty")
    assert (code, out) == (1, "")
    assert "no text encoder was found" in said.splitlines()[-1]
    assert os.listdir(folder) == ["empty"]


def test_failing_leaves_nothing(embed, folder, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(checkpoint, "load_text_encoder", fail)
    code, out, said = embed("a dog", "--output", "p.safetensors")
    assert (code, out) == (1, "")
    assert "does not fit into memory" in said
    assert os.listdir(folder) == []


def test_interrupted(embed, folder, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "load_text_encoder", interrupt)
    assert embed("a dog", "--output", "p.safetensors")[0] == 130
    assert os.listdir(folder) == []


def test_encoder_comes_before_packs_of_others(embed, folder, models, tmp_path):
    other = shutil.copytree(models, tmp_path / "other")
    shutil.rmtree(other / "text_encoder")
    checkpoints.write_text_encoder_folder(other / "text_encoder", checkpoints.text_encoder(seed=9))
    embed("a dog", "--output", other / "p.safetensors", models=other)
    both = shutil.copytree(models, tmp_path / "both")
    shutil.copy(other / "p.safetensors", both)
    assert embed("a dog", "--output", "q.safetensors", models=both)[0] == 0
    assert Pack(folder / "q.safetensors").encoders == [encoder_of(models / "text_encoder")]


def test_packs_can_be_packed_again_without_an_encoder(embed, folder, tmp_path):
    embed("a dog", "--output", "p.safetensors")
    few = tmp_path / "few"
    few.mkdir()
    shutil.copy(folder / "p.safetensors", few)
    os.environ["RECAM_CACHE"] = str(tmp_path / "none")
    code, _, said = embed("a dog", "--only", "--output", "q.safetensors", models=few)
    assert code == 0, said
    assert Pack(folder / "q.safetensors").prompts == ["a dog"]


def test_encoder_and_tokenizer_by_name(embed, folder, models):
    paths = ["--text-encoder", models / "text_encoder", "--tokenizer", models / "tokenizer"]
    assert embed("a dog", *paths, "--device", "cpu", "--output", "p.safetensors", models=None)[0] == 0
    assert len(Pack(folder / "p.safetensors").prompts) == 3


def test_what_is_no_encoder_is_said(embed, folder, models):
    code, out, said = embed("a dog", "--text-encoder", models / "tokenizer", "--output", "p.safetensors")
    assert (code, out) == (1, "")
    assert "text encoder was expected" in said
    assert os.listdir(folder) == []


def test_a_prompt_that_is_cut_is_said(embed):
    _, _, said = embed("a dog and a ball and " * 200, "--only", "--output", "p.safetensors")
    assert "recam: The prompt 'a dog and" in said
    assert "its end is left out." in said


def test_from_a_shell_with_a_prompt_that_is_no_utf_8(folder, models):
    command = [sys.executable, "-m", "backend", "embed", b"caf\xe9", "--only", "--output", "p.safetensors"]
    done = subprocess.run(
        [*command, "--models", models],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(shell.__file__).parents[1]), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == f"{folder / 'p.safetensors'}\n"
    assert Pack(folder / "p.safetensors").prompts == ["caf?"]


def test_help_asks_for_nothing_heavy():
    program = (
        "import argparse, sys; from backend.recammaster.embedding_command import add_embed;"
        "add_embed(argparse.ArgumentParser().add_subparsers());"
        "assert not {'torch', 'numpy', 'safetensors', 'diffusers'} & set(sys.modules), sys.modules"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(shell.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


def test_added_to_a_parser():
    parser = argparse.ArgumentParser()
    embedding_command.add_embed(parser.add_subparsers())
    options = parser.parse_args(["embed", "a", "b", "--output", "p"])
    assert (options.prompts, options.output, options.device, options.debug) == (["a", "b"], "p", None, False)
    with pytest.raises(SystemExit):
        parser.parse_args(["embed", "a"])
