"""Tiny checkpoints of random numbers, in every format that the real ones come in.

As a script it makes a folder of models, laid out as ComfyUI's, that the engine can run on:

    python tests/backend/checkpoints.py FOLDER

Names and shapes are written down here once more, after the published code, and not taken from what is tested.
"""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

State = dict[str, Tensor]
FP8 = torch.float8_e4m3fn


@dataclass(frozen=True)
class Sizes:
    """Of a transformer. The heads are as wide as the real ones, so that a file alone says how many there are."""

    heads: int = 1
    head_dim: int = 128
    ffn: int = 64
    layers: int = 2
    text: int = 32
    freq: int = 64
    channels_in: int = 16
    channels: int = 16

    @property
    def dim(self) -> int:
        return self.heads * self.head_dim

    def config(self) -> dict[str, Any]:
        """As diffusers has them."""
        return {
            "patch_size": (1, 2, 2),
            "num_attention_heads": self.heads,
            "attention_head_dim": self.head_dim,
            "in_channels": self.channels_in,
            "out_channels": self.channels,
            "text_dim": self.text,
            "freq_dim": self.freq,
            "ffn_dim": self.ffn,
            "num_layers": self.layers,
        }


TINY = Sizes()
NARROW = Sizes(heads=2, head_dim=12)
"""Heads whose number no file tells."""
REAL = Sizes(heads=12, ffn=8960, layers=30, text=4096, freq=256)

VAE_WIDTH = 4
TEXT_SIZES = {"vocab_size": 384, "d_model": TINY.text, "d_kv": 8, "num_heads": 4, "d_ff": 48, "num_layers": 2}

SENTENCES = (
    "A woman walks along the beach in the evening, and her dog runs ahead of her.",
    "A man in a red coat is standing in the snow; behind him lies a village.",
    "The camera follows a cyclist through the old town, past shops and cafés.",
    "Two children play with a ball in a garden full of flowers and tall grass.",
    "色调艳丽 过曝 静态 细节模糊不清 字幕 风格 作品 画作 画面 静止",
)


# The transformer


def transformer_shapes(sizes: Sizes, *, cameras: bool = True) -> dict[str, tuple[int, ...]]:
    """Published names and shapes of the network, or of plain Wan 2.1 without its ``cameras``."""
    dim, ffn = sizes.dim, sizes.ffn
    shapes: dict[str, tuple[int, ...]] = {
        "patch_embedding.weight": (dim, sizes.channels_in, 1, 2, 2),
        "patch_embedding.bias": (dim,),
        "head.modulation": (1, 2, dim),
    }

    def linear(name: str, rows: int, columns: int) -> None:
        shapes[f"{name}.weight"] = (rows, columns)
        shapes[f"{name}.bias"] = (rows,)

    linear("text_embedding.0", dim, sizes.text)
    linear("text_embedding.2", dim, dim)
    linear("time_embedding.0", dim, sizes.freq)
    linear("time_embedding.2", dim, dim)
    linear("time_projection.1", 6 * dim, dim)
    linear("head.head", 4 * sizes.channels, dim)
    for index in range(sizes.layers):
        block = f"blocks.{index}."
        shapes[block + "modulation"] = (1, 6, dim)
        for attention in ("self_attn", "cross_attn"):
            for layer in "qkvo":
                linear(f"{block}{attention}.{layer}", dim, dim)
            shapes[f"{block}{attention}.norm_q.weight"] = (dim,)
            shapes[f"{block}{attention}.norm_k.weight"] = (dim,)
        shapes[block + "norm3.weight"] = shapes[block + "norm3.bias"] = (dim,)
        linear(block + "ffn.0", ffn, dim)
        linear(block + "ffn.2", dim, ffn)
        if cameras:
            linear(block + "cam_encoder", dim, 12)
            linear(block + "projector", dim, dim)
    return shapes


