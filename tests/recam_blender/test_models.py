"""Models as Blender sees them: what is there, what is missing, and what a process of its own does about it."""

import os
import subprocess
import sys
import time

import bpy
import model_workers
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the backend's stand-in is a script for a shell")

NEEDED = ("recammaster", "vae", "umt5")


@pytest.fixture
def models(recam, addon, folder, monkeypatch):
    """The module, on a machine without models."""
    with model_workers.bare_machine(recam, addon, folder, monkeypatch) as module:
        yield module


@pytest.fixture
def data(models, folder):
    """ReCam's data folder, which is not there yet."""
    return folder / "data"


@pytest.fixture
def work(recam):
    return recam("model_work")


@pytest.fixture
def own(addon):
    return bpy.context.preferences.addons[addon.__name__].preferences


@pytest.fixture
def library(recam, models):
    return recam.backend("models.library").Library(recam.backend("models.library").default_folder())


@pytest.fixture
def download(library, recam):
    """Put an entry's files into the library as a download would, but for their content and size."""

    def download(id):  # noqa: A002
        entry = recam.backend("models.catalogue").entry(id)
        for each in entry.files:
            path = library.folder_of(entry) / each.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"some weights")
            library.record(entry, "main", path, "0" * 64)
        recam("models").changed()

    return download


@pytest.fixture
def online():
    with model_workers.allowed_online():
        yield


@pytest.fixture
def fake(folder, monkeypatch, recam):
    return model_workers.standing_in(recam, folder, monkeypatch)


@pytest.fixture
def run(recam):
    return recam("tasks").drain


