"""What a filler is asked for, so that it can draw all that the take shows.

A network that is told of no lens keeps the footage's. A wider view is therefore asked of it from further back: at the
subject's distance both see the same.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from ..cameras.trajectory import arrays, from_arrays, resized
from ..contract import Trajectory
from ..engines import Shot

_WIDER = 1.05  # times the footage's view, below which what lacks at the rim is made of what was filmed


def ask(shot: Shot) -> tuple[Shot, float]:
    """The shot to ask the filler for, and by how many metres at most its camera is further back."""
    target, back = _further_back(shot)
    # The mask that the filler would explain is not the take's.
    return dataclasses.replace(shot, mask=False, target=target), back


def _further_back(shot: Shot) -> tuple[Trajectory, float]:
    size = shot.footage.width, shot.footage.height
    poses, lenses = arrays(resized(shot.target, shot.width, shot.height))
    _, own = arrays(resized(shot.source, *size))
    across = shot.width / lenses[:, 0] * own[:, 0] / size[0]
    down = shot.height / lenses[:, 1] * own[:, 1] / size[1]
    # A take of another shape is wider along one side alone, of which the filler shows what there is.
    wider = np.maximum(1, np.minimum(across, down))
    if wider.max() < _WIDER:
        return shot.target, 0.0
    back = (wider - 1) * shot.subject_distance
    poses[:, :3, 3] -= back[:, None] * poses[:, :3, 2]
    lenses[:, :2] *= wider[:, None]
    return from_arrays(poses, lenses, shot.width, shot.height), float(back.max())
