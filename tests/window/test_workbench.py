"""From a fresh start to a reopened file, by mouse and keys: what an animator does in an afternoon."""

import json
import os
import subprocess
from pathlib import Path

import av
import pytest
from conftest import ROOT, TOOL, needs_blender

WORKBENCH = Path(__file__).with_name("workbench.py")

FRAMES = 48
TAKE = "statue.mp4_Pan Right_v001"

CLICKS, KEYS = 21, 38
"""From Blender's start to the reopened file. What is typed counts letter by letter. Of the keys it may be a few
less: Blender may not ask whether to save, and it may take fewer steps to undo."""

pytestmark = needs_blender


def short(clip, path):
    """The first two seconds of a clip, as another file."""
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        out = target.add_stream("libx264", rate=stream.average_rate, options={"crf": "16"})
        out.width, out.height, out.pix_fmt = stream.width, stream.height, "yuv420p"
        for frame, _ in zip(source.decode(stream), range(FRAMES), strict=False):
            target.mux(out.encode(frame))
        target.mux(out.encode(None))


PREPARE = """
import bpy, sys
bpy.ops.extensions.package_install_files(filepath=sys.argv[-1], repo="user_default", enable_on_install=True)
bpy.context.preferences.view.show_splash = False
bpy.ops.wm.save_userpref()
"""


@pytest.fixture
def animator(sample, tmp_path):
    """Environment variables for a user who has ReCam on, a movie in Videos, and a folder with a difficult name."""
    home = tmp_path / "home"
    for name in ("Desktop", "Documents", "Downloads", "Videos", "Pictures", "Music"):
        (home / name).mkdir(parents=True)
    (home / "Documents" / "Shots é").mkdir()
    short(ROOT / "samples" / "footage" / "seed0_source.mp4", home / "Videos" / "statue.mp4")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")} | {
        "HOME": str(home),
        "BLENDER_USER_RESOURCES": str(home / ".config" / "blender" / "5.2"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "XDG_CACHE_HOME": str(home / ".cache"),
    }
    begin = ["blender", "--background", "--factory-startup", "--python-expr", PREPARE, "--", sample["zip"]]
    done = subprocess.run(
        [str(TOOL), "run", *begin], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return environment


def test_an_afternoon_of_mouse_and_keys(animator, tmp_path, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    session = [str(TOOL), "window", "python3", str(WORKBENCH), str(folder)]
    done = subprocess.run(session, env=animator, capture_output=True, text=True, timeout=600, check=False)
    words = (folder / "blender.log").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, done.stdout + done.stderr + words[-4000:]
    assert "Traceback" not in words
    assert "Python script error" not in words
    seen = json.loads(done.stdout.splitlines()[-1])

    with capsys.disabled():
        print(f"\nworkbench: {seen['clicks']} clicks, {seen['keys']} keys; the take after {seen['seconds_to_take']} s")
    assert seen["clicks"] == CLICKS
    assert seen["keys"] <= KEYS
    assert "the camera turns past what was filmed" in seen["forecast"]
    assert seen["views"]["differ"] > 0.2
    assert seen["take"]["message"] == f"Made {TAKE}."
    assert seen["take"]["takes"] == [TAKE]
    assert seen["compared"]["muted"] == [TAKE]
    assert seen["compared"]["differ"] > 0.2
    assert seen["compared"]["same_again"]
    assert seen["undone"]["strips"] == ["statue.mp4"]
    assert seen["redone"] == [TAKE]
    # It was saved while others were made; of those nothing is in the file.
    assert seen["running"]["jobs"]
    reopened = seen["reopened"]
    assert reopened["file"].endswith("Documents/Shots é/Untitled.blend")
    assert reopened["strips"] == ["statue.mp4", TAKE]
    assert reopened["recam"]["takes"] == [TAKE]
    assert reopened["recam"]["jobs"] == []
    assert not reopened["recam"]["running"]
    assert not reopened["recam"]["message"]
    assert reopened["recam"]["camera"] == "Pan Right"
