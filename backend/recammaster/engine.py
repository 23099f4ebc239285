"""The engine ``recammaster``."""

from __future__ import annotations

from collections.abc import Iterator

from ..contract import EngineSettings
from ..engines import EngineError, Frame, Report, Shot


class ReCamMaster:
    """Draws the take anew with the network of ReCamMaster, from the footage and the target camera."""

    name = "recammaster"

    def __init__(self, settings: EngineSettings) -> None:
        self.depth_used = ""
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self._settings = settings

    def frames(self, shot: Shot, report: Report) -> Iterator[Frame]:
        """See :class:`backend.engines.Engine`."""
        raise EngineError("not there yet")
