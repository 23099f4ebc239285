"""The camera that shot some footage, solved from the footage: the answer of the worker's method ``solve``.

A message as those of the contract: frozen, checked, JSON both ways. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass

from .contract import Trajectory
from .messages import ContractError, Message, spec

__all__ = ["KINDS", "Solve"]

KINDS = ("moving", "turning", "still")
"""What a camera does: it travels; it stays at its place and turns; it stands still."""


@dataclass(frozen=True, kw_only=True)
class Solve(Message):
    """A solved camera, in metres as far as those are known. Its first pose is the identity."""

    trajectory: Trajectory = spec("one pose per timeline frame; the lens in pixels of the footage")
    kind: str = spec("what the camera does", choices=KINDS)
    registered: float = spec("share of the frames that were placed; the others are interpolated", minimum=0, maximum=1)
    error: float = spec("median reprojection error, pixels of a frame 832 wide", minimum=0)
    angle: float = spec("median triangulation angle, degrees; 0 but for a camera that travels", 0.0, minimum=0)
    distance: float | None = spec("median depth of what the first frame shows, metres", None, above=0)
    words: str = spec("what was found, in a sentence")
    notes: tuple[str, ...] = spec("what else to know, in whole sentences", ())

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.kind == "moving") != (self.distance is not None):
            raise ContractError("distance", self.distance, "metres for a camera that travels, and nothing for others")
