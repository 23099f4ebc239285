"""Set-up where something is wrong: each fault is told as what it is, with what to do, and leaves nothing half good."""

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest
from package_index import wheel

from backend import environment
from backend.environment import SetupError, children, making, pip


def failure(place, **fields):
    """What an installation from the index fails with; the folder is not ready then, and can be set up later."""
    with pytest.raises(SetupError) as caught:
        place.install(**({"wheels": ""} | fields))
    assert environment.state(place.folder).kind in ("missing", "unfinished")
    return caught.value


def test_no_network(place, quick, index, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{closed.getsockname()[1]}/simple/")
        error = failure(place)
    assert error.kind == "network"
    assert "no connection to the package index" in str(error)
    assert "The whole log: " in str(error)
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    assert place.install(wheels="").kind == "ready"


def test_a_proxy_that_refuses(place, quick, index, monkeypatch):
    with listening(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n") as port:
        monkeypatch.setenv("PIP_INDEX_URL", "https://pypi.example/simple/")
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "")
        error = failure(place)
    assert (error.kind, "proxy refused" in str(error)) == ("network", True)


def test_a_proxy_that_is_not_there(place, quick, index, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PIP_PROXY", f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.setenv("PIP_INDEX_URL", "https://pypi.example/simple/")
        error = failure(place)
    assert (error.kind, "proxy" in str(error).partition("\n")[0]) == ("network", True)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="it makes the certificate")
def test_a_server_that_is_not_who_it_says(place, quick, index, monkeypatch, tmp_path):
    """What a company's firewall looks like from inside, or a wrong clock."""
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")]
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run(["openssl", "req", *options, *files], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    with listening(b"", tls) as port:
        monkeypatch.setenv("PIP_INDEX_URL", f"https://127.0.0.1:{port}/simple/")
        error = failure(place)
    assert (error.kind, "certificate" in str(error)) == ("network", True)


def test_a_server_that_does_not_answer(place, quick, index, monkeypatch):
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "0.5")
    with listening(None) as port:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple/")
        error = failure(place)
    assert (error.kind, "did not answer in time" in str(error)) == ("network", True)


@pytest.mark.parametrize("status", [403, 503])
def test_an_index_with_errors(place, quick, index, status):
    index.status["/files/"] = status
    error = failure(place)
    assert (error.kind, f"error {status}" in str(error)) == ("network", True)


def test_an_index_that_has_not_what_is_needed(place, quick, index):
    index.status["/simple/shot"] = 404
    error = failure(place)
    assert (error.kind, "no shot==1" in str(error)) == ("packages", True)


def test_an_index_that_lies_about_hashes(place, quick, index):
    name = "shot-1-py3-none-any.whl"
    index.lies.add(name)
    error = failure(place)
    assert (error.kind, "not what the index says it is" in str(error)) == ("packages", True)
    index.lies.clear()
    assert place.install(wheels="").kind == "ready"


def test_an_index_that_breaks_off(place, quick, index, empty):
    name = wheel(place.wheels, "5", "version = 5", size=600_000).name
    place.pin("backend", "shot==5")
    index.broken[name] = 300_000
    error = failure(place)
    if pip.version(empty) < pip.RAW:  # it takes what came for the whole, and finds that its hash is wrong
        assert (error.kind, "transfer was damaged" in str(error)) == ("packages", True)
    else:
        assert (error.kind, "broke off" in str(error)) == ("network", True)
    index.broken.clear()
    assert place.install(wheels="").kind == "ready"


def test_a_wheel_that_is_none(place, quick, index):
    (place.wheels / "shot-1-py3-none-any.whl").write_bytes(b"<html>Sign in to the hotel's network</html>")
    error = failure(place)
    assert (error.kind, "damaged" in str(error)) == ("packages", True)


def test_packages_that_need_what_does_not_exist(place, quick, index):
    wheel(place.wheels, "5", "version = 5", needs=["nothing-of-that-name>=3"])
    place.pin("backend", "shot==5")
    error = failure(place)
    assert (error.kind, "nothing-of-that-name" in str(error)) == ("packages", True)


# The disk


def test_too_little_room_is_told_before_anything_is_begun(place, quick, monkeypatch):
    monkeypatch.setattr(making, "_room_needed", lambda recipe, held: 5 * 10**9)
    usage = shutil.disk_usage(place.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2 * 10**9))
    error = failure(place)
    assert (error.kind, "5.0 GB are needed" in str(error), "2.0 GB are free" in str(error)) == ("disk", True, True)
    assert not place.folder.exists()


