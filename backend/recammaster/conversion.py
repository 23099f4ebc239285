"""Weights from any format to a diffusers folder, as ``save_pretrained`` writes it."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from . import checkpoint, identify
from .tensors import CheckpointError

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
        CheckpointError: the source is something else, the folder is there already, or it cannot be written.
    """
    if os.path.lexists(folder):
        raise CheckpointError(f"{str(folder)!r} is there already: name a new folder, as nothing is overwritten.")
    kind = identify.identify(source)
    if kind.what not in _LOADERS:
        raise CheckpointError(
            f"{str(source)!r} is {kind.words}. Expected ReCamMaster's network or Wan 2.1's VAE; text encoders are read "
            "as they are."
        )
    model = _LOADERS[kind.what](source, dtype)
    try:
        _write(model, folder)
    except OSError as error:
        raise CheckpointError(f"{str(folder)!r} cannot be written ({error.strerror or error}).") from error
    return kind.words


def _network(source: Path, dtype: torch.dtype | None) -> Any:
    model = checkpoint.load_transformer(source, dtype=dtype)
    return model if dtype is None else model.to(dtype)


def _vae(source: Path, dtype: torch.dtype | None) -> Any:
    return checkpoint.load_vae(source, dtype=dtype)


_LOADERS = {identify.TRANSFORMER: _network, identify.VAE: _vae}


def _write(model: Any, folder: Path) -> None:
    state = model.state_dict()
    size = sum(each.numel() * each.element_size() for each in state.values())
    folder.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder.parent).free
    if free < size * _ABOVE:
        raise OSError(f"it needs {size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free there")
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", suffix=".part", dir=folder.parent))
    try:
        model.save_config(part)
        save_file(state, part / _WEIGHTS, metadata={"format": "pt"})
        # Others may read what the user's umask lets them, as of the file just written; safetensors and mkdtemp shut
        # everyone out.
        shutil.copymode(part / "config.json", part / _WEIGHTS)
        mode = stat.S_IMODE((part / "config.json").stat().st_mode)
        part.chmod(mode | (mode & 0o444) >> 2)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
