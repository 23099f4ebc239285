"""What becomes of the worker when its Blender is gone without a word."""

import json
import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest
import shots
from timeline import HEIGHT, WIDTH, write_movie

ORPHAN = Path(__file__).with_name("orphan.py")
REPEATS = 800  # of the clip: the job is far from its end when Blender is killed


@pytest.fixture
def job(recam, backend_python, folder):
    """A long job's file, beside its clip."""
    contract, cameras = recam.backend("contract"), recam.backend("cameras")
    clip = folder / "clip.mkv"
    write_movie(backend_python, clip, shots.pictures())
    frames = tuple(range(shots.FRAMES)) * REPEATS
    size = {"width": WIDTH, "height": HEIGHT}
    poses = cameras.preset("arc_right", len(frames))
    job = contract.Job(
        footage=contract.Footage(kind="movie", files=(str(clip),), frames=frames, **size),
        target=cameras.from_arrays(poses, cameras.from_lens(24, 36, WIDTH, HEIGHT), WIDTH, HEIGHT),
        output=contract.Output(path=str(folder / "take.mp4"), rate=Fraction(24), **size),
    )
    path = folder / "job.json"
    path.write_text(json.dumps(job.to_json()), encoding="utf-8")
    return path


def is_running(pid):
    """Zombies, whom a container's init may not collect, do not run."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    try:
        return not Path("/proc").is_dir() or status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(sys.platform == "win32", reason="asks for processes as POSIX does")
def test_worker_is_gone_two_seconds_after_blender_was_killed(job, backend_python):
    environment = os.environ | {"RECAM_PYTHON": backend_python}
    blender = subprocess.Popen(
        [sys.executable, str(ORPHAN), str(job)], stdout=subprocess.PIPE, env=environment, text=True
    )
    try:
        worker = next((int(line.split()[1]) for line in blender.stdout if line.startswith("worker ")), None)
        assert worker, "Blender ended before the worker was at its job"
        assert is_running(worker)
    finally:
        blender.kill()
        blender.wait()
        blender.stdout.close()
    until = time.monotonic() + 2
    while is_running(worker):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert sorted(each.name for each in job.parent.iterdir()) == ["clip.mkv", "job.json"]
