"""Frames of a movie file as Blender's sequencer counts and shows them, in memory that does not grow with the clip.

Frame ``i`` is the one on screen at ``i / rate``, where the rate is FFmpeg's guess for the stream: what Blender does,
down to the rounding. Constant-rate clips thus give their i-th picture, variable-rate ones repeat and skip.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Any, Self

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Interpolation

from .errors import FootageError

Picture = npt.NDArray[Any]
"""(height, width, 3 or 4) RGB or straight RGBA, uint8 or uint16."""

# H.273 numbers of the matrices that have a name of their own here. 2 is "unspecified".
_MATRICES = {0: "rgb", 1: "bt709", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
_UNTAGGED = 5  # Blender and FFmpeg both take untagged footage as BT.601, however large it is.

# As in Blender 5's movie reader, so that both see the same picture: no rounding short cuts.
_CONVERSION = Interpolation.POINT | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND

_WHOLE_CHROMA = re.compile("420|422|440|411|410")

# Frames decoded on the way to the one that was asked for are kept, as someone who plays backwards asks for them next.
_KEPT_FRAMES = 64
_KEPT_BYTES = 192 * 2**20

# A jump ahead this long is worth a seek; a shorter one is decoded through.
_LONG_JUMP = 100


@dataclass(frozen=True)
class Clip:
    """What a movie file holds, as it is displayed: after the rotation that phones write beside the pictures.

    ``color`` is the YUV matrix it is read with (``rgb``: none), ``tagged`` whether the file itself says so;
    ``whole_chroma`` whether each pixel has a colour of its own.
    """

    width: int
    height: int
    rate: Fraction
    frames: int
    bit_depth: int
    has_alpha: bool
    color: str
    tagged: bool
    full_range: bool
    whole_chroma: bool
    rotation: int


class Movie:
    """An open movie file. A context manager; may be used from another thread than made it, by one at a time.

    Raises:
        FootageError: the file is not there, is no movie, or is damaged.
    """

    def __init__(self, path: str, *, turn: bool = True) -> None:
        self._path = path
        self._turn = turn
        self._container = _open(path)
        self._stream = _video_stream(self._container, path)
        self._codec = _decoder(self._stream)
        self._decoded: Iterator[Any] = iter(())
        self._current: Any
        self._next: Any
        self._current = self._next = None
        self._kept: OrderedDict[int, Any] = OrderedDict()
        self._longest_hold = 0
        self._rate = self._stream.guessed_rate or self._stream.average_rate or Fraction(24)
        self._step = 1 / (self._rate * self._stream.time_base)
        try:
            self._begin(self._stream.start_time or 0)
            if self._current is None:
                raise FootageError(f"{path!r} holds no picture that can be decoded: export the clip again.")
            self.clip = self._describe()
        except BaseException:
            self.close()
            raise
        self._promised = _promised_ticks(self._container, self._stream)
        first, start = self._current, self._stream.start_time
        self._start: int = first.pts if start is None else start

    def frame(self, index: int) -> Picture:
        """Frame ``index`` as (height, width, 3 or 4) RGB(A): uint8, or uint16 where the file has more than 8 bits."""
        return self._convert(self._frame(index))

    def small(self, index: int, side: int) -> Picture:
        """Frame ``index``, its longer side no more than ``side`` pixels: RGB, uint8, and quick rather than exact."""
        frame = self._frame(index)
        share = min(1.0, side / max(frame.width, frame.height))
        size = {name: max(1, round(share * getattr(frame, name))) for name in ("width", "height")}
        try:
            picture: Picture = frame.reformat(format="rgb24", interpolation=Interpolation.AREA, **size).to_ndarray()
        except (av.error.FFmpegError, ValueError) as error:
            raise self._damaged(error) from error
        return self._turned(picture)

    def close(self) -> None:
        self._kept.clear()
        self._current = self._next = None
        self._decoded = iter(())
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Which frame

    def _frame(self, index: int) -> Any:
        frame = self._at(self._start + _round(index * self._step))
        ended = self._next is None and frame.pts + self._step <= self._start + index * self._step
        if ended and index >= max(self.clip.frames, 1):
            raise FootageError(
                f"{self._path!r} ends after {self.clip.frames} frames, but frame {index} was asked for: "
                "was the file replaced by a shorter one?"
            )
        return frame

    def _at(self, pts: int) -> Any:
        """The decoded frame on screen at ``pts``, in ticks of the stream."""
        kept = self._from_kept(pts)
        if kept is not None:
            return kept
        ahead = pts - self._current.pts
        if ahead < 0 or ahead > _LONG_JUMP * self._step:
            self._seek(pts)
        self._advance(pts, keep=bool(self._kept))
        return self._current

    def _advance(self, pts: int, *, keep: bool) -> None:
        while self._next is not None and self._next.pts <= pts:
            self._current = self._next
            if keep:
                self._keep(self._current)
            self._next = self._decode_next()
        if self._next is None:
            self._check_whole(pts)

    def _seek(self, pts: int) -> None:
        """Make current a frame at or before ``pts``, with the frames after it still to come."""
        self._kept.clear()
        # Containers look keyframes up by decoding time, which lies a few frames before presentation.
        back = 3 * self._step
        while not self._restart(round(pts - back)) or self._current.pts > pts:
            back *= 8
            if pts - back <= self._start:
                self._reopen()
                break
        self._keep(self._current)

    def _restart(self, target: int) -> bool:
        """Decode from the keyframe before ``target`` on. False where the file cannot be entered there."""
        if self._container.format.name == "mpeg":
            return False  # after a seek in a program stream the first frames carry the times of later ones
        try:
            self._container.seek(target, stream=self._stream, backward=True)
        except av.error.FFmpegError:
            return False  # bare streams have no index; they are read from the start
        if self._codec is not self._stream.codec_context:
            self._codec.flush_buffers()
        self._begin(None)
        return self._current is not None

    def _reopen(self) -> None:
        self._container.close()
        self._container = _open(self._path)
        self._stream = _video_stream(self._container, self._path)
        self._codec = _decoder(self._stream)
        self._begin(self._stream.start_time or 0)
        if self._current is None:
            raise FootageError(f"{self._path!r} holds no picture that can be decoded: export the clip again.")

    def _begin(self, first_pts: int | None) -> None:
        self._decoded = self._decode(first_pts)
        self._current, self._next = self._decode_next(), self._decode_next()

    # Frames kept for playing backwards

    def _keep(self, frame: Any) -> None:
        self._kept[frame.pts] = frame
        size = sum(plane.buffer_size for plane in frame.planes)
        while len(self._kept) > max(1, min(_KEPT_FRAMES, _KEPT_BYTES // size)):
            self._kept.popitem(last=False)

    def _from_kept(self, pts: int) -> Any:
        before = [each for each in self._kept if each <= pts]
        if not before or before[-1] == next(reversed(self._kept)):
            return None
        return self._kept[before[-1]]

    # Decoding

    def _decode_next(self) -> Any:
        return next(self._decoded, None)

    def _decode(self, first_pts: int | None) -> Iterator[Any]:
        """Frames in the order shown. Those without a time follow the one before, or start at ``first_pts``."""
        due: Fraction | int | None = first_pts
        seen = False
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                frames = self._codec.decode(packet)
            except av.error.EOFError:
                return
            except av.error.FFmpegError as error:
                # What follows a cut or a seek may lean on pictures that are not there; later there is no excuse.
                if seen:
                    raise self._damaged(error) from error
                continue
            for frame in frames:
                if frame.pts is None:
                    if due is None:
                        continue
                    frame.pts = _round(due)
                if seen and due is not None:
                    self._longest_hold = max(self._longest_hold, round(frame.pts - due + self._step))
                due = frame.pts + self._step
                seen = True
                yield frame

    def _check_whole(self, pts: int) -> None:
        """After the last frame Blender holds it; but a file that stops long before it says it does is cut off."""
        last = self._current.pts
        shown_until = last + max(int(self._current.duration or 0), self._longest_hold) + 2 * self._step
        if pts > shown_until and shown_until < self._start + self._promised:
            seconds = float((last - self._start) * self._stream.time_base)
            raise FootageError(
                f"{self._path!r} stops after {seconds:.2f} s although it should last "
                f"{float(self._promised * self._stream.time_base):.2f} s: it is cut off; copy or export it again."
            )

    def _damaged(self, error: Exception) -> FootageError:
        reason = getattr(error, "strerror", None) or error
        return FootageError(f"{self._path!r} cannot be decoded, it is damaged ({reason}): copy or export it again.")

    # Pictures

    def _convert(self, frame: Any) -> Picture:
        clip = self.clip
        wanted = {(False, False): "rgb24", (False, True): "rgba", (True, False): "rgb48le", (True, True): "rgba64le"}
        try:
            converted = _with_whole_chroma(frame).reformat(
                format=wanted[clip.bit_depth > 8, clip.has_alpha],
                src_colorspace=frame.colorspace if frame.colorspace in _MATRICES else _UNTAGGED,
                src_color_range=ColorRange.JPEG if clip.full_range else ColorRange.MPEG,
                dst_color_range=ColorRange.JPEG,
                interpolation=_CONVERSION,
            )
            picture: Picture = converted.to_ndarray()
        except (av.error.FFmpegError, ValueError) as error:
            raise self._damaged(error) from error
        return self._turned(picture)

    def _turned(self, picture: Picture) -> Picture:
        if self._turn and self.clip.rotation:
            # Positive k turns counter-clockwise, as FFmpeg's angle does.
            picture = np.rot90(picture, self.clip.rotation // 90)
        return np.ascontiguousarray(picture)

    def _describe(self) -> Clip:
        stream, frame = self._stream, self._current
        rotation = frame.rotation % 360 if frame.rotation % 90 == 0 else 0
        width, height = frame.width, frame.height
        if self._turn and rotation in (90, 270):
            width, height = height, width
        components = frame.format.components
        matrix = "rgb" if frame.format.is_rgb else _MATRICES.get(frame.colorspace, "bt601")
        return Clip(
            width=width,
            height=height,
            rate=Fraction(self._rate),
            frames=_frame_count(self._container, stream, self._rate),
            bit_depth=max(component.bits for component in components),
            has_alpha=any(component.is_alpha for component in components) or frame.format.name == "pal8",
            color=matrix,
            tagged=frame.format.is_rgb or frame.colorspace in _MATRICES,
            full_range=frame.format.is_rgb or frame.color_range == ColorRange.JPEG or "yuvj" in frame.format.name,
            whole_chroma=all((each.width, each.height) == (frame.width, frame.height) for each in components),
            rotation=rotation,
        )


def _round(value: Fraction | int) -> int:
    """Halves away from zero, as C and the muxers do; Python's own goes to the even side."""
    return int(value + Fraction(1, 2))


