"""The live preview: this moment, as the target camera sees it."""

from __future__ import annotations

from typing import Any

CLASSES: tuple[Any, ...] = ()
