"""The ``transforms.json`` of nerfstudio, instant-ngp and NeRF's synthetic scenes.

``{"w": 1920, "h": 1080, "fl_x": ..., "fl_y": ..., "cx": ..., "cy": ..., "frames": [{"file_path": "images/0001.png",
"transform_matrix": [[...], ...]}, ...]}``: camera-to-world, OpenGL axes (x right, y up, z backward), the lens in pixels
with their centres at half-integers, for all frames or in each, or as ``camera_angle_x``, radians. Where the world was
turned or scaled since (``applied_transform``, ``applied_scale``), that is taken back.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...contract import LARGEST_SIDE, Trajectory, natural_order
from ...messages import ContractError
from ..poses import Array
from ..trajectory import arrays
from .files import LONGEST, number
from .groups import chosen, folders, on_one_size, picture_names
from .rotations import opengl, rigid
from .tracks import Track, numbers_of

_EXPECTED = 'a transforms.json: {"fl_x": ..., "w": ..., "frames": [{"transform_matrix": ...}, ...]}'
_MATRIX = "4 rows of 4 finite numbers"
_NO_TIME = "transforms.json holds no frame rate: it has one pose for each frame."
_NO_SCALE = "transforms.json does not say how long a unit is: one is a metre here, unless you say otherwise."
_DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2")
_PINHOLES = ("PINHOLE", "SIMPLE_PINHOLE", "OPENCV", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE", "FULL_OPENCV")
# A transform that was applied is a few whole numbers.
_TOLERANCE = 1e-3


def names(data: dict[str, Any]) -> tuple[str, ...]:
    """The folders of its pictures, where there are several: each is taken for a camera."""
    return folders([_file(each) for each in _frames(data)])


def read(data: dict[str, Any], camera: str | None) -> Track:
    """The poses of one camera, in the order of their pictures' names. Raises ContractError, which names the frame."""
    frames = _frames(data)
    files = [_file(each) for each in frames]
    order = sorted(chosen(files, camera), key=lambda index: (natural_order(files[index]), index))
    fields = [f"frames[{index}]" for index in order]
    matrices = np.stack([_matrix(frames[index], field) for index, field in zip(order, fields, strict=True)])
    poses = opengl(rigid(_taken_back(data, matrices), [f"{each}.transform_matrix" for each in fields]))
    lenses, sizes = _lenses(data, [frames[index] for index in order], fields)
    track = Track(poses, lenses, lacks=(_NO_TIME, _NO_SCALE), numbers=numbers_of([files[index] for index in order]))
    if sizes is not None:
        track = on_one_size(track, sizes)
    if any(each.get(name) for each in (data, *frames) for name in _DISTORTION):
        track = track.telling("The lens is distorted (k1, k2, ...), which a take's cannot be: that is left out.")
    return track


def _frames(data: dict[str, Any]) -> list[dict[str, Any]]:
    frames = data.get("frames")
    if not isinstance(frames, list) or not frames:
        raise ContractError("frames", frames if frames else "nothing", _EXPECTED)
    if len(frames) > LONGEST:
        raise ContractError("frames", f"{len(frames)} entries", f"at most {LONGEST}")
    for index, each in enumerate(frames):
        if not isinstance(each, dict):
            raise ContractError(f"frames[{index}]", each, _EXPECTED)
    return frames


def _file(frame: dict[str, Any]) -> str:
    name = frame.get("file_path", "")
    return name if isinstance(name, str) else ""


def _matrix(frame: dict[str, Any], field: str) -> Array:
    found = frame.get("transform_matrix")
    try:
        matrix = np.array(found, np.float64)
    except (ValueError, TypeError, OverflowError):
        matrix = np.zeros(0)
    if matrix.shape not in ((4, 4), (3, 4)) or not np.isfinite(matrix).all():
        raise ContractError(f"{field}.transform_matrix", "nothing" if found is None else found, _MATRIX)
    if matrix.shape == (4, 4) and np.abs(matrix[3] - (0, 0, 0, 1)).max() > _TOLERANCE:
        raise ContractError(f"{field}.transform_matrix", matrix[3].tolist(), "a last row of 0 0 0 1")
    return matrix[:3]


