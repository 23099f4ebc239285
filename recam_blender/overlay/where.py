"""Which edit a 3D view is about: it may show the edit's own scene, or one that only the cameras move in."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from .. import compat, watching


def edit_of(context: bpy.types.Context) -> bpy.types.Scene | None:
    """The scene whose sequencer and settings count for what this window shows; None where nothing is edited.

    That is the scene whose edit is looked at, if it has strips; else the first whose cameras move in the scene that the
    window shows.
    """
    shown = compat.sequencer_scene(context)
    if shown is not None and compat.strips_all(shown):
        return shown
    for scene in bpy.data.scenes:
        if scene.sequence_editor is not None and moves_in(scene) == context.scene.name:
            return scene
    return None


def moves_in(edit: bpy.types.Scene) -> str:
    """The name of the scene that an edit's cameras move in, as far as that can be told at once."""
    seen = watching.look(edit)
    if seen is not None and seen.camera_scene:
        return seen.camera_scene
    chosen = edit.recam.camera_scene
    return str(chosen.name if chosen is not None else edit.name)


def seen_here(context: bpy.types.Context) -> watching.Seen | None:
    """What the settings mean, where this window shows the scene that the cameras move in."""
    edit = edit_of(context)
    seen = watching.look(edit) if edit is not None else None
    return seen if seen is not None and seen.camera_scene == context.scene.name else None


def looks_through(context: bpy.types.Context) -> Any | None:
    """The camera that this 3D view looks through, if it does."""
    space, view = context.space_data, context.region_data
    if view is None or view.view_perspective != "CAMERA":
        return None
    return space.camera if space.use_local_camera else context.scene.camera


def on_region(points: Any, context: bpy.types.Context) -> Any:
    """Where points (n, 3) of the scene lie in this region, in pixels (n, 2); not a number for those behind the view."""
    whole = np.append(np.asarray(points, dtype=np.float64), np.ones((len(points), 1)), axis=1)
    x, y, _, depth = (whole @ np.array(context.region_data.perspective_matrix, dtype=np.float64).T).T
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = np.where(depth > 0, x / depth, np.nan), np.where(depth > 0, y / depth, np.nan)
    region = context.region
    return np.stack(((x + 1) * region.width / 2, (y + 1) * region.height / 2), axis=1)
