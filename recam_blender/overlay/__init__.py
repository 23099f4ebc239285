"""What is drawn over the 3D view and the sequencer: paths, frusta, the forecast's bar, the live preview."""

from __future__ import annotations

from typing import Any

CLASSES: tuple[Any, ...] = ()
