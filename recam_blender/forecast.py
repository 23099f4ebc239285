"""The forecast: how much of each frame of a take would have to be invented, before anything slow is made.

The worker's assistant works it out from the cameras and the depth (:mod:`backend.previewing.forecast`), as the engine
`reproject` would find it. No picture of the footage is looked at, so none is rendered for it. What was told is kept for
as long as the file is open, never saved in it; ``after`` hears of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import bpy
import numpy as np

from ..backend import contract
from ..backend.cameras import resized, source_of
from ..backend.cameras.applied import applied
from ..backend.contract import Job
from ..backend.foresight import Forecast
from . import assistant, depth, footage, media, paths, planning, runtime, watching
from .errors import ReCamError
from .planning import Shot, Step
from .request import USES_DEPTH, Request, chosen_footage, from_settings
from .texts import later, tr

KEY = "forecast"
"""Of the task, and of the question to the assistant: a newer one takes the place of an older."""

MUCH = 0.5
"""The share of a frame over which a take is not made without a warning."""

_NONE = 0.005  # what is told as 0 %
_MOST_FRAMES = 250
_MOST_RENDERED = 24
"""Frames of each cut that are looked at, and where their depth must be rendered first; between them is interpolated."""

_QUARTER, _LEAST = 4, 64
"""The scene's depth is rendered at a quarter of the footage's sides, which are to have so many pixels at the least."""

CAUSES = {
    "turns": later("the camera turns past what was filmed"),
    "moves": later("the camera moves past what was filmed"),
    "backs": later("the camera goes back from what was filmed"),
    "widens": later("the camera's lens is wider than the footage's"),
    "uncovers": later("what was hidden comes into view"),
}


@dataclass(frozen=True)
class Told:
    """A forecast.

    Attributes:
        scene: the edit.
        strip: the footage.
        start: the timeline frame of the first share.
        shares: of each timeline frame that is re-shot, how much would be invented, 0 to 1.
        cause: of the worst frame; one of foresight.CAUSES.
        stamp: of what it was worked out from.
        stale: that has changed since.
    """

    scene: str
    strip: str
    start: int
    shares: tuple[float, ...]
    cause: str
    stamp: str = ""
    stale: bool = False

    @property
    def worst(self) -> float:
        """The largest share."""
        return max(self.shares)

    @property
    def frame(self) -> int:
        """The timeline frame that has it; the first of several."""
        return self.start + self.shares.index(self.worst)

    @property
    def text(self) -> str:
        """All that in a sentence."""
        if self.worst < _NONE:
            return tr("Nothing would be invented.")
        why = CAUSES.get(self.cause)
        template = tr("Up to {percent:.0f} % invented around frame {frame}: {cause}.")
        if why is None:
            template = tr("Up to {percent:.0f} % invented around frame {frame}.")
        return template.format(percent=max(1, 100 * self.worst), frame=self.frame, cause=tr(why or ""))


_told: dict[tuple[str, str], Told] = {}

after: list[Callable[[Told], None]] = []
"""Called with each forecast that was made, and with each that has gone out of date or is right again."""


def told(scene: bpy.types.Scene) -> Told | None:
    """What is known of the footage that the panel of this scene is about. Quick: for drawing."""
    strip = chosen_footage(scene)
    return None if strip is None else _told.get((scene.name, strip.name))


def keep(new: Told) -> None:
    """Remember a forecast, and tell whoever shows it."""
    _told[new.scene, new.strip] = new
    for call in after:
        call(new)


def forget() -> None:
    """Nothing is known: another file is open."""
    _told.clear()


def check(seen: watching.Seen) -> Told | None:
    """The forecast of what is seen, marked where it is out of date, or no longer so; None where there is none."""
    known = _told.get((seen.scene, seen.strip))
    if known is None:
        return None
    scene = bpy.data.scenes.get(seen.scene)
    stale = scene is None or stamp(scene, seen) != known.stamp
    if stale != known.stale:
        keep(dataclasses.replace(known, stale=stale))
    return _told[seen.scene, seen.strip]


def stamp(scene: bpy.types.Scene, seen: watching.Seen) -> str:
    """Another one when a forecast by the settings of this scene would be another: prompts, seeds and such do not count.

    Nothing where nothing can be foretold.
    """
    if seen.trouble or not seen.strip:
        return ""
    try:
        return _stamp(_by_geometry(from_settings(scene)), seen)
    except ReCamError:
        return ""


def is_cheap(request: Request) -> bool:
    """Whether a forecast takes but a moment: no depth of a scene must be rendered for it."""
    return _kind(_by_geometry(request)) != "scene"


def make(request: Request, *, key: str = KEY, python: str = "") -> Generator[Step, None, Told]:
    """Foretell the takes of a request, in short steps. Closing the generator cancels.

    Args:
        request: any; whatever its engine, `reproject`'s geometry decides.
        key: see assistant.ask.
        python: likewise.

    Raises:
        ReCamError: with the reason, in words.
    """
    asked = _by_geometry(request)
    if asked.source_from == "footage" and asked.use in ("stabilise", "lock") and not asked.source_camera:
        raise ReCamError(
            tr(
                "What would be invented hangs on how the footage's camera moved, which is not known yet: solve the "
                "footage first."
            )
        )
    with _in_words(), runtime.scratch_folder() as folder:
        planning.check(asked)
        yield from planning.opened(asked.scene, asked.strip)
        scene = planning.find_scene(asked.scene)
        strip = planning.find_strip(scene, asked.strip)
        first, end = planning.shown_range(asked, strip)
        seen = yield from watching.looking(scene)
        made_from = _stamp(asked, seen) if seen.strip == asked.strip and not seen.trouble else ""
        scene = planning.find_scene(asked.scene)
        found = yield from _found(asked, scene, planning.find_strip(scene, asked.strip), folder)
        most = _MOST_RENDERED if _kind(asked) == "scene" else _MOST_FRAMES
        parts = []
        for shot in (yield from planning.shots(asked, found, most=most, gently=True)):
            job = yield from _whole(shot, folder)
            answer = yield from assistant.ask("forecast", {"job": job.to_json()}, key=key, python=python)
            parts.append(_part(shot, Forecast.from_json(answer)))
    frames = range(first, end)
    shares = _joined(parts, frames)
    worst = max(parts, key=lambda part: max(part.shares))
    return Told(asked.scene, asked.strip, frames.start, shares, worst.cause, made_from)


def _by_geometry(request: Request) -> Request:
    """The same, made by the engine whose geometry decides. What only others heed goes, so that it changes no stamp."""
    fields = {name: getattr(request, name) for name in _GEOMETRY}
    if request.engine not in USES_DEPTH:
        fields = {name: value for name, value in fields.items() if not name.startswith("depth")}
    return Request(**fields)


_GEOMETRY = (
    *("scene", "strip", "camera", "source_camera", "camera_scene", "camera_frame", "lens", "subject_distance"),
    *("depth", "depth_path", "depth_scale", "width", "height", "first", "last", "handles", "relative", "source_from"),
    *(each.name for each in dataclasses.fields(Request) if each.name.startswith("use")),
)


def _stamp(asked: Request, seen: watching.Seen) -> str:
    place = (asked, seen.start, seen.stop, seen.size, seen.camera_scene, seen.unit, seen.offset)
    digest = hashlib.sha256(repr(place).encode(errors="surrogateescape"))
    for path in (*seen.targets, *((seen.source,) if seen.source else ())):
        digest.update(np.round(path.matrices, 5).tobytes())
        digest.update(np.round(path.corners, 6).tobytes())
    return digest.hexdigest()[:16]


def _kind(asked: Request) -> str:
    return depth.choose_depth(asked.depth, source=asked.source_camera)


# The footage, as far as it matters


def _found(
    asked: Request, scene: bpy.types.Scene, strip: Any, folder: str
) -> Generator[Step, None, footage.FootageFound]:
    """The footage's size and, where depth comes with its frames, which ones are shown."""
    start, stop = planning.read_range(asked, scene, strip)
    changed = footage.changes(scene, strip)
    if _kind(asked) == "file" and not changed:
        return (yield from planning.steps(footage.read_footage(scene, strip, (start, stop), folder=folder)))
    width, height = scene.render.resolution_x, scene.render.resolution_y
    if not changed:
        file = media.media_of(scene, _leaf(strip))
        width, height = file.width, file.height
    clip = contract.Footage(
        kind="movie", files=("unread",), frames=tuple(range(stop - start)), width=width, height=height
    )
    return footage.FootageFound(clip, (), start, stop, ())


