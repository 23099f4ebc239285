"""TUM's text: one line for each pose, ``timestamp tx ty tz qx qy qz qw``.

Camera-to-world, OpenCV axes, metres; the time in seconds. SLAM programs write it, some with whole numbers in place of
seconds: of frames, or of micro- or nanoseconds.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ...contract import Trajectory
from ...messages import ContractError
from ..poses import Array
from ..trajectory import arrays
from .files import Path, at_line, rows
from .rotations import from_quaternions, to_quaternions
from .tracks import Track

_EXPECTED = "8 numbers: timestamp tx ty tz qx qy qz qw"
_NO_LENS = "TUM files hold no lens and no picture size."

# The least step that whole numbers of micro- and of nanoseconds have; smaller ones count frames.
_MICRO, _NANO = 1e3, 1e6


def read(path: Path) -> Track:
    """The poses in a file, in its order. Raises ContractError, which names the line."""
    places, table = rows(path, (8,), _EXPECTED)
    fields = [at_line(path, each) for each in places]
    table, fields, lost = without_lost(table, slice(1, 8), fields, _EXPECTED)
    poses = from_quaternions(table[:, [7, 4, 5, 6]], table[:, 1:4], fields)
    return timed(Track(poses, lacks=(_NO_LENS, *lost)), table[:, 0], unit=1.0)


def content(trajectory: Trajectory, rate: Fraction | None) -> tuple[bytes, tuple[str, ...]]:
    """What a file says of this trajectory, and what it does not; without a rate the frames are counted."""
    poses, _ = arrays(trajectory)
    turns = to_quaternions(poses)
    written = ["# timestamp tx ty tz qx qy qz qw"]
    for index, (turn, place) in enumerate(zip(turns, poses[:, :3, 3], strict=True)):
        time = str(index) if rate is None else f"{float(index / rate):.9f}"
        written.append(" ".join([time, *(f"{each:.17g}" for each in (*place, *turn[1:], turn[0]))]))
    return ("\n".join(written) + "\n").encode(), (_NO_LENS,)


def without_lost(
    table: Array, pose: slice, fields: list[str], expected: str
) -> tuple[Array, list[str], tuple[str, ...]]:
    """The rows but those whose pose is NaN from end to end, as SLAM programs write where they were lost.

    Raises ContractError for a row that has other numbers that are not finite.
    """
    lost: npt.NDArray[np.bool_] = np.all(np.isnan(table[:, pose]), axis=1)
    wrong = ~np.isfinite(np.where(lost[:, None], 0, table)).all(axis=1)
    if lost.all() or wrong.any():
        index = int(np.argmax(wrong)) if wrong.any() else 0
        found = " ".join(f"{each:g}" for each in table[index])
        raise ContractError(fields[index], found, f"{expected}, all of them finite")
    if not lost.any():
        return table, fields, ()
    kept = [field for field, gone in zip(fields, lost, strict=True) if not gone]
    return table[~lost], kept, (f"{int(lost.sum())} of {len(lost)} poses are no numbers: they were left out.",)


def timed(track: Track, stamps: Array, *, unit: float) -> Track:
    """The track with its times.

    Args:
        track: the poses.
        stamps: (n,) as they stand in the file.
        unit: seconds that one is by the format.
    """
    steps = np.diff(np.unique(stamps))
    step = float(np.median(steps)) if len(steps) else 0.0
    whole = bool((stamps == np.rint(stamps)).all() and np.abs(stamps).max() < 2**62)
    if not whole:
        if unit == 1.0:
            return replace(track, seconds=stamps)
        return replace(track, seconds=stamps).telling("The times are no whole numbers: they were taken as seconds.")
    if step < _MICRO:
        found = replace(track, numbers=stamps.astype(np.int64))
        return found.telling("The times are small whole numbers: they were taken as numbers of frames.")
    if unit == 1.0:
        name = "nanoseconds" if step >= _NANO else "microseconds"
        told = f"The times are whole numbers: they were taken as {name}."
        return replace(track, seconds=stamps * (1e-9 if step >= _NANO else 1e-6)).telling(told)
    return replace(track, seconds=stamps * unit)
