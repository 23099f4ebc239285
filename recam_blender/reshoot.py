"""From a strip and a keyframed camera to a take in the sequencer: the whole way, for buttons and scripts alike.

:func:`reshoot` is a generator that does one short piece of work at a time and says where it stands, so that an operator
can run it from a timer. :func:`reshoot_now` runs it to its end. Both give the same :class:`Outcome`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, TypeVar

import bpy

from ..backend import contract
from ..backend.cameras import source_of
from ..backend.contract import Job, Progress, Result, Trajectory
from . import client, compat, depth, footage, runtime, sampling, sequencer, takes
from .errors import ReCamError
from .request import Request

T = TypeVar("T")

# A camera in a heavy scene takes its time to evaluate: a few frames a step keep Blender alive.
_SAMPLES_PER_STEP = 4

_WAIT_SECONDS = 0.02


class Step(NamedTuple):
    """Where the work stands; ``idle`` where it only waits for the worker, so that a caller may sleep."""

    progress: Progress
    idle: bool = False


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
    """What came of a request: one take per camera cut, and what the user should know."""

    takes: tuple[Take, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Shot:
    """A part of a request that one camera films: a job but for its depth files and its place on the disk."""

    job: Job
    frames: tuple[float, ...]
    """Of the camera scene, one per timeline frame."""
    notes: tuple[str, ...]


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
    with _in_words(), runtime.scratch_folder() as folder:
        worker = runtime.worker(python)
        shots = yield from plan(request, folder)
        made: list[Take] = []
        notes: list[str] = []
        for shot in shots:
            take = _existing(request, shot) if skip_existing else None
            if take is None:
                take = yield from _make(request, shot, worker, folder)
            notes += [*shot.notes, *take.result.warnings]
            if insert and not take.skipped:
                strip, remarks = _insert(request, take)
                take = dataclasses.replace(take, strip=strip)
                notes += remarks
            made.append(take)
        return Outcome(tuple(made), tuple(dict.fromkeys(notes)))


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


def drain(work: Generator[Step, None, T], report: Callable[[Progress], None] = lambda progress: None) -> T:
    """Run a generator of steps to its end, sleeping where it waits."""
    while True:
        try:
            step = next(work)
        except StopIteration as end:
            finished: T = end.value
            return finished
        report(step.progress)
        if step.idle:
            time.sleep(_WAIT_SECONDS)


# Planning: all that Blender has to say


def plan(request: Request, folder: str) -> Generator[Step, None, list[Shot]]:
    """Read the strip and the cameras. Files that footage needs go into ``folder``.

    Raises:
        ReCamError: with the reason, in words.
    """
    scene = _scene(request.scene)
    found = yield from _steps(footage.read_footage(scene, _strip(scene, request.strip), folder=folder))
    shots = []
    for piece in _pieces(request, found):
        clip = dataclasses.replace(found.footage, frames=found.footage.frames[piece.part])
        job = yield from _job(request, clip, _depth(request, found.footage.frames, piece), piece)
        shots.append(Shot(job, piece.frames, (*found.notes, *piece.notes)))
    return shots


class _Piece(NamedTuple):
    """One camera's part. By name: between steps the user may undo, after which Blender's objects are others."""

    scene: str
    camera: str
    source_camera: str
    frames: tuple[float, ...]
    frame_start: int
    part: slice
    notes: tuple[str, ...]


def _pieces(request: Request, found: footage.FootageFound) -> list[_Piece]:
    scene = _scene(request.scene)
    camera_scene, first = _camera_time(request, scene, _strip(scene, request.strip), found.start)
    frames = tuple(first + index for index in range(len(found.footage.frames)))
    if request.camera:
        cuts = [sampling.Cut(_camera(camera_scene, request.camera), 0, len(frames))]
    else:
        cuts = sampling.cuts(camera_scene, frames)
    pieces = []
    for camera, start, stop in cuts:
        if camera is None:
            raise ReCamError(f"Scene {camera_scene.name!r} has no camera: choose one, or make one the scene's own.")
        pieces.append(
            _Piece(
                scene=camera_scene.name,
                camera=camera.name,
                source_camera=request.source_camera,
                frames=frames[start:stop],
                frame_start=found.start + start,
                part=slice(start, stop),
                notes=tuple(sampling.notes(camera, camera_scene)) if camera.type == "CAMERA" else (),
            )
        )
    return pieces


def _job(
    request: Request, clip: contract.Footage, distance: contract.Depth, piece: _Piece
) -> Generator[Step, None, Job]:
    width, height = request.width or clip.width, request.height or clip.height
    target, source = yield from _sample(piece, (width, height), (clip.width, clip.height))
    lens = None if source is not None else _footage_lens(request, piece, clip.width, clip.height)
    render = _scene(request.scene).render
    return Job(
        footage=clip,
        target=target,
        source=source,
        lens=lens,
        subject_distance=request.subject_distance,
        settings=contract.EngineSettings(engine=request.engine, seed=request.seed, depth=distance),
        output=contract.Output(
            path="take" + contract.FORMATS[request.format],
            width=width,
            height=height,
            rate=Fraction(render.fps) / Fraction(render.fps_base).limit_denominator(100_000),
            format=request.format,
            mask=request.mask,
        ),
        origin=contract.Origin(
            blend=bpy.data.filepath,
            scene=request.scene,
            strip=request.strip,
            frame_start=piece.frame_start,
            camera=piece.camera,
            camera_scene=piece.scene,
            camera_frame=piece.frames[0],
            source_camera=piece.source_camera,
        ),
    )


def _sample(
    piece: _Piece, target: tuple[int, int], footage: tuple[int, int]
) -> Generator[Step, None, tuple[Trajectory, Trajectory | None]]:
    """The target for a picture of one size, and the source, where there is one, for a picture of another."""
    parts: list[list[Trajectory]] = []
    for start in range(0, len(piece.frames), _SAMPLES_PER_STEP):
        yield Step(Progress(phase="Reading the camera", step=start, total=len(piece.frames)))
        scene = _scene(piece.scene)
        views = [sampling.View(_camera(scene, piece.camera), *target)]
        if piece.source_camera:
            views.append(sampling.View(_camera(scene, piece.source_camera), *footage))
        parts.append(sampling.sample_trajectories(scene, views, piece.frames[start : start + _SAMPLES_PER_STEP]))
    whole = [_joined(each) for each in zip(*parts, strict=True)]
    return whole[0], whole[1] if len(whole) > 1 else None


def _joined(parts: Sequence[Trajectory]) -> Trajectory:
    return dataclasses.replace(
        parts[0],
        poses=tuple(pose for part in parts for pose in part.poses),
        intrinsics=tuple(each for part in parts for each in part.intrinsics),
    )


def _footage_lens(request: Request, piece: _Piece, width: int, height: int) -> contract.Intrinsics:
    """The footage's own lens: the given focal length, or the target's lens at its first frame."""
    scene = _scene(piece.scene)
    camera = _camera(scene, piece.camera)
    if request.lens:
        return sampling.focal_intrinsics(scene, camera, request.lens, width=width, height=height)
    return sampling.sample_trajectory(scene, camera, piece.frames[:1], width=width, height=height).intrinsics[0]


def _depth(request: Request, footage_frames: Sequence[int], piece: _Piece) -> contract.Depth:
    kind = depth.choose_depth(request.depth, has_source_camera=bool(piece.source_camera))
    if kind == "file":
        whole = contract.Depth.from_path(request.depth_path, footage_frames, scale=request.depth_scale)
        return dataclasses.replace(whole, files=whole.files[piece.part])
    if kind == "scene":
        scene = _scene(piece.scene)
        identity = depth.depth_identity(scene, _camera(scene, piece.source_camera or piece.camera), piece.frames)
        return contract.Depth(kind="scene", files=("",) * len(piece.frames), identity=identity)
    return contract.Depth()


def _camera_time(
    request: Request, scene: bpy.types.Scene, strip: bpy.types.Sequence, start: int
) -> tuple[bpy.types.Scene, float]:
    """The scene that the cameras move in, and its frame at the take's first."""
    camera_scene, frame = sequencer.camera_scene_for(scene, strip)
    if request.camera_scene and request.camera_scene != camera_scene.name:
        camera_scene, frame = _scene(request.camera_scene), start
    return camera_scene, frame if request.camera_frame is None else request.camera_frame


