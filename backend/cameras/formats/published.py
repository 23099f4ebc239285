"""The ``camera_extrinsics.json`` of ReCamMaster and its MultiCamVideo dataset.

``{"frame0": {"cam01": "[a b c 0] [d e f 0] [g h i 0] [x y z 1] ", ...}, "frame1": ...}``: for each frame and camera an
Unreal matrix in row-vector form. Its rows are the camera's forward, right and up axis and its place, in centimetres, in
a world that is left-handed. Poses relative to one camera are right-handed all the same, as both sides are mirrored.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...contract import Trajectory
from ...messages import ContractError
from ..poses import Array, relative
from ..trajectory import arrays
from .files import EITHER, load_object
from .tracks import Track

_EXPECTED = 'a camera_extrinsics.json: {"frame0": {"cam01": "[...] [...] [...] [...]", ...}, ...}'
_NUMBERS = re.compile(r"\s*" + r"\s*".join([r"\[([^\[\]]*)\]"] * 4) + r"\s*")
_FRAME = re.compile(r"frame(0|[1-9][0-9]{0,8})")
_MATRIX = 'four rows of four numbers, like "[1 0 0 0] [0 1 0 0] [0 0 1 0] [3390 1380 240 1]"'
# The files have six digits; what is further from a rotation than this was not written by a camera.
_TOLERANCE = 1e-3
# Unreal's world (x forward, y right, z up) to a right-handed one (x forward, y left, z up), and back.
_MIRROR = np.diag((1.0, -1.0, 1.0, 1.0))
_NO_LENS = "camera_extrinsics.json holds no lens and no picture size."
_NO_TIME = "camera_extrinsics.json holds no frame rate: it has one pose for each frame."


def read(path: str | os.PathLike[str], camera: str = "cam05") -> Array:
    """Poses (n, 4, 4) of one camera relative to its first frame: metres, OpenCV axes, right-handed.

    Raises ContractError for a file that is not there, no JSON, or damaged, for frames that are missing, and for a
    camera that is not in it.
    """
    return relative(_poses(load_object(path, _EXPECTED), camera))


def cameras(path: str | os.PathLike[str]) -> list[str]:
    """The names of the cameras in a file, in its order. Raises ContractError as :func:`read` does."""
    return list(names(load_object(path, _EXPECTED)))


def names(data: dict[str, Any]) -> tuple[str, ...]:
    """The names of the cameras in what a file holds."""
    return tuple(_frames(data)[0])


def track(data: dict[str, Any], camera: str) -> Track:
    """One camera of what a file holds, in the file's own world, mirrored to be right-handed: z is up, metres."""
    return Track(_MIRROR @ _poses(data, camera), lacks=(_NO_LENS, _NO_TIME))


def content(trajectories: Mapping[str, Trajectory]) -> tuple[bytes, tuple[str, ...]]:
    """What a file says of these cameras, by name, and what it does not. All are as long as one another.

    Raises ContractError where they are not.
    """
    known = {name: _MIRROR @ arrays(each)[0] for name, each in trajectories.items()}
    lengths = {name: len(each) for name, each in known.items()}
    if len(set(lengths.values())) > 1:
        raise ContractError("trajectory", lengths, "cameras of one length: each frame has a pose of every camera")
    frames = {
        f"frame{index}": {name: _text(poses[index]) for name, poses in known.items()}
        for index in range(next(iter(lengths.values())))
    }
    return (json.dumps(frames, indent=1) + "\n").encode(), (_NO_LENS, _NO_TIME)


def _text(pose: Array) -> str:
    """Unreal's matrix, of a camera in the left-handed world."""
    right, down, forward = pose[:3, :3].T
    rows = [(*forward, 0.0), (*right, 0.0), (*-down, 0.0), (*(pose[:3, 3] * 100), 1.0)]
    return " ".join(f"[{' '.join(f'{each:.17g}' for each in row)}]" for row in rows) + " "


def _poses(data: dict[str, Any], camera: str) -> Array:
    """Camera-to-world (n, 4, 4) in metres with OpenCV axes, in the file's left-handed world."""
    frames = _frames(data)
    if camera not in frames[0]:
        raise ContractError("camera", camera, "one of " + ", ".join(map(str, frames[0])))
    return np.stack([_pose(frame, camera, index) for index, frame in enumerate(frames)])


def _frames(data: dict[str, Any]) -> list[dict[str, Any]]:
    for key, value in data.items():
        if not _FRAME.fullmatch(key) or not isinstance(value, dict):
            raise ContractError("trajectory", f"an entry {key!r}", EITHER)
    for index in range(len(data)):
        if f"frame{index}" not in data:
            raise ContractError(f"frame{index}", "nothing", f"every frame of the {len(data)} from frame0 on")
    if not data:
        raise ContractError("trajectory", "no frames", EITHER)
    if not data["frame0"]:
        raise ContractError("frame0", "no cameras", _EXPECTED)
    return [data[f"frame{index}"] for index in range(len(data))]


def _pose(frame: dict[str, Any], camera: str, index: int) -> Array:
    """Camera-to-world (4, 4) in metres with OpenCV axes, in the file's left-handed world (determinant -1)."""
    field = f"frame{index}.{camera}"
    if camera not in frame:
        raise ContractError(field, "nothing", _MATRIX)
    rows = _numbers(frame[camera], field)
    forward, right, up, place = rows[:, :3]
    rotation = np.stack([right, -up, forward], axis=-1)
    with np.errstate(over="ignore", invalid="ignore"):
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
