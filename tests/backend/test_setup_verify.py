"""The check of an environment: in earnest with this one, and with whatever can be wrong in another."""

import json
import math
import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

from backend import packages, selfcheck
from backend.environment import verify
from backend.environment.errors import SetupError
from backend.selfcheck import NotWorking


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300, **options)


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """What the whole check says of the environment that the tests run in."""
    # What a user has set for Python must not lead it astray, nor the folder that it is started in.
    place = tmp_path_factory.mktemp("it's here é 日本")
    (place / "numpy.py").write_text("raise ImportError('not this one')")
    (place / "json.py").write_text("raise ImportError('nor this one')")
    env = os.environ | {"PYTHONPATH": str(place), "PYTHONSTARTUP": str(place / "json.py")}
    return run(verify.command(Path(sys.executable), "recammaster"), cwd=place, env=env)


def test_this_environment_works_and_is_described(checked):
    import torch

    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count("\n") == 1
    found = verify.read(checked.stdout)
    assert found.engines == ("reproject", "recammaster")
    assert found.python_version == "{}.{}.{}".format(*sys.version_info[:3])
    assert found.torch == torch.__version__
    assert f"numpy=={np.__version__}" in found.packages
    assert all(
        name == name.lower() and "_" not in name for name in (each.partition("==")[0] for each in found.packages)
    )
    if not torch.cuda.is_available() and not torch.backends.mps.is_available():
        assert found.device == "CPU"
    assert found.memory > 10**9


def test_what_needs_no_torch_is_told_of_the_machine_too():
    import psutil

    told = selfcheck.about()
    assert told["device"] == "CPU"
    assert told["memory"] == pytest.approx(psutil.virtual_memory().total, rel=0.01)


def test_says_what_it_does_on_stderr(checked):
    said = checked.stderr
    for each in packages.needed("recammaster"):
        assert f"recam: importing {each}\n" in said
    order = [
        said.index(each) for each in ("importing numpy", "re-shooting a small clip", "re-shooting: 4 of 4", "a step")
    ]
    assert order == sorted(order)


def test_a_bare_python_lacks_and_says_so(tmp_path):
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = run(verify.command(python, "reproject"))
    assert (done.returncode, done.stdout) == (1, "")
    error = verify.failed(done.stderr.splitlines(), done.returncode)
    assert error.kind == "verify"
    assert "numpy cannot be imported: ModuleNotFoundError: No module named 'numpy'." in str(error)


def test_stdout_is_for_the_answer_alone(tmp_path):
    """Libraries print, also past Python."""
    program = (
        "import os, sys, backend.selfcheck as s\n"
        "def noisy(engine):\n"
        "    print('from Python'); os.write(1, b'from C\\n'); sys.stdout.flush(); return {'engines': ['é 日本']}\n"
        "s.check = noisy\n"
        "s.main([])\nprint('after')\n"
    )
    root = Path(selfcheck.__file__).parents[1]
    done = run([sys.executable, "-X", "utf8", "-c", program], cwd=root)
    assert done.stdout.splitlines() == [json.dumps({"engines": ["é 日本"]}), "after"]
    assert {"from Python", "from C"} <= set(done.stderr.splitlines())


# What does not work


def test_a_system_library_that_is_missing_is_named(monkeypatch):
    def refuse(name):
        raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(selfcheck.importlib, "import_module", refuse)
    with pytest.raises(NotWorking, match=r"cv2 cannot be imported.*The system library libGL\.so\.1 is missing"):
        selfcheck._import("cv2")


@pytest.mark.parametrize("error", [OSError("DLL load failed while importing _core"), ImportError("DLL load failed")])
def test_a_library_of_windows_that_is_missing_is_named(monkeypatch, error):
    def refuse(name):
        raise error

    monkeypatch.setattr(selfcheck.importlib, "import_module", refuse)
    with pytest.raises(NotWorking, match=r"Visual C\+\+ Redistributable"):
        selfcheck._import("torch")