def _scene(name: str) -> bpy.types.Scene:
    scene = bpy.data.scenes.get(name)
    if scene is None:
        raise ReCamError(f"There is no scene {name!r}; there are " + _listed(bpy.data.scenes) + ".")
    return scene


def _strip(scene: bpy.types.Scene, name: str) -> bpy.types.Sequence:
    every = compat.strips_all(scene)
    for strip in every:
        if strip.name == name:
            return strip
    raise ReCamError(
        f"There is no strip {name!r} in the sequencer of scene {scene.name!r}; there are {_listed(every)}."
    )


def _camera(scene: bpy.types.Scene, name: str) -> bpy.types.Object:
    camera = scene.objects.get(name) or bpy.data.objects.get(name)
    if camera is None:
        cameras = [each for each in scene.objects if each.type == "CAMERA"]
        raise ReCamError(f"There is no camera {name!r} in scene {scene.name!r}; there are {_listed(cameras)}.")
    return camera


def _listed(items: Sequence[bpy.types.ID]) -> str:
    return ", ".join(repr(each.name) for each in items) or "none"


# Making: the worker's part, and what goes before and after it


def _make(request: Request, shot: Shot, worker: client.Worker, folder: str) -> Generator[Step, None, Take]:
    job = yield from _with_depth(shot, folder)
    claim = takes.claim(_folder(request), _stem(shot), contract.FORMATS[request.format])
    try:
        job = dataclasses.replace(job, output=dataclasses.replace(job.output, path=claim.path))
        result = yield from _follow(worker, worker.submit(job.to_json()))
    except BaseException:
        takes.release(claim)
        raise
    return Take(result.path, job, result)


