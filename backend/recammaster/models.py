"""Which of the files on a machine are the models: those named, and else what is found in a folder, by content.

The folder is the job's, else the one that RECAM_MODELS names, else the one that ReCam downloads to, if it is there; and
with each of them what was added to it and lies elsewhere. A folder that ComfyUI uses, one of diffusers, or one with
everything thrown together will do. Of several that fit, by this rule: the most exact first (float32, sixteen bits,
eight), then safetensors before pickles, then by name.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

# Unlike Path's they answer no where a folder gives no rights; :mod:`.identify` then says that it cannot be read.
from os.path import isdir, isfile
from pathlib import Path

from ..contract import Models
from ..models import catalogue, library
from . import headers, identify
from .identify import EXPECTED, WHERE, CheckpointError, Kind, wanted

VARIABLE = library.VARIABLE

_SINGLE = (identify.TRANSFORMER, identify.VAE, identify.TEXT_ENCODER, identify.PREVIEW)
_ENDINGS = (".safetensors", ".sft", ".ckpt", ".pth", ".pt", ".bin")
_DEEPEST = 6
_MOST_FILES = 5000
_MOST_FOLDERS = 5000
_HINTS = 3
_EXACTNESS = {"F64": 0, "F32": 0, "BF16": 1, "F16": 1}

# Other models' that have the very names and shapes of ours; only their files' names tell.
_FOREIGN = {identify.VAE: ("qwen",), identify.PREVIEW: ("taehv",)}

# Nothing in a LoRA says that it is for few steps.
_FEW_STEPS = ("causvid", "self_forcing", "self-forcing", "selfforcing", "dmd", "distill", "rcm")


@dataclass(frozen=True)
class Found:
    """Where the models lie; None for what is not there.

    Attributes:
        transformer, vae, text_encoder, preview, lora: files, or folders of diffusers and transformers.
        tokenizer: a file; the text encoder's own where it has its tokenizer inside.
        embeddings: packs.
        notes: whole sentences on what was chosen among several.
    """

    transformer: Path | None = None
    vae: Path | None = None
    text_encoder: Path | None = None
    tokenizer: Path | None = None
    embeddings: list[Path] = field(default_factory=list)
    lora: Path | None = None
    preview: Path | None = None
    notes: list[str] = field(default_factory=list)


def find(models: Models, needed: Iterable[str] = ()) -> Found:
    """The models that a job names, and what else is in its folder, in RECAM_MODELS' or in ReCam's own.

    Args:
        models: of the job. What is named in it is taken, and nothing else of its kind.
        needed: the fields of Found without which there is nothing to be done.

    Raises:
        CheckpointError: what is named is something else; or what is needed was not found. It says what was found in
            its place and what to get.
    """
    named = {name: Path(path) for name, path in models.paths() if name != "folder"}
    shelf = _Shelf(_folder(models))
    chosen: dict[str, Seen | None] = {name: _checked(name, path) for name, path in named.items()}
    for what in _SINGLE:
        if what not in chosen:
            chosen[what] = shelf.best(what)
    if identify.TOKENIZER not in chosen:
        chosen[identify.TOKENIZER] = shelf.tokenizer_for(chosen[identify.TEXT_ENCODER])
    if identify.LORA in chosen:
        _check_fits(chosen[identify.LORA], chosen[identify.TRANSFORMER])
    else:
        chosen[identify.LORA] = shelf.lora_for(chosen[identify.TRANSFORMER])
    packs = [chosen.pop(identify.EMBEDDINGS, None), *shelf.all(identify.EMBEDDINGS)]
    if missing := [what for what in needed if chosen.get(what) is None]:
        raise CheckpointError(_missing(missing, shelf))
    return Found(
        **{name: seen.path for name, seen in chosen.items() if seen},
        embeddings=list(dict.fromkeys(each.path for each in packs if each)),
        notes=shelf.notes,
    )


# What is named


def _folder(models: Models) -> Path | None:
    if models.folder:
        return _existing(Path(models.folder), "The folder of models is to be")
    if given := os.environ.get(VARIABLE):
        return _existing(Path(given).expanduser(), f"{VARIABLE} names")
    own = library.default_folder()
    return _existing(own, "ReCam's folder of models is") if isdir(own) else None


def _existing(folder: Path, who: str) -> Path:
    try:
        os.scandir(folder).close()
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(
            f"{who} {str(folder)!r}, which is no folder: name the one that the models lie in."
        ) from None
    except OSError as error:
        raise CheckpointError(
            f"{who} {str(folder)!r}, which cannot be read ({error.strerror or error}): let this user read it, or name "
            "another folder."
        ) from error
    return folder.absolute()


def _checked(name: str, path: Path) -> Seen:
    """What a job names as this, if it is this: itself, or the one of its kind in the folder that is named."""
    inner = path / name
    seen = look(inner if name in _SINGLE and isdir(inner) and not isfile(path / "config.json") else path)
    if seen.what == name or (name == identify.TOKENIZER and seen.has_tokenizer):
        return seen
    if isdir(path) and (within := _Shelf(path).best(name)):
        return within
    if name == identify.TOKENIZER and isdir(inner := path / name):
        return _checked(name, inner)
    raise CheckpointError(f"{str(path)!r} is {seen.words}. {wanted(name)}")


def _check_fits(lora: Seen | None, network: Seen | None) -> None:
    if lora is None or (network is not None and lora.width == network.width) or (network is None and lora.width):
        return
    made_for = f"a Wan network of width {lora.width}" if lora.width else "a network of another kind"
    raise CheckpointError(f"{str(lora.path)!r} is a LoRA for {made_for}. {wanted(identify.LORA)}")


# What is in a folder


@dataclass(frozen=True)
class Seen:
    """What was seen at a path: as much of a Kind as is worth keeping for thousands of files."""

    path: Path
    what: str
    words: str
    exactness: int
    has_tokenizer: bool
    width: int | None
    """Of a network, or of the network that a LoRA is for; of a text encoder, the tokens that it knows."""

    def rank(self) -> tuple[int, bool, str]:
        """The best first."""
        pickled = isfile(self.path) and self.path.suffix not in (".safetensors", ".sft")
        return self.exactness, pickled, str(self.path)


_seen: dict[Path, tuple[object, Seen]] = {}
_lock = threading.Lock()


def look(path: Path) -> Seen:
    """What lies at a path; a file that has not changed is not read again."""
    path = path.absolute()
    stamp = _stamp(path)
    with _lock:
        known = _seen.get(path)
    if known and known[0] == stamp:
        return known[1]
    kind = identify.identify(path)
    seen = Seen(
        path=path,
        what=kind.what,
        words=kind.words,
        exactness=_EXACTNESS.get(kind.dtype, 2),
        has_tokenizer=identify.has_tokenizer(kind),
        width=_width(kind),
    )
    with _lock:
        _seen[path] = stamp, seen
    return seen


def is_usable(seen: Seen) -> bool:
    """Whether it is one of the models that :func:`find` takes. Of a LoRA, whether it is for few steps, by its name."""
    if seen.what == identify.LORA:
        return seen.width is not None and any(word in seen.path.name.lower() for word in _FEW_STEPS)
    return seen.what not in (identify.OTHER, identify.BROKEN) and not _is_foreign(seen)


def is_meant(seen: Seen) -> bool:
    """Whether it is likely to have been meant for one of the models, and is none: cut off, or Wan for another thing."""
    if seen.what == identify.BROKEN:
        return _is_ours(seen.path)
    return seen.what == identify.OTHER and "Wan" in seen.words


def _is_foreign(seen: Seen) -> bool:
    return any(word in seen.path.name.lower() for word in _FOREIGN.get(seen.what, ()))


def _stamp(path: Path) -> object:
    try:
        files = [path, *(sorted(path.iterdir()) if path.is_dir() else [])]
        return tuple((each.name, (stat := each.stat()).st_size, stat.st_mtime_ns) for each in files)
    except OSError:
        return object()


def _width(kind: Kind) -> int | None:
    if kind.what == identify.LORA:
        return identify.lora_width(kind)
    for name in (
        "blocks.0.self_attn.q.weight",
        "blocks.0.attn1.to_q.weight",
        "shared.weight",
        "token_embedding.weight",
    ):
        if width := identify.side(kind.tensors, name, 0):
            return width
    return None


class _Shelf:
    """The models in a folder, and those elsewhere that were added to it; searched when first asked for."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.places = library.Library(folder).places if folder else []
        self.notes: list[str] = []
        self._found: list[Seen] | None = None

    def found(self) -> list[Seen]:
        """All that was looked at, the best of each kind first."""
        if self._found is None:
            paths: dict[Path, Path] = {}
            for place in [*([self.folder] if self.folder else []), *self.places]:
                for path in self._candidates(place):
                    paths.setdefault(library.real(path), path)
            self._found = sorted(map(look, paths.values()), key=Seen.rank)
        return self._found

    def _candidates(self, place: Path) -> list[Path]:
        if isfile(place):
            return [place]
        search = Search()
        paths = list(search.candidates(place))
        if search.is_cut:
            self.notes.append(f"{str(place)!r} holds too much to be searched whole: name the models' folder.")
        return paths

    def all(self, what: str) -> list[Seen]:
        return [each for each in self.found() if each.what == what and not _is_foreign(each)]

    def best(self, what: str) -> Seen | None:
        return self._first(what, self.all(what))

    def lora_for(self, network: Seen | None) -> Seen | None:
        """One for few steps, by its name, that is for a network of this width."""
        fitting = [
            each for each in self.all(identify.LORA) if network and each.width == network.width and is_usable(each)
        ]
        return self._first(identify.LORA, fitting)

    def tokenizer_for(self, encoder: Seen | None) -> Seen | None:
        """The one inside a text encoder's file; else the nearest to it that knows about as many tokens."""
        if encoder is None or encoder.has_tokenizer:
            return encoder
        beside = [path for path in _beside(encoder.path) if isfile(path)]
        for seen in [*map(look, beside), *sorted(self.all(identify.TOKENIZER), key=lambda each: _far(each, encoder))]:
            if seen.what == identify.TOKENIZER and _fits(seen.path, encoder.width or 0):
                return seen
        return None

    def _first(self, what: str, fitting: list[Seen]) -> Seen | None:
        if len(fitting) > 1:
            self.notes.append(
                f"{EXPECTED[what]} lies there {len(fitting)} times: {str(fitting[0].path)!r} was taken; name another "
                "to use that."
            )
        return fitting[0] if fitting else None


