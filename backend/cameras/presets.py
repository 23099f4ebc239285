"""The ten trajectories published with ReCamMaster as closed forms, and the camera that stands still.

The published ones start at the first camera, go at constant speed, and reach s = 80/80.5 of their nominal end at the
last of their 81 frames (frame i is at i/80.5). At any other length the same path is run from end to end: frame i of n
is at s = i/(n-1) * 80/80.5, which for n = 81 is the published i/80.5. One frame stands at the start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .poses import Array

_END = 80 / 80.5


class Preset(NamedTuple):
    """What a preset is called: in words, and in the published files (nothing where it is not from there)."""

    label: str
    published: str


PRESETS = {
    "static": Preset("Static", ""),
    "pan_right": Preset("Pan Right", "cam01"),
    "pan_left": Preset("Pan Left", "cam02"),
    "tilt_up": Preset("Tilt Up", "cam03"),
    "tilt_down": Preset("Tilt Down", "cam04"),
    "zoom_in": Preset("Zoom In", "cam05"),
    "zoom_out": Preset("Zoom Out", "cam06"),
    "translate_up": Preset("Translate Up (with rotation)", "cam07"),
    "translate_down": Preset("Translate Down (with rotation)", "cam08"),
    "arc_left": Preset("Arc Left (with rotation)", "cam09"),
    "arc_right": Preset("Arc Right (with rotation)", "cam10"),
}


def preset(name: str, frames: int) -> Array:
    """Poses (frames, 4, 4) relative to the first. Raises ValueError for an unknown name or fewer than one frame."""
    if name not in _PATHS:
        raise ValueError(f"no preset is called {name!r}; there are {', '.join(PRESETS)}")
    if frames < 1:
        raise ValueError(f"a trajectory has at least one frame, not {frames}")
    s = np.arange(frames, dtype=np.float64) * (_END / max(frames - 1, 1))
    right, up, x, y, z = np.broadcast_arrays(*_PATHS[name](s), s)[:5]
    poses = np.zeros((frames, 4, 4))
    # At most one of the two angles is not zero, so their order does not matter.
    poses[:, :3, :3] = _turn_right(right) @ _turn_up(up)
    poses[:, :3, 3] = np.stack([x, y, z], axis=-1)
    poses[:, 3, 3] = 1
    return poses


# A path gives, for each s: radians turned to the right, radians turned up, and x, y, z in metres. The zooms are
# dollies. The last four look at a point 4 m ahead of the start. The arcs are the chord of a 30 degree arc around it:
# 2 = 4 sin 30, and 0.5359 is the published 4 (1 - cos 30).

_Path = Callable[[Array], tuple[Array | float, Array | float, Array | float, Array | float, Array | float]]
_PATHS: dict[str, _Path] = {
    "static": lambda s: (0.0, 0.0, 0.0, 0.0, 0.0),
    "pan_right": lambda s: (np.radians(20 * s), 0.0, 0.0, 0.0, 0.0),
    "pan_left": lambda s: (np.radians(-20 * s), 0.0, 0.0, 0.0, 0.0),
    "tilt_up": lambda s: (0.0, np.radians(10 * s), 0.0, 0.0, 0.0),
    "tilt_down": lambda s: (0.0, np.radians(-10 * s), 0.0, 0.0, 0.0),
    "zoom_in": lambda s: (0.0, 0.0, 0.0, 0.0, 2 * s),
    "zoom_out": lambda s: (0.0, 0.0, 0.0, 0.0, -2 * s),
    "translate_up": lambda s: (0.0, -np.arctan(s / 4), 0.0, -s, 0.0),
    "translate_down": lambda s: (0.0, np.arctan(s / 4), 0.0, s, 0.0),
    "arc_left": lambda s: (np.arctan2(2 * s, 4 - 0.5359 * s), 0.0, -2 * s, 0.0, 0.5359 * s),
    "arc_right": lambda s: (-np.arctan2(2 * s, 4 - 0.5359 * s), 0.0, 2 * s, 0.0, 0.5359 * s),
}


def _turn_right(angle: Array) -> Array:
    """Rotations (n, 3, 3) about y, which points down: the view goes from z towards x."""
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return np.moveaxis(np.array([[cos, zero, sin], [zero, one, zero], [-sin, zero, cos]]), -1, 0)


def _turn_up(angle: Array) -> Array:
    """Rotations (n, 3, 3) about x, which points right: the view goes from z away from y."""
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return np.moveaxis(np.array([[one, zero, zero], [zero, cos, -sin], [zero, sin, cos]]), -1, 0)
