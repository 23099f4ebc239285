"""How much of a take would be invented: against rays, closed forms, and what the engine finds when it draws it all."""

import math
import subprocess
import sys
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import raytraced
from raytraced import arc, lens_for, pose_at, trajectory
from shots import make_shot

from backend import contract
from backend.media.errors import FootageError
from backend.previewing import forecast as forecasting
from backend.previewing.forecast import forecast
from backend.render import Cancelled
from backend.reproject import Reproject

WIDTH, HEIGHT = 832, 480
LENS = lens_for(WIDTH, HEIGHT)
DISTANCE = 4.0
ROOT = raytraced.__file__.rsplit("/tests/", 1)[0]


def make_job(target, source=None, *, depth=None, lens=None, size=(WIDTH, HEIGHT), footage=(WIDTH, HEIGHT)):
    """A job on footage that is not there: nobody is to look at it."""
    count = len(target)
    settings = contract.EngineSettings()
    if depth is not None:
        settings = contract.EngineSettings(depth=contract.Depth(kind="file", files=tuple(map(str, depth))))
    return contract.Job(
        footage=contract.Footage(
            kind="movie", files=("/nowhere/clip.mp4",), frames=tuple(range(count)), width=footage[0], height=footage[1]
        ),
        source=trajectory(source or [pose_at()] * count, lens_for(*footage), *footage),
        target=trajectory(target, lens or lens_for(*size), *size),
        subject_distance=DISTANCE,
        settings=settings,
        output=contract.Output(path="/nowhere/take_v001.mp4", width=size[0], height=size[1], rate=Fraction(24)),
    )


def told(job):
    return forecast(job, lambda _: None, lambda: False)


# Over a plane


def beside(pose, lens=LENS, size=(WIDTH, HEIGHT), distance=DISTANCE):
    """The share of a target's frame whose rays miss the footage's picture, ray by ray; the source is at the origin."""
    width, height = size
    v, u = np.mgrid[0 : height * 2, 0 : width * 2] / 2 + 0.25
    rays = np.stack([(u - lens.cx) / lens.fx, (v - lens.cy) / lens.fy, np.ones_like(u)], -1) @ pose[:3, :3].T
    with np.errstate(divide="ignore", invalid="ignore"):
        along = (distance - pose[2, 3]) / rays[..., 2]
        x, y = (pose[axis, 3] + along * rays[..., axis] for axis in (0, 1))
    half = distance * WIDTH / 2 / LENS.fx, distance * HEIGHT / 2 / LENS.fy
    with np.errstate(invalid="ignore"):
        return 1 - float(((along > 0) & (np.abs(x) < half[0]) & (np.abs(y) < half[1])).mean())


@pytest.mark.parametrize(
    "pose",
    [
        pose_at(turn=12),
        pose_at(turn=-40, tilt=10),
        pose_at((0.7, -0.3, 0)),
        pose_at((0.5, 0.2, -1.5), turn=20, tilt=-8),
        pose_at((0, 0, 2.0)),
        pose_at((2.0, 0, 3.9), turn=-60),
        pose_at(turn=95),
        pose_at(turn=180),
        pose_at((0, 0, 6.0), turn=180),
        arc(35),
    ],
    ids=["pan", "pan and tilt", "truck", "all", "in", "grazing", "almost off", "away", "from behind", "arc"],
)
def test_over_a_plane_shares_are_those_of_rays(pose):
    found = told(make_job([pose_at(), pose]))
    assert found.shares[0] == 0
    assert found.shares[1] == pytest.approx(beside(pose), abs=1e-3)
    assert found.outside == found.shares


def test_over_a_plane_a_wider_lens_and_another_aspect_are_counted():
    """Half the focal length shows four times the area; a frame of twice the width sees footage on its middle half."""
    wide = contract.Intrinsics(fx=LENS.fx / 2, fy=LENS.fy / 2, cx=LENS.cx, cy=LENS.cy)
    assert told(make_job([pose_at()], lens=wide)).shares == (0.75,)
    broad = contract.Intrinsics(fx=LENS.fx, fy=LENS.fy, cx=WIDTH, cy=HEIGHT / 2)
    assert told(make_job([pose_at()], lens=broad, size=(2 * WIDTH, HEIGHT))).shares == (0.5,)


def test_a_plane_needs_neither_footage_nor_kernels():
    """Nothing is compiled, in a process that has compiled nothing yet."""
    program = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/tests/backend"]
