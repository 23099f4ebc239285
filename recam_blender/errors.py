"""What ReCam tells its user when something cannot be done: one sentence and no traceback, or an exit code."""

DONE, FAILED, BAD_INPUT = 0, 1, 2
"""Exit codes of the command line."""


class ReCamError(Exception):
    """A reason in whole sentences, fit to be shown as it stands."""
