"""Prompts already encoded: packs, which travel from machine to machine, and a cache, which stays on this one.

Both are safetensors files of one format: a tensor (tokens, width) for each prompt, and in the metadata, as JSON under
:data:`FORMAT`, the prompts and the encoder that each came from. Only the rows of real tokens are stored, as all that
follows is zero: about a megabyte for a long prompt in bfloat16. No file is named after a prompt, but **prompts stand
in these files in plain words**: who can read a pack or the cache can read them.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from . import headers, identify

FORMAT = identify.PACK_KEY
"""The key of the metadata that makes a safetensors file a pack."""

LENGTH = 512
"""Tokens that the network is shown, whatever the prompt's length (published code: seq_len)."""

CACHE_BYTES = 512 * 2**20
"""What the cache may hold; beyond it, what was not used for longest goes."""

_VERSION = 1
_WIDEST = 65536
_TYPES = {"F32", "BF16", "F16"}
_ENTRY = re.compile(r"[0-9a-f]{64}\.safetensors")
_PART = ".part"
_ABANDONED_SECONDS = 86400
_WHOLE_BYTES = 8 * 2**20
_HEAD_BYTES = 2**20
_SAMPLES = 1024
_SAMPLE_BYTES = 4096
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


class EmbeddingsError(ValueError):
    """A pack that cannot be used, in one sentence that names it."""


@dataclass(frozen=True)
class Encoder:
    """Which text encoder.

    Attributes:
        identity: hexadecimal digits, the same for the same weights wherever they lie; see :func:`encoder_of`.
        name: of its file, for people.
    """

    identity: str
    name: str


@dataclass(frozen=True)
class Embedding:
    """One prompt, encoded.

    Attributes:
        prompt: cleaned, see :func:`backend.recammaster.text.clean`.
        rows: (n, width), one for each token that the network is shown; n is at most :data:`LENGTH`.
        tokens: that the prompt has, its end included; more than n where it was cut.
        encoder: what made it.
    """

    prompt: str
    rows: Tensor
    tokens: int
    encoder: Encoder

    def padded(self) -> Tensor:
        """(:data:`LENGTH`, width), zero after the prompt's end (published code)."""
        missing = LENGTH - len(self.rows)
        return torch.cat([self.rows, self.rows.new_zeros(missing, self.rows.shape[1])])


def encoder_of(path: Path) -> Encoder:
    """Which encoder lies in this file or folder.

    Two files are taken for the same if they are equally long and agree in their first megabyte, which has a
    safetensors file's names and shapes, and in 1024 samples spread evenly: several in each matrix, so that weights
    trained further, or stored in another type, are told apart without reading 11 GB. Where it lies plays no part.
    Raises OSError, or headers.Unreadable where a part is missing.
    """
    stamps = tuple((str(each), (stat := each.stat()).st_size, stat.st_mtime_ns) for each in _weights(path))
    return Encoder(_digest(stamps), path.name)


def pack(embeddings: Sequence[Embedding]) -> bytes:
    """What a file that holds these is to contain."""
    prompts = [
        {"prompt": each.prompt, "tokens": each.tokens, "encoder": each.encoder.identity, "name": each.encoder.name}
        for each in embeddings
    ]
    # One key: safetensors does not keep several in order, and the same prompts are to give the same bytes.
    metadata = {FORMAT: json.dumps({"version": _VERSION, "prompts": prompts})}
    tensors = {_key(index): each.rows.contiguous() for index, each in enumerate(embeddings)}
    return safetensors.torch.save(tensors, metadata)


