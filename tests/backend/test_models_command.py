"""`python -m backend models`: what is listed, got, added, removed and found, in words and with exit codes."""

import argparse
import json
import os
import shutil
import signal
import threading
from pathlib import Path

import checkpoints
import pytest
from checkpoints import write

from backend.contract import ContractError, Progress
from backend.models import command, hub, programs, tables
from backend.models.catalogue import CATALOGUE, default_set
from backend.models.hub import HubError
from backend.models.library import Library, default_folder
from backend.models.programs import Surroundings

DOCS = Path(__file__).resolve().parents[2] / "docs" / "models.md"


@pytest.fixture(autouse=True)
def own(folder, monkeypatch):
    """ReCam's own folder of models, and a home without any program."""
    monkeypatch.setenv("RECAM_DATA", str(folder / "data"))
    monkeypatch.delenv("RECAM_MODELS", raising=False)
    here = Surroundings(home=folder / "home", environ={}, system="linux", roots=())
    monkeypatch.setattr(programs, "Surroundings", lambda: here)
    assert default_folder() == folder / "data" / "models"
    return folder / "data" / "models"


@pytest.fixture
def run(capsys):
    """Run a command: its exit code, what it printed, and what it said."""

    def run(*arguments):
        parser = argparse.ArgumentParser()
        command.add_models(parser.add_subparsers())
        options = parser.parse_args(["models", *map(str, arguments)])
        try:
            code = options.run(options)
        except ContractError as error:  # as shell.py does
            code = command.end(str(error), command.BAD_INPUT)
        printed, said = capsys.readouterr()
        return code, printed, said

    return run


@pytest.fixture
def fetched(monkeypatch):
    """Stands in for the network: what was asked for, in order; each file is a few bytes."""
    asked = []

    def fetch(entry, library, *, report, cancelled, mirror=""):
        asked.append((entry.id, mirror))
        paths = []
        for file in entry.files:
            path = library.folder_of(entry) / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"weights")
            library.record(entry, "0" * 40, path, "0" * 64)
            paths.append(path)
        report(Progress(phase=f"Downloading {entry.title}", step=7, total=7, unit="bytes"))
        return paths

    monkeypatch.setattr(hub, "fetch", fetch)
    return asked


# List


def test_the_list_has_every_model_and_how_it_stands(run, own, fetched):
    run("get", "vae")
    code, printed, said = run("list")
    lines = printed.splitlines()
    assert code == 0
    assert [line.split()[0] for line in lines[1:]] == [each.id for each in CATALOGUE]
    states = {line.split()[0]: line.split()[1] for line in lines[1:]}
    assert (states["vae"], states["umt5"]) == ("ready", "missing")
    assert "254 MB" in next(line for line in lines if line.startswith("vae "))
    assert "CC-BY-NC-4.0: not for commercial use" in next(line for line in lines if line.startswith("lora-causvid "))
    assert said == f"recam: the folder is {own}\n"


def test_the_list_as_json(run, own, folder):
    made = write(folder / "vae 日本.safetensors", checkpoints.vae())
    run("add", made)
    code, printed, _ = run("list", "--json")
    found = json.loads(printed)
    assert code == 0
    assert (found["folder"], found["places"]) == (str(own), [str(made)])
    states = {each["id"]: each["state"] for each in found["models"]}
    assert states == {each.id: "elsewhere" if each.what == "vae" else "missing" for each in CATALOGUE}
    causvid = next(each for each in found["models"] if each["id"] == "lora-causvid")
    assert (causvid["licence"], causvid["commercial"], causvid["default"]) == ("CC-BY-NC-4.0", False, False)


def test_a_list_needs_no_folder_and_makes_none(run, own, folder):
    assert run("list")[0] == 0
    assert run("list", "--models", folder / "none")[0] == 0
    assert not own.exists()
    assert not (folder / "none").exists()


def test_a_place_that_is_gone_is_told(run, folder):
    path = write(folder / "vae.safetensors", checkpoints.vae())
    run("add", path)
    path.unlink()
    assert f"used where it lies: {path} (not there now)" in run("list")[2]


