"""UMT5-XXL's encoder at work: loaded, used, and gone from memory again (published code: WanTextEncoder, WanPrompter).

Its weights are 11.4 GB in bfloat16. Where the arithmetic is done, and as what the weights lie in memory meanwhile, is
chosen by what is free:

    on a GPU    in bfloat16, all of it there, if it has the room; else block by block: a block's weights (0.4 GB) are
                on the GPU while it computes. A GPU that has no bfloat16 computes block by block in float32, as T5's
                numbers go beyond float16. With less than 1.5 GB free: on the CPU
    on the CPU  in float32, as it does little else well. All weights are float32 (23 GB) if there is the room; else
                they lie there in bfloat16, and each block is float32 while it computes, which gives the same numbers

Layers that a file has in eight bits stay so everywhere. Little is gained by computing several prompts at once, and the
last bits of each could depend on its neighbours: they go one by one, padded as published.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..engines import EngineError, Report
from . import checkpoint, memory
from .device import choose, free_ram
from .embeddings import LENGTH, Embedding, Encoder
from .identify import identify

LOADING = "loading the text encoder"
ENCODING = "encoding the prompt"

_ROOM_BYTES = 1.5e9  # a block in float32 (0.8 GB), and what it computes with, at UMT5-XXL's size


def encode(
    prompts: Sequence[str],
    encoder: Encoder,
    weights: Path,
    tokenizer: Path,
    device: torch.device,
    report: Report,
    *,
    width: int | None = None,
) -> list[Embedding]:
    """Cleaned prompts, encoded; the encoder is no longer in memory when this returns or raises.

    Args:
        prompts: as :func:`backend.recammaster.text.clean` gives them.
        encoder: what they are said to come from.
        weights: a text encoder, in any format that :func:`backend.recammaster.checkpoint.load_text_encoder` reads.
        tokenizer: likewise.
        device: to compute on if it has the room.
        report: told of the loading, and of each block.
        width: that the embeddings must have.

    Returns:
        One for each, on the CPU: bfloat16 from a GPU, float32 from a CPU.

    Raises:
        EngineError: the encoder or its tokenizer is not what it should be, or there is too little memory.
    """
    report(LOADING, 0, 1)
    tokens = _tokens(checkpoint.load_tokenizer(tokenizer), prompts)
    for place in _places(weights, device):
        rows = _try(weights, tokens, place, width, report)
        if rows is not None:
            return [
                Embedding(prompt, made, given.count, encoder)
                for prompt, made, given in zip(prompts, rows, tokens, strict=True)
            ]
    raise EngineError(
        f"The text encoder {str(weights)!r} does not fit into memory, of which "
        f"{free_ram() / 1e9:.1f} GB are free: close other programs, or encode the prompt on "
        "another machine (`python -m backend embed`) and put the pack among the models.",
        "memory",
    )


# Tokens


@dataclass(frozen=True)
class _Tokens:
    """A prompt as numbers: ``ids`` and ``mask`` (1, 512), and how many tokens it has, which may be more."""

    ids: Tensor
    mask: Tensor
    count: int
    known: int
    """How many tokens there are in all."""


def _tokens(tokenizer: Any, prompts: Sequence[str]) -> list[_Tokens]:
    found = []
    for prompt in prompts:
        given = tokenizer([prompt], padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt")
        count = len(tokenizer(prompt, verbose=False).input_ids)
        found.append(_Tokens(given.input_ids, given.attention_mask, count, len(tokenizer)))
    return found


# Where


@dataclass(frozen=True)
class _Place:
    """Where the encoder computes.

    Attributes:
        device: of the arithmetic.
        dtype: of the arithmetic.
        stored: as what the weights lie in memory.
        resident: whether they all lie on the device; else in the machine's memory.
    """

    device: torch.device
    dtype: torch.dtype
    stored: torch.dtype
    resident: bool


def _places(weights: Path, device: torch.device) -> list[_Place]:
    """Those that have the room as things stand, the best first; the CPU is the last of them."""
    places = []
    if device.type != "cpu":
        chosen = choose(str(device))
        dtype = torch.bfloat16 if chosen.dtype == torch.bfloat16 else torch.float32
        if dtype == torch.bfloat16 and _bytes(weights, dtype) + _ROOM_BYTES <= chosen.free:
            places.append(_Place(device, dtype, dtype, resident=True))
        if chosen.free >= _ROOM_BYTES:
            places.append(_Place(device, dtype, torch.bfloat16, resident=False))
    has_room = _bytes(weights, torch.float32) + _ROOM_BYTES <= free_ram()
    stored = torch.float32 if has_room else torch.bfloat16
    return [*places, _Place(torch.device("cpu"), torch.float32, stored, resident=has_room)]


def _bytes(weights: Path, dtype: torch.dtype) -> int:
    """What a text encoder takes in a type: layers that are stored in eight bits stay so, the table of tokens does not.

    0 for what is none: loading it tells what it is.
    """
    return sum(
        math.prod(each.shape) * (1 if each.dtype.startswith("F8") and "block" in name else dtype.itemsize)
        for name, each in identify(weights).tensors.items()
    )


# Encoding


def _try(weights: Path, tokens: list[_Tokens], place: _Place, width: int | None, report: Report) -> list[Tensor] | None:
    """The rows of each prompt; None where memory ran out. Either way nothing is left in it."""
    try:
        model = checkpoint.load_text_encoder(weights, place.stored)
        try:
            report(LOADING, 1, 1)
            _check(model, weights, tokens, width)
            rows = _rows(model, tokens, place, report)
        finally:
            memory.release(model)
    except (RuntimeError, MemoryError) as error:
        if memory.is_out_of_memory(error):
            return None
        raise
    if not all(torch.isfinite(each).all() for each in rows):
        raise EngineError(
            f"The text encoder {str(weights)!r} gives numbers that are not finite: its file is damaged; get it anew.",
            "models",
        )
    return rows


@torch.no_grad()
def _rows(model: Any, tokens: list[_Tokens], place: _Place, report: Report) -> list[Tensor]:
    if place.resident:
        model.to(place.device)
    table, stack = model.get_input_embeddings(), model.encoder
    done = itertools.count(1)
    total = len(tokens) * len(stack.block)
    for each in (*stack.block, stack.final_layer_norm):
        _lend(each, place)
    for block in stack.block:
        block.register_forward_hook(lambda *_: report(ENCODING, next(done), total))
    rows = []
    for each in tokens:
        # Where not all is on the device, neither is the table of all tokens: 2 GB of which a prompt needs some lines.
        embedded = table(each.ids.to(table.weight.device)).to(place.device, place.dtype)
        states = stack(inputs_embeds=embedded, attention_mask=each.mask.to(place.device)).last_hidden_state
        rows.append(states[0, : int(each.mask.sum())].cpu().clone())
    return rows


def _lend(module: nn.Module, place: _Place) -> None:
    """Have a module's weights where and as what the arithmetic is done, while it computes and no longer.

    Those in eight bits stay so: their layers widen them.
    """
    own: list[Tensor] = []

    def bring(module: nn.Module, _inputs: Any) -> None:
        for each in module.parameters():
            own.append(each.data)
            each.data = each.data.to(place.device, each.dtype if each.itemsize == 1 else place.dtype)

    def take_back(module: nn.Module, _inputs: Any, _output: Any) -> None:
        # After a failure too, when fewer may have been brought.
        for each, data in zip(module.parameters(), own, strict=False):
            each.data = data
        own.clear()

    module.register_forward_pre_hook(bring)
    module.register_forward_hook(take_back, always_call=True)


def _check(model: Any, weights: Path, tokens: list[_Tokens], width: int | None) -> None:
    table = model.get_input_embeddings()
    known, highest = tokens[0].known, max(int(each.ids.max()) for each in tokens)
    # Tables are longer than their tokenizer has tokens, to be of a round length, but not by much.
    if highest >= table.num_embeddings or 2 * known < table.num_embeddings:
        raise EngineError(
            f"The tokenizer knows {known} tokens and the text encoder {str(weights)!r} {table.num_embeddings}: they do "
            "not belong together; get both of umt5-xxl.",
            "models",
        )
    if width is not None and table.embedding_dim != width:
        raise EngineError(
            f"The text encoder {str(weights)!r} gives {table.embedding_dim} numbers per token and the network takes "
            f"{width}: get umt5-xxl's.",
            "models",
        )
