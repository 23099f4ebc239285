"""Finding a Python that can make environments, among real ones and scripts that pretend to be one."""

import json
import os
import shlex
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from backend.environment import pythons
from backend.environment.errors import SetupError
from backend.environment.pythons import Answer, find_python, question, unfit

HERE = "{}.{}".format(*sys.version_info[:2])
posix = pytest.mark.skipif(os.name == "nt", reason="scripts stand in for interpreters")

FITTING = {
    "version": "3.99.4",
    "implementation": "cpython",
    "bits": 64,
    "free_threaded": False,
    "machine": "x86_64",
    "platform": "linux-x86_64",
    "libc": "glibc 2.36",
    "macos": "",
    "base": "",
    "lacks": [],
}


def pretend(path, **different):
    """A program that answers as an interpreter would, and notes beside itself that it was started."""
    answer = FITTING | {"base": str(path)} | different
    path.parent.mkdir(parents=True, exist_ok=True)
    started = shlex.quote(f"{path}.started")
    path.write_text(f"#!/bin/sh\n: > {started}\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
    path.chmod(0o755)
    return path


def was_started(path):
    return Path(f"{path}.started").exists()


@pytest.fixture
def nowhere(monkeypatch, folder):
    """A machine on which no Python is to be found: what a test puts into the folder it gives is all there is."""
    monkeypatch.setenv(
        "PATH", str(folder / "bin") + os.pathsep + "/bin" + os.pathsep + "/usr/bin"
    )  # scripts need `cat`
    monkeypatch.setenv("PYENV_ROOT", str(folder / "pyenv"))
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    for name in ("UV_PYTHON_INSTALL_DIR", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", classmethod(lambda _: folder / "home"))
    return folder


def test_finds_a_python_by_its_version():
    found = find_python(["3.99", HERE])
    done = subprocess.run([str(found), "-V"], capture_output=True, text=True)
    assert done.stdout.startswith(f"Python {HERE}.")


def test_says_which_python_is_missing_and_what_was_tried(tmp_path, monkeypatch):
    broken = tmp_path / "python3.99"
    broken.write_text("#!/bin/sh\necho 'no module named venv' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(SetupError, match=r"(?s)Python 3\.99 is needed.*python3\.99: .*no module named venv") as caught:
        find_python(["3.99"])
    assert caught.value.kind == "python"


def test_an_environment_never_hangs_on_another(tmp_path):
    venv.create(tmp_path / "one", with_pip=False)
    python = tmp_path / "one" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    assert question(python).base == str(find_python([HERE], str(python)))
    assert tmp_path not in find_python([HERE], str(python)).parents


@posix
@pytest.mark.parametrize(
    "place",
    [
        "bin/python3.99",
        "bin/python3",
        "pyenv/versions/3.99.4/bin/python3.99",
        "data/uv/python/cpython-3.99.4-linux-x86_64-gnu/bin/python3.99",
        "home/miniforge3/bin/python3.99",
    ],
)
def test_finds_what_installers_put_where_no_path_leads(nowhere, place):
    python = pretend(nowhere / place)
    assert find_python(["3.98", "3.99"]) == python


@posix
def test_of_several_the_newest_is_taken(nowhere):
    for version in ("3.99.9", "3.99.10", "3.99.2"):
        pretend(nowhere / f"pyenv/versions/{version}/bin/python3.99", version=version)
    assert find_python(["3.99"]).parts[-3] == "3.99.10"


@posix
def test_versions_come_best_first(nowhere):
    pretend(nowhere / "bin/python3.99")
    best = pretend(nowhere / "pyenv/versions/3.98.1/bin/python3.98", version="3.98.1")
    assert find_python(["3.98", "3.99"]) == best


@posix
def test_blender_itself_is_never_started_but_its_python_is_found(nowhere, monkeypatch):
    """In some builds sys.executable is Blender: that would open a window, in which set-up would begin anew."""
    blender = pretend(nowhere / "Blender 5.2" / "blender", version=f"{HERE}.1")
    python = pretend(nowhere / "Blender 5.2" / "5.2/python/bin" / f"python{HERE}", version=f"{HERE}.1")
    monkeypatch.setattr(sys, "executable", str(blender))
    monkeypatch.setattr(sys, "_base_executable", str(blender), raising=False)
    monkeypatch.setattr(sys, "base_prefix", str(python.parents[1]))
    monkeypatch.setattr(sys, "base_exec_prefix", str(python.parents[1]))
    assert find_python([HERE]) == python
    assert not was_started(blender)

    with pytest.raises(SetupError, match="blender cannot be used: it is not called like a Python, and was not started"):
        find_python([HERE], str(blender))
    assert not was_started(blender)


@posix
def test_a_python_whose_base_is_blender_stands_for_itself(nowhere):
    """An environment's Python may name as its base whatever started the process that made it."""
    python = pretend(nowhere / "bin/python3.99", base=str(nowhere / "blender"))
    assert find_python(["3.99"]) == python


@posix
def test_the_stores_stand_in_is_never_started(nowhere):
    stub = pretend(nowhere / "Microsoft/WindowsApps/python3.99")
    with pytest.raises(SetupError, match=r"Microsoft Store's.*python\.org"):
        find_python(["3.99"], str(stub))
    assert not was_started(stub)


@posix
def test_a_python_that_was_chosen_is_the_only_one_tried(nowhere):
    other = pretend(nowhere / "bin/python3.99")
    chosen = pretend(nowhere / "my python's/bin/python3", version="3.98.0")
    with pytest.raises(SetupError, match=r"it is Python 3\.98\.0\. Choose a Python 3\.99, or let ReCam find one"):
        find_python(["3.99"], str(chosen))
    assert not was_started(other)
    assert find_python(["3.98"], str(chosen)) == chosen


@posix
@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("exec sleep 60", "gave no answer in"),
        ("echo '[1, 2]'", "does not answer as a Python does"),
        ('echo \'{"version": "3.99.1"}\'', "does not answer as a Python does"),
        ("head -c 100000 /dev/zero | tr '\\0' '['", "does not answer as a Python does"),
        ("kill -9 $$", "does not run"),
        ("exit 3", r"does not run \(exit status 3\)"),
    ],
)
def test_whatever_else_is_called_python_is_told(nowhere, monkeypatch, program, reason):
    if "sleep" in program:
        monkeypatch.setattr(pythons, "_TIMEOUT", 0.5)
    path = nowhere / "bin/python3.99"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(0o755)
    with pytest.raises(SetupError, match=reason):
        question(path)
    with pytest.raises(SetupError, match=r"Python 3\.99 is needed") as caught:
        find_python(["3.99"])
    assert str(path) in str(caught.value)


def test_the_question_is_answered_by_what_runs_this():
    answer = question(Path(sys.executable))
    assert answer.version == "{}.{}.{}".format(*sys.version_info[:3])
    assert answer.lacks == ()
    assert unfit(answer, [HERE]) == ""


@pytest.mark.parametrize(
    ("different", "reason"),
    [
        ({}, ""),
        ({"version": "3.100.1"}, "it is Python 3.100.1"),
        ({"implementation": "pypy"}, "built for CPython"),
        ({"bits": 32}, "32-bit"),
        ({"free_threaded": True}, "free-threaded"),
        ({"libc": ""}, "Alpine"),
        ({"libc": "glibc 2.27"}, "need glibc 2.28 or later"),
        ({"libc": "glibc 2.100"}, ""),
        ({"lacks": ("ensurepip",)}, "it lacks ensurepip"),
        ({"lacks": ("venv", "ensurepip")}, "it lacks venv and ensurepip"),
        ({"platform": "macosx-10.15-universal2", "libc": "", "machine": "arm64", "macos": "14.5"}, ""),
        ({"platform": "macosx-11.0-arm64", "libc": "", "machine": "arm64", "macos": "13.6"}, "need macOS 14 or later"),
        ({"platform": "macosx-10.15-universal2", "libc": "", "macos": "15.1"}, "Intel's processors"),
        ({"platform": "win-amd64", "libc": "", "machine": "AMD64"}, ""),
        ({"platform": "win-amd64", "libc": "", "machine": "ARM64"}, ""),
        ({"platform": "win-arm64", "libc": "", "machine": "ARM64"}, "Windows on ARM"),
    ],
)
def test_why_an_interpreter_does_not_do(different, reason):
    answer = Answer(**FITTING | {"lacks": (), "base": "/usr/bin/python3.99"} | different)
    found = unfit(answer, ["3.98", "3.99"])
    assert reason in found if reason else found == ""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="about packages of Debian")
def test_what_debian_parts_from_python_is_named():
    answer = Answer(**FITTING | {"lacks": ("ensurepip",), "base": "/usr/bin/python3.99"})
    assert "`sudo apt-get install python3.99-venv` adds it" in unfit(answer, ["3.99"])
