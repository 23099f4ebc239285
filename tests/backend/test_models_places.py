"""Models that other programs have: where they are looked for, what is found there, and what a search never does."""

import json
import os
import time

import checkpoints
import pytest
import torch
from checkpoints import Sizes, write
from test_recammaster_identify import Evil, hollow

from backend.models import places, programs
from backend.models.library import Library
from backend.models.places import Cancelled, identified, search
from backend.models.programs import Surroundings, extra_paths
from backend.recammaster import models


@pytest.fixture
def home(folder):
    path = folder / "home"
    path.mkdir()
    return path


def around(home, system="linux", **environ):
    """A user with nothing but this folder."""
    return Surroundings(home=home, environ=environ, system=system, roots=(home.parent / "roots",))


def folders(home, system="linux", **environ):
    return {(each.program, each.folder) for each in programs.places(around(home, system, **environ))}


def found(home, *extra, **environ):
    return {
        (each.where, each.what, each.path) for each in search(extra, around=around(home, **environ), seconds=60).found
    }


def network(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return hollow(path, checkpoints.transformer_shapes(checkpoints.TINY))


def vae(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, checkpoints.vae())


# Where


def test_a_machine_without_any_has_none(home):
    assert folders(home) == set()
    assert search(around=around(home)).found == []


@pytest.mark.parametrize(
    "base",
    ["home/ComfyUI", "home/Documents/ComfyUI", "home/comfy/ComfyUI", "roots/ComfyUI_windows_portable/ComfyUI"],
)
def test_comfyui_is_found_where_people_put_it(home, base):
    models = home.parent / base / "models"
    made = vae(models / "vae" / "wan é.safetensors")
    assert folders(home) == {("ComfyUI", models)}
    assert found(home) == {("ComfyUI", "vae", made)}


def test_comfyui_is_found_where_its_variable_says(home):
    made = network(home / "elsewhere 日本" / "models" / "unet" / "a.safetensors")
    assert found(home, COMFYUI_PATH=str(home / "elsewhere 日本")) == {("ComfyUI", "transformer", made)}


@pytest.mark.parametrize(
    ("system", "settings"),
    [
        ("linux", ".config/ComfyUI"),
        ("darwin", "Library/Application Support/ComfyUI"),
        ("win32", "AppData/Roaming/ComfyUI"),
    ],
)
def test_the_folder_that_comfyuis_desktop_was_given_is_found(home, system, settings):
    (home / settings).mkdir(parents=True)
    base = home / "my comfy"
    (base / "models" / "vae").mkdir(parents=True)
    (home / settings / "config.json").write_text(json.dumps({"basePath": str(base)}), encoding="utf-8")
    assert folders(home, system) == {("ComfyUI", base / "models")}
    (home / settings / "config.json").unlink()
    text = f"comfyui_desktop_0:\n  base_path: {base}\n  is_default: 'true'\n  vae: models/vae/\n"
    (home / settings / "extra_models_config.yaml").write_text(text, encoding="utf-8")
    assert folders(home, system) == {("ComfyUI", base / "models" / "vae")}


EXTRA = """\
# As people write it, by hand.
a111:
    base_path: {base}/web ui   # mine
    checkpoints: models/Stable-diffusion
    loras: |
         models/Lora
         models/LyCORIS
    embeddings: embeddings

comfyui:
    base_path: "{base}"
    is_default: true
    diffusion_models: |
        unet
        nets/  # the large ones
    vae: '{base}/vae: all of them'
    text_encoders:
    - te
#   clip: commented
relative:
    vae_approx: near
"""


def test_the_folders_that_comfyui_is_told_of_are_understood(home, monkeypatch):
    base = home / "日本 disk"
    wanted = ["web ui/models/Stable-diffusion", "web ui/models/LyCORIS", "unet", "nets", "vae: all of them", "te"]
    for each in [*wanted, "web ui/embeddings", "commented"]:
        (base / each).mkdir(parents=True)
    settings = home / "ComfyUI" / "extra_model_paths.yaml"
    (settings.parent / "near").mkdir(parents=True)
    settings.write_text(EXTRA.format(base=base), encoding="utf-8")
    assert set(extra_paths(settings)) == {*(base / each for each in wanted), settings.parent / "near"}
    made = vae(base / "vae: all of them" / "a.safetensors")
    assert found(home) == {("ComfyUI", "vae", made)}
    monkeypatch.setenv("DISK", str(base))
    settings.write_text("x:\n  base_path: ${DISK}\n  unet: unet\n", encoding="utf-8")
    assert extra_paths(settings) == [base / "unet"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00\x01" * 100,
        b"a:\n  vae: \x00\n  unet: " + b"x" * 5000,
        b"{" * 100_000,
        b"[" * 100_000,
        b"a: !!python/object/apply:os.system ['true']\n  vae: !!python/name:os.system\n",
        b"a:\n  vae: &a [*a, *a]\n",
        b"#" * 1_100_000 + b"\na:\n  base_path: /\n  vae: tmp\n",
    ],
)
def test_settings_that_make_no_sense_are_passed_over(home, content):
    paths = ["ComfyUI/extra_model_paths.yaml", "Wan2GP/wgp_config.json", ".config/ComfyUI/config.json"]
    for each in [*paths, ".config/StabilityMatrix/library.json", ".config/Pinokio/config.json"]:
        (home / each).parent.mkdir(parents=True, exist_ok=True)
        (home / each).write_bytes(content)
    assert folders(home) <= {("ComfyUI", home / "ComfyUI")}