def _with_whole_chroma(frame: Any) -> Any:
    """The YUV frame with each chroma sample repeated over the pixels it stands for, as Blender shows it.

    Swscale's own nearest sampling lies one pixel beside Blender's in FFmpeg 8.
    """
    planar = len(frame.planes) == len(frame.format.components)
    chroma = frame.planes[1:3] if planar and len(frame.planes) >= 3 else ()
    if all((plane.width, plane.height) == (frame.width, frame.height) for plane in chroma):
        return frame
    whole = av.VideoFrame(frame.width, frame.height, _WHOLE_CHROMA.sub("444", frame.format.name, count=1))
    whole.colorspace, whole.color_range = frame.colorspace, frame.color_range
    dtype = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    for source, target in zip(frame.planes, whole.planes, strict=True):
        values = _rows(source, dtype)
        if source.width != frame.width:
            values = values[:, _nearest(frame.width, source.width)]
        if source.height != frame.height:
            values = values[_nearest(frame.height, source.height)]
        _rows(target, dtype)[:] = values
    return whole


def _nearest(count: int, samples: int) -> npt.NDArray[np.intp]:
    """For each of ``count`` pixels the nearest of ``samples`` spread evenly over them."""
    return (2 * np.arange(count) + 1) * samples // (2 * count)


