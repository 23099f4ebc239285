"""Takes of the paper's uses, whole: by the engine that warps, and by the one that generates, from the same job."""

import dataclasses
import itertools
import os
from fractions import Fraction

import checkpoints
import cv2
import handheld
import numpy as np
import pytest
import raytraced

from backend import contract, render, settling
from backend.cameras import arrays, uses
from backend.cameras.applied import target_of
from backend.cameras.uses import outpaint
from backend.contract import Region, Use
from backend.media.reader import open_footage

WIDTH, HEIGHT = 320, 180
LENS = raytraced.lens_for(WIDTH, HEIGHT)
RATE = 24
SMALL = 240, 136  # where a camera is solved and depth is found by motion, which takes the longest
SMALL_LENS = raytraced.lens_for(*SMALL)


def trace(room, poses, times=None, *, lens=LENS, size=(WIDTH, HEIGHT)):
    """Pictures and depth, as soft as a lens and a sensor make them."""
    times = [0.0] * len(poses) if times is None else times
    shots = [room.shoot(pose, lens, *size, time, looks=2) for pose, time in zip(poses, times, strict=True)]
    return [cv2.GaussianBlur(picture, (0, 0), 0.7) for picture, _ in shots], [depth for _, depth in shots]


def job_of(path, footage, use, *, target=None, size=(WIDTH, HEIGHT), kind="ffv1", lens=LENS, **values):
    seen = footage.width, footage.height
    target = target or raytraced.trajectory([np.eye(4)] * len(footage.frames), raytraced.lens_for(*seen), *seen)
    output = contract.Output(path=str(path), width=size[0], height=size[1], rate=Fraction(RATE), format=kind)
    return contract.Job(footage=footage, target=target, output=output, use=use, lens=lens, **values)


def take_of(job):
    """What was told, and the take's frames."""
    result = render.render(job, lambda progress: None, lambda: False)
    return result, frames_of(job, result)


def frames_of(job, result):
    kind, files = "movie", (result.path,)
    if job.output.format == "png":
        kind, files = "images", tuple(os.path.join(result.path, name) for name in sorted(os.listdir(result.path)))
    made = contract.Footage(
        kind=kind, files=files, frames=tuple(range(len(job))), width=job.output.width, height=job.output.height
    )
    with open_footage(made) as reader:
        return [reader.frame(index).copy() for index in range(len(job))]


@pytest.fixture(scope="module")
def action(tmp_path_factory):
    """A room in which things move, seen by a camera that stands still."""
    count = 24
    frames, depths = trace(raytraced.Room(seed=3), [np.eye(4)] * count, np.linspace(0, 1, count))
    folder = tmp_path_factory.mktemp("action")
    return handheld.write_clip(folder / "clip.mkv", frames), frames, depths


# Stabilise


@pytest.fixture(scope="module")
def steadied(tmp_path_factory):
    """A handheld travel, its camera solved from the footage, steadied."""
    folder, count, room = tmp_path_factory.mktemp("handheld"), 60, raytraced.Room(seed=1, moving=False)
    path = handheld.meant("travel", count)
    shaken = handheld.by_hand(path, RATE, seed=4)
    frames, depths = trace(room, shaken, lens=SMALL_LENS, size=SMALL)
    job = job_of(
        folder / "take.mkv",
        handheld.write_clip(folder / "clip.mkv", frames),
        Use(kind="stabilise"),
        size=SMALL,
        lens=SMALL_LENS,
        source_from="footage",
        subject_distance=float(np.median(depths[0])),
        settings=contract.EngineSettings(depth=contract.Depth(kind="motion")),
    )
    kept = []
    settle = settling.settle
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settling, "settle", lambda *given: kept.append(settle(*given)) or kept[0])
        result, take = take_of(job)
    return room, path, shaken, frames, depths, kept[0], result, take


def test_stabilised_from_the_footage_alone_the_shake_is_gone(steadied):
    room, path, _, frames, _, _, _, take = steadied
    meant, _ = trace(room, path, lens=SMALL_LENS, size=SMALL)
    assert handheld.trembling(take, meant, RATE) < 0.2 * handheld.trembling(frames, meant, RATE)


def test_stabilised_most_of_the_frame_is_kept_and_sharp(steadied):
    _, _, _, frames, _, settled, result, take = steadied
    shares = uses.filmed(settled.source, settled.target, footage=SMALL, output=SMALL, distance=4.0)
    assert shares.min() >= 0.85
    assert result.invented_most <= 0.15
    sharp = [np.mean([handheld.gradients(each) for each in kind]) for kind in (take, frames)]
    assert sharp[0] >= 0.9 * sharp[1]


