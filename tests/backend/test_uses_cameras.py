"""The cameras of the uses, against what is meant, what plain optics say, and time."""

import dataclasses
from itertools import pairwise

import handheld
import numpy as np
import pytest
import raytraced

from backend.cameras import arrays, from_arrays, inverse, uses
from backend.cameras.uses import outpaint
from backend.cameras.uses.smoothing import smooth
from backend.contract import ContractError, Region, Use

WIDTH, HEIGHT, RATE = 416, 240, 24.0
LENS = raytraced.lens_for(WIDTH, HEIGHT)
SIZE = (WIDTH, HEIGHT)


def shot(poses, lens=LENS):
    return raytraced.trajectory(poses, lens, WIDTH, HEIGHT)


def made(use, source, output=SIZE, distance=4.0, target=None, stated=None):
    target = target or shot([np.eye(4)] * len(source))
    found = uses.target_for(
        use, source, target, footage=SIZE, output=output, distance=distance, rate=RATE, stated=stated
    )
    assert (found.width, found.height) == output
    assert len(found) == len(source)
    return found


def degrees_apart(poses, others):
    cosine = (np.einsum("nij,nij->n", poses[:, :3, :3], others[:, :3, :3]) - 1) / 2
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def rms(values):
    return float(np.sqrt((np.asarray(values) ** 2).mean()))


def places_apart(poses, others):
    return np.linalg.norm(poses[:, :3, 3] - others[:, :3, 3], axis=1)


# Stabilise


@pytest.mark.parametrize("kind", ["still", "pan", "travel"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_shake_is_taken_and_what_is_meant_stays(kind, seed):
    """Of a second and of three: what is left of the shake, and what is lost of the pan, together."""
    path = handheld.meant(kind, 120)
    shaken = handheld.by_hand(path, RATE, seed=seed)
    for strength, most in ((1.0, 0.28), (3.0, 0.12 if kind == "still" else 0.45)):
        steady, _ = arrays(made(Use(kind="stabilise", strength=strength), shot(shaken)))
        assert rms(degrees_apart(steady, path)) < most * rms(degrees_apart(shaken, path))
        assert rms(places_apart(steady, path)) < most * rms(places_apart(shaken, path))


def test_stronger_takes_more():
    path = handheld.meant("still", 120)
    shaken = handheld.by_hand(path, RATE, power=1.0)
    left = [
        rms(degrees_apart(arrays(made(Use(kind="stabilise", strength=each), shot(shaken)))[0], path))
        for each in (0.3, 1.0, 3.0)
    ]
    whole = rms(degrees_apart(shaken, path))
    assert 0.5 * whole < left[0] < whole
    assert left[1] < 0.75 * left[0]
    assert left[2] < 0.75 * left[1]


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_a_pan_without_shake_is_left_alone_to_its_ends(strength):
    """No lag, no overshoot, no drift at the ends: every frame is within a hundredth of the pan, and it never turns
    back."""
    path = handheld.meant("pan", 96)
    steady, _ = arrays(made(Use(kind="stabilise", strength=strength), shot(path)))
    assert degrees_apart(steady, path).max() < 0.12
    assert degrees_apart(steady, path)[[0, -1]].max() < 0.02
    turn = np.degrees(np.arctan2(steady[:, 0, 2], steady[:, 2, 2]))
    assert np.diff(turn).min() > -0.01
    assert turn.max() < 6.03
    assert turn.min() > -6.03
    assert places_apart(steady, path).max() < 0.01


def test_a_pan_starts_and_stops_where_it_did():
    """Under shake: the steadied pan has gone a tenth, half and nine tenths of its way when the meant one has."""
    path = handheld.meant("pan", 120)
    way = -6 + 12 * handheld.ramp(120, 0.2, 0.8)
    for seed in range(3):
        steady, _ = arrays(made(Use(kind="stabilise"), shot(handheld.by_hand(path, RATE, seed=seed))))
        turn = np.degrees(np.arctan2(steady[:, 0, 2], steady[:, 2, 2]))
        for share in (0.1, 0.5, 0.9):
            at = -6 + 12 * share
            assert abs(np.argmax(turn > at) - np.argmax(way > at)) <= 2


def test_the_path_is_smooth():
    shaken = handheld.by_hand(handheld.meant("pan", 120), RATE)
    steady, _ = arrays(made(Use(kind="stabilise"), shot(shaken)))
    for poses in (steady, shaken):
        assert np.allclose(poses[:, :3, :3] @ np.swapaxes(poses[:, :3, :3], 1, 2), np.eye(3), atol=1e-9)
    jerk = [np.abs(np.diff(poses[:, :3, 3], 3, axis=0)).max() for poses in (shaken, steady)]
    assert jerk[1] < 0.01 * jerk[0]


def test_turning_all_the_way_round_is_no_special_case():
    turns = np.linspace(0, 540, 160)
    path = np.array([raytraced.pose_at(turn=each, tilt=5) for each in turns])
    shaken = handheld.by_hand(path, RATE)
    steady, _ = arrays(made(Use(kind="stabilise"), shot(shaken)))
    assert rms(degrees_apart(steady, path)) < 0.25 * rms(degrees_apart(shaken, path))


def test_where_it_stands_does_not_matter():
    """The same shake elsewhere, looking elsewhere, is steadied to the same path."""
    shaken = handheld.by_hand(handheld.meant("travel", 60), RATE)
    move = raytraced.pose_at((30, -20, 10), turn=130, tilt=40)
    here, _ = arrays(made(Use(kind="stabilise"), shot(shaken)))
    there, _ = arrays(made(Use(kind="stabilise"), shot(move @ shaken)))
    assert np.allclose(there, move @ here, atol=1e-6)


def test_at_least_85_of_100_of_the_frame_stay():
    """A violent hand and a strong wish: the path gives way, and stays smooth."""
    shaken = handheld.by_hand(handheld.meant("still", 96), RATE, degrees=3.0, power=1.0)
    source = shot(shaken)
    target = made(Use(kind="stabilise", strength=3.0), source)
    shares = uses.filmed(source, target, footage=SIZE, output=SIZE, distance=4.0)
    assert shares.min() >= 0.85
    steady, _ = arrays(target)
    assert rms(np.diff(steady[:, 0, 2], 2)) < 0.5 * rms(np.diff(shaken[:, 0, 2], 2))


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 9])
def test_short_clips(frames):
    source = shot(handheld.by_hand(handheld.meant("still", 9), RATE)[:frames])
    assert np.isfinite(arrays(made(Use(kind="stabilise"), source))[0]).all()


