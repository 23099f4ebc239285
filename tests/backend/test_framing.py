"""Footage of any shape and takes of any shape: which part of the footage the network is shown."""

import dataclasses

import numpy as np
import pytest
from raytraced import lens_for, pose_at, trajectory

from backend.cameras.framing import Framed, cropped, find_views, place, settle
from backend.contract import ContractError, Generation
from backend.recammaster.fitting import find_fit

LANDSCAPE, PORTRAIT, SQUARE, SCOPE = (1280, 720), (480, 832), (720, 720), (1920, 804)
STILL = (pose_at(),)


def framed(footage, take, target=STILL, *, angle=50.0, longer=1.0, shift=(0.0, 0.0), distance=4.0):
    """The take has the footage's lens, longer by a factor and shifted by shares of its frame; the source stands."""
    lens = lens_for(*footage, angle)
    focal = lens.fx * longer * max(take[0] / footage[0], take[1] / footage[1])
    own = dataclasses.replace(lens, fx=focal, fy=focal, cx=take[0] * (0.5 + shift[0]), cy=take[1] * (0.5 + shift[1]))
    source = trajectory([pose_at()] * len(target), lens, *footage)
    return Framed(source, trajectory(target, own, *take), footage, take, distance)


def shown(case, **generation):
    """The settings as they are settled, and the views that come of them."""
    settled = settle(case, Generation(**generation))
    return settled, find_views(case, place(*case.footage, settled))


# Crop or pad


@pytest.mark.parametrize("footage", [(1280, 720), (1920, 1080), (1919, 1081), (640, 360), (832, 480), (1664, 960)])
@pytest.mark.parametrize("longer", [0.6, 1.0, 2.5])
@pytest.mark.parametrize("fit", ["auto", "crop"])
def test_footage_of_about_the_networks_shape_is_cropped_as_published(footage, longer, fit):
    target = [pose_at(turn=angle, tilt=angle / 2) for angle in (0, 8, 16)]
    case = framed(footage, footage, target, longer=longer, shift=(0.1, 0.2))
    settled, _ = shown(case, fit=fit)
    assert settled == Generation(fit="crop")
    assert find_fit(*footage, settled) == find_fit(*footage, Generation(fit="crop"))
    width, height = find_fit(*footage, settled).scaled
    assert find_fit(*footage, settled).corner == (-round((width - 832) / 2), -round((height - 480) / 2))


@pytest.mark.parametrize(
    ("footage", "take", "fit"),
    [
        (PORTRAIT, PORTRAIT, "pad"),
        (PORTRAIT, SQUARE, "pad"),
        (SQUARE, SQUARE, "pad"),
        (SCOPE, SCOPE, "crop"),
        ((1440, 1080), (1440, 1080), "crop"),
        (LANDSCAPE, PORTRAIT, "crop"),
        (LANDSCAPE, SQUARE, "crop"),
        (LANDSCAPE, SCOPE, "crop"),
        ((4000, 400), (4000, 400), "pad"),
    ],
)
def test_what_the_take_shows_decides_between_crop_and_pad(footage, take, fit):
    settled, views = shown(framed(footage, take), fit="auto")
    assert settled.fit == fit
    assert min(each.kept for each in views) > 0.6
    assert max(each.moved for each in views) < 0.001


def test_portrait_footage_is_cropped_for_a_landscape_take_that_fits_in():
    """The whole width is seen, and little of the height: padded, the take would have a third of the pixels."""
    lens = lens_for(*PORTRAIT)
    own = lens.scaled(1280 / 480, 1280 / 480)
    own = dataclasses.replace(own, cx=640, cy=360)
    case = Framed(trajectory(STILL, lens, *PORTRAIT), trajectory(STILL, own, *LANDSCAPE), PORTRAIT, LANDSCAPE, 4.0)
    settled, (view,) = shown(case, fit="auto")
    assert settled.fit == "crop"
    assert view.kept > 0.99
    assert view.window[2] - view.window[0] > 820


def test_what_was_chosen_is_kept():
    for fit in ("crop", "pad"):
        for footage in (PORTRAIT, LANDSCAPE):
            assert settle(framed(footage, footage), Generation(fit=fit)).fit == fit


# Where a crop lies


def test_a_crop_goes_to_where_the_target_camera_looks():
    """A long lens on portrait footage: the network's frame holds its view wherever it is put by a little."""
    for tilt in (-12, 0, 12):
        target = [pose_at(tilt=tilt * share) for share in (0, 0.5, 1)]
        case = framed(PORTRAIT, LANDSCAPE, target, longer=2.5)
        _, views = shown(case, fit="crop")
        assert all(each.kept == 1 for each in views)
        assert max(each.moved for each in views) == pytest.approx(0, abs=1e-6)
        left, top, right, bottom = cropped(case, Generation(fit="crop"))
        assert (left, right) == (0, 1)
        assert np.sign(round((top + bottom) / 2 - 0.5, 3)) == -np.sign(tilt), "up is a smaller y"


