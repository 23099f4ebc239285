"""Downloads from a hub: what arrives, what is checked, and what is gone on with after a break."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import checkpoints
import pytest
from hub_server import COMMIT, Fault, Hub, git_hash

from backend.models import hub as hub_module
from backend.models import library as library_module
from backend.models.catalogue import Entry, File
from backend.models.hub import HubError, Patience, fetch
from backend.models.library import PART_ENDING, Library

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = Patience(tries=3, first=0.01, longest=0.02, stall=5.0)
NAME = "some/models/sub folder/net é.safetensors"
CONFIG = b'{"made": "for a test"}\n'


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A tiny network's file: about 2 MB."""
    path = checkpoints.write(tmp_path_factory.mktemp("weights") / "net.safetensors", checkpoints.transformer())
    return path.read_bytes()


@pytest.fixture
def hub(weights):
    with Hub() as server:
        server.files[NAME] = weights
        server.files["some/models/sub folder/config.json"] = CONFIG
        yield server


@pytest.fixture
def library(folder):
    return Library(folder / "models")


def entry(*, revision=COMMIT, sha256=None, size=None, what="transformer", config=False, kind="model"):
    files = [File(path="sub folder/net é.safetensors", sha256=sha256, size=size)]
    if config:
        files.append(File(path="sub folder/config.json"))
    return Entry(
        id="tiny",
        title="A tiny network",
        purpose="For a test.",
        what=what,
        repository="some/models",
        revision=revision,
        kind=kind,
        files=tuple(files),
        licence="MIT",
    )


def get(hub, library, wanted=None, *, report=lambda progress: None, cancelled=lambda: False, patience=PATIENCE):
    return fetch(wanted or entry(), library, report=report, cancelled=cancelled, mirror=hub.url, patience=patience)


def parts(library):
    return sorted(library.folder.glob(f"**/*{PART_ENDING}"))


def refused(hub, library, *arguments, **keywords):
    """The error of a download that left nothing that counts as good."""
    with pytest.raises(HubError) as caught:
        get(hub, library, *arguments, **keywords)
    assert library.status(entry()) != "ready"
    assert not list(library.folder.glob("**/*.safetensors"))
    return caught.value


# What arrives


def test_all_files_arrive_and_are_recorded(hub, library, weights):
    wanted = entry(config=True)
    network, config = get(hub, library, wanted)
    assert network == library.folder / "tiny" / "net é.safetensors"
    assert network.read_bytes() == weights
    assert config.read_bytes() == CONFIG
    kept = library.kept(wanted)["net é.safetensors"]
    assert (kept.size, kept.sha256) == (len(weights), hashlib.sha256(weights).hexdigest())
    assert library.status(wanted) == "ready"
    assert library.revision(wanted) == COMMIT
    assert not parts(library)


def test_what_is_there_is_not_asked_for_again(hub, library):
    get(hub, library)
    before = len(hub.requests)
    get(hub, library)
    assert len(hub.requests) == before


def test_the_newest_of_main_is_taken_and_pinned(hub, library, weights):
    wanted = entry(revision="main", config=True)
    get(hub, library, wanted)
    assert all(f"/resolve/{COMMIT}/" in each.path for each in hub.requests_for("GET"))
    hub.files[NAME] = checkpoints_of_another(weights)
    get(hub, library, wanted)
    assert (library.folder / "tiny" / "net é.safetensors").read_bytes() == hub.files[NAME]


def checkpoints_of_another(weights):
    """The same names and shapes, with other numbers."""
    return weights[:-4] + b"\0\0\0\0"


def test_a_data_set_is_asked_for_as_one(hub, library, weights):
    hub.files[f"datasets/{NAME}"] = hub.files.pop(NAME)
    get(hub, library, entry(kind="dataset", what="data"))
    assert library.status(entry()) == "ready"


def test_a_small_file_is_checked_by_git_s_hash(hub, library):
    hub.faults.append(Fault("GET", times=1))  # the network's
    hub.faults.append(Fault("GET", content=CONFIG.replace(b"test", b"tset")))
    with pytest.raises(HubError) as caught:
        get(hub, library, entry(config=True))
    assert caught.value.kind == "wrong"
    assert git_hash(CONFIG) in str(caught.value)
    assert library.status(entry(config=True)) == "partial"
    get(hub, library, entry(config=True))
    assert library.status(entry(config=True)) == "ready"


