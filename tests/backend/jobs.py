"""Jobs for tests: a numbered clip and a camera that stands still."""

from fractions import Fraction
from pathlib import Path

from clips import make_clip

from backend import contract

STILL = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def still(count: int, width: int = 64, height: int = 48) -> contract.Trajectory:
    lens = contract.Intrinsics(fx=60.0, fy=60.0, cx=width / 2, cy=height / 2)
    return contract.Trajectory(width=width, height=height, poses=(STILL,) * count, intrinsics=(lens,) * count)


def make_job(folder: Path, count: int = 8, *, clip: Path | None = None, repeat: int = 1, **output) -> contract.Job:
    """A job on a clip of ``count`` frames of 64x48, shown ``repeat`` times over."""
    clip = clip or make_clip(folder / "clip.mp4", count)
    frames = tuple(range(count)) * repeat
    values = {"path": str(folder / "take_v001.mp4"), "width": 64, "height": 48, "rate": Fraction(24)} | output
    return contract.Job(
        footage=contract.Footage(kind="movie", files=(str(clip),), frames=frames, width=64, height=48),
        target=still(len(frames)),
        output=contract.Output(**values),
    )
