"""The first model of a camera that moves: some frames of it, and the points they share, by COLMAP's mapper."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .solve_tracks import Floats, Ints, Tracks

_MOST = 48  # frames that are mapped: their number costs more than linearly
_FEWEST_EVENLY = 14  # of them spread evenly, however little the picture moves
_SHARED = 30  # points that two frames must share to be compared
_STRIDES = (1, 2, 3, 4, 5, 6, 8, 11, 15, 20, 27, 36, 47)  # between frames that are compared
_POLL = 0.05  # seconds between two looks whether it was cancelled


@dataclass
class Model:
    """Some solved frames.

    Attributes:
        frames: which, rising.
        rotations, shifts: world-to-camera, (n, 3, 3) and (n, 3).
        focal: pixels of the tracks' frames, along x and y.
        points: which points were found; their places in the world (n, 3).
    """

    frames: list[int]
    rotations: Floats
    shifts: Floats
    focal: tuple[float, float]
    point_ids: Ints
    points: Floats


def mapped(
    tracks: Tracks, lens: tuple[float, float, float, float], known: bool, *, check: Callable[[], None]
) -> Model | None:
    """Map some frames of the footage; None where the mapper makes nothing of them.

    Args:
        tracks: the points, those that move by themselves left out as far as they are known.
        lens: fx, fy, cx, cy in pixels of the tracks' frames.
        known: whether it is to be kept; else its focal length is a first guess.
        check: called often; what it raises ends the mapping within a fraction of a second.
    """
    chosen = chosen_frames(tracks)
    if len(chosen) < 2:
        return None
    with tempfile.TemporaryDirectory(prefix="recam-", ignore_cleanup_errors=True) as folder:
        return _map(tracks, chosen, lens, known, folder, check)


def chosen_frames(tracks: Tracks) -> list[int]:
    """The frames to map: key frames, and others evenly spread, no more than can be mapped soon."""
    seen = [index for index, ids in enumerate(tracks.ids) if len(ids) >= _SHARED]
    if not seen:
        return []
    evenly = np.linspace(0, len(seen) - 1, min(len(seen), _FEWEST_EVENLY)).round().astype(int)
    wanted = sorted({seen[index] for index in evenly} | (set(tracks.keys) & set(seen)))
    if len(wanted) > _MOST:
        wanted = [wanted[index] for index in np.linspace(0, len(wanted) - 1, _MOST).round().astype(int)]
    return wanted


def _map(
    tracks: Tracks,
    chosen: list[int],
    lens: tuple[float, float, float, float],
    known: bool,
    folder: str,
    check: Callable[[], None],
) -> Model | None:
    pycolmap = quiet()
    path = os.path.join(folder, "tracks.db")
    pair = _write(pycolmap, tracks, chosen, lens, known, path, check)
    if pair is None:
        return None
    options = _options(pycolmap, pair, known, tracks.width)
    token = pycolmap.CancellationToken()
    made = waited_for(
        lambda: pycolmap.incremental_mapping(path, folder, folder, options, cancellation_token=token),
        check,
        token.cancel,
    )
    if not made:
        return None
    best = max(made.values(), key=lambda each: each.num_reg_images())
    return _read(best, tracks, chosen)


def _options(pycolmap: Any, pair: tuple[int, int], known: bool, width: int) -> Any:
    # The mapper's limits are for photographs of some 3000 pixels; ours are followed to a tenth of a pixel.
    pixel = width / 832
    options = pycolmap.IncrementalPipelineOptions()
    options.init_image_id1, options.init_image_id2 = pair
    options.multiple_models, options.min_model_size, options.extract_colors = False, 2, False
    options.random_seed, options.num_threads = 0, 1
    options.ba_refine_focal_length = not known
    options.ba_refine_extra_params = False
    options.ba_global_frames_ratio, options.ba_global_points_ratio = 1.3, 1.3
    options.ba_global_max_refinements, options.ba_local_max_refinements = 2, 1
    options.mapper.random_seed, options.mapper.num_threads = 0, 1
    options.mapper.init_min_num_inliers, options.mapper.init_min_tri_angle = 25, 0.3
    options.mapper.init_max_error = options.mapper.abs_pose_max_error = 2 * pixel
    options.mapper.init_max_forward_motion = 1.0
    options.mapper.abs_pose_min_num_inliers = 15
    options.mapper.abs_pose_refine_focal_length = False
    options.mapper.abs_pose_refine_extra_params = False
    options.mapper.filter_max_reproj_error = 2 * pixel
    options.mapper.filter_min_tri_angle = 0.2
    options.triangulation.random_seed = 0
    options.triangulation.min_angle = 0.3
    return options


def quiet() -> Any:
    """pycolmap, saying nothing on stderr, and drawing the same random numbers every time."""
    import pycolmap

    pycolmap.logging.minloglevel = int(pycolmap.logging.FATAL.value)
    pycolmap.set_random_seed(0)
    return pycolmap


def waited_for(work: Callable[[], Any], check: Callable[[], None], cancel: Callable[[], None] = lambda: None) -> Any:
    """What ``work`` gives, done on another thread while this one asks ``check``; what that raises waits for its end."""
    done: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # handed to the thread that waits
            failed.append(error)

    thread = threading.Thread(target=run, name="recam mapper", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            check()
            thread.join(_POLL)
    except BaseException:
        cancel()
        thread.join()  # its files are about to go
        raise
    if failed:
        raise failed[0]
    return done[0]


# In and out of COLMAP's words. Image n there is chosen[n - 1] here.


def _write(
    pycolmap: Any,
    tracks: Tracks,
    chosen: list[int],
    lens: tuple[float, float, float, float],
    known: bool,
    path: str,
    check: Callable[[], None],
) -> tuple[int, int] | None:
    """Write points and pairs; the pair to begin with, if there is any."""
    camera = camera_of(pycolmap, tracks, lens, known)
    database = pycolmap.Database.open(path)
    try:
        database.write_camera(camera, use_camera_id=True)
        rig = pycolmap.Rig(rig_id=1)
        rig.add_ref_sensor(camera.sensor_id)
        database.write_rig(rig, use_rig_id=True)
        for number, frame in enumerate(chosen, 1):
            image = pycolmap.Image(name=f"{number:06d}", camera_id=1, image_id=number)
            database.write_image(image, use_image_id=True)
            moment = pycolmap.Frame(frame_id=number, rig_id=1)
            moment.add_data_id(image.data_id)
            database.write_frame(moment, use_frame_id=True)
            database.write_keypoints(number, tracks.places[frame].astype(np.float32))
        return _write_pairs(pycolmap, database, camera, tracks, chosen, known, check)
    finally:
        database.close()


def camera_of(pycolmap: Any, tracks: Tracks, lens: tuple[float, float, float, float], known: bool) -> Any:
    fx, fy, cx, cy = lens
    model, params = ("PINHOLE", [fx, fy, cx, cy]) if known else ("SIMPLE_PINHOLE", [fx, cx, cy])
    return pycolmap.Camera(
        camera_id=1,
        model=model,
        width=tracks.width,
        height=tracks.height,
        params=params,
        has_prior_focal_length=known,
    )


def _write_pairs(
    pycolmap: Any,
    database: Any,
    camera: Any,
    tracks: Tracks,
    chosen: list[int],
    known: bool,
    check: Callable[[], None],
) -> tuple[int, int] | None:
    options = pycolmap.TwoViewGeometryOptions()
    options.ransac.max_error = 1.0 * tracks.width / 832
    options.ransac.random_seed = 0
    options.ransac.max_num_trials = 500
    options.compute_relative_pose = True
    best, pair = 0.0, None
    for stride in _STRIDES:
        for one in range(len(chosen) - stride):
            check()
            first, second = chosen[one], chosen[one + stride]
            both, places, others = tracks.shared(first, second)
            if len(both) < _SHARED:
                continue
            matches = np.stack([np.searchsorted(tracks.ids[each], both) for each in (first, second)], axis=1)
            rows = np.repeat(np.arange(len(both), dtype=np.uint32)[:, None], 2, axis=1)
            found = pycolmap.estimate_calibrated_two_view_geometry(camera, places, camera, others, rows, options)
            if len(found.inlier_matches) < _SHARED:
                continue
            inliers = matches[found.inlier_matches[:, 0]].astype(np.uint32)
            angle = np.degrees(found.tri_angle) if np.isfinite(found.tri_angle) else 0.0
            found.inlier_matches = inliers
            database.write_matches(one + 1, one + 1 + stride, inliers)
            database.write_two_view_geometry(one + 1, one + 1 + stride, found)
            worth = len(inliers) * min(max(angle, 0.01), 12.0)
            if worth > best:
                best, pair = worth, (one + 1, one + 1 + stride)
    return pair


def _read(model: Any, tracks: Tracks, chosen: list[int]) -> Model:
    images = sorted((each for each in model.images.values() if each.has_pose), key=lambda each: each.image_id)
    poses = np.array([image.cam_from_world().matrix() for image in images]).reshape(-1, 3, 4)
    camera = next(iter(model.cameras.values()))
    ids, points = [], []
    for point in model.points3D.values():
        element = point.track.elements[0]
        ids.append(tracks.ids[chosen[element.image_id - 1]][element.point2D_idx])
        points.append(point.xyz)
    order = np.argsort(ids, kind="stable")
    return Model(
        frames=[chosen[image.image_id - 1] for image in images],
        rotations=poses[:, :, :3],
        shifts=poses[:, :, 3],
        focal=(camera.focal_length_x, camera.focal_length_y),
        point_ids=np.array(ids, np.int64)[order],
        points=np.array(points, np.float64).reshape(-1, 3)[order],
    )
