"""A tiny text encoder for tests of prompts, what the published pipeline makes of it, and packs of none at all."""

import functools
import weakref
from types import SimpleNamespace

import checkpoints
import torch

from backend.recammaster import checkpoint, text
from backend.recammaster.embeddings import Embedding, Encoder, pack

CPU = torch.device("cpu")
BLOCKS = checkpoints.TEXT_SIZES["num_layers"]
WIDTH = checkpoints.TEXT_SIZES["d_model"]


def write_models(folder):
    """A text encoder and its tokenizer, as they are found."""
    encoder = checkpoints.write_text_encoder_folder(folder / "it's é 日本" / "text_encoder")
    tokenizer = checkpoints.write_tokenizer_folder(folder / "it's é 日本" / "tokenizer")
    return SimpleNamespace(text_encoder=encoder, tokenizer=tokenizer, embeddings=[])


def watch_loads(monkeypatch):
    """A list that grows by each encoder that is loaded: weak references to its weights."""
    made = []

    def load(*arguments, **options):
        model = loader(*arguments, **options)
        made.append([weakref.ref(each) for each in model.parameters()])
        return model

    loader = checkpoint.load_text_encoder
    monkeypatch.setattr(checkpoint, "load_text_encoder", load)
    return made


def gone(loads):
    """Whether one encoder was loaded, and nothing of its weights is in memory any more."""
    (weights,) = loads
    left = [each() for each in weights]
    return len(weights) > 10 and not any(each is not None and each.numel() for each in left)


def encode(prompts, models, cache, *, report=lambda *_, **__: None, **options):
    return text.encode(prompts, models, CPU, report, cache=cache, **options)


def published(models, prompt):
    """What diffusers' own pipeline makes of it, (512, width)."""
    options = {"do_classifier_free_guidance": False, "max_sequence_length": 512, "device": CPU}
    with torch.no_grad():
        return pipeline(models.text_encoder, models.tokenizer).encode_prompt(prompt, **options)[0][0]


@functools.lru_cache(maxsize=1)
def pipeline(text_encoder, tokenizer):
    from diffusers import FlowMatchEulerDiscreteScheduler, WanPipeline

    return WanPipeline(
        tokenizer=checkpoint.load_tokenizer(tokenizer),
        text_encoder=checkpoint.load_text_encoder(text_encoder, torch.float32),
        vae=None,
        transformer=None,
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )


def made_by(name, prompts, value=1.0, width=WIDTH):
    """Embeddings of an encoder that does not exist."""
    encoder = Encoder(name * 64, f"{name}.safetensors")
    return [Embedding(each, torch.full((3, width), value), 3, encoder) for each in prompts]


def write_pack(path, *arguments, **options):
    path.write_bytes(pack(made_by(*arguments, **options)))
    return path
