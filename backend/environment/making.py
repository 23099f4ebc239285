"""Making an environment, adding to it, or finding that it is what it should be."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from .. import __version__
from ..contract import ENGINES
from . import builds, locks, marker, pip, removal, trouble, verify
from .asking import ask
from .children import Children, Ended
from .errors import SetupError
from .marker import Marker
from .messages import State, Wish
from .pythons import find_python, question, unfit
from .recipe import PYTHONS, Making, Recipe, Report

_MARGIN = 200 * 10**6
"""Bytes that stay free."""


def install(
    wish: Wish,
    *,
    report: Report = lambda progress: None,
    cancelled: Callable[[], bool] = lambda: False,
    log: Path | None = None,
) -> State:
    """Have in ``wish.folder`` an environment that its engine runs in: make it, add to it, repair it, or do nothing.

    One that is whole is left as it is, unless ``wish.check`` asks for it to be seen to work.

    An environment is ready only once it was verified by a small real take. However this ends, the folder then is ready,
    what it was, or known as unfinished, which the next call makes anew; what was downloaded whole is not downloaded
    again.

    Args:
        wish: what is wanted.
        report: takes progress: phases in words, downloads in bytes.
        cancelled: asked about ten times a second.
        log: where to write what pip and others say; none: :func:`marker.log_of` the folder.

    Raises:
        SetupError: in whole sentences, with what to do.
    """
    return put(recipe_for(wish), report=report, cancelled=cancelled, log=log)


def put(
    recipe: Recipe,
    *,
    report: Report = lambda progress: None,
    cancelled: Callable[[], bool] = lambda: False,
    log: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
    done: Callable[[Making], None] = lambda making: None,
) -> State:
    """Have what a recipe says in its folder; :func:`install` says the rest.

    Args:
        recipe: what is wanted.
        report: takes progress.
        cancelled: asked about ten times a second.
        log: where to write what pip and others say; none: :func:`marker.log_of` the folder.
        say: takes lines for people, as a shell shows them.
        done: called in the end, where anything was done.
    """
    folder, log = recipe.folder, log or marker.log_of(recipe.folder)
    try:
        if is_whole(recipe) and not recipe.check:
            return marker.state(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locks.alone(folder, cancelled) as lock, Children(log, cancelled, lock) as children:
            removal.sweep(folder)
            if recipe.check or not is_whole(recipe):  # someone else may just have made it
                making = Making(children, report, say)
                children.note(f"ReCam {__version__}, {sys.version.split()[0]} at {sys.executable}, on {sys.platform}")
                _bring_about(recipe, making)
                done(making)
        return marker.state(folder)
    except SetupError as error:
        raise trouble.with_log(error, log) from error
    except OSError as error:
        raise trouble.with_log(trouble.of_the_system(error, folder), log) from error


def recipe_for(wish: Wish) -> Recipe:
    """What a wish comes to: an environment keeps the engines that it has.

    Raises SetupError where there is no torch for this machine, or its folder is none for an environment.
    """
    folder = Path(wish.folder)
    if not folder.is_absolute() or folder == folder.parent:
        raise SetupError(f"{folder} is no folder for an environment: give one of its own, with its whole path.")
    if wish.wheels and not Path(wish.wheels).is_dir():
        raise SetupError(f"There is no folder of wheels at {wish.wheels}.")
    held = marker.read(folder)
    engine = wish.engine
    if held is not None and held.whole and ENGINES[1] in held.engines:
        engine = ENGINES[1]  # what it can do already, it is to keep
    pins = marker.pins_of(engine)
    torch = {each for each in pins if marker.name_of(each) == "torch"}
    has_build = held is not None and held.whole and held.build and torch <= held.requirements
    is_chosen = has_build and wish.torch == "auto"  # and whoever has one is not asked about graphics cards again
    build = None if engine == ENGINES[0] or is_chosen else _choose_build(wish.torch, wish.wheels)
    return Recipe(
        folder=folder,
        pins=pins,
        engine=engine,
        pythons=PYTHONS,
        build=build,
        must_be=wish.torch != "auto",
        base=wish.base,
        wheels=wish.wheels,
        verified=True,
        check=wish.check,
    )


def _choose_build(torch: str, wheels: str) -> builds.Build:
    return builds.choose(torch, wheels=wheels)


# What is there already


def is_whole(recipe: Recipe) -> bool:
    """Whether all of a recipe is there, and its Python starts."""
    held = held_in(recipe.folder)
    if held is None or not held.whole or not recipe.pins <= held.requirements:
        return False
    if recipe.verified and recipe.engine not in held.engines:
        return False
    if recipe.build is not None and held.build != recipe.build.name:
        return False
    return _runs(recipe.folder)


def held_in(folder: Path) -> Marker | None:
    """What the marker there says, less what has gone since: someone may have removed a package."""
    held = marker.read(folder)
    if held is None:
        return None
    return replace(held, requirements=held.requirements & marker.packages(folder))


def _runs(folder: Path) -> bool:
    """Whether the environment's Python still starts: the one that it was made with may be gone."""
    try:
        return ask([str(marker.interpreter(folder)), "-I", "-c", ""], timeout=60).returncode == 0
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return False


