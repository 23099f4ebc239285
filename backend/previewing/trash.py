"""Takes that nobody wants, to the system's trash. Nothing is ever deleted: what cannot go there stays where it is.

By Send2Trash, which asks the system itself: freedesktop.org's trash on Linux, the Finder's on macOS, the recycle bin on
Windows.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable

_NOT_THERE = "It is not there any more."
_NO_PACKAGE = (
    "The backend's Python lacks Send2Trash, which puts files into the trash: repair the backend in the add-on's "
    "preferences, or delete the file in the file manager."
)
_NO_TRASH = "There is no trash for this drive, and ReCam deletes nothing: delete it in the file manager."

_DRIVE_FIXED = 3
_FOF_WANTNUKEWARNING = 0x4000


def trash(paths: Iterable[str], cancelled: Callable[[], bool] = lambda: False) -> tuple[list[str], dict[str, str]]:
    """Put files and folders into the trash, each on its own.

    Args:
        paths: absolute.
        cancelled: asked before each; those after it stay.

    Returns:
        Those that are in the trash now; and for each that is not the reason, a whole sentence.
    """
    trashed: list[str] = []
    failed: dict[str, str] = {}
    for path in dict.fromkeys(paths):
        reason = "The work was cancelled before it." if cancelled() else _trash(path)
        if reason:
            failed[path] = reason
        else:
            trashed.append(path)
    return trashed, failed


def _trash(path: str) -> str:
    """Put one into the trash; the reason where that did not work."""
    if not os.path.lexists(path):
        return _NOT_THERE
    try:
        send = _sender()
    except ImportError:
        return _NO_PACKAGE
    if not _has_trash(path):
        return _NO_TRASH
    try:
        send(path)
    except Exception as error:  # it hands on whatever the system's own parts raise
        return _reason(error)
    return "The system did not take it." if os.path.lexists(path) else ""


def _sender() -> Callable[[str], None]:
    if sys.platform == "win32":
        # Its plain ctypes way alone, in which Windows can be made to ask before it deletes what the bin has no room
        # for: `No` leaves the file where it is.
        from send2trash.win import legacy

        legacy.FOF_SILENT |= _FOF_WANTNUKEWARNING
        return legacy.send2trash
    from send2trash import send2trash

    return send2trash


def _has_trash(path: str) -> bool:
    """Windows deletes at once what lies on network drives and USB sticks, which have no recycle bin."""
    if sys.platform == "win32":
        import ctypes

        drive = os.path.splitdrive(os.path.abspath(path))[0] + "\\"
        return bool(ctypes.windll.kernel32.GetDriveTypeW(drive) == _DRIVE_FIXED)
    return True


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.__class__.__name__ == "TrashPermissionError":
        return _NO_TRASH
    if isinstance(error, PermissionError) or getattr(error, "errno", None) == 13:
        return "You may not remove it: change the permissions of it and of its folder."
    text = " ".join(str(getattr(error, "strerror", None) or error).split()).rstrip(".")
    return f"The system's trash did not take it: {text or type(error).__name__}."
