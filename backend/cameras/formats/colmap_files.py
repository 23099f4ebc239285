"""Where COLMAP's files lie: cameras and images, as text or binary, in one folder."""

from __future__ import annotations

import os

_NAMES = ("cameras", "images", "points3D", "frames", "rigs")
_SUFFIXES = (".bin", ".txt")  # COLMAP itself takes the binary ones where there are both
_BELOW = ("", os.path.join("sparse", "0"), "sparse", "0", os.path.join("colmap", "sparse", "0"))


def is_one(path: str) -> bool:
    """Whether a file is called as one of COLMAP's, and the others are beside it."""
    stem, suffix = os.path.splitext(os.path.basename(path))
    named = stem.lower() in {each.lower() for each in _NAMES} and suffix.lower() in _SUFFIXES
    return named and _whole(os.path.dirname(path) or ".", suffix.lower())


def folder_of(path: str) -> str:
    """The folder that one of the files lies in."""
    return os.path.dirname(path) or "."


def find(folder: str, suffix: str | None) -> tuple[str, str] | None:
    """The folder with COLMAP's files, and what their names end in: this one, or where COLMAP puts it below.

    Args:
        folder: where to look.
        suffix: ``.bin`` or ``.txt`` where only one will do.
    """
    for below in _BELOW:
        inside = os.path.join(folder, below) if below else folder
        for each in _SUFFIXES if suffix is None else (suffix,):
            if _whole(inside, each):
                return inside, each
    return None


def path_of(folder: str, name: str, suffix: str) -> str:
    """One of the files, however its name is written."""
    plain = os.path.join(folder, name + suffix)
    if not os.path.exists(plain):
        for each in _listed(folder):
            if each.lower() == os.path.basename(plain).lower():
                return os.path.join(folder, each)
    return plain


def _whole(folder: str, suffix: str) -> bool:
    return all(os.path.isfile(path_of(folder, name, suffix)) for name in ("cameras", "images"))


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
