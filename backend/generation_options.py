"""What can be typed in a shell for engines that generate. Standard library only."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .console import option
from .contract import CACHES, FITS, PLANS, QUALITIES, ContractError, EngineSettings, Generation, Models
from .recammaster.recipes import recipe_of

ENGINE = "recammaster"

# Names of options as argparse keeps them, and the fields of the contract that they fill.
_HOW = {
    "prompt": "prompt",
    "negative_prompt": "negative_prompt",
    "quality": "quality",
    "steps": "steps",
    "guidance": "guidance",
    "network_frames": "frames",
    "overlap": "overlap",
    "fit": "fit",
    "cache": "cache",
}
_WHERE = {"device": "device", "plan": "plan", "compile": "compile"}
_MODELS = {
    "models": "folder",
    "transformer": "transformer",
    "vae": "vae",
    "text_encoder": "text_encoder",
    "tokenizer": "tokenizer",
    "embeddings": "embeddings",
    "lora": "lora",
    "preview_decoder": "preview",
}
_MODELS_HELP = {
    "models": "where the weights lie, told apart by what is in them (default: RECAM_MODELS)",
    "transformer": "ReCamMaster's weights: .ckpt, .safetensors or a folder",
    "vae": "Wan 2.1's VAE: a file or a folder",
    "text_encoder": "UMT5-XXL's encoder: a file or a folder",
    "tokenizer": "spiece.model, tokenizer.json, or the folder with them",
    "embeddings": "a pack of encoded prompts, as `embed` writes it",
    "lora": "a few-step LoRA for --quality draft",
    "preview_decoder": "the tiny decoder for previews (taew2_1)",
}
_OF_TAKE = (*_HOW, "prompt_file", "network_size", "focus")

OF_MACHINE = (*_WHERE, *_MODELS)
"""Options that go beside a job file too: it may come from another machine."""

_NO_USE = ("depth", "depth_scale")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options, each None where it was not given."""
    take = parser.add_argument_group(f"with --engine {ENGINE}, without a job file")
    take.add_argument("--prompt", metavar="TEXT", help="what the footage shows, in a sentence or more (default: empty)")
    take.add_argument("--prompt-file", metavar="FILE", help="the same in a UTF-8 text")
    take.add_argument("--negative-prompt", metavar="TEXT", help="what to keep away from (default: the published one)")
    quality = "final: the published 50 steps; good: 25, guided at first; draft: 4, with a LoRA (default: final)"
    take.add_argument("--quality", choices=QUALITIES, help=quality)
    take.add_argument("--steps", type=int, metavar="N", help="(default: the quality's)")
    take.add_argument("--guidance", type=float, metavar="G", help="pull of the prompt (default: the quality's)")
    frames = "frames that the network makes, 4k + 1 (default: 81, what the published weights know)"
    take.add_argument("--network-frames", type=int, metavar="N", help=frames)
    overlap = "frames that windows of a longer clip share, 4k + 1; 0: one window, thinned out (default: a fifth)"
    take.add_argument("--overlap", type=int, metavar="N", help=overlap)
    size = "what the network draws, multiples of 16 (default: 832x480, what the published weights know)"
    take.add_argument("--network-size", metavar="WxH", help=size)
    fit = "footage of another shape is cropped, or padded with its mirror image (default: auto, by what the take shows)"
    take.add_argument("--fit", choices=FITS, help=fit)
    focus = "the middle of what a crop must keep, as shares of the footage's width and height (default: found)"
    take.add_argument("--focus", metavar="X,Y", help=focus)
    take.add_argument("--cache", choices=CACHES, help="skip work that changes little; not judged yet (default: none)")
    machine = parser.add_argument_group(f"with --engine {ENGINE}, also beside a job file")
    add_device(machine)
    machine.add_argument("--plan", choices=PLANS, help="how memory is used (default: auto, by what is free)")
    compiled = "compile the network: slower to start, faster from then on"
    machine.add_argument("--compile", action="store_true", default=None, help=compiled)
    add_models(machine, _MODELS)


def add_device(parser: Any) -> None:
    """Add ``--device``, None where it was not given."""
    parser.add_argument("--device", metavar="NAME", help="auto, cpu, mps, cuda, cuda:1 ... (default: auto)")


def add_models(parser: Any, names: Iterable[str]) -> None:
    """Add the options that say where these models lie, each None where it was not given; see :func:`models`."""
    for name in names:
        parser.add_argument(option(name), metavar="FOLDER" if name == "models" else "PATH", help=_MODELS_HELP[name])


def generation(options: argparse.Namespace, engine: str, size: tuple[int, int] | None) -> Generation:
    """What the options say to an engine that generates; ``size`` is what --network-size says.

    Raises:
        ContractError: names the option: one that is out of range, that leads nowhere, or that would change nothing.
    """
    if engine != ENGINE:
        for name in _given(options, (*_OF_TAKE, *OF_MACHINE)):
            raise _misplaced(options, name, f"without --engine {ENGINE}", "both or neither")
        return Generation()
    for name in _given(options, _NO_USE):
        if not (options.true_pixels or options.use == "outpaint"):
            expected = "nothing: without --true-pixels that engine asks for no depth"
            raise _misplaced(options, name, f"beside --engine {ENGINE}", expected)
    values = _values(options, _HOW | _WHERE)
    if options.prompt_file is not None:
        values["prompt"] = _prompt_in(options)
    if size is not None:
        values["width"], values["height"] = size
    if options.focus is not None:
        values["focus_x"], values["focus_y"] = _focus(options.focus)
    with _naming_the_option():
        made = Generation(**values, models=models(options, _MODELS))
    _check_all_used(options, made)
    return made