def test_stabilised_it_is_what_a_steady_camera_would_have_seen(steadied):
    room, _, shaken, _, depths, settled, _, take = steadied
    source, target = arrays(settled.source)[0], arrays(settled.target)[0]
    some = slice(None, None, 6)
    steady = handheld.in_the_true_world(target, source, shaken)[some]
    truth, true_depths = trace(room, steady, lens=SMALL_LENS, size=SMALL)
    each_of = zip(take[some], truth, steady, shaken[some], true_depths, depths[some], strict=True)
    visible = [
        raytraced.psnr(made, true, raytraced.seen_before(pose, other, SMALL_LENS, depth, source_depth))
        for made, true, pose, other, depth, source_depth in each_of
    ]
    assert np.mean(visible) >= 26


def test_the_result_tells_what_was_taken_as_shake(steadied):
    assert any("taken as shake" in note for note in steadied[6].notes)


# Lock and closer


def test_lock_stands_still(tmp_path):
    room = raytraced.Room(seed=1, moving=False)
    shaken = handheld.by_hand([np.eye(4)] * 6, RATE, degrees=0.6, metres=0.0)
    frames, _ = trace(room, shaken)
    footage = handheld.write_clip(tmp_path / "clip.mkv", frames)
    source = raytraced.trajectory(shaken, LENS, WIDTH, HEIGHT)
    _, take = take_of(job_of(tmp_path / "take.mkv", footage, Use(kind="lock", at=2), source=source))
    assert np.array_equal(take[2], frames[2])
    inner = np.s_[20:-20, 20:-20]
    for other in (0, 5):
        moved = raytraced.psnr(frames[other][inner], frames[2][inner])
        assert raytraced.psnr(take[other][inner], frames[2][inner]) > max(30, moved + 6)


