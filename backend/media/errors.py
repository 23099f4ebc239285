"""What can go wrong with files, each told as one sentence for whoever asked for the take."""


class FootageError(ValueError):
    """A clip, picture or depth file that cannot be read as the job asks. The text names the file and the way out."""


class WriteError(OSError):
    """A take that cannot be written. The text names the file and the reason."""
