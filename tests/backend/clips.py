"""Small clips for tests: pictures that carry their number, and YUV worked out here rather than by a codec library."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 10
# Kr and Kb of ITU-R BT.601 and BT.709; H.273's number for the tag.
MATRICES = {"bt601": (0.299, 0.114, 5), "bt709": (0.2126, 0.0722, 1)}


def numbered(index: int, width: int, height: int) -> np.ndarray:
    """An RGB picture (height, width, 3) uint8 whose top quarter spells ``index`` in ten black or white blocks.

    Below is a smooth gradient that moves with the index, so that codecs have something to do.
    """
    y, x = np.mgrid[:height, :width]
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0] = (40 + 160 * x / width + 3 * index) % 200 + 20
    image[..., 1] = 40 + 160 * y / height
    image[..., 2] = 128 + 60 * np.sin((x + y + 4 * index) / 9)
    edges = np.linspace(0, width, BITS + 1).round().astype(int)
    for bit in range(BITS):
        image[: height // 4, edges[bit] : edges[bit + 1]] = 235 if index >> bit & 1 else 20
    return image


def number_in(image: np.ndarray) -> int:
    """The index that a picture made by :func:`numbered` spells, however it was stored; any integer dtype."""
    height, width = image.shape[:2]
    middle = (np.iinfo(image.dtype).max + 1) / 2
    edges = np.linspace(0, width, BITS + 1).round().astype(int)
    row = image[height // 16 : max(height // 16 + 1, height * 3 // 16), :, :3].mean(axis=(0, 2))
    return sum(int(row[edges[bit] : edges[bit + 1]].mean() > middle) << bit for bit in range(BITS))


def make_clip(
    path: str | Path,
    frames: int | Iterable[np.ndarray],
    width: int = 64,
    height: int = 48,
    rate: Fraction | int = 24,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    matrix: str = "bt601",
    full_range: bool = False,
    tagged: bool = False,
    rotation: int = 0,
    times: Sequence[Fraction] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a clip of ``frames`` numbered pictures, or of the RGB(A) arrays given, and return its path.

    YUV is worked out with ``matrix`` in numpy; ``tagged`` says so in the file. ``rotation`` is what a phone writes:
    degrees to turn clockwise for display. ``times`` (seconds) make a variable rate.
    """
    pictures = [numbered(index, width, height) for index in range(frames)] if isinstance(frames, int) else list(frames)
    if options is None:
        options = {"crf": "4", "preset": "ultrafast"} if codec == "libx264" else {}
    rate = Fraction(rate)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pix_fmt
        # Of 1/90000 s, which every rate of film and television divides well enough.
        tick = Fraction(1, 90000) if times else 1 / rate
        stream.time_base = stream.codec_context.time_base = tick
        if tagged:
            stream.codec_context.colorspace = MATRICES[matrix][2]
            stream.codec_context.color_range = 2 if full_range else 1
        if rotation:
            stream.set_display_rotation(-rotation)
        for index, picture in enumerate(pictures):
            frame = av_frame(picture, pix_fmt, matrix=matrix, full_range=full_range)
            if tagged:
                frame.colorspace, frame.color_range = MATRICES[matrix][2], 2 if full_range else 1
            frame.pts = round(times[index] / tick) if times else index
            frame.time_base = tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return Path(path)


def av_frame(picture: np.ndarray, pix_fmt: str, *, matrix: str = "bt601", full_range: bool = False) -> av.VideoFrame:
    """An RGB(A) picture, 8 or 16 bit, as a frame in ``pix_fmt``."""
    if not pix_fmt.startswith("yuv"):
        return _packed(picture, pix_fmt)
    height, width = picture.shape[:2]
    frame = av.VideoFrame(width, height, pix_fmt)
    depth = frame.format.components[0].bits
    planes = yuv(picture, depth, matrix=matrix, full_range=full_range)
    for plane, values in zip(frame.planes, planes, strict=False):
        _fill(plane, _subsample(values, plane.width, plane.height), depth)
    return frame


def yuv(picture: np.ndarray, depth: int, *, matrix: str, full_range: bool) -> list[np.ndarray]:
    """Y', Cb, Cr (and alpha, where there is one) of an RGB(A) picture as float planes of full size, in code values."""
    kr, kb, _ = MATRICES[matrix]
    rgb = picture.astype(np.float64) / np.iinfo(picture.dtype).max
    red, green, blue = (rgb[..., channel] for channel in range(3))
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    blueness, redness = (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
    top, unit = 2**depth - 1, 2 ** (depth - 8)
    if full_range:
        planes = [luma * top, blueness * top + 128 * unit, redness * top + 128 * unit]
    else:
        planes = [unit * (16 + 219 * luma), unit * (128 + 224 * blueness), unit * (128 + 224 * redness)]
    return [*planes, *(rgb[..., channel] * top for channel in range(3, rgb.shape[2]))]


def psnr(image: np.ndarray, truth: np.ndarray) -> float:
    """Decibels between two pictures of the same dtype; infinite where they are equal."""
    error = np.mean((image.astype(np.float64) - truth) ** 2)
    return float(10 * np.log10(np.iinfo(truth.dtype).max ** 2 / error)) if error else np.inf


def _packed(picture: np.ndarray, pix_fmt: str) -> av.VideoFrame:
    given = {(1, 3): "rgb24", (1, 4): "rgba", (2, 3): "rgb48le", (2, 4): "rgba64le"}
    frame = av.VideoFrame.from_ndarray(
        np.ascontiguousarray(picture), format=given[picture.dtype.itemsize, picture.shape[2]]
    )
    return frame if frame.format.name == pix_fmt else frame.reformat(format=pix_fmt)


def _subsample(values: np.ndarray, width: int, height: int) -> np.ndarray:
    if values.shape == (height, width):
        return values
    high, wide = (-(-values.shape[0] // height), -(-values.shape[1] // width))
    padded = np.pad(values, ((0, height * high - values.shape[0]), (0, width * wide - values.shape[1])), "edge")
    return padded.reshape(height, high, width, wide).mean(axis=(1, 3))


def _fill(plane: av.video.plane.VideoPlane, values: np.ndarray, depth: int) -> None:
    dtype = np.uint8 if depth == 8 else np.dtype("<u2")
    rows = np.zeros((plane.height, plane.line_size // np.dtype(dtype).itemsize), dtype)
    rows[:, : plane.width] = np.clip(values.round(), 0, 2**depth - 1)
    plane.update(rows.tobytes())
