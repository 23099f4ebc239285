"""What lies where, what an environment's marker says of it, and what is pinned. Standard library only, from 3.10 on.

The marker is a file in the environment that says what it holds. It is written first as begun and last as whole, so that
a half-made one is known as such however its making ended. Nothing here starts a process.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import stat
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..contract import ENGINES, ContractError
from .messages import State

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"
MARKER = "recam-environment.json"
BEGUN = f"{MARKER}.new"
"""A marker that is being written. Alone in a folder it is what is left of a set-up that was killed at once."""
_VERSION = 1
_LONGEST = 4 * 2**20  # bytes of a marker: a real one has some ten kB
_PIN = re.compile(r"[a-z0-9-]+==[^\s-]\S*")
_INSTALLED = re.compile(r"(.+?)-(\d.*)\.dist-info")
_TOLD = ("python_version", "engines", "torch", "device", "memory", "packages", "recam", "made", "size", "notes")
"""Fields of a State that its marker carries."""


# Places


def data_folder() -> Path:
    """Where ReCam keeps what is no file of the user's: RECAM_DATA, else where the system has such things."""
    if chosen := os.environ.get("RECAM_DATA"):
        return Path(os.path.abspath(chosen))
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "ReCam"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "ReCam"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "recam"


def default_folder() -> Path:
    """Of the environment that is made from a shell."""
    return data_folder() / "environment"


def interpreter(folder: Path) -> Path:
    """Where the Python of the environment in this folder is."""
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def log_of(folder: Path) -> Path:
    """Where the set-up of that environment writes what its children said."""
    return folder.with_name(f"{folder.name}.recam.log")  # not a name that a user's own file has


# The marker


@dataclass(frozen=True)
class Marker:
    """What an environment says of itself.

    Attributes:
        whole: made to the end, and verified.
        ours: made by ReCam, which may remove it; else taken over as it was.
        requirements: that it was made with, as :func:`pins` spells them.
        names: at the top of its folder, as it was when it became whole.
        build: of torch, as it was chosen: cpu, cu130.
        told: the fields of a State that verification gave.
    """

    whole: bool = False
    ours: bool = False
    requirements: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    build: str = ""
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def engines(self) -> tuple[str, ...]:
        """That it was verified with."""
        return tuple(each for each in _texts(self.told.get("engines")) if each in ENGINES)


def read(folder: Path) -> Marker | None:
    """What the marker there says; nothing where there is none, or none that this version can read."""
    try:
        with open(folder / MARKER, "rb", opener=_at_once) as opened:
            data = json.loads(opened.read(_LONGEST)) if stat.S_ISREG(os.fstat(opened.fileno()).st_mode) else None
    except (OSError, ValueError, RecursionError):  # ValueError: no JSON, no UTF-8, no path
        return None
    if not isinstance(data, dict) or data.get("recam_environment") != _VERSION:
        return None
    told = data.get("state")
    build = data.get("build")
    return Marker(
        whole=data.get("whole") is True,
        ours=data.get("ours") is True,
        requirements=frozenset(each for each in _texts(data.get("requirements")) if _PIN.fullmatch(each)),
        names=frozenset(_texts(data.get("names"))),
        build=build if isinstance(build, str) else "",
        told={key: told[key] for key in _TOLD if key in told} if isinstance(told, dict) else {},
    )


def write(folder: Path, marker: Marker) -> None:
    """Put the marker there in one step: whoever reads finds the one before or this one, also after a power cut."""
    data = {
        "recam_environment": _VERSION,
        "whole": marker.whole,
        "ours": marker.ours,
        "requirements": sorted(marker.requirements),
        "names": sorted(marker.names),
        "build": marker.build,
        "state": dict(marker.told),
    }
    begun = folder / BEGUN
    begun.unlink(missing_ok=True)
    with open(begun, "x", encoding="utf-8") as opened:  # never what a link in its place leads to
        opened.write(json.dumps(data, indent=1) + "\n")
        opened.flush()
        os.fsync(opened.fileno())
    patiently(lambda: os.replace(begun, folder / MARKER))


