"""How long set-up takes from nothing, and how much it downloads and leaves on the disk.

`.venvs/backend/bin/python -m benchmarks.setup [--engine recammaster] [--torch cpu] [--wheels FOLDER]`

All caches are empty: pip's, and that of compiled kernels. What is measured stands beside what the user is told before
(`python -m backend setup --plan`), which is to be right within a quarter. The preview engine alone is to be there
within three minutes, at 20 MB a second.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from backend.contract import ENGINES
from backend.environment import install, interpreter, verify
from backend.environment.messages import Wish
from backend.environment.plan import plan

MB = 10**6
TIME_AIM = 180.0  # seconds, of engine reproject
RIGHT = 0.25  # share by which what is told before may be off


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0])
    parser.add_argument("--torch", default="auto", help="build of torch")
    parser.add_argument("--wheels", default="", help="a folder of wheels in place of the network")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"PIP_NO_CACHE_DIR": "1", "NUMBA_CACHE_DIR": str(Path(folder) / "kernels")}
        return measure(Wish(folder=str(Path(folder) / "environment"), **vars(chosen)))


def measure(wish: Wish) -> int:
    planned = plan(wish)
    watch = Watch()
    made = install(wish, report=watch)
    watch.end()
    for phase, seconds in watch.seconds.items():
        print(f"{seconds:7.1f} s  {phase}")
    total = sum(watch.seconds.values())
    print(f"{total:7.1f} s  in all, for {wish.engine}, Python {made.python_version}, torch {made.torch or 'none'}")
    again = first_take(wish)
    print(f"{again:7.1f} s  the check once more, with all kernels compiled")
    print(f"downloaded {watch.received / MB:.0f} MB; told before: {planned.download / MB:.0f} MB")
    stays = planned.disk - planned.download
    print(f"on disk {made.size / MB:.0f} MB; told before: {stays / MB:.0f} MB, {planned.disk / MB:.0f} MB to be free")
    right = abs(made.size - stays) <= RIGHT * made.size and watch.received <= (1 + RIGHT) * planned.download + MB
    return 0 if right and (wish.engine != ENGINES[0] or total <= TIME_AIM) else 1


class Watch:
    """Takes progress, and knows how long each kind of phase took and how many bytes came."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.received = 0
        self._phase, self._began, self._step = "", time.perf_counter(), 0

    def __call__(self, progress) -> None:
        if progress.phase != self._phase:
            self.end()
            self._phase = progress.phase
        if progress.unit == "bytes":
            self._step = max(self._step, progress.step)

    def end(self) -> None:
        kind = "Getting packages" if self._phase.startswith(("Looking for ", "Downloading ")) else self._phase
        if self._phase in ("", "Looking for a Python"):
            kind = "Looking for a Python"
        now = time.perf_counter()
        self.seconds[kind] = self.seconds.get(kind, 0.0) + now - self._began
        self.received += self._step
        self._began, self._step = now, 0


def first_take(wish: Wish) -> float:
    began = time.perf_counter()
    command = verify.command(interpreter(Path(wish.folder)), wish.engine)
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
