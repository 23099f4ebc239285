"""Cameras, points and the focal length, adjusted together by COLMAP's bundle adjustment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .solve_moving import camera_of, quiet
from .solve_tracks import Tracks

if TYPE_CHECKING:
    from .solve_complete import Path

_PIECES, _ITERATIONS = 8, 5


def bundle(
    path: Path,
    tracks: Tracks,
    frames: list[int],
    centre: tuple[float, float],
    known: bool,
    *,
    scale: float,
    check: Callable[[], None],
) -> None:
    """Better these frames of the path, the points they see, and its focal length where that is not ``known``.

    ``scale`` is the normalised error beyond which errors count less (Cauchy).
    """
    pycolmap = quiet()
    model = pycolmap.Reconstruction()
    model.add_camera_with_trivial_rig(camera_of(pycolmap, tracks, (*path.focal, *centre), known))
    seen: dict[int, list[Any]] = {}
    for frame in frames:
        check()
        _add_frame(pycolmap, model, path, tracks, frame, seen)
    there = [(point, track) for point, track in seen.items() if len(track) >= 2]
    numbers = [(point, model.add_point3D(path.points[point], pycolmap.Track(track))) for point, track in there]
    if not numbers:
        return
    options = pycolmap.BundleAdjustmentOptions()
    options.refine_focal_length = not known
    options.refine_extra_params = False
    options.print_summary = False
    options.ceres.loss_function_type = pycolmap.LossFunctionType.CAUCHY
    options.ceres.loss_function_scale = scale * path.focal[0]
    options.ceres.solver_options.num_threads = 1
    options.ceres.solver_options.max_num_iterations = _ITERATIONS
    options.ceres.solver_options.function_tolerance = 1e-6
    config = pycolmap.BundleAdjustmentConfig()
    for frame in frames:
        config.add_image(frame + 1)
    config.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    # In pieces, as it cannot be cancelled, and no other thread runs meanwhile. (pycolmap.bundle_adjustment can be, but
    # turns the log on again.)
    for _ in range(_PIECES):
        check()
        done = pycolmap.create_default_bundle_adjuster(options, config, model).solve()
        if done.termination_type == pycolmap.BundleAdjustmentTerminationType.CONVERGENCE:
            break
    for frame in frames:
        pose = model.image(frame + 1).cam_from_world().matrix()
        path.rotations[frame], path.shifts[frame] = pose[:, :3], pose[:, 3]
    for point, number in numbers:
        path.points[point] = model.point3D(number).xyz
    camera = model.camera(1)
    path.focal = camera.focal_length_x, camera.focal_length_y


def _add_frame(pycolmap: Any, model: Any, path: Path, tracks: Tracks, frame: int, seen: dict[int, list[Any]]) -> None:
    ids = tracks.ids[frame]
    used = np.flatnonzero(path.trusted[ids])
    number = frame + 1
    image = pycolmap.Image(name=f"{number:06d}", keypoints=tracks.places[frame][used], camera_id=1, image_id=number)
    pose = np.concatenate([path.rotations[frame], path.shifts[frame][:, None]], axis=1)
    model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pose))
    for place, index in enumerate(used):
        seen.setdefault(int(ids[index]), []).append(pycolmap.TrackElement(number, place))
