"""The queue in a real Blender with a window: while takes are made, all else goes on, and nothing of it stays behind."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, TOOL, needs_blender

pytestmark = needs_blender

FRAMES = 81
"""So many that there is time to press keys while they are made."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("queue é")
    stage = [os.environ["RECAM_BLENDER"], str(Path(__file__).with_name("stage.py")), str(folder), str(FRAMES)]
    made = subprocess.run(stage, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    sample = json.loads(made.stdout.splitlines()[-1])
    session = [str(TOOL), "window", "python3", str(Path(__file__).with_name("queue_session.py"))]
    done = subprocess.run(
        [*session, sample["zip"], sample["blend"], str(folder)],
        env=os.environ | {"BLENDER_USER_RESOURCES": str(folder / "resources")},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    words = (folder / "blender.log").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, done.stdout + done.stderr + words[-4000:]
    assert "Traceback" not in words, words[-4000:]
    assert "Python script error" not in words
    return json.loads(done.stdout.splitlines()[-1])


def numbers(state):
    return [number for number, _, _ in state["jobs"]]


def test_three_wait_in_the_order_that_they_were_put_into(seen):
    first, second, third = seen["three"]["asked"]
    assert sorted(numbers(seen["three"])) == [first, second, third]
    assert numbers(seen["three"]).index(third) < numbers(seen["three"]).index(second)
    assert not seen["three"]["dirty"], "asking for a take changes nothing in the file"
    assert seen["three"]["left"]["modal"] == [], "Blender saves no files on its own account while an operator is modal"


def test_escape_cancels_when_no_menu_and_no_playback_wanted_it(seen):
    assert len(seen["menu"]["jobs"]) == len(seen["playback"]["jobs"]) == 3
    assert len(seen["cancelled"]["jobs"]) == 2
    assert [icon for icon, _ in seen["cancelled"]["messages"]] == ["CANCEL"]


def test_a_killed_worker_is_told_and_the_next_job_is_made(seen):
    icon, text = seen["killed"]["messages"][-1]
    assert (icon, "SIGKILL" in text) == ("ERROR", True)
    assert [icon for icon, _ in seen["after_death"]["messages"]] == ["CANCEL", "ERROR", "CHECKMARK"]
    assert len(seen["after_death"]["strips"]) == 2
    assert seen["after_death"]["left"]["folders"] == []


def test_undo_and_saving_while_it_works_do_no_harm(seen):
    assert len(seen["undone"]["jobs"]) == 1
    assert len(seen["made_after_undo"]["strips"]) > len(seen["undone"]["strips"])


def test_switched_off_while_it_works_it_leaves_nothing_and_works_when_it_is_on_again(seen):
    nothing = {"timer": False, "status bar": False, "handlers": [], "folders": [], "modal": [], "keys": []}
    assert seen["disabled"]["left"] == nothing
    assert not seen["disabled"]["worker_lives"]
    assert seen["disabled"]["files"] == []
    assert seen["enabled"]["messages"][-1][0] == "CHECKMARK"
    assert seen["enabled"]["left"]["keys"] == ["recam.cancel"]


def test_another_file_ends_the_queue_and_a_file_saved_while_it_worked_holds_none(seen):
    assert seen["opened"]["jobs"] == seen["opened"]["messages"] == []
    assert not seen["opened"]["left"]["timer"]
    assert seen["opened"]["files"] == []


def test_quitting_while_it_works_ends_the_worker_and_leaves_no_half_take(seen):
    assert seen["quit"] == {"code": 0, "worker_lives": False, "files": []}
