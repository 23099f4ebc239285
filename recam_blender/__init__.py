# SPDX-License-Identifier: GPL-3.0-or-later
"""ReCam inside Blender: bpy, the standard library and Blender's own numpy."""

from .registration import register, unregister

__all__ = ["register", "unregister"]
