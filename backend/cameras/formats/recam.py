"""ReCam's own trajectory file: a trajectory of the contract as JSON, with the format's version.

``{"recam_trajectory": 1, "width": 832, "height": 480, "poses": [[[...]]], "intrinsics": [{"fx": ...}]}``, in the
conventions of :mod:`backend.contract`.
"""

from __future__ import annotations

import json
import os
from typing import Any

from ...contract import Trajectory
from ...messages import ContractError
from .files import EITHER, load_object, write_new

KEY = "recam_trajectory"
VERSION = 1
_EXPECTED = f'ReCam\'s trajectory: {{"{KEY}": {VERSION}, "width": ..., "height": ..., "poses": ..., "intrinsics": ...}}'


def read(path: str | os.PathLike[str]) -> Trajectory:
    """The trajectory in a file. Raises ContractError for anything but a whole one."""
    return parse(load_object(path, _EXPECTED))


def parse(data: dict[str, Any]) -> Trajectory:
    """The trajectory in what a file holds. Raises ContractError for anything but a whole one."""
    version = data.get(KEY)
    if type(version) is not int or version != VERSION:
        raise ContractError(KEY, "nothing" if version is None else version, f"{VERSION}, in {_EXPECTED}")
    return Trajectory.from_json({name: value for name, value in data.items() if name != KEY})


def write(path: str | os.PathLike[str], trajectory: Trajectory) -> None:
    """Write the trajectory to a new file; raises FileExistsError where there is one already."""
    write_new({os.fspath(path): content(trajectory)})


def content(trajectory: Trajectory) -> bytes:
    """What a file says of this trajectory."""
    return (json.dumps({KEY: VERSION} | trajectory.to_json(), indent=1) + "\n").encode()


def is_ours(path: str | os.PathLike[str]) -> bool:
    """Whether a file says that it is ReCam's trajectory, whole or not. Raises ContractError where it is no JSON."""
    return KEY in load_object(path, EITHER)
