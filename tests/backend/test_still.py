"""One frame of a take for a look: the same pixels as the take's, whatever the footage, and soon."""

import os
import time
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from clips import make_clip, number_in
from raytraced import lens_for, pose_at, psnr, trajectory
from shots import make_shot, take

from backend import contract
from backend.contract import ContractError
from backend.engines import Frame
from backend.foresight import moment
from backend.media.errors import FootageError
from backend.media.reader import open_footage
from backend.previewing.readers import Readers
from backend.previewing.still import RED, TINT, pixels, still
from backend.render import Cancelled

WIDTH, HEIGHT = 208, 120
LENS = lens_for(WIDTH, HEIGHT)


@pytest.fixture
def readers():
    made = Readers()
    yield made
    made.close()


def make_job(footage, target, *, depth=None, size=(WIDTH, HEIGHT), lens=LENS):
    count = len(footage.frames)
    settings = contract.EngineSettings()
    if depth is not None:
        settings = contract.EngineSettings(depth=contract.Depth(kind="file", files=(str(depth),) * count))
    return contract.Job(
        footage=footage,
        source=trajectory([pose_at()] * count, lens_for(footage.width, footage.height), footage.width, footage.height),
        target=trajectory([target] * count, lens, *size),
        settings=settings,
        output=contract.Output(path="/nowhere/take_v001.mp4", width=size[0], height=size[1], rate=Fraction(24)),
    )


def movie(path, frames, width=WIDTH, height=HEIGHT, **options):
    make_clip(path, frames, width, height, **options)
    count = frames if isinstance(frames, int) else len(frames)
    return contract.Footage(kind="movie", files=(str(path),), frames=tuple(range(count)), width=width, height=height)


def pictures(folder, images, ending=".png"):
    files = []
    for index, image in enumerate(images):
        files.append(str(folder / f"{index:04}{ending}"))
        order = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
        cv2.imencode(ending, cv2.cvtColor(image, order))[1].tofile(files[-1])
    height, width = images[0].shape[:2]
    frames = tuple(range(len(files)))
    return contract.Footage(kind="images", files=tuple(files), frames=frames, width=width, height=height)


def drawn(job, folder, readers, *, index=0, tint=False):
    """The picture (h, w, 4) as one looks at it, from the top down, and what was told of it."""
    path = str(folder / "still.rgba")
    found = still(moment(job, index), path, tint, lambda _: None, lambda: False, readers)
    values = np.fromfile(path, np.float32).reshape(found.height, found.width, 4)
    return values[::-1], found


