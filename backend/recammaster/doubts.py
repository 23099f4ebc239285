"""What a user should know of a take that the network is asked for, in whole sentences.

What the network was trained on is told by the paper (arXiv 2503.11647) and, for the released weights, by the README of
the MultiCamVideo data set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..cameras.poses import relative
from ..contract import Generation, Trajectory
from ..engines import Shot
from ..generation import FRAMES, SIZE
from .fitting import Fit, find_fit
from .timing import Schedule, default_overlap
from .views import View, find_views
from .windows import Seam

Array = npt.NDArray[np.float64]

_SAME_PLACE = 0.01  # of the subject distance: about half a degree there
_SAME_TURN = 0.5  # degrees
_WIDEST_TURN = 75.0  # degrees, the widest arc of the released data; its pans and tilts end at 45 and 30
_LONGEST_MOVE = 12.2  # metres, the chord of that arc at its largest distance to the subject, 10 m
_WHOLE = 0.995  # share of a view that nobody misses the rest of
_MUCH_CLOSER = 0.75  # share of the network's frame below which a take is visibly less sharp
_SAME_LENS = 1e-3
_JUMPS = 1.5  # times the change around a seam, above which it may be seen


def sentences(
    shot: Shot,
    fitted: Fit,
    views: Sequence[View],
    schedule: Schedule,
    generation: Generation,
    seams: Sequence[Seam] = (),
    *,
    transparent: bool,
) -> list[str]:
    """What is odd about a take, and what to do about it; nothing where all is as the network knows it.

    Args:
        shot: what is asked for.
        fitted: how the footage lies in the network's frame.
        views: what each frame of the take shows of it.
        schedule: what the network draws.
        generation: the job's settings.
        seams: where its windows meet.
        transparent: whether the footage is, anywhere.
    """
    found = [
        _first_view(shot),
        _moves(shot),
        _narrowed(shot, fitted, views, generation),
        _moved(views, fitted, generation),
        _closer(shot, fitted, views),
        _source_lens(shot),
        _in_one_window(shot.length, schedule) if _is_coarse(shot.length, schedule) else "",
        _unseen(seams),
        *(_jump(each) for each in seams),
        _untrained(generation),
        _ALPHA if transparent else "",
    ]
    return [each for each in found if each]


def notes(shot: Shot, schedule: Schedule, found: Sequence[int] = (), seams: Sequence[Seam] = ()) -> list[str]:
    """What was decided on the user's behalf, and is no reason to worry.

    Args:
        shot: what is asked for.
        schedule: what the network draws.
        found: the windows, from 0, that were drawn before this run.
        seams: where the windows meet.
    """
    said = [
        "" if _is_coarse(shot.length, schedule) else _in_one_window(shot.length, schedule),
        _in_windows(schedule),
        _thinned(shot, schedule),
        _repeated(schedule),
        _joined(seams),
        _found(found, len(schedule.windows)),
        _MASK if shot.mask else "",
    ]
    return [each for each in said if each]


_ALPHA = (
    "The footage is transparent in places, of which the network knows nothing: it was shown the colours as if they "
    "were opaque, and so is the take."
)
_MASK = "The mask is white all over, as the network draws every pixel anew."


def _first_view(shot: Shot) -> str:
    metres, degrees = (float(each[0]) for each in _away(shot))
    if metres <= _SAME_PLACE * shot.subject_distance and degrees <= _SAME_TURN:
        return ""
    return (
        f"The target camera's first view is {_metres(metres)} m and {degrees:.1f} degrees away from the footage's, but "
        "the network was only trained on takes that start at the footage's first view, and may start there whatever "
        "it is told: let the target camera start where the source camera does."
    )


def _moves(shot: Shot) -> str:
    metres, degrees = _away(shot)
    found = []
    if degrees.max() > _WIDEST_TURN:
        found.append(
            f"turns up to {degrees.max():.0f} degrees away (frame {degrees.argmax() + 1}), where the network was "
            f"trained on {_WIDEST_TURN:.0f} at most"
        )
    if metres.max() > _LONGEST_MOVE:
        found.append(
            f"goes up to {_metres(metres.max())} m away (frame {metres.argmax() + 1}), where the network was trained "
            f"on {_LONGEST_MOVE:.0f} m at most"
        )
    if not found:
        return ""
    return f"From the footage's first view the target camera {', and '.join(found)}: a shorter move is safer."


def _narrowed(shot: Shot, fitted: Fit, views: Sequence[View], generation: Generation) -> str:
    kept = [each.kept for each in views]
    worst = min(kept)
    if worst > _WHOLE:
        return ""
    remedy = "use a lens no wider than the footage's"
    if generation.fit != "pad" and _most_with_padding(shot, fitted, generation) > worst + (1 - _WHOLE):
        remedy = "choose the fit 'pad', which keeps the footage's edges"
    return (
        f"The target camera sees more than the network draws, so the take shows less at its edges: {worst:.1%} of the "
        f"width and height asked for in frame {kept.index(worst) + 1}; to see more, {remedy}."
    )


def _most_with_padding(shot: Shot, fitted: Fit, generation: Generation) -> float:
    padded = find_fit(*fitted.footage, dataclasses.replace(generation, fit="pad"))
    return min(each.kept for each in find_views(shot, padded))


def _moved(views: Sequence[View], fitted: Fit, generation: Generation) -> str:
    if generation.focus_x is not None or generation.focus_y is not None:
        return ""  # as was asked for
    moved = [each.moved for each in views]
    most = max(moved)
    # A crop is placed by whole pixels, so that a view may be half of one off.
    if most <= max(1 - _WHOLE, 1 / fitted.width):
        return ""
    return (
        f"The target camera's lens is shifted beyond what the network draws: frame {moved.index(most) + 1} of the take "
        f"is {most:.1%} of the width off; lessen the shift."
    )


def _closer(shot: Shot, fitted: Fit, views: Sequence[View]) -> str:
    left, _, right, _ = fitted.covered
    shares = [(each.window[2] - each.window[0]) / (right - left) for each in views]
    # A take of another shape than the footage's is cropped at its sides as well, and no less sharp for it.
    heights = [(each.window[3] - each.window[1]) / (fitted.covered[3] - fitted.covered[1]) for each in views]
    shares = [max(pair) for pair in zip(shares, heights, strict=True)]
    least = min(shares)
    if least >= _MUCH_CLOSER:
        return ""
    lens = "changes" if _changes(shot.target) else "is longer than the footage's"
    return (
        f"The target's lens {lens}, of which the network knows nothing: the take is cropped out of what it draws, down "
        f"to {least:.0%} in frame {shares.index(least) + 1}, which is that much less sharp."
    )


def _source_lens(shot: Shot) -> str:
    if not _changes(shot.source):
        return ""
    return (
        "The source camera's lens changes, of which the network knows nothing: the take is cropped as if what it "
        "draws zooms along with the footage, so look whether it does."
    )


def _is_coarse(length: int, schedule: Schedule) -> bool:
    alone = len(schedule.windows) == 1
    return alone and (length - schedule.repeats > 2 * schedule.frames or (schedule.frames == 1 and length > 1))


def _in_one_window(length: int, schedule: Schedule) -> str:
    frames, shown = schedule.frames, length - schedule.repeats
    if len(schedule.windows) > 1 or length == frames == shown:
        return ""
    if frames == 1:
        return f"The network draws one frame, which the take shows {length} times: ask it for more frames."
    if length == 1:
        return f"The footage's one frame was shown to the network {frames} times, and the take is the first of these."
    if shown <= frames:
        return f"{shown} frames were shown to the network as {frames}, with others in between made by optical flow."
    if shown <= 2 * frames:
        return (
            f"{length} frames were shown to the network as {frames}, and the take's remaining ones ({length - frames}) "
            "are made by optical flow from those around them."
        )
    return (
        f"{length} frames were shown to the network as {frames}, less than half of them, and the take's others are "
        "made by optical flow: quick motion will be coarse, so let the network draw the clip in windows, with an "
        f"overlap of {default_overlap(frames)}."
    )


def _in_windows(schedule: Schedule) -> str:
    windows = schedule.windows
    if len(windows) == 1:
        return ""
    counts = [each.known for each in windows[1:]]
    known = f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else str(counts[0])
    return (
        f"The clip is longer than what the network draws at once: {len(schedule.times)} frames were drawn in "
        f"{len(windows)} windows of {schedule.frames}, each of which goes on from the last {known} frames of the one "
        "before."
    )


def _thinned(shot: Shot, schedule: Schedule) -> str:
    if schedule.step == 1:
        return ""
    which = {2: "second", 3: "third"}.get(schedule.step, f"{schedule.step}th")
    return (
        f"Of {shot.rate:g} frames per second the network drew every {which}, as it was trained on 15 per second; the "
        "take's others are made by optical flow from those around them."
    )


def _repeated(schedule: Schedule) -> str:
    if not schedule.repeats:
        return ""
    return (
        f"{schedule.repeats} frames of the timeline show the same footage as the one before, which the network was not "
        "shown twice: the take's frames there are made by optical flow from those around them."
    )


def _joined(seams: Sequence[Seam]) -> str:
    if not seams:
        return ""
    worst = max(seams, key=lambda seam: seam.ratio)
    return (
        f"Where windows meet, the picture changes from frame to frame at most {worst.ratio:.2f} times as much as "
        f"around there (at frame {worst.frame + 1})."
    )


def _found(found: Sequence[int], count: int) -> str:
    if not found:
        return ""
    if count == 1:
        return "What the network draws was there already, from when this take was begun before."
    return (
        f"{len(found)} of the {count} windows were there already, from when this take was begun before: it went on "
        "from them."
    )


def _unseen(seams: Sequence[Seam]) -> str:
    if not seams:
        return ""
    frames = ", ".join(str(seam.frame + 1) for seam in seams)
    return (
        "Nobody has judged yet how the released weights go on from frames that are given, as they do in each window "
        f"after the first: look at the take where windows meet (frame {frames})."
    )


def _jump(seam: Seam) -> str:
    if seam.ratio <= _JUMPS:
        return ""
    return (
        f"At frame {seam.frame + 1}, where two windows meet, the picture changes {seam.ratio:.1f} times as much as "
        "around there: look at it, and try another seed or a larger overlap if it can be seen."
    )


def _untrained(generation: Generation) -> str:
    asked = generation.frames, (generation.width, generation.height)
    if asked == (FRAMES, SIZE):
        return ""
    return (
        f"The released weights were trained on {_named(FRAMES, SIZE)}, and nobody has judged yet what they make of "
        f"{_named(*asked)}."
    )


def _named(frames: int, size: tuple[int, int]) -> str:
    return f"{frames} frames of {size[0]}x{size[1]}"


def _away(shot: Shot) -> tuple[Array, Array]:
    """How far each pose of the target is from the footage's first: metres (n,), and degrees (n,)."""
    seen = relative(shot.target.poses, shot.source.poses[0])
    # |R - 1| is 2 sqrt(2) times the sine of half the angle: it keeps its precision where the angle is small.
    half = np.linalg.norm(seen[:, :3, :3] - np.eye(3), axis=(1, 2)) / np.sqrt(8)
    return np.linalg.norm(seen[:, :3, 3], axis=1), np.degrees(2 * np.arcsin(np.minimum(half, 1)))


def _changes(trajectory: Trajectory) -> bool:
    focals = np.array([(each.fx, each.fy) for each in trajectory.intrinsics])
    return bool((np.ptp(focals, axis=0) > _SAME_LENS * focals[0]).any())


def _metres(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"
