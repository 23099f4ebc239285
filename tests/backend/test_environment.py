"""Environments by name, as a checkout has them, with tiny packages in place of the real ones."""

import json
import os
import shutil
import subprocess

import pytest
from package_index import wheel
from tiny_environments import HERE, version_in

from backend import environment
from backend.environment import MARKER, SetupError, making, marker, named


@pytest.fixture
def checkout(place, monkeypatch):
    """Where `make` finds nothing but the tiny packages; `tiny` needs shot, and `more` is lens."""
    wheel(place.wheels, "1", "version = 1", "lens")
    wheel(place.wheels, "2+cpu", "version = 2", "lens")
    wheel(place.wheels, "3", "raise ImportError('no')", "lens")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", place.wheels.as_uri())
    known = named.Environment(pythons=(HERE,), imports=("shot",))
    monkeypatch.setattr(named, "ENVIRONMENTS", {"tiny": known})
    monkeypatch.setattr(named, "FURTHER", {"more": ""})
    place.pin("tiny", "shot==1")
    place.pin("more", "lens==1")
    place.folder = place.environments / "tiny"
    return place


def make(place, *also):
    said = []
    return environment.make("tiny", place.environments, also=also, say=said.append), said


def test_makes_keeps_and_makes_anew(checkout, quick):
    python, said = make(checkout)
    assert version_in(python) == "1"
    assert checkout.marker()["whole"] is True
    assert "s, " in said[-1]
    assert said[-1].endswith("MB on disk")

    _, said = make(checkout)
    assert said == []

    # the Python that it was made with goes away, as with an upgrade of the system's
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert version_in(make(checkout)[0]) == "1"

    # what is pinned changes, and cannot be imported on this machine
    checkout.pin("tiny", "shot==3")
    with pytest.raises(SetupError, match=r"(?s)cannot be imported.*libXi\.so\.6 is missing.*apt-get install.*libxi6"):
        make(checkout)
    assert checkout.marker()["whole"] is False

    # a half-made one is made anew
    checkout.pin("tiny", "shot==2")
    assert version_in(make(checkout)[0]) == "2"


def test_shell_fails_with_what_pip_said_and_where_the_log_is(checkout, quick, capsys):
    checkout.pin("tiny", "shot==99")
    assert environment.main(["make", "tiny", "--folder", str(checkout.environments)]) == 1
    message = capsys.readouterr().err.partition("could not be installed")[2]
    assert "there is no shot==99" in message
    assert "versions: 1, 2, 3" in message
    log = message.rpartition("The whole log: ")[2].strip()
    with open(log, encoding="utf-8") as opened:
        assert "shot==99" in opened.read()
    assert checkout.marker()["whole"] is False


def test_adds_what_a_whole_one_lacks_and_what_changed_without_making_it_anew(checkout, quick):
    python, _ = make(checkout)
    kept = python.parent / "kept.txt"
    kept.write_text("here since it was made")

    assert make(checkout, "more")[0] == python
    assert (version_in(python), version_in(python, "lens"), kept.exists()) == ("1", "1", True)
    assert checkout.marker()["requirements"] == ["lens==1", "shot==1"]
    assert make(checkout)[1] == make(checkout, "more")[1] == []

    checkout.pin("more", "lens==2")
    make(checkout, "more")
    assert (version_in(python), version_in(python, "lens"), kept.exists()) == ("1", "2", True)
    assert checkout.marker()["requirements"] == ["lens==2", "shot==1"]


def test_addition_that_pip_refuses_leaves_what_there_was(checkout, quick):
    python, _ = make(checkout)
    before = checkout.marker()
    checkout.pin("more", "lens==99")
    with pytest.raises(SetupError, match=r"(?s)could not be installed.*lens==99"):
        make(checkout, "more")
    assert checkout.marker() == before
    assert (make(checkout)[1], version_in(python)) == ([], "1")


@pytest.mark.parametrize("end", ["interrupted", "changed and refused", "cannot be imported"])
def test_addition_that_is_half_made_is_made_anew(checkout, quick, monkeypatch, end):
    python, _ = make(checkout)
    stray = python.parent / "stray.txt"
    stray.write_text("left by what was half made")
    install = making._install

    def stop(*rest):
        if end != "interrupted":
            install(*rest)
            raise SetupError("no room for the rest")
        raise KeyboardInterrupt

    if end == "cannot be imported":
        wheel(checkout.wheels, "4", "raise ImportError('no')")
        checkout.pin("tiny", "shot==4")
    else:
        monkeypatch.setattr(making, "_install", stop)
    with pytest.raises((SetupError, KeyboardInterrupt)):
        make(checkout, "more")
    assert checkout.marker()["whole"] is False

    monkeypatch.setattr(making, "_install", install)
    checkout.pin("tiny", "shot==1")
    python, _ = make(checkout, "more")
    assert (version_in(python), checkout.marker()["whole"], stray.exists()) == ("1", True, False)
    assert version_in(python, "lens") == "1"


