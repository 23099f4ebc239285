"""Files of cameras as they are found: odd ones that are read, and damaged ones that are refused by line or byte."""

import contextlib
import json
import math
import os
import struct
import time

import numpy as np
import pytest

from backend import cameras
from backend.cameras import formats
from backend.contract import ContractError

TUM = ["0.0 1 2 3 0 0 0 1", "0.5 2 2 3 0 0 0 1", "1.0 3 2 3 0 0 0 1", "1.5 4 2 3 0 0 0 1"]
POSE = "1 0 0 {x} 0 1 0 0 0 0 1 0"
REALESTATE = [f"{index * 40000} 0.5 0.9 0.5 0.5 0 0 {POSE.format(x=-index)}" for index in range(4)]


def places(found):
    return np.array(found.trajectory.poses)[:, 0, 3].tolist()


def text(tmp_path, content, name="t.txt"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# Odd ones

WHOLE = "\n".join(TUM) + "\n"


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


CAMERAS = "1 PINHOLE 640 480 500 500 320 240\n"


def colmap(tmp_path, images, known=CAMERAS, suffix=".txt"):
    for name, content in (("cameras", known), ("images", images)):
        text(tmp_path, content, name + suffix)
    return tmp_path


def image(index, name, points="\n"):
    return f"{index} 1 0 0 0 {-index} 0 0 1 {name}\n{points}"


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


# Damaged ones


def refused(path, **options):
    with pytest.raises(ContractError) as caught:
        formats.read(path, **options)
    said = str(caught.value)
    assert len(said) < 900
    return said


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("1.0 3 2 3 0 0 0", "7 words"),
        ("1.0 3 2 3 0 0 0 1 9", "9 words"),
        ("1.0 3 2 x 0 0 0 1", "8 numbers"),
        ("1.0 3 2 nan 0 0 0 1", "finite"),
        ("1.0 3 2 inf 0 0 0 1", "finite"),
        ("nan 3 2 3 0 0 0 1", "finite"),
        ("1.0 3 2 3 0 0 0 0", "length 1"),
        ("1.0 3 2 3 0 0 0 2", "length 1"),
        ("1.0 3 2", "3 words"),
        ("1,0 3 2 3 0 0 0 1", "9 words"),
        ("1.0 3 2 3 0 0 0 1\0", "null"),
    ],
)
def test_damaged_lines_of_tum(line, wanted, tmp_path):
    said = refused(text(tmp_path, "\n".join(["# x", TUM[0], TUM[1], line])))
    assert said.startswith("t.txt, line 4: found ")
    assert wanted in said


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda line: line.rsplit(" ", 1)[0], "19 numbers as in line 2"),
        (lambda line: line.replace("0.5 0.9", "-0.5 0.9"), "shares"),
        (lambda line: line.replace("0.5 0.9", "500 900"), "shares"),
        (lambda line: line.replace(" 1 0 0 ", " 2 0 0 "), "rotation"),
        (lambda line: line.replace(" 1 0 0 ", " -1 0 0 ", 1), "rotation"),
        (lambda line: line.replace(" 1 0 0 ", " nan 0 0 "), "finite"),
        (lambda line: line.replace("0.9", "O.9"), "19 numbers"),
    ],
)
def test_damaged_lines_of_realestate(change, wanted, tmp_path):
    said = refused(text(tmp_path, "\n".join(["https://x", REALESTATE[0], change(REALESTATE[2])])))
    assert said.startswith("t.txt, line 3: found ")
    assert wanted in said


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("", "no poses"),
        ("# only\n# comments\n", "no poses"),
        ("1 2 3\n", "1 2 3"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "null"),
        (os.urandom(64).replace(b"\n", b"") + b"\0", "null"),
        ("{", "no JSON"),
        ("[1]", "a JSON list"),
        ('{"a": 1}', "'a'"),
        ("hello\nworld\nit is\n", "a file of cameras"),
    ],
)
def test_files_that_are_none(content, wanted, tmp_path):
    assert wanted in refused(text(tmp_path, content))


def test_what_is_not_there(tmp_path):
    assert "not there" in refused(tmp_path / "nowhere.txt")
    assert "folder" in refused(tmp_path)
    assert "is not there" in refused(tmp_path / "x" / "images.bin")


def test_a_stamp_from_another_age_makes_no_endless_trajectory(tmp_path):
    said = refused(text(tmp_path, "\n".join([*TUM, "1305031102.5 0 0 0 0 0 0 1"])), rate=24)
    assert "at most 1000000 frames" in said
    assert "at most 1000000 frames" in refused(text(tmp_path, WHOLE, "u.txt"), rate=1e9)