import test_forecast
from backend.reproject.compiled import _kernels
found = test_forecast.told(test_forecast.make_job([test_forecast.pose_at(turn=each) for each in range(9)]))
assert found.cause == "turns", found
assert not any(kernel.signatures for kernel in _kernels), [each for each in _kernels if each.signatures]
"""
    subprocess.run([sys.executable, "-c", program, ROOT], check=True)


CAUSED = {
    "none": [pose_at((0, 0, 0.5)), pose_at()],
    "turns": [pose_at(turn=10), pose_at(tilt=-10), pose_at((0.1, 0, 0), turn=15), pose_at((0, 0, 1.0), turn=25)],
    "moves": [pose_at((0.6, 0, 0)), pose_at((0, -0.5, 0)), pose_at((1.5, 0, 0), turn=-4)],
    "backs": [pose_at((0, 0, -1.0)), pose_at((0.1, 0, -2.0)), pose_at((0, 0, -1.0), turn=1)],
}


@pytest.mark.parametrize(("cause", "pose"), [(cause, pose) for cause, poses in CAUSED.items() for pose in poses])
def test_the_cause_is_what_takes_the_frame_off_the_footage(cause, pose):
    assert told(make_job([pose_at(), pose])).cause == cause


def test_a_wider_lens_is_a_cause():
    wide = contract.Intrinsics(fx=LENS.fx / 1.3, fy=LENS.fy / 1.3, cx=LENS.cx, cy=LENS.cy)
    assert told(make_job([pose_at((0.05, 0, 0))], lens=wide)).cause == "widens"


def test_a_dolly_zoom_is_none():
    """The lens grows longer as the camera goes back: the plane stays as large as it was."""
    long = contract.Intrinsics(fx=LENS.fx * 1.5, fy=LENS.fy * 1.5, cx=LENS.cx, cy=LENS.cy)
    assert told(make_job([pose_at((0, 0, -DISTANCE / 2))], lens=long)).cause == "none"


def test_the_cause_is_of_the_worst_frame():
    assert told(make_job([pose_at(turn=5), pose_at((0, 0, -2.0)), pose_at(turn=2)])).cause == "backs"


# By depth


def write(folder, maps):
    paths = []
    for index, depth in enumerate(maps):
        paths.append(folder / f"depth{index:04}.npy")
        np.save(paths[-1], depth)
    return paths


def card(near=2.0, far=6.0, left=300, right=500, top=120, bottom=400):
    depth = np.full((HEIGHT, WIDTH), far, np.float32)
    depth[top:bottom, left:right] = near
    return depth


@pytest.mark.parametrize("move", [0.2, 0.3, -0.4])
def test_what_a_card_hid_is_as_wide_as_its_parallax(folder, move):
    """A card 2 m away before a wall at 6 m: to its side opens f t (1/2 - 1/6) pixels, and f t / 6 at the frame's."""
    job = make_job([pose_at((move, 0, 0))], depth=write(folder, [card()]))
    found = told(job)
    hidden = LENS.fx * abs(move) * (1 / 2 - 1 / 6) * (400 - 120) / (WIDTH * HEIGHT)
    outside = LENS.fx * abs(move) / 6 / WIDTH
    assert found.outside[0] == pytest.approx(outside, abs=0.003)
    assert found.shares[0] == pytest.approx(outside + hidden, abs=0.005)
    assert found.cause == ("uncovers" if hidden > outside else "moves")


def test_going_in_uncovers_nothing_beside():
    assert told(make_job([pose_at((0, 0, 1.0))])).cause == "none"


def test_what_comes_into_view_is_told_from_what_lies_beside(folder):
    """Turned back so far that the frame's side is filled, only what was behind the card is left."""
    move = 0.5
    pose = pose_at((move, 0, 0), turn=-math.degrees(math.atan(move / 6)))
    found = told(make_job([pose], depth=write(folder, [card()])))
    assert found.cause == "uncovers"
    assert found.outside[0] == pytest.approx(beside(pose, distance=6.0), abs=0.003)
    hidden = LENS.fx * move * (1 / 2 - 1 / 6) * 280 / (WIDTH * HEIGHT)
    assert found.shares[0] - found.outside[0] == pytest.approx(hidden, abs=0.006)


def test_sky_is_behind_everything(folder):
    depth = card(far=np.inf)
    found = told(make_job([pose_at((0.25, 0, 0))], depth=write(folder, [depth])))
    assert found.outside[0] == pytest.approx(0, abs=1e-3)
    assert found.shares[0] == pytest.approx(LENS.fx * 0.25 / 2 * 280 / (WIDTH * HEIGHT), abs=0.006)


def test_where_only_the_direction_changes_no_depth_is_read():
    found = told(make_job([pose_at(), pose_at(turn=10)], depth=["/nowhere/1.npy", "/nowhere/2.npy"]))
    assert found.shares[1] == pytest.approx(beside(pose_at(turn=10)), abs=1e-3)


