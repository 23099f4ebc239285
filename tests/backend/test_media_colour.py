"""Colours of footage and pictures, against YUV that is worked out in clips.py and numbers from the standards."""

import cv2
import numpy as np
import OpenEXR
import pytest
from clips import make_clip

from backend.contract import Footage
from backend.media import FootageError, open_footage, probe

COLOURS = np.array(
    [(255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 40), (128, 128, 128), (12, 90, 170)],
    np.uint8,
)
LOSSLESS = {"qp": "0", "preset": "ultrafast"}


def patches(colours=COLOURS, side=16):
    """A strip of squares, one a colour."""
    return np.repeat(np.repeat(colours[None], side, axis=1), side, axis=0)


def middles(picture, side=16):
    return picture[side // 2, side // 2 :: side]


def first_frame(path):
    clip = probe(path)
    kind = Footage(kind="movie", files=(str(path),), frames=(0,), width=clip.width, height=clip.height)
    with open_footage(kind) as reader:
        return reader.frame(0)


def picture_of(path, **size):
    with open_footage(Footage(kind="images", files=(str(path),), frames=(0,), **size)) as reader:
        return reader.frame(0)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize(("matrix", "tagged"), [("bt601", True), ("bt709", True), ("bt601", False)])
def test_the_matrix_is_that_of_the_tag_and_else_bt601(tmp_path, matrix, tagged, pix_fmt):
    path = make_clip(
        tmp_path / "clip.mp4", [patches()] * 2, matrix=matrix, tagged=tagged, pix_fmt=pix_fmt, options=LOSSLESS
    )
    clip = probe(path)
    assert (clip.color, clip.tagged) == (matrix, tagged)
    # 8-bit limited YUV has coarser steps than RGB: two of them are within rounding.
    assert np.abs(middles(first_frame(path)).astype(int) - COLOURS).max() <= 2


def test_untagged_high_definition_is_bt601_too(tmp_path):
    wide = np.repeat(patches(side=160), 5, axis=0)[:720]
    path = make_clip(tmp_path / "hd.mp4", [wide], matrix="bt709", tagged=False, options=LOSSLESS)
    found = middles(first_frame(path), side=160).astype(int)
    # Pure green through the 709 encoder and the 601 decoder, by hand: Y'=0.7152, Cb=-0.3854, Cr=-0.4542, so
    # R = 0.7152 - 1.402 * 0.4542 = 0.078, G = 0.7152 + 0.3441 * 0.3854 + 0.7141 * 0.4542 = 1.17, B = 0.032.
    assert np.abs(found[3] - (20, 255, 8)).max() <= 2


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p"])
def test_full_range_is_honoured(tmp_path, pix_fmt):
    path = make_clip(
        tmp_path / "full.mp4",
        [patches()],
        matrix="bt709",
        tagged=True,
        full_range=True,
        pix_fmt=pix_fmt,
        options=LOSSLESS,
    )
    assert probe(path).full_range
    assert np.abs(middles(first_frame(path)).astype(int) - COLOURS).max() <= 2


def test_ten_bits_fill_sixteen(tmp_path):
    steps = np.linspace(0, 65535, 8).round().astype(np.uint16)
    colours = np.stack([steps, steps[::-1], steps], axis=-1)
    path = make_clip(
        tmp_path / "ten.mkv", [patches(colours)], codec="ffv1", pix_fmt="yuv444p10le", matrix="bt709", tagged=True
    )
    clip, frame = probe(path), first_frame(path)
    assert (clip.bit_depth, frame.dtype) == (10, np.uint16)
    # FFmpeg, and Blender with it, puts the white of more than 8 bits at 65535 * 255/256; a step is 75.
    expected = colours * (255 / 256)
    assert np.abs(middles(frame) - expected).max() <= 150


def test_chroma_is_repeated_over_its_pixels(tmp_path):
    # One red pixel pair in gray: with 4:2:0 its colour covers exactly the 2x2 block, and does not bleed further.
    picture = np.full((16, 16, 3), 128, np.uint8)
    picture[6:8, 8:10] = (200, 90, 90)
    frame = first_frame(make_clip(tmp_path / "c.mkv", [picture], codec="ffv1"))
    off = np.ptp(frame.astype(int), axis=2) > 20
    assert np.argwhere(off).tolist() == [[6, 8], [6, 9], [7, 8], [7, 9]]


ALPHA_CLIPS = {
    "prores.mov": ("prores_ks", "yuva444p10le", np.uint16),
    "animation.mov": ("qtrle", "argb", np.uint8),
    "png.mov": ("png", "rgba", np.uint8),
    "lossless.mkv": ("ffv1", "bgra", np.uint8),
    "deep.mkv": ("ffv1", "gbrap16le", np.uint16),
    "web.webm": ("libvpx-vp9", "yuva420p", np.uint8),
}


@pytest.mark.parametrize("name", ALPHA_CLIPS)
def test_alpha_is_straight(tmp_path, name):
    codec, pix_fmt, dtype = ALPHA_CLIPS[name]
    rgba = np.dstack([patches(), np.full((16, 128), 128, np.uint8)])
    rgba[:, 64:, 3] = 255
    options = {"crf": "4", "b": "0", "auto-alt-ref": "0", "cpu-used": "8", "deadline": "realtime"}
    path = make_clip(
        tmp_path / name, [rgba] * 2, codec=codec, pix_fmt=pix_fmt, options=options if codec == "libvpx-vp9" else None
    )
    clip, frame = probe(path), first_frame(path)
    assert clip.has_alpha
    assert frame.dtype == dtype
    assert frame.shape == (16, 128, 4)
    found = middles(frame) / (257 if dtype == np.uint16 else 1)
    assert np.abs(found - middles(rgba)).max() <= (12 if codec == "libvpx-vp9" else 2.5)


# Pictures


def bgr(picture):
    return np.ascontiguousarray(picture[..., ::-1])


def test_pictures_come_back_as_stored(tmp_path):
    deep = patches().astype(np.uint16) * 257 + 3
    for name, picture in (
        ("8.png", patches()),
        ("16.png", deep),
        ("8.tif", patches()),
        ("16.tiff", deep),
        ("8.bmp", patches()),
    ):
        cv2.imwrite(str(tmp_path / name), bgr(picture))
        found = picture_of(tmp_path / name, width=128, height=16)
        assert found.dtype == picture.dtype
        np.testing.assert_array_equal(found, picture)
    gray = patches()[..., 0]
    cv2.imwrite(str(tmp_path / "gray.png"), gray)
    np.testing.assert_array_equal(picture_of(tmp_path / "gray.png", width=128, height=16), np.dstack([gray] * 3))
    rgba = np.dstack([patches(), np.full((16, 128), 77, np.uint8)])
    cv2.imwrite(str(tmp_path / "alpha.png"), rgba[..., (2, 1, 0, 3)])
    np.testing.assert_array_equal(picture_of(tmp_path / "alpha.png", width=128, height=16), rgba)


def test_palettes_are_looked_up(tmp_path):
    indices = np.repeat(np.repeat(np.arange(4, dtype=np.uint8)[None], 4, axis=1), 4, axis=0)
    palette = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (10, 20, 30)]
    (tmp_path / "palette.png").write_bytes(palette_png(indices, palette))
    np.testing.assert_array_equal(
        picture_of(tmp_path / "palette.png", width=16, height=4), np.array(palette, np.uint8)[indices]
    )


