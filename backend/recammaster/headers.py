"""What a file of weights says of itself: names, shapes and types of its tensors, before any of them is read.

A safetensors file's header is read here, byte by byte. What Python pickled is opened by torch, which runs no code out
of it (``weights_only``) and leaves the numbers on the disk (``mmap``).
"""

from __future__ import annotations

import json
import math
import re
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

_HEADER_BYTES = 100_000_000  # the format's own limit
_PICKLE_BYTES = 64_000_000
_BITS = {
    **dict.fromkeys(("F64", "I64", "U64"), 64),
    **dict.fromkeys(("F32", "I32", "U32", "C64"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I8", "U8", "BOOL"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
_TORCH_TYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "int64": "I64",
    "int32": "I32",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}


class Unreadable(ValueError):
    """Why there are no weights to be had: words that end the sentence "this file is ..."."""


class Entry(NamedTuple):
    """One tensor: its shape, and its type as safetensors calls it."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * _BITS.get(self.dtype, 8) // 8


@dataclass(frozen=True)
class Header:
    """What a file, or a folder with parts of one checkpoint, says of itself.

    Attributes:
        tensors: by their names.
        metadata: of a safetensors file.
        files: which file each tensor lies in.
        config: what a config.json in the same folder says; empty where there is none.
    """

    tensors: Mapping[str, Entry]
    metadata: Mapping[str, str]
    files: Mapping[str, Path]
    config: Mapping[str, Any]


def read(path: Path) -> Header:
    """A file's header, or that of a folder as diffusers and transformers write it. Raises Unreadable, OSError."""
    files = weights_of(path) if path.is_dir() else [path]
    if not files:
        raise Unreadable("a folder without weights")
    tensors: dict[str, Entry] = {}
    metadata: dict[str, str] = {}
    where: dict[str, Path] = {}
    for each in files:
        try:
            found, said = _read_file(each)
        except Unreadable as error:
            raise Unreadable(f"a folder, in which {each.name!r} is {error}" if path.is_dir() else str(error)) from None
        tensors |= found
        metadata |= said
        where |= dict.fromkeys(found, each)
    return Header(tensors, metadata, where, read_config(path if path.is_dir() else path.parent))


def read_config(folder: Path) -> dict[str, Any]:
    """What the config.json of a folder says; empty where there is none, or nothing of the kind."""
    path = folder / "config.json"
    try:
        found = json.loads(path.read_bytes()) if path.is_file() and path.stat().st_size < _PICKLE_BYTES else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


_STEMS = ("diffusion_pytorch_model", "model", "pytorch_model")


def weights_of(folder: Path) -> list[Path]:
    """The files of the one checkpoint that a folder of diffusers or transformers holds; none where it is no such.

    Raises Unreadable where a part is missing.
    """
    for stem in _STEMS:
        for ending in ("safetensors", "bin"):
            if (index := folder / f"{stem}.{ending}.index.json").is_file():
                return _parts(index)
            if (whole := folder / f"{stem}.{ending}").is_file():
                return [whole]
    return []


def _parts(index: Path) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
        # A name and no path: nothing outside of the folder is opened.
        if not names or any(re.search(r"[/\\:]|^\.", name) for name in names):
            raise ValueError("no names of files")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Unreadable(f"a folder, whose {index.name!r} is damaged") from None
    for name in names:
        if not (index.parent / name).is_file():
            raise Unreadable(f"a folder that lacks {name!r}, one of its {len(names)} parts")
    return [index.parent / name for name in names]


def _read_file(path: Path) -> tuple[dict[str, Entry], dict[str, str]]:
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(512)
    if complaint := _no_weights(head, size):
        raise Unreadable(complaint)
    if head.startswith(b"PK\x03\x04"):
        return _entries(read_pickle(path)), {}
    return _read_safetensors(path, size)


def _no_weights(head: bytes, size: int) -> str:
    """What a file is that begins like this, where it has no weights; empty where it may have some."""
    if not size:
        return "empty"
    if _is_safetensors(head, size):
        return ""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"version https://git-lfs"):
        return f"a git-lfs pointer{_pointed(head)} and not the file itself: fetch it with `git lfs pull`, or by browser"
    if head.startswith(b"GGUF"):
        return "a GGUF file, which is not read here"
    if text[:1] == b"<":
        return "a web page, saved in place of the file"
    if head.startswith(b"\x80") and head[1:2] in b"\x02\x03\x04\x05":
        return "a pickle of an old kind, which is not opened: have a PyTorch of 2020 or later save it anew"
    if head.startswith((b"7z\xbc\xaf", b"Rar!", b"\x1f\x8b")):
        return "a packed archive: unpack it"
    if text.startswith((b"{", b"[")):
        return "a text and no weights"
    return ""


def _pointed(head: bytes) -> str:
    match = re.search(rb"size (\d+)", head)
    return f" to a file of {int(match[1]) / 1e9:.2f} GB" if match else ""


def _is_safetensors(head: bytes, size: int) -> bool:
    """Whether a file begins as safetensors do: with the length of a header, and then the header."""
    return size > 8 and head[8:9] == b"{" and 2 <= struct.unpack("<Q", head[:8])[0] <= _HEADER_BYTES


# safetensors


def _read_safetensors(path: Path, size: int) -> tuple[dict[str, Entry], dict[str, str]]:
    with path.open("rb") as file:
        head = file.read(9)
        if not _is_safetensors(head, size):
            raise Unreadable("no file of weights of a known format")
        length = struct.unpack("<Q", head[:8])[0]
        if 8 + length > size:
            raise Unreadable("cut off: not even its table of contents is whole; download it again")
        file.seek(8)
        raw = file.read(length)
    try:
        content = json.loads(raw)
        metadata = content.pop("__metadata__", None) or {}
        spans = {name: _span(each) for name, each in content.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Unreadable("damaged: its table of contents makes no sense; download it again") from None
    end = 8 + length + max((last for _, _, last in spans.values()), default=0)
    if end > size:
        raise Unreadable(f"cut off: {size / 1e9:.3g} of its {end / 1e9:.3g} GB are there; download it again")
    for name, (entry, first, last) in spans.items():
        if last - first != entry.size:
            raise Unreadable(f"damaged: its table of contents is wrong about {name!r}; download it again")
    return {name: entry for name, (entry, _, _) in spans.items()}, {str(k): str(v) for k, v in metadata.items()}


def _span(entry: Any) -> tuple[Entry, int, int]:
    first, last = entry["data_offsets"]
    shape = tuple(entry["shape"])
    if not all(type(each) is int and each >= 0 for each in (first, last, *shape)):
        raise ValueError("no sizes")
    return Entry(shape, str(entry["dtype"])), first, last


# Pickles


def read_pickle(path: Path) -> dict[str, Any]:
    """The state dict in a file that torch saved, its numbers left on the disk. Raises Unreadable, OSError.

    A state dict may lie within another dict as ``state_dict``, as trainers save it.
    """
    import pickle

    import torch

    _check_zip(path)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        match = re.search(r"GLOBAL (\S+)|(?:module|class|type) ([\w.]+)", str(error))
        named = f" ({match[1] or match[2]})" if match else ""
        raise Unreadable(f"not opened: it holds Python code{named} beside weights, which could do anything") from error
    except Exception as error:  # a damaged pickle makes it raise anything
        raise Unreadable(f"damaged ({_first_line(error)}); download it again") from error
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    if not isinstance(found, dict):
        raise Unreadable(f"no state dict: it holds one {type(found).__name__}")
    tensors = {str(name): each for name, each in found.items() if isinstance(each, torch.Tensor)}
    # A few bytes can say that they are a tensor of any size, by strides of zero.
    if sum(each.numel() * each.element_size() for each in tensors.values()) > 2 * path.stat().st_size:
        raise Unreadable("damaged: its tensors are larger than it is")
    if any(each.layout != torch.strided for each in tensors.values()):
        raise Unreadable("no file of weights of a known format: its tensors are sparse")
    return tensors


def _check_zip(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError, struct.error):
        raise Unreadable("cut off, or damaged: the end of it is missing; download it again") from None
    if any(each.flag_bits & 1 for each in members):
        raise Unreadable("an encrypted archive")
    if any(each.filename.endswith("/constants.pkl") for each in members):
        raise Unreadable("a TorchScript program, which is not run here")
    pickles = [each for each in members if each.filename.rpartition("/")[2] == "data.pkl"]
    if len(pickles) != 1:
        raise Unreadable("a ZIP archive and no file of weights: unpack it")
    if pickles[0].file_size > _PICKLE_BYTES or any(each.compress_type for each in members):
        raise Unreadable("no file of weights as PyTorch saves them")


def _entries(state: Mapping[str, Any]) -> dict[str, Entry]:
    return {
        name: Entry(tuple(each.shape), _TORCH_TYPES.get(str(each.dtype).removeprefix("torch."), str(each.dtype)))
        for name, each in state.items()
    }


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
