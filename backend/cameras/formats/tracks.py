"""From what a file says of a camera, pose by pose, to a trajectory: in order, with a lens, one pose for each frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ...contract import LARGEST_SIDE, Trajectory
from ...messages import ContractError
from ..intrinsics import from_lens, interpolate_intrinsics
from ..poses import Array, interpolate
from ..trajectory import from_arrays
from .files import LONGEST

Numbers = npt.NDArray[np.int64]

DEFAULT_LENS = (24.0, 23.76)
"""Focal length and sensor width, millimetres, where a file has no lens: those of the published data."""

DEFAULT_WIDTH = 1280
"""Pixels, where neither file nor caller says how large the pictures are."""

# How far times may be from even ones, in steps, to be those of a clip's frames; and how far two rates may be apart.
_EVEN = 0.25
_SAME_RATE = 5e-4
# Numbers of frames that leave more room between them are dates, or names of other things.
_ROOM = 20


@dataclass(frozen=True)
class Track:
    """What a file says of one camera.

    Attributes:
        poses: (n, 4, 4) camera-to-world, OpenCV axes, in units of the file.
        lenses: (n, 4) fx, fy, cx, cy in pixels of ``size``; where that is not known, in shares of its width and height,
            and fy NaN where the pixels are square. None: the file has none.
        size: width and height of the picture.
        seconds: (n,) when each pose was.
        numbers: (n,) which frame each pose is of; not used beside seconds.
        lacks: what the file does not say, and what was decided, in whole sentences.
    """

    poses: Array
    lenses: Array | None = None
    size: tuple[int, int] | None = None
    seconds: Array | None = None
    numbers: Numbers | None = None
    lacks: tuple[str, ...] = ()

    def telling(self, *sentences: str) -> Track:
        """The same with more to tell."""
        return replace(self, lacks=(*self.lacks, *sentences))

    def only(self, kept: npt.NDArray[np.intp]) -> Track:
        """These poses, in this order."""
        return replace(
            self,
            poses=self.poses[kept],
            lenses=None if self.lenses is None else self.lenses[kept],
            seconds=None if self.seconds is None else self.seconds[kept],
            numbers=None if self.numbers is None else self.numbers[kept],
        )


_NUMBERED = re.compile(r"(.*?)([0-9]{1,15})[^0-9]*", re.DOTALL)


def numbers_of(names: Sequence[str]) -> Numbers | None:
    """Which frame each picture is, where their names, alike but for the last number, say it without doubt."""
    stems = [each.rpartition(".")[0] or each for each in names]
    found = [_NUMBERED.fullmatch(each) for each in stems]
    numbers = [int(each[2]) for each in found if each is not None]
    if len(set(numbers)) != len(names) or len({each[1].rstrip("0123456789") for each in found if each}) > 1:
        return None
    return np.array(numbers, np.int64)


# In order


def ordered(track: Track) -> Track:
    """By time, or by number; of poses at the same instant the first alone."""
    keys = track.seconds if track.seconds is not None else track.numbers
    if keys is None:
        return track
    if len(keys) > 1 and (keys == keys[0]).all():
        told = "All poses have the same time: they were taken one for each frame, in the file's order."
        return replace(track, seconds=None, numbers=None).telling(told)
    order = np.argsort(keys, kind="stable")
    kept = order[np.concatenate([[True], np.diff(keys[order]) > 0])]
    found = track.only(kept)
    if len(kept) < len(keys):
        twice = len(keys) - len(kept)
        found = found.telling(f"{twice} of {len(keys)} poses have the time of another: the first of each was kept.")
    if (np.diff(order) < 0).any():
        found = found.telling("The poses were not in the order of their times: they were sorted.")
    return found


# One pose for each frame


def regular(track: Track, rate: float | None) -> tuple[Track, float | None]:
    """One pose for each frame, and how many frames a second that makes where the file says so.

    Args:
        track: in order.
        rate: frames a second wanted, where the file has times; None: the file's own.

    Raises:
        ContractError: the times, or the rate, would make too many frames.
    """
    if len(track.poses) == 1:
        return track, None
    if track.seconds is None:
        return (track if track.numbers is None else _by_number(track)), None
    numbers, own = _numbers_of_times(track.seconds)
    if numbers is not None and (rate is None or abs(own / rate - 1) <= _SAME_RATE):
        return _by_number(replace(track, numbers=numbers)), own
    told = []
    if numbers is None:
        told.append("The poses are not evenly spaced in time: they were interpolated at even times.")
    if rate is not None:
        told.append(f"The poses, {own:.6g} a second, were brought to {rate:.6g} frames a second by interpolation.")
    wanted = own if rate is None else rate
    span = track.seconds[-1] - track.seconds[0]
    count = _checked(span * wanted + 1, f"{span:g} seconds with {wanted:g} frames a second")
    found = _at(track, track.seconds - track.seconds[0], np.arange(count) / wanted)
    return found.telling(*told), wanted


def _numbers_of_times(seconds: Array) -> tuple[Numbers | None, float]:
    """Which frame each time is, where they are those of a clip's frames, and its frames a second."""
    steps = np.sort(np.diff(seconds))
    usual, least = float(steps[(len(steps) - 1) // 2]), float(steps[0])
    # Where more than every other frame lacks, the least step is that of the frames; any would do if it were small.
    for step, off in ((usual, _EVEN), (least, _EVEN / 5)):
        numbers, rate = _counted(seconds, step)
        if step > usual / 5 and numbers is not None and np.abs((seconds - seconds[0]) * rate - numbers).max() <= off:
            return numbers, rate
    return None, 1 / usual


def _counted(seconds: Array, step: float) -> tuple[Numbers | None, float]:
    counts = np.rint(np.diff(seconds) / step)
    if counts.sum() > LONGEST or (counts < 1).any():
        return None, 1 / step
    numbers = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return numbers, float(numbers[-1] / (seconds[-1] - seconds[0]))


def _by_number(track: Track) -> Track:
    numbers = track.numbers
    if numbers is None:
        return track
    count = int(numbers[-1] - numbers[0]) + 1
    if count == len(numbers):
        return track
    if track.seconds is None and count > _ROOM * len(numbers) + 1000:
        told = "The numbers of the poses are too far apart to be those of frames: one was taken for each frame."
        return replace(track, numbers=None).telling(told)
    _checked(count, f"frames from {numbers[0]} to {numbers[-1]}")
    wanted: Array = np.arange(count, dtype=np.float64) + float(numbers[0])
    found = _at(track, numbers.astype(np.float64), wanted)
    lacking = count - len(numbers)
    found = replace(found, numbers=np.arange(count) + numbers[0])
    return found.telling(f"{lacking} of {count} frames are not in the file: they were interpolated.")


def _at(track: Track, known: Array, wanted: Array) -> Track:
    lenses = None if track.lenses is None else interpolate_intrinsics(known, track.lenses, wanted)
    return replace(track, poses=interpolate(known, track.poses, wanted), lenses=lenses, seconds=None, numbers=None)


def _checked(count: float, found: str) -> int:
    if count > LONGEST:
        raise ContractError("trajectory", found, f"at most {LONGEST} frames")
    return int(count + 1e-6)


# A lens for each frame


def trajectory(
    track: Track, *, lens: tuple[float, float] | None, width: int | None, height: int | None, scale: float
) -> tuple[Trajectory, tuple[str, ...]]:
    """The track as a trajectory, and what had to be decided, in whole sentences.

    Args:
        track: one pose for each frame.
        lens: focal length and sensor width, millimetres, where the file has none.
        width: of the picture, pixels, where the file does not say.
        height: likewise.
        scale: metres per unit of the file.
    """
    size, told = _size(track, width, height)
    poses = track.poses.copy()
    poses[:, :3, 3] *= scale
    if track.lenses is None:
        focal, sensor = lens or DEFAULT_LENS
        if lens is None:
            told.append(f"The lens was taken as {focal:g} mm on a sensor {sensor:g} mm wide.")
        return from_arrays(poses, from_lens(focal, sensor, *size), *size), tuple(told)
    lenses = track.lenses.copy()
    if track.size is None:
        lenses *= (size[0], size[1], size[0], size[1])
        lenses[:, 1] = np.where(np.isnan(lenses[:, 1]), lenses[:, 0], lenses[:, 1])
    return from_arrays(poses, lenses, *size), tuple(told)


def _size(track: Track, width: int | None, height: int | None) -> tuple[tuple[int, int], list[str]]:
    if track.size is not None:
        return track.size, []
    if width is not None and height is not None:
        return (width, height), []
    shape = 16 / 9
    if track.lenses is not None and np.isfinite(track.lenses[0, 1]):
        shape = float(track.lenses[0, 1] / track.lenses[0, 0])  # of square pixels
    chosen = DEFAULT_WIDTH, min(max(round(DEFAULT_WIDTH / shape), 1), LARGEST_SIDE)
    return chosen, [f"The picture was taken as {chosen[0]} x {chosen[1]} pixels."]
