"""``python -m backend convert``: weights from any format to a diffusers folder."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from .. import packages
from ..console import BAD_INPUT, FAILED, end, note
from ..contract import ContractError

_TYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}

_ABOUT = """\
Write ReCamMaster's network, or Wan 2.1's VAE, as a diffusers folder (safetensors and a config.json), that other
programs read too. ReCam itself reads every format as it is; but a pickle (.ckpt, .pth) that was converted once need
not be opened again.
"""


def add_convert(commands: Any) -> None:
    """Add ``convert`` to the shell's commands."""
    parser = commands.add_parser(
        "convert",
        help="write weights as a diffusers folder",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="IN", help="step20000.ckpt, a .safetensors file, a folder, ...")
    parser.add_argument("folder", metavar="OUT", help="a new folder")
    parser.add_argument("--dtype", choices=tuple(_TYPES), help="of all of it (default: as it is stored)")
    parser.add_argument("--debug", action="store_true", help="show a traceback where something fails")
    parser.set_defaults(run=_convert)


def _convert(options: argparse.Namespace) -> int:
    packages.check("recammaster")
    import torch

    from ..media.errors import WriteError
    from .conversion import convert
    from .identify import CheckpointError

    source, folder = Path(options.source).absolute(), Path(options.folder).absolute()
    if not os.path.exists(source):
        raise ContractError("IN", f"nothing at {options.source!r}", "a file or folder that can be read")
    if os.path.lexists(folder):
        raise ContractError("OUT", repr(options.folder), "a new folder: nothing is overwritten")
    dtype = getattr(torch, _TYPES[options.dtype]) if options.dtype else None
    try:
        words = convert(source, folder, dtype)
    except (CheckpointError, WriteError) as error:
        if options.debug:
            raise
        return end(str(error), BAD_INPUT if isinstance(error, CheckpointError) else FAILED)
    note(f"{options.source!r} is {words}")
    sys.stdout.write(f"{options.folder}\n")
    return 0
