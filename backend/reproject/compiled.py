"""numba, set up so that what it compiles is kept where the user may write.

Import this, and not numba, in the modules that hold kernels. Kernels run on one thread each and let go of Python's
lock: the engine draws several frames at once instead.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import UserProvidedCacheLocator

# Colours are four numbers side by side: this turns what is done to each into one instruction for all. numba leaves it
# off since LLVM 14 got some code wrong (numba pull request 8852); the tests hold what our kernels compute.
numba.config.SLP_VECTORIZE = 1

_F = TypeVar("_F", bound=Callable[..., Any])

_kernels: list[Any] = []

# All but "nnan" and "ninf": kernels test for values that are not numbers.
_FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}


def compiled(function: _F) -> _F:
    """Compile a kernel when it is first called, for the types it is called with."""
    kernel: _F = numba.njit(nogil=True, cache=_CACHED, fastmath=_FASTMATH, error_model="numpy")(function)
    _kernels.append(kernel)
    return kernel


def must_compile(package: str = __package__ or "") -> bool:
    """Whether there is no kernel of a package yet, neither in this process nor kept by an earlier one."""
    kernels = [kernel for kernel in _kernels if kernel.py_func.__module__.startswith(f"{package}.")]
    if any(kernel.signatures for kernel in kernels):
        return False
    # numba calls what it keeps after module and function.
    modules = {kernel.py_func.__module__.rpartition(".")[2] for kernel in kernels}
    kept = Path(numba.config.CACHE_DIR).rglob("*.nbi") if _CACHED else ()
    return not any(path.name.partition(".")[0] in modules for path in kept)


def inlined(function: _F) -> _F:
    """As :func:`compiled`, for the small functions that kernels call: no entry of their own is kept."""
    kernel: _F = numba.njit(nogil=True, fastmath=_FASTMATH, error_model="numpy")(function)
    return kernel


class KernelLocator(UserProvidedCacheLocator):  # type: ignore[misc]
    """Finds what was compiled wherever the package lies: an upgrade, or another Blender, must not compile it again.

    numba keeps one folder per folder of sources; ours is named after what is in the sources already.
    """

    @classmethod
    def get_suitable_cache_subpath(cls, _py_file: str) -> str:
        return "kernels"


def _cache_root() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "recam" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "recam"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "recam"


def _use_cache() -> bool:
    """Point numba to a folder for this version of the kernels; say whether it can be written."""
    if numba.config.CACHE_DIR:
        return True
    # numba looks at the file that a kernel is in, but not at those of the kernels that it calls.
    sources = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        sources.update(path.read_bytes())
    try:
        folder = _cache_root() / "numba" / sources.hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, RuntimeError):  # read-only, or a user without a home
        return False
    numba.config.CACHE_DIR = str(folder)
    numba.config.CACHE_LOCATOR_CLASSES = f"{__name__}.{KernelLocator.__name__}"
    return True


_CACHED = _use_cache()
