"""The queue, with its bars and pictures."""

from __future__ import annotations

from typing import Any

CLASSES: tuple[Any, ...] = ()
