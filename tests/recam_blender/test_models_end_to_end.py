"""Models from a hub to a take, all in Blender: the real worker downloads from a server on loopback.

The hub's files are tiny networks of random numbers in the published formats, so the catalogue is told of those, on both
sides: its sizes and hashes are of the real ones.
"""

import importlib.util
import json
import shlex
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import bpy
import model_workers
import pytest
import shots
from timeline import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the backend's stand-in is a script for a shell")

REPOSITORY = "some/models"
FILES = {"recammaster": "net é.safetensors", "vae": "vae.safetensors", "umt5": "text encoder.safetensors"}
NEEDED = tuple(FILES)

_MAKE = """
import sys
from pathlib import Path
import checkpoints, torch

folder, names = Path(sys.argv[1]), sys.argv[2:]
text = {name: each.to(torch.bfloat16) for name, each in checkpoints.text_encoder().items()}
states = (checkpoints.transformer(), checkpoints.vae(), checkpoints.with_tokenizer(text))
for name, state in zip(names, states, strict=True):
    checkpoints.write(folder / name, state)
"""

# The backend as it is, but for its catalogue.
_BACKEND = """
import sys

from backend.models import catalogue

known = {{entry.id: entry for entry in map(catalogue.Entry.from_json, {entries!r})}}
catalogue.CATALOGUE = tuple(known.get(each.id, each) for each in catalogue.CATALOGUE)
from backend.shell import main

sys.exit(main(["serve"]))
"""


def hub_server():
    """The server of the backend's tests: standard library only."""
    name = "hub_server"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / "backend" / f"{name}.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="module")
def weights(backend_python, tmp_path_factory):
    """The content of each file."""
    folder = tmp_path_factory.mktemp("weights")
    command = [backend_python, "-c", _MAKE, str(folder), *FILES.values()]
    subprocess.run(command, check=True, cwd=ROOT / "tests" / "backend")
    return {name: (folder / name).read_bytes() for name in FILES.values()}


@pytest.fixture
def hub(weights):
    with hub_server().Hub() as server:
        server.files = {f"{REPOSITORY}/{name}": content for name, content in weights.items()}
        yield server


@pytest.fixture
def models(recam, addon, folder, monkeypatch, hub, backend_python):
    """The add-on's models, which come from the server on loopback."""
    catalogue = recam.backend("models.catalogue")
    known = {
        each: catalogue.Entry.from_json(
            catalogue.entry(each).to_json()
            | {"repository": REPOSITORY, "revision": hub_server().COMMIT, "files": [{"path": name}]}
        )
        for each, name in FILES.items()
    }
    monkeypatch.setattr(catalogue, "CATALOGUE", tuple(known.get(each.id, each) for each in catalogue.CATALOGUE))
    monkeypatch.setattr(recam.backend("models.library"), "CATALOGUE", catalogue.CATALOGUE)

    script = folder / "backend.py"
    script.write_text(_BACKEND.format(entries=[each.to_json() for each in known.values()]), encoding="utf-8")
    python = folder / "python"
    python.write_text(f"#!/bin/sh\nexec {shlex.quote(backend_python)} {shlex.quote(str(script))}\n", encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setenv("RECAM_PYTHON", str(python))
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_HOME", str(folder / "hugging face"))
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))  # where a search begins
    with model_workers.bare_machine(recam, addon, folder, monkeypatch) as module, model_workers.allowed_online():
        yield module
    recam("runtime").stop_worker()


