"""Files that hold trajectories: the published ``camera_extrinsics.json`` and ReCam's own."""

from __future__ import annotations

import json
import os
from typing import Any

from ...messages import ContractError

EITHER = (
    'a trajectory: ReCam\'s own ({"recam_trajectory": 1, ...}) or a camera_extrinsics.json '
    '({"frame0": {"cam01": "[...] [...] [...] [...]", ...}, ...})'
)
"""What is expected of a file that may hold either."""

_LARGEST = 256 * 1024 * 1024
"""Bytes; an hour at 60 frames a second is some 100 MB. More is not a trajectory."""


def load_object(path: str | os.PathLike[str], expected: str) -> dict[str, Any]:
    """The JSON object in a file. Raises ContractError for ``trajectory`` where there is none that can be read."""
    try:
        size = os.stat(path).st_size
        if size > _LARGEST:
            raise ContractError("trajectory", f"{size} bytes in {os.fspath(path)!r}", expected)
        with open(path, "rb") as opened:
            data = json.loads(opened.read())
    except OSError as error:
        reason = error.strerror or str(error)
        raise ContractError("trajectory", f"{os.fspath(path)!r}, which cannot be read ({reason})", expected) from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, ContractError):
            raise
        raise ContractError("trajectory", f"no JSON in {os.fspath(path)!r} ({error})", expected) from None
    if not isinstance(data, dict):
        raise ContractError("trajectory", f"a JSON {type(data).__name__} in {os.fspath(path)!r}", expected)
    return data
