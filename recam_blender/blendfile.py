"""Opening .blend files from a command line, and finding one's way in them."""

from __future__ import annotations

import os

import bpy

from . import compat
from .errors import ReCamError
from .texts import tr


def open_blend(path: str) -> None:
    """Open a .blend file, for reading.

    Raises:
        ReCamError: there is none, or Blender cannot read it.
    """
    if not os.path.isfile(path):
        raise ReCamError(tr("There is no file at {path!r}.").format(path=path))
    try:
        bpy.ops.wm.open_mainfile(filepath=path, load_ui=False)
    except RuntimeError as error:
        raise ReCamError(
            tr("Blender cannot open {path!r} ({error}).").format(path=path, error=str(error).strip())
        ) from error


def scene_of(strip: str) -> str:
    """The one scene whose sequencer has a strip of this name.

    Raises:
        ReCamError: none has, or several have.
    """
    found = [scene.name for scene in bpy.data.scenes if any(each.name == strip for each in compat.strips_all(scene))]
    if len(found) == 1:
        return found[0]
    if not found:
        every = sorted({each.name for scene in bpy.data.scenes for each in compat.strips_all(scene)})
        raise ReCamError(
            tr("No sequencer has a strip {strip!r}; there are {every}.").format(
                strip=strip, every=", ".join(map(repr, every)) or tr("none")
            )
        )
    raise ReCamError(
        tr("Several scenes have a strip {strip!r}: {found}. Say which with --scene, or in the column scene.").format(
            strip=strip, found=", ".join(map(repr, found))
        )
    )
