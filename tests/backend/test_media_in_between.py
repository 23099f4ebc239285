"""Frames in between against what was really there: textures that move by known amounts."""

import cv2
import numpy as np
import pytest

from backend.media.in_between import Between, frames_at

HEIGHT, WIDTH = 120, 208


def psnr(one, other, rim=0):
    inside = np.s_[rim : one.shape[0] - rim, rim : one.shape[1] - rim]
    return -10 * np.log10(max(float(((one[inside].astype(np.float64) - other[inside]) ** 2).mean()), 1e-10))


def paper(seed):
    """A texture of waves, coarse ones stronger than fine ones, known at any place: (y, x) arrays to RGB."""
    random = np.random.default_rng(seed)
    length, turn = np.geomspace(9, 160, 20), random.uniform(0, 2 * np.pi, 20)
    across = np.stack([np.sin(turn), np.cos(turn)], 1) * (2 * np.pi / length)[:, None]
    phase, strength = (
        random.uniform(0, 2 * np.pi, (20, 3)),
        random.uniform(0.014, 0.085, (20, 3)) * (length / 40)[:, None] ** 0.5,
    )

    def colour(y, x):
        angle = (across[:, 0, None, None] * y + across[:, 1, None, None] * x)[..., None] + phase[:, None, None]
        return np.clip(0.5 + (strength[:, None, None] * np.sin(angle)).sum(0), 0, 1).astype(np.float32)

    return colour


Y, X = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)


PAPERS = [paper(seed) for seed in range(8)]


def shifted(time):
    return PAPERS[1](Y - 3.3 * time, X + 7.4 * time)


def zoomed(time):
    scale = 1 + 0.12 * time
    return PAPERS[2]((Y - HEIGHT / 2) / scale, (X - WIDTH / 2) / scale)


def turned(time):
    c, s = np.cos(0.12 * time), np.sin(0.12 * time)
    y, x = Y - HEIGHT / 2, X - WIDTH / 2
    return PAPERS[2](c * y - s * x, s * y + c * x)


def passing(time):
    """A square that moves over a texture that stands still; its rim is not sharp, as that of no footage is."""
    left = 60 + 14 * time
    share = np.clip(left + 50 - X, 0, 1) * np.clip(X - left + 1, 0, 1) * np.clip(85 - Y, 0, 1) * np.clip(Y - 34, 0, 1)
    share = share[..., None].astype(np.float32)
    return PAPERS[3](Y, X) * (1 - share) + PAPERS[4](Y, X - left) * share


@pytest.mark.parametrize("share", [0.25, 0.5, 0.7])
@pytest.mark.parametrize(("move", "gain"), [(shifted, 22), (zoomed, 14), (turned, 14), (passing, 4)])
def test_moving_textures_come_closer_to_the_truth_than_fade_and_nearest(move, gain, share):
    before, after, truth = move(0.0), move(1.0), move(share)
    made = Between(before, after).at(share)
    assert made.dtype == np.float32
    fade = before * (1 - share) + after * share
    nearest = before if share <= 0.5 else after
    assert psnr(made, truth) > max(psnr(fade, truth), psnr(nearest, truth)) + gain


def test_what_moves_is_not_seen_twice():
    """Halfway a bright disc is where it should be, and dark where a fade shows it."""
    ground = PAPERS[5](Y, X) * 0.3

    def at(x):
        disc = np.clip(12 - np.hypot(X - x, Y - 60), 0, 1)[..., None].astype(np.float32)
        return ground * (1 - disc) + disc

    made = Between(at(90), at(106)).at(0.5)
    assert made[60, 98].min() > 0.9
    ghost = np.hypot(X - 90, Y - 60) < 11
    ghost &= np.hypot(X - 98, Y - 60) > 13
    assert ghost.sum() > 100
    fade = (at(90) + at(106)) / 2
    assert np.abs(made - at(98))[ghost].mean() < 0.2 * np.abs(fade - at(98))[ghost].mean()
    assert np.abs(made - at(98)).mean() < 0.2 * np.abs(fade - at(98)).mean()