def scene(random=0):
    """A textured card before a textured wall, (h, w, 3), and its depth."""
    noise = np.random.default_rng(random).integers(0, 256, (HEIGHT // 4, WIDTH // 4, 3), np.uint8)
    image = cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    depth = np.full((HEIGHT, WIDTH), 5.0, np.float32)
    depth[40:90, 70:130] = 2.0
    return image, depth


@pytest.mark.parametrize("with_depth", [True, False])
def test_it_is_what_the_engine_draws(folder, readers, with_depth):
    """To the last bit, in a take of one frame, which has no others to look into."""
    image, depth = scene()
    target = pose_at((0.3, 0.1, -0.2), turn=4)
    np.save(folder / "depth.npy", depth)
    job = make_job(pictures(folder, [image]), target, depth=folder / "depth.npy" if with_depth else None)
    found, told = drawn(job, folder, readers)
    shot = make_shot([image], [depth] if with_depth else None, [pose_at()], [target], lens=LENS)
    (frame,) = take(shot)[1]
    assert np.rint(found[..., :3] * 255).astype(np.uint8).tolist() == frame.image.tolist()
    assert (found[..., 3] == 1).all()
    assert told.invented == pytest.approx(frame.invented.mean() / 255)
    assert told.invented > 0.02


def test_the_frame_is_the_one_that_was_asked_for(folder, readers):
    footage = movie(folder / "clip.mp4", 30, options={"g": "12", "crf": "10"})
    footage = replace(footage, frames=tuple(reversed(range(30))))
    job = make_job(footage, pose_at())
    for index in (0, 29, 12, 13, 3, 3, 28, 1):
        found, told = drawn(job, folder, readers, index=index)
        assert number_in((found[..., :3] * 255).astype(np.uint8)) == 29 - index
        assert told.invented == 0


def test_a_still_camera_gives_the_footage_back(folder, readers):
    footage = movie(folder / "clip.mp4", 3)
    found, _ = drawn(make_job(footage, pose_at()), folder, readers, index=2)
    with open_footage(footage) as reader:
        assert np.rint(found[..., :3] * 255).astype(np.uint8).tolist() == reader.frame(2).tolist()


def test_rows_run_from_the_bottom_up():
    image = np.zeros((4, 2, 3), np.uint8)
    image[0] = 255, 0, 51
    values = pixels(Frame(image, np.zeros((4, 2), np.uint8)), tint=True)
    assert values.dtype == np.float32
    assert values[3, 0] == pytest.approx([1, 0, 0.2, 1])
    assert values[0, 0].tolist() == [0, 0, 0, 1]


def test_what_is_invented_is_reddened_by_how_much_it_is():
    image = np.full((1, 3, 3), 102, np.uint8)
    frame = Frame(image, np.array([[0, 255, 127]], np.uint8))
    plain, red = (pixels(frame, tint=tint)[0] for tint in (False, True))
    assert plain[:, :3] == pytest.approx(np.full((3, 3), 0.4))
    assert red[0] == pytest.approx([0.4, 0.4, 0.4, 1])
    assert red[1, :3] == pytest.approx([0.4 + TINT * (each - 0.4) for each in RED], abs=1e-6)
    assert red[2, :3] == pytest.approx((red[0, :3] + red[1, :3]) / 2, abs=0.002)


def test_straight_alpha_and_16_bits_are_kept(folder, readers):
    """A camera that goes closer: colours from the middle, those of half-transparent pixels not darkened."""
    image = np.zeros((HEIGHT, WIDTH, 4), np.uint16)
    image[...] = 40000, 20000, 3, 32768
    image[:, : WIDTH // 2, 3] = 65535
    job = make_job(pictures(folder, [image]), pose_at((0, 0, 1.0)))
    found, told = drawn(job, folder, readers, tint=True)
    assert told.invented == 0
    for column, alpha in ((20, 1.0), (-20, 32768 / 65535)):
        assert found[60, column] == pytest.approx([40000 / 65535, 20000 / 65535, 3 / 65535, alpha], abs=2e-5)


@pytest.mark.parametrize("with_depth", [True, False])
def test_a_small_still_of_large_footage_shows_the_same(folder, readers, with_depth):
    """Shrunk before it is drawn, it is what the large one is when that is shrunk."""
    image, depth = scene()
    large = cv2.resize(image, (4 * WIDTH, 4 * HEIGHT), interpolation=cv2.INTER_CUBIC)
    np.save(folder / "depth.npy", np.repeat(np.repeat(depth, 4, 0), 4, 1))
    footage = pictures(folder, [large])
    path = folder / "depth.npy" if with_depth else None
    target = pose_at((0.3, 0, 0))
    whole_size = (4 * WIDTH, 4 * HEIGHT)
    whole, told = drawn(
        make_job(footage, target, depth=path, size=whole_size, lens=lens_for(*whole_size)), folder, readers
    )
    small, of_small = drawn(make_job(footage, target, depth=path), folder, readers)
    shrunk = cv2.resize(np.ascontiguousarray(whole), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    assert psnr(small * 255, shrunk * 255) > 30
    assert of_small.invented == pytest.approx(told.invented, abs=0.005)


def test_more_than_one_frame_is_refused(folder, readers):
    job = make_job(movie(folder / "clip.mp4", 3), pose_at())
    with pytest.raises(ContractError, match=r"^job\.footage\.frames: found 3 entries"):
        still(job, str(folder / "x"), False, lambda _: None, lambda: False, readers)


def test_a_cancel_leaves_nothing(folder, readers):
    job = moment(make_job(movie(folder / "clip.mp4", 3), pose_at()), 0)
    asked = []
    before = set(folder.iterdir())
    for after in range(3):
        asked.clear()
        with pytest.raises(Cancelled):
            still(
                job,
                str(folder / "x"),
                False,
                lambda _: None,
                lambda after=after: asked.append(0) or len(asked) > after,
                readers,
            )
    assert set(folder.iterdir()) == before


def test_the_file_is_replaced_whole_or_stays(folder, readers, monkeypatch):
    job = make_job(movie(folder / "clip.mp4", 3), pose_at())
    first, _ = drawn(job, folder, readers)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        drawn(job, folder, readers, index=1)
    values = np.fromfile(folder / "still.rgba", np.float32).reshape(HEIGHT, WIDTH, 4)
    assert (values[::-1] == first).all()
    assert not list(folder.glob(".recam-*"))


# Footage that stays open


def test_footage_is_opened_once(folder, readers, monkeypatch):
    opened = []
    from backend.previewing import readers as module

    monkeypatch.setattr(module, "open_footage", lambda footage: opened.append(footage) or open_footage(footage))
    job = make_job(movie(folder / "clip.mp4", 8), pose_at())
    for index in (0, 5, 2, 7):
        drawn(job, folder, readers, index=index)
    assert len(opened) == 1


def test_only_the_last_few_stay_open(folder):
    readers = Readers(most=2)
    jobs = [make_job(movie(folder / f"{index}.mp4", 2), pose_at()) for index in range(4)]
    for job in (*jobs, jobs[2]):
        drawn(job, folder, readers)
        assert len(readers) <= 2
    readers.close()
    assert len(readers) == 0


def test_footage_that_was_replaced_is_read_anew(folder, readers):
    path = folder / "clip.mp4"
    job = make_job(movie(path, [np.full((HEIGHT, WIDTH, 3), 50, np.uint8)] * 2), pose_at())
    assert drawn(job, folder, readers)[0][9, 9, 0] == pytest.approx(50 / 255, abs=0.02)
    path.unlink()
    movie(path, [np.full((HEIGHT, WIDTH, 3), 200, np.uint8)] * 3)
    assert drawn(job, folder, readers)[0][9, 9, 0] == pytest.approx(200 / 255, abs=0.02)
    assert len(readers) == 1


def test_an_error_closes_the_footage_and_the_next_look_is_fine(folder, readers):
    job = make_job(movie(folder / "clip.mp4", 3), pose_at())
    drawn(job, folder, readers)
    beyond = replace(job, footage=replace(job.footage, frames=(0, 1, 900)))
    with pytest.raises(FootageError, match="ends after 3 frames"):
        drawn(beyond, folder, readers, index=2)
    assert len(readers) == 0
    drawn(job, folder, readers)


def test_what_nobody_looks_at_is_closed_after_a_while(folder):
    readers = Readers(idle=0.2)
    job = make_job(movie(folder / "clip.mp4", 3), pose_at())
    for _ in range(2):  # it can be opened again, and is closed again
        drawn(job, folder, readers)
        assert len(readers) == 1
        until = time.monotonic() + 10
        while len(readers) and time.monotonic() < until:
            time.sleep(0.01)
        assert len(readers) == 0
