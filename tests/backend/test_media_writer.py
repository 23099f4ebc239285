"""Takes as they are stored: exact size, rate, tags, order, and how near to what was written."""

import threading
from fractions import Fraction

import av
import cv2
import numpy as np
import OpenEXR
import pytest
from clips import number_in, numbered, psnr, yuv

from backend.contract import FORMATS, Footage, Output
from backend.media import open_footage, open_take, probe


def output(path, width=64, height=48, **more):
    return Output(path=str(path), width=width, height=height, rate=more.pop("rate", Fraction(24)), **more)


def write(wanted, frames, masks=(), **kind):
    with open_take(wanted, **kind) as take:
        for frame in frames:
            take.write(frame)
        for mask in masks:
            take.write_mask(mask)
    return take


def read(path, count, width=64, height=48):
    if path.is_dir():
        files = tuple(str(each) for each in sorted(path.iterdir()))
        footage = Footage(kind="images", files=files, frames=tuple(range(count)), width=width, height=height)
    else:
        footage = Footage(kind="movie", files=(str(path),), frames=tuple(range(count)), width=width, height=height)
    with open_footage(footage) as reader:
        return [reader.frame(index) for index in range(count)]


def soft(index, width, height):
    """A picture as cameras make them: its colour has no edges that 4:2:0 could not hold."""
    return cv2.GaussianBlur(numbered(index, width, height), (0, 0), 2.5)


