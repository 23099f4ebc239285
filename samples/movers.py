"""The two things that move in the sample: a ball that rolls and a lantern that swings."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import bpy
from mathutils import Matrix, Quaternion, Vector

from . import surfaces
from .shapes import Soup, arc


def ball(scene: bpy.types.Scene, rng: Random, accents: list[str], *, last: int) -> list[bpy.types.Object]:
    """Rolls over the floor in front of the subject in a slight bend, without slipping."""
    radius = 0.23
    soup = Soup()
    soup.lathe(arc(radius, -90, 90, 28), segments=56)
    pattern = surfaces.mosaic("ball", rng, accents, cell=0.2, objectwise=True)
    made = _object(scene, "ball", soup, pattern, smooth=True)
    made.rotation_mode = "QUATERNION"
    side, bend, depth = rng.choice((-1, 1)), rng.uniform(0.1, 0.3), rng.uniform(-0.95, -0.8)
    turn, before = Quaternion(), None
    for frame in range(1, last + 1):
        t = (frame - 1) / (last - 1)
        place = Vector((side * (-1.15 + 2.1 * t), depth + bend * (2 * t - 1) ** 2 - bend, radius))
        if before is not None:
            way = place - before
            turn = Quaternion(Vector((0, 0, 1)).cross(way).normalized(), way.length / radius) @ turn
        before = place
        made.location, made.rotation_quaternion = place, turn
        made.keyframe_insert("location", frame=frame)
        made.keyframe_insert("rotation_quaternion", frame=frame)
    return [made]


def lantern(
    scene: bpy.types.Scene, rng: Random, accents: list[str], wood: tuple[str, str], *, last: int
) -> list[bpy.types.Object]:
    """Hangs from above and swings to and fro."""
    height, length = 3.0, rng.uniform(1.25, 1.4)
    frame, paper = Soup(), Soup()
    frame.lathe([(0.012, -length), (0.012, 0)], segments=8)
    for low, radius in ((-length - 0.02, 0.09), (-length - 0.4, 0.11)):
        frame.lathe([(1e-3, low), (radius, low), (radius, low + 0.05), (1e-3, low + 0.06)], segments=24)
    paper.lathe(arc(0.21, -62, 62, 14, height=-length - 0.19), segments=40)
    metal = surfaces.planks("lantern frame", rng, *wood, size=(0.05, 0.05))
    shade = surfaces.glowing("lantern paper", rng, "f2a33a", strength=1.0)
    made = [_object(scene, "lantern frame", frame, metal), _object(scene, "lantern", paper, shade, smooth=True)]
    swing, phase, period = math.radians(rng.uniform(14, 20)), rng.uniform(0, 2 * math.pi), rng.uniform(40, 56)
    place = (rng.choice((-1, 1)) * rng.uniform(0.75, 0.95), rng.uniform(0.5, 0.9), height)
    heading = rng.uniform(-0.4, 0.4)
    for each in made:
        each.location = place
        for number in range(1, last + 1):
            angle = swing * math.cos(phase + 2 * math.pi * number / period)
            each.rotation_euler = (Matrix.Rotation(heading, 3, "Z") @ Matrix.Rotation(angle, 3, "Y")).to_euler()
            each.keyframe_insert("rotation_euler", frame=number)
    return made


def smooth_keys(*objects: bpy.types.Object) -> None:
    """Bezier keys with flat handles at the ends, whatever the user's own default is."""
    for each in objects:
        for keys in curves(each):
            for key in keys.keyframe_points:
                key.interpolation = "BEZIER"
                key.handle_left_type = key.handle_right_type = "AUTO_CLAMPED"
            keys.update()


def curves(each: bpy.types.Object) -> list[Any]:
    """The animation curves of an object; from Blender 4.4 on they sit in the channels of its slot."""
    data = each.animation_data
    if hasattr(data.action, "fcurves"):
        return list(data.action.fcurves)
    return [c for layer in data.action.layers for s in layer.strips for c in s.channelbag(data.action_slot).fcurves]


def _object(scene: bpy.types.Scene, name: str, soup: Soup, material: Any, *, smooth: bool = False) -> bpy.types.Object:
    mesh = soup.mesh(name, smooth=smooth)
    mesh.materials.append(material)
    made = bpy.data.objects.new(name, mesh)
    scene.collection.objects.link(made)
    return made
