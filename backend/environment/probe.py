"""Asking a Python of somebody's own what it has, and saying what it lacks. Standard library only, from 3.10 on."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contract import ENGINES
from . import builds, marker
from .asking import ask, surroundings
from .errors import SetupError
from .messages import Probe
from .pythons import is_called_python

LEAST = (3, 11)
"""The oldest Python that the backend runs on."""

_TIMEOUT = 120.0
"""Seconds: torch alone takes ten to be imported from a cold disk."""

_MODULES = {
    "numpy": "numpy",
    "opencv-python-headless": "cv2",
    "av": "av",
    "numba": "numba",
    "openexr": "OpenEXR",
    "pillow": "PIL",
    "huggingface-hub": "huggingface_hub",
}
"""What is imported of a package, where that is not called like it; or where another package brings it as well."""

# Any Python 3 runs this. What is told last stands on a line of its own, as a user's packages may print.
_QUESTION = """
import json, os, platform, sys
sys.path[:] = [each for each in sys.path if each not in ("", os.getcwd())]
asked = json.loads(sys.argv[1])
answer = {"python": platform.python_version(), "there": [], "versions": {}, "torch": "", "device": "", "memory": 0}
answer["pip"], answer["managed"] = False, False
try:
    import importlib.util, sysconfig
    from importlib import metadata
    for name, module in asked.items():
        if importlib.util.find_spec(module) is not None:
            answer["there"].append(name)
        try:
            answer["versions"][name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    answer["pip"] = importlib.util.find_spec("pip") is not None
    managed = os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
    answer["managed"] = sys.prefix == sys.base_prefix and os.path.exists(managed)
except ImportError:
    pass
if "torch" in answer["there"]:
    try:
        import torch
        answer["torch"] = str(torch.__version__)
        if torch.cuda.is_available():
            best = max(range(torch.cuda.device_count()), key=lambda each: torch.cuda.mem_get_info(each)[0])
            answer["device"] = torch.cuda.get_device_name(best)
            answer["memory"] = torch.cuda.get_device_properties(best).total_memory
        elif torch.backends.mps.is_available():
            answer["device"] = "Apple's GPU"
        else:
            answer["device"] = "CPU"
        if not answer["memory"] and hasattr(os, "sysconf"):
            answer["memory"] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except Exception as error:
        answer["broken"] = type(error).__name__ + ": " + str(error)
sys.stdout.write("\\n" + json.dumps(answer) + "\\n")
"""


@dataclass(frozen=True)
class _Answer:
    python: str
    there: frozenset[str]
    versions: dict[str, str]
    torch: str
    device: str
    memory: int
    pip: bool
    managed: bool
    broken: str


def probe(python: str, engine: str) -> Probe:
    """What an interpreter can run, and what it lacks for an engine.

    A package in a newer version than the pinned one will do; one in an older one counts as lacking. Nothing of it is
    run but an import of torch: whether all works shows in the first take.

    Args:
        python: the interpreter; a name is looked up on PATH.
        engine: that is to run.

    Raises:
        SetupError: it is no Python, does not run, or is too old; or its torch cannot be imported.
    """
    pins = {each: marker.pins_of(each) for each in ENGINES}
    names = sorted({marker.name_of(pin) for each in pins.values() for pin in each})
    answer = _ask(python, {name: _MODULES.get(name, name.replace("-", "_")) for name in names})
    if _numbers(answer.python) < LEAST:
        least = ".".join(str(each) for each in LEAST)
        raise SetupError(f"{python} is Python {answer.python}, and the backend needs {least} or later.", "python")
    if answer.broken and engine != ENGINES[0]:
        raise SetupError(f"The torch of {python} cannot be imported: {answer.broken}. Install it anew.", "packages")
    missing = sorted(pin for pin in pins[engine] if _lacks(answer, pin))
    return Probe(
        python=python,
        python_version=answer.python,
        engines=tuple(each for each in ENGINES if not any(_lacks(answer, pin) for pin in pins[each])),
        missing=tuple(missing),
        command=_command(python, answer, missing) if missing else "",
        torch=answer.torch,
        device=answer.device,
        memory=answer.memory,
    )


def _ask(python: str, modules: dict[str, str]) -> _Answer:
    if not is_called_python(Path(python)):
        raise SetupError(
            f"{python} is not called like a Python, and was not started: choose python3 or python.exe.", "python"
        )
    variables = surroundings()
    # What runs it in earnest lets it have the packages of its user as well.
    variables.pop("PYTHONNOUSERSITE")
    command = [python, "-c", _QUESTION, json.dumps(modules)]
    try:
        done = ask(command, timeout=_TIMEOUT, variables=variables)
    except subprocess.TimeoutExpired:
        raise SetupError(f"{python} gave no answer in {_TIMEOUT:.0f} seconds.", "python") from None
    except (OSError, ValueError) as error:
        raise SetupError(f"{python} does not run ({error}): choose a Python's executable file.", "python") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise SetupError(f"{python} does not run: {lines[-1]}", "python")
    return _read(python, done.stdout)


def _read(python: str, text: str) -> _Answer:
    lines = text.strip().splitlines()
    try:
        data: Any = json.loads(lines[-1]) if lines else {}
        return _Answer(
            python=str(data["python"]),
            there=frozenset(str(each) for each in data["there"]),
            versions={str(name): str(version) for name, version in dict(data["versions"]).items()},
            torch=str(data["torch"]),
            device=str(data["device"]),
            memory=max(0, int(data["memory"])),
            pip=bool(data["pip"]),
            managed=bool(data["managed"]),
            broken=str(data.get("broken", "")),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise SetupError(f"{python} does not answer as a Python does.", "python") from None


def _lacks(answer: _Answer, pin: str) -> bool:
    name, _, wanted = pin.partition("==")
    if name not in answer.there:
        return True
    found = answer.versions.get(name)  # none: another package brings the module, as opencv-python does
    return found is not None and _numbers(found)[:2] < _numbers(wanted)[:2]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in re.findall(r"\d+", version.partition("+")[0]))


# The command that adds what is missing


def _command(python: str, answer: _Answer, missing: Sequence[str]) -> str:
    """For the system's own shell: on Windows cmd, which PowerShell understands where no path has spaces."""
    commands = []
    if answer.managed:  # the system's own: pip may not touch it
        own = marker.data_folder() / "python"
        commands.append([python, "-m", "venv", str(own)])
        python = str(marker.interpreter(own))
    elif not answer.pip:
        commands.append([python, "-m", "ensurepip"])
    commands.append([python, "-m", "pip", "install", *_requirements(missing)])
    return " && ".join(_quoted(each) for each in commands)


def _requirements(missing: Sequence[str]) -> list[str]:
    """With torch in the build that this machine runs, where one is told apart."""
    if not any(marker.name_of(each) == "torch" for each in missing):
        return list(missing)
    try:
        build = builds.choose()
    except SetupError:
        return list(missing)
    index = [f"--extra-index-url={build.index}"] if build.index else []
    return [*index, *(build.requirement if marker.name_of(each) == "torch" else each for each in missing)]


def _quoted(command: Sequence[str]) -> str:
    return subprocess.list2cmdline(command) if os.name == "nt" else shlex.join(command)
