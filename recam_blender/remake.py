"""Takes made again: with the frames and the trajectory of their own job, whatever became of the cameras' keys since.

What Blender rendered for that job alone (the depth of the scene, a strip's intermediate pictures) does not outlive it.
It is rendered anew at the job's own camera poses, from the scene and the strip as they are now.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Generator, Iterable

from ..backend import contract
from ..backend.contract import Job
from . import depth, footage, reshoot, runtime
from .planning import Shot, Step, find_camera, find_scene, find_strip, steps
from .request import Request
from .texts import tr


def again(job: Job, seed: int, shown: tuple[int, int]) -> reshoot.Prepared:
    """A job that was done before, to be made again: its frames and cameras as they are in it, not as Blender has them.

    Args:
        job: of a take; its origin says where the new one is to stand.
        seed: to make it with.
        shown: the timeline frames that the new strip is to show, first and one after the last.

    Raises:
        ReCamError: what the job says cannot be asked for.
    """
    with reshoot.in_words():
        same = dataclasses.replace(job, settings=dataclasses.replace(job.settings, seed=seed))
    origin, start = job.origin, job.origin.frame_start
    request = Request(
        scene=origin.scene,
        strip=origin.strip,
        camera=origin.camera,
        engine=job.settings.engine,
        seed=seed,
        format=job.output.format,
    )
    first, end = max(shown[0], start), min(shown[1], start + len(job))
    whole = (first, end) if first < end else (start, start + len(job))
    frames = tuple(origin.camera_frame + each for each in range(len(job)))
    return reshoot.Prepared(request, (Shot(same, frames, (), whole),), (None,))


def missing_files(job: Job) -> list[str]:
    """The files that a job reads, that are gone, and that :func:`renew` cannot render again."""
    given = [
        *(() if job.footage.identity else job.footage.files),
        *(() if job.settings.depth.identity else job.settings.depth.files),
    ]
    return [each for each in dict.fromkeys(given) if not os.path.isfile(each)]


def renew(prepared: reshoot.Prepared, folder: str) -> Generator[Step, None, reshoot.Prepared]:
    """What was rendered for a job alone, and is gone, rendered anew: its footage's pictures, the depth of the scene.

    Args:
        prepared: see :func:`again`.
        folder: where that goes; it must outlive the job.

    Raises:
        ReCamError: with the reason, in words.
    """
    with reshoot.in_words():
        shots, notes = [], list(prepared.notes)
        for shot in prepared.shots:
            job = yield from _with_footage(shot.job, folder)
            job = yield from _with_depth(dataclasses.replace(shot, job=job), folder)
            if job is not shot.job:
                notes.append(
                    tr(
                        "What was rendered for the take before is gone, and was rendered anew: with the cameras as "
                        "they were then, and all else as it is now."
                    )
                )
            shots.append(dataclasses.replace(shot, job=job))
        return dataclasses.replace(prepared, shots=tuple(shots), notes=tuple(notes))


def remake(prepared: reshoot.Prepared, *, python: str = "") -> Generator[Step, None, reshoot.Outcome]:
    """Both in one: render what is gone, and make the take."""
    with runtime.scratch_folder() as folder:
        whole = yield from renew(prepared, folder)
        return (yield from reshoot.make(whole, python=python))


def _with_footage(job: Job, folder: str) -> Generator[Step, None, Job]:
    if not job.footage.identity or _all_there(job.footage.files):
        return job
    scene = find_scene(job.origin.scene)
    strip = find_strip(scene, job.origin.strip)
    start = job.origin.frame_start
    work = footage.read_footage(scene, strip, (start, start + len(job)), folder=folder)
    found = yield from steps(work)
    return dataclasses.replace(job, footage=found.footage)


def _with_depth(shot: Shot, folder: str) -> Generator[Step, None, Job]:
    known = shot.job.settings.depth
    if known.kind != "scene" or _all_there(known.files):
        return shot.job
    origin = shot.job.origin
    scene = find_scene(origin.camera_scene)
    camera = find_camera(scene, origin.source_camera or origin.camera)
    identity = depth.depth_identity(scene, camera, shot.frames)
    anew = contract.Depth(kind="scene", files=("",) * len(shot.job), identity=identity)
    settings = dataclasses.replace(shot.job.settings, depth=anew)
    asked = dataclasses.replace(shot, job=dataclasses.replace(shot.job, settings=settings))
    return (yield from reshoot.with_depth(asked, folder))


def _all_there(files: Iterable[str]) -> bool:
    return all(map(os.path.isfile, files))
