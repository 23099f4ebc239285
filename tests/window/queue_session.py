"""A user at a real Blender whose takes are made while they go on: cancel, undo, save, kill, switch off, open, quit.

    python3 queue_session.py ZIP BLEND FOLDER

Pictures go to FOLDER; the last line on standard output is what was seen at each station, as JSON.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from user import SCREEN, START_UP, User

ZIP, BLEND, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
TAKES = Path(BLEND).parent / "recam"

START_SECONDS, SHORT_SECONDS, TAKE_SECONDS = 90, 30, 200


def main():
    start_up = ["--factory-startup", "--app-template", "Video_Editing", *START_UP]
    script = str(Path(__file__).with_name("queue_drive.py"))
    user = User(FOLDER, [*start_up, "--python", script, "--", ZIP, BLEND, str(FOLDER), str(SCREEN[1])])
    user.patience = 3  # while a bar runs, no two pictures are equal
    try:
        told = played(user)
    finally:
        user.close()
    print(json.dumps(told))


def played(user):
    told = {}
    user.wait_for("panel", START_SECONDS, lambda state: state["panel"][2] > 100)
    first = press(user)
    second, third = press(user), press(user)
    command(user, "first")
    told["three"] = user.latest() | {"asked": [first, second, third]}
    user.picture("queue_1_three")

    over_timeline(user, button=3)  # a menu, which wants Escape for itself
    escape(user)
    told["menu"] = user.latest()
    over_timeline(user)
    user.key("space")
    user.wait_for("playback", SHORT_SECONDS, lambda state: state["playing"])
    escape(user)
    told["playback"] = user.wait_for("end of playback", SHORT_SECONDS, lambda state: not state["playing"])
    over_timeline(user)
    user.key("Escape")
    told["cancelled"] = user.wait_for("cancelled job", SHORT_SECONDS, lambda state: len(state["jobs"]) == 2)

    state = running(user)
    os.kill(state["worker"], signal.SIGKILL)
    told["killed"] = user.wait_for("dead worker", SHORT_SECONDS, lambda state: icons(state)[-1:] == ["ERROR"])
    user.picture("queue_2_killed")
    told["after_death"] = idle(user)
    user.picture("queue_3_after_death")

    press(user)
    running(user)
    saved = FOLDER / "saved while working.blend"
    command(user, f"save {saved}")
    over_timeline(user)
    user.key("ctrl+z")
    time.sleep(1.0)
    told["undone"] = user.latest()
    told["made_after_undo"] = idle(user)

    press(user)
    press(user)
    pid = running(user)["worker"]
    command(user, "disable")
    told["disabled"] = user.latest() | {"worker_lives": lives(pid), "files": files()}
    command(user, "enable")
    user.wait_for("panel", SHORT_SECONDS, lambda state: state["panel"][2] > 100)
    press(user)
    told["enabled"] = idle(user)

    press(user)
    running(user)
    command(user, f"open {saved}")
    told["opened"] = user.latest() | {"files": files()}
    press(user)
    pid = running(user)["worker"]
    (FOLDER / "commands").open("a", encoding="utf-8").write("quit\n")
    user.blender.wait(SHORT_SECONDS)
    time.sleep(2.0)
    told["quit"] = {"code": user.blender.returncode, "worker_lives": lives(pid), "files": files()}
    return told


def press(user):
    """Press Re-shoot; the number of the job that came of it."""
    before = {job[0] for job in user.latest()["jobs"]}
    box = user.latest()["panel"]
    (button,) = user.find("Re-shoot", lambda: user.bars(box, least=(150, 26)))[:1]
    user.press(button)
    state = user.wait_for("another job", SHORT_SECONDS, lambda state: {job[0] for job in state["jobs"]} - before)
    return max(job[0] for job in state["jobs"])


def running(user):
    """The state in which a take is half made."""

    def half_made(state):
        return any(stage == "running" and step > 3 for _, stage, step in state["jobs"])

    return user.wait_for("running job", TAKE_SECONDS, half_made)


def idle(user):
    return user.wait_for("empty queue", TAKE_SECONDS, lambda state: not state["jobs"])


def icons(state):
    return [icon for icon, _ in state["messages"]]


def over_timeline(user, button=0):
    left, top, _, height = user.latest()["panel"]
    user.move(left - 400, top + height // 2)
    if button:
        user.click(left - 400, top + height // 2, button=button)
        time.sleep(1.0)


def escape(user):
    user.key("Escape")
    time.sleep(1.0)


def command(user, line):
    """Have the script in Blender do something, and wait until it has."""
    before = user.latest()["done"]
    with (FOLDER / "commands").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    user.wait_for(line, SHORT_SECONDS, lambda state: state["done"] > before)


def lives(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def files():
    """What is no whole take in their folder."""
    whole = {path.stem for path in TAKES.glob("*.mp4")} & {path.stem for path in TAKES.glob("*.json")}
    return sorted(path.name for path in TAKES.iterdir() if path.stem not in whole)


if __name__ == "__main__":
    main()
