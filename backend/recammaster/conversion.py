"""Weights from any format to a diffusers folder, as ``save_pretrained`` writes it."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from ..media.errors import WriteError
from ..media.parts import Part, told
from . import checkpoint, identify
from .identify import CheckpointError

_WEIGHTS = "diffusion_pytorch_model.safetensors"
_ABOVE = 1.05  # what else a folder needs, and what a disk loses to its blocks


def convert(source: Path, folder: Path, dtype: torch.dtype | None = None) -> str:
    """Write ReCamMaster's network, or Wan's VAE, as a diffusers folder; what the source was, in words.

    ``load_transformer`` and ``from_pretrained`` read what comes out. It is written beside its name and renamed when
    whole; nothing is overwritten.

    Args:
        source: a file or folder, as :func:`.checkpoint.load_transformer` and :func:`.checkpoint.load_vae` take it.
        folder: a new one.
        dtype: of all of it. None: that which most of it is stored in, and float32 for what diffusers keeps so.

    Raises:
        CheckpointError: the source is something else.
        WriteError: the folder is there already, or it cannot be written.
    """
    kind = identify.identify(source)
    if kind.what not in _LOADERS:
        raise CheckpointError(
            f"{str(source)!r} is {kind.words}. Expected ReCamMaster's network or Wan 2.1's VAE; text encoders are read "
            "as they are."
        )
    # Before the slow work: here it is told whether anything can be written there.
    part = Part(folder, folder=True)
    try:
        model = _LOADERS[kind.what](source, dtype)
        with told(folder):
            _write(model, part)
        part.publish()
    finally:
        part.discard()
    return kind.words


def _network(source: Path, dtype: torch.dtype | None) -> Any:
    model = checkpoint.load_transformer(source, dtype=dtype)
    return model if dtype is None else model.to(dtype)


def _vae(source: Path, dtype: torch.dtype | None) -> Any:
    return checkpoint.load_vae(source, dtype=dtype)


_LOADERS = {identify.TRANSFORMER: _network, identify.VAE: _vae}


def _write(model: Any, part: Part) -> None:
    state = model.state_dict()
    size = sum(each.numel() * each.element_size() for each in state.values())
    free = shutil.disk_usage(part.path).free
    if free < size * _ABOVE:
        needs = f"it needs {size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free there"
        raise WriteError(errno.ENOSPC, f"{str(part.final)!r} cannot be written: {needs}.")
    model.save_config(part.path)
    try:
        save_file(state, part.path / _WEIGHTS, metadata={"format": "pt"})
    except SafetensorError as error:  # what the system said is in its text alone
        raise WriteError(errno.EIO, f"{str(part.final)!r} cannot be written: {error}.") from error
    # safetensors shuts everyone else out; the file beside it was made as the user's umask has it.
    shutil.copymode(part.path / "config.json", part.path / _WEIGHTS)
