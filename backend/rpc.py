"""JSON-RPC 2.0, one message a line, on stdin and stdout: the manners of every process that Blender starts.

    hello{}       -> {"protocol", "version", "python", "pid", ...}
    cancel{id}    -> {"cancelled": whether that task was running}
    shutdown{}    -> {"ok": true}, and the end

What else there is, each program says: queries are answered at once, tasks one at a time on the main thread, with
notifications progress{id, progress} (a contract.Progress) on the way. A reader thread answers everything else
meanwhile. The process ends when its stdin does, however whoever started it went. Standard library only, for Python
3.10 and later.
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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from . import __version__, ending
from .contract import ContractError, Progress
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

_FAREWELL = 1.5  # seconds for a task to clear away after itself before the process ends regardless

Id = str | int | None
Answer = dict[str, Any]


class RpcError(Exception):
    """A request that is answered with an error. ``kind`` in its data tells programs what to do about it."""

    def __init__(self, code: int, message: str, **data: Any) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


@dataclass(frozen=True)
class Method:
    """What can be asked for.

    Attributes:
        names: of its parameters; all must be given.
        prepare: takes them by name and gives what ``run`` needs. It runs on the reader thread, so it is quick; what is
            wrong with the parameters is an RpcError or a ContractError.
        run: of a query, takes what ``prepare`` gave and answers, on a thread of its own. Of a task, takes also where to
            report progress and what tells whether it was cancelled. Raises RpcError or ContractError.
    """

    names: frozenset[str]
    prepare: Callable[..., Any]
    run: Callable[..., Answer]


@dataclass
class _Running:
    id: Id
    run: Callable[..., Answer]
    asked: Any
    cancelled: threading.Event = field(default_factory=threading.Event)


def serve(
    tasks: Mapping[str, Method],
    queries: Mapping[str, Method],
    about: Callable[[], Answer] = dict,
    *,
    log: str | None = None,
) -> None:
    """Serve until stdin ends or shutdown is asked for; does not return.

    Args:
        tasks: what takes long, by name.
        queries: what does not.
        about: what ``hello`` tells beside the usual.
        log: a file that takes over stderr. It is begun anew; what it held goes to ``<log>.1``.
    """
    receive, send = _take_over(log)
    server = Server(receive, send, tasks, queries, about)
    for name in ("SIGTERM", "SIGINT"):
        signal.signal(getattr(signal, name), lambda number, _frame: server.end(128 + number))
    server.run()


class Server:
    """The protocol, on any two functions that receive and send bytes (``b""``: the other side has gone)."""

    def __init__(
        self,
        receive: Callable[[], bytes],
        send: Callable[[bytes], None],
        tasks: Mapping[str, Method],
        queries: Mapping[str, Method],
        about: Callable[[], Answer] = dict,
    ) -> None:
        self._receive = receive
        self._tasks, self._queries, self._about = tasks, queries, about
        self._send_bytes = send
        self._sending = threading.Lock()
        self._accepted: queue.SimpleQueue[_Running] = queue.SimpleQueue()
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
        """Do tasks as they come, until the process ends."""
        threading.Thread(target=self._read, name="recam reader", daemon=True).start()
        while True:
            try:
                # With a timeout, as a wait without one takes no signals on Windows.
                running = self._accepted.get(timeout=1.0)
            except queue.Empty:
                continue
            self._do(running)

    def end(self, code: int) -> None:
        """End the process: at once where nothing runs, else as soon as the task has cleared away, or 1.5 s later."""
        if self._ending:
            return
        self._ending = True
        threading.Thread(target=self._end, args=(code,), name="recam end", daemon=True).start()

    def _end(self, code: int) -> None:
        running = self._running
        ending.tell()
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
        if method in self._tasks or method in self._queries:
            if "id" not in request:
                raise RpcError(INVALID_REQUEST, f"{method} needs an id")
            known = self._tasks.get(method) or self._queries[method]
            _check_params(params, known.names)
            begin = self._accept if method in self._tasks else self._answer
            begin(request["id"], known, params)
            return None
        if method not in self._methods:
            raise RpcError(METHOD_NOT_FOUND, f"no method is called {method!r}")
        function, names = self._methods[method]
        _check_params(params, names)
        return function(**params)

    def _hello(self) -> Answer:
        usual = {"protocol": PROTOCOL, "version": __version__, "python": platform.python_version(), "pid": os.getpid()}
        return usual | self._about()

    def _answer(self, request_id: Id, query: Method, params: dict[str, Any]) -> None:
        """Answer on a thread of its own: files on a slow share keep nobody else waiting."""
        asked = _prepared(query, params)

        def look() -> None:
            self._send({"jsonrpc": "2.0", "id": request_id, **_outcome(lambda: query.run(asked))})

        threading.Thread(target=look, name="recam query", daemon=True).start()

    def _accept(self, request_id: Id, task: Method, params: dict[str, Any]) -> None:
        if self._running is not None:
            raise RpcError(BUSY, "another job is running", kind="busy")
        running = _Running(request_id, task.run, _prepared(task, params))
        self._running = running
        self._idle.clear()
        self._accepted.put(running)

    def _cancel(self, id: Id) -> Answer:  # noqa: A002 - the protocol's name
        running = self._running
        found = running is not None and running.id == id
        if running is not None and found:
            running.cancelled.set()
        return {"cancelled": found}

    def _shutdown(self) -> Answer:
        return {"ok": True}

    # Doing

    def _do(self, running: _Running) -> None:
        def work() -> Answer:
            with Telling(lambda progress: self._tell(running.id, progress)) as telling:
                return running.run(running.asked, telling.report, running.cancelled.is_set)

        outcome = _outcome(work)
        # Free before the answer is out: who reads it may send the next job at once.
        self._running = None
        self._send({"jsonrpc": "2.0", "id": running.id, **outcome})
        self._idle.set()
        if outcome.get("error", {}).get("data", {}).get("kind") == "stuck":
            # A thread that does not come back holds files and memory: only a new process is clean again.
            os._exit(1)

    def _tell(self, task: Id, progress: Progress) -> None:
        self._send({"jsonrpc": "2.0", "method": "progress", "params": {"id": task, "progress": progress.to_json()}})

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


def _prepared(method: Method, params: dict[str, Any]) -> Any:
    try:
        return method.prepare(**params)
    except ContractError as error:
        raise complaint(error) from None


def _outcome(work: Callable[[], Answer]) -> Answer:
    """``{"result": ...}`` or ``{"error": ...}``."""
    try:
        return {"result": work()}
    except RpcError as error:
        return {"error": _error(error)}
    except ContractError as error:
        return {"error": _error(complaint(error))}
    except BaseException as error:
        traceback.print_exc()
        return {"error": _error(RpcError(FAILED, f"{type(error).__name__}: {error}", kind="internal"))}


def complaint(error: ContractError) -> RpcError:
    """What the contract says is wrong, as an answer."""
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