def fits(recipe: Recipe) -> bool:
    """Whether the Python that is there is one of those wanted."""
    try:
        return not unfit(replace(question(marker.interpreter(recipe.folder)), lacks=()), recipe.pythons)
    except SetupError:
        return False


def _bring_about(recipe: Recipe, making: Making) -> None:
    held = held_in(recipe.folder)
    if (held is None or not held.ours) and recipe.take_over and _can_be_taken_over(recipe):
        _check_imports(recipe, making)
        making.say(f"{recipe.folder}: already holds what is needed")
        marker.write(recipe.folder, Marker(whole=True, requirements=recipe.pins))
    elif held is not None and held.whole and held.ours and fits(recipe):
        if not is_whole(recipe):
            _add(recipe, held, making)
        elif not _works(recipe, held, making):
            _make(recipe, making)
    else:
        _make(recipe, making)


def _can_be_taken_over(recipe: Recipe) -> bool:
    """Whether someone else made just what is wanted here."""
    if not (recipe.folder / "pyvenv.cfg").is_file() or recipe.folder.is_symlink() or not fits(recipe):
        return False
    return recipe.pins <= marker.packages(recipe.folder)


def _works(recipe: Recipe, held: Marker, making: Making) -> bool:
    """Whether a whole one still does what it did: its marker then tells that anew, and else that it is unfinished."""
    try:
        _finish(recipe, held, making, removal.strangers(recipe.folder, held))
    except SetupError as error:
        if error.kind != "verify":
            raise
        making.children.note(str(error))
        marker.write(recipe.folder, replace(held, whole=False, requirements=recipe.pins))
        return False
    return True


# Making one


def _make(recipe: Recipe, making: Making) -> None:
    folder = recipe.folder
    if os.path.lexists(folder) and not removal.is_empty(folder):
        removal.check(folder)  # before anything is begun
    making.phase("Looking for a Python")
    base = find_python(recipe.pythons, recipe.base)
    if os.path.lexists(folder):
        making.phase("Removing what was half made")
        removal.make_room(folder)
    _check_room(recipe)
    making.say(f"{folder}: making it with {base}")
    making.phase("Making the environment")
    folder.mkdir()
    begun = Marker(ours=True, requirements=recipe.pins, build=recipe.build.name if recipe.build is not None else "")
    marker.write(folder, begun)
    ended = making.children.run(_venv_command(base, folder), hear=making.say)
    if ended.code:
        kind, reason = _why_no_venv(ended, base, folder)
        raise SetupError(trouble.told(reason, ended.lines), kind)
    _install(recipe, making)
    _finish(recipe, begun, making)


def _venv_command(base: Path, folder: Path) -> list[str]:
    return [str(base), "-I", "-m", "venv", str(folder)]


def _why_no_venv(ended: Ended, base: Path, folder: Path) -> tuple[str, str]:
    kind, reason = pip.diagnosis(ended.lines, folder)
    if kind in ("disk", "other", "busy"):
        return kind, reason
    return "python", f"{base} could not make an environment at {folder}: choose another Python, or repair that one."


def _add(recipe: Recipe, held: Marker, making: Making) -> None:
    """Install what a whole environment of ours lacks, beside what it holds."""
    folder, before = recipe.folder, _packages(recipe.folder)
    strangers = removal.strangers(folder, held)
    lacking = sorted(recipe.pins - held.requirements)
    if lacking:
        making.say(f"{folder}: adding {', '.join(lacking)}")
    _check_room(recipe, held)
    build = recipe.build.name if recipe.build is not None else held.build
    pins = marker.merged(held.requirements, recipe.pins)  # what the next call finds to have been wanted
    marker.write(folder, replace(held, whole=False, requirements=pins, build=build))
    try:
        _install(recipe, making, held.build)
    except (SetupError, OSError):
        if _packages(folder) == before:  # no network, no room: nothing that a new one would do better
            marker.write(folder, held)
        raise
    _finish(recipe, held, making, strangers)


def _packages(folder: Path) -> set[str]:
    """What lies there, but for pip, which may be renewed and then have failed."""
    return {each for each in marker.installed(folder) if marker.name_of(each) != "pip"}


def _install(recipe: Recipe, making: Making, build_before: str = "") -> None:
    making.phase("Looking for packages")
    folder, build = recipe.folder, recipe.build
    with pip.scratch(folder) as scratch:
        _renew_pip(recipe, scratch, making)
        if build is not None and build_before not in ("", build.name):
            # A build without a local version would count as the same, and stay.
            remover = [str(marker.interpreter(folder)), "-I", "-m", "pip", "uninstall", "--yes", "torch"]
            making.children.run(remover, variables=pip.variables(scratch))
        wanted = _with_build(recipe.pins, build)
        index = build.index if build is not None else ""
        if build is not None and index and marker.normal(build.requirement) not in marker.installed(folder):
            # Its index has other things too, seldom the newest, and is not asked for what has a better place.
            _pip(recipe, ["--no-deps", build.requirement], [index], scratch, making)
        try:
            _pip(recipe, sorted(wanted), [], scratch, making)
        except SetupError as error:
            if error.kind != "packages" or not index:
                raise
            _pip(recipe, sorted(wanted), [index], scratch, making)  # as ROCm's libraries, which are there only


