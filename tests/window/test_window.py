"""ReCam in a real Blender with a window, by clicks and keys."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The founders' tool for a Blender with a window on a machine that has none; a workplace keeps it beside its checkouts.
TOOL = Path(os.environ.get("REAL_BLENDER", ROOT.parent / "shared" / "tools" / "real-blender"))
BLENDER = Path(os.environ.get("REAL_BLENDER_ROOT", "/var/tmp/real-blender"), "usr", "bin", "blender")

pytestmark = pytest.mark.skipif(
    not (TOOL.exists() and BLENDER.exists()), reason="there is no real Blender here: `real-blender setup` fetches it"
)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The sample's .blend, with a second of its footage in the sequencer, and the extension's zip."""
    folder = tmp_path_factory.mktemp("sample é")
    made = subprocess.run(
        [os.environ["RECAM_BLENDER"], str(Path(__file__).with_name("stage.py")), str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return json.loads(made.stdout.splitlines()[-1])


def test_install_press_the_button_see_the_take_and_undo_it(sample):
    # A folder that the other system sees at the same path, which temporary ones of pytest's may not be.
    folder = Path(tempfile.mkdtemp(prefix="recam-window-"))
    environment = os.environ | {"BLENDER_USER_RESOURCES": str(folder / "resources")}
    session = [str(TOOL), "window", "python3", str(Path(__file__).with_name("session.py"))]
    done = subprocess.run(
        [*session, sample["zip"], sample["blend"], str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    words = (folder / "blender.log").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, done.stdout + done.stderr + words[-4000:]
    seen = json.loads(done.stdout.splitlines()[-1])

    assert seen["after"]["message"].startswith("Made "), seen["after"]
    (take,) = set(seen["after"]["strips"]) - set(seen["before"]["strips"])
    assert take == "footage_Target_v001"
    assert seen["undone"]["strips"] == seen["before"]["strips"]
    assert (Path(sample["blend"]).parent / "recam" / f"{take}.mp4").stat().st_size > 10_000
    assert "Python script error" not in words
    assert "Traceback" not in words