def transformer(sizes: Sizes = TINY, seed: int = 0, *, cameras: bool = True) -> State:
    """The network under its published names, float32."""
    return fill(transformer_shapes(sizes, cameras=cameras), seed)


def fill(shapes: Mapping[str, tuple[int, ...]], seed: int) -> State:
    """Random numbers that a signal passes through without growing or vanishing."""
    draw = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        values = torch.randn(shape, generator=draw)
        if len(shape) > 1 and "modulation" not in name:
            values /= math.sqrt(math.prod(shape[1:]))
        elif name.endswith(("norm_q.weight", "norm_k.weight", "norm3.weight")):
            values = 1 + 0.1 * values
        else:
            values *= 0.1
        state[name] = values
    return state


def transformer_in_diffusers_names(state: State) -> State:
    """The same tensors as our diffusers folder names them."""
    return {_in_diffusers_names(name): values for name, values in state.items()}


def _in_diffusers_names(name: str) -> str:
    for old, new in (
        ("text_embedding.0.", "condition_embedder.text_embedder.linear_1."),
        ("text_embedding.2.", "condition_embedder.text_embedder.linear_2."),
        ("time_embedding.0.", "condition_embedder.time_embedder.linear_1."),
        ("time_embedding.2.", "condition_embedder.time_embedder.linear_2."),
        ("time_projection.1.", "condition_embedder.time_proj."),
        ("head.head.", "proj_out."),
        ("head.modulation", "scale_shift_table"),
        (".modulation", ".scale_shift_table"),
        (".self_attn.", ".attn1."),
        (".cross_attn.", ".attn2."),
        (".q.", ".to_q."),
        (".k.", ".to_k."),
        (".v.", ".to_v."),
        (".o.", ".to_out.0."),
        (".norm3.", ".norm2."),
        (".ffn.0.", ".ffn.net.0.proj."),
        (".ffn.2.", ".ffn.net.2."),
        (".cam_encoder.", ".attn1.cam_encoder."),
        (".projector.", ".attn1.projector."),
    ):
        name = name.replace(old, new)
    return name


def write_transformer_folder(folder: Path, sizes: Sizes = TINY, seed: int = 0) -> Path:
    """Our diffusers folder, by hand: config.json and one file of weights."""
    folder.mkdir(parents=True)
    config = {"_class_name": "ReCamMasterTransformer3DModel", "_diffusers_version": "0.42.1"} | sizes.config()
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    state = transformer_in_diffusers_names(transformer(sizes, seed))
    return write(folder / "diffusion_pytorch_model.safetensors", state).parent


# The VAE


def vae(width: int = VAE_WIDTH, channels: int = 16, seed: int = 1) -> State:
    """Wan 2.1's VAE under its published names, float32; the real one has a ``width`` of 96."""
    state = fill(vae_shapes(width, channels), seed)
    return {name: torch.ones_like(each) if name.endswith(".gamma") else each for name, each in state.items()}


