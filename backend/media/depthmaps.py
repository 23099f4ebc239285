"""Depth from files: planar, along the camera's z axis, in metres."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..contract import Depth
from .errors import FootageError
from .pictures import read_bytes, read_channels

Metres = npt.NDArray[np.float32]

# Blender writes 1e10 where the camera sees nothing; other renderers something as far.
_NOTHING = 1e9

# What renderers call the channel, most telling first; layers ("ViewLayer.Depth.Z") are looked through.
_CHANNELS = ("Z", "DEPTH", "V", "Y", "R")


def open_depth(depth: Depth, width: int, height: int) -> DepthMaps:
    """The depth of a job whose footage is ``width`` x ``height``. Its files are read when they are asked for."""
    return DepthMaps(depth, width, height)


class DepthMaps:
    """One depth map per timeline frame; in any order, one in memory at a time."""

    def __init__(self, depth: Depth, width: int, height: int) -> None:
        self._depth, self._width, self._height = depth, width, height
        self._read: tuple[str, Metres] | None = None

    def __len__(self) -> int:
        return len(self._depth.files)

    def frame(self, timeline_index: int) -> Metres:
        """Depth at timeline frame ``timeline_index``.

        Returns:
            (height, width) float32, metres, infinite where nothing is. Not to be written to.

        Raises:
            FootageError: the file is not there, damaged, of another size than the footage, or holds something else
                than depth.
        """
        path = self._depth.files[timeline_index]
        if self._read is None or self._read[0] != path:
            metres = self._checked(path, _stored(path))
            metres.flags.writeable = False
            self._read = path, metres
        return self._read[1]

    def _checked(self, path: str, stored: npt.NDArray[Any]) -> Metres:
        expected = (self._height, self._width)
        if stored.shape != expected:
            found = "x".join(str(side) for side in reversed(stored.shape)) or "a single number"
            raise FootageError(
                f"the depth in {path!r} is {found}, but the footage is {self._width}x{self._height}: "
                "render depth at the size of the footage."
            )
        # Two passes that make no array tell all of it: the least is not a number where any is not.
        least, most = float(stored.min()), float(stored.max())
        if math.isnan(least):
            raise FootageError(f"the depth in {path!r} holds values that are not a number: render it again.")
        if least < 0:
            raise FootageError(
                f"the depth in {path!r} goes down to {least:g}, behind the camera: "
                "give distances along the view in positive numbers."
            )
        metres = self._in_metres(stored)
        if most >= _NOTHING:
            metres[stored >= _NOTHING] = np.inf
        if not metres.max() > 0:
            raise FootageError(f"the depth in {path!r} is 0 everywhere: was the right pass saved?")
        return np.ascontiguousarray(metres)

    def _in_metres(self, stored: npt.NDArray[Any]) -> Metres:
        """The numbers times the scale, in an array that may be written to."""
        if stored.dtype == np.float32 and self._depth.scale == 1:
            return np.require(stored, requirements="W")
        with np.errstate(over="ignore"):
            metres: Metres = (stored.astype(np.float64) * self._depth.scale).astype(np.float32)
        return metres


def _stored(path: str) -> npt.NDArray[Any]:
    """The numbers as they stand in the file; a 16-bit PNG as shares of white."""
    ending = Path(path).suffix.lower()
    if ending == ".exr":
        return _from_exr(path)
    if ending == ".npy":
        return _from_npy(path)
    if ending == ".png":
        return _from_png(path)
    raise FootageError(f"{path!r} is no depth that can be read: give OpenEXR, 16-bit PNG or npy files.")


def _from_exr(path: str) -> npt.NDArray[Any]:
    channels = read_channels(path)
    last_parts = {name: name.rpartition(".")[2].upper() for name in channels}
    for wanted in _CHANNELS:
        for name, last in last_parts.items():
            if last == wanted:
                return channels[name]
    raise FootageError(f"{path!r} holds no depth, only the channels {', '.join(channels)}: save one named Z.")


def _from_npy(path: str) -> npt.NDArray[Any]:
    read_bytes(path, 1)  # tells what is wrong better than numpy does
    try:
        with open(path, "rb") as file:  # numpy reads from a file into the array, and from memory by way of copies
            stored = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise FootageError(f"{path!r} cannot be read as npy ({error}): is it damaged or cut off?") from error
    if not isinstance(stored, np.ndarray) or stored.dtype.kind != "f":
        raise FootageError(f"{path!r} does not hold one array of floating-point metres: save depth as float32.")
    return stored


def _from_png(path: str) -> npt.NDArray[Any]:
    data = np.frombuffer(read_bytes(path), np.uint8)
    stored = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if stored is None:
        raise FootageError(f"{path!r} is no PNG that can be read: is it damaged or cut off?")
    if stored.dtype != np.uint16:
        raise FootageError(f"{path!r} has 8 bits, too few for depth: save it with 16 bits.")
    if stored.ndim == 3:
        if not (stored[..., :3] == stored[..., :1]).all():
            raise FootageError(f"{path!r} is a coloured picture: save depth as gray.")
        stored = stored[..., 0]
    shares: npt.NDArray[Any] = stored / np.float64(65535)
    return shares