def _with_build(pins: frozenset[str], build: builds.Build | None) -> frozenset[str]:
    """The requirements as pip is to have them: with torch's build."""
    if build is None or not build.requirement:
        return pins
    return frozenset(build.requirement if marker.name_of(each) == "torch" else each for each in pins)


def _renew_pip(recipe: Recipe, scratch: Path, making: Making) -> None:
    wanted = marker.pins([marker.REQUIREMENTS / pip.REQUIREMENT])
    if wanted <= marker.installed(recipe.folder):
        return
    if recipe.wheels and not any(Path(recipe.wheels).glob("pip-*.whl")):
        return  # the one that Python brings will do
    _pip(recipe, sorted(wanted), [], scratch, making)


def _pip(recipe: Recipe, what: Sequence[str], indexes: Sequence[str], scratch: Path, making: Making) -> None:
    listener = pip.Listener(recipe.folder, making.report, making.say)
    ended = making.children.run(
        pip.command(recipe.folder, what, wheels=recipe.wheels, indexes=indexes),
        hear=listener.hear,
        tick=listener.tick,
        variables=pip.variables(scratch, wheels=recipe.wheels),
    )
    making.received += listener.received
    if ended.code:
        kind, reason = pip.diagnosis(ended.lines, recipe.folder)
        raise SetupError(trouble.told(f"The packages could not be installed. {reason}", ended.lines), kind)


# Whether it works


def _finish(recipe: Recipe, before: Marker, making: Making, strangers: frozenset[str] = frozenset()) -> None:
    there = marker.packages(recipe.folder)
    if missing := sorted(recipe.pins - there):
        raise SetupError(f"pip said that all is installed, but {', '.join(missing)} is not there.", "packages")
    build = _build_there(recipe, before)
    told: dict[str, object] = dict(before.told)
    if recipe.imports:
        _check_imports(recipe, making)
    if recipe.engine:
        told |= _verified(recipe, making)
    making.phase("Noting what was made")
    told |= {
        "recam": __version__,
        "made": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),  # noqa: UP017 - 3.10
        "size": marker.size(recipe.folder),
    }
    done = Marker(
        whole=True,
        ours=before.ours,
        requirements=marker.merged(before.requirements & there, recipe.pins),
        names=frozenset(os.listdir(recipe.folder)) - {"tmp"} - strangers,
        build=build,
        told=told,
    )
    making.children.check()
    marker.write(recipe.folder, done)


def _build_there(recipe: Recipe, before: Marker) -> str:
    """The build of torch that came: where PyPI's own was wanted, pip takes a 2.13.0+cpu too, and rather."""
    wanted = recipe.build.name if recipe.build is not None else before.build
    found = next((each for each in marker.installed(recipe.folder) if marker.name_of(each) == "torch"), "")
    there = found.partition("+")[2] or wanted
    if there != wanted and recipe.must_be:
        raise SetupError(
            f"torch for {wanted} was asked for, but where pip looked it found {found} and took that. Take {there}, or "
            "remove the place where it lies from pip's settings (`pip config list`, PIP_FIND_LINKS, PIP_INDEX_URL).",
            "packages",
        )
    return there if wanted else ""


def _verified(recipe: Recipe, making: Making) -> dict[str, object]:
    making.phase(verify.PHASE)
    command = _check_command(marker.interpreter(recipe.folder), recipe.engine)
    ended = making.children.run(command, hear=verify.hearing(making.say, making.report))
    if ended.code:
        raise verify.failed(ended.errors, ended.code)
    found = verify.read("\n".join(ended.output))
    for each in found.notes:
        making.say(each)
    return asdict(found)


def _check_command(python: Path, engine: str) -> list[str]:
    return verify.command(python, engine)


def _check_imports(recipe: Recipe, making: Making) -> None:
    """Raises SetupError where a module cannot be imported, with the reason that is known for it."""
    for module in recipe.imports:
        making.phase(f"Importing {module}")
        ended = making.children.run([str(marker.interpreter(recipe.folder)), "-I", "-c", f"import {module}"])
        if ended.code:
            text = f"{recipe.folder} is there, but {module} cannot be imported in it."
            raise SetupError(trouble.told(text, [*ended.lines, *trouble.advice(ended.lines)]), "verify")


# Room


def _check_room(recipe: Recipe, held: Marker | None = None) -> None:
    place = recipe.folder
    while not place.exists():
        place = place.parent
    free, wanted = shutil.disk_usage(place).free, _room_needed(recipe, held) + _MARGIN
    if free < wanted:
        needed = wanted / 10**9
        raise SetupError(
            f"There is too little room for {recipe.folder}: about {needed:.1f} GB are needed, and "
            f"{free / 10**9:.1f} GB are free. Make room there, or choose a folder on another disk.",
            "disk",
        )


def _room_needed(recipe: Recipe, held: Marker | None) -> int:
    from .plan import size_of

    return size_of(recipe, held).disk if recipe.engine else 0
