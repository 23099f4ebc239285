"""How well footage is stabilised whose camera is solved from the footage alone; what freezing and outpainting keep.

    python benchmarks/uses.py [--frames 96] [--width 832] [--height 480] [--seeds 0] [--shots still pan:84 pan travel]

The room, its cameras and the truth come from tests/backend/raytraced.py, the hand's shake from handheld.py there: 0.4
degrees and 1.5 cm (rms, each axis), evenly from 0.3 to 10 Hz. Nothing is given but the lens and the distance of what is
seen first. A shot may be followed by its number of frames.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import platform
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "backend")]

import cv2  # noqa: E402
import handheld  # noqa: E402
import numpy as np  # noqa: E402
import raytraced  # noqa: E402

from backend import contract, render, settling  # noqa: E402
from backend.cameras import arrays, uses  # noqa: E402
from backend.media.reader import open_footage  # noqa: E402

RATE = 24
EVERY = 6  # frames of which one is held against the truth, which is slow to trace
SOFT = 0.7  # pixels: how soft a lens and a sensor draw, which the traced room is not

Pictures = list[np.ndarray]


def main() -> None:
    options = parse()
    size = options.width, options.height
    print(f"{size[0]}x{size[1]} at {RATE} fps, solved from the footage")
    print(f"{platform.machine()}, {datetime.date.today()}\n")
    print(
        "Stabilise           seed  strength  shake down  kept (least)  sharp  Laplacian  PSNR (least)  seconds",
        flush=True,
    )
    for seed, asked in itertools.product(options.seeds, options.shots):
        kind, _, frames = asked.partition(":")
        shot = film(kind, int(frames or options.frames), size, seed)
        for strength in options.strengths:
            told = stabilise(shot, strength, size, options.depth)
            print(f"{kind:7s}{len(shot.frames):4d} frames  {seed:4d}  {strength:6.1f} s  {told}", flush=True)
    print("\nOutpaint and freeze, footage of a camera that stands still")
    print(outpaint_and_freeze(min(options.frames, 48), size))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--width", type=int, default=832)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--shots", nargs="+", default=["still", "pan:84", "pan", "travel"])
    parser.add_argument("--strengths", nargs="+", type=float, default=[1.0])
    parser.add_argument("--depth", default="motion", choices=["plane", *contract.ESTIMATED])
    return parser.parse_args()


class Filmed:
    """A handheld shot, and what the operator meant."""

    def __init__(self, room: Any, size: tuple[int, int], meant: np.ndarray, shaken: np.ndarray) -> None:
        self.room, self.size, self.meant, self.shaken = room, size, meant, shaken
        self.lens = raytraced.lens_for(*size)
        self.frames, self.depths = self.trace(shaken)
        self.steady, _ = self.trace(meant)

    def trace(self, poses: np.ndarray) -> tuple[Pictures, Pictures]:
        shots = [self.room.shoot(pose, self.lens, *self.size, looks=2) for pose in poses]
        return [cv2.GaussianBlur(picture, (0, 0), SOFT) for picture, _ in shots], [depth for _, depth in shots]


def film(kind: str, frames: int, size: tuple[int, int], seed: int) -> Filmed:
    meant = handheld.meant(kind, frames)
    return Filmed(raytraced.Room(seed=1, moving=False), size, meant, handheld.by_hand(meant, RATE, seed=seed))


def stabilise(shot: Filmed, strength: float, size: tuple[int, int], depth: str) -> str:
    use = contract.Use(kind="stabilise", strength=strength)
    begun = time.perf_counter()
    take, settled = shoot(
        shot.frames,
        use,
        size,
        source_from="footage",
        lens=shot.lens,
        subject_distance=float(np.median(shot.depths[0])),
        settings=contract.EngineSettings(depth=contract.Depth(kind=depth)),
    )
    seconds = time.perf_counter() - begun
    down = 1 - handheld.trembling(take, shot.steady, RATE) / handheld.trembling(shot.frames, shot.steady, RATE)
    kept = uses.filmed(settled.source, settled.target, footage=size, output=size, distance=4.0)
    sharp, fine = (
        np.mean([how(each) for each in take]) / np.mean([how(each) for each in shot.frames])
        for how in (handheld.gradients, handheld.sharpness)
    )
    visible = against_truth(shot, take, settled)
    return (
        f"{down:10.1%}  {kept.mean():5.1%} ({kept.min():4.0%})  {sharp:5.1%}  {fine:9.1%}  "
        f"{np.mean(visible):5.2f} ({min(visible):5.2f})  {seconds:7.0f}"
    )


def against_truth(shot: Filmed, take: Pictures, settled: Any) -> list[float]:
    """PSNR of what is visible against the room as the steadied camera sees it, carried into the true world."""
    some = slice(None, None, EVERY)
    poses = handheld.in_the_true_world(arrays(settled.target)[0], arrays(settled.source)[0], shot.shaken)[some]
    truth, depths = shot.trace(poses)
    each_of = zip(take[some], truth, poses, shot.shaken[some], depths, shot.depths[some], strict=True)
    return [
        raytraced.psnr(made, true, raytraced.seen_before(pose, other, shot.lens, depth, filmed))
        for made, true, pose, other, depth, filmed in each_of
    ]


def outpaint_and_freeze(count: int, size: tuple[int, int]) -> str:
    room, lens = raytraced.Room(seed=3), raytraced.lens_for(*size)
    frames = [room.shoot(np.eye(4), lens, *size, each, looks=2)[0] for each in np.linspace(0, 1, count)]
    wide = size[0] * 3 // 2, size[1] * 3 // 2
    left, top = (wide[0] - size[0]) // 2, (wide[1] - size[1]) // 2
    take, _ = shoot(frames, contract.Use(kind="outpaint", by="frame"), wide)
    same = sum(
        np.array_equal(made[top : top + size[1], left : left + size[0]], given)
        for made, given in zip(take, frames, strict=True)
    )
    use = contract.Use(kind="freeze", at=count // 3, hold=count // 3)
    take, _ = shoot(frames, use, size)
    shown = uses.instants(use, count)
    begin = shown.index(float(use.at))
    still = min(raytraced.psnr(take[begin], take[index]) for index in range(begin + 1, begin + use.hold))
    return (
        f"outpaint: {same} of {count} frames identical inside; freeze: {still:.0f} dB between frames held (99: equal)"
    )


def shoot(frames: Pictures, use: contract.Use, size: tuple[int, int], **values: Any) -> tuple[Pictures, Any]:
    """A take, through the whole pipeline, and how its job was settled."""
    height, width = frames[0].shape[:2]
    target = raytraced.trajectory([np.eye(4)] * len(frames), raytraced.lens_for(width, height), width, height)
    settled = []
    settle = settling.settle
    with tempfile.TemporaryDirectory() as folder:
        footage = handheld.write_clip(Path(folder) / "clip.mkv", frames, RATE)
        path = str(Path(folder) / "take.mkv")
        output = contract.Output(path=path, width=size[0], height=size[1], rate=Fraction(RATE), format="ffv1")
        job = contract.Job(footage=footage, target=target, output=output, use=use, **values)
        settling.settle = lambda *given: settled.append(settle(*given)) or settled[0]
        try:
            render.render(job, lambda progress: None, lambda: False)
        finally:
            settling.settle = settle
        made = contract.Footage(kind="movie", files=(path,), frames=footage.frames, width=size[0], height=size[1])
        with open_footage(made) as reader:
            return [reader.frame(index).copy() for index in range(len(frames))], settled[0]


if __name__ == "__main__":
    main()
