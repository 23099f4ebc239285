"""Downloads that break off: by the network, a full disk, a cancel, a kill; and how the next one goes on from there."""

import contextlib
import errno
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time

import huggingface_hub
import pytest
from downloads import FILE, NAME, ROOT, entry, get, other, parts, refused, serving
from downloads import weights as tiny_weights
from hub_server import Fault

from backend.models import hub as hub_module
from backend.models import library as library_module
from backend.models.hub import HubError, Patience, fetch
from backend.models.library import Library

WEIGHTS = tiny_weights()


@pytest.fixture
def hub():
    with serving() as server:
        yield server


@pytest.fixture
def library(folder):
    return Library(folder / "models")


# After a break


def test_a_broken_transfer_goes_on_from_there(hub, library):
    hub.faults.extend([Fault("DATA", cut=300_000), Fault("DATA", cut=500_000)])
    get(hub, library)
    assert [each.start for each in hub.requests_for("DATA")] == [0, 300_000, 800_000]
    assert hub.sent == len(WEIGHTS)


def test_so_does_one_that_ended_without_an_error(hub, library):
    hub.faults.append(Fault("DATA", short=1000))
    get(hub, library)
    assert [each.start for each in hub.requests_for("DATA")] == [0, len(WEIGHTS) - 1000]


def test_the_next_download_goes_on_where_one_gave_up(hub, library):
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
    assert (downloading[0].step, downloading[0].total) == (700_000, len(WEIGHTS))
    assert hub.sent == len(WEIGHTS)


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


def test_a_download_whose_process_was_killed_is_gone_on_with(hub, library, folder):
    hub.pause = 0.005
    child = subprocess.Popen([sys.executable, "-c", FETCH, *arguments(hub, library)], cwd=ROOT)
    hub.wait_until_sent(500_000)
    child.kill()
    child.wait()
    there = parts(library)[0].stat().st_size
    assert 0 < there < len(WEIGHTS)
    assert library.status(entry()) == "partial"
    hub.pause = 0.0
    hub.requests.clear()
    get(hub, library)
    assert [each.start for each in hub.requests_for("DATA")] == [there]
    assert (library.folder / "tiny" / FILE).read_bytes() == WEIGHTS


def test_a_server_without_ranges_sends_all_of_it_anew(hub, library):
    hub.faults.extend([Fault("DATA", cut=300_000), Fault("DATA", ignores_range=True)])
    get(hub, library)
    assert hub.sent == 300_000 + len(WEIGHTS)
    assert library.status(entry()) == "ready"


def test_a_part_that_was_damaged_meanwhile_is_got_anew(hub, library):
    leave_part(hub, library)
    part = parts(library)[0]
    with part.open("r+b") as file:
        file.write(b"damaged")
    hub.piece, hub.pause, told = 200_000, 0.05, []  # slow enough to be told on the way
    get(hub, library, report=told.append)
    assert (library.folder / "tiny" / FILE).read_bytes() == WEIGHTS
    assert [each.start for each in hub.requests_for("DATA")][-1] == 0
    steps = [each.step for each in told if each.phase.startswith("Downloading")]
    assert sorted(steps) != steps, "what is got again is counted again"


def test_a_part_that_is_too_long_is_got_anew(hub, library):
    leave_part(hub, library)
    with parts(library)[0].open("ab") as file:
        file.write(bytes(len(WEIGHTS)))
    get(hub, library)
    assert (library.folder / "tiny" / FILE).read_bytes() == WEIGHTS


def leave_part(hub, library):
    """Break a download off, and have its part there."""
    hub.faults.extend([Fault("DATA", cut=1_000_000), Fault("GET", status=500, times=99)])
    with pytest.raises(HubError):
        get(hub, library)
    hub.faults.clear()
    assert [each.stat().st_size for each in parts(library)] == [1_000_000]
    assert library.status(entry()) == "partial"


def test_another_range_than_was_asked_for_is_not_taken(hub, library):
    lie = {"Content-Range": "bytes 0-5/6"}
    hub.faults += [Fault("DATA", cut=1_000_000), Fault("DATA", status=206, headers=lie, body=b"wrong!")]
    get(hub, library)
    starts = [each.start for each in hub.requests_for("DATA")]
    assert starts[1] > 0
    assert starts == [0, starts[1], starts[1]], "it is asked for once more, and nothing begins anew"


def test_a_server_that_has_no_such_range_is_asked_for_all(hub, library):
    leave_part(hub, library)
    there = parts(library)[0].stat().st_size
    hub.requests.clear()
    hub.faults.append(Fault("DATA", status=416))
    get(hub, library)
    assert [each.start for each in hub.requests_for("DATA")] == [there, 0]


