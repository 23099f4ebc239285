"""Why set-up cannot go on, for people and for programs. Standard library only."""

from __future__ import annotations

ERRORS = ("python", "network", "disk", "packages", "busy", "verify", "foreign", "cancelled", "other")


class SetupError(RuntimeError):
    """An environment that cannot be made, in whole sentences, with what to do about it.

    Attributes:
        kind: one of :data:`ERRORS`; also what an answer of the worker's kind carries.
    """

    def __init__(self, message: str, kind: str = "other") -> None:
        super().__init__(message)
        self.kind = kind
