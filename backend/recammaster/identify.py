"""What a file or folder of weights is: told by its tensors' names and shapes, whatever it is called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..engines import EngineError
from . import headers
from .headers import Entry, Header, Unreadable

TRANSFORMER, VAE, TEXT_ENCODER, TOKENIZER = "transformer", "vae", "text_encoder", "tokenizer"
EMBEDDINGS, LORA, PREVIEW, DEPTH = "embeddings", "lora", "preview", "depth"
OTHER, BROKEN = "other", "broken"

PACK_KEY = "recam_embeddings"
"""What marks a pack. It stands here as packs are told from other files without torch."""

# What they are called where a sentence begins.
EXPECTED = {
    TRANSFORMER: "ReCamMaster's network",
    VAE: "Wan 2.1's VAE",
    TEXT_ENCODER: "UMT5-XXL's text encoder",
    TOKENIZER: "UMT5's tokenizer",
    EMBEDDINGS: "A pack of encoded prompts",
    LORA: "A LoRA of few steps for Wan 2.1's network of 1.3B",
    PREVIEW: "The tiny decoder taew2_1",
    DEPTH: "Depth Anything's network",
}

WHERE = {
    TRANSFORMER: "step20000.ckpt from KlingTeam/ReCamMaster-Wan2.1, or "
    "Wan2_1_kwai_recammaster_1_3B_step20000_bf16.safetensors from Kijai/WanVideo_comfy (huggingface.co)",
    VAE: "wan_2.1_vae.safetensors from Comfy-Org/Wan_2.1_ComfyUI_repackaged, Wan2.1_VAE.pth from "
    "Wan-AI/Wan2.1-T2V-1.3B, Wan2_1_VAE_bf16.safetensors from Kijai/WanVideo_comfy, or the folder vae of "
    "Wan-AI/Wan2.1-T2V-1.3B-Diffusers (huggingface.co)",
    TEXT_ENCODER: "umt5_xxl_fp8_e4m3fn_scaled.safetensors from Comfy-Org/Wan_2.1_ComfyUI_repackaged, or "
    "models_t5_umt5-xxl-enc-bf16.pth from Wan-AI/Wan2.1-T2V-1.3B (huggingface.co)",
    TOKENIZER: "spiece.model or tokenizer.json from google/umt5-xxl (huggingface.co)",
    EMBEDDINGS: "one that `python -m backend embed` has written",
    LORA: "Wan2_1_self_forcing_dmd_1_3B_lora_rank_32_fp16.safetensors or "
    "Wan21_CausVid_bidirect2_T2V_1_3B_lora_rank32.safetensors from Kijai/WanVideo_comfy (huggingface.co)",
    PREVIEW: "taew2_1.safetensors or taew2_1.pth from madebyollin/taehv (github.com)",
    DEPTH: "the folder of depth-anything/Depth-Anything-V2-Small-hf (huggingface.co)",
}

_TYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "eight bits", "F8_E5M2": "eight bits"}
_WAN_SIZES = {1536: "of 1.3B", 3072: "of 5B", 5120: "of 14B"}
_CHANNELS = 16  # of Wan 2.1's latents
_CAMERA_CHANNELS = 12
_UMT5_XXL = 4096
_TOKENIZER_INSIDE = "spiece_model"
# What comes first is applied to the network's width; by Wan's names, Kohya's or diffusers'.
_WAN_LORA = re.compile(
    r"blocks[._]\d+[._](self_attn|cross_attn|attn[12])[._](q|to_q|o|to_out[._]0)\.lora[_.](down|A)\b"
)


class CheckpointError(EngineError):
    """Weights that are missing, or are not what they should be: which, what they are instead, and what to get."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "models")


