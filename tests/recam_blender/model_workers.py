"""What the tests of models share: a machine without any, and fake workers that do as a test says."""

import contextlib
import json
import os
import shlex
import sys
import textwrap
import time
from pathlib import Path

import bpy

# What a fake worker begins with. It notes what it was asked, and what it was started with.
_FAKE = """
import json, os, sys, threading, time

def note(**what):
    with open(NOTES, "a") as file:
        file.write(json.dumps(what) + "\\n")

def say(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

def progress(step, total, **more):
    told = {"phase": "downloading", "step": step, "total": total, "unit": "bytes", **more}
    say(method="progress", params={"id": request["id"], "progress": told})

def answer(**result):
    say(id=request["id"], result=result)

def fail(text, kind):
    say(id=request["id"], error={"code": -32003, "message": text, "data": {"kind": kind}})

passed = ("HF_HUB_OFFLINE", "HF_TOKEN", "HTTPS_PROXY")
note(started=os.getpid(), environ={name: os.environ.get(name) for name in passed})
for line in sys.stdin:
    request = json.loads(line)
    method, params = request["method"], request["params"]
    if method == "hello":
        answer(protocol=1, version=VERSION, pid=os.getpid())
        continue
    note(method=method, params=params)
    if method == "shutdown":
        break
"""


@contextlib.contextmanager
def bare_machine(recam, addon, folder, monkeypatch):
    """A machine without models, where nothing says that there are any and Blender may not go online."""
    monkeypatch.setenv("RECAM_DATA", str(folder / "data"))
    monkeypatch.delenv("RECAM_MODELS", raising=False)
    models, tasks = recam("models"), recam("tasks")
    own = bpy.context.preferences.addons[addon.__name__].preferences
    names = ("models", *recam("preferences").MODEL_FILES)

    def clear():
        models.changed()
        models.waiting.clear()
        models.trouble.clear()
        models.pass_over()
        tasks.stop_all()
        for name in names:
            own.property_unset(name)

    clear()
    try:
        yield models
    finally:
        clear()


@contextlib.contextmanager
def allowed_online():
    system = bpy.context.preferences.system
    system.use_online_access = True
    try:
        yield
    finally:
        system.use_online_access = False


def wait_until(true, seconds=10.0):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


class Fake:
    """A program in the place of the backend's Python, with the requests that it got."""

    def __init__(self, folder: Path, version: str, answers: str) -> None:
        self.python = folder / "fake python"
        self._notes = folder / "notes.jsonl"
        script = folder / "fake worker.py"
        head = f"NOTES, VERSION = {str(self._notes)!r}, {version!r}\n"
        script.write_text(head + _FAKE + textwrap.indent(textwrap.dedent(answers), "    "), encoding="utf-8")
        self.python.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(script))}\n")
        self.python.chmod(0o755)

    @property
    def notes(self) -> list[dict]:
        if not self._notes.exists():
            return []
        return [json.loads(line) for line in self._notes.read_text(encoding="utf-8").splitlines()]

    def asked(self, method: str) -> list[dict]:
        """The parameters of all requests of a method, in order."""
        return [each["params"] for each in self.notes if each.get("method") == method]

    @property
    def started(self) -> list[dict]:
        return [each for each in self.notes if "started" in each]

    def is_running(self) -> bool:
        """Whether one of its processes has not ended."""
        return any(_runs(each["started"]) for each in self.started)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def standing_in(recam, folder, monkeypatch):
    """What puts a worker in the backend's place which runs the lines that it is given for each request."""

    def begin(answers):
        made = Fake(folder, recam.backend("__init__").__version__, answers)
        monkeypatch.setenv("RECAM_PYTHON", str(made.python))
        return made

    return begin