def vae_shapes(width: int, channels: int) -> dict[str, tuple[int, ...]]:
    """Published names and shapes (diffsynth/models/wan_video_vae.py: VideoVAE_)."""
    shapes: dict[str, tuple[int, ...]] = {}

    def convolution(name: str, rows: int, columns: int, *kernel: int) -> None:
        shapes[f"{name}.weight"] = (rows, columns, *kernel)
        shapes[f"{name}.bias"] = (rows,)

    def residual(name: str, before: int, after: int) -> None:
        shapes[f"{name}.residual.0.gamma"] = (before, 1, 1, 1)
        convolution(f"{name}.residual.2", after, before, 3, 3, 3)
        shapes[f"{name}.residual.3.gamma"] = (after, 1, 1, 1)
        convolution(f"{name}.residual.6", after, after, 3, 3, 3)
        if before != after:
            convolution(f"{name}.shortcut", after, before, 1, 1, 1)

    def middle(name: str, size: int) -> None:
        residual(f"{name}.0", size, size)
        shapes[f"{name}.1.norm.gamma"] = (size, 1, 1)
        convolution(f"{name}.1.to_qkv", 3 * size, size, 1, 1)
        convolution(f"{name}.1.proj", size, size, 1, 1)
        residual(f"{name}.2", size, size)

    def head(name: str, before: int, after: int) -> None:
        shapes[f"{name}.0.gamma"] = (before, 1, 1, 1)
        convolution(f"{name}.2", after, before, 3, 3, 3)

    most = 4 * width
    convolution("conv1", 2 * channels, 2 * channels, 1, 1, 1)
    convolution("conv2", channels, channels, 1, 1, 1)
    convolution("encoder.conv1", width, 3, 3, 3, 3)
    at = 0
    for stage, (before, after) in enumerate(((width, width), (width, 2 * width), (2 * width, most), (most, most))):
        for size in (before, after):
            residual(f"encoder.downsamples.{at}", size, after)
            at += 1
        if stage < 3:
            convolution(f"encoder.downsamples.{at}.resample.1", after, after, 3, 3)
            if stage > 0:
                convolution(f"encoder.downsamples.{at}.time_conv", after, after, 3, 1, 1)
            at += 1
    middle("encoder.middle", most)
    head("encoder.head", most, 2 * channels)
    convolution("decoder.conv1", most, channels, 3, 3, 3)
    middle("decoder.middle", most)
    at = 0
    for stage, (before, after) in enumerate(((most, most), (2 * width, most), (2 * width, 2 * width), (width, width))):
        for size in (before, after, after):
            residual(f"decoder.upsamples.{at}", size, after)
            at += 1
        if stage < 3:
            convolution(f"decoder.upsamples.{at}.resample.1", after // 2, after, 3, 3)
            if stage < 2:
                convolution(f"decoder.upsamples.{at}.time_conv", 2 * after, after, 3, 1, 1)
            at += 1
    head("decoder.head", width, 3)
    return shapes


def write_vae_folder(folder: Path, width: int = VAE_WIDTH) -> Path:
    """diffusers' folder of a VAE (numbers of its own, not those of :func:`vae`)."""
    from diffusers import AutoencoderKLWan

    torch.manual_seed(2)
    AutoencoderKLWan(base_dim=width, z_dim=16).save_pretrained(folder)
    return folder


# The text encoder


def text_encoder(seed: int = 3) -> State:
    """UMT5's encoder under the names of transformers and ComfyUI, float32."""
    sizes, dim = TEXT_SIZES, TEXT_SIZES["d_model"]
    inner = sizes["d_kv"] * sizes["num_heads"]
    shapes: dict[str, tuple[int, ...]] = {"shared.weight": (sizes["vocab_size"], dim)}
    for index in range(sizes["num_layers"]):
        attention, feed = f"encoder.block.{index}.layer.0", f"encoder.block.{index}.layer.1"
        for layer in "qkv":
            shapes[f"{attention}.SelfAttention.{layer}.weight"] = (inner, dim)
        shapes[f"{attention}.SelfAttention.o.weight"] = (dim, inner)
        shapes[f"{attention}.SelfAttention.relative_attention_bias.weight"] = (32, sizes["num_heads"])
        shapes[f"{attention}.layer_norm.weight"] = (dim,)
        shapes[f"{feed}.DenseReluDense.wi_0.weight"] = (sizes["d_ff"], dim)
        shapes[f"{feed}.DenseReluDense.wi_1.weight"] = (sizes["d_ff"], dim)
        shapes[f"{feed}.DenseReluDense.wo.weight"] = (dim, sizes["d_ff"])
        shapes[f"{feed}.layer_norm.weight"] = (dim,)
    shapes["encoder.final_layer_norm.weight"] = (dim,)
    state = fill(shapes, seed)
    return {name: 1 + each if "layer_norm" in name else each for name, each in state.items()}


def text_encoder_in_wan_names(state: State) -> State:
    """As ``models_t5_umt5-xxl-enc-bf16.pth`` names them (Wan 2.1, wan/modules/t5.py)."""
    found = {}
    for name, each in state.items():
        new = name.replace("encoder.block.", "blocks.").replace("shared.", "token_embedding.")
        new = new.replace("encoder.final_layer_norm.", "norm.")
        new = new.replace("layer.0.SelfAttention.relative_attention_bias.", "pos_embedding.embedding.")
        new = new.replace("layer.0.SelfAttention.", "attn.").replace("layer.0.layer_norm.", "norm1.")
        for old, published in (("wi_0", "gate.0"), ("wi_1", "fc1"), ("wo", "fc2")):
            new = new.replace(f"layer.1.DenseReluDense.{old}.", f"ffn.{published}.")
        found[new.replace("layer.1.layer_norm.", "norm2.")] = each
    return found


def text_encoder_in_eight_bits(state: State, dtype: torch.dtype = torch.float16) -> State:
    """As ``umt5_xxl_fp8_e4m3fn_scaled.safetensors`` has them: eight bits and a scale for what is multiplied with."""
    small: State = {}
    for name, each in state.items():
        if ("SelfAttention." in name and "bias" not in name) or "DenseReluDense." in name:
            scale = each.abs().max() / torch.finfo(FP8).max
            small[name] = (each / scale).to(FP8)
            small[name.replace(".weight", ".scale_weight")] = scale.to(torch.float32)
        else:
            small[name] = each.to(dtype)
    return small | {"scaled_fp8": torch.zeros(2, dtype=FP8)}


def write_text_encoder_folder(folder: Path, state: State | None = None) -> Path:
    """The folder ``text_encoder`` of Wan's -Diffusers layout."""
    folder.mkdir(parents=True)
    config = {"architectures": ["UMT5EncoderModel"], "model_type": "umt5", "feed_forward_proj": "gated-gelu"}
    (folder / "config.json").write_text(json.dumps(config | TEXT_SIZES), encoding="utf-8")
    return write(folder / "model.safetensors", state or text_encoder()).parent


# Its tokenizer


def spiece_model(sentences: Iterable[str] = SENTENCES) -> bytes:
    """A sentencepiece model with the special tokens of T5, and bytes for what it does not know, as UMT5's has."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*sentences] * 3),
        model_writer=model,
        vocab_size=TEXT_SIZES["vocab_size"] - 20,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        byte_fallback=True,
        character_coverage=0.98,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def write_tokenizer_folder(folder: Path, *, fast: bool = True, slow: bool = True) -> Path:
    """The folder ``tokenizer`` of Wan's -Diffusers layout: tokenizer.json (``fast``) and spiece.model (``slow``)."""
    folder.mkdir(parents=True)
    config = {"tokenizer_class": "T5Tokenizer", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    model = spiece_model()
    if slow:
        (folder / "spiece.model").write_bytes(model)
    if fast:
        _fast_tokenizer(model).save(str(folder / "tokenizer.json"))
    return folder


def _fast_tokenizer(model: bytes) -> Any:
    import sentencepiece
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    slow = sentencepiece.SentencePieceProcessor(model_proto=model)
    pieces = [(slow.id_to_piece(index), slow.get_score(index)) for index in range(slow.get_piece_size())]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2, byte_fallback=True))
    tokenizer.normalizer = normalizers.NFKC()
    metaspace = {"replacement": "▁", "prepend_scheme": "always"}
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(**metaspace)]
    )
    tokenizer.decoder = decoders.Metaspace(**metaspace)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


