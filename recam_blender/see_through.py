"""The footage as the target camera's background."""

from __future__ import annotations

from typing import Any

CLASSES: tuple[Any, ...] = ()
