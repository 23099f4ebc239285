"""The published network, plainly: `.venvs/backend/bin/python -m benchmarks.plain_network` checks that ours equals it.

What a reader of the paper and of the published code would write down in torch: no diffusers, no hooks, no options. It
is what `benchmarks.recammaster` times ours against, so it must compute the same. Parameters have the published names.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from accelerate import init_empty_weights
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from backend.recammaster.names import to_published
from backend.recammaster.sampling import sample
from backend.recammaster.transformer import ReCamMasterTransformer3DModel

CAMERA_CHANNELS, LATENT_CHANNELS, PATCH = 12, 16, (1, 2, 2)
TEXT_WIDTH, TEXT_TOKENS, TIME_WIDTH, HEAD = 4096, 512, 256, 128  # of the published network
EPSILON, THETA = 1e-6, 10000.0
CLOSE = 1e-5
"""Relative difference (L2) up to which two builds in float32 compute the same."""


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.norm_q, self.norm_k = nn.RMSNorm(width, EPSILON), nn.RMSNorm(width, EPSILON)

    def forward(self, x: Tensor, context: Tensor, rotation: tuple[Tensor, Tensor] | None = None) -> Tensor:
        q, k, v = self.norm_q(self.q(x)), self.norm_k(self.k(context)), self.v(context)
        q, k, v = (each.unflatten(2, (self.heads, -1)).transpose(1, 2) for each in (q, k, v))
        if rotation is not None:
            q, k = rotate(q, *rotation), rotate(k, *rotation)
        return self.o(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.self_attn, self.cross_attn = Attention(width, heads), Attention(width, heads)
        self.norm1, self.norm2 = (nn.LayerNorm(width, EPSILON, elementwise_affine=False) for _ in range(2))
        self.norm3 = nn.LayerNorm(width, EPSILON)
        self.ffn = nn.Sequential(nn.Linear(width, inner), nn.GELU("tanh"), nn.Linear(inner, width))
        self.modulation = nn.Parameter(torch.zeros(1, 6, width))
        self.cam_encoder, self.projector = nn.Linear(CAMERA_CHANNELS, width), nn.Linear(width, width)

    def forward(self, x: Tensor, time: Tensor, text: Tensor, camera: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """x: (B, tokens, width); time: (B, 6, width); camera: (B, F, 12), for the target's half and the source's."""
        shift, scale, gate, shift_after, scale_after, gate_after = (self.modulation + time).chunk(6, 1)
        seen = self.cam_encoder(camera).repeat(1, 2, 1)
        seen = seen.repeat_interleave(x.shape[1] // seen.shape[1], 1)
        attended = modulate(self.norm1(x), shift, scale) + seen
        x = x + gate * self.projector(self.self_attn(attended, attended, rotation))
        x = x + self.cross_attn(self.norm3(x), text)
        return x + gate_after * self.ffn(modulate(self.norm2(x), shift_after, scale_after))


class Head(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, EPSILON, elementwise_affine=False)
        self.head = nn.Linear(width, LATENT_CHANNELS * 4)
        self.modulation = nn.Parameter(torch.zeros(1, 2, width))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        return self.head(modulate(self.norm(x), *(self.modulation + time[:, None]).chunk(2, 1)))


class PlainNetwork(nn.Module):
    """Velocity of the target's latents, from them, the source's, the camera and the prompt."""

    def __init__(self, *, width: int, heads: int, inner: int, layers: int, text_width: int, time_width: int) -> None:
        super().__init__()
        self.time_width, self.head_width = time_width, width // heads
        self.patch_embedding = nn.Conv3d(LATENT_CHANNELS, width, PATCH, PATCH)
        self.text_embedding = nn.Sequential(nn.Linear(text_width, width), nn.GELU("tanh"), nn.Linear(width, width))
        self.time_embedding = nn.Sequential(nn.Linear(time_width, width), nn.SiLU(), nn.Linear(width, width))
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.blocks = nn.ModuleList(Block(width, heads, inner) for _ in range(layers))
        self.head = Head(width)

    def forward(self, latents: Tensor, source: Tensor, camera: Tensor, timestep: Tensor, prompt: Tensor) -> Tensor:
        """latents, source: (B, 16, F, H, W); camera: (B, F, 12); timestep: (B,); prompt: (B, L, text_width)."""
        patches = self.patch_embedding(torch.cat([latents, source], 2))
        grid = patches.shape[2:]
        x, rotation = patches.flatten(2).transpose(1, 2), angles(grid, self.head_width, patches.device)
        time = self.time_embedding(sinusoid(timestep, self.time_width).to(x.dtype))
        time_of_blocks = self.time_projection(time).unflatten(1, (6, -1))
        text = self.text_embedding(prompt)
        for block in self.blocks:
            x = block(x, time_of_blocks, text, camera, rotation)
        x = self.head(x, time).unflatten(1, grid).unflatten(4, (*PATCH, LATENT_CHANNELS))
        # (B, f, h, w, 1, 2, 2, C) to (B, C, F, H, W)
        x = x.permute(0, 7, 1, 4, 2, 5, 3, 6).flatten(6, 7).flatten(4, 5).flatten(2, 3)
        return x[:, :, : latents.shape[2]]


def plain_loop(
    network: PlainNetwork, inputs: dict[str, Tensor], negative: Tensor, steps: int, guidance_scale: float, shift: float
) -> Tensor:
    """The published sampling: guided Euler from the noise in ``inputs["latents"]``, kept in float32 between steps."""
    latents, dtype = inputs["latents"].float(), inputs["source"].dtype
    levels = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
    levels = shift * levels / (1 + (shift - 1) * levels)
    for level, following in zip(levels[:-1].tolist(), levels[1:].tolist(), strict=True):
        timestep = torch.tensor([1000 * level], device=latents.device).to(dtype)
        given = latents.to(dtype), inputs["source"], inputs["camera"], timestep
        towards, away = (network(*given, prompt).float() for prompt in (inputs["prompt"], negative))
        latents = latents + (away + guidance_scale * (towards - away)) * (following - level)
    return latents


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return x * (1 + scale) + shift


def sinusoid(timestep: Tensor, width: int) -> Tensor:
    """Cosines before sines, in float64 as published."""
    waves = THETA ** (-torch.arange(width // 2, dtype=torch.float64, device=timestep.device) / (width // 2))
    phase = timestep.double()[:, None] * waves
    return torch.cat([phase.cos(), phase.sin()], 1)


def angles(grid: torch.Size, head_width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines (tokens, head_width / 2) of every token's place: frame, row, column."""
    side = head_width // 3 // 2
    parts = []
    for axis, pairs in enumerate((head_width // 2 - 2 * side, side, side)):
        waves = THETA ** (-torch.arange(pairs, dtype=torch.float64, device=device) / pairs)
        places = torch.arange(grid[axis], device=device).view([-1 if each == axis else 1 for each in range(3)])
        parts.append((places.expand(grid).flatten()[:, None] * waves).float())
    every = torch.cat(parts, 1)
    return every.cos(), every.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn neighbouring pairs of (B, heads, tokens, head_width), in float32."""
    even, odd = x.float().unflatten(3, (-1, 2)).unbind(4)
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], 4).flatten(3).to(x.dtype)


# Is it the same?


def plain_copy(ours: Any) -> PlainNetwork:
    """The plain network with the weights of ours, where those are; all in one type, as in the published code."""
    sizes = ours.config
    with torch.device("meta"):
        plain = PlainNetwork(
            width=sizes.num_attention_heads * sizes.attention_head_dim,
            heads=sizes.num_attention_heads,
            inner=sizes.ffn_dim,
            layers=sizes.num_layers,
            text_width=sizes.text_dim,
            time_width=sizes.freq_dim,
        )
    plain.load_state_dict(to_published(ours.state_dict()), assign=True)
    return plain.to(ours.dtype).eval()


@torch.no_grad()
def differences(ours: Any, inputs: dict[str, Tensor], negative: Tensor) -> tuple[float, float]:
    """Relative differences (L2) between what the two compute: of one pass, and of three guided steps."""
    plain, kwargs = plain_copy(ours), {"source_latents": inputs["source"], "camera": inputs["camera"]}
    given = inputs["latents"], inputs["timestep"], inputs["prompt"]
    one = ours(*given, attention_kwargs=kwargs, return_dict=False)[0]
    expected = plain(inputs["latents"], inputs["source"], inputs["camera"], inputs["timestep"], inputs["prompt"])
    three = sample(ours, inputs["latents"], inputs["source"], inputs["camera"], inputs["prompt"], negative, steps=3)
    looped = plain_loop(plain, inputs, negative, 3, 5.0, 5.0)
    return float((one - expected).norm() / expected.norm()), float((three - looped).norm() / looped.norm())


def random_network(layers: int, width: int, dtype: torch.dtype) -> Any:
    """Ours with random weights, in the types that diffusers loads it in: what it calls sensitive stays float32."""
    with init_empty_weights(include_buffers=False):
        made = ReCamMasterTransformer3DModel(
            num_attention_heads=width // HEAD,
            attention_head_dim=HEAD,
            ffn_dim=inner_width(width),
            num_layers=layers,
            text_dim=TEXT_WIDTH,
            freq_dim=TIME_WIDTH,
        )
    noise = torch.randn(1 << 22, generator=torch.Generator().manual_seed(0))
    for name, each in list(made.named_parameters()):
        kept_in = torch.float32 if {*name.split(".")} & {*made._keep_in_fp32_modules} else dtype
        values = torch.empty(each.shape, dtype=kept_in)
        # The same numbers over and over: a billion new ones take longer than most measurements.
        for part in values.view(-1).split(len(noise)):
            part.copy_(noise[: len(part)])
        owner, _, last = name.rpartition(".")
        setattr(made.get_submodule(owner), last, nn.Parameter(values * each.shape[-1] ** -0.5, requires_grad=False))
    return made.eval()


def random_inputs(
    frames: int, rows: int, columns: int, words: int = TEXT_TOKENS, text_width: int = TEXT_WIDTH
) -> dict[str, Tensor]:
    """Numbers of the right shapes, on the CPU in float32; sizes in latents."""
    draw = torch.Generator().manual_seed(1)
    latents = (1, LATENT_CHANNELS, frames, rows, columns)
    return {
        "latents": torch.randn(latents, generator=draw),
        "source": torch.randn(latents, generator=draw),
        "camera": torch.randn(1, frames, CAMERA_CHANNELS, generator=draw),
        "timestep": torch.tensor([637.25]),
        "prompt": torch.randn(1, words, text_width, generator=draw),
        "negative": torch.randn(1, words, text_width, generator=draw),
    }


def inner_width(width: int) -> int:
    """Of the feed-forward layers: 8960 of 1536 in the published network, and so in smaller ones."""
    return width * 35 // 6


def pass_flops(grid: tuple[int, int, int], *, layers: int, width: int) -> float:
    """FLOP of one pass, target and source together: 970.7e12 at true size. What is outside the blocks is left out.

    Args:
        grid: latent frames, rows and columns of the target.
        layers, width: of the network.
    """
    tokens, inner = 2 * grid[0] * grid[1] * grid[2] // 4, inner_width(width)
    own = 8 * tokens * width**2 + 4 * tokens**2 * width
    text = 4 * tokens * width**2 + 4 * TEXT_TOKENS * width**2 + 4 * tokens * TEXT_TOKENS * width
    added = 2 * tokens * width**2 + 2 * grid[0] * CAMERA_CHANNELS * width
    return layers * (own + text + 4 * tokens * width * inner + added)


def check() -> float:
    """The larger difference on small random weights, of which none is zero, in float32 on the CPU."""
    sizes = {"num_attention_heads": 4, "attention_head_dim": 12, "ffn_dim": 96, "num_layers": 2}
    ours = ReCamMasterTransformer3DModel(**sizes, text_dim=24, freq_dim=32).eval()
    draw = torch.Generator().manual_seed(0)
    for name, parameter in ours.named_parameters():
        # Around one in norms: with less all scores of attention are alike, and a wrong rotation does not show.
        parameter.data.normal_(float("norm" in name), 0.5 * parameter.shape[-1] ** -0.5, generator=draw)
    inputs = random_inputs(3, 6, 10, words=9, text_width=24)
    return max(differences(ours, inputs, inputs.pop("negative")))


def main() -> int:
    found = check()
    print(f"ours and the plain network differ by {found:.1e} (the same in float32: at most {CLOSE:.0e})")
    return 0 if found <= CLOSE else 1


if __name__ == "__main__":
    sys.exit(main())