def _at_once(path: str, flags: int) -> int:
    """Wait for no writer, where there is a pipe: a redraw may be what asks."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def patiently(act: Callable[[], None]) -> None:
    """Do it, on Windows in several tries: a file that someone reads, or scans for viruses, is not moved meanwhile."""
    for _ in range(40 if os.name == "nt" else 0):
        with contextlib.suppress(PermissionError):
            act()
            return
        time.sleep(0.05)
    act()


def state(folder: Path) -> State:
    """What is in a folder, by its marker and the pins of this ReCam. Never raises, whatever the marker says."""
    marker = read(folder)
    if marker is None:
        return State(kind=_without_marker(folder), folder=_text(folder))
    python = interpreter(folder)
    if not marker.whole or not os.path.exists(python):
        return State(kind="unfinished" if marker.ours else "foreign", folder=_text(folder))
    try:
        kind = "ready" if all(pins_of(engine) <= marker.requirements for engine in marker.engines) else "outdated"
        told = {"kind": kind, "folder": _text(folder), "python": _text(python)}
        return State.from_json({**marker.told, **told})
    except (ContractError, OSError):
        return State(kind="unfinished" if marker.ours else "foreign", folder=_text(folder))


def _without_marker(folder: Path) -> str:
    try:
        with os.scandir(folder) as entries:
            first, second = next(entries, None), next(entries, None)
    except (OSError, ValueError):
        return "foreign" if os.path.lexists(folder) else "missing"
    if first is None:
        return "missing"
    return "unfinished" if second is None and first.name == BEGUN else "foreign"


def _text(path: Path) -> str:
    return str(path).replace("\0", "")


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


# What is pinned, and what is there


def files_of(engine: str) -> list[Path]:
    """The requirement files of an engine: each has its own, beside the backend's."""
    return [REQUIREMENTS / "backend.txt", *([] if engine == ENGINES[0] else [REQUIREMENTS / f"{engine}.txt"])]


def pins_of(engine: str) -> frozenset[str]:
    """What an engine needs, as :func:`pins` spells it."""
    return pins(files_of(engine))


def pins(files: Sequence[Path]) -> frozenset[str]:
    """The requirements in these files that are for this machine, each as ``name==version`` in pip's normal spelling."""
    lines = (line.partition("#")[0].strip() for file in files for line in file.read_text(encoding="utf-8").splitlines())
    parts = (line.partition(";") for line in lines if line)
    return frozenset(normal(pin.strip()) for pin, _, condition in parts if _is_met(condition.strip()))


def _is_met(condition: str) -> bool:
    """Whether a requirement with this marker (PEP 508) is for this machine; only those used here are known."""
    if not condition:
        return True
    found = _MACHINE.fullmatch(condition)
    if found is None:
        raise ValueError(f"{condition!r} is no marker that set-up knows")
    return platform.machine() != found[1]


_MACHINE = re.compile(r"""platform_machine != ["']([A-Za-z0-9_]+)["']""")


def normal(pin: str) -> str:
    """A requirement in the spelling that all others have here."""
    name, _, version = pin.partition("==")
    return re.sub(r"[-_.]+", "-", name).lower() + "==" + version


def name_of(pin: str) -> str:
    """The package that is pinned."""
    return pin.partition("==")[0]


def merged(held: Iterable[str], wanted: Iterable[str]) -> frozenset[str]:
    """What is held, with what is wanted in the place of other versions of the same."""
    return frozenset({name_of(each): each for each in (*held, *wanted)}.values())


def installed(folder: Path) -> frozenset[str]:
    """What lies there, as :func:`pins` spells it, with local versions (``torch==2.13.0+cpu``)."""
    found = set()
    for packages in site_packages(folder):
        with contextlib.suppress(OSError):
            for each in os.listdir(packages):
                if match := _INSTALLED.fullmatch(each):
                    found.add(normal(f"{match[1]}=={match[2]}"))
    return frozenset(found)


def packages(folder: Path) -> frozenset[str]:
    """The same without local versions, as requirements name them: a 2.13.0+cpu is a 2.13.0."""
    return frozenset(each.partition("+")[0] for each in installed(folder))


def site_packages(folder: Path) -> list[Path]:
    """Where packages lie in an environment."""
    return [folder / "Lib" / "site-packages"] if os.name == "nt" else [*folder.glob("lib/python3.*/site-packages")]


def size(folder: Path) -> int:
    """Bytes that its files take."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(path, name)).st_size
    return total
