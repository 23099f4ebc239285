"""Work in the background that belongs to no window: set-up, downloads, searches. Never saved in a file.

A task is a generator of short steps, as a take is; but it goes on when the window that began it is closed, and when
another file is opened. One timer takes the steps. Background Blender has no timers: there a task is done when
:func:`start` returns.
"""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import bpy

from ..backend.contract import Progress
from . import telling
from .errors import ReCamError
from .planning import Step
from .texts import tr

T = TypeVar("T")

_TICK_SECONDS = 0.1
# Within one tick, steps are taken until this is spent, unless a task only waits.
_BUDGET_SECONDS = 0.02
_WAIT_SECONDS = 0.02

_SHOWN_IN = ("PREFERENCES", "SEQUENCE_EDITOR")


@dataclass
class Task:
    """What is under way, as panels show it."""

    key: str
    title: str
    work: Generator[Step, None, Any]
    finished: Callable[[Any], str | None]
    progress: Progress = field(default_factory=lambda: Progress(phase="starting", step=0, total=0))
    cancel_asked: bool = False

    @property
    def words(self) -> str:
        """Where it stands: phase, speed and time left, as far as they are known."""
        if self.cancel_asked:
            return tr("Cancelling")
        return ", ".join(filter(None, (telling.phase(self.progress), telling.time_left(self.progress))))

    @property
    def share(self) -> float:
        """How much of its phase is done, 0 to 1."""
        return telling.share(self.progress)


@dataclass(frozen=True)
class Ended:
    """How a task ended, until the next of its key begins.

    Attributes:
        text: whole sentences; a line of its own where there is a line break.
        kind: ``done``, ``cancelled``, or ``failed``.
    """

    text: str
    kind: str


_running: dict[str, Task] = {}
_ended: dict[str, Ended] = {}


def start(key: str, title: str, work: Generator[Step, None, T], finished: Callable[[T], str | None]) -> None:
    """Begin a task. In background Blender it is done when this returns.

    Args:
        key: what there is never more than one of.
        title: what is being done, as a heading.
        work: gives a Step now and then; closing it cancels and clears away.
        finished: called with what came of it; what it returns is what the user is told.

    Raises:
        ReCamError: one of that key is under way; in background Blender, also whatever ``work`` or ``finished`` raise.
    """
    if key in _running:
        raise ReCamError(
            tr("{title}: {other} is under way already. Wait for it, or cancel it.").format(
                title=title, other=_running[key].title
            )
        )
    _ended.pop(key, None)
    _running[key] = task = Task(key, title, work, finished)
    if bpy.app.background:
        _run_to_end(task)
    elif not bpy.app.timers.is_registered(_tick):
        # Persistent: a timer without that ends when another file is opened.
        bpy.app.timers.register(_tick, first_interval=0.0, persistent=True)
    _redraw()


def running(key: str) -> Task | None:
    """The task of that key, if it is under way."""
    return _running.get(key)


def every() -> list[Task]:
    """All that is under way, oldest first."""
    return list(_running.values())


def cancel(key: str) -> None:
    """End a task at its next step; nothing more is heard of it but that. No harm where there is none."""
    if key in _running:
        _running[key].cancel_asked = True


def ended(key: str) -> Ended | None:
    """How the latest task of that key ended, if none has begun since."""
    return _ended.get(key)


def tell(key: str, text: str, kind: str = "done") -> None:
    """Show a message where that of a task of this key is shown."""
    _ended[key] = Ended(text, kind)
    _redraw()


def forget(key: str) -> None:
    """Take away the message of a task that ended."""
    _ended.pop(key, None)
    _redraw()


def drop(key: str) -> None:
    """End a task of that key, if there is one, without a word, and take away the message of the one before it."""
    task = _running.pop(key, None)
    if task is not None:
        task.work.close()
    forget(key)


def stop_all() -> None:
    """End whatever runs, without a word: the add-on is switched off, or Blender quits."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    while _running:
        _, task = _running.popitem()
        task.work.close()
    _ended.clear()


def drain(work: Generator[Step, None, T], report: Callable[[Progress], None] = lambda progress: None) -> T:
    """Run a generator of steps to its end, sleeping where it waits. Whatever interrupts that closes it."""
    with contextlib.closing(work):
        while True:
            try:
                step = next(work)
            except StopIteration as end:
                finished: T = end.value
                return finished
            report(step.progress)
            if step.idle:
                time.sleep(_WAIT_SECONDS)


def _run_to_end(task: Task) -> None:
    try:
        _finish(task, drain(task.work))
    except BaseException as error:
        _end(task, str(error) or type(error).__name__, "failed")
        raise


def _tick() -> float | None:
    """Take some steps of each task; called by Blender's timer."""
    for task in every():
        if _running.get(task.key) is task:
            _advance(task)
    return _TICK_SECONDS if _running else None


def _advance(task: Task) -> None:
    before = _shown(task)
    try:
        _take_steps(task)
    except ReCamError as error:
        _end(task, str(error), "failed")
    except Exception as error:
        # A defect, not a reason. It must not end the timer, which others need too.
        traceback.print_exc()
        _end(
            task,
            tr("{title} failed ({kind}: {error}). Blender's console says more.").format(
                title=task.title, kind=type(error).__name__, error=error
            ),
            "failed",
        )
    if _shown(task) != before:
        _redraw()


def _take_steps(task: Task) -> None:
    until = time.monotonic() + _BUDGET_SECONDS
    while not task.cancel_asked and time.monotonic() < until:
        try:
            step = next(task.work)
        except StopIteration as end:
            _finish(task, end.value)
            return
        task.progress = step.progress
        if step.idle:
            break
    if task.cancel_asked:
        task.work.close()
        _end(task, tr("{title}: cancelled.").format(title=task.title), "cancelled")


def _finish(task: Task, came_of_it: Any) -> None:
    # It has ended before it tells: who is told may begin another, or leave a message of its own.
    _end(task, tr("{title}: done.").format(title=task.title), "done")
    own = _ended[task.key]
    text = task.finished(came_of_it)
    if text is not None and _ended.get(task.key) is own:
        tell(task.key, text)


def _end(task: Task, text: str, kind: str) -> None:
    if _running.get(task.key) is task:
        del _running[task.key]
    _ended[task.key] = Ended(text, kind)
    _redraw()


def _shown(task: Task) -> tuple[str, int]:
    """What a redraw would change: a window under a software renderer takes a tenth of a second for one."""
    return task.words, round(100 * task.share)


def _redraw() -> None:
    for manager in bpy.data.window_managers:
        for window in manager.windows:
            for area in window.screen.areas:
                if area.type in _SHOWN_IN:
                    area.tag_redraw()
