"""How far the pixels of footage are, as a job says it.

Part of the contract (:mod:`.contract`): frozen messages, standard library only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .messages import ContractError, Message, spec

DEPTHS = ("plane", "scene", "file", "auto", "motion", "model", "relief")
ESTIMATED = ("auto", "motion", "model", "relief")
"""Depths that no file holds: the backend finds them from the footage itself; ``auto`` chooses among all of them."""


@dataclass(frozen=True, kw_only=True)
class Depth(Message):
    """How far the footage's pixels are. Depth is planar: along the camera's z axis, in metres."""

    kind: str = spec(
        "a flat plane at the subject distance, the scene's own, or files; or found from the footage: from its camera's "
        "motion, by a depth model, by a relief from what a still picture tells, or the best of these (auto)",
        "plane",
        choices=DEPTHS,
    )
    files: tuple[str, ...] = spec("for scene and file, one per timeline frame (EXR, 16-bit PNG or npy)", ())
    scale: float = spec("metres per unit of the files; for 16-bit PNG, metres at white", 1.0, above=0)
    identity: str = spec("what the depth was made from, where the files are only a copy made for this job", "")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.files and not self.has_files:
            expected = "none for a plane" if self.kind == "plane" else f"none for {self.kind}"
            raise ContractError("files", f"{len(self.files)} files", expected)
        if self.has_files and not self.files:
            raise ContractError("files", "none", "one depth file per timeline frame")

    @property
    def has_files(self) -> bool:
        """Whether it is kept in files."""
        return self.kind in ("scene", "file")

    @classmethod
    def from_path(cls, path: str, length: int, *, frames: Sequence[int] = (), scale: float = 1.0) -> Depth:
        """The depth files at ``path``: one file for a still, or a folder read in the order of the numbers in its names.

        Args:
            path: a file, or a folder that holds nothing but depth files (hidden files aside).
            length: how many timeline frames there are.
            frames: for each of them, which frame of the whole clip it shows; empty where there is no such order.
            scale: metres per unit, as in the field of that name.

        A folder as long as the clip is counted by the clip's frames, so that a clip that is reversed or trimmed keeps
        its depth; one that has a file per timeline frame, and no other meaning, by those.

        Raises:
            ContractError: the folder cannot be listed, or holds another number of files.
        """
        if os.path.isdir(path):
            try:
                names = sorted((each for each in os.listdir(path) if not each.startswith(".")), key=natural_order)
            except OSError as error:
                found_instead = f"{path!r} ({error.strerror})"
                raise ContractError("settings.depth.files", found_instead, "a folder that can be read") from None
            found = [os.path.join(path, each) for each in names]
        else:
            found = [path]
        shown = max(frames, default=len(found)) + 1
        if len(found) == 1:
            files = found * length
        elif len(found) == length != shown:
            files = found
        elif len(found) >= shown:
            files = [found[each] for each in frames]
        else:
            expected = f"{length}, one per timeline frame"
            if frames and shown != length:
                expected += f", or {shown}, one per footage frame"
            raise ContractError("settings.depth.files", f"{len(found)} files in {path!r}", expected)
        return cls(kind="file", files=tuple(files), scale=scale)


def natural_order(name: str) -> list[tuple[int, str]]:
    """What to sort file names by, so that 10 comes after 9."""
    parts = enumerate(re.split(r"([0-9]+)", name))
    # Not as numbers: Python refuses those of thousands of digits, which names in others' files may have.
    return [_by_value(part) if place % 2 else (0, part) for place, part in parts]


def _by_value(digits: str) -> tuple[int, str]:
    told = digits.lstrip("0")
    return len(told), told
