"""Which instants of the timeline the network sees, in how many windows, and where in its video the take's frames are.

The timeline has one pose and one frame of footage per frame, 0 to length - 1; the network draws 4k + 1 frames at once.
Both ways frames stay whole where they can: a frame of the timeline is a frame of the network's, or the other way
around, and only those that have no counterpart lie in between.

Up to as many frames as the network draws at once, all of them are shown, with others made in between. A longer clip is
drawn in windows, each of which shares frames with the one before it (:mod:`.windows` tells how they are joined). Two
things are left out of a longer clip before it is cut into windows, and come back by optical flow:

* Instants beyond 30 per second. The network was trained at 15 (81 frames in 5.4 s); at 60 its 81 frames would be
  1.4 s, in which little moves, for four times the work and with twice the seams. Up to 30 every frame is drawn: two
  thirds of what a network draws at 24 per second are nearer to its 15 than every second one would be to what the take
  needs, and a drawn frame is better than one in between.
* Frames that show the same footage as the one before, as footage of 12 frames per second does in a timeline of 24. The
  network has never seen footage that stutters. What is held for longer is meant: a still, a frozen instant.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

FASTEST = 30.0
"""Instants per second that windows show the network, at most."""

HELD = 0.2
"""Seconds for which one frame of the footage is shown, above which it is held on purpose."""

_SLACK = 0.01  # of a step: 30000/1001 and 30 are one rate
_WORTH = 8  # a window more is drawn for more than one frame in so many


class Window(NamedTuple):
    """Some of the network's frames, as many as it draws at once.

    Attributes:
        start: which of them is the window's first.
        shared: how many of its first frames are the last of the window before.
        known: how many of these it goes on from, 4k + 1; none in the first window.
        fade: over how many of these, their last, it takes the place of the window before.
    """

    start: int
    shared: int = 0
    known: int = 0
    fade: int = 0


@dataclass(frozen=True)
class Schedule:
    """What the network is to draw.

    Attributes:
        instants: the frames of the timeline that the network is shown, from the first to the last.
        places: where among these each of the network's frames lies: at one of them, or between two.
        windows: that the network's frames are drawn in, in order.
        frames: of each window.
        repeats: how many frames of the timeline were left out as they show the footage of the one before.
        step: every how many frames of the timeline is drawn at most, as their rate is high.
    """

    instants: list[int]
    places: list[float]
    windows: list[Window]
    frames: int
    repeats: int = 0
    step: int = 1

    @property
    def times(self) -> list[float]:
        """The instant of each of the network's frames, in frames of the timeline, from 0 to ``length - 1``."""
        return [float(each) for each in np.interp(self.places, np.arange(len(self.instants)), self.instants)]

    def times_of(self, window: Window) -> list[float]:
        """The instants of a window's frames."""
        return self.times[window.start : window.start + self.frames]


def schedule(
    length: int, frames: int, *, overlap: int | None = None, rate: float = 24.0, shows: Sequence[int] | None = None
) -> Schedule:
    """What the network draws for a take.

    Args:
        length: frames of the take.
        frames: that the network draws at once, 4k + 1.
        overlap: how many of these two windows share, at least; 0: one window, whatever the length; None: the default.
        rate: timeline frames per second.
        shows: which frame of the clip each frame of the timeline shows; None where that is not known.
    """
    base = _distinct(length, rate, shows)
    repeats = length - len(base)
    shared = default_overlap(frames) if overlap is None else overlap
    step = max(1, math.ceil(rate / FASTEST - _SLACK))
    thinned = _thinned(base, step)
    if shared == 0 or len(thinned) <= frames + frames // _WORTH:
        return Schedule(base, network_times(len(base), frames), [Window(0)], frames, repeats)
    places = [float(each) for each in range(len(thinned))]
    return Schedule(thinned, places, _windows(len(thinned), frames, shared), frames, repeats, step)


def default_overlap(frames: int) -> int:
    """How many frames two windows share where nobody says: about a fifth, 4k + 1; none where a window is one frame.

    17 of 81 are 0.7 s at 24 per second, five of 21 latent frames: enough to tell how things move, for a quarter more
    work. 400 frames are six windows.
    """
    shared = 4 * max(1, round(frames / 20)) + 1
    return shared if shared < frames else frames // 5


def network_times(length: int, frames: int) -> list[float]:
    """The instant of each of the network's frames in one window, in frames of the timeline, from 0 to ``length - 1``.

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
        times: of all of the network's frames.
    """
    if len(times) == 1 or length == 1:
        return [0.0] * length
    return [float(each) for each in np.interp(np.arange(length), times, np.arange(len(times)))]


def _distinct(length: int, rate: float, shows: Sequence[int] | None) -> list[int]:
    """The frames of the timeline that show what the one before does not, those of what is held, and the last."""
    if shows is None:
        return list(range(length))
    found: list[int] = []
    for _, run in itertools.groupby(range(length), key=lambda index: shows[index]):
        same = list(run)
        found += same if len(same) > HELD * rate else same[:1]
    # The camera has moved on by the last frame, whatever that shows.
    return found if found[-1] == length - 1 else [*found, length - 1]


def _thinned(instants: list[int], step: int) -> list[int]:
    """Those that are at least so far from one another, and the last."""
    found = instants[:1]
    for each in instants[1:]:
        if each - found[-1] >= step:
            found.append(each)
    return found if found[-1] == instants[-1] else [*found, instants[-1]]


def _windows(count: int, frames: int, shared: int) -> list[Window]:
    """Windows that cover so many of the network's frames, all of them full, as few and as evenly spread as can be."""
    more = math.ceil((count - frames) / (frames - shared))
    starts = [each * (count - frames) // more for each in range(more + 1)]
    found = [Window(0)]
    for before, start in itertools.pairwise(starts):
        common = before + frames - start
        known = (common - 1) // 4 * 4 + 1
        found.append(Window(start, common, known, min(known, shared)))
    return found


def _spread(count: int, among: int) -> list[int]:
    """``count`` whole places from 0 to ``among - 1``, rising, as evenly as they go; halves go up."""
    return [(2 * each * (among - 1) + count - 1) // (2 * (count - 1)) for each in range(count)]
