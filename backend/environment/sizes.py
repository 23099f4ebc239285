"""What set-up downloads and what it takes on disk: told before anything begins.

The figures are those of ``python -m samples.setup_sizes``, run on 2026-11-23 for Python 3.11; other versions of Python
differ by a few megabytes. What is marked as estimated lies on an index that tells no sizes and could not be reached
then: such figures are as others published them, or like those of the builds beside them.
"""

from __future__ import annotations

from typing import NamedTuple

MB = 10**6


class Size(NamedTuple):
    """Bytes to download, and bytes unpacked."""

    download: int
    disk: int

    def __add__(self, other: object) -> Size:
        assert isinstance(other, Size)
        return Size(self.download + other.download, self.disk + other.disk)


NOTHING = Size(0, 0)

_BARE = Size(2 * MB, 20 * MB)
"""An environment with pip in it, and the newer pip that it gets."""

_COMPILED = 1.2
"""What is unpacked grows by when Python's modules are compiled: on Linux, measured without pycolmap, 534 MB became 578
MB for `reproject`, and 1443 MB became 1739 MB with torch for processors and all that `recammaster` needs."""

REPROJECT = {
    "linux-x86_64": Size(213 * MB, 653 * MB),
    "linux-aarch64": Size(150 * MB, 438 * MB),
    "win-amd64": Size(154 * MB, 433 * MB),
    "macosx-arm64": Size(148 * MB, 427 * MB),
}
"""All that `reproject` needs, by platform."""

RECAMMASTER = {
    "linux-x86_64": Size(58 * MB, 210 * MB),
    "linux-aarch64": Size(57 * MB, 209 * MB),
    "win-amd64": Size(55 * MB, 193 * MB),
    "macosx-arm64": Size(53 * MB, 190 * MB),
}
"""What `recammaster` needs beside that, without torch."""

TORCH = {
    ("linux-x86_64", "cpu"): Size(192 * MB, 699 * MB),
    ("linux-x86_64", "cu130"): Size(527 * MB, 1095 * MB) + Size(2189 * MB, 3578 * MB),
    ("linux-x86_64", "cu132"): Size(2750 * MB, 4700 * MB),  # estimated, like cu130
    ("linux-x86_64", "cu126"): Size(830 * MB, 1700 * MB) + Size(2699 * MB, 4502 * MB),  # torch itself estimated
    ("linux-x86_64", "rocm7.2"): Size(6228 * MB, 20000 * MB),  # published; on disk estimated
    ("linux-aarch64", "cpu"): Size(150 * MB, 600 * MB),  # estimated
    ("linux-aarch64", "cu130"): Size(427 * MB, 871 * MB) + Size(2417 * MB, 3694 * MB),
    ("linux-aarch64", "cu132"): Size(2900 * MB, 4700 * MB),  # estimated, like cu130
    ("linux-aarch64", "cu126"): Size(600 * MB, 1300 * MB) + Size(2676 * MB, 4377 * MB),  # torch itself estimated
    ("win-amd64", "cpu"): Size(122 * MB, 466 * MB),
    ("win-amd64", "cu130"): Size(1916 * MB, 3500 * MB),  # published; on disk estimated
    ("win-amd64", "cu132"): Size(1950 * MB, 3600 * MB),  # estimated, like cu130
    ("win-amd64", "cu126"): Size(2595 * MB, 4600 * MB),  # published; on disk estimated
    ("macosx-arm64", "mps"): Size(111 * MB, 471 * MB),
    ("macosx-arm64", "cpu"): Size(111 * MB, 471 * MB),
}
"""A build of torch 2.13.0 with the libraries that it brings, by platform and name."""


def of_set_up(platform: str, *, bare: bool, reproject: bool, recammaster: bool, torch: Size = NOTHING) -> Size:
    """What set-up takes for the parts that are not there yet.

    Args:
        platform: as :func:`backend.environment.builds.platform_of` names it.
        bare: the environment itself.
        reproject: that engine's packages.
        recammaster: those that that engine has beside them.
        torch: the build of torch, where it is to be had.

    Returns:
        Bytes to download; and bytes that must be free, which are more than stays: pip has all wheels lying there while
        it unpacks them.
    """
    total = NOTHING
    for wanted, size in (
        (bare, _BARE),
        (reproject, REPROJECT.get(platform, REPROJECT["linux-x86_64"])),
        (recammaster, RECAMMASTER.get(platform, RECAMMASTER["linux-x86_64"])),
        (True, torch),
    ):
        total += size if wanted else NOTHING
    return Size(total.download, int(total.disk * _COMPILED) + total.download)
