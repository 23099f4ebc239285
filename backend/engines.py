"""What an engine is: footage, cameras and settings in, frames out, in order.

An engine knows nothing of files, Blender or JSON-RPC: it asks for frames by their place in the timeline, tells where
it stands, and yields. :func:`create` makes the one that a job names; what an engine needs is imported only then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from .contract import EngineSettings, Trajectory

Image = npt.NDArray[Any]
"""(h, w, 3) RGB or (h, w, 4) RGBA, uint8 or uint16, alpha straight (not multiplied in)."""


class Report(Protocol):
    """How an engine tells where it stands: at least once a frame, and once a step where a frame takes many."""

    def __call__(
        self,
        phase: str,
        step: int,
        total: int,
        /,
        *,
        seconds_left: float | None = None,
        preview: Image | None = None,
    ) -> None:
        """Steps done of a phase's total, and what else is known. May raise :class:`Cancelled`.

        Args:
            phase: what is being done, in words.
            step: steps done.
            total: steps of this phase.
            seconds_left: until the last frame; None to let it be told from the pace of the frames.
            preview: the take so far, as one picture: RGB, uint8, of any size.
        """


class Cancelled(Exception):
    """Raised out of :class:`Report` by whoever no longer wants the frames."""


class EngineError(Exception):
    """Why an engine cannot make a take, in one sentence with what to do about it.

    Attributes:
        kind: ``models`` (weights that are missing, or are not what they should be), ``memory`` or ``engine``.
    """

    def __init__(self, message: str, kind: str = "engine") -> None:
        super().__init__(message)
        self.kind = kind


class FrameSource(Protocol):
    """Where footage comes from: ``frame(i)`` is what the timeline's frame ``i`` shows. Going forward is cheap."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    def frame(self, index: int, /) -> Image: ...


class Keeper(Protocol):
    """Where an engine lays by what took it long, so that the same take, asked for again after a crash, goes on there.

    What is kept is gone once the take is done or no longer wanted.
    """

    def load(self, name: str, /) -> dict[str, npt.NDArray[Any]] | None:
        """What was kept under this name (letters, digits and ``-``), whole; None where there is nothing."""

    def save(self, name: str, arrays: dict[str, npt.NDArray[Any]], /) -> None:
        """Keep arrays of numbers, if that is possible: where it is not, the take is made all the same."""


class DepthSource(Protocol):
    """Where depth comes from: ``frame(i)`` is float32 (h, w) of the footage's size.

    Planar depth along the source camera's z axis, metres; ``inf`` where there is nothing (a sky).
    """

    def frame(self, index: int, /) -> npt.NDArray[np.float32]: ...


class ConfidenceSource(Protocol):
    """How far depth can be trusted: ``frame(i)`` is float32 (h, w) of the footage's size, 0 (made up) to 1."""

    def frame(self, index: int, /) -> npt.NDArray[np.float32]: ...


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One take to make.

    Attributes:
        footage: the clip, by timeline frame.
        depth: how far its pixels are; None for a plane at ``subject_distance``.
        source: the camera that shot the footage, one pose per timeline frame.
        target: the camera to see it with, one pose per timeline frame.
        subject_distance: metres from the camera to what it looks at.
        settings: of the engine.
        width, height: of the take, pixels.
        source_known: whether the job said how the source camera moved; else it is taken to stand still.
        mask: whether the take's mask is stored as well.
        rate: timeline frames per second.
        depth_words: what the depth is, where the job's settings do not tell.
        confidence: how far the depth can be trusted; None: everywhere.
        shows: which frame of the clip each timeline frame shows; None where that cannot be told.
        keeper: where the engine may lay by what it has done; None: nowhere.
    """

    footage: FrameSource
    depth: DepthSource | None
    source: Trajectory
    target: Trajectory
    subject_distance: float
    settings: EngineSettings
    width: int
    height: int
    source_known: bool = True
    mask: bool = False
    rate: float = 24.0
    depth_words: str = ""
    confidence: ConfidenceSource | None = None
    shows: tuple[int, ...] | None = None
    keeper: Keeper | None = None

    @property
    def length(self) -> int:
        """Frames of the take."""
        return len(self.target)


class Frame(NamedTuple):
    """One frame of a take.

    Attributes:
        image: of the take's size, with the footage's type and channels.
        invented: uint8 (h, w), the share of each pixel that no footage shows: 255 where all of it was made up.
    """

    image: Image
    invented: npt.NDArray[np.uint8]


class Engine(Protocol):
    """What makes frames."""

    name: str
    depth_used: str
    """In words, once :meth:`frames` has begun."""
    notes: list[str]
    """Whole sentences on what was decided, complete once :meth:`frames` has ended."""
    warnings: list[str]
    """Whole sentences, complete once :meth:`frames` has ended."""

    def frames(self, shot: Shot, report: Report) -> Iterator[Frame]:
        """The take's frames, in order. Closing the iterator frees what the engine holds."""


def create(settings: EngineSettings) -> Engine:
    """The engine that the settings name."""
    if settings.engine == "reproject":
        from .reproject import Reproject

        return Reproject(settings)
    if settings.engine == "recammaster":
        from .recammaster.engine import ReCamMaster

        return ReCamMaster(settings)
    raise ValueError(f"no engine is called {settings.engine!r}")