def _beside(encoder: Path) -> list[Path]:
    folders = (encoder if isdir(encoder) else encoder.parent, encoder.parent / "tokenizer")
    return [folder / name for folder in folders for name in identify.TOKENIZER_FILES]


def _far(seen: Seen, encoder: Seen) -> tuple[int, str]:
    pairs = zip(seen.path.parts, encoder.path.parts, strict=False)
    common = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    return len(seen.path.parts) + len(encoder.path.parts) - 2 * common, str(seen.path)


def _fits(tokenizer: Path, tokens: int) -> bool:
    """Whether it knows as many tokens as a text encoder, whose table may be longer to be of a round length."""
    try:
        if tokenizer.suffix == ".json":
            known = len(json.loads(tokenizer.read_bytes())["model"]["vocab"])
        else:
            import sentencepiece

            known = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer)).get_piece_size()
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):  # the last: nested too deep
        return False
    return known <= tokens <= 2 * known


class Search:
    """Walks a folder, as deep and as far as is reasonable; ``is_cut`` tells whether that was not all of it.

    Args:
        stop: asked at every folder whether to leave it at that.
    """

    def __init__(self, stop: Callable[[], bool] = lambda: False) -> None:
        self.is_cut = False
        self._stop = stop
        self._files = 0
        self._folders: set[Path] = set()

    def candidates(self, folder: Path, depth: int = 0) -> Iterator[Path]:
        """Files that may be models, and folders that are one model."""
        real = library.real(folder)
        if real in self._folders:
            return
        self._folders.add(real)
        if depth > _DEEPEST or len(self._folders) > _MOST_FOLDERS or self._stop():
            self.is_cut = True
            return
        try:
            inside = sorted(folder.iterdir())
        except OSError:
            return
        own = _own(folder)
        if own:
            yield folder
        for path in inside:
            if path.name.startswith("."):
                continue
            if isdir(path):
                yield from self.candidates(path, depth + 1)
            elif path not in own and _may_be_model(path):
                self._files += 1
                if self._files > _MOST_FILES:
                    self.is_cut = True
                    return
                yield path


