"""Files of cameras as they are found: odd ones that are read, with what was decided told."""

import math
import os
import time

import numpy as np
import pytest
from camera_files import CAMERAS, REALESTATE, TUM, WHOLE, colmap, image, text

from backend.cameras import formats


def places(found):
    return np.array(found.trajectory.poses)[:, 0, 3].tolist()


# Odd ones


@pytest.mark.parametrize(
    "content",
    [
        WHOLE,
        WHOLE.rstrip("\n"),
        WHOLE.replace("\n", "\r\n"),
        WHOLE.replace("\n", "\r"),
        WHOLE.replace("\n", "  \t \n\n \n"),
        WHOLE.replace(" ", "\t"),
        WHOLE.replace(" ", "   "),
        WHOLE.replace(" ", ","),
        WHOLE.replace(" ", ", "),
        "﻿" + WHOLE,
        WHOLE.encode("utf-16"),
        "# timestamp tx ty tz qx qy qz qw\n# ground truth\n" + WHOLE + "# the end",
        "timestamp tx ty tz qx qy qz qw\n" + WHOLE,
        "timestamp,tx,ty,tz,qx,qy,qz,qw\n" + WHOLE.replace(" ", ","),
        b"# caf\xe9\xff\n" + WHOLE.encode(),
        WHOLE.replace("1.5", "1.5e+00").replace("2 3", "2E0 3.0e0").replace(" 0 ", " -0 "),
        "\n".join(TUM[::-1]),
        "\n".join([TUM[0], TUM[2], TUM[1], TUM[3], TUM[2]]),
    ],
)
def test_text_in_all_its_forms(content, tmp_path):
    for name in ("t.txt", "T.TXT", "t.tum", "t", "t.csv"):
        found = formats.read(text(tmp_path, content, name))
        assert found.kind == "tum"
        assert places(found) == [1, 2, 3, 4]
        assert found.rate == pytest.approx(2)


def test_names_of_all_kinds(tmp_path):
    folder = tmp_path / 'it\'s a "shot" é 日本'
    folder.mkdir()
    assert places(formats.read(text(folder, WHOLE, "tra j.txt"))) == [1, 2, 3, 4]
    if os.name == "posix":
        assert places(formats.read(os.fsdecode(os.fsencode(text(folder, WHOLE, os.fsdecode(b"\xff.txt")))))) == [
            1,
            2,
            3,
            4,
        ]


def test_frames_that_lack_are_interpolated_and_told(tmp_path):
    found = formats.read(text(tmp_path, "\n".join([TUM[0], TUM[1], "0.75 2.5 2 3 0 0 0 1", TUM[3]])))
    assert places(found) == [1, 1.5, 2, 2.5, 3, 3.5, 4]
    assert found.rate == pytest.approx(4)
    assert found.times.tolist() == [0, 0.5, 0.75, 1.5]
    assert "3 of 7 frames are not in the file: they were interpolated." in found.lacks


def test_frames_that_were_lost_are_interpolated_and_told(tmp_path):
    nan = " ".join(["1.0", *["nan"] * 7])
    found = formats.read(text(tmp_path, "\n".join([TUM[0], TUM[1], nan, TUM[3]])))
    assert places(found) == [1, 2, 3, 4]
    assert any(each.startswith("1 of 4 poses are no numbers") for each in found.lacks)


def test_times_that_are_not_even(tmp_path):
    found = formats.read(
        text(tmp_path, "0 0 0 0 0 0 0 1\n0.1 1 0 0 0 0 0 1\n0.33 3.3 0 0 0 0 0 1\n0.4 4 0 0 0 0 0 1\n")
    )
    assert any("not evenly spaced" in each for each in found.lacks)
    np.testing.assert_allclose(places(found), np.arange(len(found.trajectory)) / found.rate * 10, atol=1e-9)


def test_times_that_jitter_are_those_of_frames(tmp_path):
    draw = np.random.default_rng(1)
    stamps = 1305031102 + np.arange(90) / 30 + draw.uniform(-0.004, 0.004, 90)
    lines = [f"{stamp:.6f} {index} 0 0 0 0 0 1" for index, stamp in enumerate(stamps)]
    found = formats.read(text(tmp_path, "\n".join(lines)))
    assert places(found) == list(range(90))
    assert found.rate == pytest.approx(30, rel=5e-3)


