"""Files that hold cameras: ReCam's own, the published data's, RealEstate10K's, TUM's, COLMAP's and nerfstudio's.

:func:`read` takes any of them, :func:`write` makes any of them, and both say in whole sentences what a file does not
hold. Conventions are those of :mod:`backend.contract`; each module states those of its format. numpy and the standard
library alone: Blender's Python reads the same.
"""

from .axes import UPS, turned, up_axis
from .registry import KINDS, Kind, Loaded, angles, cameras, detect, read, read_all, write
from .tracks import DEFAULT_LENS

__all__ = [
    "DEFAULT_LENS",
    "KINDS",
    "UPS",
    "Kind",
    "Loaded",
    "angles",
    "cameras",
    "detect",
    "read",
    "read_all",
    "turned",
    "up_axis",
    "write",
]
