"""COLMAP's models: cameras and images, as text (this module) and binary (colmap_binary.py).

World-to-camera, quaternions with w first, OpenCV axes, pixel centres at half-integers. Points are not read, and none
are written. The rigs and frames that newer COLMAPs write beside them say nothing more of poses, and are not needed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...contract import LARGEST_SIDE, Trajectory, natural_order
from ...messages import ContractError
from ..poses import Array
from ..trajectory import arrays
from . import colmap_binary
from .colmap_files import path_of
from .files import LONGEST, at_line, is_number, lines
from .groups import chosen, folders, on_one_size, picture_names
from .rotations import from_quaternions, to_quaternions, world_to_camera
from .tracks import Track, numbers_of

TEXT, BINARY = ".txt", ".bin"


@dataclass(frozen=True)
class Model:
    """A kind of lens: its number in binary files, where focal lengths and centre are, and what else there is."""

    number: int
    name: str
    parameters: int
    focals: int = 0
    """1 or 2 focal lengths, followed by the centre; 0: no pinhole."""


MODELS = (
    Model(0, "SIMPLE_PINHOLE", 3, 1),
    Model(1, "PINHOLE", 4, 2),
    Model(2, "SIMPLE_RADIAL", 4, 1),
    Model(3, "RADIAL", 5, 1),
    Model(4, "OPENCV", 8, 2),
    Model(5, "OPENCV_FISHEYE", 8),
    Model(6, "FULL_OPENCV", 12, 2),
    Model(7, "FOV", 5),
    Model(8, "SIMPLE_RADIAL_FISHEYE", 4),
    Model(9, "RADIAL_FISHEYE", 5),
    Model(10, "THIN_PRISM_FISHEYE", 12),
    Model(11, "RAD_TAN_THIN_PRISM_FISHEYE", 16),
    Model(12, "SIMPLE_DIVISION", 4, 1),
    Model(13, "DIVISION", 5, 2),
    Model(14, "SIMPLE_FISHEYE", 3),
    Model(15, "FISHEYE", 4),
    Model(16, "EUCM", 6),
    Model(17, "EQUIRECTANGULAR", 2),
)
_BY_NAME = {each.name: each for each in MODELS}
_BY_NUMBER = {each.number: each for each in MODELS}

_CAMERA = "a camera: CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]"
_IMAGE = "an image: IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME"
_NO_TIME = "COLMAP's files hold no frame rate: they have one pose for each picture."
_NO_SCALE = "COLMAP's files do not say how long a unit is: one is a metre here, unless you say otherwise."


@dataclass(frozen=True)
class Lens:
    """A camera of a file. ``place``: where it stands there."""

    model: Model
    width: int
    height: int
    parameters: tuple[float, ...]
    place: str


@dataclass(frozen=True)
class Image:
    """A picture of a file. ``pose``: quaternion and place, world-to-camera."""

    name: str
    pose: tuple[float, ...]
    lens: int
    place: str


def names(folder: str, suffix: str) -> tuple[str, ...]:
    """The folders of its pictures, where there are several: each is taken for a camera."""
    return folders([each.name for each in _images(folder, suffix)[0]])


def read(folder: str, suffix: str, camera: str | None) -> Track:
    """The poses of one camera, in the order of their pictures' names.

    Raises ContractError, which names the file, and the line or the byte.
    """
    lenses = _lenses(folder, suffix)
    images, told = _images(folder, suffix)
    if not images:
        raise ContractError("trajectory", f"no images in {folder!r}", "a model of COLMAP's with at least one")
    files = [each.name for each in images]
    images = [images[index] for index in sorted(chosen(files, camera), key=lambda each: natural_order(files[each]))]
    for each in images:
        if each.lens not in lenses:
            known = ", ".join(map(str, list(lenses)[:20]))
            raise ContractError(each.place, f"camera {each.lens}", f"one of the cameras {known}")
    used = [lenses[each.lens] for each in images]
    table = np.array([each.pose for each in images])
    poses = world_to_camera(from_quaternions(table[:, :4], table[:, 4:], [each.place for each in images]))
    track = Track(
        poses,
        np.array([_intrinsics(each) for each in used]),
        numbers=numbers_of([each.name for each in images]),
        lacks=(_NO_TIME, _NO_SCALE, *told),
    )
    track = on_one_size(track, [(each.width, each.height) for each in used])
    bent = sorted({each.model.name for each in used if any(each.parameters[each.model.focals + 2 :])})
    if bent:
        track = track.telling(
            f"The lens is distorted ({', '.join(bent)}), which a take's cannot be: that is left out. Undistort the "
            "footage to match (COLMAP's image_undistorter)."
        )
    return track


def _intrinsics(lens: Lens) -> tuple[float, float, float, float]:
    model = lens.model
    if not model.focals:
        expected = "a lens without fisheye, like PINHOLE: undistort the model with COLMAP's image_undistorter"
        raise ContractError(lens.place, model.name, expected)
    fx, fy, cx, cy = lens.parameters[0], lens.parameters[model.focals - 1], *lens.parameters[model.focals :][:2]
    if not fx > 0 or not fy > 0:
        raise ContractError(lens.place, f"the focal lengths {fx:g} and {fy:g}", "more than 0 pixels")
    return fx, fy, cx, cy


def _lenses(folder: str, suffix: str) -> dict[int, Lens]:
    path = path_of(folder, "cameras", suffix)
    found = dict(_text_lenses(path) if suffix == TEXT else _binary_lenses(path))
    if not found:
        raise ContractError("trajectory", f"no cameras in {path!r}", _CAMERA)
    return found


def _images(folder: str, suffix: str) -> tuple[list[Image], tuple[str, ...]]:
    path = path_of(folder, "images", suffix)
    return _text_images(path) if suffix == TEXT else (list(_binary_images(path)), ())


def _lens(model: Model | None, found: object, size: tuple[float, float], numbers: list[float], place: str) -> Lens:
    if model is None:
        raise ContractError(place, found, "one of " + ", ".join(_BY_NAME))
    width, height = size
    if not (1 <= width <= LARGEST_SIDE and 1 <= height <= LARGEST_SIDE):
        raise ContractError(place, f"{width} x {height} pixels", f"1 to {LARGEST_SIDE} along each side")
    if len(numbers) != model.parameters or not np.isfinite(numbers).all():
        raise ContractError(place, numbers, f"{model.parameters} finite numbers for {model.name}")
    return Lens(model, int(width), int(height), tuple(numbers), place)


def _image(name: str, pose: tuple[float, ...], lens: int, place: str) -> Image:
    if not np.isfinite(pose).all():
        raise ContractError(place, pose, _IMAGE)
    return Image(name, pose, lens, place)


# Text


def _text_lenses(path: str) -> Iterator[tuple[int, Lens]]:
    for number, line in lines(path, _CAMERA):
        if not line or line.startswith("#"):
            continue
        place, parts = at_line(path, number), line.split()
        try:
            key, size = int(parts[0]), (float(parts[2]), float(parts[3]))
            numbers = [float(each) for each in parts[4:]]
        except (ValueError, IndexError):
            raise ContractError(place, line, _CAMERA) from None
        yield key, _lens(_BY_NAME.get(parts[1]), parts[1], size, numbers, place)


def _text_images(path: str) -> tuple[list[Image], tuple[str, ...]]:
    """Every other line lists the points of the picture before it, is often empty, and lacks where others wrote it."""
    found: list[Image] = []
    points_may_come = False
    said = None
    for number, line in lines(path, _IMAGE):
        parts = line.split(maxsplit=9)
        if line.startswith("#"):
            said = _said(line) if said is None else said
            continue
        if points_may_come and not _is_image(parts):
            points_may_come = False
            if line and not is_number(parts[0]):
                raise ContractError(at_line(path, number), line, f"the picture's points (X Y POINT3D_ID), or {_IMAGE}")
            continue
        if not line:
            continue
        if not _is_image(parts):
            raise ContractError(at_line(path, number), line, _IMAGE)
        if len(found) >= LONGEST:
            raise ContractError(at_line(path, number), "another image", f"at most {LONGEST} of them")
        pose = tuple(float(each) for each in parts[1:8])
        found.append(_image(parts[9], pose, int(parts[8]), at_line(path, number)))
        points_may_come = True
    if said is not None and said != len(found):
        return found, (f"The file says that it has {said} images, and has {len(found)}: it may not be whole.",)
    return found, ()


def _is_image(parts: list[str]) -> bool:
    whole = len(parts) == 10 and all(map(is_number, parts[1:8])) and parts[0].isdigit() and parts[8].isdigit()
    # A line of points has numbers from end to end, at least one of them after the tenth.
    return whole and not (len(parts[9].split()) > 1 and all(map(is_number, parts[9].split())))


def _said(comment: str) -> int | None:
    words = comment.replace(":", " ").replace(",", " ").split()
    if words[1:4] == ["Number", "of", "images"] and len(words) > 4 and words[4].isdigit():
        return int(words[4])
    return None


# Binary


def _binary_lenses(path: str) -> Iterator[tuple[int, Lens]]:
    with colmap_binary.Reader(path) as file:
        for _ in range(file.count(4 + 4 + 8 + 8 + 8, "cameras")):
            place = file.place
            key, number, width, height = file.take("<IiQQ", "a camera")
            model = _BY_NUMBER.get(number)
            numbers = list(file.take(f"<{model.parameters}d", "a camera's lens")) if model else []
            yield key, _lens(model, f"lens model {number}", (width, height), numbers, place)
        file.end("cameras")


def _binary_images(path: str) -> Iterator[Image]:
    with colmap_binary.Reader(path) as file:
        for _ in range(file.count(4 + 7 * 8 + 4 + 1 + 8, "images")):
            place = file.place
            _, *pose, lens = file.take("<I7dI", "an image")
            image = _image(file.text("an image's name"), tuple(pose), lens, place)
            file.skip(file.count(24, "points of an image") * 24)
            yield image
        file.end("images")


# Writing


def content(trajectory: Trajectory, suffix: str, first: int) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files by name, and what they do not say. ``first``: the number of the first picture."""
    poses, lenses = arrays(trajectory)
    turned = world_to_camera(poses)
    table = np.concatenate([to_quaternions(turned), turned[:, :3, 3]], axis=1)
    known, used = np.unique(lenses, axis=0, return_inverse=True)
    pictures = picture_names(first, len(table))
    write = _as_text if suffix == TEXT else _as_binary
    files = write((trajectory.width, trajectory.height), known, table, used.ravel().tolist(), pictures)
    return {name + suffix: data for name, data in files.items()}, (_NO_TIME, _NO_SCALE)


