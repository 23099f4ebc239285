"""Where the work stands, in the status bar."""

from __future__ import annotations

from typing import Any

CLASSES: tuple[Any, ...] = ()
