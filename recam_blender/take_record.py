"""Back from a take's record: to its job, to what was asked for, to the panel's settings, and to a keyed camera."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from typing import Any

import bpy

from ..backend.contract import ContractError, Generation, Intrinsics, Job
from . import compat, keyed_camera, planning, sampling, sequencer
from .errors import ReCamError
from .request import GENERATES, USES_DEPTH, Request, shown_for
from .take_list import told_of
from .texts import tr
from .ties import footage_of, list_takes, text_of

_LARGEST_PANEL_SEED = 2**31 - 1
# Lenses of one take are the same number, read from 32 bits.
_SAME_LENS = 1e-4


def job_of(strip: Any) -> Job:
    """The job that a take was made of.

    Raises:
        ReCamError: its strip keeps no record that can be read.
    """
    try:
        return Job.from_json(json.loads(text_of(strip, "job")))
    except (ValueError, RecursionError, ContractError):
        raise ReCamError(
            tr("Strip {strip!r} has no record of how it was made that this version of ReCam can read.").format(
                strip=strip.name
            )
        ) from None


def first_frame(strip: Any) -> int:
    """The timeline frame at which a take's first frame stands now, be it shown or hidden under the strip's end."""
    return round(compat.content_start(strip) - compat.content_trim(strip)[0])


def present_job(scene: bpy.types.Scene, strip: Any) -> Job:
    """The job of a take, saying where it stands now: footage may have been renamed, and both been moved."""
    job = job_of(strip)
    footage = footage_of(scene, strip)
    name = job.origin.strip if footage == strip else footage.name
    origin = dataclasses.replace(job.origin, scene=scene.name, strip=name, frame_start=first_frame(strip))
    return dataclasses.replace(job, origin=origin)


def next_seed(scene: bpy.types.Scene, strip: Any) -> int:
    """The next seed after a take's that no take of its footage has."""
    takes = list_takes(scene, footage_of(scene, strip))
    used = {told_of(each).seed for each in takes}
    seed = job_of(strip).settings.seed + 1
    while seed in used:
        seed += 1
    return seed


def request_of(scene: bpy.types.Scene, strip: Any) -> Request:
    """What would have to be asked for now, to get a take's job again: cameras by name, frames where they are now.

    Raises:
        ReCamError: the record, or what it says, is no longer of use.
    """
    job = present_job(scene, strip)
    footage = footage_of(scene, strip)
    start, stop = compat.span(footage)
    first, last = max(start, job.origin.frame_start), min(stop, job.origin.frame_start + len(job)) - 1
    shown, end = compat.span(strip)
    first, last = max(first, shown), min(last, end - 1)
    if first > last:
        raise ReCamError(
            tr("Nothing of strip {strip!r} lies under the take {take!r} any more.").format(
                strip=footage.name, take=strip.name
            )
        )
    same_size = (job.output.width, job.output.height) == (job.footage.width, job.footage.height)
    asked = Request(
        scene=scene.name,
        strip=footage.name,
        camera=job.origin.camera,
        source_camera=job.origin.source_camera,
        camera_scene=job.origin.camera_scene if job.origin.camera_scene in bpy.data.scenes else "",
        lens=_millimetres(scene, job),
        subject_distance=job.subject_distance,
        engine=job.settings.engine,
        seed=job.settings.seed,
        format=job.output.format,
        mask=job.output.mask,
        width=0 if same_size else job.output.width,
        height=0 if same_size else job.output.height,
        first=None if first == start else first,
        last=None if last == stop - 1 else last,
        handles=max(first - job.origin.frame_start, job.origin.frame_start + len(job) - 1 - last, 0),
        **_use(job),
        **_depth(job),
        **_generation(job.settings.generation),
    )
    frame = job.origin.camera_frame - (job.origin.frame_start - start)
    _, found = planning.camera_time(asked, scene, footage)
    return asked if abs(found - frame) < 1e-3 else dataclasses.replace(asked, camera_frame=frame)


def _use(job: Job) -> dict[str, Any]:
    """What the take is for, and where its source camera came from."""
    use, known, start = job.use, job.known, job.origin.frame_start
    said: dict[str, Any] = {
        "source_from": job.source_from,
        "relative": job.relative,
        "true_pixels": job.settings.true_pixels,
        "use": use.kind,
        "use_at": start + use.at if use.kind in ("lock", "freeze") else None,
    }
    said |= {f"use_{name}": getattr(use, name) for name in ("strength", "hold", "ease", "by", "factor", "keep")}
    said |= {f"use_region_{name}": getattr(use.region, name) for name in ("x", "y", "width", "height")}
    if known is not None:
        place = {"known_x": known.x, "known_y": known.y, "known_distance": known.distance}
        said |= place | {"known_frame": start + known.frame}
    return said


def _depth(job: Job) -> dict[str, Any]:
    depth = job.settings.depth
    if depth.kind != "file":
        return {"depth": depth.kind}
    files = list(dict.fromkeys(depth.files))
    path = files[0] if len(files) == 1 else os.path.dirname(files[0])
    return {"depth": "file", "depth_path": path, "depth_scale": depth.scale}


def _generation(generation: Generation) -> dict[str, Any]:
    same = (
        *("prompt", "negative_prompt", "quality", "steps", "guidance", "fit", "cache", "plan", "compile"),
        *("overlap", "focus_x", "focus_y"),
    )
    network = {f"network_{name}": getattr(generation, name) for name in ("frames", "width", "height")}
    return {name: getattr(generation, name) for name in same} | network


