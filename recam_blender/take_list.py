"""The takes of a footage strip: what is known of each, which are shown, and which is looked at.

What a strip says of itself comes from a file that anybody may have written: it is read with care, and never trusted.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy

from . import compat
from .errors import ReCamError
from .media import absolute
from .texts import tr
from .ties import footage_of, is_take, list_takes, text_of, write

_COMPARED, _BEFORE_SOLO = "compared", "before_solo"
"""Kept with takes that were hidden to look at the source, and with those hidden for another's solo."""

_VERSION = re.compile(r"_v([0-9]{1,9})$")
_LONGEST = 64

# A file that is gone is seen within so long; looking takes at most so much of any second, but for one slow look.
_LOOK_SECONDS = 2.0
_LOOK_BUDGET = 0.01
_MOST_KEPT = 512


@dataclass(frozen=True)
class Told:
    """What the record kept with a take's strip says; nothing where it says nothing that can be understood.

    Attributes:
        engine: what made it.
        camera: the target camera's name.
        use: what it is for, one of contract.USES; empty for a plain move of the camera.
        seed: None where it is not told.
        frames: how many.
        seconds: how long the work took.
        invented: share of the pixels that no footage showed; None where the engine cannot tell.
        mask: whether one was stored.
    """

    engine: str = ""
    camera: str = ""
    use: str = ""
    seed: int | None = None
    frames: int = 0
    seconds: float = 0.0
    invented: float | None = None
    mask: bool = False


@dataclass(frozen=True)
class Take:
    """A take in the sequencer, as lists show it.

    Attributes:
        strip: its strip's name.
        version: its number; 0 where its file has none.
        path: its file, or its folder of pictures.
        there: whether that was there when somebody last looked.
        shown: whether its strip is not muted.
        told: see there.
    """

    strip: str
    version: int
    path: str
    there: bool
    shown: bool
    told: Told


def takes(scene: bpy.types.Scene, footage: Any) -> list[Take]:
    """The takes of a footage strip, the newest first."""
    return [describe(scene, each) for each in newest_first(scene, list_takes(scene, footage))]


def describe(scene: bpy.types.Scene, strip: Any) -> Take:
    """What is known of a take's strip. Quick: for drawing."""
    path = path_of(scene, strip)
    return Take(strip.name, version_of(path), path, is_there(path), not strip.mute, told_of(strip))


def newest_first(scene: bpy.types.Scene, strips: Sequence[Any]) -> list[Any]:
    """Takes' strips by their number, and by their name where that is the same."""
    return sorted(strips, key=lambda each: (-version_of(path_of(scene, each)), each.name))


def path_of(scene: bpy.types.Scene, strip: Any) -> str:
    """The file of a strip, or the folder of its pictures; nothing for other strips."""
    path = {"MOVIE": "filepath", "IMAGE": "directory"}.get(strip.type)
    found = getattr(strip, path) if path else ""
    return absolute(found, scene.library) if found else ""


def version_of(path: str) -> int:
    """The number in a take's name; 0 where there is none."""
    name = os.path.basename(path)
    found = _VERSION.search(name) or _VERSION.search(os.path.splitext(name)[0])
    return int(found[1]) if found else 0


def find(scene: bpy.types.Scene, name: str = "") -> Any:
    """The take's strip of that name; without one, the active strip where it is a take.

    Raises:
        ReCamError: there is no such take.
    """
    strip = (
        next((each for each in compat.strips_all(scene) if each.name == name), None)
        if name
        else compat.active_strip(scene)
    )
    if strip is None or not is_take(strip):
        raise ReCamError(
            tr("There is no take {name!r} in scene {scene!r}.").format(name=name, scene=scene.name)
            if name
            else tr("Select a take in the list.")
        )
    return strip


def choose(scene: bpy.types.Scene, strip: Any) -> None:
    """Make a strip active, and select it alone, as a click on it does."""
    for each in compat.strips_all(scene):
        each.select = each == strip
    scene.sequence_editor.active_strip = strip


# What is looked at


def show(strip: Any, shown: bool = True) -> None:
    """Show a take, or hide it. Its sound stays as it is."""
    strip.mute = not shown


def compare(scene: bpy.types.Scene, footage: Any) -> bool:
    """Between the takes and the source: hide the takes that are shown, or show again those that were.

    Several may be shown: the topmost is seen where they lie over one another, and each camera of a cut has its own.

    Returns:
        Whether takes are shown now.

    Raises:
        ReCamError: the footage has no takes.
    """
    every = list_takes(scene, footage)
    if not every:
        raise ReCamError(tr("Strip {strip!r} has no takes to compare with yet.").format(strip=footage.name))
    shown = [each for each in every if not each.mute]
    if shown:
        for each in every:
            write(each, **{_COMPARED: "1" if each in shown else ""})
            show(each, False)
        return False
    active = compat.active_strip(scene)
    before = [each for each in every if text_of(each, _COMPARED)]
    for each in before or ([active] if active in every else newest_first(scene, every)[:1]):
        show(each)
    return True


