"""What the worker solves from footage.

    solve{footage, lens, rate, distance, known}   -> a Solve: the camera that shot it

``lens`` is null where it is to be found. ``known`` is null where nobody has said how far a point is; then what the
first frame shows is taken to be ``distance`` metres away.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..answering import answered
from ..contract import RATES, ContractError, Footage, Intrinsics, Progress
from ..rpc import Answer, Method
from ..solved import Solve
from ..use import Known


def _solve(asked: dict[str, Any], report: Callable[[Progress], None], cancelled: Callable[[], bool]) -> Answer:
    def work() -> Solve:
        from .solving import Wanted, solve_files

        return solve_files(Wanted(**asked), report, cancelled)

    return answered(work)


def _wanted(footage: object, lens: object, rate: object, distance: object, known: object) -> dict[str, Any]:
    return {
        "footage": _within("footage", lambda: Footage.from_json(footage)),
        "lens": None if lens is None else _within("lens", lambda: Intrinsics.from_json(lens)),
        "rate": _number("rate", rate, float(RATES[0]), float(RATES[1])),
        "distance": _number("distance", distance, 1e-6, 1e9),
        "known": None if known is None else _within("known", lambda: Known.from_json(known)),
    }


def _within(field: str, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except ContractError as error:
        raise error.within(field) from None


def _number(field: str, value: object, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ContractError(field, value, "a number")
    if not least <= value <= most:
        raise ContractError(field, value, f"{least:g} to {most:g}")
    return float(value)


TASKS = {"solve": Method(frozenset({"footage", "lens", "rate", "distance", "known"}), _wanted, _solve)}