@pytest.mark.parametrize(("frames", "strength", "rate"), [(4, 10, 24), (24, 10, 60), (24, 60, 120), (60, 10, 12)])
def test_a_strength_beyond_the_clip_leaves_an_even_pan(frames, strength, rate):
    path = np.array([raytraced.pose_at((0.01 * index, 0, 0), turn=40 * index / frames) for index in range(frames)])
    assert np.abs(smooth(path, rate=rate, strength=strength) - path).max() < 1e-3


def test_a_long_clip_at_a_high_rate_takes_little_time_and_no_less_shake():
    path = np.tile(np.eye(4), (1500, 1, 1))
    shaken = handheld.by_hand(path, 120.0)
    target = uses.target_for(
        Use(kind="stabilise"), shot(shaken), shot(path), footage=SIZE, output=SIZE, distance=4.0, rate=120.0
    )
    assert rms(degrees_apart(arrays(target)[0], path)) < 0.2 * rms(degrees_apart(shaken, path))


# Lock and lenses


def test_lock_holds_one_frame():
    shaken = handheld.by_hand(handheld.meant("travel", 20), RATE)
    target = made(Use(kind="lock", at=7), shot(shaken))
    assert (arrays(target)[0] == shaken[7]).all()
    assert set(target.intrinsics) == {LENS}


@pytest.mark.parametrize("kind", ["stabilise", "lock"])
def test_a_lens_that_is_asked_for_counts_against_the_one_that_is_stated(kind):
    source = shot([np.eye(4)] * 8, dataclasses.replace(LENS, fx=500.0, fy=500.0))
    stated, asked = (shot([np.eye(4)] * 8, dataclasses.replace(LENS, fx=f, fy=f)) for f in (400.0, 480.0))
    for target, focal in ((stated, 500.0), (asked, 600.0)):
        lens = made(Use(kind=kind), source, target=target, stated=stated).intrinsics[3]
        assert (lens.fx, lens.fy, lens.cx, lens.cy) == pytest.approx((focal, focal, WIDTH / 2, HEIGHT / 2))


# Closer


REGION = Region(x=0.5, y=0.1, width=0.4, height=0.4)


def seen(target, index, point):
    """Where a point of the world is seen."""
    poses, lenses = arrays(target)
    x, y, z = (inverse(poses[index]) @ (*point, 1.0))[:3]
    fx, fy, cx, cy = lenses[index]
    return np.array([fx * x / z + cx, fy * y / z + cy])


def on_plane(source, index, u, v, distance=4.0):
    """The point that the source sees at a pixel, on the plane."""
    poses, lenses = arrays(source)
    fx, fy, cx, cy = lenses[index]
    return (poses[index] @ ((u - cx) / fx * distance, (v - cy) / fy * distance, distance, 1))[:3]


