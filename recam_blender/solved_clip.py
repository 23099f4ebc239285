"""Blender's own solve of a clip that shows the footage, as the footage's camera."""

from __future__ import annotations

import os
import re
from typing import Any

import bpy
import numpy as np

from ..backend.cameras import from_arrays, inverse
from . import footage, media, runtime, sampling, solving
from .errors import ReCamError
from .footage import FootageFound
from .texts import tr

_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)
"""The name of a picture among others: the last number in it counts, as for Blender."""

_STRAIGHT = 1e-4

_BENDS = {
    "DIVISION": ("division_k1", "division_k2"),
    "NUKE": ("nuke_k1", "nuke_k2"),
    "BROWN": ("brown_k1", "brown_k2", "brown_k3", "brown_k4", "brown_p1", "brown_p2"),
}


def clips_of(scene: bpy.types.Scene, strip: Any) -> list[bpy.types.MovieClip]:
    """The clips of this file that show the file, or the pictures, of a strip, and are solved."""
    wanted = _shown_by(scene, strip)
    return [
        each for each in bpy.data.movieclips if each.tracking.reconstruction.is_valid and _name_of_clip(each) == wanted
    ]


def from_clip(scene: bpy.types.Scene, strip: Any, clip: bpy.types.MovieClip) -> bpy.types.Object:
    """Make a camera of Blender's own solve of a clip that this footage shows, and let it be the footage's.

    Where a camera of the scene follows that solve by a constraint, the new one goes as it does: that world has been
    oriented and scaled. Else it begins where the target camera is, and the world is as large as the known point says,
    or as what was tracked in the first frame is at the subject distance.

    Raises:
        ReCamError: the clip is not solved where the footage shows it, or shows other frames than can be told.
    """
    solved = clip.tracking.reconstruction
    if not solved.is_valid:
        raise ReCamError(tr("Clip {clip!r} is not solved: solve it in the Movie Clip Editor.").format(clip=clip.name))
    found = _read(scene, strip)
    shown = _clip_frames(strip, clip, found)
    known = {each.frame for each in solved.cameras}
    lacking = [frame for frame in shown if frame not in known]
    if lacking:
        text = tr("Clip {clip!r} is solved for frames {first} to {last}, but the footage shows frame {frame} of it.")
        first, last = min(known, default=0), max(known, default=0)
        raise ReCamError(text.format(clip=clip.name, first=first, last=last, frame=lacking[0]))
    cameras, frame = solving.time_of(scene, strip, found.start)
    like = solving.target_of(scene, cameras)
    size = tuple(clip.size) if all(clip.size) else (found.footage.width, found.footage.height)
    follower = _follower(cameras, clip)
    if follower is not None:
        times = [float(clip.frame_start + each - 1) for each in shown]
        view = sampling.View(follower, *size)
        poses = np.array(sampling.sample_trajectories(cameras, [view], times, gently=True)[0].poses)
    else:
        poses = _poses(solved, shown)
        poses[:, :3, 3] *= _scale(scene, clip, found, shown)
        poses = solving.start_pose(cameras, like, frame) @ inverse(poses[0]) @ poses
    trajectory = from_arrays(poses, _lens(clip, size), *size)
    return solving.as_source(scene, strip, cameras, like, trajectory, frame)


def distorts(clip: bpy.types.MovieClip) -> bool:
    """Whether straight lines are bent by the clip's lens, which they are not by a camera's."""
    camera = clip.tracking.camera
    names = _BENDS.get(camera.distortion_model, ("k1", "k2", "k3"))
    return any(abs(getattr(camera, name, 0.0)) > _STRAIGHT for name in names)


# Which frames of it


def _shown_by(scene: bpy.types.Scene, strip: Any) -> tuple[str, ...]:
    """By what a clip of the same is known."""
    if strip.type == "MOVIE":
        return (media.absolute(strip.filepath, scene.library),)
    if strip.type == "IMAGE" and len(strip.elements):
        path = os.path.join(strip.directory, strip.elements[0].filename)
        return _beside_number(media.absolute(path, scene.library))
    return ("nothing", "has", "this", "name")


