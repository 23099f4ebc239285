"""What a hub, and what stands between it and the user, can do wrong: each a clear message, and nothing kept as good."""

import contextlib
import email.utils
import shutil
import socket
import ssl
import subprocess
import threading
import time

import checkpoints
import huggingface_hub
import pytest
from hub_server import COMMIT, Fault, Hub
from huggingface_hub import constants

from backend.models.catalogue import Entry, File
from backend.models.hub import HubError, Patience, fetch
from backend.models.library import Library
from backend.models.trouble import KINDS

PATIENCE = Patience(tries=3, first=0.01, longest=0.02, asked=5.0, stall=0.3)
PATH = "net.safetensors"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = checkpoints.write(tmp_path_factory.mktemp("weights") / "net.safetensors", checkpoints.lora())
    return path.read_bytes()


@pytest.fixture
def hub(weights):
    with Hub() as server:
        server.files[f"some/models/{PATH}"] = weights
        yield server


@pytest.fixture
def library(folder):
    return Library(folder / "models")


def entry(path=PATH, repository="some/models", revision=COMMIT):
    return Entry(
        id="tiny",
        title="A tiny LoRA",
        purpose="For a test.",
        what="lora",
        repository=repository,
        revision=revision,
        files=(File(path=path),),
        licence="MIT",
    )


class Told(list):
    """What was reported."""

    def waits(self):
        return [each for each in self if each.phase.startswith("Waiting")]


def host(url):
    return url.removeprefix("http://")


def get(hub, library, wanted=None, *, told=None, patience=PATIENCE, mirror=None, cancelled=lambda: False):
    return fetch(
        wanted or entry(),
        library,
        report=(Told() if told is None else told).append,
        cancelled=cancelled,
        mirror=mirror or hub.url,
        patience=patience,
    )


def refused(hub, library, wanted=None, **keywords):
    """The error's kind and text, of a download that left nothing that counts as good."""
    with pytest.raises(HubError) as caught:
        get(hub, library, wanted, **keywords)
    assert library.status(wanted or entry()) in ("missing", "partial")
    assert not list(library.folder.glob("**/*.safetensors"))
    assert caught.value.kind in KINDS
    text = str(caught.value)
    assert text.endswith((".", "?"))
    assert "\n" not in text
    return caught.value.kind, text


# Who may have it


@pytest.mark.parametrize("status", [401, 403])
def test_terms_that_were_not_accepted(hub, library, status):
    hub.faults.append(Fault("HEAD", status=status, headers={"X-Error-Code": "GatedRepo"}))
    kind, text = refused(hub, library)
    assert kind == "gated"
    assert "https://huggingface.co/some/models" in text
    assert "HF_TOKEN" in text


def test_who_asks_is_not_known(hub, library):
    hub.faults.append(Fault("HEAD", status=401))
    kind, text = refused(hub, library)
    assert kind == "token"
    assert "set HF_TOKEN" in text
    assert len(hub.requests) == 1  # asking again would not help


