"""How soon the worker answers, and how a take's memory depends on its length.

`.venvs/backend/bin/python -m benchmarks.worker [--frames 100 1000]`

`hello` is to take less than 1 s, a take of any length less than 1.5 GB. "Cold" is without compiled Python files, as
after an installation.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from backend import cameras, contract
from backend.media.writer import open_take

ROOT = Path(__file__).resolve().parents[1]
HELLO_AIM = 1.0  # seconds
PEAK_AIM = 1.5e9  # bytes
WIDTH, HEIGHT = 832, 480
HELLO = b'{"jsonrpc": "2.0", "id": 1, "method": "hello"}\n'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="*", default=[100, 1000], help="lengths to measure the memory of")
    lengths = parser.parse_args().frames
    with tempfile.TemporaryDirectory() as folder:
        warm = [hello(Path(folder) / "warm") for _ in range(8)][1:]
        cold = [hello(Path(folder) / f"cold-{number}") for number in range(5)]
        for name, times in (("warm", warm), ("cold", cold)):
            print(f"hello, {name}: {statistics.median(times):.3f} s, at worst {max(times):.3f} s (aim: {HELLO_AIM} s)")
        peaks = [take(Path(folder), frames) for frames in lengths]
    return 0 if statistics.median(cold) <= HELLO_AIM and max(peaks, default=0) <= PEAK_AIM else 1


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "PYTHONSAFEPATH": "1"} | more


def hello(compiled: Path) -> float:
    """Seconds from starting the process to its answer."""
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "backend", "serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(PYTHONPYCACHEPREFIX=str(compiled)),
    ) as worker:
        worker.stdin.write(HELLO)
        worker.stdin.flush()
        assert "result" in json.loads(worker.stdout.readline())
        return time.perf_counter() - started


def take(folder: Path, frames: int) -> float:
    """Peak memory, bytes, of a take of a moving texture from an arc."""
    clip = folder / f"clip-{frames}.mp4"
    output = contract.Output(path=str(clip), width=WIDTH, height=HEIGHT, rate=Fraction(24))
    noise = np.kron(np.random.default_rng(1).integers(0, 256, (60, 104, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    with open_take(output) as writer:
        for index in range(frames):
            writer.write(np.roll(noise, index, axis=1))
    poses = cameras.preset("arc_right", frames)
    lens = cameras.from_lens(24.0, 23.76, WIDTH, HEIGHT)
    job = contract.Job(
        footage=contract.Footage(
            kind="movie", files=(str(clip),), frames=tuple(range(frames)), width=WIDTH, height=HEIGHT
        ),
        target=cameras.from_arrays(poses, lens, WIDTH, HEIGHT),
        output=contract.Output(path=str(folder / f"take-{frames}.mp4"), width=WIDTH, height=HEIGHT, rate=Fraction(24)),
    )
    path = folder / f"job-{frames}.json"
    path.write_text(json.dumps(job.to_json()), encoding="utf-8")
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "backend", "render", str(path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, f"the take of {frames} frames failed"
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    seconds = time.perf_counter() - started
    print(
        f"{frames} frames of {WIDTH}x{HEIGHT}: peak {peak / 1e6:.0f} MB, {seconds:.1f} s with start-up "
        f"(aim: {PEAK_AIM / 1e6:.0f} MB)"
    )
    return peak


if __name__ == "__main__":
    sys.exit(main())
