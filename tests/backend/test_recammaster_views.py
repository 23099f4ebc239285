"""What the take shows of the network's frame: against pictures of a far wall, drawn ray by ray for each lens."""

import dataclasses
import itertools

import numpy as np
import pytest
from raytraced import pose_at

from backend import contract
from backend.contract import Generation, Intrinsics
from backend.engines import Shot
from backend.recammaster.fitting import find_fit
from backend.recammaster.views import View, draw, find_views

STEP = 1e-6


def wall(x, y):
    """Colours by direction: x and y over z."""
    angles = [9 * x + 4 * y, 14 * y - 6 * x + 1, 11 * (x + y) + 2]
    return np.stack([0.5 + 0.2 * np.sin(each) + 0.2 * np.cos(3 * each) for each in angles], -1)


def seen(lens, width, height):
    """A picture of the wall, float from 0 to 1."""
    v, u = np.mgrid[0:height, 0:width] + 0.5
    return wall((u - lens.cx) / lens.fx, (v - lens.cy) / lens.fy)


def lens(width, height, focal, shift=(0.0, 0.0), squeeze=1.0):
    """``focal`` in widths of the frame, ``shift`` in frames."""
    return Intrinsics(
        fx=focal * width,
        fy=focal * width * squeeze,
        cx=width * (0.5 + shift[0]),
        cy=height * (0.5 + shift[1]),
    )


def shot(source, target, footage, take, *, stated=None):
    """Cameras that stand still, with a lens for each frame; the target's are stated for frames of another size."""
    pose = tuple(tuple(map(float, row)) for row in pose_at())
    width, height = stated or take
    scaled = tuple(each.scaled(width / take[0], height / take[1]) for each in target)
    return Shot(
        footage=None,
        depth=None,
        source=contract.Trajectory(
            width=footage[0], height=footage[1], poses=(pose,) * len(source), intrinsics=tuple(source)
        ),
        target=contract.Trajectory(width=width, height=height, poses=(pose,) * len(target), intrinsics=scaled),
        subject_distance=4.0,
        settings=contract.EngineSettings(),
        width=take[0],
        height=take[1],
    )


def psnr(one, other):
    return -10 * np.log10(max(float(((one - other) ** 2).mean()), 1e-10))


FOOTAGE, TAKE = (640, 360), (960, 540)
CASES = {
    "a longer lens": (lens(*FOOTAGE, 1.0), lens(*TAKE, 1.7), FOOTAGE, TAKE),
    "a much longer lens": (lens(*FOOTAGE, 1.0), lens(*TAKE, 4.0), FOOTAGE, TAKE),
    "a shifted lens": (lens(*FOOTAGE, 1.0), lens(*TAKE, 1.6, (0.12, -0.1)), FOOTAGE, TAKE),
    "a shifted source": (lens(*FOOTAGE, 1.0, (0.05, 0.03)), lens(*TAKE, 1.6), FOOTAGE, TAKE),
    "a smaller take": (lens(*FOOTAGE, 1.0), lens(160, 90, 1.2), FOOTAGE, (160, 90)),
    "a portrait out of a landscape": (lens(*FOOTAGE, 1.0), lens(270, 480, 3.3), FOOTAGE, (270, 480)),
    "footage that is squeezed": (lens(*FOOTAGE, 1.0, squeeze=0.8), lens(*TAKE, 1.5), FOOTAGE, TAKE),
    "portrait footage": (lens(360, 640, 1.0), lens(540, 300, 1.9), (360, 640), (540, 300)),
}


