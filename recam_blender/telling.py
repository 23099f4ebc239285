"""Progress in words, for the panel's bar and a terminal's alike. No bpy here."""

from __future__ import annotations

from ..backend.contract import Progress
from ..backend.progress import size
from .texts import tr


def share(progress: Progress) -> float:
    """How much of the phase is done, 0 to 1."""
    return min(1.0, progress.step / progress.total) if progress.total else 0.0


def phase(progress: Progress) -> str:
    """What is being done, and how far it is: "Sampling 12/50". Phases of one step have none to count."""
    text = tr(progress.phase)
    text = text[:1].upper() + text[1:]
    if progress.unit == "bytes":
        return " ".join([text, *_bytes(progress)])
    return f"{text} {progress.step}/{progress.total}" if progress.total > 1 else text


def time_left(progress: Progress) -> str:
    """Until the whole job is done: "3 min left". Empty where that cannot be told."""
    if progress.seconds_left is None:
        return ""
    return tr("{time} left").format(time=duration(progress.seconds_left))


def _bytes(progress: Progress) -> list[str]:
    told = []
    if progress.total:
        told.append(tr("{done} of {total}").format(done=size(progress.step), total=size(progress.total)))
    if progress.per_second:
        told.append(tr("at {size}/s").format(size=size(round(progress.per_second))))
    return told


def duration(seconds: float) -> str:
    """As exactly as it matters: the seconds of an hour are nobody's concern."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 10:
        return tr("{minutes} min {seconds} s" if minutes else "{seconds} s").format(minutes=minutes, seconds=rest)
    minutes = round(seconds / 60)
    if minutes < 60:
        return tr("{minutes} min").format(minutes=minutes)
    return tr("{hours} h {minutes} min").format(hours=minutes // 60, minutes=minutes % 60)
