"""Which build of torch a machine runs: by its GPUs, their driver and the system. Standard library only, from 3.10 on.

torch 2.13.0 comes built for CUDA 12.6 (for GPUs since Maxwell), 13.0 (since Turing; PyPI's on Linux), 13.2 (called
experimental), for ROCm 7.2 (Linux on x86-64 alone), for Apple's GPUs (PyPI's there), and for processors (PyPI's on
Windows). Sources: PyTorch's RELEASE.md, "Release Compatibility Matrix" and "CUDA Support Matrix" (pull requests 187075
and 182849); the files that PyPI lists; NVIDIA's table of drivers, docs.nvidia.com/deploy/cuda-compatibility. A build
brings its own CUDA or ROCm: of the system it needs the driver alone.
"""

from __future__ import annotations

import os
import platform as platforms
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import sizes
from .asking import ask
from .errors import SetupError

VERSION = "2.13.0"
"""Of torch, that all this is about: requirements/recammaster.txt pins it."""

INDEX = "https://download.pytorch.org/whl"
"""PyTorch's own index, of the builds that PyPI has not: a folder for each. RECAM_TORCH_INDEX names a mirror."""

_TIMEOUT = 5.0  # seconds; a driver that sleeps wakes up within two or three


@dataclass(frozen=True)
class Build:
    """A build of torch.

    Attributes:
        name: cpu, mps, cu130, rocm7.2: as PyTorch's index calls it.
        requirement: for pip.
        index: where pip is to look beside its usual one; nothing where that has this build.
        reason: why it is this one, a sentence.
        download, disk: bytes of it and of the libraries that it brings.
    """

    name: str
    requirement: str
    index: str
    reason: str
    download: int = 0
    disk: int = 0


@dataclass(frozen=True)
class Gpu:
    """One of NVIDIA's, as nvidia-smi tells of it."""

    name: str
    capability: tuple[int, int]
    driver: str


@dataclass(frozen=True)
class Machine:
    """What the choice goes by.

    Attributes:
        platform: see :func:`platform_of`.
        nvidia: its GPUs; none without a driver of NVIDIA's.
        amd: the kinds of AMD's GPUs that the kernel's driver for computing knows, like gfx1100. On Linux alone.
        remark: what should be said where no GPU can be used, a sentence.
    """

    platform: str
    nvidia: tuple[Gpu, ...] = ()
    amd: tuple[str, ...] = ()
    remark: str = ""


@dataclass(frozen=True)
class _Cuda:
    """A build for NVIDIA's GPUs.

    Attributes:
        words: what it is called.
        least, most: compute capability of the GPUs that it has kernels for; 9.9 stands for all of 9.
        drivers: the oldest that run it, by platform.
    """

    words: str
    least: dict[str, tuple[int, int]]
    most: tuple[int, int]
    drivers: dict[str, str]


_ANY = (99, 9)  # what comes after Blackwell has not come yet; on Linux it would run what is compiled for it on the spot
_CUDA = {
    "cu130": _Cuda(
        words="CUDA 13.0",
        least={"linux-x86_64": (7, 5), "linux-aarch64": (8, 0), "win-amd64": (7, 5)},
        most=_ANY,
        drivers={"linux-x86_64": "580", "linux-aarch64": "580", "win-amd64": "580"},
    ),
    "cu126": _Cuda(
        words="CUDA 12.6",
        least={"linux-x86_64": (5, 0), "linux-aarch64": (8, 0), "win-amd64": (5, 0)},
        most=(9, 9),
        drivers={"linux-x86_64": "525.60.13", "linux-aarch64": "525.60.13", "win-amd64": "528.33"},
    ),
}
"""Those that are chosen, the newest first: it is the fastest on what it knows."""

ROCM = "rocm7.2"
_AMD = frozenset(
    {
        "gfx90a",
        "gfx942",
        "gfx950",
        "gfx1030",
        "gfx1100",
        "gfx1101",
        "gfx1102",
        "gfx1150",
        "gfx1151",
        "gfx1200",
        "gfx1201",
    }
)
"""GPUs that all the libraries in the ROCm build have kernels for, which are fewer than torch itself was built for."""

