"""A long take that is killed in the middle, or fails, goes on from the last whole window; and what is left behind."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import checkpoints
import numpy as np
import pytest
from jobs import make_job
from small_tensors import one_thread  # noqa: F401 a fixture for all tests here

from backend import contract, ending, keeping, pipeline
from backend.console import Interrupt
from backend.engines import Cancelled
from backend.recammaster import sampling
from backend.render import RenderError, render

ROOT = Path(__file__).resolve().parents[2]
COUNT, FRAMES, WINDOWS = 22, 9, 5


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    checkpoints.make_all(folder)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("RECAM_MODELS", raising=False)


@pytest.fixture
def job(tmp_path, models):
    made = make_job(tmp_path, COUNT, path=str(tmp_path / "take_v001"), format="png")
    wanted = {"frames": FRAMES, "width": 64, "height": 48, "steps": 1, "guidance": 1.0, "device": "cpu"}
    generation = contract.Generation(**wanted, models=contract.Models(folder=str(models)))
    return dataclasses.replace(made, settings=contract.EngineSettings(engine="recammaster", generation=generation))


def made(job, name="take_v001", *, cancelled=lambda: False, report=lambda _: None):
    path = os.path.join(os.path.dirname(job.output.path), name)
    return render(dataclasses.replace(job, output=dataclasses.replace(job.output, path=path)), report, cancelled)


def pictures(result):
    return {each.name: each.read_bytes() for each in Path(result.path).iterdir()}


def parts(folder):
    return sorted(Path(folder).glob(".recam-parts-*"))


def windows_in(folder):
    return sorted(each.name.split("-")[1] for each in parts(folder)[0].glob("*.kept"))


@pytest.fixture
def drawn(monkeypatch):
    """The seeds of the windows that the network drew."""
    seeds, sample = [], sampling.sample

    def counted(*args, **kwargs):
        seeds.append(kwargs["seed"])
        return sample(*args, **kwargs)

    monkeypatch.setattr(sampling, "sample", counted)
    return seeds


KILLED = """
    import os, signal, sys
    import torch
    from backend import contract, keeping
    from backend.render import render

    torch.set_num_threads(1)
    save = keeping.Parts.save

    def save_and_die(self, name, arrays):
        save(self, name, arrays)
        if name.startswith("window-3"):
            os.kill(os.getpid(), signal.SIGKILL)

    keeping.Parts.save = save_and_die
    render(contract.loads(open(sys.argv[1]).read()), lambda _: None, lambda: False)
