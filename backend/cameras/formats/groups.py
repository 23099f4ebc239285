"""Pictures by their names: those of one camera, in one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...contract import natural_order
from ...messages import ContractError
from .tracks import Track


def folders(files: Sequence[str]) -> tuple[str, ...]:
    """The folders that pictures lie in, where there are several: those of a rig's cameras. None where there is one."""
    found = sorted({_folder(each) for each in files}, key=natural_order)
    return tuple(found) if len(found) > 1 else ()


def chosen(files: Sequence[str], camera: str | None) -> list[int]:
    """Which pictures are those of one camera, by its folder; without one, of the first.

    Raises ContractError for ``camera`` where there is none of that name.
    """
    known = folders(files)
    if camera is None:
        camera = known[0] if known else None
    elif camera not in known:
        expected = "one of " + ", ".join(known) if known else "nothing: this trajectory holds one camera"
        raise ContractError("camera", camera, expected)
    return [index for index, each in enumerate(files) if camera is None or _folder(each) == camera]


def on_one_size(track: Track, sizes: Sequence[tuple[int, int]]) -> Track:
    """The track with its lenses on the size of its first picture."""
    if track.lenses is None:
        return track
    first = sizes[0]
    factors = np.array([(first[0] / width, first[1] / height) * 2 for width, height in sizes])
    found = replace(track, lenses=track.lenses * factors, size=first)
    if any(each != first for each in sizes):
        found = found.telling(
            f"The pictures differ in size: all lenses were brought to {first[0]} x {first[1]} pixels."
        )
    return found


def picture_names(first: int, count: int) -> list[str]:
    """Names for the pictures of a clip."""
    return [f"frame_{first + index:05d}.png" for index in range(count)]


def _folder(file: str) -> str:
    return file.replace("\\", "/").rpartition("/")[0]
