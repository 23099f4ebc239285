"""Footage and depth from files, takes into files."""

from .depthmaps import DepthMaps, open_depth
from .errors import FootageError, WriteError
from .movie import Clip
from .reader import FootageReader, open_footage, probe
from .writer import TakeWriter, mask_path, open_take

__all__ = [
    "Clip",
    "DepthMaps",
    "FootageError",
    "FootageReader",
    "TakeWriter",
    "WriteError",
    "mask_path",
    "open_depth",
    "open_footage",
    "open_take",
    "probe",
]
