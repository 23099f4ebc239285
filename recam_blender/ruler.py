"""A clip whose every frame spells its own number, to find out which frame Blender shows when.

Each frame is WIDTH x HEIGHT pixels of black and white blocks: 24 for the number's bits and 24 for their opposites, so
that a blend of two frames, an empty picture and a misread are all told from a number. Clips are written here, without
Blender or FFmpeg: an AVI whose frames are PNG pictures takes 0.1 ms a frame and is read by every Blender.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator

import numpy as np

WIDTH, HEIGHT = 128, 96
_BLOCK = 16
_COLUMNS, _ROWS = WIDTH // _BLOCK, HEIGHT // _BLOCK
_BITS = _COLUMNS * _ROWS // 2

# An encoder may ring at a block's edge: its inner half tells its colour. What is neither dark nor bright is a blend.
_INNER = slice(_BLOCK // 4, _BLOCK * 3 // 4)
_DARK, _BRIGHT = 0.2, 0.8

_FRAMES_PER_STEP = 1000
_AVI_HAS_INDEX = 0x10
_AVI_KEYFRAME = 0x10


def write_movie(path: str, count: int) -> Iterator[int]:
    """Write a ruler of ``count`` frames as a movie at 24 frames/s (a strip keeps its own rate). Yields frames done."""
    index = bytearray()
    largest = 0
    with open(path, "wb") as file:
        file.write(_avi_header(count, largest=0, movie_bytes=0, index_bytes=0))
        start = file.tell() - 4
        for number in range(count):
            picture = _png(number)
            largest = max(largest, len(picture))
            index += b"00dc" + struct.pack("<III", _AVI_KEYFRAME, file.tell() - start, len(picture))
            file.write(_chunk(b"00dc", picture))
            if number % _FRAMES_PER_STEP == _FRAMES_PER_STEP - 1:
                yield number + 1
        movie_bytes = file.tell() - start
        file.write(_chunk(b"idx1", bytes(index)))
        file.seek(0)
        file.write(_avi_header(count, largest=largest, movie_bytes=movie_bytes, index_bytes=len(index) + 8))


def write_pictures(folder: str, count: int) -> Iterator[int]:
    """Write a ruler as numbered pictures (:func:`picture_name`) into a folder. Yields frames done."""
    for number in range(count):
        with open(os.path.join(folder, picture_name(number)), "wb") as file:
            file.write(_png(number))
        if number % _FRAMES_PER_STEP == _FRAMES_PER_STEP - 1:
            yield number + 1


def picture_name(number: int) -> str:
    return f"{number:08d}.png"


def read(path: str) -> int | None:
    """The number that a rendered ruler frame spells, or None where it spells none (a blend, or nothing).

    Args:
        path: a BMP file as Blender writes it.
    """
    blocks = _read_bmp(path)[..., 0].reshape(_ROWS, _BLOCK, _COLUMNS, _BLOCK)[:, _INNER, :, _INNER].mean((1, 3)) / 255
    bits = blocks.ravel() > 0.5
    blended = ((blocks > _DARK) & (blocks < _BRIGHT)).any()
    if blended or (bits[:_BITS] == bits[_BITS:]).any():
        return None
    return int(sum(1 << place for place in np.flatnonzero(bits[:_BITS])))


# Writing


def _png(number: int) -> bytes:
    bits = (number >> np.arange(_BITS)) & 1
    blocks = np.concatenate([bits, 1 - bits]).astype(np.uint8).reshape(_ROWS, _COLUMNS) * 255
    lines = np.zeros((_ROWS, 1 + WIDTH * 3), np.uint8)  # each line begins with its filter: 0, none
    lines[:, 1:] = np.repeat(blocks, _BLOCK * 3, axis=1)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)  # 8 bit RGB
    data = zlib.compress(np.repeat(lines, _BLOCK, axis=0).tobytes(), 1)
    parts = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )


def _avi_header(count: int, *, largest: int, movie_bytes: int, index_bytes: int) -> bytes:
    """All that stands before the first frame. Its length does not depend on the numbers in it."""
    rate = 24
    main = struct.pack("<14I", 1_000_000 // rate, 0, 0, _AVI_HAS_INDEX, count, 0, 1, largest, WIDTH, HEIGHT, 0, 0, 0, 0)
    stream = b"vidsMPNG" + struct.pack(
        "<IHHIIIIIIII4h", 0, 0, 0, 0, 1, rate, 0, count, largest, 2**32 - 1, 0, 0, 0, WIDTH, HEIGHT
    )
    picture = struct.pack("<IiiHH4sIiiII", 40, WIDTH, HEIGHT, 1, 24, b"MPNG", WIDTH * HEIGHT * 3, 0, 0, 0, 0)
    streams = _chunk(b"LIST", b"strl" + _chunk(b"strh", stream) + _chunk(b"strf", picture))
    headers = _chunk(b"LIST", b"hdrl" + _chunk(b"avih", main) + streams)
    riff_bytes = 4 + len(headers) + 8 + movie_bytes + index_bytes
    riff = b"RIFF" + struct.pack("<I", riff_bytes) + b"AVI "
    return riff + headers + b"LIST" + struct.pack("<I", movie_bytes) + b"movi"


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


# Reading


def _read_bmp(path: str) -> np.ndarray:
    """An uncompressed 24 or 32 bit BMP as (height, width, 3 or 4) uint8, blue first."""
    with open(path, "rb") as file:
        data = file.read()
    (start,) = struct.unpack_from("<I", data, 10)
    width, height = struct.unpack_from("<ii", data, 18)
    (bits,) = struct.unpack_from("<H", data, 28)
    if (width, abs(height)) != (WIDTH, HEIGHT):
        raise ValueError(f"a picture of {width} x {abs(height)} pixels is no frame of a ruler")
    line = (width * bits // 8 + 3) // 4 * 4
    lines = np.frombuffer(data, np.uint8, count=line * abs(height), offset=start).reshape(abs(height), line)
    pixels = lines[:, : width * bits // 8].reshape(abs(height), width, bits // 8)
    return pixels[::-1] if height > 0 else pixels
