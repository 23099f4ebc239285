"""Set-up as Blender asks for it: ``python -m backend.environment serve``, speaking as ``backend/rpc.py`` says.

    hello{}                -> who it is
    plan{wish}             -> the Plan
    install{wish}          -> the State, once it is done; on the way notifications progress{id, progress}
    remove{folder}         -> the State
    probe{python, engine}  -> the Probe

Any Python from 3.10 on runs it, Blender's own too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import rpc
from ..contract import ENGINES, ContractError, Progress
from ..rpc import CANCELLED, FAILED, Answer, Method, RpcError
from . import SetupError, install, remove, state
from .messages import Wish
from .plan import plan
from .probe import probe

Report = Callable[[Progress], None]
Cancelled = Callable[[], bool]


def serve() -> None:
    """Serve until stdin ends or shutdown is asked for; does not return."""
    rpc.serve(TASKS, {})


def _plan(wish: Wish, _report: Report, _cancelled: Cancelled) -> Answer:
    return _in_words(lambda: plan(wish).to_json())


def _install(wish: Wish, report: Report, cancelled: Cancelled) -> Answer:
    return _in_words(lambda: install(wish, report=report, cancelled=cancelled).to_json())


def _remove(folder: Path, _report: Report, _cancelled: Cancelled) -> Answer:
    def work() -> Answer:
        remove(folder)
        return state(folder).to_json()

    return _in_words(work)


def _probe(asked: tuple[str, str], _report: Report, _cancelled: Cancelled) -> Answer:
    return _in_words(lambda: probe(*asked).to_json())


def _in_words(work: Callable[[], Answer]) -> Answer:
    try:
        return work()
    except SetupError as error:
        code = CANCELLED if error.kind == "cancelled" else FAILED
        raise RpcError(code, str(error), kind=error.kind) from error


# What is asked for


def _wish(wish: object) -> Wish:
    return Wish.from_json(wish)


def _folder(folder: object) -> Path:
    return Path(_path("folder", folder))


def _asked(python: object, engine: object) -> tuple[str, str]:
    if not isinstance(engine, str) or engine not in ENGINES:
        raise ContractError("engine", engine, "one of " + ", ".join(ENGINES))
    return _path("python", python), engine


def _path(name: str, value: object) -> str:
    if not isinstance(value, str) or not os.path.isabs(value) or "\0" in value:
        raise ContractError(name, value, "an absolute path")
    return value


def _method(run: Callable[[Any, Report, Cancelled], Answer], prepare: Callable[..., Any], *names: str) -> Method:
    return Method(frozenset(names), prepare, run)


TASKS = {
    "plan": _method(_plan, _wish, "wish"),
    "install": _method(_install, _wish, "wish"),
    "remove": _method(_remove, _folder, "folder"),
    "probe": _method(_probe, _asked, "python", "engine"),
}