def test_closer_by_zoom_is_a_crop(action, tmp_path):
    footage, frames, _ = action
    use = Use(kind="closer", by="zoom", region=Region(x=0.5, y=0.25, width=0.5, height=0.5), hold=24)
    _, take = take_of(job_of(tmp_path / "take.mkv", footage, use))
    crop = cv2.resize(frames[5][45:135, 160:], (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    assert raytraced.psnr(take[5], crop) > 35


def test_closer_by_dolly_is_what_a_camera_there_sees(action, tmp_path):
    """By the scene's depth; the region in the end, larger and with the parallax of a true move."""
    _, frames, depths = action
    count = 4
    footage = handheld.write_clip(tmp_path / "clip.mkv", frames[:1] * count)
    for index in range(count):
        np.save(tmp_path / f"{index}.npy", depths[0])
    files = tuple(str(tmp_path / f"{index}.npy") for index in range(count))
    use = Use(kind="closer", region=Region(x=0.2, y=0.2, width=0.6, height=0.6))
    job = job_of(
        tmp_path / "take.mkv",
        footage,
        use,
        settings=contract.EngineSettings(depth=contract.Depth(kind="file", files=files)),
    )
    _, take = take_of(job)
    there = np.eye(4)
    there[2, 3] = 4.0 * 0.4
    (truth,), (depth,) = trace(raytraced.Room(seed=3), [there])
    seen = raytraced.seen_before(there, np.eye(4), LENS, depth, depths[0])
    soft = cv2.GaussianBlur(truth, (0, 0), 1.0)  # as much softer as it was stretched
    assert raytraced.psnr(take[-1], soft, seen) > 24
    assert np.array_equal(take[0], frames[0])


# Outpaint


@pytest.mark.parametrize("kind", ["ffv1", "png"])
def test_a_wider_frame_keeps_the_footage_to_the_last_bit(action, tmp_path, kind):
    footage, frames, _ = action
    name = "take.mkv" if kind == "ffv1" else "take"
    use = Use(kind="outpaint", by="frame", factor=1.5)
    result, take = take_of(job_of(tmp_path / name, footage, use, size=(480, 270), kind=kind))
    for made, given in zip(take, frames, strict=True):
        assert np.array_equal(made[45:225, 80:400], given)
    assert result.invented_mean == pytest.approx(1 - 1 / 1.5**2, abs=0.005)
    assert any("pixel for pixel" in note for note in result.notes)


def test_a_wider_frame_of_the_same_size_keeps_it_scaled(action, tmp_path):
    footage, frames, _ = action
    use = Use(kind="outpaint", by="frame", factor=1.6)
    left, top, width, height = outpaint.inside(use, (WIDTH, HEIGHT), (WIDTH, HEIGHT))
    _, take = take_of(job_of(tmp_path / "take.mkv", footage, use))
    small = cv2.resize(frames[7], (width, height), interpolation=cv2.INTER_AREA)
    assert raytraced.psnr(take[7][top + 1 : top + height - 1, left + 1 : left + width - 1], small[1:-1, 1:-1]) > 33


def test_pulling_back_begins_with_the_footage(action, tmp_path):
    footage, frames, _ = action
    result, take = take_of(job_of(tmp_path / "take.mkv", footage, Use(kind="outpaint", factor=1.5)))
    assert np.array_equal(take[0], frames[0])
    assert result.invented_most == pytest.approx(1 - 1 / 1.5**2, abs=0.02)


# Freeze


def test_a_frozen_instant_stands_still_under_a_still_camera(action, tmp_path):
    footage, frames, _ = action
    use = Use(kind="freeze", at=8, hold=8, ease=6)
    shown = uses.instants(use, 24)
    begin = shown.index(8.0)
    _, take = take_of(job_of(tmp_path / "take.mkv", footage, use))
    for index in range(begin, begin + 8):
        assert np.array_equal(take[index], frames[8])
    # In and out of it, the change from frame to frame falls and rises with the pace of time.
    change = [np.abs(one.astype(float) - other).mean() for one, other in itertools.pairwise(take)]
    pace = np.diff(shown)
    assert np.corrcoef(change, pace)[0, 1] > 0.9
    filmed = np.mean([np.abs(one.astype(float) - other).mean() for one, other in itertools.pairwise(frames)])
    assert max(change) < 2 * filmed


def test_a_frozen_instant_is_seen_by_a_camera_that_moves(action, tmp_path):
    """As a clip would be that shows nothing but that instant."""
    footage, _, _ = action
    poses = [raytraced.arc(0.1 * index) for index in range(24)]
    target = raytraced.trajectory(poses, LENS, WIDTH, HEIGHT)
    use = Use(kind="freeze", at=8, hold=8, ease=6)
    begin = uses.instants(use, 24).index(8.0)
    _, take = take_of(job_of(tmp_path / "take.mkv", footage, use, target=target))
    one = dataclasses.replace(footage, frames=(8,) * 24)
    _, still = take_of(job_of(tmp_path / "still.mkv", one, Use(), target=target))
    for index in range(begin, begin + 8):
        assert np.array_equal(take[index], still[index])
    assert not np.array_equal(take[begin], take[begin + 7])


# The same jobs by the network


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny models")
    checkpoints.make_all(folder)
    return folder


@pytest.mark.parametrize(
    "use",
    [
        Use(kind="stabilise"),
        Use(kind="lock", at=3),
        Use(kind="closer"),
        Use(kind="outpaint", by="frame"),
        Use(kind="freeze", at=1, hold=2, ease=2),
    ],
    ids=lambda use: use.kind,
)
def test_the_network_takes_the_same_job(use, action, tiny, tmp_path):
    small = [cv2.resize(each, (96, 54), interpolation=cv2.INTER_AREA) for each in action[1][:5]]
    footage, lens = handheld.write_clip(tmp_path / "clip.mkv", small), raytraced.lens_for(96, 54)
    target, source = (
        raytraced.trajectory(poses, lens, 96, 54)
        for poses in ([np.eye(4)] * 5, handheld.by_hand([np.eye(4)] * 5, RATE))
    )
    size = (144, 81) if use.kind == "outpaint" else (96, 54)
    job = job_of(tmp_path / "take.mkv", footage, use, target=target, source=source, size=size)
    generation = contract.Generation(
        width=64, height=48, frames=5, steps=1, device="cpu", models=contract.Models(folder=str(tiny))
    )
    settings = contract.EngineSettings(engine="recammaster", generation=generation)
    job = dataclasses.replace(job, settings=settings)
    result, take = take_of(job)
    assert result.frames == len(take) == 5
    kept = {"footage": (96, 54), "output": size, "distance": 4.0, "rate": float(RATE)}
    for sentence in uses.sentences(use, source, target_of(job, source), **kept):
        assert sentence in result.notes
    if use.kind == "outpaint":
        for made, given in zip(take, small, strict=True):
            assert np.array_equal(made[13:67, 24:120], given)
