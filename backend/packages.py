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
        *("PIL", "psutil", "huggingface_hub"),
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
    further = "" if engine == ENGINES[0] else f" --engine {engine}"
    raise Lacking(
        f"this Python ({sys.executable}) lacks {', '.join(missing)}, which {engine} needs: use the one that "
        f"`python -m backend setup{further}` sets up"
    )


def engines() -> list[str]:
    """The engines that can run here, as far as packages go."""
    return [name for name in ENGINES if not lacking(name)]
