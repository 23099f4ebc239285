"""pip: how it is asked, what its output tells on the way, and what went wrong where it failed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ..contract import Progress
from . import marker
from .asking import surroundings

REQUIREMENT = "pip.txt"
"""The file, among those with pins, that says which pip."""

_KEPT = (
    *("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "TRUSTED_HOST", "CONFIG_FILE", "KEYRING_PROVIDER"),
    *("CERT", "CLIENT_CERT", "PROXY", "TIMEOUT", "DEFAULT_TIMEOUT", "RETRIES", "CACHE_DIR", "NO_CACHE_DIR"),
)
"""Settings of the user's that say how to reach packages. Others (--user, --target, ...) say where to put them."""

RAW = (24, 1)
"""The first pip that tells bytes to programs."""

_DOWNLOADING = re.compile(r"\s*(?:Downloading|Resuming download)\s+(\S+)")
_BYTES = re.compile(r"Progress (\d+) of (\d+)")
_INSTALLING = re.compile(r"Installing collected packages: (.+)")
_COLLECTING = re.compile(r"Collecting ([A-Za-z0-9._-]+)")

Report = Callable[[Progress], None]


def command(folder: Path, what: Sequence[str], *, wheels: str = "", indexes: Sequence[str] = ()) -> list[str]:
    """The argument list that installs requirements into an environment.

    Args:
        folder: of the environment.
        what: requirements.
        wheels: a folder that all comes from; nothing goes online then.
        indexes: to look in, beside the one that pip is set up for.
    """
    source = ["--no-index", "--find-links", wheels] if wheels else [f"--extra-index-url={each}" for each in indexes]
    bar = "raw" if version(folder) >= RAW else "off"
    options = ["--disable-pip-version-check", "--no-input", "--no-user", "--progress-bar", bar]
    base = [str(marker.interpreter(folder)), "-I", "-m", "pip"]
    return [*base, "install", *options, "--only-binary", ":all:", *source, *what]


def version(folder: Path) -> tuple[int, ...]:
    """Of the pip in an environment; nothing where there is none."""
    for pin in marker.installed(folder):
        if marker.name_of(pin) == "pip":
            return tuple(int(each) for each in re.findall(r"\d+", pin.partition("==")[2]))
    return ()


def variables(scratch: Path, *, wheels: str = "") -> dict[str, str]:
    """The environment variables for pip, which keeps its temporary files in ``scratch``: /tmp may be a small one."""
    kept = {key: value for key, value in surroundings().items() if not _is_unwanted(key)}
    if wheels:
        kept = {key: value for key, value in kept.items() if not key.upper().startswith("PIP_")}
        kept["PIP_CONFIG_FILE"] = os.devnull  # where further places to look in may stand
    # pip breaks its explanations to fit the terminal: they are read by lines here.
    return kept | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch)) | {"COLUMNS": "1000", "NO_COLOR": "1"}


