"""How frames become files: one encoder a format, each told only where to write."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from ..contract import Output
from .movie import Picture

# Chroma is the mean of the pixels it stands for; Blender shows it on all of them.
_CONVERSION = Interpolation.AREA | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND
_BT709 = 1  # H.273's number of the primaries, of the transfer function and of the matrix

# A keyframe every half second at most: scrubbing in the sequencer decodes no more than that.
_KEYFRAMES = 12


class Encoder(Protocol):
    """Writes frames of one size, in order."""

    def write(self, picture: Picture) -> None:
        """Add a frame: (height, width, 3 or 4) RGB(A) or (height, width) gray, uint8 or uint16."""

    def finish(self) -> None:
        """Write out what is still held back, and close."""

    def abandon(self) -> None:
        """Close, whatever state it is in."""


def create(output: Output, path: Path, *, has_alpha: bool, bit_depth: int, whole_chroma: bool) -> Encoder:
    """The encoder of a job's output, writing to the file or folder ``path``."""
    match output.format:
        case "png":
            return Pictures(path, _png)
        case "exr":
            return Pictures(path, _exr)
        case "prores4444":
            pix_fmt = "yuva444p10le" if has_alpha else "yuv444p10le"
            return MovieEncoder(output, path, "prores_ks", pix_fmt, {"profile": "4", "vendor": "apl0"})
        case "ffv1":
            return MovieEncoder(output, path, "ffv1", _LOSSLESS[bit_depth, has_alpha], FFV1)
        case _:
            # Half a chroma sample does not exist: odd sizes keep their exact size by not subsampling at all.
            whole_chroma = whole_chroma or output.width % 2 == 1 or output.height % 2 == 1
            return MovieEncoder(output, path, "libx264", "yuv444p" if whole_chroma else "yuv420p", H264)


H264 = {
    "preset": "superfast",
    "crf": "8",
    "g": str(_KEYFRAMES),
    "bf": "0",
    # The errors that stay are those of colour: spend a little more on chroma.
    "x264-params": "chroma-qp-offset=-6",
}
"""Near-transparent. Real footage at 832x480 comes back at 50 dB in luma; over RGB at 45 dB with whole chroma, at 43 of
the 44 dB that 4:2:0 allows without. Quicker presets cost half as many bytes again, slower ones twice the time."""

FFV1 = {"level": "3", "slices": "4", "slicecrc": "1", "g": "1"}
_LOSSLESS = {(8, False): "bgr0", (8, True): "bgra", (16, False): "gbrp16le", (16, True): "gbrap16le"}


class MovieEncoder:
    """A movie file of one video stream, tagged BT.709, with frame ``i`` at exactly ``i / rate``."""

    def __init__(self, output: Output, path: Path, codec: str, pix_fmt: str, options: dict[str, str]) -> None:
        rate = output.rate
        faststart = {"movflags": "+faststart"} if path.suffix.lower() in (".mp4", ".mov") else {}
        self._container = av.open(str(path), "w", options=faststart)
        try:
            stream = self._container.add_stream(codec, rate=rate, options=dict(options))
            stream.width, stream.height, stream.pix_fmt = output.width, output.height, pix_fmt
            stream.time_base = 1 / rate
            context = stream.codec_context
            context.time_base = 1 / rate
            context.thread_type = "AUTO"
            self._rgb = pix_fmt.startswith(("bgr", "gbr"))
            if not self._rgb:
                context.colorspace, context.color_range = _BT709, ColorRange.MPEG
            context.color_primaries = context.color_trc = _BT709
        except BaseException:
            self._container.close()
            raise
        self._stream, self._pix_fmt, self._tick, self._count = stream, pix_fmt, 1 / rate, 0

    def write(self, picture: Picture) -> None:
        frame = self._convert(picture)
        frame.color_primaries = frame.color_trc = _BT709  # the ProRes encoder asks the frame, not the stream
        # The muxer changes the stream's time base to its liking.
        frame.pts, frame.time_base = self._count, self._tick
        self._count += 1
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        self._container.mux(self._stream.encode())
        self._container.close()

    def abandon(self) -> None:
        self._container.close()

    def _convert(self, picture: Picture) -> Any:
        frame = av.VideoFrame.from_ndarray(
            picture, format=_LAYOUTS[picture.dtype.itemsize, picture.ndim, picture.shape[2:]]
        )
        if self._rgb:
            return frame.reformat(format=self._pix_fmt)
        return frame.reformat(
            format=self._pix_fmt,
            src_color_range=ColorRange.JPEG,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=_CONVERSION,
        )


_LAYOUTS = {
    (1, 2, ()): "gray",
    (2, 2, ()): "gray16le",
    (1, 3, (3,)): "rgb24",
    (1, 3, (4,)): "rgba",
    (2, 3, (3,)): "rgb48le",
    (2, 3, (4,)): "rgba64le",
}


class Pictures:
    """A folder of pictures numbered from 0001."""

    def __init__(self, folder: Path, encode: Callable[[Path, Picture], None]) -> None:
        self._folder, self._encode, self._count = folder, encode, 0

    def write(self, picture: Picture) -> None:
        self._count += 1
        self._encode(self._folder / f"{self._count:04d}", picture)

    def finish(self) -> None:
        """Nothing is held back."""

    def abandon(self) -> None:
        """Nothing is open."""


def _png(stem: Path, picture: Picture) -> None:
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR if picture.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    encoded, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not encoded:
        raise ValueError(f"OpenCV cannot store {picture.dtype} {picture.shape} as PNG")
    stem.with_suffix(".png").write_bytes(data.tobytes())


def _exr(stem: Path, picture: Picture) -> None:
    """Half floats of the display-referred values, colour multiplied by alpha as OpenEXR wants it."""
    import OpenEXR

    values = picture.astype(np.float32) / np.iinfo(picture.dtype).max
    if values.ndim == 3 and values.shape[2] == 4:
        values[..., :3] *= values[..., 3:]
    half = values.astype(np.float16)
    channels = {"Y": half} if half.ndim == 2 else {"RGBA"[: half.shape[2]]: half}
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    path = stem.with_suffix(".exr")
    with OpenEXR.File(header, channels) as file:
        try:
            file.write(str(path))
        except RuntimeError as error:
            raise OSError(_number_of(error), str(error)) from error


def _number_of(error: RuntimeError) -> int:
    """The system's error number, which OpenEXR tells only by its text."""
    numbers = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.ENOENT)
    return next((number for number in numbers if os.strerror(number) in str(error)), errno.EIO)
