"""What Blender asks of an engine that generates: settings, panel, preferences, models, and the job that comes of them.

Nothing is generated here: see test_recammaster.py.
"""

import json
import os
import shutil
from pathlib import Path

import bpy
import pytest
import shots

PROMPT = 'Une femme marche, 日本の海辺を.\nHer dog (a "spaniel"; it\'s old) runs ahead.\t' + "And so on. " * 200


@pytest.fixture
def settings(addon):
    """The panel's settings of a scene, for the network."""
    bpy.context.scene.recam.engine = "recammaster"
    return bpy.context.scene.recam


@pytest.fixture
def edit(backend_python, clip, folder):
    shutil.copy(clip, folder / "clip.mkv")
    return shots.new_edit(backend_python, folder)


@pytest.fixture
def ask(recam):
    def ask(**changes):
        fixed = {"scene": "Edit", "strip": "clip", "camera": "Target", "engine": "recammaster"}
        return recam("request").Request(**(fixed | changes))

    return ask


@pytest.fixture
def own(recam, monkeypatch):
    """The preferences, as they are before anybody has set them; and afterwards again."""
    monkeypatch.delenv("RECAM_MODELS", raising=False)
    own = recam("preferences").own()
    yield own
    for name in ("models", "device", *recam("preferences").MODEL_FILES):
        own.property_unset(name)


@pytest.fixture
def texts(recam):
    """A request from texts, as a table or a command line has them."""

    def texts(**values):
        return recam("typed_request").from_texts({"scene": "Edit", "strip": "clip"} | values)

    return texts


def refused(recam, what, *words):
    with pytest.raises(recam("errors").ReCamError) as told:
        what()
    assert all(word in str(told.value) for word in words), told.value


# The panel's settings


@pytest.mark.parametrize("name", ["quality", "fit", "cache", "plan"])
def test_the_panel_offers_what_the_contract_knows_and_starts_with_its_default(recam, settings, name):
    items = settings.bl_rna.properties[name].enum_items.keys()
    generation = recam.backend("contract").Generation
    (field,) = [each for each in generation.__dataclass_fields__.values() if each.name == name]
    assert sorted(items) == sorted(field.metadata["choices"])
    assert getattr(settings, name) == field.default


def test_engines_and_devices_are_those_of_the_contract(recam, settings, own):
    contract = recam.backend("contract")
    assert sorted(settings.bl_rna.properties["engine"].enum_items.keys()) == sorted(contract.ENGINES)
    for device in own.bl_rna.properties["device"].enum_items:
        contract.Generation(device=device.identifier)


@pytest.mark.parametrize(
    ("given", "kept"), [(1, 1), (2, 1), (3, 5), (48, 49), (80, 81), (81, 81), (82, 81), (83, 85), (2001, 2001)]
)
def test_the_panel_rounds_frames_to_what_the_network_can_make(settings, given, kept):
    settings.network_frames = given
    assert settings.network_frames == kept


def test_the_panel_rounds_sizes_to_what_the_network_can_draw(settings):
    settings.network_width, settings.network_height = 850, 479
    assert (settings.network_width, settings.network_height) == (848, 480)


def test_what_the_panel_says_is_asked_for(recam, edit):
    said = {
        "engine": "recammaster",
        "prompt": PROMPT,
        "quality": "good",
        "seed": 7,
        "network_frames": 9,
        "network_width": 64,
        "network_height": 48,
        "fit": "pad",
        "cache": "first-block",
        "plan": "streamed",
        "compile": True,
    }
    for name, value in said.items():
        setattr(edit.recam, name, value)
    asked = recam("request").from_settings(edit)
    assert {name: getattr(asked, name) for name in said} == said
    assert (asked.steps, asked.guidance, asked.negative_prompt) == (None, None, None)
    edit.recam.use_steps, edit.recam.use_guidance, edit.recam.use_negative_prompt = True, True, True
    edit.recam.steps, edit.recam.guidance, edit.recam.negative_prompt = 12, 2.5, ""
    asked = recam("request").from_settings(edit)
    assert (asked.steps, asked.guidance, asked.negative_prompt) == (12, 2.5, "")