def _rows(plane: Any, dtype: type[np.generic]) -> npt.NDArray[Any]:
    rows = np.frombuffer(plane, dtype).reshape(plane.height, -1)
    return rows[:, : plane.width]


def _open(path: str) -> Any:
    try:
        return av.open(path, mode="r")
    except FileNotFoundError:
        raise FootageError(f"there is no file {path!r} any more: was it moved or renamed?") from None
    except (OSError, av.error.FFmpegError) as error:
        raise FootageError(
            f"{path!r} cannot be opened as a movie ({error.strerror or error}): is it damaged or cut off?"
        ) from error


def _video_stream(container: Any, path: str) -> Any:
    if not container.streams.video:
        container.close()
        raise FootageError(f"{path!r} holds no pictures, only sound or data: choose a movie.")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    return stream


def _decoder(stream: Any) -> Any:
    """The stream's own decoder; for VP8 and VP9 with alpha libvpx, as FFmpeg's own does not see alpha."""
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.name)
    if name is None or stream.metadata.get("alpha_mode") != "1":
        return stream.codec_context
    return av.CodecContext.create(name, "r")


def _promised_ticks(container: Any, stream: Any) -> int:
    """How long the file says that its pictures last, in ticks of the stream; 0 where it does not say."""
    if stream.duration:
        return int(stream.duration)
    if container.duration and len(container.streams) == 1:
        return int(Fraction(container.duration, av.time_base) / stream.time_base)
    return 0


def _frame_count(container: Any, stream: Any, rate: Fraction) -> int:
    """As Blender counts them: by the time that the stream says it lasts."""
    if stream.duration:
        return _round(stream.duration * stream.time_base * rate)
    if container.duration:
        return _round(Fraction(container.duration, av.time_base) * rate)
    return int(stream.frames)