def test_a_crop_follows_a_shifted_lens():
    """Scope footage loses at its sides; a take of the middle of its left half needs those."""
    case = framed((2400, 800), (800, 600), shift=(1.2, 0.0), longer=2.0)
    _, (about_the_centre,) = shown(case, fit="crop", focus_x=0.5)
    settled, (view,) = shown(case, fit="crop")
    assert about_the_centre.moved > 0.05
    assert view.moved == pytest.approx(0, abs=1e-3)
    assert settled.focus_x < 0.45


def test_what_a_crop_is_about_can_be_said():
    case = framed(PORTRAIT, LANDSCAPE, longer=1.0)
    height = 480 / (832 * 832 / 480)  # of the footage, in its heights
    for focus, middle in ((0.3, 0.3), (0.7, 0.7), (0.0, height / 2), (1.0, 1 - height / 2)):
        chosen = Generation(fit="crop", focus_x=0.9, focus_y=focus)
        left, top, right, bottom = cropped(case, chosen)
        assert (left, right) == (0, 1)
        assert (top + bottom) / 2 == pytest.approx(middle, abs=0.001)
        assert bottom - top == pytest.approx(height, abs=0.001)
        (view,) = find_views(case, place(*PORTRAIT, settle(case, chosen)))
        assert view.kept > 0.99


def test_a_focus_holds_for_footage_of_about_the_networks_shape_too():
    left, _, right, _ = cropped(framed(LANDSCAPE, LANDSCAPE), Generation(focus_x=0.0))
    assert (left, right) == (0, pytest.approx(832 / 853))


def test_the_middle_is_what_nobody_says_otherwise():
    for footage in (PORTRAIT, SQUARE, SCOPE, (1440, 1080)):
        assert settle(framed(footage, footage), Generation(fit="crop")) == Generation(fit="crop")


def test_what_is_cropped_is_not_shown():
    """A spot inside of what is said to be shown is in the network's frame, and one outside is not."""
    image = np.zeros((800, 2400, 3), np.uint8)
    case = framed((2400, 800), (2400, 800))
    chosen = settle(case, Generation(fit="crop", focus_x=0.3))
    left, top, right, bottom = cropped(case, chosen)
    for x, is_shown in ((left - 0.02, False), (left + 0.02, True), (right - 0.02, True), (right + 0.02, False)):
        spot = image.copy()
        spot[390:410, int(x * 2400) - 10 : int(x * 2400) + 10] = 255
        assert (find_fit(2400, 800, chosen).frame(spot).max() > 0.5) == is_shown
    assert (top, bottom) == (0, 1)


def test_all_is_shown_where_it_is_padded():
    for footage in (PORTRAIT, SQUARE, (4000, 400), (1, 900)):
        assert cropped(framed(footage, footage), Generation(fit="pad")) == (0, 0, 1, 1)


def test_cameras_that_see_nothing_of_the_footage_leave_the_crop_in_the_middle():
    case = framed(PORTRAIT, LANDSCAPE, [pose_at(turn=180)], longer=3.0)
    assert settle(case, Generation(fit="crop")) == Generation(fit="crop")


def test_any_shapes_and_cameras_come_to_something():
    random = np.random.default_rng(0)
    for _ in range(200):
        footage, take = (tuple(int(10**each) for each in random.uniform(0, 4, 2)) for _ in range(2))
        target = [pose_at(random.uniform(-3, 3, 3), *random.uniform(-180, 180, 2)) for _ in range(2)]
        case = framed(footage, take, target, longer=10 ** random.uniform(-1, 2), shift=random.uniform(-1, 1, 2))
        fit = str(random.choice(["crop", "pad", "auto"]))
        generation = Generation(width=48, height=32, fit=fit)
        settled = settle(case, generation)
        placement = place(*footage, settled)
        assert placement.covered[0] >= 0
        assert placement.covered[3] <= 32
        if settled.fit == "crop":
            assert placement.covered == (0, 0, 48, 32)
        left, top, right, bottom = cropped(case, generation)
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
        for view in find_views(case, placement):
            assert 0 < view.kept <= 1


# What a take is known by


def test_takes_from_before_keep_their_identity():
    known = Generation(fit="crop").identity(str, LANDSCAPE)
    assert not {"focus_x", "focus_y"} & known.keys()
    assert Generation().identity(str, LANDSCAPE) == known
    assert Generation().identity(str, SCOPE) == known
    assert Generation().identity(str, PORTRAIT)["fit"] == "auto"
    assert Generation(fit="crop").identity(str, PORTRAIT)["fit"] == "crop"
    assert Generation(focus_x=0.4).identity(str, LANDSCAPE) != known


@pytest.mark.parametrize("name", ["focus_x", "focus_y"])
@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_a_focus_lies_in_the_footage(name, value):
    with pytest.raises(ContractError, match=name):
        Generation(**{name: value})
