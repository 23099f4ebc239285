"""What is doubtful about what a take is for: part of doubts.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy
import numpy as np

from . import compat, request
from .doubt import Doubt
from .needs import Button
from .paths import Path
from .request import GENERATES, size_of_take
from .texts import later, tr
from .watching import Seen

# What is less is no movement: Blender units, and the cells of a rotation.
_STILL = 1e-4
# A pixel that is drawn this wide is seen to be one.
_COARSE = 2.0
# A lens this much longer, or shorter, shows another part of what was filmed. A little longer hides edges on purpose.
_LONGER, _WIDER = 1.25, 0.95
_LOSSY = ("h264", "prores4444")

_FROM_FOOTAGE = Button("recam.use_footage_camera", later("From the Footage"))
_SOLVE = Button("recam.solve_footage", later("Solve"))


def of_use(scene: bpy.types.Scene, seen: Seen) -> Iterator[Doubt]:
    """What the use asks for and does not get, or what it does beside."""
    settings = scene.recam
    if settings.use in ("stabilise", "lock"):
        yield from _of_steadiness(settings, seen)
    elif settings.use == "closer":
        yield from _of_closer(scene, seen)
    elif settings.use == "outpaint":
        yield from _of_wider(settings)
    elif settings.use == "freeze":
        yield from _of_freeze(settings, seen)
    if settings.use in ("lock", "freeze"):
        yield from _of_frame(scene, settings)
    if settings.relative and settings.use in ("move", "freeze"):
        yield from _of_following(settings, seen)
    if settings.engine in GENERATES and settings.true_pixels and settings.depth == "plane":
        text = tr("True pixels of a flat plane are right only where the footage is flat.")
        yield Doubt(text, "ERROR", Button("recam.automatic_depth", later("Automatic")), "true_pixels")


def hold_button(scene: bpy.types.Scene) -> Button | None:
    """What helps where the use itself is the trouble: an instant that is held for longer than the strip has room."""
    if scene.recam.use == "freeze":
        return Button("recam.shorten_hold", later("Shorten"))
    return None


def is_still(path: Path) -> bool:
    """Whether a camera does not move at all."""
    return float(np.ptp(path.matrices, axis=0).max()) < _STILL


def _of_steadiness(settings: Any, seen: Seen) -> Iterator[Doubt]:
    if seen.unsolved:
        text = tr("Its camera is solved when the take is made. Solve it before, to see the path.")
        yield Doubt(text, "INFO", _SOLVE, "use_source")
    elif seen.source is None:
        text = tr("No camera is known that shot the footage: there is nothing to steady.")
        yield Doubt(text, "ERROR", _FROM_FOOTAGE, "use_source")
    elif is_still(seen.source):
        text = tr("The source camera {name!r} stands still: there is nothing to steady.")
        yield Doubt(text.format(name=seen.source.name), "ERROR", _FROM_FOOTAGE, "use_source")
    elif seen.target is not None:
        yield from _of_lens(seen.source, seen.target)


def _of_lens(source: Path, target: Path) -> Iterator[Doubt]:
    """A steady take has the target camera's lens, which nobody thinks of who has just solved the footage."""
    widths = [float(each.corners[0, 1] - each.corners[0, 0]) for each in (source, target)]
    longer = widths[0] / widths[1]
    if _WIDER <= longer <= _LONGER:
        return
    if longer > 1:
        text = tr("The camera's lens is {times} times as long as the footage's: the take shows less.")
    else:
        text = tr("The camera's lens is {times} times as long as the footage's: around it the take shows more.")
    yield Doubt(text.format(times=f"{longer:.2g}"), "ERROR", Button("recam.use_source_lens", later("Use Its Lens")))


def _of_closer(scene: bpy.types.Scene, seen: Seen) -> Iterator[Doubt]:
    settings = scene.recam
    if not all(seen.size):
        return
    asked = size_of_take(scene)
    output = asked if all(asked) else seen.size
    sides = (settings.use_region_width, settings.use_region_height)
    times = min(out / (share * own) for out, share, own in zip(output, sides, seen.size, strict=True))
    if times < _COARSE:
        return
    if settings.engine in GENERATES:
        text = tr("A pixel of the footage becomes {times} wide: the network makes up what is finer.")
        yield Doubt(text.format(times=f"{times:.1f}"), "INFO", topic="use_closer")
    else:
        text = tr("A pixel of the footage is stretched to {times}: the take gets soft.")
        yield Doubt(text.format(times=f"{times:.1f}"), "ERROR" if times >= 2 * _COARSE else "INFO", topic="use_closer")


def _of_wider(settings: Any) -> Iterator[Doubt]:
    if settings.use_keep and settings.use_outpaint_by == "frame" and settings.format in _LOSSY:
        name = {"h264": "H.264", "prores4444": "ProRes 4444"}[settings.format]
        text = tr("{format} changes pixels a little, the kept ones too.").format(format=name)
        yield Doubt(text, "INFO", Button("recam.lossless", later("Use FFV1")), "use_keep")


def _of_freeze(settings: Any, seen: Seen) -> Iterator[Doubt]:
    if len(seen.targets) == 1 and is_still(seen.targets[0]):
        text = tr("The camera stands still while time is held: the take shows a still picture then.")
        yield Doubt(text, "INFO", Button("wm.call_menu", later("Add Move"), "NONE", {"name": "RECAM_MT_moves"}))


def _of_frame(scene: bpy.types.Scene, settings: Any) -> Iterator[Doubt]:
    strip = request.chosen_footage(scene)
    if strip is None:
        return
    start, stop = compat.span(strip)
    if not start <= settings.use_at < stop:
        nearest = min(max(settings.use_at, start), stop - 1)
        text = tr("Frame {frame} is not in the strip: frame {nearest} is held.")
        button = Button("recam.use_current_frame", later("Current Frame"))
        yield Doubt(text.format(frame=settings.use_at, nearest=nearest), "ERROR", button)


def _of_following(settings: Any, seen: Seen) -> Iterator[Doubt]:
    if seen.source is None and settings.source_from != "footage":
        text = tr("Follow the Source has no source camera to follow.")
        yield Doubt(text, "ERROR", _FROM_FOOTAGE, "relative")
    elif seen.source is not None and is_still(seen.source):
        text = tr("The source camera {name!r} stands still: Follow the Source changes nothing.")
        yield Doubt(text.format(name=seen.source.name), "INFO", topic="relative")
