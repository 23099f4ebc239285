"""A user at a real Blender, played by xdotool on the virtual screen that `real-blender window` gives.

    python3 session.py ZIP BLEND FOLDER

Presses Re-shoot, waits for the take, takes it back with Ctrl-Z; presses again, closes a menu with Escape, which is
none of the job's business, and cancels it with another. Pictures and Blender's own words go to FOLDER; what was seen is
the last line on standard output, as JSON. Standard library only: the screen's system has nothing else.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

ZIP, BLEND, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
STATE = FOLDER / "state.jsonl"

# Where the button is in the panel when a source camera is set, from its top left corner, at factory start-up.
BUTTON = (188, 239)

START_UP = ["--factory-startup", "--app-template", "Video_Editing", "--window-geometry", "0", "0", "1600", "900"]

START_SECONDS, TAKE_SECONDS, UNDO_SECONDS = 90, 400, 30


def latest():
    lines = STATE.read_text(encoding="utf-8").splitlines() if STATE.exists() else []
    return json.loads(lines[-1]) if lines else None


def wait_for(what, seconds, true):
    """The first state for which ``true``, or an end with a picture of what is there instead."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        state = latest()
        if state is not None and true(state):
            return state
        if blender.poll() is not None:
            sys.exit(f"Blender ended with {blender.returncode} while waiting for {what}")
        time.sleep(0.2)
    picture("late")
    sys.exit(f"no {what} after {seconds} s; last seen: {latest()}")


def picture(name):
    subprocess.run(["import", "-window", "root", str(FOLDER / f"{name}.png")], check=True)


def settled():
    """Wait until two pictures in a row are equal: the window has been drawn."""
    before = b""
    for _ in range(40):
        now = subprocess.run(["import", "-window", "root", "rgb:-"], check=True, capture_output=True).stdout
        if now == before:
            return
        before = now
        time.sleep(0.3)


def xdotool(*arguments):
    subprocess.run(["xdotool", *map(str, arguments)], check=True)


def click(x, y):
    xdotool("mousemove", x, y)
    time.sleep(0.3)
    xdotool("click", 1)


with open(FOLDER / "blender.log", "w") as log:
    blender = subprocess.Popen(
        ["blender", *START_UP, "--python", str(Path(__file__).with_name("drive.py")), "--", ZIP, BLEND, str(STATE)],
        stdout=log,
        stderr=subprocess.STDOUT,
    )
try:
    before = wait_for("panel", START_SECONDS, lambda state: state["panel"][2] > 100)
    settled()
    picture("1_panel")
    left, top, _, _ = before["panel"]
    click(left + BUTTON[0], top + BUTTON[1])
    wait_for("running job", 20, lambda state: state["running"])
    picture("2_running")
    after = wait_for("take", TAKE_SECONDS, lambda state: not state["running"])
    settled()
    picture("3_take")
    # Over the strips, where Ctrl-Z means the edit.
    xdotool("mousemove", left - 400, top + 100)
    time.sleep(0.3)
    xdotool("key", "ctrl+z")
    undone = wait_for("undo", UNDO_SECONDS, lambda state: state["strips"] != after["strips"])
    settled()
    picture("4_undone")

    click(left + BUTTON[0], top + BUTTON[1])
    wait_for("second job", 20, lambda state: state["running"])
    xdotool("mousemove", left - 400, top + 100)
    xdotool("click", 3)
    time.sleep(1.5)
    picture("5_menu")
    xdotool("key", "Escape")
    time.sleep(1.5)
    menu_closed = latest()
    xdotool("key", "Escape")
    cancelled = wait_for("cancel", 20, lambda state: not state["running"])
    settled()
    picture("6_cancelled")
    seen = {"before": before, "after": after, "undone": undone, "menu_closed": menu_closed, "cancelled": cancelled}
    print(json.dumps(seen))
finally:
    blender.kill()
    blender.wait()
