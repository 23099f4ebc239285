"""A clip of the traced room, filmed by hand, and how its camera truly went. In the backend's Python.

python traced.py FOLDER FRAMES WIDTH HEIGHT      writes FOLDER/handheld.mkv and FOLDER/truth.npz
"""

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "backend")]

import handheld  # noqa: E402
import raytraced  # noqa: E402

RATE = 24


def film(folder: Path, frames: int, width: int, height: int) -> None:
    """A camera that goes past things and looks back at them, in a hand that shakes a little."""
    shares = np.linspace(0, 1, frames)
    meant = [raytraced.pose_at((share - 0.5, 0, 0.1 * share), turn=-7 * (share - 0.5)) for share in shares]
    poses = handheld.by_hand(np.array(meant), RATE, degrees=0.15, metres=0.004, seed=1)
    room, lens = raytraced.Room(seed=3, moving=False), raytraced.lens_for(width, height)
    shot = [room.shoot(pose, lens, width, height, looks=2) for pose in poses]
    handheld.write_clip(folder / "handheld.mkv", [picture for picture, _ in shot], RATE)
    np.savez(folder / "truth.npz", poses=poses, focal=lens.fx)


if __name__ == "__main__":
    film(Path(sys.argv[1]), *map(int, sys.argv[2:]))
