"""ReCam from a shell: ``python -m backend``."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts it may have another Python
    if sys.argv[1:2] != ["setup"]:
        sys.exit(f"recam: Python: found {sys.version.split()[0]}, expected 3.11 or newer")
    from .environment.command import main as set_up

    sys.exit(set_up(sys.argv[2:]))

from .shell import main

if __name__ == "__main__":
    sys.exit(main())
