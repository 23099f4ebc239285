"""Renders the sample's clips as numbered pictures, its depth as EXR, and writes its cameras down.

    python -m samples.shoot FOLDER [--seed 0] [--camera Source] [--arc 3] [--every 1] [--depth] [--trajectory]

Frames that are there already are not rendered again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

import bpy
from mathutils import Matrix

from . import build

FAR = 1e10
"""Depth where the camera sees nothing."""


def shoot(scene: bpy.types.Scene, camera: str, frames: Sequence[int], folder: str) -> None:
    """Pictures of these frames, FOLDER/0001.png and so on, as the viewer sees them."""
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.compression = 15
    _render(scene, camera, frames, folder, ".png")


def shoot_depth(scene: bpy.types.Scene, camera: str, frames: Sequence[int], folder: str) -> None:
    """Planar depth of these frames at the pixels' centres in metres, FOLDER/0001.exr and so on.

    Each surface glows as brightly as it is far; one sharp sample a pixel then holds the depth. The scene is spoilt for
    pictures afterwards.
    """
    scene.view_layers[0].material_override = _glowing_depth()
    scene.world.node_tree.nodes["Background"].inputs["Strength"].default_value = FAR
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (1, 1, 1, 1)
    scene.cycles.samples, scene.cycles.filter_width = 1, 0.01
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode = "OPEN_EXR", "RGB"
    settings.color_depth, settings.exr_codec = "32", "ZIP"
    _render(scene, camera, frames, folder, ".exr")


def trajectory(scene: bpy.types.Scene, camera: str) -> dict[str, object]:
    """The camera at all of the scene's frames as a trajectory of the contract, from matrices alone."""
    seen, (width, height) = bpy.data.objects[camera], (build.WIDTH, build.HEIGHT)
    focal = seen.data.lens / seen.data.sensor_width * width
    lens = {"fx": focal, "fy": focal, "cx": width / 2, "cy": height / 2}
    poses = []
    for frame in range(1, build.FRAMES + 1):
        scene.frame_set(frame)
        pose = seen.matrix_world @ Matrix.Diagonal((1, -1, -1, 1))
        poses.append([list(row) for row in pose])
    return {"width": width, "height": height, "poses": poses, "intrinsics": [lens] * len(poses)}


def _render(scene: bpy.types.Scene, camera: str, frames: Sequence[int], folder: str, ending: str) -> None:
    os.makedirs(folder, exist_ok=True)
    scene.camera = bpy.data.objects[camera]
    scene.render.use_sequencer = False
    for frame in frames:
        path = os.path.join(folder, f"{frame:04d}{ending}")
        if os.path.exists(path):
            continue
        scene.frame_set(frame)
        scene.render.filepath = path + ".part" + ending
        bpy.ops.render.render(write_still=True)
        os.replace(scene.render.filepath, path)


def _glowing_depth() -> bpy.types.Material:
    material = bpy.data.materials.new("depth")
    if material.node_tree is None:  # before Blender 5
        material.use_nodes = True
    material.cycles.emission_sampling = "NONE"
    tree = material.node_tree
    tree.nodes.clear()
    depth, glow = tree.nodes.new("ShaderNodeCameraData"), tree.nodes.new("ShaderNodeEmission")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(depth.outputs["View Z Depth"], glow.inputs["Strength"])
    glow.inputs["Color"].default_value = (1, 1, 1, 1)
    tree.links.new(glow.outputs[0], output.inputs[0])
    return material


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="samples.shoot", description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--arc", type=float, default=3.0, help="degrees")
    parser.add_argument("--camera", choices=("Source", "Target"), default="Source")
    parser.add_argument("--every", type=int, default=1, help="each so many frames")
    parser.add_argument("--depth", action="store_true", help="depth in place of pictures")
    parser.add_argument("--trajectory", action="store_true", help="write FOLDER/camera.json, too")
    options = parser.parse_args(arguments)
    scene = build.build(options.seed, options.arc)
    frames = range(1, build.FRAMES + 1, options.every)
    if options.trajectory:
        os.makedirs(options.folder, exist_ok=True)
        with open(os.path.join(options.folder, "camera.json"), "w") as file:
            json.dump(trajectory(scene, options.camera), file)
    (shoot_depth if options.depth else shoot)(scene, options.camera, frames, os.path.abspath(options.folder))


if __name__ == "__main__":
    main(sys.argv[1:])
