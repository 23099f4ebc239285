"""Progress in words, for the panel's bar and a terminal's alike. No bpy here."""

from __future__ import annotations

from ..backend.contract import Progress
from ..backend.progress import size


def share(progress: Progress) -> float:
    """How much of the phase is done, 0 to 1."""
    return min(1.0, progress.step / progress.total) if progress.total else 0.0


def phase(progress: Progress) -> str:
    """What is being done, and how far it is: "Sampling 12/50". Phases of one step have none to count."""
    text = progress.phase[:1].upper() + progress.phase[1:]
    if progress.unit == "bytes":
        return " ".join([text, *_bytes(progress)])
    return f"{text} {progress.step}/{progress.total}" if progress.total > 1 else text


def time_left(progress: Progress) -> str:
    """Until the whole job is done: "3 min left". Empty where that cannot be told."""
    return "" if progress.seconds_left is None else f"{_duration(progress.seconds_left)} left"


def _bytes(progress: Progress) -> list[str]:
    told = [f"{size(progress.step)} of {size(progress.total)}"] if progress.total else []
    return told + ([f"at {size(round(progress.per_second))}/s"] if progress.per_second else [])


def _duration(seconds: float) -> str:
    """As exactly as it matters: the seconds of an hour are nobody's concern."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 10:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
