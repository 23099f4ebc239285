"""A hub of models on loopback, in the protocol of huggingface.co, that misbehaves as it is told.

    HEAD, GET  /{repository}/resolve/{revision}/{path}            (a data set's: /datasets/{repository}/…)
    GET        /stored/{content's hash}                           on a second port, as the hub's content servers are

Large files are redirected to the second port, with X-Linked-Etag and X-Linked-Size; small ones are answered at once,
with git's hash for an ETag. Both answer ranges. What goes wrong is a :class:`Fault`; each request takes the next one of
those that are planned, if it is for that kind of request.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 4096
"""Bytes from which on a file is kept on the content server."""
_PIECE = 4096


@dataclass
class Fault:
    """What goes wrong with one request.

    Attributes:
        on: HEAD, GET (of a file's address) or DATA (of its content, on the second port).
        status: answered in place of what was asked for.
        headers: sent with it.
        cut: bytes of the content after which the connection is broken.
        stall: bytes of the content after which nothing more comes, until the server ends.
        ignores_range: all of the content is sent, whatever was asked for.
        content: sent in place of the file's.
        short: bytes of the content that are left out at the end, with a length that says so.
        body: of an answer with a status.
        times: requests that it is good for.
    """

    on: str
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    stall: int | None = None
    ignores_range: bool = False
    content: bytes | None = None
    short: int = 0
    body: bytes = b""
    times: int = 1


@dataclass
class Request:
    """One that was answered: its kind, its path, and what it had in its head."""

    on: str
    path: str
    headers: dict[str, str]

    @property
    def start(self) -> int:
        """Where the range begins that was asked for."""
        given = self.headers.get("range", "bytes=0-")
        return int(given.removeprefix("bytes=").rstrip("-"))


class Hub:
    """The server. Use it as a context manager.

    Attributes:
        files: content by "repository/path"; data sets' repositories begin with "datasets/".
        faults: to come, in order.
        requests: that were answered.
        piece: bytes between two of which the server waits ``pause`` seconds.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: deque[Fault] = deque()
        self.requests: list[Request] = []
        self.pause = 0.0
        self.piece = _PIECE
        self.sent = 0
        self.progressed = threading.Condition()
        self.ending = threading.Event()
        self._lock = threading.Lock()
        self._servers = [_Server(self, _Front), _Server(self, _Store)]

    @property
    def url(self) -> str:
        return self._servers[0].url

    @property
    def store_url(self) -> str:
        return self._servers[1].url

    def __enter__(self) -> Hub:
        for each in self._servers:
            threading.Thread(target=each.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.ending.set()
        for each in self._servers:
            each.shutdown()
            each.server_close()

    def requests_for(self, on: str) -> list[Request]:
        return [each for each in self.requests if each.on == on]

    def wait_until_sent(self, count: int, seconds: float = 20.0) -> None:
        """Until so many bytes of contents have gone out."""
        with self.progressed:
            assert self.progressed.wait_for(lambda: self.sent >= count, seconds), f"only {self.sent} bytes were sent"

    def take(self, on: str, path: str, headers: Mapping[str, str]) -> Fault | None:
        """The next fault, if it is for such a request."""
        with self._lock:
            self.requests.append(Request(on, path, {name.lower(): value for name, value in headers.items()}))
            if not self.faults or self.faults[0].on != on:
                return None
            fault = self.faults[0]
            fault.times -= 1
            if fault.times <= 0:
                self.faults.popleft()
            return fault

    def count(self, sent: int) -> None:
        with self.progressed:
            self.sent += sent
            self.progressed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, hub: Hub, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.hub = hub

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    @property
    def hub(self) -> Hub:
        return self.server.hub

    def answer(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | dict(headers)).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send(self, content: bytes, headers: Mapping[str, str], fault: Fault | None) -> None:
        """A content, or the range of it that was asked for, as badly as the fault says."""
        fault = fault or Fault("")
        content = content if fault.content is None else fault.content
        given = None if fault.ignores_range else self.headers.get("Range")
        start = int(given.removeprefix("bytes=").rstrip("-")) if given else 0
        if given and start >= len(content):
            self.answer(416, {"Content-Range": f"bytes */{len(content)}"})
            return
        body = content[start : len(content) - fault.short]
        self.send_response(206 if given else 200)
        self.send_header("Content-Length", str(len(body)))
        if given:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        for piece in self._pieces(body, fault):
            self.wfile.write(piece)
            self.wfile.flush()
            self.hub.count(len(piece))

    def _pieces(self, body: bytes, fault: Fault) -> Iterator[bytes]:
        ends = [each for each in (fault.cut, fault.stall) if each is not None]
        end = min([len(body), *ends])
        for at in range(0, end, self.hub.piece):
            yield body[at : min(at + self.hub.piece, end)]
            self.hub.ending.wait(self.hub.pause)
        if fault.cut is not None:
            self.close_connection = True
        if fault.stall is not None:
            self.hub.ending.wait()
            self.close_connection = True


class _Front(_Handler):
    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def do_GET(self) -> None:
        self._answer("GET")

    def _answer(self, on: str) -> None:
        fault = self.hub.take(on, self.path, self.headers)
        if fault is not None and fault.status:
            self.answer(fault.status, fault.headers, fault.body)
            return
        name, _, rest = unquote(self.path).lstrip("/").partition("/resolve/")
        revision, _, path = rest.partition("/")
        if revision not in ("main", COMMIT):
            self.answer(404, {"X-Error-Code": "RevisionNotFound"})
            return
        if (content := self.hub.files.get(f"{name}/{path}")) is None:
            known = any(each.startswith(f"{name}/") for each in self.hub.files)
            self.answer(404, {"X-Error-Code": "EntryNotFound" if known else "RepoNotFound"})
            return
        self._give(content, dict(fault.headers) if fault else {}, fault)

    def _give(self, content: bytes, further: dict[str, str], fault: Fault | None) -> None:
        headers = {"X-Repo-Commit": COMMIT}
        if len(content) < LARGE:
            self.send_small(content, headers | {"ETag": f'"{git_hash(content)}"'} | further, fault)
            return
        sha256 = hashlib.sha256(content).hexdigest()
        headers |= {
            "X-Linked-Etag": f'"{sha256}"',
            "X-Linked-Size": str(len(content)),
            "ETag": '"of the redirection"',
            "Location": f"{self.hub.store_url}/stored/{sha256}",
        }
        self.answer(302, headers | further)

    def send_small(self, content: bytes, headers: Mapping[str, str], fault: Fault | None) -> None:
        if self.command == "HEAD":
            self.answer(200, {"Content-Length": str(len(content))} | dict(headers))
        else:
            self.send(content, headers, fault)


class _Store(_Handler):
    def do_GET(self) -> None:
        fault = self.hub.take("DATA", self.path, self.headers)
        if fault is not None and fault.status:
            self.answer(fault.status, fault.headers, fault.body)
            return
        wanted = self.path.rpartition("/")[2]
        found = [each for each in self.hub.files.values() if hashlib.sha256(each).hexdigest() == wanted]
        if not found:
            self.answer(404, {})
            return
        with contextlib.suppress(ConnectionError):
            self.send(found[0], {"ETag": '"of the content server"'}, fault)


def git_hash(content: bytes) -> str:
    """As git names a file's content."""
    return hashlib.sha1(b"blob " + str(len(content)).encode() + b"\0" + content).hexdigest()
