"""A keyframed camera, frame by frame, as Blender's own render would use it.

The camera is read as Blender evaluates it at each (fractional) frame, so that parents, constraints, drivers, the NLA,
shake from F-curve modifiers and slotted actions count. That happens on a stage: a scene made for the moment that holds
the camera alone, to which Blender brings what the camera depends on and nothing else. So the heaviest scene costs no
more than its camera, and what the user moved and has not keyed stays where it is. Only where a stage lacks something
(stage.py: simulations, drivers that ask for their scene, other add-ons' frame handlers) is that scene itself stepped
through, and put back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import bpy
import numpy as np
import numpy.typing as npt

from ..backend import contract
from .errors import ReCamError
from .stage import lacks, needs_its_scene, on_stage
from .texts import later, tr

Matrix = npt.NDArray[np.float64]

# Blender's camera axes (x right, y up, z backward) to OpenCV's (x right, y down, z forward), and back.
_FLIP = np.diag((1.0, -1.0, -1.0))
# Axes read in float32 are off by a few 1e-7 from right angles; a sheared parent's by far more.
_SQUARE = 1e-5
# What a picture may be off at its edge, in pixels, where a sheared camera is taken for a straight one.
_SKEW = 0.5


class CameraError(ReCamError):
    """A camera that cannot be used, and why."""


class Cut(NamedTuple):
    """One camera's part of a run of frames: ``frames[start:stop]``. ``camera`` is None where the scene has none."""

    camera: bpy.types.Object | None
    start: int
    stop: int


class View(NamedTuple):
    """A camera and the size of its picture, final pixels."""

    camera: bpy.types.Object
    width: int
    height: int


def check_camera(camera: bpy.types.Object | None) -> None:
    """Raise CameraError, with the reason, for what is not a perspective camera."""
    if camera is None:
        raise CameraError(tr("There is no camera: choose one, or make one the scene's active camera."))
    if camera.type != "CAMERA":
        raise CameraError(tr("'{name}' is no camera but of type {kind}.").format(name=camera.name, kind=camera.type))
    _check_lens_type(camera.name, camera.data.type)


def sample_trajectory(
    scene: bpy.types.Scene, camera: bpy.types.Object, frames: Sequence[float], *, width: int, height: int
) -> contract.Trajectory:
    """The camera at these frames of the scene that it moves in, with its lens for a picture of this size.

    Raises CameraError for a camera that has no rigid, perspective picture at each of them.
    """
    return sample_trajectories(scene, [View(camera, width, height)], frames)[0]


def sample_trajectories(
    scene: bpy.types.Scene, views: Sequence[View], frames: Sequence[float], *, gently: bool = False
) -> list[contract.Trajectory]:
    """Several cameras in one pass over the frames.

    Args:
        scene: the one that they move in.
        views: the cameras, each with the size of its picture.
        frames: of that scene, whole or not.
        gently: never step through the scene itself, even where only that would be exact: for what is only shown.
    """
    for view in views:
        check_camera(view.camera)
    for view in views:
        _check_membership(scene, view.camera)
    poses: list[list[contract.Pose]] = [[] for _ in views]
    lenses: list[list[contract.Intrinsics]] = [[] for _ in views]
    with _through_time(scene, [view.camera for view in views], frames, gently=gently) as (timed, layers):
        for frame in frames:
            _go_to(timed, frame)
            for index, (view, layer) in enumerate(zip(views, layers, strict=True)):
                pose, lens = _look_through(scene, view, layer.depsgraph, frame)
                poses[index].append(pose)
                lenses[index].append(lens)
    return [
        contract.Trajectory(width=view.width, height=view.height, poses=tuple(path), intrinsics=tuple(lens))
        for view, path, lens in zip(views, poses, lenses, strict=True)
    ]


