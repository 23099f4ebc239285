"""What the shell makes of the options for the engine that generates, and the ones that it refuses."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest
from engines_for_tests import ROOT
from jobs import make_job
from typed_jobs import job_of, options

from backend import contract, request, shell
from backend.contract import ContractError, EngineSettings, Generation, Models
from backend.generation_options import OF_MACHINE

ENGINE = ["--engine", "recammaster"]


@pytest.fixture
def weights(folder):
    """A folder of models, and a file for each kind of them."""
    path = folder / "weights"
    path.mkdir()
    for name in ("net.ckpt", "vae.pth", "umt5.safetensors", "spiece.model", "pack.safetensors", "few.safetensors", "t"):
        (path / name).write_bytes(b"")
    return path


@pytest.fixture
def base(clip, trajectory):
    return ["--footage", clip, "--trajectory", trajectory, "--output", "take.mp4"]


def test_defaults_are_the_contracts(base):
    assert job_of(*base, *ENGINE).settings == EngineSettings(engine="recammaster")


def test_every_option_reaches_the_job(base, weights):
    arguments = ["--prompt", "a cat é 日本", "--negative-prompt", "fog", "--quality", "good", "--steps", "7"]
    arguments += [
        "--guidance",
        "2.5",
        "--network-frames",
        "21",
        "--overlap",
        "5",
        "--network-size",
        "416x240",
        "--fit",
        "crop",
        "--focus",
        "0.25,0.5",
    ]
    arguments += ["--cache", "sea", "--device", "cuda:1", "--plan", "streamed", "--compile", "--seed", "3"]
    arguments += ["--models", weights, "--transformer", weights / "net.ckpt", "--vae", weights / "vae.pth"]
    arguments += ["--text-encoder", weights / "umt5.safetensors", "--tokenizer", weights / "spiece.model"]
    arguments += ["--embeddings", weights / "pack.safetensors", "--preview-decoder", weights / "t"]
    settings = job_of(*base, *ENGINE, *arguments).settings
    assert settings.seed == 3
    assert settings.generation == Generation(
        prompt="a cat é 日本",
        negative_prompt="fog",
        quality="good",
        steps=7,
        guidance=2.5,
        frames=21,
        overlap=5,
        width=416,
        height=240,
        fit="crop",
        focus_x=0.25,
        focus_y=0.5,
        cache="sea",
        device="cuda:1",
        plan="streamed",
        compile=True,
        models=Models(
            folder=str(weights),
            transformer=str(weights / "net.ckpt"),
            vae=str(weights / "vae.pth"),
            text_encoder=str(weights / "umt5.safetensors"),
            tokenizer=str(weights / "spiece.model"),
            embeddings=str(weights / "pack.safetensors"),
            preview=str(weights / "t"),
        ),
    )
    lora = job_of(*base, *ENGINE, "--quality", "draft", "--lora", weights / "few.safetensors").settings.generation
    assert lora == Generation(quality="draft", models=Models(lora=str(weights / "few.safetensors")))


def test_every_field_has_an_option():
    """Those of the contract, one by one: a new one is not forgotten."""
    shown = " ".join(shell._parser()._subparsers._group_actions[0].choices["render"].format_help().split())
    named = {
        "frames": "network-frames",
        "width": "network-size",
        "height": "network-size",
        "focus_x": "focus",
        "focus_y": "focus",
        "preview": "preview-decoder",
    }
    named |= {"folder": "models"}
    for kind in (Generation, Models):
        for field in dataclasses.fields(kind):
            assert f"--{named.get(field.name, field.name.replace('_', '-'))} " in shown, field.name


def test_prompt_from_a_file(base, folder):
    (folder / "prompt.txt").write_bytes("\ufeffA woman walks.\r\nThe sea is calm, é.\n".encode())
    made = job_of(*base, *ENGINE, "--prompt-file", folder / "prompt.txt").settings.generation
    assert made.prompt == "A woman walks.\r\nThe sea is calm, é."


def test_paths_are_made_absolute(base, weights, monkeypatch):
    monkeypatch.chdir(weights.parent)
    made = job_of(*base, *ENGINE, "--models", "weights", "--vae", "weights/vae.pth").settings.generation
    assert made.models == Models(folder=str(weights), vae=str(weights / "vae.pth"))


# What is refused: exit code 2, one line, and nothing is made


@pytest.fixture
def refusal(folder, base, weights, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    (folder / "latin.txt").write_bytes("été".encode("latin-1"))

    def ask(*arguments):
        before = sorted(os.listdir(folder))
        assert shell.main(["render", *map(str, base), *arguments]) == 2
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
        assert sorted(os.listdir(folder)) == before
        return said.err.removeprefix("recam: ").rstrip()

    return ask


@pytest.mark.parametrize(
    "arguments",
    [
        ["--prompt", ""],
        ["--prompt-file", "gone.txt"],
        ["--negative-prompt", "fog"],
        ["--quality", "final"],
        ["--steps", "50"],
        ["--guidance", "5"],
        ["--network-frames", "81"],
        ["--network-size", "832x480"],
        ["--overlap", "17"],
        ["--fit", "crop"],
        ["--focus", "0.5,0.5"],
        ["--cache", "none"],
        ["--device", "auto"],
        ["--plan", "auto"],
        ["--compile"],
        ["--models", "weights"],
        ["--transformer", "weights/net.ckpt"],
        ["--vae", "weights/vae.pth"],
        ["--text-encoder", "weights/umt5.safetensors"],
        ["--tokenizer", "weights/spiece.model"],
        ["--embeddings", "weights/pack.safetensors"],
        ["--lora", "weights/few.safetensors"],
        ["--preview-decoder", "weights/t"],
    ],
    ids=lambda arguments: arguments[0],
)
@pytest.mark.parametrize("engine", [[], ["--engine", "reproject"]])
def test_option_that_another_engine_would_ignore(refusal, engine, arguments):
    said = refusal(*engine, *arguments)
    assert said.startswith(f"{arguments[0]}: found ")
    assert said.endswith("without --engine recammaster, expected both or neither")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["--depth", "plane"],
            "--depth: found 'plane' beside --engine recammaster, expected nothing: without --true-pixels",
        ),
        (["--network-frames", "80"], "--network-frames: found 80, expected 4k + 1, like 77 or 81"),
        (["--overlap", "16"], "--overlap: found 16, expected 0, or 4k + 1 and less than the 81 frames"),
        (["--overlap", "81"], "--overlap: found 81, expected 0, or 4k + 1 and less than the 81 frames"),
        (["--overlap", "-1"], "--overlap: found -1, expected at least 0"),
        (["--network-size", "830x480"], "--network-size: found 830, expected a multiple of 16"),
        (["--network-size", "832"], "--network-size: found 832, expected width and height, like 832x480"),
        (["--network-size", "8320x480"], "--network-size: found 8320, expected at most 4096"),
        (["--focus", "0.5"], "--focus: found '0.5', expected two shares of the footage's frame, like 0.5,0.3"),
        (["--focus", "0.5,1.5"], "--focus: found 1.5, expected at most 1"),
        (
            ["--focus", "0.5,0.5", "--fit", "pad"],
            "--focus: found '0.5,0.5' with --fit pad, which crops nothing, expected another fit",
        ),
        (["--steps", "0"], "--steps: found 0, expected at least 1"),
        (["--guidance", "nan"], "--guidance: found nan, expected "),
        (["--device", "gpu"], "--device: found gpu, expected auto, cpu, mps, cuda or cuda:0, cuda:1, ..."),
        (["--prompt", "a", "--prompt-file", "b"], "--prompt-file: found beside --prompt, expected one or the other"),
        (
            ["--prompt-file", "gone.txt"],
            "--prompt-file: found 'gone.txt' (No such file or directory), expected a file that can be read",
        ),
        (
            ["--prompt-file", "latin.txt"],
            "--prompt-file: found 'latin.txt', no UTF-8 at byte 0, expected a text in UTF-8",
        ),
        (["--prompt", "caf\udce9"], "--prompt: found bytes that are no UTF-8 (at 3), expected a text"),
        (["--models", ""], "--models: found nothing at '', expected a folder of model files"),
        (["--models", "clip.mp4"], "--models: found 'clip.mp4', a file, expected a folder of model files"),
        (["--vae", "gone.pth"], "--vae: found nothing at 'gone.pth', expected a file or folder that can be read"),
        (
            ["--lora", "weights/few.safetensors"],
            "--lora: found 'weights/few.safetensors' with quality final, expected --quality draft, which it is for",
        ),
        (
            ["--quality", "draft", "--negative-prompt", "fog"],
            "--negative-prompt: found 'fog' with no step guided by it, expected more --guidance, or none of it",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value),
)
def test_what_cannot_be(refusal, arguments, line):
    assert refusal(*ENGINE, *arguments).startswith(line)


# Beside a job file: where it runs, and nothing of what it makes


@pytest.fixture
def job_file(folder):
    def write(**settings):
        job = make_job(folder, 2)
        job = dataclasses.replace(job, settings=EngineSettings(**settings))
        (folder / "job.json").write_text(json.dumps(job.to_json()))
        return folder / "job.json"

    return write


def test_job_of_another_machine_is_told_where_the_models_are(job_file, weights):
    there = Models(folder="/there", transformer="/there/a.ckpt", vae="/there/vae.pth")
    path = job_file(engine="recammaster", generation=Generation(prompt="a cat", quality="good", models=there))

    def models(*arguments):
        return request.from_job_file(options(path, *arguments)).settings.generation.models

    assert models() == there
    assert models("--models", weights) == Models(folder=str(weights))
    one = models("--vae", weights / "vae.pth")
    assert one == dataclasses.replace(there, vae=str(weights / "vae.pth"))
    moved = request.from_job_file(options(path, "--device", "cpu", "--plan", "fp8", "--compile"))
    generation = moved.settings.generation
    assert (generation.device, generation.plan, generation.compile) == ("cpu", "fp8", True)
    assert (generation.prompt, generation.quality, generation.models) == ("a cat", "good", there)
    with pytest.raises(ContractError, match=r"--lora: found .* with quality good, expected --quality draft"):
        models("--lora", weights / "few.safetensors")
    with pytest.raises(ContractError, match="--device: found gpu"):
        models("--device", "gpu")


@pytest.mark.parametrize("name", OF_MACHINE)
def test_job_for_another_engine_is_told_nothing(job_file, weights, name):
    option = "--" + name.replace("_", "-")
    value = {"compile": [], "device": ["cpu"], "plan": ["auto"]}.get(name, [weights])
    with pytest.raises(ContractError, match=f"{option}: found .*beside a job for reproject, expected a job for recam"):
        request.from_job_file(options(job_file(), option, *value))


# A Python without torch

HIDDEN = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "peft", "sentencepiece", "ftfy", "PIL")
HIDDEN += ("psutil", "huggingface_hub")


def without_torch(*arguments):
    """The shell where nothing of torch's is installed, and what it says."""
    code = (
        "import importlib.util, sys; find = importlib.util.find_spec\n"
        f"importlib.util.find_spec = lambda name, *rest: None if name in {HIDDEN} else find(name, *rest)\n"
        f"sys.modules |= dict.fromkeys({HIDDEN})\n"
        f"sys.path.insert(0, {str(ROOT)!r}); from backend.shell import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


@pytest.mark.parametrize("command", ["render", "render job", "embed", "convert"])
def test_says_how_to_add_what_the_engine_needs(base, folder, job_file, command):
    arguments = {
        "render": ["render", *base, *ENGINE],
        "render job": ["render", job_file(engine="recammaster"), "--output", folder / "take.mp4"],
        "embed": ["embed", "a cat", "--output", folder / "pack.safetensors"],
        "convert": ["convert", folder / "clip.mp4", folder / "converted"],
    }[command]
    code, out, err = without_torch(*arguments)
    assert (code, out) == (2, b"")
    assert err == (
        f"recam: this Python ({sys.executable}) lacks {', '.join(HIDDEN)}, which recammaster needs: use the one that "
        "`python -m backend setup --engine recammaster` sets up\n"
    )


@pytest.mark.parametrize("arguments", [["--help"], ["render", "--help"], ["embed", "--help"], ["convert", "--help"]])
def test_help_needs_no_torch(arguments):
    code, out, _ = without_torch(*arguments)
    assert code == 0
    assert out


def test_takes_of_the_light_engine_need_no_torch(base, folder):
    code, out, err = without_torch("render", *base[:-1], folder / "take.mp4", "--frames", "2")
    assert (code, out.decode()) == (0, f"{folder / 'take.mp4'}\n"), err
    assert contract.loads((folder / "take.json").read_bytes()).settings == EngineSettings()
