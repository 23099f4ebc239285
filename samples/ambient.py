"""How open each vertex is to the sky, baked into the attribute "ao" that the sample's materials read."""

from __future__ import annotations

import math
from collections.abc import Sequence

import bpy
from mathutils import Vector
from mathutils.bvhtree import BVHTree

RAYS = 24
REACH = 1.3
"""Metres; what is further away takes no light."""


def bake(objects: Sequence[bpy.types.Object], movers: Sequence[bpy.types.Object] = ()) -> None:
    """Writes the attribute: for ``objects`` from rays among them, for ``movers``, which go their ways, all open."""
    tree = _tree(objects)
    directions = _directions()
    for each in objects:
        mesh, place = each.data, each.matrix_world
        turn = place.to_3x3().normalized()
        values = [_openness(tree, place @ v.co, (turn @ v.normal).normalized(), directions) for v in mesh.vertices]
        mesh.attributes.new("ao", "FLOAT", "POINT").data.foreach_set("value", values)
    for each in movers:
        mesh = each.data
        mesh.attributes.new("ao", "FLOAT", "POINT").data.foreach_set("value", [0.9] * len(mesh.vertices))


def _tree(objects: Sequence[bpy.types.Object]) -> BVHTree:
    vertices: list[Vector] = []
    faces: list[list[int]] = []
    for each in objects:
        first = len(vertices)
        vertices += [each.matrix_world @ vertex.co for vertex in each.data.vertices]
        faces += [[first + index for index in polygon.vertices] for polygon in each.data.polygons]
    return BVHTree.FromPolygons(vertices, faces)


def _directions() -> list[Vector]:
    """Spread over the hemisphere around z as light falls on it: more upright than flat (a Fibonacci spiral)."""
    found = []
    for index in range(RAYS):
        radius, angle = math.sqrt((index + 0.5) / RAYS), index * math.pi * (3 - math.sqrt(5))
        found.append(Vector((radius * math.cos(angle), radius * math.sin(angle), math.sqrt(1 - radius * radius))))
    return found


def _openness(tree: BVHTree, place: Vector, normal: Vector, directions: list[Vector]) -> float:
    frame = normal.to_track_quat("Z", "Y")
    start = place + normal * 2e-3
    shut = 0.0
    for direction in directions:
        distance = tree.ray_cast(start, frame @ direction, REACH)[3]
        if distance is not None:
            shut += 1 - distance / REACH
    return 1 - shut / len(directions)
