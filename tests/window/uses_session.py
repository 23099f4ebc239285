"""What footage alone allows, played on the virtual screen of `real-blender window`: solve it, steady it, go closer.

    python3 uses_session.py FOLDER

All with mouse and keys. ReCam is on already, and a clip that was filmed by hand lies in the home folder's Videos.
Pictures go to FOLDER; the last line on standard output is what was seen, as JSON.
"""

import json
import sys
import time
from pathlib import Path

from doors import (
    SHORT_SECONDS,
    accept_file,
    big_button,
    choose_first_file,
    click_in,
    open_panel,
    opened,
    panel,
    timeline,
    window_with,
)
from user import SCREEN, START_UP, User, xdotool
from workbench import add_footage, begin_edit, press_re_shoot

FOLDER = Path(sys.argv[1])

START_SECONDS, SOLVE_SECONDS, TAKE_SECONDS = 90, 120, 200

# From the top left corner of the screen: in the File menu, and in those that it opens.
FILE, IMPORT, EXPORT = (44, 33), (77, 331), (77, 352)
IMPORT_TRAJECTORY, EXPORT_TRAJECTORY = (330, 519), (330, 498)
DOCUMENTS = (83, 158)

USE = (-100, 73)
"""The choice, from the panel's top right corner."""
FOLD = (80, 23)
"""The first panel beneath the large button, from that one's lower left corner."""


def main():
    watcher = str(Path(__file__).with_name("watch.py"))
    user = User(FOLDER, [*START_UP, "--python", watcher, "--", str(FOLDER / "state.jsonl"), str(SCREEN[1])])
    try:
        told = session(user)
    finally:
        user.close()
    print(json.dumps(told))


def session(user):
    user.wait_for("window", START_SECONDS, lambda state: True)
    user.settled()
    begin_edit(user)
    add_footage(user)
    open_panel(user)
    enlarge(user, 1)
    told = {"solved": solve(user)}
    told["undone"], told["redone"] = undo_and_redo(user)
    told["stabilised"] = stabilise(user)
    enlarge(user, 5)
    told |= go_closer(user)
    told["freeze"] = choose_use(user, "freeze", 2)
    user.picture("uses_freeze", panel(user))
    told["exported"] = export_camera(user)
    told["imported"] = import_camera(user)
    return told


