"""What can go wrong with files, each told as one sentence for whoever asked for the take."""


class FootageError(ValueError):
    """A clip, picture or depth file that cannot be read as the job asks. The text names the file and the way out."""


class WriteError(OSError):
    """A take that cannot be written. The text names the file and the reason."""

    def __str__(self) -> str:
        """The sentence alone: OSError would put its number before it."""
        return str(self.strerror if self.strerror is not None else self.args[0])
