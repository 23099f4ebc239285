"""Renders the sample's scene as seen by a camera that goes around it, for benchmarks/motion.py; Blender's Python.

    python -m benchmarks.motion_shoot FOLDER [--seed 0] [--frames 49] [--every 8] [--arc 12] [--further 4]

FOLDER/source gets all frames, FOLDER/target each so many of them from a camera ``--further`` degrees further around
the subject; both get depth of each so many frames and their cameras. What is there already is kept.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys

import bpy
from mathutils import Matrix, Vector

from samples import build, shoot


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.motion_shoot", description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--frames", type=int, default=49)
    parser.add_argument("--every", type=int, default=8)
    parser.add_argument("--arc", type=float, default=12.0, help="degrees that the source camera goes around")
    parser.add_argument("--further", type=float, default=4.0, help="degrees from the source to the target camera")
    options = parser.parse_args(arguments)
    scene = build.build(options.seed)
    for name, further in (("Source", 0.0), ("Target", options.further)):
        camera = bpy.data.objects[name]
        camera.animation_data_clear()
        camera.parent = None
        for frame in range(1, build.FRAMES + 1):
            camera.matrix_world = _place((frame - 1) / (options.frames - 1), options.arc, further)
            camera.keyframe_insert("location", frame=frame)
            camera.keyframe_insert("rotation_euler", frame=frame)
    frames = range(1, options.frames + 1)
    some = frames[:: options.every]
    folders = {name: os.path.join(os.path.abspath(options.folder), name.lower()) for name in ("Source", "Target")}
    for name, folder in folders.items():
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "camera.json"), "w") as file:
            json.dump(shoot.trajectory(scene, name), file)
        shoot.shoot(scene, name, frames if name == "Source" else some, folder)
    for name, folder in folders.items():
        shoot.shoot_depth(scene, name, some, folder)


def _place(share: float, arc: float, further: float) -> Matrix:
    """A camera on its way around the subject, not quite level: it was held by hands."""
    eye, pivot = Vector(build.EYE), Vector(build.PIVOT)
    angle = math.radians(arc * (share - 0.5) + further)
    place = pivot + Matrix.Rotation(angle, 3, "Z") @ (eye - pivot)
    place.z += 0.06 * math.sin(5 * share)
    return build._view(place)


if __name__ == "__main__":
    main(sys.argv[1:])
