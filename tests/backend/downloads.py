"""A tiny entry of a catalogue, and its download from a hub on loopback."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import checkpoints
import pytest
from hub_server import COMMIT, Hub

from backend.models.catalogue import Entry, File
from backend.models.hub import HubError, Patience, fetch
from backend.models.library import PART_ENDING, Library

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = Patience(tries=3, first=0.01, longest=0.02, stall=5.0)
NAME = "some/models/sub folder/net é.safetensors"
FILE = "net é.safetensors"
CONFIG = b'{"made": "for a test"}\n'


@cache
def weights() -> bytes:
    """A tiny network's file: about 2 MB."""
    with tempfile.TemporaryDirectory() as folder:
        return checkpoints.write(Path(folder) / "net.safetensors", checkpoints.transformer()).read_bytes()


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub that has that file, and a small one beside it."""
    with Hub() as server:
        server.files[NAME] = weights()
        server.files["some/models/sub folder/config.json"] = CONFIG
        yield server


def other(content: bytes) -> bytes:
    """The same names and shapes, with other numbers."""
    return content[:-4] + b"\0\0\0\0"


def entry(*, revision=COMMIT, sha256=None, size=None, what="transformer", config=False, kind="model") -> Entry:
    files = [File(path="sub folder/net é.safetensors", sha256=sha256, size=size)]
    if config:
        files.append(File(path="sub folder/config.json"))
    return Entry(
        id="tiny",
        title="A tiny network",
        purpose="For a test.",
        what=what,
        repository="some/models",
        revision=revision,
        kind=kind,
        files=tuple(files),
        licence="MIT",
    )


def get(
    hub: Hub,
    library: Library,
    wanted: Entry | None = None,
    *,
    report=lambda progress: None,
    cancelled=lambda: False,
    patience: Patience = PATIENCE,
) -> list[Path]:
    return fetch(wanted or entry(), library, report=report, cancelled=cancelled, mirror=hub.url, patience=patience)


def parts(library: Library) -> list[Path]:
    return sorted(library.folder.glob(f"**/*{PART_ENDING}"))


def refused(hub: Hub, library: Library, *arguments, **keywords) -> HubError:
    """The error of a download that left nothing that counts as good."""
    with pytest.raises(HubError) as caught:
        get(hub, library, *arguments, **keywords)
    assert library.status(entry()) != "ready"
    assert not list(library.folder.glob("**/*.safetensors"))
    return caught.value
