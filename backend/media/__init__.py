"""Footage and depth from files, takes into files."""

from .errors import FootageError, WriteError
from .movie import Clip
from .reader import FootageReader, open_footage, probe

__all__ = ["Clip", "FootageError", "FootageReader", "WriteError", "open_footage", "probe"]
