"""Presets of settings, in Blender's own way: its menu in the panel's header, its files in the user's folder."""

from __future__ import annotations

import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel

SUBDIR = "recam"

KEPT = (
    *("engine", "quality", "use_steps", "steps", "use_guidance", "guidance", "use_negative_prompt", "negative_prompt"),
    *("network_frames", "network_width", "network_height", "fit", "cache", "plan", "compile", "lock_seed"),
    *("depth", "subject_distance", "use_lens", "lens", "range", "handles", "size", "width", "height", "format", "mask"),
    *("use", "use_strength", "use_hold", "use_ease", "use_closer_by", "use_outpaint_by", "use_factor", "use_keep"),
    *("use_region_width", "use_region_height", "use_region_x", "use_region_y"),
    *("source_from", "relative", "true_pixels", "use_overlap", "overlap"),
)
"""The settings that make sense in another file. Cameras, strips, paths, the prompt and the seed belong to a shot.

In the order in which each may be set: a part's size comes before its place."""


class RECAM_PT_presets(PresetPanel, bpy.types.Panel):
    bl_label = "ReCam Presets"
    preset_subdir = SUBDIR
    preset_operator = "script.execute_preset"
    preset_add_operator = "recam.preset_add"


class RECAM_OT_preset_add(AddPresetBase, bpy.types.Operator):
    """Keep these settings as a preset, or remove a preset"""

    bl_idname = "recam.preset_add"
    bl_label = "Add ReCam Preset"
    preset_menu = "RECAM_PT_presets"
    preset_subdir = SUBDIR
    preset_defines = [
        # compat.sequencer_scene, for a file that is run on its own.
        "scene = getattr(bpy.context, 'sequencer_scene', None) or bpy.context.scene",
        "settings = scene.recam",
    ]
    preset_values = [f"settings.{name}" for name in KEPT]


CLASSES = (RECAM_PT_presets, RECAM_OT_preset_add)
