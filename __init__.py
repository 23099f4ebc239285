# SPDX-License-Identifier: GPL-3.0-or-later
from .recam_blender import register, unregister  # noqa: F401  (Blender's door; all else is behind it)
