"""Losses of rows that are their own answer: tokens of the text, or a second view of it. The `L_n` of L_pre."""

from __future__ import annotations

import torch
from torch.nn import functional


def surprise(logits: torch.Tensor, told: torch.Tensor, owner: torch.Tensor, rows: int) -> torch.Tensor:
    """Return each row's `-1/T_n * sum_t log p(y_nt | x_n)`, the mean over the tokens that it was asked for.

    The mean and not the sum, so that a long text counts as much as a short one.

    Arguments:
        logits: `[A, V]` the scores at every place that was asked for, of all rows, in any precision.
        told: `[A]` the tokens that stand there.
        owner: `[A]` the row of each, 0 to B-1.
        rows: B.

    Returns:
        `[B]` in float32, from 0; 0 for a row that was asked for nothing.

    Example:
        >>> surprise(torch.zeros(3, 4), torch.tensor([0, 1, 2]), torch.tensor([0, 0, 2]), 3)
        tensor([1.3863, 0.0000, 1.3863])
    """
    each = functional.cross_entropy(logits.float(), told, reduction="none")
    count = torch.bincount(owner, minlength=rows).clamp_min(1)
    return torch.zeros(rows, device=logits.device).index_add(0, owner, each) / count


def contrast(views: torch.Tensor, others: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return each row's `-log( exp(cos(h_n, h'_n)/t) / sum_m exp(cos(h_n, h'_m)/t) )`: which of B is its own?

    *Reference*: Gao, Yao, Chen. SimCSE: Simple Contrastive Learning of Sentence Embeddings. EMNLP 2021, equation 1.

    Arguments:
        views: `[B, H]` one view of each row, h.
        others: `[B, H]` another view of each row, h'.
        temperature: t, above 0.

    Returns:
        `[B]` in float32, from 0; exactly 0 for a row alone.

    Example:
        >>> contrast(torch.eye(2), torch.eye(2), 1.0)
        tensor([0.3133, 0.3133])
    """
    unit = functional.normalize
    cosines = unit(views.float(), dim=-1) @ unit(others.float(), dim=-1).T
    own = torch.arange(len(views), device=views.device)
    return functional.cross_entropy(cosines / temperature, own, reduction="none")
