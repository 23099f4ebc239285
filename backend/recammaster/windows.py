"""Clips that are longer than what the network draws at once: window after window, each going on from the one before.

Two windows share frames (:mod:`.timing` says which). What the first has made of them is encoded again, by the VAE, as
the latents that the second begins with: while the second is sampled these are held at what they are, with the noise of
each step (:func:`.sampling.sample`), so that what follows is drawn as going on from them. Encoded anew, and not taken
over as latents, as a window's first latent frame is one frame and each other is four: within a window they begin
elsewhere. In the video, one window fades into the other over the last of the frames they share, which are alike but for
what the VAE loses; the seam is then where the second goes on alone.

Why not otherwise: windows that are sampled side by side, their latents averaged at each step (MultiDiffusion,
arXiv 2302.08113), agree better, but all of them would have to be held at once, none would be done before all are, and
a crash would take all. Here nothing is passed on but frames, and memory does not grow with the clip: what is held is
one window, and of the one before it the frames that are shared.

**What each window is told of the camera.** In training, take and footage share their first view; a window that begins
in the middle of a clip begins where the take has come to. Its poses are relative to the source camera at the window's
own first frame, as that is the view that the network sees first (:mod:`.camera`). Relative to the clip's first frame
they would be relative to a view that is not shown, where the source camera moves; relative to the target camera itself
the network would be told, wrongly, that it stands where the footage was shot. A row of poses such as a window begins
with is one that the network knows, but from later frames. How well the released weights go on from frames they are
given has not been seen: neither they nor a GPU were at hand. On the tests' small random network only the joining is
true: the frames that are shared, the seams, the memory, the restart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..engines import FrameSource, Image, Report, Shot
from . import camera, fitting
from .drawing import Drawing
from .fitting import Fit, Floats
from .timing import Schedule, Window


class Seam(NamedTuple):
    """Where one window goes over into the next.

    Attributes:
        frame: of the timeline, the first that is the next window's alone.
        change: the largest change from frame to frame while it goes over, as a share of white, mean over the frame.
        around: the largest change from frame to frame as long before and after.
    """

    frame: int
    change: float
    around: float

    @property
    def ratio(self) -> float:
        """How many times as large it is as around; 1 where nothing changes at all."""
        return 1.0 if self.change == self.around else self.change / max(self.around, 1e-9)


class _Chosen:
    """Some frames of the footage, by their place among them: what lies between two of them is told by these alone."""

    def __init__(self, footage: FrameSource, instants: Sequence[int]) -> None:
        self.width, self.height = footage.width, footage.height
        self._footage, self._instants = footage, instants

    def frame(self, index: int, /) -> Image:
        return self._footage.frame(self._instants[index])


class Windows:
    """The network's frames of a whole clip, drawn as they are asked for.

    Args:
        shot: what is asked for.
        fitted: how the footage lies in the network's frame.
        schedule: which frames there are, and in which windows.
        drawing: the network.
        report: told of each frame of footage that is read.
        on_first: is given what the network is shown in the first window, before it draws.

    Attributes:
        transparent: whether the footage is, as far as it has been read.
    """

    def __init__(
        self,
        shot: Shot,
        fitted: Fit,
        schedule: Schedule,
        drawing: Drawing,
        report: Report,
        on_first: Callable[[Tensor], None],
    ) -> None:
        self.transparent = False
        self._shot, self._fitted, self._schedule = shot, fitted, schedule
        self._drawing, self._report, self._on_first = drawing, report, on_first
        self._next = 0
        self._shown = self._video = torch.empty(0)  # of the window last drawn: all of it, or the frames it shares
        self._first = self._ready = 0  # of the network's frames: the one that the video begins with, and those done
        self._last: Floats | None = None
        self._changes: list[float] = []

    def frame(self, index: int) -> Floats:
        """One of the network's frames (height, width, 3) from 0 to 1. Ask for all of them, in order."""
        while index >= self._ready:
            self._draw_next()
        frame = fitting.frame_of(self._video, index - self._first)
        self._changes.append(0.0 if self._last is None else float(np.abs(frame - self._last).mean()))
        self._last = frame
        return frame

    def seams(self) -> list[Seam]:
        """How well the windows go over into one another; once all frames have been asked for."""
        return [self._seam(window) for window in self._schedule.windows[1:]]

    def _seam(self, window: Window) -> Seam:
        last = window.start + window.known
        first = last - window.fade
        # A change is counted at the later of its two frames: the first of the fade differs from one that is not.
        before = self._changes[max(1, first - window.fade) : first]
        after = self._changes[last + 1 : last + 1 + window.fade]
        return Seam(
            int(self._schedule.times[last]), max(self._changes[first : last + 1]), max([*before, *after], default=0.0)
        )

    def _draw_next(self) -> None:
        number, window = self._next, self._schedule.windows[self._next]
        more = self._schedule.windows[number + 1 :]
        shown = self._read(window, number)
        if number == 0:
            self._on_first(shown)
        known = None if number == 0 else self._video[:, :, : window.known].clamp(-1, 1)
        source = self._shot.source if self._shot.source_known else None
        rows = camera.rows(self._shot.target, source, self._schedule.times_of(window))
        before = self._video
        self._shown = shown[:, :, -more[0].shared :].clone() if more else torch.empty(0)
        video = self._drawing.draw(shown, torch.from_numpy(rows)[None], number, len(self._schedule.windows), known)
        for index in range(window.known):
            share = min(1.0, max(0, index + 1 - (window.known - window.fade)) / (window.fade + 1))
            video[:, :, index] = torch.lerp(before[:, :, index].clamp(-1, 1), video[:, :, index].clamp(-1, 1), share)
        self._video, self._first, self._next = video, window.start, number + 1
        self._ready = window.start + self._schedule.frames
        if more:
            self._ready = more[0].start + more[0].known - more[0].fade

    def _read(self, window: Window, number: int) -> Tensor:
        """What the network is shown in a window: what it shares with the one before is there already."""
        if number:  # and so is what was made of it; the rest of that has been given out
            self._video = self._video[:, :, -window.shared :].clone()
        which = f", window {number + 1} of {len(self._schedule.windows)}" if len(self._schedule.windows) > 1 else ""

        def told(step: int, total: int) -> None:
            self._report(f"reading the footage{which}", step, total, seconds_left=self._drawing.seconds_left)

        places = self._schedule.places[window.start + window.shared : window.start + self._schedule.frames]
        chosen = _Chosen(self._shot.footage, self._schedule.instants)
        shown = fitting.show(chosen, self._fitted, places, told)
        self.transparent = self.transparent or shown.transparent
        return torch.cat([self._shown, shown.video], dim=2) if number else shown.video
