"""Finds labels that Blender has cut off, in a picture of its window: what does not fit has an ellipsis in its middle.

Blender draws its letters on whole pixels, so that the ellipsis looks the same wherever it stands: as in a picture of
Blender 5.2's window at resolution scale 1, from which the numbers below are. The colours beside it do not matter.
"""

import cv2
import numpy as np

_DOTS = np.array(
    [
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [-1, 71, 21, -1, 54, 45, 0, 29, 66, -1],
        [10, 151, 61, -3, 118, 105, -2, 75, 144, -3],
    ],
    np.float32,
)
_ALIKE = 0.93


def cut_labels(path, left=0, right=None):
    """Where labels are cut off between two columns of a picture: (x, y) of each ellipsis, in pixels."""
    picture = cv2.imread(str(path))
    assert picture is not None, path
    found = cv2.matchTemplate(picture.max(axis=2).astype(np.float32), _DOTS, cv2.TM_CCOEFF_NORMED)
    # A flat part of the picture is like nothing at all.
    y, x = np.nonzero(np.isfinite(found) & (found > _ALIKE))
    right = picture.shape[1] if right is None else right
    return [(int(a), int(b)) for a, b in zip(x, y, strict=True) if left <= a < right]