@pytest.mark.parametrize("paths", ["x", {"a": 1}, [1, None, ["a"]], ["."], ["./"], [""], 3])
def test_folders_of_wangp_that_are_none_are_passed_over(home, paths):
    (home / "Wan2GP" / "ckpts").mkdir(parents=True)
    (home / "Wan2GP" / "wgp_config.json").write_text(json.dumps({"checkpoints_paths": paths}))
    assert folders(home) == {("WanGP", home / "Wan2GP" / "ckpts")}


def test_wangp_is_found_by_itself_and_within_pinokio(home):
    first = network(home / "Wan2GP" / "ckpts" / "wan2.1_recammaster_1.3B_bf16.safetensors")
    other = home / "big disk" / "weights"
    second = vae(other / "Wan2.1_VAE.safetensors")
    (home / "Wan2GP" / "wgp_config.json").write_text(json.dumps({"checkpoints_paths": ["ckpts", ".", str(other)]}))
    third = vae(home / "pinokio" / "api" / "wan.git" / "app" / "ckpts" / "vae.safetensors")
    assert found(home) == {
        ("WanGP", "transformer", first),
        ("WanGP", "vae", second),
        ("WanGP in Pinokio", "vae", third),
    }


def test_stability_matrix_is_found_by_what_it_wrote_down(home):
    library = home / "StabilityMatrix é"
    first = vae(library / "Models" / "VAE" / "a.safetensors")
    second = network(library / "Packages" / "ComfyUI" / "models" / "unet" / "b.safetensors")
    (home / ".config" / "StabilityMatrix").mkdir(parents=True)
    (home / ".config" / "StabilityMatrix" / "library.json").write_text(json.dumps({"LibraryPath": str(library)}))
    assert found(home) == {
        ("Stability Matrix", "vae", first),
        ("Stability Matrix", "transformer", second),
    }
    moved = vae(home / "moved" / "c.safetensors")
    (library / "settings.json").write_text(json.dumps({"ModelDirectoryOverride": str(moved.parent)}))
    assert ("Stability Matrix", "vae", moved) in found(home)


def cached(hub, repository, commit, name, write_it):
    """A file as huggingface_hub keeps it: a link, named as in the repository, to one named by its content."""
    base = hub / f"models--{repository.replace('/', '--')}"
    blob = write_it(base / "blobs" / "made.safetensors").rename(base / "blobs" / "0123456789abcdef")
    link = base / "snapshots" / commit / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(os.path.relpath(blob, link.parent))
    return link


@pytest.mark.parametrize(
    ("variable", "hub"),
    [
        ("", ".cache/huggingface/hub"),
        ("HF_HUB_CACHE", "the hub"),
        ("HF_HOME", "hf/hub"),
        ("XDG_CACHE_HOME", "caches/huggingface/hub"),
    ],
)
def test_hugging_faces_cache_is_found_where_its_variables_say(home, variable, hub):
    link = cached(home / hub, "Kijai/WanVideo_comfy", "abc123", "Wan2_1_VAE_bf16.safetensors", vae)
    named = {"HF_HUB_CACHE": hub, "HF_HOME": "hf", "XDG_CACHE_HOME": "caches", "": ""}[variable]
    environ = {variable: str(home / named)} if variable else {}
    assert found(home, **environ) == {("Hugging Face's cache", "vae", link)}


