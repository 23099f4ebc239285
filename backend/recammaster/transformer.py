"""The network of ReCamMaster (arXiv 2503.11647, section 3) on diffusers' Wan classes.

Wan 2.1's text-to-video transformer, shown the footage's latents after the ones that it denoises, and told the camera of
each latent frame. Two linear layers per block are all that is added, and both live inside the self-attention: so the
blocks are diffusers' own `WanTransformerBlock`, and what diffusers does to those (caches, compilation, offloading,
LoRA, quantisation) it does here too.
"""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import torch
from diffusers import WanTransformer3DModel
from diffusers.models._modeling_parallel import ContextParallelInput
from diffusers.models.transformers.transformer_wan import WanAttention, WanRotaryPosEmbed
from torch import Tensor, nn

CAMERA_CHANNELS = 12
"""The top three rows of a pose, row by row."""

Rotary = tuple[Tensor, Tensor, Tensor]
"""Cosines and sines (1, tokens, 1, head_dim), and the camera of every token (B, tokens, 12)."""


class ReCamMasterRotaryPosEmbed(WanRotaryPosEmbed):
    """Wan's rotary embedding, with the camera of every token beside it.

    A block hands what comes from here to its self-attention as it is: that is how the camera gets there without a
    change to the block.
    """

    camera: Tensor | None = None

    def forward(self, hidden_states: Tensor) -> Rotary:
        cos, sin = super().forward(hidden_states)
        assert self.camera is not None
        return cos, sin, self.camera


class ReCamMasterAttention(WanAttention):
    """Wan's self-attention with the camera added before it and a projector after it (paper, eq. 9; figure 3)."""

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        rotary_emb: Rotary | None = None,
        **kwargs: Any,
    ) -> Tensor:
        assert rotary_emb is not None
        cos, sin, camera = rotary_emb
        hidden_states = hidden_states + self.cam_encoder(camera)
        attended = super().forward(hidden_states, encoder_hidden_states, attention_mask, (cos, sin), **kwargs)
        return self.projector(attended)


class ReCamMasterTransformer3DModel(WanTransformer3DModel):
    """Wan's transformer that sees the footage and knows the camera.

    The constructor takes what `WanTransformer3DModel` takes; :data:`backend.recammaster.checkpoint.WAN_1_3B` are the
    sizes of the published weights. New, the network computes what the plain one would, had it the footage in its
    sequence: the camera encoders are zero and the projectors the identity (published code; the paper has both zero).
    """

    # The camera's twelve numbers do not survive eight bits, and their encoder weighs next to nothing.
    _skip_layerwise_casting_patterns: ClassVar = [
        *WanTransformer3DModel._skip_layerwise_casting_patterns,
        "cam_encoder",
    ]
    _cp_plan: ClassVar = WanTransformer3DModel._cp_plan | {
        "rope": WanTransformer3DModel._cp_plan["rope"]
        | {2: ContextParallelInput(split_dim=1, expected_dims=3, split_output=True)}
    }

    # diffusers reads the configuration off the signature
    @functools.wraps(WanTransformer3DModel.__init__)  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sizes = self.config
        self.rope = ReCamMasterRotaryPosEmbed(sizes.attention_head_dim, sizes.patch_size, sizes.rope_max_seq_len)
        width = sizes.num_attention_heads * sizes.attention_head_dim
        for block in self.blocks:
            attention = block.attn1
            # The class and not the module is exchanged: the weights made by the block stay where they are.
            attention.__class__ = ReCamMasterAttention
            attention.cam_encoder = nn.Linear(CAMERA_CHANNELS, width)
            attention.projector = nn.Linear(width, width)
            nn.init.zeros_(attention.cam_encoder.weight)
            nn.init.zeros_(attention.cam_encoder.bias)
            nn.init.eye_(attention.projector.weight)
            nn.init.zeros_(attention.projector.bias)

    def forward(
        self,
        hidden_states: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        encoder_hidden_states_image: Tensor | None = None,
        return_dict: bool = True,
        attention_kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """The velocity of the target's latents.

        Args:
            hidden_states: (B, C, F, H, W), the target's noisy latents; H and W even, F and they of any size.
            timestep: (B,), in 1000ths of the noise level; rounded to the type of `hidden_states`, as in training.
            encoder_hidden_states: (B, L, text_dim), the prompt, zero after its end.
            encoder_hidden_states_image: not used by this model.
            return_dict: whether to give an output object or a tuple.
            attention_kwargs: ``source_latents`` (B, C, F, H, W), the footage's clean latents, and ``camera``
                (B, F, 12), see :mod:`backend.recammaster.camera`; both may have a batch of one for all. What else is
                in it goes to Wan's transformer (``scale`` of LoRA).

        Returns:
            (B, C, F, H, W): the target's half of what the transformer gives for both.

        Raises:
            ValueError: one of the two is missing, or has another shape.
        """
        kwargs = dict(attention_kwargs or {})
        source, camera = _checked(hidden_states, kwargs.pop("source_latents", None), kwargs.pop("camera", None))
        frames = hidden_states.shape[2]
        # The target before the source, one after the other in time (published code; the paper's eq. 8 swaps them).
        both = torch.cat([hidden_states, source], dim=2)
        self.rope.camera = self._camera_of_tokens(camera, both)
        try:
            output = super().forward(
                both,
                timestep.to(hidden_states.dtype),
                encoder_hidden_states,
                encoder_hidden_states_image,
                return_dict=False,
                attention_kwargs=kwargs,
            )[0]
        finally:
            self.rope.camera = None
        sample = output[:, :, :frames]
        if not return_dict:
            return (sample,)
        from diffusers.models.modeling_outputs import Transformer2DModelOutput

        return Transformer2DModelOutput(sample=sample)

    def _camera_of_tokens(self, camera: Tensor, both: Tensor) -> Tensor:
        """(B, F, 12) to (B, tokens, 12): frame i of the source has the camera of frame i of the target."""
        _, height, width = self.config.patch_size
        tokens = (both.shape[3] // height) * (both.shape[4] // width)
        return camera.repeat(1, 2, 1).repeat_interleave(tokens, dim=1)


def _checked(latents: Tensor, source: Tensor | None, camera: Tensor | None) -> tuple[Tensor, Tensor]:
    batch, _, frames = latents.shape[:3]
    if source is None or camera is None:
        lacking = "source_latents" if source is None else "camera"
        raise ValueError(f"attention_kwargs: no {lacking!r}; ReCamMaster needs source_latents and camera")
    if source.shape[1:] != latents.shape[1:] or source.shape[0] not in (1, batch):
        raise ValueError(
            f"source_latents: found the shape {tuple(source.shape)}, expected the target's {tuple(latents.shape)}"
        )
    if camera.shape[1:] != (frames, CAMERA_CHANNELS) or camera.shape[0] not in (1, batch):
        raise ValueError(
            f"camera: found the shape {tuple(camera.shape)}, expected {(batch, frames, CAMERA_CHANNELS)}: "
            "one row per latent frame"
        )
    return (
        source.to(latents).expand(batch, -1, -1, -1, -1),
        camera.to(latents).expand(batch, -1, -1),
    )
