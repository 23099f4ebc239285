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
    recipe = making._recipe(wish, folder)
    if making._is_whole(recipe):
        return _with_own_python("nothing", recipe)
    held = marker.read(folder)
    if held is not None and held.whole and held.ours and making._fits(recipe):
        return _with_own_python("add", recipe, _to_add(recipe, held), offline=bool(wish.wheels))
    there = marker.state(folder).kind != "missing"
    if there and not making._is_empty(folder):
        removal.check(folder)
    python = find_python(recipe.pythons, recipe.base)
    whole = _size(recipe, bare=True, reproject=True, recammaster=recipe.engine != ENGINES[0])
    action = "repair" if there else "make"
    return _plan(action, recipe, python, question(python).version, whole, offline=bool(wish.wheels))


def _with_own_python(action: str, recipe: Recipe, size: sizes.Size = sizes.NOTHING, *, offline: bool = False) -> Plan:
    python = marker.interpreter(recipe.folder)
    version = marker.state(recipe.folder).python_version or question(python).version
    return _plan(action, recipe, python, version, size, offline=offline)


def _plan(action: str, recipe: Recipe, python: Path, version: str, size: sizes.Size, *, offline: bool) -> Plan:
    build = recipe.build
    return Plan(
        action=action,
        python=str(python),
        python_version=version,
        torch=build.name if build is not None else "",
        reason=build.reason if build is not None else "",
        download=0 if offline else size.download,
        disk=size.disk - size.download if offline else size.disk,
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
