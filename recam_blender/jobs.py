"""The queue: what was asked for, in the order in which it will be made. Never saved in a file.

Each entry is prepared at once (which frames, which camera, how deep), so that what is edited afterwards does not change
it; the worker then makes one after the other. A persistent timer takes the steps, so that no window need stay open. All
ends with the file that it was asked in: :func:`clear`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import tempfile
import time
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import bpy

from ..backend import contract
from ..backend.contract import Progress
from . import remake, reshoot, runtime, use_words
from .errors import ReCamError
from .planning import Step
from .request import Request
from .texts import tr

_TICK_SECONDS = 0.05
# Within one tick, steps are taken until this is spent: short ones together, a long one alone.
_BUDGET_SECONDS = 0.015
_KEPT_MESSAGES = 20

# Between two redraws for progress alone. One costs up to a tenth of a second where the processor draws.
_SHOW_SECONDS = 0.2

_REDRAWN = ("SEQUENCE_EDITOR", "VIEW_3D")


@dataclass(eq=False)
class Entry:
    """One request in the queue, as panels show it.

    Attributes:
        number: its name for as long as Blender runs.
        request: what was asked for.
        stage: ``preparing``, ``waiting`` (prepared, and not its turn yet) or ``running``.
        progress: of what is done for it at the moment.
        started: when the worker's part began, by ``time.monotonic``; 0 before.
    """

    number: int
    request: Request
    stage: str = "preparing"
    progress: Progress = field(default_factory=lambda: Progress(phase="starting", step=0, total=0))
    started: float = 0.0
    _work: Generator[Step, None, Any] | None = None
    _prepared: reshoot.Prepared | None = None
    _folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def camera(self) -> str:
        """The target camera's name, or how many there are; nothing where the scene's own is not looked up yet."""
        shots = self._prepared.shots if self._prepared is not None else ()
        names = [self.request.camera] if self.request.camera else [each.job.origin.camera for each in shots]
        names = list(dict.fromkeys(names))
        return tr("{count} cameras").format(count=len(names)) if len(names) > 1 else "".join(names)

    @property
    def title(self) -> str:
        """What is re-shot, seen by whom."""
        camera = self.camera or tr("the scene's camera")
        use = use_words.word(self.request.use)
        if contract.Use(kind=self.request.use).makes_target:
            return tr("{strip}, {use}").format(strip=self.request.strip, use=use)
        if use:
            return tr("{strip}, {use}, seen by {camera}").format(strip=self.request.strip, use=use, camera=camera)
        return tr("{strip}, seen by {camera}").format(strip=self.request.strip, camera=camera)

    @property
    def preview(self) -> str:
        """A picture of the take so far, which may be gone at any time; nothing where there is none."""
        return self.progress.preview


_entries: list[Entry] = []
_messages: list[runtime.Message] = []
_numbers = itertools.count(1)

after: list[Callable[[Entry, reshoot.Outcome], None]] = []
"""Called with each entry that was made, and what came of it."""

ended: list[Callable[[runtime.Message], None]] = []
"""Called with how each entry ended, be it made or not."""

shown: list[Callable[[], None]] = []
"""Called when there is something new to show, by those who show it elsewhere than in a sidebar."""

_shown_at = 0.0
_to_show = False


def add(request: Request) -> Entry:
    """Put a request at the end of the queue, and begin."""
    return _queue(Entry(next(_numbers), request))


def add_prepared(prepared: reshoot.Prepared) -> Entry:
    """The same for the job of a take that is to be made again: frames and cameras are known already."""
    return _queue(Entry(next(_numbers), prepared.request, _prepared=prepared))


def _queue(entry: Entry) -> Entry:
    _entries.append(entry)
    runtime.busy, runtime.message = True, None
    if not bpy.app.timers.is_registered(_tick):
        # Persistent: closing a window ends other timers, and opening a file is told by clear().
        bpy.app.timers.register(_tick, first_interval=0.0, persistent=True)
    _show()
    return entry


def entries() -> list[Entry]:
    """All that is not done yet: what runs first, then in the order in which it will be made."""
    return list(_entries)


def running() -> Entry | None:
    """The entry at whose take the worker is, or that is prepared, or the first; none where the queue is empty."""
    begun = sorted((each for each in _entries if each._work is not None), key=lambda each: each.stage != "running")
    return next(iter([*begun, *_entries]), None)


def find(number: int) -> Entry | None:
    """The entry of that number, if it is not done yet."""
    return next((each for each in _entries if each.number == number), None)


def messages() -> list[runtime.Message]:
    """How the latest ones ended, the newest last."""
    return list(_messages)


def forget_messages() -> None:
    """Show no more how the latest ones ended."""
    _messages.clear()
    runtime.message = None
    _show()


def cancel(number: int) -> None:
    """Take an entry out of the queue. What was begun for it is undone; no harm where it is gone."""
    entry = find(number)
    if entry is not None:
        _remove(entry)
        _tell(runtime.Message(tr("Cancelled: {job}.").format(job=entry.title), "CANCEL"))


def move(number: int, by: int) -> None:
    """Move an entry up (negative) or down among those that wait. What runs stays first."""
    entry = find(number)
    if entry is None or entry.stage == "running":
        return
    first = 1 if _entries[0].stage == "running" else 0
    place = min(max(first, _entries.index(entry) + by), len(_entries) - 1)
    _entries.remove(entry)
    _entries.insert(place, entry)
    _show()


def clear() -> None:
    """End all, without a word: another file is open, or the add-on is switched off."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    while _entries:
        _remove(_entries[-1])
    _messages.clear()


