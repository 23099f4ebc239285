"""Values that are known in places, carried on everywhere: exact and smooth where known, calmer the farther away.

An image pyramid of weighted means ("push-pull", Gortler et al., The Lumigraph, 1996, section 3.4).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def spread(values: Floats, weights: Floats, smooth: float) -> Floats:
    """Values (h, w, n) with weights (h, w) from 0 to 1, as a field that is whole; nothing known: zeros.

    Args:
        values: what is known; anything where the weight is 0.
        weights: how well it is known.
        smooth: pixels that values are averaged over first, as a Gaussian's sigma.
    """
    mass = cv2.GaussianBlur(weights, (0, 0), smooth, borderType=cv2.BORDER_REPLICATE)
    means = cv2.GaussianBlur(values * weights[..., None], (0, 0), smooth, borderType=cv2.BORDER_REPLICATE)
    means = means.reshape(values.shape)
    # A place is known as far as half of a neighbourhood is: what lies beyond comes from coarser levels.
    levels = [(means / np.maximum(mass, 1e-6)[..., None], np.clip(2 * mass, 0, 1))]
    while max(levels[-1][1].shape) > 1:
        levels.append(_pull(*levels[-1]))
    found = levels[-1][0] * (levels[-1][1] > 1e-6)[..., None]
    for finer, known in reversed(levels[:-1]):
        height, width = known.shape
        coarser = cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR).reshape(finer.shape)
        share = known[..., None]
        found = share * finer + (1 - share) * coarser
    return found


def _pull(values: Floats, known: Floats) -> tuple[Floats, Floats]:
    size = (known.shape[1] + 1) // 2, (known.shape[0] + 1) // 2
    mass = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    means = cv2.resize(values * known[..., None], size, interpolation=cv2.INTER_AREA)
    means = means.reshape((*mass.shape, values.shape[2])) / np.maximum(mass, 1e-6)[..., None]
    return means, np.clip(4 * mass, 0, 1)