# How far it is


def test_bytes_speed_and_time_left_are_told(hub, library, weights):
    hub.pause, hub.piece = 0.05, 1 << 16
    told = []
    get(hub, library, report=told.append)
    told = [each for each in told if each.phase == "Downloading A tiny network"]
    assert [each.step for each in told] == sorted(each.step for each in told)
    assert {each.total for each in told} == {len(weights)}
    assert {each.unit for each in told} == {"bytes"}
    assert (told[0].step, told[-1].step) == (0, len(weights))
    paced = [each for each in told if each.per_second]
    assert paced
    # 64 KiB every 0.05 s, or slower where the machine is busy.
    assert all(1e5 < each.per_second < 1.6e6 for each in paced)
    for each in paced:
        assert each.seconds_left == pytest.approx((each.total - each.step) / each.per_second)


# After a break


def test_a_broken_transfer_goes_on_from_there(hub, library, weights):
    hub.faults.extend([Fault("DATA", cut=300_000), Fault("DATA", cut=500_000)])
    get(hub, library)
    assert [each.start for each in hub.requests_for("DATA")] == [0, 300_000, 800_000]
    assert hub.sent == len(weights)


def test_so_does_one_that_ended_without_an_error(hub, library, weights):
    hub.faults.append(Fault("DATA", short=1000))
    get(hub, library)
    assert [each.start for each in hub.requests_for("DATA")] == [0, len(weights) - 1000]


def test_the_next_download_goes_on_where_one_gave_up(hub, library, weights):
    hub.faults.extend([Fault("DATA", cut=700_000), Fault("GET", status=500, times=99)])
    error = refused(hub, library)
    assert error.kind == "server"
    assert library.status(entry()) == "partial"
    hub.faults.clear()
    hub.requests.clear()
    told = []
    get(hub, library, report=told.append)
    assert [each.start for each in hub.requests_for("DATA")] == [700_000]
    downloading = [each for each in told if each.phase.startswith("Downloading")]
    assert (downloading[0].step, downloading[0].total) == (700_000, len(weights))
    assert hub.sent == len(weights)


FETCH = """
import json, sys
from pathlib import Path
from backend.models.catalogue import Entry
from backend.models.hub import fetch
from backend.models.library import Library
fetch(
    Entry.from_json(json.loads(sys.argv[1])),
    Library(Path(sys.argv[2])),
    report=lambda progress: None,
    cancelled=lambda: False,
    mirror=sys.argv[3],
)
"""


def arguments(hub, library, *, mirror=True):
    """Of that program."""
    return [json.dumps(entry().to_json()), str(library.folder), hub.url if mirror else ""]


def test_a_download_whose_process_was_killed_is_gone_on_with(hub, library, weights, folder):
    hub.pause = 0.005
    child = subprocess.Popen([sys.executable, "-c", FETCH, *arguments(hub, library)], cwd=ROOT)
    hub.wait_until_sent(500_000)
    child.kill()
    child.wait()
    there = parts(library)[0].stat().st_size
    assert 0 < there < len(weights)
    assert library.status(entry()) == "partial"
    hub.pause = 0.0
    hub.requests.clear()
    get(hub, library)
    assert [each.start for each in hub.requests_for("DATA")] == [there]
    assert (library.folder / "tiny" / "net é.safetensors").read_bytes() == weights


def test_a_server_without_ranges_sends_all_of_it_anew(hub, library, weights):
    hub.faults.extend([Fault("DATA", cut=300_000), Fault("DATA", ignores_range=True)])
    get(hub, library)
    assert hub.sent == 300_000 + len(weights)
    assert library.status(entry()) == "ready"


def test_a_part_that_was_damaged_meanwhile_is_got_anew(hub, library, weights):
    leave_part(hub, library)
    part = parts(library)[0]
    with part.open("r+b") as file:
        file.write(b"damaged")
    get(hub, library)
    assert (library.folder / "tiny" / "net é.safetensors").read_bytes() == weights
    assert [each.start for each in hub.requests_for("DATA")][-1] == 0