def test_a_long_pause_is_as_long_as_the_times_say(tmp_path):
    stamps = [index / 24 + (300 if index > 5 else 0) for index in range(12)]
    found = formats.read(text(tmp_path, "\n".join(f"{each:.6f} {each} 0 0 0 0 0 1" for each in stamps)))
    assert len(found.trajectory) == 300 * 24 + 12
    np.testing.assert_allclose(places(found), np.arange(300 * 24 + 12) / 24, atol=1e-4)
    assert not any("too far apart" in each for each in found.lacks)


@pytest.mark.parametrize("rate", [1.0, 4.0, 24000 / 1001])
def test_brought_to_a_rate(rate, tmp_path):
    found = formats.read(text(tmp_path, WHOLE), rate=rate)
    assert found.rate == rate
    assert len(found.trajectory) == math.floor(1.5 * rate + 1e-6) + 1
    np.testing.assert_allclose(places(found), 1 + 2 * np.arange(len(found.trajectory)) / rate, atol=1e-9)


def test_a_rate_that_is_the_files_own_changes_no_pose(tmp_path):
    found = formats.read(text(tmp_path, "\n".join(REALESTATE)), rate=25.0)
    assert places(found) == [0, 1, 2, 3]
    assert not any("brought" in each for each in found.lacks)


