"""What ReCam tells its user when something cannot be done: one sentence, no traceback."""


class ReCamError(Exception):
    """A reason in whole sentences, fit to be shown as it stands."""
