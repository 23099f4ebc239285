"""What the window's tests share: the real Blender, and what it opens."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The founders' tool for a Blender with a window on a machine that has none; a workplace keeps it beside its checkouts.
TOOL = Path(os.environ.get("REAL_BLENDER", ROOT.parent / "shared" / "tools" / "real-blender"))
BLENDER = Path(os.environ.get("REAL_BLENDER_ROOT", "/var/tmp/real-blender"), "usr", "bin", "blender")

needs_blender = pytest.mark.skipif(
    not (TOOL.exists() and BLENDER.exists()), reason="there is no real Blender here: `real-blender setup` fetches it"
)


@pytest.fixture
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
