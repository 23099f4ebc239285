"""Prompts to what the network is shown of them, by UMT5-XXL's encoder (published code: WanPrompter).

The encoder is 11 GB, the network that it serves 3 GB. So each prompt is encoded once and kept (see
:mod:`.embeddings`), the encoder is loaded only where a prompt is new, and has left memory before :func:`encode`
returns. Where every prompt is in a pack or in the cache, the encoder need not even be on the machine.
"""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..engines import EngineError, Report
from . import umt5
from .embeddings import LENGTH, Cache, Embedding, EmbeddingsError, Encoder, Pack, cache_folder, encoder_of
from .headers import Unreadable
from .identify import TEXT_ENCODER, TOKENIZER, WHERE

if TYPE_CHECKING:
    from .models import Found

_SHOWN = 40
_ELSEWHERE = (
    "or encode on a machine that has both (`python -m backend embed`) and put the pack that this writes among the "
    "models."
)


@dataclass(frozen=True)
class Encoded:
    """What :func:`encode` gives.

    Attributes:
        tensors: (512, width) for each prompt, in their order, on the CPU, zero after the prompt's end; bfloat16 where
            a GPU or a pack gave it, else float32.
        embeddings: the same without the zeros, with the encoder that each came from.
        notes: whole sentences: where they came from.
        warnings: whole sentences: prompts that were cut, packs that are damaged, a cache that cannot be written.
    """

    tensors: list[Tensor]
    embeddings: list[Embedding]
    notes: list[str]
    warnings: list[str]


def clean(prompt: str) -> str:
    """A prompt as it is encoded: broken encodings mended, HTML entities resolved twice, runs of spaces made one.

    As published (DiffSynth's ``clean="whitespace"``, diffusers' ``prompt_clean``). What is no text, a half of a
    surrogate pair, becomes a question mark.
    """
    import ftfy

    text = ftfy.fix_text(prompt.encode("utf-8", "replace").decode("utf-8"))
    # An entity may name half a pair too.
    text = html.unescape(html.unescape(text)).encode("utf-8", "replace").decode("utf-8")
    return re.sub(r"\s+", " ", text).strip()


def encode(
    prompts: Sequence[str],
    found: Found,
    device: torch.device,
    report: Report,
    *,
    width: int | None = None,
    cache: Path | None = None,
) -> Encoded:
    """What the network is shown of each prompt.

    All are taken from packs and the cache, made by one encoder, if they are there: the packs' encoders come first, in
    the packs' order, then the encoder that was found. Else, where an encoder was found, what is missing of its own is
    encoded and kept. Else each prompt is taken from wherever it is.

    Args:
        prompts: any text; the empty one too.
        found: ``text_encoder`` and ``tokenizer``, paths or None, and ``embeddings``, paths of packs.
        device: to encode on, if need be and if it has the room, see :mod:`.umt5`.
        report: told of the loading, and of each block of the encoder; may raise Cancelled.
        width: of the embeddings that the network takes; those of another are passed over. None: any.
        cache: the folder of the cache; None: the user's, see :func:`backend.recammaster.embeddings.cache_folder`.

    Raises:
        EngineError: an encoder is needed and not there, or is not what it should be (``models``); it does not fit into
            memory (``memory``).
    """
    wanted = [clean(each) for each in prompts]
    unique = list(dict.fromkeys(wanted))
    library = _Library(found, Cache(cache or cache_folder()), width)
    known = library.of_one_encoder(unique) or library.of_any(unique)
    notes = library.sources(known)
    if missing := [each for each in unique if each not in known]:
        made = _make(missing, library, device, report)
        notes.append(f"Prompts encoded: {len(made)}, with {made[0].encoder.name!r}.")
        known |= {each.prompt: each for each in made}
    embeddings = [known[each] for each in wanted]
    cut = [_cut(known[each]) for each in unique if known[each].tokens > LENGTH]
    return Encoded([each.padded() for each in embeddings], embeddings, notes, [*cut, *library.warnings])


def _make(prompts: list[str], library: _Library, device: torch.device, report: Report) -> list[Embedding]:
    found = library.found
    if library.encoder is None or found.text_encoder is None or found.tokenizer is None:
        raise EngineError(" ".join([_lacking(prompts, found), *library.warnings]), "models")
    made = umt5.encode(
        prompts, library.encoder, found.text_encoder, found.tokenizer, device, report, width=library.width
    )
    library.keep(made)
    return made


