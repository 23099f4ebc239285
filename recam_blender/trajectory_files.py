"""Cameras from files of other programs, and back: keyed frame by frame. What Blender is asked for is in operators.

The formats, and what each cannot hold, are in backend/cameras/formats; here is where in the scene they go.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np

from ..backend import contract
from ..backend.cameras import arrays, formats, from_arrays, inverse
from ..backend.cameras.formats import Loaded
from . import keyed_camera, planning, sampling
from .errors import ReCamError
from .texts import plural, tr

AUTOMATIC = "auto"
WORLD, CURSOR, CAMERA = "world", "cursor", "camera"

# The sensor that a lens is given on, where the file has none; Blender's own.
_SENSOR = 36.0
# How far pixels may be from the scene's shape before that is told.
_SQUARE = 1e-3


class FileError(ReCamError):
    """A file of cameras that cannot be read or written, and why."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How a file of cameras is to come into a scene.

    Attributes:
        camera: which one, where there are several; empty for the first.
        every: all of them.
        scale: metres per unit of the file.
        frame: of the scene, that of the first pose.
        by_time: bring the poses to the scene's rate, where the file has times; else one for each frame.
        up: which axis of the file's world is up, one of ``formats.UPS``, or :data:`AUTOMATIC`.
        place: :data:`WORLD` as in the file; :data:`CURSOR`: starting at the 3D cursor; :data:`CAMERA`: starting as the
            scene's camera stands at ``frame``.
        lens: millimetres on a sensor 36 mm wide, where the file has none.
    """

    camera: str = ""
    every: bool = False
    scale: float = 1.0
    frame: float = 1.0
    by_time: bool = True
    up: str = AUTOMATIC
    place: str = WORLD
    lens: float = 50.0


def import_cameras(
    scene: bpy.types.Scene, path: str, wanted: Wanted, collection: bpy.types.Collection | None = None
) -> tuple[list[bpy.types.Object], list[str]]:
    """New cameras that move as those in a file; nothing that was there is changed.

    Args:
        scene: that they move in.
        path: a file, or a folder with COLMAP's files or a transforms.json in it.
        wanted: how.
        collection: where they go; None: to the scene's own.

    Returns:
        The cameras, and what was decided or is not in the file, in whole sentences.

    Raises:
        FileError: the file holds no cameras that can be read, or not the one that was asked for.
        CameraError: they are to start as the scene's camera, and that is none to film with.
    """
    if scene.library is not None:
        template = tr("Scene {scene!r} is linked from another file and cannot be changed: add the camera there.")
        raise FileError(template.format(scene=scene.name))
    loaded = _load(scene, path, wanted)
    told = list(dict.fromkeys(_text(sentence) for each in loaded for sentence in each.lacks))
    up = likely_up(loaded) if wanted.up == AUTOMATIC else wanted.up
    trajectories = [formats.turned(each.trajectory, up) for each in loaded]
    moved = _placed(scene, trajectories, wanted)
    if wanted.up == AUTOMATIC and wanted.place != CAMERA:
        told.append(tr("{axis} was taken as up in the file.").format(axis=up))
    stem = _stem(path, loaded[0].kind)
    cameras = [
        keyed_camera.new_camera(
            _text(f"{stem} {each.camera}" if each.camera and len(each.cameras) > 1 else stem),
            scene,
            trajectory,
            wanted.frame,
            collection=collection,
        )
        for each, trajectory in zip(loaded, moved, strict=True)
    ]
    return cameras, [*told, *_notes(scene, loaded, wanted)]


def likely_up(loaded: Sequence[Loaded]) -> str:
    """Which axis of a file's world is up: by its format where that says so, else as most of its cameras are held."""
    first = loaded[0]
    if first.kind == "published":
        return "+Z"
    if first.kind == "recam":
        # From Blender they come in Blender's world; from a solve or a preset in that of their own first view.
        return "-Y" if np.allclose(first.trajectory.poses[0], np.eye(4), atol=1e-6) else "+Z"
    return formats.up_axis(*(each.trajectory for each in loaded))


