"""What is done with takes and takes its time: making one again, putting those on the disk back, and removing one."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import bpy

from ..backend.contract import Progress
from . import (
    assistant,
    compat,
    needs,
    planning,
    remake,
    reshoot,
    runtime,
    sequencer,
    take_files,
    take_record,
    takes,
    tasks,
)
from .errors import ReCamError
from .planning import Step
from .take_list import find, look_again, path_of
from .texts import listed, plural, tr
from .ties import footage_of, list_takes, sounds_of

REMOVE, LOAD = "take_remove", "take_load"
"""Keys of the tasks."""


def drop() -> None:
    """End what loads or removes takes, and forget how that ended: another file is open, and may have the same names."""
    for key in (LOAD, REMOVE):
        tasks.drop(key)


# Again


def again(scene: bpy.types.Scene, strip: Any, *, next_seed: bool = False) -> reshoot.Prepared:
    """The job of a take once more, with its own seed or the next one.

    The job is made as it is in the record, whatever became of the camera's keys.

    Raises:
        ReCamError: with the reason, in words.
    """
    job = take_record.present_job(scene, strip)
    missing = remake.missing_files(job)
    if missing:
        template = tr("{take} cannot be made again, as {file!r} is gone: put it back, or ask for another take.")
        raise ReCamError(template.format(take=strip.name, file=missing[0]))
    seed = take_record.next_seed(scene, strip) if next_seed else job.settings.seed
    return remake.again(job, seed, compat.span(strip))


# Back into the sequencer


def load(scene: str, footage: str, folder: str = "") -> Generator[Step, None, list[str]]:
    """Put the takes of a strip that lie in the folder of takes into the sequencer, where they are not in it.

    Args:
        scene: the name of the edit.
        footage: the strip's name, which their records tell.
        folder: where takes go; empty for the usual place.

    Returns:
        The new strips' names. Each step reads one record or inserts one strip.
    """
    folder = folder or takes.folder_for(bpy.data.filepath, runtime.user_folder())
    edit = planning.find_scene(scene)
    shown = {_same(path_of(edit, each)) for each in compat.strips_all(edit)}
    found: list[take_files.Stored] = []
    for stored in take_files.in_folder(folder):
        yield Step(Progress(phase="Looking for takes", step=len(found), total=0))
        if stored is not None and stored.job.origin.strip == footage and _same(stored.path) not in shown:
            found.append(stored)
    names: list[str] = []
    for stored in found:
        yield Step(Progress(phase="Inserting takes", step=len(names), total=len(found)))
        names.append(_insert(scene, footage, stored))
    if names:
        bpy.ops.ed.undo_push(message="Load Takes")
    return names


def _insert(scene: str, footage: str, stored: take_files.Stored) -> str:
    edit = planning.find_scene(scene)
    start, length = stored.job.origin.frame_start, len(stored.job)
    strip = next((each for each in compat.strips_all(edit) if each.name == footage), None)
    first, end = compat.span(strip) if strip is not None else (start, start + length)
    shown = max(start, first), min(start + length, end)
    made, _ = sequencer.insert_take(
        edit,
        footage,
        stored.path,
        name=os.path.splitext(os.path.basename(stored.path))[0],
        start=start,
        length=length,
        shown=shown if shown[0] < shown[1] else None,
        metadata={"job": json.dumps(stored.job.to_json()), "result": json.dumps(stored.result.to_json())},
    )
    name: str = made.name
    return name


# Away


@dataclass(frozen=True)
class Removal:
    """What removing a take would do.

    Attributes:
        files: that would go to the trash; none where they stay.
        why: they stay, as a sentence; empty where they go.
    """

    files: tuple[str, ...]
    why: str


def removal(scene: bpy.types.Scene, strip: Any) -> Removal:
    """What would be removed with a take's strip: only what ReCam made, and nobody else shows."""
    path = path_of(scene, strip)
    stored = take_files.stored(path) if path else None
    if stored is None:
        return Removal((), take_files.why_not_ours(path))
    others = [each.name for each in _others_showing(strip, path)]
    if others:
        template = plural(
            len(others),
            "Strip {strips} shows the same file, which stays for it.",
            "Strips {strips} show the same file, which stays for them.",
        )
        return Removal((), template.format(strips=listed([repr(each) for each in others[:3]])))
    if needs.need("reproject") is not None:
        return Removal((), tr("Only the backend can put files into the trash, and it is not installed: they stay."))
    return Removal(tuple(stored.files), "")


def remove(scene: str, take: str, *, files: bool = True) -> Generator[Step, None, str]:
    """Remove a take: its files go to the system's trash, and then its strip goes, with the copy of its sound.

    Args:
        scene: the name of the edit.
        take: its strip's name.
        files: whether its files go, too; where they cannot, all stays.

    Returns:
        What was done, as a sentence.

    Raises:
        ReCamError: the files could not be put into the trash; the strip is still there.
    """
    yield Step(Progress(phase="Removing the take", step=0, total=0))
    edit = planning.find_scene(scene)
    strip = find(edit, take)
    paths = list(removal(edit, strip).files) if files else []
    if files and not paths:
        raise ReCamError(removal(edit, strip).why)
    if paths:
        answer = yield from assistant.ask("trash", {"paths": paths})
        look_again()
        _check_trashed(take, paths, answer)
    edit = planning.find_scene(scene)
    strip = next((each for each in compat.strips_all(edit) if each.name == take), None)
    if strip is not None:
        remove_strip(edit, strip)
        bpy.ops.ed.undo_push(message="Remove Take")
    if not paths:
        return tr("Removed the strip {take}. Its files are where they were.").format(take=take)
    return tr("Moved {files} to the trash.").format(files=listed([os.path.basename(each) for each in paths]))


def remove_strip(scene: bpy.types.Scene, strip: Any) -> None:
    """Take a take's strip out of the sequencer, and the copy of the footage's sound that came with it.

    Its footage is active then: the panel goes on about it.
    """
    footage = footage_of(scene, strip)
    if scene.recam.pinned == strip.name:
        scene.recam.pinned = ""
    for each in [*sounds_of(scene, strip), strip]:
        compat.strips(sequencer.owner_of(scene, each)).remove(each)
    if footage is not None and any(each == footage for each in compat.strips_all(scene)):
        rest = list_takes(scene, footage)
        scene.sequence_editor.active_strip = rest[-1] if rest else footage


def _check_trashed(take: str, paths: list[str], answer: dict[str, Any]) -> None:
    failed = answer.get("failed")
    failed = failed if isinstance(failed, dict) else {}
    if not os.path.lexists(paths[0]):
        return
    reason = str(failed.get(paths[0], ""))
    template = tr(
        "The files of {take} could not be put into the trash, so its strip is still there, too. {reason} "
        "To remove the strip alone, leave Move Files to Trash off."
    )
    raise ReCamError(template.format(take=take, reason=reason))


def _others_showing(strip: Any, path: str) -> list[Any]:
    return [
        each
        for scene in bpy.data.scenes
        for each in compat.strips_all(scene)
        if each != strip and each.type in ("MOVIE", "IMAGE") and _same(path_of(scene, each)) == _same(path)
    ]


def _same(path: str) -> str:
    return os.path.normcase(os.path.normpath(path)) if path else ""
