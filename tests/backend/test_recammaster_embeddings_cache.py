"""The cache of encoded prompts: what is kept comes out, and whatever is wrong with the folder costs no take."""

import os
import threading
import time
from pathlib import Path

import pytest
import torch
from packs import DAMAGES, ENCODER, ODD, ROWS, damaged, embedding, prompts_in, write

from backend.recammaster import embeddings
from backend.recammaster.embeddings import Cache, Encoder


def test_cache_gives_back_what_was_kept_of_that_encoder(tmp_path):
    cache, other = Cache(tmp_path), Encoder("cd" * 32, "other")
    for prompt in ODD:
        assert cache.keep(embedding(prompt)) is None
    cache.keep(embedding(rows=ROWS + 1, encoder=other))
    for prompt in ODD:
        torch.testing.assert_close(cache.find(prompt, ENCODER.identity).rows, ROWS, rtol=0, atol=0)
    torch.testing.assert_close(cache.find("plain", other.identity).rows, ROWS + 1, rtol=0, atol=0)
    assert cache.find("another", ENCODER.identity) is None
    assert cache.find("", other.identity) is None
    assert cache.find("plain", ENCODER.identity, width=25) is None


def test_no_file_is_named_after_a_prompt(tmp_path):
    for prompt in ODD:
        Cache(tmp_path).keep(embedding(prompt))
    for path in tmp_path.rglob("*"):
        assert set(path.name.removesuffix(".safetensors")) <= set("0123456789abcdef")
    assert len(prompts_in(tmp_path)) == len(ODD)


def test_encoder_used_last_comes_first(tmp_path):
    cache, other = Cache(tmp_path), Encoder("cd" * 32, "other")
    cache.keep(embedding())
    cache.keep(embedding(encoder=other))
    for path in tmp_path.rglob("*.safetensors"):
        os.utime(path, (1e9, 1e9))
    for encoder in (ENCODER, other, ENCODER):
        cache.find("plain", encoder.identity)
        assert cache.encoders(["plain", "another"])[0] == encoder
        time.sleep(0.02)
    assert cache.encoders(["another"]) == []


@pytest.mark.parametrize("kind", [*DAMAGES, "another prompt", "another encoder"])
def test_damaged_entry_counts_as_not_there_and_is_written_anew(tmp_path, kind):
    cache = Cache(tmp_path)
    cache.keep(embedding())
    (path,) = prompts_in(tmp_path)
    if kind == "another prompt":
        write(path, embedding("renamed"))
    elif kind == "another encoder":
        write(path, embedding(encoder=Encoder(ENCODER.identity[:16] + "0" * 48, "alike")))
    else:
        path.write_bytes(damaged(kind))
    assert cache.find("plain", ENCODER.identity) is None
    cache.encoders(["plain"])
    cache.keep(embedding())
    torch.testing.assert_close(cache.find("plain", ENCODER.identity).rows, ROWS, rtol=0, atol=0)


@pytest.mark.parametrize("place", ["file/below", "/proc/self/nothing"])
def test_folder_that_takes_no_files(tmp_path, place):
    (tmp_path / "file").write_text("in the way")
    cache = Cache(tmp_path / place)
    assert cache.keep(embedding())
    assert cache.find("plain", ENCODER.identity) is None
    assert cache.encoders(["plain"]) == []


