"""Set-up of environments, with tiny packages from a local folder in place of the real ones."""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from backend import environment
from backend.environment import MARKER, SetupError

HERE = "{}.{}".format(*sys.version_info[:2])


def wheel(folder, version, code, name="shot"):
    """A package of one module as pip takes it."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as opened:
        opened.writestr(f"{name}.py", code)
        opened.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        opened.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        opened.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder for environments; what is pinned there is `shot`, of which there are versions 1, 2 and a broken 3.

    Further requirements are `more`: the package `lens`, of which there are versions 1, 2+cpu and a broken 3.
    """
    for name in ("wheels", "requirements"):
        (tmp_path / name).mkdir()
    wheel(tmp_path / "wheels", "1", "version = 1")
    wheel(tmp_path / "wheels", "2", "version = 2")
    wheel(tmp_path / "wheels", "3", 'raise ImportError("libXi.so.6: cannot open shared object file: No such file")')
    wheel(tmp_path / "wheels", "1", "version = 1", "lens")
    wheel(tmp_path / "wheels", "2+cpu", "version = 2", "lens")
    wheel(tmp_path / "wheels", "3", "raise ImportError('no')", "lens")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", (tmp_path / "wheels").as_uri())
    monkeypatch.setattr(environment, "REQUIREMENTS", tmp_path / "requirements")
    known = environment.Environment(pythons=(HERE,), imports=("shot",))
    monkeypatch.setattr(environment, "ENVIRONMENTS", {"tiny": known})
    monkeypatch.setattr(environment, "FURTHER", {"more": ("lens",)})
    pin("1", tmp_path)
    pin("1", tmp_path, "lens")
    return tmp_path / 'it\'s "here" é 日本'


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    path = tmp_path_factory.mktemp("empty") / "environment"
    venv.create(path, with_pip=True)
    return path


@pytest.fixture
def quick(monkeypatch, empty):
    """A copy of an empty environment where one would be made: that takes seconds."""
    run = environment._run

    def copy_or_run(command, *rest):
        if "venv" in command:
            shutil.copytree(empty, command[-1], symlinks=True, dirs_exist_ok=True)
        else:
            run(command, *rest)

    monkeypatch.setattr(environment, "_run", copy_or_run)


def pin(version, folder, name="shot"):
    file = {"shot": "tiny.txt", "lens": "more.txt"}[name]
    (folder / "requirements" / file).write_text(f"# a comment\n{name}=={version}\n")


def make(place, *also):
    said = []
    return environment.make("tiny", place, also=also, say=said.append), said


def version_in(python, name="shot"):
    code = f"import {name}; print({name}.version)"
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True).stdout.strip()


def marker(place):
    return json.loads((place / "tiny" / MARKER).read_text())


def test_makes_keeps_and_makes_anew(place, request):
    python, said = make(place)
    assert version_in(python) == "1"
    assert marker(place)["whole"] is True
    assert said

    _, said = make(place)
    assert said == []

    request.getfixturevalue("quick")  # one is made in earnest
    # the Python that it was made with goes away, as with an upgrade of the system's
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert version_in(make(place)[0]) == "1"

    # what is pinned changes, and cannot be imported on this machine
    pin("3", place.parent)
    with pytest.raises(SetupError, match=r"(?s)cannot be imported.*libXi\.so\.6 is missing.*apt-get install.*libxi6"):
        make(place)
    assert marker(place)["whole"] is False

    # a half-made one is made anew
    pin("2", place.parent)
    assert version_in(make(place)[0]) == "2"


def test_shell_fails_with_what_pip_said(place, quick, capsys):
    pin("99", place.parent)
    assert environment.main(["make", "tiny", "--folder", str(place)]) == 1
    message = capsys.readouterr().err
    assert "could not be installed" in message
    assert "shot==99" in message.partition("could not be installed")[2]
    assert marker(place)["whole"] is False


def test_adds_what_a_whole_one_lacks_without_making_it_anew(place, quick, monkeypatch):
    python, _ = make(place)
    kept = python.parent.parent / "kept.txt"
    kept.write_text("here since it was made")
    during = []
    install = environment._install
    monkeypatch.setattr(environment, "_install", lambda *rest: (during.append(marker(place)), install(*rest)))

    assert make(place, "more")[0] == python
    assert (version_in(python), version_in(python, "lens"), kept.exists()) == ("1", "1", True)
    assert [each["whole"] for each in during] == [False]
    assert marker(place) == during[0] | {"whole": True, "requirements": ["lens==1", "shot==1"]}
    assert (make(place)[1], make(place, "more")[1], len(during)) == ([], [], 1)

    # another version of what it holds: one that is added to would be neither the old nor the new
    pin("2", place.parent, "lens")
    python, _ = make(place, "more")
    assert (version_in(python), version_in(python, "lens"), kept.exists()) == ("1", "2", False)


def test_addition_that_pip_refuses_leaves_what_there_was(place, quick):
    python, _ = make(place)
    before = marker(place)
    pin("99", place.parent, "lens")
    with pytest.raises(SetupError, match=r"(?s)could not be installed.*lens==99"):
        make(place, "more")
    assert marker(place) == before
    assert (make(place)[1], version_in(python)) == ([], "1")