def enlarge(user, areas):
    """The timeline fills the window, or no more."""
    x, y, width, height = timeline(user)["WINDOW"]
    user.move(x + width // 2, y + height // 2)
    user.key("ctrl+space")
    enough = (lambda count: count == 1) if areas == 1 else (lambda count: count > 1)
    user.wait_for("areas", SHORT_SECONDS, lambda state: enough(len(state["windows"][0]["areas"])))
    user.settled()


def told_of(state):
    """The source camera with its count of keys, and all cameras."""
    return {"source": state["recam"]["source"], "cameras": state["cameras"]}


def solve(user):
    """Open the panel Footage Camera, and press its button."""
    x, y, _, height = big_button(user)
    user.click(x + FOLD[0], y + height + FOLD[1])
    left, _, width, _ = panel(user)
    below = (left, y + height + 30, width, 200)
    solve_footage = user.find("Solve Footage", lambda: (user.bars(below, least=(250, 12)) or [[]])[0])
    user.press(solve_footage)
    state = user.wait_for("source camera", SOLVE_SECONDS, lambda state: state["recam"]["source"])
    user.settled()
    user.picture("uses_solved", panel(user))
    return told_of(state)


def undo_and_redo(user):
    x, y, width, height = timeline(user)["WINDOW"]
    user.move(x + width // 2, y + height // 2)
    user.key("ctrl+z")
    undone = user.wait_for("undone", SHORT_SECONDS, lambda state: not state["recam"]["source"])
    user.key("ctrl+shift+z")
    redone = user.wait_for("redone", SHORT_SECONDS, lambda state: state["recam"]["source"])
    return told_of(undone), told_of(redone)


def choose_use(user, kind, steps):
    """The one so many further, by the wheel over the choice."""
    x, y, width, _ = panel(user)
    user.move(x + width + USE[0], y + USE[1])
    for _ in range(steps):
        before = user.latest()["recam"]["use"]
        xdotool("keydown", "ctrl", "click", 5, "keyup", "ctrl")
        user.wait_for("another use", SHORT_SECONDS, lambda state, before=before: state["recam"]["use"] != before)
    x, y, width, height = timeline(user)["WINDOW"]
    user.move(x + width // 2, y + height // 2)
    user.settled()
    return user.wait_for(kind, SHORT_SECONDS, lambda state: state["recam"]["use"] == kind)["recam"]["use"]


def stabilise(user):
    choose_use(user, "stabilise", 1)
    press_re_shoot(user)
    user.wait_for("take", TAKE_SECONDS, lambda state: not state["recam"]["running"])
    state = user.wait_for("message", SHORT_SECONDS, lambda state: state["recam"]["message"])
    user.settled()
    user.picture("uses_stabilised", panel(user))
    return {"message": state["recam"]["message"], "takes": state["recam"]["takes"], "strips": state["strips"]}


def go_closer(user):
    """A rectangle over the preview; another that Escape leaves; and back by undo."""
    choose_use(user, "closer", 2)
    button = user.find("Choose Part", lambda: (user.bars(panel(user), least=(300, 12)) or [[]])[0])
    before = user.latest()["recam"]["part"]
    x, y, width, height = preview(user)
    middle = x + width // 2, y + height // 2
    press_and_drag(user, button, (middle[0] - 100, middle[1] - 60), (middle[0] + 60, middle[1] + 36))
    xdotool("mouseup", 1)
    user.wait_for("part", SHORT_SECONDS, lambda state: state["recam"]["part"] != before)
    user.settled()
    chosen = user.latest()["recam"]["part"]
    user.photograph("uses_closer")
    press_and_drag(user, button, (middle[0] - 10, middle[1] - 10), (middle[0] + 160, middle[1] + 86))
    user.wait_for("another part", SHORT_SECONDS, lambda state: state["recam"]["part"] != chosen)
    user.key("Escape")
    xdotool("mouseup", 1)
    user.wait_for("part as it was", SHORT_SECONDS, lambda state: state["recam"]["part"] == chosen)
    user.key("ctrl+z")
    undone = user.wait_for("undone", SHORT_SECONDS, lambda state: state["recam"]["part"] == before)
    return {"part": chosen, "part_undone": undone["recam"]["part"], "scale": height}


def preview(user):
    areas = user.latest()["windows"][0]["areas"]
    return next(each for each in areas if each.get("view") == "PREVIEW")["regions"]["PREVIEW"]


def press_and_drag(user, button, start, end):
    user.press(button)
    user.move(*start)
    xdotool("mousedown", 1)
    time.sleep(0.3)
    user.move((start[0] + end[0]) // 2, (start[1] + end[1]) // 2)
    user.move(*end)


def export_camera(user):
    """File > Export > Camera Trajectory, into Documents."""
    choose_in_file(user, EXPORT, EXPORT_TRAJECTORY)
    click_in(user, "FILE_BROWSER", DOCUMENTS)
    user.wait_for("Documents", SHORT_SECONDS, lambda state: "Documents" in opened(state)["folder"])
    user.settled()
    user.picture("uses_export")
    name = opened(user.latest())["file"]
    accept_file(user)
    path = Path.home() / "Documents" / name
    user.find("file", path.exists)
    user.wait_for("end of the dialog", SHORT_SECONDS, lambda state: not window_with(state, "FILE_BROWSER"))
    return str(path)


def import_camera(user):
    choose_in_file(user, IMPORT, IMPORT_TRAJECTORY)
    choose_first_file(user, "Documents")
    user.settled()
    user.picture("uses_import")
    before = user.latest()["cameras"]
    accept_file(user)
    state = user.wait_for("camera", SHORT_SECONDS, lambda state: state["cameras"] != before)
    user.settled()
    return sorted(set(state["cameras"]) - set(before))


def choose_in_file(user, menu, entry):
    """What a menu in the File menu has."""
    user.click(*FILE)
    user.settled()
    user.click(*menu)
    user.settled()
    user.move(entry[0] - 130, menu[1])
    user.click(*entry)
    user.wait_for("file browser", SHORT_SECONDS, lambda state: window_with(state, "FILE_BROWSER"))
    user.settled()


if __name__ == "__main__":
    main()