def _with_depth(shot: Shot, folder: str) -> Generator[Step, None, Job]:
    """The shot's job with the scene's depth rendered, where it asks for that."""
    job = shot.job
    if job.settings.depth.kind != "scene":
        return job
    place = os.path.join(folder, f"depth-{job.origin.frame_start}")
    os.makedirs(place)
    scene = _scene(job.origin.camera_scene)
    camera = _camera(scene, job.origin.source_camera or job.origin.camera)
    work = depth.render_depth(scene, camera, source_of(job), shot.frames, folder=place)
    files = yield from _steps(work)
    rendered = dataclasses.replace(job.settings.depth, files=files)
    return dataclasses.replace(job, settings=dataclasses.replace(job.settings, depth=rendered))


def _follow(worker: client.Worker, job: str) -> Generator[Step, None, Result]:
    """Wait for a job's end, telling of its progress. Leaving early cancels it."""
    latest = Progress(phase="Starting", step=0, total=0)
    try:
        while True:
            for event in worker.poll():
                if isinstance(event, client.Progressed):
                    latest = Progress.from_json(event.progress)
                elif isinstance(event, client.Finished):
                    return Result.from_json(event.result)
                else:
                    raise ReCamError(event.message)
            yield Step(latest, idle=True)
    except GeneratorExit:
        worker.cancel(job)
        raise


def _existing(request: Request, shot: Shot) -> Take | None:
    found = takes.existing_take(_folder(request), _stem(shot), shot.job.digest())
    if found is None:
        return None
    result = Result.from_json(found.record["result"])
    return Take(found.path, Job.from_json(found.record["job"]), result, skipped=True)


def _insert(request: Request, take: Take) -> tuple[str, list[str]]:
    strip, remarks = sequencer.insert_take(
        request.scene,
        request.strip,
        take.path,
        name=os.path.splitext(os.path.basename(take.path))[0],
        start=take.job.origin.frame_start,
        length=len(take.job),
        metadata={"job": json.dumps(take.job.to_json()), "result": json.dumps(take.result.to_json())},
    )
    return strip.name, remarks


def _folder(request: Request) -> str:
    return request.folder or takes.folder_for(bpy.data.filepath, runtime.user_folder())


def _stem(shot: Shot) -> str:
    return takes.stem(shot.job.origin.strip, shot.job.origin.camera)


def _export(request: Request, path: str) -> Generator[Step, None, list[str]]:
    with _in_words():
        if os.path.lexists(path):
            raise ReCamError(f"There is something at {path!r} already; choose another name for the job.")
        base = os.path.splitext(path)[0]
        folder = f"{base}_files"
        os.makedirs(folder)
        shots = yield from plan(request, folder)
        written = []
        for number, shot in enumerate(shots, 1):
            job = yield from _with_depth(shot, folder)
            place = path if len(shots) == 1 else f"{base}_{number:02d}.json"
            # Not the job's own name: a take's record has the name of the take.
            output = f"{os.path.splitext(place)[0]}_take{contract.FORMATS[request.format]}"
            job = dataclasses.replace(job, output=dataclasses.replace(job.output, path=output))
            with open(place, "x", encoding="utf-8") as file:
                json.dump(job.to_json(), file, ensure_ascii=False, indent=1)
            written.append(place)
        if not os.listdir(folder):
            os.rmdir(folder)
        return written


# Errors and steps of the parts, as this module speaks


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    """Every expected failure as a ReCamError."""
    try:
        yield
    except contract.ContractError as error:
        raise ReCamError(f"The job cannot be done as it stands. {error}.") from error
    except client.WorkerError as error:
        raise ReCamError(str(error)) from error
    except OSError as error:
        place = f": {error.filename!r}" if error.filename else ""
        raise ReCamError(f"A file could not be read or written ({error.strerror or error}){place}.") from error


def _steps(work: Generator[tuple[str, int, int], None, T]) -> Generator[Step, None, T]:
    """The steps of a part that reports (phase, step, total)."""
    with contextlib.closing(work):
        while True:
            try:
                phase, step, total = next(work)
            except StopIteration as end:
                finished: T = end.value
                return finished
            yield Step(Progress(phase=phase, step=step, total=total))