def _as_text(
    size: tuple[int, int], lenses: Array, table: Array, used: list[int], pictures: list[str]
) -> dict[str, bytes]:
    cameras = ["# Camera list with one line of data per camera", "#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]"]
    cameras += [f"# Number of cameras {len(lenses)}"]
    for index, lens in enumerate(lenses):
        cameras.append(f"{index + 1} PINHOLE {size[0]} {size[1]} {_joined(lens)}")
    images = ["# Image list with two lines of data per image"]
    images += ["#   IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME", "#   POINTS2D[] as (X, Y, POINT3D_ID)"]
    images += [f"# Number of images: {len(table)}, mean observations per image: 0"]
    for index, (row, lens_used, name) in enumerate(zip(table, used, pictures, strict=True)):
        images += [f"{index + 1} {_joined(row)} {lens_used + 1} {name}", ""]
    points = ["# 3D point list with one line of data per point"]
    points += ["#   POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as (IMAGE_ID, POINT2D_IDX)", "# Number of points: 0"]
    texts = {"cameras": cameras, "images": images, "points3D": points}
    return {name: ("\n".join(text) + "\n").encode() for name, text in texts.items()}


def _joined(numbers: Array) -> str:
    return " ".join(f"{each:.17g}" for each in numbers)


def _as_binary(
    size: tuple[int, int], lenses: Array, table: Array, used: list[int], pictures: list[str]
) -> dict[str, bytes]:
    cameras = [struct.pack("<Q", len(lenses))]
    for index, lens in enumerate(lenses):
        cameras.append(struct.pack("<IiQQ4d", index + 1, _BY_NAME["PINHOLE"].number, *size, *lens))
    images = [struct.pack("<Q", len(table))]
    for index, (row, lens_used, name) in enumerate(zip(table, used, pictures, strict=True)):
        images.append(struct.pack("<I7dI", index + 1, *row, lens_used + 1) + name.encode() + struct.pack("<xQ", 0))
    return {"cameras": b"".join(cameras), "images": b"".join(images), "points3D": struct.pack("<Q", 0)}
