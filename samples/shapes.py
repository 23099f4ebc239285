"""Meshes of the sample: boxes, turned bodies and leaves, each with texture coordinates in metres."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

import bpy

Vertex = tuple[float, float, float]
Profile = list[tuple[float, float]]


# For each face of a box its corner (in half sizes) and the two edges from it; first x second points outwards.
_BOX = (
    ((1, -1, -1), (0, 1, 0), (0, 0, 1)),
    ((-1, 1, -1), (0, -1, 0), (0, 0, 1)),
    ((1, 1, -1), (-1, 0, 0), (0, 0, 1)),
    ((-1, -1, -1), (1, 0, 0), (0, 0, 1)),
    ((-1, -1, 1), (1, 0, 0), (0, 1, 0)),
    ((-1, 1, -1), (1, 0, 0), (0, -1, 0)),
)


class Soup:
    """Faces in the making, with the texture coordinates of their corners."""

    def __init__(self) -> None:
        self.vertices: list[Vertex] = []
        self.faces: list[tuple[int, ...]] = []
        self.uvs: list[tuple[float, float]] = []
        self.tints: list[float] = []

    def grid(self, corner: Vertex, along: Vertex, up: Vertex, cell: float, *, tint: float = 0.5) -> None:
        """A rectangle spanned by two vectors, cut into cells of about that size, so that it can carry baked shade."""
        lengths = [math.dist((0, 0, 0), each) for each in (along, up)]
        columns, rows = (max(1, round(length / cell)) for length in lengths)
        first = len(self.vertices)
        for row in range(rows + 1):
            for column in range(columns + 1):
                s, t = column / columns, row / rows
                self.vertices.append(tuple(corner[i] + s * along[i] + t * up[i] for i in range(3)))
        for row in range(rows):
            for column in range(columns):
                corners = [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)]
                self.faces.append(tuple(first + r * (columns + 1) + c for c, r in corners))
                self.uvs += [(c / columns * lengths[0], r / rows * lengths[1]) for c, r in corners]
                self.tints.append(tint)

    def box(self, size: Vertex, centre: Vertex = (0, 0, 0), *, cell: float = 0.15, tint: float = 0.5) -> None:
        """A closed box; its faces share no vertices, so that each is flat and shaded on its own."""
        for corner, along, up in _BOX:
            start, first, second = (
                tuple(c * s for c, s in zip(each, size, strict=True)) for each in (corner, along, up)
            )
            self.grid(tuple(c + s / 2 for c, s in zip(centre, start, strict=True)), first, second, cell, tint=tint)

    def lathe(self, profile: Profile, *, segments: int = 40, centre: Vertex = (0, 0, 0), tint: float = 0.5) -> None:
        """A body turned around z from (radius, height) pairs, bottom to top."""
        first = len(self.vertices)
        girth = 2 * math.pi * max(radius for radius, _ in profile)
        for radius, height in profile:
            for segment in range(segments):
                angle = 2 * math.pi * segment / segments
                x, y = radius * math.cos(angle), radius * math.sin(angle)
                self.vertices.append((centre[0] + x, centre[1] + y, centre[2] + height))
        length = [0.0]
        for below, above in pairwise(profile):
            length.append(length[-1] + math.dist(below, above))
        for ring in range(len(profile) - 1):
            for segment in range(segments):
                corners = [(segment, ring), (segment + 1, ring), (segment + 1, ring + 1), (segment, ring + 1)]
                self.faces.append(tuple(first + r * segments + s % segments for s, r in corners))
                self.uvs += [(girth * s / segments, length[r]) for s, r in corners]
                self.tints.append(tint)

    def leaf(self, root: Vertex, heading: float, length: float, width: float, rise: float, tint: float) -> None:
        """A leaf that leaves its root upwards and bends over, towards ``heading`` (radians)."""
        first, steps = len(self.vertices), 8
        ahead, aside = (math.cos(heading), math.sin(heading)), (-math.sin(heading), math.cos(heading))
        for step in range(steps + 1):
            t = step / steps
            out = length * (0.15 * t + 0.85 * t * t) * math.cos(rise * (1 - t))
            up = length * (1.25 * math.sin(rise) * t - 0.75 * t * t)
            half = width * math.sin(math.pi * (0.06 + 0.94 * t) ** 0.8) / 2
            for side in (-1, 1):
                x, y = (ahead[i] * out + aside[i] * half * side for i in range(2))
                self.vertices.append((root[0] + x, root[1] + y, root[2] + up + 0.15 * half))
        for step in range(steps):
            corners = [(step, 0), (step, 1), (step + 1, 1), (step + 1, 0)]
            self.faces.append(tuple(first + 2 * s + side for s, side in corners))
            self.uvs += [(width * side, length * s / steps) for s, side in corners]
            self.tints.append(tint)

    def mesh(self, name: str, *, smooth: bool = False) -> bpy.types.Mesh:
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata(self.vertices, [], self.faces)
        layer = mesh.uv_layers.new(name="metres")
        layer.data.foreach_set("uv", [value for uv in self.uvs for value in uv])
        mesh.attributes.new("tint", "FLOAT", "FACE").data.foreach_set("value", self.tints)
        mesh.polygons.foreach_set("use_smooth", [smooth] * len(mesh.polygons))
        mesh.update()
        return mesh


def arc(radius: float, start: float, stop: float, steps: int, *, height: float = 0.0) -> Profile:
    """Part of a circle as a profile; angles in degrees from the south pole (-90) to the north pole (90)."""
    angles = [math.radians(start + (stop - start) * step / steps) for step in range(steps + 1)]
    return [(max(1e-4, radius * math.cos(angle)), height + radius * math.sin(angle)) for angle in angles]


def curve(points: Profile, steps: int) -> Profile:
    """A smooth profile (Catmull-Rom) through these points."""
    padded = [points[0], *points, points[-1]]
    found = []
    for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        for step in range(steps):
            t = step / steps
            found.append(tuple(_catmull_rom(a, b, c, d, t) for a, b, c, d in zip(p0, p1, p2, p3, strict=True)))
    return [*found, points[-1]]


def plant(soup: Soup, rng: Random, root: Vertex, *, leaves: int, length: float) -> None:
    """A tuft of bending leaves."""
    for index in range(leaves):
        heading = 2 * math.pi * (index * 0.381966 + rng.uniform(-0.05, 0.05))
        size = length * rng.uniform(0.65, 1.0)
        soup.leaf(root, heading, size, size * rng.uniform(0.2, 0.28), rng.uniform(0.7, 1.45), rng.random())


def _catmull_rom(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)