def advance(work, until, seconds=10.0):
    """Take steps of a generator until something is true of one of them."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        step = next(work)
        if until(step):
            return step
        time.sleep(0.01)
    raise AssertionError(f"not in {seconds} s; last: {step}")


def states(models):
    return {each.entry.id: each.state for each in models.rows()}


# What is there


def test_an_empty_machine_lacks_what_the_network_needs_and_nothing_for_the_preview_engine(models):
    assert models.missing("recammaster") == NEEDED
    assert models.missing("reproject") == ()
    assert models.advised("recammaster") == (*NEEDED, "preview")
    assert set(states(models).values()) == {"missing"}


def test_models_go_to_the_first_folder_that_is_named(models, own, data, folder, monkeypatch):
    assert models.folder() == str(data / "models")
    own.models = str(folder / "chosen")
    assert models.folder() == str(folder / "chosen")
    monkeypatch.setenv("RECAM_MODELS", str(folder / "farm"))
    assert models.folder() == str(folder / "farm")


def test_what_was_downloaded_is_no_longer_missing(models, download):
    for index, each in enumerate(NEEDED):
        download(each)
        assert states(models)[each] == "ready"
        assert models.missing("recammaster") == NEEDED[index + 1 :]
    assert models.advised("recammaster") == ("preview",)


def test_one_of_a_kind_is_enough(models, download):
    download("umt5-full")
    assert models.missing("recammaster") == ("recammaster", "vae")
    assert states(models)["umt5"] == "missing"


def test_a_download_that_was_broken_off_is_begun_and_still_missing(models, recam, library):
    vae = recam.backend("models.catalogue").entry("vae")
    part = recam.backend("models.library").part_of(library.folder_of(vae) / vae.files[0].name, "abc")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    models.changed()
    assert states(models)["vae"] == "partial"
    assert "vae" in models.missing("recammaster")


def test_what_lies_elsewhere_is_used_there_until_it_is_gone_or_forgotten(models, folder):
    path = folder / "somebody's VAE.safetensors"
    path.write_bytes(b"weights")
    models.take([models.Found(str(path), "vae", "Wan 2.1's VAE")])
    assert states(models)["vae"] == "elsewhere"
    assert models.missing("recammaster") == ("recammaster", "umt5")
    assert models.places() == {str(path): True}
    path.rename(folder / "moved")
    models.changed()
    assert models.places() == {str(path): False}
    assert "vae" in models.missing("recammaster")
    (folder / "moved").rename(path)
    models.forget(str(path))
    assert "vae" in models.missing("recammaster")
    assert path.exists()


def test_what_the_preferences_name_is_not_missing_unless_a_farm_says_otherwise(models, own, folder, monkeypatch):
    (folder / "net.ckpt").write_bytes(b"weights")
    own.transformer = str(folder / "net.ckpt")
    own.vae = str(folder / "not there")
    models.changed()
    assert models.missing("recammaster") == ("vae", "umt5")
    assert states(models)["recammaster"] == "named"
    (folder / "pack.safetensors").write_bytes(b"prompts")
    own.embeddings = str(folder / "pack.safetensors")
    models.changed()
    assert models.missing("recammaster") == ("vae",)
    monkeypatch.setenv("RECAM_MODELS", str(folder))
    assert models.missing("recammaster") == NEEDED


def test_a_folder_of_the_users_own_is_known_by_published_names(models, own, folder, recam):
    entry = recam.backend("models.catalogue").entry
    inside = folder / "ComfyUI" / "models" / "vae" / entry("vae").files[0].name
    inside.parent.mkdir(parents=True)
    inside.write_bytes(b"weights")
    own.models = str(folder / "ComfyUI")
    assert models.missing("recammaster") == ("recammaster", "umt5")
    deep = folder.joinpath("ComfyUI/a/b/c/d/e/f/g", entry("umt5").files[0].name)
    deep.parent.mkdir(parents=True)
    deep.write_bytes(b"weights")
    models.changed()
    assert models.missing("recammaster") == ("recammaster", "umt5")


def test_a_look_starts_nothing_and_is_kept(models, download, monkeypatch, recam):
    download("vae")
    monkeypatch.setattr(subprocess, "Popen", None)
    models.rows()
    looked = []
    library = recam.backend("models.library").Library
    monkeypatch.setattr(library, "status", lambda *_: looked.append(1) or "missing")
    assert states(models)["vae"] == "ready"
    assert models.missing("recammaster") == ("recammaster", "umt5")
    assert not looked
    started = time.perf_counter()
    for _ in range(100):
        models.rows()
        models.missing("recammaster")
    assert (time.perf_counter() - started) / 100 < 0.005
    models.changed()
    assert states(models)["vae"] == "missing"


def test_a_slow_disk_is_asked_less_often(models, monkeypatch, recam):
    library = recam.backend("models.library").Library
    calls = []
    status = library.status

    def slow(self, entry):
        calls.append(entry)
        time.sleep(0.01)
        return status(self, entry)

    monkeypatch.setattr(library, "status", slow)
    monkeypatch.setattr(models, "_KEPT_SECONDS", 0.0)
    models.changed()
    for _ in range(5):
        models.rows()
    assert len(calls) == len(models.rows())


def test_remove_deletes_what_was_downloaded_and_nothing_else(models, download, library, recam):
    download("vae")
    vae = library.folder_of(recam.backend("models.catalogue").entry("vae"))
    (vae / "my notes.txt").write_text("mine")
    paths = models.files_of("vae")
    assert [os.path.basename(each) for each in paths] == ["wan_2.1_vae.safetensors"]
    assert models.remove("vae") == paths
    assert os.listdir(vae) == ["my notes.txt"]
    assert states(models)["vae"] == "missing"


def test_a_folder_that_cannot_be_written_is_told_of(models, own, folder, recam):
    (folder / "a file").write_bytes(b"")
    own.models = str(folder / "a file")
    assert models.missing("recammaster") == NEEDED
    with pytest.raises(recam("errors").ReCamError, match="could not be changed"):
        models.take([models.Found(str(folder), "vae", "a VAE")])


# Downloads

GETS = """
if method == "models.get":
    progress(0, 100)
    progress(50, 100, per_second=10.0, seconds_left=5.0)
    time.sleep(0.05)
    answer(ids=params["ids"])
"""

WAITS = """
if method == "models.get":
    progress(10, 100)
    waiting = request
elif method == "cancel":
    note(cancelled=params["id"])
