"""The worker: takes jobs on stdin and tells of them on stdout, as :mod:`.rpc` says. Frames travel as files.

    hello{}      -> also {"engines"}: those that can run here, as far as packages go
    check{job}   -> {"ok": true}
    render{job}  -> the Result, once it is done; on the way notifications progress{id, progress}
    models...    -> see models/tasks.py
    solve...     -> see geometry/tasks.py

For a look before a take is made (the answers are the messages of foresight.py), quick, and one at a time as well:

    forecast{job}            -> a Forecast: how much of each frame would be invented; output.path is not looked at
    still{job, path, tint}   -> a Still: the job's one frame, drawn into the file `path`; `tint` reddens the invented
    steadiness{footage}      -> a Steadiness: how the footage was shot
    trash{paths}             -> {"trashed": [path], "failed": {path: reason}}: to the system's trash, never deleted

Nothing heavy is imported before the first job.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from . import packages, rpc
from .answering import answered
from .contract import Job, Progress, Result
from .environment import SetupError, hold
from .geometry import tasks as geometry
from .models import tasks as models
from .previewing import tasks as previewing
from .rpc import Method


def serve(log: str | None = None) -> None:
    """Serve until stdin ends or shutdown is asked for; does not return.

    Args:
        log: a file that takes over stderr. It is begun anew; what it held goes to ``<log>.1``.
    """
    try:
        hold(sys.prefix)
    except SetupError as error:
        sys.exit(f"recam: {error}")
    rpc.serve(TASKS, QUERIES, _about, log=log)


def _about() -> dict[str, Any]:
    return {"engines": packages.engines()}


def _check(job: Job) -> dict[str, Any]:
    job.check_files()
    return {"ok": True}


def _render(job: Job, report: Callable[[Progress], None], cancelled: Callable[[], bool]) -> dict[str, Any]:
    def work() -> Result:
        from .render import render

        return render(job, report, cancelled)

    return answered(work)


_JOB = frozenset({"job"})


def _job(job: object) -> Job:
    """The job in a request, checked as far as can be told without a look at its files."""
    return Job.from_json(job)


TASKS = {"render": Method(_JOB, _job, _render), **previewing.TASKS, **geometry.TASKS, **models.TASKS}
QUERIES = {"check": Method(_JOB, _job, _check), **models.QUERIES}
