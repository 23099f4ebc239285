"""What can be done with takes."""

from __future__ import annotations

from typing import Any

CLASSES: tuple[Any, ...] = ()
