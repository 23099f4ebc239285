"""What a take is for beside a camera's own move: the uses of arXiv 2503.11647, section 5, as one choice each.

Part of the contract (:mod:`.contract`): frozen messages, standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass

from .messages import ContractError, Message, spec

USES = ("move", "stabilise", "lock", "closer", "outpaint", "freeze")
"""``move`` is the target camera as it is given; the others make the target camera from the source's, or change time."""

WAYS = {"closer": ("dolly", "zoom"), "outpaint": ("pull", "frame")}
"""How the camera does it, for the uses that leave a choice; the first is what is done where nothing is said."""

GENTLE, FIRM, STRONG = 0.3, 1.0, 3.0
"""Strengths of ``stabilise``: seconds below which what the camera does is taken for shake."""

_MOST_FRAMES = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Region(Message):
    """A part of a frame, in shares of its width and height from its left upper corner."""

    x: float = spec("left edge", 0.25, minimum=0, maximum=1)
    y: float = spec("top edge", 0.25, minimum=0, maximum=1)
    width: float = spec("width", 0.5, above=0, maximum=1)
    height: float = spec("height", 0.5, above=0, maximum=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        for place, size in (("x", "width"), ("y", "height")):
            if getattr(self, place) + getattr(self, size) > 1 + 1e-9:
                found = f"{getattr(self, size):g} from {place} = {getattr(self, place):g} on"
                raise ContractError(size, found, f"a region that ends within the frame, {place} + {size} <= 1")


@dataclass(frozen=True, kw_only=True)
class Known(Message):
    """A point whose distance is known: it tells how large a scene is that was solved from footage."""

    frame: int = spec("timeline frame of the take, from 0", 0, minimum=0, maximum=_MOST_FRAMES)
    x: float = spec("of the point, pixels of the footage from its left edge", minimum=0)
    y: float = spec("likewise from its top edge", minimum=0)
    distance: float = spec("metres along the camera's line of sight (planar depth)", above=0)


@dataclass(frozen=True, kw_only=True)
class Use(Message):
    """What a take is for. Each kind asks for some of the fields; the others are left as they are."""

    kind: str = spec(
        "move: the target camera as given; stabilise: the source's own path, smoothed; lock: the source camera held "
        "at one frame; closer: in on a region; outpaint: more than was filmed; freeze: one instant is held",
        "move",
        choices=USES,
    )
    strength: float = spec("stabilise: seconds; what is quicker is shake", FIRM, above=0, maximum=60)
    at: int = spec("lock: the frame to hold; freeze: the instant; timeline frames of the take, from 0", 0, minimum=0)
    hold: int = spec(
        "freeze: frames that the instant is held; closer: frames at the region from the end on", 0, minimum=0
    )
    ease: int = spec("freeze: frames of slowing down before the hold and of speeding up after it", 12, minimum=0)
    lead: int = spec("closer, outpaint: frames before the camera's move, such as handles", 0, minimum=0)
    tail: int = spec("closer, outpaint: frames after all that, such as handles", 0, minimum=0)
    region: Region = spec("closer: what is to fill the frame", Region())
    by: str = spec("closer: dolly or zoom; outpaint: pull (back) or frame (a wider one); empty: the first of them", "")
    factor: float = spec("outpaint: how many times as wide as the footage", 1.5, above=1, maximum=10)
    keep: bool = spec("outpaint: the footage is kept pixel for pixel inside", True)

    def __post_init__(self) -> None:
        super().__post_init__()
        ways = WAYS.get(self.kind, ())
        if self.by and self.by not in ways:
            expected = "one of " + ", ".join(map(repr, ways)) if ways else f"nothing for {self.kind}"
            raise ContractError("by", self.by, expected)

    @property
    def way(self) -> str:
        """How the camera does it; empty where there is no choice."""
        return self.by or next(iter(WAYS.get(self.kind, ())), "")

    @property
    def makes_target(self) -> bool:
        """Whether the target's path is made from the source's: of the job's own the first pose and lens count."""
        return self.kind in ("stabilise", "lock", "closer", "outpaint")