"""


def test_a_take_that_is_killed_goes_on_and_is_the_same_as_one_that_was_not(job, tmp_path, drawn):
    uninterrupted = made(job, "whole")
    assert len(drawn) == WINDOWS
    (tmp_path / "job.json").write_text(json.dumps(job.to_json()))
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path / "job.json")]
    ended = subprocess.run(command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=120)
    assert ended.returncode == -signal.SIGKILL
    assert windows_in(tmp_path) == ["1", "2", "3"]
    drawn.clear()
    # Asked for again it has another name, as takes' numbers only go up.
    again = made(job, "take_v002")
    assert drawn == [sampling.seed_of(0, window) for window in (3, 4)]
    assert pictures(again) == pictures(uninterrupted)
    assert any(note.startswith("3 of the 5 windows were there already") for note in again.notes)
    joined = [note for note in uninterrupted.notes if note.startswith("Where windows meet")]
    assert joined, "the seams are measured"
    assert set(joined) < set(again.notes), "and of the same size"
    assert not parts(tmp_path), "it goes when the take is done"


def test_a_take_that_fails_says_that_it_will_go_on(job, tmp_path, drawn, monkeypatch):
    write = pipeline.Encoder.put

    def full(self, frame):
        if len(drawn) == 3:
            raise OSError(28, "No space left on device")
        write(self, frame)

    with monkeypatch.context() as patched:
        patched.setattr(pipeline.Encoder, "put", full)
        with pytest.raises(RenderError) as caught:
            made(job)
    assert str(caught.value) == (
        "The disk is full: the take could not be written. What is made of it is kept for 14 days: asked for again, "
        "the take goes on from there."
    )
    assert windows_in(tmp_path) == ["1", "2", "3"]
    assert sorted(each.name for each in tmp_path.iterdir()) == [parts(tmp_path)[0].name, "clip.mp4"]
    made(job)
    assert len(drawn) == WINDOWS, "each window was drawn once"
    assert not parts(tmp_path)


def test_a_take_that_is_cancelled_leaves_nothing_behind(job, tmp_path, drawn):
    for _ in range(2):
        drawn.clear()
        with pytest.raises(Cancelled):
            made(job, cancelled=lambda: len(drawn) >= 3)
        assert len(drawn) == 3
        assert [each.name for each in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_take_whose_blender_is_gone_can_be_gone_on_with(job, tmp_path, drawn):
    """The worker ends with its stdin, however Blender went: nobody has cancelled the take."""
    command = [sys.executable, "-m", "backend", "serve"]
    worker = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    request = {"jsonrpc": "2.0", "id": 1, "method": "render", "params": {"job": job.to_json()}}
    worker.stdin.write(json.dumps(request).encode() + b"\n")
    worker.stdin.flush()
    for line in worker.stdout:
        if b"window 3 of 5" in line:
            break
    worker.stdin.close()
    worker.stdout.read()
    assert worker.wait(30) == 0
    kept = windows_in(tmp_path)
    assert kept[:2] == ["1", "2"]
    assert not (tmp_path / "take_v001").exists()
    made(job)
    assert len(drawn) == WINDOWS - len(kept)
    assert not parts(tmp_path)


@pytest.mark.parametrize(("number", "kept"), [(signal.SIGINT, False), (signal.SIGTERM, True)])
def test_in_a_shell_a_take_is_cancelled_by_ctrl_c_and_only_stopped_by_a_system_that_ends(
    job, tmp_path, drawn, number, kept
):
    def once(progress):
        if len(drawn) == 2 and not interrupt.asked():
            os.kill(os.getpid(), number)

    with Interrupt() as interrupt, pytest.raises(Cancelled) as caught:
        made(job, cancelled=interrupt.asked, report=once)
    assert bool(parts(tmp_path)) == kept
    assert ("the take goes on from there" in str(caught.value)) == kept
    assert not ending.told(), "the next take is another matter"


def test_cancelling_a_take_before_it_goes_on_leaves_nothing_of_the_one_before(job, tmp_path):
    left = keeping.Parts(tmp_path, job.digest())
    left.save("window-1-of-another", {"latents": np.zeros(3)})
    left.close(keep=True)
    assert parts(tmp_path)
    with pytest.raises(Cancelled):
        made(job, cancelled=lambda: True)
    assert not parts(tmp_path)


def test_windows_of_other_weights_are_not_gone_on_with(job, tmp_path, models, drawn):
    def fail(progress):
        if "window 2" in progress.phase:
            raise RuntimeError("a fault")

    with pytest.raises(RenderError):
        made(job, report=fail)
    assert windows_in(tmp_path) == ["1"]
    network = next(models.glob("**/step20000.ckpt"))
    before = network.stat()
    os.utime(network, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    try:
        drawn.clear()
        made(job)
        assert len(drawn) == WINDOWS
    finally:
        os.utime(network, ns=(before.st_atime_ns, before.st_mtime_ns))


# The folder by itself


ARRAYS = {"latents": np.arange(24, dtype=np.float32).reshape(2, 3, 4), "more": np.array([1, 2], np.uint16)}
DIGEST = "0123456789abcdef" * 4


@pytest.fixture
def left(tmp_path):
    """What a run that died has left: its folder."""
    kept = keeping.Parts(tmp_path, DIGEST)
    kept.save("window-1", ARRAYS)
    kept.close(keep=True)
    return parts(tmp_path)[0]


def loaded(folder, name="window-1", digest=DIGEST):
    kept = keeping.Parts(folder, digest)
    found = kept.load(name)
    kept.close(keep=True)
    return found


def test_what_is_kept_comes_back_to_the_last_bit(tmp_path, left):
    found = loaded(tmp_path)
    assert {name: (each.dtype, each.tolist()) for name, each in found.items()} == {
        name: (each.dtype, each.tolist()) for name, each in ARRAYS.items()
    }
    assert loaded(tmp_path, "window-2") is None
    assert loaded(tmp_path, digest="f" * 64) is None


def test_looking_for_what_is_kept_makes_no_folder(tmp_path):
    with keeping.parts(tmp_path, DIGEST) as kept:
        assert kept.load("window-1") is None
        assert kept.words == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", [0, 1, 31, 32, 33, 200, -1])
def test_what_is_half_written_is_as_if_it_were_not_there(tmp_path, left, cut):
    path = left / "window-1.kept"
    path.write_bytes(path.read_bytes()[:cut])
    assert loaded(tmp_path) is None


@pytest.mark.parametrize("place", [3, 40, 300, -5])
def test_what_was_damaged_is_as_if_it_were_not_there(tmp_path, left, place):
    path = left / "window-1.kept"
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    assert loaded(tmp_path) is None


def test_two_do_not_share_a_folder(tmp_path, left):
    first, second = keeping.Parts(tmp_path, DIGEST), keeping.Parts(tmp_path, DIGEST)
    assert first.load("window-1") is not None
    assert second.load("window-1") is None
    second.save("window-2", ARRAYS)
    second.close(keep=False)
    assert left.is_dir(), "what one has the other does not take away"
    assert first.load("window-2") is None
    first.close(keep=False)
    assert not left.exists()


def test_what_is_not_ours_is_never_touched(tmp_path):
    folder = tmp_path / f".recam-parts-{DIGEST[:16]}"
    folder.mkdir()
    (folder / "window-1.kept").write_bytes(b"somebody's")
    with keeping.parts(tmp_path, DIGEST) as kept:
        kept.save("window-1", ARRAYS)
        assert kept.load("window-1") is None
    assert (folder / "window-1.kept").read_bytes() == b"somebody's"


def test_a_file_of_somebody_elses_in_our_folder_stays(tmp_path, left):
    (left / "notes.txt").write_text("mine")
    with keeping.parts(tmp_path, DIGEST) as kept:
        assert kept.load("window-1") is not None
    assert [each.name for each in left.iterdir()] == ["notes.txt"]


def test_a_link_of_that_name_is_not_followed(tmp_path, left):
    elsewhere = tmp_path / "elsewhere"
    left.rename(elsewhere)
    left.symlink_to(elsewhere)
    with keeping.parts(tmp_path, DIGEST) as kept:
        assert kept.load("window-1") is None
        kept.save("window-2", ARRAYS)
    assert sorted(each.name for each in elsewhere.iterdir()) == ["lock", "recam-parts.json", "window-1.kept"]


def test_nor_is_one_to_an_empty_folder_or_one_in_place_of_a_file(tmp_path, left):
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    (left / "window-2.kept.part").symlink_to(mine)
    (tmp_path / "empty").mkdir()
    (tmp_path / f".recam-parts-{'a' * 16}").symlink_to(tmp_path / "empty")
    for digest in (DIGEST, "a" * 64):
        with keeping.parts(tmp_path, digest) as kept:
            kept.save("window-2", ARRAYS)
            assert (kept.load("window-2") is None) == (digest != DIGEST)
            assert list((tmp_path / "empty").iterdir()) == []
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("names", [["lock"], ["lock", "recam-parts.json.part"]])
def test_a_folder_of_one_who_died_before_it_was_marked_is_used_again(tmp_path, names):
    folder = tmp_path / f".recam-parts-{DIGEST[:16]}"
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    with keeping.parts(tmp_path, DIGEST) as kept:
        kept.save("window-1", ARRAYS)
        assert kept.load("window-1") is not None
    assert list(tmp_path.iterdir()) == []


def test_what_another_version_kept_is_not_gone_on_with(tmp_path, left, monkeypatch):
    monkeypatch.setattr(keeping, "__version__", "another")
    assert loaded(tmp_path) is None
    assert not list(left.glob("*.kept"))


def test_a_folder_that_cannot_be_written_to_is_no_reason_to_fail(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with keeping.parts(tmp_path, DIGEST) as kept:
        kept.save("window-1", ARRAYS)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            kept.save("window-2", ARRAYS)
        assert kept.load("window-2") is None
        assert kept.load("window-1") is not None
    with keeping.parts(tmp_path, "d" * 64) as kept, monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)  # before anything is kept
        kept.save("window-1", ARRAYS)
    with keeping.parts(tmp_path / "gone", DIGEST) as kept:
        kept.save("window-1", ARRAYS)
        assert kept.words == ""
    assert list(tmp_path.iterdir()) == []


def test_what_nobody_asked_for_again_goes_after_two_weeks_unless_it_is_in_use(tmp_path, left):
    old, used, other = keeping.Parts(tmp_path, "a" * 64), keeping.Parts(tmp_path, "b" * 64), tmp_path / "other"
    for each in (old, used):
        each.save("window-1", ARRAYS)
    old.close(keep=True)
    other.mkdir()
    stamp = time.time() - 15 * 86400
    for name in ("a", "b"):
        os.utime(tmp_path / f".recam-parts-{name * 16}", (stamp, stamp))
    os.utime(other, (stamp, stamp))
    with keeping.parts(tmp_path, "c" * 64) as kept:
        kept.save("window-1", ARRAYS)
        there = {each.name for each in tmp_path.iterdir()}
    assert there == {left.name, f".recam-parts-{'b' * 16}", f".recam-parts-{'c' * 16}", "other"}
    used.close(keep=False)