def sample_shown(scene: bpy.types.Scene, view: View, depsgraph: bpy.types.Depsgraph) -> contract.Trajectory | None:
    """The camera as it is shown at the moment, what is moved and not keyed included: one pose.

    None where this depsgraph, which is the one of a window, does not evaluate it.

    Raises CameraError for a camera that has no rigid, perspective picture.
    """
    check_camera(view.camera)
    if not view.camera.evaluated_get(depsgraph).is_evaluated:
        return None
    pose, lens = _look_through(scene, view, depsgraph, scene.frame_current_final)
    return contract.Trajectory(width=view.width, height=view.height, poses=(pose,), intrinsics=(lens,))


def cuts(scene: bpy.types.Scene, frames: Sequence[float]) -> list[Cut]:
    """Which camera is the scene's own over these frames, where markers with a camera switch it.

    Blender's rule (BKE_scene_camera_switch_find): the last marker at or before the frame counts, before the first
    marker the first one does, cameras hidden from renders do not, and time remapping applies.
    """
    found: list[Cut] = []
    for index, frame in enumerate(frames):
        camera = _marked_camera(scene, frame) or scene.camera
        if found and found[-1].camera == camera:
            found[-1] = found[-1]._replace(stop=index + 1)
        else:
            found.append(Cut(camera, index, index + 1))
    return found


def focal_intrinsics(
    scene: bpy.types.Scene, camera: bpy.types.Object, focal: float, *, width: int, height: int
) -> contract.Intrinsics:
    """A centred lens of ``focal`` millimetres on this camera's sensor, for a picture of this size."""
    check_camera(camera)
    sensor, aspect = camera.data, scene.render.pixel_aspect_y / scene.render.pixel_aspect_x
    fit = sensor.sensor_fit
    if fit == "AUTO":
        fit = "HORIZONTAL" if width >= height * aspect else "VERTICAL"
    size = sensor.sensor_height if sensor.sensor_fit == "VERTICAL" else sensor.sensor_width
    fx = focal / size * (width if fit == "HORIZONTAL" else height * aspect)
    return contract.Intrinsics(fx=fx, fy=fx / aspect, cx=width / 2, cy=height / 2)


def matrix_world_from_pose(pose: Any, scene: bpy.types.Scene) -> Matrix:
    """The matrix_world (4, 4) in this scene of a camera of this pose: the way back of :func:`sample_trajectory`.

    Of several poses (n, 4, 4) so many.
    """
    matrix = np.array(pose, dtype=np.float64)
    matrix[..., :3, :3] = matrix[..., :3, :3] @ _FLIP
    matrix[..., :3, 3] /= scene.unit_settings.scale_length
    return matrix


def in_opencv_axes(matrices: Any) -> Matrix:
    """Rigid camera matrices (n, 4, 4) of Blender's axes in OpenCV's; places stay in their own unit."""
    poses = np.array(matrices, dtype=np.float64)
    left, _, right = np.linalg.svd(poses[:, :3, :3] @ _FLIP)
    poses[:, :3, :3] = left @ right
    return poses


def notes(camera: bpy.types.Object, scene: bpy.types.Scene) -> list[str]:
    """What this camera would do in a render and does not do in a take, in whole sentences."""
    found = []
    if camera.data.dof.use_dof:
        found.append(tr("The depth of field of '{name}' is not used.").format(name=camera.name))
    if scene.render.use_motion_blur:
        found.append(tr("The motion blur of scene '{name}' is not used.").format(name=scene.name))
    if scene.render.use_multiview:
        found.append(tr("The stereo views of scene '{name}' are not used.").format(name=scene.name))
    if scene.render.use_border and scene.render.use_crop_to_border:
        found.append(
            tr("The render region of scene '{name}' is not used: a take shows the whole frame.").format(name=scene.name)
        )
    return found


# Reading one frame


def _look_through(
    scene: bpy.types.Scene, view: View, depsgraph: bpy.types.Depsgraph, frame: float
) -> tuple[contract.Pose, contract.Intrinsics]:
    camera = view.camera.evaluated_get(depsgraph)
    _check_lens_type(view.camera.name, camera.data.type)
    world = np.array(camera.matrix_world, dtype=np.float64)
    lens = _lens(scene, camera, depsgraph, view)
    rotation, lens = _straighten(_axes(world, view.camera.name, frame), lens, view, frame)
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = world[:3, 3] * scene.unit_settings.scale_length
    rows: Any = tuple(tuple(row) for row in pose.tolist())
    return rows, contract.Intrinsics(fx=lens[0, 0], fy=lens[1, 1], cx=lens[0, 2], cy=lens[1, 2])


