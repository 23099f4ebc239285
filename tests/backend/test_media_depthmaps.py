"""Depth from files that were written here with OpenEXR, OpenCV and numpy alone."""

import cv2
import numpy as np
import OpenEXR
import pytest

from backend.contract import Depth
from backend.media import FootageError, open_depth

WIDTH, HEIGHT = 5, 4
METRES = np.linspace(0.5, 40, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)


def depth(*files, scale=1.0):
    return open_depth(Depth(kind="file", files=tuple(map(str, files)), scale=scale), WIDTH, HEIGHT)


def write_exr(path, channels, **header):
    with OpenEXR.File({"type": OpenEXR.scanlineimage, **header}, channels) as file:
        file.write(str(path))
    return path


@pytest.mark.parametrize("name", ["Z", "ViewLayer.Depth.Z", "V", "Depth.V", "depth.V", "Y", "R", "ViewLayer.Depth"])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_channels_of_exr(tmp_path, name, dtype):
    path = write_exr(tmp_path / "depth é 日本.exr", {name: METRES.astype(dtype)})
    found = depth(path).frame(0)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, METRES, rtol=1e-6 if dtype == np.float32 else 5e-4)


def test_depth_is_found_among_colours(tmp_path):
    colour = np.ones((HEIGHT, WIDTH), np.float32)
    channels = {"R": colour, "G": colour, "B": colour, "A": colour, "ViewLayer.Depth.Z": METRES}
    np.testing.assert_array_equal(depth(write_exr(tmp_path / "all.exr", channels)).frame(0), METRES)


def test_depth_in_a_part_of_its_own(tmp_path):
    colour = np.ones((HEIGHT, WIDTH), np.float32)
    parts = [
        OpenEXR.Part({"type": OpenEXR.scanlineimage}, {"R": colour, "G": colour, "B": colour}, "beauty"),
        OpenEXR.Part({"type": OpenEXR.scanlineimage}, {"Z": METRES}, "depth"),
    ]
    with OpenEXR.File(parts) as file:
        file.write(str(tmp_path / "parts.exr"))
    np.testing.assert_array_equal(depth(tmp_path / "parts.exr").frame(0), METRES)


def test_far_away_is_nothing(tmp_path):
    stored = METRES.copy()
    stored[0, 0], stored[0, 1], stored[0, 2] = 1e10, np.inf, 9e8
    found = depth(write_exr(tmp_path / "far.exr", {"Z": stored}), scale=0.01).frame(0)
    assert found[0, :2].tolist() == [np.inf, np.inf]
    assert np.isfinite(found).sum() == found.size - 2
    np.testing.assert_allclose(found[1:], METRES[1:] * 0.01, rtol=1e-6)


def test_sixteen_bit_png_scales_white(tmp_path):
    stored = (np.arange(WIDTH * HEIGHT, dtype=np.uint16) * 3000 + 100).reshape(HEIGHT, WIDTH)
    stored[-1, -1] = 65535
    cv2.imwrite(str(tmp_path / "gray.png"), stored)
    cv2.imwrite(str(tmp_path / "rgb.png"), np.dstack([stored] * 3))
    maps = depth(tmp_path / "gray.png", tmp_path / "rgb.png", scale=20.0)
    for index in range(2):
        found = maps.frame(index)
        assert found[-1, -1] == 20
        np.testing.assert_allclose(found, stored / 65535 * 20, rtol=1e-6)


def test_npy_of_any_float(tmp_path):
    for dtype in (np.float16, np.float32, np.float64, ">f4"):
        np.save(tmp_path / "a.npy", METRES.astype(dtype))
        np.testing.assert_allclose(depth(tmp_path / "a.npy").frame(0), METRES, rtol=1e-3)
    np.save(tmp_path / "fortran.npy", np.asfortranarray(METRES))
    found = depth(tmp_path / "fortran.npy").frame(0)
    np.testing.assert_array_equal(found, METRES)
    assert found.flags.c_contiguous


def test_each_frame_has_its_own(tmp_path):
    for index in range(3):
        np.save(tmp_path / f"{index}.npy", METRES + index)
    maps = depth(*(tmp_path / f"{index}.npy" for index in range(3)))
    assert len(maps) == 3
    for index in (2, 0, 1, 1):
        np.testing.assert_array_equal(maps.frame(index), METRES + index)


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit('a depth file ran code')",)


def broken_files(folder):
    """Files that are no depth, and a part of what must be said about each."""
    with_nan, negative = METRES.copy(), METRES.copy()
    with_nan[1, 1], negative[1, 1] = np.nan, -1
    np.save(folder / "nan.npy", with_nan)
    yield "nan.npy", "not a number"
    np.save(folder / "negative.npy", negative)
    yield "negative.npy", "behind the camera"
    np.save(folder / "zero.npy", METRES * 0)
    yield "zero.npy", "0 everywhere"
    np.save(folder / "small.npy", METRES[:, :3])
    yield "small.npy", "is 3x4, but the footage is 5x4"
    np.save(folder / "turned.npy", METRES.T)
    yield "turned.npy", "is 4x5, but the footage is 5x4"
    np.save(folder / "cube.npy", METRES[None])
    yield "cube.npy", "but the footage is 5x4"
    np.save(folder / "single.npy", np.float32(1))
    yield "single.npy", "a single number"
    np.save(folder / "whole.npy", METRES.astype(np.int32))
    yield "whole.npy", "floating-point"
    np.save(folder / "evil.npy", np.array([Evil()]), allow_pickle=True)
    yield "evil.npy", "cannot be read as npy"
    np.savez(folder / "several.npz", METRES)
    (folder / "several.npz").rename(folder / "several.npy")
    yield "several.npy", "one array"
    np.save(folder / "cut.npy", METRES)
    (folder / "cut.npy").write_bytes((folder / "cut.npy").read_bytes()[:-9])
    yield "cut.npy", "cut off"
    cv2.imwrite(str(folder / "eight.png"), np.ones((HEIGHT, WIDTH), np.uint8))
    yield "eight.png", "8 bits"
    cv2.imwrite(str(folder / "colour.png"), np.arange(60, dtype=np.uint16).reshape(HEIGHT, WIDTH, 3))
    yield "colour.png", "gray"
    (folder / "text.png").write_text("hello")
    yield "text.png", "damaged"
    (folder / "empty.npy").write_bytes(b"")
    yield "empty.npy", "cannot be read"
    (folder / "text.exr").write_text("hello")
    yield "text.exr", "OpenEXR"
    write_exr(folder / "colours.exr", {"G": METRES, "B": METRES})
    yield "colours.exr", "only the channels"
    (folder / "depth.jpg").write_bytes(b"")
    yield "depth.jpg", "give OpenEXR, 16-bit PNG or npy"
    yield "gone.exr", "moved or renamed"
    yield "gone.npy", "moved or renamed"


def test_what_is_no_depth_is_refused_in_a_sentence(tmp_path):
    for name, complaint in broken_files(tmp_path):
        with pytest.raises(FootageError) as error:
            depth(tmp_path / name).frame(0)
        assert name in str(error.value)
        assert complaint in str(error.value), name
        assert "\n" not in str(error.value)