@pytest.fixture
def take():
    """What a right take would be read back as: the wall, which moves to the left."""
    wall = selfcheck._wall()
    return [np.roll(wall, -round(selfcheck._SHIFT * index / 3), axis=1) for index in range(4)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda take: take[:3], "A take of 4 frames was made, and 3 could be read back"),
        (lambda take: [take[0]] * 4, "drew something else"),  # as if the camera stood still
        (lambda take: [np.roll(each, 2 * selfcheck._SHIFT, axis=1) for each in take], "drew something else"),
        (lambda take: [each * 0 for each in take], "drew something else"),
        (lambda take: [each[..., ::-1] for each in take], "drew something else"),  # red for blue
        (lambda take: [each[::-1] for each in take], "drew something else"),
    ],
)
def test_a_take_that_is_wrong_is_seen(tmp_path, monkeypatch, take, change, said):
    monkeypatch.setattr(selfcheck, "_read_back", lambda path: take)
    selfcheck._reshoot(tmp_path)

    monkeypatch.setattr(selfcheck, "_read_back", lambda path: change(take))
    (tmp_path / "again").mkdir()
    with pytest.raises(NotWorking, match=said):
        selfcheck._reshoot(tmp_path / "again")


def test_a_take_that_cannot_be_made_is_told(tmp_path, monkeypatch):
    from backend import engines

    def fail(settings):
        raise engines.EngineError("There is no such thing as a free take.")

    monkeypatch.setattr(engines, "create", fail)
    with pytest.raises(NotWorking, match=r"could not re-shoot a small clip: There is no such thing as a free take\."):
        selfcheck._reshoot(tmp_path)


def test_a_network_that_gives_no_numbers_is_told(monkeypatch):
    from backend.recammaster import sampling

    right = sampling.sample
    monkeypatch.setattr(sampling, "sample", lambda *args, **options: right(*args, **options) * math.nan)
    with pytest.raises(NotWorking, match="gave numbers that are none"):
        selfcheck._denoise()
    monkeypatch.setattr(sampling, "sample", lambda *args, **options: right(*args, **options)[:, :8])
    with pytest.raises(NotWorking, match="gave numbers that are none"):
        selfcheck._denoise()


def test_a_build_for_gpus_that_finds_none_is_worth_a_note(monkeypatch):
    import torch

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    described = selfcheck._described(torch.device("cpu"), "the CPU")
    assert described["device"] == "CPU"
    assert "is built for a GPU and finds none that it can use" in described["notes"][0]
    monkeypatch.setattr(torch.version, "cuda", None)
    assert selfcheck._described(torch.device("cpu"), "the CPU")["notes"] == []


# Reading the answer


RIGHT = {"engines": ["reproject"], "python": "3.11.7", "torch": "", "device": "", "memory": 0, "packages": ["a==1"]}


def test_an_answer_is_read():
    found = verify.read("\n" + json.dumps(RIGHT | {"notes": ["Said."], "more": 1}) + "\n\n")
    assert found == verify.Verified(("reproject",), "3.11.7", packages=("a==1",), notes=("Said.",))


@pytest.mark.parametrize(
    "text",
    [
        *("", "\n", "{", "[]", "null", '"x"', "nonsense", "[" * 100000),
        *(json.dumps({key: value for key, value in RIGHT.items() if key != left}) for left in RIGHT),
        *(json.dumps(RIGHT | {key: {"a": 1}}) for key in RIGHT),
        *(json.dumps(RIGHT | {"memory": value}) for value in (None, math.inf, math.nan, "x")),
        json.dumps(RIGHT | {"packages": [1]}),
    ],
)
def test_what_is_no_answer_is_told(text):
    with pytest.raises(SetupError, match="gave no answer that can be read") as caught:
        verify.read(text)
    assert caught.value.kind == "verify"


@pytest.mark.parametrize(
    ("code", "lines", "said"),
    [
        (1, ["recam: importing av", "recam: The engine sulks."], "does not work. The engine sulks."),
        (
            -4,
            ["recam: importing numpy"],
            "ended by signal 4: a library may not suit this machine. Its last lines were:\n",
        ),
        (3, [], "The check of the environment ended with 3."),
        (1, ["Traceback", "ValueError: x"], "ended with 1. Its last lines were:\n  Traceback\n  ValueError: x"),
        (3221225477, ["recam: importing cv2"], "ended with 3221225477. Its last lines were:\n  recam: importing cv2"),
    ],
)
def test_how_a_check_ended_is_told(code, lines, said):
    error = verify.failed(lines, code)
    assert said in str(error)
    assert error.kind == "verify"


def test_what_the_check_does_is_reported_and_its_answer_is_not():
    said, reported = [], []
    hear = verify.hearing(said.append, reported.append)
    for line in ("recam: importing numpy", "some library's warning", '{"engines": ["reproject"]}'):
        hear(line)
    assert said == ["recam: importing numpy", "some library's warning"]
    assert [each.phase for each in reported] == ["Checking with a small take: importing numpy"]
