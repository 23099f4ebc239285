"""A first use, played on the virtual screen of `real-blender window`: from an empty profile and a zip to a take.

    python3 first_use.py BLEND FOLDER [--broken] [--pictures]

All is done with the mouse, and the sidebar opened with its key. The zip lies in the home folder's Downloads. Pictures
go to FOLDER; the last line on standard output is what was seen, as JSON: clicks and keys as they were pressed, and the
seconds of each part. With --broken, the packages' index is one that does not answer: it ends where that is told. With
--pictures, those of the manual are taken too that no test needs.
"""

import json
import os
import sys
import time
from pathlib import Path

from doors import (
    SHORT_SECONDS,
    accept_file,
    big_button,
    box_of,
    choose_first_file,
    click_in,
    open_panel,
    panel,
    window_with,
)
from user import DEFAULT, SCREEN, START_UP, User

BLEND, FOLDER = sys.argv[1], Path(sys.argv[2])
BROKEN, PICTURES = "--broken" in sys.argv, "--pictures" in sys.argv

# Where Blender 5.2 has its own things, from the top left corner of their window; ReCam's are found by looking.
EDIT_MENU, PREFERENCES_ENTRY = (79, 14), (131, 282)
GET_EXTENSIONS, ADD_ONS, SEARCH, FIRST_ADD_ON = (57, 195), (45, 228), (345, 18), (189, 53)
# From the top right corner.
EXTENSIONS_MENU, INSTALL_FROM_DISK, CLOSE, MAXIMIZE = (-20, 18), (-128, 141), (-11, -10), (-26, -10)
ABOVE_PREFERENCES = 225

START_SECONDS, INSTALL_SECONDS, TAKE_SECONDS = 90, 500, 200


def main():
    user = User(FOLDER, [*START_UP, BLEND, "--python", watcher, "--", str(FOLDER / "state.jsonl"), str(SCREEN[1])])
    try:
        told = first_use(user)
    finally:
        user.close()
    print(json.dumps(told))


watcher = str(Path(__file__).with_name("watch.py"))


def first_use(user):
    clock = Clock()
    user.wait_for("window", START_SECONDS, lambda state: True)
    close_splash(user)
    clock.ended("start Blender, close its splash")
    install_zip(user)
    clock.ended("install the zip")
    open_panel(user)
    clock.ended("open the panel")
    user.picture("setup_offline", panel(user))
    if BROKEN and PICTURES:
        with user.only_looking():
            show_preferences(user, "setup_preferences_offline")
            close_preferences(user)
    user.press(big_button(user))
    user.wait_for("online access", SHORT_SECONDS, lambda state: state["online"])
    big_button(user)
    user.picture("setup_missing", panel(user))
    confirm_installation(user)
    clock.ended("allow online access, press Install, confirm")
    if BROKEN:
        return broken(user)
    phases = follow_installation(user)
    clock.ended("installation")
    user.picture("setup_ready", panel(user))
    before = user.latest()["strips"]
    user.press(big_button(user))
    state = user.wait_for(
        "take", TAKE_SECONDS, lambda state: not state["recam"]["running"] and state["strips"] != before
    )
    clock.ended("the first take")
    told = {"clicks": user.clicks, "keys": user.keys, "seconds": clock.parts, "installation": phases, "end": state}
    told["minutes"] = round(sum(clock.parts.values()) / 60, 2)
    with user.only_looking():
        show_preferences(user, "setup_preferences_ready")
        show_recammaster(user)
    return told


class Clock:
    def __init__(self):
        self.parts, self._since = {}, time.monotonic()

    def ended(self, part):
        now = time.monotonic()
        self.parts[part] = round(now - self._since, 1)
        self._since = now


# Blender's own doors


