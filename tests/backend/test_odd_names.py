"""File names that are no UTF-8, which Linux allows: from the shell to the record, and through the worker."""

import json
import os
import subprocess
import sys
from pathlib import Path

import engines_for_tests
import pytest
from clips import make_clip
from jobs import make_job, still

from backend import contract
from backend.cameras.formats import recam

ENVIRONMENT = os.environ | {"PYTHONPATH": str(engines_for_tests.ROOT), "PYTHONSAFEPATH": "1"}


@pytest.fixture
def folder(tmp_path):
    """A folder with a clip of 4 frames, all of whose names are no UTF-8."""
    path = os.path.join(os.fsencode(tmp_path), b"folder \xfe")
    try:
        os.mkdir(path)
    except OSError:
        pytest.skip("this file system takes no such names")
    os.rename(make_clip(tmp_path / "clip.mp4", 4), os.path.join(path, b"\xff.mp4"))
    return path


def record_in(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        data = file.read()
    data.decode()  # a record is UTF-8, or other programs cannot read it
    return data


def test_shell(folder):
    trajectory = os.path.join(folder, b"\xf0.json")
    recam.write(os.fsdecode(trajectory), still(4))
    take, again = os.path.join(folder, b"take \xff.mp4"), os.path.join(folder, b"again \xff")
    program = [sys.executable, "-m", "backend", "render"]
    options = {"capture_output": True, "env": ENVIRONMENT, "timeout": 120, "check": False}
    footage = ["--footage", os.path.join(folder, b"\xff.mp4"), "--trajectory", trajectory, "--mask"]
    done = subprocess.run([*program, *footage, "--output", take], **options)
    assert (done.returncode, done.stdout) == (0, take + b"\n"), done.stderr
    job = contract.loads(record_in(folder, b"take \xff.json"))
    assert os.fsencode(job.output.path) == take
    done = subprocess.run([*program, os.path.join(folder, b"take \xff.json"), "--output", again], **options)
    assert (done.returncode, done.stdout) == (0, again + b"\n"), done.stderr
    assert {b"take \xff_mask.mp4", b"again \xff", b"again \xff.json", b"again \xff_mask"} <= set(os.listdir(folder))
    done = subprocess.run([*program, *footage, "--output", take], **options)
    assert done.returncode == 2
    assert done.stderr.startswith(b"recam: output.path: found ")


def test_worker(folder):
    text = os.fsdecode(folder)
    job = make_job(Path(text), 4, clip=Path(text, os.fsdecode(b"\xff.mp4")))
    message = {"jsonrpc": "2.0", "id": 1, "method": "render", "params": {"job": job.to_json()}}
    with subprocess.Popen(
        [sys.executable, engines_for_tests.__file__, "Copy"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as worker:
        worker.stdin.write(json.dumps(message).encode() + b"\n")
        worker.stdin.flush()
        answer = next(message for line in worker.stdout if "id" in (message := json.loads(line)))
    assert answer["result"]["path"] == job.output.path
    assert contract.loads(record_in(folder, b"take_v001.json")) == job
