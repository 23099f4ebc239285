"""The contract and the disk: files that a job names, and its digest."""

import json
import os
from fractions import Fraction
from pathlib import Path

import pytest
from written_jobs import LENS, changed, minimal

from backend import contract
from backend.contract import ContractError, Depth, Job


def on_disk(folder, **changes):
    data = minimal()
    clip, take = folder / "clip.mp4", folder / "take.mp4"
    clip.write_bytes(b"clip")
    return Job.from_json(changed(changed(data, "footage.files.0", str(clip)), "output.path", str(take)) | changes)


def test_files_that_are_there_are_fine(folder):
    on_disk(folder).check_files()


def test_missing_footage_is_named(folder):
    job = on_disk(folder)
    os.remove(job.footage.files[0])
    with pytest.raises(ContractError, match="no file at") as caught:
        job.check_files()
    assert caught.value.field == "footage.files[0]"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (("footage.files.0", "clip.mp4"), "footage.files[0]"),
        (("output.path", "take.mp4"), "output.path"),
        (
            ("settings", {"depth": {"kind": "scene", "files": [""] * 3, "identity": "a scene"}}),
            "settings.depth.files[0]",
        ),
    ],
)
def test_relative_paths_are_refused_before_any_work(folder, monkeypatch, change, field):
    """Also where they would be found: the worker's working folder is nobody's."""
    monkeypatch.chdir(folder)
    job = Job.from_json(changed(on_disk(folder).to_json(), *change))
    with pytest.raises(ContractError, match="a relative path") as caught:
        job.check_files()
    assert caught.value.field == field


def test_every_look_at_the_disk_can_be_called_off(folder):
    asked = []

    def ask():
        asked.append(None)
        if len(asked) == 2:
            raise InterruptedError

    files = [str(folder / f"{index}.exr") for index in range(3)]
    job = on_disk(folder, settings={"depth": {"kind": "file", "files": files}})
    with pytest.raises(InterruptedError):
        job.check_files(ask)


def test_depth_folder_that_cannot_be_listed(folder, monkeypatch):
    """As one that vanishes, or that its owner alone may read."""

    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(ContractError, match=r"settings.depth.files: found .*Permission denied"):
        Depth.from_path(str(folder), 2)


@pytest.mark.parametrize("names", [["1²3.exr", "2²3.exr", "10²3.exr"], ["a.exr", "b9.exr", "b10.exr"]])
def test_depth_files_are_read_in_the_order_of_their_numbers(folder, names):
    for name in names:
        (folder / name).touch()
    assert [os.path.basename(each) for each in Depth.from_path(str(folder), 3).files] == names


def test_record_of_names_that_are_no_utf8_is_utf8_and_brings_them_back():
    """Linux gives such names with lone surrogates, which no text file can hold as they are."""
    name = os.fsdecode(b"/\xff \xc3\xa9.mp4")
    job = Job.from_json(changed(changed(minimal(), "footage.files.0", name), "output.path", name))
    result = contract.Result(path=name, frames=3, width=2, height=2, rate=Fraction(25), engine="reproject")
    record = contract.take_record(job, result).encode()
    assert contract.loads(record) == job
    assert "é.mp4" in record.decode()
    assert len(job.digest()) == 64


def test_a_folder_is_no_footage(folder):
    job = on_disk(folder)
    os.remove(job.footage.files[0])
    os.mkdir(job.footage.files[0])
    with pytest.raises(ContractError, match="no file at"):
        job.check_files()


def test_missing_depth_is_named(folder):
    files = [str(folder / f"{index}.exr") for index in range(3)]
    Path(files[0]).touch()
    job = on_disk(folder, settings={"depth": {"kind": "file", "files": files}})
    with pytest.raises(ContractError) as caught:
        job.check_files()
    assert caught.value.field == "settings.depth.files[1]"


def test_a_name_that_is_taken_is_refused_also_by_a_broken_link(folder):
    job = on_disk(folder)
    os.symlink(folder / "nowhere", job.output.path)
    with pytest.raises(ContractError, match="which exists"):
        job.check_files()


# The digest


def test_digest_is_the_same_wherever_the_take_is_stored(folder):
    job = on_disk(folder)
    elsewhere = job.to_json()
    elsewhere["output"]["path"] = "/elsewhere_v002.mp4"
    elsewhere["origin"]["strip"] = "another name"
    assert Job.from_json(elsewhere).digest() == job.digest()
    assert len(job.digest()) == 64


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("target.poses.1.0.3", 1e-9),
        ("target.intrinsics.1.fx", 801.0),
        ("footage.frames.2", 2),
        ("footage.identity", "other"),
        ("lens", LENS),
        ("subject_distance", 4.5),
        ("settings", {"seed": 1}),
        ("output.rate", "24/1"),
        ("output.width", 834),
        ("output.mask", True),
        ("source_from", "footage"),
        ("relative", True),
        ("use", {"kind": "stabilise"}),
        ("settings", {"true_pixels": True}),
        ("settings", {"depth": {"kind": "auto"}}),
    ],
)
def test_digest_tells_different_takes_apart(path, value):
    assert Job.from_json(changed(minimal(), path, value)).digest() != Job.from_json(minimal()).digest()


