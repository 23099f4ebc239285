"""Finding a Python that can make environments: Blender's own, the system's, or one of those that people install.

An interpreter is asked what it is, and never judged by its name: but only what is called like one is started at all, as
Blender itself and the Microsoft Store's stand-in would open a window. Standard library only, for Python 3.10 and later.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .asking import ask
from .errors import SetupError

_NAME = re.compile(r"python(\d+(\.\d+)?)?(\.exe)?", re.IGNORECASE)
_TIMEOUT = 30.0
"""Seconds for an interpreter to start: a cold disk with a virus scanner takes its time."""

_QUESTION = """
import json, os, platform, struct, sys, sysconfig
answer = {
    "version": "%d.%d.%d" % sys.version_info[:3],
    "implementation": sys.implementation.name,
    "bits": struct.calcsize("P") * 8,
    "macos": platform.mac_ver()[0],
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "machine": platform.machine(),
    "platform": sysconfig.get_platform(),
    "libc": "",
    "base": getattr(sys, "_base_executable", None) or sys.executable,
    "lacks": [],
}
if "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", ()):
    answer["libc"] = os.confstr("CS_GNU_LIBC_VERSION") or ""
for name in ("venv", "ensurepip"):
    try:
        __import__(name)
    except ImportError:
        answer["lacks"].append(name)
print(json.dumps(answer))
"""


@dataclass(frozen=True)
class Answer:
    """What an interpreter says of itself."""

    version: str
    """Like 3.11.7."""
    implementation: str
    bits: int
    free_threaded: bool
    machine: str
    """As platform.machine() has it there: an x86_64 Python on Apple silicon says x86_64."""
    platform: str
    """As sysconfig.get_platform() has it: linux-x86_64, win-amd64, macosx-11.0-arm64."""
    libc: str
    """Like ``glibc 2.36``; nothing where the system's is another, as on Alpine, or it is no Linux."""
    macos: str
    """Its version, like 14.5; nothing on other systems."""
    base: str
    """The interpreter itself; another one where an environment's was asked."""
    lacks: tuple[str, ...]
    """Of what making environments takes."""


def find_python(versions: Sequence[str], base: str = "") -> Path:
    """An interpreter of one of these versions ("3.11", ...), best first, that can make environments.

    Looks at the running one, at PATH, and where installers, pyenv, uv, Homebrew and conda put theirs.

    Args:
        versions: that will do.
        base: the one to take, and no other.

    Raises:
        SetupError: none will do; says what was tried and why not.
    """
    wanted = " or ".join(versions)
    if base:
        answer = _answer_or_reason(Path(base))
        reason = answer if isinstance(answer, str) else unfit(answer, versions)
        if isinstance(answer, Answer) and not reason:
            return _itself(Path(base), answer)
        raise SetupError(f"{base} cannot be used: {reason}. Choose a Python {wanted}, or let ReCam find one.", "python")
    asked: dict[Path, Answer | str] = {}
    for version in versions:
        for candidate in _candidates(version):
            if candidate not in asked:
                asked[candidate] = _answer_or_reason(candidate)
            answer = asked[candidate]
            if isinstance(answer, Answer) and not unfit(answer, [version]):
                return _itself(candidate, answer)
    problems = [
        f"{candidate}: {each if isinstance(each, str) else unfit(each, versions)}" for candidate, each in asked.items()
    ]
    raise SetupError(
        "\n  ".join([f"Python {wanted} is needed and was not found. {_remedy(versions)}", *problems]), "python"
    )


def question(python: Path) -> Answer:
    """What this interpreter is.

    Raises:
        SetupError: it does not run, does not answer in time, or is none.
    """
    if not is_called_python(python):
        raise SetupError("it is not called like a Python, and was not started", "python")
    if any(part.lower() == "windowsapps" for part in python.parts):
        reason = "it is the Microsoft Store's, which writes its files elsewhere than it says; take python.org's"
        raise SetupError(reason, "python")
    try:
        done = ask([str(python), "-I", "-c", _QUESTION], timeout=_TIMEOUT)
    except (OSError, ValueError) as error:
        raise SetupError(f"it does not run ({error})", "python") from None
    except subprocess.TimeoutExpired:
        raise SetupError(f"it gave no answer in {_TIMEOUT:.0f} seconds", "python") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise SetupError(f"it does not run ({lines[-1]})", "python")
    return _answer(done.stdout)


