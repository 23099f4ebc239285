"""A job whose take is for something, as a plain one: its target camera written out, its instants as frames."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..contract import Job, Trajectory, Use
from . import uses
from .poses import relative
from .trajectory import reposed, resample, resized, source_of


def follow(source: Trajectory, target: Trajectory) -> Trajectory:
    """The target's move from its own first pose, added to where the source camera is at each frame.

    pose'_i = source_i · inverse(target_0) · target_i: a target that stands still films what the source did.
    """
    return reposed(target, np.array(source.poses) @ relative(target.poses))


def target_of(job: Job, source: Trajectory) -> Trajectory:
    """The camera to see a job's take with, where ``source`` shot its footage."""
    if job.relative:
        instants = uses.instants(job.use, len(job))
        # Where time is held, so is the source camera.
        return follow(source if instants is None else resample(source, instants), job.target)
    if not job.use.makes_target:
        return job.target
    return uses.target_for(
        job.use,
        source,
        resized(job.target, job.output.width, job.output.height),
        footage=(job.footage.width, job.footage.height),
        output=(job.output.width, job.output.height),
        distance=job.subject_distance,
        rate=float(job.output.rate),
        stated=source_of(job),
    )


def applied(job: Job) -> Job:
    """The same take as a job that only moves a camera, as far as that can be told without a look at the footage.

    A camera that would have to be solved from the footage is taken to stand still. Where time is held, each frame of
    the take shows the footage's frame that is nearest to its instant.
    """
    if job.source_from != "still":
        job = dataclasses.replace(job, source_from="still", known=None)
    source = source_of(job)
    target = target_of(job, source)
    job = dataclasses.replace(
        job, target=target, source=source if job.source is not None or job.use.makes_target else None
    )
    use, job = job.use, dataclasses.replace(job, relative=False, use=Use())
    if use.kind != "freeze":
        return job
    return _held(job, uses.instants(use, len(job)) or [])


def _held(job: Job, instants: list[float]) -> Job:
    nearest = [round(each) for each in instants]
    footage = dataclasses.replace(job.footage, frames=tuple(job.footage.frames[each] for each in nearest))
    depth = job.settings.depth
    if depth.has_files:
        depth = dataclasses.replace(depth, files=tuple(depth.files[each] for each in nearest))
    return dataclasses.replace(
        job,
        footage=footage,
        source=None if job.source is None else resample(job.source, instants),
        settings=dataclasses.replace(job.settings, depth=depth),
    )
