"""The engine ``recammaster``: from footage and a target camera to a take that the network draws.

Here is what lies between the job and the network: which instants it is shown, how the footage fits its frame, what
each frame of the take shows of what it drew. Long clips are cut up and joined in :mod:`.windows`; the network's own
work is in :mod:`.drawing`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from ..contract import EngineSettings
from ..engines import Frame, Report, Shot
from ..media.in_between import frames_at
from . import doubts, fitting, shake, timing
from .drawing import Drawing
from .timing import Schedule
from .views import draw, find_views
from .windows import Windows


class ReCamMaster:
    """Draws the take anew with the network of ReCamMaster, from the footage and the target camera.

    Args:
        settings: of the job; what it says of depth is not used.
    """

    name = "recammaster"

    def __init__(self, settings: EngineSettings) -> None:
        self.depth_used = ""
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self._settings = settings

    def frames(self, shot: Shot, report: Report) -> Iterator[Frame]:
        """See :class:`backend.engines.Engine`. The first frame comes when the network has drawn a window.

        Raises:
            EngineError: models are missing or are not what they should be, or memory does not suffice.
        """
        fitted, generation, told = fitting.settle(shot, self._settings.generation)
        self.notes += told
        drawing = Drawing(self._settings, report, self.notes, self.warnings, shot.keeper)
        views = find_views(shot, fitted)
        schedule = timing.schedule(
            shot.length, generation.frames, overlap=generation.overlap, rate=shot.rate, shows=shot.shows
        )
        like = shot.footage.frame(0)

        def look(shown: Tensor) -> None:
            if not shot.source_known and (sentence := _of_shake(shown, schedule, shot.rate)):
                self.warnings.append(sentence)

        drawn = Windows(shot, fitted, schedule, drawing, report, look)
        places = timing.take_places(shot.length, schedule.times)
        # Nothing of the take is the footage's: the network draws every pixel anew.
        invented = np.full((shot.height, shot.width), 255, np.uint8)
        for index, (frame, view) in enumerate(zip(frames_at(drawn.frame, places), views, strict=True)):
            image = draw(frame, view, shot.width, shot.height, like.dtype, like.shape[2])
            yield Frame(image, invented)
            report("re-shooting", index + 1, shot.length, seconds_left=drawing.seconds_left)
        self.notes += doubts.notes(shot, schedule, drawing.found, drawn.seams())
        self.warnings += doubts.sentences(
            shot, fitted, views, schedule, generation, drawn.seams(), transparent=drawn.transparent
        )


def _of_shake(video: Tensor, schedule: Schedule, rate: float) -> str | None:
    """What to say of footage that trembles, told by those of the first window's frames that are frames of it."""
    times = schedule.times[: video.shape[2]]
    whole = [index for index in range(len(times)) if schedule.places[index].is_integer()]
    shown_rate = rate * max(1, len(whole) - 1) / max(1.0, times[-1])
    frames = (np.rint(255 * fitting.frame_of(video, index)).astype(np.uint8) for index in whole)
    return shake.measure(frames, rate=shown_rate).sentence
