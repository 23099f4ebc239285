"""Engines that behave, dawdle or break, and a worker that has one of them built in.

``python engines_for_tests.py NAME`` is a worker (``python -m backend serve``) with the engine NAME.
"""

import ctypes
import os
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


class Copy:
    """The footage as it is; a quarter of each frame is said to be invented, all of the last one."""

    name = "reproject"
    depth_used = "a plane at 4 m"
    pause = 0.0

    def __init__(self, settings):
        self.notes = []
        self.warnings = []

    def frames(self, shot, report):
        from backend.engines import Frame

        report("preparing", 1, 1)
        for index in range(shot.length):
            image = shot.footage.frame(index)
            invented = np.zeros(image.shape[:2], np.uint8)
            invented[: len(invented) // 4] = 255
            if index == shot.length - 1:
                invented[:] = 255
            self.dawdle()
            report("drawing", index + 1, shot.length)
            yield Frame(image, invented)
        self.warnings.append("This is a copy.")

    def dawdle(self):
        time.sleep(self.pause)


class Slow(Copy):
    pause = 0.05


class Native(Copy):
    """Each frame is 30 seconds of C code that lets go of Python's lock, as codecs and compiled loops do."""

    def dawdle(self):
        ctypes.CDLL(None).sleep(30)


class Broken(Copy):
    def dawdle(self):
        raise ZeroDivisionError("the answer is nowhere")


class Crash(Copy):
    """Dies as native code does."""

    def dawdle(self):
        print("about to crash, 日本", file=sys.stderr)
        ctypes.string_at(0)


class Chatty(Copy):
    """Prints where it should not, from Python and from below, and starts children that do."""

    def dawdle(self):
        import subprocess

        print("hello from Python")
        os.write(1, b"hello from C\n")
        subprocess.run(["echo", "hello from a child"], check=True)


class Hoarder(Copy):
    def dawdle(self):
        raise MemoryError


class Lost(Copy):
    """As where a thread does not come back."""

    def dawdle(self):
        from backend.pipeline import StuckError

        raise StuckError("Reading one frame of the footage took longer than 300 seconds; the job was given up.")


class Short(Copy):
    def frames(self, shot, report):
        frames = super().frames(shot, report)
        for _ in range(shot.length - 1):
            yield next(frames)


class Backwards(Copy):
    """Looks at other frames too, as filling holes does, and tells whether it got what it asked for."""

    def frames(self, shot, report):
        from backend.engines import Frame

        for index in range(shot.length):
            for other in (0, shot.length - 1, index // 2):
                shot.footage.frame(other)
            image = shot.footage.frame(index)
            report("drawing", index, shot.length)
            yield Frame(image, np.zeros(image.shape[:2], np.uint8))


class FarAway(Copy):
    """Its footage lies on a share that takes two seconds to say whether a file is there."""

    @staticmethod
    def install():
        is_file = os.path.isfile

        def look(path):
            if str(path).endswith(".mp4"):
                time.sleep(2)
            return is_file(path)

        os.path.isfile = look


def is_running(pid):
    """Zombies, whom a container's init may not collect, do not run."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def install(name):
    from backend import engines

    engines.create = globals()[name]
    if hasattr(engines.create, "install"):
        engines.create.install()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    install(sys.argv[1])
    from backend.serve import serve

    serve()
