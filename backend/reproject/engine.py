"""The engine ``reproject``."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ..contract import EngineSettings
from ..engines import Frame, Report, Shot
from . import draw, supports, views
from .compiled import must_compile
from .draw import Drawn, Still
from .supports import Support
from .views import Cameras

_THREADS = 2
_INVENTED_MUCH = 0.25
_COMPILING = "preparing (first use: compiling, about half a minute)"


class Reproject:
    """Lifts each frame by its depth and draws it from the target camera; fills what was hidden.

    Args:
        settings: of the job. The seed is not used: nothing here is drawn by chance.
        force_warp: draw every pixel by its depth, where a homography would do (for tests).
        threads: frames drawn at once; by default two, or one where there is but one core.
    """

    name = "reproject"

    def __init__(self, settings: EngineSettings, *, force_warp: bool = False, threads: int | None = None) -> None:
        self.depth_used = ""
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self._settings = settings
        self._force_warp = force_warp
        self._threads = threads or min(_THREADS, os.cpu_count() or 1)

    def frames(self, shot: Shot, report: Report) -> Iterator[Frame]:
        """See :class:`backend.engines.Engine`."""
        self.depth_used = _name_depth(shot)
        source = views.cameras(shot.source, shot.footage.width, shot.footage.height)
        target = views.cameras(shot.target, shot.width, shot.height)
        tally = _Tally(shot.length)
        report(_COMPILING if must_compile() else "preparing", 0, 1)
        first = shot.footage.frame(0)
        draw.compile_kernels(first)
        kept = supports.gather(shot, source, target, report)
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="reproject")
        waiting: deque[Future[Drawn]] = deque()
        try:
            for index in range(shot.length):
                image = first if index == 0 else shot.footage.frame(index)
                depth = None if shot.depth is None else shot.depth.frame(index)
                across, back = views.between(source, index, target, index), views.between(target, index, source, index)
                holes = self._holes(kept, index, source, target, shot.subject_distance)
                still = Still(image, depth, shot.subject_distance, across, back, shot.width, shot.height, holes)
                waiting.append(pool.submit(draw.draw_still, still, force_warp=self._force_warp))
                while len(waiting) > self._threads or (waiting and index == shot.length - 1):
                    drawn = waiting.popleft().result()
                    tally.add(drawn)
                    yield drawn.frame
                    report("re-shooting", tally.done, shot.length)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        self.warnings += tally.sentences()

    @staticmethod
    def _holes(
        kept: list[Support], index: int, source: Cameras, target: Cameras, distance: float
    ) -> Callable[[Any, Any, Any, Any], None] | None:
        if not kept:
            return None
        nearest = 1 / (draw.NEAREST * distance)
        return lambda q, seen, out, covered: supports.fill_from(
            kept, index, q, source, target, nearest, seen, out, covered
        )


class _Tally:
    """What the user should know about a take, gathered frame by frame."""

    def __init__(self, length: int) -> None:
        self.done = 0
        self._length = length
        self._most, self._most_at = 0.0, 0
        self._inside: list[int] = []
        self._blind: list[int] = []

    def add(self, drawn: Drawn) -> None:
        self.done += 1
        invented = float(drawn.frame.invented.mean()) / 255
        if invented > self._most:
            self._most, self._most_at = invented, self.done
        if drawn.clipped:
            self._inside.append(self.done)
        if drawn.blind:
            self._blind.append(self.done)

    def sentences(self) -> list[str]:
        found = []
        if self._blind:
            found.append(f"The target camera sees nothing that was filmed in {_frames(self._blind)}.")
        if self._inside:
            found.append(f"The target camera touches or passes through what was filmed in {_frames(self._inside)}.")
        if self._most > _INVENTED_MUCH:
            found.append(
                f"Much of the take is invented: {self._most:.0%} of frame {self._most_at}, as the footage does not "
                "show what the target camera sees there."
            )
        return found


def _frames(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"frame {numbers[0]}"
    return f"{len(numbers)} frames, from frame {numbers[0]} to frame {numbers[-1]}"


def _name_depth(shot: Shot) -> str:
    if shot.depth_words:
        return shot.depth_words
    if shot.depth is None:
        return f"flat plane {shot.subject_distance:.2f} m away"
    return {"scene": "the scene's own depth"}.get(shot.settings.depth.kind, "depth files")
