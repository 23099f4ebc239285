"""Which frame is shown when, and that finding it costs neither memory nor quadratic time."""

import random
import threading
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from clips import make_clip, number_in, numbered

from backend.contract import Footage
from backend.media import FootageError, open_footage, probe
from backend.media import movie as movie_module
from backend.media.movie import Movie

PLAIN = {"crf": "8", "preset": "ultrafast", "g": "12"}
# Frames out of order in the file, a keyframe every second.
REORDERED = {"crf": "8", "preset": "fast", "bf": "3", "g": "24"}


def footage(path, frames, width=64, height=48):
    return Footage(kind="movie", files=(str(path),), frames=tuple(frames), width=width, height=height)


def shown(path, frames, order=None, **size):
    """The numbers that the frames asked for spell, in the order of the timeline."""
    frames = list(frames)
    order = range(len(frames)) if order is None else order
    with open_footage(footage(path, frames, **size)) as reader:
        seen = {index: number_in(reader.frame(index)) for index in order}
    return [seen[index] for index in range(len(frames))]


CLIPS = {
    "h264.mp4": {"options": REORDERED},
    "h264.mkv": {"options": REORDERED},
    "h264.ts": {"options": REORDERED},
    "film.mkv": {"options": PLAIN, "rate": Fraction(24000, 1001)},
    "ntsc.mp4": {"options": REORDERED, "rate": Fraction(30000, 1001)},
    "open gop.mp4": {"options": REORDERED | {"x264-params": "open-gop=1"}},
    "mpeg2.mpg": {"codec": "mpeg2video", "rate": 25, "options": {"qscale": "2", "bf": "2"}},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "full_range": True},
    "bare.h264": {"options": PLAIN},
    "prores.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le"},
}


@pytest.mark.parametrize("name", CLIPS)
def test_every_order_shows_the_same_frames(tmp_path, name):
    path = make_clip(tmp_path / name, 47, **CLIPS[name])
    every = list(range(47))
    shuffled = random.Random(5).sample(every, 47)
    assert shown(path, every) == every
    assert shown(path, every, reversed(every)) == every
    assert shown(path, every, shuffled) == every


def test_exact_rates_survive(tmp_path):
    for rate in (Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(12)):
        assert probe(make_clip(tmp_path / f"{rate.numerator}.mp4", 5, rate=rate)).rate == rate


def test_trim_hold_reverse_and_speed(tmp_path):
    path = make_clip(tmp_path / "clip.mp4", 40, options=REORDERED)
    for frames in ([7, 8, 9, 10], [39, 38, 37, 20, 19], [0, 0, 0, 5, 5], [0, 2, 4, 6, 8], [39, 39, 39]):
        assert shown(path, frames) == frames


def test_variable_rate_shows_what_is_on_screen_then(tmp_path):
    # Pictures 0, 1, 2, 3 start at frames 0, 1, 5, 6 of a 24 fps timeline: 1 is held for four of them.
    starts = [0, 1, 5, 6, *range(7, 27)]
    times = [Fraction(start, 24) for start in starts]
    for name in ("variable.mp4", "variable.mkv"):
        path = make_clip(tmp_path / name, len(times), times=times, options=PLAIN)
        assert probe(path).rate == 24
        expected = [0, 1, 1, 1, 1, 2, 3, 4, 5, 6]
        assert shown(path, range(10)) == expected
        assert shown(path, range(10), reversed(range(10))) == expected


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "starts late.ts"])
def test_the_end_of_the_clip(tmp_path, name):
    path = make_clip(tmp_path / name, 6)
    assert shown(path, [4, 5, 5]) == [4, 5, 5]
    for beyond in (6, 9, 500):
        with pytest.raises(FootageError, match=f"ends after 6 frames, but frame {beyond} was asked for"):
            shown(path, [5, beyond])


def test_the_last_frame_is_held_while_the_clip_lasts(tmp_path):
    # Two pictures a second in a stream of 24: the last one starts at frame 36 and lasts to the end.
    times = [Fraction(start, 24) for start in (0, 1, 2, 12, 24, 36)]
    path = make_clip(tmp_path / "slow.mp4", 6, times=times)
    assert probe(path).rate == 24
    last = probe(path).frames - 1
    assert last >= 36
    assert shown(path, [11, 12, 35, 36, last]) == [2, 3, 4, 5, 5]


