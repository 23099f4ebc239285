"""What stands in the way of set-up, told with what to do about it. Standard library only, from 3.10 on."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from pathlib import Path

from .children import TAIL
from .errors import SetupError


def told(sentence: str, lines: Sequence[str]) -> str:
    """The sentence with the last lines that a program said."""
    tries = [line for line in lines if line.startswith("WARNING: Retrying")]
    # pip's tries before the last say nothing that the last does not.
    shown = [line for line in lines if line.strip() and line not in tries[:-1]][-TAIL:]
    return "\n  ".join([sentence, "The last lines were:", *shown]) if shown else sentence


def with_log(error: SetupError, log: Path) -> SetupError:
    """The error with where the log is, where that says more."""
    if error.kind in ("cancelled", "foreign", "busy") or not log.exists():
        return error
    return SetupError(f"{error}\nThe whole log: {log}", error.kind)


def of_the_system(error: OSError, folder: Path) -> SetupError:
    """What the system would not do."""
    where = error.filename or folder
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return SetupError(f"The disk is full: make room where {folder} lies, and try again.", "disk")
    if isinstance(error, PermissionError):
        return SetupError(f"{where} may not be written to. Check its permissions, or choose another folder.")
    if error.errno in (errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.ENOENT):
        return SetupError(f"{where} cannot be made ({error.strerror}): choose another folder.")
    return SetupError(f"The system gave an error at {where}: {error.strerror or error}.")


def advice(lines: Sequence[str]) -> list[str]:
    """What to do about the reason in a program's last lines, where one is known."""
    missing = re.search(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object file", "\n".join(lines))
    if missing is None:
        return []
    return [
        f"The system library {missing[1]} is missing. What Blender needs on Debian or Ubuntu:",
        "apt-get install libx11-6 libxrender1 libxxf86vm1 libxfixes3 libxi6 libxkbcommon0 libsm6 libgl1 libgomp1",
    ]