class Pack:
    """A file of encoded prompts. Its header is read at once, rows when they are asked for.

    Raises:
        EmbeddingsError: it is damaged, or something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._told(), safetensors.safe_open(path, framework="pt") as file:
            self._entries = _entries(file)

    @property
    def encoders(self) -> list[Encoder]:
        """That its prompts came from, each once."""
        return list(dict.fromkeys(each.encoder for each in self._entries))

    @property
    def prompts(self) -> list[str]:
        """Cleaned, in the file's order."""
        return [each.prompt for each in self._entries]

    def find(self, prompt: str, encoder: str | None = None, width: int | None = None) -> Embedding | None:
        """A cleaned prompt, of the encoder with this identity or of any; None where it is not here.

        ``width``: that the rows must have. Raises EmbeddingsError where the rows are damaged.
        """
        entry = self._entry(prompt, encoder, width)
        return None if entry is None else Embedding(prompt, self._rows(entry), entry.tokens, entry.encoder)

    def has(self, prompt: str, encoder: str | None = None, width: int | None = None) -> bool:
        """Whether :meth:`find` finds it, damaged or not."""
        return self._entry(prompt, encoder, width) is not None

    def _entry(self, prompt: str, encoder: str | None, width: int | None) -> _Entry | None:
        for each in self._entries:
            if each.prompt == prompt and encoder in (None, each.encoder.identity) and width in (None, each.width):
                return each
        return None

    def _rows(self, entry: _Entry) -> Tensor:
        with self._told(), safetensors.safe_open(self.path, framework="pt") as file:
            rows: Tensor = file.get_tensor(entry.key)
            if not torch.isfinite(rows).all():
                raise ValueError("some of its numbers are not finite")
            return rows

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (*_UNREADABLE, safetensors.SafetensorError) as error:
            reason = str(error).strip().rstrip(".") or type(error).__name__
            raise EmbeddingsError(
                f"{str(self.path)!r} is no pack of prompts as `python -m backend embed` writes it, or a damaged one "
                f"({reason}): make it anew, or take it away."
            ) from error