def test_the_table_in_docs_is_the_catalogues():
    text = DOCS.read_text(encoding="utf-8")
    assert tables.written_into(text) == text, "write it anew: python -m backend.models.tables docs/models.md"


def test_a_table_is_written_between_its_marks_alone():
    text = f"before\n{tables.BEGIN}old\n{tables.END}after\n"
    assert tables.written_into(text) == f"before\n{tables.BEGIN}{tables.in_markdown()}{tables.END}after\n"
    for damaged in (tables.BEGIN, tables.END, text * 2, ""):
        with pytest.raises(ValueError, match="marks"):
            tables.written_into(damaged)


def test_the_table_tells_licences_that_are_not_free():
    table = tables.in_markdown()
    rows = {line.split("`")[1]: line for line in table.splitlines() if line.startswith("| `")}
    assert rows.keys() == {each.id for each in CATALOGUE}
    assert all("not for commercial use" in rows[each.id] for each in CATALOGUE if each.commercial is False)
    assert not any("(in `default`)" in rows[each.id] for each in CATALOGUE if each.commercial is not True)
    assert all(line.count("|") == 6 for line in rows.values()), "a cell has a bar of its own"


# Get


def test_the_default_set_is_told_and_got(run, own, fetched):
    code, printed, said = run("get", "default")
    ids = [each.id for each in default_set("recammaster")]
    assert code == 0
    assert [each for each, _ in fetched] == ids
    assert {"recammaster", "vae", "umt5"} <= set(ids)
    assert [Path(line).parent.name for line in printed.splitlines()] == ids
    assert all(Path(line).is_file() for line in printed.splitlines())
    assert "recam: umt5: UMT5-XXL's text encoder, eight bits, 6.7 GB, Apache-2.0.\n" in said
    assert "recam: recammaster: ReCamMaster 1.3B, about 3.0 GB, Apache-2.0. " in said
    assert said.index("together 10") < said.index("Downloading"), "sizes are told before it begins"


def test_nothing_that_is_not_for_every_use_is_in_the_default_set():
    assert all(each.commercial is True and each.kind == "model" for each in default_set("recammaster"))


def test_one_that_is_not_for_commercial_use_is_got_by_its_id_alone_and_says_so(run, fetched):
    _, _, said = run("get", "lora-causvid")
    assert fetched == [("lora-causvid", "")]
    assert "CC-BY-NC-4.0. Not for commercial use" in said


def test_what_is_there_is_not_got_again(run, own, folder, fetched):
    run("get", "vae")
    run("add", write(folder / "e.safetensors", checkpoints.with_tokenizer(checkpoints.text_encoder())))
    fetched.clear()
    _, printed, said = run("get", "default")
    assert "recam: vae is there already\n" in said
    assert "recam: umt5 is not needed: another of its kind is there and is used\n" in said
    assert {"vae", "umt5"}.isdisjoint(dict(fetched))
    assert str(own / "vae") in printed
    fetched.clear()
    run("get", "umt5", "umt5")
    assert fetched == [("umt5", "")], "asked for by its id, it is got all the same, and once"


def test_what_somebody_put_into_the_folder_is_not_got_too(run, folder, fetched):
    mine = folder / "all mine é"
    checkpoints.make_all(mine)
    _, _, said = run("get", "default", "--models", mine)
    assert [each for each, _ in fetched] == ["preview"], "there is no tiny decoder among them"
    assert "recam: vae is not needed: another of its kind is there and is used\n" in said
    assert "needs" not in said.splitlines()[-1]


def test_what_is_still_missing_is_told(run, folder, fetched):
    said = run("get", "recammaster")[2]
    assert said.endswith("recam: recammaster needs vae and umt5 too: `get default` downloads all that is missing\n")
    run("add", write(folder / "vae.safetensors", checkpoints.vae()))
    assert "needs umt5 too" in run("get", "recammaster")[2]
    assert "needs" not in run("get", "umt5-full")[2], "another of its kind will do"
    assert "needs" not in run("get", "depth", "--models", folder / "other")[2]