def test_takes_over_what_is_right_and_never_changes_it(checkout, empty):
    path = checkout.folder
    shutil.copytree(empty, path, symlinks=True)
    python = environment.interpreter(path)
    subprocess.run([str(python), "-m", "pip", "install", "-q", "shot==1", "lens==2+cpu"], check=True)
    (path / "mine.txt").write_text("mine")

    assert make(checkout)[0] == python
    assert (checkout.marker()["whole"], checkout.marker()["ours"]) == (True, False)

    # a build for one kind of machine is of the version that is pinned
    checkout.pin("more", "lens==2")
    assert make(checkout, "more")[0] == python
    assert checkout.marker()["requirements"] == ["lens==2", "shot==1"]
    checkout.pin("more", "lens==1")
    with pytest.raises(SetupError, match="not made by ReCam"):
        make(checkout, "more")
    assert version_in(python, "lens") == "2"

    checkout.pin("tiny", "shot==2")
    with pytest.raises(SetupError, match="not made by ReCam"):
        make(checkout)
    with pytest.raises(SetupError, match="not made by ReCam"):
        environment.remove(path)
    assert (path / "mine.txt").read_text() == "mine"
    assert version_in(python) == "1"


def test_leaves_folders_of_others_alone(checkout):
    checkout.folder.mkdir(parents=True)
    (checkout.folder / "mine.txt").write_text("mine")
    with pytest.raises(SetupError, match="not made by ReCam"):
        make(checkout)
    assert (checkout.folder / "mine.txt").read_text() == "mine"


def test_does_not_follow_a_link_out_of_its_folder(checkout):
    """Not even where a marker lies at the other end."""
    elsewhere = checkout.root / "elsewhere"
    elsewhere.mkdir()
    marker.write(elsewhere, marker.Marker(ours=True))
    checkout.environments.mkdir()
    checkout.folder.symlink_to(elsewhere)
    with pytest.raises(SetupError, match="no folder of its own"):
        make(checkout)
    assert (elsewhere / MARKER).is_file()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"recam_environment": 99, "ours": true}', "[" * 100000])
def test_a_marker_that_cannot_be_read_is_none(checkout, text):
    checkout.folder.mkdir(parents=True)
    (checkout.folder / MARKER).write_text(text)
    with pytest.raises(SetupError, match="not made by ReCam"):
        make(checkout)
    assert (checkout.folder / MARKER).read_text() == text


def test_a_marker_of_the_first_kind_still_counts(checkout, quick):
    """Environments that were made before verification was part of it are not made again."""
    make(checkout)
    first = {"recam_environment": 1, "whole": True, "ours": True, "requirements": ["shot==1"]}
    (checkout.folder / MARKER).write_text(json.dumps(first))
    assert make(checkout)[1] == []
    assert environment.state(checkout.folder).kind == "ready"


def test_blenders_are_those_with_a_python(monkeypatch):
    def find(versions):
        if "3.11" not in versions:
            raise SetupError("none")

    monkeypatch.setattr(named, "find_python", find)
    assert environment.blenders() == ["blender-4.2", "blender-4.5", "blender-5.0"]


def test_every_environment_has_pinned_requirements():
    for name in [*named.ENVIRONMENTS, *named.FURTHER, "pip"]:
        lines = (marker.REQUIREMENTS / f"{name}.txt").read_text().splitlines()
        pins = [line for line in lines if line and not line.startswith("#")]
        assert pins
        assert all(line.count("==") == 1 for line in pins), name


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_a_python_that_makes_no_environment_is_told(checkout, monkeypatch):
    script = checkout.root / "no venv"
    script.write_text("#!/bin/sh\necho 'ensurepip is broken here' >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setattr(making, "_venv_command", lambda base, folder: [str(script)])
    with pytest.raises(SetupError, match=r"(?s)could not make an environment.*ensurepip is broken here") as caught:
        make(checkout)
    assert caught.value.kind == "python"
    assert environment.state(checkout.folder).kind == "unfinished"
