"""A camera that does not move gives the sample's footage back, through files and codec, whichever way it is drawn."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import psnr

from backend import contract, engines, media, render
from backend.reproject import Reproject

CLIP = Path(__file__).resolve().parents[2] / "samples" / "footage" / "seed0_source.mp4"
FRAMES = (0, 40, 80)
WIDTH, HEIGHT = 832, 480


def pose(x):
    return ((1.0, 0.0, 0.0, x), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def camera(move=0.0):
    lens = contract.Intrinsics(fx=1000.0, fy=1000.0, cx=WIDTH / 2, cy=HEIGHT / 2)
    poses = (pose(0.0), *(pose(move) for _ in FRAMES[1:]))
    return contract.Trajectory(width=WIDTH, height=HEIGHT, poses=poses, intrinsics=(lens,) * len(FRAMES))


@pytest.mark.parametrize(
    ("depth", "force", "move"), [("plane", False, 0.0), ("file", True, 0.0), ("file", False, 1e-4)]
)
def test_a_camera_that_does_not_move_gives_the_footage_back_through_the_codec(
    tmp_path, monkeypatch, depth, force, move
):
    files = ()
    if depth == "file":
        # A floor that comes near, and a block that stands on it: slopes and steps.
        distance = np.repeat(np.linspace(8, 2, HEIGHT, dtype=np.float32)[:, None], WIDTH, axis=1)
        distance[150:330, 300:520] = 2.5
        np.save(tmp_path / "depth.npy", distance)
        files = (str(tmp_path / "depth.npy"),) * len(FRAMES)
    footage = contract.Footage(kind="movie", files=(str(CLIP),), frames=FRAMES, width=WIDTH, height=HEIGHT)
    job = contract.Job(
        footage=footage,
        source=camera(),
        target=camera(move),
        settings=contract.EngineSettings(depth=contract.Depth(kind=depth, files=files)),
        output=contract.Output(path=str(tmp_path / "take.mp4"), width=WIDTH, height=HEIGHT, rate=Fraction(24)),
    )
    monkeypatch.setattr(engines, "create", lambda settings: Reproject(settings, force_warp=force))
    result = render.render(job, lambda progress: None, lambda: False)

    made = contract.Footage(kind="movie", files=(result.path,), frames=(0, 1, 2), width=WIDTH, height=HEIGHT)
    with media.open_footage(footage) as before, media.open_footage(made) as after:
        for index in range(len(FRAMES)):
            assert psnr(before.frame(index), after.frame(index)) >= 40
    assert result.invented_most < 0.001
