"""How steady footage is: whether it needs a source camera, and which.

Measured as ReCamMaster measures it (:mod:`backend.recammaster.shake`), so that what the panel doubts beforehand is what
a take warns of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from ..contract import Footage, Progress
from ..engines import Image
from ..foresight import Steadiness
from ..media.reader import FootageReader, open_footage
from ..pipeline import Gate
from ..recammaster import shake
from ..recammaster.shake import HANDHELD_SHARED, Shake

MOST_FRAMES = 96
"""That are looked at: 4 s. Of longer footage half of them from its first half, half from its second."""

STILL = 0.5
"""Percent of its width that the picture of a camera on a tripod may travel: 4 pixels of 832. The sample's standing
cameras come to 0.07, with noise or somebody who walks through the picture to less than 0.25; a tilt that is hardly seen
as one, in Big Buck Bunny, to 4."""

_SIDE = 240  # pixels: what shake measures in

Report = Callable[[Progress], None]


def steadiness(footage: Footage, report: Report, cancelled: Callable[[], bool]) -> Steadiness:
    """How the camera that shot the footage was held.

    Args:
        footage: of any kind; as the timeline shows it.
        report: told of the frames that are done.
        cancelled: asked at every frame.

    Returns:
        Still where it cannot be told, as of a single picture, or of one in which there is nothing to hold on to.

    Raises:
        Cancelled: ``cancelled`` said so.
        FootageError: the footage cannot be read.
    """
    gate = Gate(cancelled)
    parts = looked_at(len(footage.frames))
    total = sum(map(len, parts))
    found, done = [], 0
    with open_footage(footage) as reader:
        for part in parts:
            found.append(shake.measure(_frames(reader, part, report, gate, done, total)))
            done += len(part)
    return told(found, len(footage.frames) / total, footage.width, footage.height)


def looked_at(length: int) -> list[range]:
    """The timeline frames that are looked at, in runs: trembling is seen from one frame to the next."""
    if length <= MOST_FRAMES:
        return [range(length)]
    half = MOST_FRAMES // 2
    return [range(middle - half // 2, middle + half // 2) for middle in (length // 4, length - length // 4)]


def told(found: list[Shake], longer: float, width: int, height: int) -> Steadiness:
    """What came of the runs, the footage being ``longer`` by this factor than they are together."""
    scale = 100 * max(width, height) / width
    worst = max(found, key=lambda each: (each.is_handheld, _trembles(each)))
    moves = scale * longer * sum(each.travel for each in found)
    kind = "shaky" if worst.is_handheld else "still" if moves < STILL else "smooth"
    return Steadiness(shake=round(scale * _trembles(worst), 4), moves=round(moves, 3), kind=kind)


def _trembles(found: Shake) -> float:
    """As a share of the longer side: by shifts, or at its ends by turns about the middle."""
    if found.shared < HANDHELD_SHARED:
        return 0.0  # it is what is filmed that moves, not the camera
    return max(found.sway, math.tan(math.radians(found.roll)) / 2)


def _frames(reader: FootageReader, part: range, report: Report, gate: Gate, done: int, total: int) -> Iterator[Image]:
    for step, index in enumerate(part, done):
        gate.check()
        report(Progress(phase="looking at the footage", step=step, total=total))
        yield np.ascontiguousarray(reader.small(index, _SIDE))