NAMES = {
    "linux-x86_64": ("cpu", "cu126", "cu130", "cu132", ROCM),
    "linux-aarch64": ("cpu", "cu126", "cu130", "cu132"),
    "win-amd64": ("cpu", "cu126", "cu130", "cu132"),
    "macosx-arm64": ("mps",),
}
"""The builds that there are."""

_USUAL = {"linux-x86_64": "cu130", "linux-aarch64": "cu130", "win-amd64": "cpu", "macosx-arm64": "mps"}
"""The one of them that PyPI has."""


def choose(torch: str = "auto", *, wheels: str = "", machine: Machine | None = None) -> Build:
    """The build of torch to install.

    Args:
        torch: ``auto``: the best that this machine runs. Else a build's name, which is taken as it is asked for.
        wheels: a folder that all comes from: then it is the build that lies there.
        machine: to choose for; none: this one.

    Raises:
        SetupError: there is no such build, or none for this machine, or the driver of its GPU is too old for any.
    """
    machine = look() if machine is None else machine
    if not machine.platform:
        raise SetupError(machine.remark)
    if wheels:
        return _of_wheels(torch, Path(wheels), machine.platform)
    names = NAMES[machine.platform]
    if torch == "cpu" and machine.platform == "macosx-arm64":
        return _build("mps", machine, "The build for Apple's GPUs is the one for its processors as well.")
    if torch != "auto":
        if torch not in names:
            raise SetupError(f"{torch} is no build of torch {VERSION} for this system: choose auto, {_or(names)}.")
        return _build(torch, machine, "It was asked for.")
    if machine.platform == "macosx-arm64":
        return _build("mps", machine, "It is the build for Apple's GPUs.")
    return _for_nvidia(machine) or _for_amd(machine) or _build("cpu", machine, machine.remark or _NO_GPU)


_NO_GPU = "No GPU of NVIDIA's or AMD's was found that torch could use."


# This machine


def look() -> Machine:
    """What this machine has, asked anew. Takes a few seconds at most."""
    found = platform_of(platforms.system(), platforms.machine())
    if not found or found == "macosx-arm64":
        return Machine(found, remark="" if found else _unsupported())
    gpus, remark = _ask_nvidia()
    if gpus or not found.startswith("linux"):
        return Machine(found, gpus, remark=remark)
    amd = _look_for_amd()
    return Machine(found, amd=amd, remark=remark or ("" if amd else _without_driver()))


def platform_of(system: str, machine: str) -> str:
    """The platform that wheels are for, by what the module `platform` says; nothing where there are none.

    Windows on ARM counts as x86-64, whose programs it runs; so does an Apple processor that pretends to be Intel's.
    """
    arm = machine.lower() in ("arm64", "aarch64")
    x86 = machine.lower() in ("x86_64", "amd64")
    if system == "Linux":
        return "linux-aarch64" if arm else "linux-x86_64" if x86 else ""
    if system == "Windows":
        return "win-amd64" if arm or x86 else ""
    if system == "Darwin":
        return "macosx-arm64" if arm or _is_translated() else ""
    return ""


def _is_translated() -> bool:
    """Whether this is Apple's processor all the same: Rosetta says of what it runs that it is on Intel's."""
    return _told(["/usr/sbin/sysctl", "-n", "hw.optional.arm64"]).strip() == "1"


def _unsupported() -> str:
    if platforms.system() == "Darwin":
        return (
            "The packages that ReCam needs are no longer made for Macs with Intel's processors (torch since 2.3, numba "
            "since 0.63): another machine is needed."
        )
    return f"The packages that ReCam needs are not made for {platforms.system()} on {platforms.machine()}."


_PLACES = (
    (
        Path(os.environ.get("SYSTEMROOT", "C:\\Windows")) / "System32/nvidia-smi.exe",
        Path(os.environ.get("PROGRAMFILES", "C:\\Program Files")) / "NVIDIA Corporation/NVSMI/nvidia-smi.exe",
    )
    if os.name == "nt"
    else (Path("/usr/lib/wsl/lib/nvidia-smi"),)
)
"""Where NVIDIA's tool lies, where it is not on PATH."""