def test_exif_rotation_of_jpeg_is_ignored_as_blender_ignores_it(tmp_path):
    cv2.imwrite(str(tmp_path / "plain.jpg"), bgr(patches()), [cv2.IMWRITE_JPEG_QUALITY, 98])
    data = (tmp_path / "plain.jpg").read_bytes()
    # An Exif segment with one entry: orientation (0x0112) = 6, turn 90 degrees clockwise.
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    turned = data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]
    (tmp_path / "phone.jpg").write_bytes(turned)
    picture = picture_of(tmp_path / "phone.jpg", width=128, height=16)
    assert np.abs(middles(picture).astype(int) - COLOURS).max() <= 6


def write_exr(path, **channels):
    with OpenEXR.File({"type": OpenEXR.scanlineimage}, channels) as file:
        file.write(str(path))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_exr_is_display_referred_and_clipped(tmp_path, dtype):
    values = np.array([[0.0, 0.25, 0.5, 1.0, 4.0, -1.0]], dtype)
    write_exr(tmp_path / "a.exr", R=values, G=values * 0 + dtype(0.75), B=values)
    found = picture_of(tmp_path / "a.exr", width=6, height=1)
    assert found[0, :, 0].tolist() == [0, 16384, 32768, 65535, 65535, 0]
    assert found[0, :, 1].tolist() == [49151] * 6