def shared_chroma(picture):
    luma, *chroma = yuv(picture, 8, matrix="bt709", full_range=True)
    halved = [np.repeat(np.repeat(each.reshape(48, 2, 80, 2).mean(axis=(1, 3)), 2, 0), 2, 1) for each in chroma]
    blue, red = luma + 1.8556 * (halved[0] - 128), luma + 1.5748 * (halved[1] - 128)
    green = (luma - 0.2126 * red - 0.0722 * blue) / 0.7152
    return np.stack([red, green, blue], axis=-1).clip(0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("size", [(64, 48), (65, 49), (64, 49), (2, 2)])
@pytest.mark.parametrize("format_", FORMATS)
def test_size_rate_and_order_are_exact(tmp_path, format_, size):
    width, height = size
    rate = Fraction(24000, 1001)
    wanted = output(tmp_path / f"take{FORMATS[format_]}", width, height, format=format_, rate=rate)
    frames = [numbered(index, width, height) for index in range(15)]
    take = write(wanted, frames)
    if FORMATS[format_]:
        clip = probe(take.path)
        assert (clip.width, clip.height, clip.rate, clip.frames) == (width, height, rate, 15)
    else:
        assert sorted(each.name for each in take.path.iterdir()) == [f"{n:04d}.{format_}" for n in range(1, 16)]
    if width > 40:
        assert [number_in(frame) for frame in read(take.path, 15, width, height)] == list(range(15))
    assert [each.name for each in tmp_path.iterdir()] == [take.path.name]


@pytest.mark.parametrize(
    "rate", [Fraction(24), Fraction(30000, 1001), Fraction(25, 2), Fraction(120), Fraction(1000, 33)]
)
def test_each_frame_stands_at_its_exact_time(tmp_path, rate):
    for format_ in ("h264", "prores4444"):
        take = write(output(tmp_path / f"t{FORMATS[format_]}", rate=rate, format=format_), [numbered(0, 64, 48)] * 40)
        with av.open(str(take.path)) as container:
            stream = container.streams.video[0]
            times = [frame.pts * stream.time_base for frame in container.decode(stream)]
        assert times == [index / rate for index in range(40)]
        take.path.unlink()


def test_movies_are_tagged_bt709(tmp_path):
    for format_ in ("h264", "prores4444"):
        take = write(output(tmp_path / f"take{FORMATS[format_]}", format=format_), [numbered(0, 64, 48)] * 3)
        with av.open(str(take.path)) as container:
            frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == (1, 1, 1, 1)


def test_colours_are_encoded_with_the_matrix_of_bt709(tmp_path):
    # Y' = 219 (0.2126 R + 0.7152 G + 0.0722 B) + 16 for pure red, green and blue.
    for colour, luma in (((255, 0, 0), 62.6), ((0, 255, 0), 172.6), ((0, 0, 255), 31.8)):
        path = tmp_path / f"{luma}.mp4"
        write(output(path), [np.full((48, 64, 3), colour, np.uint8)] * 2)
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
        plane = np.frombuffer(frame.planes[0], np.uint8).reshape(48, -1)[:, :64]
        assert np.abs(plane.astype(float) - luma).max() <= 1.5


def test_h264_is_near_transparent(tmp_path):
    frames = [soft(index, 160, 96) for index in range(30)]
    whole = read(write(output(tmp_path / "whole.mp4", 160, 96), frames, whole_chroma=True).path, 30, 160, 96)
    assert min(psnr(a, b) for a, b in zip(whole, frames, strict=True)) >= 45
    odd = [frame[:95, :159] for frame in frames]
    found = read(write(output(tmp_path / "odd.mp4", 159, 95), odd).path, 30, 159, 95)
    assert min(psnr(a, b) for a, b in zip(found, odd, strict=True)) >= 45


def test_h264_gives_back_footage_that_shared_its_chroma(tmp_path):
    # Footage that comes from 4:2:0 has one colour for each 2x2 pixels; that is all that 4:2:0 can hold.
    frames = [shared_chroma(soft(index, 160, 96)) for index in range(30)]
    path = write(output(tmp_path / "take.mp4", 160, 96), frames).path
    assert not probe(path).whole_chroma
    assert min(psnr(a, b) for a, b in zip(read(path, 30, 160, 96), frames, strict=True)) >= 45


def test_h264_can_be_scrubbed(tmp_path):
    take = write(output(tmp_path / "take.mp4"), [numbered(index, 64, 48) for index in range(60)])
    with av.open(str(take.path)) as container:
        keys = [index for index, packet in enumerate(container.demux(video=0)) if packet.is_keyframe and packet.size]
    assert np.diff([*keys, 60]).max() <= 12
    # The index stands before the pictures: a player need not read to the end first.
    data = take.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("format_", ["ffv1", "png"])
def test_lossless_formats_are(tmp_path, format_, depth, alpha):
    rng = np.random.default_rng(3)
    dtype = np.uint8 if depth == 8 else np.uint16
    frames = [rng.integers(0, 2**depth, (49, 65, 4 if alpha else 3), dtype) for _ in range(5)]
    wanted = output(tmp_path / f"take{FORMATS[format_]}", 65, 49, format=format_)
    found = read(write(wanted, frames, has_alpha=alpha, bit_depth=depth).path, 5, 65, 49)
    for a, b in zip(found, frames, strict=True):
        np.testing.assert_array_equal(a, b)


def test_prores_holds_ten_bits_and_alpha(tmp_path):
    ramp = np.linspace(2000, 63000, 64 * 48).reshape(48, 64)
    frame = np.stack([ramp, ramp[::-1], np.full_like(ramp, 30000), ramp[:, ::-1]], axis=-1).astype(np.uint16)
    wanted = output(tmp_path / "take.mov", format="prores4444")
    found = read(write(wanted, [frame] * 2, has_alpha=True, bit_depth=16).path, 2)[1].astype(float)
    # FFmpeg's reader puts the white of more than 8 bits at 255/256; a step of 10 bits is 75 of 65535.
    assert np.abs(found[..., :3] - frame[..., :3] * (255 / 256)).max() < 400
    assert np.abs(found[..., 3] - frame[..., 3]).max() < 100


def test_exr_holds_display_values_premultiplied_in_halves(tmp_path):
    frame = np.full((48, 64, 4), (255, 51, 0, 128), np.uint8)
    take = write(output(tmp_path / "take", format="exr"), [frame], has_alpha=True)
    with OpenEXR.File(str(take.path / "0001.exr"), separate_channels=True) as file:
        pixels = {name: channel.pixels for name, channel in file.channels().items()}
    assert {channel.dtype.name for channel in pixels.values()} == {"float16"}
    share = 128 / 255
    for name, value in (("R", share), ("G", 0.2 * share), ("B", 0), ("A", share)):
        np.testing.assert_allclose(pixels[name].astype(float), value, atol=5e-4)
    assert np.abs(read(take.path, 1)[0].astype(int) - frame.astype(int) * 257).max() <= 70


def test_h264_drops_alpha(tmp_path):
    frames = [np.dstack([numbered(index, 64, 48), np.full((48, 64), 9, np.uint8)]) for index in range(4)]
    take = write(output(tmp_path / "take.mp4"), frames, has_alpha=True)
    assert [number_in(frame) for frame in read(take.path, 4)] == [0, 1, 2, 3]
    assert not probe(take.path).has_alpha


@pytest.mark.parametrize("format_", FORMATS)
def test_the_mask_lies_beside_the_take(tmp_path, format_):
    wanted = output(tmp_path / f"shot 1.v001{FORMATS[format_]}", format=format_, mask=True)
    mask = np.zeros((48, 64), np.uint8)
    mask[:, 32:] = 255
    take = write(wanted, [numbered(0, 64, 48)] * 3, [mask, 255 - mask, mask])
    assert take.mask_path == tmp_path / f"shot 1.v001_mask{FORMATS[format_]}"
    found = read(take.mask_path, 3)
    for picture, expected in zip(found, (mask, 255 - mask, mask), strict=True):
        values = picture[..., :3] / (257 if picture.dtype == np.uint16 else 1)
        # Black is black and white is white; at the edge a codec may ring.
        assert np.abs(values - expected[..., None])[:, (0, 10, 20, 50, 63)].max() <= (
            1.1 if format_ == "prores4444" else 0
        )


def test_another_thread_may_write(tmp_path):
    with open_take(output(tmp_path / "take.mp4")) as take:
        thread = threading.Thread(target=lambda: [take.write(numbered(index, 64, 48)) for index in range(10)])
        thread.start()
        thread.join()
    assert [number_in(frame) for frame in read(take.path, 10)] == list(range(10))


def test_views_and_wrong_shapes(tmp_path):
    with open_take(output(tmp_path / "take.mp4", mask=True)) as take:
        take.write(np.flip(numbered(3, 64, 48), axis=1)[:, ::-1])
        take.write_mask(np.zeros((96, 128), np.uint8)[::2, ::2])
        with pytest.raises(ValueError, match="64x48"):
            take.write(numbered(0, 48, 64))
        with pytest.raises(ValueError, match="64x48"):
            take.write_mask(np.zeros((48, 64, 3), np.uint8))
    assert number_in(read(take.path, 1)[0]) == 3
