"""How close the engine `reproject` comes to the truth on a traced room, and how fast it is.

    python benchmarks/reproject.py [--frames 81] [--seed 0] [--width 832] [--height 480]

Quality and speed are of the same settings. The room, the cameras and the truth come from tests/backend/raytraced.py.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import resource
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "backend")]

import numpy as np  # noqa: E402
import raytraced  # noqa: E402

from backend import contract, render  # noqa: E402
from backend.engines import Shot  # noqa: E402
from backend.media.writer import open_take  # noqa: E402
from backend.reproject import Reproject  # noqa: E402

ANGLES = (1.5, 3.0, 6.0, 12.0)
STILLS = 5  # frames of the clip that quality is measured on


class Clip:
    """Frames that are in memory."""

    def __init__(self, frames):
        self.frames = frames
        self.height, self.width = frames[0].shape[:2]

    def frame(self, index):
        return self.frames[index]


def main() -> None:
    options = parse()
    width, height, count = options.width, options.height, options.frames
    room, lens = raytraced.Room(seed=options.seed), raytraced.lens_for(width, height)
    times = np.linspace(0, 1, count)
    source = [raytraced.pose_at()] * count
    shots = [room.shoot(pose, lens, width, height, time) for pose, time in zip(source, times, strict=True)]
    print(f"{width}x{height}, {count} frames, seed {options.seed}, static source camera, two boxes and a ball moving")
    print(f"{machine()}, {datetime.date.today()}\n")
    print("Frames at the full angle, against traced truth; dB PSNR")
    print("  arc   copy  plane  take  visible  hidden  hidden share  invented")
    for angle in ANGLES:
        print(quality(room, lens, shots, source, times, angle))
    print("\nSpeed, on an arc from 0 to 3 degrees")
    target = [raytraced.arc(3.0 * t) for t in times]
    shot = make_shot(shots, source, target, lens)
    list(Reproject(shot.settings).frames(shorten(shot), lambda *_: None))  # compiled before the clock starts
    start, worked = time.perf_counter(), time.process_time()
    drawn = sum(1 for _ in Reproject(shot.settings).frames(shot, lambda *_: None))
    print(f"  engine alone: {drawn / (time.perf_counter() - start):.1f} frames/s, ", end="")
    print(f"{1000 * (time.process_time() - worked) / drawn:.0f} ms of one core per frame")
    with tempfile.TemporaryDirectory() as folder:
        job = make_job(Path(folder), shots, source, target, lens)
        del shots, shot
        start, worked = time.perf_counter(), time.process_time()
        render.render(job, lambda progress: None, lambda: False)
        seconds, worked = time.perf_counter() - start, time.process_time() - worked
    print(f"  whole job (decode, depth files, warp, H.264): {count / seconds:.1f} frames/s, ", end="")
    print(f"{1000 * worked / count:.0f} ms of one core per frame")
    print(f"  load of the machine while this ran: {os.getloadavg()[0]:.1f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << (10 if sys.platform != "darwin" else 20))
    print(f"  peak memory of all the above, truth and clip in memory included: {peak:.0f} MB")


def quality(room, lens, shots, source, times, angle):
    height, width = shots[0][1].shape
    target = [raytraced.arc(angle)] * len(times)
    places = np.linspace(0, len(times) - 1, min(STILLS, len(times))).astype(int)
    shot = make_shot(shots, source, target, lens)
    take = list(Reproject(shot.settings).frames(shot, lambda *_: None))
    plane = make_shot([(image, None) for image, _ in shots], source, target, lens)
    flat = list(Reproject(plane.settings).frames(plane, lambda *_: None))
    rows = []
    for place in places:
        true, depth = room.shoot(target[place], lens, width, height, times[place])
        seen = raytraced.seen_before(target[place], source[place], lens, depth, shots[place][1])
        image, invented = take[place]
        rows.append(
            [
                raytraced.psnr(shots[place][0], true),
                raytraced.psnr(flat[place].image, true),
                raytraced.psnr(image, true),
                raytraced.psnr(image, true, seen),
                raytraced.psnr(image, true, ~seen),
                100 * (1 - seen.mean()),
                100 * invented.mean() / 255,
            ]
        )
    copy, plane_db, whole, visible, hidden, share, made = np.mean(rows, axis=0)
    return (
        f"{angle:5.1f}  {copy:5.1f}  {plane_db:5.1f}  {whole:4.1f}  {visible:7.1f}  {hidden:6.1f}"
        f"  {share:11.1f}%  {made:7.1f}%"
    )


def make_shot(shots, source, target, lens):
    images, depths = zip(*shots, strict=True)
    height, width = images[0].shape[:2]
    known = depths[0] is not None
    depth = contract.Depth(kind="file", files=("in memory",)) if known else contract.Depth()
    return Shot(
        footage=Clip(images),
        depth=Clip(depths) if known else None,
        source=raytraced.trajectory(source, lens, width, height),
        target=raytraced.trajectory(target, lens, width, height),
        subject_distance=4.0,
        settings=contract.EngineSettings(depth=depth),
        width=width,
        height=height,
    )


def shorten(shot):
    """The same shot, of four frames."""
    source, target = (
        contract.Trajectory(width=each.width, height=each.height, poses=each.poses[:4], intrinsics=each.intrinsics[:4])
        for each in (shot.source, shot.target)
    )
    values = {name: getattr(shot, name) for name in ("footage", "depth", "subject_distance", "settings")}
    return Shot(source=source, target=target, width=shot.width, height=shot.height, **values)


def make_job(folder, shots, source, target, lens):
    """The same as files: an H.264 clip and float32 depth."""
    height, width = shots[0][1].shape
    clip = contract.Output(path=str(folder / "clip.mp4"), width=width, height=height, rate=Fraction(24))
    files = []
    with open_take(clip) as writer:
        for index, (image, depth) in enumerate(shots):
            writer.write(image)
            files.append(str(folder / f"depth{index:04}.npy"))
            np.save(files[-1], depth)
    return contract.Job(
        footage=contract.Footage(
            kind="movie", files=(clip.path,), frames=tuple(range(len(shots))), width=width, height=height
        ),
        source=raytraced.trajectory(source, lens, width, height),
        target=raytraced.trajectory(target, lens, width, height),
        output=contract.Output(path=str(folder / "take_v001.mp4"), width=width, height=height, rate=Fraction(24)),
        settings=contract.EngineSettings(depth=contract.Depth(kind="file", files=tuple(files))),
    )


def machine() -> str:
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.machine()
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=81)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--width", type=int, default=832)
    parser.add_argument("--height", type=int, default=480)
    return parser.parse_args()


if __name__ == "__main__":
    main()
