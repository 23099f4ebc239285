"""Environments with tiny packages in the place of the real ones; conftest.py hands these fixtures on.

Engine reproject needs the package ``shot`` here, and recammaster ``torch``, of a few bytes too. The check of an engine
is a program of a few lines, and a new environment is a copy of an empty one: so all takes seconds.
"""

import json
import os
import shutil
import subprocess
import sys
import types
import venv
from pathlib import Path

import pytest
from package_index import Index, wheel

from backend import environment
from backend.environment import making, marker, named, pip
from backend.environment.messages import Wish

HERE = "{}.{}".format(*sys.version_info[:2])

COPY = """
import os, shutil, sys
shutil.copytree(sys.argv[1], sys.argv[2], symlinks=True, dirs_exist_ok=True, copy_function=os.link)
"""

CHECK = """
import importlib, importlib.metadata, json, os, platform, sys, time
engine = sys.argv[1]
needed = {"reproject": ["shot"], "recammaster": ["shot", "torch"]}
print("importing", file=sys.stderr)
try:
    found = [importlib.import_module(each) for each in needed[engine]]
except ImportError as error:
    sys.exit("recam: " + str(error))
time.sleep(float(os.environ.get("RECAM_TEST_CHECK_SECONDS", "0")))
packages = [d.metadata["Name"] + "==" + d.version for d in importlib.metadata.distributions()]
torch = importlib.metadata.version("torch") if engine != "reproject" else ""
engines = ["reproject"] if engine == "reproject" else ["reproject", "recammaster"]
print(json.dumps({"engines": engines, "python": platform.python_version(), "torch": torch, "device": "CPU",
                  "memory": 1000, "packages": packages, "notes": []}))
"""


class Place:
    """A folder for environments, with what they are made from."""

    def __init__(self, root):
        self.root = root
        self.wheels = root / "wheels"
        self.requirements = root / "requirements"
        self.environments = root / 'it\'s "here" é 日本'
        self.folder = self.environments / "environment"

    def pin(self, file, *pins):
        """Write a requirement file anew."""
        (self.requirements / f"{file}.txt").write_text("# a comment\n" + "".join(f"{each}\n" for each in pins))

    def wish(self, **fields):
        """For the environment here; from the folder of wheels if nothing else is said."""
        return Wish(**({"folder": str(self.folder), "wheels": str(self.wheels)} | fields))

    def install(self, cancelled=lambda: False, report=lambda progress: None, **fields):
        """Install as :meth:`wish` says."""
        return environment.install(self.wish(**fields), report=report, cancelled=cancelled)

    def marker(self):
        """What the marker says."""
        return json.loads((self.folder / marker.MARKER).read_text())

    def version_of(self, name="shot"):
        """What the environment's Python imports; nothing where there is none."""
        return version_in(environment.interpreter(self.folder), name)


def version_in(python, name="shot"):
    code = f"import {name}; print({name}.version)"
    return subprocess.run([str(python), "-I", "-c", code], capture_output=True, text=True).stdout.strip()


def build(name, index="", version="1"):
    """A build of torch as builds.choose gives it; none of its own where the version lacks its name."""
    requirement = f"torch=={version}+{name}" if "+" not in version else f"torch=={version.rstrip('+')}"
    return types.SimpleNamespace(name=name, requirement=requirement, index=index, reason="", download=0, disk=0)


@pytest.fixture(scope="session")
def empty(tmp_path_factory):
    """An environment with nothing in it but the pip of the one that runs the tests, which set-up has renewed."""
    path = tmp_path_factory.mktemp("empty") / "environment"
    venv.create(path, with_pip=False)
    (there,), (here,) = marker.site_packages(path), marker.site_packages(Path(sys.prefix))
    for each in [here / "pip", *here.glob("pip-*.dist-info")]:
        shutil.copytree(each, there / each.name)
    return path


@pytest.fixture
def place(tmp_path, monkeypatch, empty):
    """Where environments are made in earnest, but for what they hold.

    There are versions 1, 2 and a broken 3 of ``shot``, and of ``torch`` builds cpu and cu9 of version 1.
    """
    place = Place(tmp_path)
    for folder in (place.wheels, place.requirements):
        folder.mkdir()
    wheel(place.wheels, "1", "version = 1")
    wheel(place.wheels, "2", "version = 2")
    wheel(place.wheels, "3", 'raise ImportError("libXi.so.6: cannot open shared object file: No such file")')
    wheel(place.wheels, "1+cpu", "version = '1+cpu'", "torch")
    wheel(place.wheels, "1+cu9", "version = '1+cu9'", "torch")
    place.pin("backend", "shot==1")
    place.pin("recammaster", "torch==1")
    place.pin("tools")
    place.pin("pip", "pip==" + ".".join(map(str, pip.version(empty))))
    (tmp_path / "check.py").write_text(CHECK)
    (tmp_path / "copy.py").write_text(COPY)
    for name in ("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "CERT"):
        monkeypatch.delenv(f"PIP_{name}", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    move_into(place, monkeypatch)
    return place


def move_into(place, monkeypatch):
    """Have set-up find what is tiny."""
    check = str(place.root / "check.py")
    monkeypatch.setattr(marker, "REQUIREMENTS", place.requirements)
    monkeypatch.setattr(making, "PYTHONS", (HERE,))
    monkeypatch.setattr(making, "_MARGIN", 0)
    monkeypatch.setattr(making, "_room_needed", lambda recipe, held: 0)
    monkeypatch.setattr(making, "_check_command", lambda python, engine: [str(python), "-I", check, engine])
    monkeypatch.setattr(making, "_choose_build", lambda torch, wheels: build("cpu" if torch == "auto" else torch))
    environments = {"backend": named.Environment(pythons=(HERE,), engine="reproject")}
    monkeypatch.setattr(named, "ENVIRONMENTS", environments)


def hurry(place, monkeypatch, empty):
    """Have set-up copy an empty environment where it would make one."""
    copy = [sys.executable, "-I", str(place.root / "copy.py"), str(empty)]
    monkeypatch.setattr(making, "_venv_command", lambda base, folder: [*copy, str(folder)])


@pytest.fixture
def quick(place, monkeypatch, empty):
    """A copy of an empty environment where one would be made: that takes seconds."""
    hurry(place, monkeypatch, empty)


@pytest.fixture(scope="session")
def templates(tmp_path_factory):
    """Where whole environments are kept to be copied."""
    return tmp_path_factory.mktemp("templates")


@pytest.fixture
def ready(place, quick, templates):
    """The place with a whole environment for reproject: installed once, and copied then."""
    template = templates / "reproject"
    if template.exists():
        place.environments.mkdir()
        shutil.copytree(template, place.folder, symlinks=True, copy_function=_link)
    else:
        place.install()
        shutil.copytree(place.folder, template, symlinks=True)
    return place


def _link(source, target):
    """Copies what tests write to, and links what only pip replaces."""
    (shutil.copy2 if source.endswith(".json") else os.link)(source, target)


@pytest.fixture
def index(place, monkeypatch):
    """The wheels of the place, on the loopback, where pip then looks."""
    with Index(place.wheels) as served:
        monkeypatch.setenv("PIP_INDEX_URL", served.url)
        monkeypatch.setenv("PIP_RETRIES", "1")
        monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "2")
        yield served
