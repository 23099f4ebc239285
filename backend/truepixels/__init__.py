"""Takes that keep the footage's own pixels: an engine that draws anew fills only what no footage shows."""

from .engine import TruePixels

__all__ = ["TruePixels"]