class Cache:
    """Prompts encoded before, one file each.

    They lie in ``ENCODER/PROMPT.safetensors`` below the folder, both names hashes. The folder may be deleted at any
    time. Files are renamed when whole, so that processes can share it; what cannot be read counts as not there, and
    what cannot be written is not kept. It holds :data:`CACHE_BYTES` at most.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def encoders(self, prompts: Sequence[str]) -> list[Encoder]:
        """Those that any of these cleaned prompts is kept from; the one used last comes first."""
        found: dict[Encoder, float] = {}
        for prompt in prompts:
            for path in self._kept(prompt):
                with contextlib.suppress(EmbeddingsError, OSError):
                    for encoder in Pack(path).encoders:
                        found[encoder] = max(found.get(encoder, 0.0), path.stat().st_mtime)
        return sorted(found, key=lambda each: found[each], reverse=True)

    def find(self, prompt: str, encoder: str, width: int | None = None) -> Embedding | None:
        """A cleaned prompt as the encoder with this identity gave it; None where it is not here, or damaged."""
        path = self._path(prompt, encoder)
        # Unlike Path.is_file it does not raise where a folder above gives no rights.
        if path is None or not os.path.isfile(path):
            return None
        try:
            found = Pack(path).find(prompt, encoder, width)
        except EmbeddingsError:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return found

    def keep(self, embedding: Embedding) -> str | None:
        """Write it down; why it could not be, where it could not."""
        path = self._path(embedding.prompt, embedding.encoder.identity)
        if path is None:
            return "no folder for caches is known"
        try:
            _replace(path, pack([embedding]))
            _trim(path.parent.parent)
        except OSError as error:
            return error.strerror or str(error)
        return None

    def _kept(self, prompt: str) -> list[Path]:
        """From whatever encoder."""
        if self._folder is None:
            return []
        try:
            return list(self._folder.glob(f"*/{_hash(prompt)}.safetensors"))
        except OSError:  # of a folder without rights
            return []

    def _path(self, prompt: str, encoder: str) -> Path | None:
        return None if self._folder is None else self._folder / encoder[:16] / f"{_hash(prompt)}.safetensors"


def cache_folder() -> Path | None:
    r"""Where the cache lies: ``prompts`` below ``RECAM_CACHE``, or below the user's folder for caches.

    That is ~/.cache/recam (or what XDG_CACHE_HOME says), ~/Library/Caches/recam, or %LOCALAPPDATA%\recam\cache.
    None where no home is known.
    """
    try:
        return _cache_root() / "prompts"
    except RuntimeError:
        return None


# Packs


@dataclass(frozen=True)
class _Entry:
    key: str
    prompt: str
    tokens: int
    width: int
    encoder: Encoder


def _entries(file: Any) -> list[_Entry]:
    """What a header says, each entry checked. Raises ValueError, TypeError, KeyError or AttributeError."""
    stated = (file.metadata() or {}).get(FORMAT)
    if stated is None:
        raise ValueError("it has other tensors in it")
    stated = json.loads(stated)
    if stated["version"] != _VERSION:
        raise ValueError(f"it has version {stated['version']!r}, and this ReCam reads version {_VERSION}")
    return [_entry(file, _key(index), each) for index, each in enumerate(stated["prompts"])]


def _entry(file: Any, key: str, stated: dict[str, Any]) -> _Entry:
    part = file.get_slice(key)
    rows, width = part.get_shape()
    if not (1 <= rows <= LENGTH and 1 <= width <= _WIDEST and part.get_dtype() in _TYPES):
        raise ValueError(f"{key} is {part.get_dtype()} of {rows}x{width}, not floats of up to {LENGTH} rows")
    prompt, tokens, identity, name = (stated[each] for each in ("prompt", "tokens", "encoder", "name"))
    if not (isinstance(prompt, str) and isinstance(identity, str) and isinstance(name, str) and tokens >= rows):
        raise ValueError(f"what is said of {key} is no prompt")
    return _Entry(key, prompt, int(tokens), width, Encoder(identity, name))


def _key(index: int) -> str:
    return f"prompt.{index}"


# The cache


def _cache_root() -> Path:
    if given := os.environ.get("RECAM_CACHE"):
        return Path(given).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "recam" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "recam"
    given = os.environ.get("XDG_CACHE_HOME", "")
    # A relative one is to be ignored (XDG Base Directory Specification).
    return (Path(given) if os.path.isabs(given) else Path.home() / ".cache") / "recam"


def _hash(prompt: str) -> str:
    return hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(_PART, ".", path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def _trim(folder: Path) -> None:
    """Delete what was not used for longest until the rest fits, and what killed writers left."""
    files = []
    for each in folder.glob("*/*"):
        with contextlib.suppress(OSError):  # another process trims too
            stat = each.stat()
            if _ENTRY.fullmatch(each.name):
                files.append((stat.st_mtime, stat.st_size, each))
            elif each.name.endswith(_PART) and time.time() - stat.st_mtime > _ABANDONED_SECONDS:
                each.unlink()
    total = sum(size for _, size, _ in files)
    for _, size, each in sorted(files):
        if total <= CACHE_BYTES:
            return
        with contextlib.suppress(OSError):
            each.unlink()
            total -= size


# Encoders


def _weights(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    # The folder of a pipeline, as :func:`backend.recammaster.checkpoint.load_text_encoder` takes it too.
    found = headers.weights_of(path) or headers.weights_of(path / "text_encoder")
    if not found:
        raise FileNotFoundError(errno.ENOENT, "there are no weights in it")
    return found


@functools.lru_cache(maxsize=16)
def _digest(stamps: tuple[tuple[str, int, int], ...]) -> str:
    """Of files given by path, size and time; the time only keeps this function from remembering too long."""
    parts = sorted(_sampled(path, size) for path, size, _ in stamps)
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _sampled(path: str, size: int) -> bytes:
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb", buffering=_SAMPLE_BYTES) as file:
        if size <= _WHOLE_BYTES:
            digest.update(file.read())
            return digest.digest()
        digest.update(file.read(_HEAD_BYTES))
        for index in range(_SAMPLES):
            file.seek(index * (size - _SAMPLE_BYTES) // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.digest()