@contextlib.contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A folder for pip's temporary files, on the environment's disk, which has room."""
    made = folder / "tmp"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _is_unwanted(key: str) -> bool:
    upper = key.upper()
    return upper.startswith("PIP_") and upper.removeprefix("PIP_") not in _KEPT


# On the way


class Listener:
    """Turns pip's lines into progress.

    Args:
        folder: of the environment that it installs into: what has arrived there is counted.
        report: takes the progress.
        say: takes the lines that are for people.
    """

    def __init__(self, folder: Path, report: Report, say: Callable[[str], None] = lambda line: None) -> None:
        self._folder, self._report, self._say = folder, report, say
        self._file, self._began, self._from = "", 0.0, 0
        self._wanted: frozenset[str] = frozenset()
        self._looked = 0.0
        self.received = 0
        """Bytes, as far as pip has told."""
        self._before = 0

    def hear(self, line: str) -> None:
        """Take a line of pip's."""
        if match := _BYTES.fullmatch(line.strip()):
            self._tell_bytes(int(match[1]), int(match[2]))
            return
        self._say(line)
        if match := _DOWNLOADING.match(line):
            self._begin(match[1])
        elif match := _COLLECTING.match(line):
            self._report(Progress(phase=f"Looking for {match[1]}", step=0, total=0))
        elif "Retrying (" in line:
            self._report(Progress(phase="Trying again to reach the package index", step=0, total=0))
        elif match := _INSTALLING.match(line):
            self._wanted = frozenset(marker.normal(each.strip()) for each in match[1].split(","))
            self._tell_installed()

    def tick(self) -> None:
        """Look how far the installation is: pip says nothing while it unpacks."""
        if self._wanted and time.monotonic() - self._looked > 0.5:
            self._tell_installed()

    def _begin(self, url: str) -> None:
        self._file = "" if url.endswith(".metadata") else re.split(r"-\d", os.path.basename(url))[0]
        self._began, self._from, self._before = time.monotonic(), -1, 0
        if self._file:
            self._report(Progress(phase=f"Downloading {self._file}", step=0, total=0, unit="bytes"))

    def _tell_bytes(self, step: int, total: int) -> None:
        if self._from < 0:  # what lies there from an earlier transfer was counted then
            self._from = self._before = step
        self.received += max(0, step - self._before)
        self._before = step
        spent = time.monotonic() - self._began
        speed = (step - self._from) / spent if spent > 0.2 else None
        left = max(0, total - step) / speed if speed and total else None
        phase = f"Downloading {self._file or 'packages'}"
        self._report(
            Progress(
                phase=phase,
                step=min(step, total or step),
                total=total,
                unit="bytes",
                per_second=speed,
                seconds_left=left,
            )
        )

    def _tell_installed(self) -> None:
        self._looked = time.monotonic()
        there = {marker.name_of(each) for each in marker.installed(self._folder)}
        arrived = sum(marker.name_of(each) in there for each in self._wanted)
        self._report(Progress(phase="Installing packages", step=arrived, total=len(self._wanted)))


# What went wrong


def diagnosis(lines: Sequence[str], folder: Path, python: str = "") -> tuple[str, str]:
    """What pip's last lines mean: the kind of a SetupError, and what is wrong and what to do in whole sentences."""
    text = "\n".join(lines)
    for kind, pattern, advice in _KNOWN:
        if match := re.search(pattern, text, re.IGNORECASE):
            found: Mapping[str, str] = {key: value or "" for key, value in match.groupdict().items()}
            if advice == _NO_CONNECTION and _goes_to_a_proxy(text):
                advice = _PROXY
            return kind, advice.format(folder=folder, python=python or "this Python", **found)
    return "packages", "pip could not install the packages. Its last lines below say why."


def _goes_to_a_proxy(text: str) -> bool:
    """Whether it is a proxy that was not reached: newer pips do not say so."""
    import urllib.request  # takes longer to import than all the rest here

    hosts = set(re.findall(r"host='([^']+)'", text))
    proxies = [*urllib.request.getproxies().values(), os.environ.get("PIP_PROXY", "")]
    return any(re.search(rf"(^|[/@]){re.escape(host)}(:|/|$)", proxy) for host in hosts for proxy in proxies)