def moved(settings: EngineSettings, options: argparse.Namespace) -> EngineSettings:
    """The settings of a job file, for the machine that the options tell of.

    --models takes the place of all that the job says of where models lie; the other options, of one thing each.

    Raises:
        ContractError: names the option.
    """
    given = _given(options, OF_MACHINE)
    if not given:
        return settings
    if settings.engine != ENGINE:
        raise _misplaced(options, given[0], f"beside a job for {settings.engine}", f"a job for {ENGINE}")
    before = Models() if options.models is not None else settings.generation.models
    moved_to = dataclasses.replace(before, **_paths(options, _MODELS))
    with _naming_the_option():
        made = dataclasses.replace(settings.generation, **_values(options, _WHERE), models=moved_to)
    _check_lora_used(options, made)
    return dataclasses.replace(settings, generation=made)


def models(options: argparse.Namespace, names: Iterable[str]) -> Models:
    """Where those of :func:`add_models` say that the models lie. Raises ContractError that names the option."""
    return Models(**_paths(options, names))


def device(options: argparse.Namespace) -> str:
    """What :func:`add_device` says, by the rule that jobs are under. Raises ContractError that names the option."""
    with _naming_the_option():
        return Generation(**_values(options, {"device": "device"})).device


# Reading them


def _given(options: argparse.Namespace, names: Iterable[str]) -> list[str]:
    return [name for name in names if getattr(options, name) is not None]


def _values(options: argparse.Namespace, table: dict[str, str]) -> dict[str, Any]:
    return {table[name]: _text(options, name) for name in _given(options, table)}


def _text(options: argparse.Namespace, name: str) -> Any:
    """The value; where it is a text, one that can be stored. Bytes that are none come out of argv as surrogates."""
    value = getattr(options, name)
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ContractError(option(name), f"bytes that are no UTF-8 (at {error.start})", "a text") from None
    return value


def _prompt_in(options: argparse.Namespace) -> str:
    """All of the file as one prompt; lines are joined by the prompt's cleaning, which takes white space together."""
    path = options.prompt_file
    if options.prompt is not None:
        raise ContractError("--prompt-file", "beside --prompt", "one or the other")
    try:
        return Path(path).read_bytes().decode("utf-8-sig").strip()
    except OSError as error:
        raise ContractError("--prompt-file", f"{path!r} ({error.strerror})", "a file that can be read") from None
    except UnicodeDecodeError as error:
        raise ContractError("--prompt-file", f"{path!r}, no UTF-8 at byte {error.start}", "a text in UTF-8") from None


def _focus(text: str) -> tuple[float, float]:
    try:
        x, y = (float(each) for each in text.split(","))
    except ValueError:
        raise ContractError("--focus", repr(text), "two shares of the footage's frame, like 0.5,0.3") from None
    return x, y


def _paths(options: argparse.Namespace, names: Iterable[str]) -> dict[str, str]:
    paths = {}
    for name in _given(options, names):
        path = getattr(options, name)
        expected = "a folder of model files" if name == "models" else "a file or folder that can be read"
        if not os.path.exists(path):
            raise ContractError(option(name), f"nothing at {path!r}", expected)
        if name == "models" and not os.path.isdir(path):
            raise ContractError(option(name), f"{path!r}, a file", expected)
        paths[_MODELS[name]] = os.path.abspath(path)
    return paths


@contextlib.contextmanager
def _naming_the_option() -> Iterator[None]:
    """Say the option where the contract says the field that it fills."""
    options = {field: option(name) for name, field in (_HOW | _WHERE).items()}
    options |= {"width": "--network-size", "height": "--network-size", "focus_x": "--focus", "focus_y": "--focus"}
    try:
        yield
    except ContractError as error:
        if error.field not in options:
            raise
        raise ContractError(options[error.field], error.found, error.expected) from None


# What would change nothing


def _check_all_used(options: argparse.Namespace, made: Generation) -> None:
    if options.negative_prompt is not None and not recipe_of(made).guided_steps:
        raise _misplaced(options, "negative_prompt", "with no step guided by it", "more --guidance, or none of it")
    if options.focus is not None and made.fit == "pad":
        raise _misplaced(options, "focus", "with --fit pad, which crops nothing", "another fit")
    _check_lora_used(options, made)


def _check_lora_used(options: argparse.Namespace, made: Generation) -> None:
    if options.lora is not None and not recipe_of(made).lora:
        raise _misplaced(options, "lora", f"with quality {made.quality}", "--quality draft, which it is for")


def _misplaced(options: argparse.Namespace, name: str, where: str, expected: str) -> ContractError:
    value = getattr(options, name)
    return ContractError(option(name), where if value is True else f"{value!r} {where}", expected)
