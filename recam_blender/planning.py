"""What a request means in Blender: which frames of which footage, seen by which camera, as jobs for the backend.

Everything that needs the strip and the cameras happens here, in short steps; what follows needs the jobs alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import struct
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, TypeVar

import bpy

from ..backend import contract
from ..backend.contract import Job, Progress, Trajectory
from . import compat, depth, footage, preferences, sampling, sequencer, use_limits
from .errors import ReCamError
from .media import look_at
from .request import GENERATES, USES_DEPTH, Request
from .texts import later, tr

T = TypeVar("T")

# A camera in a heavy scene takes its time to evaluate: a few frames a step keep Blender alive.
_SAMPLES_PER_STEP = 4
# On a stage the camera is all there is; but each stage that is taken away makes Blender draw its windows anew.
_SAMPLES_PER_STAGE = 32


class Step(NamedTuple):
    """Where the work stands.

    Attributes:
        progress: of what it is at.
        idle: it only waits for the worker, so that a caller may sleep.
        apart: what follows takes Blender tens of milliseconds, so that a caller may first let it do something else.
    """

    progress: Progress
    idle: bool = False
    apart: bool = False


@dataclass(frozen=True)
class Shot:
    """A part of a request that one camera films: a job but for its depth files and its place on the disk."""

    job: Job
    frames: tuple[float, ...]
    """Of the camera scene, one per timeline frame."""
    notes: tuple[str, ...]
    shown: tuple[int, int]
    """The timeline frames that the take's strip is to show, first and one after the last: the others are handles."""


def plan(request: Request, folder: str) -> Generator[Step, None, list[Shot]]:
    """Read the strip and the cameras. Files that footage needs go into ``folder``.

    Raises:
        ReCamError: with the reason, in words.
    """
    check(request)
    yield from opened(request.scene, request.strip)
    scene = find_scene(request.scene)
    strip = find_strip(scene, request.strip)
    found = yield from steps(footage.read_footage(scene, strip, read_range(request, scene, strip), folder=folder))
    return (yield from shots(request, found))


def opened(scene: str, strip: str) -> Generator[Step, None, None]:
    """Open a strip's file in a step of its own, so that what reads it later is short."""
    reading = Progress(phase=later("Reading the footage"), step=0, total=0)
    yield Step(reading, apart=True)
    found = find_scene(scene)
    look_at(found, find_strip(found, strip))
    yield Step(reading)


def shots(
    request: Request, found: footage.FootageFound, *, most: int = 0, gently: bool = False
) -> Generator[Step, None, list[Shot]]:
    """The jobs for footage that was read, one per camera cut.

    Args:
        request: what is asked for.
        found: what was read for it.
        most: of each cut, take no more frames than these, evenly from the first to the last; 0: all.
        gently: read the cameras without stepping through their scene: for what is only shown.

    Raises:
        ReCamError: with the reason, in words.
    """
    first, end = shown_range(request, find_strip(find_scene(request.scene), request.strip))
    made = []
    for whole in _pieces(request, found):
        shown = max(first, whole.frame_start), min(end, whole.frame_start + len(whole.frames))
        piece = _thinned(whole, most)
        clip = dataclasses.replace(found.footage, frames=tuple(found.footage.frames[each] for each in piece.part))
        job = yield from _job(request, clip, _depth(request, found, piece), piece, shown, gently=gently)
        made.append(Shot(job, piece.frames, (*found.notes, *piece.notes), shown))
    return made


def shown_range(request: Request, strip: bpy.types.Sequence) -> tuple[int, int]:
    """The timeline frames that the take is to show, first and one after the last: handles are no part of it.

    Raises:
        ReCamError: the strip does not cover them.
    """
    start, stop = compat.span(strip)
    first = start if request.first is None else request.first
    last = stop - 1 if request.last is None else request.last
    if not start <= first <= last < stop:
        raise ReCamError(
            tr("Strip {strip!r} covers frames {start} to {end}, not {first} to {last}.").format(
                strip=strip.name, start=start, end=stop - 1, first=first, last=last
            )
        )
    return first, last + 1


