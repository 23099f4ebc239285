"""Entries where Blender's users look."""

from __future__ import annotations

from typing import Any

CLASSES: tuple[Any, ...] = ()