@pytest.mark.parametrize("end", ["interrupted", "changed and refused", "cannot be imported"])
def test_addition_that_is_half_made_is_made_anew(place, quick, monkeypatch, end):
    python, _ = make(place)
    stray = python.parent.parent / "stray.txt"
    stray.write_text("left by what was half made")
    install = environment._install

    def stop(path, pins, say):
        if end != "interrupted":
            install(path, pins, say)
            raise SetupError("no room for the rest")
        raise KeyboardInterrupt

    if end == "cannot be imported":
        pin("3", place.parent, "lens")
    else:
        monkeypatch.setattr(environment, "_install", stop)
    with pytest.raises((SetupError, KeyboardInterrupt)):
        make(place, "more")
    assert marker(place)["whole"] is False

    monkeypatch.setattr(environment, "_install", install)
    pin("1", place.parent, "lens")
    python, _ = make(place, *(["more"] if end == "interrupted" else []))
    assert (version_in(python), marker(place)["whole"], stray.exists()) == ("1", True, False)
    assert version_in(python, "lens") == ("1" if end == "interrupted" else "")


def test_takes_over_what_is_right_and_never_removes_it(place, empty):
    path = place / "tiny"
    shutil.copytree(empty, path, symlinks=True)
    python = environment.interpreter(path)
    subprocess.run([str(python), "-m", "pip", "install", "-q", "shot==1", "lens==2+cpu"], check=True)
    (path / "mine.txt").write_text("mine")

    assert make(place)[0] == python
    assert (marker(place)["whole"], marker(place)["ours"]) == (True, False)

    # a build for one kind of machine is of the version that is pinned
    pin("2", place.parent, "lens")
    assert make(place, "more")[0] == python
    assert marker(place)["requirements"] == ["lens==2", "shot==1"]
    pin("1", place.parent, "lens")
    with pytest.raises(SetupError, match="not made by ReCam"):
        make(place, "more")
    assert version_in(python, "lens") == "2"

    pin("2", place.parent)
    with pytest.raises(SetupError, match="not made by ReCam"):
        make(place)
    assert (path / "mine.txt").read_text() == "mine"
    assert version_in(python) == "1"


def test_leaves_folders_of_others_alone(place):
    path = place / "tiny"
    path.mkdir(parents=True)
    (path / "mine.txt").write_text("mine")
    with pytest.raises(SetupError, match="not made by ReCam"):
        make(place)
    assert (path / "mine.txt").read_text() == "mine"


def test_does_not_follow_a_link_out_of_its_folder(place):
    """Not even where a marker lies at the other end."""
    elsewhere = place.parent / "elsewhere"
    elsewhere.mkdir()
    ours = {"recam_environment": 1, "ours": True, "whole": False, "requirements": []}
    (elsewhere / MARKER).write_text(json.dumps(ours))
    place.mkdir()
    (place / "tiny").symlink_to(elsewhere)
    with pytest.raises(SetupError, match="not made by ReCam"):
        make(place)
    assert (elsewhere / MARKER).is_file()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"recam_environment": 99, "ours": true}'])
def test_a_marker_that_cannot_be_read_is_none(place, text):
    path = place / "tiny"
    path.mkdir(parents=True)
    (path / MARKER).write_text(text)
    with pytest.raises(SetupError, match="not made by ReCam"):
        make(place)
    assert (path / MARKER).read_text() == text


@pytest.mark.skipif(os.name == "nt", reason="flock is POSIX's")
def test_two_do_not_make_one_environment(place):
    import fcntl

    place.mkdir()
    with open(place / ".tiny.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SetupError, match="Another process"):
            make(place)


def test_says_which_python_is_missing_and_what_was_tried(tmp_path, monkeypatch):
    broken = tmp_path / "python3.99"
    broken.write_text("#!/bin/sh\necho 'no module named venv' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(SetupError, match=r"(?s)Python 3\.99 is needed.*python3\.99: no module named venv"):
        environment.find_python(["3.99"])


def test_finds_a_python_by_its_version():
    found = environment.find_python(["3.99", HERE])
    done = subprocess.run([str(found), "-V"], capture_output=True, text=True)
    assert done.stdout.startswith(f"Python {HERE}.")


def test_finds_pyenvs_python(tmp_path, monkeypatch):
    """Which PATH need not know of."""
    there = tmp_path / "versions" / f"{HERE}.77" / "bin" / f"python{HERE}"
    there.parent.mkdir(parents=True)
    there.symlink_to(sys.executable)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "_base_executable", "/nowhere/python")
    assert environment.find_python([HERE]) == there


def test_blenders_are_those_with_a_python(monkeypatch):
    def find(versions):
        if "3.11" not in versions:
            raise SetupError("none")
        return Path("/python3.11")

    monkeypatch.setattr(environment, "find_python", find)
    assert environment.blenders() == ["blender-4.2", "blender-4.5", "blender-5.0"]


def test_every_environment_has_pinned_requirements():
    for name in [*environment.ENVIRONMENTS, *environment.FURTHER]:
        lines = (environment.REQUIREMENTS / f"{name}.txt").read_text().splitlines()
        pins = [line for line in lines if line and not line.startswith("#")]
        assert pins
        assert all(line.count("==") == 1 for line in pins), name
