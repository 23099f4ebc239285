"""A camera solved from files, in metres, as a message: what the worker and the shell share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..contract import Footage, Intrinsics, Progress
from ..engines import EngineError
from ..media.reader import open_footage
from ..pipeline import Gate
from ..solved import Solve
from ..use import Known
from .solve import Solved, SolveError, solve


class Wanted(NamedTuple):
    """What is to be solved.

    Attributes:
        footage: as the timeline shows it.
        lens: the footage's, in its pixels; None to have its focal length found.
        rate: timeline frames a second.
        distance: metres to what the first frame shows, on the median, where no point is known.
        known: a point whose distance is known, which tells more.
    """

    footage: Footage
    lens: Intrinsics | None
    rate: float
    distance: float
    known: Known | None


def solve_files(wanted: Wanted, report: Callable[[Progress], None], cancelled: Callable[[], bool]) -> Solve:
    """Solve the camera.

    Raises:
        Cancelled: ``cancelled`` said so.
        EngineError: it cannot be solved; the sentence says why, and its kind is ``footage``.
        FootageError: the footage cannot be read.
    """
    footage = wanted.footage
    try:
        solved = solve(
            lambda: open_footage(footage),
            len(footage.frames),
            width=footage.width,
            height=footage.height,
            lens=wanted.lens,
            rate=wanted.rate,
            report=lambda phase, step, total: report(Progress(phase=phase, step=step, total=total)),
            check=Gate(cancelled).check,
        )
    except SolveError as error:
        raise EngineError(str(error), "footage") from error
    return message(in_metres(solved, wanted.distance, wanted.known))


def in_metres(solved: Solved, distance: float, known: Known | None) -> Solved:
    """The same, scaled by a known point, or so that the first frame's points are ``distance`` metres away.

    Raises:
        EngineError: nothing was followed near the known point.
    """
    if solved.kind != "moving":
        return solved
    if known is None:
        return solved.scaled(distance / (solved.median_depth(0) or 1.0))
    last = len(solved.trajectory) - 1
    found = solved.depth_of(min(known.frame, last), known.x, known.y)
    if found is None:
        place = f"({known.x:g}, {known.y:g}) of frame {known.frame}"
        raise EngineError(
            f"Nothing was followed near the point {place} whose distance is given: choose a point with more to hold "
            "on to.",
            "footage",
        )
    return solved.scaled(known.distance / found)


def message(solved: Solved) -> Solve:
    """A solved camera as it travels."""
    return Solve(
        trajectory=solved.trajectory,
        kind=solved.kind,
        registered=solved.registered,
        error=round(solved.error, 4),
        angle=round(solved.angle, 3),
        distance=solved.median_depth(0),
        words=solved.words,
        notes=solved.notes,
    )
