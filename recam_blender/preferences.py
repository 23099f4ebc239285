"""What differs from machine to machine: where the backend's Python and the models lie, and which device to use.

Asked for once per machine, overridden for farms.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import bpy

from ..backend import contract
from .errors import ReCamError

# The package of the extension itself (bl_ext.<repository>.<id>): what Blender files preferences and folders under.
ADDON = ".".join(__package__.split(".")[:3])

ENVIRONMENT_VARIABLE = "RECAM_PYTHON"
MODELS_VARIABLE = "RECAM_MODELS"

MODEL_FILES = {
    "preview_decoder" if each.name == "preview" else each.name: each.name
    for each in dataclasses.fields(contract.Models)
    if each.name != "folder"
}
"""The model files that can be named one by one, as they are called here, and by contract.Models."""


class RECAM_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = ADDON

    python: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Backend's Python",
        description="The Python of the environment that ReCam's backend is installed in",
        subtype="FILE_PATH",
    )

    models: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Models",
        description="The folder with ReCamMaster's model files; which is which shows in the files",
        subtype="DIR_PATH",
    )
    device: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Device",
        description="Where networks run",
        items=[
            ("auto", "Automatic", "A GPU where there is one, else the processor"),
            ("cpu", "CPU", "The processor: very slow"),
            ("mps", "Apple GPU", "Not tested yet"),
            *((f"cuda:{number}", f"GPU {number}", "As the driver counts them, from 0") for number in range(8)),
        ],
        default="auto",
    )
    transformer: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="ReCamMaster",
        description="ReCamMaster's weights: step20000.ckpt, a .safetensors file, or a diffusers folder",
        subtype="FILE_PATH",
    )
    vae: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="VAE", description="Wan 2.1's VAE: a file or a diffusers folder", subtype="FILE_PATH"
    )
    text_encoder: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Text Encoder", description="UMT5-XXL: a file or a transformers folder", subtype="FILE_PATH"
    )
    tokenizer: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Tokenizer", description="UMT5's tokenizer: spiece.model or tokenizer.json", subtype="FILE_PATH"
    )
    embeddings: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Encoded Prompts", description="A pack of prompts, in place of the text encoder", subtype="FILE_PATH"
    )
    lora: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Draft LoRA", description="A few-step LoRA for quality Draft", subtype="FILE_PATH"
    )
    preview_decoder: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Preview Decoder", description="The tiny decoder taew2_1, for sharper previews", subtype="FILE_PATH"
    )

    def draw(self, _context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "python")
        if not _overridden(layout, ENVIRONMENT_VARIABLE) and not self.python:
            layout.label(text="Run “make setup” in a checkout, then choose .venvs/backend/bin/python", icon="INFO")
        layout.prop(self, "device")
        layout.prop(self, "models")
        overridden = _overridden(layout, MODELS_VARIABLE)
        header, body = layout.panel("recam_models", default_closed=True)
        header.label(text="Model Files Elsewhere")
        if body is not None:
            body.active = not overridden
            for name in MODEL_FILES:
                body.prop(self, name)


def _overridden(layout: bpy.types.UILayout, variable: str) -> bool:
    value = os.environ.get(variable)
    if value:
        layout.label(text=f"Overridden by {variable}: {value}", icon="INFO")
    return bool(value)


def own() -> Any:
    """What is set here; None where the add-on runs without having been switched on."""
    addon = bpy.context.preferences.addons.get(ADDON)
    return addon.preferences if addon else None


def backend_python(override: str = "") -> str:
    """The interpreter that runs the backend: the override, else RECAM_PYTHON, else the preferences'.

    Raises:
        ReCamError: none is set, or there is no such file.
    """
    path = override or os.environ.get(ENVIRONMENT_VARIABLE, "") or _path("python")
    if not path:
        raise ReCamError(
            "ReCam's backend is not set up: choose its Python in Preferences > Add-ons > ReCam, "
            f"or set {ENVIRONMENT_VARIABLE}."
        )
    if not os.path.isfile(path):
        raise ReCamError(f"There is no Python at {path!r}, where ReCam's backend should be.")
    return path


def models(*, folder: str = "", files: Mapping[str, str] | None = None) -> contract.Models:
    """Where the models lie: the folder given, else RECAM_MODELS, else the preferences' folder and files.

    Args:
        folder: overrides what RECAM_MODELS and the preferences say.
        files: by the names of contract.Models, what goes before all that.

    Raises:
        ReCamError: what is named is not there.
    """
    found = {}
    elsewhere = folder or os.environ.get(MODELS_VARIABLE, "")
    if not elsewhere:
        found = {field: path for name, field in MODEL_FILES.items() if (path := _path(name))}
    found |= files or {}
    place = elsewhere or _path("models")
    if place and not os.path.isdir(place):
        raise ReCamError(f"There is no folder at {place!r}, where ReCam's models should be.")
    for name, path in found.items():
        if not os.path.exists(path):
            raise ReCamError(f"There is nothing at {path!r}, where the model file “{name}” should be.")
    return contract.Models(folder=_absolute(place), **{name: _absolute(path) for name, path in found.items()})


def device() -> str:
    """Where networks run on this machine."""
    return own().device if own() else contract.Generation.device


def _path(name: str) -> str:
    return bpy.path.abspath(getattr(own(), name)) if own() else ""


def _absolute(path: str) -> str:
    return os.path.abspath(path) if path else ""


CLASSES = (RECAM_AP_preferences,)
