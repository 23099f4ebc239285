"""Where the backend's Python is: asked for once per machine, overridden for farms."""

from __future__ import annotations

import os

import bpy

from .errors import ReCamError

# The package of the extension itself (bl_ext.<repository>.<id>): what Blender files preferences and folders under.
ADDON = ".".join(__package__.split(".")[:3])

ENVIRONMENT_VARIABLE = "RECAM_PYTHON"


class RECAM_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = ADDON

    python: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Backend's Python",
        description="The Python of the environment that ReCam's backend is installed in",
        subtype="FILE_PATH",
    )

    def draw(self, _context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "python")
        overridden = os.environ.get(ENVIRONMENT_VARIABLE)
        if overridden:
            layout.label(text=f"Overridden by {ENVIRONMENT_VARIABLE}: {overridden}", icon="INFO")
        elif not self.python:
            layout.label(text="Run “make setup” in a checkout, then choose .venvs/backend/bin/python", icon="INFO")


def backend_python(override: str = "") -> str:
    """The interpreter that runs the backend: the override, else RECAM_PYTHON, else the preferences'.

    Raises:
        ReCamError: none is set, or there is no such file.
    """
    addon = bpy.context.preferences.addons.get(ADDON)
    preferred = bpy.path.abspath(addon.preferences.python) if addon and addon.preferences else ""
    path = override or os.environ.get(ENVIRONMENT_VARIABLE, "") or preferred
    if not path:
        raise ReCamError(
            "ReCam's backend is not set up: choose its Python in Preferences > Add-ons > ReCam, "
            f"or set {ENVIRONMENT_VARIABLE}."
        )
    if not os.path.isfile(path):
        raise ReCamError(f"There is no Python at {path!r}, where ReCam's backend should be.")
    return path


CLASSES = (RECAM_AP_preferences,)
