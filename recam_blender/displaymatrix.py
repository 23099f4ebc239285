"""Whether an MP4 or QuickTime movie asks to be turned for display, as phones write it."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

# ISO/IEC 14496-12, 8.3.2: the identity that a track header has unless its picture is to be turned. Numbers of 16.16
# bits but for the last column, of 2.30; what moves the picture (the last row) does not matter.
_UPRIGHT = (0x10000, 0, 0, 0, 0x10000, 0)


def is_turned(path: str) -> bool:
    """Whether any picture in the movie is to be turned or mirrored. False for other kinds of files."""
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return any(size and matrix != _UPRIGHT for matrix, size in _tracks(file))


def _tracks(file: BinaryIO) -> Iterator[tuple[tuple[int, ...], int]]:
    """The upper rows of each track's matrix, and its width (0 for sound)."""
    file.seek(0, os.SEEK_END)
    for kind, start, stop in _boxes(file, 0, file.tell()):
        if kind != b"moov":
            continue
        for inner, begin, end in _boxes(file, start, stop):
            headers = _boxes(file, begin, end) if inner == b"trak" else ()
            for header, place, _ in headers:
                if header == b"tkhd":
                    file.seek(place)
                    body = file.read(96)
                    at = 52 if body[:1] == b"\1" else 40  # times are of 64 bits in version 1
                    values = struct.unpack_from(">9i2I", body, at)
                    yield values[:6], values[9]


def _boxes(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the content of each box between two places of the file."""
    while start + 8 <= stop:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            size, head = struct.unpack(">Q", file.read(8))[0], 16
        elif size == 0:
            size = stop - start
        if size < head or start + size > stop:
            return  # no MP4, or one that is cut off
        yield kind, start + head, start + size
        start += size
