"""UMT5's tokenizer, from any of the files that it comes in, as one that can be called like those of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import identify
from .identify import CheckpointError
from .tensors import read_tensor

_PAD, _END, _UNKNOWN = "<pad>", "</s>", "<unk>"


def load_tokenizer(path: Path | str) -> Any:
    """The tokenizer at a path.

    Args:
        path: tokenizer.json, spiece.model, a folder with one of them (tokenizer.json is taken where there are both) or
            with a folder ``tokenizer`` in it, or a text encoder that has it inside, as ComfyUI's files do.

    Returns:
        What can be called as ``tokenizer(texts, padding="max_length", max_length=512, truncation=True,
        return_tensors="pt")`` and gives ``input_ids`` and ``attention_mask``; its length is how many tokens it knows.
        A tokenizer.json is taken word for word: transformers 5's own T5Tokenizer makes another of it, which knows
        nothing of UMT5's bytes for rare characters.

    Raises:
        CheckpointError: it is no tokenizer.
    """
    path = _file(Path(path))
    kind = identify.identify(path)
    try:
        if kind.what == identify.TEXT_ENCODER and identify.has_tokenizer(kind):
            return SentencePiece(read_tensor(path, kind, "spiece_model").numpy().tobytes())
        if kind.what == identify.TOKENIZER:
            return _fast(path) if path.suffix == ".json" else SentencePiece(path.read_bytes())
    except (OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{str(path)!r} is a damaged tokenizer ({error}): get {identify.WHERE[identify.TOKENIZER]}."
        ) from error
    raise CheckpointError(f"{str(path)!r} is {kind.words}. {identify.wanted(identify.TOKENIZER)}")


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    for folder in (path, path / "tokenizer"):
        for name in identify.TOKENIZER_FILES:
            if (folder / name).is_file():
                return folder / name
    return path


def _fast(path: Path) -> Any:
    from transformers import PreTrainedTokenizerFast

    try:
        return PreTrainedTokenizerFast(tokenizer_file=str(path), pad_token=_PAD, eos_token=_END, unk_token=_UNKNOWN)
    except Exception as error:  # the library raises Exception itself for a file that it cannot read
        raise ValueError(error) from error


class SentencePiece:
    """A sentencepiece model, called as a tokenizer of transformers is.

    Args:
        model: what a spiece.model contains.
    """

    def __init__(self, model: bytes) -> None:
        import sentencepiece

        self._model = sentencepiece.SentencePieceProcessor(model_proto=model)
        self._pad, self._end = self._model.piece_to_id(_PAD), self._model.piece_to_id(_END)

    def __len__(self) -> int:
        return int(self._model.get_piece_size())

    def __call__(
        self,
        text: str | list[str],
        *,
        padding: bool | str = False,
        max_length: int | None = None,
        truncation: bool = False,
        return_tensors: str | None = None,
        **_options: Any,
    ) -> Any:
        """Ids of a text, or of each of several, with the end's after them; options as in transformers."""
        from transformers import BatchEncoding

        texts = [text] if isinstance(text, str) else list(text)
        rows = [[*self._model.encode(each), self._end] for each in texts]
        if truncation and max_length is not None:
            rows = [row if len(row) <= max_length else [*row[: max_length - 1], self._end] for row in rows]
        longest = max((len(row) for row in rows), default=0)
        length = {"max_length": max_length or longest, True: longest, "longest": longest}.get(padding, 0)
        masks = [[1] * len(row) + [0] * (length - len(row)) for row in rows]
        rows = [row + [self._pad] * (length - len(row)) for row in rows]
        if isinstance(text, str) and return_tensors is None:
            return BatchEncoding({"input_ids": rows[0], "attention_mask": masks[0]})
        return BatchEncoding({"input_ids": rows, "attention_mask": masks}, tensor_type=return_tensors)
