"""A Blender that gives the worker a job, says so, and waits to be killed.

python orphan.py JOB.json    prints the worker's process id once the job's frames are being made
"""

import sys
import time

# First of all: it makes Blender's other modules known.
import bpy  # noqa: F401

# isort: split
import addon_utils

addon_utils.enable("bl_ext.user_default.recam_blender")

from bl_ext.user_default.recam_blender.backend import contract  # noqa: E402
from bl_ext.user_default.recam_blender.recam_blender import client, runtime  # noqa: E402

with open(sys.argv[1], "rb") as file:
    job = contract.loads(file.read())
worker = runtime.worker()
worker.submit(job.to_json())
told = False
while True:
    for event in worker.poll():
        assert isinstance(event, client.Progressed), event
        if event.progress["phase"] == "re-shooting" and not told:
            print(f"worker {worker.pid}", flush=True)
            told = True
    time.sleep(0.01)