def test_digest_is_the_one_that_was_written_before_jobs_could_say_more():
    """As version 0.1.0 of the backend gave it: a batch does not make again what it has."""
    assert Job.from_json(minimal()).digest() == "c668e9235fb80ca9caf6d4718bb127c1b91941f1e9f76d58a54699d6a917ba38"


def test_digest_notices_that_the_footage_changed(folder):
    job = on_disk(folder)
    before = job.digest()
    Path(job.footage.files[0]).write_bytes(b"another clip")
    after_change = job.digest()
    os.remove(job.footage.files[0])
    assert len({before, after_change, job.digest()}) == 3


def test_digest_of_files_made_for_the_job_goes_by_what_they_were_made_from(folder):
    def made(name, identity):
        (folder / name).write_text(name)
        footage = minimal()["footage"] | {"files": [str(folder / name)], "identity": identity}
        return Job.from_json(minimal() | {"footage": footage}).digest()

    assert made("first.mkv", "strip A") == made("second file.mkv", "strip A") != made("third.mkv", "strip B")


def test_digest_does_not_depend_on_how_numbers_are_written():
    """An int where a float is meant, another order of keys: the same job."""
    data = minimal()
    other = json.loads(json.dumps(data, sort_keys=True).replace("800.0", "800"))
    assert Job.from_json(other).digest() == Job.from_json(data).digest()


@pytest.mark.parametrize(
    ("files", "frames", "picked"),
    [
        (4, (3, 2, 1, 0), (3, 2, 1, 0)),  # reversed: by the clip's frames
        (12, (6, 7, 8, 9), (6, 7, 8, 9)),  # trimmed, with the depth of the whole clip
        (4, (6, 7, 8, 9), (0, 1, 2, 3)),  # trimmed, with the depth of what is shown
        (4, (0, 0, 1, 1), (0, 1, 2, 3)),  # slowed down: one for each timeline frame
        (2, (0, 0, 1, 1), (0, 0, 1, 1)),  # slowed down: one for each of the clip's
        (4, (), (0, 1, 2, 3)),
        (1, (5, 6, 7), (0, 0, 0)),
    ],
)
def test_a_folder_of_depth_is_paired_with_the_frames_that_it_belongs_to(tmp_path, files, frames, picked):
    for index in range(files):
        (tmp_path / f"d{index:03d}.npy").touch()
    made = Depth.from_path(str(tmp_path), len(frames) or 4, frames=frames)
    assert [os.path.basename(each) for each in made.files] == [f"d{index:03d}.npy" for index in picked]


@pytest.mark.parametrize(("files", "length", "frames"), [(5, 4, ()), (3, 4, ()), (3, 4, (6, 7, 8, 9)), (0, 2, (0, 1))])
def test_a_folder_of_another_number_of_depth_files_is_refused(tmp_path, files, length, frames):
    for index in range(files):
        (tmp_path / f"d{index:03d}.npy").touch()
    with pytest.raises(ContractError, match=r"settings\.depth\.files"):
        Depth.from_path(str(tmp_path), length, frames=frames)


def test_digest_of_a_generated_take_knows_what_decides_how_it_looks(tmp_path):
    weights, lora = tmp_path / "weights.ckpt", tmp_path / "lora.safetensors"
    weights.write_bytes(b"1")
    lora.write_bytes(b"1")

    def digest(engine="recammaster", **generation):
        models = {"folder": str(tmp_path), "transformer": str(weights), "lora": str(lora)}
        settings = {"engine": engine, "generation": {"models": models} | generation}
        return Job.from_json(changed(minimal(), "settings", settings)).digest()

    known, drafted = digest(), digest(quality="draft")
    assert len({known, drafted, digest(prompt="A dog."), digest(steps=3), digest(frames=49)}) == 5
    assert known == digest(device="cuda:1", plan="fp8", compile=True), "where it runs does not count"
    assert len({known, digest(overlap=0), digest(overlap=5)}) == 3
    assert digest("reproject") == digest("reproject", prompt="A dog.")
    (tmp_path / "another.txt").write_bytes(b"")
    assert known == digest(), "what else lies in the folder does not count"
    lora.write_bytes(b"23")
    assert known == digest()
    assert drafted != digest(quality="draft")
    weights.write_bytes(b"23")
    assert known != digest()
