"""RealEstate10K's text, which CameraCtrl and its successors read too: one line for each pose.

``timestamp fx fy cx cy k1 k2 r11 r12 r13 tx r21 r22 r23 ty r31 r32 r33 tz``: the time in microseconds, the lens in
shares of the picture's width and height (the centre of a picture is 0.5 0.5), world-to-camera, OpenCV axes. The first
line is the address of the clip, or any other title, which others skip unread. Variants leave out the time or k1 and k2,
count frames in place of microseconds, or have the picture's width and height in place of k1 and k2.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from ...contract import LARGEST_SIDE, Trajectory
from ...messages import ContractError
from ..poses import Array
from ..trajectory import arrays
from .files import Path, at_line, rows
from .rotations import rigid, world_to_camera
from .tracks import Track
from .tum import timed, without_lost

_EXPECTED = "19 numbers: timestamp fx fy cx cy k1 k2 and a pose of 3 x 4, world-to-camera"
_TITLE = "ReCam: timestamp (microseconds) fx fy cx cy (shares of width and height) k1 k2 world-to-camera (3 x 4)"
_NO_SCALE = "RealEstate10K files do not say how long a unit is: one is a metre here, unless you say otherwise."
_NO_SIZE = "RealEstate10K files hold no picture size."

# Columns: with time and distortion, without distortion, without time, without either.
_HAS_TIME = {19: True, 17: True, 18: False, 16: False}
_HAS_MORE = {19: True, 17: False, 18: True, 16: False}
_SMALLEST_PICTURE = 16
_NEVER_PIXELS = 20.0


def read(path: Path) -> Track:
    """The poses in a file, in its order. Raises ContractError, which names the line."""
    places, table = rows(path, tuple(_HAS_TIME), _EXPECTED)
    fields = [at_line(path, each) for each in places]
    count = table.shape[1]
    start = int(_HAS_TIME[count])
    table, fields, lost = without_lost(table, slice(count - 12, count), fields, _EXPECTED)
    poses = world_to_camera(rigid(table[:, -12:].reshape(-1, 3, 4), fields))
    lenses = _lenses(table[:, start : start + 4], fields)
    track = Track(poses, lenses, lacks=(_NO_SCALE, *lost))
    more = table[:, start + 4 : start + 6] if _HAS_MORE[count] else np.zeros((len(table), 2))
    track = _with_more(track, more)
    return timed(track, table[:, 0], unit=1e-6) if start else track


def _lenses(lenses: Array, fields: list[str]) -> Array:
    wrong = ~((lenses[:, :2] > 0).all(axis=1) & (np.abs(lenses) < _NEVER_PIXELS).all(axis=1))
    if wrong.any():
        index = int(np.argmax(wrong))
        found = " ".join(f"{each:g}" for each in lenses[index])
        raise ContractError(fields[index], found, "fx fy cx cy in shares of the picture's width and height, like 0.5")
    return lenses


def _with_more(track: Track, more: Array) -> Track:
    """With what the two columns after the lens say: the picture's size, or its distortion."""
    width, height = more[0]
    sized = (more == more[0]).all() and min(width, height) >= _SMALLEST_PICTURE and max(width, height) <= LARGEST_SIDE
    if sized and (more == np.rint(more)).all() and track.lenses is not None:
        size = int(width), int(height)
        return replace(track, lenses=track.lenses * (size * 2), size=size)
    if np.abs(more).max() > 0:
        track = track.telling("The lens is distorted (k1, k2), which a take's cannot be: its distortion is left out.")
    return track.telling(_NO_SIZE)


def content(trajectory: Trajectory, rate: Fraction | None) -> tuple[bytes, tuple[str, ...]]:
    """What a file says of this trajectory, and what it does not; without a rate the frames are counted."""
    poses, lenses = arrays(trajectory)
    shares = lenses / (trajectory.width, trajectory.height, trajectory.width, trajectory.height)
    written = [_TITLE]
    for index, (lens, pose) in enumerate(zip(shares, world_to_camera(poses)[:, :3], strict=True)):
        time = index if rate is None else round(index * 1_000_000 / rate)
        numbers = (*lens, 0.0, 0.0, *pose.ravel())
        written.append(" ".join([str(time), *(f"{each:.17g}" for each in numbers)]))
    return ("\n".join(written) + "\n").encode(), (_NO_SIZE, _NO_SCALE)