def test_exr_colour_is_divided_by_its_alpha(tmp_path):
    half = np.full((2, 2), 0.5, np.float32)
    write_exr(tmp_path / "a.exr", **{f"Layer.{name}": half / 2 for name in "RGB"}, **{"Layer.A": half})
    found = picture_of(tmp_path / "a.exr", width=2, height=2)
    assert found[0, 0].tolist() == [32768] * 4


def test_exr_with_many_layers_shows_the_combined_one(tmp_path):
    layers = {"ViewLayer.Ambient": 0.2, "ViewLayer.Combined": 0.5, "ViewLayer.Mist": 0.8}
    channels = {
        f"{layer}.{name}": np.full((2, 2), value, np.float32) for layer, value in layers.items() for name in "RGB"
    }
    write_exr(tmp_path / "a.exr", **channels, **{"ViewLayer.Depth.Z": np.ones((2, 2), np.float32)})
    assert picture_of(tmp_path / "a.exr", width=2, height=2)[0, 0].tolist() == [32768] * 3
    write_exr(tmp_path / "b.exr", **channels, **{name: np.full((2, 2), 1, np.float32) for name in "RGB"})
    assert picture_of(tmp_path / "b.exr", width=2, height=2)[0, 0].tolist() == [65535] * 3
    write_exr(tmp_path / "c.exr", Z=np.ones((2, 2), np.float32))
    with pytest.raises(FootageError, match="no colour"):
        picture_of(tmp_path / "c.exr", width=2, height=2)
    write_exr(tmp_path / "d.exr", Y=np.full((2, 2), 0.5, np.float32))
    assert picture_of(tmp_path / "d.exr", width=2, height=2)[0, 0].tolist() == [32768] * 3


def test_a_sequence_keeps_to_the_layout_of_its_first_picture(tmp_path):
    opaque = np.dstack([patches(), np.full((16, 128), 255, np.uint8)])
    clear = opaque.copy()
    clear[0, 0, 3] = 254
    cv2.imwrite(str(tmp_path / "1.png"), bgr(patches()))
    cv2.imwrite(str(tmp_path / "2.png"), opaque[..., (2, 1, 0, 3)])
    cv2.imwrite(str(tmp_path / "3.png"), bgr(patches()).astype(np.uint16) * 257)
    cv2.imwrite(str(tmp_path / "4.png"), clear[..., (2, 1, 0, 3)])
    files = tuple(str(tmp_path / f"{number}.png") for number in (1, 2, 3, 4))
    with open_footage(Footage(kind="images", files=files, frames=(0, 1, 2, 3), width=128, height=16)) as reader:
        for index in range(3):
            np.testing.assert_array_equal(reader.frame(index), patches())
        with pytest.raises(FootageError, match="transparent"):
            reader.frame(3)


def test_single_pictures_and_names_in_any_script(tmp_path):
    path = tmp_path / "Bild é 日本 'q' \"d\".png"
    path.write_bytes(cv2.imencode(".png", bgr(patches()))[1].tobytes())
    with open_footage(Footage(kind="images", files=(str(path),), frames=(0, 0, 0), width=128, height=16)) as reader:
        np.testing.assert_array_equal(reader.frame(2), patches())
    assert (probe(path).width, probe(path).height, probe(path).frames) == (128, 16, 1)


def palette_png(indices, palette):
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = indices.shape
    rows = b"".join(b"\0" + row.tobytes() for row in indices)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            chunk(b"PLTE", bytes(value for colour in palette for value in colour)),
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        )
    )
