"""Packs of encoded prompts, and the encoders they name: what goes in comes out, and what is damaged does not."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from packs import DAMAGES, ENCODER, ODD, ROWS, damaged, embedding, write

from backend.recammaster.embeddings import Embedding, EmbeddingsError, Encoder, Pack, encoder_of, pack

# Packs


def test_pack_gives_back_what_went_in(tmp_path):
    made = [embedding(prompt, ROWS * index, tokens=600 + index) for index, prompt in enumerate(ODD)]
    found = Pack(write(tmp_path / 'it\'s a "pack" é 日本.safetensors', *made))
    assert found.prompts == ODD
    assert found.encoders == [ENCODER]
    for index, prompt in enumerate(ODD):
        got = found.find(prompt)
        assert (got.prompt, got.tokens, got.encoder) == (prompt, 600 + index, ENCODER)
        torch.testing.assert_close(got.rows, ROWS * index, rtol=0, atol=0)
    assert found.find("another") is None


def test_file_whose_name_is_no_utf_8(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"\xff.safetensors")
    try:
        with open(path, "wb") as file:
            file.write(pack([embedding()]))
    except OSError:
        pytest.skip("this file system takes no such names")
    path = Path(os.fsdecode(path))
    assert encoder_of(path).name == path.name
    with pytest.raises(EmbeddingsError, match="not valid UTF-8"):  # safetensors takes no such names
        Pack(path)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_padded_with_zeros(tmp_path, dtype):
    rows = ROWS.to(dtype)
    padded = Pack(write(tmp_path / "p.safetensors", embedding(rows=rows))).find("plain").padded()
    assert padded.shape == (512, 24)
    assert padded.dtype == dtype
    torch.testing.assert_close(padded[:5], rows, rtol=0, atol=0)
    assert not padded[5:].any()


def test_long_prompt_is_about_a_megabyte():
    rows = torch.randn(126, 4096).to(torch.bfloat16)  # the published negative prompt's tokens
    assert 1.0e6 < len(pack([embedding(rows=rows)])) < 1.1e6


def test_same_prompts_give_the_same_bytes():
    program = (
        "import sys, torch; from backend.recammaster.embeddings import *;"
        "sys.stdout.buffer.write(pack([Embedding(each, torch.ones(3, 4), 3, Encoder('ab', 'n')) for each in 'abcdef']))"
    )
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    made = [Embedding(each, torch.ones(3, 4), 3, Encoder("ab", "n")) for each in "abcdef"]
    assert done.stdout == pack(made)


def test_several_encoders_in_one_pack(tmp_path):
    other = Encoder("cd" * 32, "other")
    found = Pack(write(tmp_path / "p.safetensors", embedding(), embedding(rows=ROWS + 1, encoder=other)))
    assert found.encoders == [ENCODER, other]
    assert found.find("plain").encoder == ENCODER
    torch.testing.assert_close(found.find("plain", other.identity).rows, ROWS + 1)
    assert found.find("plain", "ef" * 32) is None
    assert found.has("plain", width=24)
    assert not found.has("plain", width=25)


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_pack_is_named_in_one_sentence(tmp_path, kind):
    path = tmp_path / "é pack.safetensors"
    path.write_bytes(damaged(kind))
    with pytest.raises(EmbeddingsError) as caught:
        Pack(path).find("plain")
    said = str(caught.value)
    assert said.startswith(f"{str(path)!r} is no pack of prompts as `python -m backend embed` writes it, or a damaged")
    assert said.endswith("make it anew, or take it away.")
    assert "\n" not in said
    assert len(said) < 400 + len(str(path))


def test_pack_that_is_not_there(tmp_path):
    with pytest.raises(EmbeddingsError, match=r"nothing\.safetensors' is no pack"):
        Pack(tmp_path / "nothing.safetensors")
    with pytest.raises(EmbeddingsError, match="is no pack"):
        Pack(tmp_path)


# Encoders


def test_identity_is_of_the_content_and_not_of_the_place(tmp_path):
    content = os.urandom(20_000_000)
    one, two = tmp_path / "one.safetensors", tmp_path / "é" / "two.pth"
    two.parent.mkdir()
    one.write_bytes(content)
    two.write_bytes(content)
    assert encoder_of(one).identity == encoder_of(two).identity
    assert (encoder_of(one).name, encoder_of(two).name) == ("one.safetensors", "two.pth")
    two.write_bytes(content + b"x")
    assert encoder_of(one).identity != encoder_of(two).identity


@pytest.mark.parametrize("at", [0, 900_000, 10_000_000, 19_900_000])
def test_identity_changes_with_any_matrix(tmp_path, at):
    content = bytearray(os.urandom(20_000_000))
    path = tmp_path / "encoder.safetensors"
    path.write_bytes(content)
    before = encoder_of(path).identity
    content[at : at + 100_000] = os.urandom(100_000)  # in scale, a matrix of UMT5-XXL is 15 to 80 times larger
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))
    assert encoder_of(path).identity != before


def test_identity_changes_with_any_byte_of_the_header(tmp_path):
    content = bytearray(20_000_000)
    path = tmp_path / "encoder.safetensors"
    path.write_bytes(content)
    before = encoder_of(path).identity
    content[5000] = 1  # between two samples
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))
    assert encoder_of(path).identity != before


def test_identity_of_a_small_file_is_of_every_byte(tmp_path):
    path = tmp_path / "encoder.safetensors"
    found = set()
    for at in range(0, 1000, 100):
        content = bytearray(1000)
        content[at] = 1
        path.write_bytes(content)
        os.utime(path, ns=(at, at))
        found.add(encoder_of(path).identity)
    assert len(found) == 10


def test_identity_takes_little_reading(tmp_path):
    path = tmp_path / "encoder.safetensors"
    with path.open("wb") as file:
        file.truncate(12_000_000_000)  # a hole: it takes no room on most disks
    started = time.monotonic()
    encoder_of(path)
    assert time.monotonic() - started < 2


def test_identity_of_a_folder(tmp_path):
    for name, parts in (("a", ("1", "2")), ("b", ("2", "1")), ("c", ("1", "3"))):
        folder = tmp_path / name
        folder.mkdir()
        for index, part in enumerate(parts):
            (folder / f"model-{index}.safetensors").write_bytes(part.encode() * 99)
        (folder / "config.json").write_text(name)
        index = {"weight_map": {str(part): f"model-{part}.safetensors" for part in range(2)}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    one, two, three = (encoder_of(tmp_path / name).identity for name in "abc")
    assert one == two != three
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "a").rename(tmp_path / "pipeline" / "text_encoder")
    assert encoder_of(tmp_path / "pipeline").identity == one
    (tmp_path / "d").mkdir()
    with pytest.raises(FileNotFoundError, match="no weights"):
        encoder_of(tmp_path / "d")
