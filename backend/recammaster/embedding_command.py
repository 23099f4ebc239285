"""``python -m backend embed``: prompts encoded into a pack, for machines that have no room for the text encoder."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import generation_options, packages
from ..console import FAILED, end, note
from ..contract import ContractError, Models, Progress

if TYPE_CHECKING:
    from .embeddings import Embedding
    from .models import Found
    from .text import Encoded

_WHERE = ("models", "text_encoder", "tokenizer")

_ABOUT = """\
Encode prompts into a pack: a small file, about 1 MB for a long prompt, that serves another machine in place of the
11 GB text encoder. Put it among that machine's models.

The published negative prompt and the empty prompt are always in it, unless --only is given. The prompts stand in the
pack in plain words. What is encoded is also kept in this user's cache (RECAM_CACHE names another folder for it).
"""


def add_embed(commands: Any) -> None:
    """Add ``embed`` to the shell's commands."""
    parser = commands.add_parser(
        "embed",
        help="encode prompts into a pack for other machines",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("prompts", nargs="*", metavar="PROMPT", help="what the footage shows, in a sentence or more")
    parser.add_argument("--output", required=True, metavar="PACK", help="a new file, .safetensors")
    parser.add_argument("--prompts-file", metavar="FILE", help="more prompts, one a line, UTF-8; - for stdin")
    parser.add_argument("--only", action="store_true", help="leave out the published negative prompt and the empty one")
    generation_options.add_models(parser, _WHERE)
    generation_options.add_device(parser)
    parser.add_argument("--debug", action="store_true", help="show a traceback where something fails")
    parser.set_defaults(run=_embed)


def _embed(options: argparse.Namespace) -> int:
    packages.check("recammaster")
    from ..engines import EngineError
    from ..media.errors import WriteError

    prompts, output = _prompts(options), _output(options.output)
    models, device = generation_options.models(options, _WHERE), generation_options.device(options)
    try:
        _make_pack(prompts, output, models, device)
    except (EngineError, WriteError) as error:
        if options.debug:
            raise
        return end(str(error), FAILED)
    sys.stdout.write(f"{output}\n")
    return 0


# What is asked for


def _prompts(options: argparse.Namespace) -> list[str]:
    from .recipes import NEGATIVE_PROMPT

    found = [*options.prompts]
    if options.prompts_file:
        found += _lines(options.prompts_file)
    if not options.only:
        return [*found, NEGATIVE_PROMPT, ""]
    if not found:
        raise ContractError("--only", "no prompts", "a PROMPT or a --prompts-file beside it")
    return found


def _lines(path: str) -> list[str]:
    try:
        content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise ContractError("--prompts-file", f"{path!r}: {error.strerror or error}", "a file to read") from error
    except UnicodeDecodeError as error:
        raise ContractError("--prompts-file", f"{path!r}, byte {error.start} is no UTF-8", "a text in UTF-8") from error
    # The ends that editors write; str.splitlines knows others too, which may stand within a prompt.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    found = [line for line in lines if line.strip()]
    if not found:
        raise ContractError("--prompts-file", f"{path!r}, empty", "a prompt on each line")
    return found


def _output(path: str) -> Path:
    output = Path(os.path.abspath(path))
    if output.suffix != ".safetensors":
        raise ContractError("--output", repr(path), "a name that ends in .safetensors")
    if os.path.lexists(output):
        raise ContractError("--output", repr(path), "a new file: nothing is overwritten")
    return output


# Doing it


def _make_pack(prompts: list[str], output: Path, models: Models, device: str) -> None:
    from ..media.parts import Part, told
    from .embeddings import pack

    # Before the slow work: here it is told whether anything can be written there.
    part = Part(output, folder=False)
    try:
        encoded = _encode(prompts, models, device)
        embeddings = list({each.prompt: _in_half(each) for each in encoded.embeddings}.values())
        with told(output):
            part.path.write_bytes(pack(embeddings))
        part.publish()
    finally:
        part.discard()
    for sentence in (*encoded.notes, *encoded.warnings):
        note(sentence)
    count = "1 prompt" if len(embeddings) == 1 else f"{len(embeddings)} prompts"
    note(f"{count}, {output.stat().st_size / 1e6:.1f} MB")


def _encode(prompts: list[str], models: Models, device: str) -> Encoded:
    from ..progressbar import ProgressBar
    from . import text
    from .device import choose
    from .models import find

    bar = ProgressBar(sys.stderr)

    def report(phase: str, step: int, total: int, /, **_known: Any) -> None:
        bar.show(Progress(phase=phase, step=step, total=total))

    found = _without_packs(find(models))
    try:
        return text.encode(prompts, found, choose(device).device, report)
    finally:
        bar.clear()


def _without_packs(found: Found) -> Found:
    """Where there is an encoder, the pack is to be of that one and not of others."""
    if found.text_encoder is None or found.tokenizer is None:
        return found
    return dataclasses.replace(found, embeddings=[])


def _in_half(embedding: Embedding) -> Embedding:
    """In bfloat16, as the published code gives it to the network."""
    import torch

    return dataclasses.replace(embedding, rows=embedding.rows.to(torch.bfloat16))