def test_a_folder_and_a_mirror_can_be_named(run, folder, fetched, monkeypatch):
    run("get", "vae", "--models", folder / "a b é", "--mirror", "https://mirror.test")
    assert fetched == [("vae", "https://mirror.test")]
    assert list((folder / "a b é" / "vae").glob("*.safetensors"))
    monkeypatch.setenv("RECAM_MODELS", str(folder / "c"))
    _, printed, _ = run("get", "preview")
    assert printed.startswith(str(folder / "c" / "preview"))


def test_an_id_that_is_none_is_told_with_those_that_are(run, fetched):
    code, printed, said = run("get", "vae", "nonsense")
    assert (code, printed, fetched) == (2, "", [])
    assert said.startswith("recam: ID: found 'nonsense', expected one of default, recammaster, ")


def test_what_goes_wrong_ends_it_with_its_reason(run, monkeypatch):
    def fetch(*_args, **_options):
        raise HubError("The disk is full.", "disk")

    monkeypatch.setattr(hub, "fetch", fetch)
    code, printed, said = run("get", "vae", "umt5")
    assert (code, printed) == (1, "")
    assert said.endswith("recam: The disk is full.\n")
    assert said.count("The disk is full") == 1, "the second is not tried"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_download_says_that_it_goes_on(run, monkeypatch, number):
    def fetch(_entry, _library, *, report, cancelled, mirror=""):
        signal.raise_signal(number)
        waited = threading.Event()
        while not cancelled():
            waited.wait(0.01)
        raise HubError("cancelled", "cancelled")

    monkeypatch.setattr(hub, "fetch", fetch)
    code, printed, said = run("get", "vae")
    assert (code, printed) == (128 + number, "")
    assert said.endswith("recam: interrupted; the next time it goes on from here\n")


def test_a_file_in_the_place_of_the_folder_is_told(run, folder, fetched):
    (folder / "file").write_bytes(b"")
    code, _, said = run("get", "vae", "--models", folder / "file")
    assert (code, fetched) == (2, [])
    assert said.startswith("recam: --models: found ")


# Add, remove


def test_what_is_added_is_told_by_its_content(run, own, folder):
    made = checkpoints.make_all(folder / "ComfyUI é")
    code, printed, _ = run("add", folder / "ComfyUI é", made["vae"])
    assert code == 0
    assert printed.splitlines()[-1] == f"{made['vae']}\tWan 2.1's VAE, float32"
    assert Library(own).places == [folder / "ComfyUI é", made["vae"]]
    used = {each.what for each in CATALOGUE if Library(own).status(each) == "elsewhere"}
    assert used == {"text_encoder", "transformer", "vae"}


def test_what_is_none_of_ours_is_refused_with_what_it_is(run, own, folder):
    sdxl = write(folder / "vae.safetensors", {"input_blocks.1.0.in_layers.0.weight": checkpoints.torch.zeros(2)})
    code, printed, said = run("add", sdxl)
    assert (code, printed) == (2, "")
    assert "is not added: it is a network of another kind (Stable Diffusion), and none of the models" in said
    code, _, said = run("add", folder)
    assert code == 2
    assert "no model that ReCam uses was found in that folder" in said
    code, _, said = run("add", folder / "nothing")
    assert code == 2
    assert "nothing at" in said
    assert not own.exists()


def test_a_file_that_is_cut_off_is_refused(run, folder):
    path = write(folder / "vae.safetensors", checkpoints.vae())
    os.truncate(path, path.stat().st_size - 1)
    code, _, said = run("add", path)
    assert code == 2
    assert "is cut off" in said


def test_what_lies_in_the_folder_need_not_be_added(run, own):
    made = checkpoints.make_all(own)
    code, _, said = run("add", made["vae"])
    assert code == 2
    assert "all in the folder of models is used anyway" in said


