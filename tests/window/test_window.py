"""ReCam in a real Blender with a window, by clicks and keys."""

import json
import os
import subprocess
from pathlib import Path

from conftest import TOOL, needs_blender

pytestmark = needs_blender


def test_install_press_the_button_see_the_take_undo_it_and_cancel_another(sample, tmp_path):
    environment = os.environ | {"BLENDER_USER_RESOURCES": str(tmp_path / "resources")}
    session = [str(TOOL), "window", "python3", str(Path(__file__).with_name("session.py"))]
    done = subprocess.run(
        [*session, sample["zip"], sample["blend"], str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    words = (tmp_path / "blender.log").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, done.stdout + done.stderr + words[-4000:]
    seen = json.loads(done.stdout.splitlines()[-1])

    assert seen["after"]["message"].startswith("Made "), seen["after"]
    (take,) = set(seen["after"]["strips"]) - set(seen["before"]["strips"])
    assert take == "footage_Target_v001"
    assert seen["undone"]["strips"] == seen["before"]["strips"]
    assert (Path(sample["blend"]).parent / "recam" / f"{take}.mp4").stat().st_size > 10_000
    assert seen["menu_closed"]["running"], "Escape closed a menu, and cancelled the job besides"
    assert seen["cancelled"]["message"] == "Cancelled"
    assert seen["cancelled"]["strips"] == seen["before"]["strips"]
    assert sorted(path.name for path in (Path(sample["blend"]).parent / "recam").iterdir()) == [
        f"{take}.json",
        f"{take}.mp4",
    ]
    assert "Python script error" not in words
    assert "Traceback" not in words


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
