"""Bytes of one file from a hub: whatever breaks on the way is tried again from where it broke.

huggingface_hub knows where a file is, who asks for it and what an answer means; of its own download (2.4.0) nothing is
left when it breaks off, so the bytes are taken from its session here, in ranges.
"""

from __future__ import annotations

import contextlib
import email.utils
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import constants, get_hf_file_metadata, get_session, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, parse_ratelimit_headers

from .. import __version__
from ..contract import Progress
from . import trouble
from .catalogue import HUB, Entry, File
from .trouble import Cut, HubError

T = TypeVar("T")

_CONNECT_SECONDS = 10.0
_POLL_SECONDS = 0.1
_WITHOUT_ANSWER = 2
"""Tries, as long as nothing ever answered: who has no network is to hear so soon."""
_CHUNKS_AHEAD = 16
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@dataclass(frozen=True)
class Patience:
    """How long to put up with what.

    Attributes:
        tries: in a row, without a byte in between.
        first: seconds before the second try; twice that before the third, and so on.
        longest: seconds between two tries.
        asked: the longest in seconds that a server may ask to be left alone.
        stall: seconds without a byte after which a connection is given up.
    """

    tries: int = 6
    first: float = 1.0
    longest: float = 30.0
    asked: float = 900.0
    stall: float = 30.0


@dataclass(frozen=True)
class Remote:
    """A file as the hub has it.

    Attributes:
        url: of this very content.
        commit: that it is of.
        etag: what the hub calls its content: SHA-256 of a large file, git's own hash of a small one.
        size: bytes.
    """

    url: str
    commit: str
    etag: str
    size: int


