"""Runs a command that ends with whoever asked for it, however that one ends: killed, crashed, or in peace.

    python -I -S guard.py COMMAND...

Whoever asked holds this program's stdin open; when that ends, the command and all that it started are killed. It is
started as a file, by any Python from 3.10 on, and imports nothing of ours.
"""

import os
import signal
import subprocess
import sys
import threading


def _main(command: list[str]) -> int:
    if sys.platform == "win32":
        _tie_children()
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0)
        )
    except OSError as error:
        sys.stderr.write(f"{command[0]} does not start: {error}\n")
        return 127
    threading.Thread(target=_watch, daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _watch() -> None:
    while os.read(0, 1024):
        pass
    if sys.platform == "win32":
        os._exit(1)  # and with this process its job, and with that all in it
    else:
        os.killpg(0, signal.SIGKILL)  # its own group: it was started as the leader of a session


def _tie_children() -> None:
    """Put this process, and so all that it starts, into a job that Windows ends with its only holder."""
    import ctypes
    import struct

    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
    kernel.CreateJobObjectW.restype = ctypes.c_void_p
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    kernel.SetInformationJobObject.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32]
    kernel.AssignProcessToJobObject.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    job = kernel.CreateJobObjectW(None, None)
    # JOBOBJECT_EXTENDED_LIMIT_INFORMATION (9), all zero but for LimitFlags: JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE.
    limits = ctypes.create_string_buffer(144 if ctypes.sizeof(ctypes.c_void_p) == 8 else 112)
    struct.pack_into("<I", limits, 16, 0x2000)
    if job and kernel.SetInformationJobObject(job, 9, limits, len(limits)):
        kernel.AssignProcessToJobObject(job, kernel.GetCurrentProcess())


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
