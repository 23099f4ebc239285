"""The network, asked for in Blender: from strip and camera to a take in the sequencer.

The checkpoint is a tiny one of random numbers in the published format, so the pictures are noise. What is looked at is
all the rest.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import bpy
import numpy as np
import pytest
import shots
from timeline import HEIGHT, ROOT, WIDTH, in_backend, render, span, strips

SMALL = {"network_frames": 9, "network_width": 64, "network_height": 48, "steps": 2, "device": "cpu"}
PROMPT = 'A woman walks along the beach, 日本の海辺.\nHer dog "runs" ahead; it\'s windy.'
COMMAND = [sys.executable, str(Path(__file__).with_name("commandline.py"))]


@pytest.fixture(scope="session")
def models(backend_python, tmp_path_factory):
    """A folder of tiny models in the real formats, made by the backend's tests."""
    folder = tmp_path_factory.mktemp("models é '日本'") / "ComfyUI models"
    script = ROOT / "tests" / "backend" / "checkpoints.py"
    subprocess.run([backend_python, str(script), str(folder)], check=True, capture_output=True, cwd=ROOT)
    return folder


@pytest.fixture
def edit(backend_python, clip, folder):
    shutil.copy(clip, folder / "clip.mkv")
    return shots.new_edit(backend_python, folder)


@pytest.fixture
def asked(recam, models, folder):
    """Make a request for the small edit."""

    def ask(**changes):
        fixed = {"scene": "Edit", "strip": "clip", "camera": "Target", "engine": "recammaster", "models": str(models)}
        return recam("request").Request(**(fixed | SMALL | {"folder": str(folder)} | changes))

    return ask


@pytest.fixture
def run(recam, backend_python):
    def run(request, **options):
        return recam("reshoot").reshoot_now(request, python=backend_python, **options)

    return run


@pytest.fixture
def expect_words(recam, run):
    """The one sentence that a request ends in."""

    def expect(request, *words):
        with pytest.raises(recam("errors").ReCamError) as told:
            run(request)
        text = str(told.value)
        assert all(word in text for word in words), text
        assert "Traceback" not in text
        assert "\n" not in text
        return text

    return expect


def transformer_in(models):
    (path,) = models.rglob("*.ckpt")
    return path


def test_a_take_lands_in_sync_above_its_strip_and_says_how_it_came(edit, asked, run, folder, backend_python, models):
    edit.render.fps, edit.render.fps_base = 24, 1.001
    outcome = run(asked(prompt=PROMPT, seed=11, quality="good"))

    (take,) = outcome.takes
    assert os.path.basename(take.path) == "clip_Target_v001.mp4"
    strip = strips(edit)[take.strip]
    assert span(strip) == (shots.START, shots.START + shots.FRAMES)
    assert strip.channel > strips(edit)["clip"].channel
    assert tagged(backend_python, take.path) == {
        "frames": shots.FRAMES,
        "size": [WIDTH, HEIGHT],
        "rate": "24000/1001",
        "colour": [1, 1, 1, 1],
    }
    record = shots.record_of(take.path)
    assert json.loads(strip["recam"]["job"]) == record["job"]
    settings = record["job"]["settings"]
    assert (settings["engine"], settings["seed"], settings["depth"]["kind"]) == ("recammaster", 11, "plane")
    generation = settings["generation"]
    wanted = {"prompt": PROMPT, "quality": "good", "steps": 2, "frames": 9, "width": 64, "height": 48}
    assert {name: generation[name] for name in wanted} == wanted
    assert generation["models"]["folder"] == str(models)
    result = record["result"]
    assert (result["engine"], result["frames"], result["depth"]) == ("recammaster", shots.FRAMES, "")
    assert result["notes"]
    assert outcome.notes == tuple(dict.fromkeys(result["notes"]))
    assert set(result["warnings"]) <= set(outcome.warnings)
    assert shots.left_behind(folder) == ["clip.mkv"]


def tagged(python, path):
    """What a movie says of itself; 1 is BT.709 in matrix, primaries and transfer, and limited range."""
    said = in_backend(
        python,
        """
        import av, json
        with av.open(sys.argv[1]) as movie:
            frames = list(movie.decode(video=0))
            first, stream = frames[0], movie.streams.video[0]
            print(json.dumps({
                "frames": len(frames),
                "size": [first.width, first.height],
                "rate": str(stream.average_rate),
                "colour": [first.colorspace, first.color_range, first.color_primaries, first.color_trc],
            }))
        """,
        path,
    )
    return json.loads(said)


