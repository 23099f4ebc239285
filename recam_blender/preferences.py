"""What differs from machine to machine: where the backend's Python and the models lie, and which device to use.

Asked for once per machine, overridden for farms. How it is shown: see preferences_panel.py.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import bpy

from ..backend import contract
from ..backend.models import library
from .errors import ReCamError
from .texts import later, tr

# The package of the extension itself (bl_ext.<repository>.<id>): what Blender files preferences and folders under.
ADDON = ".".join(__package__.split(".")[:3])

MODELS_VARIABLE = "RECAM_MODELS"

MODEL_FILES = {
    "preview_decoder" if each.name == "preview" else each.name: each.name
    for each in dataclasses.fields(contract.Models)
    if each.name != "folder"
}
"""The model files that can be named one by one, as they are called here, and by contract.Models."""


_DEVICES = [
    ("auto", "Automatic", "A GPU where there is one, else the processor"),
    ("cpu", "CPU", "The processor: very slow"),
    ("mps", "Apple GPU", "Not tested yet"),
    *((f"cuda:{number}", f"GPU {number}", later("As the driver counts them, from 0")) for number in range(8)),
]


class Settings:
    """What is kept; mixed into the class that Blender knows."""

    python: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Own Python",
        description="A Python of your own that has what the backend needs; none: the environment that ReCam sets up",
        subtype="FILE_PATH",
    )
    environment: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Environment",
        description="The folder that ReCam sets its environment up in; none: one among the extension's own files",
        subtype="DIR_PATH",
    )
    wheels: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Wheels",
        description="A folder of wheels to install from, for machines without network; none: they are downloaded",
        subtype="DIR_PATH",
    )
    models: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Models",
        description="The folder with ReCamMaster's model files; which is which shows in the files",
        subtype="DIR_PATH",
    )
    device: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Device",
        description="Where networks run",
        items=_DEVICES,
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


def own() -> Any:
    """What is set here; None where the add-on runs without having been switched on."""
    addon = bpy.context.preferences.addons.get(ADDON)
    return addon.preferences if addon else None


def models(*, folder: str = "", files: Mapping[str, str] | None = None) -> contract.Models:
    """Where the models lie: the folder given, else RECAM_MODELS, else the preferences' folder and files.

    Where none of those is, it is ReCam's own folder, if there is one.

    Args:
        folder: overrides what RECAM_MODELS and the preferences say.
        files: by the names of contract.Models, what goes before all that.

    Raises:
        ReCamError: what is named is not there.
    """
    found = {}
    elsewhere = folder or os.environ.get(MODELS_VARIABLE, "")
    if not elsewhere:
        found = {field: given for name, field in MODEL_FILES.items() if (given := path(name))}
    found |= files or {}
    place = elsewhere or path("models") or _own_library()
    if place and not os.path.isdir(place):
        raise ReCamError(tr("There is no folder at {place!r}, where ReCam's models should be.").format(place=place))
    for name, given in found.items():
        if not os.path.exists(given):
            raise ReCamError(
                tr("There is nothing at {given!r}, where the model file “{name}” should be.").format(
                    given=given, name=name
                )
            )
    return contract.Models(folder=_absolute(place), **{name: _absolute(given) for name, given in found.items()})


def device() -> str:
    """Where networks run on this machine."""
    return own().device if own() else contract.Generation.device


def path(name: str) -> str:
    """A file or folder that is set here, as an absolute path; nothing where none is."""
    return _absolute(bpy.path.abspath(getattr(own(), name))) if own() else ""


def user_folder(*, create: bool = False) -> str:
    """The folder that Blender gives this extension for its own files; it outlives upgrades."""
    folder: str = bpy.utils.extension_path_user(ADDON, path="", create=create)
    return folder


def _own_library() -> str:
    """The folder that models are downloaded to where no other is chosen; nothing until there is one."""
    folder = str(library.default_folder())
    return folder if os.path.isdir(folder) else ""


def _absolute(given: str) -> str:
    return os.path.abspath(given) if given else ""