def read_range(request: Request, scene: bpy.types.Scene, strip: bpy.types.Sequence) -> tuple[int, int]:
    """What is re-shot, with handles as far as there is footage: first, and one after the last."""
    first, end = shown_range(request, strip)
    if not request.handles:
        return first, end
    start, stop = footage.reach(scene, strip)
    return max(start, first - request.handles), min(stop, end + request.handles)


def check(request: Request) -> None:
    """Raise ReCamError for what can be known before any work: names that are not there, cameras that cannot film."""
    _generation(request)
    scene = find_scene(request.scene)
    strip = find_strip(scene, request.strip)
    camera_scene, _ = camera_time(request, scene, strip)
    for name in filter(None, (request.camera, request.source_camera)):
        sampling.check_camera(find_camera(camera_scene, name))


def check_models(request: Request) -> None:
    """Raise ReCamError where an engine needs models and nobody says where they lie on this machine."""
    if request.engine in GENERATES and not any(True for _ in _generation(request).models.paths()):
        raise ReCamError(
            tr(
                "The engine {engine} needs its models: get them, or choose their folder, in Preferences > "
                "Add-ons > ReCam, or set {variable}."
            ).format(engine=request.engine, variable=preferences.MODELS_VARIABLE)
        )


class _Piece(NamedTuple):
    """One camera's part. By name: between steps the user may undo, after which Blender's objects are others."""

    scene: str
    camera: str
    source_camera: str
    frames: tuple[float, ...]
    frame_start: int
    part: tuple[int, ...]
    """Which of the footage's timeline frames these are, counted from its first."""
    reach: tuple[int, int]
    """The timeline frames of all parts: first, and one after the last."""
    notes: tuple[str, ...]


def _pieces(request: Request, found: footage.FootageFound) -> list[_Piece]:
    scene = find_scene(request.scene)
    strip = find_strip(scene, request.strip)
    camera_scene, first = camera_time(request, scene, strip)
    first += found.start - compat.span(strip)[0]
    frames = tuple(first + index for index in range(len(found.footage.frames)))
    if request.camera:
        cuts = [sampling.Cut(find_camera(camera_scene, request.camera), 0, len(frames))]
    else:
        cuts = sampling.cuts(camera_scene, frames)
    pieces = []
    for camera, start, stop in cuts:
        if camera is None:
            raise ReCamError(
                tr("Scene {scene!r} has no camera: choose one, or make one the scene's own.").format(
                    scene=camera_scene.name
                )
            )
        pieces.append(
            _Piece(
                scene=camera_scene.name,
                camera=camera.name,
                source_camera=request.source_camera,
                frames=frames[start:stop],
                frame_start=found.start + start,
                part=tuple(range(start, stop)),
                reach=(found.start, found.start + len(frames)),
                notes=tuple(sampling.notes(camera, camera_scene)) if camera.type == "CAMERA" else (),
            )
        )
    return pieces


def _thinned(piece: _Piece, most: int) -> _Piece:
    count = len(piece.frames)
    if not 0 < most < count:
        return piece
    kept = sorted({round(each * (count - 1) / max(1, most - 1)) for each in range(most)})
    frames, part = tuple(piece.frames[each] for each in kept), tuple(piece.part[each] for each in kept)
    return piece._replace(frames=frames, part=part)