def _ask_nvidia() -> tuple[tuple[Gpu, ...], str]:
    """NVIDIA's GPUs; and where there are none although its tool is there, what that says."""
    tool = next(_nvidia_smi(), None)
    if tool is None:
        return (), ""
    command = [tool, "--query-gpu=name,compute_cap,driver_version", "--format=csv,noheader"]
    try:
        done = ask(command, timeout=_TIMEOUT, variables=os.environ)
    except (OSError, subprocess.TimeoutExpired):
        return (), f"{tool} gave no answer, so NVIDIA's driver seems not to work: restart the computer or reinstall it."
    gpus = tuple(filter(None, map(_gpu, done.stdout.splitlines()))) if done.returncode == 0 else ()
    if gpus:
        return gpus, ""
    said = " ".join((done.stdout + " " + done.stderr).split())[:200]
    return (), f"No GPU of NVIDIA's can be used: {tool} says {said!r}."


def _nvidia_smi() -> Iterator[str]:
    if found := shutil.which("nvidia-smi"):
        yield found
    yield from (str(each) for each in _PLACES if each.is_file())


def _gpu(line: str) -> Gpu | None:
    """Of a line like ``NVIDIA GeForce RTX 4090, 8.9, 550.54.14``."""
    match = re.fullmatch(r"\s*(.+?)\s*,\s*(\d+)\.(\d+)\s*,\s*(\d+(?:\.\d+)*)\s*", line)
    return Gpu(match[1], (int(match[2]), int(match[3])), match[4]) if match else None


KFD = Path("/sys/class/kfd/kfd/topology/nodes")
"""What the kernel's driver for computing on AMD's GPUs tells of them; it is in every usual kernel."""


