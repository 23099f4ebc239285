"""Where Blender 5.2 has its own things, and ReCam's panel among them, for a user who looks for them. Standard library.

Places are counted from the top left corner of their window or region, in pixels; what is left of nothing, from its
right edge.
"""

from user import DEFAULT

SHORT_SECONDS = 30

FIRST_FILE = (345, 81)
RECAM_TAB = (-15, 182)
PLACES = {"Desktop": 137, "Documents": 158, "Downloads": 180, "Videos": 201}
"""The home's folders in the file browser, by how far they are from its top."""


def window_with(state, area):
    """Where a window is that was opened for this; nothing while there is none."""
    return next((each["at"] for each in state["windows"][1:] if each["areas"][0]["type"] == area), None)


def opened(state):
    return next(each["areas"][0] for each in state["windows"][1:] if each["areas"][0]["type"] == "FILE_BROWSER")


def box_of(user, area):
    return user.wait_for(area, SHORT_SECONDS, lambda state: window_with(state, area)) and window_with(
        user.latest(), area
    )


def click_in(user, area, offset):
    """Click in a window that was opened."""
    click_at(user, box_of(user, area), offset)


def click_at(user, box, offset):
    x, y, width, _ = box
    user.click(x + offset[0] + (width if offset[0] < 0 else 0), y + offset[1])


def choose_first_file(user, place, *, waits=True):
    """In the file browser that is open: go to a folder of the home, and click the first file there, or folder."""
    user.wait_for("file browser", SHORT_SECONDS, lambda state: window_with(state, "FILE_BROWSER"))
    user.settled()
    click_in(user, "FILE_BROWSER", (83, PLACES[place]))
    user.wait_for(place, SHORT_SECONDS, lambda state: place in opened(state)["folder"])
    user.settled()
    click_in(user, "FILE_BROWSER", FIRST_FILE)
    if waits:
        user.wait_for("the file", SHORT_SECONDS, lambda state: opened(state)["file"])


def accept_file(user):
    """Press the file browser's button."""
    (accept,) = user.bars(box_of(user, "FILE_BROWSER"), least=(90, 12), colours=[DEFAULT])[-1:]
    user.press(accept)


def sequencer(state):
    areas = state["windows"][0]["areas"]
    return next(each for each in areas if each["type"] == "SEQUENCE_EDITOR" and each["view"] == "SEQUENCER")


def timeline(user):
    return sequencer(user.latest())["regions"]


def panel(user):
    return timeline(user)["UI"]


def open_panel(user):
    """The sequencer's sidebar, and ReCam's tab in it."""
    x, y, width, height = timeline(user)["WINDOW"]
    user.move(x + width // 2, y + height // 2)
    user.key("n")
    user.wait_for("sidebar", SHORT_SECONDS, lambda state: "UI" in sequencer(state)["regions"])
    user.settled()
    click_at(user, panel(user), RECAM_TAB)
    user.wait_for("ReCam's tab", SHORT_SECONDS, lambda state: sequencer(state)["tab"] == "ReCam")


def big_button(user):
    """The one button of the panel that is larger than the others."""
    return user.find("big button", lambda: user.bars(panel(user), least=(150, 26)))[0]
