"""Builds the sample scene from a seed: a courtyard, two things that move in it, and two cameras.

    python -m samples.build OUT.blend [--seed 0] [--arc 3] [--footage CLIP.mp4]

"Source" stands still; "Target" starts as it, swings around the subject by ``arc`` degrees in the first quarter of the
clip, and dollies in and out. Everything is drawn from the seed: two builds of one seed are the same scene.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from dataclasses import dataclass
from random import Random
from typing import Any

import bpy
from mathutils import Matrix, Vector

from . import ambient, movers, surfaces
from .shapes import Profile, Soup, curve, plant

WIDTH, HEIGHT, RATE, FRAMES = 832, 480, 24, 81
SEEDS, ARCS = (0, 1, 2), (1.5, 3.0, 6.0, 12.0)
PIVOT = (0.0, 0.0, 0.9)
"""What the cameras look at and the target swings around, metres."""
EYE = (0.0, -4.6, 1.55)
SUBJECT_DISTANCE = math.dist(EYE, PIVOT)
LENS, SENSOR = 35.0, 36.0
WALL = 3.2
"""How far behind the pivot the back wall stands, metres."""
DOLLY = 0.25
"""How far the target goes towards the subject, metres."""


@dataclass(frozen=True)
class Palette:
    wall: tuple[str, str, str]
    floor: tuple[str, str, str]
    wood: tuple[str, str]
    cloth: list[str]
    accents: list[str]
    statue: tuple[str, str]
    door: tuple[str, str]


PALETTES = (
    Palette(
        wall=("bd6a48", "d6946a", "7f5846"),
        floor=("b8a98c", "927e62", "6b5a4a"),
        wood=("a9703c", "6b4022"),
        cloth=["94463f", "b9a07a", "5c6c7c", "ab8550"],
        accents=["3a6480", "d0a556", "9a4a44", "c9c3b0", "4a7a6a", "c27c4c"],
        statue=("6f8f88", "a9bdb0"),
        door=("2c6e73", "16454f"),
    ),
    Palette(
        wall=("8d9fb0", "bcc6ce", "5f6c78"),
        floor=("c77f4f", "8a4a2e", "3b241a"),
        wood=("c79a63", "8a5f34"),
        cloth=["4a6c80", "94adac", "a87648", "bcae94"],
        accents=["d09a3a", "2c6a7a", "94bdb0", "a04638", "ccbf98", "565a74"],
        statue=("9c683c", "c9a06a"),
        door=("9b2226", "5f1418"),
    ),
    Palette(
        wall=("c9ab62", "e0cb94", "8a713f"),
        floor=("9aa87c", "5e6e50", "333b2b"),
        wood=("8a4b2d", "52281a"),
        cloth=["6c5a7c", "baa0a6", "5a8478", "b89858"],
        accents=["704a78", "d08a68", "d0c672", "58a09a", "d0c9bc", "ac5468"],
        statue=("8d789a", "bfb0c6"),
        door=("3d5a34", "22361d"),
    ),
)


def build(seed: int = 0, arc_degrees: float = 3.0) -> bpy.types.Scene:
    """Empties the file and builds the scene in it.

    Args:
        seed: layout, colours, textures and the movers' ways.
        arc_degrees: the angle that the target camera swings around the subject, to the right for even seeds.
    """
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    scene = bpy.context.scene
    _set_up_rendering(scene)
    rng = Random(seed)
    palette = PALETTES[seed % len(PALETTES)]
    static = _Courtyard(scene, rng, palette).build()
    moving = [
        *movers.ball(scene, rng, palette.accents, last=FRAMES),
        *movers.lantern(scene, rng, palette.accents, palette.wood, last=FRAMES),
    ]
    bpy.context.view_layer.update()
    ambient.bake(static, moving)
    for each in (*static, *moving):
        # Else Cycles looks for light on every other surface's ambient term: noise, and most of the time.
        each.visible_diffuse = False
    _add_sun(scene, rng)
    _add_cameras(scene, arc_degrees * (1 if seed % 2 == 0 else -1))
    scene.frame_set(1)
    return scene


def add_footage(scene: bpy.types.Scene, path: str, *, channel: int = 1) -> Any:
    """Puts a clip into the scene's sequencer at its first frame; returns the strip."""
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strip = strips.new_movie(name="footage", filepath=path, channel=channel, frame_start=scene.frame_start)
    for workspace in bpy.data.workspaces:
        if hasattr(workspace, "sequencer_scene"):
            workspace.sequencer_scene = scene
    return strip