def _load(scene: bpy.types.Scene, path: str, wanted: Wanted) -> list[Loaded]:
    path = os.path.abspath(bpy.path.abspath(path)) if path else path
    try:
        kind = formats.detect(path)
        width, height = picture_size(scene)
        known: dict[str, Any] = {
            "kind": kind,
            "rate": float(planning.scene_rate(scene)) if wanted.by_time else None,
            "lens": (wanted.lens, _SENSOR),
            "scale": wanted.scale,
        }
        if kind != "re10k":  # whose lens says what shape the picture has
            known |= {"width": width, "height": height}
        if wanted.every:
            return formats.read_all(path, **known)
        return [formats.read(path, camera=wanted.camera or None, **known)]
    except contract.ContractError as error:
        template = tr("{file} cannot be read as a camera. {reason}.")
        raise FileError(_text(template.format(file=repr(os.path.basename(path)), reason=error))) from None


def _text(words: str) -> str:
    """Words that Blender takes: what is in a file, or its name, may be no text, which Blender's strings must be."""
    return words.encode("utf-8", "backslashreplace").decode("utf-8")


def picture_size(scene: bpy.types.Scene) -> tuple[int, int]:
    """How large a scene's pictures are, in pixels."""
    share = scene.render.resolution_percentage / 100
    return max(1, int(scene.render.resolution_x * share)), max(1, int(scene.render.resolution_y * share))


def _stem(path: str, kind: str) -> str:
    """What a camera from a file is called: COLMAP's files, and some others, all have the same name."""
    folder, name = os.path.split(os.path.normpath(bpy.path.abspath(path)))
    stem = os.path.splitext(name)[0]
    if stem.lower() in ("images", "cameras", "points3d", "frames", "rigs", "transforms", "camera_extrinsics", "0"):
        above = os.path.basename(folder)
        stem = os.path.basename(os.path.dirname(folder)) if above in ("0", "sparse") else above
    return stem or formats.KINDS[kind].label


def _placed(
    scene: bpy.types.Scene, trajectories: list[contract.Trajectory], wanted: Wanted
) -> list[contract.Trajectory]:
    first = np.array(trajectories[0].poses[0])
    move = np.eye(4)
    if wanted.place == CURSOR:
        cursor = np.array(scene.cursor.location) * scene.unit_settings.scale_length
        move[:3, 3] = cursor - first[:3, 3]
    elif wanted.place == CAMERA:
        width, height = picture_size(scene)
        camera = sampling.cuts(scene, [wanted.frame])[0].camera
        sampling.check_camera(camera)
        stands = sampling.sample_trajectory(scene, camera, [wanted.frame], width=width, height=height)
        move = np.array(stands.poses[0]) @ inverse(first)
    else:
        return trajectories
    return [_moved(each, move) for each in trajectories]


def _moved(trajectory: contract.Trajectory, move: Any) -> contract.Trajectory:
    poses, lenses = arrays(trajectory)
    return from_arrays(move @ poses, lenses, trajectory.width, trajectory.height)


def _notes(scene: bpy.types.Scene, loaded: list[Loaded], wanted: Wanted) -> list[str]:
    """What a camera in this scene is not, that the one in the file is."""
    found = []
    first = loaded[0].trajectory
    aspect = scene.render.pixel_aspect_y / scene.render.pixel_aspect_x
    if any(abs(lens.fy * aspect / lens.fx - 1) > _SQUARE for each in loaded for lens in each.trajectory.intrinsics):
        found.append(
            tr(
                "The file's lens is not for pixels of the shape that the scene's have: the picture is right "
                "across, and not up and down. Change the pixel aspect in Output > Format."
            )
        )
    width, height = picture_size(scene)
    if loaded[0].has_lens and abs(first.width * height / (first.height * width * aspect) - 1) > 0.01:
        template = tr("The file's picture is {width} x {height} pixels, which is another shape than the scene's.")
        found.append(template.format(width=first.width, height=first.height))
    last = wanted.frame + max(len(each.trajectory) for each in loaded) - 1
    if last > scene.frame_end:
        template = tr("The last key is on frame {last:g}, and the scene ends at {end}.")
        found.append(template.format(last=last, end=scene.frame_end))
    return found


