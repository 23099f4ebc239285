"""Moves: new cameras that are keyframed for you. Scripts call :func:`add`."""

from __future__ import annotations

from . import menu, operators
from .build import add
from .menu import register, unregister

__all__ = ["CLASSES", "add", "register", "unregister"]

CLASSES = (*operators.CLASSES, *menu.CLASSES)