class _Courtyard:
    """What stands still. x to the right, y away from the cameras, z up; metres."""

    def __init__(self, scene: bpy.types.Scene, rng: Random, palette: Palette) -> None:
        self.scene, self.rng, self.palette = scene, rng, palette
        self.objects: list[bpy.types.Object] = []
        # The sides that things stand on: door, crates, front plant.
        self.door, self.crates, self.front = (rng.choice((-1, 1)) for _ in range(3))
        self.wood = surfaces.planks("wood", rng, *palette.wood, size=(0.9, 0.13))
        self.pale = surfaces.stone("pale stone", rng, "9a8c70", "c9bfa6", scale=5.0)

    def build(self) -> list[bpy.types.Object]:
        self._walls()
        self._on_the_wall()
        self._middle()
        self._front()
        return self.objects

    def _jitter(self, x: float, y: float, by: float = 0.12) -> tuple[float, float]:
        return x + self.rng.uniform(-by, by), y + self.rng.uniform(-by, by)

    def _add(
        self, name: str, soup: Soup, material: Any, place: Any, *, turn: float = 0.0, smooth: bool = False
    ) -> None:
        mesh = soup.mesh(name, smooth=smooth)
        mesh.materials.append(material)
        made = bpy.data.objects.new(name, mesh)
        made.location, made.rotation_euler = place, (0.0, 0.0, turn)
        self.scene.collection.objects.link(made)
        self.objects.append(made)

    def _walls(self) -> None:
        wall = surfaces.bricks("wall", self.rng, *self.palette.wall)
        plaster = surfaces.mosaic("side wall", self.rng, [*self.palette.wall[:2], self.palette.floor[0]], cell=0.3)
        back, left, right, floor = (Soup() for _ in range(4))
        back.grid((-4, WALL, 0), (8, 0, 0), (0, 0, 3.6), 0.16)
        left.grid((-3.1, -0.2, 0), (0, WALL + 0.2, 0), (0, 0, 3.6), 0.16)
        right.grid((3.1, WALL, 0), (0, -WALL - 0.2, 0), (0, 0, 3.6), 0.16)
        floor.grid((-4, -5, 0), (8, 0, 0), (0, 8.6, 0), 0.11)
        self._add("back wall", back, wall, (0, 0, 0))
        self._add("left wall", left, plaster, (0, 0, 0))
        self._add("right wall", right, plaster, (0, 0, 0))
        self._add("floor", floor, surfaces.tiles("tiles", self.rng, *self.palette.floor), (0, 0, 0), turn=0.0)
        rug = Soup()
        rug.box((2.6, 1.7, 0.012), cell=0.1)
        place = (*self._jitter(0, -0.25, 0.1), 0.006)
        self._add(
            "rug", rug, surfaces.weave("rug", self.rng, self.palette.cloth), place, turn=self.rng.uniform(-0.3, 0.3)
        )

    def _on_the_wall(self) -> None:
        side = self.door
        door, frame = Soup(), Soup()
        door.box((0.95, 0.06, 1.95), (0, 0, 0.975), cell=0.12)
        for x in (-0.56, 0.56):
            frame.box((0.17, 0.16, 2.15), (x, 0, 1.075), cell=0.1)
        frame.box((1.45, 0.18, 0.2), (0, 0, 2.2), cell=0.1)
        at = (side * self.rng.uniform(1.45, 1.7), WALL - 0.08, 0)
        boards = surfaces.planks("door", self.rng, *self.palette.door, size=(0.16, 3.0))
        self._add("door", door, boards, at)
        self._add("door frame", frame, self.pale, at)
        self._shelves(-side * self.rng.uniform(1.25, 1.5))
        self._picture(side * self.rng.uniform(0.1, 0.3), 1.75)

    def _shelves(self, x: float) -> None:
        boards, books = Soup(), Soup()
        for z in (0.55, 1.1, 1.65, 2.2):
            boards.box((1.5, 0.3, 0.04), (0, 0, z), cell=0.1)
            at = -0.7
            while z < 2.2 and at < 0.62:
                thick, tall = self.rng.uniform(0.05, 0.12), self.rng.uniform(0.24, 0.42)
                if self.rng.random() < 0.85:
                    books.box(
                        (thick * 0.94, 0.2, tall), (at + thick / 2, 0, z + 0.02 + tall / 2), tint=self.rng.random()
                    )
                at += thick
        for side in (-0.75, 0.75):
            boards.box((0.04, 0.32, 2.3), (side, 0, 1.15), cell=0.12)
        self._add("shelves", boards, self.wood, (x, WALL - 0.2, 0))
        spines = surfaces.tinted("books", self.rng, self.palette.accents, stripes=14.0)
        self._add("books", books, spines, (x, WALL - 0.2, 0))

    def _picture(self, x: float, z: float) -> None:
        picture, frame = Soup(), Soup()
        picture.box((0.7, 0.03, 0.9), cell=0.15)
        for side in (-1, 1):
            frame.box((0.06, 0.07, 1.02), (side * 0.38, 0, 0), cell=0.12)
            frame.box((0.7, 0.07, 0.06), (0, 0, side * 0.48), cell=0.12)
        self._add(
            "picture",
            picture,
            surfaces.mosaic("picture", self.rng, self.palette.accents, cell=0.14),
            (x, WALL - 0.03, z),
        )
        self._add("picture frame", frame, self.wood, (x, WALL - 0.04, z))

    def _middle(self) -> None:
        column = [
            (0.36, 0),
            (0.36, 0.08),
            (0.3, 0.1),
            (0.26, 0.16),
            (0.23, 0.22),
            (0.23, 0.52),
            (0.27, 0.58),
            (0.33, 0.6),
        ]
        pedestal = Soup()
        pedestal.lathe([*column, (0.33, 0.68), (1e-3, 0.68)], segments=48)
        x, y = self._jitter(0, 0.35, 0.08)
        self._add("pedestal", pedestal, self.pale, (x, y, 0), smooth=False)
        self._statue((x, y, 0.68 + 0.33))
        crates = surfaces.planks("crates", self.rng, *self.palette.wood, size=(0.8, 0.115))
        side = self.crates
        for size, place in (
            (0.62, (side * -1.45, 0.75, 0)),
            (0.42, (side * -1.5, 0.75, 0.62)),
            (0.5, (side * -2.05, 0.25, 0)),
        ):
            crate = Soup()
            crate.box((size, size, size), (0, 0, size / 2), cell=0.09)
            for a in (-1, 1):
                for b in (-1, 1):
                    crate.box((0.06, 0.06, size + 0.02), (a * size / 2, b * size / 2, size / 2), cell=0.09)
            self._add(
                "crate", crate, crates, (*self._jitter(*place[:2], 0.06), place[2]), turn=self.rng.uniform(-0.35, 0.35)
            )
        barrel = Soup()
        barrel.lathe([*curve([(0.26, 0), (0.33, 0.25), (0.345, 0.42), (0.33, 0.6), (0.26, 0.84)], 5), (1e-3, 0.82)])
        staves = surfaces.planks("staves", self.rng, *self.palette.wood, size=(0.11, 2.0))
        self._add("barrel", barrel, staves, (*self._jitter(side * 1.5, 1.0), 0), smooth=True)
        self._potted((*self._jitter(side * 2.1, 0.35), 0), 0.5)

    def _statue(self, place: tuple[float, float, float]) -> None:
        bpy.ops.mesh.primitive_monkey_add(size=0.78, location=place, rotation=(-0.1, 0, self.rng.uniform(-0.5, 0.5)))
        statue = bpy.context.object
        statue.name = "statue"
        smoother = statue.modifiers.new("smooth", "SUBSURF")
        smoother.levels = 1
        bpy.ops.object.modifier_apply(modifier=smoother.name)
        statue.data.polygons.foreach_set("use_smooth", [True] * len(statue.data.polygons))
        statue.data.materials.append(surfaces.stone("statue", self.rng, *self.palette.statue, scale=6.0))
        self.objects.append(statue)

    def _front(self) -> None:
        side = self.front
        self._potted((*self._jitter(side * -1.3, -1.55, 0.08), 0), 0.55)
        stool = Soup()
        stool.lathe(curve([(0.2, 0), (0.15, 0.1), (0.13, 0.22), (0.19, 0.4)], 4), segments=32)
        stool.lathe([(1e-3, 0.4), (0.24, 0.4), (0.25, 0.43), (0.24, 0.47), (1e-3, 0.47)], segments=32)
        pattern = surfaces.mosaic("stool", self.rng, self.palette.accents, cell=0.07, objectwise=True)
        self._add("stool", stool, pattern, (*self._jitter(side * 1.3, -1.35, 0.08), 0), smooth=False)

        # Hangs in front of the picture's upper corner; its rope leaves the view.
        x, y = self._jitter(side * -1.0, -0.85, 0.06)
        self._potted((x, y, 1.5), 0.4)
        rope = Soup()
        rope.lathe([(0.012, 1.85), (0.012, 3.2)], segments=8)
        self._add("rope", rope, self.wood, (x, y, 0))

    def _potted(self, place: tuple[float, float, float], length: float) -> None:
        pot, soil, leaves = Soup(), Soup(), Soup()
        outline: Profile = curve([(0.13, 0), (0.2, 0.12), (0.22, 0.24), (0.19, 0.36), (0.22, 0.42)], 4)
        pot.lathe([*outline, (0.18, 0.42), (0.17, 0.36)], segments=40)
        soil.lathe([(0.18, 0.37), (1e-3, 0.38)], segments=24)
        plant(leaves, self.rng, (0, 0, 0.38), leaves=26, length=length)
        glaze = surfaces.mosaic("pot", self.rng, self.palette.accents, cell=0.09, objectwise=True)
        green = surfaces.tinted("leaves", self.rng, ["1f4a22", "4f8a35", "9dbb4a", "33692f"], stripes=40.0)
        earth = surfaces.stone("earth", self.rng, "2b1a10", "6b4a30", scale=20.0)
        self._add("pot", pot, glaze, place, smooth=True)
        self._add("soil", soil, earth, place)
        self._add("plant", leaves, green, place, smooth=True)