# Out


def export_cameras(
    scene: bpy.types.Scene,
    path: str,
    kind: str,
    *,
    cameras: Sequence[bpy.types.Object] = (),
    first: int | None = None,
    last: int | None = None,
    force: bool = False,
) -> tuple[str, list[str]]:
    """Write cameras, as they are at each frame of a scene, to a new file.

    Args:
        scene: that they move in.
        path: of the file; of a folder for COLMAP's.
        kind: one of ``formats.KINDS``.
        cameras: which; none: the scene's own, with its cuts.
        first: frame; None: the scene's first.
        last: frame; None: the scene's last.
        force: take the place of a file that exists; only where the user was asked.

    Returns:
        Where they are, and what the file does not hold, in whole sentences.

    Raises:
        FileError: the file exists already or cannot be written, or does not hold so many cameras.
        CameraError: one of them is no camera to film with.
    """
    first = scene.frame_start if first is None else first
    last = scene.frame_end if last is None else last
    if last < first:
        raise FileError(tr("There are no frames from {first} to {last}.").format(first=first, last=last))
    several = len(cameras) > 1
    if several and "several" not in formats.KINDS[kind].holds:
        template = tr("{format} holds one camera, and {count} are selected: select one, or choose another format.")
        raise FileError(template.format(format=formats.KINDS[kind].label, count=len(cameras)))
    if several and kind != "published":
        template = tr("Several cameras are written as {format} alone: select one, or choose that.")
        raise FileError(template.format(format=formats.KINDS["published"].label))
    if not path:
        raise FileError(tr("There is no file name: give one."))
    frames = [float(frame) for frame in range(first, last + 1)]
    width, height = picture_size(scene)
    if cameras:
        views = [sampling.View(camera, width, height) for camera in cameras]
        known = dict(
            zip((each.name for each in cameras), sampling.sample_trajectories(scene, views, frames), strict=True)
        )
    else:
        known = {"cam01": _own_camera(scene, frames, width, height)}
    trajectories: Any = known if several else next(iter(known.values()))
    where = os.path.abspath(bpy.path.abspath(path))
    try:
        lost = formats.write(where, trajectories, kind, rate=planning.scene_rate(scene), first=first, force=force)
    except contract.ContractError as error:
        raise FileError(_text(tr("The cameras cannot be written. {reason}.").format(reason=error))) from None
    return where, list(lost)


def _own_camera(scene: bpy.types.Scene, frames: list[float], width: int, height: int) -> contract.Trajectory:
    """The scene's camera, which markers may switch."""
    parts = []
    for cut in sampling.cuts(scene, frames):
        sampling.check_camera(cut.camera)
        part = frames[cut.start : cut.stop]
        parts.append(sampling.sample_trajectory(scene, cut.camera, part, width=width, height=height))
    poses = tuple(pose for part in parts for pose in part.poses)
    lenses = tuple(lens for part in parts for lens in part.intrinsics)
    return replace(parts[0], poses=poses, intrinsics=lenses)


def summary(cameras: Sequence[bpy.types.Object], path: str) -> str:
    """What was made of a file, in one sentence."""
    names = ", ".join(repr(each.name) for each in cameras)
    return plural(len(cameras), "Made camera {names} from {file}.", "Made cameras {names} from {file}.").format(
        names=names, file=repr(os.path.basename(os.path.normpath(path)))
    )
