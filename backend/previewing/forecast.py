"""The forecast: how much of each frame of a take would have to be invented.

As `reproject` would find it, at about a quarter of the size along each side. No footage is decoded: what is seen of it
follows from the cameras and the depth alone. Over a plane not even a picture is drawn (:mod:`.planes`).
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..cameras.applied import applied
from ..cameras.trajectory import source_of
from ..contract import EngineSettings, Job, Progress, Trajectory
from ..engines import Image, Shot
from ..foresight import Forecast
from ..media.depthmaps import open_depth
from ..pipeline import Ahead, Gate
from ..reproject import draw, edges, fill, raster, supports, views
from ..reproject.compiled import must_compile
from ..reproject.views import Cameras
from . import planes
from .planes import View
from .sizes import shrunk_depth, small_size

MOST_FRAMES = 250
"""Frames that are drawn, where depth is known; between them shares are interpolated. Cuts of ten seconds and less, as
nearly all are, have no more."""

_SHRUNK = 4
_NONE = 0.005  # a share that is told as 0 %
_MOVE = 1e-3  # metres: a camera that moves less sees nothing else; as in reproject
_PHASE = "forecasting"
_COMPILING = "preparing (first use: compiling, about half a minute)"

Floats = npt.NDArray[np.float32]
Report = Callable[[Progress], None]


def forecast(job: Job, report: Report, cancelled: Callable[[], bool]) -> Forecast:
    """How much of each frame of a job's take the footage does not show.

    Depth that is yet to be found from the footage is taken for a plane, and a camera that is yet to be solved from it
    for one that stands still: a forecast is to be quick.

    Args:
        job: any; its engine and its output's path do not matter.
        report: told of the frames that are done.
        cancelled: asked at every frame.

    Raises:
        Cancelled: ``cancelled`` said so.
        FootageError: a depth file cannot be read.
    """
    gate = Gate(cancelled)
    job = applied(job)
    source = views.cameras(source_of(job), job.footage.width, job.footage.height)
    target = views.cameras(job.target, *small_size(job.output.width, job.output.height, _SHRUNK))
    # Where no camera changes its place and the source camera none of its direction, depth changes nothing.
    if not job.settings.depth.has_files or not (_moves(source) or _part(source, target)):
        shares = _over_plane(source, target, job.subject_distance, gate)
        return _told(shares, shares, _views(source, target, shares), job.subject_distance)
    return _by_depth(job, source, target, report, gate)


def _part(source: Cameras, target: Cameras) -> bool:
    return bool(np.abs(target.poses[:, :3, 3] - source.poses[:, :3, 3]).max() > _MOVE)


def _moves(source: Cameras) -> bool:
    return bool(np.ptp(source.poses, axis=0).max() > _MOVE)


def _told(shares: Floats, outside: Floats, worst: tuple[View, View], distance: float) -> Forecast:
    outside = np.minimum(outside, shares)
    most = int(shares.argmax())
    if shares[most] < _NONE:
        cause = "none"
    elif outside[most] < 0.5 * shares[most]:
        cause = "uncovers"
    else:
        cause = planes.blame(*worst, distance)
    return Forecast(shares=_shares(shares), outside=_shares(outside), cause=cause)


def _shares(found: Floats) -> tuple[float, ...]:
    """To a hundredth of a percent: more is neither known nor worth sending."""
    return tuple(round(min(max(float(each), 0.0), 1.0), 4) for each in found)


def _views(source: Cameras, target: Cameras, shares: Floats) -> tuple[View, View]:
    """The two cameras where most is to be invented."""
    at = int(shares.argmax())
    one, other = (View(each.poses[at], each.lenses[at], each.width, each.height) for each in (source, target))
    return one, other


# Over a plane


def _over_plane(source: Cameras, target: Cameras, distance: float, gate: Gate) -> Floats:
    shares = np.empty(len(target.poses), np.float32)
    for index in range(len(shares)):
        gate.check()
        one = View(source.poses[index], source.lenses[index], source.width, source.height)
        other = View(target.poses[index], target.lenses[index], target.width, target.height)
        shares[index] = planes.share_beside(one, other, distance)
    return shares


# By depth


class _Look(NamedTuple):
    """A job's geometry at the frames that are drawn.

    Attributes:
        places: their timeline indices.
        source: the camera that shot the footage, on frames of the footage's size.
        small: the same on small ones.
        target: the camera to see it with, on small frames.
        finer: by how much the take is wider and higher than those.
    """

    places: npt.NDArray[np.intp]
    source: Cameras
    small: Cameras
    target: Cameras
    finer: tuple[float, float]


def _by_depth(job: Job, source: Cameras, target: Cameras, report: Report, gate: Gate) -> Forecast:
    look = _look(job, source, target)
    count = len(look.places)
    lacks, beside, middles = np.empty((3, count), np.float32)
    report(Progress(phase=_COMPILING if must_compile() else _PHASE, step=0, total=count))
    with _ahead(job, look.places, gate) as maps:
        kept = _kept(job, look, maps, gate)
        for step in range(count):
            gate.check()
            depth = maps.frame(step)
            small = shrunk_depth(depth, look.small.width, look.small.height)
            lacks[step], beside[step] = _lack(look, step, depth, small, kept, job.subject_distance)
            middles[step] = _middle(small, job.subject_distance)
            report(Progress(phase=_PHASE, step=step + 1, total=count))
    everywhere = np.arange(len(job))
    shares, outside = (np.interp(everywhere, look.places, each).astype(np.float32) for each in (lacks, beside))
    return _told(shares, outside, _views(look.source, look.target, lacks), float(middles[lacks.argmax()]))


def _look(job: Job, source: Cameras, target: Cameras) -> _Look:
    length = len(job)
    places = np.unique(np.linspace(0, length - 1, min(length, MOST_FRAMES)).round().astype(np.intp))
    times = max(1, round(max(source.width, source.height) / max(target.width, target.height)))
    source = _at(source, places)
    return _Look(
        places=places,
        source=source,
        small=source.shrunk(max(2, source.width // times), max(2, source.height // times)),
        target=_at(target, places),
        finer=(job.output.width / target.width, job.output.height / target.height),
    )


@contextlib.contextmanager
def _ahead(job: Job, places: npt.NDArray[np.intp], gate: Gate) -> Iterator[Ahead]:
    """The depth at some of the timeline's frames, read ahead of being asked for."""
    width, height = job.footage.width, job.footage.height
    maps = open_depth(job.settings.depth, width, height)

    class Chosen:
        @staticmethod
        def frame(index: int) -> Floats:
            return maps.frame(int(places[index]))

    opened = Ahead(
        lambda: contextlib.nullcontext(Chosen()),
        name="depth",
        length=len(places),
        width=width,
        height=height,
        gate=gate,
    )
    with opened:
        yield opened


