"""Attention written as matrix products in float32, for CPUs on which the fused kernels' backward is slow.

`softbridge_matmul` is registered with transformers, so any model can be asked for it by name. In a bfloat16 model
torch's fused CPU attention spends more than half of a training step in its backward; the plain products do not.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, eager_mask

MATMUL = "softbridge_matmul"


def matmul_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    position_bias: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Return `softmax(Q K^T * scaling + bias + mask) V`.

    Arguments:
        module: the attention layer.
        query: `[B, heads, T, D]`.
        key: `[B, key heads, S, D]`; repeated where several query heads share one.
        value: `[B, key heads, S, D]`.
        attention_mask: `[B, 1, T, S]`, added to the scores.
        scaling: multiplies the scores; `D ** -0.5` when absent.
        position_bias: `[1, heads, T, S]` added to the scores (T5's relative positions).

    Returns:
        `[B, T, heads, D]`, and None for the weights.
    """
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = (query.float() * scaling) @ key.float().transpose(2, 3)
    if position_bias is not None:
        scores = scores + position_bias.float()
    if attention_mask is not None:
        scores = scores + attention_mask[:, :, :, : key.shape[2]].float()
    mixed = scores.softmax(dim=-1) @ value.float()
    return mixed.transpose(1, 2).to(query.dtype).contiguous(), None


def register() -> str:
    """Make the function known to transformers, and return its name."""
    AttentionInterface.register(MATMUL, matmul_attention)
    AttentionMaskInterface.register(MATMUL, eager_mask)
    return MATMUL
