"""The command line and the batch, run as programs."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import bpy
import pytest
import shots

COMMAND = [sys.executable, str(Path(__file__).with_name("commandline.py"))]
SHOTS = 20


@pytest.fixture
def environment(addon, backend_python):
    return os.environ | {"RECAM_PYTHON": backend_python, "PYTHONUTF8": "1"}


@pytest.fixture
def blend(addon, backend_python, folder):
    """A saved .blend with a strip and a camera."""
    shots.new_edit(backend_python, folder)
    path = folder / "shot é.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


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
def table(blend):
    """Twenty shots of one file, that differ in what a take may differ in."""
    path = blend.parent / "shots.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["blend", "strip", "camera", "settings", "out"])
        for number in range(SHOTS):
            writer.writerow([blend.name, "clip", "Target", f"subject_distance={number + 1}; format=h264", "takes"])
    return path


def lines(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def check_takes(folder):
    """Every shot has one whole take with its record, and no number was given twice."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    takes = [record for record in records if "result" in record]
    assert all(Path(record["result"]["path"]).stat().st_size > 1000 for record in takes)
    assert {path.name for path in folder.glob("*.mp4")} == {Path(each["result"]["path"]).name for each in takes}
    return sorted(record["job"]["subject_distance"] for record in takes)


def test_render_makes_a_take_and_leaves_the_file_alone(command, blend):
    before = blend.read_bytes()
    done = command("render", blend, "--strip", "clip", "--camera", "Target", "--mask", "yes")
    assert done.stdout.splitlines()[-1] == str(blend.parent / "recam" / "clip_Target_v001.mp4")
    assert (blend.parent / "recam" / "clip_Target_v001_mask.mp4").exists()
    assert blend.read_bytes() == before


def test_save_as_writes_another_file_with_the_take_in_it(command, blend):
    before, saved = blend.read_bytes(), blend.with_name("done.blend")
    command("render", blend, "--strip", "clip", "--camera", "Target", "--save-as", saved)
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    from timeline import strips

    assert "clip_Target_v001" in strips(bpy.data.scenes["Edit"])
    assert blend.read_bytes() == before


def test_export_job_writes_a_job_and_no_take(command, blend):
    command("export-job", blend, "--strip", "clip", "--camera", "Nobody", "--job", blend.parent / "job.json", code=2)
    command("export-job", blend, "--strip", "clip", "--camera", "Target", "--job", blend.parent / "job.json")
    job = json.loads((blend.parent / "job.json").read_text(encoding="utf-8"))
    assert len(job["target"]["poses"]) == shots.FRAMES
    assert job["output"]["path"] == str(blend.parent / "job_take.mp4")
    elsewhere = ["--job", blend.parent / "second.json", "--out", blend.parent / "takes"]
    command("export-job", blend, "--strip", "clip", "--camera", "Target", *elsewhere)
    job = json.loads((blend.parent / "second.json").read_text(encoding="utf-8"))
    assert job["output"]["path"] == str(blend.parent / "takes" / "second_take.mp4")
    assert not (blend.parent / "recam").exists()


def test_what_a_take_is_for_is_asked_for_by_options(command, blend):
    use = ["--use", "freeze", "--use-at", shots.START + 2, "--use-hold", 3, "--use-ease", 0, "--source-from", "footage"]
    known = ["--known-frame", shots.START, "--known-x", 8, "--known-y", 4, "--known-distance", 2.5]
    place = ["--job", blend.parent / "frozen.json"]
    command("export-job", blend, "--strip", "clip", "--camera", "Target", *use, *known, *place)
    job = json.loads((blend.parent / "frozen.json").read_text(encoding="utf-8"))
    assert (job["use"]["kind"], job["use"]["at"], job["use"]["hold"], job["use"]["ease"]) == ("freeze", 2, 3, 0)
    assert (job["source_from"], job["known"]) == ("footage", {"frame": 0, "x": 8, "y": 4, "distance": 2.5})
    command("export-job", blend, "--strip", "clip", "--camera", "Target", "--use", "fly", *place, code=2)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["render"], "required"),
        (["render", "nowhere.blend", "--strip", "clip"], "nowhere.blend"),
        (["render", "BLEND", "--strip", "clop"], "'clip'"),
        (["render", "BLEND", "--strip", "clip", "--engine", "magic"], "magic"),
        (["render", "BLEND", "--strip", "clip", "--seed", "many"], "many"),
        (["render", "BLEND", "--strip", "clip", "--camera", "Nobody"], "'Target'"),
        (["render", "BLEND", "--strip", "clip", "--camera-frame", "nan"], "camera_frame"),
        (["render", "BLEND", "--strip", "clip", "--camera-frame", "1e12"], "camera_frame"),
        (["render", "BLEND", "--strip", "clip", "--save-as", "/no/such/folder/x.blend"], "/no/such/folder"),
        (["render", "BLEND", "--strip", "clip", "--save-as", "CLIP"], "already"),
        (["render", "BLEND", "--strip", "clip", "--depth-path", "/no/depth"], "/no/depth"),
        (["render", "BLEND", "--strip", "clip", "--depth", "plane", "--depth-path", "CLIP"], "plane"),
        (["render", "BLEND", "--strip", "clip", "--depth-scale", "-1"], "scale"),
        (["render", "BLEND", "--strip", "clip", "--seed", "-1"], "seed"),
        (["render", "BLEND", "--strip", "clip", "--width", "99999", "--height", "9"], "99999"),
        (["batch", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_bad_input_is_told_with_code_2(command, blend, arguments, word):
    files = {"BLEND": str(blend), "CLIP": str(blend.with_name("clip.mkv"))}
    done = command(*[files.get(each, each) for each in arguments], code=2)
    assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_a_table_is_checked_before_any_work(command, table):
    with open(table, "a", encoding="utf-8") as file:
        file.write("shot é.blend,clip,Target,colour=red,takes\r\n")
    done = command("batch", table, code=2)
    assert "Line 22" in done.stderr
    assert "colour" in done.stderr
    assert not (table.parent / "takes").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("blend,strip,strip", ["twice", "strip"]),
        ("blend,scene", ["no column", "strip"]),
        ("blend,strip,settings\nshot é.blend,clip,folder=/tmp", ["Line 2", "folder"]),
        ("blend,strip,settings\nshot é.blend,clip,lens", ["Line 2", "name=value"]),
        ("blend,strip,settings\nshot é.blend,clip,lens=5;lens=6", ["Line 2", "twice"]),
        ("blend,strip\nother.blend,clip", ["Line 2", "other.blend"]),
        ("blend,strip\nshot é.blend,clip,more", ["Line 2", "more or fewer"]),
        ("blend,strip", ["no shots"]),
    ],
)
def test_what_is_wrong_with_a_table_is_told(command, blend, line, words):
    table = blend.with_name("wrong.csv")
    table.write_text(line + "\n", encoding="utf-8")
    told = command("batch", table, code=2).stderr
    assert all(word in told for word in words), told


