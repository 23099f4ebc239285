"""The footage's own pixels where its depth is trusted, and another engine's frames where something must be invented."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import numpy as np

from ..contract import EngineSettings
from ..engines import Engine, Frame, Report, Shot
from ..reproject import Reproject
from .asking import ask
from .blend import blend
from .matching import Matcher
from .recent import Recent
from .trust import Trust, plane_trust

_ALIKE = 0.5  # correlation with what was filmed, below which another engine's frame does not show the same
_SAME = 0.999  # trust that is whole


class TruePixels:
    """Puts the pixels that were filmed into the frames of an engine that draws anew.

    Each frame of the footage is drawn from the target camera as the engine ``reproject`` does, to the last bit, and is
    kept where its depth is trusted. Elsewhere the filler's frame is seen, moved onto what was filmed, in its colours,
    and faded in over a few pixels.

    Args:
        filler: makes the frames for what was not filmed; where it is ``reproject``, the take is its own.
        settings: of the job.
        exact: keep every pixel that was filmed, up to the rim, and let the seam lie outside; without depth the plane
            at the subject distance is taken at its word. Else the seam lies inside, where it shows least, and a plane
            is trusted only in frames where the target camera stands where the source camera does.

    Attributes:
        name: the filler's.
    """

    def __init__(self, filler: Engine, settings: EngineSettings, *, exact: bool = False) -> None:
        self.name = filler.name
        self.depth_used = ""
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self._filler = filler
        self._settings = settings
        self._exact = exact

    def frames(self, shot: Shot, report: Report) -> Iterator[Frame]:
        """See :class:`backend.engines.Engine`. Raises what the filler raises."""
        try:
            if self._filler.name == Reproject.name:
                with closing(_frames(self._filler, shot, report)) as made:
                    for frame in made:
                        self.depth_used = self._filler.depth_used
                        yield frame
            else:
                yield from self._blended(shot, report)
        finally:
            self.notes += self._filler.notes
            self.warnings += self._filler.warnings

    def _blended(self, shot: Shot, report: Report) -> Iterator[Frame]:
        tally = _Tally(self.name)
        warp, matcher = Reproject(self._settings), Matcher()
        with ExitStack() as stack:
            asked, back = ask(shot)
            made = stack.enter_context(closing(_frames(self._filler, asked, report)))
            filling = next(made, None)
            shot = _remembered(shot)
            # The filler may hold a device for its first frame: nothing else is begun before.
            filmed = stack.enter_context(closing(_frames(warp, shot, _before_frames(report))))
            trust = stack.enter_context(closing(Trust(shot, report, exact=self._exact)))
            wholes = np.ones(shot.length, np.float32) if shot.depth is not None else plane_trust(shot)
            if self._exact and wholes.min() < _SAME:
                self.notes.append(
                    f"Without depth what was filmed is taken as a picture that stands {shot.subject_distance:g} m "
                    "away, and is kept as such though the camera moves."
                )
            if self._exact:
                wholes[:] = 1
            for index, frame in enumerate(filmed):
                if filling is None:
                    return
                self.depth_used = _both(self._filler.depth_used, warp.depth_used)
                trusted = trust.of(frame)
                whole = float(wholes[index])
                match = matcher.match(frame.image, trusted, filling.image, whole)
                made_frame = blend(frame, trusted, match, whole, exact=self._exact)
                tally.add(made_frame, match.alike)
                yield made_frame
                filling = next(made, None)
            # Its last words come after its last frame.
            for _ in made:
                pass
        self.warnings += [each for each in warp.warnings if not each.startswith(("Much", "The target camera sees"))]
        self.warnings += tally.warnings()
        self.notes += tally.notes(wholes)
        if back:
            self.notes.append(
                f"The take sees more than the footage's lens: {self.name}, which keeps that lens, was asked to draw it "
                f"from up to {back:.1f} m further back."
            )


def _frames(engine: Engine, shot: Shot, report: Report) -> Any:
    return _closable(engine.frames(shot, report))


def _closable(frames: Iterator[Frame]) -> Iterator[Frame]:
    """The same, with the engine's iterator closed when this one is."""
    try:
        yield from frames
    finally:
        if hasattr(frames, "close"):
            frames.close()


def _remembered(shot: Shot) -> Shot:
    """The shot with its frames kept for those who ask a little later: reading backwards is dear."""
    return dataclasses.replace(
        shot,
        footage=Recent(shot.footage),
        depth=None if shot.depth is None else Recent(shot.depth),
        confidence=None if shot.confidence is None else Recent(shot.confidence),
    )


def _before_frames(report: Report) -> Report:
    """Passes on what is done before the first frame; of the frames the filler tells."""

    def passed(phase: str, step: int, total: int, /, **more: Any) -> None:
        if phase != "re-shooting":
            report(phase, step, total, **more)

    return passed


def _both(filler: str, warp: str) -> str:
    return f"{filler}; original pixels by {warp}" if filler and filler != warp else warp


class _Tally:
    """How much of a take was filmed, and where the filler did not show the same."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._kept: list[float] = []
        self._unlike: list[int] = []

    def add(self, frame: Frame, alike: float | None) -> None:
        self._kept.append(1 - float(frame.invented.mean()) / 255)
        if alike is not None and alike < _ALIKE:
            self._unlike.append(len(self._kept))

    def notes(self, wholes: Any) -> list[str]:
        if not self._kept:
            return []
        least = min(self._kept)
        found = [
            f"{np.mean(self._kept):.0%} of the take are the footage's own pixels, {least:.0%} in frame "
            f"{self._kept.index(least) + 1}; the rest is drawn by {self._name}."
        ]
        distrusted = int((wholes < _SAME).sum())
        if distrusted:
            found.append(
                "Without depth the footage's own pixels are only trusted where the target camera stands where the "
                f"source camera does: all of {distrusted} of the {len(self._kept)} frames is drawn by {self._name}, "
                "wholly or in part; choose a depth to keep more."
            )
        return found

    def warnings(self) -> list[str]:
        if not self._unlike:
            return []
        return [
            f"What {self._name} drew differs too much from what was filmed in {_named(self._unlike)}: it could not be "
            "put in line there, and its parts may not fit; look at them, try another seed, or switch original pixels "
            "off."
        ]


def _named(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"frame {numbers[0]}"
    return f"{len(numbers)} frames, from frame {numbers[0]} to frame {numbers[-1]}"
