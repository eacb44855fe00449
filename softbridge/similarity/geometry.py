"""Compare two prompts as point clouds in the embedding space.

Per-token cosine and the cosine of means are SPoT's (Vu et al. 2022, section 4); the flattened cosine and the two
Euclidean measures are Su et al.'s indicators (NAACL 2022); principal angles compare the spans.

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


def flattened_cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the cosine of the two prompts as one long vector each: `cos(vec a, vec b)` (C_concat).

    Arguments:
        a: `[P, H]` a prompt.
        b: `[P, H]` a prompt.

    Returns:
        A scalar in -1..1.

    Raises:
        PromptError: when the prompts are not matrices of one shape.

    Example:
        >>> flattened_cosine(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [0.0, -1.0]])).item()
        0.0
    """
    _check_alike(a, b)
    return _dot(_unit(a.float().flatten()), _unit(b.float().flatten()))


def euclidean(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return `1 / (1 + ||a - b||_F)` (E_concat).

    Arguments:
        a: `[P, H]` a prompt.
        b: `[P, H]` a prompt.

    Returns:
        A scalar in 0..1; 1 for the same prompt.

    Raises:
        PromptError: when the prompts are not matrices of one shape.

    Example:
        >>> euclidean(torch.zeros(1, 2), torch.tensor([[0.0, 3.0]])).item()
        0.25
    """
    _check_alike(a, b)
    return 1 / (1 + (a.float() - b.float()).norm())


def euclidean_per_token(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return `1 / (1 + 1/(P Q) * sum_ij ||a_i - b_j||)` (E_avg).

    Arguments:
        a: `[P, H]` a prompt.
        b: `[Q, H]` a prompt, possibly of another length.

    Returns:
        A scalar in 0..1.

    Raises:
        PromptError: when the prompts are not matrices of one width.

    Example:
        >>> euclidean_per_token(torch.zeros(2, 1), torch.tensor([[0.0], [2.0]])).item()
        0.5
    """
    _check(a, b)
    return 1 / (1 + torch.cdist(a.float(), b.float()).mean())


def principal_angles(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the mean squared cosine of the principal angles between the spans of the two prompts' tokens.

    `1/R * sum_r s_r^2`, s the singular values of `U_a U_b^T` for orthonormal bases U, R the smaller span's dimension.
    It asks which directions the prompts use, and nothing of how long or in which order.

    Arguments:
        a: `[P, H]` a prompt.
        b: `[Q, H]` a prompt, possibly of another length.

    Returns:
        A scalar in 0..1; 1 where one span holds the other, 0 where a prompt is zero.

    Raises:
        PromptError: when the prompts are not matrices of one width.

    Example:
        >>> plane = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        >>> round(principal_angles(plane, torch.tensor([[1.0, 1.0, 0.0]])).item(), 4)
        1.0
    """
    _check(a, b)
    ours, theirs = _basis(a), _basis(b)
    count = min(len(ours), len(theirs))
    return (ours @ theirs.T).square().sum().clamp(max=count) / max(1, count)


def _basis(vectors: torch.Tensor) -> torch.Tensor:
    """Return an orthonormal basis `[R, H]` of the vectors' span."""
    _, sizes, directions = torch.linalg.svd(vectors.float(), full_matrices=False)
    return directions[sizes > 1e-5 * sizes[0].clamp_min(1e-30)]


def _check_alike(a: torch.Tensor, b: torch.Tensor) -> None:
    """Refuse prompts that are not matrices of one shape."""
    check(b, "P H", "the second prompt", **check(a, "P H", "the first prompt"))


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
    {
        "cosine_of_means": cosine_of_means,
        "per_token_cosine": per_token_cosine,
        "flattened_cosine": flattened_cosine,
        "euclidean": euclidean,
        "euclidean_per_token": euclidean_per_token,
        "principal_angles": principal_angles,
    }
)
