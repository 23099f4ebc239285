"""Pictures of a take that is being made: there while it is, gone afterwards, and never worth a take."""

import tempfile
from pathlib import Path

import cv2
import engines_for_tests
import numpy as np
import pytest
from jobs import make_job

from backend import engines
from backend.render import Cancelled, render


class Previewing(engines_for_tests.Copy):
    """Shows a picture as red as frames are done."""

    def frames(self, shot, report):
        for index, frame in enumerate(super().frames(shot, report)):
            preview = np.zeros((6, 9, 3), np.uint8)
            preview[..., 0] = 10 * (index + 1)
            report("drawing", index + 1, shot.length, seconds_left=1.5, preview=preview)
            yield frame


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    monkeypatch.setattr(engines, "create", Previewing)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary é"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_the_latest_picture_is_there_while_the_job_runs_and_gone_with_it(folder, temporary):
    seen = []

    def look(progress):
        if progress.preview:
            seen.append((cv2.imread(progress.preview)[0, 0].tolist(), progress.seconds_left))

    render(make_job(folder, 8), look, lambda: False)
    assert [0, 0, 10] in [colour for colour, _ in seen], "blue, green, red"
    assert seen[-1][0] == [0, 0, 80]
    assert (seen[0][0], 1.5) in seen
    assert list(temporary.iterdir()) == []


def test_a_cancel_takes_the_picture_away(folder, temporary):
    told = []
    with pytest.raises(Cancelled):
        render(make_job(folder, 8), told.append, lambda: any(each.preview for each in told))
    assert list(temporary.iterdir()) == []


def test_where_no_picture_can_be_written_the_take_is_made_without(folder, temporary):
    temporary.rmdir()
    told = []
    result = render(make_job(folder, 8), told.append, lambda: False)
    assert Path(result.path).is_file()
    assert not any(each.preview for each in told)
