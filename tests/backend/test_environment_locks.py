"""Who may change an environment and when, and what removal takes away and leaves."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading

import pytest

from backend import environment
from backend.environment import MARKER, SetupError, locks, marker, removal

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(environment.__file__)))


@contextlib.contextmanager
def another(folder, what):
    """A process that holds the lock of a folder: ``hold`` as a worker does, ``alone`` as set-up does."""
    code = f"""
import sys
from pathlib import Path
from backend.environment import locks
folder = Path(sys.argv[1])
if {what!r} == "hold":
    locks.hold(folder)
    print("held", flush=True)
    sys.stdin.read()
else:
    with locks.alone(folder):
        print("held", flush=True)
        sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": ROOT},
    ) as process:
        assert process.stdout.readline().strip() == b"held"
        yield process
        process.stdin.close()


@pytest.fixture
def made(place):
    """The marker of a whole environment of ours, and a Python that starts, in a moment."""
    place.folder.joinpath("bin").mkdir(parents=True)
    environment.interpreter(place.folder).symlink_to(sys.executable)
    (place.folder / "pyvenv.cfg").write_text("")
    (place.folder / "lib" / "python3.11" / "site-packages" / "shot-1.dist-info").mkdir(parents=True)
    told = {"engines": ["reproject"], "python_version": "3.11.7"}
    marker.write(place.folder, marker.Marker(True, True, frozenset({"shot==1"}), told=told))
    locks.path_of(place.folder).touch()
    assert environment.state(place.folder).kind == "ready"
    return place


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(locks, "WAIT", 0.3)


def test_two_do_not_set_up_one_environment(place, impatient):
    place.environments.mkdir()
    with another(place.folder, "alone") as process, pytest.raises(SetupError) as caught:
        place.install()
    assert caught.value.kind == "busy"
    assert f"process {process.pid}" in str(caught.value)


def test_the_second_waits_for_the_first_a_while(place, quick):
    place.environments.mkdir()
    with another(place.folder, "alone") as process:
        threading.Timer(0.5, process.kill).start()
        assert place.install().kind == "ready"


def test_the_second_finds_what_the_first_made(place, quick):
    ends = []
    threads = [threading.Thread(target=lambda: ends.append(place.install().made)) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(ends) == 2
    assert len(set(ends)) == 1


def test_waiting_can_be_cancelled(place):
    place.environments.mkdir()
    with another(place.folder, "alone"), pytest.raises(SetupError) as caught:
        place.install(cancelled=lambda: True)
    assert caught.value.kind == "cancelled"


def test_a_worker_keeps_its_environment_from_change_and_removal(made, impatient):
    made.pin("backend", "shot==2")
    with another(made.folder, "hold") as first, another(made.folder, "hold") as second:
        for change in (made.install, lambda: environment.remove(made.folder)):
            with pytest.raises(SetupError, match="A ReCam worker still uses") as caught:
                change()
            assert caught.value.kind == "busy"
        first.kill()
        first.wait()
        with pytest.raises(SetupError, match="still uses"):
            environment.remove(made.folder)
        second.kill()
        second.wait()
        environment.remove(made.folder)
    assert not made.folder.exists()


def test_a_ready_environment_is_found_so_while_it_is_in_use(made, impatient):
    with another(made.folder, "hold"):
        assert made.install().kind == "ready"


def test_a_worker_does_not_start_while_its_environment_changes(made):
    with another(made.folder, "alone"), pytest.raises(SetupError, match="being set up right now"):
        locks.hold(made.folder)


def test_a_python_of_ones_own_is_not_written_to(tmp_path):
    locks.hold(tmp_path)
    assert os.listdir(tmp_path) == []


def test_the_worker_holds_its_environment(made, impatient):
    """The real one, told that it runs in this environment."""
    code = "import sys; sys.prefix = sys.argv[1]; from backend.serve import serve; serve()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(made.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": ROOT},
    ) as worker:
        worker.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "hello"}\n')
        worker.stdin.flush()
        assert json.loads(worker.stdout.readline())["result"]["pid"] == worker.pid
        with pytest.raises(SetupError, match="still uses"):
            environment.remove(made.folder)
        worker.stdin.close()
        worker.wait(20)
        environment.remove(made.folder)


# Removal


def test_removes_what_recam_made_and_nothing_beside(made):
    beside = made.environments / "mine.txt"
    beside.write_text("mine")
    outside = made.root / "outside"
    outside.mkdir()
    (outside / "film.mp4").write_text("mine")
    (made.folder / "lib" / "link").symlink_to(outside)
    (made.folder / "lib64").symlink_to(outside)
    environment.remove(made.folder)
    assert not made.folder.exists()
    assert beside.exists()
    assert (outside / "film.mp4").exists()
    assert environment.state(made.folder).kind == "missing"
    environment.remove(made.folder)