@dataclass(frozen=True)
class Kind:
    """What something is.

    Attributes:
        what: one of this module's names: :data:`TRANSFORMER`, ..., :data:`OTHER`, or :data:`BROKEN` for what cannot be
            opened.
        words: that end the sentence "this file is ...".
        naming: whose names its tensors have: ``published``, ``diffusers``, ``wan`` or ``transformers``.
        prefix: that stands before them.
        header: None of what has none.
    """

    what: str
    words: str
    naming: str = ""
    prefix: str = ""
    header: Header | None = None

    @cached_property
    def tensors(self) -> dict[str, Entry]:
        """Those with the prefix, without it."""
        found = {} if self.header is None else self.header.tensors
        return {name[len(self.prefix) :]: each for name, each in found.items() if name.startswith(self.prefix)}

    @cached_property
    def dtype(self) -> str:
        """The type that most of its weights are stored in, as safetensors calls it; empty where there are none."""
        sizes: Counter[str] = Counter()
        for name, each in self.tensors.items():
            sizes[each.dtype] += 0 if name == _TOKENIZER_INSIDE else each.size
        return max(sizes, key=lambda name: sizes[name], default="")


def identify(path: Path) -> Kind:
    """What lies at a path. Does not raise: what cannot be read is :data:`BROKEN`, with the reason."""
    try:
        if path.is_dir():
            return _identify_folder(path)
        if not path.is_file():
            return Kind(BROKEN, "no file" if path.exists() else "not there")
        if _is_tokenizer(path):
            return Kind(TOKENIZER, "a tokenizer")
        return of(headers.read(path))
    except Unreadable as error:
        return Kind(BROKEN, str(error))
    except OSError as error:
        return Kind(BROKEN, f"not to be read ({error.strerror or error})")


def of(header: Header) -> Kind:
    """What has this header."""
    if PACK_KEY in header.metadata:
        return Kind(EMBEDDINGS, "a pack of encoded prompts", header=header)
    if any(re.search(r"\.(lora|lokr|hada)_", name) for name in header.tensors):
        return Kind(LORA, "a LoRA", header=header)
    for signature, make in _SIGNATURES.items():
        if (prefix := _prefix(header.tensors, signature)) is not None:
            return make(header, prefix)
    return Kind(OTHER, _unknown(header), header=header)


def wanted(what: str) -> str:
    """The sentence on what was expected, and where to get it."""
    return f"{EXPECTED[what]} was expected: get {WHERE[what]}."


def lora_width(kind: Kind) -> int | None:
    """The width of the Wan network that a LoRA is for; None where it is for a network of another kind."""
    for name, each in kind.tensors.items():
        if _WAN_LORA.search(name):
            return each.shape[-1] if len(each.shape) == 2 else None
    return None


def _prefix(tensors: Mapping[str, Entry], signature: str) -> str | None:
    """What stands before a name that only one kind has; None where nothing has it."""
    found = [name[: -len(signature)] for name in tensors if name.endswith(signature)]
    return min((each for each in found if not each or each.endswith(".")), key=len, default=None)


def _identify_folder(folder: Path) -> Kind:
    if headers.weights_of(folder):
        kind = of(headers.read(folder))
        made_for = kind.header.config.get("_class_name") if kind.header else None
        if kind.what == VAE and made_for not in (None, "AutoencoderKLWan"):
            # Qwen-Image's has the very names and shapes of Wan's.
            return _named(kind, OTHER, f"the VAE of another model ({made_for})")
        return kind
    if (folder / "model_index.json").is_file():
        return Kind(OTHER, "a folder with a whole pipeline, not one model of it")
    if any(_is_tokenizer(folder / name) for name in TOKENIZER_FILES if (folder / name).is_file()):
        return Kind(TOKENIZER, "a tokenizer's folder")
    return Kind(BROKEN, "a folder without weights")


def _named(kind: Kind, what: str, words: str) -> Kind:
    return Kind(what, words, kind.naming, kind.prefix, kind.header)


def _type(kind: Kind) -> str:
    return _TYPES.get(kind.dtype, kind.dtype)


