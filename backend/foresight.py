"""What can be told of a take before it is made: how much of it would be invented, one frame of it, how steady it is.

The answers of the worker's methods ``forecast``, ``still`` and ``steadiness`` (see :mod:`.serve`), as the contract's
messages: frozen, checked, JSON both ways. Standard library only, and numpy for :func:`moment`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from .contract import Job, Trajectory
from .messages import ContractError, Message, spec

__all__ = ["CAUSES", "STEADY_KINDS", "Forecast", "Steadiness", "Still", "moment"]

CAUSES = ("none", "turns", "moves", "backs", "widens", "uncovers")
"""Why a frame would be invented: nothing would be; the camera turns past what was filmed; moves past it sideways or up;
goes back from it; its lens is wider than the footage's; what was hidden comes into view."""

STEADY_KINDS = ("still", "smooth", "shaky")
"""How the camera that shot the footage was held: it stood still, it moved smoothly, or it trembled."""


@dataclass(frozen=True, kw_only=True)
class Forecast(Message):
    """How much of each frame of a take the footage does not show."""

    shares: tuple[float, ...] = spec("for each frame of the take, the share of its pixels to be invented, 0 to 1")
    outside: tuple[float, ...] = spec("the part of that which lies beside what was filmed, and not behind something")
    cause: str = spec("why, in the frame that has the most of it", "none", choices=CAUSES)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.shares:
            raise ContractError("shares", "none", "one per frame of the take, at least one")
        if len(self.outside) != len(self.shares):
            raise ContractError("outside", f"{len(self.outside)} entries", f"{len(self.shares)}, one per share")
        for name in ("shares", "outside"):
            for index, share in enumerate(getattr(self, name)):
                if not 0 <= share <= 1:
                    raise ContractError(f"{name}[{index}]", share, "a share from 0 to 1")

    @property
    def worst(self) -> int:
        """The index of the frame that has the most to be invented; the first of several."""
        return self.shares.index(max(self.shares))


@dataclass(frozen=True, kw_only=True)
class Still(Message):
    """One frame of a take, drawn for a look.

    The file holds nothing but pixels: float32 (as the machine orders its bytes) RGBA, rows from the bottom up, straight
    alpha, display-referred values from 0 to 1, ``height`` x ``width`` x 4 of them.
    """

    path: str = spec("the file of pixels")
    width: int = spec("pixels", minimum=1)
    height: int = spec("pixels", minimum=1)
    invented: float = spec("share of the pixels that this frame of the footage does not show", minimum=0, maximum=1)


@dataclass(frozen=True, kw_only=True)
class Steadiness(Message):
    """How the camera that shot the footage was held."""

    shake: float = spec("how far the picture trembles from frame to frame, in percent of its width", minimum=0)
    moves: float = spec("how far it travels in all but for that, in percent of its width", minimum=0)
    kind: str = spec("what that amounts to", choices=STEADY_KINDS)


def moment(job: Job, index: int) -> Job:
    """The job of one frame that ``still`` draws: frame ``index`` of a whole job's take, from 0.

    Its source camera is stated: where the whole job has none, it stands at the first pose of the whole target.
    """
    from .cameras.trajectory import source_of

    depth = job.settings.depth
    if depth.files:
        depth = dataclasses.replace(depth, files=(depth.files[index],))
    return dataclasses.replace(
        job,
        footage=dataclasses.replace(job.footage, frames=(job.footage.frames[index],)),
        source=_one_of(source_of(job), index),
        target=_one_of(job.target, index),
        settings=dataclasses.replace(job.settings, depth=depth),
        lens=None,
    )


def _one_of(camera: Trajectory, index: int) -> Trajectory:
    return dataclasses.replace(camera, poses=(camera.poses[index],), intrinsics=(camera.intrinsics[index],))
