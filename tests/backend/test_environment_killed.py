"""Set-up that is killed at moments drawn from a seed, and then run again. All that it started dies with it."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from package_index import wheel
from tiny_environments import Place, hurry, move_into

from backend import environment
from backend.environment import locks, making, marker

pytestmark = pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")

SEED = 20261122
LAST = "Noting what was made"
SECONDS = {
    "Making the environment": 0.3,
    "Looking for packages": 0.6,
    "Downloading shot": 0.8,
    "Installing packages": 0.5,
    "Checking with a small take": 0.6,
    LAST: 0.6,
}
"""How long each phase takes here, about."""


def moments():
    """Ten: each phase once, and four more at random, and in each a moment."""
    drawn = random.Random(SEED)
    phases = [*SECONDS, *drawn.choices(list(SECONDS), k=10 - len(SECONDS))]
    return [(phase, round(drawn.uniform(0, SECONDS[phase]), 3)) for phase in phases]


def set_up(root, empty):
    """What runs in the process that is killed: tells each phase on stdout, and takes its time with the marker."""
    place, patch = Place(Path(root)), pytest.MonkeyPatch()
    move_into(place, patch)
    hurry(place, patch, empty)
    fsync, phases = os.fsync, []

    def report(progress):
        phases.append(progress.phase)
        print(progress.phase, flush=True)

    def slowly(descriptor):
        if LAST in phases:
            time.sleep(SECONDS[LAST] / 2)
        fsync(descriptor)
        if LAST in phases:
            time.sleep(SECONDS[LAST] / 2)

    patch.setattr(marker.os, "fsync", slowly)
    place.install(wheels="", report=report)


@pytest.fixture
def slow(place, quick, index, monkeypatch):
    """A place where each phase takes a while."""
    wheel(place.wheels, "5", "version = 5", size=600_000, more=300)
    place.pin("backend", "shot==5")
    monkeypatch.setenv("RECAM_TEST_CHECK_SECONDS", str(SECONDS["Checking with a small take"]))
    return place


def start(place, empty):
    """The set-up to be killed."""
    code = f"import sys; sys.path[:0] = {sys.path!r}; import test_environment_killed as t; t.set_up(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(place.root), str(empty)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8")


def wait_for(process, phase):
    """Read on until that phase begins."""
    for line in process.stdout:
        if line.strip() == phase:
            return
    pytest.fail(f"{phase} never began")


def left_over(place):
    """Command lines of processes that have to do with the environment."""
    needle, found = str(place.folder).encode(), []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = each.read_bytes()
        except OSError:
            continue
        if needle in line and f"/{os.getpid()}/" not in str(each):
            found.append(line)
    return found


def wait_until(condition, seconds=10.0):
    """Whether that became true in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize(("phase", "delay"), moments())
def test_killed_at_any_moment_it_is_never_half_ready_and_goes_on(slow, index, empty, monkeypatch, phase, delay):
    index.speed = 600_000 / SECONDS[phase] if phase.startswith("Downloading") else None
    with start(slow, empty) as process:
        wait_for(process, phase)
        time.sleep(delay)  # a moment within the phase: nothing else would be one at random
        process.send_signal(signal.SIGKILL)
    index.speed = None

    if sys.platform == "linux":
        assert wait_until(lambda: not left_over(slow)), left_over(slow)
    found = environment.state(slow.folder)
    if found.kind == "ready":  # the marker was written just before the end
        assert phase == LAST
        assert slow.version_of() == "5"
    else:
        assert found.kind in ("missing", "unfinished")

    monkeypatch.setenv("RECAM_TEST_CHECK_SECONDS", "0")
    assert slow.install(wheels="").kind == "ready"
    assert slow.version_of() == "5"
    names = {each.name for each in slow.environments.iterdir()}
    assert names <= {"environment", "environment.recam.log", "environment.recam.log.1", ".environment.recam.lock"}


def test_the_moments_cover_what_they_should():
    phases = [phase for phase, _ in moments()]
    assert len(phases) == 10
    assert set(phases) == set(SECONDS)
    assert moments() == moments()


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_an_addition_that_was_killed_is_known(slow, index, empty, monkeypatch):
    """A whole environment is not taken for one while it is changed."""
    slow.pin("backend", "shot==1")
    monkeypatch.setenv("RECAM_TEST_CHECK_SECONDS", "0")
    assert slow.install().kind == "ready"
    slow.pin("backend", "shot==5")
    with start(slow, empty) as process:
        wait_for(process, "Installing packages")
        process.send_signal(signal.SIGKILL)
    assert environment.state(slow.folder).kind == "unfinished"
    assert slow.install(wheels="").kind == "ready"
    assert slow.version_of() == "5"


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_the_lock_is_held_until_the_children_are_gone(slow, index, empty):
    index.pause.add("shot-5-py3-none-any.whl")
    with start(slow, empty) as process:
        wait_for(process, "Downloading shot")
        assert index.paused.wait(20)
        assert left_over(slow)
        process.send_signal(signal.SIGKILL)
    with locks.alone(slow.folder):
        # The guard has the lock with the set-up, and dies with all that it guards.
        assert wait_until(lambda: not left_over(slow), 1.0)
    index.go.set()


def test_grandchildren_die_too(place, tmp_path, monkeypatch):
    """What a program that set-up started has started, as venv does with ensurepip."""
    pid = tmp_path / "pid"
    grandchild = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    monkeypatch.setattr(making, "_venv_command", lambda base, folder: [sys.executable, "-c", code])

    def is_there():
        return pid.exists() and pid.read_text() != ""

    with pytest.raises(environment.SetupError):
        place.install(cancelled=is_there)
    number = int(pid.read_text())
    assert wait_until(lambda: not _runs(number))


def _runs(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{number}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")
