"""Damaged files of cameras: refused with the line, the frame or the byte, and never more than that."""

import contextlib
import json
import math
import os
import struct

import numpy as np
import pytest
from camera_files import CAMERAS, REALESTATE, TUM, WHOLE, colmap, image, text

from backend import cameras
from backend.cameras import formats
from backend.contract import ContractError


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
        ('{"frame0": {}}', "no cameras"),
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