@pytest.fixture(scope="module")
def shots():
    """A room in which things move, filmed by a camera that stands and by one that goes, with their poses."""
    room, times = raytraced.Room(), np.linspace(0, 1, 9)
    standing = [pose_at()] * len(times)
    going = [pose_at((0.6 * time, 0, 0), turn=4 * time) for time in times]
    filmed = {
        name: [room.shoot(pose, LENS, WIDTH, HEIGHT, time, looks=1) for pose, time in zip(poses, times, strict=True)]
        for name, poses in (("standing", standing), ("going", going))
    }
    return SimpleNamespace(times=times, poses={"standing": standing, "going": going}, filmed=filmed)


MOVES = {
    "arc": lambda time: arc(10 * time),
    "truck": lambda time: pose_at((0.8 * time, 0, 0)),
    "back": lambda time: pose_at((0, 0, -time)),
    "in": lambda time: pose_at((0, 0, time)),
    "stand": lambda time: pose_at(),
}


@pytest.mark.parametrize(
    ("source", "move"),
    [*(("standing", move) for move in MOVES if move != "stand"), ("going", "arc"), ("going", "stand")],
)
def test_by_depth_it_is_what_the_engine_finds(folder, shots, source, move):
    """The engine draws every pixel with its colours; what it calls invented is held against the forecast.

    Where the camera goes, other frames lend what is hidden, and much depends on what is taken to stand still.
    """
    images, depths = zip(*shots.filmed[source], strict=True)
    poses, target = shots.poses[source], [MOVES[move](time) for time in shots.times]
    shot = make_shot(images, depths, poses, target, lens=LENS)
    drawn = [frame.invented.mean() / 255 for frame in Reproject(shot.settings).frames(shot, lambda *_, **__: None)]
    found = told(make_job(target, poses, depth=write(folder, depths)))
    assert np.abs(np.subtract(found.shares, drawn)).mean() < 0.01
    assert found.shares[-1] == pytest.approx(drawn[-1], abs=0.03)
    # The engine's truth at the worst frame is not small, so that it could be missed.
    assert max(drawn) > 0.01
    assert all(outside <= share for outside, share in zip(found.outside, found.shares, strict=True))


def test_other_frames_count_as_the_engine_counts_them(folder, shots):
    """The camera went on; seen from where it began, what it no longer films is known from before."""
    depths = [depth for _, depth in shots.filmed["going"]]
    target = [pose_at()] * len(depths)
    whole = told(make_job(target, shots.poses["going"], depth=write(folder, depths)))
    alone = told(make_job(target[-1:], shots.poses["going"][-1:], depth=write(folder, depths[-1:])))
    assert whole.shares[-1] < 0.5 * alone.shares[0]


@pytest.mark.parametrize(
    ("size", "footage"), [((64, 48), (64, 48)), ((1920, 1080), (WIDTH, HEIGHT)), ((40, 900), (90, 70))]
)
def test_sizes_of_any_kind(folder, size, footage):
    depth = np.full((footage[1], footage[0]), 4.0, np.float32)
    job = make_job([pose_at((0.3, 0, 0))], depth=write(folder, [depth]), size=size, footage=footage)
    flat = make_job([pose_at((0.3, 0, 0))], size=size, footage=footage)
    assert told(job).shares[0] == pytest.approx(told(flat).shares[0], abs=0.01)


def test_of_long_takes_not_every_frame_is_drawn(folder, monkeypatch):
    monkeypatch.setattr(forecasting, "MOST_FRAMES", 11)
    (path,) = write(folder, [card()])
    target = [pose_at((0.004 * index, 0, 0)) for index in range(101)]
    reports = []
    found = forecast(make_job(target, depth=[path] * 101), reports.append, lambda: False)
    assert len(found.shares) == 101
    assert reports[-1].total == 11
    every = told(make_job(target[55:56], depth=[path]))
    assert found.shares[55] == pytest.approx(every.shares[0], abs=0.005)


def test_depth_that_is_not_there_is_told(folder):
    with pytest.raises(FootageError, match="was it moved or renamed"):
        told(make_job([pose_at((1, 0, 0))], depth=[folder / "gone.npy"]))


@pytest.mark.parametrize("depth", [False, True])
def test_a_cancel_is_heard_at_every_frame(folder, depth):
    target = [pose_at((0.01 * index, 0, 0)) for index in range(12)]
    job = make_job(target, depth=write(folder, [card()] * 12) if depth else None)
    asked = []

    def cancelled(after):
        asked.append(after)
        return len(asked) > after

    told(job)
    forecast(job, lambda _: None, lambda: cancelled(10**9))
    assert len(asked) >= 12
    for after in (0, 5, 11):
        asked.clear()
        with pytest.raises(Cancelled):
            forecast(job, lambda _: None, lambda after=after: cancelled(after))