# What else may lie about


def lora(sizes: Sizes = TINY, rank: int = 4, seed: int = 4, *, peft: bool = False) -> State:
    """A LoRA of the self-attentions, as those of few steps are named: lora_down and lora_up, or ``peft``'s A and B."""
    down, up = ("lora_A", "lora_B") if peft else ("lora_down", "lora_up")
    shapes: dict[str, tuple[int, ...]] = {}
    for index in range(sizes.layers):
        for layer in "qkvo":
            name = f"diffusion_model.blocks.{index}.self_attn.{layer}"
            shapes[f"{name}.{down}.weight"] = (rank, sizes.dim)
            shapes[f"{name}.{up}.weight"] = (sizes.dim, rank)
    state = fill(shapes, seed)
    alphas = [name.replace(".lora_down.weight", ".alpha") for name in state if name.endswith(".lora_down.weight")]
    return state | {name: torch.tensor(float(rank)) for name in alphas}


def preview(widths: tuple[int, int, int, int] = (256, 128, 64, 64), channels: int = 16, seed: int = 5) -> State:
    """The tiny autoencoder taew2_1 (taehv.py), both halves; the real one has the ``widths`` given."""
    shapes: dict[str, tuple[int, ...]] = {}

    def convolution(name: str, rows: int, columns: int, kernel: int = 3, *, bias: bool = True) -> None:
        shapes[f"{name}.weight"] = (rows, columns, kernel, kernel)
        if bias:
            shapes[f"{name}.bias"] = (rows,)

    def blocks(name: str, first: int, size: int) -> None:
        for index in range(first, first + 3):
            convolution(f"{name}.{index}.conv.0", size, 2 * size)
            convolution(f"{name}.{index}.conv.2", size, size)
            convolution(f"{name}.{index}.conv.4", size, size)

    last = widths[3]
    convolution("encoder.0", last, 3)
    for at, stride in ((2, 2), (7, 2), (12, 1)):
        convolution(f"encoder.{at}.conv", last, last * stride, 1, bias=False)
        convolution(f"encoder.{at + 1}", last, last, bias=False)
        blocks("encoder", at + 2, last)
    convolution("encoder.17", channels, last)
    convolution("decoder.1", widths[0], channels)
    for stage, (at, stride) in enumerate(((3, 1), (9, 2), (15, 2))):
        blocks("decoder", at, widths[stage])
        convolution(f"decoder.{at + 4}.conv", widths[stage] * stride, widths[stage], 1, bias=False)
        convolution(f"decoder.{at + 5}", widths[stage + 1], widths[stage], bias=False)
    convolution("decoder.22", 3, last)
    return fill(shapes, seed)