def _set_up_rendering(scene: bpy.types.Scene) -> None:
    """Cycles with direct light only: with the materials' own ambient term, clean at a few samples."""
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = 4
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.use_denoising = False
    scene.cycles.use_light_tree = False
    scene.cycles.filter_width = 1.6
    scene.cycles.max_bounces = 0
    scene.cycles.seed = 0
    scene.render.use_persistent_data = True
    scene.render.dither_intensity = 0.0
    scene.render.resolution_x, scene.render.resolution_y, scene.render.fps = WIDTH, HEIGHT, RATE
    scene.frame_start, scene.frame_end = 1, FRAMES
    # Footage looks in the sequencer as it does anywhere else.
    scene.view_settings.view_transform = "Standard"
    world = bpy.data.worlds.new("night")
    if world.node_tree is None:  # before Blender 5
        world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.0
    scene.world = world


def _add_sun(scene: bpy.types.Scene, rng: Random) -> None:
    light = bpy.data.lights.new("sun", "SUN")
    light.energy, light.angle, light.color = 4.2, 0.0, (1.0, 0.87, 0.68)
    sun = bpy.data.objects.new("sun", light)
    sun.rotation_euler = (
        math.radians(rng.uniform(50, 54)),
        0.0,
        math.radians(rng.choice((-1, 1)) * rng.uniform(50, 58)),
    )
    scene.collection.objects.link(sun)


