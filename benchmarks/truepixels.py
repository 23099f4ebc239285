"""How much better takes are that keep the footage's own pixels, and how fast they are made.

    python -m benchmarks.truepixels [--frames 25] [--seeds 0 4] [--angles 3 6] [--width 832] [--height 480]

The filler stands for a network: it draws the true view of a traced room with half the resolution, three pixels off,
in other colours that drift, and a little too large. Each row tells the whole frame and what no footage shows.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "backend")]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import raytraced  # noqa: E402

from backend import contract  # noqa: E402
from backend.engines import Frame, Report, Shot  # noqa: E402
from backend.reproject import Reproject  # noqa: E402
from backend.truepixels import TruePixels  # noqa: E402

STILLS = 5  # frames that quality is measured on


class Clip:
    """Frames that are in memory."""

    def __init__(self, frames):
        self.frames = frames
        self.height, self.width = frames[0].shape[:2]

    def frame(self, index):
        return self.frames[index]


class Filler:
    """An engine whose frames are made already."""

    name = "filler"
    depth_used = ""

    def __init__(self, frames):
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self._made = frames

    def frames(self, shot: Shot, report: Report) -> Iterator[Frame]:
        invented = np.full((shot.height, shot.width), 255, np.uint8)
        for index, frame in enumerate(self._made):
            yield Frame(frame, invented)
            report("re-shooting", index + 1, shot.length)


def main() -> None:
    options = parse()
    print(f"{options.width}x{options.height}, {options.frames} frames; dB PSNR: whole frame / what no footage shows")
    print("seed  arc     hidden      filler     reproject   true pixels  frames/s (one core)")
    for seed in options.seeds:
        for angle in options.angles:
            print(measure(seed, angle, options.frames, options.width, options.height), flush=True)


def measure(seed: int, angle: float, count: int, width: int, height: int) -> str:
    room, lens = raytraced.Room(seed=seed), raytraced.lens_for(width, height)
    times = np.linspace(0, 1, count)
    source = [raytraced.pose_at()] * count
    target = [raytraced.arc(angle * (index + 1) / count) for index in range(count)]
    shots = [room.shoot(pose, lens, width, height, at) for pose, at in zip(source, times, strict=True)]
    true = [room.shoot(pose, lens, width, height, at)[0] for pose, at in zip(target, times, strict=True)]
    made = [off(frame, at) for frame, at in zip(true, times, strict=True)]
    shot = Shot(
        footage=Clip([each[0] for each in shots]),
        depth=Clip([each[1] for each in shots]),
        source=raytraced.trajectory(source, lens, width, height),
        target=raytraced.trajectory(target, lens, width, height),
        subject_distance=4.0,
        settings=contract.EngineSettings(depth=contract.Depth(kind="file", files=("in memory",))),
        width=width,
        height=height,
    )
    drawn = list(Reproject(shot.settings).frames(shot, told))  # compiled before the clock starts
    worked = time.process_time()
    take = list(TruePixels(Filler(made), shot.settings).frames(shot, told))
    worked = time.process_time() - worked
    places = np.linspace(0, count - 1, min(STILLS, count)).astype(int)
    hidden = [drawn[place].invented == 255 for place in places]
    rows = []
    for frames in (made, [each.image for each in drawn], [each.image for each in take]):
        errors = [raytraced.psnr(frames[place], true[place]) for place in places]
        holes = [raytraced.psnr(frames[place], true[place], hole) for place, hole in zip(places, hidden, strict=True)]
        rows.append(f"{np.mean(errors):5.1f} / {np.mean(holes):4.1f}")
    share = float(np.mean([each.mean() for each in hidden]))
    return f"{seed:4d}  {angle:4.1f}  {share:6.1%}  {'  '.join(rows)}  {count / worked:6.1f}"


def off(frame, at):
    """A frame as a network might draw it, at a time from 0 to 1."""
    height, width = frame.shape[:2]
    small = cv2.resize(frame.astype(np.float32), (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    seen = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    scale = 1.02
    move = np.array([[scale, 0, (1 - scale) * width / 2 - 3], [0, scale, (1 - scale) * height / 2 + 2 * at]])
    seen = cv2.warpAffine(seen, move, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    seen = seen * np.float32([0.85, 0.95, 1.1]) + np.float32([20 - 10 * at, 5, -15 + 10 * at])
    return np.clip(np.rint(seen), 0, 255).astype(np.uint8)


def told(*_: object, **__: object) -> None:
    """Nobody listens."""


def parse():
    parser = argparse.ArgumentParser(prog="benchmarks.truepixels", description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=25)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 4])
    parser.add_argument("--angles", type=float, nargs="+", default=[3.0, 6.0])
    parser.add_argument("--width", type=int, default=832)
    parser.add_argument("--height", type=int, default=480)
    return parser.parse_args()


if __name__ == "__main__":
    main()
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