def _at(cameras: Cameras, places: npt.NDArray[np.intp]) -> Cameras:
    return cameras._replace(poses=cameras.poses[places], lenses=cameras.lenses[places])


class _Blank:
    """Footage without anything on it: what it shows does not matter."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._blank = np.zeros((height, width, 3), np.uint8)

    def frame(self, _index: int, /) -> Image:
        return self._blank


def _kept(job: Job, look: _Look, maps: Ahead, gate: Gate) -> list[supports.Support]:
    """What `reproject` would keep of other frames, to look behind what is in the way in this one.

    From the depth as it is: what moves is told from what stands by what one frame sees through another, and fewer
    pixels tell that badly (shares were off by 1.6 percentage points at half the size, by 0.1 as it is).
    """
    shot = Shot(
        footage=_Blank(look.source.width, look.source.height),
        depth=maps,
        source=_chosen(job.target, look.places),  # not asked for, nor is more than the length of the other
        target=_chosen(job.target, look.places),
        subject_distance=job.subject_distance,
        settings=EngineSettings(),
        width=look.target.width,
        height=look.target.height,
    )
    return supports.gather(shot, look.source, look.target, lambda *_args, **_known: gate.check())


def _chosen(camera: Trajectory, places: npt.NDArray[np.intp]) -> Trajectory:
    poses = tuple(camera.poses[place] for place in places)
    return dataclasses.replace(camera, poses=poses, intrinsics=tuple(camera.intrinsics[place] for place in places))


def _lack(
    look: _Look, step: int, depth: Floats, small: Floats, kept: list[supports.Support], distance: float
) -> tuple[float, float]:
    """The share of a frame that is to be invented, and how much of that lies beside what was filmed."""
    target = look.target
    q = edges.grid(small)
    across = views.between(look.small, step, target, step).single()
    tears = np.zeros(q.shape, np.uint8)
    cuts = np.full((*q.shape, 2), 127, np.uint8)
    # Sides of a step part when they come apart by as much of the take's own pixels, not of these.
    edges.find_tears(q, across * np.array([[look.finer[0]], [look.finer[1]], [1]], np.float32), tears)
    nearest = 1 / (draw.NEAREST * distance)
    buffer = np.empty((target.height * raster.SAMPLES, target.width * raster.SAMPLES), np.float32)
    raster.draw(q, tears, cuts, across, np.float32(nearest), buffer)
    covered = _covered(buffer)
    if kept and (covered < 1).any():
        blank = np.zeros((*covered.shape, 4), np.float32)
        seen = fill.flatten(buffer)
        supports.fill_from(kept, step, edges.grid(depth), look.source, target, nearest, seen, blank, covered)
    lack = 1 - covered
    if not lack.any():
        return 0.0, 0.0
    # Without tears the picture is a skin over all that was filmed: what is not under it lies beside.
    tears[:] = 0
    raster.draw(q, tears, cuts, across, np.float32(nearest), buffer)
    return float(lack.mean()), float(np.minimum(lack, 1 - _covered(buffer)).mean())


def _covered(buffer: Floats) -> Floats:
    """The share of each pixel's samples that something covers."""
    count = raster.SAMPLES
    there = (buffer >= 0).reshape(buffer.shape[0] // count, count, buffer.shape[1] // count, count)
    return there.mean(axis=(1, 3), dtype=np.float32)


def _middle(depth: Floats, otherwise: float) -> float:
    """Metres to the middle one of what is seen."""
    known = depth[np.isfinite(depth) & (depth > 0)]
    return float(np.median(known)) if known.size else otherwise