@pytest.mark.parametrize("name", ["film.mp4", ".git", "Documents"])
def test_a_folder_with_anything_else_in_it_is_left_alone(made, name):
    """As where somebody chose their home for the environment."""
    (made.folder / name).write_text("mine")
    with pytest.raises(SetupError, match=name) as caught:
        environment.remove(made.folder)
    assert caught.value.kind == "foreign"
    assert (made.folder / name).exists()
    assert environment.interpreter(made.folder).exists()
    made.pin("backend", "shot==2")
    environment.interpreter(made.folder).unlink()
    with pytest.raises(SetupError, match=name):
        made.install()
    assert (made.folder / name).exists()


def test_what_a_package_put_at_the_top_is_no_stranger(made):
    (made.folder / "from_a_package").mkdir()
    marker.write(made.folder, marker.Marker(True, True, names=frozenset({"bin", "from_a_package"})))
    environment.remove(made.folder)
    assert not made.folder.exists()


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_marker_in_somebodys_folder_takes_nothing_with_it(tmp_path, is_whole):
    """It may have come with an archive, or with a copy, and say whatever it likes."""
    folder = tmp_path / "home"
    for name in ("bin", "lib", "Documents"):
        folder.joinpath(name).mkdir(parents=True)
        folder.joinpath(name, "mine.txt").write_text("mine")
    marker.write(folder, marker.Marker(is_whole, True, names=frozenset({"Documents", "bin", "lib"})))
    for taken in ("Documents", "lib", "bin"):
        with pytest.raises(SetupError, match="left alone") as caught:
            environment.remove(folder)
        assert caught.value.kind == "foreign"
        assert (folder / taken / "mine.txt").exists()
        shutil.rmtree(folder / taken)


@pytest.mark.skipif(os.name == "nt", reason="there are no such files")
@pytest.mark.parametrize("what", ["pipe", "device"])
def test_a_marker_that_is_no_file_is_none_and_is_not_waited_for(tmp_path, what):
    if what == "pipe":
        os.mkfifo(tmp_path / MARKER)
    else:
        (tmp_path / MARKER).symlink_to("/dev/zero")
    asked = subprocess.run(
        [sys.executable, "-m", "backend", "setup", "--state", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        env=os.environ | {"PYTHONPATH": ROOT},
    )
    assert "was not made by ReCam" in asked.stderr


def test_a_marker_is_written_through_no_link(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    folder = tmp_path / "environment"
    folder.mkdir()
    (folder / marker.BEGUN).symlink_to(mine)
    marker.write(folder, marker.Marker(ours=True))
    assert mine.read_text() == "mine"
    assert marker.read(folder).ours


def test_files_of_the_users_beside_an_environment_stay(made):
    mine = [made.environments / name for name in ("environment.log", "environment.log.1", ".environment.lock")]
    for each in mine:
        each.write_text("mine")
    made.pin("backend", "shot==2")
    with pytest.raises(SetupError):
        made.install()
    environment.remove(made.folder)
    assert [each.read_text() for each in mine] == ["mine"] * 3


def test_one_that_was_killed_before_it_had_any_files_is_removed(tmp_path):
    """venv makes folders before it writes what makes them an environment."""
    folder = tmp_path / "environment"
    (folder / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    (folder / "lib64").symlink_to("lib")
    marker.write(folder, marker.Marker(ours=True))
    environment.remove(folder)
    assert not folder.exists()


def test_links_roots_and_files_are_not_removed(made, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(made.folder)
    with pytest.raises(SetupError, match="left alone"):
        environment.remove(link)
    with pytest.raises(SetupError, match="left alone"):
        environment.remove(tmp_path.__class__("/"))
    with pytest.raises(SetupError, match="left alone"):
        environment.remove(made.folder / "pyvenv.cfg")
    with pytest.raises(SetupError, match="not made by ReCam"):
        environment.remove(tmp_path)
    assert environment.state(made.folder).kind == "ready"


def test_a_removal_that_was_killed_is_finished_by_the_next_set_up(ready, monkeypatch):
    monkeypatch.setattr(removal, "_delete", lambda folder: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        environment.remove(ready.folder)
    (left,) = ready.environments.glob(".environment.removed-*")
    mine = ready.environments / ".environment.removed-mine1234"
    mine.mkdir()
    (mine / "film.mp4").write_text("mine")
    monkeypatch.undo()
    environment.state(ready.folder)
    removal.sweep(ready.folder)
    assert not left.exists()
    assert (mine / "film.mp4").exists()


def test_a_marker_alone_that_was_being_written_is_begun_again(place, quick):
    place.folder.mkdir(parents=True)
    (place.folder / marker.BEGUN).write_text('{"recam')
    assert environment.state(place.folder).kind == "unfinished"
    assert place.install().kind == "ready"
    assert (place.folder / MARKER).exists()


def test_read_only_files_go_too(made):
    deep = made.folder / "lib" / "deep"
    deep.mkdir(parents=True)
    (deep / "read only").write_text("")
    os.chmod(deep / "read only", 0o400)
    os.chmod(deep, 0o500)
    environment.remove(made.folder)
    assert not made.folder.exists()
    assert list(made.environments.glob(".environment.removed-*")) == []
