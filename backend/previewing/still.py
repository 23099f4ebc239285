"""One frame of a take, as `reproject` draws it from that frame of the footage alone: it looks into no other.

The same code draws it. Footage that is much larger than what is asked for is shrunk before, as a look is to be quick.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..cameras.trajectory import source_of
from ..contract import ContractError, Job, Progress
from ..engines import Frame, Image
from ..foresight import Still
from ..media.depthmaps import open_depth
from ..pipeline import Gate
from ..reproject import draw, views
from ..reproject.compiled import must_compile
from .readers import Readers
from .sizes import shrunk_depth

RED = (0.9, 0.1, 0.1)
"""What invented pixels are mixed with, for them to be told from the others."""

TINT = 0.4
"""How much of RED they get."""

_COMPILING = "preparing (first use: compiling, about half a minute)"

Floats = npt.NDArray[np.float32]

_readers = Readers()


def still(
    job: Job,
    path: str,
    tint: bool,
    report: Callable[[Progress], None],
    cancelled: Callable[[], bool],
    readers: Readers = _readers,
) -> Still:
    """Draw the one frame of a job into a file of pixels (see :class:`backend.foresight.Still`).

    Args:
        job: of one frame; its engine and its output's path do not matter. It says where the source camera stood, as
            the target's first pose is this very frame's (:func:`backend.foresight.moment` makes such jobs).
        path: of the file, absolute; one that is there is replaced.
        tint: whether invented pixels are reddened.
        report: told when kernels must be compiled.
        cancelled: asked between the parts of the work.
        readers: what keeps footage open.

    Raises:
        ContractError: the job has more frames.
        Cancelled: ``cancelled`` said so.
        FootageError: footage or depth cannot be read.
        OSError: the file cannot be written.
    """
    if len(job) != 1:
        raise ContractError("job.footage.frames", f"{len(job)} entries", "one: the frame to draw")
    gate = Gate(cancelled)
    gate.check()
    report(Progress(phase=_COMPILING if must_compile() else "drawing", step=0, total=1))
    image = readers.picture(job.footage)
    gate.check()
    frame = _draw(job, image, _depth(job), gate)
    gate.check()
    _write(path, pixels(frame, tint=tint))
    return Still(path=path, width=job.output.width, height=job.output.height, invented=frame.invented.mean() / 255)


def pixels(frame: Frame, *, tint: bool) -> Floats:
    """A frame as (h, w, 4) float32, display-referred RGBA from 0 to 1, alpha straight, rows from the bottom up."""
    image = frame.image[::-1]
    rgba = np.ones((*image.shape[:2], 4), np.float32)
    np.multiply(image, np.float32(1 / np.iinfo(image.dtype).max), out=rgba[..., : image.shape[2]])
    if tint and frame.invented.any():
        share = (frame.invented[::-1, :, None] * np.float32(TINT / 255)).astype(np.float32)
        rgba[..., :3] += share * (np.array(RED, np.float32) - rgba[..., :3])
    return rgba


def _depth(job: Job) -> Floats | None:
    if not job.settings.depth.has_files:
        return None  # what is found from the footage is too slow for a look: a plane stands for it
    return open_depth(job.settings.depth, job.footage.width, job.footage.height).frame(0)


def _draw(job: Job, image: Image, depth: Floats | None, gate: Gate) -> Frame:
    width, height = job.output.width, job.output.height
    times = max(1, min(image.shape[1] // width, image.shape[0] // height))
    if times > 1:
        image, depth = _shrunk(image, depth, times)
        gate.check()
    source = views.cameras(source_of(job), image.shape[1], image.shape[0])
    target = views.cameras(job.target, width, height)
    across, back = views.between(source, 0, target, 0), views.between(target, 0, source, 0)
    what = draw.Still(image, depth, job.subject_distance, across, back, width, height)
    return draw.draw_still(what).frame


def _shrunk(image: Image, depth: Floats | None, times: int) -> tuple[Image, Floats | None]:
    width, height = image.shape[1] // times, image.shape[0] // times
    shrunk: Any = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    if depth is None:
        return shrunk, None
    return shrunk, shrunk_depth(depth, width, height)


def _write(path: str, values: Floats) -> None:
    part = os.path.join(os.path.dirname(path), f".recam-{os.getpid()}-{time.monotonic_ns()}.part")
    try:
        with open(part, "xb") as file:
            values.tofile(file)
        os.replace(part, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
