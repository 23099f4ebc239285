"""The 3D view's sidebar."""

from __future__ import annotations

from typing import Any

CLASSES: tuple[Any, ...] = ()
