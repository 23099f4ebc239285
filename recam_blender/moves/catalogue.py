"""The moves by name: what each is called, what it does, and how far it goes.

Those published with ReCamMaster have the names of ``backend.cameras.presets``, and its closed forms. They are called by
what the camera does, as cinematographers say it: what is published as a zoom is a dolly.
"""

from __future__ import annotations

from typing import NamedTuple

from ..texts import later

REACHED = 80 / 80.5
"""The share of its nominal end that a published move has reached at its last frame: frame i of 81 is at i / 80.5."""

FRAMES = 81
"""How long a move is where nobody says: what the network was trained on."""

DISTANCE = 4.0
"""Metres to the point that a move keeps in view: what the published ones look at."""

ARM = 3.0
"""Metres of a crane's arm."""


class Amount(NamedTuple):
    """How far a move goes: ``unit`` is "degrees", "metres" or "times"."""

    default: float
    unit: str


AMOUNTS = {
    "pan": Amount(20.0, "degrees"),
    "tilt": Amount(10.0, "degrees"),
    "dolly": Amount(2.0, "metres"),
    "pedestal": Amount(1.0, "metres"),
    "arc": Amount(30.0, "degrees"),
    "orbit": Amount(45.0, "degrees"),
    "dolly_zoom": Amount(2.0, "metres"),
    "crane": Amount(30.0, "degrees"),
    "handheld": Amount(1.0, "times"),
}
"""By the name of the family."""


class Move(NamedTuple):
    """One of :data:`MOVES`.

    Attributes:
        label: what it is called in menus; a published one has its published name too, where that is another.
        name: of the new camera.
        description: the tooltip.
        family: what is done, in one of two directions; the key of :data:`AMOUNTS`, but for a camera that stands still.
        sign: the direction, 1 or -1.
        published: whether it is one of the ten of ReCamMaster.
    """

    label: str
    name: str
    description: str
    family: str
    sign: int = 1
    published: bool = False

    @property
    def reached(self) -> float:
        """The share of its amount that the last key has."""
        return REACHED if self.published else 1.0


MOVES = {
    "pan_right": Move(
        later("Pan Right"),
        later("Pan Right"),
        later("The camera turns to the right on the spot; published with ReCamMaster"),
        "pan",
        1,
        True,
    ),
    "pan_left": Move(
        later("Pan Left"),
        later("Pan Left"),
        later("The camera turns to the left on the spot; published with ReCamMaster"),
        "pan",
        -1,
        True,
    ),
    "tilt_up": Move(
        later("Tilt Up"),
        later("Tilt Up"),
        later("The camera turns upwards on the spot; published with ReCamMaster"),
        "tilt",
        1,
        True,
    ),
    "tilt_down": Move(
        later("Tilt Down"),
        later("Tilt Down"),
        later("The camera turns downwards on the spot; published with ReCamMaster"),
        "tilt",
        -1,
        True,
    ),
    "zoom_in": Move(
        later("Dolly In (published: Zoom In)"),
        later("Dolly In"),
        later("The camera drives straight ahead, its lens fixed; published with ReCamMaster as Zoom In"),
        "dolly",
        1,
        True,
    ),
    "zoom_out": Move(
        later("Dolly Out (published: Zoom Out)"),
        later("Dolly Out"),
        later("The camera drives straight back, its lens fixed; published with ReCamMaster as Zoom Out"),
        "dolly",
        -1,
        True,
    ),
    "translate_up": Move(
        later("Pedestal Up (published: Translate Up)"),
        later("Pedestal Up"),
        later(
            "The camera rises and keeps looking at a point ahead; "
            "published with ReCamMaster as Translate Up (with rotation)"
        ),
        "pedestal",
        1,
        True,
    ),
    "translate_down": Move(
        later("Pedestal Down (published: Translate Down)"),
        later("Pedestal Down"),
        later(
            "The camera sinks and keeps looking at a point ahead; "
            "published with ReCamMaster as Translate Down (with rotation)"
        ),
        "pedestal",
        -1,
        True,
    ),
    "arc_left": Move(
        later("Arc Left"),
        later("Arc Left"),
        later(
            "The camera drives straight from end to end of an arc to the left, looking at the arc's middle; "
            "published with ReCamMaster"
        ),
        "arc",
        -1,
        True,
    ),
    "arc_right": Move(
        later("Arc Right"),
        later("Arc Right"),
        later(
            "The camera drives straight from end to end of an arc to the right, looking at the arc's middle; "
            "published with ReCamMaster"
        ),
        "arc",
        1,
        True,
    ),
    "static": Move(
        later("Static"),
        later("Static"),
        later("The camera stands still and has no keys: for footage that shakes, or to key it yourself"),
        "static",
    ),
    "orbit_left": Move(
        later("Orbit Left"),
        later("Orbit Left"),
        later("The camera circles to the left around the active object, the 3D cursor or a point ahead"),
        "orbit",
        -1,
    ),
    "orbit_right": Move(
        later("Orbit Right"),
        later("Orbit Right"),
        later("The camera circles to the right around the active object, the 3D cursor or a point ahead"),
        "orbit",
        1,
    ),
    "dolly_zoom_in": Move(
        later("Dolly Zoom In"),
        later("Dolly Zoom In"),
        later("The camera drives ahead while its lens widens: the subject stays as large, what is behind it shrinks"),
        "dolly_zoom",
        1,
    ),
    "dolly_zoom_out": Move(
        later("Dolly Zoom Out"),
        later("Dolly Zoom Out"),
        later("The camera drives back while its lens narrows: the subject stays as large, what is behind it grows"),
        "dolly_zoom",
        -1,
    ),
    "crane_up": Move(
        later("Crane Up"),
        later("Crane Up"),
        later("An arm swings the camera up while it keeps looking at a point ahead"),
        "crane",
        1,
    ),
    "crane_down": Move(
        later("Crane Down"),
        later("Crane Down"),
        later("An arm swings the camera down while it keeps looking at a point ahead"),
        "crane",
        -1,
    ),
    "handheld": Move(
        later("Handheld"),
        later("Handheld"),
        later("The camera is held in the hand: it sways and shakes a little, ever differently with another seed"),
        "handheld",
    ),
}

LOOKS_AHEAD = ("pedestal", "arc", "dolly_zoom", "crane")
"""The families that ask how far off the point is which they keep in view."""

EASINGS = {
    "constant": (later("Constant Speed"), later("As far from each frame to the next: as published")),
    "in_out": (later("Ease In and Out"), later("The camera sets off gently and stops gently")),
    "in": (later("Ease In"), later("The camera sets off gently")),
    "out": (later("Ease Out"), later("The camera stops gently")),
}
