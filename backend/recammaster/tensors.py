"""From a file of weights into a model: every tensor once, of the right name and shape, finite, and no second copy.

A model is made without its weights, what is missing or too much is told before any number is read, and then the
tensors themselves become its weights. Those that keep their type stay on the disk until they are used (``mmap``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import torch
from torch import Tensor, nn

from . import headers, identify
from .eight_bits import EightBitLinear, can_hold
from .headers import Entry
from .identify import CheckpointError, Kind

M = TypeVar("M", bound=nn.Module)

Rename = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Names of a file to those of the model, as :mod:`.names` has them."""

TYPES = {
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F64": torch.float64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
_NOT_FINITE = {torch.float8_e4m3fn: 0x7F, torch.float8_e5m2: 0x7C}

# What stands beside a weight of eight bits (ComfyUI, comfy/ops.py and comfy/utils.py): the weight is this times the
# stored one. Then what is of no use here: scales of inputs, and marks.
_SCALES = (".scale_weight", ".weight_scale")
_BESIDE = (".scale_input", ".input_scale", ".comfy_quant")
_MARKS = ("scaled_fp8", "spiece_model", "logit_scale")
_SHOWN = 3


def expect(path: Path, what: str) -> tuple[Path, Kind]:
    """What lies at a path, or in the folder called ``what`` in it, as pipelines have them; and where.

    Raises CheckpointError unless it is ``what``, one of :mod:`.identify`'s names.
    """
    if path.is_dir() and (inner := path / what).is_dir() and not (path / "config.json").is_file():
        path = inner
    kind = identify.identify(path)
    if kind.what != what:
        raise CheckpointError(f"{str(path)!r} is {kind.words}. {identify.wanted(what)}")
    return path, kind


def main_type(kind: Kind) -> torch.dtype:
    """The type to compute in that most of a file is stored in: float32, float16 or bfloat16."""
    found = TYPES.get(kind.dtype, torch.float32)
    return found if found in (torch.float32, torch.float16) else torch.bfloat16


def fill(
    model: M,
    path: Path,
    kind: Kind,
    rename: Rename,
    dtype_of: Callable[[str], torch.dtype],
    *,
    keep_eight_bits: bool = False,
) -> M:
    """Give a model without weights those of a file; the model, ready for inference.

    Args:
        model: with its parameters on the meta device.
        path: of the file or folder, for messages.
        kind: of it.
        rename: its names to the model's.
        dtype_of: the type that each of the model's parameters is to have.
        keep_eight_bits: leave linear layers that are stored so as they are, see :mod:`.eight_bits`.

    Raises:
        CheckpointError: a tensor is missing, has another shape, or a number in it is not finite.
    """
    stored = _stored(kind, rename)
    _compare(model.state_dict(), {name: each.entry for name, each in stored.items()}, path, kind.what)
    state = {}
    for name, value, scale in _read(stored, kind, path):
        if not _is_finite(value) or not (scale is None or _is_finite(scale)):
            raise CheckpointError(
                f"{str(path)!r} is damaged: in {stored[name].name!r} are numbers that are not finite. "
                f"{identify.wanted(kind.what)}"
            )
        layer = name.rpartition(".")[0]
        if keep_eight_bits and can_hold(model.get_submodule(layer), value, scale):
            model.set_submodule(layer, EightBitLinear(value, 1.0 if scale is None else float(scale)))
            state[f"{layer}.stored"] = value
        else:
            state[name] = _widened(value, scale).to(dtype_of(name)).contiguous()
    model.load_state_dict(state, strict=True, assign=True)
    return model.eval()


def read_tensor(path: Path, kind: Kind, name: str) -> Tensor:
    """One tensor as it is stored, by its full name. Raises CheckpointError."""
    with ExitStack() as stack, _told(path):
        return _open(stack, kind)(name)


@dataclass(frozen=True)
class _Stored:
    """A weight in a file: its full name there, what it is, and the name of its scale, if it has one."""

    name: str
    entry: Entry
    scale: str | None


def _stored(kind: Kind, rename: Rename) -> dict[str, _Stored]:
    """By the model's names."""
    weights, scales = {}, {}
    for name, entry in kind.tensors.items():
        if name.endswith(_SCALES):
            scales[f"{name.rpartition('.')[0]}.weight"] = kind.prefix + name
        elif name not in _MARKS and not name.endswith(_BESIDE):
            weights[name] = entry
    found = {name: _Stored(kind.prefix + name, entry, scales.get(name)) for name, entry in weights.items()}
    return rename(found)


# Checking


def _compare(wanted: Mapping[str, Tensor], stored: Mapping[str, Entry], path: Path, what: str) -> None:
    complaints = [
        _list("lacks", [name for name in wanted if name not in stored]),
        _list("has besides what belongs there", [name for name in stored if name not in wanted]),
        *(
            f"has {name!r} in the shape {entry.shape}, and not {tuple(wanted[name].shape)}"
            for name, entry in stored.items()
            if name in wanted and entry.shape != tuple(wanted[name].shape)
        ),
        *(
            f"has {name!r} in a form ({entry.dtype}) that is not read here"
            for name, entry in stored.items()
            if entry.dtype not in TYPES
        ),
    ]
    found = [each for each in complaints if each]
    if found:
        more = f", and {len(found) - _SHOWN} more of the kind" if len(found) > _SHOWN else ""
        raise CheckpointError(
            f"{str(path)!r} is not whole, or not {identify.EXPECTED[what]}: it {'; it '.join(found[:_SHOWN])}{more}. "
            f"Get {identify.WHERE[what]}."
        )


def _list(verb: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{verb} {', '.join(map(repr, names[:_SHOWN]))}{more}"


def _is_finite(value: Tensor) -> bool:
    if not value.numel():
        return True
    if value.dtype in _NOT_FINITE:
        # As whole numbers without their sign, what is not finite comes after all that is.
        return int((value.view(torch.uint8) & 0x7F).max()) < _NOT_FINITE[value.dtype]
    # Both are NaN where one number is. In one go and without a copy, where isfinite takes 20 seconds for 3 GB.
    return bool(torch.stack(torch.aminmax(value)).isfinite().all())


# Reading


def _read(stored: Mapping[str, _Stored], kind: Kind, path: Path) -> Iterator[tuple[str, Tensor, Tensor | None]]:
    """Each weight by the model's name, and its scale; one after the other, so that few are in memory twice."""
    with ExitStack() as stack, _told(path):
        get = _open(stack, kind)
        for name, each in stored.items():
            yield name, get(each.name), get(each.scale) if each.scale else None


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Says in words what goes wrong while a file is read."""
    try:
        yield
    except (OSError, safetensors.SafetensorError, headers.Unreadable) as error:
        raise CheckpointError(f"{str(path)!r} cannot be read ({error}): get it anew.") from error


def _open(stack: ExitStack, kind: Kind) -> Callable[[str], Tensor]:
    assert kind.header is not None
    files = kind.header.files
    opened: dict[Path, Callable[[str], Tensor]] = {}

    def get(name: str) -> Tensor:
        path = files[name]
        if path not in opened:
            opened[path] = _getter(stack, path)
        return opened[path](name)

    return get


def _getter(stack: ExitStack, path: Path) -> Callable[[str], Tensor]:
    with path.open("rb") as file:
        is_pickle = file.read(2) == b"PK"
    if is_pickle:
        return headers.read_pickle(path).__getitem__
    return stack.enter_context(safetensors.safe_open(path, framework="pt", device="cpu")).get_tensor


def _widened(value: Tensor, scale: Tensor | None) -> Tensor:
    """A weight of eight bits times its scale, which it has one of, or one for each row; others as they are."""
    if scale is None:
        return value
    rows = scale.reshape(-1, *[1] * (value.dim() - 1)) if scale.numel() > 1 else scale.reshape(())
    return value.to(torch.float32) * rows.to(torch.float32)
