"""Which of the ways to find depth from the footage itself is used for a take, and why.

What is surest comes first: the motion of the source camera, where it moves enough and what it tells can be trusted; a
depth model, where its weights are installed; a relief from what a still picture tells, where that is better than none;
and else a flat plane at the subject distance. A way that the job names is taken, whatever the others would give.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..cameras import uses
from ..contract import Job, Trajectory
from ..engines import ConfidenceSource, DepthSource, EngineError, FrameSource

Opened = Callable[[], AbstractContextManager[FrameSource]]
Report = Callable[[str, int, int], None]

TRUSTED = 0.4
"""Share of the footage's pixels whose depth must be known from motion, for motion to be chosen."""

_SAME_PLACE = 1e-3  # of the subject distance: a camera that moves less sees nothing else
_LEAST_TURN = 0.5  # degrees at the subject that the source camera must go around it, from end to end, to tell depth


@dataclass
class Chosen:
    """Depth, and what is to be said of it.

    Attributes:
        depth: None for a plane at the subject distance.
        confidence: None: trusted everywhere.
        words: what the depth is, in words; empty where the plane is what was asked for.
        notes, warnings: whole sentences.
    """

    depth: DepthSource | None = None
    confidence: ConfidenceSource | None = None
    words: str = ""
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class _Trust:
    """How far an estimate can be trusted, by frame."""

    def __init__(self, estimate: Any) -> None:
        self._estimate = estimate

    def frame(self, index: int, /) -> Any:
        return self._estimate.confidence(index)


def choose(
    job: Job,
    source: Trajectory,
    target: Trajectory,
    source_known: bool,
    opened: Opened,
    stack: contextlib.ExitStack,
    report: Report,
    check: Callable[[], None],
) -> Chosen:
    """Find the depth of a job's footage in the way that the job names, or in the best there is.

    Args:
        job: whose depth is one of ``contract.ESTIMATED``.
        source: the camera that shot the footage.
        target: the camera to see it with.
        source_known: whether the source camera's way is known.
        opened: opens the footage, by timeline frame.
        stack: what is to be closed after the take goes there.
        report: told of phases, steps done and in all.
        check: raises where the take is no longer wanted.

    Raises:
        EngineError: the way that was asked for cannot be gone.
    """
    look = _Look(job, source, opened, stack, report, check)
    kind = job.settings.depth.kind
    if kind != "auto":
        return {"motion": _by_motion, "model": _by_model, "relief": _by_relief}[kind](look, asked=True)
    if not _parts(source, target, job.subject_distance):
        if not _moves(source, job.subject_distance):
            return Chosen(words="none needed, as the cameras stand in one place")
        if _sees_what_was_filmed(job, source, target):
            return Chosen(words="none needed, as the target camera goes where the source camera does")
    notes: list[str] = []
    for way in (_by_motion, _by_model, _by_relief):
        check()
        chosen = way(look, asked=False)
        notes += chosen.notes
        if chosen.depth is not None:
            chosen.notes = notes
            return chosen
    return Chosen(words=f"flat plane {job.subject_distance:.2f} m away", notes=notes)


@dataclass(frozen=True)
class _Look:
    job: Job
    source: Trajectory
    opened: Opened
    stack: contextlib.ExitStack
    report: Report
    check: Callable[[], None]

    def made(self, kind: Callable[..., Any], *first: Any, **further: Any) -> Any:
        """An estimate of one kind; it is closed with the take."""
        job = self.job
        estimate = kind(
            self.opened,
            *first,
            len(job),
            width=job.footage.width,
            height=job.footage.height,
            distance=job.subject_distance,
            report=self.report,
            check=self.check,
            **further,
        )
        self.stack.callback(estimate.close)
        return estimate


def _chosen(estimate: Any) -> Chosen:
    return Chosen(estimate, _Trust(estimate), estimate.words)


# The ways


def _by_motion(look: _Look, *, asked: bool) -> Chosen:
    turn = _turn(look.source, look.job.subject_distance)
    if turn < _LEAST_TURN:
        if asked:
            raise EngineError(
                f"Depth from motion needs a source camera that moves, and this one goes only {turn:.1f} degrees around "
                "its subject: give the camera that shot the footage, let it be solved from the footage, or choose "
                "another depth.",
                "footage",
            )
        return Chosen()
    from .motion import MotionDepth

    estimate = look.made(MotionDepth, look.source, rate=float(look.job.output.rate))
    if asked or estimate.trusted >= TRUSTED:
        return _chosen(estimate)
    return Chosen(
        notes=[
            f"The source camera's motion tells the depth of {estimate.trusted:.0%} of the picture only: it is not used."
        ]
    )


def _by_model(look: _Look, *, asked: bool) -> Chosen:
    from . import network

    weights = network.find(look.job.settings.generation.models)
    if weights is None:
        if asked:
            raise EngineError(network.MISSING, "models")
        return Chosen()
    device = look.job.settings.generation.device
    try:
        return _chosen(look.made(network.NetworkDepth, weights=weights, device=device))
    except EngineError as error:
        if asked:
            raise
        return Chosen(notes=[f"The depth model is not used. {error}"])


def _by_relief(look: _Look, *, asked: bool) -> Chosen:
    from .relief import ReliefDepth

    lens = look.source.intrinsics[0]
    estimate = look.made(ReliefDepth, lens=lens)
    if estimate.plausible:
        return _chosen(estimate)
    if asked:
        chosen = _chosen(estimate)
        chosen.warnings.append(f"The relief is no better than a flat plane may be: {estimate.why}")
        return chosen
    return Chosen(notes=[estimate.why])


# How cameras move


def _positions(trajectory: Trajectory) -> Any:
    return np.array(trajectory.poses)[:, :3, 3]


def _parts(source: Trajectory, target: Trajectory, distance: float) -> bool:
    """Whether the target camera leaves the place where the footage was shot from."""
    return bool(np.abs(_positions(target) - _positions(source)).max() > _SAME_PLACE * distance)


def _moves(source: Trajectory, distance: float) -> bool:
    return bool(np.ptp(_positions(source), axis=0).max() > _SAME_PLACE * distance)


def _sees_what_was_filmed(job: Job, source: Trajectory, target: Trajectory) -> bool:
    """Whether a target that goes where the source does never sees past the frame of the same instant."""
    footage, output = (job.footage.width, job.footage.height), (job.output.width, job.output.height)
    shares = uses.filmed(source, target, footage=footage, output=output, distance=job.subject_distance)
    return bool(shares.min() == 1)


def _turn(source: Trajectory, distance: float) -> float:
    """How far the source camera goes around its subject, about, in degrees."""
    places = _positions(source)
    reach = float(np.linalg.norm(places - places.mean(axis=0), axis=1).max()) * 2
    return math.degrees(math.atan2(reach, distance))
