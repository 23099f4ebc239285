"""What is to be drawn that no scene holds: forecasts, and the picture over the camera's view. Never saved in a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt
from bpy.app.handlers import persistent


@dataclass(frozen=True, eq=False)
class Shares:
    """How much of each frame would be invented.

    Attributes:
        start: the timeline frame of the first share.
        shares: one per timeline frame, 0 to 1.
        stale: what they were worked out from has changed since.
    """

    start: int
    shares: tuple[float, ...]
    stale: bool = False

    def at(self, frame: int) -> float | None:
        """The share of a timeline frame, if it is known."""
        index = frame - self.start
        return self.shares[index] if 0 <= index < len(self.shares) else None


@dataclass(frozen=True, eq=False)
class Picture:
    """What is drawn over a camera's frame: rows bottom-up (height, width, 4) float32, straight alpha, sRGB 0 to 1."""

    scene: str
    camera: str
    pixels: npt.NDArray[np.float32] | None
    words: str
    kept: dict[str, Any] = field(default_factory=dict)


_forecasts: dict[tuple[str, str], Shares] = {}
_picture: Picture | None = None


def show_forecast(scene: str, strip: str, start: int, shares: Sequence[float], stale: bool = False) -> None:
    """Colour a strip's bar, and the path of its target camera.

    Args:
        scene: the name of the scene whose sequencer holds the strip.
        strip: its name.
        start: the timeline frame of the first share.
        shares: one per timeline frame, 0 to 1.
        stale: what they were worked out from has changed since: they are drawn pale, and the path in its own colour.
    """
    _forecasts[scene, strip] = Shares(int(start), tuple(map(float, shares)), bool(stale))
    redraw("VIEW_3D", "SEQUENCE_EDITOR")


def hide_forecast(scene: str, strip: str) -> None:
    """Take a strip's forecast away. No harm where there is none."""
    if _forecasts.pop((scene, strip), None) is not None:
        redraw("VIEW_3D", "SEQUENCE_EDITOR")


def forecast(scene: str, strip: str) -> Shares | None:
    """What is known of a strip."""
    return _forecasts.get((scene, strip))


def forecasts(scene: str) -> dict[str, Shares]:
    """What is known of a scene's strips, by their names."""
    return {strip: shares for (owner, strip), shares in _forecasts.items() if owner == scene}


def show_picture(pixels: npt.NDArray[np.float32] | None, scene: str, camera: str, words: str = "") -> None:
    """Draw a picture over the frame of a camera, in the 3D views that look through it.

    Args:
        pixels: (height, width, 4) float32, rows bottom-up, straight alpha, display-referred 0 to 1; it must not be
            changed afterwards. None keeps the picture that is there, if it is this camera's, and changes the words.
        scene: the name of the scene that the camera moves in, or of the edit.
        camera: the name of the camera.
        words: stand at the picture's lower edge.
    """
    global _picture
    before = _picture
    if pixels is None and before is not None and (before.scene, before.camera) == (scene, camera):
        _picture = Picture(scene, camera, before.pixels, words, before.kept)
    else:
        _picture = Picture(scene, camera, pixels, words)
    redraw("VIEW_3D")


def hide_picture() -> None:
    """Show the scene again."""
    global _picture
    if _picture is not None:
        _picture = None
        redraw("VIEW_3D")


def picture() -> Picture | None:
    """What is drawn over a camera's frame at the moment."""
    return _picture


def clear() -> None:
    """Nothing is known and nothing is shown."""
    _forecasts.clear()
    hide_picture()


@persistent
def after_load(*_: object) -> None:
    """Forecasts and pictures are of the file that was closed."""
    clear()


def redraw(*kinds: str) -> None:
    """Have the areas of these kinds drawn again, in all windows."""
    for manager in bpy.data.window_managers:
        for window in manager.windows:
            for area in window.screen.areas:
                if area.type in kinds:
                    area.tag_redraw()
