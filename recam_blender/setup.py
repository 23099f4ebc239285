"""Setting up what the backend runs on: plain functions that a script can call, as the buttons do.

What takes time is done by a process of its own, on Blender's Python (``backend/environment/serve.py``): generators here
follow it, and closing one cancels. Whoever only wants to know how things stand asks :func:`state`.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from ..backend.contract import ENGINES, ContractError, Progress
from ..backend.environment import builds as torch_builds
from ..backend.environment import marker, pythons
from ..backend.environment.messages import Plan, Probe, State, Wish
from ..backend.progress import size
from . import client, environment, preferences, runtime, tasks
from .environment import folder, state
from .errors import ReCamError
from .planning import Step
from .texts import later, listed, tr

__all__ = [
    "KEY",
    "SetupFailed",
    "facts",
    "folder",
    "install",
    "log",
    "plan",
    "plan_lines",
    "probe",
    "remove",
    "repair",
    "state",
]

KEY = "setup"
"""Of the one task that sets up, see tasks.py."""

NAMES = {"reproject": "Reproject", "recammaster": "ReCamMaster"}
"""The engines, as users read them."""

_CLOSE_SECONDS = 5.0

_ending: list[threading.Thread] = []


class SetupFailed(ReCamError):
    """Set-up could not do what was asked. ``kind``: see backend/environment/errors.py, or as client.Failed has it."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


def install(engine: str, torch: str = "auto", wheels: str = "", check: bool = False) -> Generator[Step, None, State]:
    """Set up an engine: make the environment, add to it, or find that it has all.

    Args:
        engine: reproject, or recammaster, which brings the other along.
        torch: the build of torch to take: auto, cpu, cu130 and so on.
        wheels: a folder to install from; nothing goes online then.
        check: have one that has all take a small take, and make it anew where that fails.

    Raises:
        ReCamError: with the reason; SetupFailed where it came from set-up itself.
    """
    wish = _wish(engine, torch, wheels, check)
    if not wish.wheels and (reason := runtime.offline()):
        raise ReCamError(reason)
    _let_go()
    answer = yield from _ask("install", {"wish": wish.to_json()}, log_name=KEY)
    return _understood(State, answer)


def repair(wheels: str = "") -> Generator[Step, None, State]:
    """See that an environment is whole and works, for the engine and with the torch that it was begun for."""
    return install(*wanted(), wheels, check=True)


def remove() -> Generator[Step, None, State]:
    """Remove the environment that ReCam made; nothing else."""
    _let_go()
    answer = yield from _ask("remove", {"folder": str(folder())}, log_name=KEY)
    return _understood(State, answer)


def plan(engine: str, torch: str = "auto", wheels: str = "", check: bool = False) -> Generator[Step, None, Plan]:
    """What :func:`install` would do, and what it costs."""
    answer = yield from _ask("plan", {"wish": _wish(engine, torch, wheels, check).to_json()}, log_name="plan")
    return _understood(Plan, answer)


def probe(python: str, engine: str) -> Generator[Step, None, Probe]:
    """What a Python of the user's own has, and what it lacks for an engine."""
    answer = yield from _ask("probe", {"python": os.path.abspath(python), "engine": engine}, log_name="plan")
    return _understood(Probe, answer)


def builds() -> tuple[str, ...]:
    """The builds of torch that there are for this system; which of them fits its GPU, set-up finds out."""
    if sys.platform == "darwin":
        return torch_builds.NAMES["macosx-arm64"]
    system = "Windows" if sys.platform == "win32" else "Linux"
    # Not platform.machine(), which on Windows asks a service that may take seconds.
    machine = sysconfig.get_platform().rpartition("-")[2]
    names: tuple[str, ...] = torch_builds.NAMES.get(torch_builds.platform_of(system, machine), ())
    return names


def wanted() -> tuple[str, str]:
    """The engine and the build of torch that the environment was made for, whole or not."""
    found = marker.read(folder())
    if found is None:
        return ENGINES[0], "auto"
    held = {marker.name_of(pin) for pin in found.requirements}
    fitting = [each for each in ENGINES if {marker.name_of(pin) for pin in marker.pins_of(each)} <= held]
    return (fitting or [ENGINES[0]])[-1], found.build or "auto"


def log() -> str:
    """The file that says most about the latest set-up; nothing where there was none."""
    # What pip said, and else what the process that ran it did.
    found = [str(marker.log_of(folder())), runtime.log_file(KEY)]
    return next((path for path in found if os.path.isfile(path) and os.path.getsize(path)), "")


def end() -> None:
    """See that no process of set-up is left: the add-on is switched off, or Blender quits."""
    while _ending:
        _ending.pop().join(_CLOSE_SECONDS)


# In words


def facts(found: State) -> list[tuple[str, str]]:
    """What there is to tell of an environment, as labels and texts."""
    told = [
        (tr("Version"), found.recam),
        (tr("Engines"), ", ".join(NAMES[each] for each in found.engines)),
        (tr("Python"), found.python_version),
        (tr("torch"), found.torch),
        (
            tr("Device"),
            f"{found.device} ({size(found.memory)})" if found.device and found.memory else found.device,
        ),
        (tr("Size"), size(found.size) if found.size else ""),
        (tr("Folder"), found.folder),
    ]
    return [(label, text) for label, text in told if text]


