"""Builds what the window test opens: the sample, its cameras chosen, one second of its footage in the sequencer.

<python with bpy> stage.py FOLDER [FRAMES]        the last line on standard output is {"zip": …, "blend": …}
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
folder = Path(sys.argv[1])
os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(dir=folder)

import bpy  # noqa: E402

from samples import build, extension  # noqa: E402

FRAMES = int(sys.argv[2]) if len(sys.argv) > 2 else 24

archive = extension.build(folder)
extension.install(archive)
bpy.ops.wm.read_homefile(use_empty=True)
scene = build.build(seed=0, arc_degrees=3.0)
footage = shutil.copy(ROOT / "samples" / "footage" / "seed0_source.mp4", folder)
strip = build.add_footage(scene, str(footage))
strip.frame_final_duration = FRAMES
scene.sequence_editor.active_strip = strip
scene.recam.source_camera = bpy.data.objects["Source"]
scene.recam.subject_distance = build.SUBJECT_DISTANCE
# The windows of whoever edits video, which the file has for those who open it as users do.
scene_alone = Path(tempfile.mkdtemp(dir=folder)) / "scene.blend"
bpy.ops.wm.save_as_mainfile(filepath=str(scene_alone))
bpy.ops.wm.read_homefile(use_factory_startup=True, app_template="Video_Editing")
bpy.ops.wm.open_mainfile(filepath=str(scene_alone), load_ui=False)
for workspace in bpy.data.workspaces:
    workspace.sequencer_scene = bpy.context.scene
blend = folder / "sample.blend"
bpy.ops.wm.save_as_mainfile(filepath=str(blend))
print(json.dumps({"zip": str(archive), "blend": str(blend)}))
