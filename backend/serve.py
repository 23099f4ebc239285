"""The worker: JSON-RPC 2.0, one message a line, on stdin and stdout. Frames travel as files.

    hello{}      -> {"protocol", "version", "python", "pid", "engines"}
    check{job}   -> {"ok": true}
    render{job}  -> the Result, once it is done; on the way notifications progress{id, progress}
    cancel{id}   -> {"cancelled": whether that job was running}
    shutdown{}   -> {"ok": true}, and the end

One job at a time, on the main thread; a reader thread answers everything else meanwhile. The worker ends when its
stdin does, however whoever started it went. Nothing heavy is imported before the first job.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TextIO

from . import __version__, packages
from .contract import ContractError, Job, Progress
from .progress import Telling

PROTOCOL = 1

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
BUSY = -32001
CANCELLED = -32002
FAILED = -32003

LONGEST_LINE = 64 * 2**20
"""Bytes. A job of an hour at 30 frames a second has some 40 MB."""

_FAREWELL = 1.5  # seconds for a job to clear away after itself before the process ends regardless

Id = str | int | None


def serve(log: str | None = None) -> None:
    """Serve until stdin ends or shutdown is asked for; does not return.

    Args:
        log: a file that takes over stderr. It is begun anew; what it held goes to ``<log>.1``.
    """
    receive, send = _take_over(log)
    server = Server(receive, send)
    for name in ("SIGTERM", "SIGINT"):
        signal.signal(getattr(signal, name), lambda number, _frame: server.end(128 + number))
    server.run()


class RpcError(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: int, message: str, **data: Any) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


@dataclass
class _Running:
    id: Id
    job: Job
    cancelled: threading.Event = field(default_factory=threading.Event)


class Server:
    """The protocol, on any two functions that receive and send bytes (``b""``: the other side has gone)."""

    def __init__(self, receive: Callable[[], bytes], send: Callable[[bytes], None]) -> None:
        self._receive = receive
        self._send_bytes = send
        self._sending = threading.Lock()
        self._jobs: queue.SimpleQueue[_Running] = queue.SimpleQueue()
        self._running: _Running | None = None
        self._idle = threading.Event()
        self._idle.set()
        self._ending = False
        self._methods: dict[str, tuple[Callable[..., Any], frozenset[str]]] = {
            "hello": (self._hello, frozenset()),
            "cancel": (self._cancel, frozenset({"id"})),
            "shutdown": (self._shutdown, frozenset()),
        }

    def run(self) -> None:
        """Do jobs as they come, until the process ends."""
        threading.Thread(target=self._read, name="recam reader", daemon=True).start()
        while True:
            try:
                # With a timeout, as a wait without one takes no signals on Windows.
                running = self._jobs.get(timeout=1.0)
            except queue.Empty:
                continue
            self._do(running)

    def end(self, code: int) -> None:
        """End the process: at once where nothing runs, else as soon as the job has cleared away, or 1.5 s later."""
        if self._ending:
            return
        self._ending = True
        threading.Thread(target=self._end, args=(code,), name="recam end", daemon=True).start()

    def _end(self, code: int) -> None:
        running = self._running
        if running is not None:
            running.cancelled.set()
        self._idle.wait(_FAREWELL)
        os._exit(code)

    # Receiving

    def _read(self) -> None:
        try:
            for line in _lines(self._receive):
                if line is None:
                    self._refuse(None, RpcError(INVALID_REQUEST, f"a message of more than {LONGEST_LINE} bytes"))
                elif line.strip():
                    self._handle(line)
        except BaseException:
            traceback.print_exc()
            self._end(1)
        self._end(0)

    def _handle(self, line: bytes) -> None:
        try:
            request = _parse(line)
        except RpcError as error:
            self._refuse(None, error)
            return
        wants_answer, request_id = "id" in request, request.get("id")
        try:
            answer = self._dispatch(request)
        except RpcError as error:
            if wants_answer:
                self._refuse(request_id, error)
            return
        if wants_answer and answer is not None:
            self._send({"jsonrpc": "2.0", "id": request_id, "result": answer})
        if request["method"] == "shutdown":
            self._end(0)

    def _dispatch(self, request: dict[str, Any]) -> Any:
        """The answer, or nothing where it comes later."""
        method, params = request["method"], request.get("params", {})
        if method in ("render", "check"):
            if "id" not in request:
                raise RpcError(INVALID_REQUEST, "a job needs an id")
            _check_params(params, frozenset({"job"}))
            begin = self._accept if method == "render" else self._check
            begin(request["id"], params["job"])
            return None
        if method not in self._methods:
            raise RpcError(METHOD_NOT_FOUND, f"no method is called {method!r}")
        function, names = self._methods[method]
        _check_params(params, names)
        return function(**params)

    def _hello(self) -> dict[str, Any]:
        return {
            "protocol": PROTOCOL,
            "version": __version__,
            "python": platform.python_version(),
            "pid": os.getpid(),
            "engines": packages.engines(),
        }

    def _check(self, request_id: Id, data: object) -> None:
        """Answer whether a job can be done, on a thread of its own: files on a slow share keep nobody else waiting."""
        job = _job(data)

        def look() -> None:
            try:
                job.check_files()
            except ContractError as error:
                self._refuse(request_id, _complaint(error))
            else:
                self._send({"jsonrpc": "2.0", "id": request_id, "result": {"ok": True}})

        threading.Thread(target=look, name="recam check", daemon=True).start()

    def _accept(self, request_id: Id, data: object) -> None:
        if self._running is not None:
            raise RpcError(BUSY, "another job is running", kind="busy")
        running = _Running(request_id, _job(data))
        self._running = running
        self._idle.clear()
        self._jobs.put(running)

    def _cancel(self, id: Id) -> dict[str, Any]:  # noqa: A002 - the protocol's name
        running = self._running
        found = running is not None and running.id == id
        if running is not None and found:
            running.cancelled.set()
        return {"cancelled": found}

    def _shutdown(self) -> dict[str, Any]:
        return {"ok": True}

    # Doing

    def _do(self, running: _Running) -> None:
        fatal = False
        try:
            with Telling(lambda progress: self._tell(running.id, progress)) as telling:
                answer = {"result": _render(running, telling.report)}
        except RpcError as error:
            answer = {"error": _error(error)}
            fatal = error.data.get("kind") == "stuck"
        except BaseException as error:
            traceback.print_exc()
            answer = {"error": _error(RpcError(FAILED, f"{type(error).__name__}: {error}", kind="internal"))}
        # Free before the answer is out: who reads it may send the next job at once.
        self._running = None
        self._send({"jsonrpc": "2.0", "id": running.id, **answer})
        self._idle.set()
        if fatal:
            # A thread that does not come back holds files and memory: only a new process is clean again.
            os._exit(1)

    def _tell(self, job: Id, progress: Progress) -> None:
        self._send({"jsonrpc": "2.0", "method": "progress", "params": {"id": job, "progress": progress.to_json()}})

    # Sending

    def _refuse(self, request_id: Id, error: RpcError) -> None:
        self._send({"jsonrpc": "2.0", "id": request_id, "error": _error(error)})

    def _send(self, message: dict[str, Any]) -> None:
        # ASCII, so that no line can be broken by an encoding or by a strange line end in a name.
        data = json.dumps(message, allow_nan=False).encode("ascii") + b"\n"
        try:
            with self._sending:
                self._send_bytes(data)
        except OSError:
            # Nobody listens any more: what stdin's end says too.
            self.end(0)


def _render(running: _Running, report: Callable[[Progress], None]) -> dict[str, Any]:
    try:
        from .render import Cancelled, RenderError, render
    except ImportError as error:
        text = f"The backend's Python ({sys.executable}) lacks what it needs: {error}."
        raise RpcError(FAILED, text, kind="environment") from error
    try:
        return render(running.job, report, running.cancelled.is_set).to_json()
    except Cancelled:
        raise RpcError(CANCELLED, "The job was cancelled.", kind="cancelled") from None
    except ContractError as error:
        raise _complaint(error) from None
    except RenderError as error:
        traceback.print_exception(error.__cause__ or error)
        raise RpcError(FAILED, str(error), kind=error.kind) from error


def _job(data: object) -> Job:
    """The job in a request, checked as far as can be told without a look at its files."""
    try:
        return Job.from_json(data)
    except ContractError as error:
        raise _complaint(error) from None


def _complaint(error: ContractError) -> RpcError:
    details = {"field": error.field, "found": error.found, "expected": error.expected}
    return RpcError(INVALID_PARAMS, str(error), kind="contract", **details)


# Messages


def _lines(receive: Callable[[], bytes]) -> Iterator[bytes | None]:
    """Lines without their end; None in the place of one that is too long."""
    pending = bytearray()
    skipping = False
    while data := receive():
        *whole, rest = data.split(b"\n")
        for part in whole:
            pending += part
            yield None if skipping or len(pending) > LONGEST_LINE else bytes(pending)
            pending.clear()
            skipping = False
        pending += rest
        if len(pending) > LONGEST_LINE:
            pending.clear()
            skipping = True


def _parse(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RpcError(PARSE_ERROR, f"no JSON: {error}") from None
    if isinstance(request, list):
        raise RpcError(INVALID_REQUEST, "batches are not supported: send one message a line")
    if not isinstance(request, dict) or request.get("jsonrpc") != "2.0" or not isinstance(request.get("method"), str):
        raise RpcError(INVALID_REQUEST, 'expected {"jsonrpc": "2.0", "id": ..., "method": ..., "params": {...}}')
    if "id" in request and not isinstance(request["id"], str) and type(request["id"]) is not int:
        raise RpcError(INVALID_REQUEST, "an id is a text or a whole number")
    return request


def _check_params(params: object, names: frozenset[str]) -> None:
    if not isinstance(params, dict) or params.keys() != names:
        found = ", ".join(sorted(map(str, params))) if isinstance(params, dict) else type(params).__name__
        expected = ", ".join(sorted(names)) or "none"
        raise RpcError(INVALID_PARAMS, f"params: found {found or 'none'}, expected {expected}", kind="params")


def _error(error: RpcError) -> dict[str, Any]:
    return {"code": error.code, "message": str(error), "data": error.data}


# Pipes


def _take_over(log: str | None) -> tuple[Callable[[], bytes], Callable[[bytes], None]]:
    """Keep stdin and stdout for the protocol alone.

    Whatever else prints, in Python or below, finds its descriptor 1 to be stderr; whatever else reads finds nothing,
    and children inherit neither.
    """
    incoming, outgoing = os.dup(0), os.dup(1)
    if log is not None:
        with contextlib.suppress(FileNotFoundError):
            os.replace(log, f"{log}.1")
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        os.dup2(file, 2)
        os.close(file)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(incoming, os.O_BINARY)
        msvcrt.setmode(outgoing, os.O_BINARY)
    # Made anew: those of the start remember what kind of file their descriptors were.
    sys.stdout, sys.stderr = _text(1), _text(2)

    def send(data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(outgoing, view) :]

    return lambda: os.read(incoming, 1 << 16), send


def _text(descriptor: int) -> TextIO:
    return open(descriptor, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