@pytest.mark.parametrize(
    ("known", "images", "wanted"),
    [
        ("1 PINHOLE 640 480 500 500 320\n", image(1, "a.png"), "cameras.txt, line 1: found [500.0, 500.0, 320.0]"),
        ("1 PINHOLE 640 480 500 500 320 nan\n", image(1, "a.png"), "cameras.txt, line 1"),
        ("1 PINHOLE 640 0 500 500 320 240\n", image(1, "a.png"), "640.0 x 0.0 pixels"),
        ("1 PINHOLE 640 480 0 500 320 240\n", image(1, "a.png"), "more than 0 pixels"),
        ("1 PINHOLE x 480 0 500 320 240\n", image(1, "a.png"), "cameras.txt, line 1"),
        ("1\n", image(1, "a.png"), "cameras.txt, line 1"),
        ("1 MAGIC 640 480 500\n", image(1, "a.png"), "found MAGIC"),
        ("1 OPENCV_FISHEYE 640 480 1 1 1 1 0 0 0 0\n", image(1, "a.png"), "image_undistorter"),
        ("# none\n", image(1, "a.png"), "no cameras"),
        (CAMERAS, "# none\n", "no images"),
        (CAMERAS, image(1, "a.png") + "2 1 0 0 0 0 0 0 5 b.png\n", "images.txt, line 3: found camera 5"),
        (CAMERAS, image(1, "a.png") + "2 1 0 0\n", "images.txt, line 3"),
        (CAMERAS, image(1, "a.png") + "2 0 0 0 0 0 0 0 1 b.png\n", "length 1"),
        (CAMERAS, image(1, "a.png") + "2 nan 0 0 0 0 0 0 1 b.png\n", "images.txt, line 3"),
        (CAMERAS, image(1, "a.png", "one two three\n"), "images.txt, line 2"),
    ],
)
def test_damaged_models_as_text(known, images, wanted, tmp_path):
    assert wanted in refused(colmap(tmp_path, images, known))


def binary(tmp_path):
    poses = np.tile(np.eye(4), (3, 1, 1))
    formats.write(tmp_path, cameras.from_arrays(poses, (500, 500, 320, 240), 640, 480), "colmap-bin")
    return tmp_path / "images.bin", tmp_path / "cameras.bin"


def test_binary_files_cut_off_anywhere_are_refused(tmp_path):
    for path in binary(tmp_path):
        whole = path.read_bytes()
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            assert f"{path.name}, byte " in refused(tmp_path)
        path.write_bytes(whole + b"\0")
        assert "1 bytes more" in refused(tmp_path)
        path.write_bytes(whole)


@pytest.mark.parametrize("count", [4, 2**31, 2**60, 2**64 - 1])
def test_binary_counts_that_cannot_be(count, tmp_path):
    for path in binary(tmp_path):
        whole = path.read_bytes()
        path.write_bytes(struct.pack("<Q", count) + whole[8:])
        assert f"{path.name}, byte " in refused(tmp_path)
        path.write_bytes(whole)
    images, _ = binary(tmp_path / "b") if (tmp_path / "b").mkdir() is None else (None, None)
    whole = images.read_bytes()
    images.write_bytes(whole[:-8] + struct.pack("<Q", count))
    assert "points of an image" in refused(tmp_path / "b")


TOKENS = (b"nan", b"-1", b"0", b"1e400", b"1e308", b"", b"\n", b" ", b"#", b"\xff", b"\0", b"{", b"]", b"null", b'"x"')


@pytest.mark.parametrize("kind", list(formats.KINDS))
def test_garbage_is_never_more_than_refused(kind, tmp_path):
    path = tmp_path / "t"
    known = cameras.from_arrays(cameras.preset("arc_left", 4), (800, 800, 416, 240), 832, 480)
    formats.write(path, known, kind)
    files = [path] if path.is_file() else [each for each in path.iterdir() if each.stem != "points3D"]
    draw = np.random.default_rng(0)
    for file in files:
        whole = file.read_bytes()
        for _ in range(100):
            start = int(draw.integers(0, len(whole)))
            token = TOKENS[int(draw.integers(0, len(TOKENS)))]
            file.write_bytes(whole[:start] + token + whole[start + int(draw.choice((0, 1, 3, 20))) :])
            with contextlib.suppress(ContractError):
                formats.read(path, rate=24)
        file.write_bytes(whole)


