"""An animator's afternoon, played on the virtual screen of `real-blender window`: from a fresh start to reopening.

    python3 workbench.py FOLDER

Strip, move, forecast, see through, live preview, re-shoot, A/B, undo, save, reopen: all with mouse and keys, by
Blender's own menus and ReCam's. ReCam is on already; the movie lies in the home folder's Videos, and Documents holds
one folder. Pictures go to FOLDER; the last line on standard output is what was seen, as JSON.
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
    click_at,
    click_in,
    open_panel,
    opened,
    panel,
    timeline,
)
from user import DEFAULT, SCREEN, START_UP, User, xdotool

FOLDER = Path(sys.argv[1])

START_SECONDS, FORECAST_SECONDS, LIVE_SECONDS, TAKE_SECONDS = 90, 120, 120, 300

# From the top left corner of what they are in.
EDITOR_TYPE, VIEW_3D = (20, 12), (74, 70)
VIEW_TAB = (-13, 245)
MOVE_STRIPS = (-230, 62)
LATE_FRAME = (135, 13)
MOST_UNDOS = 5
OTHERS = 3


def main():
    watcher = str(Path(__file__).with_name("watch.py"))
    user = User(FOLDER, [*START_UP, "--python", watcher, "--", str(FOLDER / "state.jsonl"), str(SCREEN[1])])
    try:
        told = afternoon(user)
    finally:
        user.close()
    print(json.dumps(told | {"clicks": user.clicks, "keys": user.keys}))


def afternoon(user):
    user.wait_for("window", START_SECONDS, lambda state: True)
    user.settled()
    begun = time.monotonic()
    begin_edit(user)
    add_footage(user)
    open_panel(user)
    big_button(user)
    user.picture("workbench_1_footage", panel(user))
    add_move(user)
    match(user)
    told = {"forecast": press_forecast(user)}
    told["views"] = look_through(user)
    told["take"] = re_shoot(user)
    told["seconds_to_take"] = round(time.monotonic() - begun)
    told["compared"] = compare(user)
    told["undone"] = undo(user)
    told["redone"] = redo(user, told["compared"]["takes"])
    save(user)
    told["running"] = begin_others_and_save(user)
    told["reopened"] = reopen(user)
    return told


# The footage


def begin_edit(user):
    """File > New > Video Editing, by its keys."""
    user.move(SCREEN[0] // 2, SCREEN[1] // 2)
    user.key("ctrl+n")
    user.settled()
    user.key("e")
    user.wait_for("edit", SHORT_SECONDS, lambda state: area(state, "SEQUENCE_EDITOR"))
    user.settled()


def area(state, kind):
    return next((each for each in state["windows"][0]["areas"] if each["type"] == kind), None)


def add_by_menu(user, box, words):
    """Add, and the first letters of what: Blender's menus look for what is typed."""
    x, y, width, height = box
    user.move(x + width // 2, y + height // 2)
    user.key("shift+a")
    user.settled()
    user.type(words)
    user.settled()
    user.key("Return")


def add_footage(user):
    """At the playhead, and not where the mouse is, which Blender also offers."""
    add_by_menu(user, timeline(user)["WINDOW"], "movie")
    choose_first_file(user, "Videos")
    click_in(user, "FILE_BROWSER", MOVE_STRIPS)
    accept_file(user)
    user.wait_for("strip", SHORT_SECONDS, lambda state: state["strips"])
    user.settled()


# The camera


def add_move(user):
    """In a 3D view in place of the file browser: Add > Camera > ReCam Moves > Pan Right."""
    box = area(user.latest(), "FILE_BROWSER")["at"]
    click_at(user, box, EDITOR_TYPE)
    user.settled()
    click_at(user, box, VIEW_3D)
    user.wait_for("3D view", SHORT_SECONDS, lambda state: area(state, "VIEW_3D"))
    user.settled()
    add_by_menu(user, box, "pan right")
    user.wait_for("camera", SHORT_SECONDS, lambda state: state["recam"]["camera"] == "Pan Right")


def match(user):
    """The view's shape is not the footage's, which the panel says: its button puts that right."""
    button = user.find("Match", lambda: user.bars(above_button(user), least=(30, 12)))[0]
    user.press(button)
    user.wait_for("match", SHORT_SECONDS, lambda state: state["size"] == [1872, 1080])


def above_button(user):
    x, y, width, _ = panel(user)
    return x, y, width, big_button(user)[1] - 4 - y


def press_forecast(user):
    """By its button; where it came by itself, by the small one that makes it anew."""
    x, y, width, height = above_button(user)
    if user.latest()["recam"]["forecast"]:
        button = user.find("arrows", lambda: user.bars((x + width - 80, y, 50, height), least=(12, 2)))[-1]
    else:
        button = user.find("Forecast", lambda: user.bars((x, y, width, height), least=(200, 12)))[-1]
    before = user.latest()["recam"]["forecasts"]
    user.press(button)
    state = user.wait_for(
        "forecast",
        FORECAST_SECONDS,
        lambda state: state["recam"]["forecast"] and state["recam"]["forecasts"] > before,
    )
    user.settled()
    user.photograph("workbench_2_forecast")
    return state["recam"]["forecast"]


def look_through(user):
    """See Through Footage and Live Preview, in the 3D view's sidebar, with the view as large as the window."""
    box = area(user.latest(), "VIEW_3D")["at"]
    user.move(box[0] + box[2] // 2, box[1] + box[3] // 2)
    user.key("ctrl+space")
    user.wait_for("large view", SHORT_SECONDS, lambda state: len(state["windows"][0]["areas"]) == 1)
    user.settled()
    user.key("n")
    sidebar = user.wait_for("sidebar", SHORT_SECONDS, lambda state: "UI" in area(state, "VIEW_3D")["regions"])
    box = area(sidebar, "VIEW_3D")["regions"]["UI"]
    user.settled()
    click_at(user, box, VIEW_TAB)
    see_through = user.find("See Through Footage", lambda: user.bars(box, least=(150, 12)))[0]
    user.press(see_through)
    user.wait_for("footage behind the camera", SHORT_SECONDS, lambda state: state["recam"]["seen_through"])
    footage = middle(user)
    user.photograph("workbench_3_see_through")
    # Below it: the one that ends it, then the preview's.
    user.move(box[0] + box[2] // 2, box[1] + box[3] - 40)
    _, _, live, _ = user.find("four buttons", lambda: exactly(4, user.bars(box, least=(150, 12))))
    user.press(live)
    state = user.wait_for("live preview", LIVE_SECONDS, lambda state: state["recam"]["live"])
    until = time.monotonic() + LIVE_SECONDS
    while time.monotonic() < until and middle(user) == footage:
        time.sleep(0.5)
    user.photograph("workbench_4_live")
    told = {"live": state["recam"]["live"], "differ": share_that_differs(footage, middle(user))}
    user.press(live)
    user.wait_for("end of the preview", SHORT_SECONDS, lambda state: not state["recam"]["live"])
    user.move(SCREEN[0] // 3, SCREEN[1] // 2)
    user.key("ctrl+space")
    user.wait_for("all editors", SHORT_SECONDS, lambda state: len(state["windows"][0]["areas"]) > 1)
    user.settled()
    return told


def exactly(count, bars):
    """The buttons, once there are so many: until then the panel has not been drawn with all of them."""
    return bars if len(bars) == count else []


def middle(user):
    """The pixels of the middle of the large view."""
    return part(user.settled(), (SCREEN[0] // 4, SCREEN[1] // 3, SCREEN[0] // 4, SCREEN[1] // 3))


def part(pixels, box):
    x, y, width, height = box
    rows = range(y, y + height, 4)
    return b"".join(pixels[3 * (row * SCREEN[0] + x) : 3 * (row * SCREEN[0] + x + width)] for row in rows)


def share_that_differs(one, other):
    return round(sum(a != b for a, b in zip(one, other, strict=True)) / len(one), 3)


# The take


def re_shoot(user):
    press_re_shoot(user)
    user.picture("workbench_5_running", panel(user))
    user.wait_for("take", TAKE_SECONDS, lambda state: not state["recam"]["running"])
    state = user.wait_for("message", SHORT_SECONDS, lambda state: state["recam"]["message"])
    user.settled()
    return {"message": state["recam"]["message"], "strips": state["strips"], "takes": state["recam"]["takes"]}


def press_re_shoot(user):
    user.press(big_button(user))
    return user.wait_for("running job", SHORT_SECONDS, lambda state: state["recam"]["running"])


def compare(user):
    """Go to a late frame, where the camera has turned, and press the key twice."""
    x, y, width, height = timeline(user)["WINDOW"]
    user.click(x + LATE_FRAME[0], y + LATE_FRAME[1])
    user.wait_for("late frame", SHORT_SECONDS, lambda state: state["frame"] > 1)
    user.move(x + width // 2, y + height // 2)
    take = shown(user)
    takes = user.latest()["recam"]["takes"]
    user.key("j")
    hidden = user.wait_for("source alone", SHORT_SECONDS, lambda state: state["muted"] == takes)
    source = shown(user)
    user.picture("workbench_6_source")
    user.key("j")
    user.wait_for("take again", SHORT_SECONDS, lambda state: not state["muted"])
    told = {"takes": takes, "muted": hidden["muted"], "differ": share_that_differs(take, source)}
    return told | {"same_again": shown(user) == take}


def shown(user):
    """The pixels of the preview's picture, without what is drawn at its edges."""
    areas = user.latest()["windows"][0]["areas"]
    x, y, width, height = next(each for each in areas if each.get("view") == "PREVIEW")["regions"]["PREVIEW"]
    return part(user.settled(), (x + width // 4, y + height // 4, width // 3, height // 2))


def undo(user):
    """Until the take's strip is gone: the comparisons and the frame may have steps of their own."""
    for _ in range(MOST_UNDOS):
        before = user.latest()
        user.key("ctrl+z")
        time.sleep(1.2)
        state = user.latest()
        if not state["recam"]["takes"]:
            user.settled()
            return {"strips": state["strips"], "message": state["recam"]["message"], "before": before["strips"]}
    return {"strips": user.latest()["strips"]}


def redo(user, takes):
    user.key("ctrl+shift+z")
    return user.wait_for("take again", SHORT_SECONDS, lambda state: state["recam"]["takes"] == takes)["recam"]["takes"]


# The file


def save(user):
    """Into the folder with a difficult name."""
    user.key("ctrl+s")
    choose_first_file(user, "Documents", waits=False)
    xdotool("click", 1)
    user.wait_for("folder", SHORT_SECONDS, lambda state: opened(state)["folder"].rstrip("/").count("Documents/"))
    user.settled()
    accept_file(user)
    user.wait_for("file", SHORT_SECONDS, lambda state: state["file"])
    user.settled()


def begin_others_and_save(user):
    """While a take is made and others wait: nothing of that may be in the file."""
    x, y, width, height = timeline(user)["WINDOW"]
    button = big_button(user)
    for _ in range(OTHERS):
        user.press(button)
    # Where a bar runs, no screen stands still.
    user.patience = 3
    user.move(x + width // 2, y + height // 2)
    state = user.wait_for("jobs", SHORT_SECONDS, lambda state: state["recam"]["jobs"])
    before = Path(state["file"]).stat().st_mtime_ns
    user.key("ctrl+s")
    user.find("saved file", lambda: Path(state["file"]).stat().st_mtime_ns > before)
    return {"jobs": user.latest()["recam"]["jobs"]}


def reopen(user):
    """File > Open Recent, by its keys: the first one. What is asked of changes since then is declined."""
    user.key("ctrl+shift+o")
    user.settled()
    user.key("Return")
    user.settled()
    middle_of_screen = (SCREEN[0] // 4, SCREEN[1] // 3, SCREEN[0] // 2, SCREEN[1] // 3)
    if user.bars(middle_of_screen, least=(90, 16), colours=[DEFAULT]):
        user.key("d")
    user.wait_for("nothing running", SHORT_SECONDS, lambda state: not state["recam"]["running"])
    user.patience = 40
    time.sleep(1.2)
    user.settled()
    state = user.latest()
    user.picture("workbench_7_reopened")
    return {key: state[key] for key in ("strips", "file", "muted", "frame")} | {"recam": state["recam"]}


if __name__ == "__main__":
    main()
