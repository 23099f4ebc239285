"""Set-up from a shell: ``python -m backend.environment``."""

import sys

from . import main

if sys.argv[1:] == ["serve"]:
    from .serve import serve

    serve()
raise SystemExit(main())