# In words


def _lacking(missing: list[str], found: Found) -> str:
    which = f"The prompt {_short(missing[0])} was" if len(missing) == 1 else f"{len(missing)} prompts were"
    tokenizer = WHERE[TOKENIZER]
    if found.text_encoder is None:
        return (
            f"{which} not encoded before, and no text encoder was found: get {WHERE[TEXT_ENCODER]}, and its tokenizer, "
            f"{tokenizer}; {_ELSEWHERE}"
        )
    return (
        f"{which} not encoded before, and the text encoder {str(found.text_encoder)!r} has no tokenizer: get "
        f"{tokenizer}; {_ELSEWHERE}"
    )


def _cut(embedding: Embedding) -> str:
    return (
        f"The prompt {_short(embedding.prompt)} has {embedding.tokens} tokens, and the network is shown {LENGTH}: "
        "its end is left out."
    )


def _short(prompt: str) -> str:
    return repr(prompt if len(prompt) <= _SHOWN else prompt[:_SHOWN] + "…")


# What was encoded before


@dataclass
class _Library:
    """Packs and the cache."""

    found: Found
    cache: Cache
    width: int | None
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._packs: list[Pack] = []
        for path in self.found.embeddings:
            with self._told():
                self._packs.append(Pack(path))

    @property
    def encoder(self) -> Encoder | None:
        """The one that was found; None where it cannot be used. Raises EngineError where it cannot be read."""
        path = self.found.text_encoder
        if path is None or self.found.tokenizer is None:
            return None
        try:
            return encoder_of(path)
        except (OSError, Unreadable) as error:
            reason = getattr(error, "strerror", None) or error
            raise EngineError(f"The text encoder {str(path)!r} cannot be read: {reason}.", "models") from error

    def of_one_encoder(self, prompts: list[str]) -> dict[str, Embedding]:
        """All of them, if one encoder made them all; else nothing."""
        for encoder in self._encoders(prompts):
            known = self._by(encoder, prompts)
            if len(known) == len(prompts):
                return known
        return {}

    def of_any(self, prompts: list[str]) -> dict[str, Embedding]:
        """Those that the encoder which was found has made; without one, those that any has."""
        if self.encoder is not None:
            return self._by(self.encoder, prompts)
        known: dict[str, Embedding] = {}
        for encoder in self._encoders(prompts):
            known = self._by(encoder, prompts) | known
        return known

    def sources(self, known: dict[str, Embedding]) -> list[str]:
        """A sentence for each pack that these came from, and for the cache."""
        places = dict.fromkeys(
            (self._source(prompt, each.encoder), each.encoder.name) for prompt, each in known.items()
        )
        return [f"Prompts encoded before, with {name!r}, come from {place}." for place, name in places]

    def keep(self, embeddings: Sequence[Embedding]) -> None:
        """Write them into the cache."""
        reasons = [reason for each in embeddings if (reason := self.cache.keep(each))]
        if reasons:
            self.warnings.append(
                f"What was encoded could not be kept ({reasons[0]}): it will be encoded again next time. "
                "RECAM_CACHE names another folder for the cache."
            )

    def _encoders(self, prompts: list[str]) -> Iterator[Encoder]:
        for pack in self._packs:
            yield from pack.encoders
        if self.encoder is not None:
            yield self.encoder
        else:
            yield from self.cache.encoders(prompts)

    def _by(self, encoder: Encoder, prompts: list[str]) -> dict[str, Embedding]:
        found = {each: self._find(each, encoder.identity) for each in prompts}
        return {prompt: each for prompt, each in found.items() if each is not None}

    def _find(self, prompt: str, identity: str) -> Embedding | None:
        for pack in self._packs:
            with self._told():
                if found := pack.find(prompt, identity, self.width):
                    return found
        return self.cache.find(prompt, identity, self.width)

    def _source(self, prompt: str, encoder: Encoder) -> str:
        for pack in self._packs:
            if pack.has(prompt, encoder.identity, self.width):
                return f"the pack {pack.path.name!r}"
        return "the cache"

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """A pack that is damaged is passed over, and told of once."""
        try:
            yield
        except EmbeddingsError as error:
            if str(error) not in self.warnings:
                self.warnings.append(str(error))
