"""How a camera moves, in numbers and in words. numpy alone, no bpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .texts import tr

Floats = npt.NDArray[np.float64]

# What is less is no movement to whoever looks: a millimetre, a twentieth of a degree, a thousandth of the lens.
_STILL_METRES, _STILL_DEGREES, _STILL_LENS = 1e-3, 0.05, 1e-3
_BESIDE = 0.05
# Looking more steeply than this up or down, a heading says nothing.
_STEEP = np.sin(np.radians(80))


@dataclass(frozen=True)
class Movement:
    """How a camera moves over a shot.

    Attributes:
        metres: the length of its way.
        distance: how far it gets from where it starts, metres.
        pan: degrees turned about the vertical where that is most, to the right.
        tilt: likewise upwards.
        roll: likewise clockwise, as its picture leans to the left.
        lens: focal length at the start, the shortest and the longest, millimetres.
        jerk: how unsteady it is: the mean change of the change from frame to frame, metres at a metre's distance.
    """

    metres: float
    distance: float
    pan: float
    tilt: float
    roll: float
    lens: tuple[float, float, float]
    jerk: float = 0.0

    @property
    def still(self) -> bool:
        """Whether it neither moves nor turns nor zooms."""
        turned = max(abs(self.pan), abs(self.tilt), abs(self.roll)) >= _STILL_DEGREES
        return self.metres < _STILL_METRES and not turned and not self.zooms

    @property
    def zooms(self) -> bool:
        """Whether its lens changes."""
        _, shortest, longest = self.lens
        return longest / shortest - 1 >= _STILL_LENS

    @property
    def words(self) -> str:
        """In a part of a sentence: "camera moves 2.0 m and pans 18°, lens fixed"."""
        parts = []
        # Beside a large turn, one that comes along with it is not worth a word.
        least = max(_STILL_DEGREES, _BESIDE * max(abs(self.pan), abs(self.tilt), abs(self.roll)))
        if self.metres >= _STILL_METRES:
            parts.append(tr("moves {metres}").format(metres=length(self.metres)))
        for degrees, right, left in (
            (self.pan, tr("pans {degrees}° right"), tr("pans {degrees}° left")),
            (self.tilt, tr("tilts {degrees}° up"), tr("tilts {degrees}° down")),
            (self.roll, tr("rolls {degrees}° clockwise"), tr("rolls {degrees}° anticlockwise")),
        ):
            if abs(degrees) >= least:
                text = right if degrees > 0 else left
                parts.append(text.format(degrees=f"{abs(degrees):.1f}" if abs(degrees) < 10 else f"{abs(degrees):.0f}"))
        if not parts:
            does = tr("camera stands still")
        elif len(parts) == 1:
            does = tr("camera {does}").format(does=parts[0])
        else:
            does = tr("camera {does} and {last}").format(does=", ".join(parts[:-1]), last=parts[-1])
        return tr("{camera}, {lens}").format(camera=does, lens=self._lens_words())

    def _lens_words(self) -> str:
        first, shortest, longest = self.lens
        if not self.zooms:
            return tr("lens fixed at {first:.0f} mm").format(first=first)
        return tr("lens {shortest:.0f} to {longest:.0f} mm").format(shortest=shortest, longest=longest)


def length(metres: float) -> str:
    """A length as one says it: 12 m, 2.0 m, 35 cm, 4 mm."""
    if metres >= 10:
        return f"{metres:.0f} m"
    if metres >= 1:
        return f"{metres:.1f} m"
    return f"{metres * 100:.0f} cm" if metres >= 0.0995 else f"{metres * 1000:.0f} mm"


def of(matrices: Floats, millimetres: Floats, scale: float) -> Movement:
    """The movement of a camera.

    Args:
        matrices: (n, 4, 4) camera to world in Blender's axes, without scale.
        millimetres: (n,) focal lengths.
        scale: metres per unit of their translation.
    """
    places = matrices[:, :3, 3] * scale
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    right, up, back = (matrices[:, :3, axis] for axis in range(3))
    forward = -back
    pan, tilt = _turns(forward, matrices[0])
    jerk = 0.0
    if len(matrices) > 2:
        jerk = float(np.linalg.norm(np.diff(places + forward, n=2, axis=0), axis=1).mean())
    return Movement(
        metres=float(steps.sum()),
        distance=float(np.linalg.norm(places - places[0], axis=1).max()),
        pan=_most(pan),
        tilt=_most(tilt),
        roll=_most(_rolls(right, up, forward)),
        lens=(float(millimetres[0]), float(millimetres.min()), float(millimetres.max())),
        jerk=jerk,
    )


def _turns(forward: Floats, first: Floats) -> tuple[Floats, Floats]:
    """Degrees turned right and up since the first frame: about the vertical, or about a steep camera's own up."""
    if np.abs(forward[:, 2]).max() < _STEEP:
        east, north, up = forward[:, 0], forward[:, 1], forward[:, 2]
    else:
        east, up, north = (forward @ first[:3, :3] * (1, 1, -1)).T
    heading = np.unwrap(np.arctan2(east, north))
    height = np.arctan2(up, np.hypot(east, north))
    return np.degrees(heading - heading[0]), np.degrees(height - height[0])


def _rolls(right: Floats, up: Floats, forward: Floats) -> Floats:
    """Degrees rolled since the first frame, against the horizon; none where a camera looks too steeply to have one."""
    if np.abs(forward[:, 2]).max() >= _STEEP:
        return np.zeros(len(right))
    lean = np.unwrap(np.arctan2(-right[:, 2], up[:, 2]))
    rolled: Floats = np.degrees(lean - lean[0])
    return rolled


def _most(turns: Floats) -> float:
    """The turn that is furthest from none, with its sign."""
    return float(turns[np.abs(turns).argmax()])
