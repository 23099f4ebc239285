"""Set-up of environments, with tiny packages from a local folder in place of the real ones."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from backend import environment
from backend.environment import MARKER, SetupError

HERE = "{}.{}".format(*sys.version_info[:2])


def wheel(folder, version, code):
    """The package `shot` as pip takes it."""
    info = f"shot-{version}.dist-info"
    with zipfile.ZipFile(folder / f"shot-{version}-py3-none-any.whl", "w") as opened:
        opened.writestr("shot.py", code)
        opened.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: shot\nVersion: {version}\n")
        opened.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        opened.writestr(f"{info}/RECORD", f"shot.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder for environments; what is pinned there is `shot`, of which there are versions 1, 2 and a broken 3."""
    for name in ("wheels", "requirements"):
        (tmp_path / name).mkdir()
    wheel(tmp_path / "wheels", "1", "version = 1")
    wheel(tmp_path / "wheels", "2", "version = 2")
    wheel(tmp_path / "wheels", "3", 'raise ImportError("libXi.so.6: cannot open shared object file: No such file")')
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", (tmp_path / "wheels").as_uri())
    monkeypatch.setattr(environment, "REQUIREMENTS", tmp_path / "requirements")
    known = environment.Environment(pythons=(HERE,), imports=("shot",))
    monkeypatch.setattr(environment, "ENVIRONMENTS", {"tiny": known})
    pin("1", tmp_path)
    return tmp_path / 'it\'s "here" é 日本'


def pin(version, folder):
    (folder / "requirements" / "tiny.txt").write_text(f"# a comment\nshot=={version}\n")


def make(place):
    said = []
    return environment.make("tiny", place, say=said.append), said


def version_in(python):
    done = subprocess.run([str(python), "-c", "import shot; print(shot.version)"], capture_output=True, text=True)
    return done.stdout.strip()


def marker(place):
    return json.loads((place / "tiny" / MARKER).read_text())


def test_makes_keeps_and_makes_anew(place):
    python, said = make(place)
    assert version_in(python) == "1"
    assert marker(place)["whole"] is True
    assert said

    _, said = make(place)
    assert said == []

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


def test_shell_fails_with_what_pip_said(place, capsys):
    pin("99", place.parent)
    assert environment.main(["make", "tiny", "--folder", str(place)]) == 1
    message = capsys.readouterr().err
    assert "could not be installed" in message
    assert "shot==99" in message.partition("could not be installed")[2]
    assert marker(place)["whole"] is False


def test_takes_over_what_is_right_and_never_removes_it(place):
    path = place / "tiny"
    venv.create(path, with_pip=True)
    python = environment.interpreter(path)
    subprocess.run([str(python), "-m", "pip", "install", "-q", "shot==1"], check=True)
    (path / "mine.txt").write_text("mine")

    assert make(place)[0] == python
    assert (marker(place)["whole"], marker(place)["ours"]) == (True, False)

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
    for name in [*environment.ENVIRONMENTS, "tools"]:
        lines = (environment.REQUIREMENTS / f"{name}.txt").read_text().splitlines()
        pins = [line for line in lines if line and not line.startswith("#")]
        assert pins
        assert all(line.count("==") == 1 for line in pins), name