def test_folder_that_may_only_be_read(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    Cache(tmp_path).keep(embedding())
    # Not by the folder's mode: root may write anywhere.
    monkeypatch.setattr(embeddings.os, "utime", refuse)
    monkeypatch.setattr(embeddings.tempfile, "mkstemp", refuse)
    assert Cache(tmp_path).find("plain", ENCODER.identity) is not None
    assert Cache(tmp_path).keep(embedding("new")) == "Permission denied"


def test_folder_below_one_without_rights_counts_as_not_there(tmp_path, monkeypatch):
    def refuse(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    cache = Cache(tmp_path)
    cache.keep(embedding())
    monkeypatch.setattr(os, "stat", refuse)  # not by the folder's mode: root may enter any
    assert cache.find("plain", ENCODER.identity) is None
    assert cache.encoders(["plain"]) == []


def test_no_folder_at_all():
    cache = Cache(None)
    assert cache.keep(embedding())
    assert cache.find("plain", ENCODER.identity) is None
    assert cache.encoders(["plain"]) == []


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    Cache(tmp_path).keep(embedding())
    monkeypatch.setattr(embeddings.os, "replace", fail)
    assert Cache(tmp_path).keep(embedding("new")) == "No space left on device"
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_writers_at_the_same_time_never_show_half_an_entry(tmp_path):
    cache = Cache(tmp_path)
    rows = torch.ones(512, 256)
    cache.keep(embedding(rows=rows))
    missed, stop = [], threading.Event()

    def write_on(value):
        while not stop.is_set():
            if cache.keep(embedding(rows=rows * value)):
                missed.append(value)

    def read_on():
        for _ in range(100):
            found = cache.find("plain", ENCODER.identity)
            if found is None or len(found.rows.unique()) != 1:
                missed.append(found)

    writers = [threading.Thread(target=write_on, args=(value,)) for value in (1, 2, 3)]
    for each in writers:
        each.start()
    try:
        read_on()
    finally:
        stop.set()
        for each in writers:
            each.join()
    assert missed == []
    assert len(prompts_in(tmp_path)) == 1


def test_what_was_not_used_for_longest_goes_first(tmp_path, monkeypatch):
    cache = Cache(tmp_path)
    for prompt in (names := "abcdef"):
        cache.keep(embedding(prompt))
    paths = {prompt: path for path, (prompt,) in prompts_in(tmp_path).items()}
    for age, prompt in enumerate(names):
        os.utime(paths[prompt], (1e9 + age, 1e9 + age))
    (tmp_path / "mine.txt").write_text("the user's")
    (paths["a"].parent / "mine.safetensors").write_text("the user's")
    cache.find("a", ENCODER.identity)  # used just now
    size = paths["a"].stat().st_size
    monkeypatch.setattr(embeddings, "CACHE_BYTES", 4 * size + 10)
    cache.keep(embedding("g"))
    assert {prompt for prompt in "abcdefg" if cache.find(prompt, ENCODER.identity)} == set("aefg")
    assert (tmp_path / "mine.txt").exists()
    assert (paths["a"].parent / "mine.safetensors").exists()


def test_what_a_killed_writer_left_goes_after_a_day(tmp_path):
    cache = Cache(tmp_path)
    cache.keep(embedding())
    (path,) = prompts_in(tmp_path)
    old, new = path.with_name(".x.part"), path.with_name(".y.part")
    for each in (old, new):
        each.write_text("half")
    os.utime(old, (time.time() - 90000,) * 2)
    cache.keep(embedding("new"))
    assert not old.exists()
    assert new.exists()


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"RECAM_CACHE": "/c"}, "/c/prompts"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/recam/prompts"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/recam/prompts"),
        ("linux", {}, "/home/me/.cache/recam/prompts"),
        ("darwin", {"XDG_CACHE_HOME": "/x"}, "/home/me/Library/Caches/recam/prompts"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/recam/cache/prompts"),
        ("win32", {}, "/home/me/AppData/Local/recam/cache/prompts"),
        ("darwin", {"RECAM_CACHE": "~/c"}, "/home/me/c/prompts"),
    ],
)
def test_folder_of_each_system(monkeypatch, platform, variables, expected):
    for name in ("RECAM_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": "/home/me"} | variables).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(embeddings.sys, "platform", platform)
    assert embeddings.cache_folder() == Path(expected)


def test_no_home(monkeypatch):
    def none():
        raise RuntimeError("Could not determine home directory.")

    for name in ("RECAM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(embeddings.Path, "home", none)
    assert embeddings.cache_folder() is None
