"""``python -m backend.environment serve``, as Blender speaks to it."""

import os
import sys
import time
from pathlib import Path

import pytest

from backend import environment
from backend.environment.messages import Plan, Probe, Wish
from recam_blender import client

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def process(tmp_path):
    log = tmp_path / "log"
    with client.Worker.start(
        sys.executable, package_folder=str(ROOT), log_path=str(log), module="backend.environment"
    ) as started:
        yield started


def answer(process, method, **params):
    """What came of it: the event that ends it, and the progress told before."""
    process.call(method, params)
    told = []
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for event in process.poll():
            if not isinstance(event, client.Progressed):
                return event, told
            told.append(event.progress)
        time.sleep(0.02)
    raise AssertionError("no answer")


def test_greets_as_a_worker_does(process):
    assert process.hello()["protocol"] == client.PROTOCOL


def test_plans(process, tmp_path):
    wish = Wish(folder=str(tmp_path / "environment é"))
    event, _ = answer(process, "plan", wish=wish.to_json())
    planned = Plan.from_json(event.result)
    assert planned.action == "make"
    assert planned.download > 10**7
    assert planned.free > 0
    assert Path(planned.python).is_file()


def test_probes(process):
    event, _ = answer(process, "probe", python=sys.executable, engine="recammaster")
    found = Probe.from_json(event.result)
    assert found.engines == ("reproject", "recammaster")
    assert found.torch.startswith("2.13")


def test_removes_nothing_that_is_not_ours(process, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear")
    event, _ = answer(process, "remove", folder=str(tmp_path / "mine"))
    assert isinstance(event, client.Failed)
    assert event.kind == "foreign"
    assert (tmp_path / "mine" / "diary.txt").exists()


def test_installation_that_fails_is_told_with_its_kind(process, tmp_path):
    """From an empty folder of wheels: no package can be found, and nothing is left that passes for ready."""
    (tmp_path / "wheels").mkdir()
    folder = tmp_path / "environment"
    wish = Wish(folder=str(folder), wheels=str(tmp_path / "wheels"))
    event, told = answer(process, "install", wish=wish.to_json())
    assert isinstance(event, client.Failed)
    assert event.kind == "packages"
    assert str(environment.log_of(folder)) in event.message
    assert "Making the environment" in [each["phase"] for each in told]
    assert environment.state(folder).kind == "unfinished"


def test_goes_with_whoever_started_it_and_its_children_too(process, tmp_path):
    (tmp_path / "wheels").mkdir()
    folder = tmp_path / "environment"
    wish = Wish(folder=str(folder), wheels=str(tmp_path / "wheels"))
    process.call("install", {"wish": wish.to_json()})
    until = time.monotonic() + 30
    while not folder.exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert folder.exists()
    process.kill()
    while _children_of(folder) and time.monotonic() < until:
        time.sleep(0.1)
    assert not _children_of(folder)


def _children_of(folder):
    """Processes that have the folder on their command line."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if os.fsencode(folder) in each.read_bytes():
                found.append(each)
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("method", "params", "field"),
    [
        ("plan", {"wish": {"folder": 3}}, "folder"),
        ("install", {"wish": {"folder": "/tmp/x", "engine": "warp"}}, "engine"),
        ("remove", {"folder": "relative"}, "folder"),
        ("probe", {"python": "/usr/bin/python3", "engine": "warp"}, "engine"),
        ("probe", {"python": "python3", "engine": "reproject"}, "python"),
    ],
)
def test_bad_requests(process, method, params, field):
    event, _ = answer(process, method, **params)
    assert (event.kind, event.field) == ("contract", field)
