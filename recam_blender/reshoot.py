"""From a strip and a keyframed camera to a take in the sequencer: the whole way, for buttons and scripts alike.

:func:`reshoot` is a generator that does one short piece of work at a time and says where it stands, so that an operator
can run it from a timer. :func:`reshoot_now` runs it to its end. Both give the same :class:`Outcome`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import TypeVar

import bpy

from ..backend import contract
from ..backend.cameras import source_of
from ..backend.contract import Job, Progress, Result
from . import client, compat, depth, environment, forecast, runtime, sequencer, take_list, takes, ties
from .errors import ReCamError
from .planning import Shot, Step, check_models, find_camera, find_scene, plan, steps
from .request import GENERATES, Request
from .tasks import drain
from .texts import later, tr

T = TypeVar("T")


@dataclass(frozen=True)
class Take:
    """One finished take: where it lies, what it is, and the strip that shows it where it was put into the sequencer."""

    path: str
    job: Job
    result: Result
    strip: str = ""
    skipped: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a request.

    Attributes:
        takes: one per camera cut.
        warnings: what the user should know, in whole sentences.
        notes: what was decided on the user's behalf, in whole sentences.
    """

    takes: tuple[Take, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Prepared:
    """A request with all that Blender has to say about it: from here on the scene may change, or be another.

    Attributes:
        request: what was asked for.
        shots: one per camera cut, their depth rendered.
        existing: for each shot, a take of the same job that is there already, where such ones are to be kept.
        warnings: what the user should know whatever comes of it, in whole sentences.
        notes: likewise, of less weight.
    """

    request: Request
    shots: tuple[Shot, ...]
    existing: tuple[Take | None, ...]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def reshoot(
    request: Request, *, python: str = "", insert: bool = True, skip_existing: bool = False
) -> Generator[Step, None, Outcome]:
    """Make the takes of a request, step by step. Closing the generator cancels and clears away.

    Args:
        request: what is asked for.
        python: the backend's interpreter, over what preferences and environment say.
        insert: put the takes into the sequencer.
        skip_existing: where the folder holds a take of the same job, make no other.

    Raises:
        ReCamError: with the reason, in words.
    """
    with runtime.scratch_folder() as folder:
        prepared = yield from prepare(request, folder, python=python, skip_existing=skip_existing)
        return (yield from make(prepared, python=python, insert=insert))


def prepare(
    request: Request, folder: str, *, python: str = "", skip_existing: bool = False
) -> Generator[Step, None, Prepared]:
    """The first half of :func:`reshoot`: all that needs the strip, the cameras and the scene.

    Args:
        request: what is asked for.
        folder: where what must be rendered first goes; the second half needs it.
        python: as for :func:`reshoot`.
        skip_existing: likewise.

    Raises:
        ReCamError: with the reason, in words.
    """
    with in_words():
        check_models(request)
        yield from _worker(python, request.engine)
        _check_folder(_folder(request))
        shots = yield from plan(request, folder)
        existing = tuple(_existing(request, shot) if skip_existing else None for shot in shots)
        warnings, notes = ([], []) if all(existing) else (yield from _foretold(request, python))
        whole = []
        for shot, found in zip(shots, existing, strict=True):
            job = shot.job if found is not None else (yield from with_depth(shot, folder))
            whole.append(dataclasses.replace(shot, job=job))
        return Prepared(request, tuple(whole), existing, tuple(warnings), tuple(notes))


def make(prepared: Prepared, *, python: str = "", insert: bool = True) -> Generator[Step, None, Outcome]:
    """The second half of :func:`reshoot`: the worker's part, and the takes' places in the sequencer.

    Raises:
        ReCamError: with the reason, in words.
    """
    request = prepared.request
    with in_words():
        worker = yield from _worker(python, request.engine)
        made: list[Take] = []
        warnings, notes = list(prepared.warnings), list(prepared.notes)
        for shot, take in zip(prepared.shots, prepared.existing, strict=True):
            if take is None:
                with _told_of(made):
                    take = yield from _make(request, shot, worker)
            warnings += [*shot.notes, *take.result.warnings]
            notes += take.result.notes
            if insert:
                yield Step(Progress(phase=later("Inserting the take"), step=0, total=0), apart=True)
                strip, remarks = _insert(request, shot, take)
                take = dataclasses.replace(take, strip=strip)
                doubtful = sequencer.view_transform_warning(find_scene(request.scene))
                warnings += [each for each in remarks if each in doubtful]
                notes += [each for each in remarks if each not in doubtful]
            made.append(take)
        return Outcome(tuple(made), *(tuple(dict.fromkeys(each)) for each in (warnings, notes)))


def reshoot_now(
    request: Request,
    *,
    python: str = "",
    insert: bool = True,
    skip_existing: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Outcome:
    """:func:`reshoot`, run to its end."""
    return drain(reshoot(request, python=python, insert=insert, skip_existing=skip_existing), report)


def export_job(request: Request, path: str, *, report: Callable[[Progress], None] = lambda progress: None) -> list[str]:
    """Write the job files of a request instead of rendering it, for ``python -m backend render JOB.json``.

    What must be rendered first (depth, intermediates) goes into a folder beside the file. Returns the files written:
    one, or one per camera cut.

    Raises:
        ReCamError: with the reason; also if one of the files exists.
    """
    return drain(_export(request, path), report)


# Making: the worker's part, and what goes before and after it


def _worker(python: str, engine: str) -> Generator[Step, None, client.Worker]:
    """A worker that is free and has said that it is one: before anything slow is done for its sake.

    One that is still busy with a cancelled job is waited for: a step of a network may take longer than a cancel may,
    and what is killed for that must not take the next job along, nor must two share a GPU.
    """
    waiting = Step(Progress(phase="Starting", step=0, total=0), idle=True)
    worker = runtime.worker(python)
    while worker.leaving:
        yield waiting
        worker = runtime.worker(python)
    while worker.greeting is None:
        # Of its death another may have been told.
        if worker.ended:
            raise ReCamError(worker.ended)
        worker.poll()
        yield waiting
    runtime.check_version(worker.greeting)
    if engine not in worker.greeting.get("engines", (engine,)):
        raise ReCamError(environment.lacks(engine, python))
    return worker


def _foretold(request: Request, python: str) -> Generator[Step, None, tuple[list[str], list[str]]]:
    """Before a slow engine runs: how much it will have to invent. Warnings, and notes.

    A take is made all the same where that cannot be told.
    """
    if request.engine not in GENERATES:
        return [], []
    try:
        with contextlib.closing(forecast.make(request, key="", python=python)) as work:
            told = yield from _named(later("Forecasting"), work)
    except ReCamError as error:
        return [], [tr("How much must be invented could not be told. {reason}").format(reason=error)]
    forecast.keep(told)
    return ([told.text] if told.worst > forecast.MUCH else []), []


def _named(phase: str, work: Generator[Step, None, T]) -> Generator[Step, None, T]:
    """The same steps, all of one phase."""
    while True:
        try:
            step = next(work)
        except StopIteration as end:
            finished: T = end.value
            return finished
        yield step._replace(progress=dataclasses.replace(step.progress, phase=phase))


def _check_folder(folder: str) -> None:
    """Raise ReCamError where no take can be written; takes may be slow to make."""
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except FileExistsError:
        raise ReCamError(
            tr("Takes cannot go to {folder!r}: that is a file, and no folder.").format(folder=folder)
        ) from None
    except OSError as error:
        raise ReCamError(
            tr("Takes cannot be written to the folder {folder!r} ({reason}).").format(
                folder=folder, reason=error.strerror or error
            )
        ) from error


def _make(request: Request, shot: Shot, worker: client.Worker) -> Generator[Step, None, Take]:
    job = shot.job
    suffix, above = contract.FORMATS[request.format], _highest(request, _stem(shot))
    claim = takes.claim(_folder(request), _stem(shot), suffix, above=above)
    try:
        job = dataclasses.replace(job, output=dataclasses.replace(job.output, path=claim.path))
        result = yield from _follow(worker, worker.submit(job.to_json()))
    except BaseException:
        takes.release(claim)
        raise
    return Take(result.path, job, result)


def _highest(request: Request, stem: str) -> int:
    """The highest number of a take in the edit already: those made before the first save lie in another folder."""
    scene = bpy.data.scenes.get(request.scene)
    strips = compat.strips_all(scene) if scene is not None else []
    paths = [take_list.path_of(scene, each) for each in strips if ties.is_take(each)]
    same = [each for each in paths if os.path.basename(os.path.normpath(each)).startswith(f"{stem}_v")]
    return max((take_list.version_of(os.path.normpath(each)) for each in same), default=0)


def with_depth(shot: Shot, folder: str) -> Generator[Step, None, Job]:
    """The shot's job with the scene's depth rendered, where it asks for that."""
    job = shot.job
    if job.settings.depth.kind != "scene":
        return job
    place = os.path.join(folder, f"depth-{job.origin.frame_start}")
    os.makedirs(place)
    scene = find_scene(job.origin.camera_scene)
    camera = find_camera(scene, job.origin.source_camera or job.origin.camera)
    work = depth.render_depth(scene, camera, source_of(job), shot.frames, folder=place)
    files = yield from steps(work)
    rendered = dataclasses.replace(job.settings.depth, files=files)
    return dataclasses.replace(job, settings=dataclasses.replace(job.settings, depth=rendered))


def _follow(worker: client.Worker, job: str) -> Generator[Step, None, Result]:
    """Wait for a job's end, telling of its progress. Leaving early cancels it."""
    latest = Progress(phase="Starting", step=0, total=0)
    try:
        while True:
            ended = worker.ended
            for event in worker.poll():
                if isinstance(event, client.Progressed):
                    latest = Progress.from_json(event.progress)
                elif isinstance(event, client.Finished):
                    return Result.from_json(event.result)
                else:
                    raise ReCamError(event.message)
            # Somebody else has closed it: it tells nobody.
            if ended:
                raise ReCamError(ended)
            yield Step(latest, idle=True)
    except GeneratorExit:
        worker.cancel(job)
        raise


def _existing(request: Request, shot: Shot) -> Take | None:
    found = takes.existing_take(_folder(request), _stem(shot), shot.job.digest())
    if found is None:
        return None
    result = Result.from_json(found.record["result"])
    if result.mask and not os.path.exists(os.path.join(os.path.dirname(found.path), os.path.basename(result.mask))):
        return None
    return Take(found.path, Job.from_json(found.record["job"]), result, skipped=True)


def _insert(request: Request, shot: Shot, take: Take) -> tuple[str, list[str]]:
    strip, remarks = sequencer.insert_take(
        request.scene,
        request.strip,
        take.path,
        name=os.path.splitext(os.path.basename(take.path))[0],
        start=take.job.origin.frame_start,
        length=len(take.job),
        shown=shot.shown,
        metadata={"job": json.dumps(take.job.to_json()), "result": json.dumps(take.result.to_json())},
    )
    bpy.ops.ed.undo_push(message="Re-shoot")
    return strip.name, remarks


def _folder(request: Request) -> str:
    return request.folder or takes.folder_for(bpy.data.filepath, runtime.user_folder())


def _stem(shot: Shot) -> str:
    """Where the use makes the path, its word says more than the camera's name. In English: files move between users."""
    camera, use = shot.job.origin.camera, shot.job.use
    if use.makes_target:
        camera = _WORDS[use.kind]
    elif use.kind in _WORDS:
        camera = f"{camera}_{_WORDS[use.kind]}"
    return takes.stem(shot.job.origin.strip, camera)


_WORDS = {"stabilise": "stabilised", "lock": "locked", "closer": "closer", "outpaint": "wider", "freeze": "frozen"}


def _export(request: Request, path: str) -> Generator[Step, None, list[str]]:
    base = os.path.splitext(path)[0]
    files = f"{base}_files"
    written: list[str] = []
    with in_words():
        for place in (path, files):
            _check_free(place)
        os.makedirs(files)
        try:
            shots = yield from plan(request, files)
            for number, shot in enumerate(shots, 1):
                job = yield from with_depth(shot, files)
                place = path if len(shots) == 1 else f"{base}_{number:02d}.json"
                _check_free(place)
                with open(place, "x", encoding="ascii") as file:
                    written.append(place)
                    json.dump(_with_output(job, request, place).to_json(), file, indent=1)
        except BaseException:
            # All of it was made here and now: the same command may be given again.
            for place in written:
                os.remove(place)
            shutil.rmtree(files)
            raise
        if not os.listdir(files):
            os.rmdir(files)
    return written


def _with_output(job: Job, request: Request, place: str) -> Job:
    """A job whose take goes beside its file, or where the request says. Not under its own name: that is a record's."""
    folder, name = os.path.split(os.path.splitext(place)[0])
    output = os.path.join(request.folder or folder, f"{name}_take{contract.FORMATS[request.format]}")
    return dataclasses.replace(job, output=dataclasses.replace(job.output, path=output))


def _check_free(path: str) -> None:
    if os.path.lexists(path):
        raise ReCamError(
            tr("There is something at {path!r} already; choose another name for the job.").format(path=path)
        )


# Errors of the parts, as this module speaks


@contextlib.contextmanager
def _told_of(made: list[Take]) -> Iterator[None]:
    """What fails after a cut leaves the takes before it where they are; the message says so."""
    try:
        yield
    except ReCamError as error:
        if not made:
            raise
        raise ReCamError(
            tr("{error} Made before that: {takes}.").format(
                error=error, takes=", ".join(take.strip or take.path for take in made)
            )
        ) from error


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """Every expected failure as a ReCamError."""
    try:
        yield
    except contract.ContractError as error:
        raise ReCamError(tr("The job cannot be done as it stands. {error}.").format(error=error)) from error
    except client.WorkerError as error:
        raise ReCamError(str(error)) from error
    except OSError as error:
        place = f": {error.filename!r}" if error.filename else ""
        raise ReCamError(
            tr("A file could not be read or written ({reason}){place}.").format(
                reason=error.strerror or error, place=place
            )
        ) from error
