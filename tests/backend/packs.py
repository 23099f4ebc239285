"""Packs of encoded prompts, and what can be wrong with them."""

import json

import safetensors.torch
import torch

from backend.recammaster.embeddings import FORMAT, Embedding, Encoder, Pack, pack

ENCODER = Encoder("ab" * 32, "umt5 é.safetensors")
ROWS = torch.randn(5, 24, generator=torch.Generator().manual_seed(0))
ODD = [
    "",
    "plain",
    'quotes "double" \'single\' \\ back {"json": [1]}',
    "new\nline\ttab\r\x00nul",
    "日本 é 🎥 \u202e right to left",
    "a half \udcff of a pair \ud83d",
    "long " * 5000,
    "../../etc/passwd",
]


def embedding(prompt="plain", rows=ROWS, encoder=ENCODER, tokens=None):
    return Embedding(prompt, rows, len(rows) if tokens is None else tokens, encoder)


def write(path, *made):
    path.write_bytes(pack(made))
    return path


def prompts_in(folder):
    """Every file below a folder, with the prompts in it."""
    return {path: Pack(path).prompts for path in folder.rglob("*") if path.is_file()}


DAMAGES = [
    *(
        "truncated",
        "half a header",
        "empty",
        "huge header",
        "text",
        "other tensors",
        "no metadata",
        "no json",
        "a list",
    ),
    *("deep", "later version", "no prompts", "more prompts than tensors", "prompt is a number", "tokens are no number"),
    *("fewer tokens than rows", "no encoder", "too many rows", "no rows", "no matrix", "whole numbers", "not finite"),
]


def damaged(kind):
    """The bytes of a pack that something is wrong with."""
    whole = pack([embedding()])
    entry = {"prompt": "plain", "tokens": 5, "encoder": "ab", "name": "n"}
    if kind == "truncated":
        return whole[:-1]
    if kind == "half a header":
        return whole[:50]
    if kind == "empty":
        return b""
    if kind == "huge header":
        return (2**62).to_bytes(8, "little") + whole[8:]
    if kind == "text":
        return b"prompts,\nlots of them\n" * 50
    if kind == "other tensors":
        return safetensors.torch.save({"encoder.weight": ROWS}, {"format": "pt"})
    if kind == "no metadata":
        return safetensors.torch.save({"prompt.0": ROWS})
    stated = {
        "no json": "{",
        "a list": "[]",
        "deep": "[" * 100000,
        "later version": json.dumps({"version": 2, "prompts": [entry]}),
        "no prompts": json.dumps({"version": 1}),
        "more prompts than tensors": json.dumps({"version": 1, "prompts": [entry, entry]}),
        "prompt is a number": json.dumps({"version": 1, "prompts": [entry | {"prompt": 5}]}),
        "tokens are no number": json.dumps({"version": 1, "prompts": [entry | {"tokens": "5"}]}),
        "fewer tokens than rows": json.dumps({"version": 1, "prompts": [entry | {"tokens": 4}]}),
        "no encoder": json.dumps({"version": 1, "prompts": [{"prompt": "plain", "tokens": 5}]}),
    }
    rows = {
        "too many rows": torch.ones(513, 4),
        "no rows": torch.ones(0, 4),
        "no matrix": torch.ones(4),
        "whole numbers": torch.ones(5, 4, dtype=torch.int32),
        "not finite": torch.full((5, 4), float("inf")),
    }
    text = stated.get(kind, json.dumps({"version": 1, "prompts": [entry | {"tokens": 600}]}))
    return safetensors.torch.save({"prompt.0": rows.get(kind, ROWS)}, {FORMAT: text})
