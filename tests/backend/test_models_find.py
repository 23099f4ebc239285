"""What an engine finds without being told a folder: ReCam's own, and what was added to a folder and lies elsewhere."""

import os

import checkpoints
import pytest
from checkpoints import write
from test_recammaster_models import missed

from backend.contract import Models
from backend.models.library import Library, default_folder
from backend.recammaster import models
from backend.recammaster.models import Found, find


@pytest.fixture(autouse=True)
def own(folder, monkeypatch):
    """ReCam's own folder, which is not there yet."""
    monkeypatch.delenv(models.VARIABLE, raising=False)
    monkeypatch.setenv("RECAM_DATA", str(folder / "data"))
    return folder / "data" / "models"


def test_tests_are_kept_out_of_the_home_folder(own):
    assert default_folder() == own


def test_the_own_folder_is_searched_once_it_is_there(own):
    assert find(Models()) == Found()
    made = checkpoints.make_all(own)
    assert find(Models(), ("transformer", "vae")).vae == made["vae"]


def test_a_job_and_the_variable_go_before_the_own_folder(own, folder, monkeypatch):
    checkpoints.make_all(own)
    (folder / "other").mkdir()
    assert find(Models(folder=str(folder / "other"))) == Found()
    monkeypatch.setenv(models.VARIABLE, str(folder / "other"))
    assert find(Models()) == Found()


def test_what_was_added_to_a_folder_is_used_where_it_lies(own, folder):
    comfy = checkpoints.make_all(folder / "ComfyUI 日本")
    network = write(folder / "just a file.safetensors", checkpoints.transformer())
    Library(own).add_place(folder / "ComfyUI 日本" / "vae")
    Library(own).add_place(network)
    found = find(Models(), ("transformer", "vae"))
    assert (found.transformer, found.vae, found.text_encoder) == (network, comfy["vae"], None)
    assert found.notes == []
    Library(own).remove_place(network)
    assert find(Models()).transformer is None


def test_what_was_added_to_another_folder_is_not_searched(own, folder):
    checkpoints.make_all(folder / "ComfyUI")
    Library(own).add_place(folder / "ComfyUI")
    (folder / "other").mkdir()
    assert find(Models(folder=str(folder / "other"))) == Found()
    Library(folder / "other").add_place(folder / "ComfyUI")
    assert find(Models(folder=str(folder / "other"))).vae is not None


def test_the_best_of_all_places_is_taken_and_a_link_counts_once(own, folder):
    own.mkdir(parents=True)
    half = write(own / "half.safetensors", checkpoints.vae(), dtype=checkpoints.torch.bfloat16)
    whole = write(folder / "comfy" / "whole.safetensors", checkpoints.vae())
    (own / "linked.safetensors").symlink_to(half)
    Library(own).add_place(folder / "comfy")
    found = find(Models())
    assert found.vae == whole
    assert "lies there 2 times" in found.notes[0]


def test_half_of_a_download_is_no_model(own):
    made = checkpoints.make_all(own)
    os.rename(made["vae"], made["vae"].with_name(made["vae"].name + ".3fa8.recam-part"))
    assert find(Models()).vae is None


def test_what_is_missing_can_be_had_by_a_command_that_is_told(own):
    said = missed(Models(), "transformer", "vae")
    assert "`python -m backend models get recammaster vae`, or in its preferences in Blender." in said
    assert "`python -m backend models get tokenizer`" in missed(Models(), "tokenizer")
    # Nothing that is not for every use is proposed.
    assert "models get" not in missed(Models(), "lora")


@pytest.mark.parametrize("what", ["transformer", "vae", "text_encoder", "tokenizer", "preview"])
def test_the_commands_that_are_told_name_what_there_is(what):
    from backend.models.catalogue import entry

    named = missed(Models(), what).split("models get ")[1].split("`")[0]
    assert (entry(named).what, entry(named).commercial) == (what, True)


def test_a_place_that_is_gone_is_told(own, folder):
    Library(own).add_place(folder / "unplugged é")
    said = missed(Models(), "vae")
    gone = str(folder / "unplugged é")
    assert f"was not found in {str(own)!r}, and {gone!r}, which was added to it, is not there now." in said
    (folder / "unplugged é").mkdir()
    assert f"was not found in {str(own)!r}, nor among what was added to it." in missed(Models(), "vae")


def test_a_record_that_makes_no_sense_hides_nothing(own):
    made = checkpoints.make_all(own)
    (own / "recam-models.json").write_text('{"places": [3, {"path": "relative"}, {"path": "/\\u0000"}]}')
    assert find(Models()).vae == made["vae"]


def test_a_place_that_leads_in_a_circle_hides_nothing(own, folder):
    made = checkpoints.make_all(own)
    (folder / "round").symlink_to(folder / "round")
    Library(own).add_place(folder / "round")
    assert find(Models()).vae == made["vae"]


def test_an_own_folder_without_rights_is_told(own, monkeypatch):
    own.mkdir(parents=True)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)  # not by the folder's mode: root may read any
    assert missed(Models(), "vae").startswith(f"ReCam's folder of models is {str(own)!r}, which cannot be read")
