"""Asking somebody's own Python what it has: this one, and programs that stand in for others."""

import json
import os
import shlex
import shutil
import subprocess
import sys

import pytest

from backend.environment import builds, marker
from backend.environment import probe as probing
from backend.environment.errors import SetupError
from backend.environment.probe import probe

SMALL = marker.pins_of("reproject")
ALL = marker.pins_of("recammaster")
posix = pytest.mark.skipif(os.name == "nt", reason="scripts stand in for interpreters")


@pytest.fixture(scope="module")
def bare(tmp_path_factory, empty):
    """An environment with pip in it and nothing else."""
    folder = tmp_path_factory.mktemp("my python's é 日本") / "own"
    shutil.copytree(empty, folder, symlinks=True)
    return marker.interpreter(folder)


@pytest.fixture
def pretend(folder):
    """Make a program that answers as an interpreter with these packages would."""

    def make(pins=ALL, name="python3", **different):
        versions = {each.partition("==")[0]: each.partition("==")[2] for each in pins}
        answer = {"python": "3.12.4", "there": sorted(versions), "versions": versions, "torch": "", "device": ""}
        answer |= {"memory": 0, "pip": True, "managed": False} | different
        path = folder / name
        path.write_text(f"#!/bin/sh\necho 'a package prints'\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture(autouse=True)
def cpu(monkeypatch):
    """Commands name the build of torch for the machine: here always the same."""
    build = builds.Build("cpu", f"torch=={builds.VERSION}+cpu", "https://index.example/cpu", "")
    monkeypatch.setattr(builds, "choose", lambda: build)


def test_this_python_has_all(monkeypatch, tmp_path):
    import torch

    (tmp_path / "torch.py").write_text("raise ImportError('not this one')")
    monkeypatch.chdir(tmp_path)  # the folder that it is started in is nobody's package
    found = probe(sys.executable, "recammaster")
    assert (found.engines, found.missing, found.command) == (("reproject", "recammaster"), (), "")
    assert found.python_version == "{}.{}.{}".format(*sys.version_info[:3])
    assert found.torch == torch.__version__
    assert found.device
    assert found.memory > 10**9


def test_what_is_missing_is_named_with_the_command_that_adds_it(bare):
    found = probe(str(bare), "reproject")
    assert (found.engines, found.torch, found.device) == ((), "", "")
    assert found.missing == tuple(sorted(SMALL))
    if os.name != "nt":
        assert shlex.split(found.command) == [str(bare), "-m", "pip", "install", *sorted(SMALL)]


@posix
def test_the_command_does_what_it_says(bare):
    """It is typed into a shell: so it goes through one here, as far as pip understands it, without a network."""
    command = probe(str(bare), "reproject").command.replace(" install ", " install --no-index --no-deps --dry-run ")
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert "ERROR: No matching distribution found for" in done.stderr


@posix
def test_torch_comes_in_the_build_for_this_machine(pretend):
    python = pretend(SMALL)
    found = probe(python, "recammaster")
    assert found.engines == ("reproject",)
    assert found.missing == tuple(sorted(ALL - SMALL))
    command = shlex.split(found.command)
    assert command[:5] == [python, "-m", "pip", "install", "--extra-index-url=https://index.example/cpu"]
    assert {f"torch=={builds.VERSION}+cpu"} == {each for each in command if each.startswith("torch==")}


@posix
def test_no_build_for_this_machine_leaves_the_pin(pretend, monkeypatch):
    def refuse():
        raise SetupError("The driver is too old.")

    monkeypatch.setattr(builds, "choose", refuse)
    assert f"torch=={builds.VERSION}" in shlex.split(probe(pretend(SMALL), "recammaster").command)


@posix
@pytest.mark.parametrize(
    ("version", "lacks"),
    [("2.13.0", False), ("2.13.9+cu130", False), ("2.14.0", False), ("3.0", False), ("2.12.1", True), ("2.9.0", True)],
)
def test_newer_versions_will_do_and_older_ones_lack(pretend, version, lacks):
    pins = {each for each in ALL if not each.startswith("torch==")} | {f"torch=={version}"}
    found = probe(pretend(pins), "recammaster")
    assert (f"torch=={builds.VERSION}" in found.missing) is lacks
    assert ("recammaster" in found.engines) is not lacks


@posix
def test_another_package_may_bring_the_module(pretend):
    """cv2 comes with opencv-python, too."""
    names = sorted(each.partition("==")[0] for each in SMALL)
    versions = {name: "99.0" for name in names if name != "opencv-python-headless"}
    assert probe(pretend(SMALL, versions=versions), "reproject").missing == ()


@posix
def test_the_systems_own_python_is_left_alone(pretend):
    python = pretend([], managed=True)
    first, second = (shlex.split(each) for each in probe(python, "reproject").command.split(" && "))
    own = marker.data_folder() / "python"
    assert first == [python, "-m", "venv", str(own)]
    assert second == [str(marker.interpreter(own)), "-m", "pip", "install", *sorted(SMALL)]


@posix
def test_a_python_without_pip_gets_it_first(pretend):
    python = pretend([], pip=False)
    assert probe(python, "reproject").command.startswith(f"{shlex.quote(python)} -m ensurepip && ")


@posix
def test_a_broken_torch_is_told_where_it_is_needed(pretend):
    python = pretend(broken="OSError: libcudart.so.13: cannot open shared object file")
    with pytest.raises(SetupError, match=r"torch of .* cannot be imported: OSError: libcudart") as caught:
        probe(python, "recammaster")
    assert caught.value.kind == "packages"
    assert probe(python, "reproject").missing == ()


@posix
@pytest.mark.parametrize("version", ["3.10.14", "3.6.15", "2.7.18"])
def test_too_old_a_python_is_refused(pretend, version):
    with pytest.raises(SetupError, match=rf"is Python {version}, and the backend needs 3\.11 or later"):
        probe(pretend(python=version, there=[]), "reproject")


@posix
def test_what_is_not_called_like_a_python_is_never_started(folder):
    path = folder / "blender"
    path.write_text(f"#!/bin/sh\n: > {shlex.quote(str(folder / 'started'))}\n")
    path.chmod(0o755)
    with pytest.raises(SetupError, match="is not called like a Python, and was not started"):
        probe(str(path), "reproject")
    assert not (folder / "started").exists()


@posix
@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("exec sleep 60", "gave no answer in"),
        ("echo", "does not answer as a Python does"),
        ("echo '{}'", "does not answer as a Python does"),
        ("head -c 100000 /dev/zero | tr '\\0' '['", "does not answer as a Python does"),
        ("echo nonsense", "does not answer as a Python does"),
        ("echo 'Bus error' >&2; exit 7", "does not run: Bus error"),
        ("exit 7", "does not run: exit status 7"),
    ],
)
def test_whatever_else_answers_is_told(folder, monkeypatch, program, said):
    if "sleep" in program:
        monkeypatch.setattr(probing, "_TIMEOUT", 0.5)
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(0o755)
    with pytest.raises(SetupError, match=said) as caught:
        probe(str(path), "reproject")
    assert caught.value.kind == "python"


@pytest.mark.parametrize("path", ["nowhere/python3", "python3.99"])
def test_no_file_is_told(folder, path):
    with pytest.raises(SetupError, match="does not run"):
        probe(str(folder / path), "reproject")


def test_a_folder_is_told(folder):
    (folder / "python").mkdir()
    with pytest.raises(SetupError, match="does not run"):
        probe(str(folder / "python"), "reproject")


def test_modules_are_those_that_the_engines_import():
    from backend import packages

    modules = {probing._MODULES.get(name, name) for name in (marker.name_of(each) for each in ALL)}
    assert set(packages.needed("recammaster")) <= modules | {"huggingface_hub"}
