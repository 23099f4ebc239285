"""Footage, frame by frame of the timeline."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from ..contract import Footage
from .errors import FootageError
from .movie import Clip, Movie, Picture
from .pictures import is_picture, read_picture, to_layout


def probe(path: str | os.PathLike[str]) -> Clip:
    """What a movie or a single picture holds. Raises FootageError."""
    name = os.fspath(path)
    if not is_picture(name):
        with Movie(name) as movie:
            return movie.clip
    picture = read_picture(name)
    return Clip(
        width=picture.shape[1],
        height=picture.shape[0],
        rate=Fraction(24),
        frames=1,
        bit_depth=8 * picture.dtype.itemsize,
        has_alpha=picture.shape[2] == 4,
        color="rgb",
        tagged=True,
        full_range=True,
        whole_chroma=True,
        rotation=0,
    )


def open_footage(footage: Footage) -> FootageReader:
    """Open the footage of a job. Raises FootageError where it cannot be read or has another size than the job says."""
    return FootageReader(footage)


class FootageReader:
    """The footage of a job: what each timeline frame shows.

    Any order is allowed, playing forwards is quickest, and memory stays bounded whatever the length. A context
    manager; may be used from another thread than made it, by one at a time.

    Attributes:
        width, height: pixels, as displayed.
        bit_depth: 8 or 16, that of the arrays.
        has_alpha: whether they have a fourth channel.
        whole_chroma: whether each pixel has a colour of its own (RGB, 4:4:4), or shares it with others (4:2:0 ...).
    """

    def __init__(self, footage: Footage) -> None:
        self._footage = footage
        self.width, self.height = footage.width, footage.height
        self._movie: Movie | None = None
        self._shown: tuple[int, Picture] | None = None
        self._closed = False
        if footage.kind == "movie":
            self._movie = _movie_as_displayed(footage)
            clip = self._movie.clip
            self.bit_depth, self.has_alpha = 16 if clip.bit_depth > 8 else 8, clip.has_alpha
            self.whole_chroma = clip.whole_chroma
        else:
            first = self._read_first()
            self.bit_depth, self.has_alpha = 8 * first.dtype.itemsize, first.shape[2] == 4
            self.whole_chroma = True

    def __len__(self) -> int:
        """How many timeline frames there are."""
        return len(self._footage.frames)

    def frame(self, timeline_index: int) -> Picture:
        """What timeline frame ``timeline_index`` (from 0) shows.

        Returns:
            (height, width, 3 or 4) RGB or straight RGBA, uint8, or uint16 up to 65535 for footage of more than 8
            bits; C-contiguous. Asked for twice, the same array comes back: it is not to be written to.

        Raises:
            FootageError: the file is damaged, has vanished or ends too early.
        """
        return self.shown(self._footage.frames[timeline_index])

    def shown(self, index: int) -> Picture:
        """Frame ``index`` of the footage itself, wherever the timeline shows it. As :meth:`frame` else."""
        if self._closed:
            raise FootageError("the footage has been closed")
        if self._shown is None or self._shown[0] != index:
            picture = self._movie.frame(index) if self._movie else self._picture(index)
            picture.flags.writeable = False
            self._shown = index, picture
        return self._shown[1]

    def small(self, timeline_index: int, side: int) -> Picture:
        """The same, its longer side no more than ``side`` pixels: RGB, uint8, and quick rather than exact."""
        if self._movie is not None and not self._closed:
            return self._movie.small(self._footage.frames[timeline_index], side)
        picture = self.frame(timeline_index)[..., :3]
        if picture.dtype == np.uint16:
            picture = (picture >> 8).astype(np.uint8)
        share = min(1.0, side / max(self.width, self.height))
        size = (max(1, round(share * self.width)), max(1, round(share * self.height)))
        shrunk: Picture = cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA)
        return shrunk

    def close(self) -> None:
        self._closed = True
        self._shown = None
        if self._movie is not None:
            self._movie.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_first(self) -> Picture:
        index = self._footage.frames[0]
        path = self._footage.files[index]
        first = read_picture(path)
        _check_size(path, first.shape[1], first.shape[0], self._footage)
        return first

    def _picture(self, index: int) -> Picture:
        path = self._footage.files[index]
        picture = read_picture(path)
        _check_size(path, picture.shape[1], picture.shape[0], self._footage)
        laid_out = to_layout(picture, sixteen=self.bit_depth == 16, alpha=self.has_alpha, path=path)
        return np.ascontiguousarray(laid_out)


def _movie_as_displayed(footage: Footage) -> Movie:
    """The movie, turned as its file says, unless the job's size is that of the pictures as they lie.

    Blender before 4.4 shows footage of phones lying on its side.
    """
    path = footage.files[0]
    movie = Movie(path)
    clip = movie.clip
    lying = (clip.height, clip.width) == (footage.width, footage.height) != (clip.width, clip.height)
    if lying and clip.rotation in (90, 270):
        movie.close()
        movie = Movie(path, turn=False)
        clip = replace(clip, width=clip.height, height=clip.width)
    try:
        _check_size(path, clip.width, clip.height, footage)
    except FootageError:
        movie.close()
        raise
    return movie


def _check_size(path: str, width: int, height: int, footage: Footage) -> None:
    if (width, height) != (footage.width, footage.height):
        raise FootageError(
            f"{path!r} is {width}x{height}, but the job says {footage.width}x{footage.height}: "
            "was the file replaced since?"
        )