def _lens(scene: bpy.types.Scene, camera: bpy.types.Object, depsgraph: bpy.types.Depsgraph, view: View) -> Matrix:
    """The 3x3 matrix that takes OpenCV camera axes to pixels."""
    projection = camera.calc_matrix_camera(
        depsgraph,
        x=view.width,
        y=view.height,
        scale_x=scene.render.pixel_aspect_x,
        scale_y=scene.render.pixel_aspect_y,
    )
    x, y = view.width / 2, view.height / 2
    return np.array(
        [
            [projection[0][0] * x, 0.0, (1.0 - projection[0][2]) * x],
            [0.0, projection[1][1] * y, (1.0 + projection[1][2]) * y],
            [0.0, 0.0, 1.0],
        ]
    )


def _axes(world: Matrix, name: str, frame: float) -> Matrix:
    """The camera's axes as Blender renders with them: each column of its matrix brought to length 1.

    Shear and mirroring survive that, in Workbench and in Cycles: their pictures are sheared and mirrored.
    """
    lengths = np.linalg.norm(world[:3, :3], axis=0)
    axes: Matrix = world[:3, :3] / np.where(lengths > 0, lengths, 1)
    volume = float(np.linalg.det(axes))
    if not np.isfinite(world).all() or abs(volume) < 1e-3:
        raise CameraError(
            tr("'{name}' has no size at frame {frame:g}: it or a parent is scaled to nothing.").format(
                name=name, frame=frame
            )
        )
    if volume < 0:
        raise CameraError(
            tr(
                "'{name}' is mirrored at frame {frame:g}: it or a parent has a negative scale. Make the scale positive."
            ).format(name=name, frame=frame)
        )
    return axes


def _straighten(axes: Matrix, lens: Matrix, view: View, frame: float) -> tuple[Matrix, Matrix]:
    """The rotation (camera to world, OpenCV axes) and the lens that give the same picture as these axes.

    A sheared camera's picture is that of a straight one with another lens, but for a skew that no lens here has.
    """
    if np.allclose(axes.T @ axes, np.eye(3), rtol=0, atol=_SQUARE):
        left, _, right = np.linalg.svd(axes @ _FLIP)
        return left @ right, lens
    straight, rotation = _rq(lens @ _FLIP @ np.linalg.inv(axes))
    straight /= straight[2, 2]
    if abs(straight[0, 1]) * view.height / 2 / straight[1, 1] > _SKEW:
        raise CameraError(
            tr(
                "'{name}' is sheared at frame {frame:g} by a parent that is scaled unevenly. Scale the "
                "parent evenly, or clear the camera's parent and keep its transform."
            ).format(name=view.camera.name, frame=frame)
        )
    return rotation.T, straight


def _rq(matrix: Matrix) -> tuple[Matrix, Matrix]:
    """An upper triangle with a positive diagonal, and a rotation, whose product is this matrix."""
    turned, triangle = np.linalg.qr(matrix[::-1].T)
    upper, rotation = triangle.T[::-1, ::-1], turned.T[::-1]
    signs = np.sign(np.diag(upper))
    return upper * signs, rotation * signs[:, None]


def _check_lens_type(name: str, kind: str) -> None:
    if kind == "PERSP":
        return
    known = {"ORTHO": later("orthographic"), "PANO": later("panoramic")}
    words = tr(known.get(kind, later("one with its own lens shader")))
    raise CameraError(
        tr("'{name}' is {words}; only perspective cameras can re-shoot. Set its lens type to Perspective.").format(
            name=name, words=words
        )
    )


# Going through time


def split_frame(frame: float) -> tuple[int, float]:
    """The whole frame and the part of one after it; what is whole but for rounding is not read from just before."""
    whole = math.floor(frame + 1e-6)
    return whole, max(0.0, frame - whole)