def unfit(answer: Answer, versions: Sequence[str]) -> str:
    """Why an interpreter does not do, in a few words; nothing if it does."""
    if answer.implementation != "cpython":
        return f"it is {answer.implementation}, and the packages are built for CPython"
    if answer.version.rpartition(".")[0] not in versions:
        return f"it is Python {answer.version}"
    if answer.bits != 64:
        return f"it is a {answer.bits}-bit Python, and the packages are for 64 bits"
    if answer.free_threaded:
        return "it is a free-threaded Python, and the packages are built for the usual one"
    if reason := _unfit_system(answer):
        return reason
    if answer.lacks:
        advice = ""
        if sys.platform.startswith("linux") and answer.base.startswith("/usr/bin/"):
            name = answer.version.rpartition(".")[0]
            advice = f"; on Debian and Ubuntu `sudo apt-get install python{name}-venv` adds it"
        return f"it lacks {' and '.join(answer.lacks)}, which makes environments{advice}"
    return ""


_GLIBC = (2, 28)
_MACOS = (14, 0)
"""The oldest that all wheels of what is pinned are for: Debian 10, RHEL 8 and Ubuntu 20.04 have that glibc or later."""


def _unfit_system(answer: Answer) -> str:
    """Why no packages are made for it, in a few words."""
    arm = answer.machine.lower() in ("arm64", "aarch64")
    if answer.platform.startswith("linux"):
        if not answer.libc.startswith("glibc"):
            return "its C library is not glibc (as on Alpine Linux), and the packages are built for glibc"
        if _numbers(answer.libc) < _GLIBC:
            return f"its C library is {answer.libc}, and the packages need glibc {_GLIBC[0]}.{_GLIBC[1]} or later"
    if answer.platform.startswith("macosx"):
        if not arm:
            return "it is built for Intel's processors, for which the packages are no longer made on macOS"
        if answer.macos and _numbers(answer.macos) < _MACOS:
            return f"this is macOS {answer.macos}, and the packages need macOS {_MACOS[0]} or later"
    if answer.platform.startswith("win-arm"):
        return "it is built for Windows on ARM, and the packages are for x86-64: install Python for that"
    return ""


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in re.findall(r"\d+", text))


def _answer_or_reason(candidate: Path) -> Answer | str:
    try:
        return question(candidate)
    except SetupError as error:
        return str(error)


def _itself(candidate: Path, answer: Answer) -> Path:
    """Never an environment's Python, as one must not hang on another."""
    base = Path(answer.base)
    return base if is_called_python(base) and base.is_file() else candidate


