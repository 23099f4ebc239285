"""ReCam's keys, in Blender's keymap of add-ons: Preferences > Keymap changes and removes them."""

from __future__ import annotations

from typing import Any

import bpy

from . import compat
from .take_operators import RECAM_OT_compare

COMPARE = "J"
"""Free in the sequencer with Blender's and the industry compatible keys, 4.2 to 5.2; in the Image Editor it is what
changes between renders to compare them."""

_added: list[tuple[Any, Any]] = []

CLASSES: tuple[Any, ...] = ()


def register() -> None:
    """In the timeline and in the preview alike. Without a window there are no keys."""
    manager = bpy.context.window_manager
    keys = manager.keyconfigs.addon if manager is not None else None
    if keys is None:
        return
    whole = compat.sequencer_keymap(manager.keyconfigs.default)
    keymap = keys.keymaps.new(whole, space_type="SEQUENCE_EDITOR", region_type="WINDOW")
    _added.append((keymap, keymap.keymap_items.new(RECAM_OT_compare.bl_idname, COMPARE, "PRESS")))


def unregister() -> None:
    """Take them back."""
    while _added:
        keymap, item = _added.pop()
        keymap.keymap_items.remove(item)