def test_what_was_downloaded_is_deleted_and_nothing_else(run, own, fetched):
    run("get", "vae")
    mine = own / "vae" / "my notes.txt"
    mine.write_text("keep")
    code, printed, said = run("remove", "vae")
    assert code == 0
    assert [Path(line).parent for line in printed.splitlines()] == [own / "vae"]
    assert not os.path.exists(printed.strip())
    assert said == "recam: vae: 1 file is deleted\n"
    assert mine.read_text() == "keep"
    assert run("remove", "vae")[2] == "recam: vae: nothing of it was downloaded by ReCam, and nothing is deleted\n"


def test_what_was_added_stays_where_it_is(run, own, folder):
    path = write(folder / "vae 日本.safetensors", checkpoints.vae())
    run("add", path)
    code, printed, said = run("remove", path)
    assert (code, printed) == (0, "")
    assert said == f"recam: {str(path)!r} is used no more; it stays where it is\n"
    assert path.is_file()
    assert Library(own).places == []
    code, _, said = run("remove", path)
    assert code == 2
    assert "expected an id, or a path that was added" in said
    assert path.is_file()


@pytest.mark.parametrize("verb", ["add", "remove", "search"])
def test_an_empty_path_is_not_the_folder_one_is_in(run, own, folder, monkeypatch, verb):
    checkpoints.make_all(folder / "here")
    monkeypatch.chdir(folder / "here")
    run("add", ".")
    before = Library(own).places
    assert run(verb, "")[0] == 2
    assert Library(own).places == before == [folder / "here"]


# Search


def test_what_other_programs_have_is_found_and_can_be_used(run, own, folder):
    made = checkpoints.make_all(folder / "home" / "ComfyUI" / "models")
    code, printed, said = run("search")
    assert code == 0
    assert [line.split("\t")[0] for line in printed.splitlines()] == [str(each) for each in made.values()]
    assert printed.splitlines()[0].endswith("(ComfyUI)")
    assert said.endswith("recam: 3 models found; use them with: python -m backend models add PATH\n")
    assert Library(own).places == []
    run("search", "--add")
    assert Library(own).places == list(made.values())
    _, printed, said = run("search")
    assert printed == ""
    assert said.endswith("recam: no models found, and 3 that are used already\n")


def test_a_search_as_json_and_in_a_further_folder(run, folder):
    made = write(folder / "mine.safetensors", checkpoints.vae())
    code, printed, _ = run("search", "--json", folder)
    found = json.loads(printed)
    assert code == 0
    size = made.stat().st_size
    words = "Wan 2.1's VAE, float32"
    assert found["found"] == [{"path": str(made), "what": "vae", "words": words, "where": "the folder", "size": size}]
    assert found["searched"] == [{"program": "the folder", "folder": str(folder)}]
    code, _, said = run("search", folder / "none")
    assert code == 2
    assert "a folder to search" in said


def test_a_library_that_cannot_be_written_is_told(run, own, folder, monkeypatch):
    path = write(folder / "vae.safetensors", checkpoints.vae())

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied", str(own))

    monkeypatch.setattr(Library, "add_place", refuse)  # not by the folder's mode: root may write any
    code, printed, said = run("add", path)
    assert (code, printed) == (1, "")
    assert said == f"recam: this cannot be written or read: {str(own)!r} (Permission denied)\n"


def test_a_library_of_a_newer_recam_is_told(run, own, folder):
    own.mkdir(parents=True)
    (own / "recam-models.json").write_text('{"recam_models": 2}')
    code, printed, said = run("add", write(folder / "vae.safetensors", checkpoints.vae()))
    assert (code, printed) == (1, "")
    assert said == f"recam: {str(own / 'recam-models.json')!r} was written by a newer ReCam: update this one.\n"


def test_nothing_is_left_in_the_home_folder(folder, run):
    shutil.rmtree(folder / "home", ignore_errors=True)
    run("search")
    run("list")
    assert not (folder / "home").exists()
