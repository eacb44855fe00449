"""Losses of labelled rows."""

from __future__ import annotations

import torch
from torch.nn import functional

UNLABELLED = -1


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return each row's negative log-likelihood `-log softmax(logits)[label]`, in float32.

    This is the `L_m` of L_fine and the `L_n` of semi-supervised L_pre: a row labelled -1 has a loss and a gradient
    of exactly 0.

    Arguments:
        logits: `[B, C]` class scores, in any precision.
        labels: `[B]` class indices, from 0; -1 where a row is not labelled.

    Returns:
        `[B]` losses in float32, from 0.

    Example:
        >>> cross_entropy(torch.zeros(2, 4), torch.tensor([3, -1]))
        tensor([1.3863, 0.0000])
    """
    return functional.cross_entropy(logits.float(), labels, reduction="none", ignore_index=UNLABELLED)
