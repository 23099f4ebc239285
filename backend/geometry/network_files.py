"""The files of a depth network: where they are, and whether they are what they should be. No pickle is ever opened."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..engines import EngineError
from ..models.catalogue import entry
from ..models.library import Library

ENTRY = "depth"
"""What the catalogue calls the network that ReCam gets."""

CONFIG, WEIGHTS, PICTURES = "config.json", "model.safetensors", "preprocessor_config.json"

_NEEDED = ("torch", "transformers", "safetensors", "diffusers", "psutil")
_LONGEST = 1_000_000  # bytes of a file of settings
_DEEPEST = 4  # folders below a place: a hub's cache has models--owner--name/snapshots/commit
_GET = f"get it by `python -m backend models get {ENTRY}` or in ReCam's preferences in Blender"


class NetworkError(EngineError):
    """Weights that are missing or are not a depth network's, in one sentence with what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "models")


@dataclass(frozen=True)
class Pictures:
    """How a network wants its pictures, as its ``preprocessor_config.json`` says.

    Attributes:
        height, width: pixels that they are resized to, the one that takes less resizing where the aspect is kept.
        multiple: of which both sides are then made.
        keeps_aspect: whether the picture's aspect is kept.
        mean, deviation: of red, green and blue from 0 to 1, by which they are normalised.
    """

    height: int = 518
    width: int = 518
    multiple: int = 14
    keeps_aspect: bool = True
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    deviation: tuple[float, ...] = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Checkpoint:
    """A depth network in transformers' format.

    Attributes:
        folder: that it lies in.
        metric: whether it tells metres; else inverse depth up to a scale and a shift.
        pictures: how it wants them.
    """

    folder: Path
    metric: bool
    pictures: Pictures


def find(library: Library) -> Path | None:
    """The folder of a depth network: the one that was downloaded, else one at a place of the library; None if none."""
    kept = library.folder_of(entry(ENTRY))
    places = [kept] if library.status(entry(ENTRY)) == "ready" else []
    for place in [*places, *library.places]:
        if found := _within(place, _DEEPEST):
            return found
    return None


def lacking() -> list[str]:
    """The modules that a depth network needs and this Python has not."""
    return [name for name in _NEEDED if importlib.util.find_spec(name) is None]


def check(weights: str | os.PathLike[str]) -> Checkpoint:
    """What lies in a folder.

    Raises:
        EngineError: this Python cannot run a network; or, of the kind ``models``, there is no depth network that ReCam
            can use: says what was found and what to do.
    """
    if missing := lacking():
        raise EngineError(
            f"this Python ({sys.executable}) lacks {', '.join(missing)}, which depth by a network needs: use the one "
            "that `python -m backend setup --engine recammaster` sets up, or choose another depth"
        )
    folder = Path(weights)
    if not os.fspath(weights) or not folder.is_dir():
        raise NetworkError(f"There is no depth network at {str(folder)!r}: {_GET}, or choose another depth.")
    for name in (CONFIG, WEIGHTS, PICTURES):
        if not (folder / name).is_file():
            raise NetworkError(
                f"The depth network in {str(folder)!r} lacks the file {name}: {_GET}, or name a folder with "
                f"{CONFIG}, {WEIGHTS} and {PICTURES}."
            )
    config = _read(folder / CONFIG)
    _check_config(folder, config)
    return Checkpoint(folder, config.get("depth_estimation_type") == "metric", _pictures(_read(folder / PICTURES)))


def _within(folder: Path, deep: int) -> Path | None:
    try:
        if (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file():
            return folder if _is_depth(folder) else None
        inside = sorted(each for each in folder.iterdir() if each.is_dir()) if deep else []
    except OSError:
        return None
    return next((found for each in inside if (found := _within(each, deep - 1))), None)


def _is_depth(folder: Path) -> bool:
    try:
        _check_config(folder, _read(folder / CONFIG))
    except NetworkError:
        return False
    return (folder / PICTURES).is_file()


def _check_config(folder: Path, config: dict[str, Any]) -> None:
    inner = config.get("backbone_config")
    backbone = inner.get("model_type") if isinstance(inner, dict) else None
    # A backbone by name alone would be fetched from a hub.
    outside = any(config.get(name) for name in ("backbone", "use_timm_backbone", "use_pretrained_backbone", "auto_map"))
    if config.get("model_type") != "depth_anything" or backbone != "dinov2" or outside:
        found = str(config.get("model_type"))[:60]
        raise NetworkError(
            f"{str(folder)!r} holds a model of the type {found!r}, and Depth Anything's (depth_anything with a "
            f"backbone dinov2) was expected: {_GET}."
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(_LONGEST))
    except (OSError, ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise NetworkError(f"{str(path)!r} is not JSON that can be read: {_GET}.")
    return data


def _pictures(data: dict[str, Any]) -> Pictures:
    usual = Pictures()
    size = data.get("size")
    size = size if isinstance(size, dict) else {"height": size, "width": size}
    sides = [_side(size.get(name), usual.height) for name in ("height", "width")]
    return Pictures(
        height=sides[0],
        width=sides[1],
        multiple=_side(data.get("ensure_multiple_of"), usual.multiple),
        keeps_aspect=data.get("keep_aspect_ratio") is not False,
        mean=_three(data.get("image_mean"), usual.mean, -1.0),
        deviation=_three(data.get("image_std"), usual.deviation, 1e-3),
    )


def _side(value: object, usual: int) -> int:
    return value if type(value) is int and 0 < value <= 4096 else usual


def _three(value: object, usual: tuple[float, ...], least: float) -> tuple[float, ...]:
    if isinstance(value, list) and len(value) == 3 and all(type(each) in (int, float) for each in value):
        numbers = tuple(float(each) for each in value)
        return numbers if all(least <= each <= 10 for each in numbers) else usual
    return usual
