"""What `make demo` runs, with Blender's Python: ReCam as a user has it, on the sample and in Blender's default scene.

    RECAM_PYTHON=<the backend's python> <python with bpy> -m samples.demo

All that it makes lies in build/demo. Ends with 1 where a take is further from the truth than ReCam promises.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "demo"
FOOTAGE, TRUTH = (ROOT / "samples" / "footage" / name for name in ("seed0_source.mp4", "seed0_target_3.mp4"))
PROMISE = {"whole": 26.0, "visible": 30.0}
"""dB at 3 degrees of arc, of the whole frame and of what the footage shows."""
EVERY = 4
"""The take is compared at each so many frames: that takes true depth of two views, which is rendered here."""
MOMENTS = (12, 40, 80)


def main() -> int:
    started = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as user:
        # Blender reads where the user's files are once, while bpy is imported.
        os.environ["BLENDER_USER_RESOURCES"] = user
        import bpy

        with _quiet():
            _build_sample()
            addon = _install()
        _say(f"Blender {bpy.app.version_string}: ReCam built, installed and switched on.")
        found = _reshoot_sample(addon)
        _reshoot_in_default_scene(addon)
        bpy.ops.preferences.addon_disable(module=addon.__name__)
    _say(f"Pictures, takes and .blend files are in {FOLDER.relative_to(ROOT)} ({time.monotonic() - started:.0f} s).")
    short = [f"{name} {found[name]:.1f} dB < {least} dB" for name, least in PROMISE.items() if found[name] < least]
    if short:
        _say("Further from the truth than promised: " + ", ".join(short))
    return 1 if short else 0


# The sample


def _build_sample() -> None:
    import bpy

    from . import build

    scene = build.build(seed=0, arc_degrees=3.0)
    build.add_footage(scene, str(FOOTAGE))
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "sample.blend"))


def _reshoot_sample(addon: ModuleType) -> dict[str, float]:
    import bpy

    from . import build

    with _quiet():
        bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "sample.blend"))
    scene = bpy.context.scene
    _say("\nThe sample: footage by the camera 'Source', re-shot by 'Target', which swings 3 degrees and dollies.")
    asked = {"camera": "Target", "source_camera": "Source", "subject_distance": build.SUBJECT_DISTANCE, "mask": True}
    take = _reshoot(addon, scene=scene.name, strip="footage", **asked)
    with _quiet():
        bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "demo.blend"))
        _render_true_depth(scene)
    found = _compare(take, build.SUBJECT_DISTANCE)
    _say(f"  How close it came to the true frames (PSNR, on every {EVERY}th frame):")
    _say(f"    the take           {found['whole']:5.1f} dB, and {found['visible']:.1f} dB where the footage shows it")
    _say(f"    the footage as is  {found['copy']:5.1f} dB")
    _say(f"    on a flat plane    {found['plane']:5.1f} dB")
    _say(f"  {found['disoccluded']:.1%} of the pixels were hidden from the footage, and had to be invented.")
    _say("  Saved: demo.blend (with the take in the sequencer), side_by_side.png")
    return found


def _render_true_depth(scene: Any) -> None:
    from . import build, shoot

    frames = range(1, build.FRAMES + 1, EVERY)
    for camera in ("Source", "Target"):
        folder = FOLDER / "truth" / camera
        folder.mkdir(parents=True)
        (folder / "camera.json").write_text(json.dumps(shoot.trajectory(scene, camera)))
        shoot.shoot_depth(scene, camera, frames, str(folder))


def _compare(take: Any, distance: float) -> dict[str, float]:
    request = {
        "footage": str(FOOTAGE),
        "truth": str(TRUTH),
        "take": take.result.path,
        "mask": take.result.mask,
        "source": str(FOLDER / "truth" / "Source"),
        "target": str(FOLDER / "truth" / "Target"),
        "subject_distance": distance,
        "picture": str(FOLDER / "side_by_side.png"),
        "moments": MOMENTS,
    }
    path = FOLDER / "truth" / "compare.json"
    path.write_text(json.dumps(request, indent=1), encoding="utf-8")
    command = [os.environ["RECAM_PYTHON"], "-m", "samples.compare", str(path)]
    answer = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(answer)
    return found


# What a newcomer does first


def _reshoot_in_default_scene(addon: ModuleType) -> None:
    import bpy

    from . import build

    with _quiet():
        bpy.ops.wm.read_homefile(use_factory_startup=True)
    scene = bpy.context.scene
    scene.render.fps = build.RATE
    camera = scene.camera
    camera.keyframe_insert("location", frame=1)
    camera.location = camera.matrix_world @ camera.location.__class__((0.3, 0.0, -0.4))
    camera.keyframe_insert("location", frame=build.FRAMES)
    build.add_footage(scene, str(FOOTAGE))
    with _quiet():
        bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "newcomer.blend"))
    _say("\nThe default scene (Cube, Light, Camera), two keys on its camera: 0.3 m to the right, 0.4 m ahead.")
    _reshoot(addon, scene=scene.name, strip="footage", camera=camera.name)
    with _quiet():
        bpy.ops.wm.save_mainfile()
    _say("  The Cube has nothing to do with the footage, and was not asked for its depth. Saved: newcomer.blend")


# Both


def _install() -> ModuleType:
    from . import extension

    return extension.install(extension.build(FOLDER))


def _reshoot(addon: ModuleType, **asked: Any) -> Any:
    """What the button does: the add-on's own plain function. Gives the take."""
    reshoot = importlib.import_module(f"{addon.__name__}.recam_blender.reshoot")
    request = importlib.import_module(f"{addon.__name__}.recam_blender.request")
    with _quiet():
        outcome = reshoot.reshoot_now(request.Request(**asked))
    (take,) = outcome.takes
    result = take.result
    _say(f"  {Path(result.path).name}: {result.frames} frames, {result.width}x{result.height}, {result.seconds:.1f} s")
    _say(f"  Depth: {result.depth}. Invented: {result.invented_mean:.1%} of the pixels.")
    for note in (*outcome.notes, *outcome.warnings):
        _say(f"  Note: {note}")
    return take


def _say(text: str) -> None:
    print(text, flush=True)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Sends what Blender and its drivers print (a line for every file) to a log, below Python's own streams."""
    sys.stdout.flush()
    kept = [os.dup(number) for number in (1, 2)]
    with (FOLDER / "blender.log").open("ab") as log:
        for number in (1, 2):
            os.dup2(log.fileno(), number)
    try:
        yield
    finally:
        sys.stdout.flush()
        for number, stream in zip((1, 2), kept, strict=True):
            os.dup2(stream, number)
            os.close(stream)


if __name__ == "__main__":
    sys.exit(main())
