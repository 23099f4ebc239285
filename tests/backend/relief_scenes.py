"""Static shots to re-shoot without depth: rooms, yards under a sky and streets, traced with exact pictures and depth.

Heights, tilts and what stands about differ from seed to seed. The camera that filmed stands at the origin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from raytraced import Room, lens_for, pose_at

KINDS = ("room", "yard", "street", "clutter")


@dataclass(frozen=True)
class Scene(Room):
    """A room of raytraced.py with sides, things and a camera's height of its own.

    Attributes:
        kind: ``room``: four walls. ``yard``: low walls under a sky. ``street``: houses on both sides, far away a sky.
            ``clutter``: a room filmed from so near that little ground is seen.
        tilt: of the camera, degrees up.
        angle: that the lens sees from left to right, degrees.
    """

    kind: str = "room"
    tilt: float = 0.0
    angle: float = 55.0
    ground: float = 1.4

    def at(self, time: float) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng(self.seed + 1000)
        floor = self.ground
        boxes: list[Any] = [self._hall(random)]
        add = {"room": self._room, "clutter": self._clutter, "yard": self._yard, "street": self._street}[self.kind]
        for x, z, width, height, depth in add(random):
            boxes.append([[x - width / 2, floor - height, z - depth / 2], [x + width / 2, floor, z + depth / 2]])
        # One thing walks.
        x, z = -1.2 + 1.6 * time * self.moving, random.uniform(2.6, 4.5)
        boxes.append([[x - 0.25, floor - 1.5, z - 0.15], [x + 0.25, floor, z + 0.15]])
        ball = random.uniform(0.2, 0.5)
        return np.array(boxes, float), np.array([(random.uniform(-2, 2), floor - ball, random.uniform(3, 6), ball)])

    def _hall(self, random: Any) -> list[list[float]]:
        floor = self.ground
        if self.kind in ("room", "clutter"):
            side, far = random.uniform(2.5, 5), random.uniform(5, 9)
            return [[-side, floor - random.uniform(2.4, 3.8), -2.5], [side, floor, far]]
        return [[-150.0, floor - 80, -3.0], [150.0, floor, 160.0]]

    def _room(self, random: Any) -> Any:
        for _ in range(random.integers(3, 9)):
            yield (
                random.uniform(-2.6, 2.6),
                random.uniform(2.8, 6),
                random.uniform(0.3, 1.2),
                random.uniform(0.4, 1.9),
                random.uniform(0.3, 0.9),
            )

    def _clutter(self, random: Any) -> Any:
        for _ in range(12):
            yield (
                random.uniform(-1.8, 1.8),
                random.uniform(1.2, 3.5),
                random.uniform(0.3, 0.8),
                random.uniform(0.6, 1.6),
                random.uniform(0.2, 0.5),
            )

    def _yard(self, random: Any) -> Any:
        far = random.uniform(9, 20)
        yield 0.0, far, 60.0, random.uniform(1.5, 4), 0.5
        for _ in range(random.integers(3, 8)):
            yield (
                random.uniform(-4, 4),
                random.uniform(3, far - 2),
                random.uniform(0.4, 1.5),
                random.uniform(0.5, 2.2),
                random.uniform(0.3, 1.0),
            )

    def _street(self, random: Any) -> Any:
        for side in (-1, 1):
            place, z = random.uniform(4, 8), 4.0
            while z < 60:
                long = random.uniform(6, 14)
                yield side * (place + 6), z + long / 2, 12.0, random.uniform(4, 12), long
                z += long + random.uniform(0, 2)
        yield 0.0, 75.0, 60.0, random.uniform(5, 12), 2.0
        for _ in range(random.integers(2, 6)):
            yield (
                random.uniform(-3, 3),
                random.uniform(3.5, 20),
                random.uniform(0.4, 1.8),
                random.uniform(0.8, 1.8),
                0.8,
            )


def scene(kind: str, seed: int) -> Scene:
    """The scene of a seed: camera 0.7 to 2.2 m above the ground, tilted by up to 8 degrees, of various lenses."""
    random = np.random.default_rng(seed)
    return Scene(
        seed=seed,
        kind=kind,
        sky=kind in ("yard", "street"),
        tilt=float(random.uniform(-8, 4)) if seed % 2 else 0.0,
        angle=float(random.choice([40, 55, 65])),
        ground=float(random.uniform(0.7, 2.2)),
    )


def filmed(made: Scene, width: int, height: int, frames: int = 1) -> tuple[list[Any], list[Any], Any]:
    """Pictures, true depth and lens of a shot with the camera at rest."""
    lens = lens_for(width, height, made.angle)
    times = np.linspace(0, 1, frames) if frames > 1 else [0.5]
    shots = [made.shoot(pose_at(tilt=made.tilt), lens, width, height, time) for time in times]
    return [each[0] for each in shots], [each[1] for each in shots], lens


def subject(depth: Any) -> float:
    """How far away what is in the middle of a picture is: as an animator would measure it."""
    rows, columns = depth.shape
    middle = depth[rows // 3 : rows - rows // 3, columns // 3 : columns - columns // 3]
    return float(np.median(middle[np.isfinite(middle)])) if np.isfinite(middle).any() else 20.0


def moves(pose: Any, distance: float) -> dict[str, Any]:
    """Target cameras around the subject of a source camera, by their names."""
    found = {}
    for name, degrees in (("arc 3", 3.0), ("arc -3", -3.0)):
        angle = math.radians(degrees)
        turned = pose_at((distance * math.sin(-angle), 0, distance * (1 - math.cos(angle))), turn=degrees)
        found[name] = pose @ turned
    found["dolly"] = pose @ pose_at((0, 0, 0.08 * distance))
    return found