def test_rotation_is_applied_as_phones_mean_it(tmp_path):
    upright = numbered(5, 48, 64)
    for degrees in (90, 180, 270):
        # The phone lies on its side: the picture is stored turned the other way.
        stored = np.ascontiguousarray(np.rot90(upright, degrees // 90))
        path = make_clip(tmp_path / f"{degrees}.mp4", [stored] * 3, rotation=degrees, options=PLAIN)
        clip = probe(path)
        assert (clip.width, clip.height) == (48, 64)
        with open_footage(footage(path, [0], 48, 64)) as reader:
            assert number_in(reader.frame(0)) == 5


def test_rotation_is_left_where_the_job_says_so(tmp_path):
    # Blender 4.2 shows such footage lying on its side, and says so in the size.
    path = make_clip(tmp_path / "phone.mp4", 3, 64, 48, rotation=90, options=PLAIN)
    assert shown(path, [0, 1, 2]) == [0, 1, 2]


@pytest.mark.parametrize(("pix_fmt", "dtype", "channels"), [("yuv444p", np.uint8, 3), ("gbrp16le", np.uint16, 3)])
def test_odd_sizes(tmp_path, pix_fmt, dtype, channels):
    codec = "ffv1" if pix_fmt.startswith("gbr") else "libx264"
    path = make_clip(tmp_path / "odd.mkv", 4, 65, 49, codec=codec, pix_fmt=pix_fmt)
    with open_footage(footage(path, range(4), 65, 49)) as reader:
        frame = reader.frame(3)
        assert (frame.shape, frame.dtype, frame.flags.c_contiguous) == ((49, 65, channels), dtype, True)
        assert number_in(frame) == 3


def test_a_repeated_frame_is_not_decoded_again(tmp_path):
    path = make_clip(tmp_path / "clip.mp4", 5)
    with open_footage(footage(path, [2, 2, 2])) as reader:
        first = reader.frame(0)
        assert reader.frame(1) is first
        with pytest.raises(ValueError, match="read-only"):
            first[:] = 0


def test_playing_a_long_group_backwards_is_not_quadratic(tmp_path, monkeypatch):
    count = 400
    path = make_clip(tmp_path / "one group.mp4", count, 32, 32, options={"preset": "ultrafast", "g": "1000"})
    decoded = count_decoded(monkeypatch)
    assert shown(path, range(count), reversed(range(count)), width=32, height=32) == list(range(count))
    # From the only keyframe once for every 64 frames: 400 + 336 + 272 + ... Anew for each would be 80 000.
    assert len(decoded) < 2000


def test_playing_forwards_decodes_each_frame_once(tmp_path, monkeypatch):
    path = make_clip(tmp_path / "clip.mp4", 120, 32, 32, options=PLAIN)
    decoded = count_decoded(monkeypatch)
    shown(path, range(120), width=32, height=32)
    assert len(decoded) == 120


def test_a_trimmed_start_is_sought_not_decoded_through(tmp_path, monkeypatch):
    path = make_clip(tmp_path / "clip.mp4", 600, 32, 32, options=PLAIN)
    decoded = count_decoded(monkeypatch)
    assert shown(path, [560, 561], width=32, height=32) == [560, 561]
    assert len(decoded) < 40


def test_memory_does_not_grow_with_the_clip(tmp_path, monkeypatch):
    monkeypatch.setattr(movie_module, "_KEPT_BYTES", 10 * 64 * 48 * 3 // 2)
    path = make_clip(tmp_path / "clip.mp4", 300, options={"preset": "ultrafast", "g": "300"})
    with Movie(str(path)) as movie:
        most = 0
        for index in reversed(range(300)):
            movie.frame(index)
            most = max(most, len(movie._kept))
        assert 1 <= most <= 10
    peaks = []
    for frames in (range(40), range(300)):
        tracemalloc.start()
        shown(path, frames)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 200_000


def test_another_thread_may_read(tmp_path):
    path = make_clip(tmp_path / "clip.mp4", 20)
    seen = []
    with open_footage(footage(path, range(20))) as reader:
        thread = threading.Thread(target=lambda: seen.extend(number_in(reader.frame(index)) for index in range(20)))
        thread.start()
        thread.join()
    assert seen == list(range(20))


def test_names_in_any_script(tmp_path):
    folder = tmp_path / "a 'quoted' \"folder\" é 日本 %d"
    folder.mkdir()
    path = make_clip(folder / "clip é 日本 %04d.mp4", 3)
    assert shown(path, [0, 1, 2]) == [0, 1, 2]


def count_decoded(monkeypatch):
    """A list that grows by one for each frame decoded from now on."""
    decoded = []
    decode = Movie._decode

    def counting(self, first_pts):
        for frame in decode(self, first_pts):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(Movie, "_decode", counting)
    return decoded
