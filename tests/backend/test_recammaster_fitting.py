"""Footage in the network's frame: against Pillow's resize and torchvision's rule for the crop, and mirror images."""

import numpy as np
import pytest
import torch
from PIL import Image

from backend.contract import Generation, Intrinsics
from backend.recammaster.fitting import find_fit, frame_of, show

SIZES = [(1280, 720), (720, 1280), (1919, 1081), (640, 360), (832, 480), (333, 500), (1000, 100), (3, 7)]


def picture(width, height, seed=0, channels=3):
    """Noise over a gradient: every pixel counts."""
    random = np.random.default_rng(seed)
    ramp = np.linspace(0, 200, width)[None, :, None] * np.linspace(0.2, 1, height)[:, None, None]
    return (ramp + random.uniform(0, 55, (height, width, channels))).astype(np.uint8)


def published(image, wide, high):
    """What the published code does, with torchvision's rule for the middle written out."""
    height, width = image.shape[:2]
    scale = max(wide / width, high / height)
    size = round(width * scale), round(height * scale)
    scaled = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    top, left = int(round((size[1] - high) / 2.0)), int(round((size[0] - wide) / 2.0))  # noqa: RUF046
    return scaled[top : top + high, left : left + wide].astype(np.float32) / 255


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize(("wide", "high"), [(832, 480), (96, 64)])
def test_crop_is_the_published_one(width, height, wide, high):
    image = picture(width, height)
    fit = find_fit(width, height, Generation(width=wide, height=high, fit="crop"))
    # In steps of 8 bits, as there: what differs is a rounding of Pillow's, which picks the order of its two passes by
    # how much is cut off.
    apart = np.rint(255 * (fit.frame(image) - published(image, wide, high)))
    assert np.abs(apart).max() <= 1
    assert np.abs(apart).mean() < 0.3
    assert abs(apart.mean()) < 0.01


def test_footage_of_the_right_size_is_untouched():
    image = picture(832, 480)
    for kind in ("crop", "pad"):
        assert np.array_equal(find_fit(832, 480, Generation(fit=kind)).frame(image), image / np.float32(255))


@pytest.mark.parametrize(("width", "height"), SIZES[:4])
def test_sixteen_bits_are_kept(width, height):
    deep = picture(width, height).astype(np.uint16) * 257 + picture(width, height, 1)
    fit = find_fit(width, height, Generation(width=96, height=64, fit="crop"))
    whole = torch.from_numpy(deep / np.float32(65535)).permute(2, 0, 1)[None]
    scaled = torch.nn.functional.interpolate(whole, size=fit.scaled[::-1], mode="bilinear", antialias=True)
    left, top = -fit.corner[0], -fit.corner[1]
    expected = scaled[0, :, top : top + 64, left : left + 96].permute(1, 2, 0).numpy()
    assert np.abs(fit.frame(deep) - expected).max() < 1e-5


def test_alpha_is_left_out_and_colours_stay_as_they_are():
    image = picture(200, 100, channels=4)
    fit = find_fit(200, 100, Generation(width=96, height=64))
    assert np.array_equal(fit.frame(image), fit.frame(image[..., :3]))
    deep = image.astype(np.uint16) * 257
    assert np.array_equal(fit.frame(deep), fit.frame(deep[..., :3]))


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize(("wide", "high"), [(832, 480), (96, 64)])
def test_padding_keeps_the_whole_footage_in_the_middle_of_its_mirror_image(width, height, wide, high):
    image = picture(width, height)
    fit = find_fit(width, height, Generation(width=wide, height=high, fit="pad"))
    frame = fit.frame(image)
    left, top, right, bottom = fit.covered
    assert abs(left - (wide - right)) <= 1
    assert abs(top - (high - bottom)) <= 1
    assert (left, right) == (0, wide) or (top, bottom) == (0, high)
    assert (right - left, bottom - top) == fit.scaled
    whole = Image.fromarray(image).resize((right - left, bottom - top), Image.Resampling.BILINEAR)
    assert np.array_equal(frame[top:bottom, left:right], np.asarray(whole).astype(np.float32) / 255)
    # Mirrors at the footage's edges, again and again where the rest is larger than the footage.
    for start, end, size, axis in ((left, right, wide, 1), (top, bottom, high, 0)):
        for place in range(size):
            wave = (place - start) % (2 * (end - start))
            mirrored = start + min(wave, 2 * (end - start) - 1 - wave)
            assert np.array_equal(frame.take(place, axis), frame.take(mirrored, axis))


