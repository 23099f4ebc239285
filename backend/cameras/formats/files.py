"""Reading and writing the files of cameras: what is read is limited and named, what is written is new and whole."""

from __future__ import annotations

import codecs
import contextlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ...messages import ContractError
from ..poses import Array

Path = str | os.PathLike[str]

EITHER = (
    'a trajectory: ReCam\'s own ({"recam_trajectory": 1, ...}) or a camera_extrinsics.json '
    '({"frame0": {"cam01": "[...] [...] [...] [...]", ...}, ...}), or a transforms.json ({"frames": [...], ...})'
)
"""What is expected of a JSON file that may hold any."""

LONGEST = 1_000_000
"""Poses in one file. More is not a trajectory."""

_LARGEST = 256 * 1024 * 1024
"""Bytes; an hour at 60 frames a second is some 100 MB. More is not a trajectory."""

# A line of COLMAP's lists all points of one picture, some 20 characters each.
_LONGEST_LINE = 64 * 1024 * 1024


def load_object(path: Path, expected: str) -> dict[str, Any]:
    """The JSON object in a file. Raises ContractError for ``trajectory`` where there is none that can be read."""
    try:
        size = os.stat(path).st_size
        if size > _LARGEST:
            raise ContractError("trajectory", f"{size} bytes in {os.fspath(path)!r}", expected)
        with open(path, "rb") as opened:
            data = json.loads(opened.read())
    except OSError as error:
        raise unreadable(path, error, expected) from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, ContractError):
            raise
        raise ContractError("trajectory", f"no JSON in {os.fspath(path)!r} ({error})", expected) from None
    if not isinstance(data, dict):
        raise ContractError("trajectory", f"a JSON {type(data).__name__} in {os.fspath(path)!r}", expected)
    return data


def unreadable(path: Path, error: OSError, expected: str) -> ContractError:
    """The complaint about a file that the system does not give."""
    reason = error.strerror or str(error)
    return ContractError("trajectory", f"{os.fspath(path)!r}, which cannot be read ({reason})", expected)


def at_line(path: Path, number: int) -> str:
    """Where something is wrong: the field of a complaint."""
    return f"{base_name(path)}, line {number}"


def base_name(path: Path) -> str:
    """The last part of a path, fit to be shown: what is no text in it is escaped."""
    return printable(os.path.basename(os.fspath(path)))


def printable(text: str) -> str:
    """A text that can be encoded, with escapes for what cannot."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def lines(path: Path, expected: str) -> Iterator[tuple[int, str]]:
    """The lines of a text with their numbers from 1, stripped; empty ones and all kinds of line ends included.

    UTF-8 and UTF-16 with or without a mark; what is neither is read all the same, as numbers are the same in all.

    Raises:
        ContractError: for ``trajectory`` where there is no text, for the line where it is none or has no end.
    """
    try:
        with open(path, "rb") as raw:
            head = raw.read(4)
        utf_16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        encoding = "utf-16" if utf_16 else "utf-8-sig"
        errors = "replace" if utf_16 else "backslashreplace"
        with open(path, encoding=encoding, errors=errors) as opened:
            number = 0
            while line := opened.readline(_LONGEST_LINE):
                number += 1
                if len(line) >= _LONGEST_LINE:
                    raise ContractError(at_line(path, number), f"more than {_LONGEST_LINE} characters", expected)
                if "\0" in line:
                    raise ContractError(at_line(path, number), "a null character", f"a text: {expected}")
                yield number, line.strip()
    except OSError as error:
        raise unreadable(path, error, expected) from None


def words(line: str) -> list[str]:
    """The parts of a line, be they divided by blanks, tabs, commas or semicolons; none of a comment."""
    return [] if line.startswith(("#", "%", "//")) else line.replace(",", " ").replace(";", " ").split()


def is_number(word: str) -> bool:
    """Whether a word can be read as a number, NaN included."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def rows(path: Path, counts: tuple[int, ...], expected: str) -> tuple[list[int], Array]:
    """The numbers of a table (n, k) with the line of each row; NaN and infinities are left in it.

    A first line that is mostly no numbers is a title and left out; so are comments and empty lines.

    Args:
        path: the file.
        counts: how many numbers a row may have; all have as many as the first.
        expected: what a row is, in words.

    Raises:
        ContractError: names the line.
    """
    found: list[list[float]] = []
    places: list[int] = []
    first = True
    for number, line in lines(path, expected):
        parts = words(line)
        if not parts:
            continue
        if first and sum(map(is_number, parts)) * 2 < len(parts) + 1 and not is_number(parts[0]):
            first = False
            continue
        first = False
        if len(parts) not in counts or (found and len(parts) != len(found[0])):
            wanted = f"{len(found[0])} numbers as in line {places[0]}: {expected}" if found else expected
            raise ContractError(at_line(path, number), f"{len(parts)} words, {line!r}", wanted)
        if len(found) >= LONGEST:
            raise ContractError(at_line(path, number), "another pose", f"at most {LONGEST} of them")
        try:
            found.append([float(part) for part in parts])
        except ValueError:
            raise ContractError(at_line(path, number), line, expected) from None
        places.append(number)
    if not found:
        raise ContractError("trajectory", f"no poses in {os.fspath(path)!r}", expected)
    return places, np.array(found, np.float64)


def number(value: object, field: str, expected: str = "a finite number") -> float:
    """A JSON value as a finite number. Raises ContractError for the field."""
    if not isinstance(value, bool) and isinstance(value, (int, float)):
        with contextlib.suppress(OverflowError):
            if math.isfinite(float(value)):
                return float(value)
    raise ContractError(field, value, expected)


# Writing


def write_new(files: Mapping[str, bytes], *, force: bool = False) -> None:
    """Write files, whole or not at all, all of them or none.

    Args:
        files: what is in each, by its path.
        force: take the place of files that exist; only where the user was asked.

    Raises:
        FileExistsError: one of them exists already.
        OSError: the system refuses.
    """
    parts = {path: _beside(path) for path in files}
    claimed: list[str] = []
    try:
        for path, content in files.items():
            with open(parts[path], "xb") as opened:
                opened.write(content)
        if not force:
            for path in files:
                # Only who makes a file under the name itself has it for sure.
                with open(path, "xb"):
                    claimed.append(path)
        for path, part in parts.items():
            os.replace(part, path)
    except BaseException:
        for path in [*parts.values(), *claimed]:
            with contextlib.suppress(OSError):
                os.unlink(path)
        raise


def _beside(path: str) -> str:
    folder, name = os.path.split(path)
    short = os.fsencode(name)[:100].decode(errors="ignore")  # systems count bytes
    return os.path.join(folder, f".{short}.{os.getpid()}.part")
