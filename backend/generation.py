"""What a job says to engines that generate: the prompt, the quality, the models, and where to run.

Part of the contract (see contract.py), which offers these names again. Standard library only.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .messages import ContractError, Message, spec

QUALITIES = ("final", "good", "draft")
FITS = ("crop", "pad", "auto")
CACHES = ("none", "first-block", "sea")
PLANS = ("auto", "resident", "tiled", "streamed", "fp8")

FRAMES = 81
"""Frames that the released weights know, 4k + 1."""

SIZE = (832, 480)
"""Width and height that the released weights know."""

CROPPED_LEAST = 0.6
"""Share of the footage that a crop shows the network, from which the fit ``auto`` is a crop whatever the take shows."""

_MOST_FRAMES = 2001  # the rotary table ends at 1024 latent frames, source and target together
_SIDE_STEP = 16  # pixels: the VAE makes one of eight, the network one of two
_DEVICE = re.compile(r"(auto|cpu|mps|cuda(:[0-9]{1,2})?)")


@dataclass(frozen=True, kw_only=True)
class Models(Message):
    """Where the weights lie. What is not named is looked for in the folder, by what is inside the files."""

    folder: str = spec("absolute path of a folder of model files; none: RECAM_MODELS, else ReCam's own", "")
    transformer: str = spec("ReCamMaster's weights: a .ckpt or .safetensors file, or a diffusers folder", "")
    vae: str = spec("Wan 2.1's VAE: a file or a diffusers folder", "")
    text_encoder: str = spec("UMT5-XXL's encoder: a file or a transformers folder", "")
    tokenizer: str = spec("UMT5's tokenizer: spiece.model, tokenizer.json, or the folder with them", "")
    embeddings: str = spec("a pack of prompts already encoded, as `embed` writes it", "")
    lora: str = spec("a few-step LoRA for quality draft: a .safetensors file", "")
    preview: str = spec("the tiny decoder for previews (taew2_1): a .safetensors or .pth file", "")

    def paths(self) -> Iterator[tuple[str, str]]:
        """Names of fields, and the paths that are given in them."""
        for each in dataclasses.fields(self):
            if path := getattr(self, each.name):
                yield each.name, path


@dataclass(frozen=True, kw_only=True)
class Generation(Message):
    """How a generating engine makes a take."""

    prompt: str = spec("what the footage shows, in a sentence or more; may be empty", "")
    negative_prompt: str | None = spec("what to keep away from; none: the published one", None)
    quality: str = spec(
        "final: the published 50 steps; good: 25, guided at first; draft: a few, with a LoRA",
        "final",
        choices=QUALITIES,
    )
    steps: int | None = spec("how many; none: the quality's", None, minimum=1, maximum=1000)
    guidance: float | None = spec("how strongly the prompt pulls; none: the quality's", None, minimum=0, maximum=100)
    frames: int = spec("that the network makes at once, 4k + 1", FRAMES, minimum=1, maximum=_MOST_FRAMES)
    overlap: int | None = spec(
        "how many of these two windows of a longer clip share, 4k + 1; 0: no windows, the clip is thinned out; none: "
        "about a fifth",
        None,
        minimum=0,
        maximum=_MOST_FRAMES,
    )
    width: int = spec("that the network draws, a multiple of 16", SIZE[0], minimum=_SIDE_STEP, maximum=4096)
    height: int = spec("likewise", SIZE[1], minimum=_SIDE_STEP, maximum=4096)
    fit: str = spec(
        "footage of another shape is cropped, or padded with its mirror image; auto: cropped, but padded where a crop "
        "would lose much of it that the take shows",
        "auto",
        choices=FITS,
    )
    focus_x: float | None = spec(
        "the middle of what a crop must keep, as a share of the footage's width; none: found",
        None,
        minimum=0,
        maximum=1,
    )
    focus_y: float | None = spec("likewise, of its height", None, minimum=0, maximum=1)
    cache: str = spec("leave out work that changes little from step to step (not judged yet)", "none", choices=CACHES)
    device: str = spec("auto, cpu, mps, cuda, or cuda:1 and so on", "auto")
    plan: str = spec("how memory is used; auto: by what is free on the device", "auto", choices=PLANS)
    compile: bool = spec("compile the blocks: slower to start, faster from then on", False)
    models: Models = spec("where the weights lie", Models())

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frames % 4 != 1:
            below = (self.frames - 1) // 4 * 4 + 1
            raise ContractError("frames", self.frames, f"4k + 1, like {max(1, below)} or {below + 4}")
        if self.overlap and (self.overlap % 4 != 1 or self.overlap >= self.frames):
            raise ContractError("overlap", self.overlap, f"0, or 4k + 1 and less than the {self.frames} frames")
        for name in ("width", "height"):
            if (side := getattr(self, name)) % _SIDE_STEP:
                raise ContractError(name, side, f"a multiple of {_SIDE_STEP}")
        if not _DEVICE.fullmatch(self.device):
            raise ContractError("device", self.device, "auto, cpu, mps, cuda or cuda:0, cuda:1, ...")

    def check_files(self, before_each: Callable[[], None]) -> None:
        """Raise ContractError for a model that is not where it is said to be. ``before_each`` as in Job.check_files."""
        for name, path in self.models.paths():
            field = f"settings.generation.models.{name}"
            if not os.path.isabs(path):
                raise ContractError(field, f"{path!r}, a relative path", "an absolute one")
            before_each()
            if not os.path.exists(path):
                raise ContractError(field, f"nothing at {path!r}", "a file or folder that can be read")

    def kept_by_crop(self, width: int, height: int) -> float:
        """The share of footage of this size that the network is shown where it is cropped."""
        across, down = self.width / width, self.height / height
        return min(across, down) / max(across, down)

    def identity(self, stamp: Callable[[str], Any], footage: tuple[int, int] | None = None) -> dict[str, Any]:
        """What of this decides how a take looks; ``stamp`` says which file a path is. Where it runs does not.

        A folder of models counts by its name: another file in it need not change a thing. ``footage`` is its width and
        height: where they leave no choice to the fit, that counts as the one it comes to.
        """
        data = self.to_json()
        for name in ("device", "plan", "compile"):
            del data[name]
        for name in ("focus_x", "focus_y", "overlap"):  # takes from before there were these are the same takes
            if data[name] is None:
                del data[name]
        if self.fit == "auto" and footage is not None and self.kept_by_crop(*footage) >= CROPPED_LEAST:
            data["fit"] = "crop"
        unused = {"embeddings", "preview"} | (set() if self.quality == "draft" else {"lora"})
        data["models"] = {
            name: path if name == "folder" else stamp(path) for name, path in self.models.paths() if name not in unused
        }
        return data
