"""Stages for the tests of set-up: a process that behaves as it is told, and environments that are markers alone."""

import contextlib
import json
import os
import shutil
import sys
import time
from pathlib import Path

import bpy

FAKE = Path(__file__).with_name("fake_setup.py")

PLAN = {
    "action": "make",
    "python": "/usr/bin/python3.11",
    "python_version": "3.11.7",
    "torch": "",
    "reason": "",
    "download": 108_000_000,
    "disk": 431_000_000,
    "free": 55_000_000_000,
}
PROBE = {"python": "/opt/mine/bin/python", "python_version": "3.12.1", "engines": ["reproject"]}


@contextlib.contextmanager
def first_start(recam, folder, monkeypatch):
    """Preferences as they are at first, but for the environment's folder; online, and no Python of the user's own."""
    for name in ("RECAM_PYTHON", "RECAM_MODELS", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    own = recam("preferences").own()
    own.environment = str(folder / "environment")
    system = bpy.context.preferences.system
    before = system.use_online_access
    system.use_online_access = True
    recam("environment").changed()
    yield own
    system.use_online_access = before
    for name in ("python", "environment", "wheels"):
        own.property_unset(name)
    recam("environment").changed()


def state(folder, **changes):
    """A State as JSON, ready for reproject."""
    usual = {
        "kind": "ready",
        "folder": str(folder),
        "python": str(interpreter(Path(folder))),
        "python_version": "3.11.7",
        "engines": ["reproject"],
        "recam": "0.1.0",
        "size": 431_000_000,
    }
    return usual | changes


class FakeSetup:
    """The package folder that Blender starts set-up from."""

    def __init__(self, folder, version):
        self.folder = folder
        self._version = version
        (folder / "backend" / "environment").mkdir(parents=True)
        (folder / "backend" / "__init__.py").touch()
        (folder / "backend" / "environment" / "__init__.py").touch()
        shutil.copy(FAKE, self.place("__main__.py"))
        self.behaves()

    def place(self, name):
        return self.folder / "backend" / "environment" / name

    def behaves(self, **behaviour):
        told = {"version": self._version, "answers": {}, **behaviour}
        self.place("behaviour").write_text(json.dumps(told), encoding="utf-8")

    def asked(self, method):
        """The parameters of each request for that, oldest first."""
        try:
            lines = self.place("asked.jsonl").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [each["params"] for each in map(json.loads, lines) if each["method"] == method]

    @property
    def pid(self):
        return int(self.place("pid").read_text())


def interpreter(folder):
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def make_environment(recam, folder, *, engines=("reproject",), whole=True, pins=None, build="", **told):
    """What looks like an environment to whoever reads its marker: nothing runs in it."""
    marker = recam.backend("environment.marker")
    interpreter(folder).parent.mkdir(parents=True, exist_ok=True)
    interpreter(folder).touch()
    held = frozenset().union(*(marker.pins_of(each) for each in engines)) if pins is None else frozenset(pins)
    facts = {"python_version": "3.11.7", "engines": list(engines), "size": 431_000_000, "recam": "0.1.0", **told}
    marker.write(
        folder, marker.Marker(whole=whole, ours=True, requirements=held, build=build, told=facts if whole else {})
    )
    recam("environment").changed()


def is_running(pid):
    """Zombies, whom a container's init may not collect, do not run."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return sys.platform != "linux"


def wait_for(what, seconds=10):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)


class Layout:
    """Takes down what is drawn, with all its parts unfolded: labels, properties, and operators with their options."""

    def __init__(self, drawn=None):
        self.__dict__["drawn"] = {"words": [], "properties": [], "operators": []} if drawn is None else drawn

    def label(self, *, text="", **_options):
        if text:
            self.drawn["words"].append(text)

    def prop(self, _owner, name, **_options):
        self.drawn["properties"].append(name)

    def operator(self, name, *, text="", **_options):
        options = type("Options", (), {})()
        self.drawn["operators"].append((name, text, options))
        return options

    def progress(self, *, factor, text, **_options):
        self.drawn["words"].append(f"{factor:.2f} {text}")

    def panel(self, _name, **_options):
        return Layout(self.drawn), Layout(self.drawn)

    def __getattr__(self, _name):
        return lambda *_arguments, **_options: Layout(self.drawn)

    def __setattr__(self, name, value):
        pass

    @property
    def text(self):
        return " ".join(self.drawn["words"])

    @property
    def buttons(self):
        return [name for name, _, _ in self.drawn["operators"]]

    def options(self, operator):
        """Those of the first button of that operator."""
        return vars(next(options for name, _, options in self.drawn["operators"] if name == operator))
