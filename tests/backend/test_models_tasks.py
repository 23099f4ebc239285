"""What the worker and the shell do about models, in processes of their own, against a hub on loopback."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import checkpoints
import pytest
from checkpoints import write
from fake_workers import ROOT, client, wait
from hub_server import COMMIT, Fault, Hub

from backend.contract import ContractError
from backend.models import programs
from backend.models.catalogue import CATALOGUE, entry
from backend.models.hub import HubError
from backend.models.library import Library
from backend.models.programs import Surroundings
from backend.models.tasks import QUERIES, TASKS
from backend.rpc import CANCELLED, RpcError

# The real entries, but of this hub's one commit, and of any content: tiny checkpoints stand in for the published files.
ENTRIES = f"""
import argparse, dataclasses, os, sys
# As Blender does for the one process that downloads.
os.environ["HF_HUB_OFFLINE"] = os.environ.pop("OFFLINE_FOR_TEST", "0")
from backend import rpc
from backend.models import catalogue, library
catalogue.CATALOGUE = library.CATALOGUE = tuple(
    dataclasses.replace(
        each, revision={COMMIT!r}, files=tuple(dataclasses.replace(one, size=None, sha256=None) for one in each.files)
    )
    for each in catalogue.CATALOGUE
)
"""
PROGRAM = f"""{ENTRIES}
from backend.models import tasks
rpc.serve(tasks.TASKS, tasks.QUERIES)
"""
SHELL = f"""{ENTRIES}
from backend.models import command
parser = argparse.ArgumentParser()
command.add_models(parser.add_subparsers())
options = parser.parse_args(["models", *sys.argv[1:]])
sys.exit(options.run(options))
"""


@pytest.fixture
def home(folder):
    path = folder / "home"
    path.mkdir()
    return path


@pytest.fixture
def hub(monkeypatch, folder):
    """A hub that has the VAE and the text encoder."""
    vae = write(folder / "vae to publish.safetensors", checkpoints.vae()).read_bytes()
    encoder = write(folder / "te.safetensors", checkpoints.with_tokenizer(checkpoints.text_encoder())).read_bytes()
    with Hub() as hub:
        for each, content in ((entry("vae"), vae), (entry("umt5"), encoder)):
            hub.files[f"{each.repository}/{each.files[0].path}"] = content
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def worker(start, home, monkeypatch):
    """Begins a process that does tasks about models."""
    for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home / name if name.startswith("XDG") else home))
    for name in [name for name in os.environ if name.startswith(("HF_", "COMFYUI_", "MODELSCOPE_"))]:
        if name != "HF_ENDPOINT":
            monkeypatch.delenv(name)
    return lambda: start([sys.executable, "-c", PROGRAM])


def answered(events):
    """The result, where it is one."""
    last = events[-1]
    assert isinstance(last, client.Finished), last
    return last.result


def test_models_are_downloaded_with_progress_in_bytes(hub, worker, folder):
    process = worker()
    own = folder / "own models"
    hub.piece, hub.pause = 100_000, 0.02  # slow enough for some of it to be seen on the way
    process.call("models.get", {"ids": ["vae", "umt5"], "folder": str(own)})
    loading = f"Downloading {entry('vae').title}"
    told = wait(process, 60, until=lambda event: event.progress["phase"] == loading and event.progress["step"] > 0)
    events = wait(process, 60)
    files = [own / each / entry(each).files[0].name for each in ("vae", "umt5")]
    assert answered(events) == {"got": ["vae", "umt5"], "files": [str(each) for each in files]}
    assert [each.read_bytes() for each in files] == list(hub.files.values())
    load = told[-1].progress
    assert (load["total"], load["unit"]) == (files[0].stat().st_size, "bytes")
    assert 0 < load["step"] <= load["total"]


def test_a_cancelled_download_goes_on_where_it_stopped(hub, worker, folder):
    process = worker()
    own = folder / "own"
    content = next(iter(hub.files.values()))
    hub.faults.append(Fault("DATA", stall=len(content) // 2))
    hub.pause = 0.005  # slow enough for progress to be told on the way
    asked = {"ids": ["vae"], "folder": str(own)}
    task = process.call("models.get", asked)
    loading = f"Downloading {entry('vae').title}"
    wait(process, 30, until=lambda event: event.progress["phase"] == loading and event.progress["step"] > 0)
    hub.pause = 0.0
    name = entry("vae").files[0].name
    process.cancel(task)
    assert not (own / "vae" / name).exists()
    assert Library(own).status(entry("vae")) == "partial"
    # The same process takes it up as soon as it has let go: it was not killed.
    pid = process.pid
    process.call("models.get", asked)
    answered(wait(process, 30))
    assert process.pid == pid
    assert process.alive
    assert (own / "vae" / name).read_bytes() == content
    assert hub.requests_for("DATA")[-1].start > 0


@pytest.mark.skipif(sys.platform == "win32", reason="another process is interrupted as POSIX does")
def test_an_interrupted_command_goes_on_where_it_stopped(hub, folder):
    content = next(iter(hub.files.values()))
    own = folder / "own"
    hub.faults.append(Fault("DATA", stall=len(content) // 2))
    hub.pause = 0.003  # slow enough for some of it to be read before all is sent
    command = [sys.executable, "-c", SHELL, "get", "vae", "--models", str(own)]
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "OFFLINE_FOR_TEST": "0"}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        hub.wait_until_sent(len(content) // 2)
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=30)
    assert (process.returncode, printed) == (130, "")
    assert said.splitlines()[-1] == "recam: interrupted; the next time it goes on from here"
    assert "Traceback" not in said
    hub.pause = 0.0
    again = subprocess.run(command, env=env, capture_output=True, text=True, encoding="utf-8", timeout=60, check=True)
    assert Path(again.stdout.strip()).read_bytes() == content
    assert hub.requests_for("DATA")[-1].start > 0, "some of it was there already"


def test_what_goes_wrong_has_a_kind_and_a_sentence(hub, worker, folder):
    process = worker()
    process.call("models.get", {"ids": ["preview"], "folder": str(folder / "own")})
    failed = wait(process, 30)[-1]
    assert failed.kind == "missing"
    assert entry("preview").repository in failed.message


def test_nothing_is_downloaded_offline(hub, worker, folder, monkeypatch):
    monkeypatch.setenv("OFFLINE_FOR_TEST", "1")
    process = worker()
    process.call("models.get", {"ids": ["vae"], "folder": str(folder / "own")})
    assert wait(process, 30)[-1].kind == "offline"
    assert hub.requests == []


def test_what_is_not_used_yet_is_found(worker, home, folder):
    made = checkpoints.make_all(home / "ComfyUI" / "models")
    own = folder / "own"
    Library(own).add_place(made["vae"])
    process = worker()
    process.call("models.search", {"folder": str(own)})
    result = answered(wait(process, 60))
    found = {each["what"]: (each["path"], each["where"], each["size"]) for each in result["found"]}
    assert found == {
        each: (str(made[each]), "ComfyUI", made[each].stat().st_size) for each in ("transformer", "text_encoder")
    }
    assert result["notes"] == []
    assert {"program": "ComfyUI", "folder": str(home / "ComfyUI" / "models")} in result["searched"]


def test_one_path_is_told_for_what_it_is(worker, folder):
    made = checkpoints.make_all(folder / "mine")
    sdxl = write(folder / "x.safetensors", {"input_blocks.1.0.in_layers.0.weight": checkpoints.torch.zeros(2)})
    (folder / "empty").mkdir()
    process = worker()

    def told(path):
        process.call("models.identify", {"path": str(path)})
        return answered(wait(process, 60))

    vae = told(made["vae"])
    assert (vae["path"], vae["what"], vae["words"]) == (str(made["vae"]), "vae", "Wan 2.1's VAE, float32")
    assert [each["path"] for each in vae["found"]] == [str(made["vae"])]
    several = told(folder / "mine")
    assert several["what"] == "folder"
    assert several["words"].startswith("a folder with ReCamMaster's network of width")
    assert [each["what"] for each in several["found"]] == list(made)
    other = told(sdxl)
    assert (other["what"], other["words"], other["found"]) == (
        "other",
        "a network of another kind (Stable Diffusion)",
        [],
    )
    assert told(folder / "empty")["words"] == "a folder without any model that ReCam uses"
    gone = told(folder / "gone")
    assert (gone["what"], gone["words"]) == ("broken", "not there")


def test_what_was_cancelled_is_answered_as_that(home, monkeypatch, folder):
    def fetch(*_args, **_options):
        raise HubError("The download was cancelled.", "cancelled")

    monkeypatch.setattr("backend.models.hub.fetch", fetch)
    asked = TASKS["models.get"].prepare(ids=["vae"], folder=str(folder / "own"))
    with pytest.raises(RpcError) as caught:
        TASKS["models.get"].run(asked, lambda progress: None, lambda: True)
    assert (caught.value.code, caught.value.data["kind"]) == (CANCELLED, "cancelled")
    (home / "ComfyUI" / "models").mkdir(parents=True)
    here = Surroundings(home=home, environ={}, system="linux", roots=())
    monkeypatch.setattr(programs, "Surroundings", lambda: here)
    with pytest.raises(RpcError) as caught:
        TASKS["models.search"].run(Library(folder / "own"), lambda progress: None, lambda: True)
    assert (caught.value.code, caught.value.data["kind"]) == (CANCELLED, "cancelled")


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"ids": "vae", "folder": ""}, "ids"),
        ({"ids": [], "folder": ""}, "ids"),
        ({"ids": [3], "folder": ""}, "ids"),
        ({"ids": ["../x"], "folder": ""}, "ids"),
        ({"ids": ["vae"], "folder": "relative"}, "folder"),
        ({"ids": ["vae"], "folder": None}, "folder"),
        ({"ids": ["vae"], "folder": "/a\0b"}, "folder"),
    ],
)
def test_what_makes_no_sense_is_refused_before_it_begins(params, field):
    with pytest.raises(ContractError) as caught:
        TASKS["models.get"].prepare(**params)
    assert caught.value.field == field


def test_an_id_that_is_none_is_refused_with_those_that_are():
    with pytest.raises(ContractError, match=f"{CATALOGUE[0].id}, {CATALOGUE[1].id}"):
        TASKS["models.get"].prepare(ids=["nonsense"], folder="")


@pytest.mark.parametrize("path", ["relative", 3, None, "/a\0b", ""])
def test_only_an_absolute_path_is_looked_at(path):
    with pytest.raises(ContractError):
        QUERIES["models.identify"].prepare(path=path)


def test_without_a_folder_it_is_the_usual_one(monkeypatch, folder):
    monkeypatch.setenv("RECAM_MODELS", str(folder / "named"))
    entries, library = TASKS["models.get"].prepare(ids=["vae", "vae"], folder="")
    assert entries == [entry("vae")]
    assert library.folder == folder / "named"