def advance() -> None:
    """Take the next steps of what runs, and of what is prepared: as many as are short."""
    until = time.monotonic() + _BUDGET_SECONDS
    for entry in _under_way():
        while entry in _entries and entry._work is not None:
            if _step(entry) or time.monotonic() > until:
                break


def _tick() -> float | None:
    try:
        advance()
    except Exception:
        # A defect. The others of the queue must not stand still for it.
        traceback.print_exc()
    if _to_show and time.monotonic() - _shown_at > _SHOW_SECONDS:
        _show()
    return _TICK_SECONDS if _entries else None


def _under_way() -> list[Entry]:
    """What the worker makes, and the first that is not prepared: begun if it is their turn."""
    if _entries and not any(each.stage == "running" for each in _entries):
        # In their order: who is first and not prepared yet is waited for.
        first = _entries[0]
        if first.stage == "waiting" and first._prepared is not None:
            first.stage, first.started = "running", time.monotonic()
            first._work = reshoot.make(first._prepared)
    making = [each for each in _entries if each.stage == "running"]
    preparing = sorted((each for each in _entries if each.stage == "preparing"), key=lambda each: each.number)[:1]
    for entry in preparing:
        if entry._work is None:
            entry._folder = runtime.scratch_folder()
            if entry._prepared is not None:
                entry._work = remake.renew(entry._prepared, entry._folder.name)
            else:
                entry._work = reshoot.prepare(entry.request, entry._folder.name)
    return [*making, *preparing]


def _step(entry: Entry) -> bool:
    """Take one step of an entry; whether there is nothing more to do for it in this tick."""
    global _to_show
    assert entry._work is not None
    before = _told(entry)
    try:
        step = next(entry._work)
    except StopIteration as end:
        entry._work = None
        if entry.stage == "preparing":
            entry._prepared, entry.stage = end.value, "waiting"
            entry.progress = dataclasses.replace(entry.progress, phase="waiting", step=0, total=0)
        else:
            _finished(entry, end.value)
        _show()
        return True
    except ReCamError as error:
        _failed(entry, str(error))
        return True
    except Exception as error:
        # A defect, not a reason: told like one, so that the queue goes on.
        traceback.print_exc()
        template = tr("Re-shooting failed ({kind}: {error}). Blender's console says more.")
        _failed(entry, template.format(kind=type(error).__name__, error=error))
        return True
    entry.progress = step.progress
    _to_show = _to_show or _told(entry) != before
    return step.idle or step.apart


def _finished(entry: Entry, outcome: reshoot.Outcome) -> None:
    _remove(entry)
    names = ", ".join(take.strip or take.path for take in outcome.takes)
    text = tr("Made {takes}.").format(takes=names)
    _tell(runtime.Message(text, "CHECKMARK", outcome.warnings, outcome.notes))
    for call in after:
        call(entry, outcome)


def _failed(entry: Entry, text: str) -> None:
    _remove(entry)
    _tell(runtime.Message(text, "ERROR"))


def _remove(entry: Entry) -> None:
    """Out of the queue, with all that was begun for it."""
    if entry in _entries:
        _entries.remove(entry)
    runtime.busy = bool(_entries)
    work, entry._work = entry._work, None
    try:
        if work is not None:
            work.close()
    except Exception:
        # A defect in clearing away. The others must go all the same, and no file is to open with a stuck queue.
        traceback.print_exc()
    if entry._folder is not None:
        with contextlib.suppress(OSError):
            entry._folder.cleanup()


def _tell(message: runtime.Message) -> None:
    runtime.message = message
    _messages.append(message)
    del _messages[:-_KEPT_MESSAGES]
    _show()
    for call in ended:
        call(message)


def _told(entry: Entry) -> tuple[object, ...]:
    """What a redraw would change."""
    told = entry.progress
    return entry.stage, told.phase, told.step, told.total, told.preview, told.seconds_left


def _show() -> None:
    """Draw the sidebars anew, and nothing beside them: a viewport may take its time."""
    global _shown_at, _to_show
    _shown_at, _to_show = time.monotonic(), False
    for manager in bpy.data.window_managers:
        for window in manager.windows:
            for area in window.screen.areas:
                for region in area.regions if area.type in _REDRAWN else ():
                    if region.type == "UI":
                        region.tag_redraw()
    for call in shown:
        call()