def test_a_token_that_is_not_valid(hub, library, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    said = {"X-Error-Message": "Invalid credentials in Authorization header"}
    hub.faults.append(Fault("HEAD", status=401, headers=said))
    kind, text = refused(hub, library)
    assert hub.requests[0].headers["authorization"] == "Bearer hf_expired"
    assert kind == "token"
    assert "does not accept the token" in text
    assert "hf_expired" not in text


@pytest.mark.parametrize("on", ["HEAD", "GET", "DATA"])
def test_refused(hub, library, on):
    hub.faults.append(Fault(on, status=403, headers={"X-Error-Message": "not for you"}))
    kind, text = refused(hub, library)
    assert kind == "token"
    assert "not for you" in text
    assert PATH in text


# What is not there


@pytest.mark.parametrize(
    ("wanted", "what"),
    [
        (entry(path="gone.safetensors"), "has no file gone.safetensors"),
        (entry(revision="f" * 40), f"no longer has the revision {'f' * 40}"),
        (entry(repository="some/others"), "has no model some/others"),
    ],
)
def test_not_there(hub, library, wanted, what):
    kind, text = refused(hub, library, wanted)
    assert kind == "missing"
    assert what in text
    assert wanted.page in text
    assert len(hub.requests) == 1


def test_a_repository_that_was_closed(hub, library):
    said = {"X-Error-Message": "Access to this resource is disabled."}
    hub.faults.append(Fault("HEAD", status=403, headers=said))
    assert refused(hub, library)[0] == "missing"


# Too many requests


@pytest.mark.parametrize("on", ["HEAD", "DATA"])
def test_it_waits_for_as_long_as_it_is_asked_to(hub, library, on):
    hub.faults.append(Fault(on, status=429, headers={"Retry-After": "1"}))
    told, begun = Told(), time.monotonic()
    get(hub, library, told=told)
    assert time.monotonic() - begun >= 1.0
    assert {each.phase for each in told.waits()} == {f"Waiting, as {hub.url[7:]} asks"}
    assert 0.0 <= told.waits()[-1].seconds_left < told.waits()[0].seconds_left <= 1.0
    assert library.status(entry()) == "ready"


def test_the_hub_s_own_way_to_say_how_long(hub, library):
    limits = {"RateLimit": '"resolvers";r=0;t=3', "RateLimit-Policy": '"fixed window";"resolvers";q=5000;w=300'}
    hub.faults.append(Fault("HEAD", status=429, headers=limits))
    assert 3.9 < seconds_told(hub, library) <= 4.0, "it is rounded, by whom is not known"


def test_how_long_may_be_a_date(hub, library):
    # HTTP's dates have whole seconds.
    hub.faults.append(Fault("HEAD", status=429, headers={"Retry-After": email.utils.formatdate(time.time() + 4)}))
    assert 1.0 < seconds_told(hub, library) <= 4.0


def seconds_told(hub, library):
    """How long the first wait of a download is to be, which is cancelled then."""
    told = Told()
    with pytest.raises(HubError, match="was cancelled"):
        get(hub, library, told=told, cancelled=lambda: bool(told.waits()))
    return told.waits()[0].seconds_left


@pytest.mark.parametrize("value", ["soon", "-1", "9" * 400, ""])
def test_how_long_may_be_nonsense(hub, library, value):
    hub.faults.append(Fault("HEAD", status=429, headers={"Retry-After": value}))
    if value.startswith("9"):
        assert refused(hub, library)[0] == "limit"
    else:
        get(hub, library)


def test_a_long_wait_is_told_and_not_waited_for(hub, library):
    hub.faults.append(Fault("HEAD", status=429, headers={"Retry-After": "3600"}))
    begun = time.monotonic()
    kind, text = refused(hub, library)
    assert time.monotonic() - begun < 2.0
    assert kind == "limit"
    assert "60 minutes" in text


def test_a_limit_that_does_not_end(hub, library):
    hub.faults.append(Fault("GET", status=429, headers={"Retry-After": "0"}, times=99))
    kind, text = refused(hub, library)
    assert kind == "limit"
    assert "3 times" in text
    assert len(hub.requests_for("GET")) == PATIENCE.tries


# The server's own faults


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
@pytest.mark.parametrize("on", ["HEAD", "GET", "DATA"])
def test_a_server_that_recovers(hub, library, on, status):
    hub.faults.append(Fault(on, status=status, times=2, body=b"<html>of the proxy in between</html>"))
    told = Told()
    get(hub, library, told=told)
    assert told.waits()
    assert library.status(entry()) == "ready"


@pytest.mark.parametrize("on", ["HEAD", "GET", "DATA"])
def test_a_server_that_does_not(hub, library, on):
    hub.faults.append(Fault(on, status=503, times=99))
    kind, text = refused(hub, library)
    assert kind == "server"
    assert "3 times" in text
    assert "503" in text
    assert len(hub.requests_for(on)) == PATIENCE.tries


def test_the_waits_grow(hub, library):
    hub.faults.append(Fault("HEAD", status=500, times=4))
    begun = time.monotonic()
    get(hub, library, patience=Patience(tries=6, first=0.1, longest=0.3))
    # 0.1 + 0.2 + 0.3 + 0.3
    assert 0.9 <= time.monotonic() - begun < 5.0


@pytest.mark.parametrize("body", [b"[1]", b'{"error": {"error": []}}', b"\xff\xfe", b"[" * 100_000])
def test_an_answer_that_makes_no_sense(hub, library, body):
    hub.faults.append(Fault("GET", status=418, body=body))
    assert refused(hub, library)[0] == "server"


def test_something_that_is_no_hub(hub, library):
    hub.faults.append(Fault("HEAD", status=200, headers={"Content-Type": "text/html"}))
    kind, text = refused(hub, library)
    assert kind == "server"
    assert "does not answer as a hub" in text
    assert "HF_ENDPOINT" in text


def test_a_circle_of_redirections(hub, library):
    hub.faults.append(Fault("HEAD", status=302, headers={"Location": f"/some/models/resolve/main/{PATH}"}, times=99))
    assert refused(hub, library)[0] == "server"


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_redirection_to_what_is_no_web_address(hub, library, address):
    hub.faults.append(Fault("GET", status=302, headers={"Location": address}))
    kind, text = refused(hub, library)
    assert kind == "server"
    assert f"{host(hub.url)} leads to an address that ReCam does not follow" in text
    assert not list(library.folder.glob("*/*")), "not even a lock is left"


def test_it_is_told_who_does_not_answer_and_no_password(hub, library):
    hub.faults.append(Fault("GET", status=302, headers={"Location": "http://me:secret@127.0.0.1:1/x"}, times=99))
    kind, text = refused(hub, library)
    assert kind == "network"
    assert text.startswith(f"127.0.0.1:1, which {host(hub.url)} sends files from, cannot be reached")
    told = Told()
    with pytest.raises(HubError) as caught:
        get(hub, library, mirror="http://me:secret@127.0.0.1:1", told=told)
    said = str([caught.value, *told])
    assert "127.0.0.1:1" in said
    assert "secret" not in said


# The network


def test_a_server_that_stops_in_the_middle_is_asked_anew(hub, library, weights):
    hub.faults.append(Fault("DATA", stall=len(weights) // 2))
    get(hub, library)
    assert [each.start for each in hub.requests_for("DATA")] == [0, len(weights) // 2]


def test_a_server_that_says_nothing_more(hub, library, weights):
    hub.faults.append(Fault("DATA", stall=0, times=99))
    kind, text = refused(hub, library)
    assert kind == "network"
    assert "sent nothing more" in text
    assert "3 times in a row" in text


def test_a_slow_server_is_waited_for(hub, library, weights):
    # A piece every 0.05 s: slow, but never silent for the 0.3 s that count as a stall.
    hub.pause, hub.piece = 0.05, len(weights) // 12
    get(hub, library)
    assert len(hub.requests_for("DATA")) == 1
    assert library.status(entry()) == "ready"


def test_a_connection_that_always_breaks(hub, library, weights):
    hub.faults.append(Fault("DATA", cut=0, times=99))
    kind, text = refused(hub, library)
    assert kind == "network"
    assert "broke off" in text


def test_a_server_that_always_ends_too_early(hub, library, weights):
    hub.faults.append(Fault("DATA", short=len(weights), times=99))
    kind, text = refused(hub, library)
    assert kind == "network"
    assert "broke off" in text
    assert len(hub.requests_for("DATA")) == PATIENCE.tries


def test_one_that_breaks_often_but_goes_on(hub, library, weights):
    step = len(weights) // 8
    hub.faults.append(Fault("DATA", cut=step, times=8))
    get(hub, library)
    assert len(hub.requests_for("DATA")) > PATIENCE.tries
    assert hub.sent == len(weights)


def test_nobody_there(hub, library, monkeypatch):
    without_proxies(monkeypatch)
    begun = time.monotonic()
    kind, text = refused(hub, library, mirror=f"http://127.0.0.1:{unused_port()}", patience=Patience(first=0.1))
    assert kind == "network"
    assert "cannot be reached" in text
    assert "HTTPS_PROXY" in text
    assert time.monotonic() - begun < 5.0


def test_where_nothing_ever_answers_it_is_told_soon(hub, library):
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    asked.append(connection)
                    connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        mirror = f"http://127.0.0.1:{listening.getsockname()[1]}"
        kind, _ = refused(hub, library, mirror=mirror, patience=Patience(tries=6, first=0.01))
    assert kind == "network"
    assert len(asked) == 2


def test_a_name_that_nobody_has(hub, library, monkeypatch):
    without_proxies(monkeypatch)
    kind, text = refused(hub, library, mirror="http://nobody.invalid")
    assert kind == "network"
    assert "nobody.invalid cannot be reached" in text


def test_a_proxy_that_is_not_there(hub, library, monkeypatch):
    without_proxies(monkeypatch)
    port = unused_port()
    monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@127.0.0.1:{port}")
    monkeypatch.setenv("http_proxy", f"http://me:secret@127.0.0.1:{port}")
    huggingface_hub.close_session()
    try:
        kind, text = refused(hub, library, mirror="http://nobody.invalid")
    finally:
        huggingface_hub.close_session()
    assert kind == "network"
    assert f"The proxy 127.0.0.1:{port} stands in between" in text
    assert "secret" not in text


def without_proxies(monkeypatch):
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("mirror", ["ftp://127.0.0.1", "nonsense", "http://[", "http://127.0.0.1:99999"])
def test_no_address(hub, library, mirror):
    kind, text = refused(hub, library, mirror=mirror)
    assert kind == "network"
    assert f"{mirror!r} is no address of a hub" in text


@pytest.mark.parametrize("size", ["-5", "many", "1e9"])
def test_a_size_that_is_none(hub, library, size):
    hub.faults.append(Fault("HEAD", headers={"X-Linked-Size": size}))
    kind, text = refused(hub, library)
    assert kind == "server"
    assert "how long" in text


def test_offline_by_wish(hub, library, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    kind, text = refused(hub, library)
    assert kind == "offline"
    assert "HF_HUB_OFFLINE" in text
    assert not hub.requests


def test_a_certificate_of_nobody(hub, library, tmp_path, monkeypatch):
    """A proxy that looks into the traffic shows one of its own."""
    without_proxies(monkeypatch)
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    front = hub._servers[0]
    front.socket = context.wrap_socket(front.socket, server_side=True, do_handshake_on_connect=False)
    kind, text = refused(hub, library, mirror=front.url.replace("http:", "https:"))
    assert kind == "network"
    assert "SSL_CERT_FILE" in text


def self_signed(folder):
    """A certificate with its key, for 127.0.0.1."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not here to make a certificate with")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subject = ["-days", "2", "-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *subject], check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both
