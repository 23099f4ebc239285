"""What several tests of the backend begin with."""

import atexit
import os
import shutil
import tempfile

import pytest
from clips import make_clip
from fake_workers import starting
from jobs import still
from tiny_environments import empty, index, place, quick, ready, templates  # noqa: F401 - fixtures

from backend.cameras.formats import recam

# No test, nor what it starts, looks for models or environments in the folders of whoever runs it.
os.environ["RECAM_DATA"] = tempfile.mkdtemp(prefix="recam-data-")
atexit.register(shutil.rmtree, os.environ["RECAM_DATA"], ignore_errors=True)
os.environ.pop("RECAM_MODELS", None)


@pytest.fixture
def folder(tmp_path):
    """A folder whose name has everything that breaks naive code."""
    path = tmp_path / 'it\'s a "shot" é 日本'
    path.mkdir()
    return path


@pytest.fixture
def clip(folder):
    """A numbered clip of eight frames."""
    return make_clip(folder / "clip.mp4", 8)


@pytest.fixture
def trajectory(folder):
    """A camera that stands still over that clip."""
    recam.write(folder / "still.json", still(8))
    return folder / "still.json"


@pytest.fixture
def start(folder):
    """Start a worker from a few lines of program."""
    with starting(folder) as begin:
        yield begin
