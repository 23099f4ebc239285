"""A trajectory as a camera of Blender's that is keyed frame by frame: the way back of sampling.py."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ..backend.cameras import arrays
from ..backend.contract import Trajectory
from . import compat, sampling

_KEPT = ("clip_start", "clip_end", "display_size", "sensor_width")


def new_camera(
    name: str,
    scene: bpy.types.Scene,
    trajectory: Trajectory,
    frame: float,
    *,
    like: bpy.types.Object | None = None,
    collection: bpy.types.Collection | None = None,
) -> bpy.types.Object:
    """A new camera that moves so, with keys on what changes and straight lines between them; nothing else is touched.

    Args:
        name: of the camera; Blender numbers it where there is one already.
        scene: the one that it moves in.
        trajectory: one pose for each frame of that scene.
        frame: of the scene, that of the first pose.
        like: a camera whose sensor, clipping and display size it takes.
        collection: where it goes; None: to the scene's own.
    """
    data = bpy.data.cameras.new(name)
    if like is not None and like.type == "CAMERA":
        for each in _KEPT:
            setattr(data, each, getattr(like.data, each))
    # Across the picture, whatever its shape: then a lens is one number.
    data.sensor_fit = "HORIZONTAL"
    camera = bpy.data.objects.new(name, data)
    camera.rotation_mode = "QUATERNION"
    (collection or scene.collection).objects.link(camera)
    poses, lenses = arrays(trajectory)
    matrices = [Matrix(sampling.matrix_world_from_pose(each, scene)) for each in poses]
    frames = [frame + index for index in range(len(matrices))]
    turns = [each.to_quaternion() for each in matrices]
    for before, turn in itertools.pairwise(turns):
        turn.make_compatible(before)
    _key(camera, "location", frames, [tuple(each.translation) for each in matrices])
    _key(camera, "rotation_quaternion", frames, [tuple(each) for each in turns])
    fx, _, cx, cy = lenses.T
    width, height = trajectory.width, trajectory.height
    aspect = scene.render.pixel_aspect_y / scene.render.pixel_aspect_x
    _key(data, "lens", frames, [(float(each),) for each in fx / width * data.sensor_width])
    _key(data, "shift_x", frames, [(float(each),) for each in 0.5 - cx / width])
    _key(data, "shift_y", frames, [(float(each),) for each in (cy - height / 2) / width * aspect])
    return camera


def _key(item: bpy.types.ID, path: str, frames: list[float], values: list[tuple[float, ...]]) -> None:
    """Keys on what changes; straight lines between them, as a trajectory knows nothing else."""
    seen = np.array(values)
    for index in range(seen.shape[1]):
        array = seen.shape[1] > 1
        _set(item, path, index if array else None, float(seen[0, index]))
        if np.ptp(seen[:, index]) <= 1e-6 * max(1.0, float(np.abs(seen[:, index]).max())):
            continue
        item.keyframe_insert(path, index=index if array else -1, frame=frames[0])
        curve = _curve(compat.curves(item), path, index)
        points = curve.keyframe_points
        points.add(len(frames) - 1)
        points.foreach_set("co", np.stack([frames, seen[:, index]], axis=-1).astype(np.float32).ravel())
        linear = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value
        points.foreach_set("interpolation", np.full(len(frames), linear, np.int32))
        curve.update()


def _set(item: bpy.types.ID, path: str, index: int | None, value: float) -> None:
    if index is None:
        setattr(item, path, value)
    else:
        getattr(item, path)[index] = value


def _curve(curves: Iterable[Any], path: str, index: int) -> Any:
    return next(each for each in curves if each.data_path == path and each.array_index == index)