def test_what_the_panel_hides_counts_for_nothing(recam, edit):
    edit.recam.depth, edit.recam.depth_path, edit.recam.mask = "file", "/no/such/depth", True
    edit.recam.prompt, edit.recam.quality = "A dog", "draft"
    edit.recam.engine = "recammaster"
    asked = recam("request").from_settings(edit)
    assert (asked.depth, asked.depth_path, asked.mask) == ("auto", "", False)
    edit.recam.engine, edit.recam.depth, edit.recam.mask = "reproject", "plane", False
    asked = recam("request").from_settings(edit)
    assert asked == recam("request").Request(scene="Edit", strip="clip", depth="plane", depth_path="/no/such/depth")


# What is told


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.0, "0 s left"),
        (59.6, "1 min 0 s left"),
        (75.0, "1 min 15 s left"),
        (599.0, "9 min 59 s left"),
        (600.0, "10 min left"),
        (3570.0, "1 h 0 min left"),
        (36_000.0, "10 h 0 min left"),
    ],
)
def test_time_left_in_words(recam, seconds, words):
    progress = recam.backend("contract").Progress(phase="x", step=0, total=0, seconds_left=seconds)
    assert recam("telling").time_left(progress) == words


# Requests


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("network_frames", 80, "77 or 81"),
        ("network_width", 850, "multiple of 16"),
        ("network_height", 0, "at least 16"),
        ("quality", "best", "draft"),
        ("steps", 0, "at least 1"),
        ("guidance", -1.0, "at least 0"),
        ("guidance", float("nan"), "finite"),
        ("device", "gpu", "cuda"),
        ("plan", "magic", "streamed"),
        ("cache", "all", "first-block"),
        ("fit", "stretch", "pad"),
        ("prompt", "a\0b", "null"),
    ],
)
def test_a_request_that_no_network_can_do_is_refused_by_its_own_words(recam, ask, field, value, word):
    refused(recam, lambda: ask(**{field: value}), field + ":", word)


def test_texts_are_read_as_what_they_mean(texts):
    asked = texts(
        engine="recammaster", prompt=PROMPT, steps="7", guidance="1.5", compile="yes", network_frames="9", seed="3"
    )
    assert (asked.prompt, asked.steps, asked.guidance, asked.compile) == (PROMPT, 7, 1.5, True)
    assert (asked.network_frames, asked.seed) == (9, 3)
    assert texts(engine="recammaster", negative_prompt="").negative_prompt == ""
    assert texts(engine="recammaster").negative_prompt is None


def test_texts_that_mean_nothing_are_refused(recam, texts):
    refused(recam, lambda: texts(engine="recammaster", steps="many"), "steps", "many", "whole number")
    refused(recam, lambda: texts(engine="recammaster", guidance="much"), "guidance", "much", "a number")
    refused(recam, lambda: texts(engine="recammaster", compile="maybe"), "compile", "maybe", "yes or no")


@pytest.mark.parametrize("name", ["prompt", "quality", "steps", "network_width", "models", "lora", "device"])
def test_who_forgets_the_engine_is_told_rather_than_given_the_other_ones_take(recam, texts, name):
    value = {"quality": "draft", "steps": "5", "network_width": "64"}.get(name, "cpu")
    refused(recam, lambda: texts(**{name: value}), name, "recammaster")
    # Who names it compares the two.
    assert texts(**{"quality": "good", name: value}, engine="reproject").engine == "reproject"


def test_who_gives_the_drafts_lora_means_a_draft(recam, texts):
    refused(recam, lambda: texts(engine="recammaster", lora="a"), "lora", "draft")
    assert texts(engine="recammaster", lora="a", quality="draft").lora == "a"
    assert texts(engine="recammaster", lora="a", quality="final").lora == "a"


# Models


@pytest.fixture
def places(folder):
    """Folders and files to name; empty, as nobody looks into them here."""
    for name in ("asked", "environment", "preferred"):
        (folder / name).mkdir()
    for name in ("a.ckpt", "b.ckpt", "v.pth"):
        (folder / name).write_bytes(b"")
    return folder


def test_every_model_file_of_the_contract_can_be_named(recam, own):
    fields = set(recam.backend("contract").Models.__dataclass_fields__)
    assert {*recam("preferences").MODEL_FILES.values(), "folder"} == fields
    assert {*recam("preferences").MODEL_FILES} < {*own.bl_rna.properties.keys()}
    assert {*recam("preferences").MODEL_FILES} < {*recam("request").Request.__dataclass_fields__}