def test_of_a_cache_only_what_may_be_ours_is_looked_at_and_each_file_once(home, monkeypatch):
    hub = home / ".cache" / "huggingface" / "hub"
    link = cached(hub, "Kijai/WanVideo_comfy", "abc", "a.safetensors", vae)
    again = hub / "models--Kijai--WanVideo_comfy" / "snapshots" / "def" / "a.safetensors"
    again.parent.mkdir()
    again.symlink_to(link.resolve())
    cached(hub, "meta-llama/Llama", "abc", "b.safetensors", vae)
    opened = []
    real = places.look
    monkeypatch.setattr(places, "look", lambda path: opened.append(path) or real(path))
    assert found(home) == {("Hugging Face's cache", "vae", link)}
    assert {each.name for each in opened} == {"a.safetensors"}


def test_what_is_used_already_is_known_by_its_name_and_by_what_it_leads_to(home):
    link = cached(home / ".cache" / "huggingface" / "hub", "Kijai/WanVideo_comfy", "abc", "a.safetensors", vae)
    library = Library(home / "own")
    outcome = search(around=around(home))
    assert [each.path for each in places.unused(outcome, library)] == [link]
    for place in (link.parent, link, link.resolve(), home):
        library.add_place(place)
        assert places.unused(outcome, library) == [], place
        library.remove_place(place)
    library.add_place(home / "another name" / "huggingface")
    (home / "another name").symlink_to(home / ".cache")
    assert places.unused(outcome, library) == []
    library.remove_place(home / "another name" / "huggingface")
    library.add_place(home / ".cache" / "hugging")
    assert len(places.unused(outcome, library)) == 1


def test_a_folder_of_diffusers_in_a_cache_is_one_model(home):
    base = home / ".cache" / "modelscope" / "hub" / "models" / "Wan-AI" / "Wan2___1-T2V-1___3B-Diffusers"
    made = checkpoints.write_vae_folder(base / "vae")
    assert found(home) == {("ModelScope's cache", "vae", made)}
    size = sum(each.stat().st_size for each in made.iterdir())
    assert search(around=around(home)).found[0].size == size


# What


def test_what_is_found_is_told_by_content_and_in_order(home):
    comfy = home / "ComfyUI" / "models"
    made = checkpoints.make_all(comfy)
    write(comfy / "qwen_image_vae.safetensors", checkpoints.vae())
    write(comfy / "sdxl.safetensors", {"input_blocks.1.0.in_layers.0.weight": torch.zeros(2)})
    write(comfy / "style.safetensors", checkpoints.lora())
    write(comfy / "Wan21_CausVid_14B.safetensors", checkpoints.lora(Sizes(heads=40)))
    lora = write(comfy / "Wan21_CausVid_1_3B.safetensors", checkpoints.lora())
    torch.save({"model": Evil(home / "it ran")}, comfy / "recam.pt")
    outcome = search(around=around(home))
    assert [(each.what, each.path) for each in outcome.found] == [*made.items(), ("lora", lora)]
    assert outcome.found[0].words.startswith("ReCamMaster's network of width")
    assert outcome.found[0].size == made["transformer"].stat().st_size
    assert outcome.notes == [f"{str(comfy / 'recam.pt')!r} is not opened: {outcome.notes[0].split('opened: ')[1]}"]
    assert not (home / "it ran").exists()


def test_what_is_cut_off_or_nearly_right_is_told(home):
    comfy = home / "ComfyUI" / "models"
    cut = network(comfy / "recam.safetensors")
    os.truncate(cut, cut.stat().st_size - 1)
    plain = hollow(comfy / "t2v.safetensors", checkpoints.transformer_shapes(checkpoints.REAL, cameras=False))
    outcome = search(around=around(home))
    assert outcome.found == []
    first, second = sorted(outcome.notes)
    assert first.startswith(f"{str(cut)!r} is cut off")
    assert second == (f"{str(plain)!r} is Wan's text-to-video network of 1.3B, without ReCamMaster's camera encoders.")


