"""Takes to the system's trash: whole, each for itself, and never deleted."""

import ctypes
import errno
import json
import os
import subprocess
import sys
import types
from urllib.parse import unquote

import pytest
from fake_workers import ROOT

from backend.previewing.trash import trash

PROGRAM = """
import json, sys
from backend.previewing.trash import trash
json.dump(trash(sys.argv[1:]), sys.stdout)
"""


@pytest.fixture
def take(folder):
    """A take of numbered pictures, a movie, and a record."""
    pictures = folder / "shot_v001"
    pictures.mkdir()
    (pictures / "0001.png").write_bytes(b"one")
    movie, record = folder / "shot_v002.mp4", folder / "shot_v002.json"
    movie.write_bytes(b"movie")
    record.write_text("{}")
    return pictures, movie, record


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="looks into freedesktop.org's trash")
def test_takes_lie_in_the_trash_as_they_were(folder, take):
    """With Send2Trash itself, and a home of the test's own."""
    pytest.importorskip("send2trash")
    home = folder / "home"
    home.mkdir()
    again = folder / "elsewhere"
    again.mkdir()
    (again / take[1].name).write_bytes(b"another of that name")
    gone = folder / "gone.mp4"
    paths = [str(each) for each in (*take, gone, again / take[1].name)]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *paths],
        env=os.environ | {"HOME": str(home), "XDG_DATA_HOME": str(home / "data")},
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    trashed, failed = json.loads(done.stdout)
    assert trashed == [path for path in paths if path != str(gone)]
    assert failed == {str(gone): "It is not there any more."}
    assert not any(os.path.lexists(path) for path in paths)
    files, infos = home / "data" / "Trash" / "files", home / "data" / "Trash" / "info"
    assert (files / "shot_v001" / "0001.png").read_bytes() == b"one"
    assert (files / "shot_v002.json").read_text() == "{}"
    assert {each.read_bytes() for each in files.glob("*.mp4")} == {b"movie", b"another of that name"}
    told = [unquote(line) for info in infos.iterdir() for line in info.read_text().splitlines()]
    assert all(any(line.endswith(os.path.relpath(path, folder)) for line in told) for path in trashed)


class TrashPermissionError(PermissionError):
    """As Send2Trash has it."""

    def __init__(self, path):
        super().__init__(errno.EACCES, "Permission denied", path)


@pytest.fixture
def sends(monkeypatch):
    """Put a function in Send2Trash's place."""

    def put(function):
        module = types.ModuleType("send2trash")
        module.send2trash = function
        monkeypatch.setitem(sys.modules, "send2trash", module)

    return put


def refusing(error):
    def send(_path):
        raise error

    return send


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (TrashPermissionError("/mnt"), "There is no trash for this drive"),
        (PermissionError(errno.EACCES, "Permission denied"), "You may not remove it"),
        (OSError(errno.EACCES, "Permission denied: /x"), "You may not remove it"),
        (OSError("Couldn't find mount point for /x"), "did not take it: Couldn't find mount point for /x."),
        (OSError(None, None, "C:\\x", 0x4C7), "did not take it"),
        (RuntimeError("dbus is not there.\n"), "did not take it: dbus is not there."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_the_trash_does_not_take_stays_and_the_reason_is_told(take, sends, error, says):
    sends(refusing(error))
    paths = [str(each) for each in take]
    trashed, failed = trash(paths)
    assert trashed == []
    assert list(failed) == paths
    assert all(says in reason and reason.endswith(".") and "\n" not in reason for reason in failed.values())
    assert all(each.exists() for each in take)


def test_one_that_fails_keeps_no_other_back(take, sends):
    def send(path):
        if path == str(take[0]):
            raise OSError("busy")
        os.rename(path, path + ".trashed")

    sends(send)
    trashed, failed = trash(map(str, take))
    assert trashed == [str(each) for each in take[1:]]
    assert list(failed) == [str(take[0])]


def test_a_trash_that_only_says_it_did_is_not_believed(take, sends):
    sends(lambda _path: None)
    assert trash([str(take[1])]) == ([], {str(take[1]): "The system did not take it."})


def test_without_the_package_nothing_goes(take, monkeypatch):
    monkeypatch.setitem(sys.modules, "send2trash", None)
    trashed, failed = trash([str(take[1])])
    assert trashed == []
    assert "lacks Send2Trash" in failed[str(take[1])]
    assert take[1].exists()


def test_a_cancel_leaves_the_rest(take, sends):
    gone = []

    def send(path):
        os.unlink(path)  # the test's trash
        gone.append(path)

    sends(send)
    paths = [str(take[1]), str(take[2])]
    trashed, failed = trash(paths, lambda: bool(gone))
    assert (trashed, list(failed)) == (paths[:1], paths[1:])
    assert take[2].exists()


def test_a_link_goes_by_itself(folder, take, sends):
    link = folder / "link.mp4"
    try:
        link.symlink_to(folder / "nothing there")
    except OSError:
        pytest.skip("no links here")
    sends(os.unlink)
    assert trash([str(link)]) == ([str(link)], {})


@pytest.mark.parametrize(("kind", "goes"), [(3, True), (2, False), (4, False)], ids=["fixed", "USB stick", "network"])
def test_on_windows_only_drives_with_a_recycle_bin_are_asked(take, monkeypatch, kind, goes):
    """And Windows is told to ask before it deletes what its bin has no room for."""
    sent = []
    legacy = types.ModuleType("send2trash.win.legacy")
    legacy.FOF_SILENT = 4

    def send(path):
        sent.append(legacy.FOF_SILENT)
        os.rename(path, path + ".trashed")

    legacy.send2trash = send
    win = types.ModuleType("send2trash.win")
    win.legacy = legacy
    for name, module in (("send2trash", types.ModuleType("send2trash")), ("send2trash.win", win)):
        monkeypatch.setitem(sys.modules, name, module)
    windll = types.SimpleNamespace(kernel32=types.SimpleNamespace(GetDriveTypeW=lambda drive: kind))
    monkeypatch.setattr(ctypes, "windll", windll, raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    trashed, failed = trash([str(take[1])])
    assert (bool(trashed), "There is no trash for this drive" in "".join(failed.values())) == (goes, not goes)
    assert sent == ([0x4004] if goes else [])
