"""How much better than a plane the relief of a static shot is: `.venvs/backend/bin/python -m benchmarks.relief`.

    python -m benchmarks.relief [--tuning] [--seeds 8] [--misjudged 1.0]

Takes of engine `reproject` at 3 degrees of arc, either way, and of a dolly by 8 % of the subject's distance, against
traced truth: with a flat plane at the subject's distance, with the relief, and with true depth. The scenes come from
tests/backend/relief_scenes.py; those measured were not used for tuning, which `--tuning` shows. The sample's are
measured too where benchmarks/quality.py has left their cameras. `--misjudged 1.5` states a distance that is half as far
again as the true one. Ends with 1 where a relief that calls itself plausible is worse than the plane by over 0.5 dB, or
where they are not better by 0.5 dB on average.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "backend")]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import relief_scenes  # noqa: E402
from raytraced import pose_at, psnr  # noqa: E402
from shots import Clip, make_shot  # noqa: E402

from backend import contract  # noqa: E402
from backend.geometry.relief import ReliefDepth  # noqa: E402
from backend.media.reader import open_footage, probe  # noqa: E402
from backend.reproject import Reproject  # noqa: E402

WIDTH, HEIGHT, FRAMES = 416, 240, 9
TUNED, HELD_OUT = 0, 40  # the first seeds
WORST, LEAST = -0.5, 0.5  # dB


class Scene(NamedTuple):
    name: str
    frames: list[Any]
    depth: Any
    lens: contract.Intrinsics
    pose: Any
    distance: float
    index: int
    truths: dict[str, tuple[Any, Any]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.relief", description=__doc__.split("\n")[0])
    parser.add_argument("--tuning", action="store_true", help="measure the scenes that were used for tuning")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--misjudged", type=float, default=1.0, help="times the true distance of the subject")
    options = parser.parse_args()
    first = TUNED if options.tuning else HELD_OUT
    print("| scene | plane | relief | true depth | gain | |\n|---|---|---|---|---|---|")
    gains, declined = [], 0
    for scene in [*_traced(first, options.seeds), *_sample()]:
        gain = _measure(scene, options.misjudged)
        gains, declined = ([*gains, gain], declined) if gain is not None else (gains, declined + 1)
    print(
        f"\n{len(gains)} reliefs, {declined} declined. Gain over the plane: {np.mean(gains):+.2f} dB on average, "
        f"{np.median(gains):+.2f} median, {min(gains):+.2f} at worst, {max(gains):+.2f} at best."
    )
    return int(min(gains) < WORST or float(np.mean(gains)) < LEAST)


def _measure(scene: Scene, misjudged: float) -> float | None:
    """The gain in dB; None where the relief declines."""
    clip, distance = Clip(*scene.frames), scene.distance * misjudged
    found = ReliefDepth(
        lambda: contextlib.nullcontext(clip),
        len(scene.frames),
        width=WIDTH,
        height=HEIGHT,
        lens=scene.lens,
        distance=distance,
    )
    plane = _take(scene, None, distance)
    relief = _take(scene, found.frame(scene.index), distance)
    true = f"{_take(scene, scene.depth, distance):.1f}" if scene.depth is not None else ""
    told = "" if found.plausible else "declined"
    print(f"| {scene.name} | {plane:.1f} | {relief:.1f} | {true} | {relief - plane:+.2f} | {told} |", flush=True)
    return relief - plane if found.plausible else None


def _take(scene: Scene, depth: Any, distance: float) -> float:
    found = []
    for target, truth in scene.truths.values():
        depths = None if depth is None else [np.ascontiguousarray(depth, np.float32)]
        shot = make_shot(
            [scene.frames[scene.index]], depths, [scene.pose], [target], lens=scene.lens, distance=distance
        )
        found.append(psnr(next(iter(Reproject(shot.settings).frames(shot, lambda *_: None))).image, truth))
    return float(np.mean(found))


def _traced(first: int, count: int) -> Any:
    for kind in relief_scenes.KINDS:
        for seed in range(first, first + count):
            made = relief_scenes.scene(kind, seed)
            frames, depths, lens = relief_scenes.filmed(made, WIDTH, HEIGHT, FRAMES)
            index, pose = FRAMES // 2, pose_at(tilt=made.tilt)
            distance = relief_scenes.subject(depths[index])
            truths = {
                name: (target, made.shoot(target, lens, WIDTH, HEIGHT, index / (FRAMES - 1))[0])
                for name, target in relief_scenes.moves(pose, distance).items()
            }
            yield Scene(f"{kind} {seed}", frames, depths[index], lens, pose, distance, index, truths)


def _sample() -> Any:
    from benchmarks import quality

    for seed in quality.SEEDS:
        cameras = [quality.FOLDER / f"seed{seed}_{each}" / "camera.json" for each in ("source", "target_3")]
        if not all(path.is_file() for path in cameras):
            print(f"| sample {seed} | | | | | run benchmarks/quality.py first |")
            continue
        source, target = (json.loads(path.read_text()) for path in cameras)
        clips = [quality.FOOTAGE / f"seed{seed}_{each}.mp4" for each in ("source", "target_3")]
        frames, truth = _frames(clips[0], 8), _frames(clips[1], 1)[-1]
        scale = WIDTH / source["width"]
        lens = contract.Intrinsics(**{name: value * scale for name, value in source["intrinsics"][-1].items()})
        truths = {"arc 3": (np.array(target["poses"][-1]), truth)}
        pose = np.array(source["poses"][-1])
        last = len(frames) - 1
        yield Scene(f"sample {seed}", frames, None, lens, pose, quality.SUBJECT_DISTANCE, last, truths)


def _frames(clip: Path, every: int) -> list[Any]:
    """Each so many of a clip's frames, small, the last among them."""
    about = probe(clip)
    numbers = tuple(range(0, about.frames, every))
    footage = contract.Footage(kind="movie", files=(str(clip),), frames=numbers, width=about.width, height=about.height)
    with open_footage(footage) as reader:
        pictures = [reader.frame(index) for index in range(len(numbers))]
    return [cv2.resize(each[..., :3], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) for each in pictures]


if __name__ == "__main__":
    sys.exit(main())