def test_without_torch_pickles_are_left_and_counted(home, monkeypatch):
    comfy = home / "ComfyUI" / "models"
    made = vae(comfy / "a.safetensors")
    vae(comfy / "b.pth")
    real = places.look

    def look(path):
        if path.suffix == ".pth":
            raise ImportError("No module named 'torch'")
        return real(path)

    monkeypatch.setattr(places, "look", look)
    outcome = search(around=around(home))
    assert [each.path for each in outcome.found] == [made]
    assert outcome.notes == [
        f"{str(comfy / 'b.pth')!r} was not looked into: that takes PyTorch, which comes with the engine recammaster."
    ]


def test_further_folders_and_files_come_first(home):
    mine = vae(home / "my files" / "a.safetensors")
    link = home / "ComfyUI" / "models" / "linked.safetensors"
    link.parent.mkdir(parents=True)
    link.symlink_to(mine)
    assert found(home, mine.parent) == {("the folder", "vae", mine)}
    assert found(home, mine) == {("the folder", "vae", mine)}
    assert found(home) == {("ComfyUI", "vae", link)}


# Bounds


def test_a_search_can_be_cancelled_within_a_folder(home):
    comfy = home / "ComfyUI" / "models"
    for index in range(5):
        vae(comfy / f"{index}.safetensors")
    opened = []
    with pytest.raises(Cancelled):
        search(
            around=around(home),
            report=opened.append,
            cancelled=lambda: bool(opened),
        )
    assert [each.phase for each in opened] == ["searching ComfyUI"]


def test_a_walk_through_folders_without_models_can_be_stopped(home):
    for index in range(3):
        vae(home / "a" / str(index) / "a.safetensors")
    asked = []
    walk = models.Search(lambda: len(asked) > 2 or bool(asked.append(1)))
    assert len(list(walk.candidates(home))) == 1, "the first folder of the three"
    assert walk.is_cut


def test_a_search_that_takes_long_tells_what_it_left_out(home, monkeypatch):
    comfy, wangp = home / "ComfyUI" / "models", home / "Wan2GP" / "ckpts"
    first, _ = vae(comfy / "a.safetensors"), vae(wangp / "b.safetensors")
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    real = places.look

    def look(path):
        clock[0] += 100
        return real(path)

    monkeypatch.setattr(places, "look", look)
    outcome = search(around=around(home), seconds=50)
    assert [each.path for each in outcome.found] == [first]
    assert outcome.notes == [
        f"Time was over in {str(comfy)!r}: name the folder that the models lie in, to look into that alone."
    ]


def test_a_folder_of_too_many_files_is_told(home, monkeypatch):
    monkeypatch.setattr(models, "_MOST_FILES", 2)
    comfy = home / "ComfyUI" / "models"
    for index in range(4):
        vae(comfy / f"{index}.safetensors")
    outcome = search(around=around(home))
    assert len(outcome.found) == 2
    assert outcome.notes == [f"{str(comfy)!r} holds too much to be searched whole: name a folder within it."]


def test_folders_without_rights_and_rounds_of_links_stop_nothing(home):
    comfy = home / "ComfyUI" / "models"
    made = vae(comfy / "a.safetensors")
    (comfy / "round").symlink_to(comfy, target_is_directory=True)
    (comfy / "itself").symlink_to("itself")
    (home / "Wan2GP").symlink_to(home / "Wan2GP")
    (comfy / "locked").mkdir(mode=0)
    assert found(home) == {("ComfyUI", "vae", made)}


# One path


def test_one_path_is_told_for_itself_or_for_what_is_in_it(home):
    made = checkpoints.make_all(home / "models")
    alone = identified(made["vae"])
    assert [(each.what, each.path) for each in alone.found] == [("vae", made["vae"])]
    assert [each.what for each in identified(home).found] == list(made)
    diffusers = checkpoints.write_vae_folder(home / "vae")
    assert [each.path for each in identified(diffusers).found] == [diffusers]
    assert identified(home / "nothing").found == []
    late = identified(home, seconds=0.0)
    assert late.found == []
    assert late.notes[0].startswith(f"Time was over in {str(home)!r}")