@pytest.mark.parametrize("kind", ["crop", "pad"])
@pytest.mark.parametrize("case", CASES)
def test_what_lies_within_the_network_frame_is_seen_as_the_target_sees_it(case, kind):
    """The network gives its footage back; the take is then what the target's lens sees, wherever the footage lies."""
    own, wanted, footage, take = CASES[case]
    fit = find_fit(*footage, Generation(width=416, height=240, fit=kind))
    frame = fit.frame(np.rint(seen(own, *footage) * 65535).astype(np.uint16))
    (view,) = find_views(shot([own], [wanted], footage, take, stated=(100, 90)), fit)
    assert view.kept == 1
    assert view.moved == pytest.approx(0)
    image = draw(frame, view, *take, np.uint16, 3)
    assert image.shape == (take[1], take[0], 3)
    inside = np.s_[4:-4, 4:-4]
    assert psnr(image[inside] / 65535, seen(wanted, *take)[inside]) > 40


def test_a_view_wider_than_the_network_frame_is_narrowed_to_it_in_its_own_shape():
    own, wanted = lens(*FOOTAGE, 1.0), lens(*TAKE, 0.8)
    fit = find_fit(*FOOTAGE, Generation(width=416, height=240, fit="pad"))
    frame = fit.frame(np.rint(seen(own, *FOOTAGE) * 65535).astype(np.uint16))
    (view,) = find_views(shot([own], [wanted], FOOTAGE, TAKE), fit)
    assert view.kept == pytest.approx(0.8, abs=1e-3)
    assert view.window == pytest.approx((0, 3, 416, 237), abs=0.3)
    got = draw(frame, view, *TAKE, np.uint16, 3) / 65535
    assert psnr(got[4:-4, 4:-4], seen(lens(*TAKE, 0.8 / view.kept), *TAKE)[4:-4, 4:-4]) > 40


def test_padding_keeps_what_cropping_loses_and_never_shows_the_mirror_image():
    """16:9 footage in 832x480 loses 2.5 % of its width to the crop."""
    own, wanted = lens(1920, 1080, 1.0), lens(1920, 1080, 1.0)
    asked = shot([own], [wanted], (1920, 1080), (1920, 1080))
    (cropped,) = find_views(asked, find_fit(1920, 1080, Generation()))
    assert cropped.kept == pytest.approx(832 / 853, abs=1e-3)
    assert cropped.window[0] == pytest.approx(0)
    assert cropped.window[2] == pytest.approx(832)
    # In the take's pixels the window is as high as wide: 832 of 853 of 480.
    assert cropped.window[3] - cropped.window[1] == pytest.approx(480 * cropped.kept)
    (padded,) = find_views(asked, find_fit(1920, 1080, Generation(fit="pad")))
    assert padded == View((0, 6, 832, 474), 1, 0)


def test_a_view_shifted_out_of_the_network_frame_is_moved_into_it():
    own, wanted = lens(*FOOTAGE, 1.0), lens(*TAKE, 2.0, shift=(-0.9, 0.0))
    fit = find_fit(*FOOTAGE, Generation(width=416, height=240, fit="pad"))
    (view,) = find_views(shot([own], [wanted], FOOTAGE, TAKE), fit)
    # Half as wide as the frame; its middle is asked for at 1/2 + 0.45 of the width, and can be at 3/4.
    assert view.kept == 1
    assert view.window == pytest.approx((208, 61.5, 416, 178.5), abs=0.3)
    assert view.moved == pytest.approx(0.2, abs=1e-3)


def test_windows_stay_within_the_network_frame_whatever_is_asked_for():
    random = np.random.default_rng(0)
    for _ in range(300):
        footage, take = ((int(each) for each in random.integers(1, 3000, 2)) for _ in range(2))
        footage, take = tuple(footage), tuple(take)
        own = lens(*footage, 10 ** random.uniform(-2, 3), random.uniform(-2, 2, 2))
        wanted = lens(*take, 10 ** random.uniform(-3, 5), random.uniform(-2, 2, 2))
        kind = random.choice(["crop", "pad"])
        fit = find_fit(*footage, Generation(width=48, height=32, fit=str(kind)))
        (view,) = find_views(shot([own], [wanted], footage, take), fit)
        left, top, right, bottom = fit.covered
        assert left - STEP <= view.window[0] <= view.window[2] <= right + STEP
        assert top - STEP <= view.window[1] <= view.window[3] <= bottom + STEP
        assert 0 < view.kept <= 1
        assert draw(np.zeros((32, 48, 3), np.float32), view, 5, 4, np.uint8, 3).shape == (4, 5, 3)


