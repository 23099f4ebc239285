"""What set-up would do, and what it costs: told before anything is begun. Standard library only, from 3.10 on."""

from __future__ import annotations

import platform as platforms
import shutil
from pathlib import Path

from ..contract import ENGINES
from . import builds, making, marker, removal, sizes, trouble
from .errors import SetupError
from .marker import Marker
from .messages import Plan, Wish
from .pythons import find_python, question
from .recipe import Recipe


def plan(wish: Wish) -> Plan:
    """What :func:`backend.environment.install` would do for this wish. Changes nothing; takes a second or two.

    Raises:
        SetupError: it could not do it: there is no Python for it, the folder is somebody else's, the driver too old.
    """
    try:
        return _looked(wish)
    except OSError as error:
        raise trouble.of_the_system(error, Path(wish.folder)) from error


def _looked(wish: Wish) -> Plan:
    recipe = making.recipe_for(wish)
    folder = recipe.folder
    if making.is_whole(recipe):
        if wish.check:  # and what it costs where it does not work
            return _with_own_python("check", recipe, size_of(recipe, None))
        return _with_own_python("nothing", recipe, sizes.NOTHING)
    held = making.held_in(folder)
    if held is not None and held.whole and held.ours and making.fits(recipe):
        return _with_own_python("add", recipe, size_of(recipe, held))
    there = marker.state(folder).kind != "missing"
    if there and not removal.is_empty(folder):
        removal.check(folder)
    python = find_python(recipe.pythons, recipe.base)
    return _plan("repair" if there else "make", recipe, python, question(python).version, size_of(recipe, None))


def size_of(recipe: Recipe, held: Marker | None) -> sizes.Size:
    """What is to be downloaded and must be free, about, for a recipe.

    Args:
        recipe: what is wanted.
        held: what a whole environment that is added to has; none: all is made. Of what a whole one has, an engine of
            which anything is to be replaced counts in full, but for torch.
    """
    build = recipe.build
    torch = sizes.Size(build.download, build.disk) if build is not None else sizes.NOTHING
    if held is None:
        large = recipe.engine not in ("", ENGINES[0])
        parts = {"bare": True, "reproject": True, "recammaster": large}
    else:
        lacking, small = recipe.pins - held.requirements, marker.pins_of(ENGINES[0])
        if (build is None or held.build == build.name) and not any(marker.name_of(each) == "torch" for each in lacking):
            torch = sizes.NOTHING
        others = any(marker.name_of(each) != "torch" for each in lacking - small)
        parts = {"bare": False, "reproject": bool(lacking & small), "recammaster": others}
    size = sizes.of_set_up(builds.platform_of(platforms.system(), platforms.machine()), torch=torch, **parts)
    # From a folder of wheels pip takes them where they lie.
    return sizes.Size(0, size.disk - size.download) if recipe.wheels else size


def _with_own_python(action: str, recipe: Recipe, size: sizes.Size) -> Plan:
    python = marker.interpreter(recipe.folder)
    version = marker.state(recipe.folder).python_version or question(python).version
    return _plan(action, recipe, python, version, size)


def _plan(action: str, recipe: Recipe, python: Path, version: str, size: sizes.Size) -> Plan:
    build = recipe.build
    return Plan(
        action=action,
        python=str(python),
        python_version=version,
        torch=build.name if build is not None else "",
        reason=build.reason if build is not None else "",
        download=size.download,
        disk=size.disk,
        free=_free(recipe.folder),
    )


def _free(folder: Path) -> int:
    place = folder
    while not place.is_dir():
        if place == place.parent:
            raise SetupError(f"There is no disk for {folder}: choose another folder.", "disk")
        place = place.parent
    try:
        return shutil.disk_usage(place).free
    except OSError as error:
        raise SetupError(f"{place} cannot be looked at ({error.strerror}): choose another folder.", "disk") from None
