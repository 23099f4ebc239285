"""Reading COLMAP's binary files: little-endian, each count held against what is left of the file."""

from __future__ import annotations

import os
import struct
from types import TracebackType
from typing import Any

from ...messages import ContractError
from .files import base_name, unreadable

_LONGEST_NAME = 4096


class Reader:
    """A binary file from its beginning on, as a context. What it holds is never read before its size is known.

    Raises ContractError for a file that cannot be opened; its methods for one that ends too early.
    """

    def __init__(self, path: str) -> None:
        self._name = base_name(path)
        try:
            self._file = open(path, "rb")  # noqa: SIM115 - closed in __exit__
            self._size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise unreadable(path, error, "a binary file of COLMAP's") from None

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def place(self) -> str:
        """Where it stands now: the field of a complaint."""
        return f"{self._name}, byte {self._file.tell()}"

    def take(self, form: str, what: str) -> tuple[Any, ...]:
        """The next values, as ``struct`` describes them."""
        place, size = self.place, struct.calcsize(form)
        data = self._file.read(size)
        if len(data) != size:
            raise ContractError(place, "the end of the file", what)
        return struct.unpack(form, data)

    def count(self, least: int, what: str) -> int:
        """The next number, of things that take at least so many bytes each."""
        place = self.place
        found: int = self.take("<Q", f"the number of {what}")[0]
        room = (self._size - self._file.tell()) // least
        if found > room:
            raise ContractError(place, f"{found} {what}", f"at most {room}, as the file has {self._size} bytes")
        return found

    def text(self, what: str) -> str:
        """The next text, which ends with a null."""
        place = self.place
        start = self._file.tell()
        name, end, _ = self._file.read(_LONGEST_NAME).partition(b"\0")
        if not end:
            raise ContractError(place, f"no end within {_LONGEST_NAME} bytes", what)
        self._file.seek(start + len(name) + 1)
        return name.decode("utf-8", "backslashreplace")

    def skip(self, size: int) -> None:
        """Go on so many bytes, which :meth:`count` has found to be there."""
        self._file.seek(size, os.SEEK_CUR)

    def end(self, what: str) -> None:
        """Raise ContractError where the file goes on."""
        if self._file.tell() != self._size:
            raise ContractError(self.place, f"{self._size - self._file.tell()} bytes more", f"the end of the {what}")