def test_a_part_that_is_too_long_is_got_anew(hub, library, weights):
    leave_part(hub, library)
    with parts(library)[0].open("ab") as file:
        file.write(bytes(len(weights)))
    get(hub, library)
    assert (library.folder / "tiny" / "net é.safetensors").read_bytes() == weights


def leave_part(hub, library):
    """Break a download off, and have its part there."""
    hub.faults.append(Fault("DATA", cut=1_000_000))
    with pytest.raises(HubError):
        get(hub, library, cancelled=lambda: hub.sent >= 1_000_000)
    hub.faults.clear()
    assert parts(library)
    assert library.status(entry()) == "partial"


def test_a_part_of_another_content_is_not_gone_on_with(hub, library, weights):
    leave_part(hub, library)
    hub.files[NAME] = checkpoints_of_another(weights)
    hub.requests.clear()
    get(hub, library)
    assert hub.requests_for("DATA")[0].start == 0
    assert not parts(library)


# What is not kept


def test_a_content_with_another_hash_is_removed(hub, library, weights):
    hub.faults.append(Fault("DATA", content=checkpoints_of_another(weights)))
    error = refused(hub, library)
    assert error.kind == "wrong"
    assert hashlib.sha256(weights).hexdigest() in str(error)
    assert "was removed" in str(error)
    assert not parts(library)


def test_a_content_that_does_not_end_is_removed(hub, library, weights):
    hub.faults.append(Fault("DATA", content=weights + bytes(100_000)))
    error = refused(hub, library)
    assert error.kind == "wrong"
    assert not parts(library)


@pytest.mark.parametrize("known", [{"sha256": "0" * 64}, {"size": 17}])
def test_another_file_than_the_catalogue_s_is_not_downloaded(hub, library, known):
    error = refused(hub, library, entry(**known))
    assert error.kind == "wrong"
    assert str(known.get("sha256", known.get("size"))) in str(error)
    assert not hub.requests_for("DATA")


def test_the_catalogue_s_hash_counts_where_the_hub_names_none(hub, library, weights):
    hub.faults.append(Fault("HEAD", headers={"X-Linked-Etag": '"a mirror\'s own"'}))
    hub.faults.append(Fault("DATA", content=checkpoints_of_another(weights)))
    error = refused(hub, library, entry(sha256=hashlib.sha256(weights).hexdigest()))
    assert error.kind == "wrong"


def test_another_kind_of_model_is_removed(hub, library, tmp_path):
    path = checkpoints.write(tmp_path / "vae.safetensors", checkpoints.vae())
    hub.files[NAME] = path.read_bytes()
    error = refused(hub, library)
    assert error.kind == "wrong"
    assert "Wan 2.1's VAE" in str(error)
    assert "ReCamMaster's network was expected" in str(error)
    assert not parts(library)


def test_a_web_page_is_no_model(hub, library):
    hub.files[NAME] = b"<!DOCTYPE html><p>Please log in</p>" * 200
    error = refused(hub, library)
    assert "a web page" in str(error)


# What is not ReCam's


def test_a_file_in_the_way_is_left_as_it_is(hub, library):
    path = library.folder / "tiny" / "net é.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    with pytest.raises(HubError) as caught:
        get(hub, library)
    assert caught.value.kind == "foreign"
    assert str(path) in str(caught.value).replace("\\\\", "\\").replace("\\'", "'")
    assert path.read_bytes() == b"mine"
    assert not hub.requests_for("DATA")


