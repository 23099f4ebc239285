"""What set-up would do, and what it costs: told before anything is begun. Standard library only, from 3.10 on."""

from __future__ import annotations

import platform as platforms
import shutil
from pathlib import Path

from ..contract import ENGINES
from . import builds, making, marker, removal, sizes
from .errors import SetupError
from .making import Recipe
from .messages import Plan, Wish
from .pythons import find_python, question


def plan(wish: Wish) -> Plan:
    """What :func:`backend.environment.install` would do for this wish. Changes nothing; takes a second or two.

    Raises:
        SetupError: it could not do it: there is no Python for it, the folder is somebody else's, the driver too old.
    """
    folder = Path(wish.folder)
    recipe = making.recipe_for(wish)
    if making.is_whole(recipe):
        return _with_own_python("nothing", recipe)
    held = marker.read(folder)
    if held is not None and held.whole and held.ours and making.fits(recipe):
        return _with_own_python("add", recipe, size_of(recipe, held))
    there = marker.state(folder).kind != "missing"
    if there and not making.is_empty(folder):
        removal.check(folder)
    python = find_python(recipe.pythons, recipe.base)
    return _plan("repair" if there else "make", recipe, python, question(python).version, size_of(recipe, None))


def size_of(recipe: Recipe, held: marker.Marker | None) -> sizes.Size:
    """What it takes to make what a recipe says, or to add what is not held: a download, and room on the disk."""
    if held is None:
        size = _size(recipe, bare=True, reproject=True, recammaster=recipe.engine != ENGINES[0])
    else:
        size = _to_add(recipe, held)
    return sizes.Size(0, size.disk - size.download) if recipe.wheels else size


def _with_own_python(action: str, recipe: Recipe, size: sizes.Size = sizes.NOTHING) -> Plan:
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


def _to_add(recipe: Recipe, held: marker.Marker) -> sizes.Size:
    """What a whole environment lacks. An engine of which anything is to be replaced counts in full."""
    lacking = recipe.pins - held.requirements
    small = marker.pins_of(ENGINES[0])
    another_build = recipe.build is not None and held.build != recipe.build.name
    return _size(
        recipe,
        bare=False,
        reproject=bool(lacking & small),
        recammaster=any(marker.name_of(each) != "torch" for each in lacking - small),
        torch=another_build or any(marker.name_of(each) == "torch" for each in lacking),
    )


def _size(recipe: Recipe, *, bare: bool, reproject: bool, recammaster: bool, torch: bool = True) -> sizes.Size:
    build = recipe.build
    return sizes.of_set_up(
        builds.platform_of(platforms.system(), platforms.machine()),
        bare=bare,
        reproject=reproject,
        recammaster=recammaster,
        torch=sizes.Size(build.download, build.disk) if build is not None and torch else sizes.NOTHING,
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
