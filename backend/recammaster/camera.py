"""What the network is told of the camera: twelve numbers per latent frame (arXiv 2503.11647, section 3.2).

Each row is the top three rows of a camera-to-world pose, one after the other (r00 r01 r02 tx r10 ...): OpenCV camera
axes (x right, y down, z forward), metres, neither scaled nor normalised. No lens is in it. The poses are relative to
one camera, at the first frame that the network is shown:

* the source camera where it is known, as in training;
* the target camera itself where it is not, as in the published inference. Its first row is then the identity, and the
  take begins at the footage's first view wherever the target camera stands.

A clip that is drawn in windows (:mod:`.windows`) has such a first frame in each. Poses are relative to the source
camera at that frame, as it is the view that the network sees there; where the source is not known, and so is taken to
stand still, to the target camera at the clip's first frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..cameras.poses import Array, interpolate, relative
from ..contract import Trajectory

LATENT_STEP = 4
"""Frames of the network per latent frame, after the first, which is one by itself."""


def rows(target: Trajectory, source: Trajectory | None, times: Sequence[float]) -> npt.NDArray[np.float32]:
    """The camera of every latent frame, (F, 12).

    Args:
        target: the camera to see with, one pose per timeline frame.
        source: the camera that shot the footage; None where it is not known.
        times: where on the timeline each of the network's 4k + 1 frames lies, in frames from the first; between two
            frames the camera is between their poses.

    Raises:
        ValueError: the number of times is not 4k + 1.
    """
    if len(times) % LATENT_STEP != 1:
        raise ValueError(f"{len(times)} times, expected 4k + 1 of them")
    seen_at = times[::LATENT_STEP]
    if source is not None:
        reference = _poses(source, seen_at[:1])[0]
    else:
        reference = None if seen_at[0] == 0 else _poses(target, [0.0])[0]
    poses = relative(_poses(target, seen_at), reference)
    return poses[:, :3].reshape(len(seen_at), 12).astype(np.float32)


def _poses(trajectory: Trajectory, times: Sequence[float]) -> Array:
    return interpolate(np.arange(len(trajectory)), trajectory.poses, times)
