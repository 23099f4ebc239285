"""Presets of settings, in Blender's own way."""

from __future__ import annotations

from typing import Any

CLASSES: tuple[Any, ...] = ()