def solo(scene: bpy.types.Scene, strip: Any) -> bool:
    """Show a take alone among those at the same time; where it is alone already, show them again as before.

    Returns:
        Whether it is alone now.
    """
    others = _beside(scene, strip)
    group = [strip, *others]
    if is_solo(scene, strip):
        for each in group:
            show(each, text_of(each, _BEFORE_SOLO) == "shown")
            write(each, **{_BEFORE_SOLO: ""})
        return False
    shown = [each for each in group if not each.mute]
    # One solo after another: what was before the first one counts.
    if not (len(shown) == 1 and text_of(shown[0], _BEFORE_SOLO)):
        for each in group:
            write(each, **{_BEFORE_SOLO: "shown" if each in shown else "hidden"})
    for each in others:
        show(each, False)
    show(strip)
    return True


def is_solo(scene: bpy.types.Scene, strip: Any) -> bool:
    """Whether a take is shown alone because somebody wanted that."""
    return not strip.mute and bool(text_of(strip, _BEFORE_SOLO)) and all(each.mute for each in _beside(scene, strip))


def _beside(scene: bpy.types.Scene, strip: Any) -> list[Any]:
    """The other takes of its footage that share frames with it: those of another camera's cut do not."""
    start, stop = compat.span(strip)
    others = [each for each in list_takes(scene, footage_of(scene, strip)) if each != strip]
    return [each for each in others if compat.span(each)[0] < stop and start < compat.span(each)[1]]


# What its record says

_told: dict[tuple[int, int, str], Told] = {}


def told_of(strip: Any) -> Told:
    """What the record kept with a strip says. Parsed once: it has a pose for every frame."""
    job, result = text_of(strip, "job"), text_of(strip, "result")
    key = hash(job), len(job), result
    if key not in _told:
        if len(_told) >= _MOST_KEPT:
            _told.clear()
        _told[key] = _parsed(job, result)
    return _told[key]


def _parsed(job: str, result: str) -> Told:
    asked, came = _object(job), _object(result)
    settings, origin = _inside(asked, "settings"), _inside(asked, "origin")
    engine = _word(came.get("engine")) or _word(settings.get("engine"))
    seed, invented = _number(settings.get("seed")), _number(came.get("invented_mean"))
    return Told(
        engine=engine,
        camera=_word(origin.get("camera")),
        use=_word(_inside(asked, "use").get("kind")),
        seed=int(seed) if seed is not None else None,
        frames=int(_number(came.get("frames")) or 0),
        seconds=float(_number(came.get("seconds")) or 0),
        invented=float(invented) if invented is not None and invented <= 1 and engine == "reproject" else None,
        mask=bool(_word(came.get("mask"))),
    )


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _inside(data: dict[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _word(value: Any) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""


def _number(value: Any) -> int | float | None:
    """Nothing negative, nor what no record has."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if 0 <= value < 2**63 else None


# Whether it is there

_looks: dict[str, tuple[float, bool]] = {}
_budget = [0.0, 0.0]
"""Since when, and how long the disk was looked at since."""


def is_there(path: str) -> bool:
    """Whether a path is there, as far as is known: a disk may be slow, and panels are drawn many times a second."""
    now = time.monotonic()
    looked, there = _looks.get(path, (-math.inf, True))
    if now - _budget[0] > 1:
        _budget[:] = now, 0.0
    if now - looked < _LOOK_SECONDS or _budget[1] > _LOOK_BUDGET:
        return there
    if len(_looks) >= _MOST_KEPT:
        _looks.clear()
    there = os.path.exists(path)
    _budget[1] += time.monotonic() - now
    _looks[path] = time.monotonic(), there
    return there


def look_again() -> None:
    """Files have come or gone: what is known of them is out of date."""
    _looks.clear()


# The row that is chosen in Blender's list of strips


def chosen_row(scene: bpy.types.Scene) -> int:
    """The place of the active strip among all; -1 where there is none."""
    active = compat.active_strip(scene)
    return next((at for at, each in enumerate(compat.strips_all(scene)) if each == active), -1)


def choose_row(scene: bpy.types.Scene, row: int) -> None:
    """Choose the strip of that place."""
    strips = compat.strips_all(scene)
    if 0 <= row < len(strips):
        choose(scene, strips[row])
