"""A scene made for the moment, to read cameras in: it holds them alone, and Blender brings what they depend on.

What a camera depends on is evaluated there as in its own scene, with few exceptions, which :func:`lacks` knows: what is
simulated from frame to frame, what asks which scene it is in, and what scripts do.
"""

from __future__ import annotations

import ast
import builtins
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import bpy

NAME = "ReCam's stage"
"""What these scenes are called, for handlers that are told of every scene's frames."""

removed = 0
"""How many there were. After each Blender tells, of all other scenes, of all that they hold."""

_PAST_ALL_FRAMES = 1_048_574


@contextmanager
def on_stage(scene: bpy.types.Scene, cameras: Sequence[bpy.types.Object]) -> Iterator[bpy.types.Scene]:
    """A scene with these cameras alone, which evaluates them as ``scene`` would; nobody else is told of its frames."""
    global removed
    stage = bpy.data.scenes.new(NAME)
    try:
        render = stage.render
        for name in _SETTINGS:
            setattr(render, name, getattr(scene.render, name))
        # Of solvers and tracks that name no clip of their own.
        stage.active_clip = scene.active_clip
        for camera in dict.fromkeys(cameras):
            # Whom a marker names is evaluated, be it shown or not; past all frames it switches nothing.
            stage.timeline_markers.new(NAME, frame=_PAST_ALL_FRAMES).camera = camera
        # Not updated by hand: that would make it Blender's active one, which writes to the user's objects.
        with _untold():
            yield stage
    finally:
        bpy.data.scenes.remove(stage)
        removed += 1


# The rate is that of cached files. Simplified geometry is another one to whom stands on it.
_SETTINGS = ("frame_map_old", "frame_map_new", "fps", "fps_base", "use_simplify", "simplify_subdivision")


@contextmanager
def _untold() -> Iterator[None]:
    """Scripts that run at each frame do not run at those of a stage: they may write to what is the user's."""
    lists = (bpy.app.handlers.frame_change_pre, bpy.app.handlers.frame_change_post)
    told = [list(each) for each in lists]
    try:
        for each in lists:
            each.clear()
        yield
    finally:
        for each, before in zip(lists, told, strict=True):
            each[:] = before


def needs_its_scene(scene: bpy.types.Scene) -> bool:
    """Whether cameras of a scene may follow what no stage has: rigid bodies, or scripts that run at each frame."""
    package = __package__.rpartition(".")[0]
    handlers = [*bpy.app.handlers.frame_change_pre, *bpy.app.handlers.frame_change_post]
    return scene.rigidbody_world is not None or any(
        not getattr(each, "__module__", "").startswith(package) for each in handlers
    )


def lacks(stage: bpy.types.Scene) -> bool:
    """Whether what is on a stage may be another than in its own scene. The stage must have been at some frame."""
    depsgraph = stage.view_layers[0].depsgraph
    # The depsgraph's own list leaves out what is there for others' sake alone, such as the targets of constraints.
    for kind in _MOVING:
        for each in getattr(bpy.data, kind):
            if each != stage and each.evaluated_get(depsgraph).is_evaluated and _needs_more(each):
                return True
    return False


_MOVING = ("objects", "node_groups", "scenes", "shape_keys", "cameras", "armatures", "curves", "lattices")
"""What may have to do with where a camera stands."""


def _needs_more(data: Any) -> bool:
    if isinstance(data, bpy.types.Scene):
        return True  # A driver asks for it, and nobody takes it to the stage's frame.
    if isinstance(data, bpy.types.Object):
        needs = any(each.type in _SIMULATED for each in data.modifiers) or _is_tracked(data)
    else:
        needs = isinstance(data, bpy.types.NodeTree) and any(each.bl_idname in _NODES for each in data.nodes)
    drivers = data.animation_data.drivers if data.animation_data is not None else ()
    return needs or any(_asks_around(each.driver) for each in drivers)


_SIMULATED = {"CLOTH", "DYNAMIC_PAINT", "EXPLODE", "FLUID", "PARTICLE_INSTANCE", "PARTICLE_SYSTEM", "SOFT_BODY"}
_NODES = {"GeometryNodeSimulationInput", "GeometryNodeBake", "GeometryNodeInputActiveCamera"}
_TRACKING = ("FOLLOW_TRACK", "OBJECT_SOLVER")


def _is_tracked(thing: bpy.types.Object) -> bool:
    """Whether it is constrained to a place in a picture: to Blender that depends on the scene's own camera."""
    constraints = [*thing.constraints]
    if thing.pose is not None:
        constraints += (each for bone in thing.pose.bones for each in bone.constraints)
    return any(each.type in _TRACKING for each in constraints)


def _asks_around(driver: bpy.types.Driver) -> bool:
    """Whether it asks for more than its own variables, the frame and mathematics."""
    if any(each.type == "CONTEXT_PROP" for each in driver.variables):
        return True
    if driver.type != "SCRIPTED" or driver.is_simple_expression:
        return False
    try:
        parsed = ast.parse(driver.expression.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return False  # It fails wherever it is.
    names = {each.id for each in ast.walk(parsed) if isinstance(each, ast.Name)}
    return not names <= _KNOWN | {each.name for each in driver.variables}


_KNOWN = {*dir(builtins), *dir(math), "frame", "self", "noise", "clamp", "lerp", "smoothstep"}