def _may_be_model(path: Path) -> bool:
    return isfile(path) and (path.suffix.lower() in _ENDINGS or path.name in identify.TOKENIZER_FILES)


def _own(folder: Path) -> set[Path]:
    """The files that are parts of a folder which is one model."""
    if not isfile(folder / "config.json"):
        return set()
    try:
        return set(headers.weights_of(folder))
    except (headers.Unreadable, OSError):
        return {
            path
            for path in folder.iterdir()
            if path.name.startswith(("diffusion_pytorch_model", "model-", "pytorch_model"))
        }


# In words


def _missing(missing: list[str], shelf: _Shelf) -> str:
    names = " and ".join(_named(what) for what in missing)
    verb = "was" if len(missing) == 1 else "were"
    if shelf.folder is None:
        where = f"No folder of models is known, and {names} {verb} not named: name a folder, or set {VARIABLE}."
    else:
        where = f"{names[0].upper()}{names[1:]} {verb} not found in {str(shelf.folder)!r}{_elsewhere(shelf.places)}."
    gets = [f"Get {WHERE[what]}." for what in missing]
    return " ".join([where, *_downloads(missing), *gets, *_hints(shelf)])


def _elsewhere(places: list[Path]) -> str:
    gone = [str(each) for each in places if not os.path.exists(each)]
    if gone:
        return f", and {gone[0]!r}, which was added to it, is not there now"
    return ", nor among what was added to it" if places else ""


def _downloads(missing: list[str]) -> list[str]:
    """What ReCam gets by itself, where its licence allows every use."""
    free = [each for each in catalogue.CATALOGUE if each.commercial]
    first = [next((each.id for each in sorted(free, key=_last) if each.what == what), "") for what in missing]
    ids = " ".join(filter(None, first))
    return (
        [f"ReCam downloads it: `python -m backend models get {ids}`, or in its preferences in Blender."] if ids else []
    )


def _last(entry: catalogue.Entry) -> bool:
    return not entry.default


def _named(what: str) -> str:
    """As it is called within a sentence."""
    article, _, rest = EXPECTED[what].partition(" ")
    return f"{article.lower()} {rest}" if article in ("A", "The") else EXPECTED[what]


def _hints(shelf: _Shelf) -> list[str]:
    """What lies there that may have been meant."""
    meant = sorted(filter(is_meant, shelf.found()), key=lambda each: each.what != identify.BROKEN)
    return [f"{str(each.path)!r} is {each.words}." for each in meant[:_HINTS]]


def _is_ours(path: Path) -> bool:
    name = path.name.lower()
    return any(word in name for word in ("recam", "step20000", "wan", "umt5", "vae", "diffusion_pytorch", "spiece"))