def close_splash(user):
    (go_on,) = user.find("splash", lambda: user.bars((540, 600, 520, 120), least=(200, 12)))
    user.press(go_on)
    user.settled()
    # The second splash ends with a click beside it.
    user.click(SCREEN[0] // 2, 20 + 14)
    user.settled()


def install_zip(user):
    open_preferences(user)
    click_in(user, "PREFERENCES", GET_EXTENSIONS)
    user.wait_for("extensions", SHORT_SECONDS, lambda state: state["section"] == "EXTENSIONS")
    user.settled()
    click_in(user, "PREFERENCES", EXTENSIONS_MENU)
    user.settled()
    click_in(user, "PREFERENCES", INSTALL_FROM_DISK)
    choose_first_file(user, "Downloads")
    user.picture("setup_zip", box_of(user, "FILE_BROWSER"))
    accept_file(user)
    user.wait_for("add-on", SHORT_SECONDS, lambda state: state["recam"])
    user.settled()
    close_preferences(user)


def open_preferences(user):
    x, y = user.latest()["windows"][0]["at"][:2]
    user.click(x + EDIT_MENU[0], y + EDIT_MENU[1])
    user.settled()
    user.click(x + PREFERENCES_ENTRY[0], y + PREFERENCES_ENTRY[1])
    user.wait_for("preferences", SHORT_SECONDS, lambda state: window_with(state, "PREFERENCES"))
    user.settled()


def close_preferences(user):
    click_in(user, "PREFERENCES", CLOSE)
    user.wait_for("one window", SHORT_SECONDS, lambda state: len(state["windows"]) == 1)


# ReCam's panel


def confirm_installation(user):
    user.press(big_button(user))
    (install,) = user.find("dialog", lambda: user.bars((0, 0, *SCREEN), least=(200, 16), colours=[DEFAULT]))
    user.settled()
    user.picture("setup_dialog", dialog_around(install, 225))
    user.press(install)
    user.wait_for("installation", SHORT_SECONDS, lambda state: state["recam"]["task"])


def dialog_around(button, above):
    """The whole of a dialog, whose right button this is, with so many pixels above that."""
    x, y, width, height = button
    return x - width - 24, y - above, 2 * width + 42, above + height + 14


def follow_installation(user):
    """Its phases, with the seconds from the beginning to each one's first sight."""
    phases, since, shown = {}, time.monotonic(), False
    while time.monotonic() < since + INSTALL_SECONDS:
        recam = user.latest()["recam"]
        if not recam["task"]:
            break
        phase = recam["task"].split(",")[0].rstrip("0123456789/ ")
        phases.setdefault(phase, round(time.monotonic() - since, 1))
        if not shown and 0.2 < recam["share"] < 0.9:
            user.picture("setup_progress", panel(user))
            shown = True
            if not PICTURES:
                continue
            user.patience, before = 4, user.patience
            with user.only_looking():
                show_preferences(user, "setup_preferences_progress")
                close_preferences(user)
            user.patience = before
        time.sleep(0.2)
    user.wait_for("environment", SHORT_SECONDS, lambda state: state["recam"]["environment"] == "ready")
    return phases


# For the pictures only


def show_preferences(user, name):
    """The add-on's preferences, as they are now."""
    open_preferences(user)
    click_in(user, "PREFERENCES", MAXIMIZE)
    user.settled()
    click_in(user, "PREFERENCES", ADD_ONS)
    user.wait_for("add-ons", SHORT_SECONDS, lambda state: state["section"] == "ADDONS")
    if not getattr(user, "has_searched", False):
        click_in(user, "PREFERENCES", SEARCH)
        user.type("recam")
        user.key("Return")
        user.settled()
        click_in(user, "PREFERENCES", FIRST_ADD_ON)
        user.has_searched = True
    x, y, width, _ = box_of(user, "PREFERENCES")
    user.move(x + width - 300, y + 130)  # away from what would tell of itself
    user.settled()
    x, y, width, height = beside_sections(user)
    user.picture(name, (x, y + ABOVE_PREFERENCES, width, height - ABOVE_PREFERENCES))


def show_recammaster(user):
    """What adding the other engine takes, from the first row of the preferences' buttons."""
    x, y, width, height = user.bars(beside_sections(user), least=(600, 14))[0]
    user.click(x + width // 6, y + height // 2)
    (install,) = user.find("dialog", lambda: user.bars(beside_sections(user), least=(200, 16), colours=[DEFAULT]))
    user.settled()
    user.picture("setup_recammaster", dialog_around(install, 310))


def beside_sections(user):
    x, y, width, height = box_of(user, "PREFERENCES")
    return x + 170, y, width - 170, height


def broken(user):
    """What is told of a failure, and what its two buttons do."""
    user.wait_for("failure", INSTALL_SECONDS, lambda state: state["recam"]["ended"] == "failed")
    user.settled()
    user.picture("setup_failed", panel(user))
    show_preferences(user, "setup_preferences_failed")
    # Below Repair and Remove, and Use My Own Python: Copy and Open Log, side by side.
    x, y, width, height = user.bars(beside_sections(user), least=(600, 14))[2]
    user.click(x + width // 4, y + height // 2)
    user.wait_for("text that was copied", SHORT_SECONDS, lambda state: state["clipboard"])
    user.click(x + width * 3 // 4, y + height // 2)
    user.settled()
    return {"end": user.latest()}


if __name__ == "__main__":
    os.environ.pop("RECAM_PYTHON", None)
    main()
