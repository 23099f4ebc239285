"""What each engine imports, and whether this Python has it. Standard library only."""

from __future__ import annotations

import importlib.util
import sys

from .contract import ENGINES

_ALWAYS = ("numpy", "cv2", "av", "numba", "OpenEXR")
_NEEDED = {
    "reproject": _ALWAYS,
    "recammaster": (
        *_ALWAYS,
        *("torch", "diffusers", "transformers", "accelerate", "safetensors", "peft", "sentencepiece", "ftfy"),
        *("PIL", "psutil"),
    ),
}


def needed(engine: str) -> tuple[str, ...]:
    """The modules that an engine imports."""
    return _NEEDED[engine]


def lacking(engine: str) -> list[str]:
    """The modules that an engine needs and this Python has not, as they are imported."""
    return [name for name in _NEEDED[engine] if importlib.util.find_spec(name) is None]


class Lacking(Exception):
    """What an engine needs is not in this Python: a sentence that says how to add it."""


def check(engine: str) -> None:
    """Raise :class:`Lacking` where this Python cannot run an engine."""
    missing = lacking(engine)
    if not missing:
        return
    names, further = ", ".join(missing), "" if engine == ENGINES[0] else f" --also {engine}"
    command = f"python -m backend.environment make backend{further}"
    remedy = f"run the backend with .venvs/backend's Python, after `make setup` or `{command}`"
    raise Lacking(f"this Python ({sys.executable}) lacks {names}, which {engine} needs: {remedy}")


def engines() -> list[str]:
    """The engines that can run here, as far as packages go."""
    return [name for name in ENGINES if not lacking(name)]
