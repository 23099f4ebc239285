"""What a fresh machine is told while kernels are compiled; in processes of their own, as kernels last as long."""

import os
import subprocess
import sys

import engines_for_tests
import pytest

PROGRAM = """
import numpy as np
from backend import contract, engines
from jobs import still

class Footage:
    width, height = 64, 48
    def frame(self, index):
        return np.zeros((48, 64, 3), np.uint8)

def report(phase, step, total):
    print(phase)
    raise engines.Cancelled  # before anything is compiled

def begin():
    settings = contract.EngineSettings()
    camera = still(1)
    shot = engines.Shot(footage=Footage(), depth=None, source=camera, target=camera, subject_distance=4.0,
                        settings=settings, width=64, height=48)
    try:
        next(engines.create(settings).frames(shot, report))
    except engines.Cancelled:
        pass

begin()
from backend.reproject import sample
sample.unpack(np.zeros((4, 4, 3), np.uint8), 255)
begin()
"""

FIRST_USE = "preparing (first use: compiling, about half a minute)"


def phases(program=PROGRAM, /, **variables):
    """What is told at first, and once a kernel has been compiled."""
    folders = [str(engines_for_tests.ROOT), os.path.dirname(engines_for_tests.__file__)]
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | {"PYTHONPATH": os.pathsep.join(folders)} | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the cache is not where XDG_CACHE_HOME says")
def test_first_use_is_told_and_the_second_is_none(tmp_path):
    assert phases(XDG_CACHE_HOME=str(tmp_path)) == [FIRST_USE, "preparing"]
    assert phases(XDG_CACHE_HOME=str(tmp_path)) == ["preparing", "preparing"]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that not even root may write to")
def test_every_worker_compiles_where_nothing_can_be_kept():
    assert phases(XDG_CACHE_HOME="/proc/self") == [FIRST_USE, "preparing"]
    assert phases(XDG_CACHE_HOME="/proc/self") == [FIRST_USE, "preparing"]


OTHERS = """
import contextlib
import numpy as np
from backend import contract
from backend.geometry.motion import MotionDepth
from backend.reproject.compiled import must_compile

class Footage:
    width, height = 64, 48
    def frame(self, index):
        return np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8)

poses = tuple(((1.0, 0.0, 0.0, 0.1 * index), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
              for index in range(6))
lens = contract.Intrinsics(fx=60.0, fy=60.0, cx=32.0, cy=24.0)
camera = contract.Trajectory(width=64, height=48, poses=poses, intrinsics=(lens,) * 6)
told = []
depth = MotionDepth(lambda: contextlib.nullcontext(Footage()), camera, 6, width=64, height=48,
                    report=lambda phase, *_: told.append(phase))
depth.frame(0)
depth.frame(1)
print(len([each for each in told if "first use" in each]), must_compile())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the cache is not where XDG_CACHE_HOME says")
def test_depth_from_motion_tells_of_its_own_kernels_alone(tmp_path):
    assert phases(OTHERS, XDG_CACHE_HOME=str(tmp_path)) == ["1 True"]
    assert phases(OTHERS, XDG_CACHE_HOME=str(tmp_path)) == ["0 True"]