def ready_text(found: State) -> str:
    """What to say when an installation has ended."""
    told = [tr("Ready: {engines}.").format(engines=listed([NAMES[each] for each in found.engines]))]
    if found.torch and found.device:
        told.append(tr("Networks run on {device}.").format(device=found.device))
    return " ".join((*told, *found.notes))


def plan_lines(planned: Plan, wheels: str = "") -> list[tuple[str, str]]:
    """What to tell before an installation, as labels and texts."""
    checks = planned.action == "check"
    about = tr("about {size}, only if it does not work" if checks else "about {size}")
    told = [
        (
            tr("Repair"),
            tr("A small take shows whether what is installed works; else it is made anew.") if checks else "",
        ),
        (
            tr("Download"),
            tr("nothing, from a folder of wheels") if wheels else about.format(size=size(planned.download)),
        ),
        (
            tr("Disk"),
            tr("about {size} while it is unpacked, of {free} free").format(
                size=size(planned.disk), free=size(planned.free)
            ),
        ),
        (tr("Folder"), str(folder())),
        (tr("Python"), f"{planned.python_version} ({planned.python})"),
    ]
    if planned.torch:
        told += [(tr("torch"), planned.torch), ("", planned.reason)]
    return [(label, text) for label, text in told if text]


def probe_lines(found: Probe, engine: str) -> list[str]:
    """What was found out about a Python that was asked about an engine, in sentences."""
    able = later("{python} is Python {version} and has what it takes for {engines}.")
    if found.torch and found.device:
        able = later("{python} is Python {version} and has what it takes for {engines}, on {device}.")
    engines = listed([NAMES[each] for each in found.engines]) or tr("no engine")
    told = [tr(able).format(python=found.python, version=found.python_version, engines=engines, device=found.device)]
    if found.missing:
        told.append(tr("For {name} it lacks {missing}.").format(name=NAMES[engine], missing=", ".join(found.missing)))
    return told


# The process that does it


def _ask(method: str, params: Mapping[str, Any], *, log_name: str) -> Generator[Step, None, dict[str, Any]]:
    """The answer to a request. Leaving early cancels it."""
    latest = Progress(phase="starting", step=0, total=0)
    while any(each.is_alive() for each in _ending):
        yield Step(latest, idle=True)
    _ending.clear()
    process = _start(log_name)
    try:
        request = process.call(method, params)
        while True:
            events = process.poll()
            if process.greeting is not None:
                runtime.check_version(process.greeting)
            for event in events:
                if isinstance(event, client.Progressed):
                    latest = _understood(Progress, event.progress)
                elif isinstance(event, client.Finished):
                    return event.result
                elif isinstance(event, client.Failed):
                    raise SetupFailed(_in_words(event), event.kind)
                else:
                    raise SetupFailed(event.message, "died")
            yield Step(latest, idle=True)
    except GeneratorExit:
        process.cancel(request)
        raise
    finally:
        environment.changed()
        _end(process)


def _start(log_name: str) -> client.Worker:
    python = _interpreter()
    try:
        return client.Worker.start(
            python,
            package_folder=runtime.package_folder(),
            log_path=runtime.log_path(log_name),
            module="backend.environment",
        )
    except OSError as error:
        raise ReCamError(
            tr("Blender's Python {python!r} cannot be started ({error}).").format(python=python, error=error)
        ) from error


def _end(process: client.Worker) -> None:
    """End it, which may take a moment, on a thread: what it was doing has children to end and files to clear away."""
    thread = threading.Thread(target=process.close, args=(_CLOSE_SECONDS,), name="recam set-up end", daemon=True)
    _ending.append(thread)
    thread.start()


def _interpreter() -> str:
    """The Python that Blender itself runs on; never Blender's executable."""
    for found in pythons.running("{}.{}".format(*sys.version_info[:2])):
        if found.is_file():
            return str(found)
    raise ReCamError(
        tr(
            "The Python that Blender runs on was not found, so ReCam cannot set anything up from here. "
            "Run `python -m backend setup` in a shell, then choose the Python it names with Use My Own "
            "Python."
        )
    )


def _let_go() -> None:
    """Nobody uses the environment that is about to change: not our own worker, and no take that is being made."""
    if runtime.busy:
        raise ReCamError(tr("A take is being made: wait for it, or cancel it."))
    for each in tasks.every():
        if each.key.startswith("models "):  # a process of the environment does it, see model_work.py
            raise ReCamError(tr("“{title}” is under way: wait for it, or cancel it.").format(title=each.title))
    runtime.stop_worker()


def _wish(engine: str, torch: str, wheels: str, check: bool) -> Wish:
    place = os.path.abspath(wheels) if wheels else preferences.path("wheels")
    if place and not Path(place).is_dir():
        raise ReCamError(
            tr("There is no folder at {place!r}, where wheels to install from should be.").format(place=place)
        )
    try:
        return Wish(folder=str(folder()), engine=engine, torch=torch, wheels=place, check=check)
    except ContractError as error:
        raise ReCamError(tr("ReCam cannot set that up. {error}.").format(error=error)) from None


def _understood(kind: Any, answer: dict[str, Any]) -> Any:
    try:
        return kind.from_json(answer)
    except ContractError as error:
        raise ReCamError(
            tr("Set-up answered what this add-on does not understand ({error}): restart Blender.").format(error=error)
        ) from None


def _in_words(event: client.Failed) -> str:
    """The client speaks of its worker; here that is set-up."""
    if event.kind in ("died", "hung"):
        return event.message.replace(tr("The worker"), tr("Set-up"), 1)
    return event.message
