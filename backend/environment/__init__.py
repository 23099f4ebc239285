"""Virtual environments with pinned requirements: the backend's own, and in a checkout those with Blender as a module.

    python -m backend.environment make backend                      for `reproject`
    python -m backend.environment make backend --also recammaster   for the engine with weights too
    python -m backend.environment make blender-4.2 blender-5.2
    python -m backend.environment blenders          the names that can be made here, oldest first

What is pinned stands in ``requirements/*.txt`` and nowhere else. An environment bears a marker file that says what it
holds; it is written first as begun and last as whole, so that a half-made one is known and made anew. What a whole one
lacks is added to it in its place. A folder without the marker is taken over if it already is what was asked for, and
else left alone: nothing that ReCam did not make is removed. Standard library only, for Python 3.10 and later: Blender's
Python, a shell and CI run the same module.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

Say = Callable[[str], None]

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"
MARKER = "recam-environment.json"
_MARKER_VERSION = 1
_PIN = re.compile(r"[a-z0-9-]+==[^\s-]\S*")
_TAIL = 12
"""Lines of pip's that an error shows."""


class SetupError(RuntimeError):
    """An environment that cannot be made, with what to do about it."""


@dataclass(frozen=True)
class Environment:
    """What is made under a name."""

    pythons: tuple[str, ...]
    """Versions of Python that its requirements have wheels for, best first."""
    imports: tuple[str, ...]
    """Modules that must be importable in the end."""


ENVIRONMENTS = {
    "backend": Environment(pythons=("3.11", "3.12", "3.13"), imports=("numpy", "cv2", "av", "numba", "OpenEXR")),
    "blender-4.2": Environment(pythons=("3.11",), imports=("bpy",)),
    "blender-4.5": Environment(pythons=("3.11",), imports=("bpy",)),
    "blender-5.0": Environment(pythons=("3.11",), imports=("bpy",)),
    "blender-5.2": Environment(pythons=("3.13",), imports=("bpy",)),
}

FURTHER: dict[str, tuple[str, ...]] = {"recammaster": ("torch",), "tools": ()}
"""Requirements that the backend's environment can hold beside its own, and what must be importable with them."""


def make(name: str, folder: Path, *, also: Sequence[str] = (), say: Say) -> Path:
    """Make the environment ``folder/name``, or repair it, or find that it is whole; give its interpreter.

    ``also`` names further requirements (:data:`FURTHER`); an environment of ours that only lacks some is added to, and
    keeps what it has. Raises SetupError. What is half-made then is made anew by the next call; where pip failed before
    it changed anything, the environment is what it was.
    """
    environment = ENVIRONMENTS[name]
    pins = _pins([REQUIREMENTS / f"{each}.txt" for each in (name, *also)])
    imports = (*environment.imports, *(module for each in also for module in FURTHER[each]))
    path = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / f".{name}.lock"):
        if _is_whole(path, pins):
            return interpreter(path)
        if _can_be_taken_over(path, environment.pythons, pins):
            _check_imports(path, imports)
            say(f"{path}: already holds what is needed")
            _mark(path, pins, whole=True, ours=False)
            return interpreter(path)
        if _can_be_added_to(path, pins):
            _add(path, pins, imports, say)
            return interpreter(path)
        _make_room(path)
        base = find_python(environment.pythons)
        say(f"{path}: making it with {base}")
        path.mkdir()
        _mark(path, pins, whole=False, ours=True)
        _run([str(base), "-I", "-m", "venv", str(path)], f"the environment {path}", say)
        _install(path, pins, say)
        _check_imports(path, imports)
        _mark(path, pins, whole=True, ours=True)
        return interpreter(path)


def interpreter(path: Path) -> Path:
    """Where the Python of the environment in this folder is."""
    return path / "Scripts" / "python.exe" if os.name == "nt" else path / "bin" / "python"


def find_python(versions: Sequence[str]) -> Path:
    """An interpreter of one of these versions ("3.11", ...), best first, that can make environments.

    Looks at the running one, at PATH and at pyenv's. Raises SetupError that says what was tried.
    """
    tried = []
    for version in versions:
        for candidate in _candidates(version):
            reason = _unfit(candidate, version)
            if reason is None:
                return candidate
            tried.append(f"{candidate}: {reason}")
    wanted = " or ".join(versions)
    raise SetupError("\n  ".join([f"Python {wanted} is needed and was not found; install it (python.org).", *tried]))


