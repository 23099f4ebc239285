"""`blender --command recam …`, as a program: the bpy module in a process of its own, with the add-on switched on.

python commandline.py ARGUMENTS    BLENDER_USER_RESOURCES says where the add-on is installed
"""

import sys

# First of all: it makes Blender's other modules known.
import bpy  # noqa: F401

# isort: split
import addon_utils

addon_utils.enable("bl_ext.user_default.recam_blender")

from bl_ext.user_default.recam_blender.recam_blender import command  # noqa: E402

sys.exit(command.main(sys.argv[1:]))
