"""Freeze: one instant is held while the camera moves, in and out of it smoothly."""

from __future__ import annotations

from ...messages import ContractError
from ...use import Use


def instants(use: Use, length: int) -> list[float] | None:
    """Which instant of the footage, in timeline frames from 0, each frame of a take shows.

    None for uses that leave time alone. They rise without a jump in speed: as filmed, then slower over ``use.ease``
    frames (rounded up to an even number), ``use.hold`` frames of exactly ``use.at``, and back to speed likewise. What
    is shown as filmed is whole frames. Where ``use.at`` is too near to the start, the way in is as long as there is
    room for.

    Raises:
        ContractError: see :func:`check`.
    """
    if use.kind != "freeze":
        return None
    check(use, length)
    way_in, way_out = _way_in(use), _half(use)
    begin = use.at + way_in
    end = begin + use.hold - 1
    return [_instant(use.at, frame, begin, end, way_in, way_out) for frame in range(length)]


def delay(use: Use) -> int:
    """By how many frames the action after the hold is later than it was filmed."""
    return _way_in(use) + use.hold - 1 + _half(use)


def check(use: Use, length: int) -> None:
    """Raise ContractError where the instant is not in the clip, or there is no room to hold it so long."""
    if use.hold < 1:
        raise ContractError("use.hold", use.hold, "at least 1 frame")
    if use.at >= length:
        raise ContractError("use.at", use.at, f"less than {length}, the number of frames")
    room = length - use.at - _way_in(use)
    if use.hold > room:
        before = f"before frame {use.at} is held" if room > 0 else f"that frame {use.at} is reached"
        expected = f"at most {room}, what the clip leaves after the slowing down {before}"
        if room < 1:
            expected = f"an instant or an ease that leaves room in {length} frames"
        raise ContractError("use.hold", use.hold, expected)


def _half(use: Use) -> int:
    """Half of the frames that slowing down takes: as many of the footage's frames go by in it."""
    return (use.ease + 1) // 2


def _way_in(use: Use) -> int:
    return min(_half(use), use.at)


def _instant(at: int, frame: int, begin: int, end: int, way_in: int, way_out: int) -> float:
    if frame < begin:
        return at - _left(begin - frame, way_in)
    if frame <= end:
        return float(at)
    return at + _left(frame - end, way_out)


def _left(frames: int, half: int) -> float:
    """How far from the held instant the footage is, ``frames`` of the take away from the hold.

    Speed is 0 at the hold and grows to 1 over ``2 * half`` frames as 3u^2 - 2u^3 does.
    """
    if frames >= 2 * half:
        return float(frames - half)
    u = frames / (2 * half)
    return 2 * half * u**3 * (1 - u / 2)