def _go_to(scene: bpy.types.Scene, frame: float) -> None:
    whole, part = split_frame(frame)
    scene.frame_set(whole, subframe=part)


_Timed = tuple[bpy.types.Scene, list[bpy.types.ViewLayer]]


@contextmanager
def _through_time(
    scene: bpy.types.Scene, cameras: Sequence[bpy.types.Object], frames: Sequence[float], *, gently: bool
) -> Iterator[_Timed]:
    """The scene to step through, and for each camera a view layer of it that it is evaluated in."""
    exact = gently or not needs_its_scene(scene)
    if exact:
        with on_stage(scene, cameras) as stage:
            if not gently:
                _go_to(stage, frames[0])
                exact = not lacks(stage)
            if exact:
                yield stage, [stage.view_layers[0]] * len(cameras)
    if not exact:
        with _in_its_scene(scene, cameras) as timed:
            yield timed


@contextmanager
def _in_its_scene(scene: bpy.types.Scene, cameras: Sequence[bpy.types.Object]) -> Iterator[_Timed]:
    """The scene itself, which afterwards stands where it stood."""
    with _restored(scene), _evaluated(scene, cameras) as layers:
        yield scene, layers


@contextmanager
def _restored(scene: bpy.types.Scene) -> Iterator[None]:
    """Afterwards the scene stands where it stood. Its camera too: markers switch that when the frame changes."""
    # The two have the same sign: frame -3.5 is -3 and -0.5 when read, but -4 and 0.5 when set.
    frame, camera = scene.frame_current + scene.frame_subframe, scene.camera
    try:
        yield
    finally:
        _go_to(scene, frame)
        if scene.camera != camera:
            scene.camera = camera


@contextmanager
def _evaluated(scene: bpy.types.Scene, cameras: Sequence[bpy.types.Object]) -> Iterator[list[bpy.types.ViewLayer]]:
    """For each camera, a view layer in whose depsgraph it is evaluated.

    Cameras that no layer shows (disabled in viewports, or in an excluded collection) are evaluated all the same where a
    marker names them; they get one for as long as that is needed, past all frames so that it switches nothing.
    """
    markers = []
    try:
        for camera in cameras:
            if _layer_with(scene, camera) is None:
                marker = scene.timeline_markers.new("ReCam", frame=_PAST_ALL_FRAMES)
                marker.camera = camera
                markers.append(marker)
        layers = [_layer_with(scene, camera) for camera in cameras]
        for camera, layer in zip(cameras, layers, strict=True):
            if layer is None:
                raise CameraError(
                    tr("'{name}' is not evaluated in scene '{scene}': make it visible there.").format(
                        name=camera.name, scene=scene.name
                    )
                )
        yield [layer for layer in layers if layer is not None]
    finally:
        for marker in markers:
            scene.timeline_markers.remove(marker)


_PAST_ALL_FRAMES = 1_048_574


def _layer_with(scene: bpy.types.Scene, camera: bpy.types.Object) -> bpy.types.ViewLayer | None:
    for layer in scene.view_layers:
        layer.update()
        if layer.depsgraph is not None and camera.evaluated_get(layer.depsgraph).is_evaluated:
            return layer
    return None


def _check_membership(scene: bpy.types.Scene, camera: bpy.types.Object) -> None:
    named = [scene.camera, *(marker.camera for marker in scene.timeline_markers)]
    if scene not in camera.users_scene and camera not in named:
        raise CameraError(
            tr("'{name}' is not in scene '{scene}'. Choose the scene that it moves in.").format(
                name=camera.name, scene=scene.name
            )
        )


def _marked_camera(scene: bpy.types.Scene, frame: float) -> bpy.types.Object | None:
    markers = [each for each in scene.timeline_markers if each.camera and not each.camera.hide_render]
    if not markers:
        return None
    # Blender cuts the fraction off, also below zero.
    now = int(round(frame * scene.render.frame_map_old / scene.render.frame_map_new, 6))
    before = [each for each in markers if each.frame <= now]
    if before:
        return max(before, key=lambda each: each.frame).camera
    return min(markers, key=lambda each: each.frame).camera