@pytest.mark.parametrize(("unit", "name"), [(1, "frames"), (33_000, "microseconds"), (33_000_000, "nanoseconds")])
def test_whole_times_of_tum(unit, name, tmp_path):
    start = 5 if unit == 1 else 1_403_636_579 * (unit // 33) * 1000
    lines = [f"{start + index * unit} {index} 0 0 0 0 0 1" for index in (0, 1, 3)]
    found = formats.read(text(tmp_path, "\n".join(lines)))
    np.testing.assert_allclose(places(found), [0, 1, 2, 3], atol=1e-2)
    assert any(name in each for each in found.lacks)
    assert (found.rate is None) == (unit == 1)
    if unit == 1:
        assert found.numbers.tolist() == [5, 6, 8]
    else:
        assert found.rate == pytest.approx(1 / 0.033, rel=1e-2)


def test_times_that_are_all_the_same_are_none(tmp_path):
    lines = [line.replace(line.split()[0], "0", 1) for line in REALESTATE]
    found = formats.read(text(tmp_path, "title\n" + "\n".join(lines)))
    assert places(found) == [0, 1, 2, 3]
    assert found.rate is None
    assert any("same time" in each for each in found.lacks)


@pytest.mark.parametrize("time", [True, False])
@pytest.mark.parametrize("distortion", [True, False])
@pytest.mark.parametrize("title", ["https://www.youtube.com/watch?v=x y\n", "", "\n", "clip\n\n"])
def test_variants_of_realestate(time, distortion, title, tmp_path):
    rows = []
    for line in REALESTATE:
        parts = line.split()
        rows.append(" ".join([*parts[: int(time)], *parts[1:5], *(parts[5:7] if distortion else []), *parts[7:]]))
    found = formats.read(text(tmp_path, title + " \n".join(rows)))
    assert found.kind == "re10k"
    assert places(found) == [0, 1, 2, 3]
    assert (found.rate is None) != time


def test_realestate_that_counts_frames(tmp_path):
    lines = [f"{index} {line.partition(' ')[2]}" for index, line in zip((0, 4, 8, 12), REALESTATE, strict=True)]
    found = formats.read(text(tmp_path, "\n".join(lines)))
    np.testing.assert_allclose(places(found), np.arange(13) / 4)
    assert found.rate is None


def test_realestate_with_the_pictures_size(tmp_path):
    found = formats.read(
        text(tmp_path, "\n".join(line.replace(" 0 0 1 0 0 ", " 1280 720 1 0 0 ") for line in REALESTATE))
    )
    assert (found.trajectory.width, found.trajectory.height) == (1280, 720)
    assert not any("distorted" in each or "picture size" in each for each in found.lacks)


def test_realestate_with_distortion_is_told(tmp_path):
    found = formats.read(
        text(tmp_path, "\n".join(line.replace(" 0 0 1 0 0 ", " 0.1 -0.02 1 0 0 ") for line in REALESTATE))
    )
    assert any("distorted" in each for each in found.lacks)


@pytest.mark.parametrize(
    "images",
    [
        image(1, "f1.png") + image(2, "f2.png") + image(3, "f10.png"),
        image(3, "f10.png") + image(1, "f1.png") + image(2, "f2.png"),
        image(1, "f1.png", "1.5 2.5 -1 3 4 77\n") + image(2, "f2.png", "1e2 2 3\n") + image(3, "f10.png", "1 2 3"),
        image(1, "f1.png", "") + image(2, "f2.png", "") + image(3, "f10.png", ""),
        "# c\n" + image(1, "f1.png").replace("\n", "\r\n") + "\r\n# c\r\n" + image(2, "f2.png") + image(3, "f10.png"),
        "﻿" + image(1, "f1.png", "  \n") + image(2, "f2.png").replace(" ", "\t") + image(3, "f10.png"),
        image(1, "f1.png", " ".join(["1 2 3"] * 5000) + "\n") + image(2, "f2.png") + image(3, "f10.png"),
    ],
)
def test_images_of_colmap_in_all_their_forms(images, tmp_path):
    found = formats.read(colmap(tmp_path, images))
    known = np.array(found.trajectory.poses)[:, 0, 3]
    np.testing.assert_allclose(known[:2], [1, 2])
    np.testing.assert_allclose(known, [1, *np.linspace(2, 3, 9)])
    assert found.numbers.tolist() == [1, 2, 10]
    assert any(each.startswith("7 of 10 frames") for each in found.lacks)


def test_names_with_blanks_and_without_numbers(tmp_path):
    found = formats.read(colmap(tmp_path, image(1, "my clip b.png") + image(2, "my clip a.png")))
    assert places(found) == [2, 1]
    assert found.numbers is None


def test_names_of_thousands_of_digits(tmp_path):
    found = formats.read(colmap(tmp_path, image(1, "2" * 5000 + ".png") + image(2, "1" * 5000 + ".png")))
    assert places(found) == [2, 1]


def test_numbers_that_are_no_frames_are_no_gaps(tmp_path):
    found = formats.read(colmap(tmp_path, image(1, "20260101.png") + image(2, "20261231.png")))
    assert places(found) == [1, 2]
    assert any("too far apart" in each for each in found.lacks)


@pytest.mark.parametrize("below", ["sparse/0", "sparse", "0", "colmap/sparse/0"])
def test_models_below_a_folder_are_found(below, tmp_path):
    inside = tmp_path / below
    inside.mkdir(parents=True)
    colmap(inside, image(1, "a.png"))
    assert formats.detect(tmp_path) == "colmap"
    assert formats.detect(inside / "images.txt") == "colmap"
    assert formats.detect(inside / "cameras.txt") == "colmap"


def test_capital_names(tmp_path):
    text(tmp_path, CAMERAS, "Cameras.TXT")
    text(tmp_path, image(1, "a.png"), "Images.TXT")
    assert len(formats.read(tmp_path).trajectory) == 1
    assert len(formats.read(tmp_path / "Images.TXT").trajectory) == 1


def test_a_list_that_is_not_whole_is_told(tmp_path):
    head = "# Number of images: 40, mean observations per image: 0\n"
    found = formats.read(colmap(tmp_path, head + image(1, "1.png") + image(2, "2.png")))
    assert any("says that it has 40 images, and has 2" in each for each in found.lacks)


def test_large_files_take_no_time(tmp_path):
    lines = [f"{index / 60:.6f} {index} 0 0 0 0 0 1" for index in range(36_000)]  # ten minutes at 60
    path = text(tmp_path, "\n".join(lines))
    start = time.perf_counter()
    assert len(formats.read(path).trajectory) == 36_000
    assert time.perf_counter() - start < 10


def test_scale(tmp_path):
    assert places(formats.read(text(tmp_path, WHOLE), scale=0.01)) == [0.01, 0.02, 0.03, 0.04]