def _millimetres(scene: bpy.types.Scene, job: Job) -> float:
    """The footage's focal length on the target camera's sensor; 0 for the target's own at the first frame."""
    if job.lens is None or _alike(job.lens, job):
        return 0.0
    cameras = bpy.data.scenes.get(job.origin.camera_scene, scene)
    camera = bpy.data.objects.get(job.origin.camera)
    if camera is None or camera.type != "CAMERA":
        return 0.0
    one = sampling.focal_intrinsics(cameras, camera, 1.0, width=job.footage.width, height=job.footage.height)
    return job.lens.fx / one.fx


def _alike(lens: Intrinsics, job: Job) -> bool:
    first = job.target.intrinsics[0].scaled(
        job.footage.width / job.target.width, job.footage.height / job.target.height
    )
    return abs(first.fx / lens.fx - 1) < _SAME_LENS and abs(first.fy / lens.fy - 1) < _SAME_LENS


# To the panel


def restore(scene: bpy.types.Scene, strip: Any) -> list[str]:
    """Set the panel of this scene as it was when a take was asked for.

    Returns:
        What could not be, and what was set beside the panel, in whole sentences.
    """
    asked = request_of(scene, strip)
    settings = scene.recam
    footage = footage_of(scene, strip)
    if settings.pinned:
        settings.pinned = footage.name
    _restore_use(settings, asked)
    return [
        *_restore_cameras(scene, settings, asked, footage),
        *_restore_engine(settings, asked),
        *_restore_range(scene, settings, asked, footage),
    ]


def _restore_cameras(scene: bpy.types.Scene, settings: Any, asked: Request, footage: Any) -> Iterator[str]:
    for field, name in (("camera", asked.camera), ("source_camera", asked.source_camera)):
        camera = bpy.data.objects.get(name) if name else None
        if name and (camera is None or camera.type != "CAMERA"):
            yield tr("There is no camera {name!r} any more: {label} stays as it was.").format(
                name=name, label=tr(settings.bl_rna.properties[field].name)
            )
            continue
        setattr(settings, field, camera)
    found, _ = sequencer.camera_scene_for(scene, footage, asked.camera)
    known = bpy.data.scenes.get(asked.camera_scene)
    settings.camera_scene = known if known is not None and known != found else None
    settings.use_camera_frame = asked.camera_frame is not None
    if asked.camera_frame is not None:
        settings.camera_frame = asked.camera_frame
    settings.use_lens = bool(asked.lens)
    if asked.lens:
        settings.lens = asked.lens
    settings.subject_distance = asked.subject_distance


def _restore_engine(settings: Any, asked: Request) -> Iterator[str]:
    settings.engine = asked.engine
    if asked.engine in USES_DEPTH or asked.true_pixels:
        for name in ("depth", "depth_scale", "mask"):
            setattr(settings, name, getattr(asked, name))
        if asked.depth == "file":
            settings.depth_path = asked.depth_path
    if asked.engine not in GENERATES:
        return
    if asked.seed > _LARGEST_PANEL_SEED:
        yield tr("The seed {seed} is larger than the panel can hold: it stays as it was.").format(seed=asked.seed)
    else:
        settings.seed = asked.seed
    settings.prompt_text = None
    same = ("prompt", "quality", "network_frames", "network_width", "network_height", "fit", "cache", "plan", "compile")
    for name in same:
        setattr(settings, name, getattr(asked, name))
    for name in ("negative_prompt", "steps", "guidance", "overlap"):
        value = getattr(asked, name)
        setattr(settings, f"use_{name}", value is not None)
        if value is not None:
            setattr(settings, name, value)
    settings.use_focus = asked.focus_x is not None or asked.focus_y is not None
    settings.focus_x = 0.5 if asked.focus_x is None else asked.focus_x
    settings.focus_y = 0.5 if asked.focus_y is None else asked.focus_y


def _restore_use(settings: Any, asked: Request) -> None:
    for name in ("source_from", "relative", "true_pixels", "use"):
        setattr(settings, name, getattr(asked, name))
    for name in shown_for(asked.use):
        value = getattr(asked, name)
        if value is not None:
            setattr(settings, name, value)
    if asked.use_by:
        setattr(settings, f"use_{asked.use}_by", asked.use_by)
    settings.use_known = asked.known_frame is not None
    if asked.known_frame is not None:
        for name in ("known_frame", "known_x", "known_y", "known_distance"):
            setattr(settings, name, getattr(asked, name))


def _restore_range(scene: bpy.types.Scene, settings: Any, asked: Request, footage: Any) -> Iterator[str]:
    settings.format, settings.handles = asked.format, asked.handles
    settings.size = "custom" if asked.width else "footage"
    if asked.width:
        settings.width, settings.height = asked.width, asked.height
    if asked.first is None and asked.last is None:
        settings.range = "strip"
        return
    start, stop = compat.span(footage)
    first = start if asked.first is None else asked.first
    last = stop - 1 if asked.last is None else asked.last
    settings.range, scene.use_preview_range = "preview", True
    # Each keeps the other in order, so the end goes twice.
    scene.frame_preview_end = last
    scene.frame_preview_start = first
    scene.frame_preview_end = last
    yield tr("The preview range is now frames {first} to {last}, as far as the take goes.").format(
        first=first, last=last
    )


# To a camera


def camera_of(scene: bpy.types.Scene, strip: Any) -> tuple[bpy.types.Object, bpy.types.Scene]:
    """A new camera, keyed frame by frame as the one that a take was made with; nothing else is touched.

    Returns:
        The camera, and the scene that it is in: that of the take's own camera, or the edit where that is gone.
    """
    job = present_job(scene, strip)
    home = bpy.data.scenes.get(job.origin.camera_scene)
    frame = job.origin.camera_frame if home is not None else float(job.origin.frame_start)
    home = home or scene
    like = bpy.data.objects.get(job.origin.camera)
    return keyed_camera.new_camera(strip.name, home, job.target, frame, like=like), home