def _answer(text: str) -> Answer:
    try:
        data = json.loads(text)
        return Answer(
            version=str(data["version"]),
            implementation=str(data["implementation"]),
            bits=int(data["bits"]),
            free_threaded=bool(data["free_threaded"]),
            machine=str(data["machine"]),
            platform=str(data["platform"]),
            libc=str(data["libc"]),
            macos=str(data["macos"]),
            base=str(data["base"]),
            lacks=tuple(str(each) for each in data["lacks"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise SetupError("it does not answer as a Python does", "python") from None


def is_called_python(path: Path) -> bool:
    """Whether it may be started to be asked: Blender itself would open a window."""
    return _NAME.fullmatch(path.name) is not None


def _remedy(versions: Sequence[str]) -> str:
    if "{}.{}".format(*sys.version_info[:2]) in versions and sys.platform.startswith("linux"):
        return "Install one of them (python.org, or your system's packages), or its venv package where only that lacks."
    return "Install one of them (python.org, or your system's packages)."


# Where they are


def _candidates(version: str) -> Iterator[Path]:
    if "{}.{}".format(*sys.version_info[:2]) == version:
        yield from running(version)
    for name in (f"python{version}", "python3", "python"):
        if found := shutil.which(name):
            yield Path(found)
    yield from _windows(version) if os.name == "nt" else _posix(version)


def running(version: str) -> Iterator[Path]:
    """The Python that this one is: Blender's own, where this runs in Blender."""
    for each in (getattr(sys, "_base_executable", None), sys.executable):
        if each and is_called_python(Path(each)):
            yield Path(each)
        elif each and Path(each).name.lower() == "pythonw.exe":  # the same without a console, and so without answers
            yield Path(each).with_name("python.exe")
    for folder in {sys.base_prefix, sys.base_exec_prefix}:  # where sys.executable is Blender itself, or nothing
        for name in (f"bin/python{version}", "bin/python3", "bin/python.exe", "python.exe"):
            if (Path(folder) / name).is_file():
                yield Path(folder) / name


def _posix(version: str) -> Iterator[Path]:
    """What a program that was started from a desktop does not see on its PATH."""
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    yield from _newest(pyenv, f"versions/{version}.*/bin/python{version}")
    for bin_folder in ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin", f"/opt/homebrew/opt/python@{version}/bin"):
        yield from _there(Path(bin_folder) / f"python{version}")
    yield from _there(Path(f"/Library/Frameworks/Python.framework/Versions/{version}/bin/python{version}"))
    uv = os.environ.get("UV_PYTHON_INSTALL_DIR")
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    yield from _newest(Path(uv) if uv else data / "uv/python", f"cpython-{version}.*/bin/python{version}")
    for folder in _condas(home):
        yield from _there(folder / f"bin/python{version}")


def _windows(version: str) -> Iterator[Path]:
    plain = version.replace(".", "")
    home = Path.home()
    yield from _registered(version)
    local = Path(os.environ.get("LOCALAPPDATA") or home / "AppData/Local")
    yield from _there(local / f"Programs/Python/Python{plain}/python.exe")
    yield from _there(local / f"Python/pythoncore-{version}-64/python.exe")
    for above in (os.environ.get("PROGRAMFILES", "C:\\Program Files"), os.environ.get("SYSTEMDRIVE", "C:") + "\\"):
        yield from _there(Path(above) / f"Python{plain}/python.exe")
    pyenv = Path(os.environ.get("PYENV_ROOT") or os.environ.get("PYENV") or home / ".pyenv" / "pyenv-win")
    yield from _newest(pyenv, f"versions/{version}.*/python.exe")
    roaming = Path(os.environ.get("APPDATA") or home / "AppData/Roaming")
    uv = os.environ.get("UV_PYTHON_INSTALL_DIR")
    yield from _newest(Path(uv) if uv else roaming / "uv/python", f"cpython-{version}.*/python.exe")
    for folder in _condas(home):
        yield from _there(folder / "python.exe")


def _registered(version: str) -> Iterator[Path]:
    """What the py launcher finds: installers say in the registry where they have put theirs (PEP 514)."""
    if sys.platform == "win32":
        import winreg

        for root in (winreg.HKEY_CURRENT_USER, winreg.HKEY_LOCAL_MACHINE):
            try:
                folder = winreg.QueryValue(root, rf"Software\Python\PythonCore\{version}\InstallPath")
            except OSError:
                continue
            yield from _there(Path(folder) / "python.exe")
    yield from ()


def _condas(home: Path) -> Iterator[Path]:
    names = ("miniforge3", "mambaforge", "miniconda3", "anaconda3")
    for folder in (
        os.environ.get("CONDA_PREFIX"),
        *(home / name for name in names),
        *(f"/opt/{each}" for each in names),
    ):
        if folder:
            yield Path(folder)


def _there(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path


def _newest(folder: Path, pattern: str) -> list[Path]:
    """The newest first: 3.11.10 comes after 3.11.9."""
    found = folder.glob(pattern)
    return sorted(found, key=lambda path: [int(each) for each in re.findall(r"\d+", str(path))], reverse=True)
