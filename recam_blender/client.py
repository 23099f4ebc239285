"""A backend's process as Blender sees it: a child that takes tasks and tells of them. No bpy, standard library only.

It is the worker, which takes jobs; it may as well be any other that speaks as ``backend/rpc.py`` says.

Nothing here waits for the worker, but for :meth:`Worker.hello` and :meth:`Worker.close`, which have deadlines. Two
daemon threads carry the pipes and know nothing of Blender; :meth:`Worker.poll` hands over what they brought.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from .child import LONGEST_LINE, backend_environment, how_it_ended, lines, remove_preview, start, tail
from .texts import tr

PROTOCOL = 1

HELLO_TIMEOUT = 30.0
"""Seconds a worker has for its first answer. It takes a tenth of one, but disks and virus scanners are slow."""

SILENCE = 60.0
"""Seconds without a word while a job runs, after which the worker is taken to hang. It speaks every other second."""

CANCEL_GRACE = 5.0
"""Seconds a worker has to let go of a cancelled job before it is killed."""

_RUBBISH_LIMIT = 200  # lines on the worker's stdout that are no messages
_POLL = 0.02
_LONGEST_GAP = 2.0  # seconds between two polls that count as silence: a laptop that slept heard nothing either


@dataclass(frozen=True)
class Progressed:
    """Where a job stands: a contract.Progress as JSON. Older ones that nobody polled for are left out."""

    id: str
    progress: dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """A job is done: a contract.Result as JSON."""

    id: str
    result: dict[str, Any]


@dataclass(frozen=True)
class Failed:
    """A job will not be done.

    Attributes:
        kind: ``contract`` (then field, found and expected say more), ``footage``, ``output``, ``memory``, ``engine``,
            ``environment``, ``stuck``, ``internal``; ``died`` or ``hung`` where it was the worker.
    """

    id: str
    message: str
    kind: str
    field: str = ""
    found: str = ""
    expected: str = ""


@dataclass(frozen=True)
class Died:
    """The worker has gone, or is of no use, while it had nothing to do."""

    message: str


Event = Progressed | Finished | Failed | Died


class WorkerError(RuntimeError):
    """The worker cannot be used, with the reason in whole sentences."""


class Worker:
    """A running worker.

    Each submitted job ends in exactly one Finished or Failed, unless it is cancelled or the worker closed: then nothing
    more is heard of it. Late answers are known by their ids and dropped.
    """

    @classmethod
    def start(
        cls,
        python: str,
        *,
        package_folder: str,
        log_path: str,
        env: Mapping[str, str] | None = None,
        module: str = "backend",
        online: bool = False,
    ) -> Worker:
        """Start ``python -m backend serve``, or another module's.

        Args:
            python: the interpreter of the backend's environment; for ``backend.environment``, any.
            package_folder: the folder that the package ``backend`` lies in.
            log_path: where the worker's stderr goes; the log before is kept as ``<log_path>.1``.
            env: what to build its environment from; Blender's own if not given.
            module: ``backend`` or ``backend.environment``.
            online: let its libraries fetch what they lack; the user has asked for a download.

        Raises:
            OSError: there is no such program, or the log cannot be written.
        """
        program = os.path.abspath(python) if os.path.dirname(python) else python
        command = [program, "-m", module, "serve"]
        return cls(command, log_path=log_path, env=backend_environment(package_folder, env, online=online))

    def __init__(
        self,
        command: Sequence[str],
        *,
        log_path: str,
        env: Mapping[str, str] | None = None,
        hello_timeout: float = HELLO_TIMEOUT,
        silence: float = SILENCE,
        cancel_grace: float = CANCEL_GRACE,
    ) -> None:
        """Start any program that speaks the worker's protocol; :meth:`start` says what is raised."""
        self._log_path = os.path.abspath(log_path)
        self._silence = silence
        self._cancel_grace = cancel_grace
        self._hello_until = time.monotonic() + hello_timeout
        self._ids = (f"{os.getpid()}-{time.time_ns():x}-{number}" for number in itertools.count(1))

        self._lock = threading.RLock()  # over all that follows
        self._events: list[Event] = []
        self._running = ""  # the job that events are for
        self._leaving = ""  # a cancelled job that the worker has not let go of yet
        self._waiting: bytes | None = None  # the running job's message, held back until then
        self._greeting: dict[str, Any] | None = None
        self._over = ""  # why the worker is of no use any more
        self._closing = False
        self._preview = ""  # the picture of the latest job's take so far
        self._rubbish = 0
        self._silent = 0.0
        self._polled = time.monotonic()

        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._hello_id = next(self._ids)
        self._process = start(command, self._log_path, env)
        for target in (self._read, self._write):
            threading.Thread(target=target, name=f"recam worker{target.__name__}", daemon=True).start()
        self._send(self._hello_id, "hello", {})

    @property
    def alive(self) -> bool:
        """Whether it can take jobs."""
        return not self._over and not self._closing and self._process.poll() is None

    @property
    def leaving(self) -> bool:
        """Whether it has still to let go of a cancelled job. If it does not in time, it is killed."""
        return bool(self._leaving)

    @property
    def ended(self) -> str:
        """Why nothing is heard of it any more, as a sentence; empty while something may be."""
        return self._over or (tr("The worker has been closed.") if self._closing else "")

    @property
    def busy(self) -> bool:
        """Whether somebody waits for what comes of a job."""
        return bool(self._running)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def greeting(self) -> dict[str, Any] | None:
        """What the worker says of itself, once it has: see :meth:`hello`, which waits."""
        return self._greeting

    def hello(self, timeout: float = HELLO_TIMEOUT) -> dict[str, Any]:
        """What the worker says of itself, waited for.

        Raises:
            WorkerError: it says nothing in time, has gone, or speaks another protocol. It is then killed.
        """
        until = time.monotonic() + timeout
        while True:
            with self._lock:
                if self.ended:
                    raise WorkerError(self.ended)
                if self._greeting is not None:
                    return self._greeting
                if time.monotonic() > until:
                    self._give_up(tr("did not answer within {seconds:g} seconds").format(seconds=timeout), "hung")
            time.sleep(_POLL)

    def submit(self, job: Mapping[str, Any]) -> str:
        """Hand over a job as JSON; returns its id at once. See :meth:`call`."""
        return self.call("render", {"job": dict(job)})

    def call(self, method: str, params: Mapping[str, Any]) -> str:
        """Ask for any task that the process knows; returns its id at once. What is wrong comes as an event.

        Raises:
            WorkerError: a task is running that was not cancelled. The queue is the caller's.
        """
        job_id = next(self._ids)
        message = _encode(job_id, method, dict(params))
        with self._lock:
            if self._running:
                raise WorkerError(tr("The worker is busy with another job."))
            self._running = job_id
            self._silent = 0.0
            if self.ended:
                self._finish(Failed(job_id, self.ended, "died"))
            elif self._leaving:
                self._waiting = message
            else:
                self._outgoing.put(message)
        return job_id

    def poll(self) -> list[Event]:
        """What has happened since the last call. Never waits."""
        with self._lock:
            self._check_deadlines()
            events, self._events = self._events, []
        return events

    def cancel(self, job_id: str) -> None:
        """Have done with a job: no event about it comes any more. A worker that does not let go of it is killed."""
        with self._lock:
            self._events = [event for event in self._events if isinstance(event, Died) or event.id != job_id]
            if job_id != self._running:
                return
            self._running = ""
            if self._waiting is not None:
                self._waiting = None
                return
            self._leaving = job_id
            self._send(next(self._ids), "cancel", {"id": job_id})
        timer = threading.Timer(self._cancel_grace, self._enforce_cancel, [job_id])
        timer.daemon = True
        timer.start()

    def kill(self) -> None:
        """End the process at once. Nothing more is heard of its job."""
        with self._lock:
            self._closing = True
            self._running = self._leaving = ""
            self._events.clear()
        self._process.kill()
        self._outgoing.put(None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)

    def close(self, timeout: float = 3.0) -> None:
        """Ask it to end, then make it. A running job is cancelled and not heard of again. May be called again."""
        with self._lock:
            if not self._closing:
                self._send(next(self._ids), "shutdown", {})
                self._outgoing.put(None)
            self._closing = True
            self._running = self._leaving = ""
            self._events.clear()
        for step, seconds in ((None, timeout), (self._process.terminate, 1.0), (self._process.kill, 1.0)):
            if step is not None:
                step()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Deadlines

    def _check_deadlines(self) -> None:
        now = time.monotonic()
        self._silent += min(now - self._polled, _LONGEST_GAP)
        self._polled = now
        if self._over or self._closing:
            return
        if self._greeting is None and now > self._hello_until:
            self._give_up(tr("did not answer when it was started"), "hung")
        elif self._running and self._greeting is not None and self._silent > self._silence:
            self._give_up(
                tr("has said nothing for {seconds:g} seconds and was stopped").format(seconds=self._silence), "hung"
            )

    def _enforce_cancel(self, job_id: str) -> None:
        with self._lock:
            if self._leaving == job_id and not self._over:
                self._give_up(tr("did not let go of a cancelled job and was stopped"), "died")

    def _give_up(self, reason: str, kind: str) -> None:
        """Kill the worker and tell why: to the job, if there is one, and else on its own."""
        with self._lock:
            if self._over or self._closing:
                return
            cancelled_alone = bool(self._leaving) and not self._running
            self._process.kill()
            self._outgoing.put(None)
            said = tr("The worker {reason}.").format(reason=reason)
            self._over = self._with_log(said.replace("?.", "?"))  # some reasons end in a question
            self._leaving = ""
            self._waiting = None
            if self._running:
                self._finish(Failed(self._running, self._over, kind))
            elif not cancelled_alone:
                self._events.append(Died(self._over))

    def _finish(self, event: Finished | Failed) -> None:
        self._events = [each for each in self._events if not isinstance(each, Progressed)]
        self._events.append(event)
        self._running = ""

    def _with_log(self, text: str) -> str:
        last = tail(self._log_path)
        if not last:
            return tr("{text} Its log ({path}) is empty.").format(text=text, path=self._log_path)
        return tr("{text} The end of its log ({path}):\n{last}").format(text=text, path=self._log_path, last=last)

    # The pipes, each on a thread of its own

    def _write(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        # Who no longer reads has gone, or is killed by a deadline: the reader tells.
        with contextlib.suppress(OSError), stdin:
            while (message := self._outgoing.get()) is not None:
                view = memoryview(message)
                while view:
                    view = view[os.write(stdin.fileno(), view) :]

    def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        with stdout:
            for line in lines(lambda: os.read(stdout.fileno(), 1 << 16)):
                with self._lock:
                    self._silent = 0.0
                    if line is None:
                        self._give_up(
                            tr("sent a line of more than {limit} bytes and was stopped").format(limit=LONGEST_LINE),
                            "died",
                        )
                    elif not self._understand(line):
                        self._note_rubbish(line)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        remove_preview(self._preview)
        self._give_up(how_it_ended(self._process.returncode), "died")

    def _understand(self, line: bytes) -> bool:
        """Take in a message. False if it is none."""
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return False
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            return False
        if message.get("method") == "progress":
            return self._take_progress(message.get("params"))
        if "id" not in message or not isinstance(message.get("error", message.get("result")), dict):
            return False
        if message["id"] == self._hello_id:
            self._take_greeting(message)
        elif message["id"] == self._leaving != "":
            self._leaving = ""
            if self._waiting is not None:
                self._outgoing.put(self._waiting)
                self._waiting = None
        elif message["id"] == self._running != "" and self._waiting is None:
            self._take_answer(message)
        return True

    def _take_progress(self, params: object) -> bool:
        if not isinstance(params, dict) or not isinstance(params.get("progress"), dict):
            return False
        self._preview = str(params["progress"].get("preview") or self._preview)
        if params.get("id") == self._running != "":
            self._events = [event for event in self._events if not isinstance(event, Progressed)]
            self._events.append(Progressed(self._running, params["progress"]))
        return True

    def _take_greeting(self, message: dict[str, Any]) -> None:
        greeting = message.get("result", {})
        if greeting.get("protocol") == PROTOCOL:
            self._greeting = greeting
        else:
            found = greeting.get("protocol", tr("none"))
            self._give_up(
                tr("speaks protocol {found}, but this add-on {protocol}: install both anew").format(
                    found=found, protocol=PROTOCOL
                ),
                "died",
            )

    def _take_answer(self, message: dict[str, Any]) -> None:
        if "result" in message:
            self._finish(Finished(self._running, message["result"]))
            return
        error = message["error"]
        data = error.get("data")
        details = {key: str(value) for key, value in data.items()} if isinstance(data, dict) else {}
        kind, text = details.get("kind", "internal"), str(error.get("message", tr("The worker failed.")))
        if kind in ("engine", "internal"):
            text = self._with_log(text)
        known = {key: details[key] for key in ("field", "found", "expected") if key in details}
        self._finish(Failed(self._running, text, kind, **known))

    def _note_rubbish(self, line: bytes) -> None:
        self._rubbish += 1
        with contextlib.suppress(OSError), open(self._log_path, "ab") as log:
            log.write(b"on stdout, where only messages belong: " + line[:1000] + b"\n")
        if self._rubbish >= _RUBBISH_LIMIT:
            self._give_up(
                tr("printed {count} lines that are no messages and was stopped").format(count=self._rubbish), "died"
            )

    def _send(self, message_id: str, method: str, params: dict[str, Any]) -> None:
        self._outgoing.put(_encode(message_id, method, params))


def _encode(message_id: str, method: str, params: dict[str, Any]) -> bytes:
    message = {"jsonrpc": "2.0", "id": message_id, "method": method, "params": params}
    return json.dumps(message, allow_nan=False).encode("ascii") + b"\n"
