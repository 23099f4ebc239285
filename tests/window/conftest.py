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


@pytest.fixture
def archive(tmp_path_factory):
    """The extension's zip."""
    folder = tmp_path_factory.mktemp("zip")
    source = "import sys, pathlib; from samples import extension; print(extension.build(pathlib.Path(sys.argv[1])))"
    made = subprocess.run(
        [os.environ["RECAM_BLENDER"], "-c", source, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return Path(made.stdout.splitlines()[-1])


_PREPARE = """
import bpy, sys
bpy.ops.extensions.package_install_files(filepath=sys.argv[-1], repo="user_default", enable_on_install=True)
bpy.context.preferences.view.show_splash = False
bpy.ops.wm.save_userpref()
"""


def at_home(home, archive):
    """Environment variables for a user who lives in this new folder, and has ReCam on."""
    for name in ("Desktop", "Documents", "Downloads", "Videos", "Pictures", "Music"):
        (home / name).mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")} | {
        "HOME": str(home),
        "BLENDER_USER_RESOURCES": str(home / ".config" / "blender" / "5.2"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "XDG_CACHE_HOME": str(home / ".cache"),
    }
    begin = ["blender", "--background", "--factory-startup", "--python-expr", _PREPARE, "--", str(archive)]
    done = subprocess.run(
        [str(TOOL), "run", *begin], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return environment
