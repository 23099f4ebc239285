"""``python -m backend setup``: what it makes, says and refuses; with tiny packages in place of the real ones."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from backend import environment, shell
from backend.environment import command, making
from backend.environment.messages import Plan, Probe, State

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def setup(place, quick, capsys):
    """Runs the command on the environment of the place; gives its exit code, stdout and stderr."""

    def run(*arguments, wheels=True):
        source = ["--wheels", str(place.wheels)] if wheels else []
        code = command.main(["--folder", str(place.folder), *source, *arguments])
        return code, *capsys.readouterr()

    return run


def test_sets_up_tells_and_removes(setup, place):
    code, out, err = setup("--state")
    assert (code, out) == (1, "")
    assert f"there is no environment at {place.folder}" in err

    code, out, err = setup()
    assert code == 0
    assert out == f"{environment.interpreter(place.folder)}\n"
    assert f"will make {place.folder} for reproject" in err
    assert "ready: reproject" in err
    assert f"log: {environment.log_of(place.folder)}" in err
    assert place.version_of() == "1"

    code, out, err = setup()
    assert code == 0
    assert f"{place.folder} has all that reproject needs" in err

    code, out, _ = setup("--state", "--json")
    assert code == 0
    assert State.from_json(json.loads(out)).kind == "ready"

    code, out, err = setup("--remove")
    assert (code, out) == (0, "")
    assert not place.folder.exists()
    assert setup("--remove")[0] == 0


def test_a_plan_does_nothing(setup, place):
    code, out, _ = setup("--plan", wheels=False)
    assert code == 0
    assert f"will make {place.folder} for reproject" in out
    assert "MB to download" in out
    code, out, _ = setup("--plan", "--json")
    planned = Plan.from_json(json.loads(out))
    assert (planned.action, planned.download) == ("make", 0)
    assert not place.environments.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--wheels", "/nowhere/wheels"], "--wheels: found /nowhere/wheels, expected a folder of wheels"),
        (["--base", "/nowhere/python"], "--base: found /nowhere/python, expected a Python interpreter"),
    ],
)
def test_bad_input(arguments, message, capsys, tmp_path):
    assert command.main(["--folder", str(tmp_path / "environment"), *arguments]) == 2
    assert capsys.readouterr().err == f"recam: {message}\n"
    assert not any(tmp_path.iterdir())


def test_what_is_not_ours_stays(setup, place):
    place.folder.mkdir(parents=True)
    (place.folder / "diary.txt").write_text("dear")
    for arguments in ([], ["--remove"]):
        code, out, err = setup(*arguments)
        assert (code, out) == (1, "")
        assert str(place.folder) in err
    assert (place.folder / "diary.txt").read_text() == "dear"
    assert "was not made by ReCam" in setup("--state")[2]


def test_an_error_keeps_its_lines(setup, place):
    place.pin("backend", "shot==7")
    code, out, err = setup()
    assert (code, out) == (1, "")
    assert "shot==7" in err
    assert "\n" in err.strip()
    assert str(environment.log_of(place.folder)) in err


def test_probe_says_what_is_lacking_and_how_to_add_it(capsys, empty):
    python = str(environment.interpreter(empty))
    assert command.main(["--probe", python, "--json"]) == 1
    found = capsys.readouterr()
    probe = Probe.from_json(json.loads(found.out))
    assert "numpy" in [each.partition("==")[0] for each in probe.missing]
    assert probe.command in found.err
    assert python in probe.command


def test_probe_of_the_tests_own_python(capsys):
    assert command.main(["--probe", sys.executable]) == 0
    assert capsys.readouterr().out == f"{sys.executable}\n"


def test_interrupted_in_the_middle_and_gone_on_with(setup, place, monkeypatch):
    """A Ctrl-C while packages are installed ends it politely; the next run is none the worse."""
    begun = threading.Event()
    real = making._pip

    def pip(*arguments):
        begun.set()
        time.sleep(0.5)
        real(*arguments)

    def interrupt():
        begun.wait(30)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(making, "_pip", pip)
    threading.Thread(target=interrupt, daemon=True).start()
    code, out, err = setup()
    assert (code, out) == (130, "")
    assert "interrupted; the next run goes on from here" in err
    assert environment.state(place.folder).kind in ("missing", "unfinished")
    monkeypatch.setattr(making, "_pip", real)
    assert setup()[0] == 0
    assert environment.state(place.folder).kind == "ready"


def test_is_one_of_the_commands(capsys, tmp_path):
    assert shell.main(["setup", "--state", "--folder", str(tmp_path / "none")]) == 1
    assert "there is no environment" in capsys.readouterr().err


def test_runs_on_the_oldest_python(tmp_path):
    """Blender's own may be as old as that, and what set-up imports must not need more."""
    try:
        oldest = environment.find_python(("3.10",))
    except environment.SetupError:
        pytest.skip("there is no Python 3.10 here")
    done = subprocess.run(
        [str(oldest), "-m", "backend", "setup", "--plan", "--folder", str(tmp_path / "none")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "will make" in done.stdout