def test_a_part_of_another_content_is_not_gone_on_with(hub, library):
    leave_part(hub, library)
    hub.files[NAME] = other(WEIGHTS)
    hub.requests.clear()
    get(hub, library)
    assert hub.requests_for("DATA")[0].start == 0
    assert not parts(library)


@pytest.mark.parametrize("seed", range(24))
def test_whatever_goes_wrong_only_the_right_file_is_kept(hub, library, seed):
    draw = random.Random(seed)
    hub.faults.extend(some_fault(draw) for _ in range(draw.randint(2, 8)))
    path = library.folder / "tiny" / FILE
    kinds = set()
    for _ in range(12):
        stop = draw.randrange(2 * len(WEIGHTS)) + hub.sent
        try:
            get(hub, library, cancelled=lambda stop=stop: hub.sent > stop)
        except HubError as error:
            kinds.add(error.kind)
            assert not path.exists()
            assert library.status(entry()) != "ready"
        else:
            break
    assert kinds <= {"wrong", "network", "server", "limit", "cancelled"}
    assert path.read_bytes() == WEIGHTS
    assert library.status(entry()) == "ready"
    assert not parts(library)


def some_fault(draw):
    where = draw.randrange(len(WEIGHTS))
    kinds = [
        Fault("DATA", cut=where),
        Fault("DATA", short=where),
        Fault("DATA", ignores_range=True),
        Fault("DATA", ignores_range=True, cut=where),
        Fault("DATA", content=WEIGHTS[:where] + b"?" + WEIGHTS[where + 1 :]),
        Fault("DATA", content=WEIGHTS[:where]),
        Fault("DATA", content=WEIGHTS + bytes(1000)),
        Fault("DATA", status=416),
        Fault(draw.choice(["GET", "DATA", "HEAD"]), status=429, headers={"Retry-After": "0"}),
        Fault(draw.choice(["GET", "DATA", "HEAD"]), status=draw.choice([500, 503]), times=draw.randint(1, 4)),
    ]
    return draw.choice(kinds)


# The disk


def test_room_is_looked_for_before_anything_is_downloaded(hub, library, monkeypatch):
    usage = shutil.disk_usage(ROOT)
    free = len(WEIGHTS) + hub_module.MARGIN - 1
    monkeypatch.setattr(hub_module.shutil, "disk_usage", lambda path: usage._replace(free=free))
    error = refused(hub, library)
    assert error.kind == "disk"
    assert "2.0 MB" in str(error)
    assert "202 MB are free" in str(error)
    assert not hub.requests_for("DATA")
    monkeypatch.setattr(hub_module.shutil, "disk_usage", lambda path: usage._replace(free=free + 1))
    get(hub, library)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_becomes_full_keeps_what_is_there(hub, library, monkeypatch, number):
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


def test_a_cancelled_download_is_gone_on_with(hub, library):
    hub.pause = 0.005
    error = refused(hub, library, cancelled=lambda: hub.sent > 400_000)
    assert error.kind == "cancelled"
    there = parts(library)[0].stat().st_size
    assert 0 < there < len(WEIGHTS)
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


@pytest.mark.parametrize(
    ("name", "value", "kind", "said"),
    [
        ("SSL_CERT_FILE", "/no/such é.pem", "network", "SSL_CERT_FILE names '/no/such é.pem', where no certificates"),
        ("SSL_CERT_FILE", __file__, "network", "where no certificates can be read"),
        ("HTTP_PROXY", "socks5://me:secret@127.0.0.1:1", "network", "The proxy 127.0.0.1:1 is of a kind"),
        ("HTTP_PROXY", "ftp://me:secret@127.0.0.1:1", "network", "The proxy 127.0.0.1:1 is of a kind"),
        ("HF_TOKEN", "“secret”", "token", "HF_TOKEN has characters that no token has"),
    ],
)
def test_settings_that_make_no_sense_are_named(library, monkeypatch, name, value, kind, said):
    for each in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{each}_proxy", raising=False)
        monkeypatch.delenv(f"{each}_proxy".upper(), raising=False)
    monkeypatch.setenv(name, value)
    address = "http://127.0.0.1:1"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)  # or it would get no token
    huggingface_hub.close_session()
    try:
        with pytest.raises(HubError) as caught:
            fetch(entry(), library, report=lambda _: None, cancelled=lambda: False, patience=Patience(tries=1))
    finally:
        monkeypatch.undo()
        huggingface_hub.close_session()
    assert caught.value.kind == kind
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_no_token_goes_to_a_mirror_that_the_environment_does_not_name(hub, library, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_of_mine")
    get(hub, library)
    assert all("authorization" not in each.headers for each in hub.requests)
    assert all(each.path.startswith(("/some/models/resolve/", "/stored/")) for each in hub.requests)
