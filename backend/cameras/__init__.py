"""Cameras as numbers: poses, lenses, trajectories, the published presets and the files that hold them.

numpy alone, so that Blender's Python reads the same code as the backend. Conventions are those of
:mod:`backend.contract`: camera-to-world, metres, right-handed, OpenCV axes (x right, y down, z forward); poses are
float64 (n, 4, 4), intrinsics float64 (n, 4) as fx, fy, cx, cy in pixels.
"""

from .intrinsics import from_lens, interpolate_intrinsics, matrix
from .poses import interpolate, inverse, is_rigid, relative
from .presets import PRESETS, Preset, preset
from .trajectory import arrays, from_arrays, reposed, resample, resized, source_of

__all__ = [
    "PRESETS",
    "Preset",
    "arrays",
    "from_arrays",
    "from_lens",
    "interpolate",
    "interpolate_intrinsics",
    "inverse",
    "is_rigid",
    "matrix",
    "preset",
    "relative",
    "reposed",
    "resample",
    "resized",
    "source_of",
]