def test_blender_shows_the_take_frame_for_frame(edit, asked, run, backend_python):
    (take,) = run(asked(format="png")).takes
    pictures = sorted(Path(take.path).iterdir())
    assert len(pictures) == shots.FRAMES
    strips(edit)["clip"].mute = True
    for index in (0, shots.FRAMES - 1):
        shown = render(edit, shots.START + index)
        from timeline import load

        assert np.abs(shown.astype(int) - load(pictures[index]).astype(int)).max() <= 1


def test_seed_camera_and_prompt_decide_how_a_take_looks_and_nothing_else_does(edit, asked, run, backend_python):
    shots.add_camera(edit, "Mover", move=3.0)
    changes = {
        "first": {},
        "again": {},
        "seed": {"seed": 5},
        "camera": {"camera": "Mover"},
        "prompt": {"prompt": "A dog"},
    }
    takes = {name: run(asked(**{"seed": 4} | each)).takes[0] for name, each in changes.items()}
    numbers = [Path(takes[name].path).name for name in ("first", "again", "seed", "prompt")]
    assert numbers == [f"clip_Target_v00{number}.mp4" for number in (1, 2, 3, 4)]
    assert len({strips(edit)[take.strip].channel for take in takes.values()}) == len(takes)
    shown = {name: shots.frames_of(backend_python, take.path) for name, take in takes.items()}
    assert np.array_equal(shown["first"], shown["again"])
    for name in ("seed", "camera", "prompt"):
        assert not np.array_equal(shown["first"], shown[name]), name


def test_a_take_is_made_once_unless_what_decides_its_look_changes(edit, asked, run):
    def skipped(**changes):
        return run(asked(**changes), insert=False, skip_existing=True).takes[0].skipped

    assert [skipped(prompt="A dog", quality="good"), skipped(prompt="A dog", quality="good", plan="tiled")] == [
        False,
        True,
    ]
    assert not skipped(prompt="A cat", quality="good")


def test_a_draft_needs_its_lora(edit, asked, run, expect_words, folder, backend_python):
    expect_words(asked(quality="draft"), "LoRA")
    lora = folder / "four steps é.safetensors"
    in_backend(
        backend_python,
        """
        from pathlib import Path
        sys.path.insert(0, "tests/backend")
        import checkpoints
        checkpoints.write(Path(sys.argv[1]), checkpoints.lora())
        """,
        lora,
    )
    (take,) = run(asked(quality="draft", lora=str(lora))).takes
    assert take.result.frames == shots.FRAMES
    assert any("draft" in each for each in take.result.warnings)  # nobody has judged it


def test_progress_tells_phases_steps_time_left_and_shows_pictures(edit, asked, recam, backend_python):
    told, seen = [], set()

    def report(progress):
        told.append(progress)
        if os.path.exists(progress.preview):  # it goes with the job, whose end may not have been heard of yet
            seen.add(progress.preview)

    recam("reshoot").reshoot_now(asked(steps=12), python=backend_python, report=report)
    assert len({each.phase for each in told}) >= 4
    assert [each for each in told if each.total == 12 and each.step], "no sampling step was told"
    assert [each for each in told if each.seconds_left is not None]
    assert len(seen) == 1
    assert not any(os.path.exists(os.path.dirname(path)) for path in seen)


def test_cancelling_while_it_samples_leaves_nothing_and_the_next_take_is_whole(
    edit, asked, run, recam, folder, backend_python
):
    before = {name: len(getattr(bpy.data, name)) for name in ("scenes", "objects", "images")}
    work = recam("reshoot").reshoot(asked(steps=1000), python=backend_python)
    for step in work:
        preview = step.progress.preview
        if step.progress.total == 1000 and preview:
            break
        time.sleep(0.01)
    started = time.monotonic()
    work.close()
    assert time.monotonic() - started < 1, "cancelling holds Blender up"
    assert shots.left_behind(folder) == ["clip.mkv"]
    assert before == {name: len(getattr(bpy.data, name)) for name in before}
    worker = recam("runtime").worker(backend_python)
    (take,) = run(asked()).takes
    assert os.path.basename(take.path) == "clip_Target_v001.mp4"
    assert recam("runtime").worker(backend_python) is worker, "the worker had to be killed"
    assert worker.alive
    assert preview
    assert not os.path.exists(os.path.dirname(preview))


# What is wrong with the models


