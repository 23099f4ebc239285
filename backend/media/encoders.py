"""How frames become files: one encoder a format, each told only where to write."""

from __future__ import annotations

from fractions import Fraction
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


def create(output: Output, path: Path, *, has_alpha: bool, bit_depth: int) -> Encoder:
    """The encoder of a job's output, writing to the file or folder ``path``."""
    if output.format == "png":
        return Pictures(path, _png)
    if output.format == "exr":
        return Pictures(path, _exr)
    codec, pix_fmt, options = _movie_settings(output, has_alpha=has_alpha, bit_depth=bit_depth)
    return MovieEncoder(path, codec, pix_fmt, options, width=output.width, height=output.height, rate=output.rate)


def _movie_settings(output: Output, *, has_alpha: bool, bit_depth: int) -> tuple[str, str, dict[str, str]]:
    if output.format == "prores4444":
        return "prores_ks", "yuva444p10le" if has_alpha else "yuv444p10le", {"profile": "4", "vendor": "apl0"}
    if output.format == "ffv1":
        pix_fmt = {
            (8, False): "bgr0",
            (8, True): "bgra",
            (16, False): "gbrp16le",
            (16, True): "gbrap16le",
        }[bit_depth, has_alpha]
        return "ffv1", pix_fmt, {"level": "3", "slices": "4", "slicecrc": "1", "g": "1"}
    # Half a chroma sample does not exist: odd sizes keep their exact size by not subsampling at all.
    odd = output.width % 2 or output.height % 2
    return "libx264", "yuv444p" if odd else "yuv420p", dict(H264)


H264 = {
    "preset": "superfast",
    "crf": "10",
    "g": str(_KEYFRAMES),
    "bf": "0",
    # What colour errors 4:2:0 leaves are the largest there are: spend a little more on chroma.
    "x264-params": "chroma-qp-offset=-6",
}
"""Near-transparent: real footage at 832x480 comes back at 42 dB over RGB (44 is what 4:2:0 allows) and 48 dB in luma,
for 8 ms and 70 kB a frame on 2 cores. Quicker presets cost twice the bytes, slower ones twice the time."""


class MovieEncoder:
    """A movie file of one video stream, tagged BT.709, with frame ``i`` at exactly ``i / rate``."""

    def __init__(
        self,
        path: Path,
        codec: str,
        pix_fmt: str,
        options: dict[str, str],
        *,
        width: int,
        height: int,
        rate: Fraction,
    ) -> None:
        faststart = {"movflags": "+faststart"} if path.suffix.lower() in (".mp4", ".mov") else {}
        self._container = av.open(str(path), "w", options=faststart)
        try:
            stream = self._container.add_stream(codec, rate=rate, options=options)
            stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
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

    def __init__(self, folder: Path, encode: Any) -> None:
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
    with OpenEXR.File(header, channels) as file:
        file.write(str(stem.with_suffix(".exr")))
