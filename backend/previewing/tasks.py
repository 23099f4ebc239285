"""What the worker does before a take is made, and with takes that nobody wants: see :mod:`backend.serve`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..answering import answered
from ..contract import ContractError, Footage, Job, Progress
from ..foresight import Forecast, Steadiness, Still
from ..rpc import Answer, Method

Report = Callable[[Progress], None]
Cancelled = Callable[[], bool]

# What can be asked for


def _forecast(job: Job, report: Report, cancelled: Cancelled) -> Answer:
    def work() -> Forecast:
        from .forecast import forecast

        return forecast(job, report, cancelled)

    return answered(work)


class _Still(NamedTuple):
    job: Job
    path: str
    tint: bool


def _draw_still(asked: _Still, report: Report, cancelled: Cancelled) -> Answer:
    def work() -> Still:
        from .still import still

        return still(asked.job, asked.path, asked.tint, report, cancelled)

    return answered(work)


def _steadiness(footage: Footage, report: Report, cancelled: Cancelled) -> Answer:
    def work() -> Steadiness:
        from .steadiness import steadiness

        return steadiness(footage, report, cancelled)

    return answered(work)


def _trash(paths: Sequence[str], _report: Report, cancelled: Cancelled) -> Answer:
    from .trash import trash

    trashed, failed = trash(paths, cancelled)
    return {"trashed": trashed, "failed": failed}


# What is asked


def _job(job: object) -> Job:
    return Job.from_json(job)


def _wanted_still(job: object, path: object, tint: object) -> _Still:
    if not isinstance(tint, bool):
        raise ContractError("tint", tint, "true or false")
    return _Still(Job.from_json(job), _absolute(path, "path"), tint)


def _footage(footage: object) -> Footage:
    return Footage.from_json(footage)


def _paths(paths: object) -> list[str]:
    if not isinstance(paths, list):
        raise ContractError("paths", paths, "a list of absolute paths")
    return [_absolute(path, f"paths[{index}]") for index, path in enumerate(paths)]


def _absolute(path: object, field: str) -> str:
    if not isinstance(path, str) or not os.path.isabs(path) or "\0" in path:
        raise ContractError(field, path, "an absolute path")
    return path


TASKS = {
    "forecast": Method(frozenset({"job"}), _job, _forecast),
    "still": Method(frozenset({"job", "path", "tint"}), _wanted_still, _draw_still),
    "steadiness": Method(frozenset({"footage"}), _footage, _steadiness),
    "trash": Method(frozenset({"paths"}), _paths, _trash),
}