def _leaf(strip: Any) -> Any:
    while strip.type == "SPEED":
        strip = strip.input_1
    return strip


def _whole(shot: Shot, folder: str) -> Generator[Step, None, Job]:
    """The shot's job, with its scene's depth rendered where it asks for that: small, and the footage as small."""
    job = shot.job
    if job.settings.depth.kind != "scene":
        return job
    if job.relative or job.use.makes_target:
        whole = job
        job = yield from paths.aside(lambda: applied(whole), len(whole))  # by the footage as large as it is
    width, height = (_quarter(side) for side in (job.footage.width, job.footage.height))
    source = resized(source_of(job), width, height)
    place = os.path.join(folder, f"depth-{job.origin.frame_start}")
    os.makedirs(place)
    scene = planning.find_scene(job.origin.camera_scene)
    camera = planning.find_camera(scene, job.origin.source_camera or job.origin.camera)
    files = yield from planning.steps(depth.render_depth(scene, camera, source, shot.frames, folder=place))
    rendered = dataclasses.replace(job.settings.depth, files=files)
    return dataclasses.replace(
        job,
        footage=dataclasses.replace(job.footage, width=width, height=height),
        source=source,
        lens=None,
        settings=dataclasses.replace(job.settings, depth=rendered),
    )


def _quarter(side: int) -> int:
    return min(side, max(_LEAST, round(side / _QUARTER)))


# What came of it


class _Part(NamedTuple):
    """Of one camera cut: timeline frames that were looked at, their shares, and the cause of the worst."""

    frames: tuple[float, ...]
    shares: Sequence[float]
    cause: str


def _part(shot: Shot, answer: Forecast) -> _Part:
    start = shot.job.origin.frame_start
    return _Part(tuple(start + each - shot.frames[0] for each in shot.frames), answer.shares, answer.cause)


def _joined(parts: Sequence[_Part], frames: range) -> tuple[float, ...]:
    """A share for each of these frames. Cuts lie side by side: nothing is interpolated from one camera to the next."""
    shares = np.zeros(len(frames))
    for part in parts:
        inside = [frame for frame in frames if part.frames[0] <= frame <= part.frames[-1]]
        if inside:
            at = slice(inside[0] - frames.start, inside[-1] + 1 - frames.start)
            shares[at] = np.interp(inside, part.frames, part.shares)
    return tuple(map(float, shares))


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except contract.ContractError as error:
        raise ReCamError(tr("This take cannot be made as it stands. {reason}.").format(reason=error)) from error
    except OSError as error:
        raise ReCamError(
            tr("A file could not be read or written ({reason}): {path!r}.").format(
                reason=error.strerror or error, path=error.filename or ""
            )
        ) from error