def _add_cameras(scene: bpy.types.Scene, arc_degrees: float) -> None:
    source = _camera(scene, "Source")
    source.matrix_world = _view(Vector(EYE))
    pivot = bpy.data.objects.new("Target pivot", None)
    pivot.empty_display_size = 0.3
    pivot.location = PIVOT
    scene.collection.objects.link(pivot)
    target = _camera(scene, "Target")
    target.parent = pivot
    near = Vector(PIVOT) + (Vector(EYE) - Vector(PIVOT)) * (1 - DOLLY / (Vector(EYE) - Vector(PIVOT)).length)
    places = [_view(place) for place in (Vector(EYE), near)]
    target.rotation_euler = places[0].to_euler()
    for frame, angle in ((1, 0.0), (20, arc_degrees), (81, arc_degrees)):
        pivot.rotation_euler = (0.0, 0.0, math.radians(angle))
        pivot.keyframe_insert("rotation_euler", frame=frame)
    for frame, place in ((1, 0), (22, 0), (52, 1), (81, 0)):
        target.location = places[place].translation - Vector(PIVOT)
        target.keyframe_insert("location", frame=frame)
    movers.smooth_keys(pivot, target)
    scene.camera = target


def _camera(scene: bpy.types.Scene, name: str) -> bpy.types.Object:
    lens = bpy.data.cameras.new(name)
    lens.lens, lens.sensor_width, lens.sensor_fit = LENS, SENSOR, "HORIZONTAL"
    camera = bpy.data.objects.new(name, lens)
    scene.collection.objects.link(camera)
    return camera


def _view(place: Vector) -> Matrix:
    """A camera at that place that looks at the subject."""
    turn = (Vector(PIVOT) - place).to_track_quat("-Z", "Y")
    return Matrix.LocRotScale(place, turn, None)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="samples.build", description=__doc__.split("\n")[0])
    parser.add_argument("blend")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--arc", type=float, default=3.0, help="degrees")
    parser.add_argument("--footage", help="a clip to put into the sequencer")
    options = parser.parse_args(arguments)
    scene = build(options.seed, options.arc)
    if options.footage:
        add_footage(scene, os.path.abspath(options.footage))
    bpy.ops.wm.save_as_mainfile(filepath=os.path.abspath(options.blend), check_existing=False)


if __name__ == "__main__":
    main(sys.argv[1:])
