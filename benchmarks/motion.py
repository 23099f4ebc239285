"""How true depth from motion is, and how much better than a plane takes are with it.

    .venvs/backend/bin/python -m benchmarks.motion [--scenes room courtyard] [--frames 49] [--width 832] [--height 480]

Source cameras go around their subject, target cameras stand some degrees further on; the footage is H.264. "room" is
traced (tests/backend/raytraced.py), at rest and with things that move; "courtyard" is the sample's scene, rendered by
Blender into build/motion when it is first wanted (minutes), with its two movers. Poses are given; or "off", by what a
solver is off by (0.02 degrees, and 0.1 % of the way); or "solved" from the footage. Columns: the median relative error
of depth where nothing moves, the share that is trusted, seconds of one core per frame; and PSNR, dB, whole / where the
source sees what the target does, of takes with a plane, with depth from motion, and with true depth. Ends with 1 where
a goal is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "backend")]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import raytraced  # noqa: E402

from backend import contract, media  # noqa: E402
from backend.engines import Shot  # noqa: E402
from backend.geometry import solve  # noqa: E402
from backend.geometry.motion import MotionDepth  # noqa: E402
from backend.media.writer import open_take  # noqa: E402
from backend.reproject import Reproject  # noqa: E402

EVERY = 8  # frames that takes are compared at
DISTANCE = {"room": 4.0, "courtyard": 4.65}
MOST_ERROR = {"given": 0.01, "off": 0.02, "solved": 0.02}
LEAST_GAIN = 3.0
ARC = 12.0


class Clip:
    """A frame source, or a depth source, in memory."""

    def __init__(self, frames: Any) -> None:
        self.frames = frames
        self.height, self.width = frames[0].shape[:2]

    def frame(self, index: int) -> Any:
        return self.frames[index]


class Scene:
    """A clip, its cameras, and what is true of it at each ``EVERY`` frames.

    Attributes:
        name: of the scene.
        pictures: all frames, RGB.
        depth: of the source's frames ``places``.
        rest: for each of these, what stands still, or None.
        truth, truth_depth: of the target's frames ``places``.
        source, target: poses, all frames.
        lens: of both.
    """

    def __init__(self, name: str, **parts: Any) -> None:
        self.name = name
        self.pictures, self.depth, self.rest = parts["pictures"], parts["depth"], parts["rest"]
        self.truth, self.truth_depth = parts["truth"], parts["truth_depth"]
        self.source, self.target, self.lens = parts["source"], parts["target"], parts["lens"]
        self.places = range(0, len(self.pictures), EVERY)
        self.height, self.width = self.pictures[0].shape[:2]


def main() -> int:
    options = parse()
    print(f"{options.width}x{options.height}, {options.frames} frames, {datetime.date.today()}\n")
    print("scene                          poses   error  trusted  s/frame   plane          motion         true depth")
    missed = []
    for scene in scenes(options):
        with tempfile.TemporaryDirectory() as folder:
            footage = encode(scene, Path(folder))
            for poses in options.poses:
                missed += measure(scene, footage, poses, options.pictures)
    print("\n".join(missed) or "All goals are reached.")
    return 1 if missed else 0


def measure(scene: Scene, footage: contract.Footage, poses: str, pictures: str | None) -> list[str]:
    """Print a line; say which goals are missed."""
    given = {"given": lambda: scene.source, "off": lambda: perturbed(scene.source)}.get(
        poses, lambda: solved(scene, footage)
    )()
    depths, trusts, seconds = estimate(scene, footage, given)
    errors, rows = [], []
    chosen = [depths[place] for place in scene.places]
    with media.open_footage(footage) as reader:
        shown = [reader.frame(place) for place in scene.places]
    takes = [take(scene, shown, depth, given) for depth in (None, chosen, scene.depth)]
    for n, place in enumerate(scene.places):
        error = np.abs(chosen[n] - scene.depth[n]) / scene.depth[n]
        errors.append(error if scene.rest[n] is None else error[scene.rest[n]])
        seen = raytraced.seen_before(
            scene.target[place], scene.source[place], scene.lens, scene.truth_depth[n], scene.depth[n]
        )
        rows.append([raytraced.psnr(made[n], scene.truth[n], where) for made in takes for where in (None, seen)])
    error = float(np.median(np.concatenate([each.ravel() for each in errors])))
    plane, plane_seen, motion, motion_seen, true, true_seen = np.mean(rows, axis=0)
    print(
        f"{scene.name:30s} {poses:6s} {100 * error:5.2f} %   {100 * np.mean(trusts):3.0f} %    {seconds:.2f}   "
        f"{plane:5.2f} / {plane_seen:5.2f}  {motion:5.2f} / {motion_seen:5.2f}  {true:5.2f} / {true_seen:5.2f}",
        flush=True,
    )
    if pictures:
        show(scene, Path(pictures) / f"{scene.name.replace(' ', '_').replace(',', '')}_{poses}.png", chosen, takes)
    missed = []
    if error > MOST_ERROR[poses]:
        missed.append(f"{scene.name}: median error {100 * error:.2f} % > {100 * MOST_ERROR[poses]:g} %")
    if motion - plane < LEAST_GAIN:
        missed.append(f"{scene.name}: {motion - plane:.2f} dB better than the plane, less than {LEAST_GAIN:g}")
    return missed


def estimate(scene: Scene, footage: contract.Footage, poses: list[Any]) -> tuple[list[Any], list[float], float]:
    """Depth of all frames, the share that is trusted, and seconds of one core per frame."""
    length = len(scene.pictures)
    values: dict[str, Any] = {"width": scene.width, "height": scene.height, "rate": 24.0, "distance": 4.0}
    source = raytraced.trajectory(poses, scene.lens, scene.width, scene.height)

    def made() -> MotionDepth:
        return MotionDepth(lambda: contextlib.closing(media.open_footage(footage)), source, length, **values)

    with contextlib.closing(made()) as first:
        first.frame(0)  # compiled before the clock starts
    with contextlib.closing(made()) as motion:
        start = time.process_time()
        depths = [motion.frame(index) for index in range(length)]
        seconds = (time.process_time() - start) / length
    with contextlib.closing(made()) as motion:
        trusts = [motion.trusted]
    return depths, trusts, seconds


def take(scene: Scene, shown: list[Any], depth: Any, poses: list[Any]) -> list[Any]:
    """The take's frames at the places that are compared; the target goes with the source that is believed in."""
    source = [poses[place] for place in scene.places]
    target = [
        poses[place] @ np.linalg.inv(scene.source[place]) @ np.asarray(scene.target[place]) for place in scene.places
    ]
    kind = contract.Depth() if depth is None else contract.Depth(kind="file", files=("in memory",))
    settings = contract.EngineSettings(depth=kind)
    shot = Shot(
        footage=Clip(shown),
        depth=None if depth is None else Clip(depth),
        source=raytraced.trajectory(source, scene.lens, scene.width, scene.height),
        target=raytraced.trajectory(target, scene.lens, scene.width, scene.height),
        subject_distance=DISTANCE[scene.name.split()[0]],
        settings=settings,
        width=scene.width,
        height=scene.height,
    )
    return [frame.image for frame in Reproject(settings).frames(shot, lambda *_, **__: None)]


