"""Builds what the overlay's window test opens: a clip whose frames spell their numbers, and cameras that go round it.

<python with bpy> overlay_stage.py FOLDER      the last line on standard output is {"zip": …, "blend": …}
"""

import json
import math
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "recam_blender")]
folder = Path(sys.argv[1])
os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(dir=folder)

import bpy  # noqa: E402
import timeline  # noqa: E402

from samples import extension  # noqa: E402

FRAMES, START, WIDTH, HEIGHT = 81, 11, 832, 480


def add_camera(scene, name, keys):
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    scene.collection.objects.link(camera)
    for frame, place, turn in keys:
        camera.location, camera.rotation_euler = place, [math.radians(each) for each in turn]
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_euler", frame=frame)
    return camera


archive = extension.build(folder)
extension.install(archive)
pictures = [timeline.numbered(index, WIDTH, HEIGHT) for index in range(FRAMES)]
clip = timeline.write_movie(os.environ["RECAM_PYTHON"], folder / "numbers.mkv", pictures)
bpy.ops.wm.read_homefile(use_factory_startup=True, app_template="Video_Editing")
scene = bpy.context.scene
scene.name = "Edit"
scene.sequence_editor_create()
# What would change the footage's colours, if it went through it.
scene.view_settings.view_transform = "AgX"
scene.frame_start, scene.frame_end = 1, 100
strip = timeline.strips(scene).new_movie("numbers", str(clip), 2, START)
scene.sequence_editor.active_strip = strip
target = add_camera(
    scene,
    "Target",
    [(11, (0, -6, 1.6), (80, 0, 0)), (51, (2.5, -5, 2.2), (78, 0, 22)), (91, (3.5, -2.5, 2.6), (72, 0, 48))],
)
source = add_camera(scene, "Source", [(11, (-0.6, -6, 1.6), (80, 0, 7)), (91, (-1.6, -6, 1.6), (80, 0, 7))])
scene.camera = scene.recam.camera = target
scene.recam.source_camera, scene.recam.subject_distance = source, 8.0
for workspace in bpy.data.workspaces:
    workspace.sequencer_scene = scene
blend = folder / "overlay.blend"
bpy.ops.wm.save_as_mainfile(filepath=str(blend))
print(json.dumps({"zip": str(archive), "blend": str(blend)}))
