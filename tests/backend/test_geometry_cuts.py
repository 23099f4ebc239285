"""Where shots begin: cuts are found, and whatever else changes a picture at once is none."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import raytraced
from fake_workers import ROOT
from filmed import film, handheld

from backend.geometry.cuts import find_cuts
from backend.media.movie import Movie

WIDTH, HEIGHT = 208, 120
BUNNY = Path(ROOT).parent / "shared" / "footage" / "bigbuckbunny.mp4"


def shot(seed, count=10, **moves):
    return film(handheld(count, **moves), room=raytraced.Room(seed=seed), width=WIDTH, height=HEIGHT, looks=1)


@pytest.fixture(scope="module")
def shots():
    return [shot(seed) for seed in range(4)]


def test_a_shot_has_no_cut(shots):
    assert all(find_cuts(each) == [] for each in shots)


def test_a_cut_is_found_where_it_is(shots):
    assert find_cuts([*shots[0], *shots[1]]) == [10]
    assert find_cuts([*shots[2][:3], *shots[3], *shots[1][:7]]) == [3, 13]


def test_shots_of_a_few_frames_are_told_apart(shots):
    assert find_cuts([*shots[0], *shots[1][:3], *shots[2], *shots[3][:2]]) == [10, 13, 23]


def test_another_view_of_the_same_room_is_a_cut():
    room = raytraced.Room()
    views = [film([raytraced.pose_at(turn=turn)] * 8, room=room, width=WIDTH, height=HEIGHT) for turn in (0, 120)]
    assert find_cuts([*views[0], *views[1]]) == [8]


def test_a_flash_is_no_cut(shots):
    frames = list(shots[0])
    frames[4] = np.clip(frames[4].astype(int) * 3 + 80, 0, 255).astype(np.uint8)
    frames[7] = np.full_like(frames[7], 255)
    assert find_cuts(frames) == []


def test_what_passes_close_to_the_lens_is_no_cut(shots):
    frames = list(shots[0])
    for index in (4, 5):
        frames[index] = frames[index].copy()
        frames[index][:, 20:190] = shots[1][0][:, 20:190]
    assert find_cuts(frames) == []


def test_a_whip_pan_is_no_cut():
    turns = np.linspace(0, 90, 9)
    frames = film([raytraced.pose_at(turn=turn) for turn in turns], width=WIDTH, height=HEIGHT)
    blurred = [cv2.blur(frame, (25, 1)) for frame in frames]
    assert find_cuts([*frames[:1] * 4, *blurred, *frames[-1:] * 4]) == []


def test_a_fade_through_black_to_the_same_shot_is_no_cut(shots):
    dark = np.concatenate([np.linspace(1, 0, 4), np.zeros(2), np.linspace(0, 1, 4)])
    assert find_cuts([(frame * share).astype(np.uint8) for frame, share in zip(shots[0], dark, strict=True)]) == []


def test_a_fade_through_black_to_another_shot_is_a_cut(shots):
    fade = [(shots[0][-1] * share).astype(np.uint8) for share in (0.6, 0.3, 0, 0)]
    rise = [(shots[1][0] * share).astype(np.uint8) for share in (0.4, 0.7)]
    assert find_cuts([*shots[0], *fade, *rise, *shots[1]]) == [14]


def test_pictures_of_every_kind_are_looked_at(shots):
    sixteen = [(frame.astype(np.uint16) * 257) for frame in (*shots[0], *shots[1])]
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (*shots[0], *shots[1])]
    alpha = [np.dstack([frame, np.full(frame.shape[:2], 255, np.uint8)]) for frame in (*shots[0], *shots[1])]
    upright = [np.ascontiguousarray(frame.transpose(1, 0, 2)) for frame in (*shots[0], *shots[1])]
    for frames in (sixteen, grey, alpha, upright):
        assert find_cuts(iter(frames)) == [10]


def test_blank_frames_have_no_cuts():
    assert find_cuts([np.full((40, 60, 3), level, np.uint8) for level in (0, 255, 80)]) == []
    assert find_cuts([]) == []


@pytest.mark.skipif(not BUNNY.exists(), reason="no real footage here")
def test_a_real_shot_has_no_cut():
    with Movie(str(BUNNY)) as movie:
        assert find_cuts(movie.small(index, 240) for index in range(132)) == []
