"""A child process: how it is started, what it prints, how it ended. No bpy, standard library only."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .texts import tr

LONGEST_LINE = 64 * 2**20
"""Bytes."""

_TAIL_LINES = 10
_TAIL_BYTES = 8192


def backend_environment(
    package_folder: str, base: Mapping[str, str] | None = None, *, online: bool = False
) -> dict[str, str]:
    """The environment variables for a backend whose package lies in ``package_folder``.

    Built on ``base``, Blender's own if not given, less what was meant for Blender's Python. Unless it is ``online``,
    the libraries that it uses fetch nothing on their own account.
    """
    env = dict(os.environ if base is None else base)
    for name in ("PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONOPTIMIZE", "__PYVENV_LAUNCHER__"):
        env.pop(name, None)
    if not online:
        env["HF_HUB_OFFLINE"] = "1"
    return env | {
        "PYTHONPATH": package_folder,
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONSAFEPATH": "1",  # the working folder is nobody's package
    }


def start(command: Sequence[str], log_path: str, env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    """Start a program with pipes to its stdin and stdout, its stderr in a log.

    What the log held goes to ``<log_path>.1``. Raises OSError where there is no such program, or the log cannot be
    written.
    """
    with contextlib.suppress(OSError):  # there is none yet, or an older worker still holds it on Windows
        os.replace(log_path, f"{log_path}.1")
    options: dict[str, Any] = {"start_new_session": True}  # a Ctrl-C in Blender's terminal is Blender's
    if sys.platform == "win32":
        options = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    with open(log_path, "ab") as log:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            bufsize=0,
            # Not the extension's folder: Windows could not upgrade it while someone works there.
            cwd=os.path.dirname(log_path),
            env=None if env is None else dict(env),
            **options,
        )


def lines(receive: Callable[[], bytes]) -> Iterator[bytes | None]:
    """Lines that are not empty, without their end; None, and no more, after one that is too long."""
    pending = bytearray()
    while data := receive():
        *whole, rest = data.split(b"\n")
        for part in whole:
            pending += part
            if line := bytes(pending).strip():
                yield line
            pending.clear()
        pending += rest
        if len(pending) > LONGEST_LINE:
            yield None
            return


def how_it_ended(code: int | None) -> str:
    """What to say after "The worker", given its exit code; None if it still runs."""
    if code is None:
        return tr("closed its output and was stopped")
    if code < 0:
        known = -code in signal.Signals._value2member_map_
        name = signal.Signals(-code).name if known else tr("signal {number}").format(number=-code)
        hint = tr("was ended by {name}. Did the machine run out of memory?")
        return (hint if name == "SIGKILL" else tr("was ended by {name}")).format(name=name)
    if code < 1 << 30:
        return tr("ended with exit code {code}").format(code=code)
    return tr("crashed with code {code:#x}").format(code=code)


def tail(path: str) -> str:
    """The last lines of a log."""
    try:
        with open(path, "rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - _TAIL_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        return tr("(it cannot be read: {reason})").format(reason=error.strerror)
    return "\n".join(lines[-_TAIL_LINES:]).strip()


def remove_preview(path: str) -> None:
    """What a worker that was killed could not clear away: a picture in a folder of its own. Nothing else goes."""
    folder = os.path.dirname(path)
    if not os.path.basename(folder).startswith("recam-"):
        return
    for name in (os.path.basename(path), os.path.splitext(os.path.basename(path))[0] + ".part"):
        with contextlib.suppress(OSError):
            os.remove(os.path.join(folder, name))
    with contextlib.suppress(OSError):
        os.rmdir(folder)
