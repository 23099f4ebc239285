"""The folder of models: what is told of it, what is removed, and what is not, whatever its record says."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from backend.models import library as module
from backend.models import locks as module_of_locks
from backend.models.catalogue import Entry, File
from backend.models.library import RECORD, Library, chosen_folder, default_folder, part_of
from backend.models.locks import LibraryError, locked

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "c" * 40
CONTENT = b"weights of a kind"
SHA256 = hashlib.sha256(CONTENT).hexdigest()

ENTRY = Entry(
    id="pair",
    title="A pair",
    purpose="For a test.",
    what="lora",
    repository="some/models",
    revision=COMMIT,
    files=(File(path="sub/first é.safetensors"), File(path="second.json")),
    licence="MIT",
)
FIRST, SECOND = (each.name for each in ENTRY.files)


@pytest.fixture
def library(folder, monkeypatch):
    monkeypatch.setattr(module, "CATALOGUE", (ENTRY,))
    return Library(folder / "models")


def put(library, *names, content=CONTENT):
    """Files as a download leaves them."""
    for name in names:
        path = library.folder_of(ENTRY) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        library.record(ENTRY, COMMIT, path, SHA256)


def raw(library):
    return json.loads((library.folder / RECORD).read_text(encoding="utf-8"))


# How things stand


def test_nothing_is_there_and_nothing_is_made_by_looking(library):
    assert library.status(ENTRY) == "missing"
    assert library.places == []
    assert library.files("pair") == []
    assert library.remove("pair") == []
    assert library.revision(ENTRY) == ""
    assert not library.folder.exists()


def test_from_missing_to_ready(library):
    part = part_of(library.folder_of(ENTRY) / FIRST, SHA256)
    part.parent.mkdir(parents=True)
    assert library.status(ENTRY) == "missing"
    part.write_bytes(b"wei")
    assert library.status(ENTRY) == "partial"
    part.unlink()
    put(library, FIRST)
    assert library.status(ENTRY) == "partial"
    put(library, SECOND)
    assert library.status(ENTRY) == "ready"
    assert library.revision(ENTRY) == COMMIT
    assert Library(library.folder).status(ENTRY) == "ready"


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b"!"])
def test_a_file_of_another_length_does_not_count(library, content):
    put(library, FIRST, SECOND)
    (library.folder_of(ENTRY) / FIRST).write_bytes(content)
    assert library.status(ENTRY) == "partial"


def test_what_lies_there_unrecorded_does_not_count(library):
    library.folder_of(ENTRY).mkdir(parents=True)
    for name in (FIRST, SECOND):
        (library.folder_of(ENTRY) / name).write_bytes(CONTENT)
    assert library.status(ENTRY) == "missing"
    assert library.remove("pair") == []
    assert (library.folder_of(ENTRY) / FIRST).exists()


def test_another_process_s_record_is_seen(library):
    assert library.status(ENTRY) == "missing"
    put(Library(library.folder), FIRST, SECOND)
    assert library.status(ENTRY) == "ready"


def test_a_look_reads_no_more_than_names_and_sizes(library, monkeypatch):
    put(library, FIRST, SECOND)
    library.status(ENTRY)
    opened = []
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path) or real(path))
    for _ in range(10):
        library.status(ENTRY)
    assert opened == []


def test_parts_of_different_contents_do_not_meet(library):
    path = library.folder_of(ENTRY) / FIRST
    assert part_of(path, "a" * 64) != part_of(path, "b" * 64)
    assert part_of(path, "../../x").parent == path.parent
    assert part_of(path, "").parent == path.parent


# Places


def test_places_are_used_where_they_lie(library, folder):
    lora = folder / "of ComfyUI" / "lora.safetensors"
    lora.parent.mkdir()
    lora.write_bytes(CONTENT)
    library.add_place(lora, ["lora"])
    library.add_place(folder / "a folder")
    assert library.places == [lora, folder / "a folder"]
    assert [each["holds"] for each in raw(library)["places"]] == [["lora"], []]
    assert library.status(ENTRY) == "elsewhere"
    lora.unlink()
    assert library.status(ENTRY) == "missing"
    assert library.remove_place(lora)
    assert not library.remove_place(lora)
    assert library.places == [folder / "a folder"]


def test_a_place_is_kept_once(library, folder):
    library.add_place(folder, ["vae"])
    library.add_place(folder / "x" / "..", ["lora"])
    assert library.places == [folder]
    assert raw(library)["places"] == [{"path": str(folder), "holds": ["lora"]}]


def test_removing_a_place_leaves_what_is_there(library, folder):
    (folder / "mine").write_bytes(CONTENT)
    library.add_place(folder / "mine", ["lora"])
    library.remove("pair")
    library.remove_place(folder / "mine")
    assert (folder / "mine").read_bytes() == CONTENT


# Removing


def test_what_was_downloaded_is_removed_and_nothing_else(library):
    put(library, FIRST, SECOND)
    own = library.folder_of(ENTRY)
    part = part_of(own / FIRST, "a" * 64)
    part.write_bytes(b"begun")
    beside = library.folder / "mine.safetensors"
    beside.write_bytes(b"mine")
    told = library.files("pair")
    assert sorted(library.remove("pair")) == sorted(told) == sorted([own / FIRST, own / SECOND, part])
    assert not own.exists()
    assert beside.exists()
    assert library.status(ENTRY) == "missing"
    assert "pair" not in raw(library)["entries"]


def test_what_somebody_put_beside_it_stays_with_its_folder(library):
    put(library, FIRST, SECOND)
    note = library.folder_of(ENTRY) / "note.txt"
    note.write_text("mine")
    assert len(library.remove("pair")) == 2
    assert sorted(library.folder_of(ENTRY).iterdir()) == [note]


def test_what_was_changed_since_stays(library):
    put(library, FIRST, SECOND)
    (library.folder_of(ENTRY) / FIRST).write_bytes(b"another's")
    assert library.remove("pair") == [library.folder_of(ENTRY) / SECOND]
    assert (library.folder_of(ENTRY) / FIRST).read_bytes() == b"another's"


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_nothing_is_removed_through_links(library, folder):
    put(library, FIRST, SECOND)
    elsewhere = folder / "elsewhere"
    library.folder_of(ENTRY).rename(elsewhere)
    library.folder_of(ENTRY).symlink_to(elsewhere)
    assert library.remove("pair") == []
    assert (elsewhere / FIRST).exists()
    library.folder_of(ENTRY).unlink()
    put(library, FIRST, SECOND)
    (library.folder_of(ENTRY) / FIRST).unlink()
    (library.folder_of(ENTRY) / FIRST).symlink_to(elsewhere / FIRST)
    assert library.remove("pair") == [library.folder_of(ENTRY) / SECOND]
    assert (elsewhere / FIRST).exists()


@pytest.mark.parametrize("id", ["..", "../pair", "/", "", ".", "pair/../..", "C:", "Pair\0"])
def test_an_id_leads_nowhere_else(library, id):  # noqa: A002
    put(library, FIRST, SECOND)
    assert library.remove(id) == []
    assert library.status(ENTRY) == "ready"


# A record that anybody may have written


@pytest.mark.parametrize("name", ["../../victim", "/etc/victim", "..", "a/b", "a\\b", "C:victim", "x\0y", ""])
def test_a_record_leads_nowhere_else(library, folder, name):
    victim = folder / "victim"
    victim.write_bytes(CONTENT)
    library.folder_of(ENTRY).mkdir(parents=True)
    kept = {"size": len(CONTENT), "sha256": SHA256, "mtime_ns": 0}
    record = {"recam_models": 1, "entries": {"pair": {"files": {name: kept}}, "../..": {"files": {"victim": kept}}}}
    (library.folder / RECORD).write_text(json.dumps(record))
    assert library.files("pair") == []
    assert library.remove("pair") == []
    assert library.remove("../..") == []
    assert victim.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "[" * 100_000,
        "\xff\xfe",
        '{"recam_models": 1, "entries": [], "places": {}}',
        '{"recam_models": 1, "entries": {"pair": 3, "": {}, "x": {"files": [1]}}, "places": [1, null, {"path": 3}]}',
        '{"recam_models": 1, "entries": {"pair": {"files": {"second.json": {"size": "1"}}}}, "places": [{"path": ""}]}',
        '{"recam_models": 1, "entries": {"pair": {"files": {"second.json": {"size": -1, "sha256": "", "mtime_ns": 0}}}}'
        "}",
        '{"recam_models": "1"}',
        '{"recam_models": 1, "places": [{"path": "/no name that a file can have: \\ud800"}]}',
    ],
)
def test_nonsense_is_taken_for_nothing_and_can_be_written_over(library, text):
    library.folder.mkdir()
    (library.folder / RECORD).write_text(text, encoding="latin-1")
    assert library.status(ENTRY) == "missing"
    assert library.places == []
    assert library.remove("pair") == []
    put(library, FIRST, SECOND)
    assert Library(library.folder).status(ENTRY) == "ready"


def test_a_record_of_a_newer_recam_is_not_written_over(library):
    library.folder.mkdir()
    text = json.dumps({"recam_models": 2, "entries": {"pair": "in a new way"}})
    (library.folder / RECORD).write_text(text)
    assert library.status(ENTRY) == "missing"
    with pytest.raises(LibraryError, match="newer ReCam"):
        library.add_place(library.folder)
    assert (library.folder / RECORD).read_text() == text


def test_a_huge_record_is_not_read(library):
    library.folder.mkdir()
    (library.folder / RECORD).write_text(json.dumps({"recam_models": 1, "places": [{"path": "/" + "x" * 5_000_000}]}))
    assert library.places == []


def test_a_record_is_never_half_written(library, monkeypatch):
    put(library, FIRST)
    before = raw(library)

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        library.add_place(library.folder)
    monkeypatch.undo()
    assert raw(library) == before
    assert Library(library.folder).places == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe with a name")
def test_a_pipe_in_the_record_s_place_is_not_waited_for(library):
    library.folder.mkdir()
    os.mkfifo(library.folder / RECORD)
    assert library.status(ENTRY) == "missing"
    put(library, FIRST, SECOND)
    assert library.status(ENTRY) == "ready"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe with a name")
def test_a_pipe_in_the_lock_s_place_is_not_waited_for(library):
    library.folder.mkdir()
    os.mkfifo(library.folder / ".recam-models.lock")
    with pytest.raises(OSError, match="recam-models"):
        library.add_place(library.folder)


@pytest.mark.parametrize("name", [RECORD, f"{RECORD}.new", ".recam-models.lock"])
def test_nothing_is_written_through_a_link(library, folder, name):
    library.folder.mkdir()
    victim = folder / "victim"
    victim.write_text("{}")
    (library.folder / name).symlink_to(victim)
    with contextlib.suppress(OSError):
        library.add_place(library.folder)
    assert victim.read_text() == "{}"


# Together


def test_many_at_once_lose_nothing(library, folder):
    threads = [
        threading.Thread(target=lambda each=each: Library(library.folder).add_place(folder / str(each)))
        for each in range(12)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(library.places) == sorted(folder / str(each) for each in range(12))


def test_a_lock_ends_with_the_process_that_has_it(folder):
    program = (
        "import sys; from pathlib import Path; from backend.models.locks import locked\n"
        "with locked(Path(sys.argv[1]), 'taken'):\n    print('locked', flush=True)\n    sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline().strip() == b"locked"
        with pytest.raises(LibraryError, match="taken"), locked(folder, "It is taken.", seconds=0.1):
            pass
        child.kill()
        child.wait()
        with locked(folder, "It is taken."):
            pass


def test_a_lock_that_goes_with_its_folder_leaves_no_two_alone(folder, monkeypatch):
    (folder / "something else").touch()
    lock, opened, may_go_on, alone, may_end = module_of_locks._lock, *(threading.Event() for _ in range(4))

    def second():
        with locked(folder, "It is taken."):
            alone.set()
            may_end.wait(10)

    def slow(descriptor):
        """It has opened the first one's file, and comes to lock it when that is gone."""
        if threading.current_thread() is thread and not opened.is_set():
            opened.set()
            may_go_on.wait(10)
        return lock(descriptor)

    monkeypatch.setattr(module_of_locks, "_lock", slow)
    thread = threading.Thread(target=second)
    with locked(folder, "It is taken.", tidies=True):
        thread.start()
        assert opened.wait(10)
    may_go_on.set()
    assert alone.wait(10)
    with pytest.raises(LibraryError, match="taken"), locked(folder, "It is taken.", seconds=0.0):
        pass
    may_end.set()
    thread.join()


# Where


def test_the_folder_is_where_the_system_has_such_things(monkeypatch, folder):
    for name in ("RECAM_DATA", "XDG_DATA_HOME", "RECAM_MODELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setattr(module.sys, "platform", "linux")
    assert default_folder() == folder / ".local" / "share" / "recam" / "models"
    monkeypatch.setenv("XDG_DATA_HOME", "not/absolute")
    assert default_folder() == folder / ".local" / "share" / "recam" / "models"
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    assert default_folder() == folder / "data" / "recam" / "models"
    monkeypatch.setattr(module.sys, "platform", "darwin")
    assert default_folder() == folder / "Library" / "Application Support" / "ReCam" / "models"
    monkeypatch.setattr(module.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(folder / "Local"))
    assert default_folder() == folder / "Local" / "ReCam" / "models"
    monkeypatch.setenv("RECAM_DATA", str(folder / "chosen"))
    assert default_folder() == folder / "chosen" / "models"
    assert chosen_folder() == folder / "chosen" / "models"
    monkeypatch.setenv("RECAM_MODELS", "~/models")
    assert chosen_folder() == folder / "models"
    assert chosen_folder(str(folder / "given")) == folder / "given"
