"""Set-up from a shell: ``python -m backend.environment``."""

from . import main

raise SystemExit(main())
