"""ReCam in an installed Blender, from the command line."""

import os
import subprocess

from conftest import TOOL, needs_blender

pytestmark = needs_blender


def test_the_command_line_of_an_installed_blender(sample, tmp_path):
    environment = os.environ | {"BLENDER_USER_RESOURCES": str(tmp_path / "resources")}

    def blender(*arguments):
        done = subprocess.run(
            [str(TOOL), "run", "blender", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    code, said, _ = blender("--command", "extension", "install-file", "-r", "user_default", "-e", sample["zip"])
    assert code == 0, said
    shot = ["recam", "render", sample["blend"], "--strip", "footage", "--depth", "plane", "--out", str(tmp_path)]
    code, said, complaints = blender("--command", *shot)
    assert code == 0, complaints
    assert said.splitlines()[-1] == str(tmp_path / "footage_Target_v001.mp4")
    # As farms start it: no extension is on but the one that is named.
    bare = ["--factory-startup", "--addons", "bl_ext.user_default.recam_blender"]
    code, said, complaints = blender(*bare, "--command", *shot, "--skip-existing")
    assert code == 0, complaints
    assert said.splitlines()[-1] == str(tmp_path / "footage_Target_v001.mp4")
    code, _, complaints = blender(*bare, "--command", "recam", "render", sample["blend"], "--strip", "nothing")
    assert code == 2
    assert "'footage'" in complaints
