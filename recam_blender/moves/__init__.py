"""Moves: new cameras that are keyframed for you."""

from __future__ import annotations

from typing import Any

CLASSES: tuple[Any, ...] = ()