def blenders() -> list[str]:
    """The Blender environments that a Python is found for, oldest first."""
    found = []
    for name, environment in ENVIRONMENTS.items():
        if name.startswith("blender-"):
            with contextlib.suppress(SetupError):
                find_python(environment.pythons)
                found.append(name)
    return found


# Finding a Python


def _candidates(version: str) -> Iterator[Path]:
    if "{}.{}".format(*sys.version_info[:2]) == version:
        # In an environment this is the Python that it was made with: an environment must not hang on another.
        yield Path(getattr(sys, "_base_executable", None) or sys.executable)
    for name in (f"python{version}", "python3", "python"):
        if found := shutil.which(name):
            yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)
    yield from sorted(pyenv.glob(f"pyenv-win/versions/{version}.*/python.exe"), reverse=True)
    local = os.environ.get("LOCALAPPDATA")
    if local:
        yield from Path(local).glob(f"Programs/Python/Python{version.replace('.', '')}/python.exe")


def _unfit(python: Path, version: str) -> str | None:
    """Why this interpreter does not do, or nothing if it does."""
    code = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run(
            [str(python), "-I", "-c", code], capture_output=True, text=True, errors="replace", timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run ({error})"
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    found = done.stdout.strip()
    return None if found == version else f"is Python {found}"


# What is there already


def _is_whole(path: Path, pins: set[str]) -> bool:
    return pins <= _held(path) and _runs(path)


def _can_be_taken_over(path: Path, pythons: Sequence[str], pins: set[str]) -> bool:
    """Whether someone else made just what is wanted here."""
    if _is_ours(path) or not (path / "pyvenv.cfg").is_file() or not _runs(path):
        return False
    if not any(_unfit(interpreter(path), version) is None for version in pythons):
        return False
    return pins <= {pin.partition("+")[0] for pin in _installed(path)}  # 2.13.0+cpu is a 2.13.0


def _can_be_added_to(path: Path, pins: set[str]) -> bool:
    """Whether it is a whole one of ours, and holds nothing in another version than the one that is wanted."""
    held = {_name(pin): pin for pin in _held(path)}
    return bool(held) and _is_ours(path) and _runs(path) and all(held.get(_name(pin), pin) == pin for pin in pins)


def _make_room(path: Path) -> None:
    """Take away a half-made or outdated environment of ours. Raises SetupError for anything else that is there."""
    if not os.path.lexists(path):
        return
    if not path.is_symlink() and path.is_dir():
        if _is_ours(path):
            shutil.rmtree(path)
            return
        if not any(path.iterdir()):
            path.rmdir()
            return
    raise SetupError(f"{path} was not made by ReCam and does not hold what is needed: move it away and try again.")


def _held(path: Path) -> set[str]:
    """What a whole environment was made with; nothing where it is not whole."""
    marker = _marker(path)
    held = marker.get("requirements")
    if marker.get("whole") is not True or not isinstance(held, list):
        return set()
    return {pin for pin in held if isinstance(pin, str) and _PIN.fullmatch(pin)}


def _is_ours(path: Path) -> bool:
    return _marker(path).get("ours") is True


def _marker(path: Path) -> dict[str, object]:
    """What the marker says; nothing where there is none, or none that this version can read."""
    try:
        data = json.loads((path / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) and data.get("recam_environment") == _MARKER_VERSION else {}


def _mark(path: Path, pins: set[str], *, whole: bool, ours: bool) -> None:
    data = {"recam_environment": _MARKER_VERSION, "whole": whole, "ours": ours, "requirements": sorted(pins)}
    begun = path / f"{MARKER}.new"
    begun.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    os.replace(begun, path / MARKER)


def _pins(files: Sequence[Path]) -> set[str]:
    """The requirements in these files, each as ``name==version`` in pip's normal spelling."""
    lines = (line.partition("#")[0].strip() for file in files for line in file.read_text(encoding="utf-8").splitlines())
    return {_normal(line) for line in lines if line}


def _name(pin: str) -> str:
    return pin.partition("==")[0]


def _normal(pin: str) -> str:
    name, _, version = pin.partition("==")
    return re.sub(r"[-_.]+", "-", name).lower() + "==" + version


def _installed(path: Path) -> set[str]:
    """What is there, as :func:`_pins` spells it, with local versions (``torch==2.13.0+cpu``)."""
    code = "import importlib.metadata as m; [print(d.metadata['Name'] + '==' + d.version) for d in m.distributions()]"
    listed = subprocess.run(
        [str(interpreter(path)), "-I", "-c", code], capture_output=True, text=True, env=_surroundings(), check=False
    )
    return {_normal(line) for line in listed.stdout.splitlines()}


def _runs(path: Path) -> bool:
    """Whether the environment's Python still starts: the one that it was made with may be gone."""
    try:
        done = subprocess.run([str(interpreter(path)), "-I", "-c", ""], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


# Making one


def _add(path: Path, pins: set[str], imports: Sequence[str], say: Say) -> None:
    """Install what a whole environment of ours lacks, beside what it holds."""
    held, before = _held(path), _installed(path)
    say(f"{path}: adding {', '.join(sorted(pins - held))}")
    _mark(path, held | pins, whole=False, ours=True)
    try:
        _install(path, held | pins, say)
    except SetupError:
        if _installed(path) == before:  # no network, no room: nothing that a new environment would do better
            _mark(path, held, whole=True, ours=True)
        raise
    _check_imports(path, imports)
    _mark(path, held | pins, whole=True, ours=True)


def _install(path: Path, pins: set[str], say: Say) -> None:
    options = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    command = [str(interpreter(path)), "-I", "-m", "pip", "install", *options, *sorted(pins)]
    _run(command, f"the packages for {path}", say)


def _run(command: list[str], what: str, say: Say) -> None:
    """Run a child and pass on what it prints. Raises SetupError with its last lines where it fails."""
    tail: collections.deque[str] = collections.deque(maxlen=_TAIL)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=_surroundings(),
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            tail.append(line.rstrip())
            say(line.rstrip())
    if child.returncode:
        raise SetupError("\n  ".join([f"{what} could not be installed. The last lines were:", *tail]))


def _check_imports(path: Path, modules: Sequence[str]) -> None:
    """Raises SetupError where a module cannot be imported, with the reason that is known for it."""
    for module in modules:
        command = [str(interpreter(path)), "-I", "-c", f"import {module}"]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=_surroundings(), check=False
        )
        if done.returncode == 0:
            continue
        lines = done.stderr.strip().splitlines()[-_TAIL:] or [f"exit status {done.returncode}"]
        raise SetupError(
            "\n  ".join([f"{path} is there, but {module} cannot be imported in it:", *lines, *_advice(lines)])
        )


def _advice(lines: list[str]) -> list[str]:
    missing = re.search(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object file", "\n".join(lines))
    if missing is None:
        return []
    return [
        f"The system library {missing[1]} is missing. What Blender needs on Debian or Ubuntu:",
        "apt-get install libx11-6 libxrender1 libxxf86vm1 libxfixes3 libxi6 libxkbcommon0 libsm6 libgl1 libgomp1",
    ]


def _surroundings() -> dict[str, str]:
    """The environment variables here, without those that would lead another Python to packages not its own."""
    unwanted = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__")
    return {key: value for key, value in os.environ.items() if key not in unwanted} | {"PYTHONNOUSERSITE": "1"}


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One maker at a time. The system frees the lock with its holder, however that ends; the file stays."""
    with open(path, "a+b") as opened:
        try:
            _lock(opened)
        except OSError:
            raise SetupError(f"Another process is making this environment ({path} is locked): wait for it.") from None
        yield


def _lock(opened: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt

        opened.seek(0)
        msvcrt.locking(opened.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)


# From a shell


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when done, 1 with one message on stderr when not."""
    parser = argparse.ArgumentParser(prog="python -m backend.environment", description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make", help="make environments, or find that they are whole")
    making.add_argument("names", nargs="+", choices=list(ENVIRONMENTS), metavar="NAME", help=", ".join(ENVIRONMENTS))
    making.add_argument("--also", action="append", default=[], choices=list(FURTHER), help="further requirements")
    making.add_argument("--folder", type=Path, default=Path(".venvs"), help="where they lie (.venvs)")
    commands.add_parser("blenders", help="the Blender environments that can be made here, oldest first")
    chosen = parser.parse_args(arguments)
    if chosen.command == "blenders":
        sys.stdout.write(" ".join(blenders()) + "\n")
        return 0
    try:
        for name in chosen.names:
            make(name, chosen.folder.absolute(), also=chosen.also, say=_say)
    except (SetupError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
