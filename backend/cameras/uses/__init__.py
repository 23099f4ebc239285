"""What a take is for, as numbers: the paper's uses (arXiv 2503.11647, section 5), each as a camera or a map of time.

:func:`target_for` makes the target camera of a use from the source's, :func:`instants` tells which instant of the
footage each frame of a take shows, :func:`sentences` what came of it. numpy alone.
"""

from __future__ import annotations

from ...contract import Trajectory
from ...messages import ContractError
from ...use import Use
from . import closer, freeze, outpaint, steady
from .freeze import instants
from .views import filmed
from .words import sentences

__all__ = ["check", "filmed", "instants", "sentences", "target_for"]

Size = tuple[int, int]

_LEAST_REGION = 16  # pixels along a side: what is smaller is a blur at any size


def target_for(
    use: Use,
    source: Trajectory,
    target: Trajectory,
    *,
    footage: Size,
    output: Size,
    distance: float,
    rate: float,
    stated: Trajectory | None = None,
) -> Trajectory:
    """The camera to see a take with.

    Args:
        use: what the take is for.
        source: the camera that shot the footage, one pose per frame of the take.
        target: the job's own. For ``move`` and ``freeze`` it is the answer; for the others it counts for nothing but
            its lens, and that for ``stabilise`` and ``lock`` where ``stated`` is given.
        footage: its width and height, pixels.
        output: the take's.
        distance: metres from the source camera to what it looks at.
        rate: frames per second.
        stated: the source camera as the job states it, before its lens was solved: a target whose lens is longer or
            wider than that sees as much less or more than the source does. None: it sees what the source does.

    Returns:
        Poses and lenses in pixels of ``output``.

    Raises:
        ContractError: see :func:`check`.
    """
    check(use, len(source), footage)
    if use.kind == "stabilise":
        return steady.smoothed(use, source, target, stated, footage, output, distance, rate)
    if use.kind == "lock":
        return steady.locked(use, source, target, stated, footage, output)
    if use.kind == "closer":
        return closer.target(use, source, footage, output, distance)
    if use.kind == "outpaint":
        return outpaint.target(use, source, footage, output, distance)
    return target


def check(use: Use, length: int, footage: Size) -> None:
    """Raise ContractError for a use that a clip of this length and size does not allow."""
    if use.kind in ("lock", "freeze") and use.at >= length:
        raise ContractError("use.at", use.at, f"less than {length}, the number of frames")
    if use.kind == "freeze":
        freeze.check(use, length)
    if use.kind == "closer":
        width, height = round(use.region.width * footage[0]), round(use.region.height * footage[1])
        if min(width, height) < min(_LEAST_REGION, *footage):
            expected = f"at least {_LEAST_REGION} pixels of the footage each way"
            raise ContractError("use.region", f"{width}x{height} pixels", expected)
