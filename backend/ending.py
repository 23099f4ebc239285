"""Whether this process is told to end, as when Blender is gone or the system shuts down.

Its work is then given up like work that nobody wants, but what that leaves for another try is kept (:mod:`.keeping`).
Standard library only.
"""

from __future__ import annotations

import threading

_TOLD = threading.Event()


def tell(ends: bool = True) -> None:
    """The process is to end; or, after all, not."""
    if ends:
        _TOLD.set()
    else:
        _TOLD.clear()


def told() -> bool:
    """Whether it is."""
    return _TOLD.is_set()
