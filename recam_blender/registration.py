# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender is told of when the add-on is switched on and off."""

from __future__ import annotations

import atexit
from typing import Any

import bpy
from bpy.app.handlers import persistent

from . import (
    command,
    doubts,
    explanations,
    fixes,
    forecast_operators,
    jobs,
    keymaps,
    live,
    menus,
    model_operators,
    moves,
    operators,
    overlay,
    panel,
    panel_settings,
    panel_uses,
    preferences_panel,
    presets,
    properties,
    queue_panel,
    region_operator,
    runtime,
    see_through,
    setup,
    setup_operators,
    solve_operators,
    solve_panel,
    statusbar,
    steadiness,
    take_operators,
    take_panel,
    take_work,
    tasks,
    temporary,
    trajectory_operators,
    translation,
    use_operators,
    view_panel,
    watching,
)
from .errors import ReCamError
from .texts import tr

FEATURES: tuple[Any, ...] = (
    translation,
    properties,
    watching,
    preferences_panel,
    operators,
    setup_operators,
    model_operators,
    forecast_operators,
    take_operators,
    explanations,
    steadiness,
    doubts,
    moves,
    see_through,
    live,
    fixes,
    use_operators,
    region_operator,
    solve_operators,
    presets,
    panel_uses,
    panel,
    panel_settings,
    solve_panel,
    take_panel,
    queue_panel,
    view_panel,
    overlay,
    statusbar,
    menus,
    trajectory_operators,
    keymaps,
)
"""Each has CLASSES; some have ``register`` and ``unregister`` for what else they put into Blender."""

_CLASSES = tuple(each for feature in FEATURES for each in feature.CLASSES)
_commands: list[object] = []


@persistent
def _after_undo(*_: object) -> None:
    temporary.remove_leftovers()


@persistent
def _after_load(*_: object) -> None:
    """A job does not survive its file, and neither does its message."""
    jobs.clear()
    take_work.drop()
    runtime.forget()
    temporary.remove_leftovers()


_HANDLERS = (("undo_post", _after_undo), ("redo_post", _after_undo), ("load_post", _after_load))


def register() -> None:
    """Make ReCam's operators, panels, properties and commands known to Blender.

    Raises:
        ReCamError: another copy is switched on. Blender would let each take the other's classes away.
    """
    other = getattr(getattr(bpy.types, "RECAM_PT_main", None), "__module__", panel.__name__)
    if other != panel.__name__:
        raise ReCamError(
            tr(
                "ReCam is installed twice, and its other copy is switched on ({other}). Uninstall that one "
                "in Preferences > Get Extensions, or switch it off, then switch this one on."
            ).format(other=".".join(other.split(".")[:3]))
        )
    for each in _CLASSES:
        bpy.utils.register_class(each)
    bpy.types.Scene.recam = bpy.props.PointerProperty(type=properties.RECAM_PG_settings)
    _commands.append(bpy.utils.register_cli_command("recam", command.main))
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)
    for feature in FEATURES:
        getattr(feature, "register", _nothing)()
    # Blender disables add-ons when it quits, but the bpy module does not.
    atexit.register(_end_processes)


def _nothing() -> None:
    """A feature that has only classes."""


def _end_processes() -> None:
    """Nothing of ours goes on without Blender: no installation, no download, no worker."""
    tasks.stop_all()
    setup.end()
    runtime.stop_worker()


def unregister() -> None:
    """Take them back, last first, and end the worker."""
    atexit.unregister(_end_processes)
    jobs.clear()
    runtime.forget()
    _end_processes()
    for feature in reversed(FEATURES):
        getattr(feature, "unregister", _nothing)()
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    while _commands:
        bpy.utils.unregister_cli_command(_commands.pop())
    del bpy.types.Scene.recam
    for each in reversed(_CLASSES):
        bpy.utils.unregister_class(each)