def perturbed(poses: list[Any], turn: float = 0.02, share: float = 0.001) -> list[Any]:
    """Poses as a solver would give them: turned by degrees, and off by a share of the way."""
    random = np.random.default_rng(1)
    places = np.array([np.asarray(pose)[:3, 3] for pose in poses])
    way = float(np.linalg.norm(np.diff(places, axis=0), axis=1).sum())
    found = []
    for pose in poses:
        pose = np.array(pose, np.float64)
        turned, _ = cv2.Rodrigues(np.radians(turn) * random.normal(size=3) / np.sqrt(3))
        pose[:3, :3] = pose[:3, :3] @ turned
        pose[:3, 3] += way * share * random.normal(size=3) / np.sqrt(3)
        found.append(pose)
    return found


def solved(scene: Scene, footage: contract.Footage) -> list[Any]:
    """Poses as solved from the footage, made as large as the truth by the way from end to end."""
    size = {"width": scene.width, "height": scene.height}
    found = solve.solve(
        lambda: contextlib.closing(media.open_footage(footage)),
        len(scene.pictures),
        lens=scene.lens,
        rate=24.0,
        report=lambda *_: None,
        check=lambda: None,
        **size,
    )
    poses = [np.array(pose) for pose in found.trajectory.poses]
    true, way = (np.linalg.norm(each[-1][:3, 3] - each[0][:3, 3]) for each in (scene.source, poses))
    for pose in poses:
        pose[:3, 3] *= true / way
    return [np.asarray(scene.source[0]) @ np.linalg.inv(poses[0]) @ pose for pose in poses]


def encode(scene: Scene, folder: Path) -> contract.Footage:
    """The clip as H.264."""
    path = str(folder / "clip.mp4")
    size = {"width": scene.width, "height": scene.height}
    with open_take(contract.Output(path=path, rate=Fraction(24), **size)) as writer:
        for picture in scene.pictures:
            writer.write(picture)
    return contract.Footage(kind="movie", files=(path,), frames=tuple(range(len(scene.pictures))), **size)


# Scenes


def scenes(options: argparse.Namespace) -> Any:
    """The scenes to measure, one after another."""
    if "room" in options.scenes:
        for seed, moving, further in ((3, False, 4.0), (5, False, 6.0), (4, True, 4.0), (6, True, 4.0)):
            yield room(seed, moving, further, options)
    if "courtyard" in options.scenes:
        for seed in (0, 1):
            yield courtyard(seed, options)


