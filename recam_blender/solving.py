"""The camera that shot the footage, as a camera of Blender's: solved by the worker.

It is new, keyed frame by frame beside the target camera, and becomes the source camera.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import Any, NamedTuple

import bpy
import numpy as np

from ..backend import contract
from ..backend.cameras import reposed
from ..backend.contract import ContractError, Trajectory
from ..backend.solved import Solve
from . import assistant, compat, depth, footage, keyed_camera, planning, runtime, sampling
from .errors import ReCamError
from .planning import Step
from .request import Request
from .texts import tr

KEY = "solve"
"""Of the task, of the question, and of the worker's method."""

_EYES = 1.6
"""Metres above the ground at which a camera stands where no other tells."""


class Told(NamedTuple):
    """What the worker found of some footage.

    Attributes:
        scene: the edit.
        strip: the footage.
        frame_start: the timeline frame of the first pose.
        solve: the answer.
    """

    scene: str
    strip: str
    frame_start: int
    solve: Solve


def make(request: Request, *, python: str = "") -> Generator[Step, None, Told]:
    """Solve the camera of a request's footage, in short steps. Closing the generator cancels.

    Args:
        request: whose footage, range, lens, known point and subject distance count; it needs no camera.
        python: see assistant.ask.

    Raises:
        ReCamError: with the reason, in words: also where the footage tells too little.
    """
    with runtime.scratch_folder() as folder:
        yield from planning.opened(request.scene, request.strip)
        scene = planning.find_scene(request.scene)
        strip = planning.find_strip(scene, request.strip)
        reach = planning.read_range(request, scene, strip)
        found = yield from planning.steps(footage.read_footage(scene, strip, reach, folder=folder))
        scene = planning.find_scene(request.scene)
        asked = {
            "footage": found.footage.to_json(),
            "lens": _lens(request, scene, found.footage),
            "rate": float(planning.scene_rate(scene)),
            "distance": request.subject_distance,
            "known": _known(request, found),
        }
        answer = yield from assistant.ask(KEY, asked, key=KEY, python=python)
    return Told(request.scene, request.strip, found.start, Solve.from_json(answer))


def keep(told: Told) -> bpy.types.Object:
    """Make the camera that was solved, and let it be the footage's.

    It begins where the target camera is at that frame; where there is none, at a man's height and looking ahead.

    Raises:
        ReCamError: the edit or its footage are gone.
    """
    scene = planning.find_scene(told.scene)
    strip = planning.find_strip(scene, told.strip)
    cameras, frame = time_of(scene, strip, told.frame_start)
    like = target_of(scene, cameras)
    poses = start_pose(cameras, like, frame) @ np.array(told.solve.trajectory.poses)
    return as_source(scene, strip, cameras, like, reposed(told.solve.trajectory, poses), frame)


# What is asked


def _lens(request: Request, scene: bpy.types.Scene, clip: contract.Footage) -> dict[str, Any] | None:
    """The footage's lens, where it is said."""
    if not request.lens:
        return None
    camera = bpy.data.objects.get(request.camera) or scene.camera
    if camera is None or camera.type != "CAMERA":
        fx = request.lens / _SENSOR * clip.width
        return contract.Intrinsics(fx=fx, fy=fx, cx=clip.width / 2, cy=clip.height / 2).to_json()
    return sampling.focal_intrinsics(scene, camera, request.lens, width=clip.width, height=clip.height).to_json()


_SENSOR = 36.0
"""Millimetres, of Blender's new cameras."""


def _known(request: Request, found: footage.FootageFound) -> dict[str, Any] | None:
    if request.known_frame is None or not request.known_distance:
        return None
    frame = request.known_frame - found.start
    if not 0 <= frame < len(found.footage.frames):
        raise ReCamError(
            tr("Frame {frame}, whose point's distance is known, is not among those that are solved.").format(
                frame=request.known_frame
            )
        )
    x, y = min(request.known_x, found.footage.width), min(request.known_y, found.footage.height)
    try:
        return contract.Known(frame=frame, x=x, y=y, distance=request.known_distance).to_json()
    except ContractError as error:
        raise ReCamError(str(error)) from error


# What is made


def time_of(scene: bpy.types.Scene, strip: Any, frame_start: int) -> tuple[bpy.types.Scene, float]:
    """The scene that the cameras move in, and its frame at a timeline frame."""
    asked = Request(scene=scene.name, strip=strip.name)
    settings = scene.recam
    if settings.camera_scene is not None:
        asked = dataclasses.replace(asked, camera_scene=settings.camera_scene.name)
    if settings.use_camera_frame:
        asked = dataclasses.replace(asked, camera_frame=settings.camera_frame)
    cameras, frame = planning.camera_time(asked, scene, strip)
    return cameras, frame + frame_start - compat.span(strip)[0]


def target_of(scene: bpy.types.Scene, cameras: bpy.types.Scene) -> bpy.types.Object | None:
    """The camera that takes are seen with."""
    camera = scene.recam.camera or cameras.camera
    return camera if camera is not None and camera.type == "CAMERA" else None


def start_pose(cameras: bpy.types.Scene, like: bpy.types.Object | None, frame: float) -> Any:
    """The pose to begin at."""
    if like is not None:
        try:
            seen = sampling.sample_trajectories(cameras, [sampling.View(like, 16, 9)], [frame], gently=True)
            return np.array(seen[0].poses[0])
        except sampling.CameraError:
            pass
    # Blender's y is ahead and z up; a camera's own x is to the right, y down and z ahead.
    return np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, _EYES], [0, 0, 0, 1]])


def as_source(
    scene: bpy.types.Scene,
    strip: Any,
    cameras: bpy.types.Scene,
    like: bpy.types.Object | None,
    trajectory: Trajectory,
    frame: float,
) -> bpy.types.Object:
    """A new camera that goes so, from this frame of its scene on: the source camera from now on."""
    name = tr("Camera of {strip}").format(strip=strip.name)
    camera = keyed_camera.new_camera(name, cameras, trajectory, frame, like=like)
    camera[depth.SOLVED] = True
    scene.recam.source_camera = camera
    return camera
