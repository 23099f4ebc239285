"""The engine that needs no weights: lifts each frame by a depth and draws it from the target camera."""

from .engine import Reproject

__all__ = ["Reproject"]
