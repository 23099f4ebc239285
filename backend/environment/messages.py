"""What set-up is asked for and what it tells: frozen, checked, JSON both ways. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..contract import ENGINES
from ..messages import Message, spec

ACTIONS = ("nothing", "check", "make", "add", "repair")
KINDS = ("missing", "unfinished", "outdated", "ready", "foreign")


@dataclass(frozen=True, kw_only=True)
class Wish(Message):
    """What is to be set up, and with what."""

    folder: str = spec("of the environment itself, absolute")
    engine: str = spec("that is to run there; recammaster brings reproject along", "reproject", choices=ENGINES)
    torch: str = spec("build of torch: auto, cpu, mps, cu130, rocm7.2, ...", "auto")
    wheels: str = spec("a folder of wheels; where given, no network is used", "")
    base: str = spec("the Python to make it with; found where none is given", "")
    check: bool = spec("have a whole one take a small take too, and make it anew where that fails", False)


@dataclass(frozen=True, kw_only=True)
class Plan(Message):
    """What an installation would do, told before it begins."""

    action: str = spec(
        "nothing: it is ready; check: see whether it works; add: to a whole one; repair: an unfinished one anew",
        choices=ACTIONS,
    )
    python: str = spec("the interpreter that it is, or was, made with")
    python_version: str = spec("of it, like 3.11.7")
    torch: str = spec("build of torch; nothing where none is needed", "")
    reason: str = spec("why that build, a sentence", "")
    download: int = spec("bytes, about; 0 from a folder of wheels", 0, minimum=0)
    disk: int = spec("bytes that must be free, about", 0, minimum=0)
    free: int = spec("bytes that are", 0, minimum=0)


@dataclass(frozen=True, kw_only=True)
class State(Message):
    """What is in a folder, as its marker tells: no process is started to find out."""

    kind: str = spec(
        "missing: nothing; unfinished: begun and not whole; outdated: whole, but an older ReCam's; foreign: not ours",
        choices=KINDS,
    )
    folder: str = spec("of the environment")
    python: str = spec("its interpreter, where it is whole", "")
    python_version: str = spec("of that", "")
    engines: tuple[str, ...] = spec("that it was verified with", ())
    torch: str = spec("its version, like 2.13.0+cu130", "")
    device: str = spec("where networks would run, as verified: NVIDIA GeForce RTX 4090, Apple M3, CPU", "")
    memory: int = spec("bytes of that device", 0, minimum=0)
    packages: tuple[str, ...] = spec("what is installed, as name==version", ())
    recam: str = spec("version of ReCam that made it", "")
    made: str = spec("when it was verified, ISO 8601 in UTC", "")
    size: int = spec("bytes on disk, when it was verified", 0, minimum=0)
    notes: tuple[str, ...] = spec("what its user should know, in whole sentences", ())


@dataclass(frozen=True, kw_only=True)
class Probe(Message):
    """What somebody's own Python has, found by asking it."""

    python: str = spec("the interpreter")
    python_version: str = spec("of it")
    engines: tuple[str, ...] = spec("that it can run", ())
    missing: tuple[str, ...] = spec("what the engine asked for lacks, as name==version", ())
    command: str = spec("that adds what is missing, to be typed in a shell", "")
    torch: str = spec("its version", "")
    device: str = spec("where networks would run", "")
    memory: int = spec("bytes of that device", 0, minimum=0)