def test_the_right_file_that_lies_there_is_taken_over(hub, library, weights):
    path = library.folder / "tiny" / "net é.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(weights)
    get(hub, library)
    assert not hub.requests_for("DATA")
    assert library.status(entry()) == "ready"


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_nothing_is_written_through_a_link(hub, library, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    library.folder.mkdir()
    (library.folder / "tiny").symlink_to(elsewhere)
    with pytest.raises(HubError) as caught:
        get(hub, library)
    assert caught.value.kind == "foreign"
    assert not list(elsewhere.iterdir())


# The disk


def test_room_is_looked_for_before_anything_is_downloaded(hub, library, weights, monkeypatch):
    usage = shutil.disk_usage(ROOT)
    free = len(weights) + hub_module.MARGIN - 1
    monkeypatch.setattr(hub_module.shutil, "disk_usage", lambda path: usage._replace(free=free))
    error = refused(hub, library)
    assert error.kind == "disk"
    assert "2.0 MB" in str(error)
    assert "202 MB are free" in str(error)
    assert not hub.requests_for("DATA")
    monkeypatch.setattr(hub_module.shutil, "disk_usage", lambda path: usage._replace(free=free + 1))
    get(hub, library)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_becomes_full_keeps_what_is_there(hub, library, weights, monkeypatch, number):
    write, room = os.write, [600_000]

    def full(descriptor, data):
        if room[0] <= 0:
            raise OSError(number, os.strerror(number))
        done = write(descriptor, data[: room[0]])
        room[0] -= done
        return done

    monkeypatch.setattr(hub_module.os, "write", full)
    error = refused(hub, library)
    monkeypatch.undo()
    assert error.kind == "disk"
    assert "make room and try again" in str(error)
    assert parts(library)[0].stat().st_size == 600_000
    hub.requests.clear()
    get(hub, library)
    assert [each.start for each in hub.requests_for("DATA")] == [600_000]


@pytest.mark.skipif(os.name != "posix", reason="a limit of POSIX")
def test_a_file_that_the_system_does_not_let_grow(hub, library, monkeypatch):
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, before[1]))
    try:
        error = refused(hub, library)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert error.kind == "disk"
    assert "FAT" in str(error)
    assert parts(library)[0].stat().st_size == 500_000


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_rights(hub, library):
    library.folder.mkdir()
    library.folder.chmod(0o500)
    error = refused(hub, library)
    library.folder.chmod(0o700)
    assert error.kind == "disk"
    assert "may not write" in str(error)


# Cancelling, and company


def test_a_cancelled_download_is_gone_on_with(hub, library, weights):
    hub.pause = 0.005
    error = refused(hub, library, cancelled=lambda: hub.sent > 400_000)
    assert error.kind == "cancelled"
    there = parts(library)[0].stat().st_size
    assert 0 < there < len(weights)
    hub.pause = 0.0
    hub.requests.clear()
    get(hub, library)
    assert [each.start for each in hub.requests_for("DATA")] == [there]


def test_a_cancel_does_not_wait_for_the_network(hub, library):
    hub.faults.append(Fault("DATA", stall=100_000, times=9))
    asked = threading.Event()
    threading.Thread(target=lambda: (hub.wait_until_sent(100_000), asked.set()), daemon=True).start()
    begun = time.monotonic()
    error = refused(hub, library, cancelled=asked.is_set, patience=Patience(stall=60.0))
    assert error.kind == "cancelled"
    assert time.monotonic() - begun < 5.0


def test_two_downloads_of_one_entry_do_not_write_into_the_same_file(hub, library, monkeypatch):
    hub.faults.append(Fault("DATA", stall=100_000))
    ending = threading.Event()

    def first():
        with contextlib.suppress(HubError):
            get(hub, library, cancelled=ending.is_set, patience=Patience(stall=60.0))

    thread = threading.Thread(target=first, daemon=True)
    thread.start()
    hub.wait_until_sent(100_000)
    error = refused(hub, library)
    assert error.kind == "busy"
    monkeypatch.setattr(library_module, "CATALOGUE", (entry(),))
    with pytest.raises(OSError, match="cancel that first"):
        library.remove("tiny")
    ending.set()
    thread.join()
    get(hub, library)
    assert library.remove("tiny")
    assert not (library.folder / "tiny").exists()


# What the environment says


def test_the_usual_variables_name_the_hub_and_the_token(hub, library):
    env = os.environ | {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_of_mine", "HF_HOME": str(library.folder)}
    command = [sys.executable, "-c", FETCH, *arguments(hub, library, mirror=False)]
    subprocess.run(command, cwd=ROOT, env=env, check=True)
    assert library.status(entry()) == "ready"
    for each in hub.requests:
        # The hub gets it, the server that it sends one on to does not.
        assert each.headers.get("authorization") == (None if each.on == "DATA" else "Bearer hf_of_mine")


def test_no_token_goes_to_a_mirror_that_the_environment_does_not_name(hub, library, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_of_mine")
    get(hub, library)
    assert all("authorization" not in each.headers for each in hub.requests)
    assert all(each.path.startswith(("/some/models/resolve/", "/stored/")) for each in hub.requests)