def side(tensors: Mapping[str, Entry], name: str, axis: int) -> int:
    """How long a tensor is along an axis; 0 where it is not there, or has no such axis."""
    found = tensors.get(name)
    return found.shape[axis] if found and len(found.shape) > max(axis, 0) else 0


# Networks


def _published_wan(header: Header, prefix: str) -> Kind:
    return _wan(Kind(OTHER, "", "published", prefix, header), "blocks.0.self_attn.q.weight", "blocks.0.{}.weight")


def _diffusers_wan(header: Header, prefix: str) -> Kind:
    return _wan(Kind(OTHER, "", "diffusers", prefix, header), "blocks.0.attn1.to_q.weight", "blocks.0.attn1.{}.weight")


def _wan(kind: Kind, query: str, added: str) -> Kind:
    tensors = kind.tensors
    width = side(tensors, query, 0)
    size = _WAN_SIZES.get(width, f"of width {width}")
    encoder, projector = added.format("cam_encoder"), added.format("projector")
    if other := _other_wan(tensors):
        return _named(kind, OTHER, f"a Wan network {size} {other}, not ReCamMaster's")
    if encoder not in tensors or projector not in tensors:
        return _named(kind, OTHER, f"Wan's text-to-video network {size}, without ReCamMaster's camera encoders")
    if side(tensors, encoder, 1) != _CAMERA_CHANNELS:
        return _named(kind, OTHER, f"a Wan network {size} that is told of cameras in another way than ReCamMaster's")
    return _named(kind, TRANSFORMER, f"ReCamMaster's network {size}, {blocks_of(kind)} blocks, {_type(kind)}")


def blocks_of(kind: Kind) -> int:
    """How many blocks a network or a text encoder has."""
    return len({match[1] for name in kind.tensors if (match := re.search(r"(?:^|\.)blocks?\.(\d+)\.", name))})


def _other_wan(tensors: Mapping[str, Entry]) -> str:
    """What a Wan network is for, where it is not for text alone."""
    for sign, words in _WAN_SIGNS.items():
        if any(name.startswith(sign) or f".{sign}" in name for name in tensors):
            return words
    channels = side(tensors, "patch_embedding.weight", 1)
    return "" if channels in (0, _CHANNELS) else f"for {channels} channels and not {_CHANNELS}"


_WAN_SIGNS = {
    "img_emb.": "that begins with a picture",
    "condition_embedder.image_embedder.": "that begins with a picture",
    "vace_blocks.": "with VACE's controls",
    "control_adapter.": "with a camera's rays for input",
    "mvs_attn.": "that films with several cameras at once (SynCamMaster)",
    "norm_mvs.": "that films with several cameras at once (SynCamMaster)",
    "face_adapter.": "that animates faces",
}


# VAEs and previews


def _published_vae(header: Header, prefix: str) -> Kind:
    return _vae(Kind(VAE, "", "published", prefix, header), "conv2.weight")


def _diffusers_vae(header: Header, prefix: str) -> Kind:
    return _vae(Kind(VAE, "", "diffusers", prefix, header), "post_quant_conv.weight")


def _vae(kind: Kind, last: str) -> Kind:
    channels = side(kind.tensors, last, 0)
    if channels != _CHANNELS:
        return _named(kind, OTHER, f"a VAE of {channels} channels (Wan 2.2's has 48), and Wan 2.1's has {_CHANNELS}")
    return _named(kind, VAE, f"Wan 2.1's VAE, {_type(kind)}")


def _preview(header: Header, prefix: str) -> Kind:
    kind = Kind(PREVIEW, "a tiny decoder for Wan 2.1", "published", prefix, header)
    channels = side(kind.tensors, "decoder.1.weight", 1)
    if channels != _CHANNELS:
        return _named(kind, OTHER, f"a tiny decoder for latents of {channels} channels, and Wan 2.1's have {_CHANNELS}")
    return kind