def test_models_are_looked_for_where_was_said_last(recam, own, places, monkeypatch):
    models = recam("preferences").models
    assert dict(models().paths()) == {}
    own.models, own.transformer, own.vae = f"{places / 'preferred'}/", str(places / "a.ckpt"), str(places / "v.pth")
    wanted = {"folder": "preferred", "transformer": "a.ckpt", "vae": "v.pth"}
    assert dict(models().paths()) == {name: str(places / each) for name, each in wanted.items()}
    found = models(files={"transformer": str(places / "b.ckpt")})
    assert (found.transformer, found.vae) == (str(places / "b.ckpt"), str(places / "v.pth"))
    # Another folder has all of it: the preferences' files would not fit.
    monkeypatch.setenv("RECAM_MODELS", str(places / "environment"))
    assert dict(models().paths()) == {"folder": str(places / "environment")}
    found = models(folder=str(places / "asked"), files={"transformer": str(places / "b.ckpt")})
    assert dict(found.paths()) == {"folder": str(places / "asked"), "transformer": str(places / "b.ckpt")}


def test_relative_places_become_absolute_ones(recam, own, places, monkeypatch):
    """A job is done in another folder than it was asked in."""
    monkeypatch.chdir(places)
    monkeypatch.setenv("RECAM_MODELS", "environment")
    found = recam("preferences").models(files={"vae": "v.pth"})
    assert (found.folder, found.vae) == (str(places / "environment"), str(places / "v.pth"))


def test_models_that_cannot_be_found_are_told_of_and_nothing_else_happens(
    recam, own, ask, edit, folder, backend_python
):
    recam("runtime").stop_worker()
    takes = folder / "takes"

    def run(**changes):
        recam("reshoot").reshoot_now(ask(folder=str(takes), **changes), python=backend_python)

    refused(recam, run, "Preferences", "RECAM_MODELS")
    own.models = "/no/such/folder"
    refused(recam, run, "'/no/such/folder'", "models")
    own.models = str(folder)
    refused(recam, lambda: run(lora="/no/such/lora"), "'/no/such/lora'", "lora")
    assert not takes.exists()
    assert not recam("runtime").warm()


# Jobs


def test_a_job_says_all_that_a_machine_without_blender_needs(recam, own, ask, edit, places):
    own.models, own.transformer, own.device = str(places / "preferred"), str(places / "a.ckpt"), "cuda:1"
    asked = ask(prompt=PROMPT, quality="good", steps=3, network_frames=9, seed=5, folder=str(places / "takes"))
    (path,) = recam("reshoot").export_job(asked, str(places / "job.json"))
    settings = json.loads(Path(path).read_text(encoding="utf-8"))["settings"]
    assert (settings["engine"], settings["seed"], settings["depth"]["kind"]) == ("recammaster", 5, "plane")
    generation = settings["generation"]
    wanted = {"prompt": PROMPT, "quality": "good", "steps": 3, "guidance": None, "frames": 9, "device": "cuda:1"}
    assert {name: generation[name] for name in wanted} == wanted
    assert generation["models"]["folder"] == str(places / "preferred")
    assert generation["models"]["transformer"] == str(places / "a.ckpt")
    assert os.path.isabs(generation["models"]["folder"])


def test_a_job_for_another_machine_may_leave_the_models_to_it(recam, own, ask, edit, places):
    (path,) = recam("reshoot").export_job(ask(device="cpu"), str(places / "job.json"))
    generation = json.loads(Path(path).read_text(encoding="utf-8"))["settings"]["generation"]
    assert (generation["models"]["folder"], generation["device"]) == ("", "cpu")


def test_the_network_asks_for_no_depth_even_where_a_source_camera_is_set(recam, own, ask, edit, places):
    shots.add_camera(edit, "Source")
    (path,) = recam("reshoot").export_job(ask(source_camera="Source", depth="scene"), str(places / "job.json"))
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    assert job["settings"]["depth"] == {"kind": "plane", "files": [], "scale": 1.0, "identity": ""}
    assert len(job["source"]["poses"]) == shots.FRAMES


def test_a_job_of_the_other_engine_knows_no_models(recam, own, ask, edit, places):
    own.models = str(places / "preferred")
    (path,) = recam("reshoot").export_job(ask(engine="reproject", prompt="A dog"), str(places / "job.json"))
    generation = json.loads(Path(path).read_text(encoding="utf-8"))["settings"]["generation"]
    assert (generation["prompt"], generation["models"]["folder"]) == ("", "")
