"""The size of a picture as its header tells it: a sequence has thousands, and Blender would decode each."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import BinaryIO


def picture_size(path: str) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, JPEG or EXR file, or None where its header does not tell them."""
    with open(path, "rb") as file:
        start = file.read(4)
        for magic, read in _KINDS.items():
            if start.startswith(magic):
                try:
                    return read(file)
                except struct.error:
                    return None  # the file ends before its size
    return None


def _png(file: BinaryIO) -> tuple[int, int]:
    """The first chunk is the header (PNG specification, 5.6 and 11.2.2): width and height come first."""
    file.seek(16)
    width, height = struct.unpack(">II", file.read(8))
    return width, height


def _jpeg(file: BinaryIO) -> tuple[int, int] | None:
    """The frame header (ITU T.81, B.2.2): SOF0 to SOF15, but for the three of that range that are none."""
    file.seek(2)
    while True:
        mark, kind, length = struct.unpack(">BBH", file.read(4))
        if mark != 0xFF:
            return None
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            _bits, height, width = struct.unpack(">BHH", file.read(5))
            return width, height
        file.seek(length - 2, 1)


def _exr(file: BinaryIO) -> tuple[int, int] | None:
    """The attribute dataWindow (OpenEXR file layout): xMin, yMin, xMax, yMax, inclusive. Blender shows no more."""
    file.seek(8)
    header = file.read(65536)
    name = b"dataWindow\0box2i\0"
    place = header.find(name)
    if place < 0:
        return None
    left, top, right, bottom = struct.unpack_from("<4i", header, place + len(name) + 4)
    return right - left + 1, bottom - top + 1


_KINDS: dict[bytes, Callable[[BinaryIO], tuple[int, int] | None]] = {
    b"\x89PNG": _png,
    b"\xff\xd8": _jpeg,
    b"\x76\x2f\x31\x01": _exr,
}
