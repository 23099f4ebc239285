"""Which instants of the timeline the network sees, and where in its video the take's frames are.

The timeline has one pose and one frame of footage per frame, 0 to length - 1; the network draws 4k + 1 frames at once.
Both ways frames stay whole where they can: a frame of the timeline is a frame of the network's, or the other way
around, and only those that have no counterpart lie in between.
"""

from __future__ import annotations

import numpy as np


def network_times(length: int, frames: int) -> list[float]:
    """The instant of each of the network's frames, in frames of the timeline, from 0 to ``length - 1``.

    Fewer frames on the timeline than the network draws: each is one of the network's, as evenly spread as whole places
    go, with instants on straight lines between them. More: each instant is a whole frame. One on the timeline: always
    it. One of the network's: the first.
    """
    if frames == 1 or length == 1:
        return [0.0] * frames
    if length > frames:
        return [float(each) for each in _spread(frames, length)]
    times = np.interp(np.arange(frames), _spread(length, frames), np.arange(length))
    return [float(each) for each in times]


def take_places(length: int, times: list[float]) -> list[float]:
    """Where in the network's video each frame of the take is, in its frames: whole, or between two of them.

    Args:
        length: frames of the take.
        times: of :func:`network_times`.
    """
    if len(times) == 1 or length == 1:
        return [0.0] * length
    return [float(each) for each in np.interp(np.arange(length), times, np.arange(len(times)))]


def _spread(count: int, among: int) -> list[int]:
    """``count`` whole places from 0 to ``among - 1``, rising, as evenly as they go; halves go up."""
    return [(2 * each * (among - 1) + count - 1) // (2 * (count - 1)) for each in range(count)]
