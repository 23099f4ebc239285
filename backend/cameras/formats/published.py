"""The ``camera_extrinsics.json`` of ReCamMaster and its MultiCamVideo dataset.

``{"frame0": {"cam01": "[a b c 0] [d e f 0] [g h i 0] [x y z 1] ", ...}, "frame1": ...}``: for each frame and camera an
Unreal matrix in row-vector form. Its rows are the camera's forward, right and up axis and its place, in centimetres, in
a world that is left-handed. Poses relative to one camera are right-handed all the same, as both sides are mirrored.
"""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np

from ...messages import ContractError
from ..poses import Array, relative
from . import EITHER, load_object

_EXPECTED = 'a camera_extrinsics.json: {"frame0": {"cam01": "[...] [...] [...] [...]", ...}, ...}'
_NUMBERS = re.compile(r"\s*" + r"\s*".join([r"\[([^\[\]]*)\]"] * 4) + r"\s*")
_FRAME = re.compile(r"frame(0|[1-9][0-9]{0,8})")
_MATRIX = 'four rows of four numbers, like "[1 0 0 0] [0 1 0 0] [0 0 1 0] [3390 1380 240 1]"'
# The files have six digits; what is further from a rotation than this was not written by a camera.
_TOLERANCE = 1e-3


def read(path: str | os.PathLike[str], camera: str = "cam05") -> Array:
    """Poses (n, 4, 4) of one camera relative to its first frame: metres, OpenCV axes, right-handed.

    Raises ContractError for a file that is not there, no JSON, or damaged, for frames that are missing, and for a
    camera that is not in it.
    """
    frames = _frames(load_object(path, _EXPECTED))
    if camera not in frames[0]:
        raise ContractError("camera", camera, "one of " + ", ".join(map(str, frames[0])))
    return relative(np.stack([_pose(frame, camera, index) for index, frame in enumerate(frames)]))


def cameras(path: str | os.PathLike[str]) -> list[str]:
    """The names of the cameras in a file, in its order. Raises ContractError as :func:`read` does."""
    return list(_frames(load_object(path, _EXPECTED))[0])


def _frames(data: dict[str, Any]) -> list[dict[str, Any]]:
    for key, value in data.items():
        if not _FRAME.fullmatch(key) or not isinstance(value, dict):
            raise ContractError("trajectory", f"an entry {key!r}", EITHER)
    for index in range(len(data)):
        if f"frame{index}" not in data:
            raise ContractError(f"frame{index}", "nothing", f"every frame of the {len(data)} from frame0 on")
    if not data:
        raise ContractError("trajectory", "no frames", EITHER)
    return [data[f"frame{index}"] for index in range(len(data))]


def _pose(frame: dict[str, Any], camera: str, index: int) -> Array:
    """Camera-to-world (4, 4) in metres with OpenCV axes, in the file's left-handed world (determinant -1)."""
    field = f"frame{index}.{camera}"
    if camera not in frame:
        raise ContractError(field, "nothing", _MATRIX)
    rows = _numbers(frame[camera], field)
    forward, right, up, place = rows[:, :3]
    rotation = np.stack([right, -up, forward], axis=-1)
    straight = np.abs(rotation.T @ rotation - np.eye(3)).max() <= _TOLERANCE
    if not straight or np.linalg.det(rotation) > 0 or np.abs(rows[:, 3] - (0, 0, 0, 1)).max() > _TOLERANCE:
        raise ContractError(field, frame[camera], "a rotation and a place, in Unreal's left-handed axes")
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = place / 100
    return pose


def _numbers(text: object, field: str) -> Array:
    found = _NUMBERS.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ContractError(field, text, _MATRIX)
    try:
        rows = np.array([[float(word) for word in row.split()] for row in found.groups()], np.float64)
    except ValueError:
        raise ContractError(field, text, _MATRIX) from None
    if rows.shape != (4, 4) or not np.isfinite(rows).all():
        raise ContractError(field, text, _MATRIX)
    return rows