"""


def test_downloads_go_one_after_another_each_in_a_process_of_its_own(models, work, fake, run, online, data):
    worker = fake(GETS)
    told = []
    assert run(work.get(["vae", "umt5", "vae"]), told.append) == ("vae", "umt5")
    folder = str(data / "models")
    assert worker.asked("models.get") == [{"ids": [each], "folder": folder} for each in ("vae", "umt5")]
    assert len(worker.started) == 2
    assert "Downloading 50 bytes of 100 bytes at 10 bytes/s" in map(telling(work), told)
    model_workers.wait_until(lambda: not worker.is_running())
    assert models.waiting == []


def telling(work):
    import importlib

    return importlib.import_module(work.__package__ + ".telling").phase


def test_a_download_may_go_online_and_a_look_may_not(work, models, fake, run, online, monkeypatch, folder):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    worker = fake(GETS + "if method == 'models.identify': answer(found=[], notes=[])\n")
    run(work.get(["vae"]))
    run(work.identify(str(folder)))
    got, looked = (each["environ"] for each in worker.started)
    assert got == {"HF_HUB_OFFLINE": None, "HF_TOKEN": "secret", "HTTPS_PROXY": "http://127.0.0.1:9"}
    assert looked["HF_HUB_OFFLINE"] == "1"


def test_nothing_is_downloaded_where_blender_may_not_go_online(work, models, fake, run, recam):
    worker = fake(GETS)
    with pytest.raises(recam("errors").ReCamError, match="online"):
        run(work.get(["vae", "umt5"]))
    assert worker.started == []
    assert models.waiting == []
    assert list(models.trouble) == ["vae"]


def test_what_is_asked_for_meanwhile_waits_its_turn(work, models, fake, run, online):
    worker = fake(GETS)
    getting = work.get(["vae"])
    advance(getting, lambda step: step.progress.step == 50)
    assert models.ask_for(["umt5", "vae", "preview"]) == ["umt5", "preview"]
    assert states(models) | {"vae": "getting", "umt5": "waiting", "preview": "waiting"} == states(models)
    models.give_up("umt5")
    assert run(getting) == ("vae", "preview")
    assert [each["ids"] for each in worker.asked("models.get")] == [["vae"], ["preview"]]


def test_giving_up_one_ends_its_process_and_the_next_begins_when_that_is_gone(work, models, fake, online):
    worker = fake(WAITS)
    getting = work.get(["vae", "umt5"])
    advance(getting, lambda step: step.progress.step == 10)
    models.give_up("vae")
    advance(getting, lambda _: len(worker.started) == 2)
    advance(getting, lambda step: step.progress.step == 10)
    assert [each["ids"] for each in worker.asked("models.get")] == [["vae"], ["umt5"]]
    assert states(models)["vae"] == "missing"
    getting.close()
    model_workers.wait_until(lambda: not worker.is_running())
    assert models.waiting == []
    assert worker.asked("shutdown"), "it was killed and could not clear away"


def test_closing_does_not_hold_blender_up(work, fake, online):
    worker = fake("if method == 'models.get': progress(1, 9); time.sleep(0.8)")
    getting = work.get(["vae"])
    advance(getting, lambda step: step.progress.step == 1)
    started = time.monotonic()
    getting.close()
    assert time.monotonic() - started < 0.2
    model_workers.wait_until(lambda: not worker.is_running())


REFUSES = """
if method == "models.get":
    fail("It is so.", KIND) if params["ids"] == ["vae"] else answer(ids=params["ids"])
"""


def test_what_cannot_be_had_keeps_no_other_from_coming(work, models, fake, run, online, recam):
    worker = fake(REFUSES.replace("KIND", "'gated'"))
    with pytest.raises(recam("errors").ReCamError, match=r"^It is so\.$"):
        run(work.get(["vae", "umt5"]))
    assert len(worker.started) == 2
    assert {each.entry.id: each.trouble for each in models.rows() if each.trouble} == {"vae": "It is so."}
    models.ask_for(["vae"])
    assert not models.trouble


def test_what_the_next_would_meet_too_ends_them_all(work, models, fake, run, online, recam):
    worker = fake(REFUSES.replace("KIND", "'network'"))
    with pytest.raises(recam("errors").ReCamError, match=r"^It is so\.$"):
        run(work.get(["vae", "umt5"]))
    assert len(worker.started) == 1
    assert models.waiting == []


def test_a_process_that_dies_is_told_of_with_the_end_of_its_log(work, fake, run, online, recam):
    fake("if method == 'models.get': print('what happened', file=sys.stderr, flush=True); os._exit(3)")
    with pytest.raises(recam("errors").ReCamError, match=r"(?s)exit code 3.*what happened"):
        run(work.get(["vae"]))


def test_an_id_that_is_none_is_refused_with_those_that_are(work, models, run, online, recam):
    with pytest.raises(recam("errors").ReCamError, match=r"'nonsense'.*recammaster, recammaster-published"):
        run(work.get(["nonsense"]))


# Files that are there already

FINDS = """
if method == "models.search":
    answer(found=FOUND, searched=[], notes=["A remark."])
