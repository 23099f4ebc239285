"""Packs a folder of pictures into a clip, as small as the sample wants to be.

    python -m samples.encode FOLDER CLIP.mp4 [--crf 16] [--rate 24]

runs in the backend's environment. H.264 4:2:0, tagged BT.709: what a camera or an editor gives.
"""

from __future__ import annotations

import argparse
import os
import sys
from fractions import Fraction
from pathlib import Path

import av
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from .compare import frames

_BT709 = 1  # H.273's number of the primaries, of the transfer function and of the matrix


def encode(folder: Path, clip: Path, *, crf: int, rate: Fraction) -> None:
    clip.parent.mkdir(parents=True, exist_ok=True)
    # Made once and decoded often: the slowest preset costs nobody time, and keeps a checkout small.
    options = {"preset": "veryslow", "crf": str(crf), "g": "24", "x264-params": "chroma-qp-offset=-4"}
    with av.open(str(clip), "w", options={"movflags": "+faststart"}) as container:
        stream = None
        for index, picture in enumerate(frames(folder)):
            if stream is None:
                stream = container.add_stream("libx264", rate=rate, options=options)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt, stream.time_base = "yuv420p", 1 / rate
                context = stream.codec_context
                context.colorspace, context.color_range = _BT709, ColorRange.MPEG
                context.color_primaries = context.color_trc = _BT709
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format="yuv420p",
                src_color_range=ColorRange.JPEG,
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                interpolation=Interpolation.AREA | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND,
            )
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="samples.encode", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--crf", type=int, default=16)
    parser.add_argument("--rate", type=Fraction, default=Fraction(24))
    options = parser.parse_args(arguments)
    if os.path.lexists(options.clip):
        parser.error(f"{str(options.clip)!r} exists, and nothing is overwritten: choose another name")
    encode(options.folder, options.clip, crf=options.crf, rate=options.rate)


if __name__ == "__main__":
    main(sys.argv[1:])