def _name_of_clip(clip: bpy.types.MovieClip) -> tuple[str, ...]:
    path = media.absolute(clip.filepath, clip.library)
    return (path,) if clip.source == "MOVIE" else _beside_number(path)


def _beside_number(path: str) -> tuple[str, ...]:
    head, _, tail = _parts(path)
    return head, tail


def _parts(path: str) -> tuple[str, int, str]:
    stem, suffix = os.path.splitext(path)
    folder, name = os.path.split(stem)
    found = _NUMBERED.fullmatch(name)
    if found is None:
        return path, 0, ""
    return os.path.join(folder, found[1]), int(found[2]), found[3] + suffix


def _read(scene: bpy.types.Scene, strip: Any) -> FootageFound:
    with runtime.scratch_folder() as folder:
        reading = footage.read_footage(scene, strip, folder=folder)
        try:
            while True:
                next(reading)
        except StopIteration as ended:
            found: FootageFound = ended.value
    return found


def _clip_frames(strip: Any, clip: bpy.types.MovieClip, found: FootageFound) -> list[int]:
    """Which frame of a clip, as its solve counts them, each frame of the footage shows."""
    if not found.source_frames:
        raise ReCamError(tr("Which frames of a clip strip {strip!r} shows cannot be told.").format(strip=strip.name))
    if clip.source == "MOVIE":
        return [each + 1 - clip.frame_offset for each in found.footage.frames]
    first = _parts(media.absolute(clip.filepath, clip.library))[1] + clip.frame_offset
    return [_parts(found.footage.files[each])[1] - first + 1 for each in found.footage.frames]


# Where it was


def _follower(cameras: bpy.types.Scene, clip: bpy.types.MovieClip) -> bpy.types.Object | None:
    """The camera of a scene that goes as the clip was solved, where there is one."""
    for camera in cameras.objects:
        for each in camera.constraints if camera.type == "CAMERA" else ():
            follows = each.type == "CAMERA_SOLVER" and not each.mute and each.influence == 1
            if follows and (cameras.active_clip if each.use_active_clip else each.clip) == clip:
                return camera
    return None


def _poses(solved: bpy.types.MovieTrackingReconstruction, frames: list[int]) -> Any:
    return sampling.in_opencv_axes([np.array(solved.cameras.matrix_from_frame(frame=each)) for each in frames])


def _scale(scene: bpy.types.Scene, clip: bpy.types.MovieClip, found: FootageFound, shown: list[int]) -> float:
    """Metres for one unit of the solve."""
    settings, solved = scene.recam, clip.tracking.reconstruction
    index = settings.known_frame - found.start
    by_point = settings.use_known and 0 <= index < len(shown)
    frame = shown[index if by_point else 0]
    into = np.linalg.inv(np.array(solved.cameras.matrix_from_frame(frame=frame)))
    seen = []
    for track in clip.tracking.tracks:
        marker = track.markers.find_frame(frame) if track.has_bundle else None
        if marker is not None and not marker.mute:
            depth = -float((into @ (*track.bundle, 1.0))[2])
            place = marker.co[0] * found.footage.width, (1 - marker.co[1]) * found.footage.height
            apart = np.hypot(place[0] - settings.known_x, place[1] - settings.known_y)
            seen.append((float(apart), depth))
    ahead = sorted(each for each in seen if each[1] > 0)
    if not ahead:
        return 1.0
    if by_point:
        return float(settings.known_distance / ahead[0][1])
    return float(settings.subject_distance / np.median([depth for _, depth in ahead]))


def _lens(clip: bpy.types.MovieClip, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The lens of a clip, without its distortion, in pixels of its frames."""
    camera = clip.tracking.camera
    fx = camera.focal_length_pixels
    x, y = camera.principal_point_pixels
    return fx, fx * camera.pixel_aspect, float(x), size[1] - float(y)
