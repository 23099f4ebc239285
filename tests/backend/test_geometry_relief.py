"""The relief of a static shot: better than a plane where it says so, whole everywhere, constant where nothing moves."""

import contextlib
import itertools

import cv2
import numpy as np
import pytest
import relief_scenes
from raytraced import lens_for, pose_at, psnr
from shots import make_shot, take

from backend import troubles
from backend.geometry import relief_lines, relief_stage
from backend.geometry.relief import ReliefDepth

WIDTH, HEIGHT, FRAMES = 416, 240, 9


class Clip:
    def __init__(self, frames):
        self.frames = frames
        self.height, self.width = frames[0].shape[:2]

    def frame(self, index):
        return self.frames[index]


def guessed(frames, lens, distance, **options):
    height, width = frames[0].shape[:2]
    return ReliefDepth(
        lambda: contextlib.nullcontext(Clip(frames)),
        len(frames),
        **{"width": width, "height": height, "lens": lens, "distance": distance} | options,
    )


def shot(kind, seed):
    made = relief_scenes.scene(kind, seed)
    frames, depths, lens = relief_scenes.filmed(made, WIDTH, HEIGHT, FRAMES)
    return made, frames, depths, lens, relief_scenes.subject(depths[FRAMES // 2])


@pytest.fixture(scope="module")
def street():
    return shot("street", 26)


@pytest.fixture(scope="module")
def on_street(street):
    _, frames, _, lens, distance = street
    return guessed(frames, lens, distance)


@pytest.mark.parametrize(("kind", "seed", "least"), [("room", 26, 1.5), ("yard", 26, 1.5), ("street", 26, 1.5)])
def test_better_than_a_plane(kind, seed, least):
    """On seeds that nothing was tuned on (benchmarks/relief.py shows all): takes against traced truth, dB."""
    made, frames, _, lens, distance = shot(kind, seed)
    found = guessed(frames, lens, distance)
    assert found.plausible, found.why
    middle, pose = FRAMES // 2, pose_at(tilt=made.tilt)
    gains = {}
    for name, target in relief_scenes.moves(pose, distance).items():
        truth = made.shoot(target, lens, WIDTH, HEIGHT, middle / (FRAMES - 1))[0]
        depths = {"plane": None, "relief": [found.frame(middle)]}
        images = {
            each: take(make_shot([frames[middle]], depth, [pose], [target], lens=lens, distance=distance))[1][0].image
            for each, depth in depths.items()
        }
        gains[name] = psnr(images["relief"], truth) - psnr(images["plane"], truth)
    assert np.mean(list(gains.values())) > least, gains
    assert min(gains.values()) > 0, gains


def test_an_honest_plane_where_no_ground_is_seen():
    _, frames, _, lens, distance = shot("clutter", 21)
    found = guessed(frames, lens, distance)
    assert not found.plausible
    assert "ground" in found.why
    assert troubles.find(found.why) is not None
    depth = found.frame(0)
    assert np.isfinite(depth).all()
    assert (depth > 0).all()


def test_a_distance_that_cannot_be(street):
    _, frames, _, lens, _ = street
    found = guessed(frames, lens, 300.0)
    assert not found.plausible
    assert "300 m away" in found.why
    assert troubles.find(found.why) is not None


def test_ground_and_horizon_are_where_they_are(street, on_street):
    made, _, depths, lens, _ = street
    truth = lens.cy + lens.fy * np.tan(np.radians(made.tilt))
    assert on_street.stage.horizon == pytest.approx(truth, abs=0.05 * HEIGHT)
    v = np.arange(HEIGHT)[:, None] + 0.5
    with np.errstate(divide="ignore"):
        floor = made.ground * lens.fy / np.maximum(v - truth, 1e-9)
    # A camera without tilt: what is as deep as the floor is there is floor.
    is_floor = np.abs(depths[0] / floor - 1) < 0.02
    ground = on_street.stage.ground
    assert (ground & is_floor).sum() / ground.sum() > 0.8
    assert (ground & is_floor).sum() / is_floor.sum() > 0.7
    sky = on_street.stage.sky
    assert np.isinf(depths[0][sky]).mean() > 0.85


@pytest.mark.parametrize("tilt", [-9.0, -4.0, 0.0, 4.0])
def test_the_horizon_is_told_from_lines(tilt):
    made = relief_scenes.Scene(seed=3, kind="room", tilt=tilt, ground=1.5)
    [picture], _, lens = relief_scenes.filmed(made, WIDTH, HEIGHT)
    found = relief_lines.find(picture, lens.fx, (lens.cx, lens.cy))
    assert found.horizon == pytest.approx(lens.cy + lens.fy * np.tan(np.radians(tilt)), abs=8)
    assert len(found.upright) > 10


def test_what_walks_is_a_layer(street, on_street):
    """It is about as near as it is, it moves with the picture, and what does not move is constant."""
    _, _, depths, _, distance = street
    maps = [on_street.frame(index) for index in range(FRAMES)]
    moving = [on_street._moving().at(index) for index in range(FRAMES)]
    assert all(moving)
    largest = [max(each, key=lambda mover: mover.box[2] * mover.box[3]) for each in moving]
    lefts = [each.box[0] for each in largest]
    assert lefts[-1] - lefts[0] > 20
    column = lefts[4] + largest[4].box[2] // 2
    row = largest[4].box[1] + largest[4].box[3] // 2
    assert maps[4][row, column] == pytest.approx(depths[4][row, column], rel=0.5)
    assert maps[4][row, column] < distance
    still = np.ones((HEIGHT, WIDTH), bool)
    for each in [mover for movers in moving for mover in movers]:
        left, top, width, height = each.box
        still[max(top - 4, 0) : top + height + 4, max(left - 4, 0) : left + width + 4] = False
    assert still.mean() > 0.2
    assert all(np.array_equal(one[still], maps[0][still]) for one in maps)


def test_nearness_of_what_walks_does_not_jump(on_street):
    values = [max(each.nearness for each in on_street._moving().at(index)) for index in range(FRAMES)]
    assert max(abs(b / a - 1) for a, b in itertools.pairwise(values)) < 0.15


@pytest.mark.parametrize(("width", "height"), [(208, 120), (120, 213), (1000, 420)])
def test_maps_are_whole(street, width, height):
    """At any size and of any lens, sixteen bits and alpha too."""
    _, frames, _, _, distance = street
    frames = [cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA) for each in frames[:3]]
    frames = [np.dstack([each.astype(np.uint16) * 257, np.zeros((height, width), np.uint16)]) for each in frames]
    found = guessed(frames, None, distance)
    for index in (2, 0):
        depth, sure = found.frame(index), found.confidence(index)
        assert depth.dtype == sure.dtype == np.float32
        assert depth.shape == sure.shape == (height, width)
        assert np.isfinite(depth).all()
        assert (depth > 0).all()
        assert sure.min() >= 0
        assert sure.max() < 0.5
    found.close()


@pytest.mark.parametrize("picture", ["black", "white", "noise", "half"])
def test_pictures_of_nothing(picture):
    random = np.random.default_rng(0)
    images = {
        "black": np.zeros((60, 104, 3), np.uint8),
        "white": np.full((60, 104, 3), 255, np.uint8),
        "noise": random.integers(0, 256, (60, 104, 3), np.uint8),
        "half": np.repeat(np.repeat(np.array([200, 40], np.uint8), 30)[:, None, None], 104, 1).repeat(3, 2),
    }
    found = guessed([images[picture]], lens_for(104, 60), 4.0)
    depth = found.frame(0)
    assert depth.shape == (60, 104)
    assert np.isfinite(depth).all()
    assert (depth > 0).all()


def test_it_reports_and_stops(street):
    _, frames, _, lens, distance = street
    told = []
    guessed(frames, lens, distance, report=lambda *each: told.append(each))
    assert {phase for phase, _, _ in told} == {"looking for the background", "looking for what moves"}

    class Stop(Exception):
        pass

    def check():
        raise Stop

    with pytest.raises(Stop):
        guessed(frames, lens, distance, check=check)


def test_the_same_footage_gives_the_same_relief(street, on_street):
    _, frames, _, lens, distance = street
    assert np.array_equal(guessed(frames, lens, distance).frame(3), on_street.frame(3))


def test_ground_is_nearer_the_lower_it_is():
    rows = relief_stage.ground_nearness(np.arange(240), 100.0, 400.0)
    assert (np.diff(rows) >= 0).all()
    assert 1 / rows[239] == pytest.approx(400 / 139.5)


def test_a_camera_that_moves_gives_no_relief(street):
    """Nothing stands still before it: the sideways move of a picture, as a pan has it."""
    _, frames, _, lens, distance = street
    panned = [np.roll(frames[0], 14 * index, axis=1) for index in range(FRAMES)]
    found = guessed(panned, lens, distance)
    assert not found.plausible
    assert troubles.find(found.why) is not None
    depth = found.frame(FRAMES - 1)
    assert np.isfinite(depth).all()
