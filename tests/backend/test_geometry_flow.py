"""Dense flow: known motion is found, and what one frame hides is told."""

import cv2
import numpy as np
import pytest

from backend.geometry.flow import FlowFinder, eight_bits, grey, look, places


def paper(width=208, height=120, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 2)
    return cv2.normalize(soft, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def moved(picture, x, y):
    return cv2.warpAffine(picture, np.float32([[1, 0, x], [0, 1, y]]), picture.shape[::-1], borderMode=cv2.BORDER_WRAP)


def test_flow_finds_a_known_motion_both_ways():
    one = paper()
    flow = FlowFinder().between(one, moved(one, 5.5, -3))
    inner = (slice(16, -16), slice(16, -16))
    assert np.abs(np.median(flow.there[inner], axis=(0, 1)) - (5.5, -3)).max() < 0.1
    assert np.abs(np.median(flow.back[inner], axis=(0, 1)) - (-5.5, 3)).max() < 0.1
    assert flow.agrees()[inner].mean() > 0.97
    np.testing.assert_array_equal(flow.reversed.there, flow.back)


def test_what_leaves_the_frame_or_is_hidden_does_not_agree():
    one = paper()
    other = moved(one, 8, 0)
    other[40:80, 90:130] = paper(40, 40, seed=1)  # hides what was there
    agrees = FlowFinder().between(one, other).agrees()
    assert not agrees[:, -6:].any()
    assert agrees[50:70, 90:114].mean() < 0.3
    assert agrees[10:30, 20:160].mean() > 0.95


def test_looking_where_things_went_brings_them_back():
    one = paper()
    flow = FlowFinder().between(one, moved(one, 4, 2))
    back = look(moved(one, 4, 2), places(flow.there))
    assert np.abs(back.astype(int) - one)[16:-16, 16:-16].mean() < 3


def test_tiny_frames_have_no_flow():
    tiny = np.zeros((8, 12), np.uint8)
    assert not FlowFinder().between(tiny, tiny).there.any()


@pytest.mark.parametrize(("kind", "channels"), [(np.uint8, 3), (np.uint16, 3), (np.uint8, 4), (np.uint16, 4)])
def test_all_frames_of_a_reader_become_grey(kind, channels):
    white = np.full((6, 8, channels), np.iinfo(kind).max, kind)
    assert eight_bits(white).shape == (6, 8, 3)
    assert (grey(white) == 255).all()