_PROXY = (
    "The proxy refused the connection, or is not there. Check the proxy in the system's settings (HTTPS_PROXY, "
    "HTTP_PROXY) or pip's (`pip config list`), and try again."
)
_NO_CONNECTION = (
    "There is no connection to the package index. Check that this computer is online, and that Blender may use the "
    "network through its firewall; or install from a folder of wheels."
)
_KNOWN = (
    (
        "disk",
        r"No space left on device|\[Errno 28\]|WinError 112|not enough space on the disk|Disk quota exceeded|"
        r"File too large",
        "The disk is full: make room where {folder} lies (and where pip keeps its cache), and try again.",
    ),
    (
        "network",
        r"proxy-connection-failed|ProxyError|Failed to connect to proxy|Cannot connect to proxy|"
        r"407 Proxy Authentication|Tunnel connection failed",
        _PROXY,
    ),
    (
        "network",
        r"ssl-verification-failed|CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError|ssl-missing",
        "The server's certificate could not be checked. Where a company inspects connections, give pip its "
        "certificate (PIP_CERT or `pip config set global.cert FILE`); else check this computer's date.",
    ),
    (
        "packages",
        r"THESE PACKAGES DO NOT MATCH THE HASHES|Expected sha\w+ ",
        "A downloaded package is not what the index says it is, and was not installed: the transfer was damaged, or "
        "someone changed it. Try again; if it stays so, clear pip's cache (`pip cache purge`) or try another network.",
    ),
    (
        "packages",
        r"(?:BadZipFile|Wheel .* is invalid|has an invalid wheel|is not a zip file|Bad magic number|"
        r"WARNING: Ignoring version .* since it has invalid metadata)",
        "A downloaded package is damaged. Try again; if it stays so, clear pip's cache (`pip cache purge`).",
    ),
    (
        "network",
        r"(?:HTTP error|status code|Client Error|Server Error|error)\D{0,20}(?P<code>401|403|407|429|5\d\d)\b|"
        r"(?P<code2>401|403|407|429|5\d\d) (?:Client|Server) Error",
        "The package index answered with error {code}{code2}. It is overloaded, or does not let this computer in: try "
        "again later, and check pip's settings (`pip config list`).",
    ),
    (
        "network",
        r"connection-timeout|ConnectTimeout|ReadTimeout|Read timed out|timed out",
        "The package index did not answer in time. Check the connection and try again: what was downloaded whole is "
        "not downloaded again.",
    ),
    (
        "network",
        r"connection-failed|NewConnectionError|Failed to establish a new connection|Temporary failure in name|"
        r"NameResolutionError|getaddrinfo failed|Name or service not known|Network is unreachable|Connection refused|"
        r"nodename nor servname",
        _NO_CONNECTION,
    ),
    (
        "network",
        r"incomplete-download|IncompleteRead|Connection (?:interrupted|aborted|reset|broken)|RemoteDisconnected|"
        r"ProtocolError|not enough bytes",
        "The download broke off. Check the connection and try again: what was downloaded whole is not downloaded "
        "again.",
    ),
    (
        "other",
        r"Long ?Path|WinError 206|filename or extension is too long|File name too long",
        "Paths in {folder} get too long for Windows. Choose a folder with a shorter path, or enable long paths "
        "(https://pip.pypa.io/warnings/enable-long-paths), and try again.",
    ),
    (
        "busy",
        r"WinError 32|WinError 5\b|being used by another process",
        "Another program uses files in {folder}, or guards them. Close other Blenders, let the virus scanner finish, "
        "and try again.",
    ),
    (
        "other",
        r"Permission denied|\[Errno 13\]|Read-only file system|\[Errno 30\]|Operation not permitted",
        "{folder} may not be written to. Check its permissions, or choose another folder.",
    ),
    (
        "packages",
        r"\(from versions: none\)\s.*No matching distribution found for (?P<what>\S+)",
        "Where pip looked there is no {what} at all that {python} on this system could use. The folder of wheels or "
        "the index (`pip config list`) may not have it; or this system is too old, or of another kind than the "
        "packages are built for.",
    ),
    (
        "packages",
        r"No matching distribution found for (?P<what>\S+)",
        "Where pip looked there is no {what} for {python} on this system, but others. A folder of wheels, or an index "
        "of one's own (`pip config list`), needs just that version.",
    ),
    (
        "packages",
        r"ResolutionImpossible|conflicting dependencies",
        "The packages that are found do not fit together. Where a folder of wheels or an index of one's own is used, "
        "it holds other versions than ReCam needs.",
    ),
)