def test_each_frame_has_the_lenses_of_its_instant():
    own = [lens(*FOOTAGE, focal) for focal in (1.0, 1.0, 1.5)]
    wanted = [lens(*TAKE, focal) for focal in (1.0, 2.0, 3.0)]
    fit = find_fit(*FOOTAGE, Generation(width=416, height=240, fit="pad"))
    widths = [view.window[2] - view.window[0] for view in find_views(shot(own, wanted, FOOTAGE, TAKE), fit)]
    assert widths == pytest.approx([416, 208, 208])


def test_a_zoom_that_starts_too_wide_is_smooth():
    wanted = [lens(*TAKE, focal) for focal in np.linspace(0.9, 1.4, 26)]
    fit = find_fit(*FOOTAGE, Generation(width=416, height=240))
    windows = [view.window for view in find_views(shot([lens(*FOOTAGE, 1.0)] * 26, wanted, FOOTAGE, TAKE), fit)]
    widths = [right - left for left, _, right, _ in windows]
    assert all(0 <= one - other < 12 for one, other in itertools.pairwise(widths))
    assert all(left == pytest.approx(416 - right, abs=1.01) for left, _, right, _ in windows)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [3, 4])
def test_nothing_to_do_gives_every_pixel_back(dtype, channels):
    size = (96, 64)
    white = np.iinfo(dtype).max
    image = np.random.default_rng(3).integers(0, white + 1, (64, 96, channels)).astype(dtype)
    fit = find_fit(*size, Generation(width=96, height=64))
    (view,) = find_views(shot([lens(*size, 1.1)], [lens(*size, 1.1)], size, size, stated=(1920, 1280)), fit)
    assert view == View((0, 0, 96, 64), 1, 0)
    drawn = draw(fit.frame(image), view, *size, dtype, channels)
    assert drawn.dtype == dtype
    assert drawn.shape == image.shape
    assert np.abs(drawn[..., :3].astype(int) - image[..., :3]).max() == 0
    assert (drawn[..., 3:] == white).all()


def test_a_window_of_the_take_size_at_whole_pixels_is_copied():
    image = np.random.default_rng(3).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    drawn = draw(image / np.float32(255), View((10, 20, 50, 60), 1, 0), 40, 40, np.uint8, 3)
    assert np.array_equal(drawn, image[20:60, 10:50])


def test_ringing_does_not_wrap_around():
    frame = np.zeros((32, 32, 3), np.float32)
    frame[:, 16:] = 1
    drawn = draw(frame, View((0, 0, 32, 32), 1, 0), 320, 320, np.uint8, 3)
    assert (np.diff(drawn[100, :, 0].astype(int)) >= -30).all()  # Lanczos' filter swings by a tenth of a step
    assert drawn[:, :80].max() < 30
    assert drawn[:, 240:].min() > 225


def test_making_it_smaller_does_not_alias():
    frame = np.zeros((128, 128, 3), np.float32)
    frame[:, ::2] = 1
    drawn = draw(frame, View((0, 0, 128, 128), 1, 0), 37, 37, np.uint8, 3)
    assert np.abs(drawn[:, 2:-2].astype(int) - 128).max() < 6


def test_views_do_not_depend_on_poses():
    source, target = [lens(*FOOTAGE, 1.0)] * 2, [lens(*TAKE, 1.5)] * 2
    still = shot(source, target, FOOTAGE, TAKE)
    far = tuple(tuple(map(float, row)) for row in pose_at((3, 2, 1), turn=40))
    moved = dataclasses.replace(still, target=dataclasses.replace(still.target, poses=(far, far)))
    fit = find_fit(*FOOTAGE, Generation())
    assert find_views(still, fit) == find_views(moved, fit)
