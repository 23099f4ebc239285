"""ReCam's keys."""

from __future__ import annotations

from typing import Any

CLASSES: tuple[Any, ...] = ()