if method == "models.identify":
    found = [each for each in FOUND if each["path"].startswith(params["path"])]
    answer(found=found, notes=[] if found else [f"{params['path']!r} is a recipe."])
"""


@pytest.fixture
def found(folder):
    """Three models in two folders, as the backend tells of them."""
    told = []
    for name, what, words in (
        ("ComfyUI/vae.safetensors", "vae", "Wan 2.1's VAE, sixteen bits"),
        ("ComfyUI/é 日本.safetensors", "text_encoder", "UMT5-XXL's text encoder, eight bits"),
        ("Wan2GP/net.ckpt", "transformer", "ReCamMaster's network of 1.3B"),
    ):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"weights")
        where = name.split("/")[0]
        told.append({"path": str(path), "what": what, "words": words, "where": where, "size": 7})
    return told


def test_what_a_search_finds_is_offered_and_used_where_it_lies(work, models, fake, run, found, data, folder):
    worker = fake(FINDS.replace("FOUND", repr(found)))
    look = run(work.search())
    assert worker.asked("models.search") == [{"folder": str(data / "models")}]
    assert look.notes == ("A remark.",)
    assert [each.path for each in models.found] == [each["path"] for each in found]
    assert models.missing("recammaster") == NEEDED
    models.take(models.found[:1])
    assert [each.what for each in models.found] == ["text_encoder", "transformer"]
    models.take(models.found)
    assert models.found == ()
    assert models.missing("recammaster") == ()
    assert list(models.places()) == [each["path"] for each in found]
    assert run(work.search()).found == (), "what is in use is offered again"
    assert sorted(os.listdir(folder / "ComfyUI")) == ["vae.safetensors", "é 日本.safetensors"]


def test_a_file_goes_where_its_content_says(work, models, fake, run, found, own):
    fake(FINDS.replace("FOUND", repr(found)))
    for told, name in zip(found, ("vae", "text_encoder", "transformer"), strict=True):
        text = models.place(told["path"], run(work.identify(told["path"])))
        assert getattr(own, name) == told["path"]
        assert told["words"] in text
    assert models.missing("recammaster") == ()
    assert not models.places()


def test_a_file_that_is_something_else_changes_nothing(work, models, fake, run, found, own, folder, recam):
    fake(FINDS.replace("FOUND", repr(found)))
    refused = recam("errors").ReCamError
    vae = found[0]["path"]
    with pytest.raises(refused, match=r"is Wan 2\.1's VAE, sixteen bits, and not what was looked for: ReCamMaster"):
        models.place(vae, run(work.identify(vae)), "recammaster")
    recipe = str(folder / "recipe.txt")
    with pytest.raises(refused, match="is a recipe"):
        models.place(recipe, run(work.identify(recipe)))
    assert not own.vae
    assert not models.places()


def test_a_folder_with_several_is_used_where_it_lies(work, models, fake, run, found, own, folder):
    fake(FINDS.replace("FOUND", repr(found)))
    comfy = str(folder / "ComfyUI")
    assert "Used where they lie" in models.place(comfy, run(work.identify(comfy)))
    assert list(models.places()) == [each["path"] for each in found[:2]]
    # Looked for one kind, it is that one of the folder.
    models.place(comfy, run(work.identify(comfy)), "umt5")
    assert own.text_encoder == found[1]["path"]
    assert not own.vae
