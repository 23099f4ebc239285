"""Make the takes of a table of shots, one after another, with one worker.

The table is a CSV file in UTF-8 with a header. Columns: blend, strip (both required), scene, camera, engine, quality,
prompt, seed, settings, out; paths are relative to the table. "settings" holds further settings as name=value, separated
by semicolons.
A shot that already has a take of the same job is skipped, so a batch that was interrupted is simply started again.
For each shot one line of JSON goes to standard output. The exit code is 0 if all are done, 1 if some failed.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..backend.contract import Progress
from . import request, reshoot, typed_request
from .blendfile import open_blend, scene_of
from .errors import DONE, FAILED, ReCamError
from .texts import later, tr

_LINE_BREAK = re.compile("\r\n|\r|\n")  # those that csv counts

_SETTINGS = ", ".join(request.SETTINGS)

COLUMNS = ("blend", *request.COLUMNS, "settings", "out")


@dataclass(frozen=True)
class ShotLine:
    """One line of the table; ``texts`` are the fields of a request, still as text."""

    line: int
    blend: str
    texts: dict[str, str]


def read_table(path: str) -> list[ShotLine]:
    """Read and check a whole table before any of it is made.

    Raises:
        ReCamError: naming the line, what stands there and what should.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            _check_header(path, reader.fieldnames)
            shots = [_read_line(path, _first_line(reader.line_num, row), row) for row in reader if any(row.values())]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReCamError(tr("The table {path!r} cannot be read ({error}).").format(path=path, error=error)) from error
    if not shots:
        raise ReCamError(tr("The table {path!r} has no shots.").format(path=path))
    return shots


def run(shots: list[ShotLine], *, python: str = "", again: bool = False, report: Callable[[Progress], None]) -> int:
    """Make the shots' takes and return the exit code. Each shot's end is told on standard output."""
    code = DONE
    opened = ""
    for number, shot in enumerate(shots, 1):
        started = time.monotonic()
        told: dict[str, Any] = {"shot": number, "line": shot.line, "blend": shot.blend, **_names(shot)}
        try:
            if shot.blend != opened:
                opened = ""
                open_blend(shot.blend)
                opened = shot.blend
            outcome = reshoot.reshoot_now(
                _request(shot), python=python, insert=False, skip_existing=not again, report=report
            )
            skipped = all(take.skipped for take in outcome.takes)
            told["status"] = "skipped" if skipped else "done"
            told["takes"] = [take.path for take in outcome.takes]
            told["warnings"] = list(outcome.warnings)
            told["notes"] = list(outcome.notes)
        except Exception as error:
            # One shot's end, whatever it is, is not the others'. What nobody foresaw is told in full besides.
            code = FAILED
            told["status"] = "failed"
            told["message"] = str(error) or type(error).__name__
            if not isinstance(error, ReCamError):
                opened = ""
                traceback.print_exc()
        told["seconds"] = round(time.monotonic() - started, 2)
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
    return code


def _request(shot: ShotLine) -> request.Request:
    texts = dict(shot.texts)
    if "scene" not in texts:
        texts["scene"] = scene_of(texts["strip"])
    return typed_request.from_texts(texts)


def _names(shot: ShotLine) -> dict[str, str]:
    return {name: shot.texts[name] for name in ("scene", "strip", "camera") if name in shot.texts}


_UNKNOWN = later("The table {path!r} has unknown columns {found}; columns are {columns}.")
_TWICE = later("The table {path!r} has twice the columns {found}; columns are {columns}.")
_MISSING = later("The table {path!r} has no column {found}; columns are {columns}.")


def _check_header(path: str, header: Any) -> None:
    names = list(header or ())
    unknown = [name for name in names if name not in COLUMNS]
    twice = sorted({name for name in names if names.count(name) > 1})
    missing = [name for name in ("blend", "strip") if name not in names]
    for problem, found in ((_UNKNOWN, unknown), (_TWICE, twice), (_MISSING, missing)):
        if not found:
            continue
        raise ReCamError(tr(problem).format(path=path, found=", ".join(found), columns=", ".join(COLUMNS)))


def _first_line(last: int, row: dict[Any, Any]) -> int:
    """Where a row begins: a prompt in quotes may go over several lines."""
    return last - sum(len(_LINE_BREAK.findall(str(text))) for text in row.values())


def _read_line(path: str, line: int, row: dict[Any, Any]) -> ShotLine:
    if None in row or None in row.values():
        raise ReCamError(
            tr("Line {line} of {path!r} has more or fewer entries than the header.").format(line=line, path=path)
        )
    folder = os.path.dirname(os.path.abspath(path))
    texts = {name: row.get(name, "") for name in request.COLUMNS if row.get(name)}
    if row.get("out"):
        texts["folder"] = os.path.join(folder, row["out"])
    for setting in filter(None, (each.strip() for each in row.get("settings", "").split(";"))):
        name, equals, value = setting.partition("=")
        if not equals:
            raise ReCamError(
                tr("Line {line} of {path!r}: setting {setting!r} is not of the form name=value.").format(
                    line=line, path=path, setting=setting
                )
            )
        name = name.strip()
        if name not in request.SETTINGS:
            raise ReCamError(
                tr("Line {line} of {path!r}: there is no setting {name!r}; there are {settings}.").format(
                    line=line, path=path, name=name, settings=_SETTINGS
                )
            )
        if name in texts:
            raise ReCamError(
                tr("Line {line} of {path!r}: setting {name!r} is there twice.").format(line=line, path=path, name=name)
            )
        texts[name] = value.strip()
    for name in request.PATHS:
        if texts.get(name):
            texts[name] = os.path.join(folder, texts[name])
    blend = os.path.join(folder, row["blend"])
    if not row["blend"] or not os.path.isfile(blend):
        raise ReCamError(
            tr("Line {line} of {path!r}: there is no file at {blend!r}.").format(line=line, path=path, blend=blend)
        )
    try:
        # The scene may be left to be found in the file; everything else is known now.
        typed_request.from_texts({"scene": "to be found", **texts})
    except ReCamError as error:
        raise ReCamError(tr("Line {line} of {path!r}: {error}").format(line=line, path=path, error=error)) from error
    return ShotLine(line, os.path.normpath(blend), texts)
