"""From a job to a shot: which camera filmed the footage, which one sees the take, and how far things are.

A job may leave these to the backend: the source camera to the footage itself, the target camera to what the take is
for, depth to what can be found out. Here each is settled, once, before an engine begins; what was decided is told in
whole sentences. What is looked at for that is the footage alone, read anew for each pass, so that memory does not grow
with the clip.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from .cameras import uses
from .cameras.applied import target_of
from .cameras.trajectory import resample, resized, source_of
from .contract import ESTIMATED, Job, Trajectory
from .engines import ConfidenceSource, DepthSource, EngineError, FrameSource
from .held import HeldDepth, HeldFrames

Opened = Callable[[], AbstractContextManager[FrameSource]]
"""Opens the footage, by timeline frame, from its start."""

Report = Callable[[str, int, int], None]


@dataclass
class Settled:
    """What a job comes to.

    Attributes:
        source, target: one pose per frame of the take.
        source_known: whether the source camera's way is known, and not only taken to be none.
        depth: None for a plane at the subject distance.
        confidence: None: trusted everywhere.
        depth_words: what the depth is, in words; empty where the job's settings tell.
        instants: which instant of the footage each frame of the take shows; None: its own.
        notes, warnings: whole sentences.
    """

    source: Trajectory
    target: Trajectory
    source_known: bool
    depth: DepthSource | None = None
    confidence: ConfidenceSource | None = None
    depth_words: str = ""
    instants: list[float] | None = None
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def settle(
    job: Job,
    opened: Opened,
    files: Callable[[], DepthSource],
    stack: contextlib.ExitStack,
    report: Report,
    check: Callable[[], None],
) -> Settled:
    """Settle what a job leaves open.

    Args:
        job: any.
        opened: opens its footage; called once for each pass over it.
        files: opens its depth files; called where it has some.
        stack: what is to be closed after the take goes there.
        report: told of phases, steps done and in all.
        check: raises where the take is no longer wanted.

    Raises:
        EngineError: the footage tells too little of its camera, or a depth that was asked for cannot be had.
    """
    settled = _cameras(job, opened, report, check)
    _depth(job, settled, opened, files, stack, report, check)
    if settled.instants is not None:
        _hold(settled, job.footage.width, job.footage.height)
    return settled


def held(footage: FrameSource, settled: Settled) -> FrameSource:
    """The footage as the take's frames show it: at the instants that were settled."""
    return footage if settled.instants is None else HeldFrames(footage, settled.instants)


# Cameras


def _cameras(job: Job, opened: Opened, report: Report, check: Callable[[], None]) -> Settled:
    if job.source_from == "footage":
        source, notes = _solved(job, opened, report, check)
        settled = Settled(source, job.target, True, notes=notes)
    else:
        settled = Settled(source_of(job), job.target, job.source is not None)
    settled.target = target_of(job, settled.source)
    if job.use.kind != "move":
        _tell_use(job, settled)
    return settled


def _solved(job: Job, opened: Opened, report: Report, check: Callable[[], None]) -> tuple[Trajectory, list[str]]:
    from .geometry.solve import SolveError, solve
    from .geometry.solving import in_metres

    try:
        solved = solve(
            opened,
            len(job),
            width=job.footage.width,
            height=job.footage.height,
            lens=job.lens,
            rate=float(job.output.rate),
            report=report,
            check=check,
        )
    except SolveError as error:
        raise EngineError(str(error), "footage") from error
    notes = [solved.words, *solved.notes]
    if solved.kind == "moving":
        notes.append(_how_large(job))
    in_place = in_metres(solved, job.subject_distance, job.known).placed(job.target.poses[0])
    return in_place.trajectory, notes


def _how_large(job: Job) -> str:
    """How the size of a solved world is known."""
    if job.known is not None:
        return f"The scene's size is that of a point {job.known.distance:g} m away."
    return (
        "The scene's size is not known from footage alone: half of what is followed in its first frame is taken to be "
        f"nearer than the subject distance, {job.subject_distance:g} m."
    )


# What the take is for


def _tell_use(job: Job, settled: Settled) -> None:
    size, output = (job.footage.width, job.footage.height), (job.output.width, job.output.height)
    settled.instants = uses.instants(job.use, len(job))
    settled.notes += uses.sentences(
        job.use,
        settled.source,
        settled.target,
        footage=size,
        output=output,
        distance=job.subject_distance,
        rate=float(job.output.rate),
    )


# How far things are


def _depth(
    job: Job,
    settled: Settled,
    opened: Opened,
    files: Callable[[], DepthSource],
    stack: contextlib.ExitStack,
    report: Report,
    check: Callable[[], None],
) -> None:
    asked = job.settings.depth
    if asked.has_files:
        settled.depth = files()
    elif asked.kind in ESTIMATED and uses_depth(job):
        from .geometry.choosing import choose

        chosen = choose(job, settled.source, settled.target, settled.source_known, opened, stack, report, check)
        settled.depth, settled.confidence, settled.depth_words = chosen.depth, chosen.confidence, chosen.words
        settled.notes += chosen.notes
        settled.warnings += chosen.warnings


def uses_depth(job: Job) -> bool:
    """Whether anything of a take's making asks how far the footage's pixels are."""
    return job.settings.engine == "reproject" or uses_true_pixels(job)


def uses_true_pixels(job: Job) -> bool:
    """Whether an engine that draws anew gets the footage's own pixels put into its frames."""
    kept = job.use.kind == "outpaint" and job.use.keep
    return job.settings.engine != "reproject" and (job.settings.true_pixels or kept)


def _hold(settled: Settled, width: int, height: int) -> None:
    """Let source camera and depth be those of the instants that are shown."""
    assert settled.instants is not None
    settled.source = resample(resized(settled.source, width, height), settled.instants)
    if settled.depth is not None:
        settled.depth = HeldDepth(settled.depth, settled.instants)
    if settled.confidence is not None:
        settled.confidence = HeldDepth(settled.confidence, settled.instants)
