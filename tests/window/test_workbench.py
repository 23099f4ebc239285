"""From a fresh start to a reopened file, by mouse and keys: what an animator does in an afternoon."""

import json
import subprocess
from pathlib import Path

import av
import pytest
from conftest import ROOT, TOOL, at_home, needs_blender

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


@pytest.fixture
def animator(sample, tmp_path):
    """A user who has ReCam on, a movie in Videos, and a folder with a difficult name."""
    home = tmp_path / "home"
    environment = at_home(home, sample["zip"])
    (home / "Documents" / "Shots é").mkdir()
    short(ROOT / "samples" / "footage" / "seed0_source.mp4", home / "Videos" / "statue.mp4")
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
