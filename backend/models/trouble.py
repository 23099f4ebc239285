"""Why a download does not go on, in whole sentences with what to do about it, and for programs as a kind."""

from __future__ import annotations

import errno
import os
import ssl
import urllib.request
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import errors

from .catalogue import Entry, File

KINDS = (
    "network",
    "offline",
    "server",
    "limit",
    "token",
    "gated",
    "missing",
    "disk",
    "wrong",
    "busy",
    "foreign",
    "cancelled",
    "other",
)
"""Of errors: the network; HF_HUB_OFFLINE; the server's fault; too many requests; a token that is not accepted; terms to
accept first; what is not there; the disk; content other than it should be; another download; what ReCam did not make;
cancelled."""

TOKENS = "https://huggingface.co/settings/tokens"

_FULL = (errno.ENOSPC, errno.EDQUOT)
_WINDOWS_FULL = (39, 112)  # ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL
_PROXIES = ("https", "http", "all")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class HubError(RuntimeError):
    """Why an entry could not be downloaded.

    Attributes:
        kind: one of :data:`KINDS`.
    """

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class Cut(Exception):
    """A transfer that ended too early."""


def can_be_tried_again(error: BaseException) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(error, errors.HfHubHTTPError):
        return status(error) in (408, 429) or status(error) >= 500
    if isinstance(error, httpx2.TransportError):
        return not isinstance(error, httpx2.UnsupportedProtocol) and _certificate_complaint(error) is None
    return isinstance(error, Cut)


def status(error: errors.HfHubHTTPError) -> int:
    """The answer's, as HTTP numbers them."""
    code: int = error.response.status_code
    return code


def in_words(error: BaseException, entry: Entry, file: File, endpoint: str, *, tries: int = 1) -> HubError:
    """What an error means to a person who wants this file.

    Args:
        error: any, as the request gave it.
        entry: that the file is of.
        file: that was asked for.
        endpoint: the server's address.
        tries: how often in a row it was tried.
    """
    if isinstance(error, HubError):
        return error
    if isinstance(error, errors.OfflineModeIsEnabled):
        return HubError("HF_HUB_OFFLINE is set, so nothing is downloaded: unset it and try again.", "offline")
    if isinstance(error, errors.HfHubHTTPError):
        return _answered(error, entry, file, host_of(endpoint), tries)
    if isinstance(error, (httpx2.TransportError, Cut)):
        return _unreachable(error, host_of(endpoint), tries)
    if settings := _wrong_settings(error):
        return settings
    return HubError(
        f"What {host_of(endpoint)} answers is not understood ({type(error).__name__}: {_short(error)}): it may be no "
        "hub of models, or a proxy may answer in its place. Look at HF_ENDPOINT and at the proxy's settings.",
        "server",
    )


