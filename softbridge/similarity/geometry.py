"""Compare two prompts as point clouds in the embedding space; both measures are SPoT's (Vu et al. 2022, section 4).

Both compare prompts of one backbone that started from the same values; over different starts they mostly measure the
starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch.nn.functional import normalize

from softbridge.shapes import check

Similarity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def cosine_of_means(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the cosine of the two prompts' mean tokens: `cos(mean_i a_i, mean_j b_j)`.

    Arguments:
        a: `[P, H]` a prompt.
        b: `[Q, H]` a prompt, possibly of another length.

    Returns:
        A scalar in -1..1; 0 where a mean is zero.

    Raises:
        PromptError: when the prompts are not matrices of one width.

    Example:
        >>> cosine_of_means(torch.tensor([[2.0, 0.0], [0.0, 2.0]]), torch.tensor([[3.0, 0.0]]))
        tensor(0.7071)
    """
    _check(a, b)
    return _dot(_unit(a.float().mean(0)), _unit(b.float().mean(0)))


def per_token_cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the mean cosine over all pairs of tokens: `1/(P Q) * sum_ij cos(a_i, b_j)`.

    It is computed as `<mean_i a_i/|a_i|, mean_j b_j/|b_j|>`, the same number in O((P + Q) H).

    Arguments:
        a: `[P, H]` a prompt.
        b: `[Q, H]` a prompt, possibly of another length.

    Returns:
        A scalar in -1..1; a token that is zero counts as a cosine of 0.

    Raises:
        PromptError: when the prompts are not matrices of one width.

    Example:
        >>> per_token_cosine(torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([[3.0, 0.0]]))
        tensor(0.5000)
    """
    _check(a, b)
    return _dot(_unit(a.float()).mean(0), _unit(b.float()).mean(0))


def _check(a: torch.Tensor, b: torch.Tensor) -> None:
    """Refuse prompts that are not matrices of one width."""
    check(b, "Q H", "the second prompt", H=check(a, "P H", "the first prompt")["H"])


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    """Return the vectors `[.., H]` at length 1; a zero vector stays zero."""
    return normalize(vectors, dim=-1)


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the inner product; rounding may carry it past 1 by a hair, so it is clamped."""
    return (a @ b).clamp(-1.0, 1.0)


SIMILARITIES: Mapping[str, Similarity] = MappingProxyType(
    {"cosine_of_means": cosine_of_means, "per_token_cosine": per_token_cosine}
)
