"""Add > Camera > ReCam Moves."""

from __future__ import annotations

import bpy

from .catalogue import MOVES
from .operators import RECAM_OT_add_move


class RECAM_MT_moves(bpy.types.Menu):
    bl_label = "ReCam Moves"
    bl_description = "New cameras that are keyframed already, to re-shoot footage with"

    def draw(self, _context: bpy.types.Context) -> None:
        """The ten published ones, then the others; each says in its tooltip what it does."""
        layout = self.layout
        layout.operator_context = "EXEC_REGION_WIN"  # as Blender's own entries beside it
        for published in (True, False):
            if not published:
                layout.separator()
            for kind, move in MOVES.items():
                if move.published == published:
                    layout.operator(RECAM_OT_add_move.bl_idname, text=move.label).kind = kind


def _draw(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    menu.layout.menu(RECAM_MT_moves.__name__, icon="VIEW_CAMERA")


def register() -> None:
    """Put the moves below Blender's own camera."""
    bpy.types.VIEW3D_MT_camera_add.append(_draw)


def unregister() -> None:
    """Take them out again."""
    bpy.types.VIEW3D_MT_camera_add.remove(_draw)


CLASSES = (RECAM_MT_moves,)
