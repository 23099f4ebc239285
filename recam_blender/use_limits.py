"""What a use asks of the clip that it is for, and which of the clip's frames it shows. No bpy here."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

from ..backend.cameras import uses
from ..backend.contract import ContractError, Use
from .errors import ReCamError
from .texts import plural, tr


def check(use: Use, start: int, count: int, size: tuple[int, int]) -> None:
    """Raise ReCamError, in words, for a use that a take of ``count`` frames from timeline frame ``start`` on has no
    room for, or a footage of that size, in pixels, no pixels.
    """
    try:
        uses.check(use, count, size)
    except ContractError:
        if use.kind == "freeze":
            raise ReCamError(_no_room(use, start, count)) from None
        raise ReCamError(
            tr("The part to go in on is too small: choose one of 16 pixels of the footage at least.")
        ) from (None)


def longest_hold(use: Use, count: int) -> int:
    """For how many frames a take of that length has room to hold the instant; 0 where it has none."""
    low, high = 0, count
    while low < high:
        middle = (low + high + 1) // 2
        if _fits(dataclasses.replace(use, hold=middle), count):
            low = middle
        else:
            high = middle - 1
    return low


def instants(use: Use, count: int) -> list[float]:
    """Which of the footage's frames, from 0, each of a take's ``count`` frames shows; one for which there is room."""
    held = uses.instants(use, count) if use.kind == "freeze" else None
    return list(map(float, range(count) if held is None else held))


def share(count: int, kept: int) -> Fraction:
    """Of the timeline's frames, how many are looked at, where of ``count`` frames ``kept`` are, evenly."""
    return Fraction(max(1, kept - 1), max(1, count - 1)) if kept < count else Fraction(1)


def fewer(use: Use, count: int, kept: int) -> Use:
    """A use of a take of ``count`` frames, counted in the ``kept`` frames that are looked at."""
    if kept >= count:
        return use
    named = {name: round(getattr(use, name) * share(count, kept)) for name in ("at", "hold", "ease", "lead", "tail")}
    use = dataclasses.replace(use, **named)
    if use.kind != "freeze":
        return use
    return dataclasses.replace(use, hold=max(1, min(use.hold, longest_hold(use, kept))))


def _fits(use: Use, count: int) -> bool:
    try:
        uses.check(use, count, (1, 1))
    except ContractError:
        return False
    return True


def _no_room(use: Use, start: int, count: int) -> str:
    frame, most = start + use.at, longest_hold(use, count)
    if use.hold < 1:
        return tr("Frame {frame} is held for no frame: hold it for 1 at least.").format(frame=frame)
    if most < 1:
        template = tr("There is no room to hold frame {frame}: choose an earlier one, or a shorter ease.")
        return template.format(frame=frame)
    template = plural(
        use.hold,
        "Frame {frame} cannot be held for 1 frame: there is room for {most}.",
        "Frame {frame} cannot be held for {count} frames: there is room for {most}.",
    )
    return template.format(frame=frame, count=use.hold, most=most)