def _taken_back(data: dict[str, Any], matrices: Array) -> Array:
    """The poses before the world was turned, moved and scaled for a network's sake."""
    scale = number(data.get("applied_scale", 1.0), "applied_scale")
    if scale <= 0:
        raise ContractError("applied_scale", scale, "more than 0")
    result = matrices.copy()
    result[:, :, 3] /= scale
    applied = data.get("applied_transform")
    if applied is None:
        return result
    turn = rigid(_matrix({"transform_matrix": applied}, "applied_transform")[None], ["applied_transform"])[0]
    result[:, :, 3] -= turn[:3, 3]
    return np.einsum("ji,njk->nik", turn[:3, :3], result)


# Lenses


def _lenses(
    data: dict[str, Any], frames: list[dict[str, Any]], fields: list[str]
) -> tuple[Array | None, list[tuple[int, int]] | None]:
    """In pixels with the sizes of the pictures, or in shares of them where nobody says these."""
    known = [_Known(data, frame, field) for frame, field in zip(frames, fields, strict=True)]
    sized = all(each.size is not None for each in known)
    found = [each.lens(in_pixels=sized) for each in known]
    if any(each is None for each in found):
        return None, None
    lenses = np.array(found, np.float64)
    return lenses, [each.size for each in known if each.size is not None] if sized else None


class _Known:
    """What a file says of one frame's lens: in the frame, or else for all."""

    def __init__(self, data: Mapping[str, Any], frame: Mapping[str, Any], field: str) -> None:
        self._data, self._frame, self._field = data, frame, field
        model = frame.get("camera_model", data.get("camera_model", "OPENCV"))
        if model not in _PINHOLES:
            raise ContractError(
                f"{field}.camera_model", model, "a lens without fisheye: one of " + ", ".join(_PINHOLES)
            )
        width, height = self._get("w"), self._get("h")
        self.size = None if width is None or height is None else (self._side("w", width), self._side("h", height))

    def lens(self, *, in_pixels: bool) -> tuple[float, float, float, float] | None:
        x, y = self._focal("x"), self._focal("y")
        width, height = self.size if self.size is not None and in_pixels else (1, 1)
        if not in_pixels:
            angle = self._get("camera_angle_x")
            return None if angle is None else (_share(angle, self._field), math.nan, 0.5, 0.5)
        fx = x if x is not None else self._of_angle("camera_angle_x", width)
        fy = y if y is not None else self._of_angle("camera_angle_y", height)
        fx, fy = fx or fy, fy or fx
        if fx is None or fy is None:
            return None
        cx, cy = self._get("cx"), self._get("cy")
        return fx, fy, width / 2 if cx is None else cx, height / 2 if cy is None else cy

    def _focal(self, axis: str) -> float | None:
        found = self._get(f"fl_{axis}")
        if found is not None and found <= 0:
            raise ContractError(f"{self._field}.fl_{axis}", found, "more than 0 pixels")
        return found

    def _of_angle(self, name: str, side: int) -> float | None:
        angle = self._get(name)
        return None if angle is None else _share(angle, self._field) * side

    def _get(self, name: str) -> float | None:
        for place, field in ((self._frame, f"{self._field}.{name}"), (self._data, name)):
            if place.get(name) is not None:
                return number(place[name], field)
        return None

    def _side(self, name: str, value: float) -> int:
        if not 1 <= value <= LARGEST_SIDE or value != round(value):
            raise ContractError(f"{self._field}.{name}", value, f"whole pixels, 1 to {LARGEST_SIDE}")
        return int(value)


def _share(angle: float, field: str) -> float:
    if not 0 < angle < math.pi:
        raise ContractError(f"{field}.camera_angle", angle, "an angle between 0 and pi, in radians")
    return 0.5 / math.tan(angle / 2)


# Writing


def content(trajectory: Trajectory, first: int) -> tuple[bytes, tuple[str, ...]]:
    """What a file says of this trajectory, and what it does not. ``first``: the number of the first picture."""
    poses, lenses = arrays(trajectory)
    known = [dict(zip(("fl_x", "fl_y", "cx", "cy"), each, strict=True)) for each in lenses.tolist()]
    same = bool((lenses == lenses[0]).all())
    frames = [
        {"file_path": os.path.join("images", name).replace(os.sep, "/")}
        | ({} if same else lens)
        | {"transform_matrix": m}
        for name, lens, m in zip(picture_names(first, len(poses)), known, opengl(poses).tolist(), strict=True)
    ]
    head = {"camera_model": "PINHOLE", "w": trajectory.width, "h": trajectory.height} | (known[0] if same else {})
    text = json.dumps(head | {"frames": frames}, indent=1)
    return (text + "\n").encode(), (_NO_TIME, _NO_SCALE)
