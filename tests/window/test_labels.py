"""No label of ReCam's sidebars is cut off in a real window, in English and in a language 1.4 times as long."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, TOOL, needs_blender
from cut import cut_labels

pytestmark = needs_blender

PICTURES, DIALOGS = 13, 2
"""Two pages of either sidebar for either engine, and one of each use; in English the file dialogs too."""

DRIVE = Path(__file__).with_name("label_drive.py")


def cut_in(language, sample, folder):
    """What is cut off in the pictures of all panels: by picture, where."""
    start_up = ["--factory-startup", "--window-geometry", "0", "0", "1600", "900", sample["blend"]]
    done = subprocess.run(
        [str(TOOL), "window", "blender", *start_up, "--python", str(DRIVE), "--", sample["zip"], str(folder), language],
        cwd=ROOT,
        env=os.environ | {"BLENDER_USER_RESOURCES": str(folder / "resources")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    words = done.stdout + done.stderr
    measured = folder / "measured.json"
    assert measured.exists(), words[-4000:]
    assert "Traceback" not in words, words[-4000:]
    pictures = json.loads(measured.read_text(encoding="utf-8"))
    assert len(pictures) == PICTURES + (DIALOGS if language == "English" else 0)
    cut = {Path(each["path"]).stem: cut_labels(each["path"], each["left"], each["right"]) for each in pictures}
    return {name: places for name, places in cut.items() if places}


@pytest.mark.parametrize("language", ["English", "pseudo"])
def test_nothing_is_cut_off(sample, tmp_path, language):
    assert cut_in(language, sample, tmp_path) == {}


def test_what_is_cut_off_is_seen(sample, tmp_path):
    """In a language in which nothing fits."""
    assert len(cut_in("endless", sample, tmp_path)) == PICTURES