@pytest.mark.skipif(os.name == "nt", reason="limits are POSIX's")
def test_a_disk_that_is_full_on_the_way(place, quick):
    """No file may grow beyond a size: the system's own limit stands in for a full disk."""
    import resource

    wheel(place.wheels, "5", "version = 5", size=3_000_000)
    place.pin("backend", "shot==5")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, before[1]))
    try:
        error = failure(place, wheels=str(place.wheels))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (error.kind, "disk is full" in str(error)) == ("disk", True)
    assert place.install().kind == "ready"


@pytest.mark.skipif(os.name == "nt", reason="limits are POSIX's")
def test_a_disk_that_is_full_for_the_marker(place, quick, monkeypatch):
    monkeypatch.setattr(making.marker.os, "fsync", full)
    error = failure(place)
    assert (error.kind, "disk is full" in str(error)) == ("disk", True)
    monkeypatch.undo()


def full(_descriptor):
    raise OSError(28, "No space left on device")


def test_a_place_that_cannot_be_written_to(place, quick, monkeypatch):
    place.environments.write_text("a file where the folder should be")
    error = failure(place)
    assert "cannot be made" in str(error)
    assert str(place.environments) in str(error)


def test_a_place_without_rights(place, quick, monkeypatch):
    """What the system says to whoever is not root."""

    def refuse(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(making.Path, "mkdir", refuse)
    text = str(failure(place))
    assert text.startswith(f"{place.environments} may not be written to.")


# What does not work in the end


def test_packages_that_do_not_work_here_are_told_and_are_not_ready(place, quick):
    place.pin("backend", "shot==3")
    error = failure(place, wheels=str(place.wheels))
    assert (error.kind, "libXi.so.6" in str(error)) == ("verify", True)


def test_a_check_that_crashes_is_told(place, quick, monkeypatch):
    crash = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    monkeypatch.setattr(making, "_check_command", lambda python, engine: [str(python), "-c", crash])
    error = failure(place, wheels=str(place.wheels))
    assert (error.kind, "signal 11" in str(error)) == ("verify", True)


def test_a_check_that_says_nothing_is_told(place, quick, monkeypatch):
    monkeypatch.setattr(making, "_check_command", lambda python, engine: [str(python), "-c", ""])
    assert failure(place, wheels=str(place.wheels)).kind == "verify"


def test_a_check_that_hangs_is_stopped_and_what_it_started_too(place, quick, index, monkeypatch, tmp_path):
    note = tmp_path / "process"
    hang = f"import os, pathlib, time; pathlib.Path({str(note)!r}).write_text(str(os.getpid())); time.sleep(600)"

    def command(python, _engine):
        monkeypatch.setattr(children, "SILENCE", 2.0)
        return [str(python), "-c", hang]

    monkeypatch.setattr(making, "_check_command", command)
    error = failure(place)
    assert "said nothing for" in str(error)
    assert str(environment.log_of(place.folder)) in str(error)
    until = time.monotonic() + 10
    while _is_alive(int(note.read_text())) and time.monotonic() < until:  # another process than this kills it
        time.sleep(0.05)
    assert not _is_alive(int(note.read_text()))


def _is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


# Servers


@contextlib.contextmanager
def listening(answer, tls=None):
    """A port where whoever comes gets this answer; None: nothing at all, ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    kept.append(connection)
                    threading.Thread(target=speak, args=(connection,), daemon=True).start()

        def speak(connection):
            with contextlib.suppress(OSError):
                if tls is not None:
                    tls.wrap_socket(connection, server_side=True)
                elif answer is not None:
                    connection.recv(4096)
                    connection.sendall(answer)
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        for each in kept:
            each.close()
