"""Workers to test the client with: fake ones that run given lines, and what waits for them.

No bpy: the client is loaded past the add-on's door.
"""

import contextlib
import importlib
import subprocess
import sys
import textwrap
import time
import types

import engines_for_tests

ROOT = engines_for_tests.ROOT
package = types.ModuleType("recam_blender")
package.__path__ = [str(ROOT / "recam_blender")]
sys.modules.setdefault("recam_blender", package)
client = importlib.import_module("recam_blender.client")

# What a fake worker begins with: read() gives the next request, say() sends a message.
FAKE = """
import json, os, sys, time
def read():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)
def say(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
def progress(id, step):
    say(method="progress", params={"id": id, "progress": {"phase": "drawing", "step": step, "total": 9}})
hello = read()
say(id=hello["id"], result={"protocol": 1, "pid": os.getpid()})
"""
JOB = {"any": "job"}


@contextlib.contextmanager
def starting(folder):
    """What starts a fake worker that runs these lines after its greeting; or, with a list, any command."""
    started = []

    def begin(program, *, greet=True, **options):
        if isinstance(program, str):
            script = folder / "fake worker.py"
            script.write_text((FAKE if greet else "import os, sys, time\n") + textwrap.dedent(program))
            program = [sys.executable, str(script)]
        env = client.backend_environment(str(ROOT))
        started.append(client.Worker(program, log_path=str(folder / "worker.log"), env=env, **options))
        return started[-1]

    try:
        yield begin
    finally:
        for worker in started:
            worker.kill()


def wait(worker, seconds=10, until=None):
    """Events until one that is no progress, or that `until` likes."""
    found = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for event in worker.poll():
            found.append(event)
            if until(event) if until else not isinstance(event, client.Progressed):
                return found
        time.sleep(0.01)
    raise AssertionError(f"only {found}")


def gone(worker, seconds):
    try:
        worker._process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