def on_disk(error: OSError) -> HubError:
    """What an error of the disk means."""
    where = f" ({str(error.filename)!r})" if error.filename else ""
    if error.errno in _FULL or getattr(error, "winerror", None) in _WINDOWS_FULL:
        return HubError(
            f"The disk is full{where}. What was downloaded is kept: make room and try again, and it goes on from "
            "there.",
            "disk",
        )
    if error.errno == errno.EFBIG:
        return HubError(
            f"The disk takes no file as long as this{where}, as one formatted as FAT does not: choose a folder of "
            "models on another one.",
            "disk",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return HubError(
            f"ReCam may not write there{where}: {error.strerror}. Allow it, or choose another folder of models.", "disk"
        )
    return HubError(f"The file could not be written{where}: {error.strerror or error}.", "disk")


def _answered(error: errors.HfHubHTTPError, entry: Entry, file: File, host: str, tries: int) -> HubError:
    code = status(error)
    by_hand = f"get it from {entry.page} by hand and add it, or ask whether a newer ReCam knows where it went"
    if isinstance(error, errors.GatedRepoError):
        return HubError(
            f"{entry.repository} is given only to those who have accepted its terms: do so at {entry.page}, and set "
            f"HF_TOKEN to a token of yours ({TOKENS}).",
            "gated",
        )
    if isinstance(error, errors.DisabledRepoError):
        return HubError(f"{entry.repository} was closed at {host}: {by_hand}.", "missing")
    if code == 401 and "authorization" in error.response.request.headers:
        return HubError(
            f"{host} does not accept the token that was sent: HF_TOKEN, or the one that `hf auth login` stored, is "
            f"wrong or has expired. Make a new one ({TOKENS}), or do without: {entry.title} is not known to need one.",
            "token",
        )
    if code == 401:
        return HubError(
            f"{host} wants to know who asks for {entry.repository}: it is not there, or not for everybody. If you have "
            f"access, set HF_TOKEN ({TOKENS}); else {by_hand}.",
            "token",
        )
    if code == 403:
        return HubError(
            f"{host} refuses to give {file.path} of {entry.repository}"
            f"{_said(error)}: a token without the right to read it, or a firewall, may be why.",
            "token",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return HubError(f"{entry.repository} no longer has the revision {entry.revision}: {by_hand}.", "missing")
    if isinstance(error, errors.EntryNotFoundError):
        return HubError(f"{entry.repository} has no file {file.path} at {entry.revision}: {by_hand}.", "missing")
    if isinstance(error, errors.RepositoryNotFoundError) or code in (404, 410):
        return HubError(f"{host} has no {entry.kind} {entry.repository}: {by_hand}.", "missing")
    if code == 429:
        return HubError(
            f"{host} gives no more for now, as too much was asked of it (429), and {_times(tries)} of waiting did not "
            "help: try again in an hour. With HF_TOKEN set it gives more.",
            "limit",
        )
    if code >= 500 or code == 408:
        return HubError(
            f"{host} answered {_times(tries)} with an error of its own ({code}{_said(error)}): it is not your fault; "
            "try again later.",
            "server",
        )
    return HubError(f"{host} answered {code}{_said(error)} when asked for {file.path} of {entry.repository}.", "server")


def _unreachable(error: BaseException, host: str, tries: int) -> HubError:
    if isinstance(error, httpx2.UnsupportedProtocol):
        return HubError(
            f"{host} leads to an address that ReCam does not follow ({_short(error)}): a mirror or a proxy may be "
            "wrong. Look at HF_ENDPOINT and at the proxy's settings.",
            "server",
        )
    asked = _asked(error) or host
    who = host if asked == host else f"{asked}, which {host} sends files from,"
    if complaint := _certificate_complaint(error):
        return HubError(
            f"{who} could not prove that it is {asked} ({complaint}). Where a company's proxy looks into the traffic, "
            "set SSL_CERT_FILE to its certificates; look also at the computer's date.",
            "network",
        )
    if proxy := _proxy():
        further = f" The proxy {proxy} stands in between: is that address right, and does it let you out?"
    else:
        further = " Is the network there? If it needs a proxy, set HTTPS_PROXY."
    if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)):
        return HubError(f"{who} cannot be reached ({_short(error)}).{further}", "network")
    what = "sent nothing more" if isinstance(error, httpx2.TimeoutException) else "broke off"
    return HubError(
        f"{who} {what}{_in_a_row(tries)}. What was downloaded is kept: try again, and it goes on from there.",
        "network",
    )


def _wrong_settings(error: BaseException) -> HubError | None:
    """Where it did not come to a request: what of the user's settings is in the way, if that is it."""
    if isinstance(error, OSError):
        certificates = next((name for name in _CERTIFICATES if os.environ.get(name)), "")
        if certificates and not error.filename:
            return HubError(
                f"{certificates} names {os.environ[certificates]!r}, where no certificates can be read "
                f"({_short(error)}): name a file of certificates, or unset it.",
                "network",
            )
        return HubError(f"What a download needs cannot be read ({_short(error)}): allow it.", "other")
    if isinstance(error, UnicodeEncodeError):
        return HubError("HF_TOKEN has characters that no token has: copy it anew, without quotes.", "token")
    if isinstance(error, (ImportError, ValueError)) and "proxy" in str(error).lower():
        return HubError(
            f"The proxy {_proxy()} is of a kind that ReCam does not speak: HTTPS_PROXY is to be like "
            "http://name-of-it:8080.",
            "network",
        )
    return None


def _certificate_complaint(error: BaseException | None) -> str | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message or str(error)
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return _short(error)
        error = error.__cause__ or error.__context__
    return None


def _proxy() -> str:
    """The proxy that is asked, without a password that may be in its address."""
    known = urllib.request.getproxies() if os.name != "nt" or _any_set() else {}
    found = next((known[each] for each in _PROXIES if known.get(each)), "")
    return found.rpartition("@")[2]


def _any_set() -> bool:
    return any(os.environ.get(f"{each}_proxy") or os.environ.get(f"{each}_proxy".upper()) for each in _PROXIES)


def _said(error: errors.HfHubHTTPError) -> str:
    said = error.server_message or error.response.headers.get("X-Error-Message") or ""
    return f": {_short(said)!r}" if said else ""


def host_of(address: str) -> str:
    """Whom people see that they wait for: without a name and password that may be in the address."""
    return urlsplit(address).netloc.rpartition("@")[2] or address


def _asked(error: BaseException) -> str:
    """Who did not answer: files may lie at another address than the one they are asked for at."""
    try:
        return host_of(str(error.request.url)) if isinstance(error, httpx2.RequestError) else ""
    except RuntimeError:  # it knows of no request
        return ""


def _short(text: object, limit: int = 160) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= limit else f"{line[: limit - 3]}..."


def _in_a_row(count: int) -> str:
    return f", {_times(count)} in a row" if count > 1 else ""


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
