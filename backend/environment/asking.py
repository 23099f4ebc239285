"""Short questions to other programs: an argument list, a deadline, no window, nothing to read from."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence

_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
"""Windows only: else a console flashes up before Blender's window."""

_LEAD_ASTRAY = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__")


def ask(
    command: Sequence[str], *, timeout: float, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """What a program prints and ends with. ``variables`` are its environment; none: :func:`surroundings`.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it has not ended in so many seconds, and was killed.
    """
    return subprocess.run(
        list(command),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
        env=surroundings() if variables is None else dict(variables),
        creationflags=_NO_WINDOW,
        check=False,
    )


def surroundings() -> dict[str, str]:
    """The environment variables here, without those that would lead another Python to packages not its own."""
    kept = {key: value for key, value in os.environ.items() if key not in _LEAD_ASTRAY}
    return kept | {"PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1"}
