"""Questions to a second worker, which answers them while the first makes takes: forecasts, stills, the trash.

It is the same program, started when first asked. Questions take turns; each is a generator of steps that only wait, to
be run by a task, a timer, or :func:`tasks.drain`.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Mapping
from typing import Any

from ..backend.contract import ContractError, Progress
from . import client, runtime
from .errors import ReCamError
from .planning import Step
from .texts import tr


class Superseded(ReCamError):
    """A newer question of the same key was asked: nobody needs this answer any more."""


_tickets = itertools.count(1)
_line: list[int] = []
"""The tickets of those who ask, in their order; the first has the worker."""
_newest: dict[str, int] = {}


def ask(
    method: str, params: Mapping[str, Any], *, key: str = "", python: str = ""
) -> Generator[Step, None, dict[str, Any]]:
    """Ask, and wait for the answer. Closing the generator cancels the question.

    Args:
        method: of ``backend/serve.py``.
        params: as JSON.
        key: a newer question of this key takes the place of an older one, which ends in :class:`Superseded`.
        python: an interpreter that overrides what preferences and environment say.

    Raises:
        Superseded: see ``key``.
        ReCamError: there is no worker, or it refuses; with the reason.
    """
    ticket = next(_tickets)
    if key:
        _newest[key] = ticket
    _line.append(ticket)
    waiting = Step(Progress(phase="waiting", step=0, total=0), idle=True)
    try:
        while _line[0] != ticket:
            _check(key, ticket)
            yield waiting
        worker = yield from _ready(python, key, ticket)
        return (yield from _answer(worker, method, params, key, ticket))
    finally:
        _line.remove(ticket)
        if key and _newest.get(key) == ticket:
            del _newest[key]


def asking() -> bool:
    """Whether any question is under way."""
    return bool(_line)


def _ready(python: str, key: str, ticket: int) -> Generator[Step, None, client.Worker]:
    """A worker that is free, and has said that it is one."""
    waiting = Step(Progress(phase="starting", step=0, total=0), idle=True)
    worker = runtime.worker(python, runtime.QUESTIONS)
    while worker.leaving:
        _check(key, ticket)
        yield waiting
        worker = runtime.worker(python, runtime.QUESTIONS)
    # This one from here on: who asked for another in place of one that has died would never hear why.
    while worker.greeting is None:
        if worker.ended:
            raise ReCamError(worker.ended)
        _check(key, ticket)
        worker.poll()
        yield waiting
    runtime.check_version(worker.greeting)
    return worker


def _answer(
    worker: client.Worker, method: str, params: Mapping[str, Any], key: str, ticket: int
) -> Generator[Step, None, dict[str, Any]]:
    latest = Progress(phase="starting", step=0, total=0)
    number = worker.call(method, params)
    done = False
    try:
        while True:
            ended = worker.ended
            for event in worker.poll():
                if isinstance(event, client.Progressed):
                    latest = Progress.from_json(event.progress)
                    continue
                done = True
                if isinstance(event, client.Finished):
                    return event.result
                raise ReCamError(_reason(event))
            # Somebody else has closed it: it tells nobody.
            if ended:
                raise ReCamError(ended)
            _check(key, ticket)
            yield Step(latest, idle=True)
    finally:
        if not done:
            worker.cancel(number)


def _reason(event: client.Failed | client.Died) -> str:
    if isinstance(event, client.Failed) and event.kind == "contract":
        error = ContractError(event.field, event.found, event.expected)
        return tr("This cannot be told of the take as it stands. {reason}.").format(reason=error)
    return event.message


def _check(key: str, ticket: int) -> None:
    if key and _newest.get(key) != ticket:
        raise Superseded(tr("Asked anew."))
