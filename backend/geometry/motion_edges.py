"""Steps in a map of planes, moved to where the pictures say that they are.

A sweep that is made smooth lets near things grow by a few pixels: what is beside them has little to say against it.
Here each pixel beside a step is asked once more, with those around it that look like it: is it of the near side, or of
the far one?
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..reproject.compiled import compiled, inlined

_REACH = 2  # pixels around one that are asked
_LEAST_STEP = 2.0  # planes; less is no step
_LEAST_SHARE = 0.05  # of the plane's number: inverse depth grows with it
_ALIKE = 10.0  # levels of 255 by which colours differ that may be of one thing
_KEEP = 0.97  # of the cost of where the pixel is: the other side must be better by that


@inlined
def _cost(costs: Any, y: Any, x: Any, place: Any) -> Any:
    """What a place between planes costs: the least of the planes around it."""
    middle = int(place + np.float32(0.5))
    least = np.float32(255)
    for d in range(max(middle - 1, 0), min(middle + 2, costs.shape[2])):
        least = min(least, np.float32(costs[y, x, d]))
    return least


@compiled
def settle(costs: Any, place: Any, colour: Any, out: Any) -> None:
    """Decide anew which side of a step the pixels beside it are of.

    Args:
        costs: (h, w, planes) uint8, of the pixels alone.
        place: (h, w) float32, planes.
        colour: (h, w, 3) uint8.
        out: (h, w) float32, the new planes.
    """
    height, width = place.shape
    for y in range(height):
        for x in range(width):
            here = place[y, x]
            out[y, x] = here
            first_y, last_y = max(y - _REACH, 0), min(y + _REACH + 1, height)
            first_x, last_x = max(x - _REACH, 0), min(x + _REACH + 1, width)
            low, high = here, here
            for j in range(first_y, last_y):
                for i in range(first_x, last_x):
                    low, high = min(low, place[j, i]), max(high, place[j, i])
            if high - low < max(np.float32(_LEAST_STEP), np.float32(_LEAST_SHARE) * high):
                continue
            split = np.float32(0.5) * (low + high)
            near, near_count, far, far_count = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
            for j in range(first_y, last_y):
                for i in range(first_x, last_x):
                    if place[j, i] > split:
                        near += place[j, i]
                        near_count += np.float32(1)
                    else:
                        far += place[j, i]
                        far_count += np.float32(1)
            near, far = near / near_count, far / far_count
            near_cost, far_cost = np.float32(0), np.float32(0)
            for j in range(first_y, last_y):
                for i in range(first_x, last_x):
                    apart = np.float32(0)
                    for c in range(3):
                        change = np.float32(colour[j, i, c]) - np.float32(colour[y, x, c])
                        apart += change * change
                    weight = np.float32(1) / (np.float32(1) + apart / np.float32(_ALIKE * _ALIKE))
                    weight *= weight
                    near_cost += weight * _cost(costs, j, i, near)
                    far_cost += weight * _cost(costs, j, i, far)
            if here > split and far_cost < near_cost * np.float32(_KEEP):
                out[y, x] = far
            elif here <= split and near_cost < far_cost * np.float32(_KEEP):
                out[y, x] = near
