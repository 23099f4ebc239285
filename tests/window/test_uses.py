"""The part that a take goes in on, dragged with the mouse over the preview of a real Blender."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, TOOL, needs_blender

pytestmark = needs_blender

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uses é")
    made = subprocess.run(
        [os.environ["RECAM_BLENDER"], str(HERE / "overlay_stage.py"), str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    stage = json.loads(made.stdout.splitlines()[-1])
    start_up = ["--factory-startup", "--app-template", "Video_Editing", "--window-geometry", "0", "0", "1600", "900"]
    drive = ["--python", str(HERE / "uses_drive.py"), "--", stage["zip"], stage["blend"], str(folder)]
    done = subprocess.run(
        [str(TOOL), "window", "blender", *start_up, *drive],
        env=os.environ | {"BLENDER_USER_RESOURCES": str(folder / "resources")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    words = done.stdout + done.stderr
    assert done.returncode == 0, words[-4000:]
    assert "Traceback" not in words, words[-4000:]
    return json.loads((folder / "measured.json").read_text(encoding="utf-8"))


def test_a_drag_chooses_the_part(measured):
    near = 2 * max(measured["pixel"])
    assert measured["dragged"] == pytest.approx((0.1, 0.2, 0.35, 0.5), abs=near)
    assert measured["dragged modal"] == []


def test_escape_leaves_it_as_it_was(measured):
    near = 2 * max(measured["pixel"])
    assert measured["dragging"] == pytest.approx((0.6, 0.5, 0.3, 0.4), abs=near)
    assert measured["dragging modal"] == ["RECAM_OT_choose_region"]
    assert measured["escaped"] == pytest.approx(measured["dragged"])
    assert measured["escaped modal"] == []