@pytest.mark.parametrize("by", ["dolly", "zoom"])
@pytest.mark.parametrize("output", [SIZE, (832, 480), (300, 300), (800, 240)])
def test_the_region_fills_the_frame_in_the_end(by, output):
    off = dataclasses.replace(LENS, cx=190.0, cy=130.0)
    source = shot([raytraced.pose_at((1, 2, 3), turn=20, tilt=-10)] * 20, off)
    target = made(Use(kind="closer", region=REGION, by=by, hold=3), source, output)
    corners = [(u * WIDTH, v * HEIGHT) for u in (0.5, 0.9) for v in (0.1, 0.5)]
    for index in (17, 18, 19):
        at = np.array([seen(target, index, on_plane(source, index, *each)) for each in corners])
        assert (at > -1e-6).all()
        assert (at < np.array(output) + 1e-6).all()
        assert max(np.ptp(at, axis=0) / output) == pytest.approx(1)
    # Nothing beyond the footage is shown on the way, and it begins with as much of it as fits.
    assert uses.filmed(source, target, footage=SIZE, output=output, distance=4.0).min() == 1
    middle = seen(target, 0, on_plane(source, 0, WIDTH / 2, HEIGHT / 2))
    assert middle == pytest.approx(np.array(output) / 2)


@pytest.mark.parametrize("by", ["dolly", "zoom"])
def test_it_comes_closer_from_rest_to_rest_and_straight(by):
    source = shot([np.eye(4)] * 81)
    target = made(Use(kind="closer", region=REGION, by=by), source)
    point = on_plane(source, 0, 0.7 * WIDTH, 0.3 * HEIGHT)
    way = np.array([seen(target, index, point) for index in range(81)])
    steps = np.linalg.norm(np.diff(way, axis=0), axis=1)
    assert max(steps[0], steps[-1]) < 0.05 * steps.max()
    assert np.linalg.matrix_rank(way - way[0], tol=1e-6) == 1
    poses, _ = arrays(target)
    assert (poses[:, :3, :3] == np.eye(3)).all()
    if by == "zoom":
        assert (poses == np.eye(4)).all()
    else:
        assert len(set(target.intrinsics)) == 1
        assert poses[-1, 2, 3] == pytest.approx(4 * (1 - 0.4))


def test_the_region_can_be_shown_from_the_first_frame_on():
    target = made(Use(kind="closer", region=REGION, by="zoom", hold=20), shot([np.eye(4)] * 20))
    assert len(set(target.intrinsics)) == 1
    assert target.intrinsics[0].fx == pytest.approx(LENS.fx / 0.4)


@pytest.mark.parametrize("use", [Use(kind="closer", region=REGION), Use(kind="outpaint", by="pull", factor=2.0)])
def test_handles_are_more_of_the_moves_ends(use):
    """Four frames before and six after: between them the move is the one that a shorter take has."""
    alone = made(use, shot([np.eye(4)] * 20))
    beside = made(dataclasses.replace(use, lead=4, tail=6), shot([np.eye(4)] * 30))
    assert np.array(beside.poses[4:24]) == pytest.approx(np.array(alone.poses), abs=1e-12)
    assert beside.poses[:4] == (alone.poses[0],) * 4
    assert np.array(beside.poses[24:]) == pytest.approx(np.array([alone.poses[-1]] * 6), abs=1e-12)


def test_it_comes_closer_beside_the_sources_own_way():
    source = shot(handheld.by_hand(handheld.meant("travel", 30), RATE))
    still = made(Use(kind="closer", region=REGION), shot([np.eye(4)] * 30))
    moving = made(Use(kind="closer", region=REGION), source)
    assert np.allclose(arrays(moving)[0], arrays(source)[0] @ arrays(still)[0])


# Outpaint


def test_a_wider_frame_has_the_footage_at_whole_pixels():
    source = shot([np.eye(4)] * 3)
    for factor, output, wanted in (
        (1.5, (624, 360), (104, 60, 416, 240)),
        (1.5, SIZE, (69, 40, 277, 160)),
        (1.33, (553, 319), (68, 39, 416, 240)),
        (1.5, (1248, 240), (416, 0, 416, 240)),
        (2.0, (416, 416), (104, 148, 208, 120)),
    ):
        use = Use(kind="outpaint", by="frame", factor=factor)
        where = outpaint.inside(use, SIZE, output)
        assert where == wanted
        target = made(use, source, output)
        left, top = seen(target, 0, on_plane(source, 0, 0, 0))
        right, bottom = seen(target, 0, on_plane(source, 0, WIDTH, HEIGHT))
        assert (left, top) == pytest.approx(where[:2])
        assert (right, bottom) == pytest.approx((where.left + where.width, where.top + where.height))
        shares = uses.filmed(source, target, footage=SIZE, output=output, distance=4.0)
        assert shares[0] == pytest.approx(where.width * where.height / (output[0] * output[1]), abs=0.03)