def _look_for_amd() -> tuple[str, ...]:
    if override := os.environ.get("HSA_OVERRIDE_GFX_VERSION"):  # by which one kind passes for another: 10.3.0
        numbers = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", override)
        if numbers and KFD.is_dir():
            return (_gfx(*(int(each) for each in numbers.groups())),)
    kinds = []
    for file in sorted(KFD.glob("*/properties")):
        try:
            match = re.search(r"^gfx_target_version (\d+)$", file.read_text(encoding="ascii", errors="replace"), re.M)
        except OSError:
            continue
        if match and (number := int(match[1])):  # 0: the processor
            kinds.append(_gfx(number // 10000, number // 100 % 100, number % 100))
    return tuple(kinds)


def _gfx(major: int, minor: int, step: int) -> str:
    return f"gfx{major}{minor:x}{step:x}"


def _without_driver() -> str:
    """What to say where there is a GPU of NVIDIA's and no driver of NVIDIA's."""
    for device in Path("/sys/bus/pci/devices").glob("*"):
        try:
            vendor, kind = ((device / name).read_text(encoding="ascii").strip() for name in ("vendor", "class"))
        except (OSError, ValueError):
            continue
        if vendor == "0x10de" and kind.startswith("0x03"):
            return (
                "There is a GPU of NVIDIA's without NVIDIA's driver, or nvidia-smi is not on PATH, so torch could not "
                "use it: install the driver for faster takes."
            )
    return ""


def _told(command: Sequence[str]) -> str:
    try:
        return ask(command, timeout=_TIMEOUT).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


# The choice


def _for_nvidia(machine: Machine) -> Build | None:
    """The newest build that serves all GPUs, or else the best of them."""
    if not machine.nvidia:
        return None
    best = max(machine.nvidia, key=lambda gpu: gpu.capability)
    for gpus in (machine.nvidia, (best,)):
        for name, cuda in _CUDA.items():
            if all(_knows(cuda, gpu, machine.platform) and _drives(cuda, gpu, machine.platform) for gpu in gpus):
                return _build(name, machine, _why(cuda, gpus, machine))
    needed = [cuda for cuda in _CUDA.values() if _knows(cuda, best, machine.platform)]
    if not needed:
        reason = f"{best.name} (compute capability {_version(best.capability)}) is too old for torch {VERSION}."
        return _build("cpu", machine, reason)
    oldest = min((cuda.drivers[machine.platform] for cuda in needed), key=_numbers)
    raise SetupError(
        f"The driver of {best.name} is version {best.driver}, and torch {VERSION} needs {oldest} or later: update the "
        "driver (nvidia.com/drivers) and try again. Or choose the build cpu, which is far too slow for takes."
    )


def _knows(cuda: _Cuda, gpu: Gpu, platform: str) -> bool:
    return cuda.least[platform] <= gpu.capability <= cuda.most


def _drives(cuda: _Cuda, gpu: Gpu, platform: str) -> bool:
    return _numbers(gpu.driver) >= _numbers(cuda.drivers[platform])


def _why(cuda: _Cuda, gpus: Sequence[Gpu], machine: Machine) -> str:
    names = " and ".join(dict.fromkeys(gpu.name for gpu in gpus))
    said = [f"{names} with driver {gpus[0].driver} runs {cuda.words}."]
    newest = next(iter(_CUDA.values()))
    if cuda is not newest:
        old = [gpu.name for gpu in gpus if not _knows(newest, gpu, machine.platform)]
        driver = newest.drivers[machine.platform]
        said.append(
            f"{newest.words} is not made for {' and '.join(dict.fromkeys(old))}."
            if old
            else f"{newest.words} would need driver {driver} or later."
        )
    left = [gpu.name for gpu in machine.nvidia if gpu not in gpus]
    if left:
        said.append(f"No build runs on {' and '.join(dict.fromkeys(left))} as well.")
    return " ".join(said)


def _for_amd(machine: Machine) -> Build | None:
    if not machine.amd or ROCM not in NAMES[machine.platform]:
        return None
    served = [kind for kind in machine.amd if kind in _AMD]
    if served:
        reason = f"AMD's GPU ({' and '.join(dict.fromkeys(served))}) runs ROCm {ROCM.removeprefix('rocm')}."
        if not os.access("/dev/kfd", os.R_OK | os.W_OK):
            reason += " Your user may not use it yet: `sudo usermod -a -G render,video $USER`, and log in anew."
        return _build(ROCM, machine, reason)
    kinds = " and ".join(dict.fromkeys(machine.amd))
    return _build("cpu", machine, f"The ROCm build of torch {VERSION} has no kernels for AMD's GPU here ({kinds}).")


def _build(name: str, machine: Machine, reason: str) -> Build:
    size = sizes.TORCH[machine.platform, name]
    if name == _USUAL[machine.platform]:
        return Build(name, f"torch=={VERSION}", "", reason, *size)
    base = (os.environ.get("RECAM_TORCH_INDEX") or INDEX).rstrip("/")
    return Build(name, f"torch=={VERSION}+{name}", f"{base}/{name}", reason, *size)


_WHEEL = re.compile(rf"torch-{re.escape(VERSION)}(?:\+([a-z0-9.]+))?-.*\.whl")


def _of_wheels(torch: str, folder: Path, platform: str) -> Build:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise SetupError(f"{folder} cannot be read ({error.strerror}): choose a folder of wheels.") from None
    there = {match[1] or _USUAL[platform]: match for each in names if (match := _WHEEL.fullmatch(each))}
    name = torch if torch != "auto" else next(iter(there), "")
    if name not in there:
        what = f"torch {VERSION}" if torch == "auto" else f"torch {VERSION}+{torch}"
        raise SetupError(f"{folder} holds no wheel of {what}: it has {_or(there) or 'none'}.", "packages")
    local = there[name][1]
    requirement = f"torch=={VERSION}+{local}" if local else f"torch=={VERSION}"
    return Build(
        name, requirement, "", "It lies in the folder of wheels.", 0, sizes.TORCH.get((platform, name), (0, 0))[1]
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in version.split("."))


def _version(numbers: Iterable[int]) -> str:
    return ".".join(str(each) for each in numbers)


def _or(names: Iterable[str]) -> str:
    *first, last = [*names] or [""]
    return f"{', '.join(first)} or {last}" if first else last
