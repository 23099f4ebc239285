"""Footage filmed by hand and nothing else: its camera solved, the take steadied, by mouse and keys."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TOOL, at_home, needs_blender

HERE = Path(__file__).parent
FRAMES, WIDTH, HEIGHT = 20, 320, 192
CAMERA, TAKE = "Camera of handheld.mkv", "handheld.mkv_stabilised_v001"

pytestmark = needs_blender


@pytest.fixture
def owner(archive, tmp_path):
    """A user who has ReCam on and a clip in Videos."""
    home = tmp_path / "home"
    environment = at_home(home, archive)
    # What was compiled for earlier tests is not compiled again: that alone would take as long as all the rest.
    compiled = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "recam", "numba")
    if compiled.is_dir():
        (home / ".cache" / "recam").mkdir(parents=True)
        (home / ".cache" / "recam" / "numba").symlink_to(compiled)
    film = [sys.executable, str(HERE / "traced.py"), str(tmp_path), *map(str, (FRAMES, WIDTH, HEIGHT))]
    subprocess.run(film, check=True, timeout=120)
    (tmp_path / "handheld.mkv").rename(home / "Videos" / "handheld.mkv")
    return environment


def test_solved_steadied_and_closer_by_mouse_and_keys(owner, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    session = [str(TOOL), "window", "python3", str(HERE / "uses_session.py"), str(folder)]
    done = subprocess.run(session, env=owner, capture_output=True, text=True, timeout=500, check=False)
    words = (folder / "blender.log").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, done.stdout + done.stderr + words[-4000:]
    assert "Traceback" not in words
    assert "Python script error" not in words
    seen = json.loads(done.stdout.splitlines()[-1])

    solved = {"source": [CAMERA, FRAMES], "cameras": ["Camera", CAMERA]}
    assert seen["solved"] == solved
    assert seen["undone"] == {"source": [], "cameras": ["Camera"]}
    assert seen["redone"] == solved
    assert seen["stabilised"] == {
        "message": f"Made {TAKE}.",
        "takes": [TAKE],
        "strips": ["handheld.mkv", TAKE],
    }
    # 160 x 96 pixels of the screen around the middle, of a preview as high as its region.
    x, y, width, height = seen["part"]
    assert height == pytest.approx(96 / seen["scale"], rel=0.05)
    assert width == pytest.approx(160 / seen["scale"] * HEIGHT / WIDTH, rel=0.05)
    assert (x + width / 2, y + height / 2) == pytest.approx((0.5, 0.5), abs=0.05)
    assert seen["part_undone"] == [0.25, 0.25, 0.5, 0.5]
    assert seen["freeze"] == "freeze"
    written = json.loads(Path(seen["exported"]).read_text(encoding="utf-8"))
    assert len(written["poses"]) == 250
    assert seen["imported"] == [Path(seen["exported"]).stem]
