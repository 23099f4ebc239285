"""What a take is for, in words: for panels, lists and tooltips. No bpy here."""

from __future__ import annotations

from collections.abc import Sequence

from ..backend.contract import Use
from ..backend.use import FIRM, GENTLE, STRONG
from .texts import later, plural, tr

STRENGTHS = ((GENTLE, later("Gentle")), (FIRM, later("Firm")), (STRONG, later("Strong")))
"""Seconds, and what one calls it."""

_WORDS = {
    "stabilise": later("stabilised"),
    "lock": later("locked off"),
    "closer": later("closer"),
    "outpaint": later("wider"),
    "freeze": later("frozen"),
}
_SAME = 1e-6


def word(kind: str) -> str:
    """A use in a word, as lists have room for; empty for a plain move of the camera, and for what is not known."""
    return tr(_WORDS[kind]) if kind in _WORDS else ""


def told(use: Use, start: int, instants: Sequence[float], pixels: float) -> str:
    """What a take is for, in a part of a sentence; empty for a plain move of the camera.

    Args:
        use: of the take.
        start: its first frame on the timeline.
        instants: which of the footage's frames each of its frames shows, from 0: see :func:`instants`.
        pixels: how many of the take's pixels lie on one of the footage's, where the take is closest.
    """
    if use.kind == "stabilise":
        return tr("stabilised {strength}").format(strength=strength(use.strength))
    if use.kind == "lock":
        return tr("locked off at frame {frame}").format(frame=start + use.at)
    if use.kind == "closer":
        template = tr("moves in until a pixel is {times} wide")
        if use.way == "zoom":
            template = tr("zooms in until a pixel is {times} wide")
        return template.format(times=f"{pixels:.2g}")
    if use.kind == "outpaint":
        template = tr("pulls out to {factor} times the width")
        if use.way == "frame":
            template = tr("{factor} times as wide, around the footage")
        return template.format(factor=f"{use.factor:.3g}")
    return _freeze(use, start, instants) if use.kind == "freeze" else ""


def strength(seconds: float) -> str:
    """How strongly a path is smoothed: "firmly (1 s)"."""
    if seconds <= (GENTLE * FIRM) ** 0.5:
        template = tr("gently ({seconds} s)")
    elif seconds <= (FIRM * STRONG) ** 0.5:
        template = tr("firmly ({seconds} s)")
    else:
        template = tr("strongly ({seconds} s)")
    return template.format(seconds=f"{seconds:.2g}")


def _freeze(use: Use, start: int, instants: Sequence[float]) -> str:
    held = [index for index, each in enumerate(instants) if abs(each - use.at) < _SAME]
    later_by = round(len(instants) - 1 - instants[-1]) if instants else 0
    if len(held) < 2:
        return tr("frame {frame} is not held").format(frame=start + use.at)
    text = tr("frames {first} to {last} hold frame {frame}").format(
        first=start + held[0], last=start + held[-1], frame=start + use.at
    )
    if held[-1] == len(instants) - 1:
        return tr("{held}, to the end").format(held=text)
    frames = plural(later_by, "1 frame", "{count} frames").format(count=later_by)
    return tr("{held}; the action after it comes {frames} later").format(held=text, frames=frames)
