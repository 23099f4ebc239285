"""What set-up downloads and what it takes on disk, for each platform: the table in backend/environment/sizes.py.

    python -m samples.setup_sizes > table.txt        with .venvs/backend's Python; some minutes, some megabytes

What a package weighs is asked of the index (PEP 691), and what it takes unpacked is read off the end of the wheel
itself, where a zip lists what is in it: nothing is downloaded whole. Which packages the pinned ones bring along is what
pip says on this machine; on another system a few small ones differ. PyTorch's own index has no such interface: what
comes from there is measured where the wheel lies at hand, and else as published; those lines are marked.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from backend.environment import sizes

INDEX = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
REQUIREMENTS = Path(__file__).resolve().parents[1] / "backend" / "requirements"
PYTHON = "cp311"
PLATFORMS = {
    "linux-x86_64": r"manylinux.*_x86_64|linux_x86_64",
    "linux-aarch64": r"manylinux.*_aarch64|linux_aarch64",
    "win-amd64": r"win_amd64",
    "macosx-arm64": r"macosx_\d+_\d+_(arm64|universal2)",
}

CUDA_13 = (
    *("nvidia-cublas==13.1.1.3", "nvidia-cuda-nvrtc==13.0.88", "nvidia-cuda-runtime==13.0.96"),
    *("nvidia-cufft==12.0.0.61", "nvidia-nvjitlink==13.0.88", "nvidia-cufile==1.15.1.6", "nvidia-cuda-cupti==13.0.85"),
    *("nvidia-curand==10.4.0.35", "nvidia-cusolver==12.0.4.66", "nvidia-cusparse==12.6.3.3", "nvidia-nvtx==13.0.85"),
    *("nvidia-cudnn-cu13==9.20.0.48", "nvidia-cusparselt-cu13==0.8.1", "nvidia-nccl-cu13==2.29.7"),
    *("nvidia-nvshmem-cu13==3.4.5", "triton==3.7.1"),
)
"""What torch 2.13.0 of PyPI asks for on Linux, by its metadata and that of cuda-toolkit 13.0.3."""

CUDA_12 = (
    *("nvidia-cublas-cu12==12.6.4.1", "nvidia-cuda-nvrtc-cu12==12.6.77", "nvidia-cuda-runtime-cu12==12.6.77"),
    *("nvidia-cufft-cu12==11.3.0.4", "nvidia-nvjitlink-cu12==12.6.85", "nvidia-cufile-cu12==1.11.1.6"),
    *("nvidia-cuda-cupti-cu12==12.6.80", "nvidia-curand-cu12==10.3.7.77", "nvidia-cusolver-cu12==11.7.1.2"),
    *("nvidia-cusparse-cu12==12.5.4.2", "nvidia-nvtx-cu12==12.6.77", "nvidia-cudnn-cu12==9.10.2.21"),
    *("nvidia-cusparselt-cu12==0.7.1", "nvidia-nccl-cu12==2.29.3", "nvidia-nvshmem-cu12==3.4.5", "triton==3.7.1"),
)
"""The same of its build for CUDA 12.6."""


class Size(NamedTuple):
    """Bytes to download and bytes unpacked."""

    download: int
    disk: int

    def __add__(self, other: Any) -> Size:
        return Size(self.download + other.download, self.disk + other.disk)


def main() -> None:
    """Print the table."""
    small, large = _closure("backend.txt"), _closure("backend.txt", "recammaster.txt")
    more = {name: version for name, version in large.items() if name not in small and name != "torch"}
    for platform in PLATFORMS:
        base = _sum(small.items(), platform)
        added = _sum(more.items(), platform)
        torch = _wheel("torch", large["torch"].partition("+")[0], platform)
        print(f"{platform}: reproject {base}, recammaster without torch {added}, torch of PyPI {torch}", flush=True)
        if platform.startswith("linux"):
            for name, pins in (("CUDA 13.0", CUDA_13), ("CUDA 12.6", CUDA_12)):
                print(f"  libraries of {name}: {_sum((pin.split('==') for pin in pins), platform)}", flush=True)
    for path in map(Path, sys.argv[1:]):
        print(f"{path.name}: {_of_zip(path)}")
    print("in sizes.py:")
    for (platform, build), (download, disk) in sorted(sizes.TORCH.items()):
        print(f"  {platform} {build}: {download / 1e6:,.0f} MB to download, {disk / 1e6:,.0f} MB on disk")


def _closure(*files: str) -> dict[str, str]:
    """What pip would install for these, by name; without what torch brings for CUDA."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        wanted = [part for file in files for part in ("-r", str(REQUIREMENTS / file))]
        subprocess.run([*command, "--only-binary", ":all:", "--report", str(report), *wanted], check=True)
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    names = {canonicalize_name(each["metadata"]["name"]): each["metadata"]["version"] for each in found}
    return {name: version for name, version in names.items() if not name.startswith(("nvidia-", "cuda-", "triton"))}


def _sum(pins: Iterable[Iterable[str]], platform: str) -> Size:
    total = Size(0, 0)
    for name, version in pins:
        total += _wheel(name, version, platform)
    return total


def _wheel(name: str, version: str, platform: str) -> Size:
    """Of the wheel that pip would take on a platform; nothing, with a word about it, where there is none."""
    for file in _files(name):
        try:
            _, found, _, tags = parse_wheel_filename(file["filename"])
        except InvalidWheelFilename:  # an archive of sources, or a name of old
            continue
        # A build of a toolkit's library is called 13.1.1.3, and may have been repaired since: 13.1.1.3.1.
        if (str(found) == version or str(found).startswith(f"{version}.")) and any(
            _fits(tag, platform) for tag in tags
        ):
            return Size(file["size"], _unpacked(file["url"], file["size"]))
    print(f"  no wheel of {name} {version} for {platform}", flush=True)
    return Size(0, 0)


def _fits(tag: Tag, platform: str) -> bool:
    abi3 = tag.abi == "abi3" and tag.interpreter.startswith("cp3") and int(tag.interpreter[3:]) <= int(PYTHON[3:])
    runs = tag.abi == "none" or tag.abi == tag.interpreter == PYTHON or abi3
    return runs and (tag.platform == "any" or re.fullmatch(PLATFORMS[platform], tag.platform) is not None)


_LISTED: dict[str, list[dict[str, Any]]] = {}


def _files(name: str) -> list[dict[str, Any]]:
    if name not in _LISTED:
        asked = urllib.request.Request(f"{INDEX}/{name}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            _LISTED[name] = json.load(answer)["files"]
    return _LISTED[name]


class _Remote:
    """A file on a server, read by ranges, as much of it as zipfile wants to see."""

    def __init__(self, url: str, size: int) -> None:
        self._url, self._size, self._at = url, size, 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int = -1) -> bytes:
        end = self._size if count < 0 else min(self._size, self._at + count)
        asked = urllib.request.Request(self._url, headers={"Range": f"bytes={self._at}-{end - 1}"})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            if answer.status != 206:
                raise OSError("the index does not give parts of files")
            data: bytes = answer.read()
        self._at += len(data)
        return data


def _unpacked(url: str, size: int) -> int:
    return _of_zip(_Remote(url, size)).disk


def _of_zip(file: Any) -> Size:
    with zipfile.ZipFile(file) as opened:
        sizes_ = [(each.compress_size, each.file_size) for each in opened.infolist()]
    return Size(sum(each[0] for each in sizes_), sum(each[1] for each in sizes_))


if __name__ == "__main__":
    main()
