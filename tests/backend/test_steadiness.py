"""How steady footage is: pictures moved about by known amounts, the sample, and a shot of Big Buck Bunny."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import make_clip
from fake_workers import ROOT

from backend import contract
from backend.media.reader import open_footage, probe
from backend.previewing.steadiness import MOST_FRAMES, STILL, looked_at, steadiness, told
from backend.recammaster.shake import Shake
from backend.render import Cancelled
from samples import __path__ as samples

WIDTH, HEIGHT = 320, 184
BUNNY = Path(ROOT).parent / "shared" / "footage" / "bigbuckbunny.mp4"


@pytest.fixture(scope="module")
def picture():
    """Large, with something to hold on to at every size."""
    random = np.random.default_rng(3)
    whole = np.zeros((736, 1280, 3), np.float32)
    for cells in (8, 24, 72, 216):
        noise = random.uniform(0, 255, (cells * 23 // 40, cells, 3)).astype(np.float32)
        whole += cv2.resize(noise, (1280, 736), interpolation=cv2.INTER_CUBIC) / 4
    return np.clip(whole, 0, 255).astype(np.uint8)


def seen(picture, x=0.0, y=0.0, zoom=1.0):
    """The middle of it from a camera that has gone ``x`` and ``y`` pixels."""
    height, width = picture.shape[:2]
    matrix = np.array([[zoom, 0, WIDTH / 2 - zoom * (width / 2 + x)], [0, zoom, HEIGHT / 2 - zoom * (height / 2 + y)]])
    return cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)


def noisy(image, index):
    random = np.random.default_rng(index)
    return np.clip(image + random.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def with_people(image, index):
    """A dark figure, a quarter of the picture wide, that walks through it."""
    image = image.copy()
    left = round(-80 + 6 * index)
    image[40:, max(left, 0) : max(left + 80, 0)] //= 4
    return image


def hand(length, sway):
    """How a hand trembles along x and y, 2 to 8 Hz, with this standard deviation in pixels."""
    time = np.arange(length) / 24
    random = np.random.default_rng(5)
    waves = [
        sum(np.sin(2 * np.pi * (rate * time + random.uniform())) for rate in (2.1, 3.7, 5.3, 7.9)) for _ in range(2)
    ]
    return sway * np.stack([wave / wave.std() for wave in waves], axis=1)


def of_file(path, frames=None):
    clip = probe(path)
    shown = tuple(range(clip.frames)) if frames is None else frames
    return contract.Footage(kind="movie", files=(str(path),), frames=shown, width=clip.width, height=clip.height)


def measured(footage):
    return steadiness(footage, lambda _: None, lambda: False)


def of(folder, images, **options):
    return measured(of_file(make_clip(folder / "clip.mp4", images, **options)))


@pytest.mark.parametrize("spoil", [lambda image, _: image, noisy, with_people], ids=["clean", "noisy", "people"])
def test_a_camera_that_stands_is_still(folder, picture, spoil):
    found = of(folder, [spoil(seen(picture), index) for index in range(60)])
    assert found.kind == "still"
    assert found.moves < STILL / 2
    assert found.shake < 0.02


@pytest.mark.parametrize("spoil", [lambda image, _: image, noisy, with_people], ids=["clean", "noisy", "people"])
@pytest.mark.parametrize("pixels", [(96, 0), (-40, 30), (6, 0)])
def test_a_pan_is_smooth_and_as_far_as_it_goes(folder, picture, spoil, pixels):
    share = np.linspace(0, 1, 60) ** 2 * (3 - 2 * np.linspace(0, 1, 60))
    found = of(folder, [spoil(seen(picture, *(each * np.array(pixels))), index) for index, each in enumerate(share)])
    assert found.kind == "smooth"
    assert found.moves == pytest.approx(100 * np.hypot(*pixels) / WIDTH, rel=0.06, abs=0.2)


def test_a_zoom_moves_the_borders(folder, picture):
    """By 10 %: a point half-way to the right edge comes 5 % of half the width nearer to it."""
    found = of(folder, [seen(picture, zoom=1 + 0.1 * index / 59) for index in range(60)])
    assert found.kind == "smooth"
    assert 2.0 < found.moves < 5.0


@pytest.mark.parametrize("pan", [0, 90])
def test_a_hand_is_shaky_by_as_much_as_it_trembles(folder, picture, pan):
    sway = 1.5
    path = hand(72, sway) + np.linspace(0, 1, 72)[:, None] * [pan, 0]
    found = of(folder, [seen(picture, x, y) for x, y in path])
    assert found.kind == "shaky"
    assert found.shake == pytest.approx(100 * sway / WIDTH, rel=0.4)
    assert found.moves == pytest.approx(100 * pan / WIDTH, abs=1.2)


def test_the_samples_standing_camera_is_still():
    standing = measured(of_file(Path(samples[0]) / "footage" / "seed0_source.mp4"))
    assert standing.kind == "still"
    assert standing.moves < 0.1


@pytest.mark.skipif(not BUNNY.exists(), reason="no real footage here")
def test_real_footage_whose_camera_tilts_a_little_behind_a_rabbit():
    """The rocks at its right edge go down by 46 to 48 of 1280 pixels, as can be seen by eye, and some to the side."""
    found = measured(of_file(BUNNY, tuple(range(81))))
    assert found.kind == "smooth"
    assert 3.5 < found.moves < 5.0
    assert found.shake < 0.05


def test_it_is_shaky_where_a_take_warns_of_it():
    handheld = Shake(sway=0.0004, shared=0.8, frames=60, travel=0.3)
    assert told([handheld], 1, 1920, 1080).kind == "shaky"
    assert told([Shake(frames=60), handheld], 1, 1920, 1080).kind == "shaky"
    assert told([Shake(sway=0.0004, shared=0.5, frames=60)], 1, 1920, 1080).kind == "still"
    rolling = told([Shake(roll=1.0, shared=1.0, frames=60)], 1, 1920, 1080)
    assert rolling.kind == "shaky"
    assert rolling.shake == pytest.approx(0.87, abs=0.01), "at the ends, of half the width"
    upright = told([handheld], 1, 1080, 1920)
    assert upright.shake == pytest.approx(0.04 * 1920 / 1080, rel=0.01), (
        "in percent of the width, whichever side is longer"
    )


def test_long_footage_is_looked_at_in_two_places(folder, picture):
    """And what is seen of its way stands for all of it."""
    assert looked_at(MOST_FRAMES) == [range(MOST_FRAMES)]
    length = 400
    parts = looked_at(length)
    assert sum(map(len, parts)) == MOST_FRAMES
    assert 0 <= parts[0].start < parts[0].stop <= length // 2 <= parts[1].start < parts[1].stop <= length
    images = [seen(picture, 0.3 * index) for index in range(length)]
    found = of(folder, images)
    assert found.kind == "smooth"
    assert found.moves == pytest.approx(100 * 0.3 * length / WIDTH, rel=0.1)


def test_frames_as_the_timeline_shows_them(folder, picture):
    """Backwards, at half the speed: each frame twice."""
    clip = make_clip(folder / "clip.mp4", [seen(picture, 2 * index) for index in range(30)])
    found = measured(of_file(clip, tuple(index // 2 for index in range(59, -1, -1))))
    assert found.kind == "smooth"
    assert found.moves == pytest.approx(100 * 58 / WIDTH, rel=0.06)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_of_a_few_frames_nothing_can_be_told(folder, picture, count):
    found = of(folder, [seen(picture, 9 * index) for index in range(count)])
    assert (found.kind, found.shake, found.moves) == ("still", 0, 0)


def test_nothing_to_hold_on_to_is_still(folder):
    assert of(folder, [np.full((HEIGHT, WIDTH, 3), 128, np.uint8)] * 20).kind == "still"


@pytest.mark.parametrize("kind", ["8 bit", "16 bit", "RGBA"])
def test_pictures_of_any_kind(folder, picture, kind):
    files = []
    for index in range(24):
        image = seen(picture, 3 * index)
        if kind == "16 bit":
            image = image.astype(np.uint16) * 257
        if kind == "RGBA":
            image = np.dstack([image, np.full((HEIGHT, WIDTH), 200, np.uint8)])
        files.append(str(folder / f"{index}.png"))
        cv2.imencode(".png", image)[1].tofile(files[-1])
    footage = contract.Footage(kind="images", files=tuple(files), frames=tuple(range(24)), width=WIDTH, height=HEIGHT)
    assert measured(footage).moves == pytest.approx(100 * 69 / WIDTH, rel=0.06)


def test_a_cancel_is_heard_at_every_frame(folder, picture):
    footage = of_file(make_clip(folder / "clip.mp4", [seen(picture)] * 12))
    reports = []
    with pytest.raises(Cancelled):
        steadiness(footage, reports.append, lambda: len(reports) >= 5)
    assert len(reports) == 5
    assert reports[-1].total == 12


# The small frames that all this is seen in


@pytest.mark.parametrize(
    "options",
    [{}, {"rotation": 90}, {"codec": "libx264", "pix_fmt": "yuv444p10le"}, {"codec": "ffv1", "pix_fmt": "bgra"}],
    ids=["8 bit", "turned", "10 bit", "RGBA"],
)
def test_small_frames_show_what_the_whole_ones_do(folder, picture, options):
    image = seen(picture)
    if options.get("pix_fmt") == "bgra":
        image = np.dstack([image, np.full((HEIGHT, WIDTH), 255, np.uint8)])
    footage = of_file(make_clip(folder / "clip.mkv", [image] * 2, **options))
    with open_footage(footage) as reader:
        whole, small = reader.frame(1)[..., :3], reader.small(1, 100)
    assert max(small.shape) == 100
    assert small.shape[0] / small.shape[1] == pytest.approx(footage.height / footage.width, rel=0.02)
    scale = 255 / np.iinfo(whole.dtype).max
    shrunk = cv2.resize(np.ascontiguousarray(whole), small.shape[1::-1], interpolation=cv2.INTER_AREA) * scale
    # Chroma is shrunk in another order, so only gray is the same to a few levels.
    assert np.abs(small.mean(axis=2) - shrunk.mean(axis=2)).mean() < 3
    assert np.abs(small - shrunk).mean() < 6


def test_small_frames_are_no_larger_than_the_footage(folder, picture):
    footage = of_file(make_clip(folder / "clip.mp4", [seen(picture)] * 2))
    with open_footage(footage) as reader:
        assert reader.small(0, 2000).shape == (HEIGHT, WIDTH, 3)