def _job(
    request: Request,
    clip: contract.Footage,
    distance: contract.Depth,
    piece: _Piece,
    shown: tuple[int, int],
    *,
    gently: bool,
) -> Generator[Step, None, Job]:
    width, height = request.width or clip.width, request.height or clip.height
    count = piece.part[-1] - piece.part[0] + 1  # however few of them are looked at
    use = request.use_from(piece.frame_start, count, piece.reach)
    use_limits.check(use, piece.frame_start, count, (clip.width, clip.height))
    if use.kind in ("closer", "outpaint"):
        # What is seen is the whole move, and handles are more of its ends.
        lead, tail = max(0, shown[0] - piece.frame_start), max(0, piece.frame_start + count - shown[1])
        use = dataclasses.replace(use, lead=lead, tail=tail)
    target, source = yield from _sample(piece, (width, height), (clip.width, clip.height), gently=gently)
    # A camera that is solved from the footage brings its lens along, unless the user knows it.
    is_told = source is None and (request.source_from == "still" or bool(request.lens))
    lens = _footage_lens(request, piece, clip.width, clip.height, gently=gently) if is_told else None
    return Job(
        footage=clip,
        target=target,
        source=source,
        lens=lens,
        subject_distance=request.subject_distance,
        source_from="still" if source is not None else request.source_from,
        relative=request.relative,
        known=_known(request, piece, clip) if source is None else None,
        use=use_limits.fewer(use, count, len(piece.frames)),
        settings=contract.EngineSettings(
            engine=request.engine,
            seed=request.seed,
            depth=distance,
            generation=_generation(request),
            true_pixels=request.true_pixels,
        ),
        output=contract.Output(
            path="take" + contract.FORMATS[request.format],
            width=width,
            height=height,
            rate=scene_rate(find_scene(request.scene)) * use_limits.share(count, len(piece.frames)),
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


def scene_rate(scene: bpy.types.Scene) -> Fraction:
    """A scene's exact rate, frames per second.

    Blender holds 1.001 in 32 bits: the simplest number that these bits can be is meant.
    """
    render = scene.render
    base = Fraction(render.fps_base)
    for largest in (1, 1000, 1001, 10_000, 100_000):
        simple = Fraction(render.fps_base).limit_denominator(largest)
        if struct.pack("f", simple) == struct.pack("f", render.fps_base):
            base = simple
            break
    return render.fps / base


def _sample(
    piece: _Piece, target: tuple[int, int], footage: tuple[int, int], *, gently: bool
) -> Generator[Step, None, tuple[Trajectory, Trajectory | None]]:
    """The target for a picture of one size, and the source, where there is one, for a picture of another."""
    parts: list[list[Trajectory]] = []
    count = _SAMPLES_PER_STAGE if gently else _SAMPLES_PER_STEP
    for start in range(0, len(piece.frames), count):
        yield Step(Progress(phase=later("Reading the camera"), step=start, total=len(piece.frames)))
        scene = find_scene(piece.scene)
        views = [sampling.View(find_camera(scene, piece.camera), *target)]
        if piece.source_camera:
            views.append(sampling.View(find_camera(scene, piece.source_camera), *footage))
        frames = piece.frames[start : start + count]
        parts.append(sampling.sample_trajectories(scene, views, frames, gently=gently))
    whole = [_joined(each) for each in zip(*parts, strict=True)]
    return whole[0], whole[1] if len(whole) > 1 else None


def _joined(parts: Sequence[Trajectory]) -> Trajectory:
    return dataclasses.replace(
        parts[0],
        poses=tuple(pose for part in parts for pose in part.poses),
        intrinsics=tuple(each for part in parts for each in part.intrinsics),
    )


def _footage_lens(request: Request, piece: _Piece, width: int, height: int, *, gently: bool) -> contract.Intrinsics:
    """The footage's own lens: the given focal length, or the target's lens at its first frame."""
    scene = find_scene(piece.scene)
    camera = find_camera(scene, piece.camera)
    if request.lens:
        return sampling.focal_intrinsics(scene, camera, request.lens, width=width, height=height)
    view = sampling.View(camera, width, height)
    return sampling.sample_trajectories(scene, [view], piece.frames[:1], gently=gently)[0].intrinsics[0]


def _known(request: Request, piece: _Piece, clip: contract.Footage) -> contract.Known | None:
    """The point whose distance is known, where this piece shows it."""
    if request.known_frame is None or not request.known_distance or request.source_from != "footage":
        return None
    if not piece.reach[0] <= request.known_frame < piece.reach[1]:
        raise ReCamError(
            tr("Frame {frame}, whose point's distance is known, is not among those that are solved.").format(
                frame=request.known_frame
            )
        )
    frame = request.known_frame - piece.frame_start
    if not 0 <= frame < len(piece.frames):
        return None
    x, y = min(max(request.known_x, 0.0), clip.width), min(max(request.known_y, 0.0), clip.height)
    return contract.Known(frame=frame, x=x, y=y, distance=request.known_distance)


def _generation(request: Request) -> contract.Generation:
    """What the job says of the network, with the models' places written out: whoever has the job needs no more."""
    if request.engine not in GENERATES:
        return contract.Generation()
    models = preferences.models(folder=request.models, files=request.model_files())
    return request.generation(models, request.device or preferences.device())


def _depth(request: Request, found: footage.FootageFound, piece: _Piece) -> contract.Depth:
    if request.engine not in USES_DEPTH and not request.true_pixels:
        return contract.Depth()
    kind = depth.choose_depth(request.depth, source=piece.source_camera)
    if kind == "file":
        frames, length = found.source_frames, len(found.footage.frames)
        whole = contract.Depth.from_path(request.depth_path, length, frames=frames, scale=request.depth_scale)
        return dataclasses.replace(whole, files=tuple(whole.files[each] for each in piece.part))
    if kind == "scene":
        scene = find_scene(piece.scene)
        identity = depth.depth_identity(scene, find_camera(scene, piece.source_camera or piece.camera), piece.frames)
        return contract.Depth(kind="scene", files=("",) * len(piece.frames), identity=identity)
    return contract.Depth(kind=kind)


def camera_time(request: Request, scene: bpy.types.Scene, strip: bpy.types.Sequence) -> tuple[bpy.types.Scene, float]:
    """The scene that the cameras move in, and its frame at the strip's first."""
    camera_scene, frame = sequencer.camera_scene_for(scene, strip, request.camera)
    if request.camera_scene and request.camera_scene != camera_scene.name:
        camera_scene, frame = find_scene(request.camera_scene), compat.span(strip)[0]
    return camera_scene, frame if request.camera_frame is None else request.camera_frame


def find_scene(name: str) -> bpy.types.Scene:
    scene = bpy.data.scenes.get(name)
    if scene is None:
        raise ReCamError(
            tr("There is no scene {name!r}; there are {scenes}.").format(name=name, scenes=_listed(bpy.data.scenes))
        )
    return scene


def find_strip(scene: bpy.types.Scene, name: str) -> bpy.types.Sequence:
    every = compat.strips_all(scene)
    for strip in every:
        if strip.name == name:
            return strip
    raise ReCamError(
        tr("There is no strip {name!r} in the sequencer of scene {scene!r}; there are {strips}.").format(
            name=name, scene=scene.name, strips=_listed(every)
        )
    )


def find_camera(scene: bpy.types.Scene, name: str) -> bpy.types.Object:
    camera = scene.objects.get(name) or bpy.data.objects.get(name)
    if camera is None:
        cameras = [each for each in scene.objects if each.type == "CAMERA"]
        raise ReCamError(
            tr("There is no camera {name!r} in scene {scene!r}; there are {cameras}.").format(
                name=name, scene=scene.name, cameras=_listed(cameras)
            )
        )
    return camera


def _listed(items: Sequence[bpy.types.ID]) -> str:
    return ", ".join(repr(each.name) for each in items) or "none"


def steps(work: Generator[tuple[str, int, int], None, T]) -> Generator[Step, None, T]:
    """The steps of a part that reports (phase, step, total)."""
    with contextlib.closing(work):
        while True:
            try:
                phase, step, total = next(work)
            except StopIteration as end:
                finished: T = end.value
                return finished
            yield Step(Progress(phase=phase, step=step, total=total))