def test_where_the_frames_show_different_things_the_nearer_is_shown():
    """A screen on a wall turns from dark to light at once: no fade; the wall moves on."""
    before, after, truth = shifted(0.0), shifted(1.0), shifted(0.5)
    before[30:90, 20:80], after[30:90, 20:80] = 0.1, 0.9
    for share, screen in ((0.5, 0.1), (0.55, 0.9)):
        assert np.allclose(Between(before, after).at(share)[40:80, 30:70], screen, atol=0.01)
    assert psnr(Between(before, after).at(0.5)[:, 100:], truth[:, 100:]) > 40


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_types_are_kept_and_ends_and_what_stands_still_untouched(dtype):
    white = 1 if dtype == np.float32 else np.iinfo(dtype).max
    before, after, truth = ((move * white).astype(dtype) for move in (shifted(0), shifted(1), shifted(0.5)))
    between = Between(before, after)
    assert np.array_equal(between.at(0), before)
    assert np.array_equal(between.at(1), after)
    made = between.at(0.5)
    assert made.dtype == dtype
    assert psnr(made / white, truth / white) > 30
    for share in (0.25, 0.5, 0.9):
        assert np.array_equal(Between(before, before.copy()).at(share), before)


def test_a_part_that_stands_still_keeps_every_pixel():
    before, after = ((passing(time) * 255).astype(np.uint8) for time in (0, 1))
    made = Between(before, after).at(0.5)
    assert np.array_equal(made[:, 150:], before[:, 150:])


def test_a_cut_is_no_dissolve():
    before, after = (PAPERS[seed](Y, X) for seed in (6, 7))
    assert np.array_equal(Between(before, after).at(0.4), before)
    assert np.array_equal(Between(before, after).at(0.6), after)
    dark = Between(before * np.float32(0.1), after * np.float32(0.1))
    assert np.array_equal(dark.at(0.4), before * np.float32(0.1))
    black, white = np.zeros_like(before), np.ones_like(before)
    assert np.array_equal(Between(black, white).at(0.5), black)


def test_a_change_of_light_is_no_cut():
    before = shifted(0)
    made = Between(before, before * np.float32(0.9)).at(0.5)
    assert psnr(made, before * np.float32(0.95)) > 40


@pytest.mark.parametrize("size", [(16, 16), (16, 48), (64, 16)])
def test_the_smallest_pictures_a_network_can_draw(size):
    before, after = (cv2.resize(shifted(time), size, interpolation=cv2.INTER_AREA) for time in (0.0, 0.1))
    assert Between(before, after).at(0.5).shape == before.shape
    noise = np.random.default_rng(0).random((2, *size[::-1], 3), np.float32)
    assert Between(*noise).at(0.5).shape == before.shape


@pytest.mark.parametrize("size", [(1, 1), (200, 8), (200, 12), (9, 9), (3, 64)])
def test_of_pictures_too_small_for_flow_the_nearer_is_shown(size):
    noise = np.random.default_rng(0).random((2, *size[::-1], 3), np.float32)
    between = Between(*noise)
    assert [np.array_equal(between.at(share), noise[index]) for share, index in ((0.4, 0), (0.6, 1))] == [True] * 2


def test_frames_at_places_asks_for_each_frame_once_and_leaves_whole_ones_alone():
    frames = [(shifted(0.2 * time) * 255).astype(np.uint8) for time in range(4)]
    asked = []

    def frame(index):
        asked.append(index)
        return frames[index]

    got = list(frames_at(frame, [0.0, 0.25, 0.5, 1.0, 1.5, 3.0, 3.0]))
    assert asked == [0, 1, 2, 3]
    for place, index in ((0, 0), (3, 1), (5, 3), (6, 3)):
        assert got[place] is frames[index]
    for place, time in ((1, 0.05), (2, 0.1), (4, 0.3)):
        assert psnr(got[place] / 255, shifted(time)) > 32
    assert np.array_equal(got[2], Between(frames[0], frames[1]).at(0.5))
