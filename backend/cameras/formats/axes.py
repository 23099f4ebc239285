"""Which way is up in a file's world."""

from __future__ import annotations

import numpy as np

from ...contract import Trajectory
from ..poses import Array
from ..trajectory import arrays, from_arrays

UPS = ("+X", "-X", "+Y", "-Y", "+Z", "-Z")
"""The axes of a world that may point up."""

# World axes to those of a world whose z is up: the rows are the new x, y and z. As few axes change as can be, so a file
# with y down and z ahead (a camera's own axes) comes to lie with y ahead.
_TURNS = {
    "+Z": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "-Z": ((1, 0, 0), (0, -1, 0), (0, 0, -1)),
    "+Y": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "-Y": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "+X": ((0, 0, -1), (0, 1, 0), (1, 0, 0)),
    "-X": ((0, 0, 1), (0, 1, 0), (-1, 0, 0)),
}


def up_axis(*trajectories: Trajectory) -> str:
    """The axis that points up where these cameras are held upright, on the whole: one of :data:`UPS`."""
    ups = sum(-np.array(each.poses)[:, :3, 1].mean(axis=0) for each in trajectories)
    mean: Array = np.asarray(ups, np.float64)
    axis = int(np.abs(mean).argmax())
    return ("+" if mean[axis] >= 0 else "-") + "XYZ"[axis]


def turned(trajectory: Trajectory, up: str) -> Trajectory:
    """The same camera in a world that is turned so that this axis becomes z."""
    if up == "+Z":
        return trajectory
    turn = np.eye(4)
    turn[:3, :3] = _TURNS[up]
    poses, lenses = arrays(trajectory)
    return from_arrays(turn @ poses, lenses, trajectory.width, trajectory.height)
