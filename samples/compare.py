"""How close a take comes to the true frames, next to what it costs nothing to do, and a picture of them side by side.

    python -m samples.compare REQUEST.json

runs in the backend's environment (the demo is Blender's). The request names the clips ("footage", "take", "mask",
"truth": a movie or a folder of pictures), cameras and depth of both views ("source", "target": folders that
samples.shoot wrote), "subject_distance", optionally "every" (of each clip: it holds only each so many of the frames),
"picture" and "moments" (frames from 0 to show in it). Compared are the frames that the target has depth of. The answer
is JSON on stdout.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import OpenEXR

TEXTURED = 2.5
"""A pixel is textured where the luma of the 9x9 pixels around it has at least this standard deviation (of 255)."""
TOLERANCE = 0.01
"""Two depths are one surface where they differ by less than this part."""


class Tally:
    """Squared errors gathered over the frames of a clip; PSNR is over the clip as a whole."""

    def __init__(self) -> None:
        self.squares, self.count = 0.0, 0

    def add(self, found: np.ndarray, truth: np.ndarray, where: np.ndarray | None = None) -> None:
        error = found.astype(np.float32) - truth.astype(np.float32)
        error = error if where is None else error[where]
        self.squares += float(np.square(error, dtype=np.float64).sum())
        self.count += error.size

    @property
    def psnr(self) -> float:
        """Decibels, 255 being white."""
        return float(10 * np.log10(255**2 * self.count / max(self.squares, 1e-9)))


class View:
    """A camera that samples.shoot wrote down, and the depth it saw at ``numbers``, frames counted from 0."""

    def __init__(self, folder: Path) -> None:
        data = json.loads((folder / "camera.json").read_text())
        self.poses = np.array(data["poses"], np.float64)
        lens = data["intrinsics"][0]
        self.lens = np.array([[lens["fx"], 0, lens["cx"]], [0, lens["fy"], lens["cy"]], [0, 0, 1]], np.float64)
        self.size = (data["width"], data["height"])
        self.folder = folder
        self.numbers = sorted(int(path.stem) - 1 for path in folder.glob("[0-9]*.exr"))

    def depth(self, number: int) -> np.ndarray:
        with OpenEXR.File(str(self.folder / f"{number + 1:04d}.exr"), separate_channels=True) as file:
            return np.array(file.channels()["R"].pixels, np.float32)


def frames(path: Path) -> Iterator[np.ndarray]:
    """RGB (h, w, 3) uint8, of a movie or a folder of pictures; grey masks come out with three equal channels."""
    if path.is_dir():
        for file in sorted(path.glob("*.png")):
            yield cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        return
    with av.open(str(path)) as movie:
        for frame in movie.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def visible(source: View, target: View, number: int) -> np.ndarray:
    """Which of the target's pixels the source saw in the same instant, (h, w) bool, from the true depth of both."""
    width, height = target.size
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    depth = target.depth(number).astype(np.float64)
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(target.lens).T
    across = np.linalg.inv(source.poses[number]) @ target.poses[number]
    points = (rays * depth[..., None]) @ across[:3, :3].T + across[:3, 3]
    z = points[..., 2]
    seen = points @ source.lens.T / np.where(z > 1e-6, z, np.inf)[..., None]
    inside = (z > 0) & (seen[..., 0] > 0) & (seen[..., 0] < width) & (seen[..., 1] > 0) & (seen[..., 1] < height)
    column, row = (np.floor(seen[..., i] - 0.5).astype(int) for i in range(2))
    agree = np.zeros(depth.shape, bool)
    there = source.depth(number)
    for i in (0, 1):
        for j in (0, 1):
            near = there[np.clip(row + j, 0, height - 1), np.clip(column + i, 0, width - 1)]
            agree |= np.abs(near - z) < TOLERANCE * z
    return inside & agree


def flat_plane(footage: np.ndarray, source: View, target: View, number: int, distance: float) -> np.ndarray:
    """The footage as a picture on a plane across the source's view at that distance, seen by the target."""
    across = np.linalg.inv(target.poses[number]) @ source.poses[number]
    plane = across[:3, :3] + np.outer(across[:3, 3], (0, 0, 1)) / distance
    # OpenCV counts pixels from their centres.
    half = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    homography = half @ target.lens @ plane @ np.linalg.inv(source.lens) @ np.linalg.inv(half)
    return cv2.warpPerspective(footage, homography, target.size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def textured(image: np.ndarray) -> float:
    """Share of the pixels that have texture around them."""
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    variance = cv2.blur(luma * luma, (9, 9)) - cv2.blur(luma, (9, 9)) ** 2
    return float((variance > TEXTURED**2).mean())


def measure(request: dict[str, Any]) -> dict[str, float]:
    """PSNR in dB of the take and of the baselines over the frames compared, shares in parts of one."""
    source, target = View(Path(request["source"])), View(Path(request["target"]))
    tallies = {name: Tally() for name in ("whole", "visible", "hidden", "copy", "plane")}
    shares: dict[str, list[float]] = {"disoccluded": [], "textured": [], "invented": []}
    clips = [_clip(request, name, target.numbers) for name in ("truth", "footage", "take", "mask")]
    for number, (truth, footage, take, mask) in zip(target.numbers, zip(*clips, strict=False), strict=True):
        seen = visible(source, target, number)
        tallies["copy"].add(footage, truth)
        tallies["plane"].add(flat_plane(footage, source, target, number, request["subject_distance"]), truth)
        shares["disoccluded"].append(float(1 - seen.mean()))
        shares["textured"].append(textured(truth))
        if take is not None:
            tallies["whole"].add(take, truth)
            tallies["visible"].add(take, truth, seen)
            tallies["hidden"].add(take, truth, ~seen)
        if mask is not None:
            shares["invented"].append(float((mask[..., 0] > 127).mean()))
    found = {name: tally.psnr for name, tally in tallies.items() if tally.count}
    return found | {name: float(np.mean(each)) for name, each in shares.items() if each}


def side_by_side(request: dict[str, Any]) -> np.ndarray:
    """A row for each moment, a labelled column for each clip; RGB (h, w, 3) uint8."""
    names = ("footage", "take", "truth", "mask")
    labels = ("footage", "take (ReCam)", "truth", "invented")
    moments: Sequence[int] = request["moments"]
    columns = []
    for name, label in zip(names, labels, strict=True):
        chosen = [each for each in _clip(request, name, moments) if each is not None]
        column = [cv2.resize(each, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA) for each in chosen]
        columns.append(np.vstack([_label(label, column[0].shape[1]), *column]))
    return np.hstack(columns)


def _clip(request: dict[str, Any], name: str, numbers: Sequence[int]) -> Iterator[np.ndarray | None]:
    """These frames of a clip; None for each where the request does not name it."""
    if name not in request:
        yield from (None for _ in numbers)
        return
    every = request.get("every", {}).get(name, 1)
    for index, frame in enumerate(frames(Path(request[name]))):
        if index * every in numbers:
            yield frame


def _label(text: str, width: int) -> np.ndarray:
    bar = np.full((34, width, 3), 24, np.uint8)
    return cv2.putText(bar, text, (10, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (235, 235, 235), 1, cv2.LINE_AA)


def main(arguments: list[str]) -> None:
    request = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    if "picture" in request:
        cv2.imwrite(request["picture"], cv2.cvtColor(side_by_side(request), cv2.COLOR_RGB2BGR))
    print(json.dumps(measure(request)))


if __name__ == "__main__":
    main(sys.argv[1:])
