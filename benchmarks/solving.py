"""How true, how quick and how large solving a camera from footage is.

`.venvs/backend/bin/python -m benchmarks.solving [--frames 81] [--size 832x480]`

A hand carries a camera by a metre through a traced room in which two boxes and a ball move. Rotations are told after
both sides were turned to agree on the whole, places after they were laid over each other. Seconds are of the
processor, as machines are seldom quiet; memory is the most that solving took beside the clip.
"""

import argparse
import datetime
import re
import resource
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "backend"))

import raytraced  # noqa: E402
from filmed import Clip, film, handheld, places_off, rotations_off  # noqa: E402

from backend.geometry.solve import SolveError, solve  # noqa: E402

from .reproject import machine  # noqa: E402

ROTATION_AIM, FOCAL_AIM = 0.05, 0.03
"""Degrees at the most; share of the focal length."""

MOVES = {
    "walks by a metre": {"travel": 1.0, "turn": 6.0},
    "pans by 20 degrees": {"travel": 0.0, "turn": 20.0, "metres": 0.0},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=81)
    parser.add_argument("--size", default="832x480")
    options = parser.parse_args()
    width, height = map(int, re.fullmatch(r"(\d+)x(\d+)", options.size).groups())
    print(f"{machine()}, {datetime.date.today()}")
    print(f"{width}x{height}, {options.frames} frames, 24 a second; hand-held\n")
    met = []
    for name, move in MOVES.items():
        poses = handheld(options.frames, **move)
        clip = Clip(film(poses, width=width, height=height))
        for known in (True, False):
            met.append(told(f"{name}, lens {'known' if known else 'not known'}", clip, poses, known))
    return 0 if all(met) else 1


def told(name: str, clip: Clip, poses, known: bool) -> bool:
    lens = raytraced.lens_for(clip.width, clip.height)
    before, begun, spent = peak(), time.monotonic(), time.process_time()
    try:
        found = solve(
            clip.opened,
            len(clip.images),
            width=clip.width,
            height=clip.height,
            lens=lens if known else None,
            rate=24.0,
            report=lambda *_: None,
            check=lambda: None,
        )
    except SolveError as error:
        print(f"{name}: refused, {error}")
        return False
    spent, begun = time.process_time() - spent, time.monotonic() - begun
    turns = rotations_off(found.trajectory, poses)
    focal = found.trajectory.intrinsics[0].fx / lens.fx - 1
    print(f"{name}: {found.kind}, {100 * found.registered:.0f} % placed, error {found.error:.2f}, {found.angle:.1f}°")
    print(f"    rotations off by {turns.mean():.4f}° on average, {turns.max():.4f}° at most (aim: {ROTATION_AIM})")
    if found.kind == "moving":
        places = places_off(found.trajectory, poses)
        print(
            f"    places off by {100 * places.mean():.3f} % of the way on average, {100 * places.max():.3f} % at most"
        )
    print(f"    focal length off by {100 * focal:+.2f} % (aim: {100 * FOCAL_AIM:.0f})")
    print(f"    {spent:.1f} s of the processor, {begun:.1f} s of the clock, {peak() - before:.0f} MB more at the most")
    return bool(turns.max() <= ROTATION_AIM and abs(focal) <= FOCAL_AIM)


def peak() -> float:
    """The most memory that the process ever held, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