# Files


def write(path: Path, state: State, *, prefix: str = "", dtype: torch.dtype | None = None, **metadata: str) -> Path:
    """A state dict as a file: safetensors by that ending, else as torch saves it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    named = {prefix + name: each.to(dtype or each.dtype).contiguous() for name, each in state.items()}
    if path.suffix == ".safetensors":
        save_file(named, path, metadata={"format": "pt"} | metadata)
    else:
        torch.save(named, path)
    return path


def with_tokenizer(state: State) -> State:
    """A text encoder with its tokenizer inside, as ComfyUI's files are."""
    return state | {"spiece_model": torch.frombuffer(bytearray(spiece_model()), dtype=torch.uint8)}


def make_all(folder: Path) -> dict[str, Path]:
    """A folder of models as ComfyUI has it, that the engine runs on as it is; what each file is, and where it lies."""
    folder = Path(folder)
    text = {name: each.to(torch.bfloat16) for name, each in text_encoder().items()}
    return {
        "transformer": write(folder / "diffusion_models" / "step20000.ckpt", transformer(), dtype=torch.bfloat16),
        "vae": write(folder / "vae" / "Wan2.1_VAE.pth", vae()),
        "text_encoder": write(folder / "text_encoders" / "umt5_xxl_bf16.safetensors", with_tokenizer(text)),
    }


if __name__ == "__main__":
    for what, path in make_all(Path(sys.argv[1])).items():
        print(what, path)