class Line:
    """A line to a hub.

    Args:
        mirror: its address; that which HF_ENDPOINT names, or huggingface.co, where it is empty. No token goes to a
            mirror that the environment does not name.
        report: is told of waits.
        cancelled: is asked several times a second.
        patience: with it.

    Raises:
        HubError: where the mirror is no address.
    """

    def __init__(
        self,
        mirror: str,
        report: Callable[[Progress], None],
        cancelled: Callable[[], bool],
        patience: Patience,
    ) -> None:
        self.endpoint = _address(mirror or constants.ENDPOINT)
        self._token = None if self.endpoint == constants.ENDPOINT else False
        self._report, self._cancelled, self._patience = report, cancelled, patience
        self._answered = False
        if "HF_HUB_DISABLE_TELEMETRY" not in os.environ:
            # It would ask huggingface.co for a list, mirror or not, to tell it more about who asks.
            constants.HF_HUB_DISABLE_TELEMETRY = True

    @property
    def host(self) -> str:
        """Whom people see that they wait for."""
        return trouble.host_of(self.endpoint)

    def look(self, entry: Entry, file: File, revision: str) -> Remote:
        """What the hub knows of a file. Raises HubError."""
        url = hf_hub_url(entry.repository, file.path, repo_type=entry.kind, revision=revision, endpoint=self.endpoint)

        def ask() -> Iterator[Remote]:
            found = get_hf_file_metadata(
                url, token=self._token, timeout=_CONNECT_SECONDS, endpoint=self.endpoint, **self._who()
            )
            if not found.commit_hash or not found.etag:
                raise HubError(
                    f"{self.host} does not answer as a hub of models does: a proxy, or a page to log in to the "
                    "network, may answer in its place. Look at HF_ENDPOINT and at the network.",
                    "server",
                )
            size = file.size if found.size is None else found.size
            if size is None or size < 0:
                raise HubError(f"{self.host} does not say how long {file.path} is.", "server")
            pinned = hf_hub_url(
                entry.repository, file.path, repo_type=entry.kind, revision=found.commit_hash, endpoint=self.endpoint
            )
            yield Remote(pinned, found.commit_hash, found.etag, size)

        tries = 0
        while True:
            try:
                return next(self._aside(ask))
            except Exception as error:
                tries += 1
                self._wait_after(error, tries, entry, file)

    def chunks(self, remote: Remote, start: int, entry: Entry, file: File) -> Generator[tuple[int, bytes], None, None]:
        """A file's bytes from ``start`` on, each chunk with where it belongs.

        That may be back at 0, where the server sends all of it anew. Raises HubError where it cannot be had.
        """
        position, tries = start, 0
        while position < remote.size:
            try:
                for at, chunk in self._aside(partial(self._once, remote, position)):
                    yield at, chunk
                    position = at + len(chunk)
                    tries = 0 if chunk else tries
                if position < remote.size:
                    raise Cut(f"{position} of {remote.size} bytes")
            except Exception as error:
                tries += 1
                self._wait_after(error, tries, entry, file)

    def _once(self, remote: Remote, start: int) -> Iterator[tuple[int, bytes]]:
        headers = build_hf_headers(token=self._token, **self._who()) | {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        timeout = httpx2.Timeout(self._patience.stall, connect=_CONNECT_SECONDS)
        with get_session().stream("GET", remote.url, headers=headers, timeout=timeout) as response:
            if response.status_code == 416:
                yield 0, b""  # what is there is longer than the file
                return
            # Without its body, which may be of any length.
            hf_raise_for_status(
                httpx2.Response(response.status_code, headers=response.headers, request=response.request)
            )
            position = _begins_at(response, start)
            for chunk in response.iter_bytes():
                yield position, chunk
                position += len(chunk)

    def _who(self) -> dict[str, str]:
        return {"library_name": "recam", "library_version": __version__}

    # Waiting

    def _aside(self, work: Callable[[], Iterator[T]]) -> Iterator[T]:
        """What ``work`` gives, made on a thread of its own: so a cancel need not wait for the network."""
        made: queue.Queue[tuple[str, T | BaseException | None]] = queue.Queue(_CHUNKS_AHEAD)
        stopped = threading.Event()

        def put(kind: str, each: T | BaseException | None) -> None:
            while not stopped.is_set():
                with contextlib.suppress(queue.Full):
                    made.put((kind, each), timeout=_POLL_SECONDS)
                    return

        def run() -> None:
            try:
                for each in work():
                    put("item", each)
                    if stopped.is_set():
                        return
            except BaseException as error:
                put("error", error)
            else:
                put("end", None)

        threading.Thread(target=run, name="recam download", daemon=True).start()
        try:
            since = time.monotonic()
            while True:
                self._check()
                try:
                    kind, each = made.get(timeout=_POLL_SECONDS)
                except queue.Empty:
                    # Looking up a name has no deadline of its own.
                    if time.monotonic() - since > self._patience.stall + 2 * _CONNECT_SECONDS:
                        raise httpx2.ConnectTimeout("no answer") from None
                    continue
                since = time.monotonic()
                if kind == "end":
                    return
                if isinstance(each, BaseException):
                    raise each
                self._answered = True
                yield each  # type: ignore[misc]
        finally:
            stopped.set()

    def _wait_after(self, error: Exception, tries: int, entry: Entry, file: File) -> None:
        """Wait until it makes sense to try again; or raise, in words, as it makes none."""
        if isinstance(error, HubError):
            raise error
        if isinstance(error, HfHubHTTPError):
            self._answered = True
        most = self._patience.tries if self._answered else _WITHOUT_ANSWER
        if isinstance(error, OfflineModeIsEnabled) or not trouble.can_be_tried_again(error) or tries >= most:
            raise trouble.in_words(error, entry, file, self.endpoint, tries=tries) from error
        asked = _asked_to_wait(error)
        if asked is not None and asked > self._patience.asked:
            raise HubError(
                f"{self.host} asks to be left alone for {_minutes(asked)}, as too much was asked of it: try again "
                "then. With HF_TOKEN set it gives more.",
                "limit",
            ) from error
        doubled = self._patience.first * 2 ** (tries - 1)
        seconds = min(doubled, self._patience.longest) if asked is None else asked
        self._wait(f"Waiting to ask {self.host} again" if asked is None else f"Waiting, as {self.host} asks", seconds)

    def _wait(self, phase: str, seconds: float) -> None:
        begun = time.monotonic()
        total = max(1, round(seconds))
        while (spent := time.monotonic() - begun) < seconds:
            self._check()
            self._report(
                Progress(phase=phase, step=min(int(spent), total), total=total, seconds_left=max(0.0, seconds - spent))
            )
            time.sleep(min(_POLL_SECONDS, seconds - spent))

    def _check(self) -> None:
        if self._cancelled():
            raise HubError(
                "The download was cancelled. What is there is kept, and the next one goes on from it.", "cancelled"
            )


def _address(text: str) -> str:
    """A hub's, as it is to be. Raises HubError."""
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        known = False
    if not known:
        shown = re.sub(r"//.*@", "//", text)  # without a password
        raise HubError(f"{shown!r} is no address of a hub: HF_ENDPOINT is to be like {HUB}.", "network")
    return text.rstrip("/")


def _begins_at(response: httpx2.Response, start: int) -> int:
    """Where the bytes of an answer belong."""
    if response.status_code != 206:
        return 0
    match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is None or int(match[1]) != start:
        raise Cut("another range than was asked for")
    return start


def _asked_to_wait(error: Exception) -> float | None:
    """For how many seconds the server asks to be left alone, if it does."""
    if not isinstance(error, HfHubHTTPError) or trouble.status(error) not in (429, 503):
        return None
    headers = error.response.headers
    limit = parse_ratelimit_headers(headers)
    if trouble.status(error) == 429 and limit is not None and limit.remaining == 0:
        return float(limit.reset_in_seconds) + 1  # it is rounded
    value = headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None


def _minutes(seconds: float) -> str:
    return f"{round(seconds)} s" if seconds < 120 else f"{round(seconds / 60)} minutes"