def test_a_scene_chooses_between_strips_of_one_name(command, addon, backend_python, folder):
    for name in ("Edit", "Other"):
        shots.new_edit(backend_python, folder, name)
    blend, table = folder / "two.blend", folder / "two.csv"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    assert "--scene" in command("render", blend, "--strip", "clip", code=2).stderr
    command("render", blend, "--strip", "clip", "--scene", "Other", "--out", folder / "takes")
    table.write_text("blend,scene,strip,out\ntwo.blend,Other,clip,takes\n", encoding="utf-8")
    assert [each["status"] for each in lines(command("batch", table).stdout)] == ["skipped"]


def test_what_nobody_foresaw_ends_one_shot_alone(environment, table, tmp_path):
    """A defect in the way of the first shot: the others are made, and its traceback is there to be read."""
    program = tmp_path / "broken.py"
    source = Path(COMMAND[1]).read_text(encoding="utf-8")
    broken = """
from bl_ext.user_default.recam_blender.recam_blender import reshoot
whole, calls = reshoot.reshoot_now, []
def once(*arguments, **options):
    calls.append(1)
    if len(calls) == 1:
        raise KeyError("a defect")
    return whole(*arguments, **options)
reshoot.reshoot_now = once
"""
    program.write_text(source.replace("sys.exit(", broken + "\nsys.exit("), encoding="utf-8")
    rows = table.read_text(encoding="utf-8").splitlines()[:3]
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(program), "batch", str(table)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert [each["status"] for each in lines(done.stdout)] == ["failed", "done"]
    assert "KeyError" in done.stderr


def test_one_bad_shot_does_not_stop_the_others(command, table):
    rows = table.read_text(encoding="utf-8").splitlines()[:3]
    table.write_text("\n".join([rows[0], rows[1], rows[2].replace("Target", "Nobody")]) + "\n", encoding="utf-8")
    told = lines(command("batch", table, code=1).stdout)
    assert [each["status"] for each in told] == ["done", "failed"]
    assert "Nobody" in told[1]["message"]


def test_a_batch_killed_three_times_is_finished_by_starting_it_again(command, environment, table):
    for point in (1, 4, 9):
        process = subprocess.Popen(
            [*COMMAND, "batch", str(table)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        told = 0
        while told < point:
            line = process.stdout.readline()
            assert line, "the batch ended before it was killed"
            told += line.startswith("{")
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    told = lines(command("batch", table).stdout)
    assert len(told) == SHOTS
    assert {each["status"] for each in told} == {"done", "skipped"}
    assert check_takes(table.parent / "takes") == [float(number + 1) for number in range(SHOTS)]
    assert {each["status"] for each in lines(command("batch", table).stdout)} == {"skipped"}


def test_two_batches_at_once_never_take_the_same_number(environment, table):
    both = [
        subprocess.Popen([*COMMAND, "batch", str(table)], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [lines(process.communicate()[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    made = [path for each in told for shot in each if shot["status"] == "done" for path in shot["takes"]]
    assert len(made) == len(set(made))
    assert set(check_takes(table.parent / "takes")) == {float(number + 1) for number in range(SHOTS)}
