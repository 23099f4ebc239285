"""The picture of a take so far: it comes with the progress, and goes with the worker, however that went."""

import time

import pytest
from fake_workers import JOB, client, gone, starting, wait

PROGRAM = """
job = read()
say(method="progress", params={{"id": job["id"], "progress": {{"phase": "x", "step": 1, "total": 9, "preview": {!r}}}}})
time.sleep(60)
"""


@pytest.fixture
def start(tmp_path):
    with starting(tmp_path) as begin:
        yield begin


def showing(start, picture, **options):
    """A worker in mid-job that has told of a picture."""
    picture.parent.mkdir()
    picture.write_bytes(b"a picture")
    worker = start(PROGRAM.format(str(picture)), **options)
    job = worker.submit(JOB)
    (event,) = wait(worker, until=lambda event: isinstance(event, client.Progressed))
    assert event.progress["preview"] == str(picture)
    return worker, job


def until_there_is_no(path):
    until = time.monotonic() + 5
    while path.exists() and time.monotonic() < until:
        time.sleep(0.02)
    return not path.exists()


def test_a_worker_killed_for_a_cancel_it_did_not_heed_leaves_no_picture(start, tmp_path):
    folder = tmp_path / "recam-it's é"
    (tmp_path / "recam-other").mkdir()
    worker, job = showing(start, folder / "preview.png", cancel_grace=0.2)
    (folder / "preview.part").write_bytes(b"half")
    worker.cancel(job)
    assert until_there_is_no(folder)
    assert gone(worker, 5)
    assert (tmp_path / "recam-other").is_dir()


def test_nothing_but_pictures_in_folders_of_ours_is_removed(start, tmp_path):
    picture = tmp_path / "holiday" / "preview.png"
    worker, _ = showing(start, picture)
    worker.kill()
    assert gone(worker, 5)
    time.sleep(0.3)
    assert picture.exists()


def test_a_folder_that_holds_more_stays(start, tmp_path):
    folder = tmp_path / "recam-1"
    worker, _ = showing(start, folder / "preview.png")
    (folder / "more").write_bytes(b"mine")
    worker.kill()
    assert until_there_is_no(folder / "preview.png")
    assert (folder / "more").exists()