def test_a_name_without_an_end(tmp_path):
    images, _ = binary(tmp_path)
    images.write_bytes(struct.pack("<QI7dI", 1, 1, 1, 0, 0, 0, 0, 0, 0, 1) + b"a" * 10_000)
    assert "no end within" in refused(tmp_path)


def test_binary_garbage_is_never_more_than_refused(tmp_path):
    draw = np.random.default_rng(0)
    for path in binary(tmp_path):
        whole = bytearray(path.read_bytes())
        for _ in range(300):
            damaged = bytearray(whole)
            for place in draw.integers(0, len(damaged), 4):
                damaged[place] = draw.integers(0, 256)
            path.write_bytes(damaged)
            with contextlib.suppress(ContractError):
                formats.read(tmp_path)
        path.write_bytes(whole)


def transforms(tmp_path, change=lambda data: data):
    data = {
        "fl_x": 500,
        "w": 640,
        "h": 480,
        "frames": [{"file_path": f"{i}.png", "transform_matrix": np.eye(4).tolist()} for i in (1, 2)],
    }
    change(data)
    return text(tmp_path, json.dumps(data), "transforms.json")


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda data: data.update(frames=[]), "frames: found"),
        (lambda data: data.update(frames={}), "frames: found"),
        (lambda data: data.update(frames=[1]), "frames[0]"),
        (lambda data: data["frames"][1].pop("transform_matrix"), "frames[1].transform_matrix: found nothing"),
        (lambda data: data["frames"][1].update(transform_matrix=[[1, 2], [3]]), "frames[1].transform_matrix"),
        (lambda data: data["frames"][1].update(transform_matrix="x"), "frames[1].transform_matrix"),
        (lambda data: data["frames"][1].update(transform_matrix=np.diag((2, 1, 1, 1)).tolist()), "rotation"),
        (lambda data: data["frames"][1].update(transform_matrix=np.diag((-1, 1, 1, 1)).tolist()), "rotation"),
        (lambda data: data["frames"][1].update(transform_matrix=np.diag((1, 1, 1, 2)).tolist()), "last row"),
        (lambda data: data["frames"][1]["transform_matrix"][0].__setitem__(3, math.nan), "frames[1].transform_matrix"),
        (lambda data: data["frames"][1]["transform_matrix"][0].__setitem__(3, 10**400), "frames[1].transform_matrix"),
        (lambda data: data.update(fl_x="500"), "fl_x: found"),
        (lambda data: data.update(fl_x=-1), "more than 0 pixels"),
        (lambda data: data.update(w=0), "whole pixels"),
        (lambda data: data.update(w=640.5), "whole pixels"),
        (lambda data: data.update(fl_x=math.inf), "fl_x: found"),
        (lambda data: (data.pop("fl_x"), data.update(camera_angle_x=4)), "radians"),
        (lambda data: data.update(applied_scale=0), "applied_scale"),
        (lambda data: data.update(applied_transform=np.diag((1, 1, -1, 1)).tolist()), "applied_transform"),
        (lambda data: data.update(camera_model="OPENCV_FISHEYE"), "fisheye"),
    ],
)
def test_damaged_transforms(change, wanted, tmp_path):
    assert wanted in refused(transforms(tmp_path, change))


def test_transforms_without_a_lens_have_none(tmp_path):
    found = formats.read(transforms(tmp_path, lambda data: data.pop("fl_x")), lens=(36, 36), width=100, height=50)
    assert not found.has_lens
    assert found.trajectory.intrinsics[0].fx == found.trajectory.width


def test_json_that_is_no_utf_8_or_has_a_mark(tmp_path):
    path = transforms(tmp_path)
    content = path.read_text()
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        path.write_bytes(content.encode(encoding))
        assert len(formats.read(path).trajectory) == 2
    path.write_bytes(content.encode().replace(b"1.png", b"\xe9.png"))
    assert "no JSON" in refused(path)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"camera": "cam05"}, "one camera"),
        ({"kind": "fbx"}, "one of recam"),
        ({"rate": 0}, "more than 0"),
        ({"scale": -1}, "more than 0"),
        ({"scale": math.nan}, "more than 0"),
        ({"kind": "recam"}, "no JSON"),
        ({"kind": "re10k"}, "8 words"),
    ],
)
def test_what_cannot_be_asked_for(options, wanted, tmp_path):
    assert wanted in refused(text(tmp_path, WHOLE), **options)


def test_scale(tmp_path):
    assert places(formats.read(text(tmp_path, WHOLE), scale=0.01)) == [0.01, 0.02, 0.03, 0.04]
