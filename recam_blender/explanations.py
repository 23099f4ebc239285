"""Words on what ReCam does with a doubt."""

from __future__ import annotations

from typing import Any

CLASSES: tuple[Any, ...] = ()
