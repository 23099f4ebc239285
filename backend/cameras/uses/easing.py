"""From rest to rest."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..poses import Array


def eased(share: npt.ArrayLike) -> Array:
    """0 to 1 as ``share`` goes from 0 to 1, with neither speed nor acceleration at both ends."""
    u = np.clip(np.asarray(share, np.float64), 0, 1)
    return u * u * u * (10 + u * (6 * u - 15))


def progress(length: int, hold: int, lead: int = 0, tail: int = 0) -> Array:
    """How far a move has come in each of ``length`` frames, if it has arrived for the last ``hold`` of them.

    The last frame is always one of those that have arrived. Of the frames given, the move begins with frame ``lead``,
    and the last ``tail`` count for nothing but that it has arrived.
    """
    last = length - tail - max(hold, 1)
    return eased((np.arange(length) - lead) / (last - lead)) if last > lead else np.ones(length)
