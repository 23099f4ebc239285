"""Data-blocks that ReCam makes for the length of a job or a step, and takes away again."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

_MARK = "recam_temporary"


def mark(*things: bpy.types.ID) -> None:
    """Let :func:`remove_leftovers` know these data-blocks as ReCam's own."""
    for each in things:
        each[_MARK] = True


def remove_leftovers(*_arguments: object) -> None:
    """Remove what was in use when an undo step or a file was stored, and came back with it.

    A handler for ``undo_post``, ``redo_post`` and ``load_post``: nothing of a job that goes on is in the file then.
    """
    bpy.data.batch_remove(list(_marked()))


def _marked() -> Iterator[bpy.types.ID]:
    data = bpy.data
    for things in (data.scenes, data.actions, data.objects, data.cameras, data.materials, data.node_groups):
        yield from (each for each in things if each.library is None and each.get(_MARK))