# Depth


def _depth(header: Header, prefix: str) -> Kind:
    kind = Kind(DEPTH, "", "transformers", prefix, header)
    if "head.conv3.weight" not in kind.tensors or "backbone.embeddings.mask_token" not in kind.tensors:
        return _named(kind, OTHER, "a depth network of another kind (DPT), not Depth Anything's")
    return _named(kind, DEPTH, f"Depth Anything's network, {_type(kind)}")


# Text encoders


def _transformers_t5(header: Header, prefix: str) -> Kind:
    table = "encoder.block.{}.layer.0.SelfAttention.relative_attention_bias.weight"
    return _t5(Kind(TEXT_ENCODER, "", "transformers", prefix, header), table, "shared.weight")


def _wan_t5(header: Header, prefix: str) -> Kind:
    table = "blocks.{}.pos_embedding.embedding.weight"
    return _t5(Kind(TEXT_ENCODER, "", "wan", prefix, header), table, "token_embedding.weight")


def _t5(kind: Kind, table: str, tokens: str) -> Kind:
    # UMT5 has a table of distances in each block, T5 in the first alone.
    if table.format(1) not in kind.tensors:
        return _named(kind, OTHER, "a T5 text encoder, as Flux and SD3 use, and not UMT5")
    width = side(kind.tensors, tokens, 1)
    named = "UMT5-XXL's text encoder" if width == _UMT5_XXL else f"a UMT5 text encoder of width {width}"
    within = ", with its tokenizer" if has_tokenizer(kind) else ""
    return _named(kind, TEXT_ENCODER, f"{named}, {_type(kind)}{within}")


def has_tokenizer(kind: Kind) -> bool:
    """Whether a text encoder's tokenizer lies in the same file, as in ComfyUI's."""
    return kind.header is not None and _TOKENIZER_INSIDE in kind.header.tensors


# Tokenizers

TOKENIZER_FILES = ("tokenizer.json", "spiece.model")


def _is_tokenizer(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(1024)
    # A sentencepiece model begins with its first piece, a message within a message.
    if head.startswith(b"\n") and (b"<unk>" in head or b"<pad>" in head):
        return True
    return head.lstrip().startswith(b"{") and b'"added_tokens"' in head


# What tells them apart


def _unknown(header: Header) -> str:
    if not header.tensors:
        return "a file without tensors"
    first = min(header.tensors)
    return f"another model's: {len(header.tensors)} tensors, the first called {first[:60]!r}"


def _foreign(words: str) -> Callable[[Header, str], Kind]:
    return lambda header, prefix: Kind(OTHER, words, prefix=prefix, header=header)


# Names that only one kind has.
_SIGNATURES: dict[str, Callable[[Header, str], Kind]] = {
    "blocks.0.self_attn.q.weight": _published_wan,
    "blocks.0.attn1.to_q.weight": _diffusers_wan,
    "decoder.middle.0.residual.0.gamma": _published_vae,
    "decoder.mid_block.resnets.0.norm1.gamma": _diffusers_vae,
    "encoder.block.0.layer.0.SelfAttention.q.weight": _transformers_t5,
    "blocks.0.attn.q.weight": _wan_t5,
    "decoder.3.conv.0.weight": _preview,
    "neck.reassemble_stage.layers.0.projection.weight": _depth,
    "input_blocks.1.0.in_layers.0.weight": _foreign("a network of another kind (Stable Diffusion)"),
    "double_blocks.0.img_attn.qkv.weight": _foreign("a network of another kind (Flux)"),
    "decoder.mid.block_1.conv1.weight": _foreign("the VAE of another model"),
    "decoder.mid_block.resnets.0.conv1.weight": _foreign("the VAE of another model"),
    "text_model.encoder.layers.0.self_attn.q_proj.weight": _foreign("a CLIP encoder"),
    "layers.0.self_attn.q_proj.weight": _foreign("a language model"),
}
