"""Where and when a new move starts: in which scene, at which frame, from which view, around what."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import bpy
from mathutils import Matrix, Vector

from .. import compat, planning, request, sampling
from ..errors import ReCamError
from .catalogue import DISTANCE, FRAMES

_SIZE = (832, 480)
"""The picture that a lens is measured with; any would do."""

_NO_SUBJECTS = ("CAMERA", "LIGHT", "LIGHT_PROBE", "SPEAKER")


class Start(NamedTuple):
    """A first view: ``at`` as a matrix_world, a camera to take sensor and lens from, and its focal length there."""

    at: Matrix
    like: bpy.types.Object | None = None
    lens: float | None = None


def scenes(context: bpy.types.Context) -> tuple[bpy.types.Scene | None, bpy.types.Scene | None]:
    """The scene that a move is made in, and the edit whose footage it is for.

    That is the scene that the user looks at; in the sequencer it is the one that the footage's cameras move in.
    """
    edit = compat.sequencer_scene(context)
    if not _in_sequencer(context) or edit is None:
        return context.scene, edit
    strip = request.chosen_footage(edit)
    return (edit if strip is None else _camera_time(edit, strip)[0]), edit


def span(scene: bpy.types.Scene, edit: bpy.types.Scene | None) -> tuple[float, int]:
    """The first frame of a move in this scene, and how many it has: those of the footage that is chosen in the edit.

    Without footage it starts now, and is as long as the published ones.
    """
    strip = request.chosen_footage(edit) if edit is not None else None
    if edit is None or strip is None:
        return float(scene.frame_current), FRAMES
    first, end = _range(edit, strip)
    meets = _camera_time(edit, strip, scene=scene)[1]
    return meets + first - compat.span(strip)[0], max(2, end - first)


def use(camera: bpy.types.Object, scene: bpy.types.Scene, edit: bpy.types.Scene) -> None:
    """Let the edit be re-shot with this camera of this scene."""
    edit.recam.camera = camera
    strip = request.chosen_footage(edit)
    found = edit if strip is None else _camera_time(edit, strip, camera=camera.name)[0]
    if found != scene:
        edit.recam.camera_scene = scene


def start(
    scene: bpy.types.Scene, edit: bpy.types.Scene | None, frame: float, *, view: Matrix | None, prefer_view: bool
) -> Start:
    """What the footage shows first, as far as that is known.

    That is what the source camera sees at this frame, else the scene's own camera (which the first of them that stands
    in this scene is), else the view, else from before the 3D cursor.

    Args:
        scene: that the move is made in.
        edit: whose source camera counts.
        frame: the move's first.
        view: the user's view of the scene as a matrix_world, where there is one.
        prefer_view: whether it goes before the cameras, which then give their lens alone.
    """
    camera = _filming(scene, edit, frame)
    if camera is None:
        return Start(view if view is not None else _before_cursor(scene))
    seen = _seen_by(scene, camera, frame)
    return seen if view is None or not prefer_view else seen._replace(at=view)


def subject(context: bpy.types.Context, scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The active object, where it is something to look at."""
    found = context.view_layer.objects.active if context.scene == scene else None
    if found is None or found.type in _NO_SUBJECTS or found.name not in scene.objects:
        return None
    return found


def view_of(context: bpy.types.Context, scene: bpy.types.Scene) -> Matrix | None:
    """From where the user looks at this scene, as a matrix_world."""
    region = getattr(context, "region_data", None)
    if region is None or context.scene != scene:
        return None
    return region.view_matrix.inverted()


def _in_sequencer(context: bpy.types.Context) -> bool:
    return context.area is not None and context.area.type == "SEQUENCE_EDITOR"


# Time


def _range(edit: bpy.types.Scene, strip: Any) -> tuple[int, int]:
    """The timeline frames that are re-shot; those of the whole strip where the settings make no sense yet."""
    try:
        return planning.shown_range(request.from_settings(edit), strip)
    except ReCamError:
        return compat.span(strip)


def _camera_time(
    edit: bpy.types.Scene, strip: Any, *, camera: str = "", scene: bpy.types.Scene | None = None
) -> tuple[bpy.types.Scene, float]:
    """The scene that the cameras move in, and its frame at the strip's first; asked for a scene, its frame."""
    scene = scene or edit.recam.camera_scene
    if not camera and scene is not None:
        # The edit may show several scenes at once, and is asked for one of them by a camera that is there.
        camera = next((each.name for each in scene.objects if each.type == "CAMERA"), "")
    asked = request.Request(
        scene=edit.name,
        strip=strip.name,
        camera=camera,
        camera_scene=scene.name if scene is not None else "",
        camera_frame=edit.recam.camera_frame if edit.recam.use_camera_frame else None,
    )
    return planning.camera_time(asked, edit, strip)


# Views


def _filming(scene: bpy.types.Scene, edit: bpy.types.Scene | None, frame: float) -> bpy.types.Object | None:
    source = edit.recam.source_camera if edit is not None else None
    if source is not None and source.type == "CAMERA" and source.name in scene.objects:
        return source
    own = sampling.cuts(scene, [frame])[0].camera
    return own if own is not None and own.type == "CAMERA" else None


def _seen_by(scene: bpy.types.Scene, camera: bpy.types.Object, frame: float) -> Start:
    """From where a camera looks at a frame. Time stands still where it is that frame already.

    For then nothing has to be evaluated anew, and what the user moved but has not keyed yet stays moved.
    """
    here = _evaluated(scene, camera)
    if here is not None and (camera.data.type != "PERSP" or frame == scene.frame_current + scene.frame_subframe):
        return Start(here.matrix_world.copy(), camera, here.data.lens)
    width, height = _SIZE
    seen = sampling.sample_trajectory(scene, camera, [frame], width=width, height=height)
    one = sampling.focal_intrinsics(scene, camera, 1.0, width=width, height=height)
    at = Matrix(sampling.matrix_world_from_pose(seen.poses[0], scene).tolist())
    return Start(at, camera, round(seen.intrinsics[0].fx / one.fx, 5))


def _evaluated(scene: bpy.types.Scene, camera: bpy.types.Object) -> bpy.types.Object | None:
    """The camera as it is now. In a scene that no window shows, the original does not know its own place."""
    for layer in scene.view_layers:
        layer.update()
        if layer.depsgraph is not None and camera.evaluated_get(layer.depsgraph).is_evaluated:
            return camera.evaluated_get(layer.depsgraph)
    return None


def _before_cursor(scene: bpy.types.Scene) -> Matrix:
    """Level, from the front, as far from the 3D cursor as the published moves are from what they look at."""
    back = Vector((0, -DISTANCE / scene.unit_settings.scale_length, 0))
    return Matrix.Translation(scene.cursor.location + back) @ Matrix.Rotation(math.pi / 2, 4, "X")
