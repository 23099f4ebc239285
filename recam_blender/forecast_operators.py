"""How much of a take would have to be invented, at a press."""

from __future__ import annotations

from typing import Any

CLASSES: tuple[Any, ...] = ()