def room(seed: int, moving: bool, further: float, options: argparse.Namespace) -> Scene:
    """A traced room; the camera goes around it."""
    width, height, count = options.width, options.height, options.frames
    made, lens = raytraced.Room(seed=seed, moving=moving), raytraced.lens_for(width, height)
    times = np.linspace(0, 1, count)
    source = [raytraced.arc(ARC * (time - 0.5)) for time in times]
    target = [raytraced.arc(ARC * (time - 0.5) + further) for time in times]
    shots = [made.shoot(pose, lens, width, height, time) for pose, time in zip(source, times, strict=True)]
    places = range(0, count, EVERY)
    truth = [made.shoot(target[place], lens, width, height, times[place]) for place in places]
    rest: list[Any] = [None] * len(places)
    if moving:
        # A clip in which nothing is drawn where things move would be another: compare instants that are far apart.
        rest = [_rest(made, source[place], lens, shots[place][1], times[place]) for place in places]
    return Scene(
        f"room {seed}, {'movers' if moving else 'at rest'}, {further:g} degrees",
        pictures=[picture for picture, _ in shots],
        depth=[shots[place][1] for place in places],
        rest=rest,
        truth=[picture for picture, _ in truth],
        truth_depth=[depth for _, depth in truth],
        source=source,
        target=target,
        lens=lens,
    )


def _rest(made: raytraced.Room, pose: Any, lens: Any, depth: Any, now: float) -> Any:
    rest = np.ones(depth.shape, bool)
    for other in (0.0, 0.25, 0.5, 0.75, 1.0):
        if abs(other - now) > 0.02:
            rest &= made.shoot(pose, lens, depth.shape[1], depth.shape[0], other, looks=1)[1] == depth
    return rest


def courtyard(seed: int, options: argparse.Namespace) -> Scene:
    """The sample's scene, rendered by Blender."""
    folder = ROOT / "build" / "motion" / f"seed{seed}"
    command = [options.blender, "-m", "benchmarks.motion_shoot", str(folder), "--seed", str(seed)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    cameras = {name: json.loads((folder / name / "camera.json").read_text()) for name in ("source", "target")}
    pictures = [_picture(path) for path in sorted((folder / "source").glob("*.png"))]
    places = range(0, len(pictures), EVERY)
    return Scene(
        f"courtyard {seed}, movers, 4 degrees",
        pictures=pictures,
        depth=[_depth(folder / "source" / f"{place + 1:04d}.exr") for place in places],
        rest=[None] * len(places),
        truth=[_picture(folder / "target" / f"{place + 1:04d}.png") for place in places],
        truth_depth=[_depth(folder / "target" / f"{place + 1:04d}.exr") for place in places],
        source=[np.array(pose) for pose in cameras["source"]["poses"]][: len(pictures)],
        target=[np.array(pose) for pose in cameras["target"]["poses"]][: len(pictures)],
        lens=contract.Intrinsics(**cameras["source"]["intrinsics"][0]),
    )


def _picture(path: Path) -> Any:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def _depth(path: Path) -> Any:
    import OpenEXR

    with OpenEXR.File(str(path), separate_channels=True) as file:
        return np.array(file.channels()["R"].pixels, np.float32)


def show(scene: Scene, path: Path, depths: list[Any], takes: list[list[Any]]) -> None:
    """Footage, depth, true depth; the plane's take, the take, the truth."""
    n = len(scene.places) // 2
    low, high = np.percentile(1 / scene.depth[n], (1, 99.5))

    def coloured(depth: Any) -> Any:
        shade = np.clip((1 / depth - low) / (high - low), 0, 1)
        return cv2.applyColorMap((255 * shade).astype(np.uint8), cv2.COLORMAP_TURBO)

    def bgr(picture: Any) -> Any:
        return cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)

    top = [bgr(scene.pictures[scene.places[n]]), coloured(depths[n]), coloured(scene.depth[n])]
    bottom = [bgr(takes[0][n]), bgr(takes[1][n]), bgr(scene.truth[n])]
    cv2.imwrite(str(path), np.vstack([np.hstack(top), np.hstack(bottom)]))


def parse() -> argparse.Namespace:
    newest = sorted((ROOT / ".venvs").glob("blender-*/bin/python"))
    parser = argparse.ArgumentParser(prog="benchmarks.motion", description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", nargs="+", default=["room", "courtyard"], choices=("room", "courtyard"))
    parser.add_argument("--poses", nargs="+", default=["given", "off", "solved"], choices=("given", "off", "solved"))
    parser.add_argument("--frames", type=int, default=49)
    parser.add_argument("--width", type=int, default=832)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--pictures", help="a folder for pictures of depth and takes")
    parser.add_argument("--blender", default=str(newest[-1]) if newest else sys.executable, help="a Python with bpy")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cv2.setNumThreads(1)
    sys.exit(main())
