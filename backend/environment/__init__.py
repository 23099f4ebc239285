"""Set-up: virtual environments with pinned requirements, made, verified and removed. Standard library only.

    python -m backend.environment make backend                      for `reproject`
    python -m backend.environment make backend --also recammaster   for the engine with weights too
    python -m backend.environment make blender-4.2 blender-5.2
    python -m backend.environment blenders          the names that can be made here, oldest first

What is pinned stands in ``requirements/*.txt`` and nowhere else. An environment bears a marker file that says what it
holds; it is written first as begun and last as whole, so that a half-made one is known and made anew. What a whole one
lacks is added to it in its place. Nothing that ReCam did not make is changed or removed. For Python 3.10 and later:
Blender's Python, a shell and CI run the same modules.
"""

from .errors import SetupError
from .locks import hold
from .making import install
from .marker import MARKER, data_folder, default_folder, interpreter, log_of, state
from .named import blenders, main, make
from .pythons import find_python
from .removal import remove

__all__ = [
    "MARKER",
    "SetupError",
    "blenders",
    "data_folder",
    "default_folder",
    "find_python",
    "hold",
    "install",
    "interpreter",
    "log_of",
    "main",
    "make",
    "remove",
    "state",
]