@pytest.mark.parametrize("kind", ["crop", "pad"])
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (300, 500), (1919, 1081)])
def test_the_lens_goes_where_the_footage_goes(kind, width, height):
    """A bright spot at a known place of the footage is found where the lens says that its ray ends."""
    fit = find_fit(width, height, Generation(width=192, height=112, fit=kind))
    lens = Intrinsics(fx=700, fy=650, cx=width * 0.45, cy=height * 0.55)
    mapped = fit.lens(lens)
    y, x = np.mgrid[0:height, 0:width] + 0.5
    for u, v in ((width * 0.42, height * 0.6), (width * 0.61, height * 0.4)):
        spot = np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * (width / 40) ** 2))
        frame = fit.frame((np.repeat(spot[..., None], 3, 2) * 65535).astype(np.uint16))[..., 0]
        left, top, right, bottom = fit.covered
        frame = np.pad(frame[top:bottom, left:right], ((top, 112 - bottom), (left, 192 - right)))
        rows, columns = np.mgrid[0:112, 0:192] + 0.5
        found = (frame * columns).sum() / frame.sum(), (frame * rows).sum() / frame.sum()
        expected = (
            mapped.cx + mapped.fx * (u - lens.cx) / lens.fx,
            mapped.cy + mapped.fy * (v - lens.cy) / lens.fy,
        )
        assert found == pytest.approx(expected, abs=0.05)


class Clip:
    def __init__(self, frames):
        self.frames = frames
        self.height, self.width = frames[0].shape[:2]
        self.asked = []

    def frame(self, index):
        self.asked.append(index)
        return self.frames[index]


def test_the_network_is_shown_frames_in_order_between_minus_one_and_one():
    clip = Clip([picture(200, 120, seed) for seed in range(5)])
    fit = find_fit(200, 120, Generation(width=64, height=48))
    steps = []
    video, transparent = show(clip, fit, [0.0, 1.0, 2.0, 3.0, 4.0], lambda *step: steps.append(step))
    assert video.shape == (1, 3, 5, 48, 64)
    assert video.dtype == torch.float32
    assert not transparent
    assert clip.asked == [0, 1, 2, 3, 4]
    assert steps == [(each, 5) for each in range(1, 6)]
    for index, image in enumerate(clip.frames):
        expected = torch.from_numpy(published(image, 64, 48)).permute(2, 0, 1)
        assert torch.allclose(video[0, :, index], (expected - 0.5) / 0.5, atol=1e-6)
        assert np.allclose(frame_of(video, index), published(image, 64, 48), atol=1e-6)


def test_what_raises_in_the_report_comes_out():
    clip = Clip([picture(64, 48)])

    class Stop(Exception):
        pass

    def report(done, total):
        raise Stop

    with pytest.raises(Stop):
        show(clip, find_fit(64, 48, Generation(width=64, height=48)), [0.0] * 5, report)


def test_a_still_is_read_once_and_shown_as_often_as_asked():
    clip = Clip([picture(64, 48)])
    video, _ = show(clip, find_fit(64, 48, Generation(width=64, height=48)), [0.0] * 5)
    assert clip.asked == [0]
    assert all(torch.equal(video[:, :, 0], video[:, :, index]) for index in range(5))


def test_instants_between_frames_are_between_them():
    still = picture(64, 48)
    video, _ = show(Clip([still, still]), find_fit(64, 48, Generation(width=64, height=48)), [0, 0.25, 0.5, 0.75, 1])
    assert all(torch.equal(video[:, :, 0], video[:, :, index]) for index in range(5))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_transparency_anywhere_is_told(dtype):
    opaque = np.full((48, 64, 4), np.iinfo(dtype).max, dtype)
    holed = opaque.copy()
    holed[20, 30, 3] -= 1
    fit = find_fit(64, 48, Generation(width=64, height=48))
    assert not show(Clip([opaque, opaque]), fit, [0.0, 1.0]).transparent
    assert show(Clip([opaque, holed]), fit, [0.0, 1.0]).transparent


def test_frames_come_back_from_any_type_and_are_clipped():
    video = torch.linspace(-2, 2, 3 * 2 * 4 * 4).reshape(1, 3, 2, 4, 4)
    frame = frame_of(video, 1)
    assert frame.dtype == np.float32
    assert frame.shape == (4, 4, 3)
    assert frame.min() == 0
    assert frame.max() == 1
    assert frame[2, 3, 1] == pytest.approx(float((video[0, 1, 1, 2, 3] + 1) / 2))
    assert np.allclose(frame_of(video.bfloat16(), 1), frame, atol=0.01)
