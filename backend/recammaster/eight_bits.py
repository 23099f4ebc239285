"""Linear layers whose weights stay in eight bits in memory (ComfyUI's "fp8 scaled" files)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class EightBitLinear(nn.Module):
    """A linear layer without bias, of weights (out, in) in eight bits, all times one ``scale``.

    They are widened to the input's type while they are used and no longer: UMT5-XXL takes 6.7 GB so, and 11.4 in
    bfloat16. Widening them is exact, and the scale is applied to what comes out: the numbers are those of a layer
    whose weights were multiplied in advance and not rounded after.
    """

    # T5 turns what it feeds to a layer into the type of the layer's weight, if it has one.
    weight = None

    def __init__(self, stored: Tensor, scale: float) -> None:
        super().__init__()
        self.stored = nn.Parameter(stored, requires_grad=False)
        self.scale = scale

    def forward(self, inputs: Tensor) -> Tensor:
        return nn.functional.linear(inputs, self.stored.to(inputs.dtype)) * self.scale

    def extra_repr(self) -> str:
        rows, columns = self.stored.shape
        return f"in_features={columns}, out_features={rows}, dtype={self.stored.dtype}, scale={self.scale:.3g}"


def can_hold(module: nn.Module, weight: torch.Tensor, scale: Tensor | None) -> bool:
    """Whether a layer can be one of these: a linear one without bias, with one scale for all or none."""
    return (
        isinstance(module, nn.Linear)
        and getattr(module, "bias", None) is None
        and weight.dtype in (torch.float8_e4m3fn, torch.float8_e5m2)
        and (scale is None or scale.numel() == 1)
    )
