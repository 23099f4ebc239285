"""A user at a real Blender, played by xdotool on the virtual screen that `real-blender window` gives.

    python3 session.py ZIP BLEND FOLDER

Presses Re-shoot, waits for the take, takes it back with Ctrl-Z; presses again, closes a menu with Escape, which is
none of the job's business, and cancels it with another. Pictures and Blender's own words go to FOLDER; what was seen is
the last line on standard output, as JSON. Standard library only: the screen's system has nothing else.
"""

import json
import sys
import time
from pathlib import Path

from user import SCREEN, START_UP, User

ZIP, BLEND, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
STATE = FOLDER / "state.jsonl"

START_SECONDS, TAKE_SECONDS, UNDO_SECONDS = 90, 400, 30


def main():
    start_up = ["--factory-startup", "--app-template", "Video_Editing", *START_UP]
    drive = ["--python", str(Path(__file__).with_name("drive.py")), "--", ZIP, BLEND, str(STATE), str(SCREEN[1])]
    user = User(FOLDER, start_up + drive)
    try:
        seen = played(user)
    finally:
        user.close()
    print(json.dumps(seen))


def played(user):
    before = user.wait_for("panel", START_SECONDS, lambda state: state["panel"][2] > 100)
    left, top, _, _ = before["panel"]
    press_re_shoot(user)
    user.picture("2_running")
    after = user.wait_for("take", TAKE_SECONDS, lambda state: not state["running"])
    user.settled()
    user.picture("3_take")
    # Over the strips, where Ctrl-Z means the edit.
    user.move(left - 400, top + 100)
    user.key("ctrl+z")
    undone = user.wait_for("undo", UNDO_SECONDS, lambda state: state["strips"] != after["strips"])
    user.settled()
    user.picture("4_undone")

    press_re_shoot(user)
    user.click(left - 400, top + 100, button=3)
    time.sleep(1.5)
    user.picture("5_menu")
    user.key("Escape")
    time.sleep(1.5)
    menu_closed = user.latest()
    user.key("Escape")
    cancelled = user.wait_for("cancel", 20, lambda state: not state["running"])
    user.settled()
    user.picture("6_cancelled")
    return {"before": before, "after": after, "undone": undone, "menu_closed": menu_closed, "cancelled": cancelled}


def press_re_shoot(user):
    """The one button of the panel that is larger than the others."""
    (button,) = user.find("Re-shoot", lambda: user.bars(user.latest()["panel"], least=(150, 26)))
    user.press(button)
    user.wait_for("running job", 20, lambda state: state["running"])


if __name__ == "__main__":
    main()
