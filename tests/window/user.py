"""What a user at a real Blender has: eyes, a hand that counts what it presses, and patience. Standard library only.

It works on the virtual screen that `real-blender window` gives, with its xdotool and ImageMagick.
"""

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

SCREEN = (1600, 900)
START_UP = ["--window-geometry", "0", "0", *map(str, SCREEN)]

# Blender's theme, as it is drawn: buttons, and what Return would press in a dialog.
BUTTON, DEFAULT = bytes.fromhex("545454"), bytes.fromhex("4772b3")
HIGHLIT = bytes.fromhex("656565")


class User:
    """Somebody who has started a Blender with a script that tells its state, and looks at it.

    Attributes:
        clicks, keys: pressed so far; a word typed counts letter by letter.
        patience: how many pictures to wait for a screen that stands still. Where a bar runs, none does.
    """

    def __init__(self, folder, arguments):
        self.folder = Path(folder)
        self.state_path = self.folder / "state.jsonl"
        self.clicks = self.keys = 0
        self.patience = 40
        self._counts = True
        with open(self.folder / "blender.log", "w") as log:
            self.blender = subprocess.Popen(["blender", *arguments], stdout=log, stderr=subprocess.STDOUT)

    def close(self):
        self.blender.kill()
        self.blender.wait()

    @contextlib.contextmanager
    def only_looking(self):
        """What is pressed here is for the pictures, and is no part of the way to a take."""
        self._counts = False
        yield
        self._counts = True

    # Eyes

    def latest(self):
        """What the script inside told last."""
        lines = self.state_path.read_text(encoding="utf-8").splitlines() if self.state_path.exists() else []
        return json.loads(lines[-1]) if lines else None

    def wait_for(self, what, seconds, true):
        """The first state for which ``true``, or an end with a picture of what is there instead."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            state = self.latest()
            if state is not None and true(state):
                return state
            if self.blender.poll() is not None:
                sys.exit(f"Blender ended with {self.blender.returncode} while waiting for {what}")
            time.sleep(0.2)
        self.picture("late")
        sys.exit(f"no {what} after {seconds} s; last seen: {self.latest()}")

    def screen(self):
        """Its pixels, three bytes each, row by row from the top."""
        command = ["import", "-window", "root", "-depth", "8", "rgb:-"]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def settled(self):
        """The screen, once two pictures in a row are equal: the window has been drawn."""
        before = b""
        for _ in range(self.patience):
            now = self.screen()
            if now == before:
                break
            before = now
            time.sleep(0.3)
        return before

    def bars(self, box, least=(60, 12), colours=(BUTTON, HIGHLIT)):
        """The buttons in a part of the screen, from top to bottom, each as [x, y, width, height].

        Args:
            box: where to look, [x, y, width, height].
            least: the width and height of the smallest one to find, pixels.
            colours: of their faces; what is written on them does no harm.
        """
        pixels = self.settled()
        left, top, width, height = box
        found = []
        for colour in colours:
            open_bar = None
            for y in range(max(0, top), min(SCREEN[1], top + height)):
                start = 3 * (y * SCREEN[0] + max(0, left))
                row = pixels[start : start + 3 * min(width, SCREEN[0] - left)]
                at = row.find(colour * 12)
                wide = (row.rfind(colour * 12) - at) // 3 + 12
                if at < 0 or wide < least[0]:
                    open_bar = None
                elif open_bar is None:
                    open_bar = [left + at // 3, y, wide, 1]
                    found.append(open_bar)
                else:
                    open_bar[3] += 1
        return sorted((each for each in found if each[3] >= least[1]), key=lambda each: each[1])

    def find(self, what, found):
        """What ``found`` finds on the screen, as soon as it does, or an end with a picture of what is there instead."""
        for _ in range(30):
            if answer := found():
                return answer
            time.sleep(0.3)
        self.picture("late")
        sys.exit(f"no {what} on the screen; last told: {self.latest()}")

    def picture(self, name, box=None):
        """Take a picture of the screen, or of a part of it, small enough for a manual."""
        part = [] if box is None else ["-crop", "{2}x{3}+{0}+{1}".format(*map(int, box)), "+repage"]
        small = ["-strip", "-dither", "None", "-colors", "256", "-define", "png:compression-level=9"]
        self._take(f"{name}.png", [*part, *small])

    def photograph(self, name):
        """The whole screen, footage and all, which a PNG would be large for."""
        self._take(f"{name}.jpg", ["-resize", "1200x", "-strip", "-quality", "82"])

    def _take(self, name, options):
        subprocess.run(["import", "-window", "root", *options, str(self.folder / name)], check=True)

    # Hand

    def click(self, x, y, button=1):
        self.move(x, y)
        xdotool("click", button)
        self.clicks += self._counts

    def move(self, x, y):
        xdotool("mousemove", int(x), int(y))
        time.sleep(0.3)

    def press(self, bar):
        """Click a button that was found."""
        x, y, width, height = bar
        self.click(x + width // 2, y + height // 2)

    def key(self, *names):
        xdotool("key", *names)
        self.keys += len(names) * self._counts

    def type(self, text):
        xdotool("type", text)
        self.keys += len(text) * self._counts


def xdotool(*arguments):
    subprocess.run(["xdotool", *map(str, arguments)], check=True)
