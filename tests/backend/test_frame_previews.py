"""Pictures of a take that is being made by an engine that shows none of its own: the newest frame, once in a while."""

import tempfile
import time

import cv2
import engines_for_tests
import numpy as np
import pytest
from clips import make_clip, number_in
from jobs import make_job

from backend import engines, render
from backend.engines import Frame


class Made(engines_for_tests.Copy):
    """Frames that were made for the test instead of the footage's."""

    images: list[np.ndarray] = []  # noqa: RUF012

    def frames(self, shot, report):
        for index, image in enumerate(self.images):
            yield Frame(image, np.zeros(image.shape[:2], np.uint8))
            report("drawing", index + 1, shot.length)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary é"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by what it is told to, frame by frame."""
    now = [time.monotonic()]
    monkeypatch.setattr(render.time, "monotonic", lambda: now[0])
    return now


def pictures(job, each=lambda: None):
    """What could be seen at each report of a drawn frame, and whether there was something."""
    seen = []

    def look(progress):
        if progress.phase == "drawing":
            each()
            seen.append(cv2.imread(progress.preview)[..., ::-1] if progress.preview else None)

    render.render(job, look, lambda: False)
    return seen


def test_the_newest_frame_is_shown_once_a_second_and_goes_with_the_job(folder, temporary, clock, monkeypatch):
    monkeypatch.setattr(engines, "create", Made)
    monkeypatch.setattr(Made, "images", [np.full((48, 64, 3), 20 * index, np.uint8) for index in range(8)])

    def pass_on():
        clock[0] += 0.4

    seen = [int(each[0, 0, 0]) for each in pictures(make_job(folder, 8), pass_on)]
    # The first at once; from then on whichever is newest after a second.
    assert seen == [0, 0, 0, 60, 60, 60, 120, 120]
    assert list(temporary.iterdir()) == []


def test_a_wide_frame_is_shown_480_wide(folder, monkeypatch):
    monkeypatch.setattr(engines, "create", Made)
    wide = np.zeros((600, 1200, 3), np.uint8)
    wide[:, 600:] = 200, 100, 0
    monkeypatch.setattr(Made, "images", [wide])
    (seen,) = pictures(make_job(folder, 1, width=1200, height=600))
    assert seen.shape == (240, 480, 3)
    assert seen[100, 100].tolist() == [0, 0, 0]
    assert seen[100, 400].tolist() == [200, 100, 0]


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        (np.full((48, 64, 3), (65535, 32768, 0), np.uint16), [255, 128, 0]),
        (np.full((48, 64, 4), (255, 128, 0, 255), np.uint8), [255, 128, 0]),
        (np.full((48, 64, 4), (255, 128, 0, 0), np.uint8), [0, 0, 0]),
        (np.full((48, 64, 4), (65535, 65535, 0, 32768), np.uint16), [127, 127, 0]),
    ],
    ids=["16 bit", "RGBA", "transparent", "half transparent, 16 bit"],
)
def test_frames_of_any_kind_are_shown(folder, monkeypatch, image, shown):
    monkeypatch.setattr(engines, "create", Made)
    monkeypatch.setattr(Made, "images", [image])
    (seen,) = pictures(make_job(folder, 1, path=str(folder / "take_v001.mov"), format="prores4444"))
    assert np.abs(seen[10, 10].astype(int) - shown).max() <= 1


def test_an_engine_that_shows_something_is_not_talked_over(folder, monkeypatch, clock):
    class Showing(Made):
        def frames(self, shot, report):
            report("sampling", 1, 1, preview=np.full((5, 5, 3), 99, np.uint8))
            yield from super().frames(shot, report)

    monkeypatch.setattr(engines, "create", Showing)
    monkeypatch.setattr(Made, "images", [np.zeros((48, 64, 3), np.uint8)] * 3)

    def pass_on():
        clock[0] += 5.0

    assert [each[0, 0, 0] for each in pictures(make_job(folder, 3), pass_on)] == [99, 99, 99]


def test_reproject_shows_its_frames(folder):
    """The real engine, whose preview is one of the footage's pictures, as the camera stands still."""
    seen = []

    def look(progress):
        if progress.preview:
            seen.append(number_in(cv2.imread(progress.preview)[..., ::-1]))

    render.render(make_job(folder, 8, clip=make_clip(folder / "numbered.mp4", 8)), look, lambda: False)
    assert seen[0] == 0
    assert set(seen) <= set(range(8))
