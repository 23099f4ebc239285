"""What takes long about models: downloads, a search, a look inside a file. Each is a generator of steps, as takes are.

It is done by a process of its own on the backend's Python, so that a take can be made meanwhile; closing a generator
cancels. What is known of the models without all that is in models.py.
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any

from ..backend.contract import Progress
from . import client, environment, models, runtime
from .errors import ReCamError
from .models import Found, Search, waiting
from .planning import Step
from .texts import tr

GET, SEARCH, LOCATE = "models get", "models search", "models locate"
"""What the three tasks are called, see tasks.py."""

# Of errors, those that the next model would meet too.
_SHARED_TROUBLE = ("network", "offline", "server", "limit", "disk", "environment", "died", "hung", "params", "internal")

_ending: list[threading.Thread] = []


def get(ids: Iterable[str] = ()) -> Generator[Step, None, tuple[str, ...]]:
    """Download models one after another: those given, and those that :func:`.models.ask_for` adds meanwhile.

    Returns the ids that were got. Closing cancels; what has come of a file stays, and the next time goes on from there.

    Raises:
        ReCamError: with the reason for each that could not be had, once the others are there.
    """
    models.ask_for(ids)
    got: list[str] = []
    failed: list[str] = []
    try:
        while waiting:
            each = waiting[0]
            try:
                if (yield from _get_one(each)):
                    got.append(each)
            except _Refused as error:
                failed.append(models.trouble.setdefault(each, str(error)))
                if error.kind in _SHARED_TROUBLE:
                    break
            finally:
                models.give_up(each)
                models.changed()
    finally:
        waiting.clear()
    if failed:
        raise ReCamError("\n".join(dict.fromkeys(failed)))
    return tuple(got)


def _get_one(id: str) -> Generator[Step, None, bool]:  # noqa: A002
    """Whether it was got, and not taken from the queue."""
    if refusal := runtime.offline():
        raise _Refused(refusal, "offline")
    asked = {"ids": [id], "folder": models.folder()}
    answer = yield from _answer("get", "models.get", asked, wanted=lambda: waiting[:1] == [id], online=True)
    return answer is not None


def search() -> Generator[Step, None, Search]:
    """Look for models where other programs keep theirs.

    Those that are not in use are also kept in :data:`.models.found`.

    Raises:
        ReCamError: with the reason.
    """
    told = _outcome((yield from _answer("search", "models.search", {"folder": models.folder()})))
    known = {os.path.normcase(each) for each in (*models.places(), *models.named().values())}
    models.found = tuple(each for each in told.found if os.path.normcase(each.path) not in known)
    return Search(models.found, told.notes)


def identify(path: str) -> Generator[Step, None, Search]:
    """Look what lies at a path, by its content: one model, or several in a folder, or none and a remark on what it is.

    Raises:
        ReCamError: with the reason.
    """
    path = os.path.abspath(path)
    answer = (yield from _answer("identify", "models.identify", {"path": path})) or {}
    look = _outcome(answer)
    if look.found or not answer.get("words"):
        return look
    return Search(
        (), tuple(dict.fromkeys((tr("{path!r} is {words}.").format(path=path, words=answer["words"]), *look.notes)))
    )


def _outcome(answer: Mapping[str, Any] | None) -> Search:
    told = answer or {}
    names = [each.name for each in dataclasses.fields(Found)]
    each_found = [{name: each[name] for name in names if name in each} for each in told.get("found", ())]
    return Search(tuple(Found(**each) for each in each_found), tuple(map(str, told.get("notes", ()))))


# A process of its own


class _Refused(ReCamError):
    """What the process answered in place of a result, with the kind that it gave."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


def _answer(
    name: str,
    method: str,
    params: Mapping[str, Any],
    *,
    wanted: Callable[[], bool] = lambda: True,
    online: bool = False,
) -> Generator[Step, None, dict[str, Any] | None]:
    """What a worker of its own answers; None as soon as that is no longer wanted.

    Args:
        name: of its log.
        method: that is asked for.
        params: of it.
        wanted: asked at each step.
        online: it may use the network.
    """
    latest = Step(Progress(phase="starting", step=0, total=0), idle=True)
    while any(each.is_alive() for each in _ending):  # it may still hold the file that is to be gone on with
        yield latest
    _ending.clear()
    worker = _start(name, online=online)
    try:
        worker.call(method, params)
        while wanted():
            for event in worker.poll():
                if isinstance(event, client.Progressed):
                    latest = Step(Progress.from_json(event.progress), idle=True)
                elif isinstance(event, client.Finished):
                    return event.result
                else:
                    raise _Refused(event.message, getattr(event, "kind", "died"))
            if worker.greeting is not None:
                runtime.check_version(worker.greeting)
            yield latest
        return None
    finally:
        _dismiss(worker)


def _start(name: str, *, online: bool) -> client.Worker:
    python = environment.backend_python()
    log, package = runtime.log_path(name), runtime.package_folder()
    try:
        return client.Worker.start(python, package_folder=package, log_path=log, online=online)
    except OSError as error:
        raise ReCamError(
            tr("The backend's Python {python!r} cannot be started ({error}).").format(python=python, error=error)
        ) from error


def _dismiss(worker: client.Worker) -> None:
    """End it. That may take it a moment, for which Blender does not wait."""
    ending = threading.Thread(target=worker.close, name="recam models end", daemon=True)
    ending.start()
    _ending.append(ending)