def test_pulling_back_shows_as_much_more_as_asked_for():
    off = dataclasses.replace(LENS, cx=190.0, cy=130.0)
    source = shot([raytraced.pose_at((1, 2, 3), turn=20)] * 41, off)
    target = made(Use(kind="outpaint", factor=1.6), source)
    assert arrays(target)[0][0] == pytest.approx(arrays(source)[0][0])
    ends = [seen(target, 40, on_plane(source, 40, u, HEIGHT / 2)) for u in (0, WIDTH)]
    assert ends[1][0] - ends[0][0] == pytest.approx(WIDTH / 1.6)
    assert sum(ends) / 2 == pytest.approx((WIDTH / 2, HEIGHT / 2))
    steps = np.linalg.norm(np.diff(arrays(target)[0][:, :3, 3], axis=0), axis=1)
    assert max(steps[0], steps[-1]) < 0.05 * steps.max()


# Freeze


@pytest.mark.parametrize(("at", "hold", "ease"), [(30, 20, 12), (30, 20, 11), (0, 30, 12), (3, 10, 24), (40, 1, 0)])
def test_the_instant_is_held_and_time_is_smooth(at, hold, ease):
    shown = uses.instants(Use(kind="freeze", at=at, hold=hold, ease=ease), 96)
    assert shown.count(at) == hold
    speed = np.diff(shown)
    assert speed.min() >= 0
    assert speed.max() <= 1 + 1e-9
    if ease:
        # As of a smooth way to rest: no step in speed is larger than 1.5 of an even one, but for frames' own grain.
        assert np.abs(np.diff(speed)).max() <= 1.5 / min(ease, 2 * at or ease) + 1e-9
    assert shown[0] == 0 or at == 0
    half = (ease + 1) // 2
    for frame, instant in enumerate(shown):
        if instant <= at - half or instant >= at + half:
            assert instant == int(instant)
        if instant < at - half:
            assert instant == frame
    assert all(one <= other for one, other in pairwise(shown))
    told = uses.sentences(
        Use(kind="freeze", at=at, hold=hold, ease=ease),
        shot([np.eye(4)] * 96),
        shot([np.eye(4)] * 96),
        footage=SIZE,
        output=SIZE,
        distance=4.0,
        rate=RATE,
    )
    late = 95 - shown[-1]
    assert not late or (f"{late:.0f} frames later" in told[0] and f"the last {late:.0f} of" in told[0])


def test_other_uses_leave_time_and_a_given_target_alone():
    target = shot(handheld.meant("pan", 12))
    for kind in ("move", "freeze"):
        use = Use(kind=kind, at=2, hold=3, ease=2)
        assert made(use, shot([np.eye(4)] * 12), target=target) == target
    for kind in ("move", "stabilise", "lock", "closer", "outpaint"):
        assert uses.instants(Use(kind=kind), 12) is None


# What cannot be


@pytest.mark.parametrize(
    ("use", "field"),
    [
        (Use(kind="freeze", at=2, hold=0), "use.hold"),
        (Use(kind="freeze", at=12, hold=2), "use.at"),
        (Use(kind="lock", at=12), "use.at"),
        (Use(kind="freeze", at=8, hold=5, ease=0), "use.hold"),
        (Use(kind="freeze", at=8, hold=1, ease=20), "use.hold"),
        (Use(kind="closer", region=Region(x=0.1, y=0.1, width=0.02, height=0.02)), "use.region"),
    ],
)
def test_the_impossible_is_refused(use, field):
    with pytest.raises(ContractError) as refused:
        made(use, shot([np.eye(4)] * 12))
    assert refused.value.field == field


def test_sentences_tell_what_was_done():
    source = shot(handheld.by_hand(handheld.meant("still", 60), RATE))

    def told(output=SIZE, **values):
        use = Use(**values)
        target = made(use, source, output)
        kept = {"footage": SIZE, "output": output, "distance": 4.0, "rate": RATE}
        return " ".join(uses.sentences(use, source, target, **kept))

    assert "0.6" in told(kind="stabilise", strength=3.0)
    assert "cm" in told(kind="stabilise")
    assert "as in frame 6" in told(kind="lock", at=5)
    region = Region(x=0.25, y=0.25, width=0.5, height=0.5)
    assert "208x120" in told(kind="closer", region=region)
    assert "stretched 2 times" in told(kind="closer", region=region)
    assert "nothing is stretched" in told(kind="closer", region=region, output=(208, 120))
    assert "pixel for pixel" in told(kind="outpaint", by="frame", output=(624, 360))
    assert "scaled to 277x160" in told(kind="outpaint", by="frame")
    assert "2.00 m" in told(kind="outpaint")
    assert from_arrays(*arrays(source), *SIZE) == source
