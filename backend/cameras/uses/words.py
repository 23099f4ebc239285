"""What is told of a use, in whole sentences."""

from __future__ import annotations

import numpy as np

from ...contract import Trajectory
from ...use import Use
from ..poses import Array
from ..trajectory import arrays
from . import closer, freeze, outpaint
from .smoothing import turn_of
from .views import Size, filmed


def sentences(
    use: Use,
    source: Trajectory,
    target: Trajectory,
    *,
    footage: Size,
    output: Size,
    distance: float,
    rate: float,
) -> list[str]:
    """What a use did, with numbers.

    Args:
        use: what the take is for.
        source: the camera that shot the footage.
        target: what :func:`backend.cameras.uses.target_for` made of it.
        footage: its width and height, pixels.
        output: the take's.
        distance: metres from the source camera to what it looks at.
        rate: frames per second.
    """
    if use.kind in ("stabilise", "lock"):
        shares = filmed(source, target, footage=footage, output=output, distance=distance)
        return [_shake(use, source, target), _kept(shares)]
    if use.kind == "closer":
        return [_stretched(use, footage, output)]
    if use.kind == "outpaint":
        return [_wider(use, footage, output, distance)]
    if use.kind == "freeze":
        return [_frozen(use, len(source), rate)]
    return []


def shake(source: Trajectory, target: Trajectory) -> tuple[float, float]:
    """By how much two cameras differ, root mean squares over the frames: degrees, and metres."""
    (one, _), (other, _) = arrays(source), arrays(target)
    turns = turn_of(np.swapaxes(other[:, :3, :3], 1, 2) @ one[:, :3, :3])
    moves = one[:, :3, 3] - other[:, :3, 3]
    degrees, metres = (float(np.sqrt((each**2).sum(axis=1).mean())) for each in (np.degrees(turns), moves))
    return degrees, metres


def _shake(use: Use, source: Trajectory, target: Trajectory) -> str:
    degrees, metres = shake(source, target)
    much = f"{degrees:.2f}° of turning and {100 * metres:.1f} cm of moving"
    if use.kind == "lock":
        return f"The camera is held as in frame {use.at + 1}; on average (rms) the source camera is {much} away."
    return f"The camera is steadied over {use.strength:g} s: {much} (rms) were taken as shake."


def _kept(shares: Array) -> str:
    worst = int(np.argmin(shares))
    return (
        f"Of the frame {shares.mean():.0%} on average was filmed at the same instant, in frame {worst + 1} "
        f"{shares[worst]:.0%}; the rest comes from other instants or is invented."
    )


def _stretched(use: Use, footage: Size, output: Size) -> str:
    _, scale = closer.scales(use, footage, output)
    held = f"{output[0] / scale:.0f}x{output[1] / scale:.0f}"
    if scale > 1 + 1e-6:
        return (
            f"The region holds {held} pixels of the footage: at its closest each is stretched {scale:.3g} times, and "
            "what is finer is not in the footage."
        )
    return f"The region holds {held} pixels of the footage, enough for the take: nothing is stretched."


def _wider(use: Use, footage: Size, output: Size, distance: float) -> str:
    if use.way == "pull":
        back = distance * (use.factor - 1)
        return f"The camera goes back by {back:.2f} m, until {use.factor:g} times as much is seen across."
    where = outpaint.inside(use, footage, output)
    share = where.width * where.height / (output[0] * output[1])
    place = f"{where.width}x{where.height} pixels from ({where.left}, {where.top}) on"
    if (where.width, where.height) == footage:
        return f"The footage lies pixel for pixel within the frame, {place}: {share:.0%} of it."
    return f"The footage lies within the frame, scaled to {place}: {share:.0%} of it."


def _frozen(use: Use, length: int, rate: float) -> str:
    shown = freeze.instants(use, length)
    assert shown is not None
    late, lost = freeze.delay(use), length - 1 - int(np.floor(shown[-1]))
    frame, seconds = use.at + 1, use.hold / rate
    if not lost:
        return f"Frame {frame} is held for {use.hold} frames, {seconds:.1f} s."
    return (
        f"Frame {frame} is held for {use.hold} frames, {seconds:.1f} s: the action after it is {late} frames later, "
        f"and the last {lost} of the footage are not shown."
    )