def test_a_folder_without_what_is_needed_is_told_of_in_one_sentence(edit, asked, expect_words, folder, models):
    (folder / "models").mkdir()
    expect_words(asked(models=str(folder / "models")), "ReCamMaster", "VAE", "é 日本/models")
    shutil.copytree(models, folder / "some")
    transformer_in(folder / "some").unlink()
    text = expect_words(asked(models=str(folder / "some")), "ReCamMaster", "step20000.ckpt", "é 日本/some")
    assert "VAE" not in text
    shutil.rmtree(folder / "models")
    shutil.rmtree(folder / "some")
    assert shots.left_behind(folder) == ["clip.mkv"]


@pytest.mark.parametrize("wrong", ["vae", "text", "truncated", "empty"])
def test_a_file_that_is_no_transformer_is_told_of_in_one_sentence(edit, asked, expect_words, folder, models, wrong):
    path = folder / "wrong é.ckpt"
    whole = transformer_in(models).read_bytes()
    if wrong == "vae":
        shutil.copy(next(models.rglob("*VAE*")), path)
    else:
        path.write_bytes({"text": b"Not found\n" * 50, "truncated": whole[: len(whole) // 2], "empty": b""}[wrong])
    said = {"vae": "VAE", "text": "known format", "truncated": "download it again", "empty": "empty"}[wrong]
    expect_words(asked(transformer=str(path)), path.name, said, "step20000.ckpt")
    path.unlink()
    assert shots.left_behind(folder) == ["clip.mkv"]


def test_after_what_was_wrong_the_next_take_is_whole(edit, asked, run, expect_words, folder):
    (folder / "wrong.safetensors").write_bytes(b"{}")
    expect_words(asked(vae=str(folder / "wrong.safetensors")), "wrong.safetensors")
    assert run(asked()).takes[0].result.frames == shots.FRAMES


# Without a window


@pytest.fixture
def environment(addon, backend_python, models):
    return os.environ | {"RECAM_PYTHON": backend_python, "PYTHONUTF8": "1", "RECAM_MODELS": str(models)}


@pytest.fixture
def command(environment):
    def run(*arguments, code=0):
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def blend(edit, folder):
    path = folder / "shot é.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


def test_a_table_has_columns_for_engine_quality_prompt_and_seed(command, blend):
    table = blend.with_name("shots.csv")
    settings = "; ".join(f"{name}={value}" for name, value in SMALL.items())
    rows = [
        ["recammaster", "final", PROMPT, "1", settings],
        ["recammaster", "final", PROMPT, "2", settings],
        ["recammaster", "good", 'A dog, and a "cat"; a bird', "1", settings],
        ["reproject", "final", PROMPT, "", settings],
    ]

    with open(table, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["blend", "strip", "camera", "engine", "quality", "prompt", "seed", "settings", "out"])
        writer.writerows([blend.name, "clip", "Target", *row, "takes"] for row in rows)

    def told():
        return [json.loads(line) for line in command("batch", table).stdout.splitlines() if line.startswith("{")]

    first = told()
    assert [each["status"] for each in first] == ["done"] * len(rows)
    assert [each["line"] for each in first] == [2, 4, 6, 7]  # the first two prompts have two lines
    for row, each in zip(rows, first, strict=True):
        job = shots.record_of(each["takes"][0])["job"]["settings"]
        assert job["engine"] == row[0]
        if row[0] == "recammaster":
            generation = job["generation"]
            assert [generation["quality"], generation["prompt"], str(job["seed"])] == row[1:4]
            assert each["notes"]
    assert {each["status"] for each in told()} == {"skipped"}


def test_a_take_of_the_command_line_is_made_again_by_a_shell(command, blend, models, backend_python):
    options = [part for name, value in SMALL.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    shot = ["render", blend, "--strip", "clip", "--camera", "Target", "--engine", "recammaster", *options]
    command(*shot, "--models", "/no/such/folder", code=2)
    command(*shot, "--network-frames", "8", code=2)
    command("render", blend, "--strip", "clip", "--prompt", "A dog", code=2)
    done = command(*shot, "--prompt", PROMPT, "--seed", "3", "--models", os.path.relpath(models))
    assert done.stderr.startswith("recam: ")  # its notes
    take = done.stdout.splitlines()[-1]
    assert shots.record_of(take)["job"]["settings"]["generation"]["models"]["folder"] == str(models)

    # The record says where the models are, and nothing else does.
    again = blend.with_name("again.mp4")
    record = str(Path(take).with_suffix(".json"))
    done = subprocess.run(
        [backend_python, "-m", "backend", "render", record, "--output", str(again)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "RECAM_MODELS"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert np.array_equal(*(shots.frames_of(backend_python, path) for path in (take, again)))
