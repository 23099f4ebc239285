"""Set-up from inside Blender with the real set-up process: that the two understand each other."""

import sys
import time
from pathlib import Path

import bpy
import pytest
import setups


@pytest.fixture(autouse=True)
def own(recam, folder, monkeypatch):
    monkeypatch.delenv("RECAM_PYTHON", raising=False)
    own = recam("preferences").own()
    own.environment = str(folder / "environment")
    recam("environment").changed()
    yield own
    recam("setup").end()
    recam("tasks").forget("setup")
    own.property_unset("environment")
    own.property_unset("python")
    recam("environment").changed()


@pytest.fixture
def run(recam):
    return recam("tasks").drain


def test_a_plan_says_what_it_takes(recam, run, folder):
    plan = run(recam("setup").plan("recammaster", "cpu" if sys.platform != "darwin" else "mps"))
    assert plan.action == "make"
    assert plan.torch in ("cpu", "mps")
    assert 100_000_000 < plan.download < 1_000_000_000
    assert plan.disk > plan.download
    assert plan.free > 0
    lines = dict(recam("setup").plan_lines(plan))
    assert lines["Folder"] == str(folder / "environment")
    assert not (folder / "environment").exists()


def test_every_build_that_the_dialog_offers_is_one_that_set_up_knows(recam, run):
    for build in recam("setup").builds():
        assert run(recam("setup").plan("recammaster", build)).torch == build


def test_the_users_python_is_asked(recam, own, backend_python):
    assert bpy.ops.recam.setup_use_python(filepath=backend_python, engine="reproject") == {"FINISHED"}
    assert own.python == backend_python
    assert "Reproject" in recam("tasks").ended("setup").text


def test_blenders_own_python_lacks_what_the_backend_needs(recam, own, run):
    found = run(recam("setup").probe(sys.executable, "reproject"))
    assert found.engines == ()
    assert any(each.startswith("av==") for each in found.missing)
    assert found.command
    bpy.ops.recam.setup_use_python(filepath=sys.executable, engine="reproject")
    assert own.python == ""


def test_what_cannot_be_installed_is_told_and_can_be_removed(recam, run, folder):
    setup = recam("setup")
    (folder / "no wheels").mkdir()
    phases = []
    with pytest.raises(setup.SetupFailed) as told:
        recam("tasks").drain(
            setup.install("reproject", wheels=str(folder / "no wheels")), lambda each: phases.append(each.phase)
        )
    assert told.value.kind == "packages"
    assert str(folder / "no wheels") in str(told.value)
    assert "Traceback" not in str(told.value)
    assert len(dict.fromkeys(phases)) > 1
    assert Path(setup.log()).is_file()
    if setup.state().kind != "missing":
        assert setup.state().kind == "unfinished"
        run(setup.remove())
    assert setup.state().kind == "missing"
    assert not (folder / "environment").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="asks for processes as POSIX does")
def test_cancelling_leaves_no_process_and_says_so_in_the_marker(recam, run, folder):
    setup = recam("setup")
    (folder / "no wheels").mkdir()
    work = setup.install("reproject", wheels=str(folder / "no wheels"))
    until = time.monotonic() + 30
    while "aking the environment" not in next(work).progress.phase:
        assert time.monotonic() < until
        time.sleep(0.01)
    work.close()
    setup.end()
    setups.wait_for(lambda: not children_of(folder))
    assert setup.state().kind in ("missing", "unfinished")


def children_of(folder):
    """Processes that have to do with that folder, by their command lines."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in each.read_bytes():
                found.append(each.parent.name)
        except OSError:
            continue
    return found
