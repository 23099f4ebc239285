"""What the state of an environment's folder is, told without a process; and where environments lie."""

import json
import os
import subprocess
import sys
import time

import pytest

from backend import environment
from backend.environment import MARKER, marker


def test_state_of_any_folder_takes_no_process_and_a_millisecond(ready, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    times = []
    for _ in range(50):
        began = time.perf_counter()
        assert environment.state(ready.folder).kind == "ready"
        times.append(time.perf_counter() - began)
    assert min(times) < 0.001


def test_state_of_what_is_no_environment(place):
    folder = place.folder
    assert environment.state(folder).kind == "missing"
    folder.mkdir(parents=True)
    assert environment.state(folder).kind == "missing"
    (folder / "mine.txt").write_text("mine")
    assert environment.state(folder).kind == "foreign"
    assert environment.state(folder / "mine.txt").kind == "foreign"
    assert environment.state(folder / "mine.txt" / "below").kind == "missing"
    assert environment.state(folder / ("x" * 300)).kind == "missing"


@pytest.mark.parametrize(("machine", "held"), [("x86_64", {"shot==1", "solves==2"}), ("aarch64", {"shot==1"})])
def test_a_pin_may_leave_out_a_machine(tmp_path, monkeypatch, machine, held):
    file = tmp_path / "backend.txt"
    file.write_text('shot==1  # for all\n# not built there\nSolves==2; platform_machine != "aarch64"\n')
    monkeypatch.setattr(marker.platform, "machine", lambda: machine)
    assert marker.pins([file]) == held


def test_a_marker_that_is_not_known_is_no_pin(tmp_path):
    file = tmp_path / "backend.txt"
    file.write_text('shot==1; python_version < "3.12"\n')
    with pytest.raises(ValueError, match="python_version"):
        marker.pins([file])


@pytest.mark.parametrize(
    "told",
    [
        {"engines": 7},
        {"engines": [[]]},
        {"engines": ["reproject", "evil"]},
        {"memory": -1},
        {"memory": "much"},
        {"size": 1e400},
        {"torch": None},
        {"packages": ["a\0b"]},
        {"kind": "ready", "folder": "/", "python": "/bin/sh", "python_version": ["x"]},
        [],
        "text",
    ],
)
def test_a_hostile_marker_never_raises_and_names_no_other_python(place, told):
    python = environment.interpreter(place.folder)
    python.parent.mkdir(parents=True)
    python.write_text("")
    data = {"recam_environment": 1, "whole": True, "ours": True, "requirements": ["shot==1"], "state": told}
    (place.folder / MARKER).write_text(json.dumps(data))
    found = environment.state(place.folder)
    assert found.kind in ("unfinished", "ready")
    assert found.folder == str(place.folder)
    assert found.python in ("", str(environment.interpreter(place.folder)))


def test_default_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("RECAM_DATA", str(tmp_path / "data"))
    assert environment.default_folder() == tmp_path / "data" / "environment"
    monkeypatch.delenv("RECAM_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    if sys.platform.startswith("linux"):
        assert environment.default_folder() == tmp_path / "xdg" / "recam" / "environment"


def test_it_imports_little(tmp_path):
    """Blender imports this for the state, while it starts."""
    code = (
        "import backend.environment, sys; print([each for each in ('numpy', 'pip', 'asyncio') if each in sys.modules])"
    )
    root = os.path.dirname(os.path.dirname(environment.__file__))
    variables = os.environ | {"PYTHONPATH": os.path.dirname(root)}
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