def test_get_brings_what_a_take_needs_and_the_take_uses_it(
    models, recam, hub, weights, folder, clip, backend_python, monkeypatch
):
    assert models.missing("recammaster") == NEEDED
    bpy.ops.recam.models_get(ids=" ".join(NEEDED))
    assert models.missing("recammaster") == ()
    assert recam("needs").need("recammaster") is None
    for each, name in FILES.items():
        assert (folder / "data" / "models" / each / name).read_bytes() == weights[name]

    edit = folder / "edit"
    edit.mkdir()
    shutil.copy(clip, edit / "clip.mkv")
    shots.new_edit(backend_python, edit)
    request = recam("request").Request(
        scene="Edit",
        strip="clip",
        camera="Target",
        engine="recammaster",
        network_frames=9,
        network_width=64,
        network_height=48,
        steps=1,
        device="cpu",
        folder=str(edit),
    )
    (take,) = recam("reshoot").reshoot_now(request).takes
    assert take.result.frames == shots.FRAMES
    used = json.loads(Path(take.path).with_suffix(".json").read_text(encoding="utf-8"))["job"]["settings"]
    assert used["generation"]["models"]["folder"] == str(folder / "data" / "models")

    assert [bpy.ops.recam.models_remove(id=each) for each in NEEDED] == [{"FINISHED"}] * 3
    assert models.missing("recammaster") == NEEDED
    assert not list((folder / "data" / "models").rglob("*.safetensors"))


def test_a_download_that_is_cancelled_goes_on_where_it_was(models, recam, hub, folder, weights):
    work = recam("model_work")
    content = weights[FILES["recammaster"]]
    hub.piece, hub.pause = 65536, 0.05
    getting = work.get(["recammaster"])
    stop = threading.Timer(30, lambda: models.give_up("recammaster"))
    stop.start()
    told = []
    for step in getting:
        told.append(step.progress)
        if step.progress.unit == "bytes" and step.progress.step > 300_000:
            models.give_up("recammaster")
    stop.cancel()
    assert told[-1].total == len(content)
    model_workers.wait_until(lambda: not any(each.is_alive() for each in work._ending))
    models.changed()
    assert models.row("recammaster").state == "partial"
    assert models.missing("recammaster") == NEEDED

    hub.pause = 0.0
    bpy.ops.recam.models_get(ids="recammaster")
    assert hub.requests_for("DATA")[-1].start >= 300_000
    assert models.row("recammaster").state == "ready"
    assert (folder / "data" / "models" / "recammaster" / FILES["recammaster"]).read_bytes() == content


def test_what_the_hub_refuses_is_told_and_nothing_is_kept(models, hub, weights):
    fault = hub_server().Fault
    hub.faults.append(fault(on="HEAD", status=403, headers={"X-Error-Code": "GatedRepo"}))
    with pytest.raises(RuntimeError, match="HF_TOKEN"):
        bpy.ops.recam.models_get(ids="vae")
    assert "HF_TOKEN" in models.row("vae").trouble
    assert models.row("vae").state == "missing"
    damaged = bytes(len(weights[FILES["vae"]]))
    hub.faults.append(fault(on="DATA", content=damaged))
    with pytest.raises(RuntimeError, match="arrived damaged"):
        bpy.ops.recam.models_get(ids="vae")
    assert models.row("vae").state == "missing"
    bpy.ops.recam.models_get(ids="vae")
    assert models.row("vae").state == "ready"
    assert not models.row("vae").trouble


def test_files_of_other_programs_are_found_by_content_and_used(models, recam, folder, weights):
    comfy = folder / "ComfyUI" / "models"
    for kind, each in (("diffusion_models", "recammaster"), ("vae", "vae"), ("text_encoders", "umt5")):
        (comfy / kind).mkdir(parents=True)
        (comfy / kind / f"renamed {kind}.safetensors").write_bytes(weights[FILES[each]])
    bpy.ops.recam.models_search()
    assert sorted(each.what for each in models.found) == ["text_encoder", "transformer", "vae"]
    bpy.ops.recam.models_take()
    assert models.missing("recammaster") == ()


def test_locate_tells_what_a_file_is(models, recam, folder, weights, addon):
    own = bpy.context.preferences.addons[addon.__name__].preferences
    path = folder / "called anything.bin.safetensors"
    path.write_bytes(weights[FILES["vae"]])
    bpy.ops.recam.models_locate(filepath=str(path))
    assert own.vae == str(path)
    path.write_bytes(b"no weights at all")
    with pytest.raises(RuntimeError, match="called anything"):
        bpy.ops.recam.models_locate(filepath=str(path))
