"""A take, written beside its final name and renamed when whole."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import TracebackType
from typing import Self

import av.error
import numpy as np

from ..contract import FORMATS, Output
from . import encoders
from .movie import Picture
from .parts import Part, told


def open_take(output: Output, *, has_alpha: bool = False, bit_depth: int = 8, whole_chroma: bool = False) -> TakeWriter:
    """Start writing a take.

    Args:
        output: where to, how large, how fast, in which format, and whether with a mask.
        has_alpha: whether the frames will have a fourth channel; see :func:`keeps_alpha`.
        bit_depth: 8 or 16, that of the frames; ``ffv1`` and ``png`` store as many, ``prores4444`` 10, ``exr`` halves.
        whole_chroma: whether the footage has a colour for each pixel (see FootageReader): ``h264`` then keeps one too,
            as 4:4:4, which Blender plays and some players do not. Else it is 4:2:0, unless a side is odd.

    Raises:
        WriteError: the name is taken, too long, or nothing can be written there.
    """
    return TakeWriter(output, has_alpha=has_alpha, bit_depth=bit_depth, whole_chroma=whole_chroma)


def keeps_alpha(format_: str) -> bool:
    """Whether takes of a format can be transparent."""
    return format_ != "h264"


def mask_path(output: Output) -> Path:
    """Where the mask of a take goes: beside it, with ``_mask`` after its stem."""
    path = Path(output.path)
    suffix = path.suffix if FORMATS[output.format] else ""
    return path.with_name(path.name.removesuffix(suffix) + "_mask" + suffix)


class TakeWriter:
    """A context manager. Leaving it whole gives the take its name; leaving it by an exception leaves nothing behind.

    May be used from another thread than made it, by one at a time.

    Attributes:
        path: the take, once it is whole.
        mask_path: its mask, or None.
    """

    def __init__(self, output: Output, *, has_alpha: bool, bit_depth: int, whole_chroma: bool) -> None:
        self._output = output
        self.path = Path(output.path)
        self.mask_path = mask_path(output) if output.mask else None
        self._outlets: list[_Outlet] = []
        try:
            self._take = self._open(self.path, has_alpha=has_alpha, bit_depth=bit_depth, whole_chroma=whole_chroma)
            self._mask = self._open(self.mask_path) if self.mask_path else None
        except BaseException:
            self._abandon()
            raise

    def write(self, frame: Picture) -> None:
        """Add a frame: (height, width, 3 or 4) RGB or straight RGBA, uint8 or uint16. Raises WriteError."""
        self._check_shape(frame, 3)
        if frame.shape[2] == 4 and not self._take.has_alpha:
            frame = frame[..., :3]
        self._take.write(np.ascontiguousarray(frame))

    def write_mask(self, mask: Picture) -> None:
        """Add a frame of the mask: (height, width) uint8, 255 where pixels were invented. Raises WriteError."""
        if self._mask is None:
            raise ValueError("the job asks for no mask")
        self._check_shape(mask, 2)
        self._mask.write(np.ascontiguousarray(mask))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._publish()
        finally:
            self._abandon()

    def _open(self, path: Path, *, has_alpha: bool = False, bit_depth: int = 8, whole_chroma: bool = False) -> _Outlet:
        outlet = _Outlet(self._output, path, has_alpha=has_alpha, bit_depth=bit_depth, whole_chroma=whole_chroma)
        self._outlets.append(outlet)
        return outlet

    def _check_shape(self, picture: Picture, dimensions: int) -> None:
        expected = (self._output.height, self._output.width)
        if picture.ndim != dimensions or picture.shape[:2] != expected:
            raise ValueError(f"found an array of {picture.shape}, expected one of {expected[1]}x{expected[0]} pixels")

    def _publish(self) -> None:
        counts = {outlet.count for outlet in self._outlets}
        if len(counts) != 1 or 0 in counts:
            raise ValueError(f"the take and its mask have {sorted(counts)} frames, expected equally many and some")
        for outlet in self._outlets:
            outlet.finish()
        published: list[_Outlet] = []
        try:
            # The take last: whoever finds it finds its mask too.
            for outlet in reversed(self._outlets):
                outlet.part.publish()
                published.append(outlet)
        except BaseException:
            for outlet in published:
                outlet.part.withdraw()
            raise

    def _abandon(self) -> None:
        for outlet in self._outlets:
            outlet.abandon()


class _Outlet:
    """One of the files or folders of a take."""

    def __init__(self, output: Output, path: Path, *, has_alpha: bool, bit_depth: int, whole_chroma: bool) -> None:
        self.count = 0
        self.has_alpha = has_alpha and keeps_alpha(output.format)
        self._path = path
        self._finished = False
        self.part = Part(path, folder=not FORMATS[output.format])
        try:
            with told(path):
                self._encoder = encoders.create(
                    output,
                    self.part.path,
                    has_alpha=self.has_alpha,
                    bit_depth=bit_depth,
                    whole_chroma=whole_chroma,
                )
        except BaseException:
            self.part.discard()
            raise

    def write(self, picture: Picture) -> None:
        with told(self._path):
            self._encoder.write(picture)
        self.count += 1

    def finish(self) -> None:
        with told(self._path):
            self._encoder.finish()
        self._finished = True

    def abandon(self) -> None:
        if not self._finished:
            self._finished = True
            # Why the take is abandoned is being told already; that closing it fails too adds nothing.
            with contextlib.suppress(OSError, av.error.FFmpegError):
                self._encoder.abandon()
        self.part.discard()
