"""How long after a change of frame its picture stands in the 3D view, in a real Blender with a window.

    <python with bpy> tests/window/live_latency.py [FOLDER]

RECAM_PYTHON is the backend's Python. Footage of 832x480 with the scene's own cameras; depth of a plane, of a file, and
of the scene, which is rendered anew for each frame. Prints what was measured, and as the last line all of it as JSON.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOOL = Path(os.environ.get("REAL_BLENDER", ROOT.parent / "shared" / "tools" / "real-blender"))


def measured(sample, folder):
    """What live_drive.py tells of the preview. ``sample`` is what stage.py printed."""
    environment = os.environ | {"BLENDER_USER_RESOURCES": str(Path(folder) / "resources")}
    result = Path(folder) / "live.json"
    inside = ["--python", str(HERE / "live_drive.py"), "--", sample["zip"], sample["blend"], str(result)]
    with open(Path(folder) / "blender.log", "w") as log:
        subprocess.run(
            [
                *(str(TOOL), "window", "blender", "--factory-startup", "--window-geometry", "0", "0", "1600", "900"),
                *(*inside, str(Path(folder) / "live {}.png")),
            ],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=600,
            check=False,
        )
    if not result.exists():
        sys.exit((Path(folder) / "blender.log").read_text(encoding="utf-8", errors="replace")[-4000:])
    return json.loads(result.read_text(encoding="utf-8"))


def main(folder):
    made = subprocess.run(
        [sys.executable, str(HERE / "stage.py"), folder], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if made.returncode:
        sys.exit(made.stdout + made.stderr)
    told = measured(json.loads(made.stdout.splitlines()[-1]), folder)
    if "error" in told:
        sys.exit(told["error"])
    print(f"first picture, process started and kernels compiled if need be: {told['first'][0]:.2f} s")
    for kind, seconds in told["seconds"].items():
        drawn, ready = zip(*seconds, strict=True)
        print(
            f"{kind:>12}: drawn after {statistics.median(drawn):.2f} s (longest {max(drawn):.2f}), there to be drawn "
            f"after {statistics.median(ready):.2f} s (longest {max(ready):.2f}), of {len(seconds)}"
        )
    depth = [1000 * each for each in told["depth"]]
    print(f"one depth frame (excepted): median {statistics.median(depth):.0f} ms, longest {max(depth):.0f} ms")
    for name, (wall, held, count) in told["calls"].items():
        print(f"{name}: longest {1000 * held:.1f} ms held, {1000 * wall:.1f} ms by the clock, of {count}")
    print(f"while nothing changes: {told['still'][0]} calls in 3 s, longest {1000 * told['still'][1]:.2f} ms")
    for name, (rate, pictures) in told["played"].items():
        print(f"playback {name} preview: {rate:.1f} frames a second, {pictures:.1f} of them drawn")
    print(json.dumps(told))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory(prefix="recam-live-") as folder:
            main(folder)
